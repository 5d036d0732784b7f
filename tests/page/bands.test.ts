import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { BandsPipeline, type BandsSettings } from "../../web/elements/bands_pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";
import { lecture } from "../elements/lecture.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const pipeline = new BandsPipeline(await loadRopewalk());

/** What the chapter sets out with. */
const initial: BandsSettings = {
  tokens: lecture.tokens,
  seed: 7,
  head: 1,
  headDim: 32,
  base: 10_000,
  query: { first: 7, last: 8 },
  key: { first: 3, last: 5 },
  alike: true,
  muted: [],
  distance: 3,
  context: 4096,
};

async function visit(state = "", options: BrowserContextOptions = {}): Promise<Page> {
  const page = await site.visit(`#bands${state === "" ? "" : `?v=1&${state}`}`, options);
  await page.locator("#left").waitFor();
  await allDrawn(page);
  return page;
}

const number = (text: string) => Number(text.replace("−", "-").replaceAll(",", ""));
const shown = async (page: Page, id: string) => number(await page.locator(`#${id}`).innerText());
const choose = (page: Page, group: string | RegExp, name: string | RegExp) =>
  page.getByRole("radiogroup", { name: group }).getByRole("radio", { name, exact: true }).check();
const slider = (page: Page) => page.getByRole("slider", { name: "distance between the two" });
const pair = (page: Page, index: number) =>
  page.getByRole("button", { name: new RegExp(`^Mute pair ${index}:`) });
const token = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** All numbers that are set large, and those of every pair and band, against the engine's. */
async function expectShown(page: Page, change: Partial<BandsSettings> = {}): Promise<void> {
  await allDrawn(page);
  const settings = { ...initial, ...change };
  const got = pipeline.run(settings);
  const n = settings.headDim / 2;
  expect(await shown(page, "apart")).toBe(settings.distance);
  expect(await shown(page, "all")).toBeCloseTo(got.score, 3);
  expect(await shown(page, "left")).toBeCloseTo(got.left, 3);
  expect(await page.locator("#never").innerText()).toBe(
    `${got.turns.filter((turns) => turns < 1).length} of ${n}`,
  );
  const rows = await page
    .locator("[data-pair]")
    .evaluateAll((all) =>
      all.map((row) => [row.getAttribute("aria-label"), row.getAttribute("aria-pressed")]),
    );
  expect(rows).toHaveLength(n);
  rows.forEach(([label, pressed], i) => {
    const [, part, angle] = /gives ([−\d.]+), turned by ([−\d.]+) radians/.exec(label ?? "") ?? [];
    expect(number(part ?? "")).toBeCloseTo(got.parts[i] as number, 3);
    expect(number(angle ?? "")).toBeCloseTo(got.angles[i] as number, 2);
    expect(label?.includes("never completes")).toBe((got.turns[i] as number) < 1);
    expect(pressed).toBe(String(settings.muted.includes(i)));
  });
  for (const band of ["fast", "middle", "slow"] as const)
    expect(await shown(page, band)).toBeCloseTo(got.bands[band].score, 3);
}

test("sets out with the lecture's two phrases, and every setting reaches the kernels", async () => {
  const page = await visit();
  await expectShown(page);
  await choose(page, "Head", "3");
  await choose(page, /head_dim/, "16");
  await choose(page, /Context/, "512");
  await choose(page, "The key", "drawn for itself");
  for (const [name, value] of [
    ["Base, rope_theta", "500"],
    ["Seed", "11"],
  ] as const) {
    await page.getByLabel(name).fill(value);
    await page.getByLabel(name).press("Enter");
  }
  const settings = { head: 2, headDim: 16, context: 512, alike: false, base: 500, seed: 11 };
  await expectShown(page, settings);
  await page.getByLabel("Seed").fill("-1");
  await page.getByLabel("Seed").press("Enter");
  await expectShown(page, settings);
  expect(await page.getByLabel("Seed").inputValue()).toBe("11");
});

