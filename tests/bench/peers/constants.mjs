// Constants of graphs whose operators know neither masks nor rotation.

/** [seqLen, seqLen], to be added to scores: 0 where a query sees a key, and -∞ elsewhere. */
export function causalMask(seqLen) {
  const mask = new Float32Array(seqLen * seqLen);
  for (let i = 0; i < seqLen; ++i) mask.fill(Number.NEGATIVE_INFINITY, i * seqLen + i + 1, (i + 1) * seqLen);
  return mask;
}

/**
 * For x · cosines + (x · quarterᵀ) · sines, which is x rotated: `quarter`, [headDim, headDim], turns each pair by a quarter;
 * the tables, [len, headDim], have each angle twice, where the components of its pair are. An operator that picks every
 * other component is slower than this product.
 */
export function rotationByProduct({ headDim, layout }, { cos, sin }) {
  const pairs = headDim / 2;
  const places = (i) => (layout === "half" ? [i, i + pairs] : [2 * i, 2 * i + 1]);
  const quarter = new Float32Array(headDim * headDim);
  const cosines = new Float32Array(2 * cos.length);
  const sines = new Float32Array(2 * sin.length);
  for (let i = 0; i < pairs; ++i) {
    const [first, second] = places(i);
    quarter[first * headDim + second] = -1;
    quarter[second * headDim + first] = 1;
    for (let turn = i, row = 0; turn < cos.length; turn += pairs, row += headDim) {
      cosines[row + first] = cosines[row + second] = cos[turn];
      sines[row + first] = sines[row + second] = sin[turn];
    }
  }
  return { quarter, cosines, sines };
}
