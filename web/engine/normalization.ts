/** Root-mean-square normalization, and the softmax by itself. */
import * as check from "./checks.js";
import type { Caller, F32Tensor, Into } from "./tensors.js";

/** What {@link Ropewalk.rmsNorm} takes. */
export interface RmsNormOptions {
  /** [rows, dim] */
  x: F32Tensor;
  /** Vectors in the tensor. */
  rows: number;
  /** Components of a vector. */
  dim: number;
  /** [dim]; ones if not given. */
  weight?: F32Tensor;
  /** Added to the mean of the squares. 1e-6 if not given; finite and >= 0. */
  epsilon?: number;
}

/** What {@link Ropewalk.softmax} takes. */
export interface SoftmaxOptions {
  /** [outer, size, inner] */
  x: F32Tensor;
  /** 1 if not given. */
  outer?: number;
  /** The dimension along which the results add up to 1. */
  size: number;
  /** 1 if not given. */
  inner?: number;
}

export function rmsNorm(caller: Caller, options: RmsNormOptions & Partial<Into>) {
  const rows = check.size("rows", options.rows);
  const dim = check.size("dim", options.dim);
  const epsilon = check.notNegative("epsilon", check.or(options.epsilon, 1e-6));
  const x = caller.input("f32", "x", options.x, check.elements("x", rows, dim));
  const weight = caller.optional("f32", "weight", options.weight, dim);
  const out = caller.output("f32", "out", options.out, x.length);
  caller.check(caller.enter().rms_norm(x.handle, weight.handle, rows, dim, epsilon, out.handle));
  return caller.result(out);
}

export function softmax(caller: Caller, options: SoftmaxOptions & Partial<Into>) {
  const outer = check.size("outer", check.or(options.outer, 1));
  const size = check.size("size", options.size);
  const inner = check.size("inner", check.or(options.inner, 1));
  const x = caller.input("f32", "x", options.x, check.elements("x", outer, size, inner));
  const out = caller.output("f32", "out", options.out, x.length);
  caller.check(caller.enter().softmax(x.handle, outer, size, inner, out.handle));
  return caller.result(out);
}