describe("distance", () => {
  test("goes by the keys, one token near by and further ones further off", async () => {
    const page = await visit();
    await slider(page).focus();
    for (const [key, distance] of [
      ["ArrowRight", 4],
      ["ArrowLeft", 3],
      ["PageUp", 6],
      ["End", 131_072],
      ["ArrowLeft", 126_976],
      ["Home", 1],
      ["ArrowDown", 1],
    ] as const) {
      await page.keyboard.press(key);
      await expectShown(page, { distance });
    }
    expect(await slider(page).getAttribute("aria-valuetext")).toBe(
      `distance 1: score ${pipeline.run({ ...initial, distance: 1 }).left.toFixed(3)}`,
    );
    await page.getByRole("button", { name: "back to the sentence’s 3" }).press("Enter");
    await expectShown(page);
  });

  test("goes by the slider and by dragging along the picture", async () => {
    const page = await visit();
    await slider(page).fill("640");
    await expectShown(page, { distance: 1024 });
    expect(await page.locator(".between").innerText()).toBe("… 1,021 more between …");
    const box = await page.locator(".picture").boundingBox();
    if (box === null) throw new Error("no picture");
    const at = (octave: number) => box.x + 8 + ((box.width - 16) * octave) / 17;
    // Its lower end is beside the slider, and so in view.
    const y = box.y + box.height - 80;
    await page.mouse.move(at(10), y);
    await page.mouse.down();
    await page.mouse.move(at(6), y, { steps: 3 });
    await allDrawn(page);
    const distance = await shown(page, "apart");
    expect(Math.log2(distance)).toBeCloseTo(6, 1);
    await expectShown(page, { distance });
    await page.mouse.up();
  });
});

describe("muting", () => {
  test("a pair by mouse, and it is heard again", async () => {
    const page = await visit();
    await pair(page, 6).click();
    await pair(page, 12).click();
    await expectShown(page, { muted: [6, 12] });
    expect(await page.locator("ropewalk-bands p.readout").innerText()).toContain(
      "Pair 12: one turn in 6,283 tokens",
    );
    expect(await page.locator("ropewalk-bands p.readout").innerText()).toContain("it is muted");
    await pair(page, 6).click();
    await expectShown(page, { muted: [12] });
    await page.getByRole("button", { name: "Hear all pairs" }).click();
    await expectShown(page);
  });

  test("pairs and bands by the keyboard alone", async () => {
    const page = await visit();
    await pair(page, 0).focus();
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.press("End");
    await page.keyboard.press("Space");
    await expectShown(page, { muted: [0, 1, 15] });
    // All the pairs are one stop of Tab; the bands are where it goes from there.
    const fast = page.getByRole("checkbox", { name: /^Fast/ });
    const slow = page.getByRole("checkbox", { name: /^Slow/ });
    expect(await fast.evaluate((box: HTMLInputElement) => box.indeterminate)).toBe(true);
    await fast.focus();
    await page.keyboard.press("Space");
    await expectShown(page, { muted: [0, 1, 2, 3, 4, 15] });
    expect(await fast.isChecked()).toBe(false);
    await slow.focus();
    await page.keyboard.press("Space");
    await expectShown(page, { muted: [0, 1, 2, 3, 4, 12, 13, 14, 15] });
    await page.keyboard.press("Space");
    await expectShown(page, { muted: [0, 1, 2, 3, 4] });
    expect(await slow.isChecked()).toBe(true);
  });
});

