import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContextOptions, Frame, Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { axe, visitor } from "./visitor.js";

const site = visitor();

/** A machine that does other things as well takes its time. */
const soon = <T>(get: () => T) => expect.poll(get, { timeout: 20_000 });

const follow = (page: Page | Frame) => page.locator("companion-follow");
const chapter = (page: Page | Frame) => page.locator("article:not([hidden])").getAttribute("id");
const time = (page: Page | Frame) => follow(page).locator("#time").innerText();
const status = (page: Page | Frame) => follow(page).locator("#status").innerText();

async function open(hash = "", options: BrowserContextOptions = {}) {
  const page = await site.visit(hash, options);
  await page.getByRole("button", { name: "Follow a video or a clock" }).click();
  return page;
}

async function set(page: Page, to: string) {
  await follow(page).getByLabel("Set the time to").fill(to);
  await follow(page).getByRole("button", { name: "Set", exact: true }).click();
}

/** So many seconds of silence, as small as browsers play it. */
function silence(seconds: number): Buffer {
  const rate = 3000;
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + rate * seconds, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(rate * seconds, 40);
  return Buffer.concat([head, Buffer.alloc(rate * seconds, 128)]);
}

describe("a clock", () => {
  test("leads through the chapters, and runs on while they change", async () => {
    const page = await open();
    expect(await time(page)).toBe("0:00");
    await set(page, "14:59");
    expect(await chapter(page)).toBe("none");
    expect(await status(page)).toBe("The lecture’s next note is at 15:00.");
    await follow(page).getByRole("button", { name: "Start" }).click();
    await soon(() => chapter(page)).toBe("rotary");
    expect(new URL(page.url()).hash).toContain("#rotary?v=1&position=12");
    await soon(() => time(page)).toBe("15:02");
    // Whoever holds on to the clock keeps hold of it.
    expect(await page.evaluate(() => document.activeElement?.localName)).toBe("companion-follow");
    await follow(page).getByRole("button", { name: "Pause" }).click();
    await set(page, "nonsense");
    await follow(page).getByText("A time is written 15:00.").waitFor();
    await set(page, "1:15:00");
    expect(await time(page)).toBe("1:15:00");
    expect(await status(page)).toBe("That was the lecture’s last note.");
  });

  test("is not followed by who goes another way, until asked", async () => {
    const page = await open();
    await set(page, "15:00");
    await soon(() => chapter(page)).toBe("rotary");
    await page.locator(".lane").getByRole("link", { name: "Sinusoidal" }).click();
    await soon(() => status(page)).toBe("You went your own way, so following is off.");
    expect(await follow(page).getByRole("checkbox").isChecked()).toBe(false);
    await set(page, "20:00");
    expect(await chapter(page)).toBe("sinusoidal");
    await follow(page).getByRole("button", { name: "Back to the lecture" }).click();
    await soon(() => chapter(page)).toBe("block");
    expect(await follow(page).getByRole("checkbox").isChecked()).toBe(true);
  });

  test("waits for a note to be written, which has the time when that began", async () => {
    const page = await open();
    await set(page, "14:59");
    const text = page.locator("article#none companion-composer").getByRole("textbox");
    await text.fill("a bag of words");
    await set(page, "15:10");
    await soon(() => status(page)).toBe("It waits while your hands are on an instrument or a note.");
    expect(await chapter(page)).toBe("none");
    await page.locator("article#none companion-composer").getByRole("button", { name: "Keep" }).click();
    expect(await page.locator("article#none companion-note-list a").innerText()).toMatch(
      /^14:59 · Why position\?/,
    );
  });

  test("is set by the times in the lane and by the lecture's notes", async () => {
    const page = await site.visit("");
    expect(await page.locator(".lane .stamp").count()).toBe(0);
    await page.getByRole("button", { name: "Follow a video or a clock" }).click();
    await page
      .locator(".lane")
      .getByRole("button", { name: "30:00, play the lecture from there: Latent attention" })
      .click();
    await soon(() => chapter(page)).toBe("latent");
    expect(await time(page)).toBe("30:00");
    await follow(page).getByRole("button", { name: "RoFormer" }).click();
    await soon(() => chapter(page)).toBe("block");
    expect(await time(page)).toBe("20:00");
    expect(await follow(page).locator("[aria-current]").innerText()).toContain("RoFormer");
    await follow(page).getByRole("button", { name: "End" }).click();
    expect(await page.locator(".lane .stamp").count()).toBe(0);
    expect(await page.locator(".lane time").first().isVisible()).toBe(true);
  });

  test("is opened, set, started and ended by keys alone", async () => {
    const page = await site.visit("");
    await page.getByRole("button", { name: "Follow a video or a clock" }).focus();
    await page.keyboard.press("Enter");
    // From the choice of what to follow on to the clock's button, following, and the field of the time.
    for (const _ of [1, 2, 3]) await page.keyboard.press("Tab");
    await page.keyboard.type("25:00");
    await page.keyboard.press("Enter");
    await soon(() => chapter(page)).toBe("bands");
    for (const _ of [1, 2]) await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Space");
    await soon(() => time(page)).toBe("25:01");
    await follow(page).getByRole("button", { name: "End" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Follow a video or a clock" }).waitFor();
    await page.keyboard.press("Enter");
    expect(await time(page)).toBe("0:00");
  });
});

test("a file of the student's is played from where it is", async () => {
  const page = await open();
  await follow(page).getByRole("radio", { name: "File" }).check();
  const file = follow(page).getByLabel("A video on this computer");
  await file.setInputFiles({ name: "a.mp4", mimeType: "video/mp4", buffer: Buffer.from("nothing") });
  await follow(page).getByText("This file is nothing that the browser plays.").waitFor();
  await file.setInputFiles({ name: "a.wav", mimeType: "audio/wav", buffer: silence(1300) });
  const video = follow(page).locator("video");
  await soon(() => video.evaluate((media: HTMLVideoElement) => media.duration)).toBeGreaterThan(1299);
  await follow(page).getByRole("button", { name: "Start" }).click();
  await soon(() => video.evaluate((media: HTMLVideoElement) => media.paused)).toBe(false);
  await video.evaluate((media: HTMLVideoElement) => {
    media.currentTime = 1201;
  });
  await soon(() => chapter(page)).toBe("block");
  await page.locator(".lane .stamp").first().click();
  await soon(() => chapter(page)).toBe("rotary");
  await soon(() =>
    video.evaluate((media: HTMLVideoElement) => Math.floor(media.currentTime)),
  ).toBeGreaterThanOrEqual(900);
  expect(await video.evaluate((media: HTMLVideoElement) => media.currentTime)).toBeLessThan(910);
  expect(await video.evaluate((media: HTMLVideoElement) => media.paused)).toBe(false);
});

test("a video of the host page's is followed when it plays, and set", async () => {
  // The first that this browser sees of the site: nothing is kept for it yet.
  const page = await site.newPage();
  await page.route("**/lecture.wav", (route) =>
    route.fulfill({ body: silence(1300), contentType: "audio/wav" }),
  );
  await page.route("**/host.html", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: '<!doctype html><video controls muted></video><iframe src="./" width="1200" height="800"></iframe>',
    }),
  );
  await page.goto(site.address("host.html"));
  const frame = page.frames()[1] as Frame;
  await frame.getByRole("button", { name: "Follow a video or a clock" }).waitFor();
  const video = page.locator("video");
  await video.evaluate(async (media: HTMLVideoElement) => {
    media.src = URL.createObjectURL(await (await fetch("lecture.wav")).blob());
    await media.play();
    media.currentTime = 901;
  });
  await soon(() => chapter(frame)).toBe("rotary");
  await frame.locator(".lane .stamp").nth(1).click();
  await soon(() => chapter(frame)).toBe("block");
  expect(await video.evaluate((media: HTMLVideoElement) => media.currentTime)).toBeGreaterThanOrEqual(1200);
  await follow(frame).getByRole("button", { name: "Pause" }).click();
  expect(await video.evaluate((media: HTMLVideoElement) => media.paused)).toBe(true);
});

