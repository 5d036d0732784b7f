// The page around the instruments: its policy, its lane, its addresses, and what is left of it without scripts.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { contentSecurityPolicy } from "../../vite.config.js";
import { allDrawn, visitor } from "./visitor.js";

const site = visitor();

const knots = [
  "none",
  "integer",
  "binary",
  "sinusoidal",
  "rotary",
  "block",
  "bands",
  "longer",
  "latent",
  "notes",
];
const block = "#block";

async function visit(hash = block) {
  const page = await site.visit(hash);
  await page.locator("#block #change").waitFor();
  return page;
}

test("is served under the strict policy, to the letter", async () => {
  const response = await fetch(site.address());
  expect(response.headers.get("content-security-policy")).toBe(contentSecurityPolicy);
  expect(contentSecurityPolicy).toBe(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; " +
      "media-src 'self' blob:; frame-src https://www.youtube-nocookie.com; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors *",
  );
  expect(await response.text()).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=/);
});

test("the policy is in force, and a breach of it would be heard", async () => {
  const page = await visit();
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.ran = true";
    document.head.append(script);
  });
  await allDrawn(page);
  expect(await page.evaluate(() => "ran" in globalThis)).toBe(false);
  expect(site.heard()).toMatch(/script-src/);
});

describe("the lane", () => {
  test("is one line on a phone, with the present knot in view", async () => {
    const page = await site.visit("#latent", { viewport: { width: 390, height: 800 } });
    const knot = page.locator(".lane [aria-current=page]");
    await knot.waitFor();
    const { left, right } = await knot.evaluate((link) => link.getBoundingClientRect());
    expect(left).toBeGreaterThan(0);
    expect(right).toBeLessThan(390);
  });

  test("leads to every chapter, one shown at a time, by keyboard alone", async () => {
    const page = await visit();
    const links = page.locator(".lane ol a");
    expect(await links.count()).toBe(knots.length);
    await links.first().focus();
    for (const id of knots) {
      await page.keyboard.press("Enter");
      await page.waitForFunction((id) => location.hash.startsWith(`#${id}`), id);
      expect(await page.locator("article:not([hidden])").getAttribute("id")).toBe(id);
      expect(await page.locator(".lane [aria-current=page]").getAttribute("href")).toBe(`#${id}`);
      const title = await page.locator(`#${id} h1`).innerText();
      expect(await page.title()).toContain(title);
      // Whoever came by keyboard or screen reader is in the chapter, at its question.
      expect(await page.locator(`#${id} h1`).evaluate((h1) => document.activeElement === h1)).toBe(true);
      const at = knots.indexOf(id);
      if (at + 1 < knots.length) await links.nth(at + 1).focus();
    }
  });

  test("goes on and back by the links below a chapter, and by the browser's own buttons", async () => {
    const page = await visit();
    const shown = () => page.locator("article:not([hidden])").getAttribute("id");
    await page.locator("#block [rel=next]").click();
    await expect.poll(shown).toBe("bands");
    await page.locator("#bands [rel=prev]").click();
    await expect.poll(shown).toBe("block");
    await page.locator("#block [rel=prev]").click();
    await expect.poll(shown).toBe("rotary");
    await page.goBack();
    await expect.poll(shown).toBe("block");
    await page.goBack();
    await expect.poll(shown).toBe("bands");
    await page.goForward();
    await expect.poll(shown).toBe("block");
    expect(await page.locator("#none [rel=prev]").count()).toBe(0);
    expect(await page.locator("#notes [rel=next]").count()).toBe(0);
  });
});

