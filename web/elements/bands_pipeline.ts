import type { Ropewalk } from "ropewalk";
import { tokenId } from "./tokens.js";

/** Tokens of a phrase: from the first to the last of them. */
export interface Span {
  first: number;
  last: number;
}

export interface BandsSettings {
  tokens: readonly string[];
  seed: number;
  head: number;
  headDim: number;
  /** rope_theta. */
  base: number;
  query: Span;
  key: Span;
  /** Whether the key is the query itself, in place of one drawn for itself. */
  alike: boolean;
  /** Pairs left out, in rising order. */
  muted: readonly number[];
  /** The query's position less the key's. */
  distance: number;
  /** Tokens that the model reads. */
  context: number;
}

/** Pairs that are muted together, and what they give to the score. */
export interface Band {
  pairs: readonly number[];
  score: number;
}

/** The score at each of the sampled distances, with all pairs and with the muted ones left out. */
export interface Curve {
  distances: Float64Array;
  all: Float32Array;
  left: Float32Array;
}

export interface BandsResults {
  /** What each pair gives, also a muted one. */
  parts: Float32Array;
  /** The sum of the parts up to and with each pair, without the muted ones. */
  running: Float32Array;
  /** Of all pairs. */
  score: number;
  /** Without the muted ones. */
  left: number;
  /** What each pair turns by from key to query, in radians in [-π, π]. */
  angles: Float32Array;
  /** Tokens to a turn. */
  wavelength: Float64Array;
  /** In the context. */
  turns: Float64Array;
  bands: { fast: Band; middle: Band; slow: Band };
  curve: Curve;
  twist: Twist;
}

/** Angles of all pairs along the axis of distances: for each octave so many columns, [columns, pairs] row-major. */
export interface Twist {
  values: Float32Array;
  pairs: number;
}

export const nHeads = 4;
/** A fast pair comes round within so many tokens: a long sentence. */
export const fastWithin = 64;
/** The axis of distances: from 1 to 2^octaves. */
export const octaves = 17;
export const furthest = 2 ** octaves;
/** Columns of the twist to an octave, evenly spaced within it. */
export const twistColumns = 128;
/** Most distances to an octave at which the score is computed, evenly spaced and whole. */
const curveSamples = 512;

const layout = "interleaved";

/** Two phrases → a query and a key → what each pair gives to their score, every step by the kernels. */
export class BandsPipeline {
  readonly #engine: Ropewalk;
  readonly #kept = new Map<string, { version: string; value: unknown }>();

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  run(settings: BandsSettings): BandsResults {
    const engine = this.#engine;
    const { headDim, base, distance, context } = settings;
    const n = headDim / 2;
    const { muted: _, distance: __, context: ___, ...content } = settings;
    const { query, key } = this.#keep("vectors", content, () => this.#vectors(settings));
    const invFreq = this.#keep("frequencies", [headDim, base], () =>
      engine.ropeInvFreq({ rotaryDim: headDim, ropeTheta: base }),
    );
    const { wavelength, turns } = engine.ropePeriods({ invFreq, contextLen: context });

    const scored = { query, key, invFreq, layout } as const;
    const muted = settings.muted.filter((pair) => pair < n);
    const pairMask = maskOf(n, (pair) => !muted.includes(pair));
    const { parts, score } = engine.ropeScore({ ...scored, distance });
    const left = engine.ropeScore({ ...scored, distance, pairMask }).score;
    const heard = parts.map((part, pair) => (muted.includes(pair) ? 0 : part));

    const band = (belongs: (pair: number) => boolean): Band => ({
      pairs: Array.from({ length: n }, (_, pair) => pair).filter(belongs),
      score: engine.ropeScore({ ...scored, distance, pairMask: maskOf(n, belongs) }).score,
    });
    const isSlow = (pair: number) => (turns[pair] as number) < 1;
    const isFast = (pair: number) => !isSlow(pair) && (wavelength[pair] as number) <= fastWithin;

    const curve = (mask: Uint8Array | undefined) => {
      const calls = axis(curveSamples);
      return join(
        calls.map((call) =>
          engine.ropeScoreByDistance({
            ...scored,
            ...call,
            ...(mask === undefined ? {} : { pairMask: mask }),
          }),
        ),
      );
    };
    const all = this.#keep("all", [content], () => curve(undefined));
    return {
      parts,
      running: engine.linear({
        x: heard,
        weight: Float32Array.from({ length: n * n }, (_, at) => (at % n <= Math.floor(at / n) ? 1 : 0)),
        rows: 1,
        inDim: n,
        outDim: n,
      }),
      score,
      left,
      angles: engine.ropeAngles({ firstPosition: distance, count: 1, invFreq }),
      wavelength,
      turns,
      bands: {
        fast: band(isFast),
        middle: band((pair) => !isSlow(pair) && !isFast(pair)),
        slow: band(isSlow),
      },
      curve: this.#keep("curve", [content, muted], () => ({
        distances: distancesOf(axis(curveSamples)),
        all,
        left: muted.length === 0 ? all : curve(pairMask),
      })),
      twist: this.#keep("twist", [headDim, base], () => ({
        values: join(
          Array.from({ length: octaves }, (_, octave) =>
            engine.ropeAngles({
              firstPosition: 2 ** octave,
              step: 2 ** octave / twistColumns,
              count: twistColumns,
              invFreq,
            }),
          ),
        ),
        pairs: n,
      })),
    };
  }

  /** A phrase stands at its last token, and its content is the mean of its tokens'. */
  #vectors({ tokens, seed, head, headDim, query, key, alike }: BandsSettings) {
    const dim = nHeads * headDim;
    const projected = ({ first, last }: Span, stream: number) => {
      const words = tokens.slice(first, last + 1);
      const count = words.length;
      const x = this.#engine.seededEmbedding({ tokenIds: Int32Array.from(words, tokenId), dim, seed });
      const mean = this.#engine.linear({
        x: new Float32Array(count).fill(1 / count),
        weight: x.map((_, at) => x[(at % count) * dim + Math.floor(at / count)] as number),
        rows: 1,
        inDim: count,
        outDim: dim,
      });
      const weight = this.#engine.seededProjection({ seed, stream, outDim: dim, inDim: dim });
      const made = this.#engine.linear({ x: mean, weight, rows: 1, inDim: dim, outDim: dim });
      return made.slice(head * headDim, (head + 1) * headDim);
    };
    const asked = projected(query, 0);
    return { query: asked, key: alike ? asked : projected(key, 1) };
  }

  /** What `make` made when the inputs were last these; the same object, so that nobody draws it anew. */
  #keep<T>(name: string, inputs: unknown, make: () => T): T {
    const version = JSON.stringify(inputs);
    const known = this.#kept.get(name);
    if (known?.version === version) return known.value as T;
    const value = make();
    this.#kept.set(name, { version, value });
    return value;
  }
}

function maskOf(n: number, isIn: (pair: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: n }, (_, pair) => (isIn(pair) ? 1 : 0));
}

/** Whole distances from 1 up, octave by octave, at most so many in each; the last of all is the furthest. */
function axis(most: number) {
  const all = Array.from({ length: octaves }, (_, octave) => {
    const count = Math.min(2 ** octave, most);
    return { firstDistance: 2 ** octave, step: 2 ** octave / count, count };
  });
  return [...all, { firstDistance: furthest, step: 1, count: 1 }];
}

function distancesOf(calls: ReturnType<typeof axis>): Float64Array {
  return Float64Array.from(
    calls.flatMap(({ firstDistance, step, count }) =>
      Array.from({ length: count }, (_, at) => firstDistance + at * step),
    ),
  );
}

function join(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
