import { type AttentionOptions, loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

function tensors({ batch = 1, vHeadDim, ...shape }: plain.AttentionShape) {
  const rows = { queries: batch * shape.qLen * shape.nHeads, keys: batch * shape.kvLen * shape.nKvHeads };
  return {
    query: plain.noise(rows.queries * shape.headDim, 1),
    key: plain.noise(rows.keys * shape.headDim, 2),
    value: plain.noise(rows.keys * (vHeadDim ?? shape.headDim), 3),
  };
}

const bytes = (length: number, seed = 1) =>
  Uint8Array.from(plain.noise(length, seed), (x) => (x < -0.3 ? 0 : x * 255));

describe("attention", () => {
  test("weighs two keys 1 : 3 when their scores are 0 and ln 3", () => {
    const { out, weights } = engine.attention({
      query: new Float32Array([Math.log(3), 0]),
      key: new Float32Array([0, 5, 1, -5]),
      value: new Float32Array([4, 0, 8, 100]),
      qLen: 1,
      kvLen: 2,
      nHeads: 1,
      headDim: 2,
      softmaxScale: 1,
      weights: true,
    });
    plain.expectClose(weights, [0.25, 0.75], 2 ** -19);
    plain.expectClose(out, [7, 75], 100 * 2 ** -19);
  });

  test("divides the scores by sqrt(headDim) if no scale is given", () => {
    // Four components give ln 3 · 2 in all; halved, ln 3.
    const { weights } = engine.attention({
      query: new Float32Array([1, 1, 1, 1]),
      key: new Float32Array([0, 0, 0, 0, ...new Array<number>(4).fill(Math.log(3) / 2)]),
      value: new Float32Array(8),
      qLen: 1,
      kvLen: 2,
      nHeads: 1,
      headDim: 4,
      weights: true,
    });
    plain.expectClose(weights, [0.25, 0.75], 2 ** -19);
  });

  test("gives head h the key and value head floor(h / (nHeads / nKvHeads))", () => {
    // One key, so that each head's output is the value of its group.
    const shape = { qLen: 1, kvLen: 1, nHeads: 6, nKvHeads: 2, headDim: 1 };
    const { out } = engine.attention({
      query: plain.noise(6),
      key: plain.noise(2),
      value: new Float32Array([10, 20]),
      ...shape,
    });
    expect(out).toEqual(new Float32Array([10, 10, 10, 20, 20, 20]));
  });

  test("has kvLen = qLen, nKvHeads = nHeads and no mask if none of them is given", () => {
    const shape = { qLen: 3, kvLen: 3, nHeads: 2, nKvHeads: 2, headDim: 4 };
    const { query, key, value } = tensors(shape);
    const options = { query, key, value, qLen: 3, nHeads: 2, headDim: 4, weights: true } as const;
    expect(engine.attention(options)).toEqual(
      engine.attention({ ...options, ...shape, causal: false, queryOffset: 0, softmaxScale: 0.5 }),
    );
  });

  const shapes: plain.AttentionShape[] = [
    { qLen: 1, kvLen: 1, nHeads: 1, nKvHeads: 1, headDim: 1 },
    { qLen: 3, kvLen: 5, nHeads: 2, nKvHeads: 2, headDim: 4 },
    { qLen: 5, kvLen: 4, nHeads: 4, nKvHeads: 2, headDim: 3 },
    { qLen: 7, kvLen: 9, nHeads: 6, nKvHeads: 3, headDim: 8 },
    { qLen: 2, kvLen: 33, nHeads: 8, nKvHeads: 1, headDim: 17 },
    { qLen: 17, kvLen: 17, nHeads: 3, nKvHeads: 3, headDim: 64 },
  ];
  const masks = [
    { causal: false, queryOffset: 0 },
    { causal: true, queryOffset: 0 },
    { causal: true, queryOffset: 2 },
    { causal: true, queryOffset: -2 },
    { causal: true, queryOffset: 2 ** 31 - 1 },
    { causal: true, queryOffset: -(2 ** 31) },
    { causal: false, queryOffset: -5 },
  ];
  for (const mask of masks) {
    test.each(shapes)(`${JSON.stringify(mask)}: is what plain loops make of it, %o`, (shape) => {
      const { query, key, value } = tensors(shape);
      const options = { query, key, value, ...shape, ...mask };
      const expected = plain.attention(query, key, value, shape, mask);
      const { out, weights } = engine.attention({ ...options, weights: true });
      plain.expectClose(weights, expected.weights, 2 ** -19, "weights");
      plain.expectClose(out, expected.out, 2 ** -19, "out");
      // Without the weights another way through the kernel, within the same bound, and nothing but `out`.
      const alone = engine.attention(options);
      plain.expectClose(alone.out, expected.out, 2 ** -19, "out alone");
      expect(Object.keys(alone)).toEqual(["out"]);
      expect(Object.keys(engine.attention({ ...options, weights: false }))).toEqual(["out"]);
    });
  }

  test("makes rows of weights that sum to 1, large scores or not", () => {
    const shape = { qLen: 20, kvLen: 41, nHeads: 4, nKvHeads: 2, headDim: 16 };
    for (const softmaxScale of [0, 0.25, 50, 1e6, -3]) {
      const { weights, out } = engine.attention({ ...tensors(shape), ...shape, softmaxScale, weights: true });
      expect(weights.length).toBe(4 * 20 * 41);
      expect(out.length).toBe(20 * 4 * 16);
      for (let row = 0; row < weights.length; row += 41) {
        const sum = weights.subarray(row, row + 41).reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - 1)).toBeLessThanOrEqual(1e-5);
      }
    }
  });

  test("has exact zeros past the causal edge and none before it", () => {
    const shape = { qLen: 6, kvLen: 8, nHeads: 2, nKvHeads: 1, headDim: 5 };
    const { weights } = engine.attention({
      ...tensors(shape),
      ...shape,
      causal: true,
      queryOffset: 2,
      weights: true,
    });
    weights.forEach((weight, n) => {
      const [i, j] = [Math.floor(n / 8) % 6, n % 8];
      expect(weight > 0, `query ${i}, key ${j}`).toBe(j <= i + 2);
    });
  });

  test("makes rows that see no key zero, and lets nothing of a masked value through", () => {
    const shape = { qLen: 3, kvLen: 3, nHeads: 1, nKvHeads: 1, headDim: 2 };
    const masked = {
      query: plain.noise(6),
      key: new Float32Array([1, 2, NaN, Infinity, NaN, 1]),
      value: new Float32Array([5, 6, NaN, NaN, Infinity, 1]),
      ...shape,
      causal: true,
      queryOffset: -2,
    };
    // Queries 0 and 1 see nothing, query 2 the first key alone.
    const { out, weights } = engine.attention({ ...masked, weights: true });
    expect(out).toEqual(new Float32Array([0, 0, 0, 0, 5, 6]));
    expect(weights).toEqual(new Float32Array([0, 0, 0, 0, 0, 0, 1, 0, 0]));
    expect(engine.attention(masked).out).toEqual(out);
  });
});

