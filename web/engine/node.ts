/** The same package under Node, where the binary's bytes are read from its file. */
import { readFile } from "node:fs/promises";
import { type LoadOptions, load } from "./load.js";
import type { Ropewalk } from "./ropewalk.js";

export * from "./index.js";

/** Load the engine. Each call makes one of its own, with its own memory. Throws `load_failed`, and `bad_value` for `simd`. */
export function loadRopewalk(options: LoadOptions = {}): Promise<Ropewalk> {
  return load(options, bytesAt);
}

async function bytesAt(address: string | URL): Promise<Uint8Array> {
  const url = new URL(address, import.meta.url);
  if (url.protocol === "file:") return readFile(url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