test("phrases are chosen by the keyboard, and grow by the tokens beside them", async () => {
  const page = await visit("alike=no");
  await page.getByRole("radio", { name: /^key/ }).check();
  await token(page, "Einstein").focus();
  await page.keyboard.press("Enter");
  await expectShown(page, { alike: false, key: { first: 0, last: 0 }, distance: 8 });
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Space");
  await expectShown(page, { alike: false, key: { first: 0, last: 1 }, distance: 7 });
  await page.getByRole("radio", { name: /^query/ }).check();
  await token(page, "physics").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  const query = { first: 9, last: 10 };
  await expectShown(page, { alike: false, query, key: { first: 0, last: 1 }, distance: 9 });
  expect(await page.getByRole("radio", { name: "query «reshaped physics»" }).isChecked()).toBe(true);
  // A query looks back: the key is not after it.
  await token(page, "Einstein").click();
  await expectShown(page, {
    alike: false,
    query: { first: 0, last: 0 },
    key: { first: 0, last: 0 },
    distance: 0,
  });
});

test.each([
  ["Japanese", "これは位置についての文です。"],
  ["one token", "rope"],
  ["300 words", "walk the rope ".repeat(100)],
])("takes %s", async (_, text) => {
  const page = await visit();
  await page.getByLabel("Your sentence").fill("");
  await page.getByText("there is no phrase without tokens").waitFor();
  await page.getByLabel("Your sentence").fill(text);
  const { tokens } = tokenize(text);
  const most = tokens.length - 1;
  const span = (first: number, last: number) => ({
    first: Math.min(first, last, most),
    last: Math.min(last, most),
  });
  const query = span(7, 8);
  const key = span(3, 5);
  await page.locator("#left").waitFor();
  await expectShown(page, { tokens, query, key, distance: query.last - key.last });
});

test("the bars are as long as what their pairs give, and as coloured as they are turned", async () => {
  const page = await visit("muted=8&distance=40");
  const got = pipeline.run({ ...initial, muted: [8], distance: 40 });
  const bars = await page
    .locator("rect.bar, rect.muted, rect.sum")
    .evaluateAll((all) => all.map((bar) => [bar.getAttribute("width"), bar.getAttribute("fill")]));
  const widths = bars.map(([width]) => Number(width));
  const scale = (widths.at(-1) as number) / got.left;
  expect(bars).toHaveLength(17);
  got.parts.forEach((part, i) => {
    expect(Math.abs((widths[i] as number) - Math.max(1, scale * Math.abs(part)))).toBeLessThan(0.6);
    if (i === 8) return;
    const hue = (((got.angles[i] as number) * 180) / Math.PI + 360) % 360;
    expect(bars[i]?.[1]).toContain(` ${hue.toFixed(1)})`);
  });
});

