// Every function of the engine with good calls and what each of their arguments is: for what has to hold of them all.
import type {
  AbsorbRotationOptions,
  AddEncodingOptions,
  AlibiBiasOptions,
  AlibiSlopesOptions,
  AppendLatentsOptions,
  AppendOptions,
  ApplyRopeOptions,
  AttentionOptions,
  AxialRopeCacheOptions,
  CacheBytesOptions,
  ConvertRopeLayoutOptions,
  EncodingOptions,
  F32Tensor,
  KvCacheOptions,
  LatentCacheOptions,
  LinearOptions,
  MlaCostOptions,
  MlaOptions,
  MropeCacheOptions,
  NeighbourDistancesOptions,
  PairPolarOptions,
  PairScoresOptions,
  RelativeErrorsOptions,
  RmsNormOptions,
  RopeAnglesOptions,
  RopeCacheOptions,
  RopeDecayBoundOptions,
  RopeInvFreqOptions,
  RopePeriodsOptions,
  RopeRandomScoresOptions,
  RopeScoreByDistanceOptions,
  RopeScoreOptions,
  Ropewalk,
  RowCosinesOptions,
  RowNormsOptions,
  SeededEmbeddingOptions,
  SeededProjectionOptions,
  SimilarityOptions,
  SinusoidalOptions,
  SoftmaxOptions,
  T5BiasOptions,
  T5BucketsOptions,
  WriteCacheOptions,
  XposCacheOptions,
} from "ropewalk";
import { noise } from "./plain.ts";

export type TensorKind = "f32" | "f64" | "i32" | "u8";

export type NumberKind =
  /** 1 to 2^31 - 1 */
  | "size"
  /** an even size */
  | "evenSize"
  /** the same, where 1 is one that is odd */
  | "evenExtent"
  | "int32"
  | "uint32"
  /** -1 to 2^31 - 1 */
  | "windowSize"
  /** 1/8 to 8 */
  | "elementBytes"
  | "finite"
  /** finite as a float32 */
  | "finiteF32"
  /** finite and > 0 */
  | "positive"
  /** finite and >= 0 */
  | "notNegative"
  /** >= 0 and finite as a float32 */
  | "notNegativeF32"
  /** -1 to 1 */
  | "correlation";

/** What an argument may be of a few words. */
export const choices = {
  layout: ["interleaved", "half"],
  dtype: ["float32", "bfloat16"],
  format: ["bshd", "bhsd"],
  side: ["query", "key"],
  scoreStage: ["raw", "softcapped", "masked"],
  cacheKind: ["mha", "gqa", "mqa", "mla"],
  form: ["naive", "absorbed"],
  kept: ["latent", "heads"],
} as const;

export type ChoiceKind = keyof typeof choices;

export type ArgumentKind =
  | NumberKind
  | TensorKind
  | ChoiceKind
  | "boolean"
  /** Extents of a mask or a bias for attention. */
  | "extents"
  /** Three pairs' counts. */
  | "sections"
  /** A KvCache, or a LatentCache where one may be. */
  | "cache"
  /** A model's configuration. */
  | "config";

export interface Call {
  /** For test titles. */
  title: string;
  method: string;
  /** Whose method it is; the engine's if not given. */
  on?: object;
  /** Options that are good, with arrays for tensors. */
  good: Record<string, unknown>;
  arguments: Record<string, ArgumentKind>;
  /** Arguments that may be left out. */
  optional: string[];
  /** Results that may go into a tensor of the caller's: kind and length. */
  outs: Record<string, [TensorKind, number]>;
  /** Results that there are only if they are asked for, by `true` or a tensor. */
  asked: string[];
  /** The argument that a buffer is changed in. */
  changed?: string;
  /** Tensors whose length is what it is: other extents follow from them. */
  anyLength: string[];
  /** Sizes that no tensor has. */
  freeSizes: string[];
}

interface More<O> {
  on?: object;
  optional?: (keyof O & string)[];
  outs?: Call["outs"];
  asked?: string[];
  changed?: keyof O & string;
  anyLength?: (keyof O & string)[];
  freeSizes?: (keyof O & string)[];
}

/** Checked by the compiler: every option of O has its kind, and every optional one is given. */
function call<O extends object>(
  title: string,
  good: Required<O>,
  kinds: Record<keyof O & string, ArgumentKind>,
  { on, changed, asked = [], ...more }: More<O> = {},
): Call {
  return {
    title,
    method: title.split(" ")[0] as string,
    ...(on !== undefined && { on }),
    good: { ...good, ...Object.fromEntries(asked.map((name) => [name, true])) },
    arguments: kinds,
    optional: more.optional ?? [],
    outs: more.outs ?? {},
    asked,
    ...(changed !== undefined && { changed }),
    anyLength: more.anyLength ?? [],
    freeSizes: more.freeSizes ?? [],
  };
}

type OneByOne<O> = Extract<O, { positionIds: unknown }>;
type Run<O> = Extract<O, { seqLen: unknown }>;

const positionIds = new Int32Array([4, -2, 100_000]);
const invFreq = new Float64Array([1, 0.5, 0.25, 0.125]);

// ---- Encodings ---------------------------------------------------------------------------------------------------------

const oneByOne = { positionIds: "i32", dim: "size" } as const;
const run = { seqLen: "size", positionOffset: "int32", dim: "size" } as const;
const encoded = { out: ["f32", 15] as [TensorKind, number] };

