// The contest in Chromium, with a fresh profile.
import { join } from "node:path";
import { PROJECT } from "../../cpp/toolchain/places.mjs";
import { launch } from "../page/browser.mjs";
import { serve } from "./serve.mjs";

const at = (...parts) => join(PROJECT, ...parts);
const BUNDLE = at("build/bench/page");

export async function inChromium(asked) {
  await bundle();
  const folders = {
    "/bench/": BUNDLE,
    "/engine/": at("dist/engine"),
    "/peers/": at("tests/bench/node_modules"),
  };
  const pages = { "/": "<!doctype html><title>Benchmark</title><body></body>" };
  const server = await serve({ folders, pages });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.exposeFunction("say", (line) => console.log(line));
    await page.goto(server.url);
    return await page.evaluate(async (asked) => {
      const { run } = await import("/bench/page.js");
      return run(asked);
    }, asked);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** All contenders in one module, but for what they fetch. */
async function bundle() {
  const { build } = await import("vite");
  await build({
    configFile: false,
    logLevel: "error",
    // onnxruntime-web else has its 14 MB of wasm put into the module.
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "import", "default"] },
    build: {
      target: "es2022",
      outDir: BUNDLE,
      emptyOutDir: true,
      lib: { entry: at("tests/bench/page.mjs"), formats: ["es"], fileName: "page" },
    },
  });
}
