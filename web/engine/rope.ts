/** Rotary position embedding: frequencies, cosines and sines, and the rotation. */
import type { F32Buffer, F64Buffer } from "./buffers.js";
import * as check from "./checks.js";
import { type Positions, positions } from "./encodings.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { crossing, type HeadsOptions, headElements, headsOptions } from "./heads.js";
import {
  type Caller,
  changed,
  type F32Tensor,
  type F64Tensor,
  type I32Tensor,
  type Into,
  input,
  optional,
  output,
  scratch,
} from "./tensors.js";

/**
 * Which components of a head make a pair: `interleaved` (2i, 2i + 1) in RoFormer, GPT-J and Llama as Meta published it;
 * `half` (i, i + rotaryDim / 2) in GPT-NeoX and in Hugging Face transformers.
 */
export type RopeLayout = keyof wasm.MainModule["RopeLayout"];

export const layouts = ["interleaved", "half"] as const satisfies readonly RopeLayout[];

/** What {@link Ropewalk.ropeInvFreq} takes. */
export interface RopeInvFreqOptions {
  /** Components that are rotated; even. */
  rotaryDim: number;
  /** 10000 if not given, as in the paper; from 1e-100 to 1e100. */
  ropeTheta?: number;
}

/** Buffers for cosines and sines. */
export interface CacheBuffers {
  /** [rows, rotaryDim / 2] */
  cos: F32Buffer;
  /** [rows, rotaryDim / 2] */
  sin: F32Buffer;
}

/** Cosines and sines, each [rows, rotaryDim / 2]. */
export interface RopeCache {
  /** [rows, rotaryDim / 2] */
  cos: Float32Array;
  /** [rows, rotaryDim / 2] */
  sin: Float32Array;
}

/** What {@link Ropewalk.buildRopeCache} takes. */
export type RopeCacheOptions = Positions & {
  /** [rotaryDim / 2], radians per position, from `ropeInvFreq()` or `ropeFromConfig()`. */
  invFreq: F64Tensor;
  /** Multiplies cosines and sines. 1 if not given; `ropeFromConfig()` says what a scaling asks for. */
  attentionFactor?: number;
};

/** What {@link Ropewalk.buildMropeCache} takes. */
export interface MropeCacheOptions {
  /** [3, seqLen], the time, the height and the width of each token. */
  positionIds: I32Tensor;
  /** Tokens of each sequence. */
  seqLen: number;
  /** [rotaryDim / 2], radians per position. */
  invFreq: F64Tensor;
  /** Pairs for time, height and width, rotaryDim / 2 together. */
  sections: readonly [number, number, number];
  /** Whether the three take turns, as in Qwen3-VL, instead of following one another, as in Qwen2-VL. False if not given. */
  interleaved?: boolean;
  /** Multiplies cosines and sines. 1 if not given. */
  attentionFactor?: number;
}

/** What {@link Ropewalk.buildAxialRopeCache} takes. */
export interface AxialRopeCacheOptions {
  /** [2, seqLen], the row and the column of each patch. */
  positionIds: I32Tensor;
  /** Tokens of each sequence. */
  seqLen: number;
  /** Components that are rotated, half of them with the row; a multiple of 4. */
  rotaryDim: number;
  /** 100 if not given, as in the paper; from 1e-100 to 1e100. */
  ropeTheta?: number;
}

/** What {@link Ropewalk.buildXposCache} takes. */
export type XposCacheOptions = Positions & {
  /** [rotaryDim / 2], radians per position. */
  invFreq: F64Tensor;
  /** Whether the cache is to rotate queries or keys: one is scaled by the inverse of the other. */
  side: keyof wasm.MainModule["XposSide"];
  /** 512 if not given, as in the paper; from 1e-100 to 1e100. */
  scaleBase?: number;
  /** 0.4 if not given, as in the paper; from 1e-100 to 1e100. */
  gamma?: number;
};

