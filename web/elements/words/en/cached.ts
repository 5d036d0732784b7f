import { html } from "lit";

/** What is said of what published models cache. */
export const words = {
  heading: "What is kept of a token, in published models",
  per: "Elements of",
  layers: { layer: "one layer", all: "all layers" },
  precision: "Each in",
  bits: (bits: number) => `${bits} bits`,
  tokens: "Tokens in the text, whose cache in all layers is",
  tokensSpoken: (tokens: string) => `${tokens} tokens`,
  times: {
    heading: "«57 times smaller»: against what?",
    value: (times: string) => `${times} times`,
    against: (mha: string, mla: string) =>
      `Against multi-head attention with DeepSeek-V2’s own 128 heads, which nobody built: ${mha} elements of a token in a layer, against ${mla}.`,
  },
  less: {
    heading: "«93.3 % less»: against what?",
    against: (dense: string, sixBits: string, atSixteen: string, paper: string) =>
      html`Against DeepSeek 67B, which has 8 heads of keys and values already: ${dense} of a token at 16 bits,
        against ${sixBits} with V2’s cache at 6 bits on average, as it is served
        (<a href=${paper}>arXiv:2405.04434</a>, section 3.2.3). At 16 bits both it would be ${atSixteen}. The paper prints no
        sum; this one gives its number.`,
  },
  bars: {
    model: "model",
    kept: (layers: string) =>
      `kept of a token in ${layers}; dashed, by multi-head attention with as many heads`,
    elements: "elements",
    bytes: (grouped: string, tokens: number) => `of ${grouped} ${tokens === 1 ? "token" : "tokens"}`,
    source: "shape from",
    grouped: (heads: number, of: number, layers: number) => `GQA ${heads} of ${of}, ${layers} layers`,
    latent: (rank: number, rope: number, layers: number) => `MLA ${rank} + ${rope}, ${layers} layers`,
    less: (times: string) => `${times} times less than multi-head attention`,
  },
  table: (nth: number) => `table ${nth}`,
  section: (number: string) => `section ${number}`,
  appendix: (number: string) => `appendix ${number}`,
};
