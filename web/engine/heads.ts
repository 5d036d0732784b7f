/** The order in which heads stand, which attention, caches and rotation have in common. */
import * as check from "./checks.js";
import type * as wasm from "./generated/ropewalk.mjs";
import type { Caller, Slot } from "./tensors.js";

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

const formats = ["bshd", "bhsd"] as const satisfies readonly HeadsFormat[];

export const formatOf = (options: HeadsOptions): HeadsFormat =>
  check.oneOf("format", check.or(options.format, "bshd"), formats);

export const batchOf = (options: { batch?: number }): number =>
  check.size("batch", check.or(options.batch, 1));

/** A tensor of heads that the kernel reads. */
export const headsInput = (
  caller: Caller,
  argument: string,
  given: unknown,
  batch: number,
  len: number,
  nHeads: number,
  headDim: number,
): Slot<"f32"> => caller.input("f32", argument, given, check.elements(argument, batch, len, nHeads, headDim));

/** A tensor of heads that the kernel writes. */
export const headsOutput = (
  caller: Caller,
  argument: string,
  given: unknown,
  batch: number,
  len: number,
  nHeads: number,
  headDim: number,
): Slot<"f32"> =>
  caller.output("f32", argument, given, check.elements(argument, batch, len, nHeads, headDim));

// The cache kernel knows no more of heads than [batch, outer, rows, inner].

export const outerOf = (format: HeadsFormat, nHeads: number): number => (format === "bshd" ? 1 : nHeads);

export const innerOf = (format: HeadsFormat, nHeads: number, headDim: number): number =>
  format === "bshd" ? nHeads * headDim : headDim;
