import type { Settings } from "../../web/elements/pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";

/** The lecture's sentence as the page sets out with it. */
export const lecture: Settings = {
  tokens: tokenize("Einstein developed the theory of relativity. This breakthrough reshaped physics.").tokens,
  encoding: "rotary",
  seed: 7,
  nHeads: 4,
  headDim: 32,
  base: 10_000,
  layout: "interleaved",
  causal: true,
  positionOffset: 0,
};