test("a host of another origin tells its time by message, and is asked by message", async () => {
  const page = await site.newPage();
  const host = createServer((_, response) =>
    response.setHeader("Content-Type", "text/html").end(`<!doctype html><script>
        heard = []; addEventListener("message", (event) => heard.push([event.origin, event.data]));
        tell = (data) => frames[0].postMessage(data, "*");
      </script><iframe src="${site.address()}" width="1200" height="800"></iframe>`),
  ).listen(0, "127.0.0.1");
  onTestFinished(() => void host.close());
  await once(host, "listening");
  await page.goto(`http://127.0.0.1:${(host.address() as AddressInfo).port}`);
  const frame = page.frames()[1] as Frame;
  await frame.getByRole("button", { name: "Follow a video or a clock" }).waitFor();
  const tell = (data: unknown) => page.evaluate((data) => Reflect.get(globalThis, "tell")(data), data);
  for (const data of [null, "ropewalk:time", { type: "ropewalk:time" }, { type: "other", time: 900 }])
    await tell(data);
  for (const time of [-1, "900", 1e9, Number.NaN, null]) await tell({ type: "ropewalk:time", time });
  // Said by somebody else than the host.
  await frame.evaluate(() => window.postMessage({ type: "ropewalk:time", time: 1500 }, "*"));
  expect(await frame.locator("#time").count()).toBe(0);
  await tell({ type: "ropewalk:time", time: 900.5 });
  await soon(() => chapter(frame)).toBe("rotary");
  expect(await time(frame)).toBe("15:00");
  await frame.locator(".lane .stamp").nth(1).click();
  await follow(frame).getByRole("button", { name: "Pause" }).click();
  const origin = new URL(site.address()).origin;
  await soon(() => page.evaluate(() => Reflect.get(globalThis, "heard"))).toEqual([
    [origin, { type: "ropewalk:seek", time: 1200 }],
    [origin, { type: "ropewalk:pause" }],
  ]);
});

