// The chapter of binary positions: what it shows is what the engine returns, by pointer, by keyboard and from an address.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { expect, test } from "vitest";
import { BinaryPipeline, type BinarySettings } from "../../web/elements/binary_pipeline.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const pipeline = new BinaryPipeline(await loadRopewalk());
const initial: BinarySettings = { position: 7, other: 15, span: 32 };

async function visit(options: BrowserContextOptions = {}, hash = "#binary"): Promise<Page> {
  const page = await site.visit(hash, options);
  await page.locator("#flips").waitFor();
  return page;
}

const text = async (page: Page, id: string) => (await page.locator(`#${id}`).innerText()).trim();

async function expectShown(page: Page, change: Partial<BinarySettings> = {}): Promise<void> {
  await allDrawn(page);
  const { position, other, span } = { ...initial, ...change };
  const { here, next, there, flips, distance } = pipeline.run({ position, other, span });
  expect(await text(page, "flips")).toBe(String(flips.next));
  expect(Number(await text(page, "next"))).toBeCloseTo(distance.next, 3);
  expect(Number(await text(page, "other-distance"))).toBeCloseTo(distance.there, 3);
  expect(await page.locator("output[for=position]").innerText()).toBe(position.toLocaleString("en"));
  expect(await page.locator("output[for=other]").innerText()).toBe(other.toLocaleString("en"));
  const columns = await page
    .locator("ropewalk-planes")
    .first()
    .locator(".cells")
    .evaluateAll((all) =>
      all.map((column) => {
        const cells = [...column.querySelectorAll("text")].slice(1);
        return cells.map((cell) => ({
          digit: Number(cell.textContent),
          strong: cell.classList.contains("strong"),
        }));
      }),
    );
  const against = (own: Float32Array, other: Float32Array) =>
    Array.from(own, (digit, plane) => ({ digit, strong: digit !== other[plane] }));
  expect(columns).toEqual([against(here, next), against(next, here), against(there, here)]);
}

test("shows the digits of a position and of the next, what flips, and how far that is", async () => {
  const page = await visit();
  await expectShown(page);
  await page.locator("#position").fill("2047");
  await page.locator("#other").fill("4095");
  await expectShown(page, { position: 2047, other: 4095 });
  expect(await text(page, "flips")).toBe("12");
  await page.getByText("2,048 steps, 1 digit: nearer than the neighbour").waitFor();
});

test("goes to steps that carry, each with a stranger nearer than the neighbour", async () => {
  const page = await visit();
  for (const position of [1023, 2047, 127, 7]) {
    const name = `${position.toLocaleString("en")} → ${(position + 1).toLocaleString("en")}`;
    await page.getByRole("button", { name, exact: true }).click();
    await expectShown(page, { position, other: 2 * position + 1 });
    expect(Number(await text(page, "other-distance"))).toBeLessThan(Number(await text(page, "next")));
  }
});

test("works by keyboard alone: steps, the second position, the stretch that is seen", async () => {
  const page = await visit();
  await page.locator("#position").focus();
  await page.keyboard.press("ArrowRight");
  await expectShown(page, { position: 8 });
  expect(await page.locator("#position").getAttribute("aria-valuetext")).toBe("position 8, in binary 1000");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expectShown(page, { position: 9 });
  await page.locator("#other").focus();
  await page.keyboard.press("Home");
  await expectShown(page, { position: 9, other: 0 });
  await page.getByRole("radio", { name: "32", exact: true }).focus();
  await page.keyboard.press("ArrowRight");
  await expectShown(page, { position: 9, other: 0, span: 128 });
  expect(await page.getByRole("radio", { name: "128", exact: true }).isChecked()).toBe(true);
});

test("draws the position along the picture, and with Shift the stranger", async () => {
  const page = await visit();
  const plot = page.locator("ropewalk-planes").first().locator(".plot");
  const { x, y, width } = (await plot.boundingBox()) as { x: number; y: number; width: number };
  const at = (position: number) => x + ((position + 0.5) / 32) * width;
  await page.mouse.move(at(3), y + 40);
  await page.mouse.down();
  await page.mouse.move(at(20), y + 60);
  await page.mouse.up();
  await page.mouse.move(at(30), y + 60);
  await expectShown(page, { position: 20 });
  await page.keyboard.down("Shift");
  await page.mouse.click(at(31), y + 40);
  await page.keyboard.up("Shift");
  await expectShown(page, { position: 20, other: 31 });
});

test("draws each digit where it stands, pale for 0 and dark for 1, and each distance as long as it is", async () => {
  const page = await visit();
  const { strip, distances } = pipeline.run(initial);
  const seen = await page
    .locator("ropewalk-planes")
    .first()
    .locator("canvas")
    .evaluate((canvas, strands) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const context = (canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D;
      const { data } = context.getImageData(0, 0, width, height);
      return Array.from({ length: 32 * strands }, (_, at) => {
        const x = Math.floor(((Math.floor(at / strands) + 0.5) / 32) * width);
        const y = Math.floor((((at % strands) + 0.5) / strands) * height);
        return (data[4 * (y * width + x)] as number) < 128 ? 1 : 0;
      });
    }, strip.strands);
  expect(seen).toEqual([...strip.values]);
  const path = (await page.locator("ropewalk-planes .bars").first().getAttribute("d")) as string;
  const heights = [...path.matchAll(/v-([\d.]+)/g)].map(([, height]) => Number(height));
  expect(heights).toHaveLength(distances.length);
  heights.forEach((height, i) => {
    expect(height / (heights[0] as number)).toBeCloseTo(
      (distances[i] as number) / (distances[0] as number),
      1,
    );
  });
});

test("keeps its state in the address, and takes it from there", async () => {
  const page = await visit();
  await page.locator("#position").fill("511");
  await page.getByRole("radio", { name: "512", exact: true }).check();
  await expect.poll(() => new URL(page.url()).hash).toBe("#binary?v=1&position=511&span=512");
  const other = await visit({}, "#binary?v=1&position=511&span=512&other=99999");
  await expectShown(other, { position: 511, span: 512 });
});

test("has the digits as a table", async () => {
  const page = await visit();
  const { here, next, there } = pipeline.run(initial);
  await expect
    .poll(() => page.locator("ropewalk-planes").first().locator("tbody td").allInnerTexts())
    .toEqual(Array.from(here, (digit, plane) => [digit, next[plane], there[plane]].map(String)).flat());
});

test.each(["light", "dark"] as const)("has no violations that axe finds, %s", async (colorScheme) => {
  const page = await visit({ colorScheme });
  expect(await violations(page)).toEqual([]);
});

test("fits a phone, and is moved by a finger", async () => {
  const page = await visit({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await page.getByRole("button", { name: "+1, Position", exact: true }).tap();
  await expectShown(page, { position: 8 });
  const plot = page.locator("ropewalk-planes").first().locator(".plot");
  const { width } = (await plot.boundingBox()) as { width: number };
  await plot.tap({ position: { x: (21.5 / 32) * width, y: 50 } });
  await expectShown(page, { position: 21 });
});
