import {
  allocate,
  Buffer,
  type F32Buffer,
  type F64Buffer,
  type I32Buffer,
  type Kind,
  Pool,
} from "./buffers.js";
import * as check from "./checks.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { Caller, changed, counted, input, output, scratch, type Tensor } from "./tensors.js";

/** A tensor of float32: an array, which is copied in, or a buffer, which is used where it is. Row-major. */
export type F32Tensor = Tensor<"f32">;
export type F64Tensor = Tensor<"f64">;
export type I32Tensor = Tensor<"i32">;

/** Where the tokens stand, in tokens: one by one, or as a run. */
export type Positions =
  /** [seqLen], any int32, in any order. */
  | { positionIds: I32Tensor }
  /** positionOffset, positionOffset + 1, …; the offset is 0 if not given. */
  | { seqLen: number; positionOffset?: number };

/**
 * Which components of a head make a pair: `interleaved` (2i, 2i + 1) in RoFormer, GPT-J and Llama as Meta published it;
 * `half` (i, i + rotaryDim / 2) in GPT-NeoX and in Hugging Face transformers.
 */
export type RopeLayout = keyof wasm.MainModule["RopeLayout"];

export type EncodingOptions = Positions & {
  /** Components of a row. */
  dim: number;
};

export type SinusoidalOptions = EncodingOptions & {
  /** 10000 if not given, as in the paper; finite and > 0. */
  base?: number;
};

export interface RopeInvFreqOptions {
  /** Components that are rotated; even. */
  rotaryDim: number;
  /** 10000 if not given, as in the paper; finite and > 0. */
  ropeTheta?: number;
}

export type RopeCacheOptions = Positions & {
  /** [rotaryDim / 2], radians per position, from `ropeInvFreq()`. */
  invFreq: F64Tensor;
};

export interface ApplyRopeOptions {
  /** [seqLen, nHeads, headDim]. A buffer is rotated in place, an array left as it is. */
  x: F32Tensor;
  /** [seqLen, rotaryDim / 2], from `buildRopeCache()`. */
  cos: F32Tensor;
  /** [seqLen, rotaryDim / 2], from `buildRopeCache()`. */
  sin: F32Tensor;
  seqLen: number;
  nHeads: number;
  headDim: number;
  /** Components that are rotated, from the first; even; headDim if not given. */
  rotaryDim?: number;
  layout: RopeLayout;
}

export interface AttentionOptions {
  /** [qLen, nHeads, headDim] */
  query: F32Tensor;
  /** [kvLen, nKvHeads, headDim] */
  key: F32Tensor;
  /** [kvLen, nKvHeads, headDim] */
  value: F32Tensor;
  qLen: number;
  /** qLen if not given. */
  kvLen?: number;
  nHeads: number;
  /** nHeads if not given; divides it. Head h reads key and value head floor(h / (nHeads / nKvHeads)). */
  nKvHeads?: number;
  headDim: number;
  /** Whether query i sees only the keys j <= i + causalOffset. False if not given. */
  causal?: boolean;
  /** 0 if not given: queries and keys begin together. The number of cached keys, where the queries follow them. */
  causalOffset?: number;
  /** Multiplies query · key. 1 / sqrt(headDim) if not given. */
  softmaxScale?: number;
}

export interface SeededEmbeddingOptions {
  /** [seqLen], any int32; equal ids make equal rows. */
  tokenIds: I32Tensor;
  /** Components of a row. */
  dim: number;
  /** A uint32. */
  seed: number;
}

export interface SeededProjectionOptions {
  /** A uint32. */
  seed: number;
  /** A uint32: which of the seed's independent matrices. */
  stream: number;
  outDim: number;
  inDim: number;
}

export interface AddEncodingOptions {
  /** [seqLen, dim] */
  encoding: F32Tensor;
  /** [seqLen, dim]. A buffer is added to in place, an array left as it is. */
  x: F32Tensor;
  dim: number;
}

