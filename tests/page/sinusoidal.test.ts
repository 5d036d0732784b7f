// The chapter of sinusoidal positions: what it shows is what the engine returns, by pointer, by keyboard, from an address.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { expect, test } from "vitest";
import { figure } from "../../web/elements/figure.js";
import {
  dim,
  pairs,
  SinusoidalPipeline,
  type SinusoidalSettings,
} from "../../web/elements/sinusoidal_pipeline.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const pipeline = new SinusoidalPipeline(await loadRopewalk());

interface Shown extends SinusoidalSettings {
  pair: number;
}

const initial: Shown = {
  ...{ position: 12, span: 64, base: 10_000, shift: 3, pair: 1 },
  ...{ token: "breakthrough", seed: 7, scaled: false },
};

async function visit(options: BrowserContextOptions = {}, hash = "#sinusoidal"): Promise<Page> {
  const page = await site.visit(hash, options);
  await page.locator("#difference").waitFor();
  return page;
}

const numbers = async (page: Page, id: string) =>
  (await page.locator(`#${id}`).innerText()).replaceAll("−", "-").split(" · ").map(Number);

async function expectShown(page: Page, change: Partial<Shown> = {}): Promise<void> {
  await allDrawn(page);
  const { pair, ...settings } = { ...initial, ...change };
  const { encoded, here, shifted, added } = pipeline.run(settings);
  const close = async (id: string, want: readonly number[]) => {
    const got = await numbers(page, id);
    expect(got).toHaveLength(want.length);
    got.forEach((value, i) => {
      expect(value).toBeCloseTo(want[i] as number, 3);
    });
  };
  await close("pair-values", [here[2 * pair] as number, here[2 * pair + 1] as number]);
  await close("neighbour", [Math.min(...encoded.distances), Math.max(...encoded.distances)]);
  await close("cosine", [added.cosine]);
  await close("length", [added.tokenLength, added.length]);
  expect(await page.locator("#wavelength").innerText()).toBe(figure(encoded.wavelengths[pair] as number));
  const difference = (await numbers(page, "difference"))[0] as number;
  expect(difference).toBe(Number(shifted.difference.toExponential(1)));
  expect(difference).toBeLessThan(1e-6);
}

const choose = (page: Page, group: string, name: string) =>
  page
    .getByRole("radiogroup", { name: group, exact: true })
    .getByRole("radio", { name, exact: true })
    .check();

test("shows one index at a time, and every choice reaches the kernels", async () => {
  const page = await visit();
  await expectShown(page);
  await choose(page, "Pair, one index at a time", "5");
  await expectShown(page, { pair: 5 });
  await choose(page, "Positions seen at once", "512");
  await choose(page, "Base of the frequencies", "100");
  await page.locator("#position").fill("700");
  await page.locator("#shift").fill("128");
  const change = { pair: 5, span: 512, base: 100, position: 700, shift: 128 };
  await expectShown(page, change);
  await choose(page, "Token", "theory");
  await page.locator("#scaled").check();
  await expectShown(page, { ...change, token: "theory", scaled: true });
  await page.getByLabel("Your sentence, in any script").fill("世界");
  await expectShown(page, { ...change, token: "世界", scaled: true });
});

test("shows the map as a matrix and as what it makes of a position, the same wherever that is", async () => {
  const page = await visit();
  const table = () =>
    page
      .locator("ropewalk-shift-map tbody tr")
      .evaluateAll((rows) =>
        rows.map((row) =>
          [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent?.replace("−", "-"))),
        ),
      );
  const matrix: unknown[] = [];
  for (const position of [12, 40]) {
    await page.locator("#position").fill(String(position));
    const { here, shifted, encoded } = pipeline.run({ ...initial, position });
    const at = (position - encoded.stretch.first) * dim;
    await expect.poll(async () => (await table())[0]?.[2]).toBeCloseTo(here[0] as number, 2);
    const rows = await table();
    expect(rows).toHaveLength(dim);
    rows.forEach(([sine, cosine, before, product, after], c) => {
      const block = c * dim + 2 * (c >> 1);
      expect(sine).toBeCloseTo(shifted.matrix[block] as number, 3);
      expect(cosine).toBeCloseTo(shifted.matrix[block + 1] as number, 3);
      expect(before).toBeCloseTo(here[c] as number, 3);
      expect(product).toBeCloseTo(shifted.mapped[at + c] as number, 3);
      expect(after).toBeCloseTo(shifted.encoded[at + c] as number, 3);
    });
    matrix.push(rows.map((row) => row.slice(0, 2)));
  }
  expect(matrix[0]).toEqual(matrix[1]);
  expect(await page.locator("ropewalk-shift-map .block").count()).toBe(pairs);
});

