import type { RopeLayout, Ropewalk } from "ropewalk";
import type { Polar } from "./dials.js";
import { tokenId } from "./tokens.js";

/** What a query is drawn from. */
export interface QuerySettings {
  tokens: readonly string[];
  seed: number;
  headDim: number;
  /** Index of the token. */
  query: number;
}

export interface TurnSettings {
  position: number;
  /** How much further it is compared with. */
  distance: number;
  layout: RopeLayout;
  base: number;
}

/** A vector after position came in, against what it was before. */
export interface Moved {
  vector: Float32Array;
  pairs: Polar;
  length: number;
  /** The largest change of any pair's length. */
  change: number;
}

/** Each [pairs]. */
export interface Turn {
  /** Radians in [-π, π]. */
  angle: Float32Array;
  /** Whole turns and their part. */
  turns: Float64Array;
}

/** One query at one position: turned by it, and pushed by the sinusoidal encoding of the same position. */
export interface Turned {
  before: { vector: Float32Array; pairs: Polar; length: number };
  rotary: Moved;
  sinusoidal: Moved;
  /** What position turns the pairs by, and what going further adds to that. */
  turn: Turn;
  further: Turn;
  /** Radians for each position. */
  invFreq: Float64Array;
  /** Positions to a turn. */
  wavelength: Float64Array;
}

/** Stream of the seed: the projection to queries. */
const queryStream = 0;

/** The query of one token, before any position: its seeded embedding, projected. */
export function queryOf(engine: Ropewalk, { tokens, seed, headDim, query }: QuerySettings): Float32Array {
  const x = engine.seededEmbedding({
    tokenIds: Int32Array.of(tokenId(tokens[query] as string)),
    dim: headDim,
    seed,
  });
  const weight = engine.seededProjection({ seed, stream: queryStream, outDim: headDim, inDim: headDim });
  return engine.linear({ x, weight, rows: 1, inDim: headDim, outDim: headDim });
}

export function turned(
  engine: Ropewalk,
  query: Float32Array,
  { position, distance, layout, base }: TurnSettings,
): Turned {
  const headDim = query.length;
  const invFreq = engine.ropeInvFreq({ rotaryDim: headDim, ropeTheta: base });
  const here = { positionIds: Int32Array.of(position) };
  const polar = (x: Float32Array): Polar => engine.pairPolar({ x, layout });
  const length = (x: Float32Array) => engine.rowNorms({ x, rows: 1, dim: headDim })[0] as number;
  const pairs = polar(query);
  const moved = (vector: Float32Array): Moved => {
    const after = polar(vector);
    const change = engine.maxAbsDifference({ a: pairs.magnitude, b: after.magnitude });
    return { vector, pairs: after, length: length(vector), change };
  };
  const turn = (by: number): Turn => ({
    angle: engine.ropeAngles({ firstPosition: by, count: 1, invFreq }),
    turns: by > 0 ? engine.ropePeriods({ invFreq, contextLen: by }).turns : new Float64Array(invFreq.length),
  });
  const cache = engine.buildRopeCache({ ...here, invFreq });
  const rotated = engine.applyRope({ x: query, ...cache, seqLen: 1, nHeads: 1, headDim, layout });
  // Sine and cosine of a frequency are neighbours in the encoding: in the other layout they go where its pairs are.
  const neighbours = engine.sinusoidalEncoding({ ...here, dim: headDim, base });
  const encoding =
    layout === "interleaved" ? neighbours : engine.convertRopeLayout({ x: neighbours, headDim, to: layout });
  return {
    before: { vector: query, pairs, length: length(query) },
    rotary: moved(rotated),
    sinusoidal: moved(engine.addEncoding({ x: query, encoding, dim: headDim })),
    turn: turn(position),
    further: turn(distance),
    invFreq,
    wavelength: engine.ropePeriods({ invFreq, contextLen: 1 }).wavelength,
  };
}

/** What a position in between turns the pairs by: for hands on their way. */
export function angleAt(engine: Ropewalk, invFreq: Float64Array, position: number): Float32Array {
  return engine.ropeAngles({ firstPosition: position, count: 1, invFreq });
}
