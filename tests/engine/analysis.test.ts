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

describe("rowCosines", () => {
  test("knows a right angle, the same direction, and the other", () => {
    const a = new Float32Array([1, 0, /**/ 3, 4, /**/ 1, 1, /**/ 0, 0, /**/ 1, 0]);
    const b = new Float32Array([0, 5, /**/ 6, 8, /**/ -2, -2, /**/ 1, 2, /**/ 1, 1]);
    const out = engine.rowCosines({ a, b, rows: 5, dim: 2 });
    expect(out.subarray(0, 4)).toEqual(new Float32Array([0, 1, -1, 0]));
    plain.expectClose(out.subarray(4), [Math.SQRT1_2], 2 ** -24);
  });

  test.each([1, 3, 4, 5, 200])("is what plain loops make of it, dim %i", (dim) => {
    const [a, b] = [plain.noise(6 * dim), plain.noise(6 * dim, 2)];
    const out = engine.rowCosines({ a, b, rows: 6, dim });
    plain.expectClose(out, plain.rowCosines(a, b, 6, dim), 2 ** -23);
    expect(engine.rowCosines({ a, b: a, rows: 6, dim })).toEqual(new Float32Array(6).fill(1));
  });
});

describe("neighbourDistances", () => {
  test("goes from each row to the next", () => {
    const x = new Float32Array([0, 0, /**/ 3, 4, /**/ 3, -8]);
    expect(engine.neighbourDistances({ x, rows: 3, dim: 2 })).toEqual(new Float32Array([5, 12]));
  });

  test.each([1, 3, 4, 5, 200])("is what plain loops make of it, dim %i", (dim) => {
    const x = plain.noise(6 * dim);
    const expected = plain.neighbourDistances(x, 6, dim);
    plain.expectClose(
      engine.neighbourDistances({ x, rows: 6, dim }),
      expected,
      (i) => 2 ** -23 * (expected[i] as number),
    );
  });
});

describe("similarity", () => {
  test("is every row's dot product with every row, or their cosine", () => {
    const x = new Float32Array([3, 4, /**/ 4, 3, /**/ 0, 0]);
    const options = { x, rows: 3, dim: 2 };
    expect(engine.similarity(options)).toEqual(new Float32Array([25, 24, 0, 24, 25, 0, 0, 0, 0]));
    expect(engine.similarity({ ...options, cosine: false })).toEqual(engine.similarity(options));
    expect(engine.similarity({ ...options, cosine: true })).toEqual(
      new Float32Array([1, 0.96, 0, 0.96, 1, 0, 0, 0, 0]),
    );
  });

  test.each([
    [1, 1],
    [5, 7],
    [70, 3],
  ])("is what plain loops make of it, rows %i, dim %i", (rows, dim) => {
    const x = plain.noise(rows * dim);
    for (const cosine of [false, true]) {
      plain.expectClose(
        engine.similarity({ x, rows, dim, cosine }),
        plain.similarity(x, rows, dim, cosine),
        2 ** -23 * dim,
      );
    }
  });
});

describe("ropePeriods", () => {
  test("has a wavelength in tokens, and the turns within a context", () => {
    const invFreq = new Float64Array([Math.PI / 2, -Math.PI / 8, 0]);
    const { wavelength, turns } = engine.ropePeriods({ invFreq, contextLen: 12 });
    plain.expectClose(wavelength, [4, 16, Infinity], 2 ** -48);
    plain.expectClose(turns, [3, 0.75, 0], 2 ** -50);
  });

  test.each([2, 64, 130])("is what plain loops make of it, rotaryDim %i", (rotaryDim) => {
    const invFreq = engine.ropeInvFreq({ rotaryDim });
    const expected = plain.ropePeriods(invFreq, 4096.5);
    const { wavelength, turns } = engine.ropePeriods({ invFreq, contextLen: 4096.5 });
    plain.expectClose(wavelength, expected.wavelength, (i) => 2 ** -50 * (expected.wavelength[i] as number));
    plain.expectClose(turns, expected.turns, (i) => 2 ** -50 * (expected.turns[i] as number));
  });
});

