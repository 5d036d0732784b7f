import type { RopeLayout } from "ropewalk";
import { round } from "./picture.js";

/** The two components of a pair, of so many in all. */
export function componentsOf(layout: RopeLayout, pair: number, count: number): readonly [number, number] {
  return layout === "half" ? [pair, pair + count / 2] : [2 * pair, 2 * pair + 1];
}

/** Where an angle points: counted from the right, against the clock. */
export function point(angle: number, length: number): { x: number; y: number } {
  return { x: round(length * Math.cos(angle)), y: round(-length * Math.sin(angle)) };
}

/** The same angle, less than half a turn to either side. */
export function wrap(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

/** Dials in rows: how many in each, and how wide and how high one is. */
export interface Rows {
  perRow: number;
  cell: number;
  row: number;
}

/** The dial that is pointed at; undefined where there is none. */
export function dialAt(event: PointerEvent, { perRow, cell, row }: Rows, count: number): number | undefined {
  const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
  const column = Math.floor((event.clientX - left) / cell);
  const dial = Math.floor((event.clientY - top) / row) * perRow + column;
  return column < 0 || column >= perRow || event.clientY < top || dial >= count ? undefined : dial;
}

/** The dial that a key leads to from another; undefined where the key is none of those. */
export function dialAfter(
  event: KeyboardEvent,
  at: number,
  perRow: number,
  count: number,
): number | undefined {
  const last = count - 1;
  const steps: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - perRow >= 0 ? at - perRow : at,
    ArrowDown: at + perRow <= last ? at + perRow : at,
    Home: 0,
    End: last,
  };
  const to = steps[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  event.preventDefault();
  return Math.max(0, Math.min(last, to));
}