const encodings: Call[] = [
  ...["integerEncoding", "binaryEncoding"].flatMap((method) => [
    call<OneByOne<EncodingOptions>>(method, { positionIds, dim: 5 }, oneByOne, {
      outs: encoded,
      anyLength: ["positionIds"],
    }),
    call<Run<EncodingOptions>>(`${method} (run)`, { seqLen: 3, positionOffset: 7, dim: 5 }, run, {
      optional: ["positionOffset"],
      outs: encoded,
    }),
  ]),
  call<OneByOne<SinusoidalOptions>>(
    "sinusoidalEncoding",
    { positionIds, dim: 5, base: 500 },
    { ...oneByOne, base: "positive" },
    { optional: ["base"], outs: encoded, anyLength: ["positionIds"] },
  ),
  call<Run<SinusoidalOptions>>(
    "sinusoidalEncoding (run)",
    { seqLen: 3, positionOffset: -7, dim: 5, base: 500 },
    { ...run, base: "positive" },
    { optional: ["positionOffset", "base"], outs: encoded },
  ),
  call<SeededEmbeddingOptions>(
    "seededEmbedding",
    { tokenIds: positionIds, dim: 5, seed: 42 },
    { tokenIds: "i32", dim: "size", seed: "uint32" },
    { outs: encoded, anyLength: ["tokenIds"] },
  ),
  call<SeededProjectionOptions>(
    "seededProjection",
    { seed: 42, stream: 3, outDim: 4, inDim: 5 },
    { seed: "uint32", stream: "uint32", outDim: "size", inDim: "size" },
    { outs: { out: ["f32", 20] } },
  ),
  call<AddEncodingOptions>(
    "addEncoding",
    { encoding: noise(15), x: noise(15, 2), dim: 5 },
    { encoding: "f32", x: "f32", dim: "size" },
    { changed: "x", anyLength: ["x"] },
  ),
  call<LinearOptions>(
    "linear",
    { x: noise(15), weight: noise(20, 2), rows: 3, inDim: 5, outDim: 4 },
    { x: "f32", weight: "f32", rows: "size", inDim: "size", outDim: "size" },
    { outs: { out: ["f32", 12] } },
  ),
];

// ---- Rotary ------------------------------------------------------------------------------------------------------------

const cosAndSin: Call["outs"] = { cos: ["f32", 12], sin: ["f32", 12] };
const rotated = {
  x: "f32",
  cos: "f32",
  sin: "f32",
  format: "format",
  batch: "size",
  seqLen: "size",
  nHeads: "size",
  headDim: "size",
  rotaryDim: "evenSize",
  layout: "layout",
} as const;
const mrope: Required<MropeCacheOptions> = {
  positionIds: new Int32Array([4, 4, 5, /**/ 0, 3, -2, /**/ 7, 100_000, 1]),
  seqLen: 3,
  invFreq,
  sections: [2, 1, 1],
  interleaved: false,
  attentionFactor: 1.5,
};
const mropeKinds = {
  positionIds: "i32",
  seqLen: "size",
  invFreq: "f64",
  sections: "sections",
  interleaved: "boolean",
  attentionFactor: "finite",
} as const;

/** A model whose heads have 16 components, trained on 64 tokens. */
const model = (parameters: object) => ({
  head_dim: 16,
  max_position_embeddings: 64,
  rope_parameters: { rope_theta: 10_000, ...parameters },
});
const factors = { short: [1, 1, 1, 1, 1.5, 1.5, 1.5, 2], long: [1, 1.5, 2, 3, 4, 6, 8, 12] };

/** The configuration of each rope_type; where the length counts, the one with which it does something. */
export const ropeConfigs = {
  default: { config: model({ rope_type: "default" }) },
  linear: { config: model({ rope_type: "linear", factor: 4 }) },
  ntk: { config: model({ rope_type: "ntk", factor: 4 }) },
  dynamic: { config: model({ rope_type: "dynamic", factor: 4 }), seqLen: 96 },
  yarn: {
    config: {
      ...model({ rope_type: "yarn", factor: 4, original_max_position_embeddings: 64 }),
      max_position_embeddings: 256,
    },
  },
  longrope: {
    config: {
      ...model({
        rope_type: "longrope",
        original_max_position_embeddings: 64,
        short_factor: factors.short,
        long_factor: factors.long,
      }),
      max_position_embeddings: 256,
    },
    seqLen: 65,
  },
  llama3: {
    config: {
      ...model({
        rope_type: "llama3",
        factor: 4,
        original_max_position_embeddings: 64,
        low_freq_factor: 1,
        high_freq_factor: 4,
      }),
      max_position_embeddings: 256,
    },
  },
  proportional: { config: model({ rope_type: "proportional", partial_rotary_factor: 0.5 }) },
} as const;

