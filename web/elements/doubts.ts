import type { Ropewalk } from "ropewalk";
import { grouped } from "./figure.js";
import { fixed } from "./picture.js";
import { words } from "./words/en/doubts.js";

/** Where along its axis a point of the curves is: one whole number, or all from `first` to `last`. */
export interface Span {
  first: number;
  last: number;
}

/** One curve, over each span: its least and its greatest value there, which are one where the span is one number. */
export interface Curve {
  name: string;
  least: readonly number[];
  greatest: readonly number[];
}

/** A value that the note speaks of: where it is, and how it is written. */
export interface Mark {
  /** Which of the curves. */
  curve: number;
  x: number;
  y: number;
  /** The number that is set large. */
  figure: string;
  /** What it is. */
  words: string;
}

export interface Axis {
  words: string;
  scale: "linear" | "log";
  /** Where there is a line, and a number beside it. */
  ticks: readonly number[];
}

/** What a claim is held against. */
export interface Doubt {
  /** What the curves are, in a few words. */
  title: string;
  x: Axis;
  y: Axis;
  /** Digits of a value that is read off. */
  digits: number;
  spans: readonly Span[];
  curves: readonly Curve[];
  marks: readonly Mark[];
}

const headDim = 128;
const layout = "half";
const seed = 7;

/** A vector of length 1 whose pairs are all alike. */
const even = (dim: number) => new Float32Array(dim).fill(1 / Math.sqrt(dim));

/** Each a number, from `first` to `last` in equal steps. */
function evenSpans(first: number, last: number, step = 1): Span[] {
  const spans: Span[] = [];
  for (let at = first; at <= last; at += step) spans.push({ first: at, last: at });
  return spans;
}

/** From 1 to `last`, spans that grow as their numbers do: so many each time that these double. */
function growingSpans(last: number, perDoubling: number): Span[] {
  const spans: Span[] = [];
  for (let first = 1; first <= last; ) {
    const next = Math.max(first + 1, Math.round(first * 2 ** (1 / perDoubling)));
    spans.push({ first, last: Math.min(last, next - 1) });
    first = next;
  }
  return spans;
}

/** A curve whose `values` are a number for each whole x from 0 on. */
function curve(name: string, values: Float32Array, spans: readonly Span[]): Curve {
  const within = spans.map(({ first, last }) => values.subarray(first, last + 1));
  return {
    name,
    least: within.map((some) => some.reduce((a, b) => Math.min(a, b))),
    greatest: within.map((some) => some.reduce((a, b) => Math.max(a, b))),
  };
}

/** A curve that has a number for each span. */
const exact = (name: string, values: readonly number[]): Curve => ({ name, least: values, greatest: values });

/** The mean of cos(distance · θ) over some pairs, at distances 0 … last: the score of two equal vectors of length 1. */
function meanCosine(
  engine: Ropewalk,
  last: number,
  { ropeTheta = 10_000, dim = headDim, from = 0, to = headDim / 2 } = {},
): Float32Array {
  const vector = even(dim);
  return engine.ropeScoreByDistance({
    query: vector,
    key: vector,
    invFreq: engine.ropeInvFreq({ rotaryDim: dim, ropeTheta }),
    layout,
    pairMask: Uint8Array.from({ length: dim / 2 }, (_, i) => (i >= from && i < to ? 1 : 0)),
    softmaxScale: dim / 2 / (to - from),
    count: last + 1,
  });
}

const firstBelowZero = (values: Float32Array) => values.findIndex((value) => value < 0);

/** Attention without positions: how long the vector is that comes out, along the text. */
function causal(engine: Ropewalk): Doubt {
  const says = words.causal;
  const tokens = 64;
  const nHeads = 8;
  const dim = nHeads * 64;
  const tokenIds = Int32Array.from({ length: tokens }, (_, i) => i);
  const drawn = (stream: number) => engine.seededEmbedding({ tokenIds, dim, seed: seed + stream });
  const heads = { query: drawn(0), key: drawn(1), value: drawn(2), qLen: tokens, nHeads, headDim: 64 };
  const lengths = (masked: boolean) => {
    const { out } = engine.attention({ ...heads, causal: masked });
    // The first token is 1 here, as one counts in words.
    return Float32Array.of(Number.NaN, ...engine.rowNorms({ x: out, rows: tokens, dim }));
  };
  const [withMask, without] = [lengths(true), lengths(false)];
  const spans = evenSpans(1, tokens);
  const at = (x: number): Mark => {
    const y = withMask[x] as number;
    return { curve: 0, x, y, figure: fixed(y, 1), words: x === 1 ? says.first : says.token(x) };
  };
  return {
    title: says.title,
    x: { words: says.x, scale: "linear", ticks: [1, 16, 32, 48, 64] },
    y: { words: says.y, scale: "linear", ticks: [0, 10, 20, 30] },
    digits: 1,
    spans,
    curves: [curve(says.masked, withMask, spans), curve(says.unmasked, without, spans)],
    marks: [at(1), at(16), at(64)],
  };
}

