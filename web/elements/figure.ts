import { locale } from "./words/en/locale.js";

const format = new Intl.NumberFormat(locale);

/** A number with its thousands apart. */
export const grouped = (n: number) => format.format(n);

/** A count of positions or turns, in as many digits as tell something. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "∞";
  if (value >= 1e9) return value.toExponential(2).replace("e+", "e");
  if (value >= 99.95) return grouped(Math.round(value));
  return value >= 0.95 ? value.toFixed(1) : value.toPrecision(2);
}

/** A difference that may be no more than rounding. */
export function exponential(value: number): string {
  return value === 0 ? "0" : value.toExponential(1).replace("-", "−");
}
