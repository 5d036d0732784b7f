// Calls drawn at random: for each function options that it has to take, of any shape. Optional ones are there or not.
import fc from "fast-check";
import type { AttentionOptions, CacheBytesOptions, MlaCostOptions, MlaOptions } from "ropewalk";
import {
  type Format,
  f32,
  format,
  given,
  int32,
  layout,
  magnitude,
  maybe,
  position,
  real,
  size,
  tame,
  uniform,
  type Values,
  values,
} from "./property.ts";

const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const flag = maybe(fc.boolean());

// ---- Attention ---------------------------------------------------------------------------------------------------------

/** A tensor that broadcasts to [batch, nHeads, qLen, keys]: how many extents, which of them are 1, how short the last is. */
const broadcast = fc.record({
  rank: fc.integer({ min: 0, max: 4 }),
  whole: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  short: fc.oneof(fc.constant(0), fc.nat(20)),
  /** The part of it that is not seen, */
  gaps: fc.constantFrom(0, 0.1, 0.5, 0.95),
  /** and what is added to such a score: or else all but not seen, as many models have it. */
  gap: fc.constantFrom(Number.NEGATIVE_INFINITY, Math.fround(-3.4028234663852886e38)),
});

type Broadcast = { rank: number; whole: boolean[]; short: number; gaps: number; gap: number };

/** Undefined for rank 0, which stands for no shape given: [qLen, keys]. */
function broadcastShape({ rank, whole, short }: Broadcast, extents: readonly number[]): number[] | undefined {
  if (rank === 0) return undefined;
  const kv = extents[3] as number;
  const all = extents.map((extent, i) => (i === 3 ? Math.max(1, kv - short) : whole[i] ? extent : 1));
  return all.slice(4 - rank);
}

const queryOffset = fc.oneof(
  fc.integer({ min: -25, max: 25 }),
  int32,
  fc.constantFrom(-(2 ** 31), 2 ** 31 - 1),
);
const windowSize = fc.oneof(fc.nat(22), fc.constantFrom(-1, 2 ** 31 - 1), fc.nat(2 ** 31 - 1));

const attentionCases = fc.record({
  format: maybe(format),
  batch: maybe(size(3)),
  nKvHeads: size(3),
  group: size(3),
  qLen: size(9),
  kvLen: size(21),
  headDim: size(20),
  vHeadDim: maybe(size(20)),
  /** Where the queries stand: a number, or by the keys that each sequence has. */
  place: fc.oneof(
    fc.constant(undefined),
    queryOffset,
    fc.record({ keys: fc.tuple(real(0, 1), real(0, 1), real(0, 1)) }),
  ),
  causal: flag,
  leftWindowSize: maybe(windowSize),
  rightWindowSize: maybe(windowSize),
  /** As a part of the largest that is drawn. */
  softmaxScale: maybe(real(-1, 1)),
  softcap: maybe(fc.oneof(fc.constant(0), magnitude(0.5, 100))),
  mask: maybe(broadcast),
  bias: maybe(broadcast),
  scoreStage: maybe(fc.constantFrom("raw", "softcapped", "masked")),
  scores: flag,
  weights: flag,
  values: tame,
});

type AttentionCase = typeof attentionCases extends fc.Arbitrary<infer Case> ? Case : never;

/** The options of a plain call, with keys and values as arrays, and always with their extents. */
export type PlainAttention = Exclude<AttentionOptions, { cache: unknown }> & {
  key: Float32Array;
  value: Float32Array;
  query: Float32Array;
  kvLen: number;
  nKvHeads: number;
};

/** The largest |softmaxScale · sum of |query · key|| for which attention states its accuracy. */
const mostScore = 16;

