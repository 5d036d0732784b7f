import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

const shapes = [
  { qLen: 1, kvLen: 1, queryOffset: 0 },
  { qLen: 4, kvLen: 9, queryOffset: 5 },
  { qLen: 7, kvLen: 3, queryOffset: -2 },
  { qLen: 3, kvLen: 200, queryOffset: 150 },
  { qLen: 2, kvLen: 3, queryOffset: 2 ** 31 - 1 },
  { qLen: 2, kvLen: 3, queryOffset: -(2 ** 31) },
];

describe("alibiSlopes", () => {
  test("are those of the paper", () => {
    expect(engine.alibiSlopes({ nHeads: 8 })).toEqual(
      new Float32Array([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]),
    );
    // Past the power of two, every other one of twice as many.
    const half = Math.SQRT1_2;
    expect(engine.alibiSlopes({ nHeads: 11 }).subarray(8)).toEqual(
      new Float32Array([half, half / 2, half / 4]),
    );
    expect(engine.alibiSlopes({ nHeads: 1 })).toEqual(new Float32Array([2 ** -8]));
  });

  test.each([2, 3, 6, 12, 16, 71])("are what plain loops make of them, %i heads", (nHeads) => {
    const expected = plain.alibiSlopes(nHeads);
    plain.expectClose(engine.alibiSlopes({ nHeads }), expected, (h) => 2 ** -24 * (expected[h] as number));
  });
});

describe("alibiBias", () => {
  test("falls by the slope for every token of distance, to either side", () => {
    const slopes = new Float32Array([0.5, 2]);
    expect(engine.alibiBias({ slopes, qLen: 2, kvLen: 4, queryOffset: 1 })).toEqual(
      new Float32Array([-0.5, 0, -0.5, -1, /**/ -1, -0.5, 0, -0.5, /**/ -2, 0, -2, -4, /**/ -4, -2, 0, -2]),
    );
  });

  test("has as many keys as queries, from the first on, if nothing else is said", () => {
    const slopes = engine.alibiSlopes({ nHeads: 4 });
    expect(engine.alibiBias({ slopes, qLen: 5 })).toEqual(
      engine.alibiBias({ slopes, qLen: 5, kvLen: 5, queryOffset: 0 }),
    );
  });

  test.each(shapes)("is what plain loops make of it, %o", (shape) => {
    const slopes = plain.noise(3);
    const expected = plain.alibiBias(slopes, shape);
    plain.expectClose(
      engine.alibiBias({ slopes, ...shape }),
      expected,
      (i) => 2 ** -24 * Math.abs(expected[i] as number),
    );
  });

  test("is a bias for attention", () => {
    const heads = { qLen: 3, nHeads: 4, headDim: 2 };
    const tensors = { query: plain.noise(24), key: plain.noise(24, 2), value: plain.noise(24, 3) };
    const bias = engine.alibiBias({ slopes: engine.alibiSlopes({ nHeads: 4 }), qLen: 3 });
    const options = { ...heads, ...tensors, bias, biasShape: [4, 3, 3], scores: true } as const;
    const { scores } = engine.attention(options);
    const { scores: raw } = engine.attention({ ...options, scoreStage: "raw" });
    plain.expectClose(
      scores,
      Array.from(raw, (score, i) => score + (bias[i] as number)),
      2 ** -22,
    );
  });
});

const tables = [
  { numBuckets: 32, maxDistance: 128, bidirectional: true },
  { numBuckets: 32, maxDistance: 128, bidirectional: false },
  { numBuckets: 8, maxDistance: 20, bidirectional: true },
  { numBuckets: 7, maxDistance: 64, bidirectional: false },
  { numBuckets: 2, maxDistance: 2, bidirectional: false },
  { numBuckets: 4, maxDistance: 3, bidirectional: true },
];

describe("t5Buckets", () => {
  test("has a bucket each for near distances, and shares far ones, keys ahead apart from keys behind", () => {
    // Keys 0 to 130 as the first query sees them: all ahead of it.
    const ahead = engine.t5Buckets({ qLen: 1, kvLen: 131 });
    expect(ahead).toBeInstanceOf(Int32Array);
    expect(Array.from(ahead.subarray(0, 8))).toEqual([0, 17, 18, 19, 20, 21, 22, 23]);
    expect([8, 11, 12, 15, 16, 22, 23, 31, 32, 63, 64, 90, 91, 128, 130].map((j) => ahead[j])).toEqual([
      24, 24, 25, 25, 26, 26, 27, 27, 28, 29, 30, 30, 31, 31, 31,
    ]);
    // As the query at 130 sees them: all behind it, nearest last.
    const behind = engine.t5Buckets({ qLen: 1, kvLen: 131, queryOffset: 130 });
    expect(Array.from(behind.subarray(-9)).reverse()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(behind[0]).toBe(15);
    // A decoder has all of them for what is behind, and one for what is ahead.
    const causal = engine.t5Buckets({ qLen: 1, kvLen: 40, queryOffset: 20, bidirectional: false });
    expect(Array.from(causal.subarray(4, 23))).toEqual([
      16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0,
    ]);
  });

  test("has 32 buckets up to 128, both ways, if nothing else is said", () => {
    const options = { qLen: 3, kvLen: 300, queryOffset: 150 };
    expect(engine.t5Buckets(options)).toEqual(engine.t5Buckets({ ...options, ...tables[0] }));
    expect(engine.t5Buckets({ qLen: 3 })).toEqual(engine.t5Buckets({ qLen: 3, kvLen: 3, queryOffset: 0 }));
  });

  for (const t5 of tables) {
    test.each(shapes)(`${JSON.stringify(t5)}: is what plain loops make of it, %o`, (shape) => {
      expect(Array.from(engine.t5Buckets({ ...t5, ...shape }))).toEqual(plain.t5Buckets(shape, t5));
    });
  }
});

describe("t5Bias", () => {
  test("has the number of each head for the bucket, if nothing else is said of 32", () => {
    const table = plain.noise(32 * 3);
    const options = { table, nHeads: 3, qLen: 2, kvLen: 40, queryOffset: 20 };
    expect(engine.t5Bias(options)).toEqual(
      Float32Array.from(plain.t5Bias(table, 3, { qLen: 2, kvLen: 40, queryOffset: 20 })),
    );
    expect(engine.t5Bias({ table, nHeads: 3, qLen: 4 })).toEqual(
      engine.t5Bias({ table, nHeads: 3, qLen: 4, kvLen: 4, queryOffset: 0, ...tables[0] }),
    );
  });

  for (const t5 of tables) {
    test.each(shapes)(`${JSON.stringify(t5)}: is what plain loops make of it, %o`, (shape) => {
      const table = plain.noise(t5.numBuckets * 5);
      expect(engine.t5Bias({ table, nHeads: 5, ...t5, ...shape })).toEqual(
        Float32Array.from(plain.t5Bias(table, 5, shape, t5)),
      );
    });
  }
});
