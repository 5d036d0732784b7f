// A finger: it drags what is there to be dragged, and what it swipes over while it scrolls stays as it was.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { visitor } from "./visitor.js";

const site = visitor();
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

type Point = readonly [x: number, y: number];

/** From one place to another, as a finger goes. */
async function swipe(page: Page, [x0, y0]: Point, [x1, y1]: Point): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const send = (type: "touchStart" | "touchMove" | "touchEnd", touchPoints: { x: number; y: number }[]) =>
    session.send("Input.dispatchTouchEvent", { type, touchPoints });
  await send("touchStart", [{ x: x0, y: y0 }]);
  const steps = 12;
  for (let i = 1; i <= steps; ++i)
    await send("touchMove", [{ x: x0 + ((x1 - x0) * i) / steps, y: y0 + ((y1 - y0) * i) / steps }]);
  await send("touchEnd", []);
  await session.detach();
}

/** Of an element that is brought to the middle of the page: a place within it, in parts of its size. */
async function within(page: Page, selector: string, x = 0.5, y = 0.5): Promise<Point> {
  const found = page.locator(selector).first();
  await found.evaluate((element) => element.scrollIntoView({ block: "center", behavior: "instant" }));
  const box = (await found.boundingBox()) as { x: number; y: number; width: number; height: number };
  return [box.x + x * box.width, box.y + y * box.height];
}

const property = (page: Page, element: string, name: string) =>
  page.locator(element).evaluate((one, name) => Reflect.get(one, name), name);

const scrolled = (page: Page) => page.evaluate(() => Math.round(scrollY));

test("a word is dragged past its neighbours, and the page stays where it is", async () => {
  const page = await site.visit("#none", phone);
  const chips = page.locator("ropewalk-reorder button[data-token]");
  await chips.first().waitFor();
  /** Tokens, by their places from the top. */
  const order = () =>
    chips.evaluateAll((all) =>
      all
        .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
        .map((chip) => Number((chip as HTMLElement).dataset.token)),
    );
  expect((await order()).indexOf(3)).toBe(3);
  const from = await within(page, "ropewalk-reorder button[data-token='3']");
  const at = await scrolled(page);
  await swipe(page, from, [from[0], from[1] + 90]);
  await expect.poll(async () => (await order()).indexOf(3)).toBeGreaterThan(4);
  expect(await scrolled(page)).toBe(at);
});

test.each([
  ["rotary", "ropewalk-walk .strip.near", "ropewalk-rotary", "position"],
  ["binary", "ropewalk-planes .plot", "ropewalk-binary", "position"],
  ["sinusoidal", "ropewalk-planes .plot", "ropewalk-sinusoidal", "position"],
  ["bands", "ropewalk-bands-distance .picture", "ropewalk-bands", "distance"],
])("in %s a finger draws along, taps, and scrolls over", async (id, selector, element, name) => {
  const page = await site.visit(`#${id}`, phone);
  await page.locator(selector).first().waitFor();
  const value = () => property(page, element, name);
  const before = await value();

  const from = await within(page, selector, 0.4);
  const at = await scrolled(page);
  await swipe(page, from, [from[0], from[1] - 200]);
  await expect.poll(() => scrolled(page)).toBeGreaterThan(at);
  expect(await value()).toBe(before);

  const start = await within(page, selector, 0.1);
  await swipe(page, start, [start[0] + 150, start[1] + 4]);
  await expect.poll(value).not.toBe(before);
  const drawn = await value();

  // A tap at once after a swipe is taken for a part of it.
  await page.waitForTimeout(600);
  const tap = await within(page, selector, 0.15);
  await page.touchscreen.tap(...tap);
  await expect.poll(value).not.toBe(drawn);
});

test("a dial is cranked, and takes position along", async () => {
  const page = await site.visit("#rotary", phone);
  await page.locator("ropewalk-turns svg").first().waitFor();
  const position = () => property(page, "ropewalk-rotary", "position");
  const before = await position();
  const [x, y] = await within(page, "ropewalk-turns svg", 0.125, 0.25);
  await swipe(page, [x - 20, y - 30], [x + 30, y - 26]);
  await expect.poll(position).not.toBe(before);
});
