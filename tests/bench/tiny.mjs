/** The least attention of a lecture's size, which is also a page's first result. */
export const tinyAttention = {
  kind: "attention",
  place: "arrays",
  nHeads: 1,
  headDim: 8,
  qLen: 16,
  kvLen: 16,
  causal: true,
};