/** How near a word's direction an added position's is, as there are more components. */
function apart(engine: Ropewalk): Doubt {
  const says = words.apart;
  const dims = [8, 16, 32, 64, 128, 256, 512];
  const rows = 64;
  const tokenIds = Int32Array.from({ length: rows }, (_, i) => i);
  const means = dims.map((dim) => {
    const tokens = engine.seededEmbedding({ tokenIds, dim, seed });
    const positions = engine.sinusoidalEncoding({ seqLen: rows, dim });
    const cosines = engine.rowCosines({ a: tokens, b: positions, rows, dim });
    const weight = new Float32Array(rows).fill(1 / rows);
    const mean = engine.linear({ x: cosines.map(Math.abs), weight, rows: 1, inDim: rows, outDim: 1 });
    return mean[0] as number;
  });
  const at = (dim: number): Mark => {
    const y = means[dims.indexOf(dim)] as number;
    return { curve: 0, x: dim, y, figure: fixed(y, 2), words: says.components(dim) };
  };
  return {
    title: says.title,
    x: { words: says.x, scale: "log", ticks: [8, 32, 128, 512] },
    y: { words: says.y, scale: "linear", ticks: [0, 0.1, 0.2, 0.3] },
    digits: 3,
    spans: dims.map((dim) => ({ first: dim, last: dim })),
    curves: [exact(says.curve, means)],
    marks: [at(8), at(512)],
  };
}

/** A rotated query's length, of 1 before, as YaRN and LongRoPE extend a context of 4,096 tokens. */
function factors(engine: Ropewalk): Doubt {
  const says = words.factors;
  const trained = 4096;
  const scales = [1, 2, 4, 8, 16, 32, 64];
  const like = (factor: number) => new Array<number>(headDim / 2).fill(factor);
  const lengths = (rope: (factor: number) => object) =>
    scales.map((factor) => {
      const { invFreq, attentionFactor } = engine.ropeFromConfig({
        config: {
          head_dim: headDim,
          rope_theta: 10_000,
          max_position_embeddings: factor * trained,
          original_max_position_embeddings: trained,
          rope_scaling: rope(factor),
        },
      });
      const rotated = engine.applyRope({
        ...engine.buildRopeCache({ positionOffset: 1000, seqLen: 1, invFreq, attentionFactor }),
        ...{ x: even(headDim), seqLen: 1, nHeads: 1, headDim, layout },
      });
      return engine.rowNorms({ x: rotated, rows: 1, dim: headDim })[0] as number;
    });
  const yarn = lengths((factor) => ({
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: trained,
  }));
  const longrope = lengths((factor) => ({
    rope_type: "longrope",
    short_factor: like(1),
    long_factor: like(factor),
  }));
  const at = (index: number, name: string, values: readonly number[], factor: number): Mark => {
    const y = values[scales.indexOf(factor)] as number;
    return { curve: index, x: factor, y, figure: fixed(y, 2), words: says.times(name, factor) };
  };
  return {
    title: says.title,
    x: { words: says.x, scale: "log", ticks: [1, 4, 16, 64] },
    y: { words: says.y, scale: "linear", ticks: [1, 1.2, 1.4] },
    digits: 3,
    spans: scales.map((factor) => ({ first: factor, last: factor })),
    curves: [exact("YaRN", yarn), exact("LongRoPE", longrope)],
    marks: [at(0, "YaRN", yarn, 4), at(0, "YaRN", yarn, 32), at(1, "LongRoPE", longrope, 32)],
  };
}

/** Lengths under xPos, of 1 before, by position. */
function xpos(engine: Ropewalk): Doubt {
  const says = words.xpos;
  const last = 1024;
  const spans = evenSpans(0, last, 16);
  const positionIds = Int32Array.from(spans, ({ first }) => first);
  const rows = spans.length;
  const invFreq = engine.ropeInvFreq({ rotaryDim: headDim });
  const lengths = (side: "query" | "key") => {
    const rotated = engine.applyRope({
      ...engine.buildXposCache({ positionIds, invFreq, side }),
      ...{ x: new Float32Array(rows * headDim).fill(1 / Math.sqrt(headDim)), seqLen: rows, nHeads: 1 },
      ...{ headDim, layout },
    });
    return [...engine.rowNorms({ x: rotated, rows, dim: headDim })];
  };
  const [query, key] = [lengths("query"), lengths("key")];
  const at = (index: number, name: string, values: readonly number[]): Mark => {
    const y = values.at(-1) as number;
    return { curve: index, x: last, y, figure: fixed(y, 2), words: says.at(name, grouped(last)) };
  };
  return {
    title: says.title,
    x: { words: says.x, scale: "linear", ticks: [0, 512, 1024] },
    y: { words: says.y, scale: "log", ticks: [0.5, 1, 2, 4] },
    digits: 2,
    spans,
    curves: [exact(says.query, query), exact(says.key, key)],
    marks: [at(0, says.query, query), at(1, says.key, key)],
  };
}

