// Multi-head latent attention: both forms, with and without caches, held to plain loops and to one another.
import {
  type F32Buffer,
  type KvCache,
  type LatentCache,
  loadRopewalk,
  type MlaForm,
  type MlaOptions,
  type MlaShape,
  type MlaSteps,
  RopewalkError,
} from "ropewalk";
import { describe, expect, test } from "vitest";
import { hiddenStates, type Layer, seededLayer, tokensOf, turnsOf } from "./latent.ts";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

const shapes: MlaShape[] = [
  { hiddenSize: 1, nHeads: 1, kvLoraRank: 1, qkNopeHeadDim: 1, qkRopeHeadDim: 2, vHeadDim: 1 },
  {
    hiddenSize: 32,
    nHeads: 4,
    qLoraRank: 16,
    kvLoraRank: 8,
    qkNopeHeadDim: 8,
    qkRopeHeadDim: 4,
    vHeadDim: 8,
  },
  { hiddenSize: 33, nHeads: 3, kvLoraRank: 7, qkNopeHeadDim: 5, qkRopeHeadDim: 6, vHeadDim: 3 },
  {
    hiddenSize: 17,
    nHeads: 2,
    qLoraRank: 5,
    kvLoraRank: 21,
    qkNopeHeadDim: 4,
    qkRopeHeadDim: 2,
    vHeadDim: 11,
  },
];
const forms = ["naive", "absorbed"] as const;

/** What mla() states of its accuracy. */
const near = (wanted: ArrayLike<number>) => (i: number) => 2 ** -18 * (1 + Math.abs(wanted[i] as number));
/** Within it, and -∞ just where it is expected. */
const expectNear = (actual: ArrayLike<number>, wanted: ArrayLike<number>, what: string) =>
  plain.expectClose(actual, wanted, (i) => (Number.isFinite(wanted[i]) ? near(wanted)(i) : 0), what);

/** All that may come back, whatever the options' type says. */
interface Outputs {
  out: Float32Array;
  weights: Float32Array;
  scores: Float32Array;
  steps: MlaSteps;
}
const everything = { weights: true, scores: true, steps: true } as const;
const attend = (options: MlaOptions) => engine.mla({ ...options, ...everything }) as Outputs;

function errorOf(attempt: () => unknown): RopewalkError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof RopewalkError) return error;
    throw error;
  }
  return expect.fail("it was taken");
}

const latentCacheOf = (shape: MlaShape, capacity: number, batch = 1) =>
  engine.latentCache({ batch, capacity, kvLoraRank: shape.kvLoraRank, qkRopeHeadDim: shape.qkRopeHeadDim });

const kvCacheOf = (shape: MlaShape, capacity: number, batch = 1) =>
  engine.kvCache({
    ...{ batch, capacity, nKvHeads: shape.nHeads, vHeadDim: shape.vHeadDim },
    headDim: shape.qkNopeHeadDim + shape.qkRopeHeadDim,
  });

/** A layer with sequences for it, and what plain loops make of them. */
function example(shape: MlaShape, batch: number, len: number, rules: Omit<plain.MlaRules, "len"> = {}) {
  const layer = seededLayer(engine, shape, 3);
  const x = hiddenStates(engine, batch * len, shape.hiddenSize);
  const turns = turnsOf(engine, len, shape.qkRopeHeadDim);
  const given = { batch, len, causal: true, ...rules };
  return { layer, x, turns, wanted: plain.mla(x, layer as plain.MlaLayer, turns, given), given };
}

/** The options for tokens from `begin` to before `end`. */
function part(
  { layer, x, turns, given }: ReturnType<typeof example>,
  begin: number,
  end: number,
): MlaOptions {
  const { batch, len, ...rules } = given;
  const row = layer.qkRopeHeadDim / 2;
  return {
    ...layer,
    ...rules,
    x: tokensOf(x, { batch, len }, begin, end),
    batch,
    qLen: end - begin,
    cos: turns.cos.slice(begin * row, end * row),
    sin: turns.sin.slice(begin * row, end * row),
  };
}

