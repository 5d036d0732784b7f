// The chapter of latent attention: what it shows is what the engine returns, and what it measures does not stop it.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk, type Ropewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { percent } from "../../web/elements/absorption_chart.js";
import { AbsorptionPipeline, distances } from "../../web/elements/absorption_pipeline.js";
import { bytesText } from "../../web/elements/cache_bars.js";
import { cachedBy, cacheShapes } from "../../web/elements/cache_shapes.js";
import {
  costOf,
  lengths,
  longestMeasured,
  shapeOf,
  type Way,
  ways,
} from "../../web/elements/cost_pipeline.js";
import { LatentPipeline, type LatentSettings } from "../../web/elements/latent_pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const engine: Ropewalk = await loadRopewalk();

const instruments = {
  "ropewalk-latent": "#difference",
  "ropewalk-absorption": "#fitted",
  "ropewalk-cached": "#times",
  "ropewalk-cost": "ropewalk-cost-chart .readout",
};

async function visit(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await site.visit("#latent", options);
  // Each begins when it comes into view.
  for (const [instrument, begun] of Object.entries(instruments)) {
    await page.locator(instrument).scrollIntoViewIfNeeded();
    await page.locator(`${instrument} ${begun}`).first().waitFor();
  }
  return page;
}

const text = async (page: Page, id: string) => (await page.locator(`#${id}`).innerText()).trim();
const grouped = (value: number) => value.toLocaleString("en");
const choose = (page: Page, group: string, name: string) =>
  page
    .getByRole("radiogroup", { name: group, exact: true })
    .getByRole("radio", { name, exact: true })
    .check();

async function slide(page: Page, id: string, value: number): Promise<void> {
  await page.locator(`#${id}`).fill(String(value));
  await allDrawn(page);
}

const lecture = "Einstein developed the theory of relativity. This breakthrough reshaped physics.";
const settings: LatentSettings = {
  tokens: tokenize(lecture).tokens,
  newest: 8,
  seed: 7,
  nHeads: 4,
  kvLoraRank: 32,
  qLoraRank: 24,
};
const pipeline = new LatentPipeline(engine);

const exponent = (value: number) => (value === 0 ? "0" : value.toExponential(1).replace("-", "−"));

async function expectShown(page: Page, change: Partial<LatentSettings>): Promise<void> {
  const { difference, elements, bytes, naive, absorbed, keys } = pipeline.run({ ...settings, ...change });
  await allDrawn(page);
  const total = ({ cost }: typeof naive) => grouped(cost.total.multiplyAdds);
  expect(await text(page, "difference")).toBe(exponent(difference.out));
  expect(await page.locator("#difference + .note").innerText()).toContain(exponent(difference.weights));
  expect(await text(page, "elements")).toBe(`${elements.latent} elements`);
  expect(await text(page, "bytes")).toBe(`${grouped(bytes.latent)} B`);
  expect(await text(page, "work")).toBe(`${total(naive)} · ${total(absorbed)}`);
  expect(bytes.latent).toBe(4 * keys * elements.latent);
  expect(difference.out).toBeLessThan(1e-5);
}

// ---- One token, both ways ----------------------------------------------------------------------------------------------

test("shows one token by both routes, as the engine computes it, wherever it stands in the sentence", async () => {
  const page = await visit();
  await expectShown(page, {});
  for (const newest of [0, 3, 11]) {
    await slide(page, "newest", newest);
    await expectShown(page, { newest });
    expect(await page.locator("output[for=newest]").innerText()).toBe(`${newest + 1} of 12`);
  }
});

test("follows its choices: heads, the latent's rank, the queries' latent", async () => {
  const page = await visit();
  await choose(page, "Heads", "8");
  await choose(page, "kv_lora_rank", "64");
  await expectShown(page, { nHeads: 8, kvLoraRank: 64 });
  await choose(page, "Head shown", "8");
  await choose(page, "q_lora_rank", "none");
  await expectShown(page, { nHeads: 8, kvLoraRank: 64, qLoraRank: undefined });
  await choose(page, "Heads", "1");
  await choose(page, "kv_lora_rank", "8");
  await expectShown(page, { nHeads: 1, kvLoraRank: 8, qLoraRank: undefined });
});