/** RoFormer's bound of a score, in its setting. */
function bound(engine: Ropewalk): Doubt {
  const says = words.bound;
  const last = 8192;
  const values = engine.ropeDecayBound({
    invFreq: engine.ropeInvFreq({ rotaryDim: headDim }),
    count: last + 1,
  });
  const far = values.subarray(4000);
  const peak = 4000 + far.indexOf(far.reduce((a, b) => Math.max(a, b)));
  const spans = growingSpans(last, 10);
  const at = (x: number): Mark => {
    const y = values[x] as number;
    return { curve: 0, x, y, figure: fixed(y, 2), words: says.at(grouped(x)) };
  };
  return {
    title: says.title,
    x: { words: says.x, scale: "log", ticks: [1, 10, 100, 1000] },
    y: { words: says.y, scale: "log", ticks: [2, 4, 8, 16, 32] },
    digits: 2,
    spans,
    curves: [curve(says.curve, values, spans)],
    marks: [at(1000), at(4000), at(peak)],
  };
}

/** The score of two equal vectors: all that decays, since that of two unlike ones has no mean to decay from. */
function cosine(engine: Ropewalk): Doubt {
  const says = words.cosine;
  const last = 8192;
  const values = meanCosine(engine, last);
  const rise = values.findIndex((value, i) => i > 0 && value > (values[i - 1] as number));
  const spans = growingSpans(last, 10);
  const at = (x: number, figure: string, text: string): Mark => ({
    ...{ curve: 0, x, y: values[x] as number, figure, words: text },
  });
  return {
    title: says.title,
    x: { words: says.x, scale: "log", ticks: [1, 10, 100, 1000] },
    y: { words: says.y, scale: "linear", ticks: [0, 0.5, 1] },
    digits: 4,
    spans,
    curves: [curve(says.curve, values, spans)],
    marks: [
      at(rise, grouped(rise), says.rise),
      at(4060, fixed(values[4060] as number, 2), says.at(grouped(4060))),
    ],
  };
}

/** What the fastest and the slowest quarter of the pairs give, in a head such as Gemma 7B's. */
function bands(engine: Ropewalk): Doubt {
  const says = words.bands;
  const dim = 256;
  const pairs = dim / 2;
  const last = 8192;
  const fast = meanCosine(engine, last, { dim, to: pairs / 4 });
  const slow = meanCosine(engine, last, { dim, from: (3 * pairs) / 4, to: pairs });
  const spans = growingSpans(last, 10);
  const below = (index: number, text: string, values: Float32Array): Mark => {
    const x = firstBelowZero(values);
    return { curve: index, x, y: values[x] as number, figure: grouped(x), words: text };
  };
  return {
    title: says.title,
    x: { words: says.x, scale: "log", ticks: [1, 10, 100, 1000] },
    y: { words: says.y, scale: "linear", ticks: [0, 0.5, 1] },
    digits: 4,
    spans,
    curves: [curve(says.slow, slow, spans), curve(says.fast, fast, spans)],
    marks: [
      below(1, says.fastBelow, fast),
      {
        curve: 0,
        x: 64,
        y: slow[64] as number,
        figure: fixed(slow[64] as number, 4),
        words: says.slowAt(64),
      },
      below(0, says.slowBelow, slow),
    ],
  };
}

/** The same mean cosine for two bases, as far as it stays above zero and beyond. */
function base(engine: Ropewalk): Doubt {
  const says = words.base;
  const last = 32_768;
  const spans = growingSpans(last, 8);
  const bases = [10_000, 500_000];
  const values = bases.map((ropeTheta) => meanCosine(engine, last, { ropeTheta }));
  return {
    title: says.title,
    x: { words: says.x, scale: "log", ticks: [1, 100, 10_000] },
    y: { words: says.y, scale: "linear", ticks: [0, 0.5, 1] },
    digits: 3,
    spans,
    curves: bases.map((one, i) => curve(says.curve(grouped(one)), values[i] as Float32Array, spans)),
    marks: bases.map((one, i) => {
      const of = values[i] as Float32Array;
      const x = firstBelowZero(of);
      return {
        curve: i,
        x,
        y: of[x] as number,
        figure: grouped(x),
        words: says.below(grouped(one)),
      };
    }),
  };
}

/** What is claimed, by name, and what the engine gives to hold against it. */
export const doubts = { causal, apart, factors, xpos, bound, cosine, bands, base } as const satisfies Record<
  string,
  (engine: Ropewalk) => Doubt
>;

export type Claim = keyof typeof doubts;
export const claims = Object.keys(doubts) as Claim[];