const rotary: Call[] = [
  call<RopeInvFreqOptions>(
    "ropeInvFreq",
    { rotaryDim: 10, ropeTheta: 500 },
    { rotaryDim: "evenSize", ropeTheta: "positive" },
    { optional: ["ropeTheta"], outs: { out: ["f64", 5] } },
  ),
  ...Object.entries(ropeConfigs).map(([type, options]) =>
    call<{ config: unknown; seqLen?: number }>(
      `ropeFromConfig (${type})`,
      { seqLen: 64, ...options },
      { config: "config", seqLen: "size" },
      { optional: ["seqLen"], freeSizes: ["seqLen"] },
    ),
  ),
  call<OneByOne<RopeCacheOptions>>(
    "buildRopeCache",
    { positionIds, invFreq, attentionFactor: 1.5 },
    { positionIds: "i32", invFreq: "f64", attentionFactor: "finite" },
    { optional: ["attentionFactor"], outs: cosAndSin, anyLength: ["positionIds", "invFreq"] },
  ),
  call<Run<RopeCacheOptions>>(
    "buildRopeCache (run)",
    { seqLen: 3, positionOffset: 99_999, invFreq, attentionFactor: 0.5 },
    { seqLen: "size", positionOffset: "int32", invFreq: "f64", attentionFactor: "finite" },
    { optional: ["positionOffset", "attentionFactor"], outs: cosAndSin, anyLength: ["invFreq"] },
  ),
  ...[false, true].map((interleaved) =>
    call<MropeCacheOptions>(
      interleaved ? "buildMropeCache (interleaved)" : "buildMropeCache",
      { ...mrope, interleaved },
      mropeKinds,
      { optional: ["interleaved", "attentionFactor"], outs: cosAndSin, anyLength: ["invFreq"] },
    ),
  ),
  call<AxialRopeCacheOptions>(
    "buildAxialRopeCache",
    { positionIds: new Int32Array([0, 1, 2, /**/ 5, -3, 100_000]), seqLen: 3, rotaryDim: 8, ropeTheta: 50 },
    { positionIds: "i32", seqLen: "size", rotaryDim: "evenSize", ropeTheta: "positive" },
    { optional: ["ropeTheta"], outs: cosAndSin },
  ),
  call<OneByOne<XposCacheOptions>>(
    "buildXposCache",
    { positionIds: new Int32Array([4, -2, 1000]), invFreq, side: "query", scaleBase: 100, gamma: 0.5 },
    { positionIds: "i32", invFreq: "f64", side: "side", scaleBase: "positive", gamma: "positive" },
    { optional: ["scaleBase", "gamma"], outs: cosAndSin, anyLength: ["positionIds", "invFreq"] },
  ),
  call<Run<XposCacheOptions>>(
    "buildXposCache (run)",
    { seqLen: 3, positionOffset: -1, invFreq, side: "key", scaleBase: 100, gamma: 0.5 },
    {
      seqLen: "size",
      positionOffset: "int32",
      invFreq: "f64",
      side: "side",
      scaleBase: "positive",
      gamma: "positive",
    },
    { optional: ["positionOffset", "scaleBase", "gamma"], outs: cosAndSin, anyLength: ["invFreq"] },
  ),
  call<Omit<ApplyRopeOptions, "positionIds" | "rows">>(
    "applyRope",
    {
      x: noise(120),
      cos: noise(24, 2),
      sin: noise(24, 3),
      format: "bshd",
      batch: 2,
      seqLen: 3,
      nHeads: 2,
      headDim: 10,
      rotaryDim: 8,
      layout: "half",
    },
    rotated,
    { optional: ["format", "batch", "rotaryDim"], changed: "x" },
  ),
  call<Omit<ApplyRopeOptions, "positionIds" | "rows">>(
    "applyRope (shared)",
    {
      x: noise(120),
      cos: noise(12, 2),
      sin: noise(12, 3),
      format: "bhsd",
      batch: 2,
      seqLen: 3,
      nHeads: 2,
      headDim: 10,
      rotaryDim: 8,
      layout: "interleaved",
    },
    rotated,
    // Twice as many rows are as good, and then it is sin that has too few.
    { optional: ["format", "batch", "rotaryDim"], changed: "x", anyLength: ["cos"] },
  ),
  call<ApplyRopeOptions>(
    "applyRope (positionIds)",
    {
      x: noise(120),
      cos: noise(20, 2),
      sin: noise(20, 3),
      positionIds: new Int32Array([4, 0, 2, /**/ 1, 1, 3]),
      rows: 5,
      format: "bhsd",
      batch: 2,
      seqLen: 3,
      nHeads: 2,
      headDim: 10,
      rotaryDim: 8,
      layout: "half",
    },
    { ...rotated, positionIds: "i32", rows: "size" },
    { optional: ["format", "batch", "positionIds", "rows", "rotaryDim"], changed: "x" },
  ),
  call<ConvertRopeLayoutOptions>(
    "convertRopeLayout",
    { x: noise(60), outer: 2, headDim: 10, inner: 3, rotaryDim: 8, to: "half" },
    { x: "f32", outer: "size", headDim: "size", inner: "size", rotaryDim: "evenSize", to: "layout" },
    // Any rotaryDim within the head is as good.
    {
      optional: ["outer", "inner", "rotaryDim"],
      outs: { out: ["f32", 60] },
      freeSizes: ["rotaryDim"],
    },
  ),
];

// ---- Positions that are added to the scores ----------------------------------------------------------------------------

const biased = { qLen: "size", kvLen: "size", queryOffset: "int32" } as const;
const extents = { qLen: 3, kvLen: 5, queryOffset: 2 };
const bucketed = { numBuckets: "size", maxDistance: "size", bidirectional: "boolean" } as const;

const biases: Call[] = [
  call<AlibiSlopesOptions>(
    "alibiSlopes",
    { nHeads: 6 },
    { nHeads: "size" },
    {
      outs: { out: ["f32", 6] },
    },
  ),
  call<AlibiBiasOptions>(
    "alibiBias",
    { ...extents, slopes: noise(4) },
    { ...biased, slopes: "f32" },
    { optional: ["kvLen", "queryOffset"], outs: { out: ["f32", 60] }, anyLength: ["slopes"] },
  ),
  call<T5BucketsOptions>(
    "t5Buckets",
    { ...extents, numBuckets: 8, maxDistance: 5, bidirectional: true },
    { ...biased, ...bucketed },
    {
      optional: ["kvLen", "queryOffset", "numBuckets", "maxDistance", "bidirectional"],
      outs: { out: ["i32", 15] },
      freeSizes: ["numBuckets", "maxDistance"],
    },
  ),
  call<T5BiasOptions>(
    "t5Bias",
    { ...extents, table: noise(28), nHeads: 4, numBuckets: 7, maxDistance: 5, bidirectional: false },
    { ...biased, ...bucketed, table: "f32", nHeads: "size" },
    {
      optional: ["kvLen", "queryOffset", "numBuckets", "maxDistance", "bidirectional"],
      outs: { out: ["f32", 60] },
      freeSizes: ["maxDistance"],
    },
  ),
];

// ---- Attention ---------------------------------------------------------------------------------------------------------

type Past = "pastKey" | "pastValue" | "pastLen" | "presentKey" | "presentValue";
type Asked = "weights" | "scores" | "out";
type OfTensors = Omit<Extract<AttentionOptions, { key: F32Tensor }>, Asked>;
type OfCache = Omit<Extract<AttentionOptions, { cache: unknown }>, Asked | "kvLens">;

