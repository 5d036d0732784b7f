import { html, type TemplateResult } from "lit";
import type { Encoding, Flow, Stage } from "./pipeline.js";
import { words as block } from "./words/en/block.js";

const words = block.explained;

/** What a tensor knows of where its tokens stand. */
export type Knows = "where" | "distance" | "nothing";

/** The symbol of a stage, as in a formula. */
export const symbols: Record<Stage, TemplateResult> = {
  embedding: html`x`,
  position: html`m`,
  input: html`h`,
  query: html`<span class="query">q</span>`,
  key: html`<span class="key">k</span>`,
  value: html`v`,
  "placed-query": html`<span class="query">q</span><sub>m</sub>`,
  "placed-key": html`<span class="key">k</span><sub>n</sub>`,
  scores: html`q·k`,
  weights: html`w`,
  out: html`o`,
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
  const isTurned = encoding === "rotary";
  const placed = isTurned ? "turned" : "added";
  const how = entry === "none" ? "none" : placed;
  const sentences: Record<Stage, string> = {
    embedding: words.embedding,
    position: words.position[entry !== "data" && !isTurned ? "pasted" : placed],
    input: words.input[entry === "data" ? "added" : "alone"],
    query: isPasted ? words.pasted : words.query[entry],
    key: isPasted ? words.pasted : words.key[entry],
    value: words.value[isPasted ? "pasted" : entry],
    "placed-query": words["placed-query"][placed],
    "placed-key": words["placed-key"][placed],
    scores: words.scores[how],
    weights: words.weights[how],
    out: words.out[entry === "attention" && !isTurned ? "pasted" : how],
  };
  return sentences[stage];
}
