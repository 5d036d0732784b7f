// The engine's threads in a browser: on an isolated page they are there once they are asked for, and nowhere else is
// anything of them even fetched.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import type { Ropewalk, RopewalkError } from "ropewalk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../bench/serve.mjs";
import { launch } from "./browser.mjs";

const folders = { "/engine/": fileURLToPath(new URL("../../dist/engine/", import.meta.url)) };
const script =
  'import { loadRopewalk } from "/engine/index.js"; Object.assign(globalThis, { loadRopewalk });';
const pages = { "/": `<!doctype html><title>Threads</title><script type="module">${script}</script>` };
let browser: Browser;
let servers: Awaited<ReturnType<typeof serve>>[];

beforeAll(async () => {
  browser = await launch();
  servers = await Promise.all([true, false].map((isolated) => serve({ folders, pages, isolated })));
});

afterAll(async () => {
  await browser?.close();
  for (const server of servers ?? []) await server.close();
});

/** What the engine computes on a page when it is asked for so many threads, and which files of theirs were fetched. */
async function ask(isolated: boolean, threads?: number) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const fetched: string[] = [];
  context.on("request", (request) => fetched.push(new URL(request.url()).pathname));
  await page.goto(servers[isolated ? 0 : 1]?.url as string);
  const answer = await page.evaluate(async (threads) => {
    // Not imported here, where vitest would make something of its own of it.
    const { loadRopewalk } = globalThis as never as typeof import("ropewalk");
    const isolated = crossOriginIsolated;
    const engine: Ropewalk | Error = await loadRopewalk(threads === undefined ? {} : { threads }).catch(
      (error) => error,
    );
    if (engine instanceof Error) {
      const { name, code, argument, given } = engine as RopewalkError;
      return { isolated, error: { name, code, argument, given } };
    }
    const [qLen, nHeads, headDim] = [500, 4, 32];
    const tensor = (stream: number) =>
      engine.seededProjection({ seed: 1, stream, outDim: qLen, inDim: nHeads * headDim });
    const [query, key, value] = [tensor(0), tensor(1), tensor(2)];
    const attend = () => engine.attention({ query, key, value, qLen, nHeads, headDim, causal: true }).out;
    const told = engine.threads;
    const outs = [attend(), attend()];
    engine.endThreads();
    outs.push(attend());
    return { isolated, threads: told, outs: outs.map((out) => [...out].join()) };
  }, threads);
  await context.close();
  return { ...answer, fetched: fetched.filter((path) => path.includes("thread")).sort() };
}

test("an isolated page has them when it asks for them, with the same results", async () => {
  const without = await ask(true);
  expect(without).toMatchObject({ isolated: true, threads: 1, fetched: [] });
  const two = await ask(true, 2);
  expect(two).toMatchObject({ isolated: true, threads: 2 });
  expect(two.fetched).toEqual([
    "/engine/generated/ropewalk_threads.mjs",
    "/engine/generated/ropewalk_threads.wasm",
    "/engine/thread.js",
    "/engine/threads.js",
  ]);
  expect(two.outs).toEqual(without.outs);
});

test("another page is refused them, and nothing of theirs is fetched", async () => {
  const given = { name: "RopewalkError", code: "bad_value", argument: "threads", given: 2 };
  expect(await ask(false, 2)).toEqual({ isolated: false, error: given, fetched: [] });
  expect(await ask(false)).toMatchObject({ isolated: false, threads: 1, fetched: [] });
});

test("the companion keeps none of it for when there is no network", () => {
  const built = (path: string) => fileURLToPath(new URL(`../../build/page/${path}`, import.meta.url));
  const files = readdirSync(built("assets")).filter((name) => name.includes("thread"));
  expect(files.length).toBeGreaterThanOrEqual(3);
  const worker = readFileSync(built("service_worker.js"), "utf8");
  expect(files.filter((name) => worker.includes(name))).toEqual([]);
  expect(worker).toContain("assets/ropewalk_relaxed-");
});
