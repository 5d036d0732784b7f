/** Measures off the page's thread: what is asked for, and then what it took, point by point. */
import { loadRopewalk } from "ropewalk";
import { measure, type Phase, shapeOf } from "./cost_pipeline.js";

addEventListener("message", async ({ data: phase }: MessageEvent<Phase>) => {
  try {
    const engine = await loadRopewalk();
    for (const measurement of measure(engine, shapeOf("DeepSeek-V2-Lite"), phase)) postMessage(measurement);
    postMessage("done");
  } catch (error) {
    postMessage({ problem: (error as Error).message });
  }
});
