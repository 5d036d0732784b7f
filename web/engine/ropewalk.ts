import * as absorption from "./absorption.js";
import * as analysis from "./analysis.js";
import { type AttentionOptions, type AttentionResult, attention } from "./attention.js";
import {
  allocate,
  Buffer,
  type F32Buffer,
  type F64Buffer,
  type I32Buffer,
  type Kind,
  Pool,
  type U8Buffer,
} from "./buffers.js";
import type { Allocate } from "./cache.js";
import * as check from "./checks.js";
import * as encodings from "./encodings.js";
import type * as wasm from "./generated/ropewalk.mjs";
import type * as threaded from "./generated/ropewalk_threads.mjs";
import * as cache from "./kv_cache.js";
import { LatentCache, type LatentCacheOptions } from "./latent_cache.js";
import type { Simd } from "./load.js";
import { type MlaCost, type MlaCostOptions, type MlaOptions, type MlaResult, mla, mlaCost } from "./mla.js";
import * as normalization from "./normalization.js";
import * as bias from "./position_bias.js";
import * as rope from "./rope.js";
import * as scaling from "./rope_scaling.js";
import { Caller, checkTensor, type F64Tensor, type I32Tensor, type Into } from "./tensors.js";

/**
 * An engine: the kernels and the memory that they work in.
 *
 * Each function takes named options. Tensors are row-major; each goes in as an array, which is copied, or as a buffer
 * made by `f32()`, `f64()`, `i32()` or `u8()`, which is used where it is. A result comes back as a new array, unless an
 * array or a buffer is given for it, which is written then: the array may be one that goes in, but no two results may
 * overlap. What changes a tensor does so in a buffer, or in a copy of an array; or, if it is given an `out`, there.
 * Whatever is wrong with the options is a `RopewalkError` that names the argument, what was given and what is allowed;
 * nothing has been written then, and the engine works on.
 *
 * Any function throws `bad_type` for what is not of the kind that an option takes, `bad_shape` for a tensor whose length
 * is not the product of its extents, `bad_value` for a number out of the range that its option states, `disposed` for a
 * buffer after its `delete()`, and `out_of_memory`. What it refuses besides is said there.
 *
 * @category The engine
 */
export class Ropewalk implements Disposable {
  readonly #module: wasm.MainModule;
  #threads: number;
  readonly #caller: Caller;

  /**
   * Which of the two binaries runs.
   *
   * @category The engine
   */
  readonly simd: Simd;

  /** Made by `loadRopewalk()`. @internal */
  constructor(module: wasm.MainModule | threaded.MainModule, threads = 1) {
    this.#threads = threads;
    this.simd = module.has_relaxed_simd() ? "relaxed" : "simd128";
    this.#module = module;
    this.#caller = new Caller(module, new Pool(module));
  }

  /**
   * Threads that attention is computed on.
   *
   * @category The engine
   */
  get threads(): number {
    return this.#threads;
  }

