/** Why RoPE does not mix with latent attention. */
import * as check from "./checks.js";
import { layoutOf, type RopeLayout } from "./rope.js";
import type { Caller, F32Tensor, F64Tensor, Into } from "./tensors.js";

/** What {@link Ropewalk.absorbRotation} takes. */
export interface AbsorbRotationOptions {
  /** [headDim, kvLoraRank], W_UK of one head. */
  keyUp: F32Tensor;
  /** Components of a key. */
  headDim: number;
  /** Components of the latent. */
  kvLoraRank: number;
  /** [pairs], at most headDim / 2; components past 2 · pairs are not rotated. From -1e100 to 1e100. */
  invFreq: F64Tensor;
  /** Which components pair up. */
  layout: RopeLayout;
  /** The matrix is fitted to the distances 0 … contextLen - 1. */
  contextLen: number;
  /** Of the errors. 0 if not given; from -1e100 to 1e100, as the next. */
  firstDistance?: number;
  /** From one distance to the next. 1 if not given. */
  step?: number;
  /** Distances of the errors. */
  count: number;
}

/** The best single matrix, and what it misses. */
export interface AbsorbedRotation {
  /** [headDim, kvLoraRank], what stands for R(-distance) W_UK at every distance. */
  absorbed: Float32Array;
  /** [count], the root mean square of the scores' errors, in parts of that of the scores. */
  error: Float32Array;
}

export function absorbRotation(caller: Caller, options: AbsorbRotationOptions): AbsorbedRotation {
  const headDim = check.size("headDim", options.headDim);
  const kvLoraRank = check.size("kvLoraRank", options.kvLoraRank);
  const layout = layoutOf(options);
  const contextLen = check.size("contextLen", options.contextLen);
  const firstDistance = check.finite("firstDistance", check.or(options.firstDistance, 0));
  const step = check.finite("step", check.or(options.step, 1));
  const count = check.size("count", options.count);
  const weights = check.elements("keyUp", headDim, kvLoraRank);
  const keyUp = caller.input("f32", "keyUp", options.keyUp, weights);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const absorbed = caller.output("f32", "absorbed", undefined, weights);
  const error = caller.output("f32", "error", undefined, count);
  const module = caller.enter();
  caller.check(
    module.absorb_rotation(
      keyUp.handle,
      invFreq.handle,
      module.RopeLayout[layout],
      headDim,
      kvLoraRank,
      contextLen,
      firstDistance,
      step,
      absorbed.handle,
      error.handle,
    ),
  );
  return caller.results();
}

/** What {@link Ropewalk.relativeErrors} takes. */
export interface RelativeErrorsOptions {
  /** [rows, columns] */
  x: F32Tensor;
  /** [rows, columns], what x approximates. */
  exact: F32Tensor;
  /** Rows of both. */
  rows: number;
  /** Columns of both. */
  columns: number;
}

export function relativeErrors(caller: Caller, options: RelativeErrorsOptions & Partial<Into>) {
  const rows = check.size("rows", options.rows);
  const columns = check.size("columns", options.columns);
  const length = check.elements("x", rows, columns);
  const x = caller.input("f32", "x", options.x, length);
  const exact = caller.input("f32", "exact", options.exact, length);
  const out = caller.output("f32", "out", options.out, columns);
  caller.check(caller.enter().relative_errors(x.handle, exact.handle, rows, columns, out.handle));
  return caller.result(out);
}