/** Of [batch · nHeads, len, len], queries from `begin` to before `end`, and the keys that there are by then. */
function square(x: ArrayLike<number>, len: number, begin: number, end: number): number[] {
  const out: number[] = [];
  for (let n = 0; n < x.length / (len * len); n++) {
    for (let i = begin; i < end; i++) {
      for (let j = 0; j < end; j++) out.push(x[(n * len + i) * len + j] as number);
    }
  }
  return out;
}

// ---- Whole sequences ---------------------------------------------------------------------------------------------------

describe.each(shapes)("a layer, %o", (shape) => {
  const {
    hiddenSize,
    nHeads,
    qLoraRank,
    kvLoraRank,
    qkNopeHeadDim: nope,
    qkRopeHeadDim: rope,
    vHeadDim,
  } = shape;
  const qkDim = nope + rope;

  test.each(forms)("is the formula's with all its steps, %s", (form) => {
    for (const [batch, len] of [
      [1, 1],
      [1, 6],
      [2, 5],
    ] as const) {
      for (const causal of [false, true]) {
        const rules = { causal, softmaxScale: 1.3 / Math.sqrt(qkDim), epsilon: 1e-3 };
        const one = example(shape, batch, len, rules);
        const { out, weights, scores, steps } = attend({ ...part(one, 0, len), form });
        const { wanted } = one;
        expectNear(out, wanted.out, "out");
        expectNear(weights, wanted.weights, "weights");
        expectNear(scores, wanted.scores, "scores");
        expectNear(steps.query, wanted.query, "query");
        expectNear(steps.latents ?? [], wanted.latents, "latents");
        expectNear(steps.heads, wanted.heads, "heads");
        if (qLoraRank === undefined) expect(steps).not.toHaveProperty("qLatent");
        else expectNear(steps.qLatent ?? [], wanted.qLatent ?? [], "qLatent");
        const tokens = batch * len;
        if (form === "naive") {
          expect(steps).not.toHaveProperty("latentQuery");
          expect(steps).not.toHaveProperty("latentOut");
          expectNear(steps.key ?? [], wanted.key, "key");
          expectNear(steps.value ?? [], wanted.value, "value");
        } else {
          expect(steps).not.toHaveProperty("key");
          expect(steps).not.toHaveProperty("value");
          expect(steps.latentQuery?.length).toBe(tokens * nHeads * (kvLoraRank + rope));
          expect(steps.latentOut?.length).toBe(tokens * nHeads * kvLoraRank);
        }
        expect(steps.query.length).toBe(tokens * nHeads * qkDim);
        expect(steps.heads.length).toBe(tokens * nHeads * vHeadDim);
        expect(out.length).toBe(tokens * hiddenSize);
      }
    }
  });

  test("adds up, step by step", () => {
    const [batch, len] = [2, 4];
    const one = example(shape, batch, len);
    const softmaxScale = 1 / Math.sqrt(qkDim);
    const options = part(one, 0, len);
    const naive = attend({ ...options, form: "naive" });
    const absorbed = attend(options);
    const dots = (query: ArrayLike<number>, key: ArrayLike<number>, dim: number, keyHeads: number) => {
      const out: number[] = [];
      for (let b = 0; b < batch; b++)
        for (let h = 0; h < nHeads; h++)
          for (let i = 0; i < len; i++)
            for (let j = 0; j < len; j++) {
              let sum = 0;
              const q = ((b * len + i) * nHeads + h) * dim;
              const k = ((b * len + j) * keyHeads + (keyHeads === 1 ? 0 : h)) * dim;
              for (let c = 0; c < dim; c++) sum += (query[q + c] as number) * (key[k + c] as number);
              out.push(j > i ? Number.NEGATIVE_INFINITY : softmaxScale * sum);
            }
      return out;
    };
    expectNear(naive.scores, dots(naive.steps.query, naive.steps.key ?? [], qkDim, nHeads), "query · key");
    expectNear(
      absorbed.scores,
      dots(absorbed.steps.latentQuery ?? [], absorbed.steps.latents ?? [], kvLoraRank + rope, 1),
      "latentQuery · latents",
    );
    for (const { scores, weights } of [naive, absorbed]) {
      expectNear(weights, plain.softmax(scores, len), "softmax of the scores");
    }
    // Weights · latents.
    const attended = plain.headsOf({ batch, len, nHeads, headDim: kvLoraRank }, (b, i, h, c) => {
      let sum = 0;
      for (let j = 0; j < len; j++) {
        const weight = absorbed.weights[((b * nHeads + h) * len + i) * len + j] as number;
        sum += weight * (absorbed.steps.latents?.[(b * len + j) * (kvLoraRank + rope) + c] as number);
      }
      return sum;
    });
    expectNear(absorbed.steps.latentOut ?? [], attended, "weights · latents");
    // The output is the heads' by a projection like any other.
    for (const { out, steps } of [naive, absorbed]) {
      expect(
        engine.linear({
          ...{ x: steps.heads, weight: one.layer.oProj, rows: batch * len },
          ...{ inDim: nHeads * vHeadDim, outDim: hiddenSize },
        }),
      ).toEqual(out);
    }
    // The forms part after the queries and the latents, not before.
    expect(absorbed.steps.query).toEqual(naive.steps.query);
    expect(absorbed.steps.latents).toEqual(naive.steps.latents);
  });

  test("gives the same whether more is asked for or not", () => {
    const one = example(shape, 2, 5);
    for (const form of forms) {
      const options = { ...part(one, 0, 5), form };
      const { out, weights, scores } = attend(options);
      expect(engine.mla(options)).toEqual({ out });
      expect(engine.mla({ ...options, weights: true })).toEqual({ out, weights });
      expect(engine.mla({ ...options, scores: true })).toEqual({ out, scores });
      expect(engine.mla({ ...options, steps: false, weights: false, scores: false })).toEqual({ out });
    }
  });

  // ---- Caches ----------------------------------------------------------------------------------------------------------

  const chunks = [5, 1, 1, 3, 2];
  const total = 12;

  test.each([1, 2])("goes on where it stopped, whatever is kept, %d sequences", (batch) => {
    const one = example(shape, batch, total);
    const { wanted } = one;
    using naiveLatents = latentCacheOf(shape, total + 2, batch);
    using absorbedLatents = latentCacheOf(shape, total + 2, batch);
    using mixedLatents = latentCacheOf(shape, total, batch);
    using heads = kvCacheOf(shape, total + 1, batch);
    let begin = 0;
    for (const [n, qLen] of chunks.entries()) {
      const end = begin + qLen;
      const options = part(one, begin, end);
      const naive = attend({ ...options, cache: naiveLatents, form: "naive" });
      const absorbed = attend({ ...options, cache: absorbedLatents, form: "absorbed" });
      const kept = attend({ ...options, cache: heads });
      // On one cache the forms may take turns.
      const mixed = attend({ ...options, cache: mixedLatents, form: forms[n % 2] as MlaForm });
      const out = plain.sliceHeads(
        { batch, len: total, nHeads: 1, headDim: hiddenSize },
        wanted.out,
        begin,
        end,
      );
      for (const [what, result] of Object.entries({ naive, absorbed, kept, mixed })) {
        expectNear(result.out, out, `${what}: out of ${begin} to ${end}`);
        expectNear(result.weights, square(wanted.weights, total, begin, end), `${what}: weights`);
        expectNear(result.scores, square(wanted.scores, total, begin, end), `${what}: scores`);
      }
      plain.expectClose(absorbed.out, naive.out, 1e-5, "the forms' out");
      plain.expectClose(absorbed.weights, naive.weights, 1e-5, "the forms' weights");
      // Of what was expanded at once, and what when it was new, there is the same to the bit; but a cache is summed up in
      // another order.
      plain.expectClose(kept.out, naive.out, 1e-5, "out of what is kept");
      plain.expectClose(kept.weights, naive.weights, 1e-5, "weights of what is kept");

      // What a cache has is not given again; what the other kind has is.
      expect(naive.steps).not.toHaveProperty("latents");
      expect(absorbed.steps).not.toHaveProperty("latents");
      expect(kept.steps).not.toHaveProperty("key");
      expect(kept.steps).not.toHaveProperty("value");
      expect(kept.steps.latents?.length).toBe(batch * qLen * (kvLoraRank + rope));
      const all = { batch, len: total, nHeads };
      expectNear(
        naive.steps.key ?? [],
        plain.sliceHeads({ ...all, headDim: qkDim }, wanted.key, 0, end),
        "key of all",
      );
      expectNear(
        naive.steps.value ?? [],
        plain.sliceHeads({ ...all, headDim: vHeadDim }, wanted.value, 0, end),
        "value of all",
      );
      expect(heads.read()).toEqual({ key: naive.steps.key, value: naive.steps.value });
      begin = end;
      for (const cache of [naiveLatents, absorbedLatents, mixedLatents, heads])
        expect(cache.length).toBe(end);
    }
    expectNear(naiveLatents.read(), wanted.latents, "the latents kept");
    expect(absorbedLatents.read()).toEqual(naiveLatents.read());
    expect(mixedLatents.read()).toEqual(naiveLatents.read());
    // At once, without a cache: the latents to the bit, and attention as near as it gets.
    const whole = attend({ ...part(one, 0, total), form: "naive" });
    expect(naiveLatents.read()).toEqual(whole.steps.latents);
    expect(heads.read()).toEqual({ key: whole.steps.key, value: whole.steps.value });
  });

  test("attends to latents that were appended as to those that it made itself", () => {
    const one = example(shape, 2, total);
    const { latents } = attend(part(one, 0, total - 1)).steps;
    const last = part(one, total - 1, total);
    using made = latentCacheOf(shape, total, 2);
    engine.mla({ ...part(one, 0, total - 1), cache: made });
    using appended = latentCacheOf(shape, total + 3, 2);
    appended.append({ latents: latents as Float32Array, len: total - 1 });
    for (const form of forms) {
      const length = total - 1;
      expect(attend({ ...last, cache: appended, form })).toEqual(attend({ ...last, cache: made, form }));
      made.truncate(length);
      appended.truncate(length);
    }
  });
});

