import { html } from "lit";

/** A pair that position turns, in numbers as they are shown. */
interface TurnedPair {
  pair: number;
  /** Its components. */
  first: number;
  second: number;
  /** At each step. */
  radians: string;
  wavelength: string;
  position: string;
  turns: string;
  distance: string;
  /** Turns that `distance` adds. */
  more: string;
  /** Lengths. */
  before: string;
  after: string;
}

/** What a word that is carried along the rope says, and its query's pairs. */
export const words = {
  empty: "Write a sentence: there is no position without tokens.",
  control: "Position",
  play: "Play: a step at a time",
  pause: "Pause",
  back: "−1, one position back",
  on: "+1, one position on",
  position: (token: string) => `Position of «${token}»`,
  spoken: (at: string, radians: string, pair: number) =>
    `position ${at}, angle ${radians} rad of pair ${pair}`,
  rope: (token: string) => `The rope · take «${token}» and carry it along`,
  word: "The word whose query is turned",
  reach: "Positions",
  reachLabel: "Positions seen from further off",
  turned: html`Turned <small>rotary</small>`,
  pushed: html`Pushed <small>sinusoidal, added</small>`,
  length: (at: string) => `length of the query, before · at ${at}`,
  same: "the same to the last digit",
  rounded: "the same, but for what float32 rounds",
  notOwn: "not the query’s own any more",
  change: "largest change of a pair’s length",
  rounding: "what float32 rounds",
  beneath: "beneath each dial: its own",
  pairs: "Pairs",
  pairsLabel: "Which components pair up",
  layouts: { interleaved: "interleaved", half: "half" },
  /** What each layout pairs, and who calls it what. */
  interleaved: html`Component <b>2i with 2i + 1</b>, neighbours: the original RoFormer, GPT-J, Llama as Meta published it; ggml’s «normal».`,
  half: (half: number) =>
    html`Component <b>i with i + ${half}</b>, from each half one: GPT-NeoX, Llama in Hugging Face transformers; ggml’s «neox».`,
  further: "Turn on by",
  furtherLabel: "How much further the hands are compared with",
  by: (distance: string) => `+${distance}`,
  legend: "grey hand: before position. Beneath: turns made, and to come (outer arc)",
  tokens: (count: number) => `${count} tokens`,
  headDim: "Components of a head, head_dim",
  base: "Base, rope_theta",
  seed: "Seed",
  drawn:
    "The query is not trained: it is drawn from the seed and the word. What turns it is what turns every query.",
  walk: {
    legend: "hue is the angle turned:",
    first: (wavelength: string) => `pair 0 on top: one turn in ${wavelength} positions`,
    last: (pair: number, wavelength: string) => `pair ${pair}: one turn in ${wavelength}`,
    far: "the same rope from further off",
    farLabel: (length: string) => `The same strands from position 0 to ${length}`,
    label: (pairs: number, first: string, last: string, token: string, at: string) =>
      `Angles that ${pairs} pairs turn by, positions ${first} to ${last}; «${token}» is at ${at}`,
    table: {
      caption: "Angles of the rope in radians, from −π to π",
      position: "position",
      pair: (pair: number) => `pair ${pair}`,
    },
  },
  loom: {
    label: (layout: string, components: number, pairs: number, pair: number, first: number, second: number) =>
      `${layout}: ${components} components in ${pairs} pairs; pair ${pair} is components ${first} and ${second}`,
  },
  turns: {
    label: {
      turned: (token: string) => `Pairs of «${token}», turned: arrow keys go from one to the next`,
      pushed: (token: string) => `Pairs of «${token}», pushed: arrow keys go from one to the next`,
    },
    turns: (count: string) => `${count} turns`,
    turned: (pair: TurnedPair) =>
      `Pair ${pair.pair}, components ${pair.first} and ${pair.second}: ${pair.radians} rad at each step, one turn in ${pair.wavelength}. At ${pair.position} it has turned ${pair.turns} times; ${pair.distance} further is ${pair.more} more. Length ${pair.before} → ${pair.after}.`,
    pushed: (pair: number, from: string, to: string, before: string, after: string) =>
      `Pair ${pair}: from ${from} to ${to} rad. Length ${before} → ${after}.`,
    table: {
      caption: {
        turned: (token: string, position: number) => `Pairs of «${token}» at position ${position}, turned`,
        pushed: (token: string, position: number) => `Pairs of «${token}» at position ${position}, pushed`,
      },
      pair: "pair",
      turned: (distance: number) => [
        "angle turned, rad",
        "turns",
        `turns in ${distance} more`,
        "length before",
        "length after",
      ],
      pushed: ["angle before, rad", "angle after, rad", "length before", "length after"],
    },
  },
};