function plainAttention(drawn: AttentionCase): PlainAttention {
  const { group, place, softmaxScale: part, values, mask, bias, ...rest } = drawn;
  const { qLen, kvLen, nKvHeads, headDim } = rest;
  const batch = rest.batch ?? 1;
  const nHeads = nKvHeads * group;
  const extents = [batch, nHeads, qLen, kvLen] as const;

  const query = f32(values, batch * qLen * nHeads * headDim, 1);
  const key = f32(values, batch * kvLen * nKvHeads * headDim, 2);
  const value = f32(values, batch * kvLen * nKvHeads * (rest.vHeadDim ?? headDim), 3);
  const most = (x: Float32Array) => x.reduce((largest, element) => Math.max(largest, Math.abs(element)), 0);
  const limit = Math.fround((0.99 * mostScore) / Math.max(1e-3, headDim * most(query) * most(key)));
  const softmaxScale = Math.fround((part ?? 1) * limit);

  const draw = (broadcast: Broadcast | undefined, name: "mask" | "bias", stream: number) => {
    if (broadcast === undefined) return {};
    const shape = broadcastShape(broadcast, extents);
    const length = (shape ?? [qLen, kvLen]).reduce((a, b) => a * b);
    const next = uniform(values.seed + stream);
    const seen = Uint8Array.from({ length }, () => (next() < broadcast.gaps ? 0 : 1 + 254 * next()));
    const added = f32(values, length, stream).map((x, i) => (seen[i] ? 2 * x : broadcast.gap));
    return {
      [name]: name === "mask" ? seen : added,
      ...(shape !== undefined && { [`${name}Shape`]: shape }),
    };
  };

  return given({
    ...rest,
    query,
    key,
    value,
    nHeads,
    softmaxScale: part === undefined && 1 / Math.sqrt(headDim) <= limit ? undefined : softmaxScale,
    ...draw(mask, "mask", 4),
    ...draw(bias, "bias", 5),
    queryOffset: typeof place === "number" ? place : undefined,
    kvLens:
      typeof place === "object"
        ? Int32Array.from(place.keys.slice(0, batch), (part) => Math.round(part * kvLen))
        : undefined,
  }) as PlainAttention;
}

export const attention: fc.Arbitrary<PlainAttention> = attentionCases.map(plainAttention);

// ---- Caches, normalization ---------------------------------------------------------------------------------------------

export const kvCache = fc
  .record({
    format: maybe(format),
    batch: maybe(size(3)),
    capacity: size(12),
    nKvHeads: size(3),
    headDim: size(9),
    vHeadDim: maybe(size(9)),
  })
  .map(given);

const counts = {
  nLayers: maybe(size(200)),
  seqLen: maybe(size(2 ** 20)),
  batch: maybe(size(64)),
  bytesPerElement: fc.oneof(
    fc.constantFrom(1, 2, 4),
    size(64).map((bits) => bits / 8),
    real(1 / 8, 8),
  ),
};
const dims = { headDim: size(512), vHeadDim: maybe(size(512)) };

export const cacheBytes: fc.Arbitrary<CacheBytesOptions> = fc
  .oneof(
    fc.record({ kind: fc.constant("mha" as const), nHeads: size(256), ...dims, ...counts }),
    fc.record({ kind: fc.constant("gqa" as const), nKvHeads: size(256), ...dims, ...counts }),
    fc.record({ kind: fc.constant("mqa" as const), ...dims, ...counts }),
    fc.record({
      kind: fc.constant("mla" as const),
      kvLoraRank: size(2048),
      qkRopeHeadDim: size(256),
      ...counts,
    }),
  )
  .map((options) => given(options) as CacheBytesOptions);

export const writeCache = fc
  .record({
    batch: maybe(size(3)),
    outer: maybe(size(3)),
    capacity: size(12),
    rows: real(0, 1),
    inner: size(9),
    circular: flag,
    at: maybe(fc.tuple(real(0, 1), real(0, 1), real(0, 1))),
    values,
  })
  .map(({ rows: part, at, values, ...rest }) => {
    const { batch = 1, outer = 1, capacity, inner } = rest;
    const rows = 1 + Math.floor(part * (capacity - 1));
    const last = rest.circular ? 3 * capacity : capacity - rows;
    return given({
      ...rest,
      rows,
      cache: f32(values, batch * outer * capacity * inner, 1),
      update: f32(values, batch * outer * rows * inner, 2),
      writeIndices: at && Int32Array.from(at.slice(0, batch), (part) => Math.round(part * last)),
    });
  });

