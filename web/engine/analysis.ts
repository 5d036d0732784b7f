/** What the pictures draw, beyond the kernels' own results. */
import * as check from "./checks.js";
import { layouts, type RopeLayout } from "./rope.js";
import {
  type Caller,
  type F32Tensor,
  type F64Tensor,
  type Into,
  input,
  optional,
  output,
  type U8Tensor,
} from "./tensors.js";

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

function table(options: { x?: F32Tensor; rows: number; dim: number }) {
  check.record(options);
  return { rows: check.size("rows", options.rows), dim: check.size("dim", options.dim) };
}

const rowsOf = (name: string, tensor: unknown, { rows, dim }: { rows: number; dim: number }) =>
  input("f32", name, tensor, check.elements(name, rows, dim));

export function rowNorms(caller: Caller, options: RowNormsOptions & Partial<Into>) {
  const { rows, dim } = table(options);
  const x = rowsOf("x", options.x, { rows, dim });
  const out = output("f32", "out", options.out, rows);
  return caller.call({ x, out }, (module, b) => module.row_norms(b.x, dim, b.out)).out;
}

export function rowCosines(caller: Caller, options: RowCosinesOptions & Partial<Into>) {
  const { rows, dim } = table(options);
  const a = rowsOf("a", options.a, { rows, dim });
  const b = rowsOf("b", options.b, { rows, dim });
  const out = output("f32", "out", options.out, rows);
  return caller.call({ a, b, out }, (module, h) => module.row_cosines(h.a, h.b, dim, h.out)).out;
}

export function neighbourDistances(caller: Caller, options: NeighbourDistancesOptions & Partial<Into>) {
  const { rows, dim } = table(options);
  check.integer("rows", rows, 2, check.maxElements);
  const x = rowsOf("x", options.x, { rows, dim });
  const out = output("f32", "out", options.out, rows - 1);
  return caller.call({ x, out }, (module, b) => module.neighbour_distances(b.x, rows, dim, b.out)).out;
}

export function similarity(caller: Caller, options: SimilarityOptions & Partial<Into>) {
  const { rows, dim } = table(options);
  const cosine = check.boolean("cosine", check.or(options.cosine, false));
  const x = rowsOf("x", options.x, { rows, dim });
  const out = output("f32", "out", options.out, check.elements("out", rows, rows));
  return caller.call({ x, out }, (module, b) => module.similarity(b.x, rows, dim, cosine, b.out)).out;
}

export function maxAbsDifference(caller: Caller, options: MaxAbsDifferenceOptions): number {
  check.record(options);
  const a = input("f32", "a", options.a);
  const b = input("f32", "b", options.b, a.length);
  const out = output("f32", "out", undefined, 1);
  const made = caller.call({ a, b, out }, (module, h) => module.max_abs_difference(h.a, h.b, h.out));
  return made.out[0] as number;
}

export function ropeAngles(caller: Caller, options: RopeAnglesOptions & Partial<Into>) {
  check.record(options);
  const firstPosition = check.finite("firstPosition", options.firstPosition);
  const step = check.finite("step", check.or(options.step, 1));
  const count = check.size("count", options.count);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const out = output("f32", "out", options.out, check.elements("out", count, invFreq.length));
  return caller.call({ invFreq, out }, (module, b) =>
    module.rope_angles(firstPosition, step, b.invFreq, count, b.out),
  ).out;
}

export function ropePeriods(caller: Caller, options: RopePeriodsOptions): RopePeriods {
  check.record(options);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const contextLen = check.positive("contextLen", options.contextLen);
  const wavelength = output("f64", "wavelength", undefined, invFreq.length);
  const turns = output("f64", "turns", undefined, invFreq.length);
  return caller.call({ invFreq, wavelength, turns }, (module, b) =>
    module.rope_periods(b.invFreq, contextLen, b.wavelength, b.turns),
  );
}

export function pairPolar(caller: Caller, options: PairPolarOptions): PairPolar {
  check.record(options);
  const x = input("f32", "x", options.x);
  check.even("x", x.length);
  const layout = check.oneOf("layout", options.layout, layouts);
  const magnitude = output("f32", "magnitude", undefined, x.length / 2);
  const angle = output("f32", "angle", undefined, x.length / 2);
  return caller.call({ x, magnitude, angle }, (module, b) =>
    module.pair_polar(b.x, module.RopeLayout[layout], b.magnitude, b.angle),
  );
}

