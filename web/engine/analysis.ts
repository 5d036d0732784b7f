/** What the pictures draw, beyond the kernels' own results. */

import { softmaxScaleOf } from "./attention.js";
import * as check from "./checks.js";
import { layoutOf, type RopeLayout } from "./rope.js";
import type { Caller, F32Tensor, F64Tensor, Into, U8Tensor } from "./tensors.js";

/** What {@link Ropewalk.rowNorms} takes. */
export interface RowNormsOptions {
  /** [rows, dim] */
  x: F32Tensor;
  /** Vectors in the tensor. */
  rows: number;
  /** Components of a vector. */
  dim: number;
}

/** What {@link Ropewalk.rowCosines} takes. */
export interface RowCosinesOptions {
  /** [rows, dim] */
  a: F32Tensor;
  /** [rows, dim] */
  b: F32Tensor;
  /** Vectors in the tensor. */
  rows: number;
  /** Components of a vector. */
  dim: number;
}

/** What {@link Ropewalk.neighbourDistances} takes. */
export interface NeighbourDistancesOptions {
  /** [rows, dim] */
  x: F32Tensor;
  /** At least 2. */
  rows: number;
  /** Components of a vector. */
  dim: number;
}

/** What {@link Ropewalk.similarity} takes. */
export interface SimilarityOptions {
  /** [rows, dim] */
  x: F32Tensor;
  /** Vectors in the tensor. */
  rows: number;
  /** Components of a vector. */
  dim: number;
  /** Whether cosines are wanted instead of dot products. False if not given. */
  cosine?: boolean;
}

/** What {@link Ropewalk.maxAbsDifference} takes. */
export interface MaxAbsDifferenceOptions {
  /** Any number of elements, of any shape. */
  a: F32Tensor;
  /** As many elements as a. */
  b: F32Tensor;
}

/** What {@link Ropewalk.ropeAngles} takes. */
export interface RopeAnglesOptions {
  /** In tokens; may be a fraction. */
  firstPosition: number;
  /** From one row to the next, in tokens; may be a fraction. 1 if not given. */
  step?: number;
  /** Rows. */
  count: number;
  /** [rotaryDim / 2], radians per position. */
  invFreq: F64Tensor;
}

/** What {@link Ropewalk.ropePeriods} takes. */
export interface RopePeriodsOptions {
  /** [rotaryDim / 2], radians per position. */
  invFreq: F64Tensor;
  /** In tokens; finite and > 0. */
  contextLen: number;
}

/** Each [rotaryDim / 2]. */
export interface RopePeriods {
  /** Tokens to a turn, 2π / |invFreq|; ∞ for a pair that does not turn. */
  wavelength: Float64Array;
  /** Turns in the context; a pair below 1 never completes one. */
  turns: Float64Array;
}

/** What {@link Ropewalk.pairPolar} takes. */
export interface PairPolarOptions {
  /** [headDim], headDim even. */
  x: F32Tensor;
  /** Which components pair up. */
  layout: RopeLayout;
}

/** Each pair as an arrow; each [headDim / 2]. */
export interface PairPolar {
  /** Its length. */
  magnitude: Float32Array;
  /** Its angle from the pair's first component, in radians in [-π, π]. */
  angle: Float32Array;
}

/** What {@link Ropewalk.pairScores} takes. */
export interface PairScoresOptions {
  /** [headDim], headDim even; rotated already where rotation is wanted. */
  query: F32Tensor;
  /** [headDim] */
  key: F32Tensor;
  /** Which components pair up. */
  layout: RopeLayout;
  /** Multiplies each part. 1 / sqrt(headDim) if not given. */
  softmaxScale?: number;
}

/** A query and a key before rotation, and how they are to be rotated. */
export interface RopeScorePairOptions {
  /** [headDim] */
  query: F32Tensor;
  /** [headDim] */
  key: F32Tensor;
  /** [rotaryDim / 2], radians per position; components from rotaryDim on are not rotated. */
  invFreq: F64Tensor;
  /** Which components pair up. */
  layout: RopeLayout;
  /** Multiplies the score. 1 / sqrt(headDim) if not given. */
  softmaxScale?: number;
  /** [rotaryDim / 2], 0 for a pair that is left out of the score. All are in it if not given. */
  pairMask?: U8Tensor;
}

/** What {@link Ropewalk.ropeScore} takes. */
export interface RopeScoreOptions extends RopeScorePairOptions {
  /** The query's position less the key's, in tokens; may be a fraction. */
  distance: number;
}

/** A score, and what it is made of. */
export interface RopeScore {
  /** [rotaryDim / 2], what each pair gives, also those that are left out. */
  parts: Float32Array;
  /** What the components give that are not rotated. */
  rest: number;
  /** rest and all parts that are not left out. */
  score: number;
}

