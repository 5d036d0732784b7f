// Chapter 0: words are put into another order, and what is shown is what the engine returns.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { OrderPipeline, type OrderSettings } from "../../web/elements/order_pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";
import { lecture } from "../elements/lecture.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const pipeline = new OrderPipeline(await loadRopewalk());
const { tokens } = lecture;
const written = tokens.map((_, i) => i);
const settings: OrderSettings = {
  tokens,
  order: written,
  encoding: "none",
  seed: 7,
  causal: false,
  query: 8,
};

async function visit(state = "", options: BrowserContextOptions = {}): Promise<Page> {
  const page = await site.visit(`#none${state === "" ? "" : `?v=1&${state}`}`, options);
  await page.locator("#change").waitFor();
  await page.locator("ropewalk-reorder tbody tr").first().waitFor({ state: "attached" });
  return page;
}

const shown = (value: number) => {
  if (value === 0) return "0";
  return value < 1e-3 ? value.toExponential(1).replace("-", "−") : value.toFixed(4);
};
const word = (page: Page, token: number) => page.locator(`ropewalk-reorder [data-token="${token}"]`);
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const choose = (page: Page, group: string, name: string) =>
  page.getByRole("radiogroup", { name: group }).getByRole("radio", { name, exact: true }).check();

/** The order in which the words are seen to stand, as their places are said. */
async function orderSeen(page: Page): Promise<number[]> {
  const order: number[] = [];
  for (const one of await page.locator("ropewalk-reorder button").all()) {
    const place = /place (\d+) of/.exec((await one.textContent()) ?? "")?.[1];
    order[Number(place) - 1] = Number(await one.getAttribute("data-token"));
  }
  return order;
}

/** The order in which they stand on the screen, from left to right or from top to bottom. */
async function orderDrawn(page: Page, along: "x" | "y" = "x"): Promise<number[]> {
  const boxes = await Promise.all(written.map((token) => word(page, token).boundingBox()));
  return [...written].sort((a, b) => (boxes[a]?.[along] as number) - (boxes[b]?.[along] as number));
}

async function expectShown(page: Page, change: Partial<OrderSettings>): Promise<void> {
  const given = { ...settings, ...change };
  const results = pipeline.run(given);
  const n = given.tokens.length;
  await allDrawn(page);
  expect(await page.locator("#change").innerText()).toBe(shown(results.change));
  expect(await page.locator("#query-change").innerText()).toBe(shown(results.queryChange));
  expect(await orderSeen(page)).toEqual(given.order);
  const cells = () =>
    page
      .locator("ropewalk-reorder tbody tr")
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
  const row = (weights: Float32Array, token: number) =>
    (weights[given.query * n + token] as number).toFixed(6);
  await expect
    .poll(cells)
    .toEqual(
      given.order.map((token) => [given.tokens[token], row(results.before, token), row(results.now, token)]),
    );
}

/** An order in which a token has been taken out and put into another place. */
function moved(order: readonly number[], token: number, place: number): number[] {
  const rest = order.filter((other) => other !== token);
  return [...rest.slice(0, place), token, ...rest.slice(place)];
}

test("sets out as written: a bag of words, and nothing has changed", async () => {
  const page = await visit();
  await expectShown(page, {});
  expect(await orderDrawn(page)).toEqual(written);
  expect(await button(page, "As written").isDisabled()).toBe(true);
});

