import type { RopeLayout } from "ropewalk";
import { angleInk, anglePixels, angleSteps, inks } from "./theme.js";

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

/** Draw at `width` × `height` CSS pixels; whoever draws many asks for the inks once. */
export function drawTensor(
  canvas: HTMLCanvasElement,
  image: TensorImage,
  width: number,
  height: number,
  { ink, lightness } = inks(canvas),
): void {
  const { values, columns, rotaryFrom = columns, layout, angles, bright, cells } = image;
  const rows = values.length / columns;
  const scale = devicePixelRatio;
  resize(canvas, width, height);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const inkStyle = `rgb(${ink.join(" ")})`;
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) largest = 1;
  const pairs = (columns - rotaryFrom) / 2;
  const cell = canvas.width / columns;
  const line = canvas.height / rows;
  // Rows too low for bars are told by how dark they are.
  const asBars = cells !== true && line / scale >= 6;
  const pairOf = (column: number) =>
    layout === "half" ? (column - rotaryFrom) % pairs : (column - rotaryFrom) >> 1;
  const angleAt = (row: number, column: number) =>
    column < rotaryFrom ? undefined : angles?.[row * pairs + pairOf(column)];
  if (!asBars) {
    // There may be more components than pixels: each pixel is one of them.
    const { width: across, height: down } = canvas;
    const columnAt = Int32Array.from({ length: across }, (_, x) => Math.floor((x * columns) / across));
    const pixels = context.createImageData(across, down);
    const words = new Uint32Array(pixels.data.buffer);
    const hues = anglePixels(lightness);
    const inkWord = new Uint32Array(Uint8ClampedArray.of(...ink, 255).buffer)[0] as number;
    for (let y = 0, lastRow = -1; y < down; ++y) {
      const row = Math.floor((y * rows) / down);
      if (row === lastRow) {
        words.copyWithin(y * across, (y - 1) * across, y * across);
        continue;
      }
      lastRow = row;
      const strength = (bright === undefined || row === bright ? 255 : 0.45 * 255) / largest;
      for (let x = 0, word = 0, lastColumn = -1; x < across; ++x) {
        const column = columnAt[x] as number;
        if (column !== lastColumn) {
          const angle = angleAt(row, column);
          const turn = angle === undefined ? 0 : Math.round((angle / (2 * Math.PI)) * angleSteps);
          const full = angle === undefined ? inkWord : (hues[(turn + angleSteps) % angleSteps] as number);
          const alpha = Math.round(strength * Math.abs(values[row * columns + column] as number));
          word = (full & 0xffffff) | (alpha << 24);
          lastColumn = column;
        }
        words[y * across + x] = word;
      }
    }
    context.putImageData(pixels, 0, 0);
    return;
  }
  // What is never below 0 stands on the ground.
  const grounded = rows === 1 && values.every((value) => value >= 0);
  const gap = cell >= 3 * scale ? scale : 0;
  for (let row = 0; row < rows; ++row) {
    const middle = (row + 0.5) * line;
    for (let column = 0; column < columns; ++column) {
      const part = (values[row * columns + column] as number) / largest;
      const angle = angleAt(row, column);
      context.fillStyle = angle === undefined ? inkStyle : angleInk(angle, lightness);
      const faint = bright === undefined || row === bright ? 1 : 0.45;
      const left = Math.round(column * cell);
      const right = Math.round((column + 1) * cell) - gap;
      const length = Math.max(scale / 2, Math.abs(part) * (grounded ? line - scale : line / 2 - scale));
      const ground = grounded ? canvas.height : middle;
      context.globalAlpha = faint;
      context.fillRect(left, part > 0 || grounded ? ground - length : ground, right - left, length);
    }
  }
}

/** Sized anew only where its size is another: that lays out the page. */
function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  const across = Math.round(width * devicePixelRatio);
  const down = Math.round(height * devicePixelRatio);
  if (canvas.width === across && canvas.height === down) return;
  canvas.width = across;
  canvas.height = down;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}
