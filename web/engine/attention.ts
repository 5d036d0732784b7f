/** Scaled dot-product attention: checks of its many options, and the call. */
import type { F32Buffer } from "./buffers.js";
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { asRows, crossing, type Heads, type HeadsOptions, headElements, headsOptions } from "./heads.js";
import { KvCache } from "./kv_cache.js";
import type { Asked, Flat, Unless } from "./results.js";
import {
  type Caller,
  counted,
  type F32Tensor,
  type I32Tensor,
  input,
  optional,
  output,
  requested,
  type Slot,
  scratch,
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
      presentKey?: F32Buffer;
      /** For the values of past and present together, [batch, pastLen + kvLen, nKvHeads, vHeadDim]. */
      presentValue?: F32Buffer;
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
    /** Whether the scores are wanted too, [batch, nHeads, qLen, keys], or the buffer for them. */
    scores?: boolean | F32Buffer;
    /** Whether the weights are wanted too, [batch, nHeads, qLen, keys], or the buffer for them. */
    weights?: boolean | F32Buffer;
    /** The buffer for the result. */
    out?: F32Buffer;
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

/** What such options give back: `out` and whatever was asked for, less what went into a buffer. */
export type AttentionResult<Options> = Flat<
  Unless<AttentionOutputs, Options, "out"> &
    Asked<AttentionOutputs, Options, "weights"> &
    Asked<AttentionOutputs, Options, "scores"> &
    Present<Options>
>;

type Given = { [Name in string]?: unknown };

/** What is attended to: its slots, under which names the kernel finds keys and values in them, and their extents. */
interface Attended {
  slots: Record<string, Slot<"f32">>;
  key: string;
  value: string;
  keys: Heads;
  /** Components of a value. */
  vHeadDim: number;
  /** Where the first query stands if nobody says. */
  queryOffset: number;
}

const sizesOfNew = ["format", "batch", "key", "value", "kvLen", "nKvHeads", "headDim", "vHeadDim"];
const ofPast = ["pastLen", "pastKey", "pastValue", "presentKey", "presentValue"];

function fromCache(caller: Caller, given: Given, cache: unknown, qLen: number): Attended {
  if (!(cache instanceof KvCache)) {
    throw new RopewalkError("bad_type", "cache", cache, "a KvCache, from kvCache()");
  }
  for (const name of [...sizesOfNew, ...ofPast, "kvLens"]) {
    check.absent(name, given[name], "nothing beside a cache");
  }
  const { key, value, keys, vHeadDim } = cache.tensors(caller);
  if (cache.length === 0) throw new RopewalkError("bad_shape", "cache", cache, "one that holds a token");
  return {
    slots: { cacheKey: input("f32", "cache", key), cacheValue: input("f32", "cache", value) },
    key: "cacheKey",
    value: "cacheValue",
    keys,
    vHeadDim,
    queryOffset: cache.length - qLen,
  };
}

function fromTensors(given: Given, options: HeadsOptions, qLen: number, nHeads: number): Attended {
  const shared = headsOptions(options);
  const kvLen = check.size("kvLen", check.or(given.kvLen, qLen));
  const nKvHeads = check.size("nKvHeads", check.or(given.nKvHeads, nHeads));
  const headDim = check.size("headDim", given.headDim);
  const vHeadDim = check.size("vHeadDim", check.or(given.vHeadDim, headDim));
  const extents = (len: number, dim: number) => ({ ...shared, len, nHeads: nKvHeads, headDim: dim });
  const read = (name: string, len: number, dim: number) =>
    input("f32", name, given[name], headElements(name, extents(len, dim)));
  const written = (name: string, len: number, dim: number) =>
    output("f32", name, given[name], headElements(name, extents(len, dim)));

  const slots = { key: read("key", kvLen, headDim), value: read("value", kvLen, vHeadDim) };
  if (ofPast.every((name) => given[name] === undefined)) {
    const keys = extents(kvLen, headDim);
    return { slots, key: "key", value: "value", keys, vHeadDim, queryOffset: 0 };
  }
  check.absent("kvLens", given.kvLens, "nothing beside a past");
  const pastLen = check.size("pastLen", given.pastLen);
  const length = check.size("pastLen + kvLen", pastLen + kvLen);
  return {
    slots: {
      ...slots,
      pastKey: read("pastKey", pastLen, headDim),
      pastValue: read("pastValue", pastLen, vHeadDim),
      presentKey: written("presentKey", length, headDim),
      presentValue: written("presentValue", length, vHeadDim),
    },
    key: "presentKey",
    value: "presentValue",
    keys: extents(length, headDim),
    vHeadDim,
    queryOffset: pastLen,
  };
}

/** A mask or a bias, and its extents as four. */
function broadcast<K extends "f32" | "u8">(
  kind: K,
  name: "mask" | "bias",
  given: Given,
  whole: readonly [number, number, number, number],
) {
  const tensor = given[name];
  const shapeName = `${name}Shape`;
  const extents = { batch: 1, heads: 1, q: 1, kv: 1 };
  if (tensor === undefined) {
    check.absent(shapeName, given[shapeName], `nothing without ${name}`);
    return { slot: undefined, extents };
  }
  const [, , q, kv] = whole;
  const shape = given[shapeName] === undefined ? [q, kv] : given[shapeName];
  const allowed = `1 to 4 extents, the last of [${whole.join(", ")}] or 1 each, and at most ${kv} keys`;
  if (!Array.isArray(shape)) throw new RopewalkError("bad_type", shapeName, shape, allowed);
  const padded = [...new Array(Math.max(0, 4 - shape.length)).fill(1), ...shape];
  const fits = padded.map((extent, i) =>
    i === 3
      ? Number.isInteger(extent) && extent >= 1 && extent <= kv
      : extent === 1 || extent === whole[i as 0 | 1 | 2],
  );
  if (shape.length === 0 || shape.length > 4 || fits.includes(false)) {
    throw new RopewalkError("bad_shape", shapeName, shape, allowed);
  }
  [extents.batch, extents.heads, extents.q, extents.kv] = padded as [number, number, number, number];
  return { slot: input(kind, name, tensor, check.elements(name, ...padded)), extents };
}

export function attention<Options extends AttentionOptions>(caller: Caller, options: Options) {
  check.record(options);
  const given = options as unknown as Given;
  const qLen = check.size("qLen", given.qLen);
  const nHeads = check.size("nHeads", given.nHeads);
  const attended =
    given.cache === undefined
      ? fromTensors(given, options, qLen, nHeads)
      : fromCache(caller, given, given.cache, qLen);
  const { keys, vHeadDim } = attended;
  const { batch, headDim, nHeads: nKvHeads, len: kvLen } = keys;
  check.divides("nKvHeads", nKvHeads, "nHeads", nHeads);
  const queries: Heads = { format: keys.format, batch, len: qLen, nHeads, headDim };
  const outs = { ...queries, headDim: vHeadDim };
  const rows = [batch, nHeads, qLen, kvLen] as const;

  if (given.kvLens !== undefined) {
    check.absent("queryOffset", given.queryOffset, "nothing beside kvLens");
  }
  const windowSize = (name: string) => check.integer(name, check.or(given[name], -1), -1, 2 ** 31 - 1);
  const queryOffset = check.int32("queryOffset", check.or(given.queryOffset, attended.queryOffset));
  const causal = check.boolean("causal", check.or(given.causal, false));
  const leftWindowSize = windowSize("leftWindowSize");
  const rightWindowSize = windowSize("rightWindowSize");
  const softmaxScale = check.finiteF32("softmaxScale", check.or(given.softmaxScale, 1 / Math.sqrt(headDim)));
  const softcap = check.notNegativeF32("softcap", check.or(given.softcap, 0));
  const stage = check.oneOf("scoreStage", check.or(given.scoreStage, "masked"), [
    "raw",
    "softcapped",
    "masked",
  ]);

  const mask = broadcast("u8", "mask", given, rows);
  const bias = broadcast("f32", "bias", given, rows);
  const weights = requested("f32", "weights", given.weights, () => check.elements("weights", ...rows));
  const room = caller.ask((module) => module.attention_scratch_size(kvLen));
  const slots = {
    query: input("f32", "query", given.query, headElements("query", queries)),
    ...attended.slots,
    kvLens: optional("i32", "kvLens", given.kvLens, batch),
    mask: mask.slot,
    bias: bias.slot,
    out: output("f32", "out", given.out, headElements("out", outs)),
    weights,
    scores: requested("f32", "scores", given.scores, () => check.elements("scores", ...rows)),
    scratch: weights === undefined ? scratch("f32", check.elements("kvLen", room)) : undefined,
    pastLens: attended.key === "presentKey" ? counted("i32", batch, attended.queryOffset, 0) : undefined,
  };

  const heads = crossing(caller, queries);
  const keyHeads = crossing(caller, keys);
  return caller.call(slots, (module, b) => {
    const handles = b as unknown as Record<string, wasm.F32Buffer>;
    const present = (name: "Key" | "Value", dim: number) => {
      const to = handles[`present${name}`] as wasm.F32Buffer;
      const { outer, inner } = asRows({ ...keys, headDim: dim });
      const pastLen = attended.queryOffset;
      const write = (from: wasm.F32Buffer, at: wasm.I32Buffer | null, len: number) =>
        module.write_cache(from, at, batch, outer, len, kvLen, inner, false, to);
      return (
        write(handles[`past${name}`] as wasm.F32Buffer, null, pastLen) ??
        write(handles[name.toLowerCase()] as wasm.F32Buffer, b.pastLens, kvLen - pastLen)
      );
    };
    const past = b.pastLens === null ? undefined : (present("Key", headDim) ?? present("Value", vHeadDim));
    return (
      past ??
      module.attention(
        b.query,
        handles[attended.key] as wasm.F32Buffer,
        handles[attended.value] as wasm.F32Buffer,
        b.kvLens,
        b.mask,
        b.bias,
        heads,
        keyHeads,
        vHeadDim,
        {
          query_offset: queryOffset,
          causal,
          left_window_size: leftWindowSize,
          right_window_size: rightWindowSize,
          softmax_scale: softmaxScale,
          softcap,
          score_stage: module.ScoreStage[stage],
        },
        mask.extents,
        bias.extents,
        b.out,
        b.weights,
        b.scores,
        b.scratch,
      )
    );
  }) as unknown as AttentionResult<Options>;
}