export const rmsNorm = fc
  .record({
    rows: size(5),
    dim: size(40),
    epsilon: maybe(fc.oneof(fc.constant(0), magnitude(1e-12, 1))),
    hasWeight: fc.boolean(),
    values,
  })
  .map(({ hasWeight, values, ...rest }) =>
    given({
      ...rest,
      x: f32(values, rest.rows * rest.dim, 1),
      weight: hasWeight ? f32({ kind: "even", seed: values.seed }, rest.dim, 2) : undefined,
    }),
  );

export const softmax = fc
  .record({
    outer: maybe(size(4)),
    size: size(20),
    inner: maybe(size(9)),
    values: tame,
    spread: real(0, 8),
    gaps: fc.constantFrom(0, 0.2, 0.9),
    most: fc.constantFrom(0, 0, -1e30, 1e30),
  })
  .map(({ values, spread, gaps, most, ...rest }) => {
    const { outer = 1, size, inner = 1 } = rest;
    const next = uniform(values.seed);
    const x = f32(values, outer * size * inner, 1).map((x) =>
      next() < gaps ? Number.NEGATIVE_INFINITY : most + x * spread,
    );
    return given({ ...rest, x });
  });

// ---- Positions that are added ------------------------------------------------------------------------------------------

/** One by one, or as a run. */
const positions = fc.oneof(
  fc.array(position, { minLength: 1, maxLength: 12 }).map((ids) => ({ positionIds: Int32Array.from(ids) })),
  fc
    .record({ seqLen: size(12), positionOffset: maybe(position) })
    .map(({ seqLen, positionOffset }) =>
      given({ seqLen, positionOffset: positionOffset && Math.min(positionOffset, 2 ** 31 - seqLen) }),
    ),
);

/** The ids themselves. */
export const idsOf = (options: { positionIds?: Int32Array; seqLen?: number; positionOffset?: number }) =>
  options.positionIds ??
  Int32Array.from({ length: options.seqLen ?? 0 }, (_, i) => (options.positionOffset ?? 0) + i);

export const encoding = fc
  .tuple(positions, fc.record({ dim: size(40) }))
  .map(([at, rest]) => ({ ...at, ...rest }));

export const sinusoidalEncoding = fc
  .tuple(positions, fc.record({ dim: size(40), base: maybe(magnitude(0.5, 1e7)) }))
  .map(([at, rest]) => given({ ...at, ...rest }));

export const addEncoding = fc
  .record({ seqLen: size(9), dim: size(20), values })
  .map(({ seqLen, dim, values }) => ({
    dim,
    encoding: f32(values, seqLen * dim, 1),
    x: f32(values, seqLen * dim, 2),
  }));

export const linear = fc
  .record({ rows: size(9), inDim: size(20), outDim: size(20), values })
  .map(({ values, ...rest }) => ({
    ...rest,
    x: f32(values, rest.rows * rest.inDim, 1),
    weight: f32(values, rest.outDim * rest.inDim, 2),
  }));

export const seededEmbedding = fc
  .record({ ids: fc.array(int32, { minLength: 1, maxLength: 9 }), dim: size(40), seed })
  .map(({ ids, ...rest }) => ({ ...rest, tokenIds: Int32Array.from(ids) }));

export const seededProjection = fc.record({ seed, stream: seed, outDim: size(20), inDim: size(20) });

export const alibiSlopes = fc.record({ nHeads: size(130) });

/** The keys from none to all after the query, and distances past int32. */
const extents = { qLen: size(20), kvLen: maybe(size(24)), queryOffset: maybe(position) };

export const alibiBias = fc
  .record({ ...extents, nHeads: size(5), values })
  .map(({ nHeads, values, ...rest }) => given({ ...rest, slopes: f32(values, nHeads, 1) }));

