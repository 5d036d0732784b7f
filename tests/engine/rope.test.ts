import { loadRopewalk, type RopeLayout } from "ropewalk";
import { describe, expect, test } from "vitest";
import { ropeConfigs } from "./calls.ts";
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

  test("multiplies by attentionFactor, which is 1 if nothing is said", () => {
    const options = { seqLen: 4, invFreq: new Float64Array([1, 0.3]) };
    const once = engine.buildRopeCache(options);
    expect(engine.buildRopeCache({ ...options, attentionFactor: 1 })).toEqual(once);
    expect(engine.buildRopeCache({ ...options, attentionFactor: -2 })).toEqual({
      cos: once.cos.map((x) => -2 * x),
      sin: once.sin.map((x) => -2 * x),
    });
  });
});

describe("ropeFromConfig", () => {
  const trained = [1, 0.31622776601683794, 0.1, 0.03162277660168379];
  const slow = [0.01, 0.0031622776601683794, 0.001, 0.00031622776601683794];
  const quarters = [0.0025, 0.0007905694150420948, 0.00025, 7.905694150420948e-5];
  // By 40-digit arithmetic, from the formulas of Hugging Face's modeling_rope_utils.py.
  const expected = {
    default: [...trained, ...slow],
    linear: [0.25, 0.07905694150420949, 0.025, 0.007905694150420948, ...quarters],
    ntk: [
      ...[1, 0.25941281701492275, 0.0672950096316178, 0.017457188019584336],
      ...[0.004528618321319533, 0.0011747816359188909, 0.00030475341355111886, 7.905694150420948e-5],
    ],
    // 96 tokens of 64, by a factor of 4: as NTK by 3.
    dynamic: [
      ...[1, 0.2702961256924036, 0.07305999556432365, 0.019747833744140873],
      ...[0.005337762951858991, 0.001442776645751933, 0.000389976937586229, 0.00010540925533894598],
    ],
    // A ramp over pairs 0 to 3.
    yarn: [1, 0.23717082451262844, 0.05, 0.007905694150420948, ...quarters],
    longrope: [
      ...[1, 0.21081851067789195, 0.05, 0.010540925533894598],
      ...[0.0025, 0.0005270462766947299, 0.000125, 2.6352313834736496e-5],
    ],
    llama3: [1, 0.25464790894703254, 0.025464790894703253, 0.007905694150420948, ...quarters],
    proportional: [...trained, 0, 0, 0, 0],
  };
  const attentionFactors = { yarn: 1.138629436111989, longrope: 1.1547005383792515 };
  const types = Object.keys(ropeConfigs) as (keyof typeof ropeConfigs)[];

  test.each(types)("%s: has the frequencies that the formula gives", (type) => {
    const rope = engine.ropeFromConfig(ropeConfigs[type]);
    plain.expectClose(rope.invFreq, expected[type], (i) => 2 ** -50 * (expected[type][i] as number));
    expect(rope.invFreq).toBeInstanceOf(Float64Array);
    const factor = type in attentionFactors ? attentionFactors[type as "yarn"] : 1;
    plain.expectClose([rope.attentionFactor, rope.softmaxFactor], [factor, 1], 2 ** -50);
    expect(rope).toMatchObject({ ropeType: type, headDim: 16, rotaryDim: 16, ropeTheta: 10_000 });
  });

  test("the softmax factor is that of latent attention, and 1 for a model without", () => {
    const yarn = { rope_type: "yarn", factor: 40, original_max_position_embeddings: 4096 };
    const rope_scaling = { ...yarn, mscale: 1, mscale_all_dim: 1 };
    const head = { head_dim: 64, max_position_embeddings: 163840, rope_theta: 10000 };
    const factorsOf = (config: object) => {
      const { attentionFactor, softmaxFactor } = engine.ropeFromConfig({ config });
      return [attentionFactor, softmaxFactor];
    };
    const squared = (0.1 * Math.log(40) + 1) ** 2; // DeepSeek-V3, arXiv:2412.19437, section 4.3
    const latent = { model_type: "deepseek_v3", qk_rope_head_dim: 64, ...head, rope_scaling };
    plain.expectClose(factorsOf(latent), [1, squared], 2 ** -48);
    expect(factorsOf({ model_type: "ministral3", ...head, rope_scaling })).toEqual([1, 1]);
    expect(factorsOf({ model_type: "llama", ...head })).toEqual([1, 1]);
  });

  test("goes by the length now, where the type does", () => {
    const { config } = ropeConfigs.dynamic;
    const invFreq = (seqLen?: number) => engine.ropeFromConfig({ config, ...(seqLen && { seqLen }) }).invFreq;
    plain.expectClose(invFreq(), expected.default, (i) => 2 ** -50 * (expected.default[i] as number));
    expect(invFreq(64)).toEqual(invFreq());
    expect(invFreq(65)).not.toEqual(invFreq());
    const long = ropeConfigs.longrope.config;
    const short = [1, 1, 1, 1, 1.5, 1.5, 1.5, 2].map((factor, i) => (expected.default[i] as number) / factor);
    for (const options of [{ config: long }, { config: long, seqLen: 64 }]) {
      plain.expectClose(
        engine.ropeFromConfig(options).invFreq,
        short,
        (i) => 2 ** -50 * (short[i] as number),
      );
    }
  });

  test("makes what buildRopeCache() and applyRope() take", () => {
    const { config } = ropeConfigs.yarn;
    const { invFreq, attentionFactor, headDim, rotaryDim } = engine.ropeFromConfig({ config });
    const cache = engine.buildRopeCache({ seqLen: 3, positionOffset: 100, invFreq, attentionFactor });
    const positionIds = [100, 101, 102];
    const exact = plain.ropeCache(positionIds, expected.yarn, { attentionFactor: attentionFactors.yarn });
    plain.expectClose(cache.cos, exact.cos, 2 ** -23);
    const x = plain.noise(96);
    const shape = { seqLen: 3, nHeads: 2, headDim, layout: "half" as const };
    const out = engine.applyRope({ x, ...cache, ...shape, rotaryDim });
    plain.expectClose(out, plain.rotate(x, exact, { ...shape, len: 3 }), 2 ** -21);
  });
});