/** Query, key and the frequencies of half of their pairs. */
const partlyRotated = (headDim: number) => ({
  query: plain.noise(headDim, 12),
  key: plain.noise(headDim, 13),
  invFreq: engine.ropeInvFreq({ rotaryDim: headDim / 2 }),
});

describe("ropeScore", () => {
  test("turns each pair by the distance, and adds up what is not left out", () => {
    const query = new Float32Array([1, 0, 1, 0, 10]);
    const key = new Float32Array([1, 0, 0, 1, 10]);
    const options = { query, key, layout: "interleaved" as const, softmaxScale: 2 };
    const invFreq = new Float64Array([Math.PI / 2, Math.PI / 4]);
    // The first pair by half a turn: 2 · -1. The second by a quarter: what stood at a right angle is along.
    const { parts, rest, score } = engine.ropeScore({ ...options, invFreq, distance: 2 });
    plain.expectClose([...parts, rest, score], [-2, 2, 200, 200], 2 ** -16);
    // The query stands behind the key: the other way round the second is against.
    plain.expectClose(engine.ropeScore({ ...options, invFreq, distance: -2 }).parts, [-2, -2], 2 ** -22);
    const masked = engine.ropeScore({ ...options, invFreq, distance: 2, pairMask: new Uint8Array([0, 7]) });
    plain.expectClose([...masked.parts, masked.rest, masked.score], [-2, 2, 200, 202], 2 ** -16);
    expect(typeof masked.rest).toBe("number");
  });

  for (const layout of layouts) {
    test.each([4, 12, 128])(`${layout}: is what plain loops make of it, %i components`, (headDim) => {
      const given = partlyRotated(headDim);
      const pairMask = Uint8Array.from(given.invFreq, (_, i) => (i % 3 === 1 ? 0 : 255));
      for (const distance of [0, 1, -7.25, 100_000]) {
        for (const more of [{}, { softmaxScale: 1.5 }, { pairMask }]) {
          const { query, key, invFreq } = given;
          const expected = plain.ropeScore(query, key, invFreq, layout, distance, more);
          const { parts, rest, score } = engine.ropeScore({ ...given, layout, distance, ...more });
          // One rounding of each part, and the oracle's own of an angle of up to 100,000.
          const bound = (more.softmaxScale ?? 1) * headDim * (2 ** -24 + 2 ** -34);
          plain.expectClose(parts, expected.parts, bound, "parts");
          plain.expectClose([rest, score], [expected.rest, expected.score], bound, "rest and score");
        }
      }
    });

    test(`${layout}: is the dot product of what applyRope() rotates`, () => {
      const { query, key, invFreq } = partlyRotated(16);
      const rotated = (x: Float32Array, position: number) => {
        const cache = engine.buildRopeCache({ positionIds: new Int32Array([position]), invFreq });
        return engine.applyRope({ x, ...cache, seqLen: 1, nHeads: 1, headDim: 16, rotaryDim: 8, layout });
      };
      const { score } = engine.ropeScore({ query, key, invFreq, layout, distance: 5 });
      expect(Math.abs(score - plain.dot(rotated(query, 12), rotated(key, 7)) / 4)).toBeLessThan(2 ** -20);
    });
  }
});

describe("ropeScoreByDistance", () => {
  for (const layout of layouts) {
    test.each([4, 12, 128])(`${layout}: is ropeScore() at each distance, %i components`, (headDim) => {
      const given = partlyRotated(headDim);
      const pairMask = Uint8Array.from(given.invFreq, (_, i) => i % 2);
      for (const [firstDistance, step, count] of [
        [0, 1, 5],
        [-3.5, 0.25, 40],
        [1000, -100, 7],
        [5, 0, 2],
      ] as const) {
        for (const more of [{}, { softmaxScale: 1.5 }, { pairMask }]) {
          const options = { ...given, layout, firstDistance, step, count, ...more };
          const scores = engine.ropeScoreByDistance(options);
          const expected = Array.from(
            { length: count },
            (_, s) =>
              engine.ropeScore({ ...given, layout, distance: firstDistance + s * step, ...more }).score,
          );
          plain.expectClose(scores, expected, headDim * 2 ** -22);
        }
      }
    });
  }

  test("goes from 0 in steps of 1 if nothing else is said", () => {
    const options = { ...partlyRotated(12), layout: "half" as const, count: 6 };
    expect(engine.ropeScoreByDistance(options)).toEqual(
      engine.ropeScoreByDistance({ ...options, firstDistance: 0, step: 1 }),
    );
    expect(engine.ropeScoreByDistance({ ...options, softmaxScale: 1 / Math.sqrt(12) })).toEqual(
      engine.ropeScoreByDistance(options),
    );
  });
});

