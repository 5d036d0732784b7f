// Plain JavaScript, as one would write it who wants it fast: products in tiles of 4 × 2 sums, in double precision, and
// nothing computed that the mask hides. All arrays are made once and written anew in each run. It is also what all others'
// results are compared with.

/**
 * out[i, j] = Σ a[i, ·] b[j, ·], both with rows of `stride`, over the first `depth` components. `out` has rows of
 * `outStride` and begins at `outStart`.
 */
function multiplyTransposed(a, aStart, rows, b, columns, stride, depth, out, outStart, outStride) {
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const a0 = aStart + i * stride;
    const a1 = a0 + stride;
    const a2 = a1 + stride;
    const a3 = a2 + stride;
    const o0 = outStart + i * outStride;
    let j = 0;
    for (; j + 2 <= columns; j += 2) {
      const b0 = j * stride;
      const b1 = b0 + stride;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      for (let k = 0; k < depth; ++k) {
        const x0 = b[b0 + k];
        const x1 = b[b1 + k];
        s00 += a[a0 + k] * x0;
        s01 += a[a0 + k] * x1;
        s10 += a[a1 + k] * x0;
        s11 += a[a1 + k] * x1;
        s20 += a[a2 + k] * x0;
        s21 += a[a2 + k] * x1;
        s30 += a[a3 + k] * x0;
        s31 += a[a3 + k] * x1;
      }
      const o = o0 + j;
      out[o] = s00;
      out[o + 1] = s01;
      out[o + outStride] = s10;
      out[o + outStride + 1] = s11;
      out[o + 2 * outStride] = s20;
      out[o + 2 * outStride + 1] = s21;
      out[o + 3 * outStride] = s30;
      out[o + 3 * outStride + 1] = s31;
    }
    for (; j < columns; ++j) {
      for (let row = 0; row < 4; ++row) {
        out[o0 + row * outStride + j] = dot(a, a0 + row * stride, b, j * stride, depth);
      }
    }
  }
  for (; i < rows; ++i) {
    for (let j = 0; j < columns; ++j) {
      out[outStart + i * outStride + j] = dot(a, aStart + i * stride, b, j * stride, depth);
    }
  }
}

function dot(a, aStart, b, bStart, length) {
  // Four sums, as one would wait for itself at every addition.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 4 <= length; k += 4) {
    s0 += a[aStart + k] * b[bStart + k];
    s1 += a[aStart + k + 1] * b[bStart + k + 1];
    s2 += a[aStart + k + 2] * b[bStart + k + 2];
    s3 += a[aStart + k + 3] * b[bStart + k + 3];
  }
  for (; k < length; ++k) s0 += a[aStart + k] * b[bStart + k];
  return s0 + s1 + (s2 + s3);
}

/** One head of [len, nHeads, headDim] in double, as [len, headDim] into `result`. */
function head(result, x, h, { len, nHeads, headDim }, factor = 1) {
  for (let i = 0; i < len; ++i) {
    const from = (i * nHeads + h) * headDim;
    for (let d = 0; d < headDim; ++d) result[i * headDim + d] = factor * x[from + d];
  }
}

/** The same as [headDim, len]. */
function headTransposed(result, x, h, { len, nHeads, headDim }) {
  for (let i = 0; i < len; ++i) {
    const from = (i * nHeads + h) * headDim;
    for (let d = 0; d < headDim; ++d) result[d * len + i] = x[from + d];
  }
}

/** The softmax of `length` scores in place, and zeros behind them up to `end`. */
function softmax(scores, start, length, end) {
  let max = Number.NEGATIVE_INFINITY;
  for (let j = start; j < start + length; ++j) if (scores[j] > max) max = scores[j];
  let sum = 0;
  for (let j = start; j < start + length; ++j) {
    const exp = Math.exp(scores[j] - max);
    scores[j] = exp;
    sum += exp;
  }
  const factor = 1 / sum;
  for (let j = start; j < start + length; ++j) scores[j] *= factor;
  for (let j = start + length; j < start + end; ++j) scores[j] = 0;
}

/** Queries that are taken through all three steps together: their scores stay in the cache. */
const BLOCK = 4;

/** All arrays that attention writes: its results, and what it computes them by. Weights that the mask hides stay zero. */
function roomFor({ qLen, kvLen, nHeads, headDim, weights }) {
  return {
    out: new Float32Array(qLen * nHeads * headDim),
    ...(weights && { weights: new Float32Array(nHeads * qLen * kvLen) }),
    scores: new Float64Array(BLOCK * kvLen),
    attended: new Float64Array(BLOCK * headDim),
    queries: new Float64Array(qLen * headDim),
    keys: new Float64Array(kvLen * headDim),
    values: new Float64Array(kvLen * headDim),
  };
}

/** Tensors of heads are [len, nHeads, headDim], weights [nHeads, qLen, kvLen]. */
export function attention({ query, key, value }, workload, room = roomFor(workload)) {
  const { qLen, kvLen, nHeads, headDim, causal } = workload;
  const { out, weights: rows, scores, attended, queries, keys, values } = room;
  for (let h = 0; h < nHeads; ++h) {
    head(queries, query, h, { len: qLen, nHeads, headDim }, 1 / Math.sqrt(headDim));
    head(keys, key, h, { len: kvLen, nHeads, headDim });
    headTransposed(values, value, h, { len: kvLen, nHeads, headDim });
    for (let first = 0; first < qLen; first += BLOCK) {
      const count = Math.min(BLOCK, qLen - first);
      const seen = causal ? first + count : kvLen;
      multiplyTransposed(queries, first * headDim, count, keys, seen, headDim, headDim, scores, 0, kvLen);
      for (let i = 0; i < count; ++i) softmax(scores, i * kvLen, causal ? first + i + 1 : kvLen, seen);
      multiplyTransposed(scores, 0, count, values, headDim, kvLen, seen, attended, 0, headDim);
      for (let i = 0; i < count; ++i) {
        const to = ((first + i) * nHeads + h) * headDim;
        for (let d = 0; d < headDim; ++d) out[to + d] = attended[i * headDim + d];
        const row = (h * qLen + first + i) * kvLen;
        if (rows) for (let j = 0; j < seen; ++j) rows[row + j] = scores[i * kvLen + j];
      }
    }
  }
  return room;
}

