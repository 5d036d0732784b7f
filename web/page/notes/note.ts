import type { Place } from "../address.js";
import { isTime } from "../time.js";

/** A student's note: a text, where it was written, in what state of the instrument, and at what time of the lecture. */
export interface Note {
  readonly id: string;
  readonly text: string;
  readonly place: Place;
  /** Whole seconds; undefined where no clock was there to tell. */
  readonly time: number | undefined;
  /** When it was written, as Date tells it: the order among notes of one time. */
  readonly written: number;
}

/** Line ends of one kind, and no space at the end of lines, before the text, or after it. */
export function tidy(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .trim();
}

/** In order of time, those without one first; within that in order of chapters, and of writing. */
export function inOrder(notes: readonly Note[], chapters: readonly string[]): Note[] {
  const time = (note: Note) => note.time ?? -1;
  const chapter = (note: Note) => chapters.indexOf(note.place.chapter);
  return [...notes].sort(
    (a, b) => time(a) - time(b) || chapter(a) - chapter(b) || a.written - b.written || (a.id < b.id ? -1 : 1),
  );
}

/** What was stored, if it is a note. */
export function readStored(id: string, json: string): Note | undefined {
  try {
    const { text, chapter, state, time, written } = JSON.parse(json);
    const isNote =
      typeof text === "string" &&
      typeof chapter === "string" &&
      (state === undefined || isTexts(state)) &&
      (time === undefined || isTime(time)) &&
      typeof written === "number";
    return isNote ? { id, text, place: { chapter, state }, time, written } : undefined;
  } catch {
    return undefined;
  }
}

export function writeStored({ text, place, time, written }: Note): string {
  return JSON.stringify({ text, ...place, time, written });
}

function isTexts(value: unknown): value is Record<string, string> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((text) => typeof text === "string")
  );
}
