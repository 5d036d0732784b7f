// From navigation to the first tiny result: Chromium is started anew each time, with a fresh profile, on a page for each
// contender that is bundled as its users would bundle it.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../../cpp/toolchain/places.mjs";
import { withProgress } from "../../cpp/toolchain/process.mjs";
import { launch } from "../page/browser.mjs";
import { inputsOf } from "./inputs.mjs";
import { largestDifference, statistics, TOLERANCE } from "./measure.mjs";
import * as litert from "./peers/litert.mjs";
import * as onnxruntime from "./peers/onnxruntime.mjs";
import { expected } from "./peers/plain.mjs";
import { serve } from "./serve.mjs";
import { duration } from "./table.mjs";
import { tinyAttention } from "./tiny.mjs";

const at = (...parts) => join(PROJECT, ...parts);
const BUNDLES = at("build/bench/cold");
const SAMPLES = 10;

const networks = {
  localhost: undefined,
  "10 Mbit/s, 40 ms": {
    latency: 40,
    downloadThroughput: 10e6 / 8,
    uploadThroughput: 10e6 / 8,
    offline: false,
  },
};

/** By the name of its script. The empty page has none. */
const pages = {
  empty: { name: "an empty page" },
  ropewalk: { name: "Ropewalk", own: true },
  plain: { name: "plain JavaScript" },
  tensorflow: { name: "TensorFlow.js" },
  litert: { name: "LiteRT.js", model: litert.attentionModel },
  onnxruntime: { name: "onnxruntime-web", model: onnxruntime.attentionModel },
};

/** For each network, how long each page takes, and how many bytes. */
export async function cold(say) {
  await withProgress("Bundling a page for each contender", bundleAll);
  const server = await serve({
    folders: { "/peers/": at("tests/bench/node_modules"), "/": BUNDLES },
    pages: Object.fromEntries(Object.keys(pages).map((name) => [`/${name}`, html(name)])),
    compressed: at("build/bench/compressed"),
  });
  try {
    await withProgress("Compressing what they load, for the first time", () => visitAll(server, undefined));
    const results = [];
    for (const [network, conditions] of Object.entries(networks)) {
      say(`cold: navigation to first result, ${network}`);
      const times = Object.fromEntries(Object.keys(pages).map((name) => [name, []]));
      let bytes;
      for (let i = 0; i < SAMPLES; ++i) {
        const visits = await visitAll(server, conditions);
        bytes = visits;
        for (const [name, { time }] of Object.entries(visits)) times[name].push(time);
      }
      const contenders = Object.entries(pages).map(([page, { name, own }]) => ({
        name,
        own,
        empty: page === "empty",
        bytes: bytes[page].bytes,
        ...statistics(times[page]),
      }));
      for (const one of contenders) {
        const range = `${duration(one.min)} to ${duration(one.max)}; ${SAMPLES} samples`;
        say(`  ${one.name}: ${duration(one.median)} ms (${range}), ${one.bytes.toLocaleString("en")} B`);
      }
      results.push({ network, contenders });
    }
    return results;
  } finally {
    await server.close();
  }
}

const html = (name) =>
  `<!doctype html><html lang="en"><title>${name}</title><link rel="icon" href="data:,">` +
  `<body>${name === "empty" ? "" : `<script type="module" src="/${name}/page.js"></script>`}</body></html>`;

/** A visit to each page, in turn. */
async function visitAll(server, conditions) {
  const visits = {};
  for (const name of Object.keys(pages)) visits[name] = await visit(server, name, conditions);
  return visits;
}

async function visit(server, name, conditions) {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    if (conditions) {
      const session = await page.context().newCDPSession(page);
      await session.send("Network.enable");
      await session.send("Network.emulateNetworkConditions", conditions);
    }
    server.sent = 0;
    const first = name === "empty" ? undefined : firstResult(page);
    await page.goto(`${server.url}/${name}`, { waitUntil: "load" });
    const { time, out } = first ? await first : { time: await page.evaluate(loadTime) };
    if (out) compare(name, out);
    return { time, bytes: server.sent };
  } finally {
    await browser.close();
  }
}

/** When the page had loaded, in ms since the navigation. */
const loadTime = () => performance.getEntriesByType("navigation")[0].loadEventStart;

function firstResult(page) {
  return new Promise((resolve, reject) => {
    page.on("pageerror", reject);
    page.on("console", (message) => message.text().startsWith("{") && resolve(JSON.parse(message.text())));
  });
}

function compare(name, out) {
  const difference = largestDifference(expected(tinyAttention, inputsOf(tinyAttention)).out, out);
  if (!(difference <= TOLERANCE))
    throw new Error(`The page of ${pages[name].name} shows another result: off by ${difference}.`);
}

async function bundleAll() {
  const { build } = await import("vite");
  rmSync(BUNDLES, { recursive: true, force: true });
  mkdirSync(BUNDLES, { recursive: true });
  for (const [name, { model }] of Object.entries(pages)) {
    if (name === "empty") continue;
    const bytes = model?.(tinyAttention, inputsOf(tinyAttention)) ?? new Uint8Array();
    await build({
      configFile: false,
      logLevel: "error",
      base: `/${name}/`,
      define: { __MODEL__: JSON.stringify(Buffer.from(bytes).toString("base64")) },
      build: {
        target: "es2022",
        outDir: join(BUNDLES, name),
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: {
          input: at(`tests/bench/cold/${name}.mjs`),
          output: { entryFileNames: "page.js" },
        },
      },
    });
  }
}
