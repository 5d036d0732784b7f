import { html, type TemplateResult } from "lit";
import type { Encoding, Flow, Stage } from "./pipeline.js";

/** What a tensor knows of where its tokens stand. */
export type Knows = "where" | "distance" | "nothing";

/** How a stage is called: its symbol, as in a formula, and a word for it. */
export const stageNames: Record<Stage, { symbol: TemplateResult; word: string }> = {
  embedding: { symbol: html`x`, word: "embedding" },
  position: { symbol: html`m`, word: "position" },
  input: { symbol: html`h`, word: "input" },
  query: { symbol: html`<span class="query">q</span>`, word: "query" },
  key: { symbol: html`<span class="key">k</span>`, word: "key" },
  value: { symbol: html`v`, word: "value" },
  "placed-query": { symbol: html`<span class="query">q</span><sub>m</sub>`, word: "query at m" },
  "placed-key": { symbol: html`<span class="key">k</span><sub>n</sub>`, word: "key at n" },
  scores: { symbol: html`q·k`, word: "scores" },
  weights: { symbol: html`w`, word: "weights" },
  out: { symbol: html`o`, word: "out" },
};

/** What a stage knows of positions, as the encoding has it by construction; the numbers beside it check it. */
export function knows(stage: Stage, encoding: Encoding, { entry, tensors }: Flow): Knows {
  if (entry === "none" || stage === "embedding") return "nothing";
  if (stage === "position") return "where";
  if (entry === "data") return "where";
  if (stage === "placed-query" || stage === "placed-key") return "where";
  const attended = stage === "scores" || stage === "weights" || stage === "out";
  if (!attended || tensors["placed-query"] === undefined) return "nothing";
  return encoding === "rotary" ? "distance" : "where";
}

/** One sentence on what a stage computes, and what position has to do with it. */
export function explained(stage: Stage, encoding: Encoding, { entry, tensors }: Flow): string {
  const isPasted = tensors.embedding === undefined;
  const added = entry === "data";
  const after = {
    none: "no position is in it",
    data: "and position is in it, since it is in the input",
    attention: "and has not heard of position yet",
  }[entry];
  const sentences: Record<Stage, string> = {
    embedding:
      "One row for each token, drawn from the seed and its text: the same word is the same row, wherever it stands.",
    position: added
      ? "One row for each position, added to the embedding once, before anything is computed."
      : encoding === "rotary"
        ? "One angle for each position and pair, the same in all heads: queries and keys are turned by it, in every layer again."
        : "One row for each position, added to the pasted queries and keys.",
    input: added
      ? "Embedding and position in one sum: whatever is computed from here on has both, and nothing can tell them apart again."
      : "The embedding as it is: attention is given the words alone.",
    query: isPasted
      ? "What was pasted."
      : `The input projected by a matrix: what each token looks for, ${after}.`,
    key: isPasted
      ? "What was pasted."
      : `The input projected by a matrix: what each token is found by, ${after}.`,
    value: isPasted
      ? "No values were pasted: the keys, as they are before any position, stand in for them."
      : added
        ? "What each token hands on. Position was in the input, so it is in here too, and is handed on with the meaning."
        : entry === "attention"
          ? "What each token hands on. Nothing turns it: it is the same at any position, and what is handed on is meaning alone."
          : "What each token hands on: no position is in it.",
    "placed-query":
      encoding === "rotary"
        ? "The query turned, pair by pair, by its position’s angles: every number changes, and no length."
        : "The query with its position added.",
    "placed-key":
      encoding === "rotary"
        ? "The key turned, pair by pair, by its own position’s angles."
        : "The key with its position added.",
    scores:
      encoding === "rotary"
        ? "Every query times every key, over the root of head_dim: both were turned, and only the difference of their turns is left, which is their distance."
        : entry === "none"
          ? "Every query times every key, over the root of head_dim: who asks and who answers, not where."
          : "Every query times every key, over the root of head_dim: where both of them stand has its part in each product.",
    weights:
      encoding === "rotary"
        ? "The softmax of each row of scores. Where the sentence stands is gone; how far apart its words are has stayed."
        : entry === "none"
          ? "The softmax of each row of scores."
          : "The softmax of each row of scores: the same words, elsewhere, look at one another otherwise.",
    out:
      encoding === "rotary"
        ? "The values, weighted and summed: no position has entered but by who was looked at."
        : entry === "data"
          ? "The values, weighted and summed: with them goes the position that was added to the input."
          : entry === "none"
            ? "The values, weighted and summed: a bag of words."
            : "The values, weighted and summed.",
  };
  return sentences[stage];
}
