const gives = (score: string | undefined) => (score === undefined ? "" : `, gives ${score} to the score`);

/** What a query's pairs on dials say. */
export const words = {
  before: "before position",
  after: "after",
  label: (query: string) => `Pairs of «${query}»: arrow keys go from one to the next`,
  turned: (pair: number, turn: string, before: string, after: string, score?: string) =>
    `pair ${pair}: turned ${turn} rad, length ${before} → ${after}${gives(score)}`,
  moved: (pair: number, from: string, to: string, before: string, after: string, score?: string) =>
    `pair ${pair}: from ${from} to ${to} rad, length ${before} → ${after}${gives(score)}`,
  hint: "Point at a pair, or walk along them with the arrow keys.",
  summary: (pairs: number, score: string) => `All ${pairs} pairs together give ${score}, the score.`,
  table: {
    caption: (query: string) => `Pairs of «${query}» before and after position`,
    scoreCaption: (query: string, key: string) =>
      `Pairs of «${query}» before and after position, and what they give to its score with «${key}»`,
    pair: "pair",
    numbers: ["angle before, rad", "angle after, rad", "length before", "length after"],
    score: "contribution",
  },
};
