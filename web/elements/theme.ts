import { css } from "lit";

/**
 * Ink and paper, for every element: what a page sets as `--ropewalk-…` wins. Colour is kept for angles; all else is ink,
 * grey and paper.
 */
export const theme = css`
  :host {
    --paper: var(--ropewalk-paper, light-dark(#fbfaf6, #15171b));
    --panel: var(--ropewalk-panel, light-dark(#ffffff, #1b1e23));
    --ink: var(--ropewalk-ink, light-dark(#22252b, #e8e6e0));
    --soft: var(--ropewalk-soft, light-dark(#62666f, #9a9da5));
    --line: var(--ropewalk-line, light-dark(#e4e1d8, #2b2e35));
    --focus: var(--ropewalk-focus, light-dark(#22252b, #e8e6e0));
    --prose: var(--ropewalk-prose, "Newsreader Variable", Georgia, serif);
    --label: var(--ropewalk-label, "Inter Variable", system-ui, sans-serif);
    color: var(--ink);
    font: 13px / 1.4 var(--label);
    font-variant-numeric: tabular-nums;
  }

  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
  }

  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;

/** The line under a picture that says what is pointed at, or else how to point. */
export const readout = css`
  .readout {
    min-height: 20px;
    margin: 6px 0 0;
    color: var(--ink);
  }

  .readout.quiet {
    color: var(--soft);
  }
`;

const chroma = 0.135;
const angleLightness = { light: 0.7, dark: 0.74 };

/** The colour of an angle in radians at a lightness. */
export function angleInk(angle: number, lightness: number): string {
  const degrees = ((angle * 180) / Math.PI + 360) % 360;
  return `oklch(${lightness} ${chroma} ${degrees.toFixed(1)})`;
}

/** The colour of an angle in radians, for CSS and SVG. */
export function angleColor(angle: number): string {
  // light-dark() chooses between colours, and between nothing else.
  return `light-dark(${angleInk(angle, angleLightness.light)}, ${angleInk(angle, angleLightness.dark)})`;
}

/** What a canvas draws with. */
export interface Inks {
  ink: Rgb;
  paper: Rgb;
  /** Of the colours of angles. */
  lightness: number;
}

/** The inks of an element: its colour and its background, and whether that is to be dark. */
export function inks(element: Element): Inks {
  const style = getComputedStyle(element);
  const ink = rgb(style.color);
  const dark = (ink[0] + ink[1] + ink[2]) / 3 > 127;
  return {
    ink,
    paper: rgb(style.getPropertyValue("background-color")),
    lightness: dark ? angleLightness.dark : angleLightness.light,
  };
}

export type Rgb = readonly [number, number, number];

function rgb(color: string): Rgb {
  const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b];
}

const tables = new Map<number, Uint32Array>();

/** Steps of the table of angle colours: finer than an eye tells apart. */
export const angleSteps = 1024;

/**
 * The same colours as pixels, for a canvas: entry k is the angle 2π k / angleSteps, in the byte order of ImageData.
 */
export function anglePixels(lightness: number): Uint32Array {
  const known = tables.get(lightness);
  if (known !== undefined) return known;
  const bytes = new Uint8ClampedArray(4 * angleSteps);
  for (let k = 0; k < angleSteps; ++k) {
    const [r, g, b] = oklchToRgb(lightness, chroma, (2 * Math.PI * k) / angleSteps);
    bytes.set([r, g, b, 255], 4 * k);
  }
  const pixels = new Uint32Array(bytes.buffer);
  tables.set(lightness, pixels);
  return pixels;
}

/** Björn Ottosson's OKLab (2020) to sRGB bytes; out of gamut is clipped by the array that takes them. */
function oklchToRgb(lightness: number, c: number, hue: number): Rgb {
  const a = c * Math.cos(hue);
  const b = c * Math.sin(hue);
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const encode = (linear: number) =>
    255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055);
  return [
    encode(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
    encode(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
    encode(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short),
  ];
}
