import type { Ropewalk } from "ropewalk";
import type { RopePicture } from "./rope.js";
import { tokenId } from "./tokens.js";
import { words } from "./words/en/integer.js";

export interface IntegerSettings {
  tokens: readonly string[];
  seed: number;
  /** The word that is looked at, and another one: indices of tokens. */
  query: number;
  key: number;
  /** Where both stand. */
  position: number;
}

/** What adding its position has made of a word, at some positions. */
export interface Drowning {
  /** Of the sum. */
  length: Float32Array;
  /** Of the sum to the word alone. */
  cosine: Float32Array;
  /** Of the sum to the other word's sum. */
  alike: Float32Array;
}

export interface IntegerResults {
  /** [4, dim]: the word alone, the count, their sum, and the other word's sum. */
  rows: Float32Array;
  /** [4] */
  lengths: Float32Array;
  cosine: number;
  alike: number;
  /** At all `stops`. */
  curves: Drowning;
  /** The first position at which the cosine to the word alone is under `lost`; undefined where there is none. */
  lostFrom: number | undefined;
  /** The first at which two different words are more alike than `same`. */
  sameFrom: number | undefined;
  rope: RopePicture;
}

export const dim = 64;
/** Furthest position. */
export const furthest = 100_000;
export const lost = 0.5;
export const same = 0.99;

/** Positions that the slider stops at: every one at first, then ever further apart. */
export const stops: Int32Array = (() => {
  const perDecade = 24;
  const all = Array.from({ length: 5 * perDecade + 1 }, (_, i) => Math.round(10 ** (i / perDecade)));
  return Int32Array.from([...new Set([0, ...all])]);
})();

const farLength = 512;

/** A word's embedding, and its position added to every component of it. */
export class IntegerPipeline {
  readonly #engine: Ropewalk;
  #known:
    | { inputs: string; curves: Drowning; lostFrom: number | undefined; sameFrom: number | undefined }
    | undefined;
  #rope: { length: number; picture: RopePicture } | undefined;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  run({ tokens, seed, query, key, position }: IntegerSettings): IntegerResults {
    const engine = this.#engine;
    const tokenIds = Int32Array.of(tokenId(tokens[query] as string), tokenId(tokens[key] as string));
    const embeddings = engine.seededEmbedding({ tokenIds, dim, seed });
    const word = embeddings.subarray(0, dim);
    const other = embeddings.subarray(dim);
    const count = engine.integerEncoding({ positionIds: Int32Array.of(position), dim });
    const sum = engine.addEncoding({ x: word, encoding: count, dim });
    const otherSum = engine.addEncoding({ x: other, encoding: count, dim });
    const rows = new Float32Array(4 * dim);
    [word, count, sum, otherSum].forEach((row, i) => {
      rows.set(row, i * dim);
    });
    const cosine = (a: Float32Array, b: Float32Array) =>
      engine.rowCosines({ a, b, rows: 1, dim })[0] as number;
    const { curves, lostFrom, sameFrom } = this.#curves(word, other, JSON.stringify([...tokenIds, seed]));
    return {
      rows,
      lengths: engine.rowNorms({ x: rows, rows: 4, dim }),
      cosine: cosine(sum, word),
      alike: cosine(sum, otherSum),
      curves,
      lostFrom,
      sameFrom,
      rope: this.#picture(tokens.length),
    };
  }

  #curves(word: Float32Array, other: Float32Array, inputs: string) {
    if (this.#known?.inputs !== inputs) {
      const at = (positions: Int32Array) => this.#drown(word, other, positions);
      const curves = at(stops);
      this.#known = {
        inputs,
        curves,
        lostFrom: first(curves, at, ({ cosine }, i) => (cosine[i] as number) < lost),
        sameFrom: first(curves, at, ({ alike }, i) => (alike[i] as number) > same),
      };
    }
    return this.#known;
  }

  #drown(word: Float32Array, other: Float32Array, positions: Int32Array): Drowning {
    const engine = this.#engine;
    const rows = positions.length;
    const encoding = engine.integerEncoding({ positionIds: positions, dim });
    const repeated = (row: Float32Array) => {
      const all = new Float32Array(rows * dim);
      for (let i = 0; i < rows; ++i) all.set(row, i * dim);
      return all;
    };
    const alone = repeated(word);
    const sums = engine.addEncoding({ x: alone, encoding, dim });
    const others = engine.addEncoding({ x: repeated(other), encoding, dim });
    return {
      length: engine.rowNorms({ x: sums, rows, dim }),
      cosine: engine.rowCosines({ a: sums, b: alone, rows, dim }),
      alike: engine.rowCosines({ a: sums, b: others, rows, dim }),
    };
  }

  /** One ramp: over the sentence, and from further off. */
  #picture(n: number): RopePicture {
    if (this.#rope?.length !== n) {
      const ramp = (last: number) => ({
        values: this.#engine
          .integerEncoding({ seqLen: last + 1, dim: 1 })
          // Ink is at its darkest where the strip ends.
          .map((value) => value / Math.max(1, last)),
        columns: last + 1,
        strands: 1,
      });
      const labels = { first: words.ropeFirst, last: words.ropeLast(n - 1) };
      const picture: RopePicture = {
        kind: "level",
        near: ramp(n - 1),
        far: ramp(farLength - 1),
        farLength,
        labels,
      };
      this.#rope = { length: n, picture };
    }
    return this.#rope.picture;
  }
}

/** The first position of which something holds: at a stop, or between the one before and the first stop at which it does. */
function first(
  curves: Drowning,
  at: (positions: Int32Array) => Drowning,
  holds: (drowning: Drowning, i: number) => boolean,
): number | undefined {
  const stop = stops.findIndex((_, i) => holds(curves, i));
  if (stop <= 0) return stops[stop];
  const before = stops[stop - 1] as number;
  const between = Int32Array.from({ length: (stops[stop] as number) - before }, (_, i) => before + 1 + i);
  const drowning = at(between);
  return between.find((_, i) => holds(drowning, i));
}
