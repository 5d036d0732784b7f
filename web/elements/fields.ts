/**
 * The state of an instrument, piece by piece: one table makes its properties, its attributes and its part of an address.
 */
export interface Field<T> {
  /** What it is until somebody says otherwise. */
  readonly initial: T;
  /** What a text says; undefined where that is not allowed. */
  read(text: string): T | undefined;
  /** The text that says it. */
  write(value: T): string;
}

// biome-ignore lint/suspicious/noExplicitAny: a table's fields have a type each.
export type Fields = Readonly<Record<string, Field<any>>>;

/** The properties that a table makes. */
export type Values<F extends Fields> = { [Name in keyof F]: F[Name] extends Field<infer T> ? T : never };

function numeric(initial: number, allows: (value: number) => boolean): Field<number> {
  return {
    initial,
    read: (text) => {
      const value = text.trim() === "" ? Number.NaN : Number(text);
      return allows(value) ? value : undefined;
    },
    write: String,
  };
}

/** A whole number from `least` to `most`. */
export const whole = (initial: number, least: number, most: number) =>
  numeric(initial, (value) => Number.isInteger(value) && value >= least && value <= most);

/** A number from `least` to `most`. */
export const real = (initial: number, least: number, most: number) =>
  numeric(initial, (value) => value >= least && value <= most);

/** One of a few. */
export function oneOf<const T extends string | number>(initial: NoInfer<T>, all: readonly T[]): Field<T> {
  return { initial, read: (text) => all.find((one) => String(one) === text), write: String };
}

/** Yes or no. As an attribute it may stand there bare. */
export function flag(initial: boolean): Field<boolean> {
  const known: Record<string, boolean> = { "": true, yes: true, no: false };
  return { initial, read: (text) => known[text], write: (value) => (value ? "yes" : "no") };
}

/** A text of at most so many UTF-16 units. */
export function words(initial: string, most: number): Field<string> {
  return { initial, read: (text) => (text.length <= most ? text : undefined), write: (value) => value };
}

/** Whole numbers in rising order, each once, from 0 to `most`; written as ranges: `0-3,7`. */
export function wholes(initial: readonly number[], most: number): Field<readonly number[]> {
  return {
    initial,
    read: (text) => {
      const values = readRanges(text, most);
      return values && [...new Set(values)].sort((a, b) => a - b);
    },
    write: writeRanges,
  };
}

/** Whole numbers from 0 to `most`, each once, in an order that counts; written as rising ranges: `0-2,5,3-4`. */
export function sequence(initial: readonly number[], most: number): Field<readonly number[]> {
  return {
    initial,
    read: (text) => {
      const values = readRanges(text, most);
      return values?.length === new Set(values).size ? values : undefined;
    },
    write: writeRanges,
  };
}

function readRanges(text: string, most: number): number[] | undefined {
  const values: number[] = [];
  for (const part of text === "" ? [] : text.split(",")) {
    const [, from, to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
    if (from === undefined || Number(to) > most) return undefined;
    for (let value = Number(from); value <= Number(to); ++value) values.push(value);
  }
  return values;
}

function writeRanges(values: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const value of values) {
    const last = ranges.at(-1);
    if (last !== undefined && value === last[1] + 1) last[1] = value;
    else ranges.push([value, value]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

/** As it stands in attributes and addresses: `headDim` is `head-dim`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