  /**
   * Have all but the caller's thread end. The engine works on, without them.
   *
   * @category The engine
   */
  endThreads(): void {
    if (this.#threads > 1) (this.#module as threaded.MainModule).set_threads(1);
    this.#threads = 1;
  }

  /**
   * As `endThreads()`, for `using`.
   *
   * @category The engine
   */
  [Symbol.dispose](): void {
    this.endThreads();
  }

  // ---- Buffers -------------------------------------------------------------------------------------------------------

  /**
   * A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`.
   *
   * @category Buffers
   */
  f32(content: number | Float32Array): F32Buffer {
    return this.#buffer("f32", content);
  }

  /**
   * A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`.
   *
   * @category Buffers
   */
  f64(content: number | Float64Array): F64Buffer {
    return this.#buffer("f64", content);
  }

  /**
   * A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`.
   *
   * @category Buffers
   */
  i32(content: number | Int32Array): I32Buffer {
    return this.#buffer("i32", content);
  }

  /**
   * A buffer of `length` zeros, or with the elements of an array. Throws `out_of_memory`.
   *
   * @category Buffers
   */
  u8(content: number | Uint8Array): U8Buffer {
    return this.#buffer("u8", content);
  }

  #buffer<K extends Kind>(kind: K, content: unknown): Buffer<K> {
    if (typeof content === "number") {
      const length = check.size("length", content);
      return new Buffer(allocate(this.#module, kind, "length", length));
    }
    const given = checkTensor(kind, "content", content);
    // A copy first, for making a buffer may grow the memory, which empties a view of it.
    const elements = ((given instanceof Buffer ? given.view : given) as Float64Array).slice();
    const buffer = new Buffer(allocate(this.#module, kind, "content", given.length));
    (buffer.view as Float64Array).set(elements);
    return buffer;
  }

  // ---- Encodings that are added to the embedding ---------------------------------------------------------------------

  /**
   * Count: every component of a row is the position itself. → [seqLen, dim], exact up to |position| = 2^24.
   *
   * @category Added encodings
   */
  integerEncoding(options: encodings.EncodingOptions & Into): void;
  integerEncoding(options: encodings.EncodingOptions): Float32Array;
  integerEncoding(options: encodings.EncodingOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.integerEncoding, options);
  }

  /**
   * Digits: component c of a row is bit c of the position, lowest first, in two's complement. → [seqLen, dim], exact.
   *
   * @category Added encodings
   */
  binaryEncoding(options: encodings.EncodingOptions & Into): void;
  binaryEncoding(options: encodings.EncodingOptions): Float32Array;
  binaryEncoding(options: encodings.EncodingOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.binaryEncoding, options);
  }

  /**
   * Smooth digits: component 2i is sin(position · base^(-2i/dim)), component 2i + 1 its cosine (arXiv:1706.03762,
   * section 3.5). → [seqLen, dim], angles in double, rounded once: |error| <= 2^-25 + 2^-52 · (1 + |position|) for a base
   * >= 1.
   *
   * @category Added encodings
   */
  sinusoidalEncoding(options: encodings.SinusoidalOptions & Into): void;
  sinusoidalEncoding(options: encodings.SinusoidalOptions): Float32Array;
  sinusoidalEncoding(options: encodings.SinusoidalOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.sinusoidalEncoding, options);
  }

  // ---- Rotary --------------------------------------------------------------------------------------------------------

  /**
   * The angle by which each pair turns from one position to the next, ropeTheta^(-2i/rotaryDim), in radians (RoFormer,
   * arXiv:2104.09864, section 3.2.2). → [rotaryDim / 2], to 2 ulp of double.
   *
   * @throws `bad_shape`: a rotaryDim that is odd. `bad_value`: a ropeTheta out of range.
   * @category Rotary
   */
  ropeInvFreq(options: rope.RopeInvFreqOptions & Into<F64Tensor>): void;
  ropeInvFreq(options: rope.RopeInvFreqOptions): Float64Array;
  ropeInvFreq(options: rope.RopeInvFreqOptions & Partial<Into<F64Tensor>>): Float64Array | undefined {
    return this.#caller.run(rope.ropeInvFreq, options);
  }

  /**
   * The frequencies, the layout and the factors of a model, from its Hugging Face `config.json`: `rope_parameters`, or
   * `rope_theta` and `rope_scaling`, of the types default, linear, ntk, dynamic, yarn, longrope, llama3 and proportional.
   *
   * Throws `bad_type` and `bad_value` that name the field: one that is missing, unknown, or contradicts another.
   *
   * @category Rotary
   */
  ropeFromConfig(options: scaling.RopeFromConfigOptions): scaling.ModelRope {
    return this.#caller.run(scaling.ropeFromConfig, options);
  }

  /**
   * Cosine and sine of position · invFreq, times attentionFactor, for `applyRope()`. → each [seqLen, rotaryDim / 2], within
   * 1 ulp of float32: the product is taken exactly, not in float32, which is off by up to 4.8e-3 at position 131,071.
   *
   * @throws `bad_value`: an invFreq that is not a number from -1e100 to 1e100.
   * @category Rotary
   */
  buildRopeCache(options: rope.RopeCacheOptions & rope.CacheInto): void;
  buildRopeCache(options: rope.RopeCacheOptions): rope.RopeCache;
  buildRopeCache(options: rope.RopeCacheOptions & Partial<rope.CacheInto>): rope.RopeCache {
    return this.#caller.run(rope.buildRopeCache, options);
  }

  /**
   * The same for multimodal RoPE, whose tokens have a time, a height and a width (Qwen2-VL, arXiv:2409.12191, section 2.1;
   * interleaved in Qwen3-VL). → each [seqLen, rotaryDim / 2]
   *
   * @throws `bad_shape`: sections that are not rotaryDim / 2 pairs together, or cannot take turns. `bad_value`: invFreq.
   * @category Rotary
   */
  buildMropeCache(options: rope.MropeCacheOptions & rope.CacheInto): void;
  buildMropeCache(options: rope.MropeCacheOptions): rope.RopeCache;
  buildMropeCache(options: rope.MropeCacheOptions & Partial<rope.CacheInto>): rope.RopeCache {
    return this.#caller.run(rope.buildMropeCache, options);
  }

  /**
   * The same for patches of an image: half of the pairs turns with the row, half with the column (arXiv:2403.13298, eq. 6).
   * → each [seqLen, rotaryDim / 2]
   *
   * @throws `bad_shape`: a rotaryDim that is not a multiple of 4.
   * @category Rotary
   */
  buildAxialRopeCache(options: rope.AxialRopeCacheOptions & rope.CacheInto): void;
  buildAxialRopeCache(options: rope.AxialRopeCacheOptions): rope.RopeCache;
  buildAxialRopeCache(options: rope.AxialRopeCacheOptions & Partial<rope.CacheInto>): rope.RopeCache {
    return this.#caller.run(rope.buildAxialRopeCache, options);
  }

  /**
   * The same for xPos, which scales queries up and keys down with their position, so that scores decay with distance
   * (arXiv:2212.10554, algorithm 1). → each [seqLen, rotaryDim / 2], within 1 ulp of float32 as long as
   * the scale is in its range.
   *
   * @throws `bad_value`: an invFreq that is not a number from -1e100 to 1e100.
   * @category Rotary
   */
  buildXposCache(options: rope.XposCacheOptions & rope.CacheInto): void;
  buildXposCache(options: rope.XposCacheOptions): rope.RopeCache;
  buildXposCache(options: rope.XposCacheOptions & Partial<rope.CacheInto>): rope.RopeCache {
    return this.#caller.run(rope.buildXposCache, options);
  }

  /**
   * Rotate pairs of components by their angles (RoFormer, arXiv:2104.09864, eq. 34; ONNX RotaryEmbedding-23). Components from
   * rotaryDim on are left as they are. → [batch, seqLen, nHeads, headDim]; |error| <= 2^-23 of a pair's length.
   *
   * @throws `bad_shape`: a rotaryDim that is odd; without positionIds, a row of cos and sin neither for each token nor for
   * each of seqLen. `bad_value`: a positionId that has no row.
   * @category Rotary
   */
  applyRope(options: rope.ApplyRopeOptions & Into): void;
  applyRope(options: rope.ApplyRopeOptions & { x: Float32Array }): Float32Array;
  applyRope(options: rope.ApplyRopeOptions & { x: F32Buffer }): void;
  applyRope(options: rope.ApplyRopeOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(rope.applyRope, options);
  }

  /**
   * Put components into the order of the other layout, as checkpoints need that were trained with it: interleaved
   * (0, 1, 2, 3, …) is half (0, 2, 4, …, 1, 3, 5, …). → [outer, headDim, inner], exact.
   *
   * @throws `bad_shape`: a rotaryDim that is odd.
   * @category Rotary
   */
  convertRopeLayout(options: rope.ConvertRopeLayoutOptions & Into): void;
  convertRopeLayout(options: rope.ConvertRopeLayoutOptions): Float32Array;
  convertRopeLayout(options: rope.ConvertRopeLayoutOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(rope.convertRopeLayout, options);
  }

  // ---- Positions that are added to the scores ------------------------------------------------------------------------

  /**
   * ALiBi's slope of each head (arXiv:2108.12409, section 3): 2^(-8 (h + 1) / nHeads) for a power of two; else those of the
   * next lower power of two, and every other one of the next higher. → [nHeads]
   *
   * @category Added biases
   */
  alibiSlopes(options: bias.AlibiSlopesOptions & Into): void;
  alibiSlopes(options: bias.AlibiSlopesOptions): Float32Array;
  alibiSlopes(options: bias.AlibiSlopesOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(bias.alibiSlopes, options);
  }

  /**
   * ALiBi: -slope · |distance|, for `attention({ bias, biasShape: [nHeads, qLen, kvLen] })` (arXiv:2108.12409, section 3).
   * → [nHeads, qLen, kvLen]
   *
   * @category Added biases
   */
  alibiBias(options: bias.AlibiBiasOptions & Into): void;
  alibiBias(options: bias.AlibiBiasOptions): Float32Array;
  alibiBias(options: bias.AlibiBiasOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(bias.alibiBias, options);
  }

  /**
   * T5's bucket of each query and key: near distances have one each, far ones share (arXiv:1910.10683, section 2.1).
   * → [qLen, kvLen], exact, at the bounds between buckets too.
   *
   * @throws `bad_value`: a numBuckets that is odd where it has two sides, or a maxDistance that leaves no bucket to share.
   * @category Added biases
   */
  t5Buckets(options: bias.T5BucketsOptions & Into<I32Tensor>): void;
  t5Buckets(options: bias.T5BucketsOptions): Int32Array;
  t5Buckets(options: bias.T5BucketsOptions & Partial<Into<I32Tensor>>): Int32Array | undefined {
    return this.#caller.run(bias.t5Buckets, options);
  }

  /**
   * T5's bias: the learned number of each head for the bucket, for `attention({ bias, biasShape: [nHeads, qLen, kvLen] })`.
   * → [nHeads, qLen, kvLen]
   *
   * @throws `bad_value`: a numBuckets that is odd where it has two sides, or a maxDistance that leaves no bucket to share.
   * @category Added biases
   */
  t5Bias(options: bias.T5BiasOptions & Into): void;
  t5Bias(options: bias.T5BiasOptions): Float32Array;
  t5Bias(options: bias.T5BiasOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(bias.t5Bias, options);
  }

  // ---- Attention -----------------------------------------------------------------------------------------------------

  /**
   * Scaled dot-product attention over heads (arXiv:1706.03762, eq. 1) with grouped queries (arXiv:2305.13245), as ONNX
   * Attention-24 defines it: scale, softcap, then bias and masks, softmax.
   *
   * → out [batch, qLen, nHeads, vHeadDim]; when asked for, scores and weights, each [batch, nHeads, qLen, keys]; with a past,
   * presentKey and presentValue. A row that sees no key is zero in out and weights, never NaN; a key that is not seen
   * cannot leak what it holds. On components drawn at random weights are within 2^-19, and out within 2^-19 of the largest
   * |value|.
   *
   * @throws `bad_shape`: an nKvHeads that does not divide nHeads, a mask or a bias that does not broadcast, an empty
   * cache. `bad_value`: a kvLen past the keys; options that do not go together, such as kvLens beside a past.
   * @category Attention
   */
  attention<const Options extends AttentionOptions>(options: Options): AttentionResult<Options> {
    return this.#caller.run(attention, options);
  }

  /**
   * A cache of keys and values in the engine's memory, empty to begin with. Throws `out_of_memory`.
   *
   * @category Attention
   */
  kvCache(options: cache.KvCacheOptions): cache.KvCache {
    check.record(options);
    return new cache.KvCache(this.#caller, this.#room, options);
  }

  /** A buffer of a cache. */
  readonly #room: Allocate = (kind, length) => new Buffer(allocate(this.#module, kind, "capacity", length));

  /**
   * Write rows into a cache that the caller keeps (ONNX TensorScatter-24). → [batch, outer, capacity, inner]
   *
   * @throws `bad_shape`: more rows than capacity. `bad_value`: a writeIndex past which the rows have no room.
   * @category Attention
   */
  writeCache(options: cache.WriteCacheOptions & Into): void;
  writeCache(options: cache.WriteCacheOptions & { cache: Float32Array }): Float32Array;
  writeCache(options: cache.WriteCacheOptions & { cache: F32Buffer }): void;
  writeCache(options: cache.WriteCacheOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(cache.writeCache, options);
  }

  /**
   * What a cache of keys and values takes, under multi-head, grouped-query, multi-query or multi-head latent attention.
   *
   * @category Attention
   */
  cacheBytes(options: cache.CacheBytesOptions): cache.CacheBytes {
    return this.#caller.run(cache.cacheBytes, options);
  }

  /**
   * Root-mean-square normalization of each row: x / sqrt(mean(x²) + epsilon) · weight (arXiv:1910.07467, eq. 4).
   * → [rows, dim], summed in double: |error| <= 2^-22.9 · |out|. A row of zeros stays zero.
   *
   * @category Attention
   */
  rmsNorm(options: normalization.RmsNormOptions & Into): void;
  rmsNorm(options: normalization.RmsNormOptions): Float32Array;
  rmsNorm(options: normalization.RmsNormOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(normalization.rmsNorm, options);
  }

  /**
   * exp(x) over its sum along the middle dimension; zero, never NaN, where every x is -∞. → [outer, size, inner],
   * |error| <= 2^-22 + size · 2^-26 for |x| <= 16.
   *
   * @category Attention
   */
  softmax(options: normalization.SoftmaxOptions & Into): void;
  softmax(options: normalization.SoftmaxOptions): Float32Array;
  softmax(options: normalization.SoftmaxOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(normalization.softmax, options);
  }

  // ---- Latent attention ----------------------------------------------------------------------------------------------

  /**
   * Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): keys and values of all heads are made from one
   * latent, which alone is cached, with one rotary key for all heads beside it. The norms cover the latents alone.
   *
   * → out [batch, qLen, hiddenSize]; when asked for, weights, scores, and all steps. With a cache the new tokens are put
   * behind those that it holds, and attend to all of them. On weights drawn with variance 1 / fan-in both forms are within
   * 2^-18 · (1 + |out|) of the formula.
   *
   * @throws `bad_shape`: a cache for another layer, or without room. `bad_value`: the absorbed form on a KvCache; tensors of
   * a queries' latent without qLoraRank, or qProj beside it.
   * @category Latent attention
   */
  mla<const Options extends MlaOptions>(options: Options): MlaResult<Options> {
    return this.#caller.run(mla, options);
  }

  /**
   * A cache of latents and rotary keys in the engine's memory, empty to begin with. Throws `out_of_memory`.
   *
   * @category Latent attention
   */
  latentCache(options: LatentCacheOptions): LatentCache {
    check.record(options);
    return new LatentCache(this.#caller, this.#room, options);
  }

  /**
   * Count the multiply-adds of `mla()`, and the bytes that it moves, from its shapes alone. Norms, rotation and the softmax
   * are not counted.
   *
   * @throws `bad_value`: heads kept for the absorbed form, or a kvLen below qLen.
   * @category Latent attention
   */
  mlaCost(options: MlaCostOptions): MlaCost {
    return this.#caller.run(mlaCost, options);
  }

  /**
   * Why RoPE cannot be absorbed (arXiv:2405.04434, section 2.1.3): with RoPE on keys expanded from the latent, the matrix
   * between query and latent is R(-distance) W_UK, another for each distance. → the single matrix that is nearest to all of
   * them in least squares, their mean; and how far from each it stays, for queries and latents of independent components.
   *
   * @throws `bad_shape`: more pairs in invFreq than headDim / 2. `bad_value`: an invFreq, a firstDistance or a step that is
   * not a number from -1e100 to 1e100.
   * @category Latent attention
   */
  absorbRotation(options: absorption.AbsorbRotationOptions): absorption.AbsorbedRotation {
    return this.#caller.run(absorption.absorbRotation, options);
  }

  /**
   * How far approximations are from what they approximate, column by column: the root of the sum of squared differences over
   * that of the squares; 0 where both are. → [columns]
   *
   * @category Latent attention
   */
  relativeErrors(options: absorption.RelativeErrorsOptions & Into): void;
  relativeErrors(options: absorption.RelativeErrorsOptions): Float32Array;
  relativeErrors(options: absorption.RelativeErrorsOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(absorption.relativeErrors, options);
  }

  // ---- From tokens to queries and keys, untrained --------------------------------------------------------------------

  /**
   * Draw an embedding for each token: components of mean 0 and variance 1, nearly normal. A row depends on its token and
   * the seed alone. → [seqLen, dim]
   *
   * @category Untrained vectors
   */
  seededEmbedding(options: encodings.SeededEmbeddingOptions & Into): void;
  seededEmbedding(options: encodings.SeededEmbeddingOptions): Float32Array;
  seededEmbedding(options: encodings.SeededEmbeddingOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.seededEmbedding, options);
  }

  /**
   * Draw a projection matrix, uniform in ±sqrt(3 / inDim). → [outDim, inDim]
   *
   * @category Untrained vectors
   */
  seededProjection(options: encodings.SeededProjectionOptions & Into): void;
  seededProjection(options: encodings.SeededProjectionOptions): Float32Array;
  seededProjection(options: encodings.SeededProjectionOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.seededProjection, options);
  }

  /**
   * Add a positional encoding to embeddings. → [seqLen, dim]
   *
   * @category Untrained vectors
   */
  addEncoding(options: encodings.AddEncodingOptions & Into): void;
  addEncoding(options: encodings.AddEncodingOptions & { x: Float32Array }): Float32Array;
  addEncoding(options: encodings.AddEncodingOptions & { x: F32Buffer }): void;
  addEncoding(options: encodings.AddEncodingOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.addEncoding, options);
  }

