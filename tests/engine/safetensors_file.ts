// Safetensors files, written and read without the engine: what the format says, in the plainest way.
import fc from "fast-check";
import { test } from "vitest";

/** A tensor as a file has it. */
export interface Stored {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}

/** The entry of a tensor in the header. */
export interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

// ---- Writing -----------------------------------------------------------------------------------------------------------

/** A file with this header, whatever it says, and this data. `length` is what the first 8 bytes say. */
export function rawFile(
  header: string | Uint8Array,
  data: Uint8Array,
  length?: bigint,
): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

/** The header and the data of these tensors, one after another. */
export function layOut(tensors: Record<string, Stored>): {
  header: Record<string, HeaderEntry>;
  data: Uint8Array;
} {
  const header: Record<string, HeaderEntry> = Object.create(null);
  const data: number[] = [];
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    const begin = data.length;
    for (const byte of bytes) data.push(byte);
    header[name] = { dtype, shape, data_offsets: [begin, data.length] };
  }
  return { header, data: Uint8Array.from(data) };
}

/** A file of these tensors. `pad` spaces follow the header. */
export function safetensors(
  tensors: Record<string, Stored>,
  { metadata, pad = 0 }: { metadata?: Record<string, string>; pad?: number } = {},
): Uint8Array<ArrayBuffer> {
  const { header, data } = layOut(tensors);
  const all = metadata === undefined ? header : { __metadata__: metadata, ...header };
  return rawFile(JSON.stringify(all) + " ".repeat(pad), data);
}

/** An index that says which file has which tensors. */
export function index(weightMap: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }));
}

const product = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** A tensor of float32s: 0, 1, 2, … from `first` on, so that each is told from any other. */
export function counting(shape: number[], first = 0): Stored {
  const values = Float32Array.from({ length: product(shape) }, (_, i) => first + i);
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return { dtype: "F32", shape, bytes };
}

/** A tensor of elements of 16 bits. */
export function halves(dtype: "F16" | "BF16", shape: number[], bits: ArrayLike<number>): Stored {
  const bytes = new Uint8Array(2 * bits.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bits.length; i++) view.setUint16(2 * i, bits[i] as number, true);
  return { dtype, shape, bytes };
}

/** A tensor of `dtype`, with bytes that mean nothing. */
export const opaque = (dtype: string, shape: number[], bytes: number): Stored => ({
  dtype,
  shape,
  bytes: new Uint8Array(bytes).fill(7),
});

export const fileOf = (name: string, bytes: Uint8Array<ArrayBuffer>) => new File([bytes], name);

// ---- Reading -----------------------------------------------------------------------------------------------------------

/** What the number with this sign, exponent and fraction is, by the definition of such formats. */
function value(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = Math.floor(bits / 2 ** (exponentBits + fractionBits)) === 1 ? -1 : 1;
  const exponent = Math.floor(bits / 2 ** fractionBits) % 2 ** exponentBits;
  const fraction = bits % 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1)
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

const formats: Record<string, { bytes: number; decode: (bits: number) => number }> = {
  F32: { bytes: 4, decode: (bits) => value(bits, 8, 23) },
  F16: { bytes: 2, decode: (bits) => value(bits, 5, 10) },
  BF16: { bytes: 2, decode: (bits) => value(bits, 8, 7) },
};

/** The elements of a tensor, by arithmetic; undefined of a dtype other than the three. */
export function decoded({ dtype, bytes }: { dtype: string; bytes: Uint8Array }): number[] | undefined {
  const format = formats[dtype];
  if (format === undefined) return undefined;
  return Array.from({ length: bytes.length / format.bytes }, (_, i) => {
    const element = bytes.subarray(format.bytes * i, format.bytes * (i + 1));
    return format.decode(element.reduceRight((bits, byte) => 256 * bits + byte, 0));
  });
}

/** What a file says, for whoever believes it: its tensors, from a header that is not checked at all. */
export function believed(file: Uint8Array): Map<string, Stored & { begin: number; end: number }> {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const entries = Object.entries(header as Record<string, HeaderEntry>).filter(
    ([name]) => name !== "__metadata__",
  );
  return new Map(
    entries.map(([name, { dtype, shape, data_offsets }]) => {
      const [begin, end] = data_offsets.map((offset) => 8 + length + offset) as [number, number];
      return [name, { dtype, shape, bytes: file.subarray(begin, end), begin, end }];
    }),
  );
}

// ---- Watching ----------------------------------------------------------------------------------------------------------

/** A file that takes note of what is read of it, and refuses to be read whole. */
export class WatchedFile extends File {
  readonly slices: [number, number][] = [];

  override slice(begin?: number, end?: number, type?: string): Blob {
    this.slices.push([begin as number, end as number]);
    return super.slice(begin, end, type);
  }

  override arrayBuffer(): Promise<never> {
    throw new Error("The whole file was asked for.");
  }

  override text(): Promise<never> {
    throw new Error("The whole file was asked for.");
  }

  override stream(): never {
    throw new Error("The whole file was asked for.");
  }
}

// ---- Properties --------------------------------------------------------------------------------------------------------

/** As `property` of property.ts, with the same variables, for what takes its time. */
export function asyncProperty<Case>(
  title: string,
  cases: fc.Arbitrary<Case>,
  holds: (drawn: Case) => Promise<void>,
  runs = 200,
): void {
  const effort = Number(process.env.PROPERTY_EFFORT ?? 1);
  const path = process.env.PROPERTY_PATH;
  test(title, { timeout: 60_000 * effort }, () =>
    fc.assert(fc.asyncProperty(cases, holds), {
      seed: Number(process.env.PROPERTY_SEED ?? 20_260_101),
      numRuns: runs * effort,
      ...(path && { path, endOnFailure: true }),
    }),
  );
}
