import { record } from "./checks.js";
import { RopewalkError } from "./errors.js";
import createModule from "./generated/ropewalk.mjs";
import { Ropewalk } from "./ropewalk.js";

/** What {@link loadRopewalk} takes. */
export interface LoadOptions {
  /** Where `ropewalk.wasm` is, if not beside the engine. */
  wasmUrl?: string | URL;
  /** The bytes of `ropewalk.wasm`, if they are at hand: nothing is fetched then. */
  wasmBinary?: ArrayBuffer | Uint8Array;
}

/** Compile and start the engine; `read` gets the bytes where the module is not to fetch them. Throws `load_failed`. */
export async function load(options: LoadOptions, read?: (wasmUrl?: string | URL) => Promise<Uint8Array>) {
  record(options);
  const { wasmUrl } = options;
  try {
    const wasmBinary = options.wasmBinary ?? (await read?.(wasmUrl));
    const module = await createModule({
      ...(wasmBinary !== undefined && { wasmBinary }),
      ...(wasmUrl !== undefined && { locateFile: () => String(wasmUrl) }),
      // The library writes nothing to the console: what there is to say is in the error.
      printErr: () => {},
    });
    return new Ropewalk(module);
  } catch (cause) {
    const given = cause instanceof Error ? cause.message : String(cause);
    throw new RopewalkError("load_failed", "wasm", given, "a ropewalk.wasm that can be read and compiled", {
      cause,
    });
  }
}
