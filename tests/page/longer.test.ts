// The chapter on longer texts: what it shows is what the engine returns, by hand and by key, and an address holds it.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { figure } from "../../web/elements/figure.js";
import {
  LongerPipeline,
  type LongerSettings,
  type Scaling,
  scalings,
} from "../../web/elements/longer_pipeline.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const engine = await loadRopewalk();
const pipeline = new LongerPipeline(engine);

async function visit(options: BrowserContextOptions = {}, state = ""): Promise<Page> {
  const page = await site.visit(`#longer${state}`, options);
  await page.locator("#beyond").waitFor();
  return page;
}

const setOut: LongerSettings = { headDim: 64, base: 10_000, trained: 4096, factor: 8 };
const names: Record<Scaling | "none", string> = {
  none: "unscaled",
  linear: "linear",
  ntk: "NTK",
  dynamic: "dynamic NTK",
  yarn: "YaRN",
  longrope: "LongRoPE",
  llama3: "Llama 3",
};

const instrument = (page: Page) => page.locator("ropewalk-longer");
const choose = (page: Page, group: string, name: string) =>
  page.getByRole("radiogroup", { name: group }).getByRole("radio", { name, exact: true }).check();
const numbers = (text: string) => text.replaceAll("−", "-").replaceAll(",", "");

/** The slider has no steps but those that it stops at. */
async function stretch(page: Page, factor: number): Promise<void> {
  const slider = page.locator("#factor");
  const octave = Math.floor(Math.log2(factor));
  await slider.fill(String(4 * octave + 4 * (factor / 2 ** octave - 1)));
  await allDrawn(page);
}

async function expectShown(page: Page, change: Partial<LongerSettings>, scaling: Scaling | "none") {
  const settings = { ...setOut, ...change };
  const results = pipeline.run(settings);
  const chosen = scaling === "none" ? results.unscaled : results.scaled[scaling];
  const text = async (selector: string) => numbers(await instrument(page).locator(selector).innerText());
  await allDrawn(page);
  expect(await text("output[for=factor]")).toBe(String(results.length));
  expect(await text("#stretch")).toBe(`×${settings.factor}`);
  expect(await text("#beyond")).toBe(`${chosen.beyond.length} of ${settings.headDim / 2}`);
  expect(await text("#step")).toBe(`${(chosen.invFreq[0] as number).toFixed(3)} rad`);
  expect(await text("#attention-factor")).toBe(chosen.attentionFactor.toFixed(4));
  for (const one of scalings)
    expect(await text(`[data-beyond=${one}]`)).toBe(String(results.scaled[one].beyond.length));

  // The hands, as drawn: they point by the engine's angle, and its hue.
  const { angles } = pipeline.hands(results, chosen);
  const dials = await page.locator("ropewalk-seen .dial").evaluateAll((all) =>
    all.map((dial) => {
      const hand = dial.querySelector(".hand");
      return {
        x: Number(hand?.getAttribute("x2")),
        y: -Number(hand?.getAttribute("y2")),
        colour: hand?.getAttribute("stroke") ?? "",
        isBeyond: dial.matches(".beyond") && (dial.querySelector(".further")?.getAttribute("d") ?? "") !== "",
      };
    }),
  );
  expect(dials).toHaveLength(settings.headDim / 2);
  dials.forEach(({ x, y, colour, isBeyond }, i) => {
    const angle = angles[i] as number;
    const off = Math.atan2(y, x) - angle;
    expect(Math.abs(off - 2 * Math.PI * Math.round(off / (2 * Math.PI))), `hand ${i}`).toBeLessThan(2e-3);
    const hue = Number(/oklch\(\S+ \S+ (\S+)\)/.exec(colour)?.[1]);
    expect(Math.cos((hue * Math.PI) / 180 - angle), `hue ${i}`).toBeGreaterThan(0.9999);
    expect(isBeyond, `dial ${i}`).toBe(chosen.beyond.includes(i));
  });
  return { results, chosen };
}

test.each(["none", ...scalings] as const)(
  "%s: shows what the engine returns, at each length",
  async (scaling) => {
    const page = await visit();
    await choose(page, "Scaling", names[scaling]);
    for (const factor of [1, 1.25, 8, 28, 32]) {
      await stretch(page, factor);
      await expectShown(page, { factor }, scaling);
    }
  },
);

test("every setting reaches the kernels", async () => {
  const page = await visit();
  await choose(page, "Scaling", "YaRN");
  await choose(page, "Trained length", "8,192");
  await choose(page, "Components of a head", "128");
  await choose(page, "Base of the frequencies", "500,000");
  await expectShown(page, { trained: 8192, headDim: 128, base: 500_000 }, "yarn");
});

/** Of a path in straight lines. */
const points = (d: string) =>
  [...d.matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);

