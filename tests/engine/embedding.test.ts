import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();
const other = await loadRopewalk();

function moments(numbers: Float32Array) {
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const variance = numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length;
  return { mean, variance, most: numbers.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
}

describe("seededEmbedding", () => {
  const tokenIds = new Int32Array([5, -7, 5, 2 ** 31 - 1, -(2 ** 31), 0]);

  test("is the same in every engine, and differs by seed", () => {
    const draw = (from: typeof engine, seed: number) => from.seededEmbedding({ tokenIds, dim: 32, seed });
    for (const seed of [0, 1, 42, 2 ** 31, 2 ** 32 - 1]) {
      expect(draw(engine, seed)).toEqual(draw(other, seed));
      expect(draw(engine, seed)).toEqual(draw(engine, seed));
    }
    expect(draw(engine, 1)).not.toEqual(draw(engine, 2));
    expect(draw(engine, 1)).not.toEqual(draw(engine, 2 ** 31 + 1));
  });

  test("gives equal tokens equal rows, wherever they stand, and others other rows", () => {
    const dim = 24;
    const out = engine.seededEmbedding({ tokenIds, dim, seed: 9 });
    expect(out.length).toBe(tokenIds.length * dim);
    const rows = Array.from(tokenIds, (_, s) => out.slice(s * dim, (s + 1) * dim));
    expect(rows[0]).toEqual(rows[2]);
    const different = new Set(rows.map(String));
    expect(different.size).toBe(5);
    expect(engine.seededEmbedding({ tokenIds: new Int32Array([-7]), dim, seed: 9 })).toEqual(rows[1]);
  });

  test("has mean 0, variance 1, and nothing past 6", () => {
    const many = Int32Array.from({ length: 400 }, (_, i) => i);
    const { mean, variance, most } = moments(engine.seededEmbedding({ tokenIds: many, dim: 250, seed: 3 }));
    // 100,000 draws: five standard errors of the mean and of the variance.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(100_000));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / 100_000));
    expect(most).toBeLessThanOrEqual(6);
    expect(most).toBeGreaterThan(3.5);
  });
});

describe("seededProjection", () => {
  const draw = (from: typeof engine, seed: number, stream: number) =>
    from.seededProjection({ seed, stream, outDim: 12, inDim: 20 });

  test("is the same in every engine, and differs by seed and by stream", () => {
    expect(draw(engine, 7, 0)).toEqual(draw(other, 7, 0));
    const drawn = [draw(engine, 7, 0), draw(engine, 7, 1), draw(engine, 8, 0), draw(engine, 2 ** 32 - 1, 0)];
    drawn.push(draw(engine, 7, 2 ** 32 - 1));
    expect(new Set(drawn.map(String)).size).toBe(5);
  });

  test("is uniform in ±sqrt(3 / inDim)", () => {
    const out = engine.seededProjection({ seed: 1, stream: 2, outDim: 300, inDim: 300 });
    expect(out.length).toBe(90_000);
    const { mean, variance, most } = moments(out);
    // A bound of sqrt(3/300) = 0.1, and a variance of 1/300.
    expect(most).toBeLessThanOrEqual(Math.fround(0.1));
    expect(most).toBeGreaterThan(0.0999);
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / 300 / 90_000));
    expect(Math.abs(variance * 300 - 1)).toBeLessThan(5 * Math.sqrt(0.8 / 90_000));
  });
});

describe("addEncoding", () => {
  test("adds", () => {
    expect(
      engine.addEncoding({
        encoding: new Float32Array([1, 2, 3, 4, 5, 6]),
        x: new Float32Array([10, 20, 30, 40, 50, 60]),
        dim: 3,
      }),
    ).toEqual(new Float32Array([11, 22, 33, 44, 55, 66]));
  });

  test.each([1, 3, 4, 5, 67])("is what plain loops make of it, dim %i", (dim) => {
    const [encoding, x] = [plain.noise(7 * dim, 4), plain.noise(7 * dim, 5)];
    // A sum of two floats, rounded once.
    const expected = Float32Array.from(plain.addEncoding(encoding, x));
    expect(engine.addEncoding({ encoding, x, dim })).toEqual(expected);
  });
});

describe("linear", () => {
  test("is x · weightᵀ, weight as [outDim, inDim]", () => {
    expect(
      engine.linear({
        x: new Float32Array([1, 2, /**/ 3, 4]),
        weight: new Float32Array([1, 0, /**/ 0, 1, /**/ 10, 100]),
        rows: 2,
        inDim: 2,
        outDim: 3,
      }),
    ).toEqual(new Float32Array([1, 2, 210, /**/ 3, 4, 430]));
  });

  test.each([
    [1, 1, 1],
    [3, 4, 5],
    [2, 67, 3],
    [9, 64, 33],
  ])("is what plain loops make of it, rows %i, inDim %i, outDim %i", (rows, inDim, outDim) => {
    const [x, weight] = [plain.noise(rows * inDim, 6), plain.noise(outDim * inDim, 7)];
    plain.expectClose(
      engine.linear({ x, weight, rows, inDim, outDim }),
      plain.linear(x, weight, rows, inDim, outDim),
      // inDim · 2^-24 · sum |x| |weight|, with every |…| at most 1
      inDim * 2 ** -24 * inDim,
    );
  });
});