  /**
   * Project: x · weightᵀ. → [rows, outDim]
   *
   * @category Untrained vectors
   */
  linear(options: encodings.LinearOptions & Into): void;
  linear(options: encodings.LinearOptions): Float32Array;
  linear(options: encodings.LinearOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(encodings.linear, options);
  }

  // ---- Analysis ------------------------------------------------------------------------------------------------------

  /**
   * The Euclidean length of each row. → [rows], summed in double, rounded once, as all analysis here.
   *
   * @category Analysis
   */
  rowNorms(options: analysis.RowNormsOptions & Into): void;
  rowNorms(options: analysis.RowNormsOptions): Float32Array;
  rowNorms(options: analysis.RowNormsOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.rowNorms, options);
  }

  /**
   * The cosine between rows of the same index: how much of a token's own direction is left after something was added to
   * it. 0 where a row has no length. → [rows]
   *
   * @category Analysis
   */
  rowCosines(options: analysis.RowCosinesOptions & Into): void;
  rowCosines(options: analysis.RowCosinesOptions): Float32Array;
  rowCosines(options: analysis.RowCosinesOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.rowCosines, options);
  }

  /**
   * The Euclidean distance from each row to the next. → [rows - 1]
   *
   * @throws `bad_value`: fewer than 2 rows.
   * @category Analysis
   */
  neighbourDistances(options: analysis.NeighbourDistancesOptions & Into): void;
  neighbourDistances(options: analysis.NeighbourDistancesOptions): Float32Array;
  neighbourDistances(options: analysis.NeighbourDistancesOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.neighbourDistances, options);
  }

  /**
   * Every row against every row: dot products, or cosines. → [rows, rows]
   *
   * @category Analysis
   */
  similarity(options: analysis.SimilarityOptions & Into): void;
  similarity(options: analysis.SimilarityOptions): Float32Array;
  similarity(options: analysis.SimilarityOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.similarity, options);
  }

  /**
   * The largest |a - b| over all elements of two tensors of one length; NaN if either holds one.
   *
   * @category Analysis
   */
  maxAbsDifference(options: analysis.MaxAbsDifferenceOptions): number {
    return this.#caller.run(analysis.maxAbsDifference, options);
  }

  /**
   * The rope: each pair's angle at evenly spaced positions, in radians, wrapped to [-π, π]. → [count, rotaryDim / 2],
   * within 2^-23 + 2^-51 · |position| · invFreq of a whole number of turns.
   *
   * @category Analysis
   */
  ropeAngles(options: analysis.RopeAnglesOptions & Into): void;
  ropeAngles(options: analysis.RopeAnglesOptions): Float32Array;
  ropeAngles(options: analysis.RopeAnglesOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.ropeAngles, options);
  }

  /**
   * How each pair turns within a context: its wavelength in tokens, and the turns that it completes. → each
   * [rotaryDim / 2], to 2 ulp of double.
   *
   * @category Analysis
   */
  ropePeriods(options: analysis.RopePeriodsOptions): analysis.RopePeriods {
    return this.#caller.run(analysis.ropePeriods, options);
  }

  /**
   * Each pair of a head's components as an arrow: length, and angle in radians in [-π, π]. → each [headDim / 2]
   *
   * @throws `bad_shape`: a headDim that is odd.
   * @category Analysis
   */
  pairPolar(options: analysis.PairPolarOptions): analysis.PairPolar {
    return this.#caller.run(analysis.pairPolar, options);
  }

  /**
   * What each pair gives to the score softmaxScale · query · key; the parts add up to it. → [headDim / 2]
   *
   * @throws `bad_shape`: a headDim that is odd.
   * @category Analysis
   */
  pairScores(options: analysis.PairScoresOptions & Into): void;
  pairScores(options: analysis.PairScoresOptions): Float32Array;
  pairScores(options: analysis.PairScoresOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.pairScores, options);
  }

  /**
   * The score of a query and a key at a distance as the sum of its pairs, and with some of them left out. The parts and
   * the rest add up to the score within 1e-6 of the sum of their sizes.
   *
   * @throws `bad_shape`: more pairs in invFreq than headDim / 2. `bad_value`: an invFreq or a distance that is not a
   * number from -1e100 to 1e100.
   * @category Analysis
   */
  ropeScore(options: analysis.RopeScoreOptions): analysis.RopeScore {
    return this.#caller.run(analysis.ropeScore, options);
  }

  /**
   * The same score at evenly spaced distances. → [count]
   *
   * @throws `bad_shape`: more pairs in invFreq than headDim / 2. `bad_value`: an invFreq, a firstDistance or a step that
   * is not a number from -1e100 to 1e100.
   * @category Analysis
   */
  ropeScoreByDistance(options: analysis.RopeScoreByDistanceOptions & Into): void;
  ropeScoreByDistance(options: analysis.RopeScoreByDistanceOptions): Float32Array;
  ropeScoreByDistance(
    options: analysis.RopeScoreByDistanceOptions & Partial<Into>,
  ): Float32Array | undefined {
    return this.#caller.run(analysis.ropeScoreByDistance, options);
  }

  /**
   * The mean of such a score over queries and keys drawn at random, nearly normal, and its standard deviation. For keys that
   * have nothing to do with their queries the mean is 0 at every distance. → each [count]
   *
   * @category Analysis
   */
  ropeRandomScores(options: analysis.RopeRandomScoresOptions): analysis.RopeRandomScores {
    return this.#caller.run(analysis.ropeRandomScores, options);
  }

  /**
   * RoFormer's relative upper bound of a score at a distance (arXiv:2104.09864, section 3.4.3): a bound, under which a score
   * may well grow with distance. → [count]
   *
   * @category Analysis
   */
  ropeDecayBound(options: analysis.RopeDecayBoundOptions & Into): void;
  ropeDecayBound(options: analysis.RopeDecayBoundOptions): Float32Array;
  ropeDecayBound(options: analysis.RopeDecayBoundOptions & Partial<Into>): Float32Array | undefined {
    return this.#caller.run(analysis.ropeDecayBound, options);
  }
}
