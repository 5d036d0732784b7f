/**
 * Weights from checkpoints in the safetensors format: any tensor by its name, and the attention layers of two families of
 * models.
 *
 * Begin with {@link openSafetensors}. It is apart from the engine, and loads none. Whatever is wrong with a file is a
 * {@link RopewalkError} that names the place.
 *
 * @module ropewalk/safetensors
 */
import { openFiles } from "./safetensors_files.js";
import type { Checkpoint } from "./safetensors_reader.js";

export {
  type AttentionLayer,
  type HeadsAttention,
  type MlaAttention,
  type MlaQuery,
  type ReadAttentionOptions,
  readAttention,
} from "./checkpoint.js";
export { RopewalkError, type RopewalkErrorCode } from "./errors.js";
export type { TensorInfo } from "./safetensors_header.js";
export type { Checkpoint } from "./safetensors_reader.js";

/**
 * Where a checkpoint is: a safetensors file, or several files with, among them, one safetensors file or one index and the
 * files that it names. Files of other kinds may lie among them.
 */
export type SafetensorsSource = Blob | ArrayLike<File>;

/**
 * Open a checkpoint. Of a safetensors file the header is read and checked, of many the index (`….index.json`); their own
 * headers follow when something of them is wanted, so that only the files of the wanted tensors have to be there.
 *
 * Throws `bad_type` and `bad_value` for a source of another kind, and `bad_file`.
 *
 * @category Checkpoints
 */
export async function openSafetensors(source: SafetensorsSource): Promise<Checkpoint> {
  return openFiles(source, "a File, a Blob or a list of Files");
}
