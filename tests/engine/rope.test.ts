import { loadRopewalk, type RopeLayout } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();
const layouts: RopeLayout[] = ["interleaved", "half"];

describe("ropeInvFreq", () => {
  test("is theta^(-2i/rotaryDim)", () => {
    const out = engine.ropeInvFreq({ rotaryDim: 8 });
    expect(out).toBeInstanceOf(Float64Array);
    plain.expectClose(out, [1, 0.1, 0.01, 0.001], (i) => 2 ** -51 * 10 ** -i);
    // 1/4^(1/2) = 1/2
    expect(engine.ropeInvFreq({ rotaryDim: 4, ropeTheta: 4 })).toEqual(new Float64Array([1, 0.5]));
    expect(engine.ropeInvFreq({ rotaryDim: 2, ropeTheta: 7 })).toEqual(new Float64Array([1]));
  });

  test.each([
    [2, 10_000],
    [6, 10_000],
    [64, 10_000],
    [80, 500_000],
    [128, 1_000_000],
    [10, 0.01],
  ])("is what plain loops make of it, rotaryDim %i and theta %d", (rotaryDim, ropeTheta) => {
    const expected = plain.ropeInvFreq(rotaryDim, ropeTheta);
    // The oracle does not correct its exponent's rounding: |ln theta| * 2^-54 of its own.
    const relative = 2 ** -51 + Math.abs(Math.log(ropeTheta)) * 2 ** -53;
    plain.expectClose(
      engine.ropeInvFreq({ rotaryDim, ropeTheta }),
      expected,
      (i) => relative * (expected[i] as number),
    );
  });
});

describe("buildRopeCache", () => {
  test("holds the cosine and the sine of position · invFreq", () => {
    const { cos, sin } = engine.buildRopeCache({
      positionIds: new Int32Array([0, 2, -1]),
      invFreq: new Float64Array([Math.PI / 4, Math.PI / 6]),
    });
    const [r2, r3] = [Math.SQRT1_2, Math.sqrt(3) / 2];
    plain.expectClose(cos, [1, 1, 0, 0.5, r2, r3], 2 ** -24);
    plain.expectClose(sin, [0, 0, 1, r3, -r2, -0.5], 2 ** -24);
  });

  test("holds at the ends of int32", () => {
    const { cos, sin } = engine.buildRopeCache({
      positionIds: new Int32Array([2 ** 31 - 1, -(2 ** 31)]),
      invFreq: new Float64Array([1]),
    });
    // By 40-digit arithmetic. The angle is an integer here, hence exact, so that nothing is lost but two roundings.
    plain.expectClose(sin, [-0.7249165551445564, 0.9713101757929393], 2 ** -24);
    plain.expectClose(cos, [-0.6888366918779438, 0.2378161945728034], 2 ** -24);
  });

  test.each([2, 6, 64, 130])("is what plain loops make of it, rotaryDim %i", (rotaryDim) => {
    const invFreq = engine.ropeInvFreq({ rotaryDim });
    const positionIds = new Int32Array([0, 1, 4095, -77, 100_000, 2 ** 31 - 1, -(2 ** 31), 5]);
    const expected = plain.ropeCache(positionIds, invFreq);
    const made = engine.buildRopeCache({ positionIds, invFreq });
    const bound = (i: number) =>
      2 ** -25 +
      2 ** -52 *
        (1 +
          Math.abs(
            (positionIds[Math.floor(i / invFreq.length)] as number) * (invFreq[i % invFreq.length] as number),
          ));
    plain.expectClose(made.cos, expected.cos, bound, "cos");
    plain.expectClose(made.sin, expected.sin, bound, "sin");
  });

  test("takes a run of positions", () => {
    const invFreq = engine.ropeInvFreq({ rotaryDim: 6 });
    expect(engine.buildRopeCache({ seqLen: 3, positionOffset: -1, invFreq })).toEqual(
      engine.buildRopeCache({ positionIds: new Int32Array([-1, 0, 1]), invFreq }),
    );
    expect(engine.buildRopeCache({ seqLen: 2, invFreq })).toEqual(
      engine.buildRopeCache({ positionIds: new Int32Array([0, 1]), invFreq }),
    );
  });
});

/** Rotate by position ids, as a user does it. */
function rotate(
  x: Float32Array,
  positionIds: Int32Array,
  shape: { nHeads: number; headDim: number; rotaryDim?: number; layout: RopeLayout },
): Float32Array {
  const invFreq = engine.ropeInvFreq({ rotaryDim: shape.rotaryDim ?? shape.headDim });
  const cache = engine.buildRopeCache({ positionIds, invFreq });
  return engine.applyRope({ x, ...cache, seqLen: positionIds.length, ...shape });
}

