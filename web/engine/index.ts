/**
 * Positional encodings and attention, from integer positions to rotary and latent attention, by C++ kernels in
 * WebAssembly.
 *
 * Begin with {@link loadRopewalk}. What it gives, a {@link Ropewalk}, has all functions, each with its formula or its
 * paper, and its shapes. Whatever is wrong with a call is a {@link RopewalkError}.
 *
 * @module ropewalk
 */
import { type LoadOptions, load } from "./load.js";
import type { Ropewalk } from "./ropewalk.js";

export type { AbsorbedRotation, AbsorbRotationOptions, RelativeErrorsOptions } from "./absorption.js";
export type {
  DistancesOptions,
  MaxAbsDifferenceOptions,
  NeighbourDistancesOptions,
  PairPolar,
  PairPolarOptions,
  PairScoresOptions,
  RopeAnglesOptions,
  RopeDecayBoundOptions,
  RopePeriods,
  RopePeriodsOptions,
  RopeRandomScores,
  RopeRandomScoresOptions,
  RopeScore,
  RopeScoreByDistanceOptions,
  RopeScoreOptions,
  RopeScorePairOptions,
  RowCosinesOptions,
  RowNormsOptions,
  SimilarityOptions,
} from "./analysis.js";
export type {
  AttendedOptions,
  AttentionOptions,
  AttentionOutputs,
  AttentionResult,
  ScoreStage,
} from "./attention.js";
export type { ArrayOf, Buffer, F32Buffer, F64Buffer, I32Buffer, Kind, U8Buffer } from "./buffers.js";
export type { Cache, CacheDtype } from "./cache.js";
export type {
  AddEncodingOptions,
  EncodingOptions,
  LinearOptions,
  Positions,
  SeededEmbeddingOptions,
  SeededProjectionOptions,
  SinusoidalOptions,
} from "./encodings.js";
export { RopewalkError, type RopewalkErrorCode } from "./errors.js";
export type { HeadsFormat, HeadsOptions } from "./heads.js";
export type {
  AppendOptions,
  CacheBytes,
  CacheBytesOptions,
  KvCache,
  KvCacheContent,
  KvCacheOptions,
  WriteCacheOptions,
} from "./kv_cache.js";
export type { AppendLatentsOptions, LatentCache, LatentCacheOptions } from "./latent_cache.js";
export type { LoadOptions, Simd } from "./load.js";
export type {
  MlaCost,
  MlaCostOptions,
  MlaForm,
  MlaOptions,
  MlaOutputs,
  MlaResult,
  MlaShape,
  MlaSteps,
  MlaWork,
} from "./mla.js";
export type { RmsNormOptions, SoftmaxOptions } from "./normalization.js";
export type {
  AlibiBiasOptions,
  AlibiSlopesOptions,
  BiasOptions,
  T5BiasOptions,
  T5BucketsOptions,
} from "./position_bias.js";
export type {
  ApplyRopeOptions,
  AxialRopeCacheOptions,
  CacheInto,
  ConvertRopeLayoutOptions,
  MropeCacheOptions,
  RopeCache,
  RopeCacheOptions,
  RopeInvFreqOptions,
  RopeLayout,
  XposCacheOptions,
} from "./rope.js";
export type { RopeType } from "./rope_config.js";
export type { ModelRope, RopeFromConfigOptions } from "./rope_scaling.js";
export type { Ropewalk } from "./ropewalk.js";
export type { F32Tensor, F64Tensor, I32Tensor, Into, Tensor, U8Tensor } from "./tensors.js";

/**
 * Load the engine. Each call makes one of its own, with its own memory. Throws `load_failed`, and `bad_value` for a `simd`
 * or `threads` that cannot be had here.
 *
 * @category The engine
 */
export function loadRopewalk(options: LoadOptions = {}): Promise<Ropewalk> {
  return load(options);
}