const t5 = fc
  .record({
    bidirectional: flag,
    half: maybe(fc.integer({ min: 1, max: 32 })),
    further: maybe(fc.oneof(size(300), size(2 ** 30))),
  })
  .map(({ bidirectional, half, further }) => {
    const numBuckets = half && (bidirectional === false ? half + 1 : 2 * half + 2);
    const exact = Math.floor((numBuckets ?? 32) / (bidirectional === false ? 2 : 4));
    return { bidirectional, numBuckets, maxDistance: further && exact + further };
  });

export const t5Buckets = fc.tuple(fc.record(extents), t5).map(([rest, t5]) => given({ ...rest, ...t5 }));

export const t5Bias = fc
  .tuple(fc.record({ ...extents, nHeads: size(4) }), t5, values)
  .map(([rest, t5, values]) =>
    given({ ...rest, ...t5, table: f32(values, (t5.numBuckets ?? 32) * rest.nHeads, 1) }),
  );

// ---- Rotary ------------------------------------------------------------------------------------------------------------

export const ropeInvFreq = fc
  .record({ pairs: size(64), ropeTheta: maybe(magnitude(1e-2, 1e8)) })
  .map(({ pairs, ropeTheta }) => given({ rotaryDim: 2 * pairs, ropeTheta }));

/** Radians per position: usual ones; any; and some that make whole and half turns of every position, or none. */
export const frequency = fc.oneof(
  magnitude(1e-7, 1),
  // Nothing below the normal numbers of double, whose periods have no length.
  real(-1, 1).map((x) => (Math.abs(x) < 1e-300 ? 0 : x)),
  fc.constantFrom(0, 1, 2 * Math.PI, Math.PI, Math.PI / 2, -Math.PI / 4, 2 ** -40),
);
const invFreq = (most: number) =>
  fc.array(frequency, { minLength: 1, maxLength: most }).map((list) => Float64Array.from(list));
const attentionFactor = maybe(fc.oneof(magnitude(0.5, 2), real(-3, 3)));

export const buildRopeCache = fc
  .tuple(positions, fc.record({ invFreq: invFreq(9), attentionFactor }))
  .map(([at, rest]) => given({ ...at, ...rest }));

/** Sections as they fit, interleaved or not. */
export const buildMropeCache = fc
  .record({
    tokens: fc.array(fc.tuple(position, position, position), { minLength: 1, maxLength: 6 }),
    interleaved: flag,
    parts: fc.tuple(fc.nat(6), fc.nat(6), fc.nat(6)),
    ropeTheta: magnitude(2, 1e6),
    attentionFactor,
  })
  .map(({ tokens, interleaved, parts, ropeTheta, attentionFactor }) => {
    const [time, height, width] = parts;
    // Height has each third pair from the second on, width from the third on; so many there have to be.
    const pairsAtLeast = interleaved ? Math.max(1, 3 * height - 1, 3 * width) : 1;
    const sections: [number, number, number] = [Math.max(time, pairsAtLeast - height - width), height, width];
    const pairs = sections[0] + height + width;
    return given({
      seqLen: tokens.length,
      positionIds: Int32Array.from([0, 1, 2].flatMap((axis) => tokens.map((token) => token[axis] as number))),
      invFreq: Float64Array.from({ length: pairs }, (_, i) => ropeTheta ** (-i / pairs)),
      sections,
      interleaved,
      attentionFactor,
    });
  });

export const buildAxialRopeCache = fc
  .record({
    patches: fc.array(fc.tuple(position, position), { minLength: 1, maxLength: 8 }),
    quarter: size(6),
    ropeTheta: maybe(magnitude(0.1, 1e6)),
  })
  .map(({ patches, quarter, ropeTheta }) =>
    given({
      seqLen: patches.length,
      positionIds: Int32Array.from([0, 1].flatMap((axis) => patches.map((patch) => patch[axis] as number))),
      rotaryDim: 4 * quarter,
      ropeTheta,
    }),
  );

export const buildXposCache = fc
  .record({
    // Scales are powers: of position / scaleBase, by which they leave float32's range in the end.
    ids: fc.array(fc.integer({ min: -2000, max: 2000 }), { minLength: 1, maxLength: 8 }),
    invFreq: invFreq(9),
    side: fc.constantFrom("query", "key"),
    scaleBase: maybe(real(100, 1000)),
    gamma: maybe(real(0.1, 2)),
  })
  .map(({ ids, ...rest }) => given({ ...rest, positionIds: Int32Array.from(ids) }));