test("a word is dragged past others, and every weight goes along", async () => {
  const page = await visit();
  const drag = async (token: number, onto: number) => {
    const [from, to] = await Promise.all([word(page, token).boundingBox(), word(page, onto).boundingBox()]);
    if (from === null || to === null) throw new Error("not there");
    await page.mouse.move(from.x + from.width / 2, from.y + 10);
    await page.mouse.down();
    const steps = 12;
    for (let i = 1; i <= steps; ++i) {
      const part = i / steps;
      await page.mouse.move(
        from.x + from.width / 2 + (to.x + to.width / 2 - from.x - from.width / 2) * part,
        from.y + 10,
      );
    }
    await page.mouse.up();
  };
  await drag(3, 9);
  const order = await orderSeen(page);
  expect(order.indexOf(3)).toBeGreaterThan(order.indexOf(8));
  await expectShown(page, { order });
  await expect.poll(() => orderDrawn(page)).toEqual(order);
  expect(Number((await page.locator("#change").innerText()).replace("−", "-"))).toBeLessThan(2e-7);
  // What was dragged has not been chosen.
  expect(await word(page, 8).getAttribute("aria-pressed")).toBe("true");
  await drag(8, 0);
  await expectShown(page, { order: await orderSeen(page) });
  await button(page, "As written").click();
  await expectShown(page, {});
  await expect.poll(() => orderDrawn(page)).toEqual(written);
});

test("a finger drags as well, on a phone where words stand below one another", async () => {
  const page = await visit("", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await word(page, 3).scrollIntoViewIfNeeded();
  const box = await word(page, 3).boundingBox();
  if (box === null) throw new Error("not there");
  const client = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", down: number) =>
    client.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: type === "touchEnd" ? [] : [{ x: box.x + 30, y: box.y + 15 + down }],
    });
  await touch("touchStart", 0);
  for (let down = 6; down <= 78; down += 6) await touch("touchMove", down);
  await touch("touchEnd", 78);
  const order = moved(written, 3, 5);
  await expectShown(page, { order });
  await expect.poll(() => orderDrawn(page, "y")).toEqual(order);
});

test("without dragging: a word is chosen, and swapped by buttons", async () => {
  const page = await visit();
  await word(page, 3).click();
  await expectShown(page, { query: 3 });
  await button(page, "swap →").click();
  await button(page, "swap →").click();
  await expectShown(page, { query: 3, order: moved(written, 3, 5) });
  await button(page, "← swap").click();
  await expectShown(page, { query: 3, order: moved(written, 3, 4) });
  for (let i = 0; i < 4; ++i) await button(page, "← swap").click();
  expect(await button(page, "← swap").isDisabled()).toBe(true);
  await expectShown(page, { query: 3, order: moved(written, 3, 0) });
  for (const name of ["← swap", "swap →", "As written"])
    expect((await button(page, name).boundingBox())?.height).toBeGreaterThanOrEqual(24);
});

test("by keyboard alone: along the words, move one, look from another", async () => {
  const page = await visit();
  // Chapter, then the words: Tab comes to the query.
  for (let i = 0; i < 40; ++i) {
    await page.keyboard.press("Tab");
    if (await word(page, 8).evaluate((node) => node.matches(":focus"))) break;
  }
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Shift+ArrowLeft");
  let order = moved(written, 6, 5);
  await expectShown(page, { order });
  expect(await page.locator("ropewalk-reorder [role=status]").innerText()).toBe("«.» is in place 6 of 12");
  expect(await word(page, 6).evaluate((node) => node.matches(":focus"))).toBe(true);
  // Arrow keys go by place, not by how the words were written.
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await expectShown(page, { order, query: 5 });
  await page.keyboard.press("End");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Shift+ArrowLeft");
  order = moved(order, 11, 10);
  await expectShown(page, { order, query: 5 });
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expectShown(page, { query: 5 });
});

test("rotary positions, or a causal mask alone, make the order count", async () => {
  const page = await visit("order=0-2,8,4-7,3,9-11");
  const order = [0, 1, 2, 8, 4, 5, 6, 7, 3, 9, 10, 11];
  await expectShown(page, { order });
  expect(await page.locator("#change ~ .note").innerText()).toContain("bag of words");
  await choose(page, "Positions", "rotary");
  await expectShown(page, { order, encoding: "rotary" });
  expect(Number(await page.locator("#change").innerText())).toBeGreaterThan(0.01);
  expect(await page.locator("#change ~ .note").innerText()).toBe("now the order counts");
  await page.locator("ropewalk-rope canvas.near").waitFor();
  await choose(page, "Positions", "none");
  await choose(page, "Causal mask", "on");
  await expectShown(page, { order, causal: true });
  expect(await page.locator("#change ~ .note").innerText()).toContain("the mask alone");
  expect(await word(page, 9).textContent()).toContain("masked");
});

