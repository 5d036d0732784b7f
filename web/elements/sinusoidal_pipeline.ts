import type { Ropewalk } from "ropewalk";
import type { Polar } from "./dials.js";
import { type Stretch, stretchAround } from "./stretch.js";
import type { Strip } from "./strip.js";
import { tokenId } from "./tokens.js";

/** Components of an embedding: as few as can be drawn one by one. */
export const dim = 16;
export const pairs = dim / 2;
export const positions = 4096;

export interface SinusoidalSettings {
  position: number;
  /** Positions seen at once. */
  span: number;
  /** What is seen so far: it stays if it can. */
  shown?: Stretch | undefined;
  base: number;
  /** Of the linear map, in positions. */
  shift: number;
  token: string;
  seed: number;
  /** Whether the embedding is multiplied by √dim before, as in «Attention Is All You Need». */
  scaled: boolean;
}

/** The encoding over a stretch: as it is at positions, and in between too, for a smooth picture. */
export interface Encoded {
  stretch: Stretch;
  /** [span, dim] */
  values: Float32Array;
  /** [columns, dim], sines and cosines from -1 to 1: an odd number of columns for each position, its own in the middle. */
  between: Float32Array;
  /** The same, from 0 to 1, as a picture. */
  levels: Strip;
  /** Of the same columns, in radians. */
  angles: Strip;
  /** Positions to a turn, and columns to a turn; each [pairs]. */
  wavelengths: Float64Array;
  columnsPerTurn: Float64Array;
  /** From each position to the next, but from the last: [span - 1]. */
  distances: Float32Array;
}

/** What takes every position of the stretch `shift` positions along. */
export interface Shifted {
  /** [dim, dim]: a block of two by two for each pair, and 0 elsewhere. */
  matrix: Float32Array;
  /** By which each block turns, in radians in [-π, π]: [pairs]. */
  angles: Float32Array;
  /** The matrix times the encoding of each position of the stretch: [span, dim]. */
  mapped: Float32Array;
  /** The encoding of each position and `shift`: [span, dim]. */
  encoded: Float32Array;
  /** The largest difference of any component at any position. */
  difference: number;
}

/** A token, and what is left of it when an encoding is added. */
export interface Added {
  /** Length of the token alone, and of the encoding of each position. */
  tokenLength: number;
  encodingLength: number;
  /** Of the sum at each position of the stretch: cosine to the token, and length; each [span]. */
  cosines: Float32Array;
  lengths: Float32Array;
  /** At the position that is looked at. */
  cosine: number;
  length: number;
  before: Polar;
  after: Polar;
}

export interface SinusoidalResults {
  encoded: Encoded;
  /** Of the position that is looked at: [dim]. */
  here: Float32Array;
  /** Each [pairs]. */
  angles: Float32Array;
  shifted: Shifted;
  added: Added;
}

/** Sines and cosines over positions; the map from each to another; and what adding them does. */
export class SinusoidalPipeline {
  readonly #engine: Ropewalk;
  readonly #kept = new Map<string, { inputs: string; value: unknown }>();

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  run(settings: SinusoidalSettings): SinusoidalResults {
    const { position, span, shown, base, shift, token, seed, scaled } = settings;
    const stretch = stretchAround(position, span, positions, shown);
    const seen = [stretch.first, span, base];
    const encoded = this.#keep("encoded", seen, () => this.#encode(stretch, base));
    const at = (position - stretch.first) * dim;
    const invFreq = this.#engine.ropeInvFreq({ rotaryDim: dim, ropeTheta: base });
    return {
      encoded,
      here: encoded.values.slice(at, at + dim),
      angles: this.#engine.ropeAngles({ firstPosition: position, count: 1, invFreq }),
      shifted: this.#keep("shifted", [...seen, shift], () => this.#shift(encoded, base, shift)),
      added: {
        ...this.#keep("added", [...seen, token, seed, scaled], () => this.#add(encoded, token, seed, scaled)),
        ...this.#addHere(encoded.values.subarray(at, at + dim), token, seed, scaled),
      },
    };
  }

