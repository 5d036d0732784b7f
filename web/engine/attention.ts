/** Scaled dot-product attention: checks of its many options, and the call. */
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { batchOf, formatOf, type HeadsOptions, headsInput, headsOutput, innerOf, outerOf } from "./heads.js";
import { KvCache } from "./kv_cache.js";
import type { Asked, Flat, Unless } from "./results.js";
import {
  type Caller,
  type F32Tensor,
  type I32Tensor,
  notGiven,
  type OptionalSlot,
  type Slot,
  type U8Tensor,
} from "./tensors.js";

/**
 * What `scores` holds: softmaxScale · query · key (`raw`); that after the softcap (`softcapped`); or that with the bias
 * added, and -∞ for every key that is not seen (`masked`).
 */
export type ScoreStage = keyof wasm.MainModule["ScoreStage"];

/** Keys and values of one call: new ones, behind those of the past if there are any; or a cache. */
export type AttendedOptions =
  | {
      /** [batch, kvLen, nKvHeads, headDim], in `format`. */
      key: F32Tensor;
      /** [batch, kvLen, nKvHeads, vHeadDim], in `format`. */
      value: F32Tensor;
      /** qLen if not given. */
      kvLen?: number;
      /** nHeads if not given; divides it. Head h reads key and value head floor(h / (nHeads / nKvHeads)). */
      nKvHeads?: number;
      /** Components of a query and of a key. */
      headDim: number;
      /** headDim if not given. */
      vHeadDim?: number;
      /** [batch, pastLen, nKvHeads, headDim], in `format`: keys that come before `key`. */
      pastKey?: F32Tensor;
      /** [batch, pastLen, nKvHeads, vHeadDim], in `format`: values that come before `value`. */
      pastValue?: F32Tensor;
      /** Given with pastKey and pastValue alone. */
      pastLen?: number;
      /** For the keys of past and present together, [batch, pastLen + kvLen, nKvHeads, headDim]. */
      presentKey?: F32Tensor;
      /** For the values of past and present together, [batch, pastLen + kvLen, nKvHeads, vHeadDim]. */
      presentValue?: F32Tensor;
    }
  | {
      /** From `kvCache()`: holds keys and values, and says their format, batch and extents. */
      cache: KvCache;
    };

/** What {@link Ropewalk.attention} takes. */
export type AttentionOptions = HeadsOptions &
  AttendedOptions & {
    /** [batch, qLen, nHeads, headDim], in `format`. */
    query: F32Tensor;
    /** Queries of each sequence. */
    qLen: number;
    /** Query heads. */
    nHeads: number;
    /** Keys that each sequence has, [batch], from 0 to kvLen; the queries are then the last ones of their sequence. */
    kvLens?: I32Tensor;
    /**
     * Query i stands at p = i + queryOffset among the keys. If not given: pastLen, or the cache's length less qLen, or
     * kvLens[b] - qLen; or else 0, as queries and keys begin together.
     */
    queryOffset?: number;
    /** Whether a query sees only the keys j <= p. False if not given. */
    causal?: boolean;
    /** Whether a query sees only the keys j >= p - leftWindowSize; -1, and not given, is no limit. */
    leftWindowSize?: number;
    /** Whether a query sees only the keys j <= p + rightWindowSize; -1, and not given, is no limit. */
    rightWindowSize?: number;
    /** Multiplies query · key. 1 / sqrt(headDim) if not given. */
    softmaxScale?: number;
    /** Scores become softcap · tanh(score / softcap); 0, and not given, leaves them as they are. */
    softcap?: number;
    /** Which keys are seen, all but 0; of maskShape. */
    mask?: U8Tensor;
    /**
     * Extents of the mask, which stand for the last ones of [batch, nHeads, qLen, keys]; 1 where it is the same for all.
     * The last one may be less than the keys: those past its end are not seen. [qLen, keys] if not given.
     */
    maskShape?: readonly number[];
    /** Added to the scores after the softcap: ALiBi, T5's bias, or an additive mask. Of biasShape. */
    bias?: F32Tensor;
    /** Extents of the bias, as those of the mask. */
    biasShape?: readonly number[];
    /** Which scores `scores` are. `masked` if not given. */
    scoreStage?: ScoreStage;
    /** Whether the scores are wanted too, [batch, nHeads, qLen, keys], or the array or buffer for them. */
    scores?: boolean | F32Tensor;
    /** Whether the weights are wanted too, [batch, nHeads, qLen, keys], or the array or buffer for them. */
    weights?: boolean | F32Tensor;
    /** The array or the buffer for the result. */
    out?: F32Tensor;
  };

