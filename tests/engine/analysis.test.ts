import { loadRopewalk, type RopeLayout } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();
const layouts: RopeLayout[] = ["interleaved", "half"];

describe("rowNorms", () => {
  test("knows 3-4-5 and 5-12-13", () => {
    expect(engine.rowNorms({ x: new Float32Array([3, 4, 5, -12]), rows: 2, dim: 2 })).toEqual(
      new Float32Array([5, 13]),
    );
  });

  test.each([1, 3, 4, 5, 200])("is what plain loops make of it, dim %i", (dim) => {
    const x = plain.noise(6 * dim);
    const expected = plain.rowNorms(x, 6, dim);
    plain.expectClose(
      engine.rowNorms({ x, rows: 6, dim }),
      expected,
      (i) => 2 ** -23 * (expected[i] as number),
    );
  });

  test("does not overflow where the length is a float32", () => {
    expect(engine.rowNorms({ x: new Float32Array([3e30, 4e30]), rows: 1, dim: 2 })[0]).toBe(
      Math.fround(5e30),
    );
  });
});

describe("maxAbsDifference", () => {
  test("finds the largest, of either sign, wherever it stands", () => {
    const a = new Float32Array([1, 2, 3, 4, 5]);
    expect(engine.maxAbsDifference({ a, b: a })).toBe(0);
    for (let i = 0; i < 5; i++) {
      for (const change of [-7, 7]) {
        const b = a.slice();
        b[i] = (b[i] as number) + change;
        expect(engine.maxAbsDifference({ a, b })).toBe(7);
      }
    }
  });

  test("is NaN where either holds one", () => {
    const [a, b] = [new Float32Array([1, NaN, 100]), new Float32Array([1, 1, 1])];
    expect(engine.maxAbsDifference({ a, b })).toBeNaN();
    expect(engine.maxAbsDifference({ a: b, b: a })).toBeNaN();
  });

  test.each([1, 3, 4, 5, 129])("is what plain loops make of it, %i elements", (length) => {
    const [a, b] = [plain.noise(length, 8), plain.noise(length, 9)];
    const expected = plain.maxAbsDifference(a, b);
    expect(Math.abs(engine.maxAbsDifference({ a, b }) - expected)).toBeLessThanOrEqual(2 ** -24 * 2);
  });
});

describe("ropeAngles", () => {
  test("wraps to [-π, π]", () => {
    // Steps of a quarter turn from -1/2 of one.
    const invFreq = new Float64Array([Math.PI / 2]);
    const angles = engine.ropeAngles({ firstPosition: -0.5, count: 5, invFreq });
    const eighth = Math.PI / 4;
    plain.expectClose(angles, [-eighth, eighth, 3 * eighth, -3 * eighth, -eighth], 2 ** -22);
  });

  test("steps by 1 if no step is given", () => {
    const options = { firstPosition: 3, count: 4, invFreq: new Float64Array([0.1, 0.01]) };
    expect(engine.ropeAngles(options)).toEqual(engine.ropeAngles({ ...options, step: 1 }));
    plain.expectClose(engine.ropeAngles(options), [0.3, 0.03, 0.4, 0.04, 0.5, 0.05, 0.6, 0.06], 2 ** -23);
  });

  test.each([
    [0, 1],
    [-17.25, 0.125],
    [100_000, -3.5],
    [2 ** 31 - 1, 1],
    [-(2 ** 31), 0.5],
    [5, 0],
  ])("is what plain loops make of it, from %d by %d", (firstPosition, step) => {
    const invFreq = engine.ropeInvFreq({ rotaryDim: 20 });
    const expected = plain.ropeAngles(firstPosition, step, 9, invFreq);
    const bound = (i: number) => {
      const [s, pair] = [Math.floor(i / 10), i % 10];
      // The kernel's bound, and as much again for the oracle's own angle in double.
      return (
        2 ** -23 + 2 ** -50 * (Math.abs(firstPosition) + Math.abs(s * step) + 1) * (invFreq[pair] as number)
      );
    };
    plain.expectAngles(engine.ropeAngles({ firstPosition, step, count: 9, invFreq }), expected, bound);
  });
});

describe("pairPolar", () => {
  test("sees pairs as arrows, as the layout pairs them", () => {
    const x = new Float32Array([3, 4, 0, -2]);
    const interleaved = engine.pairPolar({ x, layout: "interleaved" });
    plain.expectClose(interleaved.magnitude, [5, 2], 2 ** -20);
    plain.expectClose(interleaved.angle, [Math.atan2(4, 3), -Math.PI / 2], 2 ** -21);
    const half = engine.pairPolar({ x, layout: "half" });
    plain.expectClose(half.magnitude, [3, Math.sqrt(20)], 2 ** -20);
    plain.expectClose(half.angle, [0, Math.atan2(-2, 4)], 2 ** -21);
  });

  for (const layout of layouts) {
    test.each([2, 6, 64, 130])(`${layout}: is what plain loops make of it, %i components`, (length) => {
      const x = plain.noise(length);
      const expected = plain.pairPolar(x, layout);
      const { magnitude, angle } = engine.pairPolar({ x, layout });
      plain.expectClose(magnitude, expected.magnitude, (i) => 2 ** -22 * (expected.magnitude[i] as number));
      plain.expectAngles(angle, expected.angle, () => 2 ** -21);
    });
  }
});

describe("pairScores", () => {
  test("gives each pair its part, by default over sqrt(headDim)", () => {
    const [query, key] = [new Float32Array([1, 2, 3, 4]), new Float32Array([10, 20, 30, 40])];
    // 1·10 + 2·20 and 3·30 + 4·40, each halved
    expect(engine.pairScores({ query, key, layout: "interleaved" })).toEqual(new Float32Array([25, 125]));
    // 1·10 + 3·30 and 2·20 + 4·40
    expect(engine.pairScores({ query, key, layout: "half", softmaxScale: 1 })).toEqual(
      new Float32Array([100, 200]),
    );
  });

  for (const layout of layouts) {
    test.each([2, 6, 64, 130])(`${layout}: the parts add up to the score, %i components`, (length) => {
      const [query, key] = [plain.noise(length, 10), plain.noise(length, 11)];
      for (const softmaxScale of [undefined, 1, -2.5]) {
        const scale = softmaxScale ?? 1 / Math.sqrt(length);
        const options = { query, key, layout, ...(softmaxScale !== undefined && { softmaxScale }) };
        const parts = engine.pairScores(options);
        plain.expectClose(
          parts,
          plain.pairScores(query, key, layout, softmaxScale),
          2 * 2 ** -22 * Math.abs(scale),
        );
        const sum = parts.reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - scale * plain.dot(query, key))).toBeLessThanOrEqual(
          length * 2 ** -22 * Math.abs(scale),
        );
      }
    });
  }
});
