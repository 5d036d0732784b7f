/** What sines and cosines of the position say. */
export const words = {
  pair: (pair: number) => `pair ${pair}`,
  span: "Positions seen at once",
  position: "Position",
  rope: {
    heading: (components: number) =>
      `The rope · each position as ${components} smooth digits, the fastest on top (faint is −1, inked is 1)`,
    summary: (first: string, last: string, fastest: string, lastPair: number, slowest: string) =>
      `Sines and cosines over positions ${first} to ${last}: pair 0 comes round in ${fastest} positions, pair ${lastPair} in ${slowest}. At a position and the next:`,
    spoken: (at: string, pair: number, angle: string) => `position ${at}, pair ${pair} at angle ${angle} rad`,
    pair: "Pair, one index at a time",
    sine: "sine",
    cosine: "cosine",
    waves: (pair: number, first: string, last: string) =>
      `Sine and cosine of pair ${pair} over positions ${first} to ${last}.`,
    values: (pair: number, at: string) => `sine · cosine of pair ${pair} at ${at}`,
    angle: (angle: string) => `angle ${angle} rad`,
    wavelength: (pair: number) => `positions for one turn of pair ${pair}`,
    theta: (base: string, component: number, components: number) =>
      `θ is ${base} to the power −${component}/${components}`,
    neighbour: "distance to the next position, least · largest in sight",
    everywhere: "the same everywhere: nothing jumps",
    angles: "The same as angles · a pair is one hand, and hue is where it points",
    angleColumn: "angle, rad",
    anglesSummary: (pairs: number, first: string, last: string) =>
      `Angles of ${pairs} pairs over positions ${first} to ${last}.`,
    base: "Base of the frequencies",
  },
  map: {
    heading: (shift: number) =>
      `One fixed linear map · what takes every position ${shift} further (hue is the angle of a block)`,
    matrix: (shift: number) => `M, for k = ${shift}`,
    product: "product",
    shift: "Shift k, in positions",
    spoken: (shift: number, angle: string) => `shift ${shift}: block 0 turns by ${angle} rad`,
    difference: (shift: number) => `largest difference, M · PE(p) from PE(p + ${shift})`,
    rounding: (components: number, count: string) =>
      `of ${components} components at ${count} positions: float32 rounding`,
    mapped: "M · PE(p), every position by this one matrix",
    mappedSummary: "The matrix times the encoding of each position.",
    shifted: (shift: number) => `PE(p + ${shift}), every position by its own sines and cosines`,
    shiftedSummary: "The encoding itself, further along; the two pictures are the same.",
    table: {
      caption: (name: string) => `${name}: of each row the two numbers that are not 0, and the vectors`,
      component: "component",
      sine: "times sine",
      cosine: "times cosine",
    },
  },
  sum: {
    empty: "Type a sentence: there is no token to add to.",
    heading: (at: string, token: string) => `Added to the token · what position ${at} does to «${token}»`,
    cosine: "cosine of the sum to the token",
    direction: "1 would be the token’s own direction",
    length: "length of the token · of the sum",
    added: (length: string) => `what is added is ${length} long at every position`,
    cosines: {
      heading: "Cosine to the token, wherever it stands",
      summary: (first: string, last: string) =>
        `Cosine of the sum to the token over positions ${first} to ${last}.`,
      cosine: "cosine",
    },
    lengths: {
      heading: "Length of the sum, and of the token alone",
      summary: (first: string, last: string) =>
        `Length of the sum and of the token over positions ${first} to ${last}.`,
      sum: "sum",
      token: "token",
    },
    scaled: (factor: number) =>
      `Multiply the embedding by √d_model = ${factor} first, as «Attention Is All You Need» does`,
    token: "Token",
    note: (count: number, seed: number) =>
      `${count} token${count === 1 ? "" : "s"}; their vectors are drawn from seed ${seed}, not trained`,
  },
  table: { position: "position" },
};