const newHeads = {
  query: "f32",
  key: "f32",
  value: "f32",
  qLen: "size",
  kvLen: "size",
  nHeads: "size",
} as const;
const sized = { ...newHeads, nKvHeads: "size", headDim: "size" } as const;
const inBatches = { format: "format", batch: "size", vHeadDim: "size" } as const;
const past = { pastKey: "f32", pastValue: "f32", pastLen: "size" } as const;
const optionalHeads = ["format", "batch", "kvLen", "nKvHeads", "vHeadDim"] as const;
const scored = {
  causal: "boolean",
  leftWindowSize: "windowSize",
  rightWindowSize: "windowSize",
  softmaxScale: "finiteF32",
  softcap: "notNegativeF32",
  mask: "u8",
  maskShape: "extents",
  bias: "f32",
  biasShape: "extents",
  scoreStage: "scoreStage",
} as const;
const scoring = {
  causal: true,
  leftWindowSize: 2,
  rightWindowSize: 1,
  softmaxScale: 0.7,
  softcap: 1.5,
  scoreStage: "softcapped",
} as const;
const optionalScoring = [...Object.keys(scored), "queryOffset", ...optionalHeads] as (keyof typeof scored)[];

const attentions = (engine: Ropewalk): Call[] => {
  const cache = engine.kvCache({ capacity: 6, nKvHeads: 2, headDim: 6 });
  cache.append({ key: noise(48, 2), value: noise(48, 3), len: 4 });
  const wide = engine.kvCache({
    batch: 2,
    capacity: 5,
    nKvHeads: 2,
    headDim: 4,
    vHeadDim: 3,
    format: "bhsd",
  });
  wide.append({ key: noise(64, 2), value: noise(48, 3), len: 4 });
  const plainHeads = { qLen: 3, kvLen: 4, nHeads: 4, nKvHeads: 2, headDim: 6 };
  const plain = { ...plainHeads, query: noise(72, 1), key: noise(48, 2), value: noise(48, 3) };
  type Plain = Pick<OfTensors, keyof typeof plain | "causal" | "queryOffset" | "softmaxScale">;
  const plainCall = (title: string, more: Pick<Call, "outs"> & { asked?: string[] }) =>
    call<Plain>(
      title,
      { ...plain, causal: true, queryOffset: 1, softmaxScale: 0.7 },
      { ...sized, causal: "boolean", queryOffset: "int32", softmaxScale: "finiteF32" },
      { optional: ["kvLen", "nKvHeads", "causal", "queryOffset", "softmaxScale"], ...more },
    );
  const batches = {
    query: noise(96, 1),
    key: noise(64, 2),
    value: noise(48, 3),
    format: "bhsd",
    batch: 2,
    qLen: 3,
    kvLen: 4,
    nHeads: 4,
    nKvHeads: 2,
    headDim: 4,
    vHeadDim: 3,
  } as const;
  // Not all of the keys: past the third no query sees any of them.
  const mask = { mask: new Uint8Array([1, 0, 1, /**/ 255, 1, 1, /**/ 0, 1, 2]), maskShape: [1, 3, 3] };
  const bias = { bias: noise(96, 4), biasShape: [2, 4, 3, 4] };
  return [
    plainCall("attention", { outs: { out: ["f32", 72] } }),
    plainCall("attention (weights)", {
      outs: { out: ["f32", 72], weights: ["f32", 48] },
      asked: ["weights"],
    }),
    call<Omit<OfTensors, Past | "kvLens">>(
      "attention (all options)",
      { ...batches, ...scoring, queryOffset: 1, ...mask, ...bias },
      { ...sized, ...inBatches, ...scored, queryOffset: "int32" },
      {
        optional: optionalScoring,
        outs: { out: ["f32", 72], weights: ["f32", 96], scores: ["f32", 96] },
        asked: ["weights", "scores"],
      },
    ),
    call<Pick<OfTensors, keyof typeof batches | "kvLens" | "mask" | "bias" | "causal">>(
      "attention (kvLens)",
      {
        ...batches,
        kvLens: new Int32Array([2, 4]),
        mask: new Uint8Array(12).fill(1),
        bias: noise(12, 4),
        causal: true,
      },
      { ...sized, ...inBatches, kvLens: "i32", mask: "u8", bias: "f32", causal: "boolean" },
      {
        optional: [...optionalHeads, "kvLens", "mask", "bias", "causal"],
        outs: { out: ["f32", 72], scores: ["f32", 96] },
        asked: ["scores"],
      },
    ),
    call<Omit<Pick<OfTensors, keyof typeof plain | Past>, "presentKey" | "presentValue">>(
      "attention (past)",
      { ...plain, pastKey: noise(24, 4), pastValue: noise(24, 5), pastLen: 2 },
      { ...sized, ...past },
      {
        optional: ["kvLen", "nKvHeads"],
        outs: { out: ["f32", 72], presentKey: ["f32", 72], presentValue: ["f32", 72] },
      },
    ),
    call<Omit<Pick<OfTensors, keyof typeof batches | Past | "causal">, "presentKey" | "presentValue">>(
      "attention (past of a batch)",
      { ...batches, pastKey: noise(32, 4), pastValue: noise(24, 5), pastLen: 2, causal: true },
      { ...sized, ...inBatches, ...past, causal: "boolean" },
      {
        optional: [...optionalHeads, "causal"],
        outs: { out: ["f32", 72], weights: ["f32", 144], presentKey: ["f32", 96], presentValue: ["f32", 72] },
        asked: ["weights"],
      },
    ),
    call<Pick<OfCache, "cache" | "query" | "qLen" | "nHeads" | "queryOffset" | "causal">>(
      "attention (cache)",
      { cache, query: plain.query, qLen: 3, nHeads: 4, queryOffset: 1, causal: true },
      { cache: "cache", query: "f32", qLen: "size", nHeads: "size", queryOffset: "int32", causal: "boolean" },
      { optional: ["queryOffset", "causal"], outs: { out: ["f32", 72] } },
    ),
    call<Omit<OfCache, "format" | "batch">>(
      "attention (cache of a batch)",
      {
        cache: wide,
        query: batches.query,
        qLen: 3,
        nHeads: 4,
        queryOffset: -1,
        ...scoring,
        ...mask,
        ...bias,
      },
      { cache: "cache", query: "f32", qLen: "size", nHeads: "size", queryOffset: "int32", ...scored },
      {
        optional: optionalScoring,
        outs: { out: ["f32", 72], weights: ["f32", 96], scores: ["f32", 96] },
        asked: ["weights", "scores"],
      },
    ),
  ];
};

