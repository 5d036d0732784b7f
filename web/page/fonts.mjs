// Fonts as the page needs them: whole, they would be larger than everything else together.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import subsetFont from "subset-font";
import { chapters } from "./markdown.mjs";

/** Mathematics needs a font that knows it, which few machines have. */
const math = createRequire(import.meta.url).resolve(
  "@fontsource/stix-two-math/files/stix-two-math-latin-400-normal.woff2",
);
const generated = fileURLToPath(new URL("generated/", import.meta.url));

/** Letters of formulas stand in italics, which are characters of their own: those of a range, from `to` on. */
const italics = [
  { from: 0x41, last: 0x5a, to: 0x1d434 },
  { from: 0x61, last: 0x7a, to: 0x1d44e },
  { from: 0x3b1, last: 0x3c9, to: 0x1d6fc },
];
const otherItalics = { h: "ℎ", ϕ: "𝜙", ϵ: "𝜖" };

/** The characters of all formulas in a language, and the root, which is drawn by its element. */
function characters(language) {
  const html = chapters(language).flatMap(
    ({ body, margin }) => (body + margin).match(/<math.*?<\/math>/gs) ?? [],
  );
  const text = html.join("").replace(/<[^>]*>/g, "");
  const italic = (letter) => {
    const code = letter.codePointAt(0);
    const range = italics.find(({ from, last }) => code >= from && code <= last);
    return otherItalics[letter] ?? (range && String.fromCodePoint(range.to + code - range.from)) ?? "";
  };
  return [...new Set(text)].map((one) => one + italic(one)).join("") + "√";
}

/** What the Latin files of Fontsource are asked for. */
const latin = [
  [0x20, 0xff],
  [0x131, 0x131],
  [0x152, 0x153],
  [0x2bb, 0x2dc],
  [0x2000, 0x206f],
  [0x20ac, 0x20ac],
  [0x2122, 0x2122],
  [0x2190, 0x2193],
  [0x2212, 0x2215],
]
  .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
  .map((code) => String.fromCodePoint(code))
  .join("");

/** The weights that style sheets name. */
const weights = { wght: { min: 400, max: 650 } };

/** Makes `generated/math.woff2`, which style.css names; and cuts the Latin fonts to the weights that are used. */
export function fontsPlugin(language) {
  return {
    name: "ropewalk-fonts",
    async buildStart() {
      const font = await subsetFont(readFileSync(math), characters(language), { targetFormat: "woff2" });
      mkdirSync(generated, { recursive: true });
      writeFileSync(`${generated}math.woff2`, font);
    },
    async generateBundle(_, bundle) {
      for (const [name, asset] of Object.entries(bundle)) {
        if (!/-latin-wght-normal-.*\.woff2$/.test(name)) continue;
        const options = { targetFormat: "woff2", variationAxes: weights };
        asset.source = await subsetFont(Buffer.from(asset.source), latin, options);
      }
    },
  };
}
