/** The JSON in safetensors files and their index, and what must hold of it before a byte of data is read. */
import { RopewalkError } from "./errors.js";

/** Something to read from, whole or in parts. */
export interface ReadableFile {
  /** What messages call it: its name without its folder. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Its bytes from `begin` to before `end`. */
  read(begin: number, end: number): Promise<Uint8Array>;
}

/** What a checkpoint says of a tensor. */
export interface TensorInfo {
  /** What its elements are, as the file spells it, such as `BF16`. */
  readonly dtype: string;
  /** Its extents, the slowest first. [] of a scalar. */
  readonly shape: readonly number[];
}

/** Where a tensor is: the bytes from `begin` to before `end` of its file. */
export interface StoredTensor extends TensorInfo {
  readonly begin: number;
  readonly end: number;
}

/** Most bytes of JSON: the limit that the format sets a header, so that nobody has to parse more. */
const maxJsonBytes = 100_000_000;

/** Most brackets around anything: the format has 3. */
const maxDepth = 16;

const prefixBytes = 8;

/** Bits of an element. Those below 8 come in tensors of whole bytes. */
const bitsOf = new Map<unknown, number>(
  Object.entries({
    4: "F4",
    6: "F6_E2M3 F6_E3M2",
    8: "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
    16: "I16 U16 F16 BF16",
    32: "I32 U32 F32",
    64: "I64 U64 F64 C64",
  }).flatMap(([bits, dtypes]) => dtypes.split(" ").map((dtype) => [dtype, Number(bits)] as const)),
);

export function badFile(argument: string, given: unknown, allowed: string, cause?: unknown): RopewalkError {
  return new RopewalkError("bad_file", argument, given, allowed, cause === undefined ? {} : { cause });
}

/** Exactly the bytes from `begin` to before `end`. Throws `bad_file`. */
export async function readBytes(file: ReadableFile, begin: number, end: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await file.read(begin, end);
  } catch (cause) {
    throw unreadable(file.name, cause);
  }
  if (bytes.length !== end - begin) {
    throw badFile(file.name, `${bytes.length} bytes from byte ${begin} on`, `${end - begin} bytes there`);
  }
  return bytes;
}

/** What the platform says of a file that it cannot read, in the engine's words. */
export function unreadable(name: string, cause: unknown): RopewalkError {
  if (cause instanceof RopewalkError) return cause;
  return badFile(
    name,
    cause instanceof Error ? cause.message : String(cause),
    "a file that can be read",
    cause,
  );
}

/** All tensors of a safetensors file, by name, in the header's order. Reads nothing but the header. Throws `bad_file`. */
export async function readHeader(file: ReadableFile): Promise<Map<string, StoredTensor>> {
  const place = `${file.name}: header`;
  const left = file.size - prefixBytes;
  if (left < 0) throw badFile(`${place} length`, `${file.size} bytes`, `${prefixBytes} bytes`);
  const prefix = await readBytes(file, 0, prefixBytes);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length < 2 || length > left || length > maxJsonBytes) {
    const allowed = `from 2 to ${maxJsonBytes} bytes, and no more than the ${left} that follow`;
    throw badFile(`${place} length`, length, allowed);
  }
  const dataBegin = prefixBytes + Number(length);
  const bytes = await readBytes(file, prefixBytes, dataBegin);
  // JSON and UTF-8 would both let some bytes pass before it.
  if (bytes[0] !== 0x7b) throw badFile(place, bytes[0], "{, which is 123, as the first byte");
  const header = parseObject(place, bytes);

  const dataBytes = file.size - dataBegin;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, value] of header) {
    if (name === "__metadata__") checkMetadata(`${file.name}: ${name}`, value);
    else tensors.set(name, tensor(`${file.name}: ${name}`, value, dataBytes));
  }
  checkCover(file.name, tensors, dataBytes);
  for (const [name, { begin, end, ...info }] of tensors) {
    tensors.set(name, { ...info, begin: dataBegin + begin, end: dataBegin + end });
  }
  return tensors;
}

/** Which file each tensor of an index is in, by name. Throws `bad_file`. */
export async function readIndex(file: ReadableFile): Promise<Map<string, string>> {
  if (file.size > maxJsonBytes) throw badFile(file.name, file.size, `at most ${maxJsonBytes} bytes of JSON`);
  const index = parseObject(file.name, await readBytes(file, 0, file.size));
  const shardOf = new Map<string, string>();
  for (const [name, shard] of object(`${file.name}: weight_map`, index.get("weight_map"))) {
    // What else could be in a name would lead out of the index's own folder.
    if (typeof shard !== "string" || !/^(?!\.{1,2}$)[^/\\:\0]+$/.test(shard)) {
      throw badFile(`${file.name}: weight_map.${name}`, shard, "the name of a file beside the index");
    }
    shardOf.set(name, shard);
  }
  return shardOf;
}