// ---- Caches, normalization ---------------------------------------------------------------------------------------------

type OfKind<Kind> = Extract<CacheBytesOptions, { kind: Kind }>;
const counted = {
  kind: "cacheKind",
  nLayers: "size",
  seqLen: "size",
  batch: "size",
  bytesPerElement: "elementBytes",
} as const;
const counts = { nLayers: 3, seqLen: 5, batch: 2, bytesPerElement: 2 } as const;
const optionalCounts = ["nLayers", "seqLen", "batch"] as const;
const freeCounts = [...optionalCounts, "headDim", "vHeadDim"] as const;
const shaped = { headDim: 6, vHeadDim: 4 };
const shapedKinds = { headDim: "size", vHeadDim: "size" } as const;

const writable = {
  cache: "f32",
  update: "f32",
  writeIndices: "i32",
  batch: "size",
  outer: "size",
  capacity: "size",
  rows: "size",
  inner: "size",
  circular: "boolean",
} as const;
const optionalWrites = ["writeIndices", "batch", "outer", "circular"] as ("batch" | "outer")[];

const caches = (engine: Ropewalk): Call[] => {
  const cache = engine.kvCache({
    batch: 2,
    capacity: 6,
    nKvHeads: 2,
    headDim: 3,
    vHeadDim: 4,
    format: "bhsd",
  });
  cache.append({ key: noise(36, 6), value: noise(48, 7), len: 3 });
  return [
    call<KvCacheOptions>(
      "kvCache",
      {
        ...{ batch: 2, capacity: 5, nKvHeads: 2, headDim: 3, vHeadDim: 4 },
        ...{ format: "bhsd", dtype: "bfloat16" },
      },
      {
        batch: "size",
        capacity: "size",
        nKvHeads: "size",
        headDim: "size",
        vHeadDim: "size",
        format: "format",
        dtype: "dtype",
      },
      {
        // The memory is given back at once, and what there is to say of it is the answer.
        on: {
          kvCache(options: KvCacheOptions) {
            using made = engine.kvCache(options);
            const { batch, capacity, nKvHeads, headDim, vHeadDim, format, dtype, length, bytesUsed } = made;
            return { batch, capacity, nKvHeads, headDim, vHeadDim, format, dtype, length, bytesUsed };
          },
        },
        optional: ["batch", "vHeadDim", "format", "dtype"],
        freeSizes: ["batch", "capacity", "nKvHeads", "headDim", "vHeadDim"],
      },
    ),
    call<AppendOptions>(
      "append (KvCache)",
      { key: noise(24, 2), value: noise(32, 3), len: 2 },
      { key: "f32", value: "f32", len: "size" },
      {
        optional: ["len"],
        // The answer is what the cache holds then; and then it holds what it did before.
        on: {
          append(...options: [AppendOptions]) {
            const { length } = cache;
            cache.append(...options);
            const held = cache.read();
            cache.truncate(length);
            return held;
          },
        },
      },
    ),
    call<WriteCacheOptions>(
      "writeCache",
      {
        cache: noise(80),
        update: noise(32, 2),
        writeIndices: new Int32Array([3, 0]),
        batch: 2,
        outer: 2,
        capacity: 5,
        rows: 2,
        inner: 4,
        circular: false,
      },
      writable,
      { optional: optionalWrites, changed: "cache" },
    ),
    call<WriteCacheOptions>(
      "writeCache (circular)",
      {
        cache: noise(15),
        update: noise(9, 2),
        writeIndices: new Int32Array([4]),
        batch: 1,
        outer: 1,
        capacity: 5,
        rows: 3,
        inner: 3,
        circular: true,
      },
      writable,
      { optional: optionalWrites, changed: "cache" },
    ),
    call<OfKind<"mha">>(
      "cacheBytes",
      { kind: "mha", nHeads: 4, ...shaped, ...counts },
      { ...counted, nHeads: "size", ...shapedKinds },
      { optional: [...optionalCounts, "vHeadDim"], freeSizes: [...freeCounts, "nHeads"] },
    ),
    call<OfKind<"gqa">>(
      "cacheBytes (gqa)",
      { kind: "gqa", nKvHeads: 2, ...shaped, ...counts },
      { ...counted, nKvHeads: "size", ...shapedKinds },
      { optional: [...optionalCounts, "vHeadDim"], freeSizes: [...freeCounts, "nKvHeads"] },
    ),
    call<OfKind<"mqa">>(
      "cacheBytes (mqa)",
      { kind: "mqa", ...shaped, ...counts },
      { ...counted, ...shapedKinds },
      { optional: [...optionalCounts, "vHeadDim"], freeSizes: [...freeCounts] },
    ),
    call<OfKind<"mla">>(
      "cacheBytes (mla)",
      { kind: "mla", kvLoraRank: 16, qkRopeHeadDim: 4, ...counts },
      { ...counted, kvLoraRank: "size", qkRopeHeadDim: "size" },
      { optional: [...optionalCounts], freeSizes: [...optionalCounts, "kvLoraRank", "qkRopeHeadDim"] },
    ),
    call<RmsNormOptions>(
      "rmsNorm",
      { x: noise(15), rows: 3, dim: 5, weight: noise(5, 2), epsilon: 0.01 },
      { x: "f32", rows: "size", dim: "size", weight: "f32", epsilon: "notNegative" },
      { optional: ["weight", "epsilon"], outs: { out: ["f32", 15] } },
    ),
    call<SoftmaxOptions>(
      "softmax",
      { x: noise(30), outer: 2, size: 5, inner: 3 },
      { x: "f32", outer: "size", size: "size", inner: "size" },
      { optional: ["outer", "inner"], outs: { out: ["f32", 30] } },
    ),
  ];
};

