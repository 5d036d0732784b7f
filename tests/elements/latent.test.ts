// What feeds the page of latent attention, held to calls of the engine that are put together in another way, or to hand.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { AbsorptionPipeline, absorptionDims, distances } from "../../web/elements/absorption_pipeline.js";
import { cachedBy, cacheShapes, shapeNamed } from "../../web/elements/cache_shapes.js";
import {
  costOf,
  lengths,
  longestMeasured,
  type Measurement,
  measure,
  shapeOf,
  ways,
} from "../../web/elements/cost_pipeline.js";
import { LatentPipeline, type LatentSettings, latentDims } from "../../web/elements/latent_pipeline.js";
import { tokenId } from "../../web/elements/tokens.js";

const engine = await loadRopewalk();

const within = (got: ArrayLike<number>, want: ArrayLike<number>, bound: number) => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; ++i) {
    const error = Math.abs((got[i] as number) - (want[i] as number));
    if (!(error <= bound)) expect.fail(`[${i}] is ${got[i]} and not ${want[i]}`);
  }
};

// ---- One token, both ways ----------------------------------------------------------------------------------------------

describe("LatentPipeline", () => {
  const pipeline = new LatentPipeline(engine);
  const tokens = ["one", "two", "three", "two", "one"];
  const settings = { tokens, newest: 3, seed: 5, nHeads: 2, kvLoraRank: 8, qLoraRank: 24 };
  const { hiddenSize, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim } = latentDims;

  /** The sentence in one call, without a cache. */
  function atOnce({ seed, nHeads, kvLoraRank, qLoraRank, newest }: LatentSettings) {
    const matrix = (stream: number, outDim: number, inDim: number) =>
      engine.seededProjection({ seed, stream, outDim, inDim });
    const ones = (size: number) => new Float32Array(size).fill(1);
    const queries = nHeads * (nope + rope);
    const seqLen = newest + 1;
    const tokenIds = Int32Array.from(tokens.slice(0, seqLen), tokenId);
    return engine.mla({
      ...{ ...latentDims, nHeads, kvLoraRank, qLen: seqLen },
      ...(qLoraRank === undefined
        ? { qProj: matrix(10, queries, hiddenSize) }
        : {
            qLoraRank,
            qAProj: matrix(11, qLoraRank, hiddenSize),
            qALayernorm: ones(qLoraRank),
            qBProj: matrix(12, queries, qLoraRank),
          }),
      kvAProj: matrix(13, kvLoraRank + rope, hiddenSize),
      kvALayernorm: ones(kvLoraRank),
      kvBProj: matrix(14, nHeads * (nope + vHeadDim), kvLoraRank),
      oProj: matrix(15, hiddenSize, nHeads * vHeadDim),
      ...engine.buildRopeCache({ seqLen, invFreq: engine.ropeInvFreq({ rotaryDim: rope }) }),
      x: engine.seededEmbedding({ tokenIds, dim: hiddenSize, seed }),
      ...({ causal: true, form: "naive", weights: true, steps: true } as const),
    });
  }

  test.each<Partial<LatentSettings>>([
    {},
    { newest: 0 },
    { newest: 4, nHeads: 4 },
    { qLoraRank: undefined, kvLoraRank: 32 },
  ])("both routes are the newest token of the whole sentence, %o", (change) => {
    const now = { ...settings, ...change };
    const { nHeads, newest, kvLoraRank } = now;
    const whole = atOnce(now);
    const { naive, absorbed, latents, x, keys, difference } = pipeline.run(now);
    expect(keys).toBe(newest + 1);
    const last = whole.out.subarray(newest * hiddenSize);
    const rows = Float32Array.from({ length: nHeads * keys }, (_, i) => {
      const head = Math.floor(i / keys);
      return whole.weights[(head * keys + newest) * keys + (i % keys)] as number;
    });
    for (const route of [naive, absorbed]) {
      within(route.out, last, 1e-5);
      within(route.weights, rows, 1e-6);
    }
    within(latents, whole.steps.latents ?? [], 1e-6);
    // Each by its own computation.
    expect(naive.steps.key).toHaveLength(keys * nHeads * (nope + rope));
    expect(naive.steps.latentQuery).toBeUndefined();
    expect(absorbed.steps.latentQuery).toHaveLength(nHeads * (kvLoraRank + rope));
    expect(absorbed.steps.key).toBeUndefined();
    within(naive.steps.key ?? [], whole.steps.key ?? [], 1e-5);
    within(naive.steps.value ?? [], whole.steps.value ?? [], 1e-5);
    expect(difference.out).toBe(engine.maxAbsDifference({ a: naive.out, b: absorbed.out }));
    expect(difference.weights).toBe(engine.maxAbsDifference({ a: naive.weights, b: absorbed.weights }));
    const tokenIds = Int32Array.of(tokenId(tokens[newest] as string));
    expect(x).toEqual(engine.seededEmbedding({ tokenIds, dim: hiddenSize, seed: 5 }));
  });

  test("counts the work of each route, and what is kept", () => {
    const { naive, absorbed, bytes, elements, keys } = pipeline.run(settings);
    const up = settings.nHeads * (nope + vHeadDim) * settings.kvLoraRank;
    expect(naive.cost.expand.multiplyAdds).toBe(keys * up);
    expect(absorbed.cost.expand.multiplyAdds).toBe(up);
    expect(elements).toEqual({ latent: 8 + rope, heads: 2 * (nope + rope + vHeadDim) });
    expect(bytes).toEqual({ latent: 4 * keys * elements.latent, heads: 4 * keys * elements.heads });
  });

  test("has the angle of every rotated pair, of the cache and of the query", () => {
    const { latents, absorbed, angles, keys } = pipeline.run(settings);
    const pairs = rope / 2;
    const angle = (row: Float32Array, width: number, first: number, i: number) => {
      const at = Math.floor(i / pairs) * width + first + 2 * (i % pairs);
      return Math.atan2(row[at + 1] as number, row[at] as number);
    };
    within(
      angles.latents,
      Array.from({ length: keys * pairs }, (_, i) => angle(latents, 8 + rope, 8, i)),
      1e-6,
    );
    within(
      angles.query,
      Array.from({ length: 2 * pairs }, (_, i) => angle(absorbed.steps.query, nope + rope, nope, i)),
      1e-6,
    );
  });

  test("keeps one cache as long as it fits", () => {
    const before = pipeline.run(settings);
    pipeline.run({ ...settings, kvLoraRank: 64 });
    expect(pipeline.run(settings)).toEqual(before);
    pipeline.delete();
    expect(pipeline.run(settings)).toEqual(before);
  });
});