  #encode(stretch: Stretch, base: number): Encoded {
    const engine = this.#engine;
    const { first, span } = stretch;
    const invFreq = engine.ropeInvFreq({ rotaryDim: dim, ropeTheta: base });
    const values = engine.sinusoidalEncoding({ seqLen: span, positionOffset: first, dim, base });
    const samples = Math.max(1, 2 * Math.floor(512 / span) + 1);
    const columns = span * samples;
    // Halves of a column as whole positions, and frequencies as much slower: the encoding itself has whole positions only.
    const halves = 2 * samples;
    const { cos, sin } = engine.buildRopeCache({
      positionIds: Int32Array.from({ length: columns }, (_, c) => first * halves - samples + 2 * c + 1),
      invFreq: invFreq.map((frequency) => frequency / halves),
    });
    const between = new Float32Array(columns * dim);
    for (let i = 0; i < cos.length; ++i) {
      between[2 * i] = sin[i] as number;
      between[2 * i + 1] = cos[i] as number;
    }
    const { wavelength } = engine.ropePeriods({ invFreq, contextLen: positions });
    const step = 1 / samples;
    return {
      ...{ stretch, values, between },
      levels: { values: between.map((value) => (value + 1) / 2), columns, strands: dim },
      angles: {
        values: engine.ropeAngles({ firstPosition: first - 0.5 + step / 2, step, count: columns, invFreq }),
        columns,
        strands: pairs,
      },
      wavelengths: wavelength,
      columnsPerTurn: wavelength.map((one) => one * samples),
      distances: engine.neighbourDistances({ x: values, rows: span, dim }),
    };
  }

  #shift({ stretch, values }: Encoded, base: number, shift: number): Shifted {
    const engine = this.#engine;
    const { first, span } = stretch;
    const invFreq = engine.ropeInvFreq({ rotaryDim: dim, ropeTheta: base });
    const { cos, sin } = engine.buildRopeCache({ seqLen: 1, positionOffset: shift, invFreq });
    const matrix = new Float32Array(dim * dim);
    for (let i = 0; i < pairs; ++i) {
      // A pair is (sine, cosine), and sin(a + b) = cos b sin a + sin b cos a.
      const at = 2 * i * (dim + 1);
      matrix[at] = matrix[at + dim + 1] = cos[i] as number;
      matrix[at + 1] = sin[i] as number;
      matrix[at + dim] = -(sin[i] as number);
    }
    const mapped = engine.linear({ x: values, weight: matrix, rows: span, inDim: dim, outDim: dim });
    const encoded = engine.sinusoidalEncoding({ seqLen: span, positionOffset: first + shift, dim, base });
    const angles = engine.ropeAngles({ firstPosition: shift, count: 1, invFreq });
    return {
      matrix,
      angles,
      mapped,
      encoded,
      difference: engine.maxAbsDifference({ a: mapped, b: encoded }),
    };
  }

  /** A token's vector, times √dim where that is asked for. */
  #token(token: string, seed: number, scaled: boolean): Float32Array {
    const engine = this.#engine;
    const x = engine.seededEmbedding({ tokenIds: Int32Array.of(tokenId(token)), dim, seed });
    const weight = new Float32Array(dim * dim);
    for (let i = 0; i < dim; ++i) weight[i * (dim + 1)] = Math.sqrt(dim);
    return scaled ? engine.linear({ x, weight, rows: 1, inDim: dim, outDim: dim }) : x;
  }

  #add({ stretch, values }: Encoded, token: string, seed: number, scaled: boolean) {
    const engine = this.#engine;
    const rows = stretch.span;
    const one = this.#token(token, seed, scaled);
    const x = new Float32Array(rows * dim);
    for (let row = 0; row < rows; ++row) x.set(one, row * dim);
    const sum = engine.addEncoding({ encoding: values, x, dim });
    return {
      cosines: engine.rowCosines({ a: x, b: sum, rows, dim }),
      lengths: engine.rowNorms({ x: sum, rows, dim }),
    };
  }

  #addHere(encoding: Float32Array, token: string, seed: number, scaled: boolean) {
    const engine = this.#engine;
    const x = this.#token(token, seed, scaled);
    const sum = engine.addEncoding({ encoding, x, dim });
    const norm = (vector: Float32Array) => engine.rowNorms({ x: vector, rows: 1, dim })[0] as number;
    return {
      ...{ tokenLength: norm(x), encodingLength: norm(encoding), length: norm(sum) },
      cosine: engine.rowCosines({ a: x, b: sum, rows: 1, dim })[0] as number,
      before: engine.pairPolar({ x, layout: "interleaved" }),
      after: engine.pairPolar({ x: sum, layout: "interleaved" }),
    };
  }

  /** What was made of the same inputs the last time: the same object, so that nobody draws it anew. */
  #keep<T>(name: string, all: unknown, make: () => T): T {
    const inputs = JSON.stringify(all);
    const known = this.#kept.get(name);
    if (known?.inputs === inputs) return known.value as T;
    const value = make();
    this.#kept.set(name, { inputs, value });
    return value;
  }
}
