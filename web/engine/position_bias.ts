/** Positions that enter attention as a number added to each score. */

import * as check from "./checks.js";
import type { Caller, F32Tensor, I32Tensor, Into } from "./tensors.js";

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

const qLenOf = (options: BiasOptions) => check.size("qLen", options.qLen);
const kvLenOf = (options: BiasOptions, qLen: number) => check.size("kvLen", check.or(options.kvLen, qLen));
const queryOffsetOf = (options: BiasOptions) => check.int32("queryOffset", check.or(options.queryOffset, 0));

const numBucketsOf = (options: T5BucketsOptions) =>
  check.integer("numBuckets", check.or(options.numBuckets, 32), 2, 512);
const maxDistanceOf = (options: T5BucketsOptions) =>
  check.size("maxDistance", check.or(options.maxDistance, 128));
const bidirectionalOf = (options: T5BucketsOptions) =>
  check.boolean("bidirectional", check.or(options.bidirectional, true));

export function alibiSlopes(caller: Caller, options: AlibiSlopesOptions & Partial<Into>) {
  const out = caller.output("f32", "out", options.out, check.size("nHeads", options.nHeads));
  caller.check(caller.enter().alibi_slopes(out.handle));
  return caller.result(out);
}

export function alibiBias(caller: Caller, options: AlibiBiasOptions & Partial<Into>) {
  const qLen = qLenOf(options);
  const kvLen = kvLenOf(options, qLen);
  const queryOffset = queryOffsetOf(options);
  const slopes = caller.input("f32", "slopes", options.slopes);
  const out = caller.output("f32", "out", options.out, check.elements("out", slopes.length, qLen, kvLen));
  caller.check(caller.enter().alibi_bias(slopes.handle, qLen, kvLen, queryOffset, out.handle));
  return caller.result(out);
}

export function t5Buckets(caller: Caller, options: T5BucketsOptions & Partial<Into<I32Tensor>>) {
  const qLen = qLenOf(options);
  const kvLen = kvLenOf(options, qLen);
  const queryOffset = queryOffsetOf(options);
  const numBuckets = numBucketsOf(options);
  const maxDistance = maxDistanceOf(options);
  const bidirectional = bidirectionalOf(options);
  const out = caller.output("i32", "out", options.out, check.elements("out", qLen, kvLen));
  caller.check(
    caller.enter().t5_buckets(numBuckets, maxDistance, bidirectional, qLen, kvLen, queryOffset, out.handle),
  );
  return caller.result(out);
}

export function t5Bias(caller: Caller, options: T5BiasOptions & Partial<Into>) {
  const qLen = qLenOf(options);
  const kvLen = kvLenOf(options, qLen);
  const queryOffset = queryOffsetOf(options);
  const numBuckets = numBucketsOf(options);
  const maxDistance = maxDistanceOf(options);
  const bidirectional = bidirectionalOf(options);
  const nHeads = check.size("nHeads", options.nHeads);
  const table = caller.input("f32", "table", options.table, check.elements("table", numBuckets, nHeads));
  const out = caller.output("f32", "out", options.out, check.elements("out", nHeads, qLen, kvLen));
  caller.check(
    caller
      .enter()
      .t5_bias(
        table.handle,
        numBuckets,
        maxDistance,
        bidirectional,
        nHeads,
        qLen,
        kvLen,
        queryOffset,
        out.handle,
      ),
  );
  return caller.result(out);
}
