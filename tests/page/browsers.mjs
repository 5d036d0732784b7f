// The browsers that the page tests drive: each named by a variable, or one on PATH, or Debian's, installed with apt.
import { existsSync } from "node:fs";
import { aptInstall, hasApt } from "../../cpp/toolchain/apt.mjs";
import { which } from "../../cpp/toolchain/places.mjs";
import { SetupError } from "../../cpp/toolchain/process.mjs";

/** By the variable that may name it: what it is, its program's names, and Debian's packages of it. */
const programs = {
  CHROMIUM: {
    what: "a Chromium",
    names: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
    // One small font for whatever the page's own do not cover: without any, Chromium draws no such text at all.
    packages: ["chromium", "fonts-dejavu-core"],
  },
  FIREFOX: { what: "a Firefox", names: ["firefox-esr", "firefox"], packages: ["firefox-esr"] },
  // It brings WebKitGTK's own small browser along.
  WEBKIT_DRIVER: {
    what: "WebKitGTK's WebDriver",
    names: ["WebKitWebDriver"],
    packages: ["webkit2gtk-driver"],
  },
  // WebKitGTK has no headless mode.
  XVFB: { what: "an X server without a screen", names: ["Xvfb"], packages: ["xvfb"] },
};

/** The variables of all programs that the page tests need. */
export const all = Object.keys(programs);

/** The path of a program, or undefined. */
function find(variable) {
  const named = process.env[variable];
  if (!named) return which(...programs[variable].names);
  if (existsSync(named)) return named;
  throw new SetupError(`${variable} names ${named}, which is not there.`);
}

/** The paths of programs by their variables, those that are missing installed first where apt is at hand. */
export async function ensure(...variables) {
  const missing = variables.filter((variable) => find(variable) === undefined);
  if (missing.length > 0) {
    const what = missing.map((variable) => programs[variable].what).join(" and ");
    if (!hasApt()) {
      const settings = missing.map((variable) => `${variable}=/path/to/it`).join(" ");
      throw new SetupError(
        `The page tests need ${what}: install that, and run this again with ${settings} npm test`,
      );
    }
    await aptInstall(
      missing.flatMap((variable) => programs[variable].packages),
      `For the page tests, ${what}`,
    );
  }
  return Object.fromEntries(variables.map((variable) => [variable, find(variable)]));
}