/** Evenly spaced distances: firstDistance, firstDistance + step, … */
export interface DistancesOptions {
  /** In tokens; may be a fraction. 0 if not given. */
  firstDistance?: number;
  /** In tokens; may be a fraction. 1 if not given. */
  step?: number;
  /** How many distances. */
  count: number;
}

/** What {@link Ropewalk.ropeRandomScores} takes. */
export interface RopeRandomScoresOptions extends DistancesOptions {
  /** [headDim / 2], radians per position. */
  invFreq: F64Tensor;
  /** A uint32. */
  seed: number;
  /** Queries and keys to average over. */
  draws: number;
  /** How alike key and query are, from -1 to 1. 0 if not given: each is drawn for itself. */
  correlation?: number;
}

/** What {@link Ropewalk.ropeScoreByDistance} takes. */
export type RopeScoreByDistanceOptions = RopeScorePairOptions & DistancesOptions;

/** Each [count]. */
export interface RopeRandomScores {
  /** The mean score. */
  mean: Float32Array;
  /** The standard deviation of a single score. */
  deviation: Float32Array;
}

/** What {@link Ropewalk.ropeDecayBound} takes. */
export interface RopeDecayBoundOptions extends DistancesOptions {
  /** [rotaryDim / 2], radians per position. */
  invFreq: F64Tensor;
}

const rowsOf = (options: { rows: number }) => check.size("rows", options.rows);
const dimOf = (options: { dim: number }) => check.size("dim", options.dim);

/** Vectors of `dim` components. */
const vectors = (caller: Caller, argument: string, given: unknown, rows: number, dim: number) =>
  caller.input("f32", argument, given, check.elements(argument, rows, dim));

export function rowNorms(caller: Caller, options: RowNormsOptions & Partial<Into>) {
  const rows = rowsOf(options);
  const dim = dimOf(options);
  const x = vectors(caller, "x", options.x, rows, dim);
  const out = caller.output("f32", "out", options.out, rows);
  caller.check(caller.enter().row_norms(x.handle, dim, out.handle));
  return caller.result(out);
}

export function rowCosines(caller: Caller, options: RowCosinesOptions & Partial<Into>) {
  const rows = rowsOf(options);
  const dim = dimOf(options);
  const a = vectors(caller, "a", options.a, rows, dim);
  const b = vectors(caller, "b", options.b, rows, dim);
  const out = caller.output("f32", "out", options.out, rows);
  caller.check(caller.enter().row_cosines(a.handle, b.handle, dim, out.handle));
  return caller.result(out);
}

export function neighbourDistances(caller: Caller, options: NeighbourDistancesOptions & Partial<Into>) {
  const rows = check.integer("rows", options.rows, 2, check.maxElements);
  const dim = dimOf(options);
  const x = vectors(caller, "x", options.x, rows, dim);
  const out = caller.output("f32", "out", options.out, rows - 1);
  caller.check(caller.enter().neighbour_distances(x.handle, rows, dim, out.handle));
  return caller.result(out);
}

export function similarity(caller: Caller, options: SimilarityOptions & Partial<Into>) {
  const rows = rowsOf(options);
  const dim = dimOf(options);
  const cosine = check.boolean("cosine", check.or(options.cosine, false));
  const x = vectors(caller, "x", options.x, rows, dim);
  const out = caller.output("f32", "out", options.out, check.elements("out", rows, rows));
  caller.check(caller.enter().similarity(x.handle, rows, dim, cosine, out.handle));
  return caller.result(out);
}

export function maxAbsDifference(caller: Caller, options: MaxAbsDifferenceOptions): number {
  const a = caller.input("f32", "a", options.a);
  const b = caller.input("f32", "b", options.b, a.length);
  const out = caller.scratch("f32", "out", 1);
  caller.check(caller.enter().max_abs_difference(a.handle, b.handle, out.handle));
  return out.view[0] as number;
}

export function ropeAngles(caller: Caller, options: RopeAnglesOptions & Partial<Into>) {
  const firstPosition = check.finite("firstPosition", options.firstPosition);
  const step = stepOf(options);
  const count = countOf(options);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const out = caller.output("f32", "out", options.out, check.elements("out", count, invFreq.length));
  caller.check(caller.enter().rope_angles(firstPosition, step, invFreq.handle, count, out.handle));
  return caller.result(out);
}

export function ropePeriods(caller: Caller, options: RopePeriodsOptions): RopePeriods {
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const contextLen = check.positive("contextLen", options.contextLen);
  const wavelength = caller.output("f64", "wavelength", undefined, invFreq.length);
  const turns = caller.output("f64", "turns", undefined, invFreq.length);
  caller.check(caller.enter().rope_periods(invFreq.handle, contextLen, wavelength.handle, turns.handle));
  return caller.results();
}