describe("an address", () => {
  const state = {
    text: "turn the «rope» & walk",
    seed: "11",
    encoding: "sinusoidal",
    "position-offset": "1000",
    stage: "scores",
    query: "4",
    key: "1",
    head: "1",
    "n-heads": "2",
    "head-dim": "16",
    layout: "half",
    base: "500",
    causal: "no",
    "far-length": "4096",
  };
  const stated = (page: Awaited<ReturnType<typeof visit>>) =>
    page.locator("ropewalk-block").evaluate((element) => (element as unknown as { state: object }).state);

  test("holds the whole state, which a second visitor gets", async () => {
    const page = await visit();
    await page.locator("ropewalk-block").evaluate((element, state) => {
      (element as unknown as { state: object }).state = state;
    }, state);
    await page.waitForFunction(() => location.hash.includes("far-length=4096"));
    const other = await visit(new URL(page.url()).hash);
    await expect.poll(() => stated(other)).toEqual(state);
    expect(await other.locator("#offset").inputValue()).toBe("1000");
    expect(await other.locator("ropewalk-block #text").inputValue()).toBe(state.text);
  });

  test.each([
    ["values that are not allowed", "#block?v=1&position-offset=-3&n-heads=3&base=x&encoding=%00&query=1e9"],
    ["names that are not there", "#block?v=1&constructor=1&__proto__=2&nonsense=3"],
    ["another version", "#block?v=2&position-offset=40"],
    ["no version", "#block?position-offset=40"],
    ["broken escapes", "#block?v=1&text=%E0%A4%A"],
  ])("survives %s", async (_, hash) => {
    const page = await visit(hash);
    await allDrawn(page);
    expect(await page.locator("#offset").inputValue()).toBe("12");
    expect(await page.locator("#block").isVisible()).toBe(true);
  });

  test("takes what is allowed beside what is not", async () => {
    const page = await visit("#block?v=1&position-offset=40&n-heads=3");
    await expect.poll(() => stated(page)).toEqual({ "position-offset": "40" });
  });

  test("of a chapter that is not there leads to the first", async () => {
    const page = await site.visit("#nowhere?v=1&a=%");
    await page.locator("#none h1").waitFor();
  });

  test("follows what is done, and going back brings the state back", async () => {
    const page = await visit();
    await page.locator("#offset").fill("40");
    await page.waitForFunction(() => location.hash === "#block?v=1&position-offset=40");
    await page.locator("#block [rel=next]").click();
    await page.locator("#bands h1").waitFor();
    await page.goBack();
    await expect.poll(() => page.locator("#offset").inputValue()).toBe("40");
    // Left at once, before the address has said so.
    await page.locator("#offset").fill("70");
    await page.locator("#block [rel=next]").evaluate((link: HTMLElement) => link.click());
    await expect.poll(() => page.locator("#bands").isVisible()).toBe(true);
    await page.goBack();
    await expect.poll(() => page.locator("#offset").inputValue()).toBe("70");
  });
});

test("the text and the seed go along from chapter to chapter, and their changes too", async () => {
  const page = await visit("#block?v=1&text=turn+the+rope&seed=9");
  const of = (element: string) =>
    page.locator(element).evaluate((one) => {
      const { text, seed } = one as unknown as { text: string; seed: number };
      return `${text} ${seed}`;
    });
  await page.locator(".lane a[href='#latent']").click();
  await expect.poll(() => of("ropewalk-latent")).toBe("turn the rope 9");
  // Past a chapter that has no text of its own.
  await page.locator("ropewalk-latent").evaluate((one) => Object.assign(one, { text: "walk", seed: 7 }));
  await page.locator(".lane a[href='#notes']").click();
  await page.locator(".lane a[href='#block']").click();
  await expect.poll(() => of("ropewalk-block")).toBe("walk 7");
});

test("every chapter can be read without scripts", async () => {
  const page = await site.newPage({ javaScriptEnabled: false });
  await page.goto(site.address());
  for (const id of knots) {
    await page.locator(`#${id} h1`).waitFor();
    expect((await page.locator(`#${id} .lead`).innerText()).length).toBeGreaterThan(40);
  }
  expect(await page.locator("#block math").count()).toBeGreaterThan(3);
});

test("says what is wrong when the engine cannot be loaded", async () => {
  const page = await site.newPage();
  await page.route("**/*.wasm", (route) => route.abort());
  await page.goto(site.address(block));
  await page
    .locator("ropewalk-block")
    .getByRole("alert")
    .getByText("The engine could not be started")
    .waitFor();
});

describe.each(knots)("nothing is pushed about while %s loads", (id) => {
  test.each([390, 1440])("at %i px", async (width) => {
    const page = await site.newPage({ viewport: { width, height: 900 } });
    await page.addInitScript(() => {
      let sum = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) sum += entry.value;
        document.documentElement.dataset.shift = String(sum);
      }).observe({ type: "layout-shift", buffered: true });
    });
    // The fonts come late, as over a slow line: text has been seen without them.
    await page.route(/\.woff2$/, async (route) => {
      await new Promise((done) => setTimeout(done, 1500));
      await route.continue();
    });
    await page.goto(site.address(`#${id}`), { waitUntil: "commit" });
    await page
      .locator(`article#${id} ${id === "notes" ? "companion-notes" : ".instrument .panel"}`)
      .first()
      .waitFor();
    await page.waitForFunction(() => document.fonts.check("19px 'Newsreader Variable'"));
    await page.waitForTimeout(500);
    // A font that comes late breaks a line of text elsewhere, and no more.
    expect(Number(await page.locator("html").getAttribute("data-shift"))).toBeLessThan(0.04);
  });
});

test("leads to the reference, where every function of the engine is", async () => {
  const page = await visit();
  await page.getByRole("link", { name: "Reference of the engine" }).click();
  await page.getByRole("link", { name: "Ropewalk", exact: true }).first().click();
  await page.getByRole("heading", { name: "Ropewalk", exact: false }).first().waitFor();
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(await loadRopewalk()));
  expect(methods.length).toBeGreaterThan(40);
  const missing = await page.evaluate(
    (names) => names.filter((name) => document.getElementById(name.toLowerCase()) === null),
    methods.filter((name) => name !== "constructor"),
  );
  expect(missing).toEqual([]);
});
