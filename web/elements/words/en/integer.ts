/** What counting says: positions as whole numbers, added to a word. */
export const words = {
  empty: "Write a sentence: there is nothing to add a position to.",
  heading: (token: string) => `«${token}», with its position added to every component`,
  rows: {
    alone: (token: string) => `«${token}» alone`,
    position: (at: string) => `+ its position, ${at}`,
    sum: (token: string, at: string) => `= «${token}» at position ${at}`,
    other: (token: string, at: string) => `«${token}» at position ${at}`,
  },
  position: "Position of both words",
  positionSpoken: (at: string, cosine: string, length: string) =>
    `position ${at}, cosine to the word alone ${cosine}, length ${length}`,
  cosine: (token: string) => `cosine of «${token}» with its position to «${token}» alone`,
  left: {
    word: "still the word",
    more: "more the word than not",
    less: "the word is the lesser part",
  },
  alike: (token: string, other: string, at: string) => `cosine of «${token}» to «${other}», both at ${at}`,
  same: "one vector, for all that is left of them",
  different: "two words",
  length: "length, alone · with its position",
  word: "Word",
  otherWord: "Other word",
  curves: "Where the meaning drowns",
  rope: "The rope · the number that is added, at every position",
  ropeFirst: "every component is the position: 0",
  ropeLast: (last: number) => `to ${last}`,
  note: (count: number, seed: number) =>
    `${count} words; vectors drawn from seed ${seed}, nothing is trained`,
  drowning: {
    length: (length: string) => `length ${length}`,
    label: (name: string, components: number) => `${name}: ${components} components as bars`,
    scale: (components: number, least: string, most: string) =>
      `${components} components each, all four at one scale: from ${least} to ${most}`,
    table: { caption: "Components", component: "component" },
  },
  drowningCurves: {
    label: "Cosines and length by position: arrow keys go from one to the next, Enter puts the words there",
    cosines: (token: string, other: string) =>
      `Cosine of «${token}» with its position to «${token}» alone; dashed: of «${token}» to «${other}», both at that position`,
    lost: (cosine: number, from: string) => `under ${cosine} from position ${from}`,
    same: (cosine: number, from: string) => `two words over ${cosine} alike from ${from}`,
    length: (token: string) => `Length of «${token}» with its position`,
    position: "position",
    thousands: (count: number) => `${count}k`,
    hint: "Point at a position, or walk along with the arrow keys; a click or Enter puts the words there.",
    sentence: (at: string, token: string, cosine: string, other: string, alike: string, length: string) =>
      `position ${at}: cosine to «${token}» alone ${cosine}, to «${other}» there ${alike}; length ${length}`,
    table: {
      caption: (token: string) => `What adding the position makes of «${token}»`,
      position: "position",
      length: "length",
      cosine: "cosine to the word alone",
      alike: (other: string) => `cosine to «${other}» there`,
    },
  },
};