test("the chart's lines are the slowdowns, at the height that its axis says", async () => {
  const page = await visit();
  const { scaled, trainedTurns } = pipeline.run(setOut);
  const chart = page.locator("ropewalk-slowdown");
  const heights = Object.fromEntries(
    await chart
      .locator("g.y .tick")
      .evaluateAll((ticks) =>
        ticks.map((tick) => [
          tick.textContent ?? "",
          Number(/,([\d.]+)/.exec(tick.getAttribute("transform") ?? "")?.[1]),
        ]),
      ),
  );
  const one = heights["×1"] as number;
  const octave = (one - (heights["×64"] as number)) / 6;
  for (const scaling of scalings) {
    const d = await chart.locator(`path.line[data-name="${names[scaling]}"]`).getAttribute("d");
    const line = points(d ?? "");
    expect(line).toHaveLength(32);
    line.forEach(([, y], i) => {
      const wanted = one - octave * Math.log2(scaled[scaling].slowdown[i] as number);
      expect(Math.abs((y as number) - wanted), `${scaling} ${i}`).toBeLessThan(0.6);
    });
  }
  // In the shaded corner are the pairs that never came round, slowed by less than the length has grown.
  const corner = chart.locator("rect.further");
  const line = points((await chart.locator("path.line").first().getAttribute("d")) ?? "");
  const first = trainedTurns.findIndex((turns) => turns < 1);
  const x = Number(await corner.getAttribute("x"));
  expect(x).toBeGreaterThan((line[first - 1] as number[])[0] as number);
  expect(x).toBeLessThan((line[first] as number[])[0] as number);
  expect(Math.abs(Number(await corner.getAttribute("y")) - (one - 3 * octave))).toBeLessThan(0.6);
});

test("each scaling is switched on and off, and named beside its line", async () => {
  const page = await visit();
  const drawn = () =>
    page
      .locator("ropewalk-slowdown path.line")
      .evaluateAll((all) => all.map((line) => line.getAttribute("data-name")));
  const labelled = () => page.locator("ropewalk-slowdown text.name").allTextContents();
  expect((await drawn()).sort()).toEqual(scalings.map((one) => names[one]).sort());
  expect((await labelled()).sort()).toEqual(scalings.map((one) => names[one]).sort());
  const dashes = await page
    .locator("ropewalk-slowdown path.line")
    .evaluateAll((all) => all.map((line) => line.getAttribute("stroke-dasharray")));
  expect(new Set(dashes).size).toBe(6);
  for (const name of ["linear", "NTK", "Llama 3"]) {
    await instrument(page)
      .getByRole("checkbox", { name: new RegExp(`^${name}`) })
      .uncheck();
  }
  await allDrawn(page);
  expect((await drawn()).sort()).toEqual(["LongRoPE", "YaRN", "dynamic NTK"]);
  expect((await labelled()).sort()).toEqual(["LongRoPE", "YaRN", "dynamic NTK"]);
  await instrument(page).getByRole("checkbox", { name: /^NTK/ }).check();
  await allDrawn(page);
  expect(await drawn()).toContain("NTK");
  // What is counted does not depend on what is drawn.
  await expectShown(page, {}, "none");
});

test("the rope is drawn over the whole length, and marked where training ended", async () => {
  const page = await visit();
  const twist = instrument(page).locator("ropewalk-twist");
  expect(await twist.locator("canvas").count()).toBe(1);
  // What is out of view is drawn when values have come to rest.
  await choose(page, "Scaling", "linear");
  await expect.poll(() => twist.locator("canvas").count()).toBe(2);
  const { width } = (await twist.locator("canvas").first().boundingBox()) as { width: number };
  for (const factor of [8, 2]) {
    await stretch(page, factor);
    const marks = () =>
      twist.locator(".mark line").evaluateAll((all) => all.map((line) => Number(line.getAttribute("x1"))));
    await expect.poll(marks).toHaveLength(4);
    await expect
      .poll(async () => Math.max(...(await marks()).map((x) => Math.abs(x - width / factor))))
      .toBeLessThan(1);
  }
  await stretch(page, 1);
  await expect.poll(() => twist.locator(".mark").count()).toBe(0);
});

test("by the keyboard alone", async () => {
  const page = await visit();
  const slider = page.locator("#factor");
  await slider.focus();
  expect(await slider.getAttribute("aria-valuetext")).toBe(
    "32,768 tokens, 8 times the trained length; unscaled: 9 of 32 pairs beyond training",
  );
  await page.keyboard.press("End");
  await expectShown(page, { factor: 32 }, "none");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Tab");
  for (let i = 0; i < 4; ++i) await page.keyboard.press("ArrowRight");
  await expectShown(page, { factor: 28 }, "yarn");
  // The radios are one stop; then the dials, the boxes, the chart.
  await page.keyboard.press("Tab");
  const { results, chosen } = await expectShown(page, { factor: 28 }, "yarn");
  const seen = page.locator("ropewalk-seen");
  const told = async (of: typeof seen) => {
    await allDrawn(page);
    return of.locator(".readout").innerText();
  };
  expect(await told(seen)).toMatch(/^pair 0 came round in training/);
  await page.keyboard.press("End");
  const turns = [results.trainedTurns[31], chosen.turns[31]].map((value) => figure(value as number));
  expect(await told(seen)).toBe(
    `pair 31 made ${turns[0]} turns in training; it makes ${turns[1]} now: no further`,
  );
  expect(await seen.locator("[role=status]").textContent()).toBe(await told(seen));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await allDrawn(page);
  expect(
    await instrument(page)
      .getByRole("checkbox", { name: /^linear/ })
      .isChecked(),
  ).toBe(false);
  for (let i = 0; i < 6; ++i) await page.keyboard.press("Tab");
  const chart = page.locator("ropewalk-slowdown");
  for (let i = 0; i < 20; ++i) await page.keyboard.press("ArrowRight");
  const times = (scaling: Scaling) =>
    `${names[scaling]} ×${figure(results.scaled[scaling].slowdown[20] as number)}`;
  const rest = scalings.filter((scaling) => scaling !== "linear");
  expect(await told(chart)).toBe(`pair 20: ${rest.map(times).join(", ")}`);
});

