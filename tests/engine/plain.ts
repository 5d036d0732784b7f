// Each function of the engine once more, in plain loops over doubles: what the suites compare with. Written from the
// papers and the types' comments, not from the kernels.
import { expect } from "vitest";

export type Layout = "interleaved" | "half";
export type Format = "bshd" | "bhsd";
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

export interface RopeCacheShape {
  rows?: number;
  axisOf?: (pair: number) => number;
  attentionFactor?: number;
}

/** `positionIds` has a coordinate of each row for each axis, [axes, rows]; `axisOf` says which one a pair turns by. */
export function ropeCache(
  positionIds: Numbers,
  invFreq: Numbers,
  { rows = positionIds.length, axisOf = () => 0, attentionFactor = 1 }: RopeCacheShape = {},
) {
  const of = (turn: (angle: number) => number) =>
    grid(rows, invFreq.length, (s, i) => {
      const position = at(positionIds, axisOf(i) * rows + s);
      return attentionFactor * turn(position * at(invFreq, i));
    });
  return { cos: of(Math.cos), sin: of(Math.sin) };
}

/** Time, height or width, by which pair i turns. */
export const mropeAxis =
  ([time, height, width]: readonly [number, number, number], interleaved: boolean) =>
  (i: number): number => {
    if (!interleaved) return i < time ? 0 : i < time + height ? 1 : 2;
    const axis = i % 3;
    return i < 3 * at([time, height, width], axis) ? axis : 0;
  };

export const axialInvFreq = (rotaryDim: number, theta = 100) => [
  ...ropeInvFreq(rotaryDim / 2, theta),
  ...ropeInvFreq(rotaryDim / 2, theta),
];

export function xposCache(
  ids: Numbers,
  invFreq: Numbers,
  side: "query" | "key",
  { scaleBase = 512, gamma = 0.4 } = {},
) {
  const of = (turn: (angle: number) => number) =>
    grid(ids.length, invFreq.length, (s, i) => {
      const zeta = (i / invFreq.length + gamma) / (1 + gamma);
      const scale = zeta ** (at(ids, s) / scaleBase);
      return (side === "query" ? scale : 1 / scale) * turn(at(ids, s) * at(invFreq, i));
    });
  return { cos: of(Math.cos), sin: of(Math.sin) };
}

export interface HeadsShape {
  format?: Format;
  batch?: number;
  len: number;
  nHeads: number;
  headDim: number;
}

/** Where component c of head h of token s of sequence b is. */
export const headAt = (
  { format = "bshd", len, nHeads, headDim }: HeadsShape,
  b: number,
  s: number,
  h: number,
  c = 0,
): number => (format === "bshd" ? (b * len + s) * nHeads + h : (b * nHeads + h) * len + s) * headDim + c;

/** A tensor of heads, component by component. */
export function headsOf(
  shape: HeadsShape,
  of: (b: number, s: number, h: number, c: number) => number,
): number[] {
  const { batch = 1, len, nHeads, headDim } = shape;
  const out = new Array<number>(batch * len * nHeads * headDim);
  for (let b = 0; b < batch; b++)
    for (let s = 0; s < len; s++)
      for (let h = 0; h < nHeads; h++)
        for (let c = 0; c < headDim; c++) out[headAt(shape, b, s, h, c)] = of(b, s, h, c);
  return out;
}

/** The tokens of one tensor of heads, and those of another behind them. */
export const joinHeads = (shape: HeadsShape, first: Numbers, firstLen: number, second: Numbers) =>
  headsOf(shape, (b, s, h, c) =>
    s < firstLen
      ? at(first, headAt({ ...shape, len: firstLen }, b, s, h, c))
      : at(second, headAt({ ...shape, len: shape.len - firstLen }, b, s - firstLen, h, c)),
  );

/** Tokens from `begin` to before `end` of a tensor of heads. */
export const sliceHeads = (shape: HeadsShape, x: Numbers, begin: number, end: number) =>
  headsOf({ ...shape, len: end - begin }, (b, s, h, c) => at(x, headAt(shape, b, begin + s, h, c)));