export const applyRope = fc
  .record({
    format: maybe(format),
    batch: maybe(size(3)),
    seqLen: size(6),
    nHeads: size(4),
    headDim: fc.integer({ min: 2, max: 41 }),
    part: maybe(real(0, 1)),
    layout,
    /** Which rows of cos and sin a token takes: by its place, one set for all sequences or not; or by looking up. */
    rows: fc.oneof(
      fc.constantFrom("shared", "own"),
      fc.record({ count: size(9), ids: fc.array(real(0, 1), { minLength: 18, maxLength: 18 }) }),
    ),
    values,
  })
  .map(({ part, rows, values, ...rest }) => {
    const { batch = 1, seqLen, nHeads, headDim } = rest;
    const most = Math.floor(headDim / 2);
    const pairs = part === undefined ? headDim / 2 : 1 + Math.floor(part * (most - 1));
    // Without rotaryDim all of the head is rotated, which then is even.
    const evenDim = part === undefined ? 2 * most : headDim;
    const half = part === undefined ? most : pairs;
    const looked = typeof rows === "object" ? rows : undefined;
    const count = looked ? looked.count : rows === "shared" ? seqLen : batch * seqLen;
    const angles = f32({ kind: "even", seed: values.seed }, count * half, 2).map((x) => 100 * x);
    return given({
      ...rest,
      headDim: evenDim,
      rotaryDim: part === undefined ? undefined : 2 * half,
      x: f32(values, batch * seqLen * nHeads * evenDim, 1),
      cos: angles.map(Math.cos),
      sin: angles.map(Math.sin),
      positionIds:
        looked &&
        Int32Array.from(looked.ids.slice(0, batch * seqLen), (part) => Math.floor(part * (count - 1e-9))),
    });
  });

export const convertRopeLayout = fc
  .record({
    outer: maybe(size(4)),
    half: size(20),
    odd: fc.boolean(),
    inner: maybe(size(9)),
    part: maybe(real(0, 1)),
    to: layout,
    values,
  })
  .map(({ half, odd, part, values, ...rest }) => {
    const headDim = 2 * half + (odd && part !== undefined ? 1 : 0);
    return given({
      ...rest,
      headDim,
      rotaryDim: part === undefined ? undefined : 2 + 2 * Math.floor(part * (half - 1)),
      x: f32(values, (rest.outer ?? 1) * headDim * (rest.inner ?? 1), 1),
    });
  });

// ---- Analysis ----------------------------------------------------------------------------------------------------------

const table = (leastRows: number) =>
  fc
    .record({ rows: fc.integer({ min: leastRows, max: 7 }), dim: size(20), values })
    .map(({ values, ...rest }) => ({ ...rest, x: f32(values, rest.rows * rest.dim, 1) }));

export const rowNorms = table(1);
export const neighbourDistances = table(2);
export const similarity = fc.tuple(table(1), flag).map(([rest, cosine]) => given({ ...rest, cosine }));
export const rowCosines = fc.record({ rows: size(7), dim: size(20), values }).map(({ values, ...rest }) => ({
  ...rest,
  a: f32(values, rest.rows * rest.dim, 1),
  b: f32(values, rest.rows * rest.dim, 2),
}));

export const maxAbsDifference = fc
  .record({ length: size(40), values, nan: maybe(fc.nat(1000)) })
  .map(({ length, values, nan }) => {
    const [a, b] = [f32(values, length, 1), f32(values, length, 2)];
    if (nan !== undefined) (nan % 2 ? a : b)[nan % length] = Number.NaN;
    return { a, b };
  });

export const ropeAngles = fc
  .record({
    firstPosition: fc.oneof(real(-100, 100), real(-1e6, 1e6)),
    step: maybe(real(-10, 10)),
    count: size(12),
    invFreq: invFreq(6),
  })
  .map(given);