export interface LinearOptions {
  /** [rows, inDim] */
  x: F32Tensor;
  /** [outDim, inDim] */
  weight: F32Tensor;
  rows: number;
  inDim: number;
  outDim: number;
}

export interface RowNormsOptions {
  /** [rows, dim] */
  x: F32Tensor;
  rows: number;
  dim: number;
}

export interface RopeAnglesOptions {
  /** In tokens; may be a fraction. */
  firstPosition: number;
  /** From one row to the next, in tokens; may be a fraction. 1 if not given. */
  step?: number;
  /** Rows. */
  count: number;
  /** [rotaryDim / 2], radians per position. */
  invFreq: F64Tensor;
}

export interface PairPolarOptions {
  /** [headDim], headDim even. */
  x: F32Tensor;
  layout: RopeLayout;
}

export interface PairScoresOptions {
  /** [headDim], headDim even; rotated already where rotation is wanted. */
  query: F32Tensor;
  /** [headDim] */
  key: F32Tensor;
  layout: RopeLayout;
  /** Multiplies each part. 1 / sqrt(headDim) if not given. */
  softmaxScale?: number;
}

/** For the result to go into a buffer instead of into a new array. */
export interface Into<B = F32Buffer> {
  out: B;
}

const layouts = ["interleaved", "half"] as const satisfies readonly RopeLayout[];

/**
 * An engine: the kernels and the memory that they work in.
 *
 * Each function takes named options. Tensors are row-major; each goes in as an array, which is copied, or as a buffer
 * made by `f32()`, `f64()` or `i32()`, which is used where it is. A result comes back as a new array, unless a buffer
 * is given for it. Whatever is wrong with the options is a `RopewalkError` that names the argument, what was given and
 * what is allowed; nothing has been written then, and the engine works on.
 */
export class Ropewalk {
  readonly #module: wasm.MainModule;
  readonly #caller: Caller;

  /** Made by `loadRopewalk()`. @internal */
  constructor(module: wasm.MainModule) {
    this.#module = module;
    this.#caller = new Caller(module, new Pool(module));
  }

  // ---- Buffers -------------------------------------------------------------------------------------------------------

  /** A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`. */
  f32(content: number | Float32Array): F32Buffer {
    return this.#buffer("f32", content);
  }

  /** A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`. */
  f64(content: number | Float64Array): F64Buffer {
    return this.#buffer("f64", content);
  }

  /** A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`. */
  i32(content: number | Int32Array): I32Buffer {
    return this.#buffer("i32", content);
  }

  #buffer<K extends Kind>(kind: K, content: unknown): Buffer<K> {
    if (typeof content === "number") {
      const length = check.size("length", content);
      return new Buffer(kind, this.#module, allocate(this.#module, kind, "length", length));
    }
    const { given, length } = input(kind, "content", content);
    // A copy first, for making a buffer may grow the memory, which empties a view of it.
    const elements = ((given instanceof Buffer ? given.view : given) as Float64Array).slice();
    const buffer = new Buffer(kind, this.#module, allocate(this.#module, kind, "content", length));
    (buffer.view as Float64Array).set(elements);
    return buffer;
  }

  // ---- Encodings that are added to the embedding ---------------------------------------------------------------------

  /** Count: every component of a row is the position itself. → [seqLen, dim] */
  integerEncoding(options: EncodingOptions & Into): void;
  integerEncoding(options: EncodingOptions): Float32Array;
  integerEncoding(options: EncodingOptions & Partial<Into>): Float32Array | undefined {
    const { positionIds, dim, out } = encoding(options);
    return this.#caller.call({ positionIds, out }, (module, b) =>
      module.integer_encoding(b.positionIds, dim, b.out),
    ).out;
  }

