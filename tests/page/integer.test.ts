// Chapter 1: a count is added to a word, and what is shown is what the engine returns.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { dim, IntegerPipeline, type IntegerSettings, stops } from "../../web/elements/integer_pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";
import { lecture } from "../elements/lecture.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const pipeline = new IntegerPipeline(await loadRopewalk());
const settings: IntegerSettings = { tokens: lecture.tokens, seed: 7, query: 8, key: 3, position: 2 };

async function visit(state = "", options: BrowserContextOptions = {}): Promise<Page> {
  const page = await site.visit(`#integer${state === "" ? "" : `?v=1&${state}`}`, options);
  await page.locator("#cosine").waitFor();
  return page;
}

const number = (text: string) => Number(text.replace("−", "-").replaceAll(",", ""));
const value = async (page: Page, id: string) => page.locator(`#${id}`).innerText();
const slide = (page: Page, position: number) =>
  page.locator("#position").fill(String(stops.indexOf(position)));

async function expectShown(page: Page, change: Partial<IntegerSettings>): Promise<void> {
  const given = { ...settings, ...change };
  const { cosine, alike, lengths, lostFrom, sameFrom } = pipeline.run(given);
  await allDrawn(page);
  expect(await page.locator("output[for=position]").innerText()).toBe(given.position.toLocaleString("en"));
  expect(number(await value(page, "cosine"))).toBeCloseTo(cosine, 4);
  expect(number(await value(page, "alike"))).toBeCloseTo(alike, 4);
  const [alone, length] = (await value(page, "length")).split(" · ").map(number) as [number, number];
  expect(alone).toBeCloseTo(lengths[0] as number, 2);
  // Fewer decimals, the longer it is.
  expect(length).toBeCloseTo(lengths[2] as number, length < 100 ? 2 : length < 10_000 ? 1 : 0);
  const marks = await page.locator("ropewalk-drowning-curves text.mark").allTextContents();
  expect(marks.map((mark) => number(mark.split(" ").at(-1) as string))).toEqual([lostFrom, sameFrom]);
}

test("shows what the engine returns, from the first position to the furthest", async () => {
  const page = await visit();
  await expectShown(page, {});
  for (const position of [0, 1, 10, 1000, 100_000]) {
    await slide(page, position);
    await expectShown(page, { position });
    expect(await page.locator("#position").getAttribute("aria-valuetext")).toContain(
      `position ${position.toLocaleString("en")}, cosine to the word alone`,
    );
  }
  expect(number(await value(page, "alike"))).toBeGreaterThan(0.99);
});

test("by keyboard, every position is a step at first", async () => {
  const page = await visit();
  await page.locator("#position").focus();
  await page.keyboard.press("ArrowRight");
  await expectShown(page, { position: 3 });
  await page.keyboard.press("Home");
  await expectShown(page, { position: 0 });
  await page.keyboard.press("End");
  await expectShown(page, { position: 100_000 });
});

test("a position between two stops stays what it is", async () => {
  await expectShown(await visit("position=54321"), { position: 54_321 });
});

test("draws four rows of bars at one scale", async () => {
  const page = await visit("position=9");
  const { rows } = pipeline.run({ ...settings, position: 9 });
  const scale = 66 / (Math.max(...rows) - Math.min(0, ...rows));
  const boxes = await page
    .locator("ropewalk-drowning path.bars")
    .evaluateAll((all) => (all as unknown as SVGPathElement[]).map((path) => path.getBBox().height));
  expect(boxes).toHaveLength(4);
  for (const [i, height] of boxes.entries()) {
    const row = rows.slice(i * dim, (i + 1) * dim);
    const extent = Math.max(0, ...row) - Math.min(0, ...row);
    expect(Math.abs(height - extent * scale)).toBeLessThan(0.3);
  }
  const cells = () => page.locator("ropewalk-drowning tbody tr").nth(5).locator("td").allTextContents();
  await expect
    .poll(async () => (await cells()).map(number))
    .toEqual([0, 1, 2, 3].map((i) => number((rows[i * dim + 5] as number).toFixed(4))));
});

test("the words are chosen from the text", async () => {
  const page = await visit();
  await page.getByLabel("Word", { exact: true }).selectOption({ index: 0 });
  await page.getByLabel("Other word").selectOption({ index: 10 });
  await expectShown(page, { query: 0, key: 10 });
  await page.locator('ropewalk-rope [data-token="5"]').click();
  // A word of the sentence stands where it stands in it.
  await expectShown(page, { query: 5, key: 10, position: 5 });
  await page.getByLabel("Your sentence, in any script").fill("سلام 世界 🧠");
  await expectShown(page, { tokens: tokenize("سلام 世界 🧠").tokens, query: 2, key: 2, position: 5 });
  await page.getByLabel("Your sentence, in any script").fill(" ");
  await page.getByText("there is nothing to add a position to").waitFor();
  await page.getByRole("button", { name: "The lecture’s sentence" }).click();
  await expectShown(page, { query: 5, key: 10, position: 5 });
});

test("walks along the curves by keys, says what is there, and goes there", async () => {
  const page = await visit();
  const { curves } = pipeline.run(settings);
  await page.getByRole("group", { name: /^Cosines and length by position/ }).focus();
  for (const key of ["End", "ArrowLeft", "PageDown"]) await page.keyboard.press(key);
  const at = stops.length - 1 - 1 - 8;
  const said = await page.locator("ropewalk-drowning-curves .readout").innerText();
  expect(said).toContain(`position ${(stops[at] as number).toLocaleString("en")}:`);
  expect(said).toContain(`alone ${(curves.cosine[at] as number).toFixed(3).replace("-", "−")},`);
  expect(said).toContain(`there ${(curves.alike[at] as number).toFixed(3)};`);
  expect(await page.locator("ropewalk-drowning-curves [role=status]").innerText()).toBe(said);
  await page.keyboard.press("Enter");
  await expectShown(page, { position: stops[at] as number });
});

test("the curves are drawn where their numbers are", async () => {
  const page = await visit("position=9");
  const { curves } = pipeline.run(settings);
  const [own, alike] = await page.locator("ropewalk-drowning-curves path.curve").evaluateAll((all) =>
    (all as unknown as SVGPathElement[]).map((path) => {
      const { y, height } = path.getBBox();
      return { top: y, height };
    }),
  );
  const extent = (values: Float32Array) => Math.max(...values) - Math.min(...values);
  expect((own?.height as number) / (alike?.height as number)).toBeCloseTo(
    extent(curves.cosine) / extent(curves.alike),
    1,
  );
  // Both have 1 for their highest.
  expect(own?.top).toBeCloseTo(alike?.top as number, 0);
});

test("its whole state is in the address", async () => {
  const page = await visit();
  await slide(page, 100);
  await page.getByLabel("Word", { exact: true }).selectOption({ index: 1 });
  await page.getByLabel("Other word").selectOption({ index: 2 });
  await expect.poll(() => page.evaluate(() => location.hash)).toBe("#integer?v=1&position=100&query=1&key=2");
});

test("an address sets all of it, and nonsense there is as nothing", async () => {
  await expectShown(await visit("position=100&query=1&key=2&seed=9"), {
    position: 100,
    query: 1,
    key: 2,
    seed: 9,
  });
  await expectShown(await visit("position=-1&query=x&key=1.5&seed=no"), {});
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([1600, 390])("has no violations at %i px, and no sideways scroll", async (width) => {
    const page = await visit("position=9", { colorScheme, viewport: { width, height: 900 } });
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  });
});
