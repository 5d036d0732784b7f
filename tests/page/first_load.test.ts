// What a first visit costs, and that nothing is pushed about meanwhile.
import { constants, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { visitor } from "./visitor.js";

const site = visitor();

/** Of everything that is fetched until the first chapter's instrument has answered, gzip -9. */
const budget = 250_000;

test("the first chapter is there for at most 250 KB", async () => {
  const page = await site.newPage();
  const sizes: Promise<number>[] = [];
  page.on("response", (response) => {
    sizes.push(
      response.body().then(
        (body) => gzipSync(body, { level: constants.Z_BEST_COMPRESSION }).length,
        () => 0,
      ),
    );
  });
  await page.goto(site.address());
  await page.locator("ropewalk-reorder").waitFor();
  await page.evaluate(() => document.fonts.ready);
  const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  expect(total).toBeGreaterThan(100_000);
  expect(total).toBeLessThanOrEqual(budget);
});

test.each([
  ["relaxed SIMD", true, /\/ropewalk_relaxed-[^/]*\.wasm$/],
  ["no relaxed SIMD", false, /\/ropewalk-[^/]*\.wasm$/],
])("of the engine's binaries one is fetched, once, where there is %s", async (_, has, binary) => {
  const page = await site.newPage();
  const fetched: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith(".wasm")) fetched.push(request.url());
  });
  if (!has) {
    await page.addInitScript(() => {
      WebAssembly.validate = () => false;
    });
  }
  await page.goto(site.address());
  await page.locator("ropewalk-reorder").waitFor();
  await page.waitForLoadState("networkidle");
  expect(fetched).toEqual([expect.stringMatching(binary)]);
});