test("draws the curves through the values of their positions", async () => {
  const page = await visit();
  const { encoded } = pipeline.run(initial);
  const waves = page.locator("ropewalk-curves").first();
  const dots = await waves
    .locator("circle")
    .evaluateAll((all) => all.map((dot) => Number(dot.getAttribute("cy"))));
  // A sine's dot for each position, then a cosine's, then the two that are looked at; 1 is at 6 px and −1 at 114.
  expect(dots).toHaveLength(2 * 64 + 2);
  const height = (value: number) => 60 - 54 * value;
  for (let i = 0; i < 64; ++i) {
    expect(dots[i]).toBeCloseTo(height(encoded.values[i * dim + 2] as number), 1);
    expect(dots[64 + i]).toBeCloseTo(height(encoded.values[i * dim + 3] as number), 1);
  }
  expect(dots[128]).toBe(dots[12]);
});

test("works by keyboard alone", async () => {
  const page = await visit();
  await page.locator("#position").focus();
  await page.keyboard.press("ArrowRight");
  await expectShown(page, { position: 13 });
  const spoken = pipeline.run({ ...initial, position: 13 }).angles[1] as number;
  expect(await page.locator("#position").getAttribute("aria-valuetext")).toBe(
    `position 13, pair 1 at angle ${spoken.toFixed(2).replace("-", "−")} rad`,
  );
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowRight");
  await expectShown(page, { position: 13, pair: 2 });
  await page.locator("#shift").focus();
  await page.keyboard.press("End");
  await expectShown(page, { position: 13, pair: 2, shift: 128 });
  await page.locator("#scaled").focus();
  await page.keyboard.press("Space");
  await expectShown(page, { position: 13, pair: 2, shift: 128, scaled: true });
  await page.locator("ropewalk-dials .dials").focus();
  await page.keyboard.press("ArrowRight");
  const said = page.locator("ropewalk-dials .readout");
  await expect.poll(() => said.innerText()).toMatch(/^pair 1: from .* rad, length \d\.\d{3} → \d\.\d{3}$/);
});

test("draws the position along any of its pictures", async () => {
  const page = await visit();
  for (const [element, position] of [
    ["ropewalk-planes", 30],
    ["ropewalk-curves", 5],
  ] as const) {
    const plot = page.locator(`${element} .plot`).first();
    await plot.scrollIntoViewIfNeeded();
    const { x, y, width } = (await plot.boundingBox()) as { x: number; y: number; width: number };
    await page.mouse.move(x + (20.5 / 64) * width, y + 30);
    await page.mouse.down();
    await page.mouse.move(x + ((position + 0.5) / 64) * width, y + 30);
    await page.mouse.up();
    await expectShown(page, { position });
  }
});

test("keeps its state in the address", async () => {
  const page = await visit();
  await page.locator("#position").fill("40");
  await choose(page, "Pair, one index at a time", "3");
  await expect.poll(() => new URL(page.url()).hash).toBe("#sinusoidal?v=1&position=40&pair=3");
});

test("takes its state from an address, whatever that says", async () => {
  const hash = "#sinusoidal?v=1&position=40&pair=9&shift=-1&base=100&scaled=yes&query=31&span=64";
  await expectShown(await visit({}, hash), { position: 40, base: 100, scaled: true, token: "." });
});

test("says what to do without a text, and keeps the rest", async () => {
  const page = await visit();
  await page.getByLabel("Your sentence, in any script").fill(" ");
  await page.getByText("there is no token to add to").waitFor();
  await page.locator("#difference").waitFor();
});

test.each(["light", "dark"] as const)("has no violations that axe finds, %s", async (colorScheme) => {
  const page = await visit({ colorScheme });
  expect(await violations(page)).toEqual([]);
});

test("fits a phone", async () => {
  const page = await visit({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await page.getByRole("button", { name: "+1, Position", exact: true }).tap();
  await expectShown(page, { position: 13 });
});
