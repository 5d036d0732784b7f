/** Rotary position embedding: frequencies, cosines and sines, and the rotation. */
import * as check from "./checks.js";
import { type Positions, positions } from "./encodings.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { batchOf, formatOf, type HeadsOptions } from "./heads.js";
import type { Caller, F32Tensor, F64Tensor, I32Tensor, Into } from "./tensors.js";

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

/** Arrays or buffers for cosines and sines. */
export interface CacheInto {
  /** [rows, rotaryDim / 2] */
  cos: F32Tensor;
  /** [rows, rotaryDim / 2] */
  sin: F32Tensor;
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
  /** [batch, seqLen, nHeads, headDim], in `format`. Without `out` a buffer is rotated in place, an array left as it is. */
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

export const layoutOf = (options: { layout?: unknown }): RopeLayout =>
  check.oneOf("layout", options.layout, layouts);

const attentionFactorOf = (options: { attentionFactor?: number }) =>
  check.finite("attentionFactor", check.or(options.attentionFactor, 1));

const cosOf = (caller: Caller, options: Partial<CacheInto>, rows: number, pairs: number) =>
  caller.output("f32", "cos", options.cos, check.elements("cos", rows, pairs));

const sinOf = (caller: Caller, options: Partial<CacheInto>, rows: number, pairs: number) =>
  caller.output("f32", "sin", options.sin, check.elements("sin", rows, pairs));

export function ropeInvFreq(caller: Caller, options: RopeInvFreqOptions & Partial<Into<F64Tensor>>) {
  const pairs = rotaryPairs(options.rotaryDim, check.maxElements - 1);
  const ropeTheta = check.base("ropeTheta", check.or(options.ropeTheta, 10_000));
  const out = caller.output("f64", "out", options.out, pairs);
  caller.check(caller.enter().rope_inv_freq(ropeTheta, out.handle));
  return caller.result(out);
}

export function buildRopeCache(caller: Caller, options: RopeCacheOptions & Partial<CacheInto>) {
  const positionIds = positions(caller, options);
  const rows = positionIds.length;
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const factor = attentionFactorOf(options);
  const cos = cosOf(caller, options, rows, invFreq.length);
  const sin = sinOf(caller, options, rows, invFreq.length);
  const module = caller.enter();
  caller.check(
    module.build_rope_cache(positionIds.handle, rows, invFreq.handle, null, factor, cos.handle, sin.handle),
  );
  return caller.results<RopeCache>();
}

export function buildMropeCache(caller: Caller, options: MropeCacheOptions & Partial<CacheInto>) {
  const seqLen = check.size("seqLen", options.seqLen);
  const interleaved = check.boolean("interleaved", check.or(options.interleaved, false));
  const factor = attentionFactorOf(options);
  const ids = check.elements("positionIds", 3, seqLen);
  const positionIds = caller.input("i32", "positionIds", options.positionIds, ids);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const time = sectionOf(options, 0);
  const height = sectionOf(options, 1);
  const width = sectionOf(options, 2);
  const pairAxes = caller.scratch("i32", "pairAxes", invFreq.length);
  const cos = cosOf(caller, options, seqLen, invFreq.length);
  const sin = sinOf(caller, options, seqLen, invFreq.length);
  const module = caller.enter();
  caller.check(module.mrope_pair_axes(time, height, width, interleaved, pairAxes.handle));
  caller.check(
    module.build_rope_cache(
      positionIds.handle,
      seqLen,
      invFreq.handle,
      pairAxes.handle,
      factor,
      cos.handle,
      sin.handle,
    ),
  );
  return caller.results<RopeCache>();
}

function sectionOf(options: { sections: unknown }, axis: number): number {
  const { sections } = options;
  if (Array.isArray(sections) && sections.length === 3) {
    return check.integer("sections", sections[axis], 0, check.maxElements);
  }
  const code = Array.isArray(sections) ? "bad_shape" : "bad_type";
  throw new RopewalkError(code, "sections", sections, "three integers from 0, rotaryDim / 2 together");
}

export function buildAxialRopeCache(caller: Caller, options: AxialRopeCacheOptions & Partial<CacheInto>) {
  const seqLen = check.size("seqLen", options.seqLen);
  const pairs = rotaryPairs(options.rotaryDim, check.maxElements - 1);
  if (pairs % 2 !== 0) {
    throw new RopewalkError("bad_shape", "rotaryDim", options.rotaryDim, "a multiple of 4");
  }
  const ropeTheta = check.base("ropeTheta", check.or(options.ropeTheta, 100));
  const ids = check.elements("positionIds", 2, seqLen);
  const positionIds = caller.input("i32", "positionIds", options.positionIds, ids);
  const invFreq = caller.scratch("f64", "invFreq", pairs);
  const pairAxes = caller.scratch("i32", "pairAxes", pairs);
  const cos = cosOf(caller, options, seqLen, pairs);
  const sin = sinOf(caller, options, seqLen, pairs);
  const module = caller.enter();
  caller.check(module.axial_rope(ropeTheta, invFreq.handle, pairAxes.handle));
  caller.check(
    module.build_rope_cache(
      positionIds.handle,
      seqLen,
      invFreq.handle,
      pairAxes.handle,
      1,
      cos.handle,
      sin.handle,
    ),
  );
  return caller.results<RopeCache>();
}

const sides = ["query", "key"] as const;

export function buildXposCache(caller: Caller, options: XposCacheOptions & Partial<CacheInto>) {
  const positionIds = positions(caller, options);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const side = check.oneOf("side", options.side, sides);
  const scaleBase = check.base("scaleBase", check.or(options.scaleBase, 512));
  const gamma = check.base("gamma", check.or(options.gamma, 0.4));
  const cos = cosOf(caller, options, positionIds.length, invFreq.length);
  const sin = sinOf(caller, options, positionIds.length, invFreq.length);
  const module = caller.enter();
  caller.check(
    module.build_xpos_cache(
      positionIds.handle,
      invFreq.handle,
      scaleBase,
      gamma,
      module.XposSide[side],
      cos.handle,
      sin.handle,
    ),
  );
  return caller.results<RopeCache>();
}

export function applyRope(caller: Caller, options: ApplyRopeOptions & Partial<Into>) {
  const format = formatOf(options);
  const batch = batchOf(options);
  const seqLen = check.size("seqLen", options.seqLen);
  const nHeads = check.size("nHeads", options.nHeads);
  const headDim = check.size("headDim", options.headDim);
  const rotaryDim = rotaryDimOf(options, headDim);
  const layout = layoutOf(options);
  const components = check.elements("x", batch, seqLen, nHeads, headDim);
  const x = caller.changed("f32", "x", options.x, components, options.out);
  const tokens = batch * seqLen;
  const positionIds = caller.optional("i32", "positionIds", options.positionIds, tokens);
  const pairs = rotaryDim / 2;
  const given = options.rows === undefined ? undefined : check.size("rows", options.rows);
  const cos = caller.input("f32", "cos", options.cos, given && check.elements("cos", given, pairs));
  const rows = cos.length / pairs;
  const fits = positionIds.isGiven ? Number.isInteger(rows) : rows === tokens || rows === seqLen;
  if (!fits) {
    const counts = [...new Set([seqLen, tokens])].join(" or ");
    const count = positionIds.isGiven ? "rows" : `${counts} rows`;
    throw new RopewalkError("bad_shape", "cos", options.cos, `${count} of ${pairs}, rotaryDim / 2`);
  }
  const sin = caller.input("f32", "sin", options.sin, cos.length);
  const module = caller.enter();
  caller.check(
    module.apply_rope(
      x.handle,
      module.HeadsFormat[format],
      batch,
      seqLen,
      nHeads,
      headDim,
      cos.handle,
      sin.handle,
      positionIds.handle,
      rotaryDim,
      module.RopeLayout[layout],
    ),
  );
  return caller.result(x);
}

export function convertRopeLayout(caller: Caller, options: ConvertRopeLayoutOptions & Partial<Into>) {
  const outer = check.size("outer", check.or(options.outer, 1));
  const headDim = check.size("headDim", options.headDim);
  const inner = check.size("inner", check.or(options.inner, 1));
  const rotaryDim = rotaryDimOf(options, headDim);
  const to = check.oneOf("to", options.to, layouts);
  const x = caller.input("f32", "x", options.x, check.elements("x", outer, headDim, inner));
  const out = caller.output("f32", "out", options.out, x.length);
  const module = caller.enter();
  caller.check(
    module.convert_rope_layout(x.handle, outer, headDim, inner, rotaryDim, module.RopeLayout[to], out.handle),
  );
  return caller.result(out);
}
