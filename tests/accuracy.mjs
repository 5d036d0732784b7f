// `npm run accuracy`: how far cosines and sines are off, of angles taken in float32, as most code has them, and of
// Ropewalk's, against the formula in long double, whose frequencies are not rounded either. The README shows what it
// prints.
import { pathToFileURL } from "node:url";
import { buildPreset } from "../cpp/toolchain/cmake.mjs";
import { BUILD_LOCK } from "../cpp/toolchain/places.mjs";
import { die, inTurn } from "../cpp/toolchain/process.mjs";
import { buildEngine, buildWasm, installPackages } from "../web/build.mjs";

const POSITIONS = [1_023, 8_191, 131_071, 2 ** 24, 2 ** 31 - 1];
/** Llama 2, Llama 3 and Qwen2.5. */
const MODELS = [
  { rotaryDim: 128, ropeTheta: 10_000 },
  { rotaryDim: 128, ropeTheta: 500_000 },
  { rotaryDim: 128, ropeTheta: 1_000_000 },
];

/** Lines of text: at each position the largest error of any pair of the models. */
export function accuracyTable(ropewalk, reference) {
  const lines = ["largest error of a cosine or sine", "     position  float32 angles  Ropewalk"];
  for (const position of POSITIONS) {
    const { float32, own } = largestErrors(ropewalk, reference, position);
    const columns = [position.toLocaleString("en").padStart(13), float32.toExponential(1).padStart(14)];
    lines.push(`${columns.join("  ")}  ${own.toExponential(1).padStart(8)}`);
  }
  return lines;
}

const { fround } = Math;

/** 1 / rope_theta^(2i / rotary_dim), each step in float32. */
const float32Frequency = ({ rotaryDim, ropeTheta }, i) =>
  fround(1 / fround(ropeTheta ** fround((2 * i) / rotaryDim)));

function largestErrors(ropewalk, reference, position) {
  const positionIds = Int32Array.of(position);
  const errors = { float32: 0, own: 0 };
  for (const model of MODELS) {
    const exact = reference.buildRopeCache({ positionIds, ...model, attentionFactor: 1 });
    const made = ropewalk.buildRopeCache({ positionIds, invFreq: ropewalk.ropeInvFreq(model) });
    for (let i = 0; i < model.rotaryDim / 2; ++i) {
      const off = (cos, sin) => Math.max(Math.abs(cos - exact.cos[i]), Math.abs(sin - exact.sin[i]));
      const angle = fround(fround(position) * float32Frequency(model, i));
      errors.float32 = Math.max(errors.float32, off(Math.cos(angle), Math.sin(angle)));
      errors.own = Math.max(errors.own, off(made.cos[i], made.sin[i]));
    }
  }
  return errors;
}

async function main() {
  await inTurn(BUILD_LOCK, async () => {
    await installPackages();
    await buildWasm();
    await buildEngine();
    await buildPreset("wasm-reference");
  });
  const { loadRopewalk } = await import("../dist/engine/node.js");
  const built = new URL("../build/wasm-reference/ropewalk_reference_module.mjs", import.meta.url);
  const { default: createReference } = await import(built.href);
  for (const line of accuracyTable(await loadRopewalk(), await createReference())) console.log(line);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main().catch(die);
