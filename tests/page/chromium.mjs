// The Chromium that the page tests drive: $CHROMIUM, or one on PATH, or Debian's, installed with apt.
import { existsSync } from "node:fs";
import { aptInstall, hasApt } from "../../cpp/toolchain/apt.mjs";
import { which } from "../../cpp/toolchain/places.mjs";
import { SetupError } from "../../cpp/toolchain/process.mjs";

// One small font for whatever the page's own do not cover: without any, Chromium draws no such text at all.
const PACKAGES = ["chromium", "fonts-dejavu-core"];

/** The path of a Chromium, or undefined. */
export function findChromium() {
  const named = process.env.CHROMIUM;
  if (named) {
    if (existsSync(named)) return named;
    throw new SetupError(`CHROMIUM names ${named}, which is not there.`);
  }
  return which("chromium", "chromium-browser", "google-chrome-stable", "google-chrome");
}

/** The path of a Chromium, installed first where there is none and apt is at hand. */
export async function ensureChromium() {
  const found = findChromium();
  if (found) return found;
  if (!hasApt()) {
    throw new SetupError(
      "The page tests need a Chromium: install one, and run this again with CHROMIUM=/path/to/it npm test",
    );
  }
  await aptInstall(PACKAGES, "A Chromium for the page tests");
  return findChromium();
}
