import { loadRopewalk, type Ropewalk } from "ropewalk";

let engine: Promise<Ropewalk> | undefined;

/** The one engine of all elements on a page. A load that failed is tried again by whoever asks next. */
export function sharedEngine(): Promise<Ropewalk> {
  engine ??= loadRopewalk().catch((error: unknown) => {
    engine = undefined;
    throw error;
  });
  return engine;
}
