/** What attention over a sentence in two orders says. */
export const words = {
  empty: "Write a sentence: nothing is put into order without words.",
  heading: (token: string) => `What «${token}» gives to every word · put the words into another order`,
  key: "bar: weight now; outline: weight as the sentence was written",
  move: (token: string) => `Move «${token}»`,
  swapBack: "← swap",
  swapOn: "swap →",
  asWritten: "As written",
  how: "Drag a word past its neighbours. Or choose it and press «swap»; or hold Shift and press an arrow key.",
  positions: "Positions",
  encodings: { none: "none", rotary: "rotary" },
  mask: "Causal mask",
  maskOn: "on",
  maskOff: "off",
  change: "largest change of any weight, word by word",
  queryChange: (token: string) => `of the weights of «${token}»`,
  rope: {
    none: "The rope · blank: nothing tells one place from another",
    rotary: "The rope · angle that every pair turns by, in every place (hue is angle)",
  },
  note: (count: number, left: number, seed: number) =>
    `${left > 0 ? `the first ${count} of ${count + left} words` : `${count} words`}; vectors drawn from seed ${seed}, nothing is trained`,
  verdict: {
    still: "move a word and watch",
    same: "none at all: a bag of words",
    rounded: "only the rounding of sums: a bag of words",
    masked: "the mask alone tells before from after",
    ordered: "now the order counts",
  },
  line: {
    label: (upright: boolean) =>
      `The words in their order: arrow keys go ${upright ? "up and down" : "left and right"}, Shift and an arrow key moves a word, Enter looks from it`,
    weight: (token: string, place: number, count: number, weight: string) =>
      `${token}, place ${place} of ${count}, weight ${weight}`,
    masked: (token: string, place: number, count: number) => `${token}, place ${place} of ${count}, masked`,
    moved: (token: string, place: number, count: number) => `«${token}» is in place ${place} of ${count}`,
    table: {
      caption: (token: string) => `Weights of «${token}», word by word, in the order of now`,
      word: "word",
      was: "as written",
      now: "now",
    },
  },
};
