import { relaxedSimd } from "wasm-feature-detect";
import { absent, integer, oneOf, or, record } from "./checks.js";
import { RopewalkError } from "./errors.js";
import createModule from "./generated/ropewalk.mjs";
import { Ropewalk } from "./ropewalk.js";
import type { StartThread } from "./threads.js";

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
  /**
   * Threads that attention is computed on, the caller's included: 1, by default, to 64. More than one takes a binary of its
   * own, with relaxed SIMD and at most 1 GiB of memory, and workers; in a browser it takes a page that is cross-origin
   * isolated. Results do not depend on it. The others wait asleep between calls, until `endThreads()`.
   */
  threads?: number;
  /** Where the binary is, if not beside the engine: that one is loaded, whichever it is. */
  wasmUrl?: string | URL;
  /** The bytes of the binary, if they are at hand: nothing is fetched then. */
  wasmBinary?: ArrayBuffer | Uint8Array;
}

/** Where the package has its binaries, each spelled out, as bundlers look for it. */
const addresses = {
  threads: () => new URL("./generated/ropewalk_threads.wasm", import.meta.url),
  simd128: () => new URL("./generated/ropewalk.wasm", import.meta.url),
  relaxed: () => new URL("./generated/ropewalk_relaxed.wasm", import.meta.url),
};

/** What a platform does in its own way, where it is not a browser. */
export interface Platform {
  read(url: string | URL): Promise<Uint8Array>;
  startThread: StartThread;
}

/**
 * Compile and start the engine. Throws `load_failed`, and `bad_type` or `bad_value` for a `simd` or `threads` that there are
 * not, or not here.
 */
export async function load(options: LoadOptions, platform?: Platform) {
  record(options);
  const threads = integer("threads", or(options.threads, 1), 1, 64);
  const url = await addressFor(options, threads);
  try {
    if (threads > 1) {
      const { createThreaded } = await import("./threads.js");
      const bytes = await (platform?.read ?? fetched)(url);
      return new Ropewalk(await createThreaded(threads, bytes, platform?.startThread), threads);
    }
    const wasmBinary = options.wasmBinary ?? (await platform?.read(url));
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

async function addressFor(options: LoadOptions, threads: number): Promise<string | URL> {
  const { simd, wasmUrl, wasmBinary } = options;
  if (wasmUrl !== undefined || wasmBinary !== undefined) {
    for (const name of ["simd", "threads"] as const)
      absent(name, options[name], "nothing beside wasmUrl or wasmBinary, which are a binary already");
    return wasmUrl ?? "";
  }
  if (simd !== undefined) oneOf("simd", simd, ["simd128", "relaxed"]);
  const relaxed = simd !== "simd128" && (await relaxedSimd());
  if (simd === "relaxed" && !relaxed) {
    throw new RopewalkError("bad_value", "simd", simd, '"simd128" where there is no relaxed SIMD, as here');
  }
  if (threads === 1) return addresses[relaxed ? "relaxed" : "simd128"]();
  if (!relaxed || typeof SharedArrayBuffer === "undefined" || globalThis.crossOriginIsolated === false) {
    const allowed = "1 without relaxed SIMD, and where a page is not cross-origin isolated, as here";
    throw new RopewalkError("bad_value", "threads", threads, allowed);
  }
  return addresses.threads();
}

/** The bytes at an address. */
export async function fetched(url: string | URL): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
