import { RopewalkError } from "./errors.js";

/** Embind lets NaN and "8" pass for integers, so that every number is checked before it crosses. */

/** Most elements that one tensor may have. */
export const maxElements = 2 ** 31 - 1;

function number(argument: string, value: unknown, allowed: string): number {
  if (typeof value !== "number") throw new RopewalkError("bad_type", argument, value, allowed);
  return value;
}

/** An integer from `least` to `most`. */
export function integer(argument: string, value: unknown, least: number, most: number, more = ""): number {
  const allowed = `an integer from ${least} to ${most}${more}`;
  const checked = number(argument, value, allowed);
  if (!Number.isInteger(checked) || checked < least || checked > most) {
    throw new RopewalkError("bad_value", argument, value, allowed);
  }
  return checked;
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
  const checked = number(argument, value, "a finite number");
  if (!Number.isFinite(checked)) throw new RopewalkError("bad_value", argument, value, "a finite number");
  return checked;
}

/** A number that stays finite as a float32. */
export function finiteF32(argument: string, value: unknown): number {
  const allowed = "a number that is finite as a float32";
  const checked = number(argument, value, allowed);
  if (!Number.isFinite(Math.fround(checked))) throw new RopewalkError("bad_value", argument, value, allowed);
  return checked;
}

/** A number >= 0 that stays finite as a float32. */
export function notNegativeF32(argument: string, value: unknown): number {
  const allowed = "a number >= 0 that is finite as a float32";
  const checked = number(argument, value, allowed);
  if (!(checked >= 0 && Number.isFinite(Math.fround(checked)))) {
    throw new RopewalkError("bad_value", argument, value, allowed);
  }
  return checked;
}

/** A number from `least` to `most`, fractions included. */
export function within(argument: string, value: unknown, least: number, most: number): number {
  const allowed = `a number from ${least} to ${most}`;
  const checked = number(argument, value, allowed);
  if (!(checked >= least && checked <= most)) throw new RopewalkError("bad_value", argument, value, allowed);
  return checked;
}

/** A finite number >= 0. */
export function notNegative(argument: string, value: unknown): number {
  const allowed = "a finite number >= 0";
  const checked = number(argument, value, allowed);
  if (!(checked >= 0 && Number.isFinite(checked)))
    throw new RopewalkError("bad_value", argument, value, allowed);
  return checked;
}

/** A number that frequencies can be the powers of. */
export const base = (argument: string, value: unknown): number => within(argument, value, 1e-100, 1e100);

export function positive(argument: string, value: unknown): number {
  const allowed = "a finite number > 0";
  const checked = number(argument, value, allowed);
  if (!(checked > 0 && Number.isFinite(checked)))
    throw new RopewalkError("bad_value", argument, value, allowed);
  return checked;
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
  const allowed = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  if (typeof value !== "string") throw new RopewalkError("bad_type", argument, value, allowed);
  if (!choices.includes(value as Choice)) throw new RopewalkError("bad_value", argument, value, allowed);
  return value as Choice;
}

/** The product of a tensor's extents; `argument` names the tensor. */
export function elements(argument: string, ...extents: number[]): number {
  const product = extents.reduce((a, b) => a * b, 1);
  if (product > maxElements) {
    throw new RopewalkError(
      "bad_shape",
      argument,
      product,
      `fewer than 2^31 elements in ${extents.join(" × ")}`,
    );
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
