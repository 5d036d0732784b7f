import { chromium } from "playwright-core";
import { preview } from "vite";

/** What keeps Chromium from calling home, and lets it run as root on a machine without a display. */
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The Chromium that $CHROMIUM names. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "chromium", args: flags });
}

/** Serve the built page, headers and all, on a port of its own. */
export async function serve() {
  const server = await preview({
    preview: { port: 0, strictPort: false, host: "127.0.0.1" },
    logLevel: "error",
  });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error("The page is not served: build it first.");
  return { url, close: () => server.close() };
}
