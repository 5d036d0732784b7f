// «Is it so?»: what stands in the margins is what the engine gives, for the eye, the keyboard and a screen reader.
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { type Claim, claims, type Doubt, doubts } from "../../web/elements/doubts.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const engine = await loadRopewalk();

/** The claims that each chapter doubts, in the order of their notes. */
const chapters: Record<string, readonly Claim[]> = {
  none: ["causal"],
  sinusoidal: ["apart"],
  rotary: ["factors", "xpos"],
  block: ["bound"],
  bands: ["cosine", "bands"],
  longer: ["base"],
};

async function visit(address: string, options?: BrowserContextOptions): Promise<Page> {
  const page = await site.visit(`#${address}`, options);
  await page.locator("article:not([hidden]) ropewalk-doubt").first().waitFor();
  return page;
}

/** The note's picture, begun. */
async function begun(page: Page, claim: Claim): Promise<Locator> {
  const doubt = page.locator(`ropewalk-doubt[claim=${claim}]`);
  await doubt.scrollIntoViewIfNeeded();
  await doubt.locator(".chart path.curve").first().waitFor();
  return doubt;
}

/** A value as it is read, of a curve over a span. */
function value({ curves, digits }: Doubt, curve: number, span: number): string {
  const ends = [curves[curve]?.least[span], curves[curve]?.greatest[span]] as [number, number];
  const [low, high] = ends.map((end) => end.toFixed(digits).replace("-", "−"));
  return low === high ? `${low}` : `${low} to ${high}`;
}

/** Where a span is, as it is read. */
function place({ x, spans }: Doubt, span: number): string {
  const { first, last } = spans[span] as { first: number; last: number };
  const [from, to] = [first.toLocaleString("en"), last.toLocaleString("en")];
  return `${x.words} ${from === to ? from : `${from} to ${to}`}`;
}

test("the chapters doubt all claims that there are", () => {
  expect(Object.values(chapters).flat().sort()).toEqual([...claims].sort());
});

describe.each(Object.entries(chapters))("%s", (chapter, doubted) => {
  test("shows figures, curves and tables as the engine gives them here", async () => {
    const page = await visit(chapter);
    const shown = page.locator(`#${chapter} ropewalk-doubt`);
    expect(await shown.evaluateAll((all) => all.map((one) => one.getAttribute("claim")))).toEqual(doubted);
    for (const claim of doubted) {
      const expected = doubts[claim](engine);
      const doubt = await begun(page, claim);
      expect(await doubt.locator("h3").innerText()).toBe(expected.title);
      expect(await doubt.locator("li b").allInnerTexts()).toEqual(expected.marks.map(({ figure }) => figure));
      expect(await doubt.locator("li b + span").allInnerTexts()).toEqual(
        expected.marks.map(({ words }) => words),
      );
      const rows = await doubt
        .locator("tbody tr")
        .evaluateAll((all) => all.map((row) => [...row.children].map(({ textContent }) => textContent)));
      expect(rows).toEqual(
        expected.spans.map((_, span) => [
          place(expected, span),
          ...expected.curves.map((_, curve) => value(expected, curve, span)),
        ]),
      );
      expect(await doubt.locator("circle").count()).toBe(expected.marks.length);
    }
  });

  test("has nothing for axe to report, wide and narrow, light and dark", async () => {
    for (const [width, colorScheme] of [
      [1600, "light"],
      [390, "dark"],
    ] as const) {
      const page = await visit(chapter, { viewport: { width, height: 900 }, colorScheme });
      for (const claim of doubted) await begun(page, claim);
      expect(await violations(page, `#${chapter} aside`)).toEqual([]);
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
    }
  });
});

test("a mark stands on its curve, and the curve at its value", async () => {
  const page = await visit("rotary");
  const doubt = await begun(page, "factors");
  const at = (name: string) =>
    doubt.locator("circle").evaluateAll((all, of) => all.map((one) => Number(one.getAttribute(of))), name);
  const [x, y] = [await at("cx"), await at("cy")];
  // Ticks of the y axis say where 1 and 1.4 are.
  const ticks = await doubt
    .locator("g.y .tick")
    .evaluateAll((all) =>
      all.map((one) => Number(/,([\d.]+)\)/.exec(one.getAttribute("transform") ?? "")?.[1])),
    );
  const [one, , more] = ticks as [number, number, number];
  const { marks } = doubts.factors(engine);
  marks.forEach((mark, i) => {
    const height = one + ((mark.y - 1) / 0.4) * (more - one);
    expect(Math.abs((y[i] as number) - height)).toBeLessThan(1);
  });
  const points = await doubt
    .locator(".chart path.curve")
    .evaluateAll((all) =>
      all.map((path) =>
        [...(path.getAttribute("d") ?? "").matchAll(/[ML]([\d.]+),([\d.]+)/g)].map((hit) =>
          hit.slice(1).map(Number),
        ),
      ),
    );
  const drawn = points.flat() as [number, number][];
  for (const [i] of marks.entries())
    expect(drawn.some(([px, py]) => Math.hypot(px - (x[i] as number), py - (y[i] as number)) < 0.1)).toBe(
      true,
    );
});

test("is walked along by keys alone, and says where one is", async () => {
  const page = await visit("bands");
  const doubt = await begun(page, "cosine");
  const expected = doubts.cosine(engine);
  const chart = doubt.getByRole("group");
  const readout = async () => (await doubt.locator(".readout").innerText()).trim();
  const of = (span: number) => `${place(expected, span)}: ${value(expected, 0, span)}`;
  expect(await readout()).toMatch(/arrow keys/);
  await page.locator("#bands aside a").first().focus();
  while (!(await chart.evaluate((one) => (one.getRootNode() as ShadowRoot).activeElement === one)))
    await page.keyboard.press("Tab");
  expect(await readout()).toBe(of(0));
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("Home");
  for (let step = 0; step < 11; ++step) await page.keyboard.press("ArrowRight");
  await allDrawn(page);
  expect(await readout()).toBe(of(11));
  expect(of(11)).toBe("distance 12: 0.6622");
  expect(await doubt.getByRole("status").innerText()).toBe(of(11));
  await page.keyboard.press("End");
  await allDrawn(page);
  expect(await readout()).toBe(of(expected.spans.length - 1));
});

test("is pointed at, and reads the curves where the pointer is", async () => {
  const page = await visit("longer");
  const doubt = await begun(page, "base");
  const expected = doubts.base(engine);
  const circle = await doubt.locator("circle").first().boundingBox();
  if (circle === null) throw new Error("The mark is not drawn.");
  await page.mouse.move(circle.x + circle.width / 2, circle.y + 20);
  await allDrawn(page);
  const span = expected.spans.findIndex(({ last }) => last >= 1707);
  expect((await doubt.locator(".readout").innerText()).trim()).toBe(
    `${place(expected, span)}: base 10,000 ${value(expected, 0, span)}; base 500,000 ${value(expected, 1, span)}`,
  );
});

test("no address changes what is doubted", async () => {
  const page = await visit("bands?v=1&claim=base&head-dim=32");
  const all = page.locator("#bands ropewalk-doubt");
  for (const [i, claim] of (chapters.bands as readonly Claim[]).entries()) {
    await begun(page, claim);
    expect(await all.nth(i).evaluate((one) => Reflect.get(one, "claim"))).toBe(claim);
    expect(await all.nth(i).locator("h3").innerText()).toBe(doubts[claim](engine).title);
  }
});
