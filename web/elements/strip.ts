import { anglePixels, angleSteps, type Inks, type Rgb } from "./theme.js";

/** A strip of the rope: [columns, strands] row-major, one column for each sampled position. */
export interface Strip {
  values: Float32Array;
  columns: number;
  strands: number;
}

/** Pixels to draw on, and which part of a strip they show, in columns: the whole of it is from 0 to `columns`. */
export interface View {
  /** In the byte order of ImageData; signed, as bits are put together in numbers of 32 bits with a sign. */
  pixels: Int32Array;
  width: number;
  height: number;
  from: number;
  to: number;
  /** Pixels of the device to one CSS pixel. */
  ratio: number;
}

/** Below so many CSS pixels a band has no gap beneath it, and below so many its strand is not drawn over it. */
const least = { gap: 5, strand: 7 };

const sines = Float32Array.from({ length: angleSteps }, (_, k) => Math.sin((2 * Math.PI * k) / angleSteps));
const quarter = angleSteps / 4;

/** Angles as hue, each strand over its band as a helix seen from the side: it rises by the sine, its front is bold. */
export function paintAngles(
  view: View,
  strip: Strip,
  inks: Inks,
  columnsPerTurn?: (strand: number) => number,
): void {
  const { pixels, width, height, ratio } = view;
  const { values, columns, strands } = strip;
  const table = new Int32Array(anglePixels(inks.lightness).buffer);
  const grey = greyOf(table);
  const line = pixel(darker(inks));
  const lined = height / strands >= least.strand * ratio;
  const gap = height / strands >= least.gap * ratio ? Math.max(1, Math.round(ratio)) : 0;
  const perPixel = (view.to - view.from) / width;
  const last = Math.max(0, columns - 2);
  const left = new Int32Array(width);
  const part = new Float32Array(width);
  for (let x = 0; x < width; ++x) {
    const column = view.from + (x + 0.5) * perPixel - 0.5;
    const index = Math.min(last, Math.max(0, Math.floor(column)));
    left[x] = index * strands;
    part[x] = columns > 1 ? Math.min(2, Math.max(-1, column - index)) : 0;
  }
  const next = columns > 1 ? strands : 0;
  const steps = new Int32Array(width);
  const toSteps = angleSteps / (2 * Math.PI);
  pixels.fill(0);
  for (let s = 0; s < strands; ++s) {
    const top = Math.round((s * height) / strands);
    const bottom = Math.round(((s + 1) * height) / strands) - gap;
    if (bottom <= top) continue;
    // What one pixel covers of a turn is averaged: a strand too fast to be seen from here is grey, as its mean is.
    const turns = Math.max(1, perPixel) / (columnsPerTurn?.(s) ?? Number.POSITIVE_INFINITY);
    const chroma = turns >= 1 ? 0 : turns < 0.05 ? 1 : Math.sin(Math.PI * turns) / (Math.PI * turns);
    const wash = Math.round(256 * (1 - chroma));
    const row = top * width;
    for (let x = 0; x < width; ++x) {
      const at = (left[x] as number) + s;
      const angle = values[at] as number;
      let turn = (values[at + next] as number) - angle;
      if (turn > Math.PI) turn -= 2 * Math.PI;
      else if (turn < -Math.PI) turn += 2 * Math.PI;
      const step = ((angle + turn * (part[x] as number)) * toSteps + 2 * angleSteps + 0.5) & (angleSteps - 1);
      steps[x] = step;
      const color = table[step] as number;
      pixels[row + x] = wash === 0 ? color : mix(color, grey, wash);
    }
    for (let y = top + 1; y < bottom; ++y) pixels.copyWithin(y * width, row, row + width);
    if (lined && wash < 128) helix(pixels, width, top, bottom, steps, line, ratio);
  }
}

