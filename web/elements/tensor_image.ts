import type { RopeLayout } from "ropewalk";
import type { View } from "./strip.js";
import { Surface } from "./surface.js";
import { angleInk, anglePixels, angleSteps, type Inks } from "./theme.js";

/** A tensor as rows of bars: length is a component's size, up or down its sign; hue, where it is rotated, its pair's angle. */
export interface TensorImage {
  /** [rows, columns] */
  values: Float32Array;
  columns: number;
  /** Components from this one on are rotated in pairs; none if not given. */
  rotaryFrom?: number;
  /** Which of them pair up; `interleaved` if not given. */
  layout?: RopeLayout;
  /** [rows, (columns - rotaryFrom) / 2], of those pairs. */
  angles?: Float32Array;
  /** Told by how dark it is, however high its rows are: for a matrix of queries and keys. */
  cells?: boolean;
  /** The row that stands out; the others are drawn lighter. All are alike if not given. */
  bright?: number;
}

/** How much lighter the rows are drawn that do not stand out. */
const faint = 0.45;
/** Below so many CSS pixels rows are too low for bars, and are told by how dark they are. */
const leastBar = 6;

const surfaces = new WeakMap<HTMLCanvasElement, Surface>();

/** Draw at `width` × `height` CSS pixels. */
export function drawTensor(
  canvas: HTMLCanvasElement,
  image: TensorImage,
  width: number,
  height: number,
  inks: Inks,
): void {
  const rows = image.values.length / image.columns;
  let surface = surfaces.get(canvas);
  if (surface === undefined) {
    surface = new Surface();
    surfaces.set(canvas, surface);
  }
  const view = surface.begin(canvas, width, height, 0, image.columns);
  if (image.cells === true || height / rows < leastBar) {
    paintCells(view, image, rows, inks);
    surface.end();
  } else drawBars(canvas, image, rows, inks);
}

/** The largest size of a component, which has full ink, or full length. */
function largestOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest === 0 ? 1 : largest;
}

/** For each component the pair whose angle is its hue; -1 where it is not rotated. */
function pairsOf({ columns, rotaryFrom = columns, layout, angles }: TensorImage): Int32Array {
  const pairs = (columns - rotaryFrom) / 2;
  return Int32Array.from({ length: columns }, (_, column) => {
    const component = column - rotaryFrom;
    if (component < 0 || angles === undefined) return -1;
    return layout === "half" ? component % pairs : component >> 1;
  });
}

function paintCells(view: View, image: TensorImage, rows: number, { ink, lightness }: Inks): void {
  const { pixels, width, height } = view;
  const { values, columns, rotaryFrom = columns, angles, bright } = image;
  const nPairs = (columns - rotaryFrom) / 2;
  const pairs = pairsOf(image);
  // There may be more components than pixels: each pixel is one of them.
  const columnAt = Int32Array.from({ length: width }, (_, x) => Math.floor((x * columns) / width));
  const hues = anglePixels(lightness);
  const toSteps = angleSteps / (2 * Math.PI);
  const inkWord = new Uint32Array(Uint8ClampedArray.of(...ink, 255).buffer)[0] as number;
  const full = 255 / largestOf(values);
  for (let y = 0, lastRow = -1; y < height; ++y) {
    const row = Math.floor((y * rows) / height);
    const at = y * width;
    if (row === lastRow) {
      pixels.copyWithin(at, at - width, at);
      continue;
    }
    lastRow = row;
    const strength = bright === undefined || row === bright ? full : faint * full;
    for (let x = 0, word = 0, lastColumn = -1; x < width; ++x) {
      const column = columnAt[x] as number;
      if (column !== lastColumn) {
        const pair = pairs[column] as number;
        let colour = inkWord;
        if (pair >= 0) {
          const angle = (angles as Float32Array)[row * nPairs + pair] as number;
          colour = hues[(angle * toSteps + angleSteps + 0.5) & (angleSteps - 1)] as number;
        }
        const alpha = (strength * Math.abs(values[row * columns + column] as number) + 0.5) | 0;
        word = (colour & 0xffffff) | (alpha << 24);
        lastColumn = column;
      }
      pixels[at + x] = word;
    }
  }
}

function drawBars(
  canvas: HTMLCanvasElement,
  image: TensorImage,
  rows: number,
  { ink, lightness }: Inks,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const { values, columns, rotaryFrom = columns, angles, bright } = image;
  const nPairs = (columns - rotaryFrom) / 2;
  const pairs = pairsOf(image);
  const inkStyle = `rgb(${ink.join(" ")})`;
  const largest = largestOf(values);
  const scale = devicePixelRatio;
  const cell = canvas.width / columns;
  const line = canvas.height / rows;
  // What is never below 0 stands on the ground.
  const grounded = rows === 1 && values.every((value) => value >= 0);
  const gap = cell >= 3 * scale ? scale : 0;
  for (let row = 0; row < rows; ++row) {
    const middle = (row + 0.5) * line;
    context.globalAlpha = bright === undefined || row === bright ? 1 : faint;
    for (let column = 0; column < columns; ++column) {
      const part = (values[row * columns + column] as number) / largest;
      const pair = pairs[column] as number;
      context.fillStyle = pair < 0 ? inkStyle : angleInk(angles?.[row * nPairs + pair] as number, lightness);
      const left = Math.round(column * cell);
      const right = Math.round((column + 1) * cell) - gap;
      const length = Math.max(scale / 2, Math.abs(part) * (grounded ? line - scale : line / 2 - scale));
      const ground = grounded ? canvas.height : middle;
      context.fillRect(left, part > 0 || grounded ? ground - length : ground, right - left, length);
    }
  }
}