// ---- Latent attention --------------------------------------------------------------------------------------------------

type OfQueriesLatent = "qLoraRank" | "qAProj" | "qALayernorm" | "qBProj";
type Mla = Omit<MlaOptions, "out" | "weights" | "scores">;
type MlaOfHidden = Omit<Mla, OfQueriesLatent | "cache">;
type MlaOfLatent = Omit<Mla, "qProj" | "cache">;

const latentShape = {
  hiddenSize: 6,
  nHeads: 2,
  kvLoraRank: 4,
  qkNopeHeadDim: 3,
  qkRopeHeadDim: 2,
  vHeadDim: 5,
} as const;
const latentShapeKinds = {
  hiddenSize: "size",
  nHeads: "size",
  kvLoraRank: "size",
  qkNopeHeadDim: "size",
  qkRopeHeadDim: "evenExtent",
  vHeadDim: "size",
} as const;
/** What every call of latent attention takes, of two sequences of three tokens. */
const latentLayer = {
  ...latentShape,
  x: noise(36),
  batch: 2,
  qLen: 3,
  kvAProj: noise(36, 3),
  kvALayernorm: noise(4, 4),
  kvBProj: noise(64, 5),
  oProj: noise(60, 6),
  cos: noise(6, 7),
  sin: noise(6, 8),
};
const fromHidden = { ...latentLayer, qProj: noise(60, 2) };
const fromLatent = {
  ...latentLayer,
  qLoraRank: 3,
  qAProj: noise(18, 9),
  qALayernorm: noise(3, 10),
  qBProj: noise(30, 11),
};
const attending = { causal: true, softmaxScale: 0.7, epsilon: 0.01, steps: false } as const;
const latentKinds = {
  ...latentShapeKinds,
  x: "f32",
  batch: "size",
  qLen: "size",
  kvAProj: "f32",
  kvALayernorm: "f32",
  kvBProj: "f32",
  oProj: "f32",
  cos: "f32",
  sin: "f32",
  form: "form",
  causal: "boolean",
  softmaxScale: "finiteF32",
  epsilon: "notNegative",
  steps: "boolean",
} as const;
const ofHidden = { ...latentKinds, qProj: "f32" } as const;
const ofLatent = {
  ...latentKinds,
  qLoraRank: "size",
  qAProj: "f32",
  qALayernorm: "f32",
  qBProj: "f32",
} as const;
const optionalLatent = ["batch", "form", "causal", "softmaxScale", "epsilon", "steps"] as const;

