// Each function of the engine once more, in plain loops over doubles: what the suites compare with. Written from the
// papers and the types' comments, not from the kernels.
import { expect } from "vitest";

export type Layout = "interleaved" | "half";
type Numbers = ArrayLike<number>;

const at = (numbers: Numbers, i: number): number => {
  const value = numbers[i];
  if (value === undefined) throw new RangeError(`no element ${i} of ${numbers.length}`);
  return value;
};

const grid = (rows: number, columns: number, of: (row: number, column: number) => number): number[] =>
  Array.from({ length: rows * columns }, (_, i) => of(Math.floor(i / columns), i % columns));

/** Where the two components of pair i are, of `dim` components. */
export const pairAt = (layout: Layout, dim: number, i: number): [number, number] =>
  layout === "half" ? [i, i + dim / 2] : [2 * i, 2 * i + 1];

export const integerEncoding = (ids: Numbers, dim: number) => grid(ids.length, dim, (s) => at(ids, s));

export const binaryEncoding = (ids: Numbers, dim: number) =>
  grid(ids.length, dim, (s, c) => Number((BigInt(at(ids, s)) >> BigInt(c)) & 1n));

export const sinusoidalEncoding = (ids: Numbers, dim: number, base = 10_000) =>
  grid(ids.length, dim, (s, c) => {
    const angle = at(ids, s) * base ** (-(c - (c % 2)) / dim);
    return c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });

export const ropeInvFreq = (rotaryDim: number, theta = 10_000) =>
  Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));

export const ropeCache = (ids: Numbers, invFreq: Numbers) => ({
  cos: grid(ids.length, invFreq.length, (s, i) => Math.cos(at(ids, s) * at(invFreq, i))),
  sin: grid(ids.length, invFreq.length, (s, i) => Math.sin(at(ids, s) * at(invFreq, i))),
});

/** A pair as a complex number, times cos + i sin; the cache is made here from positions and frequencies. */
export function applyRope(
  x: Numbers,
  ids: Numbers,
  invFreq: Numbers,
  shape: { nHeads: number; headDim: number; layout: Layout },
): number[] {
  const { nHeads, headDim, layout } = shape;
  const out = Array.from(x);
  for (let s = 0; s < ids.length; s++) {
    for (let h = 0; h < nHeads; h++) {
      const head = (s * nHeads + h) * headDim;
      for (let i = 0; i < invFreq.length; i++) {
        const [a, b] = pairAt(layout, 2 * invFreq.length, i);
        const angle = at(ids, s) * at(invFreq, i);
        const [re, im] = [at(x, head + a), at(x, head + b)];
        out[head + a] = re * Math.cos(angle) - im * Math.sin(angle);
        out[head + b] = re * Math.sin(angle) + im * Math.cos(angle);
      }
    }
  }
  return out;
}

export interface AttentionShape {
  qLen: number;
  kvLen: number;
  nHeads: number;
  nKvHeads: number;
  headDim: number;
}

export function attention(
  query: Numbers,
  key: Numbers,
  value: Numbers,
  { qLen, kvLen, nHeads, nKvHeads, headDim }: AttentionShape,
  { scale = 1 / Math.sqrt(headDim), causal = false, causalOffset = 0 } = {},
) {
  const out = new Array<number>(qLen * nHeads * headDim).fill(0);
  const weights = new Array<number>(nHeads * qLen * kvLen).fill(0);
  for (let h = 0; h < nHeads; h++) {
    const g = Math.floor((h * nKvHeads) / nHeads);
    for (let i = 0; i < qLen; i++) {
      const visible = Array.from({ length: kvLen }, (_, j) => j).filter(
        (j) => !causal || j <= i + causalOffset,
      );
      const score = (j: number) => {
        let sum = 0;
        for (let c = 0; c < headDim; c++)
          sum += at(query, (i * nHeads + h) * headDim + c) * at(key, (j * nKvHeads + g) * headDim + c);
        return scale * sum;
      };
      const scores = visible.map(score);
      const most = Math.max(...scores);
      const total = scores.reduce((sum, s) => sum + Math.exp(s - most), 0);
      visible.forEach((j, n) => {
        const weight = Math.exp(at(scores, n) - most) / total;
        weights[(h * qLen + i) * kvLen + j] = weight;
        for (let c = 0; c < headDim; c++) {
          const o = (i * nHeads + h) * headDim + c;
          out[o] = at(out, o) + weight * at(value, (j * nKvHeads + g) * headDim + c);
        }
      });
    }
  }
  return { out, weights };
}