function helix(
  pixels: Int32Array,
  width: number,
  top: number,
  bottom: number,
  steps: Int32Array,
  line: number,
  ratio: number,
): void {
  const half = Math.min(0.75 * ratio, (bottom - top) / 14 + 0.2 * ratio);
  // In a thin band, a strand as bold as elsewhere would leave little of the hue.
  const bold = 256 * Math.min(1, (bottom - top) / (11 * ratio));
  const middle = (top + bottom) / 2;
  const rise = (bottom - top) / 2 - half - 0.5 * ratio;
  for (let x = 0; x < width; ++x) {
    const step = steps[x] as number;
    const y = middle - rise * (sines[step] as number);
    // 1 where the strand comes towards the eye (angle 0), faint where it runs behind the rope.
    const front = 0.5 + 0.5 * (sines[(step + quarter) & (angleSteps - 1)] as number);
    const opacity = bold * (0.12 + 0.56 * front);
    const reach = half * (0.75 + 0.4 * front) + 0.5;
    const end = Math.min(bottom, Math.ceil(y + reach));
    for (let py = Math.max(top, Math.floor(y - reach)); py < end; ++py) {
      const cover = reach - Math.abs(py + 0.5 - y);
      if (cover <= 0) continue;
      const at = py * width + x;
      pixels[at] = mix(pixels[at] as number, line, (Math.min(1, cover) * opacity) | 0);
    }
  }
}

/** Levels from 0 to 1 as ink. `crisp`: a column is a cell; else what a pixel covers is averaged. */
export function paintLevels(view: View, strip: Strip, inks: Inks, crisp: boolean): void {
  const { pixels, width, height, ratio } = view;
  const { values, columns, strands } = strip;
  const tones = tonesOf(inks);
  const gap = height / strands >= least.gap * ratio ? Math.max(1, Math.round(ratio)) : 0;
  const perPixel = (view.to - view.from) / width;
  const cellGap = crisp && perPixel * 16 * ratio <= 1 ? perPixel * Math.max(1, Math.round(ratio)) : 0;
  // Few strands are tall enough to be drawn as what they are: a slope under which there is ink.
  const slope = height / strands >= 40 * ratio;
  pixels.fill(0);
  for (let s = 0; s < strands; ++s) {
    const top = Math.round((s * height) / strands);
    const bottom = Math.round(((s + 1) * height) / strands) - gap;
    if (bottom <= top) continue;
    const row = top * width;
    for (let x = 0; x < width; ++x) {
      const start = view.from + x * perPixel;
      let value: number;
      if (crisp || perPixel <= 1) {
        const column = Math.min(columns - 1, Math.max(0, Math.floor(start + perPixel / 2)));
        value = values[column * strands + s] as number;
        if (cellGap > 0 && start + perPixel / 2 - column > 1 - cellGap) continue;
      } else {
        const first = Math.max(0, Math.floor(start));
        const end = Math.min(columns, Math.ceil(start + perPixel));
        let sum = 0;
        for (let column = first; column < end; ++column) sum += values[column * strands + s] as number;
        value = sum / Math.max(1, end - first);
      }
      value = Math.min(1, Math.max(0, value));
      const tone = tones[(value * 255 + 0.5) | 0] as number;
      pixels[row + x] = tone;
      if (!slope) continue;
      const faint = tones[0] as number;
      const edge = bottom - value * (bottom - top);
      for (let y = top; y < bottom; ++y) pixels[y * width + x] = y + 0.5 < edge ? faint : tone;
    }
    if (!slope) for (let y = top + 1; y < bottom; ++y) pixels.copyWithin(y * width, row, row + width);
  }
}

function darker({ ink, paper }: Inks): Rgb {
  return ink[1] < paper[1] ? ink : paper;
}

export function pixel([r, g, b]: Rgb): number {
  return (255 << 24) | (b << 16) | (g << 8) | r;
}

/** `from` with 0…256 parts of `to`; opaque. */
export function mix(from: number, to: number, parts: number): number {
  const rest = 256 - parts;
  const redBlue = (Math.imul(from & 0xff00ff, rest) + Math.imul(to & 0xff00ff, parts)) >>> 8;
  const green = (Math.imul(from & 0xff00, rest) + Math.imul(to & 0xff00, parts)) >>> 8;
  return 0xff000000 | (redBlue & 0xff00ff) | (green & 0xff00);
}

/** The mean of all hues. */
export function greyOf(table: Int32Array): number {
  let sum = 0;
  for (const color of table) sum += (color & 255) + ((color >> 8) & 255) + ((color >> 16) & 255);
  const mean = Math.round(sum / (3 * table.length));
  return pixel([mean, mean, mean]);
}

function tonesOf({ ink, paper }: Inks): Int32Array {
  const faint = 0.07;
  const strong = 0.82;
  return Int32Array.from({ length: 256 }, (_, k) =>
    mix(pixel(paper), pixel(ink), Math.round(256 * (faint + ((strong - faint) * k) / 255))),
  );
}
