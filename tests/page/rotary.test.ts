import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { queryOf, type TurnSettings, turned } from "../../web/elements/rotary_pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";
import type { RopewalkTurns } from "../../web/elements/turns.js";
import { lecture } from "../elements/lecture.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const engine = await loadRopewalk();

interface State extends TurnSettings {
  tokens: readonly string[];
  seed: number;
  query: number;
  headDim: number;
}

const sets: State = {
  tokens: lecture.tokens,
  seed: 7,
  query: 8,
  position: 8,
  distance: 10,
  layout: "interleaved",
  base: 10_000,
  headDim: 16,
};

async function visit(state = "", options: BrowserContextOptions = {}): Promise<Page> {
  const page = await site.visit(`#rotary${state}`, { reducedMotion: "reduce", ...options });
  await page.locator("#length-turned").waitFor();
  await allDrawn(page);
  return page;
}

const slider = (page: Page) => page.locator("#position");
const radio = (page: Page, group: string, name: string) =>
  page.getByRole("radiogroup", { name: group }).getByRole("radio", { name, exact: true });
const positionOf = async (page: Page) => Number(await slider(page).inputValue());

/** The ends of the hands of a kind, in its dials' own radii, which both kinds share. */
const hands = (page: Page, kind: string) =>
  page.locator(`.dials.${kind} .dial`).evaluateAll((dials) =>
    dials.map((dial) => {
      const number = (selector: string, name: string) =>
        Number(dial.querySelector(selector)?.getAttribute(name));
      const radius = number(".rim", "r");
      return {
        x: number(".hand", "x2") / radius,
        y: -number(".hand", "y2") / radius,
        own: number(".own", "r") / radius,
      };
    }),
  );

/** What the page shows is what the engine gives here, and what double arithmetic gives for its hands. */
async function expectShown(page: Page, change: Partial<State> = {}) {
  await allDrawn(page);
  // Out of view they wait until values come to rest.
  await page.locator("ropewalk-turns").evaluateAll(async (dials) => {
    for (const one of dials as RopewalkTurns[]) await one.updateComplete;
  });
  const state = { ...sets, ...change };
  const query = queryOf(engine, state);
  const results = turned(engine, query, state);
  const text = async (id: string) => (await page.locator(`#${id}`).innerText()).replace("−", "-");
  const both = (length: number) => `${results.before.length.toPrecision(7)} · ${length.toPrecision(7)}`;
  expect(await text("length-turned")).toBe(both(results.rotary.length));
  expect(await text("length-pushed")).toBe(both(results.sinusoidal.length));
  expect(Number(await text("change-turned"))).toBeCloseTo(results.rotary.change, 7);
  expect(Number(await text("change-pushed"))).toBeCloseTo(results.sinusoidal.change, 3);
  expect(await text("position-shown")).toBe(state.position.toLocaleString("en"));

  const d = state.headDim;
  const pairs = Array.from({ length: d / 2 }, (_, i) => {
    const [a, b] = state.layout === "half" ? [i, i + d / 2] : [2 * i, 2 * i + 1];
    return {
      x: query[a] as number,
      y: query[b] as number,
      angle: state.position * state.base ** ((-2 * i) / d),
    };
  });
  const unit = Math.max(...pairs.map(({ x, y }) => Math.hypot(x, y))) + 0.4;
  const [turnedHands, pushedHands] = await Promise.all([hands(page, "turned"), hands(page, "pushed")]);
  expect(turnedHands.length).toBe(d / 2);
  for (const [i, { x, y, angle }] of pairs.entries()) {
    const hand = turnedHands[i] as (typeof turnedHands)[number];
    const pushed = pushedHands[i] as (typeof pushedHands)[number];
    // Drawn to a hundredth of a pixel, of some tens to a radius.
    expect(hand.x * unit).toBeCloseTo(x * Math.cos(angle) - y * Math.sin(angle), 2);
    expect(hand.y * unit).toBeCloseTo(x * Math.sin(angle) + y * Math.cos(angle), 2);
    expect(Math.hypot(hand.x, hand.y)).toBeCloseTo(hand.own, 2);
    expect(pushed.x * unit).toBeCloseTo(x + Math.sin(angle), 2);
    expect(pushed.y * unit).toBeCloseTo(y + Math.cos(angle), 2);
  }
}

async function drag(page: Page, from: readonly [number, number], to: readonly [number, number][]) {
  await page.mouse.move(...from);
  await page.mouse.down();
  for (const point of to) await page.mouse.move(...point);
  await page.mouse.up();
}

async function boxOf(locator: Locator) {
  await locator.scrollIntoViewIfNeeded();
  const box = await locator.boundingBox();
  if (box === null) throw new Error("not there");
  return box;
}

