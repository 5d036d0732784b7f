import { html } from "lit";

/** What is said of one score as the sum of its pairs. */
export const words = {
  empty: "Type a sentence below: there is no phrase without tokens.",
  phrase: (tokens: readonly string[]) => `«${tokens.join(" ")}»`,
  choosing: "Choose the tokens of",
  which: {
    query: (phrase: string) => `query ${phrase}`,
    key: (phrase: string) => `key ${phrase}`,
  },
  apart: "distance between the two",
  apartBeyond: "beyond the context",
  apartAsIs: "as in the sentence",
  apartBack: (distance: number) => `back to the sentence’s ${distance}`,
  all: "score of all pairs",
  allOf: (head: number, heads: number) => `head ${head} of ${heads}`,
  left: "score that is left",
  leftWithout: (muted: number) =>
    muted === 0 ? "no pair is muted" : `without ${muted} muted ${muted === 1 ? "pair" : "pairs"}`,
  never: "pairs that never come round",
  neverOf: (never: number, pairs: number) => `${never} of ${pairs}`,
  neverIn: (tokens: string) => `in ${tokens} tokens of context`,
  context: "Context, in tokens",
  key: "The key",
  keyIs: "The key is",
  alike: "the query itself",
  unlike: "drawn for itself",
  hint: "Point at a pair; press it to mute it. Drag along the distance.",
  at: (pair: number, turn: string, distance: string, angle: string, part: string) =>
    `Pair ${pair}: one turn in ${turn} tokens; at distance ${distance} it is turned by ${angle} rad and gives ${part}.`,
  atMuted: (pair: number, turn: string, distance: string, angle: string, part: string) =>
    `Pair ${pair}: one turn in ${turn} tokens; at distance ${distance} it is turned by ${angle} rad and gives ${part}; it is muted.`,
  heard: "Bands that are heard",
  bands: {
    fast: (tokens: number) => `Fast: a turn within ${tokens} tokens`,
    middle: () => "Middle: a turn in the context",
    slow: () => "Slow: no whole turn in it",
  },
  noPair: "no pair",
  onePair: (pair: number) => `pair ${pair}`,
  pairs: (first: number, last: number) => `pairs ${first} to ${last}`,
  hearAll: "Hear all pairs",
  head: "Head",
  headDim: "Components of a head, head_dim",
  base: "Base, rope_theta",
  seed: "Seed",
  tokens: (count: number, left: number) => `${count} tokens${left > 0 ? `; ${left} more are left out` : ""}`,
  untrainedAlike: (seed: unknown) =>
    html`Nothing here is trained: a phrase’s content is the mean of its tokens’ embeddings, drawn from the seed ${seed} and
      each token’s text, and it stands at the last of them. The key is the query itself, as if training had made the one
      the answer to the other: the choice of the key’s phrase moves its place and nothing else. What you see is the
      geometry of position, not learned meaning.`,
  untrainedUnlike: (seed: unknown) =>
    html`Nothing here is trained: a phrase’s content is the mean of its tokens’ embeddings, drawn from the seed ${seed} and
      each token’s text, and it stands at the last of them. Query and key are drawn each for itself, so they have nothing
      to say to each other: each pair gives what chance gave it. What you see is the geometry of position, not learned
      meaning.`,
  sentence: {
    label: {
      query:
        "The sentence: pressed tokens are the query; a press takes a token, and one beside the phrase adds to it",
      key: "The sentence: pressed tokens are the key; a press takes a token, and one beside the phrase adds to it",
    },
    more: (tokens: string) => `… ${tokens} more between …`,
    fewer: (tokens: string) => `… ${tokens} fewer between …`,
  },
  stack: {
    pair: "pair",
    part: "what it gives",
    turn: html`tokens<br />to one turn`,
    label: "Pairs, from the fastest to the slowest: pressed ones are muted",
    mute: (pair: number, part: string, angle: string, turn: string) =>
      `Mute pair ${pair}: it gives ${part}, turned by ${angle} radians; ${turn} tokens to one turn`,
    muteNever: (pair: number, part: string, angle: string, turn: string) =>
      `Mute pair ${pair}: it gives ${part}, turned by ${angle} radians; ${turn} tokens to one turn, which the context never completes`,
  },
  distance: {
    heading: "angle that each pair turns by (hue), by distance; a mark where it has come round once",
    angles: (pairs: number, furthest: string, never: number, context: string) =>
      `Angle of each of ${pairs} pairs at distances from 1 to ${furthest}. ${never} of them never come round within ${context} tokens.`,
    context: (tokens: string) => `context ${tokens}`,
    label: "distance between the two, in tokens",
    spoken: (distance: string, score: string) => `distance ${distance}: score ${score}`,
    score: "score at that distance",
    scoreAndAll: "score at that distance; grey: of all pairs",
    table: {
      caption: (distance: string, score: string, left: string) =>
        `Score by distance; at ${distance} it is ${score}, and ${left} without the muted pairs`,
      distance: "distance",
      all: "score of all pairs",
      left: "without the muted ones",
    },
  },
};