/** The same, row by row and without a copy of anything: for few queries, or little of everything. */
function attentionByRows({ query, key, value }, workload, room) {
  const { qLen, kvLen, nHeads, headDim, causal } = workload;
  const { out, weights: rows, scores } = room;
  const attended = room.attended.subarray(0, headDim);
  const scale = 1 / Math.sqrt(headDim);
  const stride = nHeads * headDim;
  for (let h = 0; h < nHeads; ++h) {
    for (let i = 0; i < qLen; ++i) {
      const seen = causal ? i + 1 : kvLen;
      const q = i * stride + h * headDim;
      for (let j = 0; j < seen; ++j)
        scores[j] = scale * dot(query, q, key, j * stride + h * headDim, headDim);
      softmax(scores, 0, seen, seen);
      attended.fill(0);
      let j = 0;
      for (; j + 2 <= seen; j += 2) {
        const w0 = scores[j];
        const w1 = scores[j + 1];
        const v0 = j * stride + h * headDim;
        const v1 = v0 + stride;
        for (let d = 0; d < headDim; ++d) attended[d] += w0 * value[v0 + d] + w1 * value[v1 + d];
      }
      if (j < seen) {
        const v = j * stride + h * headDim;
        for (let d = 0; d < headDim; ++d) attended[d] += scores[j] * value[v + d];
      }
      for (let d = 0; d < headDim; ++d) out[q + d] = attended[d];
      if (rows) for (let j = 0; j < seen; ++j) rows[(h * qLen + i) * kvLen + j] = scores[j];
    }
  }
  return room;
}

/** Rotate `x`, [seqLen, nHeads, headDim], into `to`, which may be x itself. */
export function rope(x, { cos, sin }, { seqLen, nHeads, headDim, layout }, to = new Float32Array(x.length)) {
  const pairs = headDim / 2;
  const turn = layout === "half" ? turnHalf : turnInterleaved;
  for (let position = 0; position < seqLen; ++position) {
    for (let h = 0; h < nHeads; ++h)
      turn(x, to, (position * nHeads + h) * headDim, cos, sin, position * pairs, pairs);
  }
  return to;
}

function turnHalf(x, to, start, cos, sin, position, pairs) {
  for (let i = 0; i < pairs; ++i) {
    const c = cos[position + i];
    const s = sin[position + i];
    const first = x[start + i];
    const second = x[start + pairs + i];
    to[start + i] = first * c - second * s;
    to[start + pairs + i] = first * s + second * c;
  }
}

function turnInterleaved(x, to, start, cos, sin, position, pairs) {
  for (let i = 0; i < pairs; ++i) {
    const c = cos[position + i];
    const s = sin[position + i];
    const first = x[start + 2 * i];
    const second = x[start + 2 * i + 1];
    to[start + 2 * i] = first * c - second * s;
    to[start + 2 * i + 1] = first * s + second * c;
  }
}

/** What everyone is to get, or nothing where that is not computed here. */
export function expected(workload, inputs) {
  if (workload.kind === "mla") return undefined;
  if (workload.kind === "rope") {
    let out = inputs.x;
    for (let i = 0; i < workload.rotations; ++i) out = rope(out, inputs, workload);
    return { out };
  }
  return resultsOf(attention(turning(workload, inputs)(), workload));
}

const resultsOf = ({ out, weights }) => ({ out, ...(weights && { weights }) });

/** Gives the inputs of attention, query and key rotated anew each time where a workload wants that. */
function turning({ layout, qLen, kvLen, nHeads, headDim }, inputs) {
  if (!layout) return () => inputs;
  const turned = { ...inputs, query: inputs.query.slice(), key: inputs.key.slice() };
  return () => {
    rope(inputs.query, inputs, { seqLen: qLen, nHeads, headDim, layout }, turned.query);
    rope(inputs.key, inputs, { seqLen: kvLen, nHeads, headDim, layout }, turned.key);
    return turned;
  };
}

export async function load() {
  return {
    name: "plain JavaScript",
    contenders(workload, inputs) {
      if (workload.kind === "rope") return [rotating(workload, inputs)];
      if (workload.kind !== "attention") return [];
      return Object.entries({ tiles: attention, rows: attentionByRows }).map(([variant, attend]) => {
        const [room, turn] = [roomFor(workload), turning(workload, inputs)];
        return { variant, run: () => attend(turn(), workload, room), read: resultsOf };
      });
    },
  };
}

function rotating(workload, inputs) {
  const read = (out) => ({ out });
  if (workload.place === "arrays") {
    const out = new Float32Array(inputs.x.length);
    return { run: () => rope(inputs.x, inputs, workload, out), read };
  }
  const x = inputs.x.slice();
  const run = () => {
    for (let i = 0; i < workload.rotations; ++i) rope(x, inputs, workload, x);
    return x;
  };
  return { run, read };
}