/** By rows of cosines and sines, one for each token, or the one that positionIds names for it. */
export function rotate(
  x: Numbers,
  { cos, sin }: { cos: Numbers; sin: Numbers },
  shape: HeadsShape & { layout: Layout; rotaryDim?: number },
  positionIds?: Numbers,
): number[] {
  const { layout, rotaryDim = shape.headDim, len } = shape;
  const pairs = rotaryDim / 2;
  const rows = cos.length / pairs;
  return headsOf(shape, (b, s, h, c) => {
    const own = at(x, headAt(shape, b, s, h, c));
    if (c >= rotaryDim) return own;
    const i = layout === "half" ? c % pairs : Math.floor(c / 2);
    const [first, second] = pairAt(layout, rotaryDim, i);
    const token = b * len + s;
    const row = positionIds === undefined ? token % rows : at(positionIds, token);
    const [cosine, sine] = [at(cos, row * pairs + i), at(sin, row * pairs + i)];
    const other = at(x, headAt(shape, b, s, h, c === first ? second : first));
    return c === first ? own * cosine - other * sine : own * cosine + other * sine;
  });
}

export interface ConversionShape {
  outer?: number;
  headDim: number;
  inner?: number;
  rotaryDim?: number;
}

export function convertRopeLayout(
  x: Numbers,
  to: Layout,
  { outer = 1, headDim, inner = 1, rotaryDim = headDim }: ConversionShape,
): number[] {
  const out = Array.from(x);
  const from = to === "half" ? "interleaved" : "half";
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < rotaryDim / 2; i++)
      for (const member of [0, 1] as const)
        for (let n = 0; n < inner; n++) {
          const [source, target] = [pairAt(from, rotaryDim, i)[member], pairAt(to, rotaryDim, i)[member]];
          out[(o * headDim + target) * inner + n] = at(x, (o * headDim + source) * inner + n);
        }
  return out;
}

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
  format?: Format;
  batch?: number;
  qLen: number;
  kvLen: number;
  nHeads: number;
  nKvHeads: number;
  headDim: number;
  vHeadDim?: number;
}

export interface AttentionRules {
  softmaxScale?: number;
  softcap?: number;
  queryOffset?: number;
  causal?: boolean;
  leftWindowSize?: number;
  rightWindowSize?: number;
  kvLens?: Numbers;
  mask?: Numbers;
  maskShape?: readonly number[];
  bias?: Numbers;
  biasShape?: readonly number[];
  scoreStage?: "raw" | "softcapped" | "masked";
}

/** One element of a tensor that is broadcast over [batch, nHeads, qLen, kvLen]; undefined past its last extent. */
function broadcast(
  tensor: Numbers,
  shape: readonly number[],
  index: readonly [number, number, number, number],
) {
  const extents = [1, 1, 1, ...shape].slice(-4);
  if (index[3] >= at(extents, 3)) return undefined;
  return at(
    tensor,
    extents.reduce((offset, extent, d) => offset * extent + (extent === 1 ? 0 : at(index, d)), 0),
  );
}

