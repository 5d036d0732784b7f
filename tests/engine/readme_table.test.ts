// The README's tables of encodings, scalings and latent attention: each row's call is run as it stands there, and its result held to the
// reference.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { accuracyTable } from "../accuracy.mjs";
import { project } from "./child.ts";
import { loadReference, type Reference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();
const readme = readFileSync(join(project, "README.md"), "utf8");

type Options = Record<string, unknown>;
type Numbers = ArrayLike<number>;

/** The rows of the table whose first heading is `heading`. */
function rows(heading: string): { name: string; call: string }[] {
  const table =
    new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\|\\n((?:\\|.*\\n)+)`, "m").exec(readme)?.[1] ?? "";
  return table
    .trimEnd()
    .split("\n")
    .map((row) => {
      const [, name = "", , cell = ""] = row.split("|").map((text) => text.trim());
      return { name, call: /^`(.*)`$/.exec(cell)?.[1] ?? "" };
    });
}

// ---- What the calls of the rows speak of -------------------------------------------------------------------------------

const wave = (length: number, phase: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(3 * i + phase));
const [qLen, seqLen, nHeads, headDim, dim] = [5, 5, 2, 8, 6];
const positionIds = Int32Array.of(0, 1, 7, -3, 131_071);
const invFreq = engine.ropeInvFreq({ rotaryDim: headDim });
const { cos, sin } = engine.buildRopeCache({ positionIds, invFreq });
const fourth = engine.buildRopeCache({ positionIds, invFreq: engine.ropeInvFreq({ rotaryDim: 4 }) });
const given = {
  query: wave(80, 0),
  key: wave(80, 1),
  value: wave(80, 2),
  x: wave(80, 3),
  cos4: fourth.cos,
  sin4: fourth.sin,
  times: Int32Array.from({ length: 15 }, (_, i) => 11 * i),
  grid: Int32Array.from({ length: 10 }, (_, i) => 9 * i),
  slopes: engine.alibiSlopes({ nHeads }),
  table: wave(64, 4),
  layer: {
    ...{ hiddenSize: 6, nHeads: 2, kvLoraRank: 5, qkNopeHeadDim: 3, qkRopeHeadDim: 4, vHeadDim: 2 },
    qProj: wave(84, 5),
    kvAProj: wave(54, 6),
    kvALayernorm: wave(5, 7),
    kvBProj: wave(50, 8),
    oProj: wave(24, 9),
  },
  hidden: wave(30, 10),
  keyUp: wave(40, 11),
  kvLoraRank: 5,
  ...{ qLen, seqLen, nHeads, headDim, dim, positionIds, invFreq, cos, sin },
};

/** What the engine takes for options that are left out; the reference wants them all. */
const defaults: Record<string, Options> = {
  attention: {
    batch: 1,
    kvLen: qLen,
    nKvHeads: nHeads,
    vHeadDim: headDim,
    kvLens: [],
    mask: [],
    maskShape: [0, 0, 0, 0],
    bias: [],
    biasShape: [0, 0, 0, 0],
    queryOffset: 0,
    causal: false,
    leftWindowSize: -1,
    rightWindowSize: -1,
    softmaxScale: 1 / Math.sqrt(headDim),
    softcap: 0,
    scoreStage: "masked",
  },
  mla: { batch: 1, len: qLen, causal: false, softmaxScale: 1 / Math.sqrt(7), epsilon: 1e-6 },
  absorbRotation: { firstDistance: 0, step: 1 },
  sinusoidalEncoding: { base: 10_000 },
  applyRope: { format: "bshd", batch: 1, rotaryDim: headDim, positionIds: [0, 1, 2, 3, 4] },
  buildMropeCache: { interleaved: false, attentionFactor: 1 },
  buildAxialRopeCache: { ropeTheta: 100 },
  buildXposCache: { scaleBase: 512, gamma: 0.4 },
  alibiBias: { queryOffset: 0 },
  t5Bias: { queryOffset: 0, numBuckets: 32, maxDistance: 128, bidirectional: true },
};

interface FromConfig {
  config: { rope_scaling?: Options; rope_parameters?: Options };
  seqLen?: number;
}

function byReference(method: string, options: Options): unknown {
  if (method !== "ropeFromConfig")
    return reference[method as keyof Reference]({ ...defaults[method], ...options });
  const { config, seqLen } = options as unknown as FromConfig;
  const { rope_scaling, rope_parameters, ...rest } = config;
  const fields = { rope_type: "default", ...rest, ...rope_scaling, ...rope_parameters };
  return reference.ropeScaling(seqLen === undefined ? fields : { ...fields, seq_len: seqLen });
}

/** Runs a row's call with `run` in place of the engine's methods. */
function evaluate(call: string, run: (method: string, options: Options) => unknown): unknown {
  const method = /^\w+/.exec(call)?.[0] as string;
  const names = [method, ...Object.keys(given)];
  const program = new Function(...names, `"use strict"; return ${call};`);
  return program((options: Options) => run(method, options), ...Object.values(given));
}

const byEngine = (method: string, options: Options) =>
  (engine as unknown as Record<string, (options: Options) => unknown>)[method]?.call(engine, options);

/** Every number of the result that the reference has too, by name. */
function numbers(result: unknown): Record<string, Numbers> {
  if (typeof result !== "object" || result === null) throw new Error(`the call gave ${result}`);
  if (ArrayBuffer.isView(result)) return { result: result as unknown as Numbers };
  const entries = Object.entries(result).map(([name, value]) => [
    name,
    typeof value === "number" ? [value] : value,
  ]);
  return Object.fromEntries(entries.filter(([, value]) => Array.isArray(value) || ArrayBuffer.isView(value)));
}

// ---- The rows ----------------------------------------------------------------------------------------------------------

for (const [heading, expected] of [
  [
    "encoding",
    "none, integer, binary, sinusoidal, rotary, interleaved, rotary, half, rotary, partial, M-RoPE, in sections, " +
      "M-RoPE, interleaved, 2-D axial, xPos, ALiBi, T5",
  ],
  ["`rope_type`", "default, linear, ntk, dynamic, yarn, longrope, llama3, proportional"],
  ["latent attention", "naive, absorbed, rotated, then absorbed"],
] as const) {
  describe(`the README's table of each ${heading}`, () => {
    test("has all rows", () => {
      const names = rows(heading).map(({ name }) => name);
      expect(names.join(", ")).toBe(expected);
    });

    test.each(rows(heading))("$name", ({ call }) => {
      const wanted = numbers(evaluate(call, byReference));
      const got = numbers(evaluate(call, byEngine));
      const shared = Object.keys(wanted).filter((name) => got[name] !== undefined);
      expect(shared.length).toBeGreaterThan(0);
      for (const name of shared) {
        const [ours, theirs] = [got[name] as Numbers, wanted[name] as Numbers];
        expect(ours.length).toBe(theirs.length);
        // Frequencies and factors are doubles; all else is float32, or read from float32.
        const rounding = name === "invFreq" || name.endsWith("Factor") ? 2 ** -50 : 2 ** -20;
        for (let i = 0; i < ours.length; ++i) {
          const error = Math.abs((ours[i] as number) - (theirs[i] as number));
          const bound = rounding * Math.max(Math.abs(theirs[i] as number), name === "invFreq" ? 0 : 1);
          if (!(error <= bound)) expect.fail(`${name}[${i}] is ${ours[i]}, and ${theirs[i]} is right`);
        }
      }
    });
  });
}

test("npm run accuracy prints what the README shows", () => {
  const shown = /^\$ npm run accuracy\n(.*?)\n```/ms.exec(readme)?.[1];
  expect(accuracyTable(engine, reference).join("\n")).toBe(shown);
});
