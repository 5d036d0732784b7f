import { html } from "lit";

/** What is said of pairs past the length that they were trained with. */
export const words = {
  names: {
    none: "unscaled",
    linear: "linear",
    ntk: "NTK",
    dynamic: "dynamic NTK",
    yarn: "YaRN",
    longrope: "LongRoPE",
    llama3: "Llama 3",
  },
  about: {
    none: "As trained, and simply read on: slow pairs turn on into angles that no weight was ever fitted to.",
    linear:
      "Position interpolation: all pairs are slowed alike, so that the whole length fits into the angles seen. But the fastest now turn so little from one token to the next that neighbours look alike.",
    ntk: "A larger base: fast pairs hardly change, and the slowest alone is slowed by the whole factor. Those before it are slowed too little.",
    dynamic:
      "NTK with a base that grows as the text does, and is as trained while the text is short. Its factor here is 2, as in InternLM2: it overshoots what the length asks for.",
    yarn: "Pairs that came round 32 times or more stay as they are, those that never did are slowed by the whole factor, and a ramp lies between. Cosines and sines are lengthened, which sharpens attention.",
    longrope:
      "A factor for each pair, found by search over a model’s own perplexity. The list here is made for this page, and for no model: from 1, slowly and then faster, up to the whole factor at the first pair that never came round.",
    llama3: "As YaRN, with a ramp from 4 turns down to 1, and cosines and sines as they are.",
  },
  scaling: "Scaling",
  length: (trained: string) => `Length of the text, in tokens; trained with ${trained}`,
  lengthSpoken: (tokens: string, factor: number, name: string, beyond: number, pairs: number) =>
    `${tokens} tokens, ${factor} times the trained length; ${name}: ${beyond} of ${pairs} pairs beyond training`,
  beyond: "pairs turned beyond training",
  beyondOf: (beyond: number, pairs: number) => `${beyond} of ${pairs}`,
  beyondByNow: "by now",
  beyondUnscaled: (beyond: number) => `unscaled: ${beyond}`,
  stretch: "text, in trained lengths",
  neverRound: (pairs: number) => `${pairs} pairs never came round`,
  step: "pair 0, turn per token",
  stepAsTrained: "as in training",
  stepInTraining: (step: string) => `in training ${step}`,
  attentionFactor: "attention factor",
  attentionAsIs: "cosines and sines as they are",
  attentionLonger: "lengthens query and key alike",
  dials: (tokens: string) =>
    `Where each pair points at position ${tokens}, and where it had pointed in training`,
  compared: "How much each scaling slows each pair, and how many pairs it leaves beyond training",
  leftBeyond: (pairs: unknown) => html`${pairs} beyond`,
  rope: (positions: string) => `The rope over ${positions} positions`,
  trained: "Trained length",
  headDim: "Components of a head, head_dim",
  base: "Base of the frequencies, rope_theta",
  seen: {
    label: "Pairs as dials: arrow keys go from one to the next",
    hint: "Point at a dial, or walk along them with the arrow keys.",
    trained: "pointed there in training",
    further: "turned beyond it",
    now: "points there now; hue is angle",
    round: (pair: number, now: string) =>
      `pair ${pair} came round in training, and pointed everywhere; it makes ${now} now`,
    beyond: (pair: number, trained: string, now: string) =>
      `pair ${pair} made ${trained} turns in training; it makes ${now} now: further than it ever did`,
    within: (pair: number, trained: string, now: string) =>
      `pair ${pair} made ${trained} turns in training; it makes ${now} now: no further`,
    table: {
      caption: "Turns of each pair in training, and at the length now",
      pair: "pair",
      trained: "turns in training",
      now: "turns now",
      angle: "angle now, rad",
      further: "further than trained",
      yes: "yes",
      no: "no",
    },
  },
  slowdown: {
    label: "How much more slowly each pair turns, by scaling: arrow keys go from pair to pair",
    hint: "Point at a pair, or walk along them with the arrow keys.",
    y: "times as long for one turn as in training",
    x: "pair, from the fastest to the slowest",
    further: "in here, further than it was trained to turn",
    furtherShort: "further than trained",
    round: "came round in training",
    never: "never did",
    at: (pair: number, each: readonly { name: string; times: string }[]) =>
      `pair ${pair}: ${each.map(({ name, times }) => `${name} ×${times}`).join(", ")}`,
    table: { caption: "Positions for one turn, by scaling", pair: "pair" },
  },
};
