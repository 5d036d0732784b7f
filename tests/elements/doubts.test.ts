// What the margin holds against the lecture's claims: the curves against arithmetic in double, and each number that the
// prose states against the curves.
import { readdirSync, readFileSync } from "node:fs";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { type Claim, claims, type Doubt, doubts } from "../../web/elements/doubts.js";

const engine = await loadRopewalk();
const made = Object.fromEntries(claims.map((claim) => [claim, doubts[claim](engine)])) as Record<
  Claim,
  Doubt
>;

// ---- The same in double, by the definitions -------------------------------------------------------------------------

const frequencies = (base: number, dim: number) =>
  Array.from({ length: dim / 2 }, (_, i) => base ** ((-2 * i) / dim));
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const meanCosine = (thetas: readonly number[]) => (distance: number) =>
  mean(thetas.map((theta) => Math.cos(distance * theta)));

/** RoFormer, section 3.4.3: the mean length of the partial sums of exp(i · distance · θ). */
function roformerBound(distance: number): number {
  let [re, im] = [0, 0];
  return mean(
    frequencies(1e4, 128).map((theta) => {
      re += Math.cos(distance * theta);
      im += Math.sin(distance * theta);
      return Math.hypot(re, im);
    }),
  );
}

/** A head's components c of what query t attends to, for each head, as one length. */
function attendedLength(t: number, masked: boolean): number {
  const [tokens, nHeads, headDim] = [64, 8, 64];
  const dim = nHeads * headDim;
  const tokenIds = Int32Array.from({ length: tokens }, (_, i) => i);
  const [query, key, value] = [7, 8, 9].map((seed) => engine.seededEmbedding({ tokenIds, dim, seed })) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const seen = masked ? t + 1 : tokens;
  let square = 0;
  for (let head = 0; head < nHeads; ++head) {
    const at = (row: number, c: number) => row * dim + head * headDim + c;
    const weights = Array.from({ length: seen }, (_, j) => {
      let dot = 0;
      for (let c = 0; c < headDim; ++c) dot += (query[at(t, c)] as number) * (key[at(j, c)] as number);
      return Math.exp(dot / Math.sqrt(headDim));
    });
    const sum = weights.reduce((a, b) => a + b);
    for (let c = 0; c < headDim; ++c) {
      const out = weights.reduce((total, weight, j) => total + weight * (value[at(j, c)] as number), 0) / sum;
      square += out * out;
    }
  }
  return Math.sqrt(square);
}

/** The mean size of the cosine of word t's vector and position t's encoding, t = 0 … 63. */
function wordToPosition(dim: number): number {
  const tokenIds = Int32Array.from({ length: 64 }, (_, i) => i);
  const words = engine.seededEmbedding({ tokenIds, dim, seed: 7 });
  const thetas = frequencies(1e4, dim);
  return mean(
    Array.from(tokenIds, (t) => {
      const word = [...words.subarray(t * dim, (t + 1) * dim)];
      const position = thetas.flatMap((theta) => [Math.sin(t * theta), Math.cos(t * theta)]);
      const dot = word.reduce((total, one, c) => total + one * (position[c] as number), 0);
      return Math.abs(dot) / (Math.hypot(...word) * Math.hypot(...position));
    }),
  );
}

/** xPos, algorithm 1: the root of the mean of the pairs' scales squared. */
const xposLength = (side: 1 | -1) => (position: number) =>
  Math.sqrt(
    mean(Array.from({ length: 64 }, (_, i) => ((i / 64 + 0.4) / 1.4) ** ((side * 2 * position) / 512))),
  );

const gemma = frequencies(1e4, 256);
const small = frequencies(1e4, 128);
const slow = meanCosine(gemma.slice(96));
const fast = meanCosine(gemma.slice(0, 32));

/** For each curve of a claim, its value at a whole x. */
const exact: Record<Claim, readonly ((x: number) => number)[]> = {
  causal: [(token) => attendedLength(token - 1, true), (token) => attendedLength(token - 1, false)],
  apart: [wordToPosition],
  factors: [(s) => 0.1 * Math.log(s) + 1, (s) => Math.sqrt(1 + Math.log(s) / Math.log(4096))],
  xpos: [xposLength(1), xposLength(-1)],
  bound: [roformerBound],
  cosine: [meanCosine(small)],
  bands: [slow, fast],
  base: [meanCosine(small), meanCosine(frequencies(5e5, 128))],
};

