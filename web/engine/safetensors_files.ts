/** Checkpoints in Blobs and Files. */
import { RopewalkError } from "./errors.js";
import { badFile, type ReadableFile } from "./safetensors_header.js";
import { type Checkpoint, openCheckpoint } from "./safetensors_reader.js";

/** A checkpoint in a Blob or in a list of Files; `allowed` is what the caller takes, for messages. */
export async function openFiles(source: unknown, allowed: string): Promise<Checkpoint> {
  if (isBlob(source)) return openList([source], source);
  if (typeof source !== "object" || source === null || !("length" in source)) {
    throw new RopewalkError("bad_type", "source", source, allowed);
  }
  const list = source as ArrayLike<unknown>;
  const blobs: Blob[] = [];
  for (let i = 0; i < list.length; ++i) {
    const file = list[i];
    if (!isBlob(file) || nameOf(file) === "") {
      throw new RopewalkError("bad_type", `source[${i}]`, file, "a File with a name");
    }
    blobs.push(file);
  }
  const those = (end: string) => blobs.filter((file) => nameOf(file).endsWith(end));
  const indices = those(".index.json");
  const begin = blobs.length === 1 ? blobs : indices.length > 0 ? indices : those(".safetensors");
  if (begin.length !== 1) {
    const names = blobs.map(nameOf).join(", ");
    throw new RopewalkError(
      "bad_value",
      "source",
      names,
      "one .safetensors file, or one .index.json with its files",
    );
  }
  return openList(blobs, begin[0] as Blob);
}

function openList(blobs: Blob[], begin: Blob): Promise<Checkpoint> {
  return openCheckpoint(readable(begin), async (name) => {
    const [found, ...others] = blobs.filter((file) => nameOf(file) === name);
    if (found !== undefined && others.length === 0) return readable(found);
    throw badFile(name, `${found ? 1 + others.length : 0} files of that name`, "one, beside the index");
  });
}

/** Blobs of another window are no instances of this one's. */
function isBlob(value: unknown): value is Blob {
  const blob = value as Partial<Blob> | null | undefined;
  return typeof blob?.size === "number" && typeof blob.slice === "function";
}

function nameOf(blob: Blob): string {
  return (blob as Partial<File>).name ?? "";
}

function readable(blob: Blob): ReadableFile {
  return {
    name: nameOf(blob) || "source",
    size: blob.size,
    read: async (begin, end) => new Uint8Array(await blob.slice(begin, end).arrayBuffer()),
  };
}
