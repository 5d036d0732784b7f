// `npm run picture`: build the page and take the README's picture of it, in light, under rotary positions.
import { BUILD_LOCK, PROJECT } from "../../cpp/toolchain/places.mjs";
import { inTurn } from "../../cpp/toolchain/process.mjs";
import { buildPage, buildWasm, installPackages } from "../../web/build.mjs";
import { ensure } from "./browsers.mjs";

Object.assign(process.env, await ensure("CHROMIUM"));
await inTurn(BUILD_LOCK, async () => {
  await installPackages();
  await buildWasm();
  await buildPage();
});

const { launch, serve } = await import("./browser.mjs");
const [browser, server] = await Promise.all([launch(), serve()]);
const page = await browser.newPage({ viewport: { width: 1600, height: 1500 }, colorScheme: "light" });
await page.goto(`${server.url}#rotary?v=1&position=47`);
await page.locator("ropewalk-turns").first().waitFor();
await page.evaluate(() => document.fonts.ready);
await page.screenshot({ path: `${PROJECT}/web/page/picture.png` });
await browser.close();
await server.close();