/** What {@link Ropewalk.applyRope} takes. */
export interface ApplyRopeOptions extends HeadsOptions {
  /** [batch, seqLen, nHeads, headDim], in `format`. A buffer is rotated in place, an array left as it is. */
  x: F32Tensor;
  /** [rows, rotaryDim / 2], from `buildRopeCache()`, or any numbers: batch · seqLen rows, or seqLen that all share. */
  cos: F32Tensor;
  /** The same for sines. */
  sin: F32Tensor;
  /** [batch, seqLen], which row of cos and sin each token takes: these may then have any number of rows. */
  positionIds?: I32Tensor;
  /** Rows of cos and sin, to be checked. As many as they hold if not given. */
  rows?: number;
  /** Tokens of each sequence. */
  seqLen: number;
  /** Heads of each token. */
  nHeads: number;
  /** Components of a head. */
  headDim: number;
  /** Components that are rotated, from the first; even; headDim if not given. */
  rotaryDim?: number;
  /** Which components pair up. */
  layout: RopeLayout;
}

/** What {@link Ropewalk.convertRopeLayout} takes. */
export interface ConvertRopeLayoutOptions {
  /** [outer, headDim, inner], heads with an inner of 1, or the rows of W_Q and W_K with one of inDim. */
  x: F32Tensor;
  /** Heads. 1 if not given. */
  outer?: number;
  /** Components of a head. */
  headDim: number;
  /** 1 if not given. */
  inner?: number;
  /** Components that are rotated, from the first; even; headDim if not given. */
  rotaryDim?: number;
  /** The layout of the result; x has the other one. */
  to: RopeLayout;
}

function rotaryPairs(rotaryDim: unknown, most: number, more?: string): number {
  const dim = check.integer("rotaryDim", rotaryDim, 2, most, more);
  check.even("rotaryDim", dim);
  return dim / 2;
}

const rotaryDimOf = (options: { rotaryDim?: number }, headDim: number) =>
  2 * rotaryPairs(check.or(options.rotaryDim, headDim), headDim, ", headDim at most");

/** Slots for cosines and sines. */
function cacheOutputs(options: Partial<CacheBuffers>, rows: number, pairs: number) {
  const length = check.elements("cos", rows, pairs);
  return {
    cos: output("f32", "cos", options.cos, length),
    sin: output("f32", "sin", options.sin, length),
  };
}

const attentionFactorOf = (options: { attentionFactor?: number }) =>
  check.finite("attentionFactor", check.or(options.attentionFactor, 1));

export function ropeInvFreq(caller: Caller, options: RopeInvFreqOptions & Partial<Into<F64Buffer>>) {
  check.record(options);
  const pairs = rotaryPairs(options.rotaryDim, check.maxElements - 1);
  const ropeTheta = check.base("ropeTheta", check.or(options.ropeTheta, 10_000));
  const out = output("f64", "out", options.out, pairs);
  return caller.call({ out }, (module, b) => module.rope_inv_freq(ropeTheta, b.out)).out;
}

export function buildRopeCache(caller: Caller, options: RopeCacheOptions & Partial<CacheBuffers>): RopeCache {
  const positionIds = positions(options);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const attentionFactor = attentionFactorOf(options);
  const outputs = cacheOutputs(options, positionIds.length, invFreq.length);
  return caller.call({ positionIds, invFreq, ...outputs }, (module, b) =>
    module.build_rope_cache(
      b.positionIds,
      positionIds.length,
      b.invFreq,
      null,
      attentionFactor,
      b.cos,
      b.sin,
    ),
  );
}

export function buildMropeCache(
  caller: Caller,
  options: MropeCacheOptions & Partial<CacheBuffers>,
): RopeCache {
  check.record(options);
  const seqLen = check.size("seqLen", options.seqLen);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const interleaved = check.boolean("interleaved", check.or(options.interleaved, false));
  const attentionFactor = attentionFactorOf(options);
  const slots = {
    positionIds: input("i32", "positionIds", options.positionIds, check.elements("positionIds", 3, seqLen)),
    invFreq,
    sections: input("i32", "sections", sectionsOf(options.sections)),
    pairAxes: scratch("i32", invFreq.length),
    ...cacheOutputs(options, seqLen, invFreq.length),
  };
  return caller.call(
    slots,
    (module, b) =>
      module.mrope_pair_axes(b.sections, interleaved, b.pairAxes) ??
      module.build_rope_cache(b.positionIds, seqLen, b.invFreq, b.pairAxes, attentionFactor, b.cos, b.sin),
  );
}

function sectionsOf(sections: unknown): Int32Array {
  const allowed = "three integers from 0, rotaryDim / 2 together";
  if (!Array.isArray(sections)) throw new RopewalkError("bad_type", "sections", sections, allowed);
  if (sections.length !== 3) throw new RopewalkError("bad_shape", "sections", sections, allowed);
  return Int32Array.from(sections, (section: unknown) =>
    check.integer("sections", section, 0, check.maxElements),
  );
}

