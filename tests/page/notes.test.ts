import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { axe, visitor } from "./visitor.js";

const site = visitor();

/** A machine that does other things as well takes its time. */
const soon = <T>(get: () => T) => expect.poll(get, { timeout: 20_000 });

const composer = (page: Page) => page.locator("article:not([hidden]) companion-composer");
const listed = (page: Page) =>
  page.locator("article:not([hidden]) companion-note-list .text").allInnerTexts();

/** At a chapter that has come into view. */
async function at(page: Page, hash: string) {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, hash);
  await page.locator(`article#${hash.split("?")[0]}`).waitFor();
}

async function write(page: Page, hash: string, text: string) {
  await at(page, hash);
  await composer(page).getByRole("textbox").fill(text);
  await composer(page).getByRole("button", { name: "Keep" }).click();
}

const newest = (page: Page) =>
  page.evaluate(() => Reflect.get(document.querySelector("ropewalk-latent") as Element, "newest"));

async function bringIn(page: Page, markdown: string) {
  await at(page, "notes");
  const details = page.locator("companion-notes details");
  if (!(await details.evaluate((element) => (element as HTMLDetailsElement).open)))
    await page.getByText("Bring notes in").click();
  await page.locator("companion-notes #paste").fill(markdown);
  await page.getByRole("button", { name: "Add", exact: true }).click();
}

const said = (page: Page) => page.locator("companion-notes .out [role=status]").innerText();

async function download(page: Page) {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download .md" }).click(),
  ]);
  expect(file.suggestedFilename()).toBe("ropewalk-notes.md");
  return readFileSync(await file.path(), "utf8");
}

test("a note is there after a reload, and leads back to the instrument as it was", async () => {
  const page = await site.visit("#latent?v=1&newest=5");
  await soon(() => newest(page)).toBe(5);
  await write(
    page,
    "latent?v=1&newest=5",
    "Five rows are cached.\n\n<img src=x onerror=alert(1)> & [a](javascript:alert(1))",
  );
  await page.goto(site.address("#none"));
  await page.reload();
  await at(page, "notes");
  expect(await listed(page)).toEqual([
    "Five rows are cached.\n\n<img src=x onerror=alert(1)> & [a](javascript:alert(1))",
  ]);
  expect(await page.locator("companion-note-list .text *").count()).toBe(0);
  await page.locator("companion-notes companion-note-list a").click();
  await soon(() => newest(page)).toBe(5);
  expect(new URL(page.url()).hash).toContain("newest=5");
  // The chapter's own time, as no clock was there to tell another.
  expect(await composer(page).locator("a").innerText()).toBe("30:00 · Latent attention · newest 5");
});

test("two tabs see each other's notes, and lose none", async () => {
  const page = await site.visit("#integer");
  const other = await page.context().newPage();
  await other.goto(site.address("#binary"));
  await Promise.all([write(page, "integer", "here"), write(other, "binary", "there")]);
  await Promise.all([at(page, "notes"), at(other, "notes")]);
  for (const tab of [page, other]) await soon(() => listed(tab)).toEqual(["here", "there"]);
  await other.getByRole("button", { name: "Delete" }).first().click();
  await soon(() => listed(page)).toEqual(["there"]);
  await other.getByRole("button", { name: "Undo" }).click();
  await soon(() => listed(page)).toEqual(["here", "there"]);
});

test("a note is changed and deleted, and both are undone, by keys alone", async () => {
  const page = await site.visit("#integer");
  await composer(page).getByRole("textbox").focus();
  await page.keyboard.type("first");
  await page.keyboard.press("Control+Enter");
  expect(await listed(page)).toEqual(["first"]);
  // On from the emptied composer: the note's link, Edit, Delete.
  for (const _ of [1, 2]) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await composer(page).getByRole("textbox", { name: "Text of the note" }).waitFor();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("second");
  await page.keyboard.press("Control+Enter");
  await soon(() => listed(page)).toEqual(["second"]);
  await composer(page).getByRole("button", { name: "Undo" }).focus();
  await page.keyboard.press("Enter");
  await soon(() => listed(page)).toEqual(["first"]);
  // The focus is back at Edit.
  await page.keyboard.press("Enter");
  await page.keyboard.type("not kept");
  await page.keyboard.press("Escape");
  await soon(() => listed(page)).toEqual(["first"]);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await soon(() => listed(page)).toEqual([]);
  await page.keyboard.press("Enter");
  await soon(() => listed(page)).toEqual(["first"]);
});