/** All that attention can give back. */
export interface AttentionOutputs {
  /** [batch, qLen, nHeads, vHeadDim], in `format`. */
  out: Float32Array;
  /** [batch, nHeads, qLen, keys], the rows of the softmax. */
  weights: Float32Array;
  /** [batch, nHeads, qLen, keys], at `scoreStage`. */
  scores: Float32Array;
  /** [batch, pastLen + kvLen, nKvHeads, headDim], in `format`. */
  presentKey: Float32Array;
  /** [batch, pastLen + kvLen, nKvHeads, vHeadDim], in `format`. */
  presentValue: Float32Array;
}

type Present<Options> = Options extends {
  /** There is a past, and so a present. */
  pastKey: F32Tensor;
}
  ? Unless<AttentionOutputs, Options, "presentKey"> & Unless<AttentionOutputs, Options, "presentValue">
  : unknown;

/** What such options give back: `out` and whatever was asked for, less what went into a tensor of the caller's. */
export type AttentionResult<Options> = Flat<
  Unless<AttentionOutputs, Options, "out"> &
    Asked<AttentionOutputs, Options, "weights"> &
    Asked<AttentionOutputs, Options, "scores"> &
    Present<Options>
>;

type Given = { [Name in string]?: unknown };

const notBesideCache = [
  ...["format", "batch", "key", "value", "kvLen", "nKvHeads", "headDim", "vHeadDim", "kvLens"],
  ...["pastLen", "pastKey", "pastValue", "presentKey", "presentValue"],
];
const scoreStages = ["raw", "softcapped", "masked"] as const satisfies readonly ScoreStage[];

/** The cache that is attended to, if one is given. */
function cacheOf(caller: Caller, given: Given): KvCache | undefined {
  const { cache } = given;
  if (cache === undefined) return undefined;
  if (!(cache instanceof KvCache)) {
    throw new RopewalkError("bad_type", "cache", cache, "a KvCache, from kvCache()");
  }
  for (const name of notBesideCache) check.absent(name, given[name], "nothing beside a cache");
  cache.checkOwner(caller);
  if (cache.length === 0) throw new RopewalkError("bad_shape", "cache", cache, "one that holds a token");
  return cache;
}

/** Whether keys and values come behind those of a past. */
function hasPast({ pastLen, pastKey, pastValue, presentKey, presentValue, kvLens }: Given): boolean {
  const isPast =
    pastLen !== undefined ||
    pastKey !== undefined ||
    pastValue !== undefined ||
    presentKey !== undefined ||
    presentValue !== undefined;
  if (isPast) check.absent("kvLens", kvLens, "nothing beside a past");
  return isPast;
}

/** NaN if not given: the bindings know the scale then. To compute it here would make an object of it at every call. */
export const softmaxScaleOf = ({ softmaxScale }: { softmaxScale?: unknown }): number =>
  softmaxScale === undefined ? Number.NaN : check.finiteF32("softmaxScale", softmaxScale);

const windowSize = (name: string, given: unknown) =>
  check.integer(name, check.or(given, -1), -1, 2 ** 31 - 1);

/** An extent of a mask or a bias: 1 where the shape leaves it out, and `whole` if there is no shape. */
function extent(shape: readonly number[] | undefined, axis: number, whole: number): number {
  if (shape === undefined) return whole;
  const i = axis + shape.length - 4;
  return i < 0 ? 1 : (shape[i] as number);
}

function isBroadcast(shape: readonly number[], axis: number, whole: number): boolean {
  const given = extent(shape, axis, whole);
  return given === 1 || given === whole;
}

