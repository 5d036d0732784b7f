// Mathematics needs a font that knows it, which few machines have; whole, it would be larger than the engine.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import subsetFont from "subset-font";
import { chapters } from "./markdown.mjs";

const whole = createRequire(import.meta.url).resolve(
  "@fontsource/stix-two-math/files/stix-two-math-latin-400-normal.woff2",
);
const file = fileURLToPath(new URL("generated/math.woff2", import.meta.url));

/** Letters stand in italics, which are characters of their own. */
const italics = [
  [0x1d434, 0x1d467],
  [0x1d6fc, 0x1d71b],
];

/** The characters of all formulas in a language, ASCII, and signs that elements draw by themselves. */
function characters(language) {
  const html = chapters(language).flatMap(
    ({ body, margin }) => (body + margin).match(/<math.*?<\/math>/gs) ?? [],
  );
  const text = html.join("").replace(/<[^>]*>/g, "");
  const range = ([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i)).join("");
  return [text, "ℎ′√", range([0x20, 0x7e]), ...italics.map(range)].join("");
}

/** Makes `generated/math.woff2`, which style.css names, of the characters that the chapters have. */
export function mathFontPlugin(language) {
  return {
    name: "ropewalk-math-font",
    async buildStart() {
      const font = await subsetFont(readFileSync(whole), characters(language), { targetFormat: "woff2" });
      mkdirSync(fileURLToPath(new URL("generated", import.meta.url)), { recursive: true });
      writeFileSync(file, font);
    },
  };
}