test("naive and absorbed agree within 1e-5 on a larger layer, at prefill, in chunks and at decode", () => {
  const shape = {
    ...{ hiddenSize: 256, nHeads: 8, qLoraRank: 96, kvLoraRank: 128 },
    ...{ qkNopeHeadDim: 32, qkRopeHeadDim: 16, vHeadDim: 32 },
  };
  const len = 256;
  const layer = seededLayer(engine, shape, 5);
  const x = hiddenStates(engine, len, shape.hiddenSize);
  const turns = turnsOf(engine, len, shape.qkRopeHeadDim);
  using naive = latentCacheOf(shape, len);
  using absorbed = latentCacheOf(shape, len);
  let largest = 0;
  let begin = 0;
  for (const qLen of [200, 40, 7, 1, 1, 1, 6]) {
    const end = begin + qLen;
    const options = {
      ...layer,
      ...({ x: tokensOf(x, { batch: 1, len }, begin, end), qLen, causal: true, weights: true } as const),
      ...{ cos: turns.cos.slice(begin * 8, end * 8), sin: turns.sin.slice(begin * 8, end * 8) },
    };
    const one = engine.mla({ ...options, cache: naive, form: "naive" });
    const other = engine.mla({ ...options, cache: absorbed, form: "absorbed" });
    for (const name of ["out", "weights"] as const)
      largest = Math.max(largest, engine.maxAbsDifference({ a: one[name], b: other[name] }));
    begin = end;
  }
  expect(begin).toBe(len);
  expect(largest).toBeLessThan(1e-5);
  // They are two computations.
  expect(largest).toBeGreaterThan(0);
});