export function attention(
  query: Numbers,
  key: Numbers,
  value: Numbers,
  shape: AttentionShape,
  rules: AttentionRules = {},
) {
  const { format = "bshd", batch = 1, qLen, kvLen, nHeads, nKvHeads, headDim, vHeadDim = headDim } = shape;
  const { softmaxScale = 1 / Math.sqrt(headDim), softcap = 0, scoreStage = "masked" } = rules;
  const { causal = false, leftWindowSize = -1, rightWindowSize = -1, kvLens } = rules;
  const queries = { format, batch, len: qLen, nHeads, headDim };
  const keys = { format, batch, len: kvLen, nHeads: nKvHeads, headDim };
  const values = { ...keys, headDim: vHeadDim };
  const outs = { ...queries, headDim: vHeadDim };

  const out = new Array<number>(batch * qLen * nHeads * vHeadDim).fill(0);
  const weights = new Array<number>(batch * nHeads * qLen * kvLen).fill(0);
  const scores = new Array<number>(weights.length);
  for (let b = 0; b < batch; b++) {
    const len = kvLens === undefined ? kvLen : at(kvLens, b);
    const offset = kvLens === undefined ? (rules.queryOffset ?? 0) : len - qLen;
    for (let h = 0; h < nHeads; h++) {
      const g = Math.floor((h * nKvHeads) / nHeads);
      for (let i = 0; i < qLen; i++) {
        const row = ((b * nHeads + h) * qLen + i) * kvLen;
        const p = i + offset;
        const masked: number[] = [];
        for (let j = 0; j < kvLen; j++) {
          let dotProduct = 0;
          for (let c = 0; c < headDim; c++)
            dotProduct += at(query, headAt(queries, b, i, h, c)) * at(key, headAt(keys, b, j, g, c));
          const raw = softmaxScale * dotProduct;
          const softcapped = softcap === 0 ? raw : softcap * Math.tanh(raw / softcap);
          const index = [b, h, i, j] as const;
          const whole = [qLen, kvLen];
          const shown = rules.mask ? broadcast(rules.mask, rules.maskShape ?? whole, index) : 1;
          const added = rules.bias
            ? (broadcast(rules.bias, rules.biasShape ?? whole, index) ?? -Infinity)
            : 0;
          const isSeen =
            j < len &&
            (!causal || j <= p) &&
            (leftWindowSize < 0 || j >= p - leftWindowSize) &&
            (rightWindowSize < 0 || j <= p + rightWindowSize) &&
            shown !== undefined &&
            shown !== 0 &&
            added !== -Infinity;
          masked[j] = isSeen ? softcapped + added : -Infinity;
          scores[row + j] = { raw, softcapped, masked: at(masked, j) }[scoreStage];
        }
        const most = Math.max(...masked);
        if (most === -Infinity) continue;
        const total = masked.reduce((sum, score) => sum + Math.exp(score - most), 0);
        masked.forEach((score, j) => {
          if (score === -Infinity) return;
          const weight = Math.exp(score - most) / total;
          weights[row + j] = weight;
          for (let c = 0; c < vHeadDim; c++) {
            const o = headAt(outs, b, i, h, c);
            out[o] = at(out, o) + weight * at(value, headAt(values, b, j, g, c));
          }
        });
      }
    }
  }
  return { out, weights, scores };
}

export const softmax = (x: Numbers, size: number, inner = 1) =>
  Array.from(x, (_, n) => {
    const first = n - (Math.floor(n / inner) % size) * inner;
    const row = Array.from({ length: size }, (_, i) => at(x, first + i * inner));
    const most = Math.max(...row);
    if (most === -Infinity) return 0;
    return Math.exp(at(x, n) - most) / row.reduce((sum, value) => sum + Math.exp(value - most), 0);
  });

export const rmsNorm = (
  x: Numbers,
  dim: number,
  { weight, epsilon = 1e-6 }: { weight?: Numbers; epsilon?: number } = {},
) =>
  Array.from(x, (value, n) => {
    const row = Array.from({ length: dim }, (_, c) => at(x, n - (n % dim) + c));
    const meanSquare = dot(row, row) / dim;
    const length = Math.sqrt(meanSquare + epsilon);
    return (length === 0 ? 0 : value / length) * (weight === undefined ? 1 : at(weight, n % dim));
  });

/** Row r of [batch, outer, rows, inner] to row indices[b] + r of [batch, outer, capacity, inner]. */
export function writeCache(
  cache: Numbers,
  update: Numbers,
  shape: Record<"batch" | "outer" | "capacity" | "rows" | "inner", number>,
  indices?: Numbers,
): number[] {
  const { batch, outer, capacity, rows, inner } = shape;
  const out = Array.from(cache);
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < outer; o++)
      for (let r = 0; r < rows; r++)
        for (let n = 0; n < inner; n++) {
          const row = ((indices === undefined ? 0 : at(indices, b)) + r) % capacity;
          out[((b * outer + o) * capacity + row) * inner + n] = at(
            update,
            ((b * outer + o) * rows + r) * inner + n,
          );
        }
  return out;
}