export function pairScores(caller: Caller, options: PairScoresOptions & Partial<Into>) {
  check.record(options);
  const query = input("f32", "query", options.query);
  check.even("query", query.length);
  const key = input("f32", "key", options.key, query.length);
  const layout = check.oneOf("layout", options.layout, layouts);
  const softmaxScale = check.finiteF32(
    "softmaxScale",
    check.or(options.softmaxScale, 1 / Math.sqrt(query.length)),
  );
  const out = output("f32", "out", options.out, query.length / 2);
  return caller.call({ query, key, out }, (module, b) =>
    module.pair_scores(b.query, b.key, module.RopeLayout[layout], softmaxScale, b.out),
  ).out;
}

function scored(options: RopeScorePairOptions) {
  check.record(options);
  const query = input("f32", "query", options.query);
  const key = input("f32", "key", options.key, query.length);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const layout = check.oneOf("layout", options.layout, layouts);
  const softmaxScale = check.finite(
    "softmaxScale",
    check.or(options.softmaxScale, 1 / Math.sqrt(query.length)),
  );
  const pairMask = optional("u8", "pairMask", options.pairMask, invFreq.length);
  return { slots: { query, key, invFreq, pairMask }, layout, softmaxScale };
}

function distances(options: DistancesOptions) {
  check.record(options);
  return {
    firstDistance: check.finite("firstDistance", check.or(options.firstDistance, 0)),
    step: check.finite("step", check.or(options.step, 1)),
    count: check.size("count", options.count),
  };
}

export function ropeScore(caller: Caller, options: RopeScoreOptions): RopeScore {
  const { slots, layout, softmaxScale } = scored(options);
  const distance = check.finite("distance", options.distance);
  const parts = output("f32", "parts", undefined, slots.invFreq.length);
  const totals = output("f32", "totals", undefined, 2);
  const made = caller.call({ ...slots, parts, totals }, (module, b) =>
    module.rope_score(
      b.query,
      b.key,
      b.invFreq,
      module.RopeLayout[layout],
      distance,
      softmaxScale,
      b.pairMask,
      b.parts,
      b.totals,
    ),
  );
  const [rest, score] = made.totals as unknown as [number, number];
  return { parts: made.parts, rest, score };
}

export function ropeScoreByDistance(caller: Caller, options: RopeScoreByDistanceOptions & Partial<Into>) {
  const { slots, layout, softmaxScale } = scored(options);
  const { firstDistance, step, count } = distances(options);
  const out = output("f32", "out", options.out, count);
  return caller.call({ ...slots, out }, (module, b) =>
    module.rope_score_by_distance(
      b.query,
      b.key,
      b.invFreq,
      module.RopeLayout[layout],
      firstDistance,
      step,
      softmaxScale,
      b.pairMask,
      b.out,
    ),
  ).out;
}

export function ropeRandomScores(caller: Caller, options: RopeRandomScoresOptions): RopeRandomScores {
  const { firstDistance, step, count } = distances(options);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const seed = check.uint32("seed", options.seed);
  const draws = check.size("draws", options.draws);
  const correlation = check.within("correlation", check.or(options.correlation, 0), -1, 1);
  const mean = output("f32", "mean", undefined, count);
  const deviation = output("f32", "deviation", undefined, count);
  return caller.call({ invFreq, mean, deviation }, (module, b) =>
    module.rope_random_scores(b.invFreq, seed, draws, correlation, firstDistance, step, b.mean, b.deviation),
  );
}

export function ropeDecayBound(caller: Caller, options: RopeDecayBoundOptions & Partial<Into>) {
  const { firstDistance, step, count } = distances(options);
  const invFreq = input("f64", "invFreq", options.invFreq);
  const out = output("f32", "out", options.out, count);
  return caller.call({ invFreq, out }, (module, b) =>
    module.rope_decay_bound(b.invFreq, firstDistance, step, b.out),
  ).out;
}