/** The shape that a mask or a bias was given with, if it was. */
function shapeOf(
  name: "mask" | "bias",
  given: Given,
  batch: number,
  nHeads: number,
  qLen: number,
  kvLen: number,
): readonly number[] | undefined {
  const shapeName = name === "mask" ? "maskShape" : "biasShape";
  const shape = given[shapeName];
  if (shape === undefined) return undefined;
  if (given[name] === undefined) check.absent(shapeName, shape, `nothing without ${name}`);
  const isArray = Array.isArray(shape);
  if (isArray && shape.length >= 1 && shape.length <= 4) {
    const keys = extent(shape, 3, kvLen);
    const areKeys = Number.isInteger(keys) && keys >= 1 && keys <= kvLen;
    if (
      areKeys &&
      isBroadcast(shape, 0, batch) &&
      isBroadcast(shape, 1, nHeads) &&
      isBroadcast(shape, 2, qLen)
    )
      return shape;
  }
  const whole = [batch, nHeads, qLen, kvLen].join(", ");
  const allowed = `1 to 4 extents, the last of [${whole}] or 1 each, and at most ${kvLen} keys`;
  throw new RopewalkError(isArray ? "bad_shape" : "bad_type", shapeName, shape, allowed);
}

/** A mask or a bias of such a shape. */
function broadcast<K extends "f32" | "u8">(
  caller: Caller,
  kind: K,
  name: string,
  given: unknown,
  shape: readonly number[] | undefined,
  qLen: number,
  kvLen: number,
): OptionalSlot<K> {
  if (given === undefined) return notGiven;
  const batch = extent(shape, 0, 1);
  const nHeads = extent(shape, 1, 1);
  const q = extent(shape, 2, qLen);
  const kv = extent(shape, 3, kvLen);
  return caller.input(kind, name, given, check.elements(name, batch, nHeads, q, kv));
}

/** Keys or values: those of a past, those behind them, and the tensor that both are joined in. */
function join(
  module: wasm.MainModule,
  past: OptionalSlot<"f32">,
  added: OptionalSlot<"f32">,
  pastLens: Slot<"i32">,
  joined: OptionalSlot<"f32">,
  batch: number,
  outer: number,
  pastLen: number,
  kvLen: number,
  inner: number,
) {
  const len = kvLen - pastLen;
  // All are given: a past is never beside a cache.
  const [first, second] = [past.handle as wasm.F32Buffer, added.handle as wasm.F32Buffer];
  const handle = joined.handle as wasm.F32Buffer;
  return (
    module.write_cache(first, null, batch, outer, pastLen, kvLen, inner, false, handle) ??
    module.write_cache(second, pastLens.handle, batch, outer, len, kvLen, inner, false, handle)
  );
}