// ---- Latent attention --------------------------------------------------------------------------------------------------

export interface MlaLayer {
  hiddenSize: number;
  nHeads: number;
  qLoraRank?: number;
  kvLoraRank: number;
  qkNopeHeadDim: number;
  qkRopeHeadDim: number;
  vHeadDim: number;
  qProj?: Numbers;
  qAProj?: Numbers;
  qALayernorm?: Numbers;
  qBProj?: Numbers;
  kvAProj: Numbers;
  kvALayernorm: Numbers;
  kvBProj: Numbers;
  oProj: Numbers;
}

export interface MlaRules {
  batch?: number;
  len: number;
  causal?: boolean;
  softmaxScale?: number;
  epsilon?: number;
}

/** Columns of rows: `count` from `first` on, of `width`. */
const columnsOf = (x: Numbers, width: number, first: number, count: number) =>
  grid(x.length / width, count, (row, c) => at(x, row * width + first + c));

/** Each row of a with that of b behind it. */
const besides = (a: Numbers, aWidth: number, b: Numbers, bWidth: number) =>
  grid(a.length / aWidth, aWidth + bWidth, (row, c) =>
    c < aWidth ? at(a, row * aWidth + c) : at(b, row * bWidth + c - aWidth),
  );

/** Whole sequences, from their first token on: arXiv:2405.04434, eq. 37 to 47. */
export function mla(x: Numbers, layer: MlaLayer, turns: { cos: Numbers; sin: Numbers }, rules: MlaRules) {
  const { hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim } = layer;
  const { batch = 1, len, causal = false, epsilon = 1e-6 } = rules;
  const qkDim = nope + rope;
  const { softmaxScale = 1 / Math.sqrt(qkDim) } = rules;
  const tokens = batch * len;
  const turned = (part: Numbers, heads: number) =>
    rotate(part, turns, { batch, len, nHeads: heads, headDim: rope, layout: "interleaved" });
  const present = (weight: Numbers | undefined) => weight as Numbers;

  let qLatent: number[] | undefined;
  if (layer.qLoraRank !== undefined) {
    const down = linear(x, present(layer.qAProj), tokens, hiddenSize, layer.qLoraRank);
    qLatent = rmsNorm(down, layer.qLoraRank, { weight: present(layer.qALayernorm), epsilon });
  }
  const up = qLatent
    ? linear(qLatent, present(layer.qBProj), tokens, layer.qLoraRank as number, nHeads * qkDim)
    : linear(x, present(layer.qProj), tokens, hiddenSize, nHeads * qkDim);
  const query = besides(
    columnsOf(up, qkDim, 0, nope),
    nope,
    turned(columnsOf(up, qkDim, nope, rope), nHeads),
    rope,
  );

  const down = linear(x, layer.kvAProj, tokens, hiddenSize, kvLoraRank + rope);
  const latent = rmsNorm(columnsOf(down, kvLoraRank + rope, 0, kvLoraRank), kvLoraRank, {
    weight: layer.kvALayernorm,
    epsilon,
  });
  const keyTurned = turned(columnsOf(down, kvLoraRank + rope, kvLoraRank, rope), 1);
  const latents = besides(latent, kvLoraRank, keyTurned, rope);

  const both = linear(latent, layer.kvBProj, tokens, kvLoraRank, nHeads * (nope + vHeadDim));
  const keyTurnedOfHeads = grid(tokens * nHeads, rope, (row, c) =>
    at(keyTurned, Math.floor(row / nHeads) * rope + c),
  );
  const key = besides(columnsOf(both, nope + vHeadDim, 0, nope), nope, keyTurnedOfHeads, rope);
  const value = columnsOf(both, nope + vHeadDim, nope, vHeadDim);
  const shape = {
    ...{ batch, qLen: len, kvLen: len, nHeads, nKvHeads: nHeads },
    ...{ headDim: qkDim, vHeadDim },
  };
  const { out: heads, weights, scores } = attention(query, key, value, shape, { causal, softmaxScale });
  const out = linear(heads, layer.oProj, tokens, nHeads * vHeadDim, hiddenSize);
  return { out, weights, scores, query, latents, key, value, heads, ...(qLatent && { qLatent }) };
}