test("says the shape of every matrix on its arrow, and of every tensor", async () => {
  const page = await visit();
  const spaced = (all: string[]) => all.map((one) => one.replace(/\s+/g, " ").trim());
  expect(spaced(await page.locator("ropewalk-latent-flow .arrow").allInnerTexts())).toEqual([
    "WDQ, norm 24 × 64",
    "WUQ, WQR, RoPE 96 × 24",
    "WDKV, norm; WKR, RoPE 40 × 64",
    "WUK, WUV 128 × 32",
    "· v 9 × 4 × 16",
    "WO 64 × 64",
    "(WUK)ᵀ 4 × 32 × 16",
    "· cKV 9 × 32",
    "WUV 4 × 16 × 32",
    "WO 64 × 64",
  ]);
  expect(spaced(await page.locator("ropewalk-latent-flow .shape").allInnerTexts())).toEqual([
    ...["64", "24", "4 × 24", "64", "9 × (32 + 8)"],
    ...["9 × 4 × 24", "9 × 4 × 16", "9", "4 × 16", "64"],
    ...["4 × (32 + 8)", "9", "4 × 32", "4 × 16", "64"],
  ]);
});

test("draws every tensor, and in each the numbers that are its own", async () => {
  const page = await visit();
  const painted = () =>
    page.locator("ropewalk-latent-flow canvas").evaluateAll((all) =>
      (all as HTMLCanvasElement[]).map((canvas) => {
        const blank = document.createElement("canvas");
        [blank.width, blank.height] = [canvas.width, canvas.height];
        const drawn = canvas.toDataURL();
        return drawn === blank.toDataURL() ? "blank" : drawn;
      }),
    );
  const before = await painted();
  expect(before).toHaveLength(15);
  expect(before).not.toContain("blank");
  await slide(page, "newest", 9);
  const after = await painted();
  // Another token is another picture everywhere.
  expect(after.filter((value, i) => value === before[i])).toEqual([]);
});

test("has the weights by both routes as a table, of the head that is chosen", async () => {
  const page = await visit();
  await choose(page, "Head shown", "3");
  const { naive, absorbed, keys } = pipeline.run(settings);
  const rows = page.locator("ropewalk-latent-flow tbody tr");
  await expect
    .poll(() => page.locator("ropewalk-latent-flow caption").innerText())
    .toBe("Weights of head 3 by both routes");
  expect(await rows.count()).toBe(keys);
  const cells = await rows.evaluateAll((all) =>
    all.map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent))),
  );
  for (const [j, [left, right]] of cells.entries()) {
    expect(left).toBeCloseTo(naive.weights[2 * keys + j] as number, 6);
    expect(right).toBeCloseTo(absorbed.weights[2 * keys + j] as number, 6);
  }
});

test.each([
  ["one token", "Zitronen"],
  ["an emoji and three scripts", "🧠 سلام 世界 ok"],
  ["more tokens than are taken", "word ".repeat(200)],
])("takes any text: %s", async (_, typed) => {
  const page = await visit();
  await page.getByLabel("Your sentence, in any script").fill(typed);
  const tokens = tokenize(typed).tokens.slice(0, 64);
  await expectShown(page, { tokens, newest: Math.min(8, tokens.length - 1) });
});

test("says what to do without a text, and goes on with the next", async () => {
  const page = await visit();
  await page.getByLabel("Your sentence, in any script").fill("  ");
  await page.getByText("there is nothing to attend to").waitFor();
  await page.getByLabel("Your sentence, in any script").fill(lecture);
  await expectShown(page, { newest: 0 });
});

// ---- Why RoPE cannot be absorbed ---------------------------------------------------------------------------------------