describe.each(claims)("%s", (claim) => {
  const { spans, curves, marks, x } = made[claim];

  test("draws what arithmetic in double gives, the least and the greatest of each span", () => {
    expect(curves.length).toBe(exact[claim].length);
    curves.forEach((curve, i) => {
      expect(curve.least.length).toBe(spans.length);
      expect(curve.greatest.length).toBe(spans.length);
      spans.forEach(({ first, last }, span) => {
        // The farthest of the wide spans would take long: every tenth of them.
        if (first > 2000 && span % 10 !== 0) return;
        let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (let at = first; at <= last; ++at) {
          const value = exact[claim][i]?.(at) as number;
          [low, high] = [Math.min(low, value), Math.max(high, value)];
        }
        const bound = 2e-5 * Math.max(1, Math.abs(high));
        expect(
          Math.abs((curve.least[span] as number) - low),
          `${curve.name}, least at ${first}`,
        ).toBeLessThan(bound);
        expect(Math.abs((curve.greatest[span] as number) - high), `greatest at ${first}`).toBeLessThan(bound);
      });
    });
  });

  test("leaves nothing out along its axis, nor has anything twice", () => {
    const sparse = ["apart", "factors", "xpos"].includes(claim);
    for (const [i, { first, last }] of spans.entries()) {
      expect(last).toBeGreaterThanOrEqual(first);
      const before = spans[i - 1]?.last ?? first - 1;
      if (sparse) expect(first).toBeGreaterThan(before);
      else expect(first).toBe(before + 1);
    }
    for (const tick of x.ticks) {
      expect(tick).toBeGreaterThanOrEqual(spans[0]?.first as number);
      expect(tick).toBeLessThanOrEqual(spans.at(-1)?.last as number);
    }
  });

  test("marks points of its curves, and says what they are", () => {
    for (const mark of marks) {
      const value = exact[claim][mark.curve]?.(mark.x) as number;
      expect(Math.abs(mark.y - value)).toBeLessThan(2e-5 * Math.max(1, value));
      const figure = Number(mark.figure.replace("−", "-").replaceAll(",", ""));
      const digits = mark.figure.split(".")[1]?.length ?? 0;
      const isPlace = mark.figure === mark.x.toLocaleString("en");
      if (!isPlace) expect(Math.abs(figure - value)).toBeLessThanOrEqual(0.5 * 10 ** -digits + 2e-5);
    }
  });
});

// ---- What the sentences say of them ---------------------------------------------------------------------------------

/** The first distance from 1 on of which something is so. */
function first(isSo: (distance: number) => boolean): number {
  let distance = 1;
  while (!isSo(distance)) ++distance;
  return distance;
}

test("the mean cosine first rises where it is said to, and falls below zero where it is said to", () => {
  const [of] = exact.cosine as [(distance: number) => number];
  expect(made.cosine.marks[0]?.x).toBe(first((distance) => of(distance) > of(distance - 1)));
  const below = (claim: Claim, mark: number, value: (distance: number) => number) =>
    expect(made[claim].marks[mark]?.x).toBe(first((distance) => value(distance) < 0));
  below("bands", 0, fast);
  below("bands", 2, slow);
  exact.base.forEach((value, i) => {
    below("base", i, value);
  });
});

test("the bound's peak far out is its greatest value from 100 on", () => {
  const peak = made.bound.marks[2]?.x as number;
  for (let distance = 100; distance <= 8192; ++distance)
    if (distance !== peak) expect(roformerBound(distance)).toBeLessThan(roformerBound(peak));
});

test("with a causal mask lengths fall along the text, and without it they do not", () => {
  const [masked, unmasked] = made.causal.curves.map(({ least }) => least) as [number[], number[]];
  const part = (values: readonly number[], from: number) => mean(values.slice(from, from + 16));
  for (const from of [16, 32, 48]) expect(part(masked, from)).toBeLessThan(part(masked, from - 16));
  expect(part(masked, 0) / part(masked, 48)).toBeGreaterThan(2);
  expect(Math.abs(part(unmasked, 0) / part(unmasked, 48) - 1)).toBeLessThan(0.1);
});

// ---- The notes themselves -------------------------------------------------------------------------------------------

const folder = new URL("../../web/page/chapters/en/", import.meta.url);
const notes = readdirSync(folder).flatMap((file) =>
  [...readFileSync(new URL(file, folder), "utf8").matchAll(/^::: is-it-so\n(.*?)^:::$/gms)].map(
    ([, note]) => ({
      file,
      note: note as string,
      claims: [...(note as string).matchAll(/<ropewalk-doubt claim="(\w+)">/g)].map(
        ([, claim]) => claim as Claim,
      ),
    }),
  ),
);
const withCurves = notes.filter((note) => note.claims.length > 0);

/** Numbers of the prose that are settings or limits, and not results. */
const stated: Partial<Record<Claim, readonly string[]>> = {
  bound: ["100"],
  cosine: ["0"],
  bands: ["0", "8,192"],
  base: ["0", "2", "4,096"],
};

/** Whole numbers and decimals that stand by themselves: not the 7 of «7B». */
const numbers = (text: string): readonly string[] =>
  text.match(/(?<![\w.,−])−?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])/g) ?? [];

test("each claim is doubted in one place", () => {
  expect(withCurves.flatMap((note) => note.claims).sort()).toEqual([...claims].sort());
});

test.each(withCurves)("$file states of $claims what is computed, and names papers", ({ note, claims }) => {
  const known = claims.flatMap((claim) => [
    ...made[claim].marks.flatMap(({ figure, words }) => [figure, ...numbers(words)]),
    ...(stated[claim] ?? []),
  ]);
  const prose = note.replace(/\]\([^)]*\)/g, "]").replace(/<[^>]*>/g, "");
  expect(numbers(prose).filter((number) => !known.includes(number))).toEqual([]);
  // Nor is it silent on them: half of the figures at least are in the words.
  for (const claim of claims) {
    const figures = made[claim].marks.map(({ figure }) => figure);
    const told = figures.filter((figure) => numbers(prose).includes(figure));
    expect(2 * told.length).toBeGreaterThanOrEqual(figures.length);
  }
  const links = [...note.matchAll(/\]\(([^)]*)\)/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThan(0);
  for (const link of links) expect(link).toMatch(/^https:\/\/arxiv\.org\/abs\/\d{4}\.\d{5}$/);
});
