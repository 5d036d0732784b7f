import { RopewalkError } from "./errors.js";

/**
 * Embind lets NaN and "8" pass for integers, so that every number is checked before it crosses. What is allowed is put
 * into words only where it is not what was given: to make the words takes longer than to check.
 */

/** Most elements that one tensor may have. */
export const maxElements = 2 ** 31 - 1;

function refuseNumber(argument: string, value: unknown, allowed: string): never {
  throw new RopewalkError(typeof value === "number" ? "bad_value" : "bad_type", argument, value, allowed);
}

/** An integer from `least` to `most`. */
export function integer(argument: string, value: unknown, least: number, most: number, more = ""): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  return refuseNumber(argument, value, `an integer from ${least} to ${most}${more}`);
}

/** An extent of a tensor. */
export function size(argument: string, value: unknown): number {
  return integer(argument, value, 1, maxElements);
}

export function int32(argument: string, value: unknown): number {
  return integer(argument, value, -(2 ** 31), 2 ** 31 - 1);
}

export function uint32(argument: string, value: unknown): number {
  return integer(argument, value, 0, 2 ** 32 - 1);
}

export function finite(argument: string, value: unknown): number {
  return Number.isFinite(value) ? (value as number) : refuseNumber(argument, value, "a finite number");
}

const isFiniteF32 = (value: unknown) =>
  Number.isFinite(value) && Number.isFinite(Math.fround(value as number));

/** A number that stays finite as a float32. */
export function finiteF32(argument: string, value: unknown): number {
  if (isFiniteF32(value)) return value as number;
  return refuseNumber(argument, value, "a number that is finite as a float32");
}

/** A number >= 0 that stays finite as a float32. */
export function notNegativeF32(argument: string, value: unknown): number {
  if (isFiniteF32(value) && (value as number) >= 0) return value as number;
  return refuseNumber(argument, value, "a number >= 0 that is finite as a float32");
}

/** A number from `least` to `most`, fractions included. */
export function within(argument: string, value: unknown, least: number, most: number): number {
  if (Number.isFinite(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  return refuseNumber(argument, value, `a number from ${least} to ${most}`);
}

/** A finite number >= 0. */
export function notNegative(argument: string, value: unknown): number {
  if (Number.isFinite(value) && (value as number) >= 0) return value as number;
  return refuseNumber(argument, value, "a finite number >= 0");
}

/** A number that frequencies can be the powers of. */
export const base = (argument: string, value: unknown): number => within(argument, value, 1e-100, 1e100);

export function positive(argument: string, value: unknown): number {
  if (Number.isFinite(value) && (value as number) > 0) return value as number;
  return refuseNumber(argument, value, "a finite number > 0");
}

export function boolean(argument: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new RopewalkError("bad_type", argument, value, "true or false");
  return value;
}

export function oneOf<Choice extends string>(
  argument: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  if (choices.includes(value as Choice)) return value as Choice;
  const allowed = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  throw new RopewalkError(typeof value === "string" ? "bad_value" : "bad_type", argument, value, allowed);
}

/** The product of a tensor's extents; `argument` names the tensor. */
export function elements(argument: string, a: number, b: number, c = 1, d = 1): number {
  const product = a * b * c * d;
  if (product > maxElements) {
    const extents = [a, b, c, d].filter((extent) => extent > 1).join(" × ");
    throw new RopewalkError("bad_shape", argument, product, `fewer than 2^31 elements in ${extents}`);
  }
  return product;
}

/** The options of a call. */
export function record(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw new RopewalkError("bad_type", "options", options, "an object with named options");
  }
}

export function even(argument: string, value: number): void {
  if (value % 2 !== 0) throw new RopewalkError("bad_shape", argument, value, "an even number");
}

export function divides(argument: string, divisor: number, of: string, dividend: number): void {
  if (dividend % divisor !== 0) {
    throw new RopewalkError("bad_shape", argument, divisor, `a divisor of ${of}, which is ${dividend}`);
  }
}

export function absent(argument: string, value: unknown, allowed: string): void {
  if (value !== undefined) throw new RopewalkError("bad_value", argument, value, allowed);
}

/** The array that `make` makes. JavaScript's own answer to want of memory is a RangeError without a name. */
export function inMemory<T>(argument: string, bytes: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new RopewalkError("out_of_memory", argument, bytes, "as many bytes as can be had", { cause });
  }
}

/** What was given, or else `fallback`; null counts as given, and so is refused by the check that follows. */
export function or<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value;
}