// ---- By hand -----------------------------------------------------------------------------------------------------------

describe("a token", () => {
  const shape = { hiddenSize: 2, nHeads: 1, kvLoraRank: 2, qkNopeHeadDim: 1, qkRopeHeadDim: 2, vHeadDim: 1 };
  const layer: Layer = {
    ...shape,
    qProj: new Float32Array([1, 0, /**/ 0, 1, /**/ 1, 1]),
    kvAProj: new Float32Array([3, 0, /**/ 0, 4, /**/ 1, 0, /**/ 0, 1]),
    kvALayernorm: new Float32Array([1, 2]),
    kvBProj: new Float32Array([1, 1, /**/ 1, -1]),
    oProj: new Float32Array([2, -3]),
  };
  const turn = { cos: new Float32Array([0]), sin: new Float32Array([1]) };

  test.each(forms)("comes out as it does by hand, %s", (form) => {
    // (3, 4) over the root of its mean square, times (1, 2); the rotary part (1, 1) by a quarter turn is (-1, 1).
    const rms = Math.sqrt((9 + 16) / 2);
    const latent = [3 / rms, 8 / rms] as const;
    const x = new Float32Array([1, 1]);
    const { out, weights, scores, steps } = attend({ ...layer, ...turn, x, qLen: 1, form, epsilon: 0 });
    plain.expectClose(steps.latents ?? [], [...latent, -1, 1], 1e-6);
    // The query (1; 1, 2), turned: (1; -2, 1).
    expect(steps.query).toEqual(new Float32Array([1, -2, 1]));
    plain.expectClose(scores, [(latent[0] + latent[1] + 3) / Math.sqrt(3)], 1e-6);
    expect(weights).toEqual(new Float32Array([1]));
    const value = latent[0] - latent[1];
    plain.expectClose(out, [2 * value, -3 * value], 1e-6);
  });

  test("pairs up components that stand next to each other", () => {
    const wide = { ...shape, qkRopeHeadDim: 4 };
    const { query } = attend({
      ...layer,
      ...wide,
      qProj: new Float32Array([0, 0, /**/ 1, 0, /**/ 2, 0, /**/ 3, 0, /**/ 4, 0]),
      kvAProj: new Float32Array(12),
      x: new Float32Array([1, 0]),
      qLen: 1,
      // The first pair by a quarter turn, the second by half of one.
      cos: new Float32Array([0, -1]),
      sin: new Float32Array([1, 0]),
    }).steps;
    expect(query).toEqual(new Float32Array([0, -2, 1, -3, -4]));
  });

  test("leaves the rotary key out of the norm, which epsilon is in", () => {
    const x = new Float32Array([1, 1]);
    const { latents } = attend({ ...layer, ...turn, x, qLen: 1, epsilon: 87.5 }).steps;
    // The mean square is 12.5: the root of 100.
    plain.expectClose(latents ?? [], [0.3, 0.8, -1, 1], 1e-6);
  });
});

