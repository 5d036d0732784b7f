import { html } from "lit";

/** What is said of why RoPE cannot be absorbed. */
export const words = {
  heading: "Why plain RoPE does not fit: no single matrix stands for all distances",
  why: html`Absorbing works because one matrix, W<sup>UK</sup>, is between query and latent at every position. Rotate the
    expanded keys, and it is W<sup>UK</sup> turned back by the distance: another for each. The best single one, in least
    squares, is their mean; there fast pairs cancel, and only slow ones are left.`,
  context: "The single matrix is fitted to queries at the end of so many tokens",
  contextSpoken: (tokens: number, largest: string) =>
    `fitted to ${tokens} tokens; largest error among them ${largest}`,
  fitted: "largest error where it was fitted",
  fittedTo: (last: number) => `distances 0 to ${last}`,
  beyond: "error at the far end",
  beyondAt: (distance: number) => `distance ${distance}`,
  decoupled: "decoupled, the largest at any distance",
  decoupledHow: "rotated by a part of its own, which is never absorbed",
  chart: {
    label: "Scores and errors by distance: arrow keys go from one distance to the next",
    hint: "Point at a distance, or walk along them with the arrow keys.",
    score: "One query and one latent: their score, and what the best single matrix makes of it",
    dashed: "dashed: by one matrix, the same at every distance",
    error: "All queries and latents: root mean square of the error, in parts of the score",
    rotated: "RoPE on the expanded keys, by one matrix",
    decoupled: (most: string) => `decoupled: at most ${most}`,
    x: "distance from query to key, in tokens",
    at: (distance: number, score: string, byOne: string, error: string, decoupled: string) =>
      `distance ${distance}: the score is ${score}, by one matrix ${byOne}; error of all ${error}, decoupled ${decoupled}`,
    table: {
      caption: (tokens: number) =>
        `Errors by distance, the single matrix fitted to distances below ${tokens}`,
      distance: "distance",
      score: "score",
      rotated: "rotated, absorbed",
      decoupled: "decoupled, absorbed",
    },
  },
};