const latents = (engine: Ropewalk): Call[] => {
  const kept = engine.latentCache({ batch: 2, capacity: 9, kvLoraRank: 4, qkRopeHeadDim: 2 });
  kept.append({ latents: noise(48, 12), len: 4 });
  const heads = engine.kvCache({ batch: 2, capacity: 8, nKvHeads: 2, headDim: 5, vHeadDim: 5 });
  heads.append({ key: noise(80, 12), value: noise(80, 13), len: 4 });
  /** The cache holds afterwards what it held before, so that each call finds the same. */
  const putBack = (cache: typeof kept | typeof heads) => ({
    mla(...options: [MlaOptions]) {
      const { length } = cache;
      try {
        return engine.mla(...options);
      } finally {
        cache.truncate(length);
      }
    },
  });
  /** The steps come beside the result, as if each were one. */
  const withSteps = {
    mla(...options: [MlaOptions & { steps: true }]) {
      const { steps, ...results } = engine.mla(...options);
      return { ...results, ...steps };
    },
  };
  const one = { batch: 1, x: noise(18), cos: noise(3, 7), sin: noise(3, 8) };
  return [
    call<MlaOfHidden>("mla", { ...fromHidden, ...one, ...attending, form: "absorbed" }, ofHidden, {
      optional: [...optionalLatent],
      outs: { out: ["f32", 18] },
    }),
    call<MlaOfLatent>("mla (all options)", { ...fromLatent, ...attending, form: "absorbed" }, ofLatent, {
      // Without it there is no queries' latent, and then it is in vain that the rest is given.
      optional: [...optionalLatent, "qLoraRank"],
      outs: { out: ["f32", 36], weights: ["f32", 36], scores: ["f32", 36] },
      asked: ["weights", "scores"],
    }),
    call<MlaOfHidden>(
      "mla (naive)",
      { ...fromHidden, ...attending, cos: one.cos, sin: one.sin, causal: false, form: "naive" },
      ofHidden,
      {
        optional: [...optionalLatent],
        outs: { out: ["f32", 36], weights: ["f32", 36] },
        asked: ["weights"],
        // Twice as many rows are as good, and then it is sin that has too few.
        anyLength: ["cos"],
      },
    ),
    call<MlaOfLatent>(
      "mla (steps)",
      { ...fromLatent, ...attending, form: "absorbed", steps: true },
      ofLatent,
      { on: withSteps, optional: [...optionalLatent, "qLoraRank"] },
    ),
    call<MlaOfHidden>(
      "mla (naive, steps)",
      { ...fromHidden, ...attending, form: "naive", steps: true },
      ofHidden,
      { on: withSteps, optional: [...optionalLatent] },
    ),
    call<MlaOfLatent & { cache: object }>(
      "mla (LatentCache)",
      { ...fromLatent, ...attending, cache: kept, form: "absorbed" },
      { ...ofLatent, cache: "cache" },
      {
        on: putBack(kept),
        optional: [...optionalLatent, "qLoraRank", "cache"],
        outs: { out: ["f32", 36], weights: ["f32", 84] },
        asked: ["weights"],
      },
    ),
    call<MlaOfHidden & { cache: object }>(
      "mla (KvCache)",
      { ...fromHidden, ...attending, cache: heads, form: "naive" },
      { ...ofHidden, cache: "cache" },
      {
        on: putBack(heads),
        optional: [...optionalLatent, "cache"],
        outs: { out: ["f32", 36], scores: ["f32", 84] },
        asked: ["scores"],
      },
    ),
    call<LatentCacheOptions>(
      "latentCache",
      { batch: 2, capacity: 5, kvLoraRank: 3, qkRopeHeadDim: 4 },
      { batch: "size", capacity: "size", kvLoraRank: "size", qkRopeHeadDim: "evenExtent" },
      {
        // The memory is given back at once, and what there is to say of it is the answer.
        on: {
          latentCache(options: LatentCacheOptions) {
            using made = engine.latentCache(options);
            const { batch, capacity, kvLoraRank, qkRopeHeadDim, length, bytesUsed } = made;
            return { batch, capacity, kvLoraRank, qkRopeHeadDim, length, bytesUsed };
          },
        },
        optional: ["batch"],
        freeSizes: ["batch", "capacity", "kvLoraRank", "qkRopeHeadDim"],
      },
    ),
    call<AppendLatentsOptions>(
      "append (LatentCache)",
      { latents: noise(24, 2), len: 2 },
      { latents: "f32", len: "size" },
      {
        optional: ["len"],
        // The answer is what the cache holds then; and then it holds what it did before.
        on: {
          append(...options: [AppendLatentsOptions]) {
            const { length } = kept;
            kept.append(...options);
            const held = kept.read();
            kept.truncate(length);
            return held;
          },
        },
      },
    ),
    call<MlaCostOptions>(
      "mlaCost",
      {
        ...latentShape,
        qLoraRank: 3,
        form: "naive",
        kept: "heads",
        batch: 2,
        qLen: 3,
        kvLen: 7,
        causal: true,
      },
      {
        ...latentShapeKinds,
        qLoraRank: "size",
        form: "form",
        kept: "kept",
        batch: "size",
        qLen: "size",
        kvLen: "size",
        causal: "boolean",
      },
      {
        optional: ["qLoraRank", "kept", "batch", "kvLen", "causal"],
        freeSizes: [
          ...(Object.keys(latentShape) as (keyof typeof latentShape)[]),
          "qLoraRank",
          "batch",
          "qLen",
          "kvLen",
        ],
      },
    ),
    call<AbsorbRotationOptions>(
      "absorbRotation",
      {
        keyUp: noise(40),
        headDim: 10,
        kvLoraRank: 4,
        invFreq,
        layout: "half",
        contextLen: 9,
        firstDistance: -0.5,
        step: 2.5,
        count: 3,
      },
      {
        keyUp: "f32",
        headDim: "size",
        kvLoraRank: "size",
        invFreq: "f64",
        layout: "layout",
        contextLen: "size",
        firstDistance: "finite",
        step: "finite",
        count: "size",
      },
      {
        optional: ["firstDistance", "step"],
        anyLength: ["invFreq"],
        freeSizes: ["contextLen", "count"],
      },
    ),
    call<RelativeErrorsOptions>(
      "relativeErrors",
      { x: noise(15), exact: noise(15, 2), rows: 3, columns: 5 },
      { x: "f32", exact: "f32", rows: "size", columns: "size" },
      { outs: { out: ["f32", 5] } },
    ),
  ];
};

// ---- Analysis ----------------------------------------------------------------------------------------------------------

const distances = { firstDistance: "finite", step: "finite", count: "size" } as const;
const threeDistances = { firstDistance: -0.5, step: 2.5, count: 3 };
const pair = {
  query: noise(10),
  key: noise(10, 2),
  invFreq,
  layout: "half",
  softmaxScale: 0.7,
  pairMask: new Uint8Array([1, 0, 9, 1]),
} as const;
const pairKinds = {
  query: "f32",
  key: "f32",
  invFreq: "f64",
  layout: "layout",
  softmaxScale: "finite",
  pairMask: "u8",
} as const;