test("the curve and the rope are drawn where the numbers are", async () => {
  const page = await visit("muted=0-11&distance=1000");
  const { curve, left } = pipeline.run({ ...initial, muted: [...Array(12).keys()], distance: 1000 });
  const circle = page.locator("circle.point");
  const y = Number(await circle.getAttribute("cy"));
  const x = Number(await circle.getAttribute("cx"));
  const path = (await page.locator("path.left").getAttribute("d")) as string;
  const points = path
    .slice(1)
    .split("L")
    .map((point) => point.split(" ").map(Number) as [number, number]);
  // Least and most of what is drawn, against the scale that the first point and the present one make.
  const first = points[0] as [number, number];
  const perScore = (y - first[1]) / (left - (curve.left[0] as number));
  const at = (score: number) => y + perScore * (score - left);
  const tops = points.map(([, top]) => top);
  expect(Math.abs(Math.min(...tops) - at(Math.max(...curve.left)))).toBeLessThan(1.5);
  expect(Math.abs(Math.max(...tops) - at(Math.min(...curve.left)))).toBeLessThan(1.5);
  expect(x).toBeCloseTo(8 + (((points.at(-1) as [number, number])[0] - 8) * Math.log2(1000)) / 17, 0);
  // In the rope, pair 15 has the hue of no turn at distance 1, and that of 1.42 radians at 8,000.
  const drawn = await page.locator(".picture canvas").evaluate((canvas: HTMLCanvasElement) => {
    const row = canvas
      .getContext("2d")
      ?.getImageData(0, Math.floor((canvas.height * 15.4) / 16), canvas.width, 1).data;
    const pixel = (octave: number) => {
      const at = 4 * Math.floor((canvas.width * octave) / 17);
      return [...(row ?? []).slice(at, at + 3)];
    };
    const asked = (radians: number) => {
      const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
      context.fillStyle = `oklch(0.7 0.135 ${(radians * 180) / Math.PI})`;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    return { near: [pixel(0), asked(0)], far: [pixel(Math.log2(8000)), asked(8000 * 1e4 ** (-30 / 32))] };
  });
  for (const [seen, asked] of [drawn.near, drawn.far])
    for (const channel of [0, 1, 2])
      expect(Math.abs((seen?.[channel] as number) - (asked?.[channel] as number))).toBeLessThan(12);
});

test("the table behind the picture has the curve's numbers", async () => {
  const page = await visit("muted=0-4");
  const table = page.getByRole("table", { name: /Score by distance/ });
  await table.waitFor();
  const { curve } = pipeline.run({ ...initial, muted: [0, 1, 2, 3, 4] });
  const i = curve.distances.indexOf(1024);
  const cells = await table
    .getByRole("row", { name: /^1,024/ })
    .getByRole("cell")
    .allInnerTexts();
  expect(cells.map(number)[0]).toBeCloseTo(curve.all[i] as number, 3);
  expect(cells.map(number)[1]).toBeCloseTo(curve.left[i] as number, 3);
});

test("an address holds the whole state", async () => {
  const page = await visit();
  await pair(page, 5).click();
  await choose(page, /Context/, "32,768");
  await choose(page, "The key", "drawn for itself");
  await slider(page).fill("512");
  await page.getByRole("radio", { name: /^key/ }).check();
  await token(page, "of").click();
  await slider(page).focus();
  await page.keyboard.press("End");
  const state = { muted: [5], context: 32_768, alike: false, key: { first: 4, last: 4 }, distance: 131_072 };
  await expectShown(page, state);
  await page.waitForURL(/key=4.*distance=131072|distance=131072.*key=4/);
  const again = await visit(new URL(page.url()).hash.replace(/^.*v=1&/, ""));
  await expectShown(again, state);
});

test("nonsense in an address does no harm", async () => {
  const odd = await visit("muted=3,99&context=7&distance=-1&query=x&query-end=2&head-dim=16&head=3");
  await expectShown(odd, {
    headDim: 16,
    head: 3,
    query: { first: 2, last: 7 },
    key: { first: 3, last: 5 },
    distance: 2,
  });
});

test("what the chapter says of its pairs is so", async () => {
  const near = pipeline.run(initial);
  expect(near.wavelength[0]).toBeCloseTo(6.3, 1);
  expect(Math.round(near.wavelength[15] as number)).toBe(35_333);
  const slow = Array.from({ length: 12 }, (_, i) => i);
  const far = pipeline.run({ ...initial, muted: slow, distance: 1000 });
  expect(((far.angles[15] as number) * 180) / Math.PI).toBeCloseTo(10, 0);
  expect((far.parts[15] as number) / (near.parts[15] as number)).toBeGreaterThan(0.98);
  const kept = far.left / pipeline.run({ ...initial, muted: slow, distance: 1 }).left;
  expect(kept).toBeGreaterThan(0.8);
  expect(kept).toBeLessThan(0.9);
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([390, 1440])("no axe violation, no sideways scroll at %i px", async (width) => {
    const page = await visit("muted=0-4&distance=1000", { colorScheme, viewport: { width, height: 900 } });
    await page.getByRole("table", { name: /Score by distance/ }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await violations(page, undefined, ["target-size"])).toEqual([]);
  });
});

test("nothing moves by itself", async () => {
  const page = await visit("", { reducedMotion: "reduce" });
  await pair(page, 3).click();
  await slider(page).fill("700");
  await allDrawn(page);
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
});
