// Tensors of a workload, the same for everyone and in every run.

/** `length` numbers between -1 and 1, which follow from `seed` (mulberry32). */
export function randomValues(length, seed) {
  let state = seed;
  const values = new Float32Array(length);
  for (let i = 0; i < length; ++i) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    values[i] = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  }
  return values;
}

/** Cosines and sines of positions 0 to seqLen - 1, each [seqLen, headDim / 2]. */
export function turns(seqLen, headDim) {
  const pairs = headDim / 2;
  const cos = new Float32Array(seqLen * pairs);
  const sin = new Float32Array(seqLen * pairs);
  for (let position = 0; position < seqLen; ++position) {
    for (let i = 0; i < pairs; ++i) {
      const angle = position * 10_000 ** (-i / pairs);
      cos[position * pairs + i] = Math.cos(angle);
      sin[position * pairs + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** [len, nHeads, headDim] as [nHeads, len, headDim]; the way back is the same with `len` and `nHeads` swapped. */
export function headsFirst(x, { len, nHeads, headDim }) {
  const result = new Float32Array(x.length);
  for (let i = 0; i < len; ++i) {
    for (let h = 0; h < nHeads; ++h) {
      const from = (i * nHeads + h) * headDim;
      result.set(x.subarray(from, from + headDim), (h * len + i) * headDim);
    }
  }
  return result;
}

/** What a workload computes on; tensors of heads are [len, nHeads, headDim]. */
export function inputsOf(workload) {
  const { kind, layout, qLen, kvLen, seqLen, nHeads, headDim } = workload;
  if (kind === "rope") return { x: randomValues(seqLen * nHeads * headDim, 1), ...turns(seqLen, headDim) };
  if (kind === "mla") return latentInputs(workload);
  return {
    query: randomValues(qLen * nHeads * headDim, 1),
    key: randomValues(kvLen * nHeads * headDim, 2),
    value: randomValues(kvLen * nHeads * headDim, 3),
    ...(layout && turns(kvLen, headDim)),
  };
}

/** A layer of latent attention, the latents of what came before, and one token more. */
function latentInputs({ hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim, kvLen }) {
  const matrix = (rows, columns, seed) =>
    randomValues(rows * columns, seed).map((value) => value / Math.sqrt(columns));
  const table = turns(kvLen + 1, qkRopeHeadDim);
  const last = (x) => x.subarray((kvLen * qkRopeHeadDim) / 2);
  return {
    x: randomValues(hiddenSize, 1),
    qProj: matrix(nHeads * (qkNopeHeadDim + qkRopeHeadDim), hiddenSize, 2),
    kvAProj: matrix(kvLoraRank + qkRopeHeadDim, hiddenSize, 3),
    kvALayernorm: new Float32Array(kvLoraRank).fill(1),
    kvBProj: matrix(nHeads * (qkNopeHeadDim + vHeadDim), kvLoraRank, 4),
    oProj: matrix(hiddenSize, nHeads * vHeadDim, 5),
    latents: randomValues(kvLen * (kvLoraRank + qkRopeHeadDim), 6),
    cos: last(table.cos),
    sin: last(table.sin),
  };
}
