// A count added to a word, held to plain doubles.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import {
  dim,
  furthest,
  IntegerPipeline,
  type IntegerSettings,
  lost,
  same,
  stops,
} from "../../web/elements/integer_pipeline.js";
import { tokenId } from "../../web/elements/tokens.js";
import { lecture } from "./lecture.js";

const engine = await loadRopewalk();
const pipeline = new IntegerPipeline(engine);
const { tokens } = lecture;
const settings: IntegerSettings = { tokens, seed: 7, query: 8, key: 3, position: 2 };

const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
const norm = (a: number[]) => Math.sqrt(dot(a, a));
const cosineOf = (a: number[], b: number[]) => dot(a, b) / (norm(a) * norm(b));

/** What a position makes of the two words. */
function plain({ seed, query, key }: IntegerSettings, position: number) {
  const embedding = (token: number) =>
    Array.from(
      engine.seededEmbedding({ tokenIds: Int32Array.of(tokenId(tokens[token] as string)), dim, seed }),
    );
  const word = embedding(query);
  const sum = word.map((value) => value + position);
  const other = embedding(key).map((value) => value + position);
  return { word, sum, other, cosine: cosineOf(sum, word), alike: cosineOf(sum, other), length: norm(sum) };
}

test("stops at every position at first, then ever further apart", () => {
  expect([...stops.slice(0, 11)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(stops.at(-1)).toBe(furthest);
  for (const [i, stop] of stops.entries())
    if (i > 10) expect(stop / (stops[i - 1] as number)).toBeLessThan(1.2);
  for (const power of [100, 1000, 10_000]) expect(stops).toContain(power);
});

describe.each([0, 1, 2, 9, 100, 4096, 100_000])("at position %i", (position) => {
  const results = pipeline.run({ ...settings, position });
  const { word, sum, other, cosine, alike, length } = plain(settings, position);

  test("adds the position to every component", () => {
    const expected = [...word, ...word.map(() => position), ...sum, ...other];
    // To the last digit that a float of that size has.
    for (const [i, value] of results.rows.entries())
      expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(2 ** -23 * (4 + position));
  });

  test("measures what is left", () => {
    expect(Math.abs(results.cosine - cosine)).toBeLessThan(1e-6);
    expect(Math.abs(results.alike - alike)).toBeLessThan(1e-6);
    const lengths = [norm(word), position * Math.sqrt(dim), length, norm(other)];
    for (const [i, value] of results.lengths.entries())
      expect(Math.abs(value - (lengths[i] as number))).toBeLessThanOrEqual(1e-6 * (1 + value));
  });
});

test("the curves are the same at every stop", () => {
  const { curves } = pipeline.run(settings);
  for (const [i, stop] of stops.entries()) {
    const { cosine, alike, length } = plain(settings, stop);
    expect(Math.abs((curves.cosine[i] as number) - cosine)).toBeLessThan(1e-6);
    expect(Math.abs((curves.alike[i] as number) - alike)).toBeLessThan(1e-6);
    expect(Math.abs((curves.length[i] as number) / length - 1)).toBeLessThan(1e-6);
  }
});

test.each([
  [7, 8, 3],
  [7, 0, 10],
  [1, 8, 3],
  [23, 2, 5],
])("finds where a word is lost, with seed %i and words %i and %i", (seed, query, key) => {
  const given = { ...settings, seed, query, key };
  const { lostFrom, sameFrom } = pipeline.run(given);
  const first = (holds: (at: ReturnType<typeof plain>) => boolean) => {
    for (let position = 0; position <= furthest; ++position)
      if (holds(plain(given, position))) return position;
    return undefined;
  };
  expect(lostFrom).toBe(first(({ cosine }) => cosine < lost));
  expect(sameFrom).toBe(first(({ alike }) => alike > same));
  expect(lostFrom).toBeLessThan(5);
});

test("a word is from the outset as like itself as can be", () => {
  const results = pipeline.run({ ...settings, key: settings.query, position: 0 });
  expect(results.alike).toBe(1);
  expect(results.sameFrom).toBe(0);
});

test("follows the words and the seed, whatever was computed before", () => {
  for (const change of [{ query: 1 }, { seed: 8 }, { key: 5 }, {}]) {
    const given = { ...settings, ...change };
    expect(pipeline.run(given)).toEqual(new IntegerPipeline(engine).run(given));
  }
});

test("the rope is one ramp", () => {
  const { rope } = pipeline.run(settings);
  if (rope.kind !== "level") throw new Error(rope.kind);
  expect(rope.near.strands).toBe(1);
  for (const strip of [rope.near, rope.far])
    for (const [i, value] of strip.values.entries()) expect(value).toBeCloseTo(i / (strip.columns - 1), 6);
});