test("turns by position and keeps the length, where what is added does not", async () => {
  const page = await visit();
  for (const position of [8, 0, 1, 511]) {
    await slider(page).fill(String(position));
    await expectShown(page, { position });
  }
  const text = await page.locator("#length-turned").innerText();
  const [before, after] = text.split(" · ");
  expect(after).toBe(before);
  expect(await page.locator("#length-pushed .differs").count()).toBe(1);
});

test("walks by keyboard alone, and says where it is", async () => {
  const page = await visit();
  await slider(page).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await expectShown(page, { position: 9 });
  expect(await slider(page).getAttribute("aria-valuetext")).toBe("position 9, angle 2.72 rad of pair 0");
  await page.getByRole("group", { name: /turned/ }).focus();
  await page.keyboard.press("End");
  await allDrawn(page);
  expect(await page.locator(".dials.turned + .readout").innerText()).toMatch(
    /^Pair 7, components 14 and 15: 0\.000316 rad/,
  );
  await page.getByRole("button", { name: "+1, one position on" }).press("Enter");
  await expectShown(page, { position: 10 });
});

test("is carried along the rope, near by and from further off", async () => {
  const page = await visit();
  const near = await boxOf(page.locator(".strip.near canvas"));
  const column = near.width / (await page.locator(".positions span").count());
  const y = near.y + 40;
  await drag(page, [near.x + 8.5 * column, y], [[near.x + 3.5 * column, y]]);
  await expectShown(page, { position: 3 });
  // The others close up where it was.
  const others = await page.locator(".strip .words span:not(.carried)").allInnerTexts();
  expect(others.slice(0, 5)).toEqual(["Einstein", "developed", "the", "", "theory"]);
  const far = await boxOf(page.locator(".strip.far canvas"));
  await drag(
    page,
    [far.x + 5, far.y + 20],
    [
      [far.x + far.width / 4, far.y + 20],
      [far.x + far.width / 2, far.y + 20],
    ],
  );
  await expectShown(page, { position: 256 });
  await drag(page, [far.x + 5, far.y + 20], [[far.x + far.width + 50, far.y + 20]]);
  await expectShown(page, { position: 511 });
});

test("a hand that is turned takes position along: a turn of pair 0 is six steps, a little of pair 3 is many", async () => {
  const page = await visit("?v=1&position=100");
  const dials = await boxOf(page.locator(".dials.turned"));
  const cell = dials.width / 8;
  const middle = dials.y + Number((await dialAt(page)).middle);
  const around = (pair: number, turn: number) => {
    const x = dials.x + (pair + 0.5) * cell;
    return Array.from({ length: 13 }, (_, k) => {
      const angle = (2 * Math.PI * turn * k) / 12;
      return [x + 25 * Math.cos(angle), middle - 25 * Math.sin(angle)] as [number, number];
    });
  };
  const crank = (pair: number, turn: number) => {
    const [from, ...to] = around(pair, turn);
    return drag(page, from as [number, number], to);
  };
  await crank(0, 1);
  await expectShown(page, { position: 106 });
  await crank(0, -1);
  await expectShown(page, { position: 100 });
  await crank(3, 0.5);
  await expectShown(page, { position: 199 });
  await crank(7, -0.5);
  await expectShown(page, { position: 0 });
});

const dialAt = (page: Page) =>
  page
    .locator(".dials.turned .dial")
    .first()
    .evaluate((dial) => ({
      middle: /translate\(0 ([\d.]+)\)/.exec(dial.getAttribute("transform") ?? "")?.[1],
    }));

test("the switch pairs other components, and threads them anew", async () => {
  const page = await visit();
  const threads = () =>
    page.locator("ropewalk-loom .thread").evaluateAll((all) => all.map((one) => one.getAttribute("d")));
  const before = await threads();
  await radio(page, "Which components pair up", "half").check();
  await expectShown(page, { layout: "half" });
  expect(await threads()).not.toEqual(before);
  expect(await page.locator("ropewalk-loom svg").getAttribute("aria-label")).toMatch(/components 0 and 8$/);
  await radio(page, "Which components pair up", "interleaved").check();
  await allDrawn(page);
  expect(await threads()).toEqual(before);
});

test("says what a little and a lot further would turn", async () => {
  const page = await visit();
  const beneath = () => page.locator(".dials.turned g.at text").last().innerHTML();
  for (const [choice, turns] of [
    ["+1", "0.159"],
    ["+10", "1.59"],
    ["+1,000", "159"],
  ] as const) {
    await radio(page, "How much further the hands are compared with", choice).check();
    await allDrawn(page);
    expect((await beneath()).replace(/<!--.*?-->/g, "")).toBe(`+${turns}`);
  }
});