// ---- Defaults and rules ------------------------------------------------------------------------------------------------

describe("if nothing is said", () => {
  const shape = shapes[1] as MlaShape;
  const one = example(shape, 1, 5, { causal: false });
  const { causal: _c, batch: _b, ...options } = part(one, 0, 5);

  test("there is one sequence, whose tokens all see each other, absorbed", () => {
    const { qkNopeHeadDim, qkRopeHeadDim } = shape;
    const spelled = {
      ...({ batch: 1, causal: false, form: "absorbed", epsilon: 1e-6 } as const),
      softmaxScale: 1 / Math.sqrt(qkNopeHeadDim + qkRopeHeadDim),
    };
    expect(attend(options)).toEqual(attend({ ...options, ...spelled }));
    expect(attend(options)).not.toEqual(attend({ ...options, form: "naive" }));
    expect(attend(options).out).not.toEqual(attend({ ...options, causal: true }).out);
  });

  test("the form is the naive one on a KvCache, and the absorbed one on a LatentCache", () => {
    using heads = kvCacheOf(shape, 5);
    const { out, steps } = attend({ ...options, cache: heads });
    expectNear(out, engine.mla({ ...options, form: "naive" }).out, "naive");
    expect(steps).not.toHaveProperty("latentQuery");
    using latents = latentCacheOf(shape, 5);
    expect(attend({ ...options, cache: latents }).steps).toHaveProperty("latentQuery");
  });

  test("tokens see those behind them too, with a cache before them", () => {
    using cache = latentCacheOf(shape, 5);
    engine.mla({ ...part(one, 0, 2), cache });
    const { scores, out } = attend({ ...part(one, 2, 5), cache });
    expect(scores.every(Number.isFinite)).toBe(true);
    expectNear(out, one.wanted.out.slice(2 * shape.hiddenSize), "out");
  });
});

