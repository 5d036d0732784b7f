// What the property tests have in common: how many cases and from which seed, values to draw, and how to compare.
//
// `npm test` tries the same cases every time. For a long run over others:
//
//     PROPERTY_EFFORT=100 PROPERTY_SEED=$RANDOM npx vitest run --project engine tests/engine/property
//
// A failure shows the smallest case that was found to fail, with the seed and the path to it: with PROPERTY_SEED and
// PROPERTY_PATH that very case is tried again (choose its test by -t).
import fc from "fast-check";
import { test } from "vitest";

const seed = Number(process.env.PROPERTY_SEED ?? 20_260_101);
const path = process.env.PROPERTY_PATH;
/** How many times as many cases as in `npm test`. */
const effort = Number(process.env.PROPERTY_EFFORT ?? 1);

/** A test that `holds` throws for none of `runs` cases. */
export function property<Case>(
  title: string,
  cases: fc.Arbitrary<Case>,
  holds: (drawn: Case) => void,
  runs = 200,
): void {
  test(title, { timeout: 60_000 * effort }, () => {
    fc.assert(fc.property(cases, holds), {
      seed,
      numRuns: runs * effort,
      ...(path && { path, endOnFailure: true }),
    });
  });
}

// ---- Values ------------------------------------------------------------------------------------------------------------

/** Extents with all that SIMD minds: less than a register, just one, one more, and so on. */
export const size = (max: number) => fc.integer({ min: 1, max });

export const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

export const layout = fc.constantFrom("interleaved", "half");
export const format = fc.constantFrom("bshd", "bhsd");
export const otherLayout = { interleaved: "half", half: "interleaved" } as const;

export const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

/** Near 0, far off, and at the ends. */
export const position = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.integer({ min: -131_072, max: 131_072 }),
  int32,
  fc.constantFrom(-(2 ** 31), 2 ** 31 - 1),
);

/** A finite number from `min` to `max`. */
export const real = (min: number, max: number) =>
  fc.double({ min, max, noNaN: true, noDefaultInfinity: true });

/** A number from `min` to `max`, as many of each magnitude. */
export const magnitude = (min: number, max: number) => real(Math.log(min), Math.log(max)).map(Math.exp);

/**
 * How the elements of tensors are drawn. A tensor follows from such a seed and its length, so that a case that fails can
 * be shrunk to smaller extents.
 */
export interface Values {
  /** `even` in [-1, 1); `whole` from -2 to 2, with ties and zeros; `sparse` with many zeros, -0 too; `wide` over 2^±60. */
  kind: "even" | "whole" | "sparse" | "wide";
  seed: number;
}

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
export const tame = fc.record<Values>({ kind: fc.constantFrom("even", "whole", "sparse"), seed: seeds });
export const values = fc.record<Values>({
  kind: fc.constantFrom("even", "whole", "sparse", "wide"),
  seed: seeds,
});

/** Numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // A counter, scrambled.
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** The tensor of `length`; `stream` tells the tensors of one case apart. */
export function f32(values: Values, length: number, stream = 0): Float32Array {
  const next = uniform(values.seed + Math.imul(stream, 0x1000193));
  const draw = {
    even: () => 2 * next() - 1,
    whole: () => Math.floor(5 * next()) - 2,
    sparse: () => (next() < 0.6 ? (next() < 0.5 ? -0 : 0) : 2 * next() - 1),
    wide: () => (2 * next() - 1) * 2 ** Math.floor(121 * next() - 60),
  }[values.kind];
  return Float32Array.from({ length }, draw);
}

export const ones = (length: number) => new Float32Array(length).fill(1);

type Given<Options> = {
  [Name in keyof Options as undefined extends Options[Name] ? never : Name]: Options[Name];
} & {
  [Name in keyof Options as undefined extends Options[Name] ? Name : never]?: Exclude<
    Options[Name],
    undefined
  >;
};

/** The same options without those that were drawn as undefined. */
export function given<Options extends object>(options: Options): Given<Options> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Given<Options>;
}

// ---- Heads -------------------------------------------------------------------------------------------------------------

export type Format = "bshd" | "bhsd";

export interface HeadsShape {
  batch: number;
  len: number;
  nHeads: number;
  headDim: number;
}

/** Tokens `begin` to `end` of heads in `from`, put into the order of `to`. */
export function heads(
  x: Float32Array | Float64Array,
  { batch, len, nHeads, headDim }: HeadsShape,
  from: Format,
  to: Format = from,
  begin = 0,
  end = len,
): typeof x {
  const rows = end - begin;
  const out = x.slice(0, batch * rows * nHeads * headDim);
  const head = (order: Format, length: number, b: number, s: number, h: number) =>
    headDim * (order === "bshd" ? (b * length + s) * nHeads + h : (b * nHeads + h) * length + s);
  for (let b = 0; b < batch; b++) {
    for (let s = 0; s < rows; s++) {
      for (let h = 0; h < nHeads; h++) {
        const source = head(from, len, b, s + begin, h);
        out.set(x.subarray(source, source + headDim), head(to, rows, b, s, h));
      }
    }
  }
  return out;
}

// ---- Comparison --------------------------------------------------------------------------------------------------------

type Numbers = ArrayLike<number>;
type Bound = number | ((i: number) => number);

/** Every element within `bound` of what is expected. NaN is within nothing, but is expected where the reference has it. */
export function close(what: string, actual: Numbers, expected: Numbers, bound: Bound): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what} has ${actual.length} elements and not ${expected.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    const [got, wanted] = [actual[i] as number, expected[i] as number];
    if (Object.is(got, wanted)) continue;
    const within = typeof bound === "number" ? bound : bound(i);
    if (!(Math.abs(got - wanted) <= within)) {
      throw new Error(`${what}[${i}] is ${got}, which is not within ${within} of ${wanted}`);
    }
  }
}

/** Bit for bit the same; 0 and -0 count as the same. */
export function same(what: string, actual: Numbers, expected: Numbers): void {
  close(what, actual, expected, 0);
}

/** What lies between neighbouring float32s, or doubles, at x. */
export const ulpF32 = (x: number) => 2 ** Math.max(exponent(x) - 23, -149);
export const ulpF64 = (x: number) => 2 ** Math.max(exponent(x) - 52, -1074);

function exponent(x: number): number {
  const guess = Math.floor(Math.log2(Math.abs(x)));
  return x === 0 ? Number.NEGATIVE_INFINITY : 2 ** guess > Math.abs(x) ? guess - 1 : guess;
}

/** The bound for what is computed in double and rounded to float32 once, with `more` on top of the rounding. */
export const rounded =
  (expected: Numbers, more: Bound = 0): Bound =>
  (i) =>
    2 ** -24 * (1 + 2 ** -20) * Math.abs(expected[i] as number) +
    2 ** -150 +
    (typeof more === "number" ? more : more(i));

/** What `call` throws must be a RopewalkError of that code. */
export function throws(code: string, argument: string | undefined, call: () => unknown): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  const error = thrown as { name?: string; code?: string; argument?: string } | undefined;
  if (
    error?.name !== "RopewalkError" ||
    error.code !== code ||
    (argument !== undefined && error.argument !== argument)
  ) {
    throw new Error(`expected ${code} of ${argument ?? "some argument"}, not ${thrown}`, { cause: thrown });
  }
}