describe("buildMropeCache", () => {
  // Of each token: time, height and width.
  const positionIds = new Int32Array([0, 1, 5, 100_000, /**/ 3, 0, -7, 2, /**/ 9, 4, 2 ** 31 - 1, 0]);
  const invFreq = engine.ropeInvFreq({ rotaryDim: 20, ropeTheta: 1000 });

  test("turns pairs by time, height or width", () => {
    const options = {
      positionIds: new Int32Array([1, 2, 3]),
      seqLen: 1,
      invFreq: new Float64Array(6).fill(Math.PI / 2),
    };
    // A quarter turn, a half, three quarters: the sine is 1, 0 and -1.
    const sines = (sections: [number, number, number], interleaved?: boolean) =>
      Array.from(
        engine.buildMropeCache({ ...options, sections, ...(interleaved !== undefined && { interleaved }) })
          .sin,
        Math.round,
      ).map((x) => x + 0);
    expect(sines([1, 2, 3])).toEqual([1, 0, 0, -1, -1, -1]);
    expect(sines([1, 2, 3], false)).toEqual([1, 0, 0, -1, -1, -1]);
    expect(sines([2, 2, 2], true)).toEqual([1, 0, -1, 1, 0, -1]);
    // What is over goes by time.
    expect(sines([4, 1, 1], true)).toEqual([1, 0, -1, 1, 1, 1]);
    expect(sines([6, 0, 0])).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test.each([
    { sections: [4, 3, 3], interleaved: false },
    { sections: [4, 3, 3], interleaved: true },
    { sections: [2, 5, 3], interleaved: false },
    { sections: [6, 3, 1], interleaved: true },
  ] as { sections: [number, number, number]; interleaved: boolean }[])(
    "is what plain loops make of it, %o",
    (how) => {
      const axisOf = plain.mropeAxis(how.sections, how.interleaved);
      for (const attentionFactor of [1, 1.5]) {
        const expected = plain.ropeCache(positionIds, invFreq, { rows: 4, axisOf, attentionFactor });
        const made = engine.buildMropeCache({ positionIds, seqLen: 4, invFreq, ...how, attentionFactor });
        // The oracle's own angle in double, at positions up to 2^31.
        const bound = attentionFactor * 2 ** -20;
        plain.expectClose(made.cos, expected.cos, bound);
        plain.expectClose(made.sin, expected.sin, bound);
      }
    },
  );

  test("is an ordinary cache for text, whose three coordinates are the same", () => {
    const ids = Int32Array.from([5, 6, 7]);
    const three = Int32Array.from([...ids, ...ids, ...ids]);
    const cache = engine.buildRopeCache({ positionIds: ids, invFreq });
    for (const interleaved of [false, true]) {
      expect(
        engine.buildMropeCache({ positionIds: three, seqLen: 3, invFreq, sections: [4, 3, 3], interleaved }),
      ).toEqual(cache);
    }
  });
});

describe("buildAxialRopeCache", () => {
  test("turns half of the pairs by the row, half by the column", () => {
    const { cos, sin } = engine.buildAxialRopeCache({
      positionIds: new Int32Array([1, 0, /**/ 0, 1]),
      seqLen: 2,
      rotaryDim: 8,
    });
    // 100^0 and 100^(-2/4)
    const [c, s] = [
      [Math.cos(1), Math.cos(0.1)],
      [Math.sin(1), Math.sin(0.1)],
    ] as const;
    plain.expectClose(cos, [...c, 1, 1, /**/ 1, 1, ...c], 2 ** -24);
    plain.expectClose(sin, [...s, 0, 0, /**/ 0, 0, ...s], 2 ** -24);
  });

  test.each([4, 16, 60])("is what plain loops make of it, rotaryDim %i", (rotaryDim) => {
    const positionIds = new Int32Array([0, 1, 13, 100_000, 7, /**/ 5, -3, 0, 2, 77]);
    const axisOf = (i: number) => (i < rotaryDim / 4 ? 0 : 1);
    for (const ropeTheta of [undefined, 100, 10_000]) {
      const expected = plain.ropeCache(positionIds, plain.axialInvFreq(rotaryDim, ropeTheta), {
        rows: 5,
        axisOf,
      });
      const options = { positionIds, seqLen: 5, rotaryDim, ...(ropeTheta !== undefined && { ropeTheta }) };
      const made = engine.buildAxialRopeCache(options);
      plain.expectClose(made.cos, expected.cos, 2 ** -23);
      plain.expectClose(made.sin, expected.sin, 2 ** -23);
    }
  });
});

describe("buildXposCache", () => {
  const invFreq = engine.ropeInvFreq({ rotaryDim: 12 });
  const positionIds = new Int32Array([0, 1, 100, -100, 1000, 3]);

  for (const side of ["query", "key"] as const) {
    test(`${side}: is what plain loops make of it`, () => {
      for (const more of [{}, { scaleBase: 100 }, { gamma: 0.7 }, { scaleBase: 64, gamma: 2 }]) {
        const expected = plain.xposCache(positionIds, invFreq, side, more);
        const made = engine.buildXposCache({ positionIds, invFreq, side, ...more });
        // |cos| and |sin| together are the scale that the error goes with.
        const scale = (i: number) => Math.hypot(expected.cos[i] as number, expected.sin[i] as number);
        plain.expectClose(made.cos, expected.cos, (i) => 2 ** -22 * scale(i));
        plain.expectClose(made.sin, expected.sin, (i) => 2 ** -22 * scale(i));
      }
    });

    test(`${side}: takes a run of positions`, () => {
      const options = { invFreq, side };
      expect(engine.buildXposCache({ ...options, seqLen: 3, positionOffset: -1 })).toEqual(
        engine.buildXposCache({ ...options, positionIds: new Int32Array([-1, 0, 1]) }),
      );
      expect(engine.buildXposCache({ ...options, seqLen: 2 })).toEqual(
        engine.buildXposCache({ ...options, positionIds: new Int32Array([0, 1]) }),
      );
    });
  }

  test("makes scores decay with distance, wherever the two stand", () => {
    const x = new Float32Array(24).fill(1);
    const score = (position: number, distance: number) => {
      const rotated = (["query", "key"] as const).map((side) => {
        const ids = new Int32Array([side === "query" ? position + distance : position]);
        const cache = engine.buildXposCache({ positionIds: ids, invFreq: new Float64Array(6), side });
        return engine.applyRope({
          x: x.subarray(0, 12),
          ...cache,
          seqLen: 1,
          nHeads: 1,
          headDim: 12,
          layout: "half",
        });
      });
      return plain.dot(rotated[0] as Float32Array, rotated[1] as Float32Array);
    };
    expect(score(0, 0)).toBeCloseTo(12, 5);
    expect(score(0, 512)).toBeLessThan(score(0, 100));
    expect(score(0, 512)).toBeGreaterThan(0);
    expect(score(700, 512)).toBeCloseTo(score(0, 512), 4);
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

  describe.each(["bshd", "bhsd"] as const)("%s", (format) => {
    const shape = { format, batch: 3, seqLen: 4, nHeads: 2, headDim: 10, rotaryDim: 6 };
    const heads = { ...shape, len: 4 };
    const x = plain.noise(240);

    for (const layout of layouts) {
      test(`${layout}: has a row for each token of the batch`, () => {
        const rows = { cos: plain.noise(36, 2), sin: plain.noise(36, 3) };
        const expected = plain.rotate(x, rows, { ...heads, layout });
        plain.expectClose(engine.applyRope({ x, ...rows, ...shape, layout }), expected, 2 ** -22);
        expect(engine.applyRope({ x, ...rows, ...shape, layout, rows: 12 })).toEqual(
          engine.applyRope({ x, ...rows, ...shape, layout }),
        );
      });

      test(`${layout}: or rows that all sequences share`, () => {
        const rows = { cos: plain.noise(12, 2), sin: plain.noise(12, 3) };
        const expected = plain.rotate(x, rows, { ...heads, layout });
        plain.expectClose(engine.applyRope({ x, ...rows, ...shape, layout }), expected, 2 ** -22);
      });

      test(`${layout}: or any rows, of which positionIds names one for each token`, () => {
        const positionIds = new Int32Array([6, 0, 1, 1, /**/ 2, 3, 4, 5, /**/ 6, 6, 0, 3]);
        const rows = { cos: plain.noise(21, 2), sin: plain.noise(21, 3) };
        const expected = plain.rotate(x, rows, { ...heads, layout }, positionIds);
        plain.expectClose(
          engine.applyRope({ x, ...rows, ...shape, layout, positionIds }),
          expected,
          2 ** -22,
        );
        using buffer = engine.f32(x);
        using ids = engine.i32(positionIds);
        engine.applyRope({ x: buffer, ...rows, ...shape, layout, positionIds: ids, rows: 7 });
        plain.expectClose(buffer.view, expected, 2 ** -22);
      });
    }
  });

  test("has bshd and one sequence if nothing else is said", () => {
    const options = {
      x: plain.noise(24),
      cos: plain.noise(4, 2),
      sin: plain.noise(4, 3),
      layout: "half",
    } as const;
    const shape = { seqLen: 2, nHeads: 3, headDim: 4 };
    expect(engine.applyRope({ ...options, ...shape })).toEqual(
      engine.applyRope({ ...options, ...shape, format: "bshd", batch: 1 }),
    );
    expect(engine.applyRope({ ...options, ...shape })).not.toEqual(
      engine.applyRope({ ...options, ...shape, format: "bhsd" }),
    );
  });
});

describe("convertRopeLayout", () => {
  test("puts the first of each pair before all of the second, and back", () => {
    const interleaved = new Float32Array([0, 1, 2, 3, 4, 5]);
    const half = new Float32Array([0, 2, 4, 1, 3, 5]);
    expect(engine.convertRopeLayout({ x: interleaved, headDim: 6, to: "half" })).toEqual(half);
    expect(engine.convertRopeLayout({ x: half, headDim: 6, to: "interleaved" })).toEqual(interleaved);
    // Components from rotaryDim on stay.
    expect(engine.convertRopeLayout({ x: interleaved, headDim: 6, rotaryDim: 4, to: "half" })).toEqual(
      new Float32Array([0, 2, 1, 3, 4, 5]),
    );
  });

  for (const to of layouts) {
    test.each([
      { headDim: 8 },
      { outer: 3, headDim: 5, rotaryDim: 4 },
      { outer: 2, headDim: 6, inner: 7 },
      { outer: 4, headDim: 10, inner: 3, rotaryDim: 6 },
    ])(`to ${to}: is what plain loops make of it, and the other undoes it, %o`, (shape) => {
      const x = plain.noise((shape.outer ?? 1) * shape.headDim * (shape.inner ?? 1));
      const out = engine.convertRopeLayout({ x, ...shape, to });
      expect(out).toEqual(Float32Array.from(plain.convertRopeLayout(x, to, shape)));
      const back = to === "half" ? "interleaved" : "half";
      expect(engine.convertRopeLayout({ x: out, ...shape, to: back })).toEqual(x);
    });
  }

  test("makes a checkpoint of one layout rotate in the other", () => {
    const [seqLen, inDim, nHeads, headDim] = [3, 5, 2, 8];
    const [x, weight] = [plain.noise(seqLen * inDim), plain.noise(nHeads * headDim * inDim, 2)];
    const cache = engine.buildRopeCache({ seqLen, invFreq: engine.ropeInvFreq({ rotaryDim: headDim }) });
    const rotated = (matrix: Float32Array, layout: RopeLayout) =>
      engine.applyRope({
        x: engine.linear({ x, weight: matrix, rows: seqLen, inDim, outDim: nHeads * headDim }),
        ...cache,
        ...{ seqLen, nHeads, headDim, layout },
      });
    const halves = engine.convertRopeLayout({ x: weight, outer: nHeads, headDim, inner: inDim, to: "half" });
    const back = { outer: seqLen * nHeads, headDim, to: "interleaved" } as const;
    plain.expectClose(
      engine.convertRopeLayout({ x: rotated(halves, "half"), ...back }),
      rotated(weight, "interleaved"),
      2 ** -21,
    );
  });
});
