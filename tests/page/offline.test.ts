// After one visit the page needs no network.
import { expect, test } from "vitest";
import { allDrawn, visitor } from "./visitor.js";

const site = visitor();

test.each([
  ["with relaxed SIMD", true, /\/ropewalk_relaxed-[^/]*\.wasm$/],
  ["without", false, /\/ropewalk-[^/]*\.wasm$/],
])(
  "works without a network after the first visit, in chapters that were never opened too, %s",
  async (...row) => {
    const [, has, binary] = row;
    const page = await site.visit("embed.html#order", { serviceWorkers: "allow" });
    if (!has) {
      await page.addInitScript(() => {
        WebAssembly.validate = () => false;
      });
    }
    await page.goto(site.address());
    await page.evaluate(() => navigator.serviceWorker.ready);
    const kept = await page.evaluate(async () => {
      const caches = await globalThis.caches.keys();
      const requests = await Promise.all(
        caches.map(async (name) => (await globalThis.caches.open(name)).keys()),
      );
      return requests.flat().map(({ url }) => url);
    });
    expect(kept.filter((url) => url.endsWith(".wasm"))).toEqual([expect.stringMatching(binary)]);

    await page.context().setOffline(true);
    await page.reload();
    await page.locator("article:not([hidden]) h1").waitFor();
    await page.goto(`${site.address()}#latent`);
    await page.locator("#difference").waitFor();
    await allDrawn(page);
    expect(await page.locator("#difference").innerText()).toMatch(/^\d\.\de−\d$/);
    await page.goto(site.address("embed.html#cached"));
    await page.locator("#times").waitFor();
  },
);

test("keeps nothing of an older version", async () => {
  const page = await site.visit("", { serviceWorkers: "allow" });
  await page.evaluate(() => caches.open("ropewalk-older"));
  await page.evaluate(() => navigator.serviceWorker.ready);
  await expect
    .poll(() =>
      page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("ropewalk-"))),
    )
    .toHaveLength(1);
});