export const ropePeriods = fc.record({ invFreq: invFreq(9), contextLen: magnitude(0.5, 1e7) });

const head = (pairs: number, values: Values, stream: number) => f32(values, 2 * pairs, stream);

export const pairPolar = fc
  .record({ pairs: size(12), layout, values })
  .map(({ pairs, layout, values }) => ({ x: head(pairs, values, 1), layout }));

export const pairScores = fc
  .record({ pairs: size(12), layout, softmaxScale: maybe(real(-4, 4)), values })
  .map(({ pairs, layout, softmaxScale, values }) =>
    given({ query: head(pairs, values, 1), key: head(pairs, values, 2), layout, softmaxScale }),
  );

const scored = fc
  .record({
    invFreq: invFreq(9),
    more: fc.nat(7),
    layout,
    softmaxScale: maybe(real(-4, 4)),
    left: maybe(fc.array(fc.nat(255), { minLength: 9, maxLength: 9 })),
    values: tame,
  })
  .map(({ more, left, values, ...rest }) => {
    const headDim = 2 * rest.invFreq.length + more;
    return given({
      ...rest,
      query: f32(values, headDim, 1),
      key: f32(values, headDim, 2),
      pairMask: left && Uint8Array.from(left.slice(0, rest.invFreq.length), (x) => (x < 128 ? 0 : x)),
    });
  });

const distance = fc.oneof(fc.integer({ min: -4096, max: 4096 }), real(-1e5, 1e5));
const distances = fc
  .record({ firstDistance: maybe(distance), step: maybe(real(-10, 10)), count: size(40) })
  .map(given);

export const ropeScore = fc
  .tuple(scored, fc.record({ distance }))
  .map(([rest, { distance }]) => ({ ...rest, distance }));

export const ropeScoreByDistance = fc
  .tuple(scored, distances)
  .map(([rest, distances]) => ({ ...rest, ...distances }));

export const ropeRandomScores = fc
  .tuple(fc.record({ invFreq: invFreq(5), seed, draws: size(9), correlation: maybe(real(-1, 1)) }), distances)
  .map(([rest, distances]) => given({ ...rest, ...distances }));

export const ropeDecayBound = fc
  .tuple(fc.record({ invFreq: invFreq(9) }), distances)
  .map(([rest, distances]) => ({ ...rest, ...distances }));

// ---- Latent attention --------------------------------------------------------------------------------------------------

const latentShape = {
  hiddenSize: size(20),
  nHeads: size(4),
  qLoraRank: maybe(size(12)),
  kvLoraRank: size(20),
  qkNopeHeadDim: size(10),
  ropePairs: size(5),
  vHeadDim: size(10),
};

/** Whole sequences of `qLen` tokens, without a cache. */
export type PlainMla = Omit<MlaOptions, "x" | "cos" | "sin" | "cache"> &
  Record<"x" | "cos" | "sin", Float32Array>;