test("bars and outlines are as long as the weights", async () => {
  const page = await visit("order=0-2,8,4-7,3,9-11&encoding=rotary");
  const { before, now } = pipeline.run({
    ...settings,
    encoding: "rotary",
    order: [0, 1, 2, 8, 4, 5, 6, 7, 3, 9, 10, 11],
  });
  const heights = (selector: string) =>
    page
      .locator(`ropewalk-reorder ${selector}`)
      .evaluateAll((all) => (all as unknown as SVGGraphicsElement[]).map((one) => one.getBBox().height));
  const largest = Math.max(...before.slice(96, 108), ...now.slice(96, 108));
  for (const [selector, weights] of [
    [".bar", now],
    ["path.was", before],
  ] as const) {
    const drawn = await heights(selector);
    expect(drawn).toHaveLength(12);
    for (const [i, height] of drawn.entries())
      expect(Math.abs(height - (64 * (weights[96 + i] as number)) / largest)).toBeLessThan(0.2);
  }
});

test("the rope follows the order, and a word chosen there is looked from", async () => {
  const page = await visit("order=0-2,8,4-7,3,9-11");
  const names = await page.locator("ropewalk-rope .tokens button").allInnerTexts();
  expect(names.map((name) => name.trim())[3]).toBe("breakthrough");
  await page.locator('ropewalk-rope [data-token="8"]').click();
  await expectShown(page, { order: [0, 1, 2, 8, 4, 5, 6, 7, 3, 9, 10, 11], query: 3 });
});

test.each([
  ["a shorter one", "the dog bit the man", 4],
  ["another script", "سلام 世界 🧠", 2],
  ["one word", "Zitronen", 0],
  ["more words than are taken", "word ".repeat(40), 8],
])("takes any text: %s", async (_, typed, query) => {
  const page = await visit("order=0-2,8,4-7,3,9-11");
  await page.getByLabel("Your sentence, in any script").fill(typed);
  const tokens = tokenize(typed).tokens.slice(0, 24);
  await expectShown(page, { tokens, order: tokens.map((_, i) => i), query });
});

test("says what to do without a text, and goes on with the lecture’s", async () => {
  const page = await visit();
  await page.getByLabel("Your sentence, in any script").fill("  ");
  await page.getByText("nothing is put into order without words").waitFor();
  await button(page, "The lecture’s sentence").click();
  await expectShown(page, {});
});

test("its whole state is in the address", async () => {
  const page = await visit();
  await word(page, 3).click();
  await button(page, "swap →").click();
  await choose(page, "Positions", "rotary");
  await choose(page, "Causal mask", "on");
  await expect
    .poll(() => page.evaluate(() => decodeURIComponent(location.hash)))
    .toBe("#none?v=1&order=0-2,4,3,5-11&causal=yes&encoding=rotary&query=3");
});

test("an address sets all of it, and nonsense there is as nothing", async () => {
  const again = await visit("order=0-2,4,3,5-11&causal=yes&encoding=rotary&query=3&seed=9");
  await expectShown(again, {
    order: moved(written, 3, 4),
    causal: true,
    encoding: "rotary",
    query: 3,
    seed: 9,
  });
  const nonsense = await visit("order=3,1,2&causal=perhaps&encoding=binary&query=99&seed=-1");
  await expectShown(nonsense, {});
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([1600, 390])("has no violations at %i px, and no sideways scroll", async (width) => {
    const page = await visit("order=0-2,8,4-7,3,9-11&encoding=rotary", {
      colorScheme,
      viewport: { width, height: 900 },
    });
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  });
});

test("under reduced motion words are at once where they stand", async () => {
  const page = await visit("", { reducedMotion: "reduce" });
  await button(page, "← swap").click();
  await allDrawn(page);
  expect(await orderDrawn(page)).toEqual(moved(written, 8, 7));
});
