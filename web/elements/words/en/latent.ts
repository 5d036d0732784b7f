import { html } from "lit";

/** What is said of one token by latent attention, and in the drawing of its computations. */
export const words = {
  tokens: (count: number) => `${count} tokens`,
  empty: "Type a sentence above: there is nothing to attend to.",
  heading: "One token, by two routes to the same output",
  newest: "The sentence so far: everything before the newest token is in the cache",
  newestShown: (nth: number, count: number) => `${nth} of ${count}`,
  newestSpoken: (token: string, nth: number, count: number, bytes: string) =>
    `newest token ${token}, ${nth} of ${count}; ${bytes} bytes cached`,
  heads: "Heads",
  head: "Head shown",
  noRank: "none",
  difference: "largest difference of the two outputs",
  weightDifference: (difference: string) => `of a weight ${difference}: rounding alone`,
  elements: "kept of each token",
  elementsKept: (count: number) => `${count} elements`,
  elementsOfHeads: (heads: number, elements: number) =>
    `keys and values of ${heads} ${heads === 1 ? "head" : "heads"}: ${elements}`,
  bytes: (tokens: number) => `kept of ${tokens} ${tokens === 1 ? "token" : "tokens"}`,
  bytesOfHeads: (bytes: string) => `keys and values: ${bytes} B`,
  work: "multiply-adds of this token: naive · absorbed",
  workOfThem: (expand: string, absorb: string) => `of them to expand ${expand}, to absorb ${absorb}`,
  untrained: (nope: number, rope: number) =>
    `Nothing here is trained: embeddings and matrices are drawn from a seed and each token’s text. Heads have ${nope} components that are not rotated and ${rope} that are; DeepSeek-V2’s have 128 and 64, with a latent of 512.`,
  flow: {
    query: (token: string, rotated: number) =>
      html`Query of «${token}», one for each head <small>the last ${rotated} components are rotated: hue is their angle</small>`,
    kept: html`All that is kept of the sentence so far <small>a latent and one rotary key, for all heads</small>`,
    norm: "norm",
    heads: "heads",
    weights: "weights",
    out: "out",
    naive: "Naive",
    naiveHeading: "Naive: expand, then attend",
    naiveHow: "Every latent becomes a key and a value of every head, for every new token again.",
    absorbed: "Absorbed",
    absorbedHeading: "Absorbed: attend to the latents themselves",
    absorbedHow: html`W<sup>UK</sup> goes into the query, W<sup>UV</sup> behind the sum; nothing is expanded.`,
    table: {
      caption: (head: number) => `Weights of head ${head} by both routes`,
      token: "token",
      naive: "naive",
      absorbed: "absorbed",
    },
  },
};