/** The mean of R(-distance) W_UK over the distances, and the distance from it, both one by one. */
export function absorbRotation(
  keyUp: Numbers,
  shape: { headDim: number; kvLoraRank: number; invFreq: Numbers; layout: Layout; contextLen: number },
  distances: Numbers,
) {
  const { headDim, kvLoraRank, invFreq, layout, contextLen } = shape;
  const rotaryDim = 2 * invFreq.length;
  const turned = (distance: number) => {
    const out = Array.from(keyUp);
    for (let i = 0; i < invFreq.length; i++) {
      const [a, b] = pairAt(layout, rotaryDim, i);
      const angle = -distance * at(invFreq, i);
      for (let c = 0; c < kvLoraRank; c++) {
        const [re, im] = [at(keyUp, a * kvLoraRank + c), at(keyUp, b * kvLoraRank + c)];
        out[a * kvLoraRank + c] = re * Math.cos(angle) - im * Math.sin(angle);
        out[b * kvLoraRank + c] = re * Math.sin(angle) + im * Math.cos(angle);
      }
    }
    return out;
  };
  const absorbed = new Array<number>(headDim * kvLoraRank).fill(0);
  for (let distance = 0; distance < contextLen; distance++) {
    turned(distance).forEach((value, i) => {
      absorbed[i] = at(absorbed, i) + value / contextLen;
    });
  }
  const size = Math.hypot(...Array.from(keyUp));
  const error = Array.from(distances, (distance) => {
    const exact = turned(distance);
    return size === 0 ? 0 : Math.hypot(...absorbed.map((value, i) => value - at(exact, i))) / size;
  });
  return { absorbed, error };
}

/** Of each column. */
export const relativeErrors = (x: Numbers, exact: Numbers, rows: number, columns: number) =>
  Array.from({ length: columns }, (_, c) => {
    const column = (of: (i: number) => number) =>
      Math.hypot(...Array.from({ length: rows }, (_, r) => of(r * columns + c)));
    const errors = column((i) => at(x, i) - at(exact, i));
    return errors === 0 ? 0 : errors / column((i) => at(exact, i));
  });

// ---- Positions that are added to the scores ----------------------------------------------------------------------------

export function alibiSlopes(nHeads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(nHeads));
  const slopes = Array.from({ length: power }, (_, h) => 2 ** ((-8 * (h + 1)) / power));
  if (power === nHeads) return slopes;
  const twice = alibiSlopes(2 * power).filter((_, h) => h % 2 === 0);
  return [...slopes, ...twice.slice(0, nHeads - power)];
}

export interface BiasShape {
  qLen: number;
  kvLen: number;
  queryOffset?: number;
}

const byDistance = ({ qLen, kvLen, queryOffset = 0 }: BiasShape, of: (distance: number) => number) =>
  grid(qLen, kvLen, (i, j) => of(i + queryOffset - j));

export const alibiBias = (slopes: Numbers, shape: BiasShape) =>
  Array.from(slopes).flatMap((slope) => byDistance(shape, (distance) => -slope * Math.abs(distance)));

export interface T5Shape {
  numBuckets?: number;
  maxDistance?: number;
  bidirectional?: boolean;
}

/** By whole numbers, since logarithms do not tell on which side of a bound a distance falls that is on it. */
export function t5Bucket(
  distance: number,
  { numBuckets = 32, maxDistance = 128, bidirectional = true }: T5Shape = {},
): number {
  if (bidirectional) {
    const half = numBuckets / 2;
    const side = t5Bucket(Math.abs(distance), { numBuckets: half, maxDistance, bidirectional: false });
    return distance < 0 ? half + side : side;
  }
  if (distance < 0) return 0;
  const exact = Math.floor(numBuckets / 2);
  if (distance < exact) return distance;
  // The largest k with distance / exact >= (maxDistance / exact)^(k / shared), of those that there are.
  const shared = numBuckets - exact;
  const [n, e, most] = [BigInt(distance), BigInt(exact), BigInt(maxDistance)];
  let k = 0;
  while (k + 1 < shared && n ** BigInt(shared) >= most ** BigInt(k + 1) * e ** BigInt(shared - k - 1)) k++;
  return exact + k;
}