export function buildAxialRopeCache(
  caller: Caller,
  options: AxialRopeCacheOptions & Partial<CacheBuffers>,
): RopeCache {
  check.record(options);
  const seqLen = check.size("seqLen", options.seqLen);
  const pairs = rotaryPairs(options.rotaryDim, check.maxElements - 1);
  if (pairs % 2 !== 0) {
    throw new RopewalkError("bad_shape", "rotaryDim", options.rotaryDim, "a multiple of 4");
  }
  const ropeTheta = check.base("ropeTheta", check.or(options.ropeTheta, 100));
  const slots = {
    positionIds: input("i32", "positionIds", options.positionIds, check.elements("positionIds", 2, seqLen)),
    invFreq: scratch("f64", pairs),
    pairAxes: scratch("i32", pairs),
    ...cacheOutputs(options, seqLen, pairs),
  };
  return caller.call(
    slots,
    (module, b) =>
      module.axial_rope(ropeTheta, b.invFreq, b.pairAxes) ??
      module.build_rope_cache(b.positionIds, seqLen, b.invFreq, b.pairAxes, 1, b.cos, b.sin),
  );
}

export function buildXposCache(caller: Caller, options: XposCacheOptions & Partial<CacheBuffers>): RopeCache {
  const positionIds = positions(options);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const side = check.oneOf("side", options.side, ["query", "key"]);
  const scaleBase = check.base("scaleBase", check.or(options.scaleBase, 512));
  const gamma = check.base("gamma", check.or(options.gamma, 0.4));
  const outputs = cacheOutputs(options, positionIds.length, invFreq.length);
  return caller.call({ positionIds, invFreq, ...outputs }, (module, b) =>
    module.build_xpos_cache(b.positionIds, b.invFreq, scaleBase, gamma, module.XposSide[side], b.cos, b.sin),
  );
}

export function applyRope(caller: Caller, options: ApplyRopeOptions) {
  const heads = {
    ...headsOptions(options),
    len: check.size("seqLen", options.seqLen),
    nHeads: check.size("nHeads", options.nHeads),
    headDim: check.size("headDim", options.headDim),
  };
  const rotaryDim = rotaryDimOf(options, heads.headDim);
  const layout = check.oneOf("layout", options.layout, layouts);
  const x = changed("f32", "x", options.x, headElements("x", heads));
  const tokens = heads.batch * heads.len;
  const positionIds = optional("i32", "positionIds", options.positionIds, tokens);
  const pairs = rotaryDim / 2;
  const given = options.rows === undefined ? undefined : check.size("rows", options.rows);
  const cos = input("f32", "cos", options.cos, given && check.elements("cos", given, pairs));
  const rows = cos.length / pairs;
  const fits = positionIds === undefined ? rows === tokens || rows === heads.len : Number.isInteger(rows);
  if (!fits) {
    const counts = [...new Set([heads.len, tokens])].join(" or ");
    const count = positionIds === undefined ? `${counts} rows` : "rows";
    throw new RopewalkError("bad_shape", "cos", options.cos, `${count} of ${pairs}, rotaryDim / 2`);
  }
  const sin = input("f32", "sin", options.sin, cos.length);
  const extents = crossing(caller, heads);
  return caller.call({ x, cos, sin, positionIds }, (module, b) =>
    module.apply_rope(b.x, extents, b.cos, b.sin, b.positionIds, rotaryDim, module.RopeLayout[layout]),
  ).x;
}

export function convertRopeLayout(caller: Caller, options: ConvertRopeLayoutOptions & Partial<Into>) {
  check.record(options);
  const outer = check.size("outer", check.or(options.outer, 1));
  const headDim = check.size("headDim", options.headDim);
  const inner = check.size("inner", check.or(options.inner, 1));
  const rotaryDim = rotaryDimOf(options, headDim);
  const to = check.oneOf("to", options.to, layouts);
  const x = input("f32", "x", options.x, check.elements("x", outer, headDim, inner));
  const out = output("f32", "out", options.out, x.length);
  return caller.call({ x, out }, (module, b) =>
    module.convert_rope_layout(b.x, outer, headDim, inner, rotaryDim, module.RopeLayout[to], b.out),
  ).out;
}
