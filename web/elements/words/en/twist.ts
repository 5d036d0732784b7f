/** What a model's rope over a whole length says. */
export const words = {
  legend: "hue is angle:",
  unscaled: "by rope_theta alone",
  scaled: "as the model turns",
  label: (pairs: number, length: string, name: string) =>
    `Angles of ${pairs} pairs over ${length} positions, ${name}`,
  strands: (last: number) => `pair 0 on top, pair ${last} below`,
  markedStrands: (last: number) => `pair 0 on top, pair ${last} below; the line is where training ended`,
};
