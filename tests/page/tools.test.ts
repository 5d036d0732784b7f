// What can be taken along from an instrument: its link, a frame of it alone, its pictures, its tables.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { allDrawn, visitor } from "./visitor.js";

const site = visitor();

async function visit(hash: string, begun: string): Promise<Page> {
  const page = await site.visit(hash);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator(begun).first().waitFor();
  return page;
}

const shown = "article:not([hidden])";

async function open(page: Page): Promise<void> {
  await page.locator(`${shown} companion-tools summary`).first().click();
  await page.locator(`${shown} companion-tools li`).first().waitFor();
}

async function saved(page: Page, name: RegExp): Promise<Buffer> {
  const button = page.locator(`${shown} companion-tools`).getByRole("button", { name }).first();
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  expect(download.suggestedFilename()).toMatch(/^ropewalk-[\p{L}\p{N}-]+\.(svg|png|csv)$/u);
  return readFileSync(await download.path());
}

const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText());

describe.each(["light", "dark"] as const)("a picture, %s", (colorScheme) => {
  test("is saved as an SVG that needs nothing else, in the colours that it has", async () => {
    const page = await visit("#binary", "ropewalk-planes");
    await page.emulateMedia({ colorScheme });
    await allDrawn(page);
    await open(page);
    const svg = (await saved(page, /^SVG of The rope/)).toString();
    const { name, texts, images, paper } = await page.evaluate((source) => {
      const { documentElement } = new DOMParser().parseFromString(source, "image/svg+xml");
      return {
        name: documentElement.localName,
        texts: [...documentElement.querySelectorAll("text")].map((text) => text.textContent),
        images: [...documentElement.querySelectorAll("image")].map((image) => image.getAttribute("href")),
        paper: documentElement.querySelector("rect")?.getAttribute("fill"),
      };
    }, svg);
    expect(name).toBe("svg");
    expect(texts.join(" ")).toContain("2,048");
    expect(paper).toBe(colorScheme === "light" ? "#ffffff" : "#1b1e23");
    for (const image of images) expect(image).toMatch(/^data:image\/png;base64,/);
    expect(svg).not.toMatch(/<script|class=|var\(|light-dark|url\(https?:/);
  });
});

test("is saved as a PNG of twice its size, with something on it", async () => {
  const page = await visit("#binary", "ropewalk-planes");
  await open(page);
  const png = await saved(page, /^PNG of The rope/);
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  const box = await page.locator("ropewalk-planes").first().boundingBox();
  expect(Math.abs(png.readUInt32BE(16) - 2 * (box?.width ?? 0))).toBeLessThanOrEqual(2);
  const inks = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
    context.drawImage(image, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
    return new Set(pixels).size;
  }, png.toString("base64"));
  expect(inks).toBeGreaterThan(10);
});

test("a table is saved as CSV, cell by cell", async () => {
  const page = await visit("#latent", "#difference");
  await page.locator("ropewalk-latent-flow table").waitFor({ state: "attached" });
  await page.waitForTimeout(400);
  await open(page);
  const csv = (await saved(page, /^CSV of Weights/)).toString();
  const rows = await page
    .locator("ropewalk-latent-flow table")
    .evaluate((table) =>
      [...(table as HTMLTableElement).rows].map((row) => [...row.cells].map((cell) => cell.innerText)),
    );
  expect(csv.startsWith("\ufeff")).toBe(true);
  expect(
    csv
      .slice(1)
      .split("\r\n")
      .map((line) => line.split(",")),
  ).toEqual(rows);
});

test("the link leads to the very state that is shown", async () => {
  const page = await visit("#binary?v=1&position=511", "#position");
  await page.locator(`${shown} companion-tools`).getByRole("button", { name: "Copy link" }).click();
  await page.getByText("The link is copied.").waitFor();
  expect(await clipboard(page)).toBe(site.address("#binary?v=1&position=511"));
});

test("the frame, pasted into a page of another site's kind, shows the instrument as it was", async () => {
  const page = await visit("#binary?v=1&position=511", "#position");
  await page.locator(`${shown} companion-tools`).getByRole("button", { name: "Copy embed" }).click();
  await page.getByText("The frame is copied").waitFor();
  const markup = await clipboard(page);
  expect(markup).toMatch(/^<iframe [^>]*title="Binary: digits instead"[^>]*><\/iframe>$/);
  // Another origin, and of this machine: a browser asks before it lets the world's pages frame those.
  const course = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end(`<!doctype html><title>A course</title>${markup}`),
  );
  await new Promise<void>((done) => course.listen(0, "127.0.0.1", done));
  const host = await site.newPage();
  await host.goto(`http://127.0.0.1:${(course.address() as AddressInfo).port}`);
  const within = host.frameLocator("iframe");
  await within.locator("#position").waitFor();
  expect(await within.locator("#position").inputValue()).toBe("511");
  expect(await within.locator("nav").count()).toBe(0);
  await host.close();
  course.close();
});

test("a frame that asks for what there is not says what there is", async () => {
  const page = await site.visit("embed.html#nothing");
  await page.getByText("There is no instrument «nothing». There are: absorption, ").waitFor();
  await page.goto(site.address("embed.html#constructor"));
  await page.getByText("There is no instrument «constructor»").waitFor();
});