  /** Digits: component c of a row is bit c of the position, lowest first, in two's complement. → [seqLen, dim] */
  binaryEncoding(options: EncodingOptions & Into): void;
  binaryEncoding(options: EncodingOptions): Float32Array;
  binaryEncoding(options: EncodingOptions & Partial<Into>): Float32Array | undefined {
    const { positionIds, dim, out } = encoding(options);
    return this.#caller.call({ positionIds, out }, (module, b) =>
      module.binary_encoding(b.positionIds, dim, b.out),
    ).out;
  }

  /**
   * Smooth digits: component 2i is sin(position · base^(-2i/dim)), component 2i + 1 its cosine (arXiv:1706.03762,
   * section 3.5). → [seqLen, dim]
   */
  sinusoidalEncoding(options: SinusoidalOptions & Into): void;
  sinusoidalEncoding(options: SinusoidalOptions): Float32Array;
  sinusoidalEncoding(options: SinusoidalOptions & Partial<Into>): Float32Array | undefined {
    const { positionIds, dim, out } = encoding(options);
    const base = check.positive("base", check.or(options.base, 10_000));
    return this.#caller.call({ positionIds, out }, (module, b) =>
      module.sinusoidal_encoding(b.positionIds, dim, base, b.out),
    ).out;
  }

  // ---- Rotary --------------------------------------------------------------------------------------------------------

  /**
   * The angle by which each pair turns from one position to the next, ropeTheta^(-2i/rotaryDim), in radians (RoFormer,
   * arXiv:2104.09864, section 3.2.2). → [rotaryDim / 2], to 2 ulp of double.
   */
  ropeInvFreq(options: RopeInvFreqOptions & Into<F64Buffer>): void;
  ropeInvFreq(options: RopeInvFreqOptions): Float64Array;
  ropeInvFreq(options: RopeInvFreqOptions & Partial<Into<F64Buffer>>): Float64Array | undefined {
    check.record(options);
    const pairs = rotaryPairs(options.rotaryDim, check.maxElements - 1);
    const ropeTheta = check.positive("ropeTheta", check.or(options.ropeTheta, 10_000));
    const out = output("f64", "out", options.out, pairs);
    return this.#caller.call({ out }, (module, b) => module.rope_inv_freq(ropeTheta, b.out)).out;
  }

  /**
   * Cosine and sine of position · invFreq, for `applyRope()`. → each [seqLen, rotaryDim / 2]; angles in double, rounded
   * once to float.
   */
  buildRopeCache(options: RopeCacheOptions & { cos: F32Buffer; sin: F32Buffer }): void;
  buildRopeCache(options: RopeCacheOptions): { cos: Float32Array; sin: Float32Array };
  buildRopeCache(options: RopeCacheOptions & { cos?: F32Buffer; sin?: F32Buffer }) {
    const positionIds = positions(options);
    const invFreq = input("f64", "invFreq", options.invFreq);
    const length = check.elements("cos", positionIds.length, invFreq.length);
    const cos = output("f32", "cos", options.cos, length);
    const sin = output("f32", "sin", options.sin, length);
    const made = this.#caller.call({ positionIds, invFreq, cos, sin }, (module, b) =>
      module.build_rope_cache(b.positionIds, b.invFreq, b.cos, b.sin),
    );
    return made as { cos: Float32Array; sin: Float32Array };
  }

  /**
   * Rotate pairs of components by their angles (RoFormer, arXiv:2104.09864, eq. 34). Components from rotaryDim on are
   * left as they are. → [seqLen, nHeads, headDim]; |error| <= 2^-23 of a pair's length.
   */
  applyRope(options: ApplyRopeOptions & { x: Float32Array }): Float32Array;
  applyRope(options: ApplyRopeOptions & { x: F32Buffer }): void;
  applyRope(options: ApplyRopeOptions): Float32Array | undefined {
    check.record(options);
    const seqLen = check.size("seqLen", options.seqLen);
    const nHeads = check.size("nHeads", options.nHeads);
    const headDim = check.size("headDim", options.headDim);
    const rotaryDim = 2 * rotaryPairs(check.or(options.rotaryDim, headDim), headDim, ", headDim at most");
    const layout = check.oneOf("layout", options.layout, layouts);
    const x = changed("f32", "x", options.x, check.elements("x", seqLen, nHeads, headDim));
    const cos = input("f32", "cos", options.cos, check.elements("cos", seqLen, rotaryDim / 2));
    const sin = input("f32", "sin", options.sin, seqLen * (rotaryDim / 2));
    return this.#caller.call({ x, cos, sin }, (module, b) =>
      module.apply_rope(b.x, b.cos, b.sin, seqLen, nHeads, headDim, rotaryDim, module.RopeLayout[layout]),
    ).x;
  }

  // ---- Attention -----------------------------------------------------------------------------------------------------

  /**
   * Scaled dot-product attention over heads (arXiv:1706.03762, eq. 1), with grouped queries (arXiv:2305.13245).
   *
   * → out [qLen, nHeads, headDim]; and, when asked for by `weights: true` or by a buffer, weights [nHeads, qLen, kvLen].
   * A row that sees no key is zero in both, never NaN.
   */
  attention(options: AttentionOptions & Into & { weights: true }): { weights: Float32Array };
  attention(options: AttentionOptions & Into & { weights?: F32Buffer | false }): void;
  attention(options: AttentionOptions & { weights: true }): { out: Float32Array; weights: Float32Array };
  attention(options: AttentionOptions & { weights?: F32Buffer | false }): { out: Float32Array };
  attention(
    options: AttentionOptions & Partial<Into> & { weights?: boolean | F32Buffer },
  ): { out?: Float32Array; weights?: Float32Array } | undefined {
    check.record(options);
    const qLen = check.size("qLen", options.qLen);
    const kvLen = check.size("kvLen", check.or(options.kvLen, qLen));
    const nHeads = check.size("nHeads", options.nHeads);
    const nKvHeads = check.size("nKvHeads", check.or(options.nKvHeads, nHeads));
    check.divides("nKvHeads", nKvHeads, "nHeads", nHeads);
    const headDim = check.size("headDim", options.headDim);
    const causal = check.boolean("causal", check.or(options.causal, false));
    const causalOffset = check.int32("causalOffset", check.or(options.causalOffset, 0));
    const softmaxScale = check.finiteF32(
      "softmaxScale",
      check.or(options.softmaxScale, 1 / Math.sqrt(headDim)),
    );
    const query = input("f32", "query", options.query, check.elements("query", qLen, nHeads, headDim));
    const kvLength = check.elements("key", kvLen, nKvHeads, headDim);
    const key = input("f32", "key", options.key, kvLength);
    const value = input("f32", "value", options.value, kvLength);
    const out = output("f32", "out", options.out, query.length);
    const asked = check.or<boolean | F32Buffer>(options.weights, false);
    const weightsLength = asked === false ? 0 : check.elements("weights", nHeads, qLen, kvLen);
    const scratchLength = this.#module.attention_scratch_size(kvLen);
    const sizes = [qLen, kvLen, nHeads, nKvHeads, headDim, causal, causalOffset, softmaxScale] as const;
    if (asked === false) {
      const rows = scratch("f32", check.elements("kvLen", scratchLength));
      return this.#caller.call({ query, key, value, out, scratch: rows }, (module, b) =>
        module.attention(b.query, b.key, b.value, ...sizes, b.out, null, b.scratch),
      );
    }
    const weights = output("f32", "weights", asked === true ? undefined : asked, weightsLength);
    return this.#caller.call({ query, key, value, out, weights }, (module, b) =>
      module.attention(b.query, b.key, b.value, ...sizes, b.out, b.weights, null),
    );
  }

  // ---- From tokens to queries and keys, untrained --------------------------------------------------------------------

  /**
   * Draw an embedding for each token: components of mean 0 and variance 1, nearly normal. A row depends on its token and
   * the seed alone. → [seqLen, dim]
   */
  seededEmbedding(options: SeededEmbeddingOptions & Into): void;
  seededEmbedding(options: SeededEmbeddingOptions): Float32Array;
  seededEmbedding(options: SeededEmbeddingOptions & Partial<Into>): Float32Array | undefined {
    check.record(options);
    const tokenIds = input("i32", "tokenIds", options.tokenIds);
    const dim = check.size("dim", options.dim);
    const seed = check.uint32("seed", options.seed);
    const out = output("f32", "out", options.out, check.elements("out", tokenIds.length, dim));
    return this.#caller.call({ tokenIds, out }, (module, b) =>
      module.seeded_embedding(b.tokenIds, dim, seed, b.out),
    ).out;
  }

  /** Draw a projection matrix, uniform in ±sqrt(3 / inDim). → [outDim, inDim] */
  seededProjection(options: SeededProjectionOptions & Into): void;
  seededProjection(options: SeededProjectionOptions): Float32Array;
  seededProjection(options: SeededProjectionOptions & Partial<Into>): Float32Array | undefined {
    check.record(options);
    const seed = check.uint32("seed", options.seed);
    const stream = check.uint32("stream", options.stream);
    const outDim = check.size("outDim", options.outDim);
    const inDim = check.size("inDim", options.inDim);
    const out = output("f32", "out", options.out, check.elements("out", outDim, inDim));
    return this.#caller.call({ out }, (module, b) =>
      module.seeded_projection(seed, stream, outDim, inDim, b.out),
    ).out;
  }

  /** Add a positional encoding to embeddings. → [seqLen, dim] */
  addEncoding(options: AddEncodingOptions & { x: Float32Array }): Float32Array;
  addEncoding(options: AddEncodingOptions & { x: F32Buffer }): void;
  addEncoding(options: AddEncodingOptions): Float32Array | undefined {
    check.record(options);
    const x = changed("f32", "x", options.x);
    const dim = check.size("dim", options.dim);
    check.divides("dim", dim, "the length of x", x.length);
    const encoding = input("f32", "encoding", options.encoding, x.length);
    return this.#caller.call({ encoding, x }, (module, b) => module.add_encoding(b.encoding, b.x, dim)).x;
  }

  /** Project: x · weightᵀ. → [rows, outDim] */
  linear(options: LinearOptions & Into): void;
  linear(options: LinearOptions): Float32Array;
  linear(options: LinearOptions & Partial<Into>): Float32Array | undefined {
    check.record(options);
    const rows = check.size("rows", options.rows);
    const inDim = check.size("inDim", options.inDim);
    const outDim = check.size("outDim", options.outDim);
    const x = input("f32", "x", options.x, check.elements("x", rows, inDim));
    const weight = input("f32", "weight", options.weight, check.elements("weight", outDim, inDim));
    const out = output("f32", "out", options.out, check.elements("out", rows, outDim));
    return this.#caller.call({ x, weight, out }, (module, b) =>
      module.linear(b.x, b.weight, rows, inDim, outDim, b.out),
    ).out;
  }

  // ---- Analysis ------------------------------------------------------------------------------------------------------

  /** The Euclidean length of each row. → [rows] */
  rowNorms(options: RowNormsOptions & Into): void;
  rowNorms(options: RowNormsOptions): Float32Array;
  rowNorms(options: RowNormsOptions & Partial<Into>): Float32Array | undefined {
    check.record(options);
    const rows = check.size("rows", options.rows);
    const dim = check.size("dim", options.dim);
    const x = input("f32", "x", options.x, check.elements("x", rows, dim));
    const out = output("f32", "out", options.out, rows);
    return this.#caller.call({ x, out }, (module, b) => module.row_norms(b.x, dim, b.out)).out;
  }

  /** The largest |a - b| over all elements of two tensors of one length; NaN if either holds one. */
  maxAbsDifference(options: { a: F32Tensor; b: F32Tensor }): number {
    check.record(options);
    const a = input("f32", "a", options.a);
    const b = input("f32", "b", options.b, a.length);
    const out = output("f32", "out", undefined, 1);
    const made = this.#caller.call({ a, b, out }, (module, h) => module.max_abs_difference(h.a, h.b, h.out));
    return made.out[0] as number;
  }

  /** The rope: each pair's angle at evenly spaced positions, in radians, wrapped to [-π, π]. → [count, rotaryDim / 2] */
  ropeAngles(options: RopeAnglesOptions & Into): void;
  ropeAngles(options: RopeAnglesOptions): Float32Array;
  ropeAngles(options: RopeAnglesOptions & Partial<Into>): Float32Array | undefined {
    check.record(options);
    const firstPosition = check.finite("firstPosition", options.firstPosition);
    const step = check.finite("step", check.or(options.step, 1));
    const count = check.size("count", options.count);
    const invFreq = input("f64", "invFreq", options.invFreq);
    const out = output("f32", "out", options.out, check.elements("out", count, invFreq.length));
    return this.#caller.call({ invFreq, out }, (module, b) =>
      module.rope_angles(firstPosition, step, b.invFreq, count, b.out),
    ).out;
  }

  /** Each pair of a head's components as an arrow: length, and angle in radians in [-π, π]. → each [headDim / 2] */
  pairPolar(options: PairPolarOptions): { magnitude: Float32Array; angle: Float32Array } {
    check.record(options);
    const x = input("f32", "x", options.x);
    check.even("x", x.length);
    const layout = check.oneOf("layout", options.layout, layouts);
    const magnitude = output("f32", "magnitude", undefined, x.length / 2);
    const angle = output("f32", "angle", undefined, x.length / 2);
    return this.#caller.call({ x, magnitude, angle }, (module, b) =>
      module.pair_polar(b.x, module.RopeLayout[layout], b.magnitude, b.angle),
    );
  }

  /** What each pair gives to the score softmaxScale · query · key; the parts add up to it. → [headDim / 2] */
  pairScores(options: PairScoresOptions & Into): void;
  pairScores(options: PairScoresOptions): Float32Array;
  pairScores(options: PairScoresOptions & Partial<Into>): Float32Array | undefined {
    check.record(options);
    const query = input("f32", "query", options.query);
    check.even("query", query.length);
    const key = input("f32", "key", options.key, query.length);
    const layout = check.oneOf("layout", options.layout, layouts);
    const softmaxScale = check.finiteF32(
      "softmaxScale",
      check.or(options.softmaxScale, 1 / Math.sqrt(query.length)),
    );
    const out = output("f32", "out", options.out, query.length / 2);
    return this.#caller.call({ query, key, out }, (module, b) =>
      module.pair_scores(b.query, b.key, module.RopeLayout[layout], softmaxScale, b.out),
    ).out;
  }
}

/** The positions of a call: as they were given, or counted out in the engine's own memory. */
function positions(options: Positions) {
  check.record(options);
  const { positionIds, seqLen, positionOffset } = options as { [Name in string]?: unknown };
  if (positionIds !== undefined) {
    check.absent("seqLen", seqLen, "nothing beside positionIds");
    check.absent("positionOffset", positionOffset, "nothing beside positionIds");
    return input("i32", "positionIds", positionIds);
  }
  const length = check.size("seqLen", seqLen);
  const first = check.int32("positionOffset", check.or(positionOffset, 0));
  check.int32("positionOffset + seqLen - 1", first + length - 1);
  return counted("i32", length, first);
}

/** What the encodings that are added have in common. */
function encoding(options: EncodingOptions & Partial<Into>) {
  const positionIds = positions(options);
  const dim = check.size("dim", options.dim);
  const out = output("f32", "out", options.out, check.elements("out", positionIds.length, dim));
  return { positionIds, dim, out };
}

function rotaryPairs(rotaryDim: unknown, most: number, more?: string): number {
  const dim = check.integer("rotaryDim", rotaryDim, 2, most, more);
  check.even("rotaryDim", dim);
  return dim / 2;
}
