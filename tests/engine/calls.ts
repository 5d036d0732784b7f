// Every function of the engine with one good call and what each of its arguments is: for what has to hold of them all.
import type {
  AddEncodingOptions,
  ApplyRopeOptions,
  AttentionOptions,
  EncodingOptions,
  F32Tensor,
  LinearOptions,
  PairPolarOptions,
  PairScoresOptions,
  RopeAnglesOptions,
  RopeCacheOptions,
  RopeInvFreqOptions,
  Ropewalk,
  RowNormsOptions,
  SeededEmbeddingOptions,
  SeededProjectionOptions,
  SinusoidalOptions,
} from "ropewalk";
import { noise } from "./plain.ts";

export type TensorKind = "f32" | "f64" | "i32";

export type NumberKind =
  /** 1 to 2^31 - 1 */
  | "size"
  /** an even size */
  | "evenSize"
  | "int32"
  | "uint32"
  | "finite"
  /** finite as a float32 */
  | "finiteF32"
  /** finite and > 0 */
  | "positive";

export type ArgumentKind = NumberKind | TensorKind | "boolean" | "layout";

export interface Call {
  /** For test titles. */
  title: string;
  method: string;
  /** Options that are good, with arrays for tensors. */
  good: Record<string, unknown>;
  arguments: Record<string, ArgumentKind>;
  /** Arguments that may be left out. */
  optional: string[];
  /** Results that may go into a buffer: kind and length. */
  outs: Record<string, [TensorKind, number]>;
  /** The argument that a buffer is changed in. */
  changed?: string;
}

/** Checked by the compiler: every option of O has its kind, and every optional one is given. */
function call<O extends object>(
  title: string,
  good: Required<O>,
  kinds: Record<keyof O & string, ArgumentKind>,
  more: { optional?: (keyof O & string)[]; outs?: Call["outs"]; changed?: keyof O & string } = {},
): Call {
  return {
    title,
    method: title.split(" ")[0] as string,
    good: good as Record<string, unknown>,
    arguments: kinds,
    optional: more.optional ?? [],
    outs: more.outs ?? {},
    ...(more.changed !== undefined && { changed: more.changed }),
  };
}

type OneByOne<O> = Extract<O, { positionIds: unknown }>;
type Run<O> = Extract<O, { seqLen: unknown }>;

const positionIds = new Int32Array([4, -2, 100_000]);
const oneByOne = { positionIds: "i32", dim: "size" } as const;
const run = { seqLen: "size", positionOffset: "int32", dim: "size" } as const;
const encoded = { out: ["f32", 15] as [TensorKind, number] };
const invFreq = new Float64Array([1, 0.5, 0.25, 0.125]);
const heads = { qLen: 3, kvLen: 4, nHeads: 4, nKvHeads: 2, headDim: 6 };
const attention: Required<AttentionOptions> = {
  ...heads,
  query: noise(72, 1),
  key: noise(48, 2),
  value: noise(48, 3),
  causal: true,
  causalOffset: 1,
  softmaxScale: 0.7,
};
const attentionKinds = {
  query: "f32",
  key: "f32",
  value: "f32",
  qLen: "size",
  kvLen: "size",
  nHeads: "size",
  nKvHeads: "size",
  headDim: "size",
  causal: "boolean",
  causalOffset: "int32",
  softmaxScale: "finiteF32",
} as const;
const attentionOptional = ["kvLen", "nKvHeads", "causal", "causalOffset", "softmaxScale"] as const;