// ---- Against plain loops, option by option -----------------------------------------------------------------------------

const shapes: plain.AttentionShape[] = [
  { qLen: 1, kvLen: 1, nHeads: 1, nKvHeads: 1, headDim: 1 },
  { qLen: 5, kvLen: 7, nHeads: 4, nKvHeads: 2, headDim: 6, vHeadDim: 3, batch: 3 },
  { qLen: 6, kvLen: 6, nHeads: 3, nKvHeads: 1, headDim: 8, vHeadDim: 17, batch: 2, format: "bhsd" },
  { qLen: 3, kvLen: 35, nHeads: 2, nKvHeads: 2, headDim: 5, format: "bhsd" },
];

interface Case {
  title: string;
  rules: (
    shape: Required<Pick<plain.AttentionShape, "batch" | "qLen" | "kvLen" | "nHeads">>,
  ) => AttentionRules;
}
type AttentionRules = Omit<plain.AttentionRules, "mask" | "bias" | "kvLens"> & {
  mask?: Uint8Array;
  bias?: Float32Array;
  kvLens?: Int32Array;
};

const product = (extents: number[]) => extents.reduce((a, b) => a * b, 1);
const masked = (maskShape: number[]) => ({ mask: bytes(product(maskShape), 5), maskShape });
const biased = (biasShape: number[]) => ({ bias: plain.noise(product(biasShape), 6), biasShape });
const broadcast = (name: "a mask" | "a bias", shape: number[]) =>
  (name === "a mask" ? masked : biased)(shape);
