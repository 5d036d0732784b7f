import type { Encoding } from "../elements/pipeline.js";

export interface Note {
  heading: string;
  text: string;
  source?: { name: string; url: string };
}

export interface Chapter {
  title: string;
  lead: string;
  notes: readonly Note[];
}

const arxiv = (id: string) => ({ name: `arXiv:${id}`, url: `https://arxiv.org/abs/${id}` });

/** One rung of the lecture's ladder each: what it tries, and why the next one was wanted. */
export const chapters: Record<Encoding, Chapter> = {
  none: {
    title: "Why does position matter?",
    lead: "Attention weighs every word against every other. Nothing in that tells first from last: a sentence is a bag of words.",
    notes: [
      {
        heading: "Try",
        text: "Swap two words, with «Causal» off: each keeps the weights that it had, only in another place.",
      },
      {
        heading: "Is it so?",
        text: "With a causal mask a deep model is told something after all: every token sees one more than the one before.",
        source: arxiv("2305.19466"),
      },
    ],
  },
  integer: {
    title: "Integer: why not just count?",
    lead: "The position itself is added to every component. A little way along, the number is all that is left of the word.",
    notes: [
      {
        heading: "Try",
        text: "Move the sentence and read the length of the query: it grows with the position, whatever the word.",
      },
    ],
  },
  binary: {
    title: "Binary: digits instead",
    lead: "One bit for each component: no number is large now, and low bits flip fast while high ones wait. But neighbours jump, four digits at once from 7 to 8.",
    notes: [
      {
        heading: "Try",
        text: "Go from position 4,095 to 4,096 with the arrow keys: thirteen digits flip for one step.",
      },
    ],
  },
  sinusoidal: {
    title: "Sinusoidal: smooth digits",
    lead: "Each pair of components is a sine and a cosine, fast pairs and slow ones. Smooth at last; but it is still added, and pushes the word off its direction.",
    notes: [
      {
        heading: "Try",
        text: "Watch the hands while the sentence moves: each is pushed about, and changes its length.",
      },
      {
        heading: "Is it so?",
        text: "Trained projections may learn to keep word and position apart. These are drawn at random and keep nothing apart.",
      },
    ],
  },
  rotary: {
    title: "Rotary: turn, don’t add",
    lead: "Each pair of a query’s components is a strand. Walking along the sentence twists it: fast strands on top, slow ones below. Nothing is added, so nothing is diluted.",
    notes: [
      {
        heading: "15:00",
        text: "The query keeps its length: it is only turned. Move the sentence: every hand turns, and no weight changes.",
        source: arxiv("2104.09864"),
      },
      {
        heading: "Is it so?",
        text: "The lecture says that slow strands carry long-range references. In Gemma 7B the fastest serve positional heads, and the slowest look semantic.",
        source: arxiv("2410.06205"),
      },
      {
        heading: "What comes next",
        text: "DeepSeek keeps one short latent of each token and makes all keys from it. With rotated keys that does not work as it stands.",
        source: { name: "Latent attention", url: "./mla.html" },
      },
    ],
  },
};
