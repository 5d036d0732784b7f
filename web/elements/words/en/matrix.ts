const of = (summary: string) => summary && `, ${summary}`;

/** What a square of attention weights says. */
export const words = {
  /** `summary` says of which head and encoding, if anything. */
  label: (tokens: number, summary: string) =>
    `Attention matrix of ${tokens} tokens${of(summary)}. Arrow keys move over its cells.`,
  token: (token: string) => `«${token}»`,
  spoken: (query: string, key: string, weight: string) => `${query} to ${key}: ${weight}`,
  masked: "masked",
  legend: {
    ink: "Ink by weight, linear",
    scale: "Scale of weights",
    masked: "masked: later than the query",
  },
  table: {
    caption: (query: string, summary: string) => `Weights of ${query}${of(summary)}`,
    heads: ["Key", "Weight"],
  },
};
