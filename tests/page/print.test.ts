// A chapter on paper: as wide as a sheet, in ink on white, and afterwards as it was.
import { expect, test } from "vitest";
import { visitor } from "./visitor.js";

const site = visitor();

/** Of A4 within its margins, in CSS pixels. */
const sheet = 718;

test("a chapter is drawn anew for paper, and for the screen afterwards", async () => {
  const page = await site.visit("#rotary", {
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
  });
  const walk = page.locator("ropewalk-walk canvas").first();
  await walk.waitFor();
  const look = () =>
    page.evaluate(() => {
      const canvas = document
        .querySelector("ropewalk-rotary")
        ?.shadowRoot?.querySelector("ropewalk-walk")
        ?.shadowRoot?.querySelector("canvas") as HTMLCanvasElement;
      const turns = document
        .querySelector("ropewalk-rotary")
        ?.shadowRoot?.querySelector("ropewalk-turns svg");
      return {
        width: canvas.offsetWidth,
        right: Math.max(turns?.getBoundingClientRect().right ?? 0, canvas.getBoundingClientRect().right),
        color: getComputedStyle(document.querySelector("h1") as Element).color,
      };
    });
  const before = await look();
  expect(before.width).toBeGreaterThan(sheet);
  expect(before.color).toBe("rgb(232, 230, 224)");
  await page.evaluate(() =>
    addEventListener("beforeprint", async () => {
      // Pictures draw when all that was to be told is told.
      await Promise.resolve().then(() => {});
      const canvas = document
        .querySelector("ropewalk-rotary")
        ?.shadowRoot?.querySelector("ropewalk-walk")
        ?.shadowRoot?.querySelector("canvas");
      document.documentElement.dataset.printed = `${canvas?.offsetWidth}`;
    }),
  );
  const paper = await page.pdf({ format: "A4" });
  expect(paper.length).toBeGreaterThan(10_000);
  expect(Number(await page.locator("html").getAttribute("data-printed"))).toBeGreaterThan(500);
  expect(Number(await page.locator("html").getAttribute("data-printed"))).toBeLessThan(sheet);
  await expect.poll(look).toEqual(before);

  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  const printed = await look();
  expect(printed.right).toBeLessThan(sheet);
  expect(printed.color).toBe("rgb(34, 37, 43)");
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await expect.poll(look).toEqual(before);
});

test("what was never in view is on paper too", async () => {
  const page = await site.visit("#latent");
  await page.locator("ropewalk-latent #difference").waitFor();
  const begun = page.locator("ropewalk-cost ropewalk-cost-chart svg");
  expect(await begun.count()).toBe(0);
  // Read when the browser is about to lay out the sheets: nothing that comes later is on them.
  await page.evaluate(() =>
    matchMedia("print").addEventListener("change", ({ matches }) => {
      const { shadowRoot } = document.querySelector("ropewalk-cost") as Element;
      if (matches) document.documentElement.dataset.printed = shadowRoot?.textContent ?? "";
    }),
  );
  await page.pdf({ format: "A4" });
  const printed = await page.locator("html").getAttribute("data-printed");
  expect(printed).toContain("What a layer costs as the text grows");
  expect(printed).not.toContain("Starting the engine");
});

test.each([
  ["block", "ropewalk-block", ".flow .move"],
  ["rotary", "ropewalk-rotary", ".control"],
])("in %s, what stays in sight on the screen lies over nothing on paper", async (chapter, element, part) => {
  const page = await site.visit(`#${chapter}`, { viewport: { width: 680, height: 900 } });
  const slider = page.locator(`${element} ${part}`);
  await slider.waitFor();
  const position = () => slider.evaluate((one) => getComputedStyle(one).position);
  expect(await position()).toBe("sticky");
  await page.emulateMedia({ media: "print" });
  expect(await position()).toBe("static");
});