/** Every third one is no key to be seen. */
const withGaps = (bias: Float32Array) => bias.map((b, i) => (i % 3 === 1 ? -Infinity : b));

const cases: Case[] = [
  ...[0.1, 1, 30].map((softcap) => ({
    title: `softcap ${softcap}`,
    rules: () => ({ softcap, softmaxScale: 2 }),
  })),
  ...[0, 1, 2, 3, 2 ** 31 - 1].flatMap((size) => [
    { title: `leftWindowSize ${size}`, rules: () => ({ leftWindowSize: size }) },
    { title: `rightWindowSize ${size}`, rules: () => ({ rightWindowSize: size, queryOffset: 1 }) },
    {
      title: `windows of ${size} on both sides, past the middle`,
      rules: () => ({ leftWindowSize: size, rightWindowSize: size, queryOffset: 2 }),
    },
    {
      title: `a causal window of ${size}, before the keys`,
      rules: () => ({ leftWindowSize: size, causal: true, queryOffset: -1 }),
    },
  ]),
  {
    title: "windows at the ends of int32",
    rules: () => ({ leftWindowSize: 2 ** 31 - 1, rightWindowSize: 2 ** 31 - 1, queryOffset: -(2 ** 31) }),
  },
  {
    title: "a mask of [qLen, kvLen] without a shape",
    rules: ({ qLen, kvLen }) => ({ mask: bytes(qLen * kvLen) }),
  },
  {
    title: "a bias of [qLen, kvLen] without a shape",
    rules: ({ qLen, kvLen }) => ({ bias: plain.noise(qLen * kvLen) }),
  },
  ...(["a mask", "a bias"] as const).flatMap(
    (name) =>
      [
        { title: `${name}, one row for all`, rules: ({ kvLen }) => broadcast(name, [kvLen]) },
        { title: `${name}, one key`, rules: () => broadcast(name, [1]) },
        { title: `${name}, for each query`, rules: ({ qLen, kvLen }) => broadcast(name, [qLen, kvLen]) },
        {
          title: `${name}, for each head`,
          rules: ({ nHeads, kvLen }) => broadcast(name, [nHeads, 1, kvLen]),
        },
        {
          title: `${name}, for each head and query`,
          rules: ({ nHeads, qLen, kvLen }) => broadcast(name, [nHeads, qLen, kvLen]),
        },
        {
          title: `${name}, for each sequence`,
          rules: ({ batch, kvLen }) => broadcast(name, [batch, 1, 1, kvLen]),
        },
        {
          title: `${name}, for each sequence and query`,
          rules: ({ batch, qLen, kvLen }) => broadcast(name, [batch, 1, qLen, kvLen]),
        },
        {
          title: `${name}, of all four extents`,
          rules: ({ batch, nHeads, qLen, kvLen }) => broadcast(name, [batch, nHeads, qLen, kvLen]),
        },
        {
          title: `${name}, of fewer keys`,
          rules: ({ nHeads, qLen, kvLen }) => broadcast(name, [nHeads, qLen, Math.ceil(kvLen / 2)]),
        },
      ] satisfies Case[],
  ),
  {
    title: "a bias of -Infinity where a key is not to be seen",
    rules: ({ qLen, kvLen }) => ({ bias: withGaps(plain.noise(qLen * kvLen)) }),
  },
  {
    title: "a mask and a bias that leave different keys out",
    rules: ({ nHeads, qLen, kvLen }) => ({
      ...masked([qLen, kvLen]),
      bias: withGaps(plain.noise(nHeads * kvLen)),
      biasShape: [nHeads, 1, kvLen],
    }),
  },
  ...([false, true].map((causal) => ({
    title: `kvLens, ${causal ? "causal" : "not causal"}`,
    rules: ({ batch, kvLen }) => ({
      kvLens: Int32Array.from({ length: batch }, (_, b) => kvLen - b),
      causal,
    }),
  })) satisfies Case[]),
  {
    title: "kvLens of nothing, with a window",
    rules: ({ batch }) => ({ kvLens: new Int32Array(batch), leftWindowSize: 2 }),
  },
  {
    title: "all at once",
    rules: ({ batch, nHeads, qLen, kvLen }) => ({
      ...masked([batch, 1, qLen, Math.max(1, kvLen - 1)]),
      ...biased([nHeads, 1, kvLen]),
      kvLens: Int32Array.from({ length: batch }, (_, b) => kvLen - (b % 2)),
      causal: true,
      leftWindowSize: 3,
      rightWindowSize: 0,
      softcap: 1.5,
      softmaxScale: -0.7,
    }),
  },
];