/** Weights of variance 1 / fan-in or so, and hidden states of variance 1 or so. */
export const mla: fc.Arbitrary<PlainMla> = fc
  .record({
    ...latentShape,
    batch: maybe(size(3)),
    qLen: size(9),
    form: maybe(fc.constantFrom("naive", "absorbed")),
    causal: flag,
    softmaxScale: maybe(real(-2, 2)),
    epsilon: maybe(magnitude(0.01, 1)),
    weights: flag,
    scores: flag,
    steps: flag,
    ownRows: fc.boolean(),
    values: tame,
  })
  .map(({ ropePairs, ownRows, values, softmaxScale, epsilon, ...rest }) => {
    const { hiddenSize, nHeads, qLoraRank, kvLoraRank, qkNopeHeadDim, vHeadDim, batch = 1, qLen } = rest;
    const qkRopeHeadDim = 2 * ropePairs;
    const qkDim = qkNopeHeadDim + qkRopeHeadDim;
    // Uniform numbers have a variance of 1/3.
    const spread = values.kind === "even" ? Math.sqrt(3) : 1;
    const matrix = (stream: number, rows: number, columns: number) =>
      f32(values, rows * columns, stream).map((x) => (x * spread) / Math.sqrt(columns));
    const gains = (stream: number, length: number) =>
      f32({ kind: "even", seed: values.seed }, length, stream).map((x) => 1 + 0.3 * x);
    const rows = (ownRows ? batch : 1) * qLen * ropePairs;
    const angles = f32({ kind: "even", seed: values.seed }, rows, 9).map((x) => 100 * x);
    // A latent that is nothing but rounding is normed to all there is, unless an epsilon holds it down.
    const mayVanish = values.kind !== "even" || Math.min(kvLoraRank, qLoraRank ?? 4) < 4;
    return given({
      ...rest,
      qkRopeHeadDim,
      softmaxScale: softmaxScale && softmaxScale / Math.sqrt(qkDim),
      epsilon: epsilon ?? (mayVanish ? 0.01 : undefined),
      x: f32(values, batch * qLen * hiddenSize, 1).map((x) => x * spread),
      qProj: qLoraRank === undefined ? matrix(2, nHeads * qkDim, hiddenSize) : undefined,
      qAProj: qLoraRank && matrix(2, qLoraRank, hiddenSize),
      qALayernorm: qLoraRank && gains(3, qLoraRank),
      qBProj: qLoraRank && matrix(4, nHeads * qkDim, qLoraRank),
      kvAProj: matrix(5, kvLoraRank + qkRopeHeadDim, hiddenSize),
      kvALayernorm: gains(6, kvLoraRank),
      kvBProj: matrix(7, nHeads * (qkNopeHeadDim + vHeadDim), kvLoraRank),
      oProj: matrix(8, hiddenSize, nHeads * vHeadDim),
      cos: angles.map(Math.cos),
      sin: angles.map(Math.sin),
    }) as PlainMla;
  });

export const latentCache = fc
  .record({ batch: maybe(size(3)), capacity: size(12), kvLoraRank: size(9), ropePairs: size(4) })
  .map(({ ropePairs, ...rest }) => given({ ...rest, qkRopeHeadDim: 2 * ropePairs }));

export const mlaCost = fc
  .record({
    ...latentShape,
    batch: maybe(size(4)),
    qLen: size(12),
    past: maybe(fc.nat(20)),
    form: fc.constantFrom("naive", "absorbed"),
    kept: maybe(fc.constantFrom("latent", "heads")),
    causal: flag,
  })
  .map(
    ({ ropePairs, past, kept, ...rest }) =>
      given({
        ...rest,
        qkRopeHeadDim: 2 * ropePairs,
        kvLen: past === undefined ? undefined : rest.qLen + past,
        kept: rest.form === "absorbed" && kept === "heads" ? undefined : kept,
      }) as MlaCostOptions,
  );

export const absorbRotation = fc
  .tuple(
    fc.record({
      invFreq: invFreq(5),
      more: fc.nat(5),
      kvLoraRank: size(12),
      layout,
      contextLen: fc.oneof(size(4), size(600)),
      values: tame,
    }),
    distances,
  )
  .map(([{ more, values, ...rest }, distances]) => {
    const headDim = 2 * rest.invFreq.length + more;
    return { ...rest, ...distances, headDim, keyUp: f32(values, headDim * rest.kvLoraRank, 1) };
  });

export const relativeErrors = fc
  .record({ rows: size(7), columns: size(20), values, off: real(0, 1), gaps: fc.constantFrom(0, 0.5, 1) })
  .map(({ values, off, gaps, ...rest }) => {
    const exact = f32(values, rest.rows * rest.columns, 1);
    const next = uniform(values.seed);
    const seen = Array.from({ length: rest.columns }, () => next() >= gaps);
    const others = f32(values, exact.length, 2);
    // Columns that are exact, and some that are nothing.
    const x = exact.map((value, i) => (seen[i % rest.columns] ? value + off * (others[i] as number) : value));
    return { ...rest, exact, x };
  });

/** The format that is given, or the default. */
export const formatOf = (options: { format?: Format | undefined }): Format => options.format ?? "bshd";
