/** Positions that enter attention as a number added to each score. */

import type { I32Buffer } from "./buffers.js";
import * as check from "./checks.js";
import { type Caller, type F32Tensor, type Into, input, output } from "./tensors.js";

/** Which queries and keys a bias is for. Query i stands at i + queryOffset among the keys. */
export interface BiasOptions {
  /** Queries of each sequence. */
  qLen: number;
  /** qLen if not given. */
  kvLen?: number;
  /** 0 if not given. */
  queryOffset?: number;
}

/** What {@link Ropewalk.alibiSlopes} takes. */
export interface AlibiSlopesOptions {
  /** Heads of the bias. */
  nHeads: number;
}

/** What {@link Ropewalk.alibiBias} takes. */
export interface AlibiBiasOptions extends BiasOptions {
  /** [nHeads], from `alibiSlopes()` or any others. */
  slopes: F32Tensor;
}

/** What {@link Ropewalk.t5Buckets} takes. */
export interface T5BucketsOptions extends BiasOptions {
  /** 32 if not given. From 2 to 512; where bidirectional, even and at least 4. */
  numBuckets?: number;
  /** The distance from which on all share the last bucket. 128 if not given; more than the distances with one each. */
  maxDistance?: number;
  /** Whether keys ahead of the query have buckets of their own, as in an encoder. True if not given. */
  bidirectional?: boolean;
}

/** What {@link Ropewalk.t5Bias} takes. */
export interface T5BiasOptions extends T5BucketsOptions {
  /** [numBuckets, nHeads], as the checkpoint has it. */
  table: F32Tensor;
  /** Heads of the bias. */
  nHeads: number;
}

function extents(options: BiasOptions) {
  check.record(options);
  const qLen = check.size("qLen", options.qLen);
  const kvLen = check.size("kvLen", check.or(options.kvLen, qLen));
  const queryOffset = check.int32("queryOffset", check.or(options.queryOffset, 0));
  return { qLen, kvLen, queryOffset };
}

function buckets(options: T5BucketsOptions) {
  const { numBuckets, maxDistance, bidirectional } = options;
  return {
    num_buckets: check.integer("numBuckets", check.or(numBuckets, 32), 2, 512),
    max_distance: check.size("maxDistance", check.or(maxDistance, 128)),
    bidirectional: check.boolean("bidirectional", check.or(bidirectional, true)),
  };
}

export function alibiSlopes(caller: Caller, options: AlibiSlopesOptions & Partial<Into>) {
  check.record(options);
  const out = output("f32", "out", options.out, check.size("nHeads", options.nHeads));
  return caller.call({ out }, (module, b) => module.alibi_slopes(b.out)).out;
}

export function alibiBias(caller: Caller, options: AlibiBiasOptions & Partial<Into>) {
  const { qLen, kvLen, queryOffset } = extents(options);
  const slopes = input("f32", "slopes", options.slopes);
  const out = output("f32", "out", options.out, check.elements("out", slopes.length, qLen, kvLen));
  return caller.call({ slopes, out }, (module, b) =>
    module.alibi_bias(b.slopes, qLen, kvLen, queryOffset, b.out),
  ).out;
}

export function t5Buckets(caller: Caller, options: T5BucketsOptions & Partial<Into<I32Buffer>>) {
  const { qLen, kvLen, queryOffset } = extents(options);
  const t5 = buckets(options);
  const out = output("i32", "out", options.out, check.elements("out", qLen, kvLen));
  return caller.call({ out }, (module, b) => module.t5_buckets(t5, qLen, kvLen, queryOffset, b.out)).out;
}

export function t5Bias(caller: Caller, options: T5BiasOptions & Partial<Into>) {
  const { qLen, kvLen, queryOffset } = extents(options);
  const t5 = buckets(options);
  const nHeads = check.size("nHeads", options.nHeads);
  const table = input("f32", "table", options.table, check.elements("table", t5.num_buckets, nHeads));
  const out = output("f32", "out", options.out, check.elements("out", nHeads, qLen, kvLen));
  return caller.call({ table, out }, (module, b) =>
    module.t5_bias(b.table, t5, nHeads, qLen, kvLen, queryOffset, b.out),
  ).out;
}