describe.each(cases)("attention with $title", ({ rules: rulesFor }) => {
  test.each(shapes)("is what plain loops make of it, %o", (shape) => {
    const given = tensors(shape);
    const rules = rulesFor({ batch: 1, ...shape });
    const options = { ...given, ...shape, ...rules };
    const oracle = (scoreStage: plain.AttentionRules["scoreStage"]) =>
      plain.attention(given.query, given.key, given.value, shape, { ...rules, scoreStage });
    const expected = oracle("masked");

    const all = engine.attention({ ...options, weights: true, scores: true });
    plain.expectClose(all.out, expected.out, 2 ** -19, "out");
    plain.expectClose(all.weights, expected.weights, 2 ** -19, "weights");
    plain.expectClose(all.scores, expected.scores, 2 ** -19, "scores");
    // A weight is zero just where the key is not seen.
    expect(Array.from(all.weights, (weight) => weight === 0)).toEqual(
      expected.weights.map((weight) => weight === 0),
    );
    for (const scoreStage of ["raw", "softcapped", "masked"] as const) {
      // The scores as they go by, and the way without weights, change nothing of the result.
      const { out, scores } = engine.attention({ ...options, scores: true, scoreStage });
      plain.expectClose(scores, oracle(scoreStage).scores, 2 ** -19, scoreStage);
      plain.expectClose(out, expected.out, 2 ** -19, `out beside ${scoreStage} scores`);
    }
    plain.expectClose(engine.attention(options).out, expected.out, 2 ** -19, "out alone");
  });
});

// ---- By hand -----------------------------------------------------------------------------------------------------------

/** Which keys each query sees: [qLen][keys], of a single head whose scores are all the same. */
function seen(
  options: Omit<AttentionOptions, "query" | "qLen" | "nHeads"> & { qLen: number; kvLen: number },
) {
  const { qLen, kvLen } = options;
  const { weights } = engine.attention({
    ...{ query: new Float32Array(qLen), key: new Float32Array(kvLen), value: new Float32Array(kvLen) },
    ...{ nHeads: 1, nKvHeads: 1, headDim: 1 },
    ...options,
    weights: true,
  } as AttentionOptions & { weights: true });
  return Array.from({ length: qLen }, (_, i) =>
    Array.from(weights.subarray(i * kvLen, (i + 1) * kvLen), (weight) => (weight > 0 ? "x" : ".")).join(""),
  );
}