test("shows what the best single matrix misses, and that the decoupled form misses nothing", async () => {
  const page = await visit();
  const absorptions = new AbsorptionPipeline(engine);
  for (const [at, contextLen] of [
    [0, 1],
    [6, 64],
    [10, 1024],
  ] as const) {
    await slide(page, "context", at);
    const { rotary, decoupled } = absorptions.run(contextLen);
    expect(await page.locator("output[for=context]").innerText()).toBe(grouped(contextLen));
    expect(await text(page, "fitted")).toBe(percent(Math.max(...rotary.subarray(0, contextLen))));
    expect(await text(page, "beyond")).toBe(percent(rotary[distances - 1] as number));
    expect(await text(page, "decoupled")).toBe(exponent(Math.max(...decoupled)));
    expect(Math.max(...decoupled)).toBeLessThan(1e-5);
    expect(rotary[distances - 1]).toBeGreaterThan(0.5);
  }
});

test("walks along the distances by keys, and says what is there", async () => {
  const page = await visit();
  const { rotary, decoupled, score, absorbedScore } = new AbsorptionPipeline(engine).run(64);
  const chart = page.getByRole("group", { name: /^Scores and errors by distance/ });
  await chart.focus();
  for (const key of ["End", "ArrowLeft", "PageDown"]) await chart.press(key);
  await allDrawn(page);
  const distance = distances - 1 - 1 - 64;
  const said = await page.locator("ropewalk-absorption .readout").innerText();
  const shown = (value: number) => value.toFixed(3).replace("-", "−");
  expect(said).toContain(`distance ${distance}: the score is ${shown(score[distance] as number)}`);
  expect(said).toContain(`by one matrix ${shown(absorbedScore)}`);
  expect(said).toContain(`error of all ${percent(rotary[distance] as number)}`);
  expect(said).toContain(`decoupled ${exponent(decoupled[distance] as number)}`);
  expect(await page.locator("ropewalk-absorption [role=status]").innerText()).toBe(said);
});

test("draws the curves where their numbers are", async () => {
  const page = await visit();
  await slide(page, "context", 0);
  const { rotary } = new AbsorptionPipeline(engine).run(1);
  const boxes = (element: string) =>
    page.locator(`${element} path.curve`).evaluateAll((all) =>
      (all as unknown as SVGPathElement[]).map((path) => {
        const { y, height } = path.getBBox();
        return { y, height, bottom: y + height };
      }),
    );
  const [, errors, decoupled] = await boxes("ropewalk-absorption");
  // From no error at distance 0, where the decoupled form stays, to the largest: 160 px are 160 %.
  expect(errors?.bottom).toBeCloseTo(decoupled?.bottom as number, 0);
  expect(errors?.height).toBeCloseTo(100 * Math.max(...rotary), 0);
  expect(decoupled?.height).toBeLessThan(0.01);

  // The legend's three are before the three curves: kept below absorbed below expanded, at the right.
  const [kept, expanded, absorbed] = (await boxes("ropewalk-cost")).slice(3).map(({ y }) => y);
  expect(expanded).toBeLessThan(absorbed as number);
  expect(absorbed).toBeLessThan(kept as number);
});

// ---- What is cached ----------------------------------------------------------------------------------------------------

test("counts what published models keep, each with its source", async () => {
  const page = await visit();
  const rows = page.locator("ropewalk-cache-bars tbody tr");
  const expectRows = async (per: "all" | "layer", tokens: number, bytes: number) => {
    await allDrawn(page);
    expect(await rows.count()).toBe(cacheShapes.length);
    for (const [i, shape] of cacheShapes.entries()) {
      const { elements, bytes: all } = cachedBy(engine, shape, tokens, bytes);
      expect(await rows.nth(i).locator("td.number").allInnerTexts()).toEqual([
        grouped(elements[per]),
        bytesText(all),
      ]);
      expect(await rows.nth(i).locator("a").getAttribute("href")).toMatch(/^https:\/\/arxiv\.org\/abs\/\d/);
    }
  };
  await expectRows("layer", 131_072, 2);
  await choose(page, "Elements of", "all layers");
  await choose(page, "Each in", "6 bits");
  await slide(page, "cachedTokens", 0);
  await expectRows("all", 1, 0.75);
  // The bars are as long as their numbers say.
  const widths = await rows
    .nth(7)
    .locator("rect")
    .evaluateAll((all) => all.map((bar) => bar.getBoundingClientRect().width));
  expect((widths[0] as number) / (widths[1] as number)).toBeCloseTo(32_768 / 576, 0);
});

