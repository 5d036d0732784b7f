/** Root-mean-square normalization, and the softmax by itself. */
import * as check from "./checks.js";
import { type Caller, type F32Tensor, type Into, input, optional, output } from "./tensors.js";

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
  check.record(options);
  const rows = check.size("rows", options.rows);
  const dim = check.size("dim", options.dim);
  const epsilon = check.notNegative("epsilon", check.or(options.epsilon, 1e-6));
  const x = input("f32", "x", options.x, check.elements("x", rows, dim));
  const weight = optional("f32", "weight", options.weight, dim);
  const out = output("f32", "out", options.out, x.length);
  return caller.call({ x, weight, out }, (module, b) =>
    module.rms_norm(b.x, b.weight, rows, dim, epsilon, b.out),
  ).out;
}

export function softmax(caller: Caller, options: SoftmaxOptions & Partial<Into>) {
  check.record(options);
  const outer = check.size("outer", check.or(options.outer, 1));
  const size = check.size("size", options.size);
  const inner = check.size("inner", check.or(options.inner, 1));
  const x = input("f32", "x", options.x, check.elements("x", outer, size, inner));
  const out = output("f32", "out", options.out, x.length);
  return caller.call({ x, out }, (module, b) => module.softmax(b.x, outer, size, inner, b.out)).out;
}