describe("attention sees", () => {
  test("a sliding window: the query's own key and leftWindowSize before it", () => {
    expect(seen({ qLen: 4, kvLen: 4, causal: true, leftWindowSize: 1 })).toEqual([
      "x...",
      "xx..",
      ".xx.",
      "..xx",
    ]);
    expect(seen({ qLen: 4, kvLen: 4, leftWindowSize: 1, rightWindowSize: 0 })).toEqual(
      seen({ qLen: 4, kvLen: 4, causal: true, leftWindowSize: 1 }),
    );
    expect(seen({ qLen: 3, kvLen: 4, leftWindowSize: 0, rightWindowSize: 1 })).toEqual([
      "xx..",
      ".xx.",
      "..xx",
    ]);
    expect(seen({ qLen: 2, kvLen: 4, leftWindowSize: -1, rightWindowSize: -1 })).toEqual(["xxxx", "xxxx"]);
  });

  test("from where queryOffset puts the first query", () => {
    expect(seen({ qLen: 2, kvLen: 4, causal: true, queryOffset: 2 })).toEqual(["xxx.", "xxxx"]);
    expect(seen({ qLen: 2, kvLen: 4, causal: true, queryOffset: -1 })).toEqual(["....", "x..."]);
    expect(seen({ qLen: 2, kvLen: 4, leftWindowSize: 1, queryOffset: 3 })).toEqual(["..xx", "...x"]);
  });

  test("what a mask is not 0 for, and nothing past its end", () => {
    const mask = new Uint8Array([0, 1, 255, /**/ 1, 0, 0]);
    expect(seen({ qLen: 2, kvLen: 3, mask })).toEqual([".xx", "x.."]);
    expect(seen({ qLen: 2, kvLen: 5, mask, maskShape: [2, 3] })).toEqual([".xx..", "x...."]);
    expect(seen({ qLen: 2, kvLen: 3, mask: new Uint8Array([1, 0, 1]), maskShape: [3] })).toEqual([
      "x.x",
      "x.x",
    ]);
    expect(seen({ qLen: 2, kvLen: 3, mask: new Uint8Array([1]), maskShape: [1] })).toEqual(["x..", "x.."]);
  });

  test("what a bias is not -Infinity for, and nothing past its end", () => {
    const bias = new Float32Array([-Infinity, 0, 0, /**/ 0, -Infinity, -Infinity]);
    expect(seen({ qLen: 2, kvLen: 3, bias })).toEqual([".xx", "x.."]);
    expect(seen({ qLen: 2, kvLen: 5, bias, biasShape: [1, 2, 3] })).toEqual([".xx..", "x...."]);
  });

  test("of each sequence the keys that kvLens gives it, its queries the last ones", () => {
    const weights = (causal: boolean) =>
      engine.attention({
        ...{ query: new Float32Array(6), key: new Float32Array(12), value: new Float32Array(12) },
        ...{ batch: 3, qLen: 2, kvLen: 4, nHeads: 1, headDim: 1, kvLens: new Int32Array([4, 1, 0]) },
        causal,
        weights: true,
      }).weights;
    const rows = (from: Float32Array) =>
      Array.from({ length: 6 }, (_, i) =>
        Array.from(from.subarray(4 * i, 4 * i + 4), (w) => (w > 0 ? "x" : ".")).join(""),
      );
    expect(rows(weights(false))).toEqual(["xxxx", "xxxx", "x...", "x...", "....", "...."]);
    expect(rows(weights(true))).toEqual(["xxx.", "xxxx", "....", "x...", "....", "...."]);
  });
});