test("says what is under the pointer, dial or line, and marks the same pair in both", async () => {
  const page = await visit();
  const dial = page.locator("ropewalk-seen .dial").nth(29);
  // Upon the hand, that is; the dial takes it all the same.
  await dial.locator(".face").hover({ force: true });
  await allDrawn(page);
  expect(await page.locator("ropewalk-seen .readout").innerText()).toMatch(
    /^pair 29 made .*: further than it ever did$/,
  );
  expect(await dial.locator(".at").count()).toBe(1);
  expect(await page.locator("ropewalk-slowdown .dots").count()).toBe(6);
  await page.mouse.move(5, 5);
  await allDrawn(page);
  expect(await instrument(page).locator(".at, .dots").count()).toBe(0);
});

test("the pictures have tables behind them", async () => {
  const page = await visit({}, "?v=1&scaling=ntk");
  const { scaled, trainedTurns } = pipeline.run(setOut);
  const cells = async (element: string, row: number) => {
    const rows = page.locator(`${element} tbody tr`);
    await expect.poll(() => rows.count()).toBe(32);
    return rows.nth(row).locator("td").allTextContents();
  };
  for (const pair of [0, 25, 31]) {
    expect((await cells("ropewalk-slowdown", pair)).join()).toBe(
      scalings.map((scaling) => figure(scaled[scaling].wavelength[pair] as number)).join(),
    );
    const [before, now, , beyond] = await cells("ropewalk-seen", pair);
    expect(before).toBe(figure(trainedTurns[pair] as number));
    expect(now).toBe(figure(scaled.ntk.turns[pair] as number));
    expect(beyond).toBe(scaled.ntk.beyond.includes(pair) ? "yes" : "no");
  }
});

describe("an address", () => {
  const hash = (page: Page) => page.evaluate(() => location.hash);

  test("holds the state, and leads back to it", async () => {
    const page = await visit();
    await choose(page, "Scaling", "LongRoPE");
    await stretch(page, 1.75);
    await instrument(page)
      .getByRole("checkbox", { name: /^Llama 3/ })
      .uncheck();
    await choose(page, "Components of a head", "32");
    const wanted =
      "#longer?v=1&head-dim=32&factor=1.75&scaling=longrope&scalings=linear%2Cntk%2Cdynamic%2Cyarn%2Clongrope";
    await expect.poll(() => hash(page)).toBe(wanted);
    const other = await visit({}, wanted.slice("#longer".length));
    await expectShown(other, { headDim: 32, factor: 1.75 }, "longrope");
    expect(await other.locator("ropewalk-slowdown path.line").count()).toBe(5);
  });

  test("with nonsense in it leaves things as they set out", async () => {
    const page = await visit(
      {},
      "?v=1&factor=9&scaling=magic&scalings=linear,magic&trained=1&head-dim=-2&base=x",
    );
    await expectShown(page, {}, "none");
    expect(await page.locator("ropewalk-slowdown path.line").count()).toBe(6);
  });

  test("gives no two instruments of the chapter a field of one name", async () => {
    const page = await visit();
    const named = await page.evaluate(() =>
      ["ropewalk-longer", "ropewalk-model"].map((name) =>
        Object.keys((customElements.get(name) as unknown as { fields: object }).fields),
      ),
    );
    const [longer = [], model = []] = named;
    expect(longer.length * model.length).toBeGreaterThan(0);
    expect(longer.filter((name) => model.includes(name))).toEqual([]);
  });
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([390, 1440])("no axe violation, no sideways scroll at %i px", async (width) => {
    const page = await visit({ colorScheme, viewport: { width, height: 900 } });
    for (const name of ["unscaled", "YaRN"]) {
      await choose(page, "Scaling", name);
      await allDrawn(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await violations(page), name).toEqual([]);
    }
  });
});

test("a step of the slider is drawn within a frame's time", async () => {
  const page = await visit({}, "?v=1&scaling=yarn&head-dim=128");
  // The least disturbed of many: a machine has other things to do.
  const least = await page.evaluate(async () => {
    const longer = document.querySelector("ropewalk-longer") as HTMLElement & {
      factor: number;
      updateComplete: Promise<boolean>;
    };
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 60; ++i) {
      const start = performance.now();
      longer.factor = 2 ** (i % 6);
      await longer.updateComplete;
      least = Math.min(least, performance.now() - start);
    }
    return least;
  });
  expect(least).toBeLessThan(1000 / 60);
});
