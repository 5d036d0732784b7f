import type { Place } from "./address.js";
import markdown from "./chapters/en/lecture.md?raw";
import { readNotes } from "./notes/markdown.js";

/** What the lecture says at a time, and where the page shows it. */
export interface Stamp {
  readonly time: number;
  readonly text: string;
  readonly place: Place;
}

/** The lecture's own notes, in its order. */
export const lecture: readonly Stamp[] = readNotes(markdown).map(({ time, text, place }) => {
  if (time === undefined || place === undefined)
    throw new Error(`The lecture's «${text}» has no time or place.`);
  return { time, text, place };
});

/** The first of what belongs to the time that was passed last; undefined before the first time. */
export function passed(stamps: readonly Stamp[], time: number): Stamp | undefined {
  const last = stamps.findLast((stamp) => stamp.time <= time);
  return stamps.find((stamp) => stamp.time === last?.time);
}