const analyses: Call[] = [
  call<RowNormsOptions>(
    "rowNorms",
    { x: noise(15), rows: 3, dim: 5 },
    { x: "f32", rows: "size", dim: "size" },
    { outs: { out: ["f32", 3] } },
  ),
  call<RowCosinesOptions>(
    "rowCosines",
    { a: noise(15), b: noise(15, 2), rows: 3, dim: 5 },
    { a: "f32", b: "f32", rows: "size", dim: "size" },
    { outs: { out: ["f32", 3] } },
  ),
  call<NeighbourDistancesOptions>(
    "neighbourDistances",
    { x: noise(15), rows: 3, dim: 5 },
    { x: "f32", rows: "size", dim: "size" },
    { outs: { out: ["f32", 2] } },
  ),
  ...[false, true].map((cosine) =>
    call<SimilarityOptions>(
      cosine ? "similarity (cosine)" : "similarity",
      { x: noise(15), rows: 3, dim: 5, cosine },
      { x: "f32", rows: "size", dim: "size", cosine: "boolean" },
      { optional: ["cosine"], outs: { out: ["f32", 9] } },
    ),
  ),
  call<{ a: F32Tensor; b: F32Tensor }>(
    "maxAbsDifference",
    { a: noise(15), b: noise(15, 2) },
    { a: "f32", b: "f32" },
    { anyLength: ["a"] },
  ),
  call<RopeAnglesOptions>(
    "ropeAngles",
    { firstPosition: 0.5, step: 0.25, count: 3, invFreq },
    { firstPosition: "finite", step: "finite", count: "size", invFreq: "f64" },
    { optional: ["step"], outs: { out: ["f32", 12] }, anyLength: ["invFreq"] },
  ),
  call<RopePeriodsOptions>(
    "ropePeriods",
    { invFreq, contextLen: 12.5 },
    { invFreq: "f64", contextLen: "positive" },
    { anyLength: ["invFreq"] },
  ),
  call<PairPolarOptions>(
    "pairPolar",
    { x: noise(8), layout: "half" },
    { x: "f32", layout: "layout" },
    { anyLength: ["x"] },
  ),
  call<PairScoresOptions>(
    "pairScores",
    { query: noise(8), key: noise(8, 2), layout: "half", softmaxScale: 0.7 },
    { query: "f32", key: "f32", layout: "layout", softmaxScale: "finiteF32" },
    { optional: ["softmaxScale"], outs: { out: ["f32", 4] }, anyLength: ["query"] },
  ),
  call<RopeScoreOptions>(
    "ropeScore",
    { ...pair, distance: 2.5 },
    { ...pairKinds, distance: "finite" },
    { optional: ["softmaxScale", "pairMask"], anyLength: ["query", "invFreq"] },
  ),
  call<RopeScoreByDistanceOptions>(
    "ropeScoreByDistance",
    { ...pair, ...threeDistances },
    { ...pairKinds, ...distances },
    {
      optional: ["softmaxScale", "pairMask", "firstDistance", "step"],
      outs: { out: ["f32", 3] },
      anyLength: ["query", "invFreq"],
    },
  ),
  call<RopeRandomScoresOptions>(
    "ropeRandomScores",
    { invFreq, seed: 42, draws: 4, correlation: 0.5, ...threeDistances },
    { invFreq: "f64", seed: "uint32", draws: "size", correlation: "correlation", ...distances },
    {
      optional: ["correlation", "firstDistance", "step"],
      anyLength: ["invFreq"],
      freeSizes: ["draws", "count"],
    },
  ),
  call<RopeDecayBoundOptions>(
    "ropeDecayBound",
    { invFreq, ...threeDistances },
    { invFreq: "f64", ...distances },
    { optional: ["firstDistance", "step"], outs: { out: ["f32", 3] }, anyLength: ["invFreq"] },
  ),
];

/** All of them. Those that have a cache among their arguments have one of this engine, which nobody deletes. */
export const callsOf = (engine: Ropewalk): Call[] => [
  ...encodings,
  ...rotary,
  ...biases,
  ...attentions(engine),
  ...caches(engine),
  ...latents(engine),
  ...analyses,
];

// ---- Calling -----------------------------------------------------------------------------------------------------------

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** As much of a buffer as the suites need, of whatever kind. */
export interface AnyBuffer {
  readonly length: number;
  readonly view: TypedArray;
  delete(): void;
}

/** Call without the compiler's protection. */
export function invoke(
  engine: Ropewalk,
  { method, on = engine }: Pick<Call, "method" | "on">,
  ...options: unknown[]
): unknown {
  const own = (on as Record<string, (...options: unknown[]) => unknown>)[method];
  if (own === undefined) throw new Error(`there is no ${method}()`);
  return own.apply(on, options);
}

export const kindOf = (value: unknown): TensorKind | undefined =>
  value instanceof Float32Array
    ? "f32"
    : value instanceof Float64Array
      ? "f64"
      : value instanceof Int32Array
        ? "i32"
        : value instanceof Uint8Array
          ? "u8"
          : undefined;

export const bufferOf = (engine: Ropewalk, kind: TensorKind, content: unknown): AnyBuffer =>
  (engine as unknown as Record<TensorKind, (content: unknown) => AnyBuffer>)[kind](content);

/** What a buffer for a result holds before; a u8 one has no more than the last byte of it. */
export const untouched = 777;

/** The same options with a buffer for each tensor, and one full of `untouched` for each result that may go into one. */
export function inBuffers(engine: Ropewalk, { good, outs }: Call) {
  const buffers: Record<string, AnyBuffer> = {};
  for (const [argument, value] of Object.entries(good)) {
    const kind = kindOf(value);
    if (kind !== undefined) buffers[argument] = bufferOf(engine, kind, value);
  }
  for (const [argument, [kind, length]] of Object.entries(outs)) {
    const buffer = bufferOf(engine, kind, length);
    buffer.view.fill(untouched);
    buffers[argument] = buffer;
  }
  return {
    options: { ...good, ...buffers } as Record<string, unknown>,
    buffers,
    free: () => {
      for (const buffer of Object.values(buffers)) buffer.delete();
    },
  };
}

export const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array };

/** All results that may go into an array of the caller's: kind and length. What is changed has its `out` here. */
export function ownResults({ good, outs, changed }: Call): Call["outs"] {
  if (changed === undefined) return outs;
  const x = good[changed] as TypedArray;
  return { out: [kindOf(x) as TensorKind, x.length] };
}

/** The same options with an array for each such result, full of `untouched`. */
export function intoArrays(call: Call) {
  const results: Record<string, TypedArray> = {};
  for (const [argument, [kind, length]] of Object.entries(ownResults(call)))
    results[argument] = new arrays[kind](length).fill(untouched);
  return { options: { ...call.good, ...results } as Record<string, unknown>, results };
}

const plainly = (value: unknown) => (kindOf(value) === undefined ? value : Array.from(value as TypedArray));

/** All that a result has, by name; plain arrays, so that they compare with one another. */
export function contentOf(result: unknown): Record<string, unknown> {
  if (typeof result !== "object" || result === null || kindOf(result) !== undefined)
    return { result: plainly(result) };
  return Object.fromEntries(Object.entries(result).map(([name, value]) => [name, plainly(value)]));
}

/** Bytes of the engine's memory, read through a buffer of its own. */
export const memoryOf = (buffer: AnyBuffer): number => buffer.view.buffer.byteLength;
