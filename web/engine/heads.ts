/** The order in which heads stand, which attention, caches and rotation have in common. */
import * as check from "./checks.js";
import type * as wasm from "./generated/ropewalk.mjs";
import type { Caller } from "./tensors.js";

/**
 * The order of the heads of a batch: `bshd` [batch, len, nHeads, headDim], which is also [batch, len, nHeads · headDim];
 * or `bhsd` [batch, nHeads, len, headDim].
 */
export type HeadsFormat = keyof wasm.MainModule["HeadsFormat"];

/** What tensors of heads have in common; each is optional. */
export interface HeadsOptions {
  /** `bshd` if not given. */
  format?: HeadsFormat;
  /** Sequences. 1 if not given. */
  batch?: number;
}

/** The extents of a tensor of heads; `capacity` is how many rows there is room for, `len` if not given. */
export interface Heads {
  format: HeadsFormat;
  batch: number;
  len: number;
  nHeads: number;
  headDim: number;
  capacity?: number;
}

export function headsOptions(options: HeadsOptions): Required<HeadsOptions> {
  check.record(options);
  return {
    format: check.oneOf("format", check.or(options.format, "bshd"), ["bshd", "bhsd"]),
    batch: check.size("batch", check.or(options.batch, 1)),
  };
}

/** As the kernels take them. */
export function crossing(caller: Caller, { format, batch, len, nHeads, headDim, capacity = len }: Heads) {
  return caller.ask((module) => ({
    format: module.HeadsFormat[format],
    batch,
    capacity,
    len,
    n_heads: nHeads,
    head_dim: headDim,
  }));
}

/** Elements of a tensor of heads. */
export function headElements(argument: string, { batch, len, nHeads, headDim }: Heads): number {
  return check.elements(argument, batch, len, nHeads, headDim);
}

/** The same extents as [batch, outer, rows, inner], of which the cache kernel knows no more. */
export function asRows({ format, nHeads, headDim }: Pick<Heads, "format" | "nHeads" | "headDim">) {
  return format === "bshd" ? { outer: 1, inner: nHeads * headDim } : { outer: nHeads, inner: headDim };
}
