// Tensors as the cases write them, and what it takes to hand them to the engine: storage types, and the order
// of data. Data is moved and rounded here, never computed: whatever is computed, the engine computes.

/**
 * A case that this runner cannot make sense of, or whose result is not what it should be. Its message says
 * why.
 */
export class CaseError extends Error {
  name = "CaseError";
}

/** A case that says of itself that it is not to be held to: why. */
export class Skip extends Error {
  name = "Skip";
}

// Fraction bits, least exponent of a normal number, and largest number.
const narrow = {
  float16: [10, -14, 65504],
  bfloat16: [7, -126, 2 ** 128 - 2 ** 119],
};

/** What each name of a storage type means. An integer has the range that it can hold. */
const dtypes = {
  float: { kind: "float" },
  float32: { kind: "float" },
  double: { kind: "float" },
  float64: { kind: "float" },
  half: { kind: "float", rounds: narrow.float16 },
  float16: { kind: "float", rounds: narrow.float16 },
  bfloat16: { kind: "float", rounds: narrow.bfloat16 },
  bool: { kind: "bool", range: [0, 1] },
  ...Object.fromEntries([8, 16, 32, 64].map((n) => [`int${n}`, integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1)])),
  ...Object.fromEntries([8, 16, 32, 64].map((n) => [`uint${n}`, integers(0, 2 ** n - 1)])),
};

function integers(least, most) {
  return { kind: "integer", range: [least, most] };
}

function dtypeOf({ name, dtype }) {
  if (!Object.hasOwn(dtypes, dtype)) throw new CaseError(`${name} has the unknown dtype ${describe(dtype)}`);
  return dtypes[dtype];
}

/** Whether a tensor holds truth values. */
export const isBool = (tensor) => dtypeOf(tensor).kind === "bool";

/** Whether a tensor's values are counted, and so have no error but a wrong one. */
export const isExact = (tensor) => dtypeOf(tensor).kind !== "float";

const words = { inf: Infinity, "+inf": Infinity, "-inf": -Infinity, nan: Number.NaN };
words.infinity = words["+infinity"] = words.inf;
words["-infinity"] = words["-inf"];

function numberOf(written, tensor) {
  if (typeof written === "number") return written;
  if (typeof written === "boolean") return Number(written);
  if (typeof written === "string") {
    const word = written.toLowerCase();
    if (Object.hasOwn(words, word)) return words[word];
    if (/^[-+]?\d+$/.test(word)) return Number(word); // An int64 that JSON's readers would round.
  }
  throw new CaseError(`${tensor.name} holds ${describe(written)}, which is no number`);
}

/** The values of a tensor, as its storage type holds them. → number[] */
export function valuesOf(tensor) {
  const type = dtypeOf(tensor);
  if (!Array.isArray(tensor.data)) throw new CaseError(`${tensor.name} has no data`);
  const values = tensor.data.map((written) => numberOf(written, tensor));
  if (type.kind === "float") return values.map((value) => stored(tensor, value));
  const [least, most] = type.range;
  const wrong = values.find((value) => !(Number.isInteger(value) && value >= least && value <= most));
  if (wrong !== undefined) throw new CaseError(`${tensor.name} holds ${wrong}, which is no ${tensor.dtype}`);
  return values;
}

/** A number as a tensor's storage type would hold it. */
export function stored(tensor, value) {
  const { rounds } = dtypeOf(tensor);
  return rounds ? nearest(value, ...rounds) : value;
}

/** The distance, relative at most, of neighbours in a storage type that is narrower than float32; else 0. */
export function unitOf(tensor) {
  const { rounds } = dtypeOf(tensor);
  return rounds ? 2 ** -rounds[0] : 0;
}

/** The nearest binary floating-point number, ties to even, for |value| of float32. */
function nearest(value, fractionBits, leastExponent, largest) {
  const size = Math.abs(value);
  if (!(size > 0 && size < Infinity)) return value;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(size)), leastExponent) - fractionBits);
  const rounded = (size / unit + 2 ** 52 - 2 ** 52) * unit; // There a double has no fraction left.
  return Math.sign(value) * (rounded > largest ? Infinity : rounded);
}

/** A tensor's data for an f32 argument; absent stays absent. */
export function floats(tensor) {
  if (tensor === undefined) return undefined;
  const values = valuesOf(tensor);
  const lost = isExact(tensor) && values.find((value) => Math.fround(value) !== value);
  if (lost)
    throw new CaseError(`${tensor.name} holds ${lost}, which is no float32, and so not for the engine`);
  return Float32Array.from(values);
}

/** A tensor's data for a u8 argument. */
export const bytes = (tensor) => Uint8Array.from(valuesOf(tensor));

/**
 * Integers for an i32 argument. Those that are none of 32 bits would wrap around and look well, so they are
 * handed on as doubles, for the engine to refuse.
 */
export function int32s(values) {
  return values.every((value) => (value | 0) === value) ? Int32Array.from(values) : Float64Array.from(values);
}

export const product = (extents) => extents.reduce((a, b) => a * b, 1);

/** An axis counted from the front; undefined where there is none such. */
export function axisOf(axis, shape) {
  const counted = axis < 0 ? axis + shape.length : axis;
  return Number.isInteger(counted) && counted >= 0 && counted < shape.length ? counted : undefined;
}

/**
 * Data [a, b, c, d] as [a, c, b, d]: heads before tokens, or after. What does not have that shape is left as
 * it is, for the engine to judge.
 */
export function swapMiddle(data, shape) {
  if (data === undefined || shape.length !== 4 || product(shape) !== data.length) return data;
  const [a, b, c, d] = shape;
  const swapped = new data.constructor(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let k = 0; k < c; k++) {
        const from = ((i * b + j) * c + k) * d;
        swapped.set(data.subarray(from, from + d), ((i * c + k) * b + j) * d);
      }
    }
  }
  return swapped;
}

/**
 * Data of `shape` repeated to fill the shape `to`; undefined where the one does not broadcast to the other.
 */
export function broadcast(data, shape, to) {
  const from = [...Array(Math.max(to.length - shape.length, 0)).fill(1), ...shape];
  if (from.length !== to.length || from.some((extent, i) => extent !== 1 && extent !== to[i]))
    return undefined;
  if (product(from) !== data.length) return undefined;
  return data.constructor.from({ length: product(to) }, (_, flat) => {
    let source = 0;
    let stride = 1;
    let rest = flat;
    for (let i = to.length - 1; i >= 0; i--) {
      if (from[i] !== 1) source += (rest % to[i]) * stride;
      stride *= from[i];
      rest = Math.floor(rest / to[i]);
    }
    return data[source];
  });
}

/**
 * Each way to choose one of the values that every size is said to have; one way, unless a case contradicts
 * itself. An array of the engine's has no shape of its own, so that a contradiction reaches it only as sizes
 * that one of the arrays does not have.
 */
export function* readings(claims) {
  const [first, ...others] = Object.entries(claims);
  if (first === undefined) {
    yield {};
    return;
  }
  const [size, values] = first;
  const distinct = new Set(values.filter((value) => value !== undefined));
  for (const value of distinct.size > 0 ? distinct : [undefined]) {
    for (const rest of readings(Object.fromEntries(others))) yield { [size]: value, ...rest };
  }
}

/** A value in a few words. */
export function describe(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
