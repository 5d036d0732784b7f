import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

const tensors = (shape: plain.AttentionShape) => ({
  query: plain.noise(shape.qLen * shape.nHeads * shape.headDim, 1),
  key: plain.noise(shape.kvLen * shape.nKvHeads * shape.headDim, 2),
  value: plain.noise(shape.kvLen * shape.nKvHeads * shape.headDim, 3),
});

describe("attention", () => {
  test("weighs two keys 1 : 3 when their scores are 0 and ln 3", () => {
    const { out, weights } = engine.attention({
      query: new Float32Array([Math.log(3), 0]),
      key: new Float32Array([0, 5, 1, -5]),
      value: new Float32Array([4, 0, 8, 100]),
      qLen: 1,
      kvLen: 2,
      nHeads: 1,
      headDim: 2,
      softmaxScale: 1,
      weights: true,
    });
    plain.expectClose(weights, [0.25, 0.75], 2 ** -19);
    plain.expectClose(out, [7, 75], 100 * 2 ** -19);
  });

  test("divides the scores by sqrt(headDim) if no scale is given", () => {
    // Four components give ln 3 · 2 in all; halved, ln 3.
    const { weights } = engine.attention({
      query: new Float32Array([1, 1, 1, 1]),
      key: new Float32Array([0, 0, 0, 0, ...new Array<number>(4).fill(Math.log(3) / 2)]),
      value: new Float32Array(8),
      qLen: 1,
      kvLen: 2,
      nHeads: 1,
      headDim: 4,
      weights: true,
    });
    plain.expectClose(weights, [0.25, 0.75], 2 ** -19);
  });

  test("gives head h the key and value head floor(h / (nHeads / nKvHeads))", () => {
    // One key, so that each head's output is the value of its group.
    const shape = { qLen: 1, kvLen: 1, nHeads: 6, nKvHeads: 2, headDim: 1 };
    const { out } = engine.attention({
      query: plain.noise(6),
      key: plain.noise(2),
      value: new Float32Array([10, 20]),
      ...shape,
    });
    expect(out).toEqual(new Float32Array([10, 10, 10, 20, 20, 20]));
  });

  test("has kvLen = qLen, nKvHeads = nHeads and no mask if none of them is given", () => {
    const shape = { qLen: 3, kvLen: 3, nHeads: 2, nKvHeads: 2, headDim: 4 };
    const { query, key, value } = tensors(shape);
    const options = { query, key, value, qLen: 3, nHeads: 2, headDim: 4, weights: true } as const;
    expect(engine.attention(options)).toEqual(
      engine.attention({ ...options, ...shape, causal: false, causalOffset: 0, softmaxScale: 0.5 }),
    );
  });

  const shapes: plain.AttentionShape[] = [
    { qLen: 1, kvLen: 1, nHeads: 1, nKvHeads: 1, headDim: 1 },
    { qLen: 3, kvLen: 5, nHeads: 2, nKvHeads: 2, headDim: 4 },
    { qLen: 5, kvLen: 4, nHeads: 4, nKvHeads: 2, headDim: 3 },
    { qLen: 7, kvLen: 9, nHeads: 6, nKvHeads: 3, headDim: 8 },
    { qLen: 2, kvLen: 33, nHeads: 8, nKvHeads: 1, headDim: 17 },
    { qLen: 17, kvLen: 17, nHeads: 3, nKvHeads: 3, headDim: 64 },
  ];
  const masks = [
    { causal: false, causalOffset: 0 },
    { causal: true, causalOffset: 0 },
    { causal: true, causalOffset: 2 },
    { causal: true, causalOffset: -2 },
    { causal: true, causalOffset: 2 ** 31 - 1 },
    { causal: true, causalOffset: -(2 ** 31) },
    { causal: false, causalOffset: -5 },
  ];
  for (const mask of masks) {
    test.each(shapes)(`${JSON.stringify(mask)}: is what plain loops make of it, %o`, (shape) => {
      const { query, key, value } = tensors(shape);
      const options = { query, key, value, ...shape, ...mask };
      const expected = plain.attention(query, key, value, shape, mask);
      const { out, weights } = engine.attention({ ...options, weights: true });
      plain.expectClose(weights, expected.weights, 2 ** -19, "weights");
      plain.expectClose(out, expected.out, 2 ** -19, "out");
      // Without the weights another way through the kernel, within the same bound, and nothing but `out`.
      const alone = engine.attention(options);
      plain.expectClose(alone.out, expected.out, 2 ** -19, "out alone");
      expect(Object.keys(alone)).toEqual(["out"]);
      expect(Object.keys(engine.attention({ ...options, weights: false }))).toEqual(["out"]);
    });
  }

  test("makes rows of weights that sum to 1, large scores or not", () => {
    const shape = { qLen: 20, kvLen: 41, nHeads: 4, nKvHeads: 2, headDim: 16 };
    for (const softmaxScale of [0, 0.25, 50, 1e6, -3]) {
      const { weights, out } = engine.attention({ ...tensors(shape), ...shape, softmaxScale, weights: true });
      expect(weights.length).toBe(4 * 20 * 41);
      expect(out.length).toBe(20 * 4 * 16);
      for (let row = 0; row < weights.length; row += 41) {
        const sum = weights.subarray(row, row + 41).reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - 1)).toBeLessThanOrEqual(1e-5);
      }
    }
  });

  test("has exact zeros past the causal edge and none before it", () => {
    const shape = { qLen: 6, kvLen: 8, nHeads: 2, nKvHeads: 1, headDim: 5 };
    const { weights } = engine.attention({
      ...tensors(shape),
      ...shape,
      causal: true,
      causalOffset: 2,
      weights: true,
    });
    weights.forEach((weight, n) => {
      const [i, j] = [Math.floor(n / 8) % 6, n % 8];
      expect(weight > 0, `query ${i}, key ${j}`).toBe(j <= i + 2);
    });
  });

  test("makes rows that see no key zero, and lets nothing of a masked value through", () => {
    const shape = { qLen: 3, kvLen: 3, nHeads: 1, nKvHeads: 1, headDim: 2 };
    const masked = {
      query: plain.noise(6),
      key: new Float32Array([1, 2, NaN, Infinity, NaN, 1]),
      value: new Float32Array([5, 6, NaN, NaN, Infinity, 1]),
      ...shape,
      causal: true,
      causalOffset: -2,
    };
    // Queries 0 and 1 see nothing, query 2 the first key alone.
    const { out, weights } = engine.attention({ ...masked, weights: true });
    expect(out).toEqual(new Float32Array([0, 0, 0, 0, 5, 6]));
    expect(weights).toEqual(new Float32Array([0, 0, 0, 0, 0, 0, 1, 0, 0]));
    expect(engine.attention(masked).out).toEqual(out);
  });
});
