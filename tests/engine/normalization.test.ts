import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

describe("rmsNorm", () => {
  test("divides a row by the root of the mean of its squares", () => {
    // (1 + 49) / 2 = 25
    expect(engine.rmsNorm({ x: new Float32Array([1, -7]), rows: 1, dim: 2, epsilon: 0 })).toEqual(
      new Float32Array([0.2, -1.4]),
    );
    const weight = new Float32Array([10, 100]);
    expect(
      engine.rmsNorm({ x: new Float32Array([5, 5, 1, -7]), rows: 2, dim: 2, epsilon: 0, weight }),
    ).toEqual(new Float32Array([10, 100, 2, -140]));
  });

  test("adds 1e-6 to the mean if nothing else is said", () => {
    const x = new Float32Array([0.001, 0.001, -0.001]);
    expect(engine.rmsNorm({ x, rows: 1, dim: 3 })).toEqual(
      engine.rmsNorm({ x, rows: 1, dim: 3, epsilon: 1e-6 }),
    );
    plain.expectClose(
      engine.rmsNorm({ x, rows: 1, dim: 3 }),
      [Math.SQRT1_2, Math.SQRT1_2, -Math.SQRT1_2],
      2 ** -22,
    );
  });

  test("leaves a row of zeros as it is", () => {
    for (const epsilon of [0, 1e-6]) {
      expect(engine.rmsNorm({ x: new Float32Array(3), rows: 1, dim: 3, epsilon })).toEqual(
        new Float32Array(3),
      );
    }
  });

  test.each([1, 3, 4, 5, 130])("is what plain loops make of it, dim %i", (dim) => {
    const [x, weight] = [plain.noise(3 * dim), plain.noise(dim, 2)];
    for (const more of [{}, { weight }, { epsilon: 0.5 }, { weight, epsilon: 0 }]) {
      const expected = plain.rmsNorm(x, dim, more);
      plain.expectClose(
        engine.rmsNorm({ x, rows: 3, dim, ...more }),
        expected,
        (i) => 2 ** -22.9 * Math.abs(expected[i] as number),
      );
    }
  });
});

describe("softmax", () => {
  test("weighs 0 and ln 3 as 1 to 3, however large they are", () => {
    for (const x of [0, 1000, -1000]) {
      plain.expectClose(
        engine.softmax({ x: new Float32Array([x, x + Math.log(3)]), size: 2 }),
        [0.25, 0.75],
        // ln 3 is rounded when it is added to a thousand.
        x === 0 ? 2 ** -22 : 2 ** -15,
      );
    }
  });

  test("goes along the middle dimension", () => {
    const x = new Float32Array([0, 5, /**/ 0, 5, /**/ -100, 7, /**/ 3, -100]);
    const out = engine.softmax({ x, outer: 2, size: 2, inner: 2 });
    plain.expectClose(out, [0.5, 0.5, 0.5, 0.5, 0, 1, 1, 0], 2 ** -22);
    const rows = engine.softmax({ x, outer: 4, size: 2 });
    plain.expectClose(rows.subarray(4), [0, 1, 1, 0], 2 ** -22);
    expect(rows).toEqual(engine.softmax({ x, outer: 4, size: 2, inner: 1 }));
    expect(engine.softmax({ x, size: 8 })).toEqual(engine.softmax({ x, outer: 1, size: 8, inner: 1 }));
  });

  test("is zero where all are -Infinity, and NaN where one of them is", () => {
    const x = new Float32Array([-Infinity, -Infinity, /**/ 1, -Infinity, /**/ NaN, 1]);
    expect(engine.softmax({ x, outer: 3, size: 2 })).toEqual(new Float32Array([0, 0, 1, 0, NaN, NaN]));
  });

  test.each([
    [1, 1, 1],
    [3, 5, 1],
    [2, 7, 3],
    [1, 33, 4],
    [2, 4, 9],
  ])("is what plain loops make of it, [%i, %i, %i]", (outer, size, inner) => {
    const x = plain.noise(outer * size * inner).map((v) => 8 * v);
    plain.expectClose(
      engine.softmax({ x, outer, size, inner }),
      plain.softmax(x, size, inner),
      2 ** -22 + size * 2 ** -26,
    );
  });
});