export const calls: Call[] = [
  call<OneByOne<EncodingOptions>>("integerEncoding", { positionIds, dim: 5 }, oneByOne, { outs: encoded }),
  call<Run<EncodingOptions>>("integerEncoding (run)", { seqLen: 3, positionOffset: 7, dim: 5 }, run, {
    optional: ["positionOffset"],
    outs: encoded,
  }),
  call<OneByOne<EncodingOptions>>("binaryEncoding", { positionIds, dim: 5 }, oneByOne, { outs: encoded }),
  call<Run<EncodingOptions>>("binaryEncoding (run)", { seqLen: 3, positionOffset: 7, dim: 5 }, run, {
    optional: ["positionOffset"],
    outs: encoded,
  }),
  call<OneByOne<SinusoidalOptions>>(
    "sinusoidalEncoding",
    { positionIds, dim: 5, base: 500 },
    { ...oneByOne, base: "positive" },
    { optional: ["base"], outs: encoded },
  ),
  call<Run<SinusoidalOptions>>(
    "sinusoidalEncoding (run)",
    { seqLen: 3, positionOffset: -7, dim: 5, base: 500 },
    { ...run, base: "positive" },
    { optional: ["positionOffset", "base"], outs: encoded },
  ),
  call<RopeInvFreqOptions>(
    "ropeInvFreq",
    { rotaryDim: 10, ropeTheta: 500 },
    { rotaryDim: "evenSize", ropeTheta: "positive" },
    { optional: ["ropeTheta"], outs: { out: ["f64", 5] } },
  ),
  call<OneByOne<RopeCacheOptions>>(
    "buildRopeCache",
    { positionIds, invFreq },
    { positionIds: "i32", invFreq: "f64" },
    { outs: { cos: ["f32", 12], sin: ["f32", 12] } },
  ),
  call<Run<RopeCacheOptions>>(
    "buildRopeCache (run)",
    { seqLen: 3, positionOffset: 99_999, invFreq },
    { seqLen: "size", positionOffset: "int32", invFreq: "f64" },
    { optional: ["positionOffset"], outs: { cos: ["f32", 12], sin: ["f32", 12] } },
  ),
  call<ApplyRopeOptions>(
    "applyRope",
    {
      x: noise(60),
      cos: noise(12, 2),
      sin: noise(12, 3),
      seqLen: 3,
      nHeads: 2,
      headDim: 10,
      rotaryDim: 8,
      layout: "half",
    },
    {
      x: "f32",
      cos: "f32",
      sin: "f32",
      seqLen: "size",
      nHeads: "size",
      headDim: "size",
      rotaryDim: "evenSize",
      layout: "layout",
    },
    { optional: ["rotaryDim"], changed: "x" },
  ),
  call<AttentionOptions>("attention", attention, attentionKinds, {
    optional: [...attentionOptional],
    outs: { out: ["f32", 72] },
  }),
  // `weights` is asked for by `true`; what else it may be is in `outs`.
  {
    ...call<AttentionOptions>("attention (weights)", attention, attentionKinds, {
      optional: [...attentionOptional],
      outs: { out: ["f32", 72], weights: ["f32", 48] },
    }),
    good: { ...attention, weights: true },
  },
  call<SeededEmbeddingOptions>(
    "seededEmbedding",
    { tokenIds: positionIds, dim: 5, seed: 42 },
    { tokenIds: "i32", dim: "size", seed: "uint32" },
    { outs: encoded },
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
    { changed: "x" },
  ),
  call<LinearOptions>(
    "linear",
    { x: noise(15), weight: noise(20, 2), rows: 3, inDim: 5, outDim: 4 },
    { x: "f32", weight: "f32", rows: "size", inDim: "size", outDim: "size" },
    { outs: { out: ["f32", 12] } },
  ),
  call<RowNormsOptions>(
    "rowNorms",
    { x: noise(15), rows: 3, dim: 5 },
    { x: "f32", rows: "size", dim: "size" },
    { outs: { out: ["f32", 3] } },
  ),
  call<{ a: F32Tensor; b: F32Tensor }>(
    "maxAbsDifference",
    { a: noise(15), b: noise(15, 2) },
    { a: "f32", b: "f32" },
  ),
  call<RopeAnglesOptions>(
    "ropeAngles",
    { firstPosition: 0.5, step: 0.25, count: 3, invFreq },
    { firstPosition: "finite", step: "finite", count: "size", invFreq: "f64" },
    { optional: ["step"], outs: { out: ["f32", 12] } },
  ),
  call<PairPolarOptions>("pairPolar", { x: noise(8), layout: "half" }, { x: "f32", layout: "layout" }),
  call<PairScoresOptions>(
    "pairScores",
    { query: noise(8), key: noise(8, 2), layout: "half", softmaxScale: 0.7 },
    { query: "f32", key: "f32", layout: "layout", softmaxScale: "finiteF32" },
    { optional: ["softmaxScale"], outs: { out: ["f32", 4] } },
  ),
];

// ---- Calling -----------------------------------------------------------------------------------------------------------

export type TypedArray = Float32Array | Float64Array | Int32Array;

/** As much of a buffer as the suites need, of whatever kind. */
export interface AnyBuffer {
  readonly length: number;
  readonly view: TypedArray;
  delete(): void;
}

/** Call without the compiler's protection. */
export function invoke(engine: Ropewalk, { method }: Pick<Call, "method">, ...options: unknown[]): unknown {
  const methods = engine as unknown as Record<string, (...options: unknown[]) => unknown>;
  const own = methods[method];
  if (own === undefined) throw new Error(`there is no ${method}()`);
  return own.apply(engine, options);
}

export const kindOf = (value: unknown): TensorKind | undefined =>
  value instanceof Float32Array
    ? "f32"
    : value instanceof Float64Array
      ? "f64"
      : value instanceof Int32Array
        ? "i32"
        : undefined;

export const bufferOf = (engine: Ropewalk, kind: TensorKind, content: unknown): AnyBuffer =>
  (engine as unknown as Record<TensorKind, (content: unknown) => AnyBuffer>)[kind](content);

/** The same options with a buffer for each tensor, and one filled with 777 for each result that may go into one. */
export function inBuffers(engine: Ropewalk, { good, outs }: Call) {
  const buffers: Record<string, AnyBuffer> = {};
  for (const [argument, value] of Object.entries(good)) {
    const kind = kindOf(value);
    if (kind !== undefined) buffers[argument] = bufferOf(engine, kind, value);
  }
  for (const [argument, [kind, length]] of Object.entries(outs)) {
    const buffer = bufferOf(engine, kind, length);
    buffer.view.fill(777);
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

/** All numbers of a result, by name; plain arrays, so that they compare with one another. */
export function numbersOf(result: unknown): Record<string, number[]> {
  if (typeof result === "number") return { result: [result] };
  if (kindOf(result) !== undefined) return { result: Array.from(result as Float32Array) };
  return Object.fromEntries(
    Object.entries(result as Record<string, Float32Array>).map(([name, array]) => [name, Array.from(array)]),
  );
}

/** Bytes of the engine's memory, read through a buffer of its own. */
export const memoryOf = (buffer: AnyBuffer): number => buffer.view.buffer.byteLength;