export const addEncoding = (encoding: Numbers, x: Numbers) => Array.from(x, (v, i) => v + at(encoding, i));

export const linear = (x: Numbers, weight: Numbers, rows: number, inDim: number, outDim: number) =>
  grid(rows, outDim, (r, o) => {
    let sum = 0;
    for (let c = 0; c < inDim; c++) sum += at(x, r * inDim + c) * at(weight, o * inDim + c);
    return sum;
  });

export const rowNorms = (x: Numbers, rows: number, dim: number) =>
  Array.from({ length: rows }, (_, r) =>
    Math.hypot(...Array.from({ length: dim }, (_, c) => at(x, r * dim + c))),
  );

export const maxAbsDifference = (a: Numbers, b: Numbers) =>
  Math.max(...Array.from(a, (v, i) => Math.abs(v - at(b, i))));

/** Not wrapped: angles are compared by `expectAngles`, modulo a turn. */
export const ropeAngles = (first: number, step: number, count: number, invFreq: Numbers) =>
  grid(count, invFreq.length, (s, i) => (first + s * step) * at(invFreq, i));

export function pairPolar(x: Numbers, layout: Layout) {
  const pairs = Array.from({ length: x.length / 2 }, (_, i) => {
    const [a, b] = pairAt(layout, x.length, i);
    return [at(x, a), at(x, b)] as const;
  });
  return {
    magnitude: pairs.map(([a, b]) => Math.hypot(a, b)),
    angle: pairs.map(([a, b]) => Math.atan2(b, a)),
  };
}

export const pairScores = (
  query: Numbers,
  key: Numbers,
  layout: Layout,
  scale = 1 / Math.sqrt(query.length),
) =>
  Array.from({ length: query.length / 2 }, (_, i) => {
    const [a, b] = pairAt(layout, query.length, i);
    return scale * (at(query, a) * at(key, a) + at(query, b) * at(key, b));
  });

// ---- Data and comparison -----------------------------------------------------------------------------------------------

/** Numbers in [-1, 1) that look random and are the same in every run. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Every element within `bound` of what is expected; NaN is not within anything. */
export function expectClose(
  actual: Numbers,
  expected: Numbers,
  bound: number | ((i: number) => number),
  what = "",
): void {
  expect(actual.length, `${what} length`).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [got, wanted] = [at(actual, i), at(expected, i)];
    const within = typeof bound === "number" ? bound : bound(i);
    if (!(Math.abs(got - wanted) <= within)) {
      expect.fail(`${what} [${i}]: ${got} is not within ${within} of ${wanted}`);
    }
  }
}

/** Angles within [-π, π] as float32 has it, each within `bound` of what is expected up to whole turns. */
export function expectAngles(actual: Numbers, expected: Numbers, bound: (i: number) => number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [got, wanted] = [at(actual, i), at(expected, i)];
    const apart = Math.atan2(Math.sin(got - wanted), Math.cos(got - wanted));
    if (!(Math.abs(got) <= Math.fround(Math.PI) && Math.abs(apart) <= bound(i))) {
      expect.fail(`[${i}]: ${got} is not within ${bound(i)} of ${wanted}, modulo a turn`);
    }
  }
}

export const dot = (a: Numbers, b: Numbers) =>
  Array.from(a, (v, i) => v * at(b, i)).reduce((x, y) => x + y, 0);
