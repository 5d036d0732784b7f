/**
 * Positional encodings and attention, from integer positions to rotary, by C++ kernels in WebAssembly.
 *
 * @module ropewalk
 */
import { type LoadOptions, load } from "./load.js";
import type { Ropewalk } from "./ropewalk.js";

export type { F32Buffer, F64Buffer, I32Buffer } from "./buffers.js";
export { RopewalkError, type RopewalkErrorCode } from "./errors.js";
export type { LoadOptions } from "./load.js";
export type * from "./ropewalk.js";

/** Load the engine. Each call makes one of its own, with its own memory. Throws `load_failed`. */
export function loadRopewalk(options: LoadOptions = {}): Promise<Ropewalk> {
  return load(options);
}