/** One tensor of the header, with begin and end as the header has them: from the end of the header on. */
function tensor(place: string, value: unknown, dataBytes: number): StoredTensor {
  const fields = object(place, value);
  const [dtype, shape, offsets] = ["dtype", "shape", "data_offsets"].map((field) => fields.get(field));

  const bits = bitsOf.get(dtype);
  if (bits === undefined) throw badFile(`${place}.dtype`, dtype, `one of ${[...bitsOf.keys()].join(", ")}`);
  if (!areCounts(shape)) throw badFile(`${place}.shape`, shape, "a list of integers from 0 to 2^53 - 1");
  const size = shape.reduce(exactProduct, 1);
  const bytes = exactProduct(size, bits) / 8;
  if (!Number.isInteger(bytes)) throw badFile(`${place}.shape`, shape, "whole bytes, fewer than 2^50");

  if (!areCounts(offsets) || offsets.length !== 2) {
    throw badFile(`${place}.data_offsets`, offsets, "two integers from 0 to 2^53 - 1");
  }
  const [begin, end] = offsets as [number, number];
  if (end > dataBytes) throw badFile(`${place}.data_offsets`, offsets, `an end of at most ${dataBytes}`);
  if (end - begin !== bytes) {
    const extents = shape.join(" × ") || "one element";
    throw badFile(`${place}.data_offsets`, offsets, `${bytes} bytes, for ${extents} in ${dtype}`);
  }
  return { dtype: dtype as string, shape, begin, end };
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

/** a · b, and NaN where that has no exact number. */
function exactProduct(a: number, b: number): number {
  const product = a * b;
  return Number.isSafeInteger(product) ? product : Number.NaN;
}

/** Free text: nothing here reads it, yet what is no text is a sign of a file gone wrong. */
function checkMetadata(place: string, value: unknown): void {
  for (const [key, text] of object(place, value)) {
    if (typeof text !== "string") throw badFile(`${place}.${key}`, text, "a string");
  }
}

/** Each byte of the data must belong to one tensor, as the format demands: no holes, no overlaps, nothing behind. */
function checkCover(file: string, tensors: Map<string, StoredTensor>, dataBytes: number): void {
  let covered = 0;
  for (const [name, { begin, end }] of [...tensors].sort(
    ([, a], [, b]) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== covered) {
      const allowed = `a begin of ${covered}, where the tensor before it ends`;
      throw badFile(`${file}: ${name}.data_offsets`, [begin, end], allowed);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw badFile(`${file}: data`, `${dataBytes} bytes`, `${covered} bytes, where the last tensor ends`);
  }
}

/** The object that is all of `bytes`. A Map, as to an object some names are more than names. Throws `bad_file`. */
function parseObject(place: string, bytes: Uint8Array): Map<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw badFile(place, (cause as Error).message, "JSON in UTF-8", cause);
  }
  checkText(place, text);
  return object(place, value);
}

function object(place: string, value: unknown): Map<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badFile(place, value, "a JSON object");
  }
  return new Map(Object.entries(value));
}

/**
 * Refuse a key that an object has twice: JSON.parse keeps the last without a word, where another reader of the same file
 * may keep the first. And refuse what is nested so deeply that a message about it would not end. `text` has been parsed
 * already, so that strings and brackets are all there is to look at.
 */
function checkText(place: string, text: string): void {
  /** The keys so far of each object that is open, once it has one. */
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; ++i) {
    const char = text[i];
    if (char === "{" || char === "[") {
      if (open.push(undefined) > maxDepth)
        throw badFile(place, "more", `${maxDepth} brackets around anything`);
    } else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const begin = i++;
      for (; text[i] !== '"'; ++i) if (text[i] === "\\") ++i;
      let next = i + 1;
      while (/\s/.test(text.charAt(next))) ++next;
      if (text[next] !== ":") continue;
      const key: string = JSON.parse(text.slice(begin, i + 1));
      const keys = open.pop() ?? new Set();
      if (keys.has(key)) throw badFile(`${place}: ${key}`, "twice", "each name once");
      open.push(keys.add(key));
    }
  }
}