test("says against what it is 57 times less, and against what 93.3 %", async () => {
  const page = await visit();
  expect(await text(page, "times")).toBe("56.9 times");
  expect(await text(page, "less")).toBe("93.3 %");
  await page.getByText("At 16 bits both it would be 82.2 %", { exact: false }).waitFor();
});

// ---- What it costs -----------------------------------------------------------------------------------------------------

test("counts what a layer costs, in three ways, for decode and prefill", async () => {
  const page = await visit();
  const shown = async () =>
    page
      .locator("ropewalk-cost tbody tr")
      .evaluateAll((all) =>
        all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)),
      );
  const first = await shown();
  expect(first).toHaveLength(lengths.length);
  const count = (phase: "decode" | "prefill", way: Way, length: number) =>
    costOf(engine, shapeOf("DeepSeek-V2-Lite"), phase, way, length).total;
  const near = (cell: string | null | undefined, value: number) => {
    const [, number = "", unit = ""] = /^([\d.]+) ?([kMGTP]?)B? ?(?:multiply-adds)?$/.exec(cell ?? "") ?? [];
    const factor = 10 ** (3 * " kMGTP".indexOf(unit || " "));
    expect(Number(number) * factor, cell ?? "").toBeGreaterThan(0.99 * value);
    expect(Number(number) * factor, cell ?? "").toBeLessThan(1.01 * value);
  };
  for (const [i, length] of lengths.entries()) {
    for (const [j, way] of ways.entries()) near(first[i]?.[j], count("decode", way, length).multiplyAdds);
  }
  await choose(page, "For", "prefill: all tokens at once");
  await choose(page, "Show", "bytes moved");
  await allDrawn(page);
  for (const [i, row] of (await shown()).entries()) {
    for (const [j, way] of ways.entries()) near(row[j], count("prefill", way, lengths[i] as number).bytes);
  }
});

test("measures in a worker, with progress, while the page goes on; and stops when it is told", async () => {
  const page = await visit();
  await choose(page, "For", "prefill: all tokens at once");
  await choose(page, "Show", "time, measured here");
  await page.getByRole("button", { name: "Measure on this machine" }).click();
  const bar = page.getByRole("progressbar", { name: "Measured" });
  await expect.poll(() => bar.getAttribute("value").then(Number), { timeout: 30_000 }).toBeGreaterThan(0);
  // A slider is moved meanwhile, and followed.
  await slide(page, "newest", 4);
  await expectShown(page, { newest: 4 });
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText(/^Stopped after \d of 6\.$/).waitFor();
  await page.getByRole("button", { name: "Measure again" }).click();
  await page.getByText("Measured: medians, one thread.").waitFor({ timeout: 45_000 });
  const cells = await page.locator("ropewalk-cost tbody td").allInnerTexts();
  const measured = lengths.filter((length) => length <= longestMeasured.prefill).length;
  expect(cells.filter((cell) => /^[\d.]+ ms$/.test(cell))).toHaveLength(2 * measured);
  expect(cells.filter((cell) => cell === "not measured")).toHaveLength(3 * lengths.length - 2 * measured);
});

// ---- For everybody -----------------------------------------------------------------------------------------------------

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([390, 1024, 2560])("no axe violation, no sideways scroll at %i px", async (width) => {
    const page = await visit({ colorScheme, viewport: { width, height: 900 } });
    for (const show of ["multiply-adds", "time, measured here"]) {
      await choose(page, "Show", show);
      await allDrawn(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await violations(page)).toEqual([]);
    }
  });
});

test("nothing moves by itself", async () => {
  const page = await visit({ reducedMotion: "reduce" });
  await slide(page, "newest", 3);
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
});

test("says what is wrong when the engine cannot be loaded", async () => {
  const page = await site.newPage();
  await page.route("**/*.wasm", (route) => route.abort());
  await page.goto(site.address("#latent"));
  await page.getByRole("alert").getByText("The engine could not be started").first().waitFor();
});
