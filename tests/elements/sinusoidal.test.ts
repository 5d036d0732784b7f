// Sines and cosines over positions, the map from each to another and the sum with a token, held to double arithmetic.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import {
  dim,
  pairs,
  positions,
  SinusoidalPipeline,
  type SinusoidalSettings,
} from "../../web/elements/sinusoidal_pipeline.js";
import { stretchAround } from "../../web/elements/stretch.js";
import { tokenId } from "../../web/elements/tokens.js";

const engine = await loadRopewalk();
const pipeline = new SinusoidalPipeline(engine);

const initial: SinusoidalSettings = {
  ...{ position: 12, span: 64, base: 10_000, shift: 3 },
  ...{ token: "breakthrough", seed: 7, scaled: false },
};
const cases: SinusoidalSettings[] = [
  initial,
  { ...initial, position: 700, span: 512, base: 100, shift: 128 },
  { ...initial, position: 4094, span: 4096, base: 1e6, shift: 0, scaled: true },
];

const theta = (base: number, pair: number) => base ** ((-2 * pair) / dim);
const encoding = (position: number, base: number) =>
  Array.from({ length: dim }, (_, c) => {
    const angle = position * theta(base, c >> 1);
    return c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
const length = (x: readonly number[]) => Math.hypot(...x);
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, one, i) => sum + one * (b[i] as number), 0);

const within = (got: ArrayLike<number>, want: readonly number[], bound: number) => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; ++i) {
    const error = Math.abs((got[i] as number) - (want[i] as number));
    if (!(error <= bound)) expect.fail(`[${i}] is ${got[i]} and not ${want[i]}`);
  }
};

const seen = ({ position, span }: SinusoidalSettings) => {
  const { first } = stretchAround(position, span, positions);
  return Array.from({ length: span }, (_, i) => first + i);
};

describe.each(cases)("at $position of $span, base $base, shift $shift", (settings) => {
  const { position, base, shift, token, seed, scaled } = settings;
  const results = pipeline.run(settings);
  const all = seen(settings);

  test("encodes each position, and what lies between", () => {
    const { encoded, here } = results;
    within(here, encoding(position, base), 1e-6);
    within(
      encoded.values,
      all.flatMap((one) => encoding(one, base)),
      1e-6,
    );
    const samples = encoded.levels.columns / all.length;
    expect(samples % 2).toBe(1);
    const between = Array.from(
      { length: encoded.levels.columns },
      (_, c) => (all[0] as number) - 0.5 + (c + 0.5) / samples,
    );
    const waves = between.flatMap((one) => encoding(one, base));
    within(encoded.between, waves, 1e-6);
    within(
      encoded.levels.values,
      waves.map((value) => (value + 1) / 2),
      1e-6,
    );
    const angles = between.flatMap((one) => Array.from({ length: pairs }, (_, i) => one * theta(base, i)));
    within(encoded.angles.values.map(Math.cos), angles.map(Math.cos), 1e-6);
    within(encoded.angles.values.map(Math.sin), angles.map(Math.sin), 1e-6);
  });

  test("knows how far a turn is, and a step: the same one everywhere", () => {
    const { encoded } = results;
    const wavelengths = Array.from({ length: pairs }, (_, i) => (2 * Math.PI) / theta(base, i));
    within(encoded.wavelengths, wavelengths, 1e-6);
    const samples = encoded.levels.columns / all.length;
    within(
      encoded.columnsPerTurn,
      Array.from(encoded.wavelengths, (one) => one * samples),
      1e-6,
    );
    const step = length(encoding(1, base).map((value, c) => value - (encoding(0, base)[c] as number)));
    within(encoded.distances, Array(all.length - 1).fill(step), 1e-6);
  });

  test("takes every position further by one matrix of turns", () => {
    const { matrix, mapped, encoded, difference, angles } = results.shifted;
    const want = Array.from({ length: dim * dim }, (_, at) => {
      const [row, column] = [Math.floor(at / dim), at % dim];
      if (row >> 1 !== column >> 1) return 0;
      const angle = shift * theta(base, row >> 1);
      if (row === column) return Math.cos(angle);
      return row < column ? Math.sin(angle) : -Math.sin(angle);
    });
    within(matrix, want, 1e-6);
    within(
      angles.map(Math.sin),
      Array.from({ length: pairs }, (_, i) => Math.sin(shift * theta(base, i))),
      1e-6,
    );
    const further = all.flatMap((one) => encoding(one + shift, base));
    within(encoded, further, 1e-6);
    within(mapped, further, 1e-6);
    expect(difference).toBeLessThan(1e-6);
    expect(difference).toBe(Math.max(...mapped.map((value, i) => Math.abs(value - (encoded[i] as number)))));
  });

  test("adds to the token, and says what is left of its direction", () => {
    const { added } = results;
    const factor = scaled ? Math.sqrt(dim) : 1;
    const drawn = engine.seededEmbedding({ tokenIds: Int32Array.of(tokenId(token)), dim, seed });
    const x = Array.from(drawn, (value) => value * factor);
    const sums = all.map((one) => encoding(one, base).map((value, c) => value + (x[c] as number)));
    const cosines = sums.map((sum) => dot(x, sum) / length(x) / length(sum));
    within(added.cosines, cosines, 1e-6);
    within(added.lengths, sums.map(length), 1e-5);
    const at = position - (all[0] as number);
    expect(added.cosine).toBeCloseTo(cosines[at] as number, 6);
    expect(added.length).toBeCloseTo(length(sums[at] as number[]), 5);
    expect(added.tokenLength).toBeCloseTo(length(x), 5);
    expect(added.encodingLength).toBeCloseTo(Math.sqrt(pairs), 6);
    const hands = (vector: readonly number[]) =>
      Array.from(
        { length: pairs },
        (_, i) => [vector[2 * i] as number, vector[2 * i + 1] as number] as const,
      );
    for (const [{ magnitude, angle }, vector] of [
      [added.before, x],
      [added.after, sums[at] as number[]],
    ] as const) {
      within(
        magnitude,
        hands(vector).map(([a, b]) => Math.hypot(a, b)),
        1e-5,
      );
      within(
        angle,
        hands(vector).map(([a, b]) => Math.atan2(b, a)),
        1e-5,
      );
    }
  });
});

test("is the same matrix wherever the position is, and the same objects while nothing bears on them", () => {
  const { shifted, encoded, added } = pipeline.run(initial);
  const { matrix } = pipeline.run({ ...initial, position: 3000 }).shifted;
  expect([...matrix]).toEqual([...shifted.matrix]);
  const again = pipeline.run(initial);
  const moved = pipeline.run({ ...initial, position: 13 });
  expect(moved.encoded).toBe(again.encoded);
  expect(moved.shifted).toBe(again.shifted);
  expect(moved.added.cosines).toBe(again.added.cosines);
  expect(moved.encoded.values).toEqual(encoded.values);
  expect(moved.added.cosine).not.toBe(added.cosine);
});