describe("attention", () => {
  const shape = { qLen: 3, kvLen: 4, nHeads: 4, nKvHeads: 2, headDim: 6, vHeadDim: 5 };

  test("caps a score at softcap, and leaves it as it is with 0", () => {
    const options = {
      ...{ query: new Float32Array([100]), key: new Float32Array([1, -1, 0.02]), value: new Float32Array(3) },
      ...{ qLen: 1, kvLen: 3, nHeads: 1, headDim: 1, scores: true as const },
    };
    plain.expectClose(
      engine.attention({ ...options, softcap: 5 }).scores,
      [5, -5, 5 * Math.tanh(0.4)],
      2 ** -20,
    );
    plain.expectClose(engine.attention({ ...options, softcap: 0 }).scores, [100, -100, 2], 2 ** -18);
    expect(engine.attention(options)).toEqual(engine.attention({ ...options, softcap: 0 }));
  });

  test("adds the bias after the softcap", () => {
    const { scores } = engine.attention({
      ...{ query: new Float32Array([100]), key: new Float32Array([1]), value: new Float32Array(1) },
      ...{ qLen: 1, nHeads: 1, headDim: 1, scores: true, softcap: 5, bias: new Float32Array([7]) },
    });
    plain.expectClose(scores, [12], 2 ** -19);
  });

  test("shows masked scores if no stage is asked for", () => {
    const options = {
      ...tensors(shape),
      ...shape,
      causal: true,
      softcap: 1,
      bias: plain.noise(12),
      scores: true,
    } as const;
    const { scores } = engine.attention(options);
    expect(scores).toEqual(engine.attention({ ...options, scoreStage: "masked" }).scores);
    expect(scores).not.toEqual(engine.attention({ ...options, scoreStage: "raw" }).scores);
    expect(scores).not.toEqual(engine.attention({ ...options, scoreStage: "softcapped" }).scores);
    // The softmax of what is shown is what is done.
    const { weights } = engine.attention({ ...options, weights: true });
    plain.expectClose(weights, plain.softmax(scores, shape.kvLen), 2 ** -20);
  });

  test("treats each sequence of a batch as if it were alone", () => {
    const batch = { ...shape, batch: 3 };
    const { query, key, value } = tensors(batch);
    const options = { ...batch, causal: true, weights: true, scores: true } as const;
    const all = engine.attention({ ...options, query, key, value });
    const part = (x: Float32Array, b: number) => x.slice((b * x.length) / 3, ((b + 1) * x.length) / 3);
    for (const b of [0, 1, 2]) {
      const own = { query: part(query, b), key: part(key, b), value: part(value, b) };
      const alone = engine.attention({ ...options, ...own, batch: 1 });
      expect(part(all.out, b)).toEqual(alone.out);
      expect(part(all.weights, b)).toEqual(alone.weights);
      expect(part(all.scores, b)).toEqual(alone.scores);
    }
    expect(
      engine.attention({
        ...options,
        query: part(query, 0),
        key: part(key, 0),
        value: part(value, 0),
        batch: 1,
      }),
    ).toEqual(
      engine.attention({
        ...shape,
        causal: true,
        weights: true,
        scores: true,
        query: part(query, 0),
        key: part(key, 0),
        value: part(value, 0),
      }),
    );
  });

  test("gives the same in either format, each in its own order, and bshd if none is given", () => {
    const batch = { ...shape, batch: 2 };
    const { query, key, value } = tensors(batch);
    const turned = (
      x: ArrayLike<number>,
      len: number,
      nHeads: number,
      headDim: number,
      from: plain.Format,
    ) => {
      const heads = { batch: 2, len, nHeads, headDim };
      const to = from === "bshd" ? "bhsd" : "bshd";
      return Float32Array.from(
        plain.headsOf(
          { ...heads, format: to },
          (b, s, h, c) => x[plain.headAt({ ...heads, format: from }, b, s, h, c)] as number,
        ),
      );
    };
    const options = { ...batch, causal: true, queryOffset: 1, weights: true, scores: true } as const;
    const rows = engine.attention({ ...options, query, key, value, format: "bshd" });
    expect(engine.attention({ ...options, query, key, value })).toEqual(rows);
    const heads = engine.attention({
      ...options,
      query: turned(query, 3, 4, 6, "bshd"),
      key: turned(key, 4, 2, 6, "bshd"),
      value: turned(value, 4, 2, 5, "bshd"),
      format: "bhsd",
    });
    expect(turned(heads.out, 3, 4, 5, "bhsd")).toEqual(rows.out);
    expect({ ...heads, out: 0 }).toEqual({ ...rows, out: 0 });
    expect(heads.out).not.toEqual(rows.out);
  });

  test("answers with what was asked for and has not gone into a buffer, and nothing else", () => {
    const { query, key, value } = tensors(shape);
    const options = { ...shape, query, key, value };
    const past = { pastKey: plain.noise(24), pastValue: plain.noise(20), pastLen: 2 };
    const buffers = {
      out: engine.f32(60),
      weights: engine.f32(48),
      scores: engine.f32(48),
      presentKey: engine.f32(72),
      presentValue: engine.f32(60),
    };
    const { out, weights, scores, presentKey, presentValue } = buffers;
    const keys = (...more: object[]) =>
      Object.keys(engine.attention(Object.assign({}, options, ...more) as AttentionOptions)).sort();
    expect(keys()).toEqual(["out"]);
    expect(keys({ weights: false, scores: false })).toEqual(["out"]);
    expect(keys({ weights: true })).toEqual(["out", "weights"]);
    expect(keys({ scores: true })).toEqual(["out", "scores"]);
    expect(keys({ weights: true, scores: true })).toEqual(["out", "scores", "weights"]);
    expect(keys({ weights, scores: true })).toEqual(["out", "scores"]);
    expect(keys({ out, weights: true, scores })).toEqual(["weights"]);
    expect(keys({ out, weights, scores })).toEqual([]);
    expect(keys({ out })).toEqual([]);
    expect(keys(past)).toEqual(["out", "presentKey", "presentValue"]);
    expect(keys(past, { out, presentKey })).toEqual(["presentValue"]);
    expect(keys(past, { out, presentKey, presentValue })).toEqual([]);
    for (const buffer of Object.values(buffers)) buffer.delete();
  });

  test("fills buffers of any of them with the numbers that it would have given back", () => {
    const options = { ...tensors(shape), ...shape, causal: true } as const;
    const { out, weights, scores } = engine.attention({ ...options, weights: true, scores: true });
    const buffers = { out: engine.f32(60), weights: engine.f32(48), scores: engine.f32(48) };
    for (const names of [
      ["weights"],
      ["scores"],
      ["out"],
      ["out", "scores"],
      ["out", "weights", "scores"],
    ] as const) {
      for (const buffer of Object.values(buffers)) buffer.view.fill(777);
      const given = Object.fromEntries(names.map((name) => [name, buffers[name]]));
      const asked = { weights: true, scores: true, ...given } as const;
      const made = engine.attention({ ...options, ...asked }) as Partial<
        Record<keyof typeof buffers, Float32Array>
      >;
      const all = { ...made, ...Object.fromEntries(names.map((name) => [name, buffers[name].view.slice()])) };
      expect(all).toEqual({ out, weights, scores });
    }
    for (const buffer of Object.values(buffers)) buffer.delete();
  });
});