/**
 * A player that speaks as YouTube's does: deaf at first, then telling its state a while after that changes; so whoever moves
 * it sets its state, or a late answer would take that back.
 */
const player = `<!doctype html><script>
  let asked = 0, currentTime = 0, playerState = -1;
  const tell = (event, info) => parent.postMessage(JSON.stringify({ event, info, id: 1, channel: "widget" }), "*");
  addEventListener("message", ({ data }) => {
    const { event, func, args } = JSON.parse(data);
    if (event === "listening" && ++asked === 6) {
      tell("onReady", null);
      tell("initialDelivery", { currentTime, playerState });
    }
    if (event !== "command" || asked < 6) return;
    if (func === "seekTo") currentTime = args[0];
    if (func === "playVideo") playerState = 1;
    if (func === "pauseVideo") playerState = 2;
    setTimeout(() => tell("infoDelivery", { currentTime, playerState, volume: 100 }), 100);
  });
</script>`;

test("a video at YouTube is asked for by a click, and spoken to by messages", async () => {
  const page = await open();
  await page.route("https://www.youtube-nocookie.com/**", (route) =>
    route.fulfill({ contentType: "text/html", body: player }),
  );
  await follow(page).getByRole("radio", { name: "YouTube" }).check();
  const address = follow(page).getByLabel("Address or id of the video");
  const load = follow(page).getByRole("button", { name: "Load from youtube-nocookie.com" });
  await address.fill("https://example.org/watch?v=abcDEF_-123");
  await load.click();
  await follow(page).getByText("That is no address or id of a YouTube video.").waitFor();
  await address.fill("https://youtu.be/abcDEF_-123");
  // Up to here nothing was asked of another host.
  expect(site.heard()).toBe("");
  await load.click();
  await soon(() => page.frames().length).toBe(2);
  await soon(() => time(page)).toBe("0:00");
  // It does not hear yet, and plays when it does.
  await follow(page).getByRole("button", { name: "Start" }).click();
  await follow(page).getByRole("button", { name: "Pause" }).waitFor();
  await page.locator(".lane .stamp").nth(2).click();
  await soon(() => chapter(page)).toBe("bands");
  await soon(() => time(page)).toBe("25:00");
  await page.frames()[1]?.evaluate("currentTime = 1203.5; tell('infoDelivery', { currentTime })");
  await soon(() => chapter(page)).toBe("block");
  // Said by somebody else, or nonsense.
  await page.evaluate(() => window.postMessage('{"event":"infoDelivery","info":{"currentTime":900}}', "*"));
  await page
    .frames()[1]
    ?.evaluate("parent.postMessage('{broken', '*'); tell('infoDelivery', { currentTime: -1 })");
  await page.frames()[1]?.evaluate("currentTime = 1204; tell('infoDelivery', { currentTime })");
  await soon(() => time(page)).toBe("20:04");
  expect(await chapter(page)).toBe("block");
  expect(site.heard()).toBe(
    `https://www.youtube-nocookie.com/embed/abcDEF_-123?${new URLSearchParams({ enablejsapi: "1", origin: new URL(site.address()).origin })}`,
  );
});

describe.each([
  ["wide, light", { colorScheme: "light" }],
  ["wide, dark", { colorScheme: "dark" }],
  ["390 px", { viewport: { width: 390, height: 844 } }],
] as const)("%s", (_, options) => {
  test("axe finds nothing, targets are large enough, and nothing is wider than the page", async () => {
    const page = await open("#rotary", options);
    await page.evaluate(axe);
    for (const kind of ["Clock", "File", "YouTube"]) {
      await follow(page).getByRole("radio", { name: kind }).check();
      // biome-ignore lint/suspicious/noExplicitAny: axe is a script in the page.
      const found = await page.evaluate(() => (globalThis as any).axe.run(".lane"));
      // biome-ignore lint/suspicious/noExplicitAny: likewise.
      expect(found.violations.map(({ id, nodes }: any) => [id, nodes.map(({ html }: any) => html)])).toEqual(
        [],
      );
      for (const button of await page.locator(".lane").getByRole("button").all()) {
        const box = await button.boundingBox();
        expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(24);
      }
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
    }
  });
});