test("notes go out as Markdown and come back whole, and twice is once", async () => {
  const page = await site.visit("#rotary", { acceptDownloads: true });
  await write(page, "rotary", "* its **length** stays\n  * [x](#rotary)\n\n15:00");
  await write(page, "integer", "drowned");
  await at(page, "notes");
  const markdown = await download(page);
  expect(markdown).toMatch(
    /^\* drowned \[Integer\]\(#integer\?v=1[^)]*\)\n\* 15:00\n\* \* its \*\*length\*\* stays\n {4}\* \[x\]/,
  );
  await bringIn(page, markdown);
  await soon(() => said(page)).toBe("0 notes added, 2 were here already.");
  const before = await listed(page);
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  expect(await listed(page)).toEqual([]);
  await page.getByText("Bring notes in").click();
  await page
    .locator("companion-notes #file")
    .setInputFiles({ name: "n.md", mimeType: "text/markdown", buffer: Buffer.from(markdown) });
  await soon(() => said(page)).toBe("2 notes added.");
  expect(await listed(page)).toEqual(before);
  expect(await download(page)).toBe(markdown);
});

test("the lecture's own notes can be brought in, and stand in their chapters", async () => {
  const page = await site.visit("#notes");
  await bringIn(page, "- 15:00\r\n- nothing is added\r\n- 25:00\r\n  - high indices\r\n");
  await soon(() => said(page)).toBe("2 notes added.");
  expect(await page.locator("companion-notes companion-note-list a").allInnerTexts()).toEqual([
    "15:00 · Rotary",
    "25:00 · Fast and slow",
  ]);
  await bringIn(page, " \n\n");
  await soon(() => said(page)).toBe("There is no note in that.");
  await page.getByRole("combobox", { name: "Chapter" }).selectOption({ label: "Rotary" });
  await soon(() => listed(page)).toEqual(["nothing is added"]);
});

test("notes are copied as Markdown", async () => {
  const page = await site.visit("#integer", { permissions: ["clipboard-read", "clipboard-write"] });
  await write(page, "integer", "drowned");
  await at(page, "notes");
  await page.getByRole("button", { name: "Copy as Markdown" }).click();
  await soon(() => said(page)).toBe("Copied.");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(
    /^\* drowned \[Integer\]\(#integer/,
  );
});

test("what is stored and cannot be read stays, and is told of", async () => {
  const page = await site.visit("#notes");
  await page.evaluate(() => localStorage.setItem("ropewalk-note-v1:x", "{broken"));
  await page.reload();
  await page.getByText("One note in this browser cannot be read here.").waitFor();
  await write(page, "integer", "good");
  expect(await page.evaluate(() => localStorage.getItem("ropewalk-note-v1:x"))).toBe("{broken");
});

test("where the browser keeps nothing, notes work until the page is closed, and it says so", async () => {
  const page = await site.visit("#integer");
  await page.addInitScript(() =>
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("no", "SecurityError");
      },
    }),
  );
  await page.reload();
  await composer(page).getByText("your notes are lost when it is closed").waitFor();
  await write(page, "integer", "fleeting");
  await at(page, "notes");
  expect(await listed(page)).toEqual(["fleeting"]);
});

test("the lecture's notes lead to their chapters and states", async () => {
  const page = await site.visit("#notes");
  const links = page.locator("companion-notes .lecture a");
  const hashes = await links.evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).hash));
  const chapters = await page.locator("article").evaluateAll((all) => all.map(({ id }) => id));
  expect(hashes.length).toBe(7);
  for (const hash of hashes) expect(chapters).toContain(hash.slice(1).split("?")[0]);
  await links.first().click();
  await page.locator("article#rotary").waitFor();
});

describe.each([
  ["wide, light", { colorScheme: "light" }],
  ["wide, dark", { colorScheme: "dark" }],
  ["390 px", { viewport: { width: 390, height: 844 } }],
] as const)("%s", (_, options) => {
  test("axe finds nothing, and nothing is wider than the page", async () => {
    const page = await site.visit("#integer", options);
    await write(page, "integer", "drowned ".repeat(30));
    await write(page, "rotary", "x".repeat(300));
    await composer(page).getByRole("textbox").fill("and more");
    for (const hash of ["rotary", "notes"]) {
      await at(page, hash);
      if (hash === "notes") await page.getByText("Bring notes in").click();
      await page.evaluate(axe);
      const found = await page.evaluate(
        (hash) =>
          // @ts-expect-error axe is there by the injection above.
          globalThis.axe.run(
            [[`#${hash} companion-composer`], [`#${hash} companion-notes`]].filter(([one]) =>
              document.querySelector(one as string),
            ),
          ),
        hash,
      );
      // biome-ignore lint/suspicious/noExplicitAny: likewise.
      expect(found.violations.map(({ id, nodes }: any) => [id, nodes.map(({ html }: any) => html)])).toEqual(
        [],
      );
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
    }
  });
});
