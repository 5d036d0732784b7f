import { angleInk, inks } from "./theme.js";

/** A tensor as rows of bars: length is a component's size, up or down its sign; hue, where it is rotated, its pair's angle. */
export interface TensorImage {
  /** [rows, columns] */
  values: Float32Array;
  columns: number;
  /** Components from this one on are rotated in neighbouring pairs; none if not given. */
  rotaryFrom?: number;
  /** [rows, (columns - rotaryFrom) / 2], of those pairs. */
  angles?: Float32Array;
  /** The row that stands out; the others are drawn lighter. All are alike if not given. */
  bright?: number;
}

/** Draw at `width` × `height` CSS pixels. */
export function drawTensor(
  canvas: HTMLCanvasElement,
  image: TensorImage,
  width: number,
  height: number,
): void {
  const { values, columns, rotaryFrom = columns, angles, bright } = image;
  const rows = values.length / columns;
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  if (context === null) return;
  const { ink, lightness } = inks(canvas);
  const inkStyle = `rgb(${ink.join(" ")})`;
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) largest = 1;
  const pairs = (columns - rotaryFrom) / 2;
  const cell = canvas.width / columns;
  const line = canvas.height / rows;
  // Rows too low for bars are told by how dark they are.
  const asBars = line / scale >= 6;
  // What is never below 0 stands on the ground.
  const grounded = rows === 1 && values.every((value) => value >= 0);
  const gap = cell >= 3 * scale ? scale : 0;
  for (let row = 0; row < rows; ++row) {
    const middle = (row + 0.5) * line;
    for (let column = 0; column < columns; ++column) {
      const part = (values[row * columns + column] as number) / largest;
      const angle = column < rotaryFrom ? undefined : angles?.[row * pairs + ((column - rotaryFrom) >> 1)];
      context.fillStyle = angle === undefined ? inkStyle : angleInk(angle, lightness);
      const faint = bright === undefined || row === bright ? 1 : 0.45;
      const left = Math.round(column * cell);
      const right = Math.round((column + 1) * cell) - gap;
      if (asBars) {
        const length = Math.max(scale / 2, Math.abs(part) * (grounded ? line - scale : line / 2 - scale));
        const ground = grounded ? canvas.height : middle;
        context.globalAlpha = faint;
        context.fillRect(left, part > 0 || grounded ? ground - length : ground, right - left, length);
      } else {
        context.globalAlpha = faint * Math.abs(part);
        context.fillRect(left, row * line, right - left, line);
      }
    }
  }
}
