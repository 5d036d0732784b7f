/** One checkpoint over one file or many, each read only where something of it is wanted. */
import { inMemory } from "./checks.js";
import { RopewalkError } from "./errors.js";
import {
  badFile,
  type ReadableFile,
  readBytes,
  readHeader,
  readIndex,
  type StoredTensor,
  type TensorInfo,
} from "./safetensors_header.js";
import { type Dtype, readableDtypes } from "./safetensors_values.js";

/**
 * The tensors of a model, in one file or in many. It holds nothing that has to be given back, and calls at the same time
 * do not mind each other.
 *
 * @category Checkpoints
 */
export interface Checkpoint {
  /** Its tensors, in the order of the header or of the index. */
  readonly names: readonly string[];
  /**
   * What a tensor is. Of its file, no more than the header is read.
   *
   * Throws `bad_value` for a name that is not there, and `bad_file`.
   */
  info(name: string): Promise<TensorInfo>;
  /**
   * The elements of a tensor, row-major, as float32: F32, F16 and BF16, which all are exactly that. No other bytes of its
   * file are read but the header's.
   *
   * Throws `bad_value` for a name that is not there, `bad_type` for other dtypes, `bad_file`, and `out_of_memory`.
   */
  read(name: string): Promise<Float32Array>;
}

/** Most bytes to ask for at a time: few enough that they add little to the memory that the result takes. */
const chunkBytes = 2 ** 24;

interface OpenFile {
  file: ReadableFile;
  tensors: Map<string, StoredTensor>;
}

/** The checkpoint that begins with `file`, a safetensors file, or an index of those that `beside` finds. */
export async function openCheckpoint(
  file: ReadableFile,
  beside: (name: string) => Promise<ReadableFile>,
): Promise<Checkpoint> {
  if (!isJson(file.name)) {
    const opened = await open(file);
    return checkpoint([...opened.tensors.keys()], async () => opened);
  }
  const shardOf = await readIndex(file);
  const shards = new Map<string, Promise<OpenFile>>();
  return checkpoint([...shardOf.keys()], (name) => {
    const shard = shardOf.get(name) as string;
    const opened = shards.get(shard);
    if (opened !== undefined) return opened;
    const opening = beside(shard).then(open);
    shards.set(shard, opening);
    // What failed may be there the next time.
    opening.catch(() => shards.delete(shard));
    return opening;
  });
}

function isJson(name: string): boolean {
  return name.endsWith(".json");
}

async function open(file: ReadableFile): Promise<OpenFile> {
  return { file, tensors: await readHeader(file) };
}

function checkpoint(names: string[], fileOf: (name: string) => Promise<OpenFile>): Checkpoint {
  const known = new Set(names);
  async function find(name: string) {
    const allowed = "the name of a tensor of this checkpoint";
    if (typeof name !== "string") throw new RopewalkError("bad_type", "name", name, allowed);
    if (!known.has(name)) throw new RopewalkError("bad_value", "name", name, allowed);
    const { file, tensors } = await fileOf(name);
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw badFile(`${file.name}: ${name}`, undefined, "a tensor, as the index says");
    return { file, tensor };
  }
  return {
    names,
    async info(name) {
      const { dtype, shape } = (await find(name)).tensor;
      return { dtype, shape: [...shape] };
    },
    async read(name) {
      const { file, tensor } = await find(name);
      return readTensor(file, name, tensor);
    },
  };
}

/** Throws unless elements of `dtype` can be read. */
export function readableDtype(name: string, dtype: string): Dtype {
  const readable = readableDtypes.get(dtype);
  if (readable === undefined) throw new RopewalkError("bad_type", name, dtype, "F32, F16 or BF16");
  return readable;
}

async function readTensor(
  file: ReadableFile,
  name: string,
  { dtype, begin, end }: StoredTensor,
): Promise<Float32Array> {
  const { bytes, widen } = readableDtype(name, dtype);
  const length = (end - begin) / bytes;
  const out = inMemory(name, 4 * length, () => new Float32Array(length));
  for (let at = begin; at < end; at += chunkBytes) {
    const chunk = await readBytes(file, at, Math.min(at + chunkBytes, end));
    widen(
      new DataView(chunk.buffer, chunk.byteOffset, chunk.length),
      new Uint32Array(out.buffer, (4 * (at - begin)) / bytes, chunk.length / bytes),
    );
  }
  return out;
}
