/** The same under Node, where a checkpoint may be a path, too. */
import { open, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RopewalkError } from "./errors.js";
import type { SafetensorsSource as Source } from "./safetensors.js";
import { openFiles } from "./safetensors_files.js";
import { badFile, type ReadableFile, unreadable } from "./safetensors_header.js";
import { type Checkpoint, openCheckpoint } from "./safetensors_reader.js";

export * from "./safetensors.js";

/**
 * Where a checkpoint is: as in browsers, or the path or `file:` address of a safetensors file, or of an index (`….json`)
 * that has beside it the files that it names.
 */
export type SafetensorsSource = Source | string | URL;

/**
 * Open a checkpoint. Of a safetensors file the header is read and checked, of many the index (`….index.json`); their own
 * headers follow when something of them is wanted, so that only the files of the wanted tensors have to be there. No file
 * stays open, and one that has changed since is refused.
 *
 * Throws `bad_type` and `bad_value` for a source of another kind, and `bad_file`.
 *
 * @category Checkpoints
 */
export async function openSafetensors(source: SafetensorsSource): Promise<Checkpoint> {
  if (typeof source !== "string" && !(source instanceof URL)) {
    return openFiles(source, "a path, a file: URL, a File, a Blob or a list of Files");
  }
  const path = pathOf(source);
  return openCheckpoint(await fileAt(path), (name) => fileAt(join(dirname(path), name)));
}

function pathOf(source: string | URL): string {
  if (typeof source === "string") return source;
  try {
    return fileURLToPath(source);
  } catch (cause) {
    throw new RopewalkError("bad_value", "source", source.href, "a file: URL of this machine", { cause });
  }
}

async function fileAt(path: string): Promise<ReadableFile> {
  const name = basename(path) || "source";
  const status = await stat(path).catch((cause) => {
    throw unreadable(name, cause);
  });
  if (!status.isFile()) throw badFile(name, path, "a file");
  const { size, mtimeMs } = status;
  return {
    name,
    size,
    async read(begin, end) {
      const handle = await open(path);
      try {
        const now = await handle.stat();
        if (now.size !== size || now.mtimeMs !== mtimeMs) {
          throw badFile(name, "another file than was opened", "a file that stays as it is");
        }
        const bytes = new Uint8Array(end - begin);
        let length = 0;
        // A read may end early.
        while (length < bytes.length) {
          const { bytesRead } = await handle.read(bytes, length, bytes.length - length, begin + length);
          if (bytesRead === 0) break;
          length += bytesRead;
        }
        return bytes.subarray(0, length);
      } finally {
        await handle.close();
      }
    },
  };
}