export function attention<Options extends AttentionOptions>(caller: Caller, options: Options) {
  const given = options as unknown as Given;
  const qLen = check.size("qLen", given.qLen);
  const nHeads = check.size("nHeads", given.nHeads);
  const cache = cacheOf(caller, given);
  const isBehindPast = cache === undefined && hasPast(given);

  const format = cache?.format ?? formatOf(options);
  const batch = cache?.batch ?? batchOf(options);
  const len = cache?.length ?? check.size("kvLen", check.or(given.kvLen, qLen));
  const nKvHeads = cache?.nKvHeads ?? check.size("nKvHeads", check.or(given.nKvHeads, nHeads));
  const headDim = cache?.headDim ?? check.size("headDim", given.headDim);
  const vHeadDim = cache?.vHeadDim ?? check.size("vHeadDim", check.or(given.vHeadDim, headDim));
  const pastLen = isBehindPast ? check.size("pastLen", given.pastLen) : 0;
  const kvLen = check.size("pastLen + kvLen", pastLen + len);
  check.divides("nKvHeads", nKvHeads, "nHeads", nHeads);

  if (given.kvLens !== undefined) check.absent("queryOffset", given.queryOffset, "nothing beside kvLens");
  const firstQuery = cache === undefined ? pastLen : kvLen - qLen;
  const queryOffset = check.int32("queryOffset", check.or(given.queryOffset, firstQuery));
  const causal = check.boolean("causal", check.or(given.causal, false));
  const leftWindowSize = windowSize("leftWindowSize", given.leftWindowSize);
  const rightWindowSize = windowSize("rightWindowSize", given.rightWindowSize);
  const softmaxScale = softmaxScaleOf(given);
  const softcap = check.notNegativeF32("softcap", check.or(given.softcap, 0));
  const stage = check.oneOf("scoreStage", check.or(given.scoreStage, "masked"), scoreStages);

  const query = headsInput(caller, "query", given.query, batch, qLen, nHeads, headDim);
  const halves = cache?.isHalf ? cache : undefined;
  const keyHalves = halves?.halves(caller, 0) ?? notGiven;
  const valueHalves = halves?.halves(caller, 1) ?? notGiven;
  const key = halves
    ? notGiven
    : (cache?.floats(caller, 0) ?? headsInput(caller, "key", given.key, batch, len, nKvHeads, headDim));
  const value = halves
    ? notGiven
    : (cache?.floats(caller, 1) ?? headsInput(caller, "value", given.value, batch, len, nKvHeads, vHeadDim));
  const pastKey = isBehindPast
    ? headsInput(caller, "pastKey", given.pastKey, batch, pastLen, nKvHeads, headDim)
    : key;
  const pastValue = isBehindPast
    ? headsInput(caller, "pastValue", given.pastValue, batch, pastLen, nKvHeads, vHeadDim)
    : value;
  const allKeys = isBehindPast
    ? headsOutput(caller, "presentKey", given.presentKey, batch, kvLen, nKvHeads, headDim)
    : key;
  const allValues = isBehindPast
    ? headsOutput(caller, "presentValue", given.presentValue, batch, kvLen, nKvHeads, vHeadDim)
    : value;
  const pastLens = isBehindPast ? caller.counted("pastLens", batch, pastLen, 0) : undefined;
  const kvLens = caller.optional("i32", "kvLens", given.kvLens, batch);
  const maskShape = shapeOf("mask", given, batch, nHeads, qLen, kvLen);
  const mask = broadcast(caller, "u8", "mask", given.mask, maskShape, qLen, kvLen);
  const biasShape = shapeOf("bias", given, batch, nHeads, qLen, kvLen);
  const bias = broadcast(caller, "f32", "bias", given.bias, biasShape, qLen, kvLen);

  const out = headsOutput(caller, "out", given.out, batch, qLen, nHeads, vHeadDim);
  const weights = caller.requested("weights", given.weights, batch, nHeads, qLen, kvLen);
  const scores = caller.requested("scores", given.scores, batch, nHeads, qLen, kvLen);
  const room = caller.module.attention_scratch_size(
    qLen,
    kvLen,
    nHeads,
    nKvHeads,
    headDim,
    vHeadDim,
    weights.isGiven,
    cache !== undefined,
  );
  const scratch = caller.scratch("f32", "scratch", check.elements("scratch", room, 1));

  const module = caller.enter();
  if (pastLens !== undefined) {
    const outer = outerOf(format, nKvHeads);
    const inner = innerOf(format, nKvHeads, headDim);
    const vInner = innerOf(format, nKvHeads, vHeadDim);
    caller.check(join(module, pastKey, key, pastLens, allKeys, batch, outer, pastLen, kvLen, inner));
    caller.check(join(module, pastValue, value, pastLens, allValues, batch, outer, pastLen, kvLen, vInner));
  }
  caller.check(
    module.attention(
      query.handle,
      allKeys.handle,
      allValues.handle,
      keyHalves.handle,
      valueHalves.handle,
      kvLens.handle,
      mask.handle,
      bias.handle,
      module.HeadsFormat[format],
      batch,
      qLen,
      nHeads,
      kvLen,
      cache?.capacity ?? 0,
      nKvHeads,
      headDim,
      vHeadDim,
      queryOffset,
      causal,
      leftWindowSize,
      rightWindowSize,
      softmaxScale,
      softcap,
      module.ScoreStage[stage],
      extent(maskShape, 0, 1),
      extent(maskShape, 1, 1),
      extent(maskShape, 2, qLen),
      extent(maskShape, 3, kvLen),
      extent(biasShape, 0, 1),
      extent(biasShape, 1, 1),
      extent(biasShape, 2, qLen),
      extent(biasShape, 3, kvLen),
      out.handle,
      weights.handle,
      scores.handle,
      scratch.handle,
    ),
  );
  return caller.results<AttentionResult<Options>>();
}
