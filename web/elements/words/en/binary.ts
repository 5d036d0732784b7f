import { grouped } from "../../figure.js";

const digits = (count: number) => `${count} digit${count === 1 ? "" : "s"}`;
const steps = (count: number) => `${grouped(count)} step${count === 1 ? "" : "s"}`;

/** What positions as binary digits say. */
export const words = {
  heading: (planes: number) =>
    `The rope · each position as ${planes} binary digits, the lowest on top (faint is 0, inked is 1)`,
  summary: (first: string, last: string) =>
    `Binary digits of positions ${first} to ${last}: the lowest digit flips at every position, each further one half as often. Of three positions:`,
  position: "Position",
  other: "The stranger, a second position",
  spoken: {
    position: (at: string, binary: string) => `position ${at}, in binary ${binary}`,
    other: (at: string, binary: string) => `second position ${at}, in binary ${binary}`,
  },
  flips: (from: string, to: string) => `digits that flip from ${from} to ${to}`,
  ofPlanes: (planes: number) => `of ${planes}`,
  next: (from: string, to: string) => `distance from ${from} to ${to}, a neighbour`,
  there: (from: string, to: string) => `distance from ${from} to ${to}, a stranger`,
  samePosition: "it is the same position",
  away: (count: number, flips: number) => `${steps(count)}, ${digits(flips)}`,
  nearer: (count: number, flips: number) => `${steps(count)}, ${digits(flips)}: nearer than the neighbour`,
  carries: "Steps that carry",
  carry: (from: string, to: string) => `${from} → ${to}`,
  span: "Positions seen at once",
  further: (count: string) => `The same rope from further off · ${count} positions`,
  furtherSummary: (last: string) =>
    `The same digits from position 0 to ${last}: each plane has half as many edges as the one above it.`,
};