// ---- Why RoPE cannot be absorbed ---------------------------------------------------------------------------------------

describe("AbsorptionPipeline", () => {
  const pipeline = new AbsorptionPipeline(engine);

  test("one matrix for one distance is right there alone: its score is the true one at distance 0", () => {
    const { rotary, score, absorbedScore } = pipeline.run(1);
    expect(rotary[0]).toBe(0);
    expect(absorbedScore).toBeCloseTo(score[0] as number, 6);
    expect(Math.abs(absorbedScore - (score[200] as number))).toBeGreaterThan(0.1);
  });

  test("the matrix for a context gives the mean of the scores in it", () => {
    for (const contextLen of [16, 256]) {
      const { score, absorbedScore } = pipeline.run(contextLen);
      const mean = score.subarray(0, contextLen).reduce((sum, value) => sum + value, 0) / contextLen;
      expect(absorbedScore).toBeCloseTo(mean, 5);
    }
  });

  test("has the decoupled errors of every distance, at rounding, and the same for every context", () => {
    const { decoupled } = pipeline.run(4);
    expect(decoupled).toHaveLength(distances);
    expect(Math.max(...decoupled)).toBeLessThan(1e-5);
    // Two computations: they do differ.
    expect(decoupled.filter((error) => error > 0).length).toBeGreaterThan(distances / 2);
    expect(pipeline.run(512).decoupled).toEqual(decoupled);
    expect(absorptionDims.kvLoraRank).toBeGreaterThan(absorptionDims.qkNopeHeadDim);
  });
});

// ---- What is cached ----------------------------------------------------------------------------------------------------

test.each([
  ["Llama 3 8B", 65_536, 2048, 8192],
  ["Llama 3 70B", 163_840, 2048, 16_384],
  ["Llama 3.1 405B", 258_048, 2048, 32_768],
  ["Qwen2.5 72B", 163_840, 2048, 16_384],
  ["Qwen3 235B-A22B", 96_256, 1024, 16_384],
  ["DeepSeek 67B", 194_560, 2048, 16_384],
  ["DeepSeek-V2-Lite", 15_552, 576, 4096],
  ["DeepSeek-V2", 34_560, 576, 32_768],
  ["DeepSeek-V3", 35_136, 576, 32_768],
])("%s keeps %i elements of a token, by its published shape", (name, all, layer, mha) => {
  const shape = shapeNamed(name);
  expect(cachedBy(engine, shape, 1000, 2)).toEqual({ elements: { all, layer }, bytes: 2000 * all });
  expect(cachedBy(engine, shape, 1, 2, "mha").elements.layer).toBe(mha);
  expect(cacheShapes).toContain(shape);
});

// ---- What it costs -----------------------------------------------------------------------------------------------------

test("decode costs one token, prefill all of them, each in its own way", () => {
  const shape = shapeOf("DeepSeek-V2-Lite");
  const up = 512 * 16 * 256;
  for (const length of lengths) {
    const part = (phase: "decode" | "prefill", way: (typeof ways)[number]) =>
      costOf(engine, shape, phase, way, length).expand.multiplyAdds;
    expect(part("decode", "kept")).toBe(up);
    expect(part("decode", "expanded")).toBe(length * up);
    expect(part("decode", "absorbed")).toBe(up);
    for (const way of ways) expect(part("prefill", way)).toBe(length * up);
    // Causal: half of the square, and the diagonal.
    expect(costOf(engine, shape, "prefill", "absorbed", length).attend.multiplyAdds).toBe(
      ((length * (length + 1)) / 2) * 16 * (512 + 64 + 512),
    );
  }
});

test("measures every way at every length, and gives its memory back", () => {
  const small = {
    hiddenSize: 8,
    nHeads: 2,
    kvLoraRank: 4,
    qkNopeHeadDim: 4,
    qkRopeHeadDim: 2,
    vHeadDim: 4,
  };
  const own = engine.f32(1);
  const run = (phase: "decode" | "prefill") => [...measure(engine, small, phase)];
  const measured = (phase: "decode" | "prefill") =>
    lengths.filter((length) => length <= longestMeasured[phase]);
  const shown = (all: Measurement[]) => all.map(({ way, length }) => `${way} ${length}`);
  const first = run("decode");
  expect(shown(first)).toEqual(ways.flatMap((way) => measured("decode").map((length) => `${way} ${length}`)));
  expect(shown(run("prefill"))).toEqual(
    ["expanded", "absorbed"].flatMap((way) => measured("prefill").map((length) => `${way} ${length}`)),
  );
  for (const { milliseconds } of first) expect(milliseconds).toBeGreaterThan(0);
  const before = own.view.buffer.byteLength;
  run("decode");
  run("prefill");
  expect(own.view.buffer.byteLength).toBe(before);
});
