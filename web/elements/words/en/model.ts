import { html } from "lit";

const sameInText = "In text the three are the same.";

/** What is said of a model's configuration. */
export const words = {
  config: "A model’s config.json, as Hugging Face has it",
  examples: "Examples",
  noneOf: (model: string) => `${model}, which has none`,
  empty: "Paste a configuration above, or take one of the examples.",
  noJson: (reason: string) => `This is no JSON yet. ${reason}`,
  missing: (field: unknown, allowed: string) => html`${field} is missing. It would have to be ${allowed}.`,
  refused: (field: unknown, given: string, allowed: string) =>
    html`${field} is ${given}. It would have to be ${allowed}.`,
  tooManyPairs: (field: unknown, given: number, most: number) =>
    html`${field} is ${given}. That makes more pairs than can be drawn here: at most ${most}.`,
  lengthField: "The length",
  layers: "Layers",
  layersDiffer: "Layers of this model rotate differently",
  /** Of each kind of scaling, a sentence that begins with its name. */
  types: {
    default: (name: unknown) => html`${name} is RoPE as trained: nothing is stretched.`,
    linear: (name: unknown) =>
      html`${name} is position interpolation: every pair turns more slowly by the same factor, fast ones too.`,
    ntk: (name: unknown) =>
      html`${name} is «NTK-aware» scaling: a larger base, chosen so that the slowest pair alone is slowed by the full factor.`,
    dynamic: (name: unknown) =>
      html`${name} is dynamic NTK: as trained up to the trained length, and past it the base grows with the sequence.`,
    yarn: (name: unknown) =>
      html`${name} is YaRN: fast pairs as trained, slow ones slowed by the full factor, and a ramp between.`,
    longrope: (name: unknown) =>
      html`${name} is LongRoPE: every pair slowed by a factor of its own, found by search; one set up to the trained length, one past it.`,
    llama3: (name: unknown) =>
      html`${name} is Llama 3.1’s scaling: as YaRN, with its ramp over wavelengths and no attention factor.`,
    proportional: (name: unknown) =>
      html`${name} is Gemma 4’s: exponents over the whole head, so that the pairs that do turn are fast; the slowest do not turn at all.`,
  },
  notTold: "not told",
  pairs: "pairs",
  pairsHalf: (half: number) => `component i with i + ${half}`,
  pairsInterleaved: "component 2i with 2i + 1",
  pairsNotTold: "the model’s code tells",
  rotary: "rotary_dim of head_dim",
  rotaryOf: (rotary: number, head: number) => `${rotary} of ${head}`,
  rotaryAll: "all components are in pairs",
  rotaryRest: (rest: number) => `the other ${rest} are left as they are`,
  theta: "the base of the frequencies",
  attention: "attention factor",
  attentionNone: "cosines and sines as they are",
  attentionSome: "multiplies cosines and sines",
  softmax: "softmax factor",
  softmaxNone: "softmax scale as it is",
  softmaxSome: "multiplies the softmax scale",
  pairing: "Which components of a head turn together",
  layoutNotTold: "The configuration does not tell which of the two it is: the model’s code does.",
  sections: (time: number, height: number, width: number) =>
    `${time} pairs turn by a token’s time, ${height} by its height in a picture, ${width} by its width: in this order. ${sameInText}`,
  sectionsInterleaved: (time: number, height: number, width: number) =>
    `${time} pairs turn by a token’s time, ${height} by its height in a picture, ${width} by its width: taking turns, the rest by time. ${sameInText}`,
  lengths: "How far each pair turns, and what of it changes with the length",
  length: "Length of the sequence, in tokens",
  lengthSpoken: (tokens: string, never: number, pairs: number) =>
    `${tokens} tokens; ${never} of ${pairs} pairs never come round`,
  changes: {
    dynamicUpTo: (trained: string) =>
      `Up to ${trained} tokens nothing changes; past it, the base grows with the length.`,
    dynamicPast: (trained: string) =>
      `Past ${trained} tokens the base grows with the length: every token more slows all pairs but the first.`,
    longropeUpTo: (trained: string) =>
      `Up to ${trained} tokens the short factors hold; one token more, and the long ones do.`,
    longropePast: (trained: string) =>
      `Past ${trained} tokens the long factors hold, for the whole sequence from its first token on.`,
    asTrained: "No frequency changes with the length: these are as trained.",
    none: (type: string) => `No frequency changes with the length: «${type}» has the same for every length.`,
  },
  never: (tokens: string) => `pairs that never complete a turn in ${tokens}`,
  neverOf: (never: number, pairs: number) => `${never} of ${pairs}`,
  neverAlone: (never: number) => `by rope_theta alone: ${never}`,
  slowest: "the slowest pair comes round in",
  slowestIn: "positions",
  slowestAlone: (positions: string) => `positions; by rope_theta alone in ${positions}`,
  trained: "trained with · meant for",
  trainedAndMeant: "trained with, and meant for",
  tokens: "tokens",
  rope: (positions: string) => `The rope over ${positions} positions`,
  program: "The same in JavaScript",
  programLabel: "Program",
  copy: "Copy",
  copied: "Copied.",
  selected: "Selected: copy it with your keyboard.",
  comments: {
    last: "Of the last token; with { seqLen } in place of it, of all.",
    lastOfThree: "Time, height and width of the last token; in text they are the same.",
    query: "One head of its query.",
    layout: "The configuration does not tell the layout; the model's code does.",
    whole: "Heads of the whole query, rotated and not, are longer: qkHeadDim.",
  },
  summary: (what: {
    type: string;
    layout: string | undefined;
    rotary: number;
    head: number;
    theta: string;
    attention: string;
    softmax: string;
    never: number;
    pairs: number;
    positions: string;
  }) =>
    `${what.type}; ${what.layout === undefined ? "layout not told" : `${what.layout} pairs`}; ${what.rotary} of ${what.head} components; rope_theta ${what.theta}; attention factor ${what.attention}; softmax factor ${what.softmax}; ${what.never} of ${what.pairs} pairs never complete a turn in ${what.positions} positions.`,
  wavelengths: {
    label: "Positions for one turn, pair by pair: arrow keys go from one to the next",
    hint: "Point at a pair, or walk along them with the arrow keys.",
    alone: "by rope_theta alone",
    scaled: "as the model turns",
    both: "as the model turns, which is by rope_theta alone",
    still: "not turned at all",
    y: "positions for one turn",
    x: "pair, from the fastest to the slowest",
    length: (tokens: string) => `length ${tokens}; above, no pair comes round once`,
    lengthShort: (tokens: string) => `length ${tokens}`,
    trained: (tokens: string) => `trained with ${tokens}`,
    atStill: (pair: number) => `pair ${pair} is not turned`,
    at: (pair: number, positions: string, turns: string, length: string) =>
      `pair ${pair} comes round in ${positions} positions: ${turns} turns in ${length}`,
    atScaled: (pair: number, positions: string, alone: string, turns: string, length: string) =>
      `pair ${pair} comes round in ${positions} positions (by rope_theta alone in ${alone}): ${turns} turns in ${length}`,
    table: {
      caption: (positions: string) => `Positions for one turn, and turns in ${positions} positions`,
      pair: "pair",
      positions: "positions for one turn",
      alone: "by rope_theta alone",
      turns: "turns",
    },
  },
};