describe("applyRope", () => {
  test("turns (1, 0) by a quarter into (0, 1), the pairs as the layout has them", () => {
    const quarterAndHalf = { cos: new Float32Array([0, -1]), sin: new Float32Array([1, 0]) };
    const shape = { seqLen: 1, nHeads: 1, headDim: 4 };
    const x = new Float32Array([1, 2, 3, 4]);
    // (1, 2) by a quarter and (3, 4) by a half
    expect(engine.applyRope({ x, ...quarterAndHalf, ...shape, layout: "interleaved" })).toEqual(
      new Float32Array([-2, 1, -3, -4]),
    );
    // (1, 3) by a quarter and (2, 4) by a half
    expect(engine.applyRope({ x, ...quarterAndHalf, ...shape, layout: "half" })).toEqual(
      new Float32Array([-3, -2, 1, -4]),
    );
  });

  test("leaves components from rotaryDim on as they are", () => {
    const cache = { cos: new Float32Array([0]), sin: new Float32Array([1]) };
    const x = new Float32Array([1, 2, 3, 4, 5]);
    for (const layout of layouts) {
      expect(
        engine.applyRope({ x, ...cache, seqLen: 1, nHeads: 1, headDim: 5, rotaryDim: 2, layout }),
      ).toEqual(new Float32Array([-2, 1, 3, 4, 5]));
    }
  });

  const shapes = [
    { seqLen: 1, nHeads: 1, headDim: 2, rotaryDim: 2 },
    { seqLen: 3, nHeads: 2, headDim: 6, rotaryDim: 6 },
    { seqLen: 5, nHeads: 3, headDim: 64, rotaryDim: 64 },
    { seqLen: 4, nHeads: 1, headDim: 20, rotaryDim: 10 },
    { seqLen: 2, nHeads: 4, headDim: 9, rotaryDim: 8 },
  ];
  for (const layout of layouts) {
    test.each(shapes)(`${layout}: is what plain loops make of it, %o`, (shape) => {
      const { seqLen, nHeads, headDim, rotaryDim } = shape;
      const x = plain.noise(seqLen * nHeads * headDim);
      const positionIds = Int32Array.from({ length: seqLen }, (_, s) => 37 * s * s - 50);
      const out = rotate(x, positionIds, { nHeads, headDim, rotaryDim, layout });
      const expected = plain.applyRope(x, positionIds, plain.ropeInvFreq(rotaryDim), {
        nHeads,
        headDim,
        layout,
      });
      plain.expectClose(out, expected, 2 ** -22 * Math.SQRT2);
    });

    test(`${layout}: keeps each pair's length, near and far`, () => {
      const [nHeads, headDim] = [2, 64];
      const positionIds = new Int32Array([0, 1, 1000, 100_000, -100_000, 2 ** 31 - 1, -(2 ** 31)]);
      const x = plain.noise(positionIds.length * nHeads * headDim);
      const out = rotate(x, positionIds, { nHeads, headDim, layout });
      for (let head = 0; head < x.length; head += headDim) {
        const before = plain.pairPolar(x.subarray(head, head + headDim), layout).magnitude;
        const after = plain.pairPolar(out.subarray(head, head + headDim), layout).magnitude;
        plain.expectClose(after, before, (i) => 2 ** -22 * (before[i] as number));
      }
      expect(out).not.toEqual(x);
    });

    test(`${layout}: query · key depends on the distance alone, up to 100,000 along`, () => {
      const headDim = 64;
      const x = plain.noise(2 * headDim);
      const score = (offset: number, distance: number) => {
        const positionIds = new Int32Array([offset + distance, offset]);
        const out = rotate(x, positionIds, { nHeads: 1, headDim, layout });
        return plain.dot(out.subarray(0, headDim), out.subarray(headDim));
      };
      const [q, k] = [x.subarray(0, headDim), x.subarray(headDim)];
      const lengths = Math.sqrt(plain.dot(q, q) * plain.dot(k, k));
      for (const distance of [0, 1, 13, 500]) {
        const near = score(0, distance);
        for (const offset of [1, 999, 31_415, 100_000, -100_000]) {
          expect(Math.abs(score(offset, distance) - near)).toBeLessThanOrEqual(1e-5 * lengths);
        }
      }
      expect(score(0, 0)).toBeCloseTo(plain.dot(q, k), 4);
      // And it does depend on the distance.
      expect(Math.abs(score(0, 13) - score(0, 0))).toBeGreaterThan(0.01 * lengths);
    });
  }

  test("rotates all of a head if rotaryDim is not given", () => {
    const x = plain.noise(12);
    const cache = engine.buildRopeCache({ seqLen: 2, invFreq: engine.ropeInvFreq({ rotaryDim: 6 }) });
    const options = { x, ...cache, seqLen: 2, nHeads: 1, headDim: 6, layout: "half" as const };
    expect(engine.applyRope(options)).toEqual(engine.applyRope({ ...options, rotaryDim: 6 }));
  });
});