describe("attention with a past", () => {
  for (const format of ["bshd", "bhsd"] as const) {
    const shape = { format, batch: 2, qLen: 3, kvLen: 3, nHeads: 4, nKvHeads: 2, headDim: 6, vHeadDim: 5 };
    const pastLen = 4;
    const keys = { format, batch: 2, len: 7, nHeads: 2, headDim: 6 };
    const values = { ...keys, headDim: 5 };
    const { query, key, value } = tensors(shape);
    const [pastKey, pastValue] = [plain.noise(96, 4), plain.noise(80, 5)];
    const options = { ...shape, query, key, value, pastKey, pastValue, pastLen };
    const presentKey = Float32Array.from(plain.joinHeads(keys, pastKey, pastLen, key));
    const presentValue = Float32Array.from(plain.joinHeads(values, pastValue, pastLen, value));
    const joined = { ...shape, kvLen: 7, query, key: presentKey, value: presentValue };

    test(`${format}: is attention over both, and gives them back joined`, () => {
      for (const more of [{}, { causal: true }, { causal: true, leftWindowSize: 2 }, { softcap: 2 }]) {
        const made = engine.attention({ ...options, ...more, weights: true, scores: true });
        expect(made.presentKey).toEqual(presentKey);
        expect(made.presentValue).toEqual(presentValue);
        const { out, weights, scores } = made;
        // The first query comes behind the past.
        expect({ out, weights, scores }).toEqual(
          engine.attention({ ...joined, queryOffset: pastLen, ...more, weights: true, scores: true }),
        );
        const expected = plain.attention(query, presentKey, presentValue, joined, {
          queryOffset: pastLen,
          ...more,
        });
        plain.expectClose(out, expected.out, 2 ** -19);
      }
    });

    test(`${format}: has queries elsewhere if it is told so`, () => {
      const more = { causal: true, queryOffset: 1, weights: true } as const;
      expect(engine.attention({ ...options, ...more }).weights).toEqual(
        engine.attention({ ...joined, ...more }).weights,
      );
    });

    test(`${format}: masks and biases are over all of the keys`, () => {
      const more = { mask: bytes(21), bias: plain.noise(7, 9), biasShape: [7] };
      expect(engine.attention({ ...options, ...more }).out).toEqual(
        engine.attention({ ...joined, queryOffset: pastLen, ...more }).out,
      );
    });

    test(`${format}: puts the present into buffers, from buffers`, () => {
      const into = {
        presentKey: engine.f32(presentKey.length),
        presentValue: engine.f32(presentValue.length),
      };
      const from = { pastKey: engine.f32(pastKey), pastValue: engine.f32(pastValue) };
      const { out } = engine.attention({ ...options, ...from, ...into });
      expect(out).toEqual(engine.attention(options).out);
      expect(into.presentKey.view).toEqual(presentKey);
      expect(into.presentValue.view).toEqual(presentValue);
      // And what was the present is the next one's past.
      const next = engine.attention({
        ...options,
        pastKey: into.presentKey,
        pastValue: into.presentValue,
        pastLen: 7,
        causal: true,
      });
      const longer = Float32Array.from(plain.joinHeads({ ...keys, len: 10 }, presentKey, 7, key));
      expect(next.presentKey).toEqual(longer);
      for (const buffer of [...Object.values(into), ...Object.values(from)]) buffer.delete();
    });
  }
});