test("every setting reaches the kernels", async () => {
  const page = await visit();
  await page.locator("ropewalk-rotary #text").fill("walk the rope");
  await page.locator("#seed").fill("11");
  await page.locator("#seed").press("Enter");
  await page.locator("#base").fill("500");
  await page.locator("#base").press("Enter");
  await radio(page, "The word whose query is turned", "the").check();
  for (const headDim of [8, 32, 64, 16]) {
    await radio(page, "Components of a head, head_dim", `${headDim}`).check();
    await expectShown(page, { tokens: ["walk", "the", "rope"], query: 1, seed: 11, base: 500, headDim });
  }
  await page.locator("ropewalk-rotary #text").fill(" ");
  await page.getByText("there is no position without tokens").waitFor();
  await page.locator("ropewalk-rotary #text").fill("rope");
  await expectShown(page, { tokens: tokenize("rope").tokens, query: 0, seed: 11, base: 500 });
});

test("an address holds all of it, and is what is shown", async () => {
  const page = await visit("?v=1&position=5000&query=3&layout=half&head-dim=32&base=500&distance=100&pair=2");
  await expectShown(page, {
    position: 5000,
    query: 3,
    layout: "half",
    headDim: 32,
    base: 500,
    distance: 100,
  });
  // The rope reaches as far as the position does.
  expect(await slider(page).getAttribute("max")).toBe("131071");
  await radio(page, "Positions seen from further off", "4,096").check();
  await expectShown(page, { position: 4095, query: 3, layout: "half", headDim: 32, base: 500 });
  await expect.poll(() => page.evaluate(() => location.hash)).toContain("position=4095");
  const again = await visit(`?${(await page.evaluate(() => location.hash)).split("?")[1]}`);
  await expectShown(again, { position: 4095, query: 3, layout: "half", headDim: 32, base: 500 });
});

describe("play", () => {
  test.each(["reduce", "no-preference"] as const)("walks until it is paused (motion: %s)", async (motion) => {
    const page = await visit("", { reducedMotion: motion });
    await page.getByRole("button", { name: "Play" }).click();
    await expect.poll(() => positionOf(page)).toBeGreaterThan(10);
    await page.getByRole("button", { name: "Pause" }).click();
    const position = await positionOf(page);
    await page.waitForTimeout(500);
    await expectShown(page, { position });
  });

  test("stops at the end, and when another chapter is shown", async () => {
    const page = await visit("?v=1&position=509");
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByRole("button", { name: "Play" }).waitFor();
    await expect.poll(() => positionOf(page)).toBe(511);
    await page.getByRole("button", { name: "Play" }).click();
    await expect.poll(() => positionOf(page)).toBeLessThan(10);
    await page.evaluate(() => {
      location.hash = "#none";
    });
    await page.getByRole("heading", { level: 1, name: "Why does position matter?" }).waitFor();
    await page.waitForTimeout(300);
    await page.evaluate(() => {
      location.hash = "#rotary";
    });
    await page.getByRole("button", { name: "Play" }).waitFor();
  });

  test("stops when the page is hidden", async () => {
    const page = await visit();
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.getByRole("button", { name: "Play" }).waitFor();
  });

  test("a step is seen as a turn, unless motion is unwanted", async () => {
    const page = await visit("", { reducedMotion: "no-preference" });
    /** A step, and whether its first picture has the hand still where it was. */
    const begins = () =>
      page.evaluate(async () => {
        const rotary = document.querySelector("ropewalk-rotary") as HTMLElement & {
          updateComplete: Promise<boolean>;
        };
        const dials = rotary.shadowRoot?.querySelector("ropewalk-turns") as typeof rotary;
        const hand = () => dials.shadowRoot?.querySelector(".hand")?.getAttribute("x2");
        const before = hand();
        rotary.shadowRoot?.querySelector<HTMLElement>("#on")?.click();
        await rotary.updateComplete;
        await dials.updateComplete;
        return hand() === before;
      });
    expect(await begins()).toBe(true);
    await page.waitForTimeout(500);
    await expectShown(page, { position: 9 });
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(await begins()).toBe(false);
    await expectShown(page, { position: 10 });
  });
});

describe.each([
  [1440, "light"],
  [1440, "dark"],
  [390, "light"],
  [390, "dark"],
] as const)("%i px, %s", (width, colorScheme) => {
  test("is accessible, and never wider than the window", async () => {
    const page = await visit("", { viewport: { width, height: 844 }, colorScheme });
    for (const headDim of ["16", "64"]) {
      await radio(page, "Components of a head, head_dim", headDim).check();
      await allDrawn(page);
      expect(await violations(page)).toEqual([]);
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
    }
    if (width > 480) return;
    // The slider stays within reach of the thumb, whatever is looked at.
    await page.locator(".dials.pushed").scrollIntoViewIfNeeded();
    const box = await slider(page).boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(844);
    expect(box?.width).toBeGreaterThan(300);
  });
});
