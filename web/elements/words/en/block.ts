import { html } from "lit";

const same = "as they were";
/** Of a change that is none there is no number. */
const by = (change: string | undefined) => (change === undefined ? same : `changed by ${change}`);
const ofHead = (head: number, heads: number, causal: boolean) =>
  `head ${head} of ${heads}${causal ? ", causal" : ""}`;

/** What a sentence on its way through a layer says, and the pictures of one of its queries. */
export const words = {
  empty: "Type a sentence above: there is no position without tokens.",
  enters: "Position comes in as",
  encodings: {
    none: "none",
    integer: "integer",
    binary: "binary",
    sinusoidal: "sinusoidal",
    rotary: "rotary",
  },
  move: "Move the whole sentence: position of its first token",
  moved: (at: string, queries: string | undefined, values: string | undefined, weights: string | undefined) =>
    `first token at position ${at}; queries ${by(queries)}, values ${by(values)}, weights ${by(weights)}`,
  changes: {
    queries: "queries change by",
    values: "values change by",
    scores: "scores change by",
    weights: "weights change by",
  },
  verdict: {
    still: "move the sentence and watch",
    same,
    changed: "not as they were",
  },
  text: {
    label: "Your text, in any script",
    count: (count: number, left: number) =>
      `${count} token${count === 1 ? "" : "s"}${left > 0 ? `; the first ${count} of ${count + left} are taken` : ""}`,
  },
  rope: {
    none: "No rope: nothing tells one position from another",
    integer: "The rope · the number that is added, at every position",
    binary: "The rope · the digits that are added, at every position",
    sinusoidal: "The rope · angle of every sine and cosine that is added (hue is angle)",
    rotary: "The rope · angle that every pair turns by, at every position (hue is angle)",
  },
  far: "From further off, positions",
  farLabel: "Positions seen from further off",
  hands: (query: string, key: string) =>
    `Hands of «${query}», pair by pair, and what each gives to the score with «${key}»`,
  pairs: (query: string, key: string) =>
    `Pairs of «${query}», pair by pair, and what each gives to the score with «${key}»`,
  length: "length of the query, before · after position",
  score: (key: string) => `score with «${key}»`,
  weight: (key: string) => `weight of «${key}»`,
  attention: (head: number, heads: number, causal: boolean) =>
    `Who looks at whom · ${ofHead(head, heads, causal)}`,
  head: "Head",
  /** Of which head and encoding the weights are. */
  summary: (encoding: string, head: number, heads: number, causal: boolean) =>
    `${encoding} positions, ${ofHead(head, heads, causal)}`,
  drawn: (seed: number) =>
    html`Nothing here is trained: embeddings and projections are drawn from the seed <b>${seed}</b> and each token’s text. What you see is the geometry of position, not learned meaning.`,
  given: "These are the queries and keys that you pasted; what is added is added to them directly.",
  settings: "Heads, frequencies, seed",
  heads: "Heads",
  headsLabel: "Number of heads",
  headDimLabel: "Components of a head, head_dim",
  layout: "Pairs",
  layoutLabel: "Which components pair up",
  layouts: { interleaved: "interleaved", half: "half" },
  base: "Base of the frequencies",
  seed: "Seed",
  causal: "Causal: a token sees itself and those before it",
  paste: {
    heading: "Paste queries and keys of your own",
    hint: "A row for each token, CSV or a JSON array of rows; as many columns as heads × head_dim.",
    queries: "Queries",
    keys: "Keys",
    use: "Use these",
    back: "Back to the seed",
    /** What is wrong with what was pasted into the one or the other. */
    problem: (where: string, what: string) => `${where}: ${what}`,
    shapes: (queryRows: number, queryColumns: number, keyRows: number, keyColumns: number) =>
      `Queries are ${queryRows} × ${queryColumns}, but keys are ${keyRows} × ${keyColumns}.`,
    rows: (rows: number, most: number) => `${rows} rows; at most ${most} are taken.`,
    columns: (columns: number, heads: number, most: number) =>
      `${columns} columns do not make ${heads} heads of an even head_dim (at most ${most} in all).`,
    heads: (columns: number, heads: number) =>
      `${columns} columns do not make ${heads} heads of an even head_dim.`,
  },
  flow: {
    label: "A sentence on its way through one layer: arrow keys go along the stages, Enter explains one",
    data: { title: "Data block", note: "once, before all layers", empty: "nothing is added" },
    attention: { title: "Attention block", note: "in every layer again", empty: "nothing turns" },
    /** What is known of positions along a line. */
    lines: {
      where: "knows where its tokens stand",
      distance: "knows how far apart they are",
      nothing: "knows the words alone",
    },
    verdict: {
      still: "not moved yet",
      same: "as it was",
      changed: (change: string) => html`changed <b>${change}</b>`,
    },
    chosen: "The stage that is chosen",
    ofHead: (shape: string, head: number) => `${shape}, head ${head}`,
    change: (at: string) => `largest change of a number, sentence moved by ${at}`,
    at: (position: string) => `at position ${position}`,
    table: {
      caption: (at: number) =>
        `Tensors of the flow, and the largest change of any number with the sentence moved by ${at}`,
      heads: ["tensor", "shape", "largest change"],
    },
  },
  stages: {
    embedding: "embedding",
    position: "position",
    input: "input",
    query: "query",
    key: "key",
    value: "value",
    "placed-query": "query at m",
    "placed-key": "key at n",
    scores: "scores",
    weights: "weights",
    out: "out",
  },
  /** What a stage computes, and what position has to do with it: nothing, or what is added before, or turned within. */
  explained: {
    embedding:
      "One row for each token, drawn from the seed and its text: the same word is the same row, wherever it stands.",
    position: {
      added: "One row for each position, added to the embedding once, before anything is computed.",
      turned:
        "One angle for each position and pair, the same in all heads: queries and keys are turned by it, in every layer again.",
      pasted: "One row for each position, added to the pasted queries and keys.",
    },
    input: {
      added:
        "Embedding and position in one sum: whatever is computed from here on has both, and nothing can tell them apart again.",
      alone: "The embedding as it is: attention is given the words alone.",
    },
    pasted: "What was pasted.",
    query: {
      none: "The input projected by a matrix: what each token looks for, no position is in it.",
      data: "The input projected by a matrix: what each token looks for, and position is in it, since it is in the input.",
      attention:
        "The input projected by a matrix: what each token looks for, and has not heard of position yet.",
    },
    key: {
      none: "The input projected by a matrix: what each token is found by, no position is in it.",
      data: "The input projected by a matrix: what each token is found by, and position is in it, since it is in the input.",
      attention:
        "The input projected by a matrix: what each token is found by, and has not heard of position yet.",
    },
    value: {
      pasted: "No values were pasted: the keys, as they are before any position, stand in for them.",
      none: "What each token hands on: no position is in it.",
      data: "What each token hands on. Position was in the input, so it is in here too, and is handed on with the meaning.",
      attention:
        "What each token hands on. Nothing turns it: it is the same at any position, and what is handed on is meaning alone.",
    },
    "placed-query": {
      added: "The query with its position added.",
      turned:
        "The query turned, pair by pair, by its position’s angles: every number changes, and no length.",
    },
    "placed-key": {
      added: "The key with its position added.",
      turned: "The key turned, pair by pair, by its own position’s angles.",
    },
    scores: {
      none: "Every query times every key, over the root of head_dim: who asks and who answers, not where.",
      added:
        "Every query times every key, over the root of head_dim: where both of them stand has its part in each product.",
      turned:
        "Every query times every key, over the root of head_dim: both were turned, and only the difference of their turns is left, which is their distance.",
    },
    weights: {
      none: "The softmax of each row of scores.",
      added: "The softmax of each row of scores: the same words, elsewhere, look at one another otherwise.",
      turned:
        "The softmax of each row of scores. Where the sentence stands is gone; how far apart its words are has stayed.",
    },
    out: {
      none: "The values, weighted and summed: a bag of words.",
      added: "The values, weighted and summed: with them goes the position that was added to the input.",
      turned: "The values, weighted and summed: no position has entered but by who was looked at.",
      pasted: "The values, weighted and summed.",
    },
  },
};