describe("ropeRandomScores", () => {
  const invFreq = engine.ropeInvFreq({ rotaryDim: 32 });
  const draws = 4000;

  test("has a mean of 0 and a deviation of 1 at every distance, where query and key have nothing to do with one another", () => {
    const { mean, deviation } = engine.ropeRandomScores({ invFreq, seed: 1, draws, count: 20, step: 13 });
    // Five standard errors.
    for (const value of mean) expect(Math.abs(value)).toBeLessThan(5 / Math.sqrt(draws));
    for (const value of deviation) expect(Math.abs(value - 1)).toBeLessThan(5 / Math.sqrt(draws));
    expect(engine.ropeRandomScores({ invFreq, seed: 1, draws, count: 20, step: 13, correlation: 0 })).toEqual(
      {
        mean,
        deviation,
      },
    );
  });

  test.each([1, 0.5, -1])("has the sum of cosines for a mean where they are alike by %d", (correlation) => {
    const options = { invFreq, seed: 2, draws, correlation, firstDistance: -2, step: 3, count: 30 };
    const { mean } = engine.ropeRandomScores(options);
    const expected = Array.from({ length: 30 }, (_, s) =>
      Array.from(invFreq).reduce(
        (sum, f) => sum + (2 * correlation * Math.cos((3 * s - 2) * f)) / Math.sqrt(32),
        0,
      ),
    );
    plain.expectClose(mean, expected, 5 * Math.sqrt(2 / draws));
  });

  test("is the same in every run, and differs by seed", () => {
    const draw = (seed: number, count = 8) => engine.ropeRandomScores({ invFreq, seed, draws: 10, count });
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5).mean).not.toEqual(draw(6).mean);
    expect(draw(2 ** 32 - 1).mean).not.toEqual(draw(2 ** 31 - 1).mean);
    // More distances do not change those that there were.
    plain.expectClose(draw(5, 3).mean, draw(5).mean.subarray(0, 3), 2 ** -20);
    const { deviation } = engine.ropeRandomScores({ invFreq, seed: 5, draws: 1, count: 4 });
    expect(deviation).toEqual(new Float32Array(4));
  });

  test("goes from 0 in steps of 1 if nothing else is said", () => {
    const options = { invFreq, seed: 7, draws: 5, count: 6, correlation: 1 };
    expect(engine.ropeRandomScores(options)).toEqual(
      engine.ropeRandomScores({ ...options, firstDistance: 0, step: 1 }),
    );
  });
});

describe("ropeDecayBound", () => {
  test("is (pairs + 1) / 2 at distance 0, and no more elsewhere", () => {
    const invFreq = engine.ropeInvFreq({ rotaryDim: 64 });
    const bound = engine.ropeDecayBound({ invFreq, count: 200 });
    expect(bound[0]).toBe(16.5);
    expect(Math.max(...bound.subarray(1))).toBeLessThan(16.5);
    // As in the paper's figure 2, but not falling all the way.
    expect(bound[100] as number).toBeLessThan((bound[1] as number) / 2);
    expect(bound).toEqual(engine.ropeDecayBound({ invFreq, firstDistance: 0, step: 1, count: 200 }));
  });

  test.each([2, 10, 64, 130])("is what plain loops make of it, rotaryDim %i", (rotaryDim) => {
    const invFreq = engine.ropeInvFreq({ rotaryDim });
    for (const [firstDistance, step, count] of [
      [0, 1, 9],
      [-40.5, 2.25, 50],
      [100_000, -1, 3],
    ] as const) {
      const expected = Array.from({ length: count }, (_, s) =>
        plain.ropeDecayBound(invFreq, firstDistance + s * step),
      );
      plain.expectClose(
        engine.ropeDecayBound({ invFreq, firstDistance, step, count }),
        expected,
        (s) => 2 ** -22 * (expected[s] as number),
      );
    }
  });
});
