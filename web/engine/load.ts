import { relaxedSimd } from "wasm-feature-detect";
import { absent, oneOf, record } from "./checks.js";
import { RopewalkError } from "./errors.js";
import createModule from "./generated/ropewalk.mjs";
import { Ropewalk } from "./ropewalk.js";

/**
 * Which of the two binaries the kernels are. `"relaxed"` is the faster one: where the machine has an instruction for it, it
 * multiplies and adds with one rounding. So its last bits depend on the machine, and those of `"simd128"` do not. What
 * is said of a function's accuracy holds for both.
 */
export type Simd = "simd128" | "relaxed";

/** What {@link loadRopewalk} takes. */
export interface LoadOptions {
  /** The binary to load: `"relaxed"` where the JavaScript engine has relaxed SIMD, and else `"simd128"`, by default. */
  simd?: Simd;
  /** Where the binary is, if not beside the engine: that one is loaded, whichever it is. */
  wasmUrl?: string | URL;
  /** The bytes of the binary, if they are at hand: nothing is fetched then. */
  wasmBinary?: ArrayBuffer | Uint8Array;
}

/** Where the package has its binaries, each spelled out, as bundlers look for it. */
const addresses = {
  simd128: () => new URL("./generated/ropewalk.wasm", import.meta.url),
  relaxed: () => new URL("./generated/ropewalk_relaxed.wasm", import.meta.url),
};

/**
 * Compile and start the engine; `read` gets the bytes where the module is not to fetch them. Throws `load_failed`, and
 * `bad_type` or `bad_value` for a `simd` that there is not, or not here.
 */
export async function load(options: LoadOptions, read?: (url: string | URL) => Promise<Uint8Array>) {
  record(options);
  const url = await addressFor(options);
  try {
    const wasmBinary = options.wasmBinary ?? (await read?.(url));
    const module = await createModule({
      ...(wasmBinary !== undefined && { wasmBinary }),
      locateFile: () => String(url),
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

async function addressFor({ simd, wasmUrl, wasmBinary }: LoadOptions): Promise<string | URL> {
  if (wasmUrl !== undefined || wasmBinary !== undefined) {
    absent("simd", simd, "nothing beside wasmUrl or wasmBinary, which are a binary already");
    return wasmUrl ?? "";
  }
  if (simd !== undefined) oneOf("simd", simd, ["simd128", "relaxed"]);
  const relaxed = simd !== "simd128" && (await relaxedSimd());
  if (simd === "relaxed" && !relaxed) {
    throw new RopewalkError("bad_value", "simd", simd, '"simd128" where there is no relaxed SIMD, as here');
  }
  return addresses[relaxed ? "relaxed" : "simd128"]();
}