describe("a key that is not seen", () => {
  const shape = { qLen: 2, kvLen: 4, nHeads: 2, nKvHeads: 1, headDim: 3, vHeadDim: 2 };
  const good = tensors(shape);
  const poison = (x: Float32Array, keys: number[]) => {
    const { length } = x;
    return x.map((value, i) =>
      keys.includes(Math.floor((4 * i) / length)) ? (i % 2 ? NaN : Infinity) : value,
    );
  };
  const ways: [string, object, number[]][] = [
    ["by causality", { causal: true, queryOffset: -1 }, [1, 2, 3]],
    ["by windows", { leftWindowSize: 0, rightWindowSize: 0, queryOffset: 1 }, [0, 3]],
    ["by a mask", { mask: new Uint8Array([0, 1, 0, 1]), maskShape: [4] }, [0, 2]],
    ["by a shorter mask", { mask: new Uint8Array([1, 1]), maskShape: [2] }, [2, 3]],
    ["by a bias", { bias: new Float32Array([0, 0, -Infinity, 1]), biasShape: [4] }, [2]],
    ["by a shorter bias", { bias: new Float32Array([0, 1, 2]), biasShape: [3] }, [3]],
    ["by kvLens", { kvLens: new Int32Array([2]) }, [2, 3]],
  ];

  test.each(ways)("%s lets nothing of what it holds through", (_, options, keys) => {
    const poisoned = { ...good, key: poison(good.key, keys), value: poison(good.value, keys) };
    for (const more of [{}, { weights: true }, { scores: true, weights: true }]) {
      expect(engine.attention({ ...poisoned, ...shape, ...options, ...more })).toEqual(
        engine.attention({ ...good, ...shape, ...options, ...more }),
      );
    }
    // But raw scores show every key.
    const { scores } = engine.attention({
      ...poisoned,
      ...shape,
      ...options,
      scores: true,
      scoreStage: "raw",
    });
    expect(Array.from(scores).some(Number.isNaN)).toBe(true);
  });
});