test("causal tokens see themselves and those before them, in the cache too", () => {
  const shape = shapes[2] as MlaShape;
  const one = example(shape, 1, 6);
  for (const form of forms) {
    using cache = latentCacheOf(shape, 6);
    engine.mla({ ...part(one, 0, 2), cache, form });
    const { scores, weights } = attend({ ...part(one, 2, 6), cache, form });
    for (let h = 0; h < shape.nHeads; h++) {
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < 6; j++) {
          const n = (h * 4 + i) * 6 + j;
          expect(scores[n] === Number.NEGATIVE_INFINITY).toBe(j > i + 2);
          expect(weights[n] === 0).toBe(j > i + 2);
        }
      }
    }
  }
});

test("a row of cos and sin for each token of each sequence is as good as one for all sequences", () => {
  const shape = shapes[1] as MlaShape;
  const one = example(shape, 2, 3);
  const options = part(one, 0, 3);
  const twice = (x: MlaOptions["cos"]) => Float32Array.from([...(x as Float32Array), ...(x as Float32Array)]);
  for (const form of forms) {
    const { cos, sin } = options;
    expect(attend({ ...options, form, cos: twice(cos), sin: twice(sin) })).toEqual(
      attend({ ...options, form }),
    );
  }
  // And of their own.
  const [near, far] = [turnsOf(engine, 3, 4), turnsOf(engine, 3, 4, 1000)];
  const joined = (name: "cos" | "sin") => Float32Array.from([...near[name], ...far[name]]);
  const both = engine.mla({ ...options, cos: joined("cos"), sin: joined("sin") });
  for (const [b, turns] of [near, far].entries()) {
    const x = tokensOf(one.x, { batch: 1, len: 6 }, 3 * b, 3 * b + 3);
    const { out } = engine.mla({ ...options, ...turns, x, batch: 1 });
    expect(tokensOf(both.out, { batch: 1, len: 6 }, 3 * b, 3 * b + 3)).toEqual(out);
  }
});