export function pairPolar(caller: Caller, options: PairPolarOptions): PairPolar {
  const x = caller.input("f32", "x", options.x);
  check.even("x", x.length);
  const layout = layoutOf(options);
  const magnitude = caller.output("f32", "magnitude", undefined, x.length / 2);
  const angle = caller.output("f32", "angle", undefined, x.length / 2);
  const module = caller.enter();
  caller.check(module.pair_polar(x.handle, module.RopeLayout[layout], magnitude.handle, angle.handle));
  return caller.results();
}

export function pairScores(caller: Caller, options: PairScoresOptions & Partial<Into>) {
  const query = caller.input("f32", "query", options.query);
  check.even("query", query.length);
  const key = caller.input("f32", "key", options.key, query.length);
  const layout = layoutOf(options);
  const softmaxScale = softmaxScaleOf(options);
  const out = caller.output("f32", "out", options.out, query.length / 2);
  const module = caller.enter();
  caller.check(
    module.pair_scores(query.handle, key.handle, module.RopeLayout[layout], softmaxScale, out.handle),
  );
  return caller.result(out);
}

/** As of attention, but in double. */
const doubleScaleOf = ({ softmaxScale }: RopeScorePairOptions) =>
  softmaxScale === undefined ? Number.NaN : check.finite("softmaxScale", softmaxScale);

const firstDistanceOf = (options: DistancesOptions) =>
  check.finite("firstDistance", check.or(options.firstDistance, 0));
const stepOf = (options: { step?: number }) => check.finite("step", check.or(options.step, 1));
const countOf = (options: { count: number }) => check.size("count", options.count);

export function ropeScore(caller: Caller, options: RopeScoreOptions): RopeScore {
  const query = caller.input("f32", "query", options.query);
  const key = caller.input("f32", "key", options.key, query.length);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const layout = layoutOf(options);
  const softmaxScale = doubleScaleOf(options);
  const pairMask = caller.optional("u8", "pairMask", options.pairMask, invFreq.length);
  const distance = check.finite("distance", options.distance);
  const parts = caller.output("f32", "parts", undefined, invFreq.length);
  const totals = caller.scratch("f32", "totals", 2);
  const module = caller.enter();
  caller.check(
    module.rope_score(
      query.handle,
      key.handle,
      invFreq.handle,
      module.RopeLayout[layout],
      distance,
      softmaxScale,
      pairMask.handle,
      parts.handle,
      totals.handle,
    ),
  );
  const [rest, score] = totals.view as unknown as [number, number];
  return { parts: caller.result(parts) as Float32Array, rest, score };
}

export function ropeScoreByDistance(caller: Caller, options: RopeScoreByDistanceOptions & Partial<Into>) {
  const query = caller.input("f32", "query", options.query);
  const key = caller.input("f32", "key", options.key, query.length);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const layout = layoutOf(options);
  const softmaxScale = doubleScaleOf(options);
  const pairMask = caller.optional("u8", "pairMask", options.pairMask, invFreq.length);
  const firstDistance = firstDistanceOf(options);
  const step = stepOf(options);
  const out = caller.output("f32", "out", options.out, countOf(options));
  const module = caller.enter();
  caller.check(
    module.rope_score_by_distance(
      query.handle,
      key.handle,
      invFreq.handle,
      module.RopeLayout[layout],
      firstDistance,
      step,
      softmaxScale,
      pairMask.handle,
      out.handle,
    ),
  );
  return caller.result(out);
}

export function ropeRandomScores(caller: Caller, options: RopeRandomScoresOptions): RopeRandomScores {
  const firstDistance = firstDistanceOf(options);
  const step = stepOf(options);
  const count = countOf(options);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const seed = check.uint32("seed", options.seed);
  const draws = check.size("draws", options.draws);
  const correlation = check.within("correlation", check.or(options.correlation, 0), -1, 1);
  const mean = caller.output("f32", "mean", undefined, count);
  const deviation = caller.output("f32", "deviation", undefined, count);
  caller.check(
    caller
      .enter()
      .rope_random_scores(
        invFreq.handle,
        seed,
        draws,
        correlation,
        firstDistance,
        step,
        mean.handle,
        deviation.handle,
      ),
  );
  return caller.results();
}

export function ropeDecayBound(caller: Caller, options: RopeDecayBoundOptions & Partial<Into>) {
  const firstDistance = firstDistanceOf(options);
  const step = stepOf(options);
  const invFreq = caller.input("f64", "invFreq", options.invFreq);
  const out = caller.output("f32", "out", options.out, countOf(options));
  caller.check(caller.enter().rope_decay_bound(invFreq.handle, firstDistance, step, out.handle));
  return caller.result(out);
}
