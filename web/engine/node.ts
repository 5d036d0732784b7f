/** The same package under Node, where the binary's bytes are read from its file. */
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { fetched, type LoadOptions, load } from "./load.js";
import type { Ropewalk } from "./ropewalk.js";
import type { ThreadStart } from "./threads.js";

export * from "./index.js";

/** Load the engine. Each call makes one of its own, with its own memory. Throws `load_failed`, and `bad_value` for `simd` or `threads`. */
export function loadRopewalk(options: LoadOptions = {}): Promise<Ropewalk> {
  return load(options, { read: bytesAt, startThread });
}

async function bytesAt(address: string | URL): Promise<Uint8Array> {
  const url = new URL(address, import.meta.url);
  if (url.protocol === "file:") return readFile(url);
  return fetched(url);
}

function startThread(start: ThreadStart): Promise<unknown> {
  return new Promise((done, failed) => {
    const worker = new Worker(new URL("./thread.js", import.meta.url));
    worker.once("error", failed).once("message", () => {
      // Node may end while it is there.
      worker.unref();
      done(worker);
    });
    worker.postMessage(start);
  });
}