test("YaRN: softmaxFactor of DeepSeek-V2-Lite's configuration is a factor of the scale", () => {
  const allDim = 707 / 1000;
  const config = {
    ...{
      model_type: "deepseek_v2",
      qk_rope_head_dim: 64,
      rope_theta: 10_000,
      max_position_embeddings: 163_840,
    },
    rope_scaling: {
      ...{ type: "yarn", factor: 40, mscale: allDim, mscale_all_dim: allDim, beta_fast: 32, beta_slow: 1 },
      original_max_position_embeddings: 4096,
    },
  };
  const rope = engine.ropeFromConfig({ config });
  const mscale = 0.1 * allDim * Math.log(40) + 1;
  expect(rope).toMatchObject({ layout: "interleaved", rotaryDim: 64, attentionFactor: 1 });
  expect(rope.softmaxFactor).toBeCloseTo(mscale ** 2, 6);
  expect(mscale ** 2).toBeCloseTo(1.58963, 5);
  // Between trained frequencies and those of a context 40 times as long.
  expect(rope.invFreq[0]).toBe(1);
  expect(rope.invFreq[31]).toBeCloseTo(10_000 ** (-62 / 64) / 40, 12);

  const shape = {
    ...{ hiddenSize: 48, nHeads: 2, kvLoraRank: 32 },
    ...{ qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
  };
  const layer = seededLayer(engine, shape, 7);
  const len = 7;
  const x = hiddenStates(engine, len, shape.hiddenSize);
  const { invFreq, attentionFactor } = rope;
  // Far past the trained length.
  const positions = { seqLen: len, positionOffset: 100_000, invFreq, attentionFactor };
  const turns = engine.buildRopeCache(positions);
  const ids = Array.from({ length: len }, (_, i) => 100_000 + i);
  const softmaxScale = rope.softmaxFactor / Math.sqrt(192);
  const exact = { causal: true, len, softmaxScale: mscale ** 2 / Math.sqrt(192) };
  const wanted = plain.mla(x, layer as plain.MlaLayer, plain.ropeCache(ids, invFreq), exact);
  const unscaled = plain.mla(x, layer as plain.MlaLayer, plain.ropeCache(ids, invFreq), {
    causal: true,
    len,
  });
  for (const form of forms) {
    const { out, weights, scores } = attend({
      ...layer,
      ...turns,
      x,
      qLen: len,
      causal: true,
      softmaxScale,
      form,
    });
    expectNear(out, wanted.out, "out");
    expectNear(weights, wanted.weights, "weights");
    expectNear(scores, wanted.scores, "scores");
    // Without it the softmax is another.
    expect(engine.maxAbsDifference({ a: weights, b: Float32Array.from(unscaled.weights) })).toBeGreaterThan(
      0.01,
    );
  }
});

// ---- Buffers -----------------------------------------------------------------------------------------------------------

test("buffers are used in place, results go into those given, and nothing comes back of them", () => {
  const shape = shapes[1] as MlaShape;
  const one = example(shape, 2, 4);
  for (const form of forms) {
    const options = { ...part(one, 0, 4), form };
    const wanted = attend(options);
    const made: F32Buffer[] = [];
    const keep = (content: number | Float32Array) => {
      const buffer = engine.f32(content);
      made.push(buffer);
      return buffer;
    };
    const inBuffers = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [
        name,
        value instanceof Float32Array ? keep(value) : value,
      ]),
    ) as unknown as MlaOptions;
    const [out, weights, scores] = [wanted.out, wanted.weights, wanted.scores].map(({ length }) =>
      keep(length),
    ) as [F32Buffer, F32Buffer, F32Buffer];
    const where = out.view.byteOffset;
    expect(engine.mla({ ...inBuffers, out, weights, scores })).toEqual({});
    expect(out.view.byteOffset).toBe(where);
    expect([out.view, weights.view, scores.view]).toEqual([wanted.out, wanted.weights, wanted.scores]);
    out.view.fill(7);
    expect(engine.mla({ ...inBuffers, out, steps: true })).toEqual({ steps: wanted.steps });
    expect(out.view).toEqual(wanted.out);
    // The same without weights, which then take the room of one row.
    out.view.fill(7);
    engine.mla({ ...inBuffers, out });
    expect(out.view).toEqual(wanted.out);
    for (const buffer of made) buffer.delete();
  }
});

// ---- Refusals ----------------------------------------------------------------------------------------------------------

