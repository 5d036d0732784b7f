import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import {
  BandsPipeline,
  type BandsSettings,
  octaves,
  twistColumns,
} from "../../web/elements/bands_pipeline.js";
import { tokenId } from "../../web/elements/tokens.js";
import { lecture } from "./lecture.js";

const settings: BandsSettings = {
  tokens: lecture.tokens,
  seed: 7,
  head: 2,
  headDim: 32,
  base: 10_000,
  query: { first: 7, last: 8 },
  key: { first: 3, last: 5 },
  alike: false,
  muted: [],
  distance: 3,
  context: 4096,
};

const engine = await loadRopewalk();
const pipeline = new BandsPipeline(await loadRopewalk());

/** The same in doubles, from the numbers that are drawn: no kernel but those that draw. */
function plain({ tokens, seed, head, headDim, query, key, alike }: BandsSettings) {
  const dim = 4 * headDim;
  const vector = (span: { first: number; last: number }, stream: number) => {
    const words = tokens.slice(span.first, span.last + 1);
    const x = engine.seededEmbedding({ tokenIds: Int32Array.from(words, tokenId), dim, seed });
    const weight = engine.seededProjection({ seed, stream, outDim: dim, inDim: dim });
    return Array.from({ length: headDim }, (_, c) => {
      let sum = 0;
      for (let j = 0; j < dim; ++j) {
        let mean = 0;
        for (let t = 0; t < words.length; ++t) mean += (x[t * dim + j] as number) / words.length;
        sum += mean * (weight[(head * headDim + c) * dim + j] as number);
      }
      return sum;
    });
  };
  const q = vector(query, 0);
  return { q, k: alike ? q : vector(key, 1) };
}

const frequency = ({ base, headDim }: BandsSettings, pair: number) => base ** ((-2 * pair) / headDim);

function part(of: BandsSettings, pair: number, distance = of.distance): number {
  const { q, k } = plain(of);
  const [qx, qy, kx, ky] = [q[2 * pair], q[2 * pair + 1], k[2 * pair], k[2 * pair + 1]] as [
    number,
    number,
    number,
    number,
  ];
  const length = Math.hypot(qx, qy) * Math.hypot(kx, ky);
  const between = Math.atan2(qy, qx) - Math.atan2(ky, kx);
  return (length * Math.cos(between + distance * frequency(of, pair))) / Math.sqrt(of.headDim);
}

function sum(of: BandsSettings, isIn: (pair: number) => boolean, distance = of.distance): number {
  let total = 0;
  for (let pair = 0; pair < of.headDim / 2; ++pair) if (isIn(pair)) total += part(of, pair, distance);
  return total;
}

const cases: [string, Partial<BandsSettings>][] = [
  ["the lecture's two phrases", {}],
  ["a key that is the query", { alike: true, muted: [0, 1, 15], distance: 1000 }],
  [
    "another head, seed, size and base",
    { head: 0, seed: 3, headDim: 16, base: 500, muted: [4], distance: 77 },
  ],
  ["a token with itself", { query: { first: 2, last: 2 }, key: { first: 2, last: 2 }, distance: 0 }],
  ["64 components, far off", { headDim: 64, distance: 131_072, muted: [30, 31], context: 131_072 }],
];

describe.each(cases)("%s", (_, change) => {
  const of = { ...settings, ...change };
  const n = of.headDim / 2;
  const got = pipeline.run(of);
  const heard = (pair: number) => !of.muted.includes(pair);

  test("each pair gives what the formula says, and they add up", () => {
    expect(got.parts).toHaveLength(n);
    for (let pair = 0; pair < n; ++pair) {
      expect(got.parts[pair]).toBeCloseTo(part(of, pair), 5);
      expect(got.running[pair]).toBeCloseTo(
        sum(of, (other) => other <= pair && heard(other)),
        5,
      );
    }
    expect(got.score).toBeCloseTo(
      sum(of, () => true),
      5,
    );
    expect(got.left).toBeCloseTo(sum(of, heard), 5);
  });

  test("a pair turns by its frequency times the distance, and has its wavelength", () => {
    for (let pair = 0; pair < n; ++pair) {
      const turned = of.distance * frequency(of, pair);
      expect(Math.cos((got.angles[pair] as number) - turned)).toBeCloseTo(1, 6);
      const wavelength = (2 * Math.PI) / frequency(of, pair);
      expect((got.wavelength[pair] as number) / wavelength).toBeCloseTo(1, 12);
      expect((got.turns[pair] as number) / (of.context / wavelength)).toBeCloseTo(1, 12);
    }
  });

  test("every pair is in one band, by how far it is to its first turn", () => {
    const { fast, middle, slow } = got.bands;
    expect([...fast.pairs, ...middle.pairs, ...slow.pairs]).toEqual(Array.from({ length: n }, (_, i) => i));
    for (const pair of fast.pairs) expect((2 * Math.PI) / frequency(of, pair)).toBeLessThanOrEqual(64);
    for (const pair of middle.pairs) {
      expect((2 * Math.PI) / frequency(of, pair)).toBeGreaterThan(64);
      expect((2 * Math.PI) / frequency(of, pair)).toBeLessThanOrEqual(of.context);
    }
    for (const pair of slow.pairs) expect((2 * Math.PI) / frequency(of, pair)).toBeGreaterThan(of.context);
    for (const band of [fast, middle, slow])
      expect(band.score).toBeCloseTo(
        sum(of, (pair) => band.pairs.includes(pair)),
        5,
      );
  });

  test("the curve is the score at whole distances, near and far", () => {
    const { distances, all, left } = got.curve;
    expect(distances[0]).toBe(1);
    expect(distances.at(-1)).toBe(2 ** octaves);
    expect(
      distances.every((at, i) => Number.isInteger(at) && (i === 0 || at > (distances[i - 1] as number))),
    ).toBe(true);
    for (let i = 0; i < distances.length; i += 397) {
      expect(all[i]).toBeCloseTo(
        sum(of, () => true, distances[i]),
        5,
      );
      expect(left[i]).toBeCloseTo(sum(of, heard, distances[i]), 5);
    }
  });

  test("the twist is the angle along the same distances", () => {
    expect(got.twist.values).toHaveLength(octaves * twistColumns * n);
    for (const [octave, column] of [
      [0, 0],
      [3, 64],
      [16, 127],
    ] as const) {
      const distance = 2 ** octave * (1 + column / twistColumns);
      const row = (octave * twistColumns + column) * n;
      for (const pair of [0, n - 1])
        expect(
          Math.cos((got.twist.values[row + pair] as number) - distance * frequency(of, pair)),
        ).toBeCloseTo(1, 5);
    }
  });
});

test("what changed is computed again, whatever came between", () => {
  const changes: Partial<BandsSettings>[] = [
    { seed: 8 },
    { head: 0 },
    { alike: true },
    { muted: [3] },
    { muted: [3], distance: 9 },
    { context: 512 },
    { base: 500 },
    { headDim: 16 },
    { query: { first: 8, last: 8 } },
    { key: { first: 0, last: 2 } },
    { tokens: [...settings.tokens].reverse() },
    {},
  ];
  for (const change of changes) {
    const of = { ...settings, ...change };
    expect(pipeline.run(of)).toEqual(new BandsPipeline(engine).run(of));
  }
});

test("while only the distance changes, the curves stay the same objects", () => {
  const near = pipeline.run({ ...settings, muted: [1] });
  const far = pipeline.run({ ...settings, muted: [1], distance: 500 });
  expect(far.curve).toBe(near.curve);
  expect(far.twist).toBe(near.twist);
  expect(far.score).not.toBe(near.score);
});