export const t5Buckets = (shape: BiasShape, t5?: T5Shape) =>
  byDistance(shape, (distance) => t5Bucket(distance, t5));

export const t5Bias = (table: Numbers, nHeads: number, shape: BiasShape, t5?: T5Shape) =>
  Array.from({ length: nHeads }, (_, h) =>
    t5Buckets(shape, t5).map((bucket) => at(table, bucket * nHeads + h)),
  ).flat();

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

const rowOf = (x: Numbers, r: number, dim: number) =>
  Array.from({ length: dim }, (_, c) => at(x, r * dim + c));

export const rowCosines = (a: Numbers, b: Numbers, rows: number, dim: number) =>
  Array.from({ length: rows }, (_, r) => cosine(rowOf(a, r, dim), rowOf(b, r, dim)));

export const neighbourDistances = (x: Numbers, rows: number, dim: number) =>
  Array.from({ length: rows - 1 }, (_, r) => {
    const next = rowOf(x, r + 1, dim);
    return Math.hypot(...rowOf(x, r, dim).map((value, c) => at(next, c) - value));
  });

export const similarity = (x: Numbers, rows: number, dim: number, cosines: boolean) =>
  grid(rows, rows, (r, s) => (cosines ? cosine : dot)(rowOf(x, r, dim), rowOf(x, s, dim)));

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

/** Each pair of the query turned by the distance, as a complex number, times that of the key. */
export function ropeScore(
  query: Numbers,
  key: Numbers,
  invFreq: Numbers,
  layout: Layout,
  distance: number,
  {
    softmaxScale = 1 / Math.sqrt(query.length),
    pairMask,
  }: { softmaxScale?: number; pairMask?: Numbers } = {},
) {
  const rotaryDim = 2 * invFreq.length;
  const parts = Array.from(invFreq, (frequency, i) => {
    const [a, b] = pairAt(layout, rotaryDim, i);
    const [cos, sin] = [Math.cos(distance * frequency), Math.sin(distance * frequency)];
    const turned = [at(query, a) * cos - at(query, b) * sin, at(query, a) * sin + at(query, b) * cos];
    return softmaxScale * dot(turned, [at(key, a), at(key, b)]);
  });
  const rest = softmaxScale * dot(Array.from(query).slice(rotaryDim), Array.from(key).slice(rotaryDim));
  const score = parts.reduce(
    (sum, part, i) => (pairMask !== undefined && at(pairMask, i) === 0 ? sum : sum + part),
    rest,
  );
  return { parts, rest, score };
}

export const ropeDecayBound = (invFreq: Numbers, distance: number) => {
  let [cos, sin, sum] = [0, 0, 0];
  for (const frequency of Array.from(invFreq)) {
    cos += Math.cos(distance * frequency);
    sin += Math.sin(distance * frequency);
    sum += Math.hypot(cos, sin);
  }
  return sum / invFreq.length;
};

export const ropePeriods = (invFreq: Numbers, contextLen: number) => {
  const wavelength = Array.from(invFreq, (frequency) => (2 * Math.PI) / Math.abs(frequency));
  return { wavelength, turns: wavelength.map((tokens) => contextLen / tokens) };
};

// ---- Data and comparison -----------------------------------------------------------------------------------------------

/** Numbers in [-1, 1) that look random and are the same in every run. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Every element within `bound` of what is expected; NaN is not within anything, and infinities only of themselves. */
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
    if (got !== wanted && !(Math.abs(got - wanted) <= within)) {
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

/** 0 where one of them has no length. */
export const cosine = (a: Numbers, b: Numbers) => {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : dot(a, b) / lengths;
};
