/** What arcs from a query to the tokens that it attends to say. */
export const words = {
  label: (token: string) => `Attention of «${token}»: choose a token as query, or with Shift as key`,
  itself: (weight: string) => `${weight} itself`,
  masked: "masked",
  /** No weight is one that is masked. */
  token: (token: string, weight: string | undefined, isKey: boolean) =>
    `${token}, ${weight === undefined ? "masked" : `weight ${weight}`}${isKey ? ", chosen key" : ""}`,
  rest: (count: number, weight: string) =>
    `${count} fainter arc${count === 1 ? "" : "s"} left out, together ${weight}`,
};
