const over = (strands: number, tokens: number) =>
  `${strands === 1 ? "one strand" : `${strands} strands`} over ${tokens} tokens`;

/** What the rope says. */
export const words = {
  label: "The sentence, token by token",
  tokens: "Tokens: Enter looks from one, Shift and Enter looks at it",
  alike: "No position: every token looks the same from anywhere.",
  /** What the pointer is over. */
  probe: {
    pair: (pair: number, at: string, angle: string) => `pair ${pair} at position ${at}: ${angle} rad`,
    bit: (bit: number, at: string, value: string) => `bit ${bit} of ${at}: ${value}`,
    position: (at: string) => `position ${at}`,
  },
  legend: {
    angle: "hue is angle:",
    bits: "faint is 0, strong is 1",
    position: "height and ink are the position",
  },
  far: {
    heading: (length: string) => `The same rope from further off · ${length} positions`,
    label: (length: string) => `The same strands from position 0 to ${length}.`,
    outline: "the outline is the sentence",
    beyond: (at: string) => `the sentence is beyond, at ${at} →`,
  },
  /** What its first strand is, and its last. */
  strands: {
    angle: {
      first: (wavelength: string) => `pair 0 on top: one turn in ${wavelength} positions`,
      last: (pair: number, wavelength: string) => `pair ${pair}: one turn in ${wavelength}`,
    },
    binary: {
      first: "bit 0 on top: flips at every position",
      last: (bit: number, positions: string) => `bit ${bit}: flips every ${positions}`,
    },
    integer: {
      first: (position: string) => `every component is the position: ${position}`,
      last: (position: string) => `to ${position}`,
    },
  },
  angles: (strands: number, tokens: number, first: string, last: string) =>
    `Angles, ${over(strands, tokens)}; hue is angle. Fastest is ${first}; slowest is ${last}.`,
  levels: (strands: number, tokens: number, first: string, last: string) =>
    `Levels as ink, ${over(strands, tokens)}. ${first}; ${last}.`,
};
