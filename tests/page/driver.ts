import { createServer } from "node:net";

/** What can be done with any browser: as much as its two protocols have in common, and these tests need. */
export interface Driver {
  go(url: string): Promise<void>;
  /** What a function returns in the page. It goes there as its text, and what it takes and returns as JSON. */
  evaluate<A extends unknown[], R>(run: (...args: A) => R, ...args: A): Promise<R>;
  /** What the browser itself says has gone wrong in the page, where it says that at all. */
  errors(): string[];
  close(): Promise<void>;
}

/** A function's text that takes its arguments as one JSON text, and returns one. */
export const inJson = (run: (...args: never[]) => unknown) =>
  `(json) => JSON.stringify((${run})(...JSON.parse(json)) ?? null)`;

/** A port that nobody listens to. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
