import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();
const far = new Int32Array([0, 1, 7, 8, -1, -9, 100_000, 2 ** 31 - 1, -(2 ** 31)]);

describe("integerEncoding", () => {
  test("repeats the position", () => {
    expect(engine.integerEncoding({ positionIds: new Int32Array([3, -2]), dim: 3 })).toEqual(
      new Float32Array([3, 3, 3, -2, -2, -2]),
    );
  });

  test.each([1, 3, 4, 5, 64])("is what plain loops make of it, dim %i", (dim) => {
    const expected = Float32Array.from(plain.integerEncoding(far, dim));
    expect(engine.integerEncoding({ positionIds: far, dim })).toEqual(expected);
  });
});

describe("binaryEncoding", () => {
  test("writes 6 as 0, 1, 1 and 7 → 8 as four flips", () => {
    expect(engine.binaryEncoding({ positionIds: new Int32Array([6, 7, 8]), dim: 4 })).toEqual(
      new Float32Array([0, 1, 1, 0, /**/ 1, 1, 1, 0, /**/ 0, 0, 0, 1]),
    );
  });

  test.each([1, 3, 4, 31, 32, 33, 70])("is two's complement, sign repeated, dim %i", (dim) => {
    const expected = Float32Array.from(plain.binaryEncoding(far, dim));
    expect(engine.binaryEncoding({ positionIds: far, dim })).toEqual(expected);
  });
});

describe("sinusoidalEncoding", () => {
  test("is sin and cos of position · base^(-2i/dim)", () => {
    // base 100 and dim 4: frequencies 1 and 1/10; position 5 is 5 rad and half a radian.
    const out = engine.sinusoidalEncoding({ positionIds: new Int32Array([5]), dim: 4, base: 100 });
    const literals = [-0.9589242746631385, 0.28366218546322625, 0.479425538604203, 0.8775825618903728];
    plain.expectClose(out, literals, 2 ** -25);
  });

  test("has base 10000 if none is given", () => {
    const positionIds = new Int32Array([1, 50]);
    expect(engine.sinusoidalEncoding({ positionIds, dim: 6 })).toEqual(
      engine.sinusoidalEncoding({ positionIds, dim: 6, base: 10_000 }),
    );
    // The third of four components turns at 10000^(-2/4) = 0.01.
    const out = engine.sinusoidalEncoding({ positionIds: new Int32Array([50]), dim: 4 });
    plain.expectClose(out.subarray(2), [0.479425538604203, 0.8775825618903728], 2 ** -25);
  });

  test("holds at the ends of int32", () => {
    // sin and cos of 2^31 - 1 and of -2^31, by 40-digit arithmetic.
    const literals = [-0.7249165551445564, -0.6888366918779438, 0.9713101757929393, 0.2378161945728034];
    const out = engine.sinusoidalEncoding({ positionIds: new Int32Array([2 ** 31 - 1, -(2 ** 31)]), dim: 2 });
    plain.expectClose(out, literals, 2 ** -25 + 2 ** -52 * (1 + 2 ** 31));
  });

  test.each([
    [1, 10_000],
    [2, 10_000],
    [7, 10_000],
    [64, 10_000],
    [65, 500_000],
    [8, 1],
    [6, 0.5],
  ])("is what plain loops make of it, dim %i and base %d", (dim, base) => {
    const expected = plain.sinusoidalEncoding(far, dim, base);
    const fastest = Math.max(1, 1 / base);
    // The oracle is in double too, and rounds its angles as often: hence twice the kernel's own bound.
    plain.expectClose(
      engine.sinusoidalEncoding({ positionIds: far, dim, base }),
      expected,
      (i) => 2 ** -25 + 2 * 2 ** -52 * (1 + Math.abs(far[Math.floor(i / dim)] as number) * fastest),
    );
  });
});

describe("positions", () => {
  const encodings = ["integerEncoding", "binaryEncoding", "sinusoidalEncoding"] as const;

  test.each(encodings)("%s: a run is the same as its positions one by one", (encoding) => {
    for (const [positionOffset, seqLen] of [
      [0, 5],
      [-3, 6],
      [99_999, 3],
      [2 ** 31 - 2, 2],
      [-(2 ** 31), 2],
    ] as const) {
      const positionIds = Int32Array.from({ length: seqLen }, (_, s) => positionOffset + s);
      expect(engine[encoding]({ seqLen, positionOffset, dim: 5 })).toEqual(
        engine[encoding]({ positionIds, dim: 5 }),
      );
    }
  });

  test.each(encodings)("%s: a run begins at 0 if nothing else is said", (encoding) => {
    expect(engine[encoding]({ seqLen: 4, dim: 3 })).toEqual(
      engine[encoding]({ positionIds: new Int32Array([0, 1, 2, 3]), dim: 3 }),
    );
  });
});