describe("a call that is refused", () => {
  const shape = shapes[3] as MlaShape;
  const one = example(shape, 2, 6);
  const first = part(one, 0, 3);
  const next = part(one, 3, 5);
  const foreign = engine.f64(2);
  const wrong: [Partial<Record<keyof MlaOptions, unknown>>, string, string][] = [
    [{ qLen: 4 }, "bad_shape", "qLen"],
    [{ qLen: 1 }, "bad_shape", "x"],
    [{ x: new Float32Array(1) }, "bad_shape", "x"],
    [{ kvBProj: undefined }, "bad_type", "kvBProj"],
    [{ cos: foreign }, "bad_type", "cos"],
    [{ sin: new Float32Array(3) }, "bad_shape", "sin"],
    [{ softmaxScale: Number.NaN }, "bad_value", "softmaxScale"],
    [{ epsilon: -1 }, "bad_value", "epsilon"],
    [{ form: "latent" }, "bad_value", "form"],
    [{ out: new Float64Array(68) }, "bad_type", "out"],
    [{ weights: "yes" }, "bad_type", "weights"],
    [{ steps: 1 }, "bad_type", "steps"],
    [{ kvLoraRank: 20 }, "bad_shape", "cache"],
    [{ nHeads: 1 }, "bad_shape", "either"],
    [{ qProj: new Float32Array(204) }, "bad_value", "qProj"],
  ];

  test.each(["latents", "heads"] as const)(
    "leaves a cache of %s as it was, and the next one works",
    (kept) => {
      const make = () => (kept === "latents" ? latentCacheOf(shape, 6, 2) : kvCacheOf(shape, 6, 2));
      using cache: LatentCache | KvCache = make();
      using other: LatentCache | KvCache = make();
      engine.mla({ ...first, cache });
      engine.mla({ ...first, cache: other });
      const before = { read: cache.read(), bytesUsed: cache.bytesUsed };
      for (const [options, code, argument] of wrong) {
        const error = errorOf(() => engine.mla({ ...next, cache, ...options } as MlaOptions));
        expect(error.code).toBe(code);
        // The kinds of caches differ in what they know.
        const known = kept === "heads" ? ["kvAProj", "cache"] : ["qBProj", "cache"];
        if (argument === "either" || (argument === "cache" && kept === "heads"))
          expect(known).toContain(error.argument);
        else expect(error.argument).toBe(argument);
        expect({ read: cache.read(), bytesUsed: cache.bytesUsed }).toEqual(before);
        expect(cache.length).toBe(3);
      }
      expect(attend({ ...next, cache })).toEqual(attend({ ...next, cache: other }));
      expect(cache.read()).toEqual(other.read());
      // Room for one is left, and then for none.
      expect(errorOf(() => engine.mla({ ...next, cache })).allowed).toContain("1 rows");
      engine.mla({ ...part(one, 5, 6), cache });
      expect(errorOf(() => engine.mla({ ...part(one, 5, 6), cache })).allowed).toContain("0 rows");
    },
  );

  test("says what the cache is for, and what it is not", () => {
    using narrow = engine.latentCache({ batch: 2, capacity: 6, kvLoraRank: 5, qkRopeHeadDim: 2 });
    const error = errorOf(() => engine.mla({ ...first, cache: narrow }));
    expect(error.message).toContain("kvLoraRank 21, not 5");
    expect(error.given === narrow).toBe(true);
    using halves = engine.kvCache({
      ...{ batch: 2, capacity: 6, nKvHeads: 2, headDim: 6, vHeadDim: 11, dtype: "bfloat16" },
    });
    expect(errorOf(() => engine.mla({ ...first, cache: halves })).message).toContain(
      "dtype float32, not bfloat16",
    );
    // The order of heads is that of append() and read() alone.
    using turned = engine.kvCache({
      ...{ batch: 2, capacity: 6, nKvHeads: 2, headDim: 6, vHeadDim: 11, format: "bhsd" },
    });
    using heads = kvCacheOf(shape, 6, 2);
    expect(engine.mla({ ...first, cache: turned })).toEqual(engine.mla({ ...first, cache: heads }));
    heads.truncate(0);
    const absorbed = errorOf(() => engine.mla({ ...first, cache: heads, form: "absorbed" }));
    expect([absorbed.code, absorbed.argument, absorbed.allowed]).toEqual(["bad_value", "form", '"naive"']);
  });
});
