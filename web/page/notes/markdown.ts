import { type Place, readPlace, writePlace } from "../address.js";
import { readTime, writeTime } from "../time.js";
import { type Note, tidy } from "./note.js";

/** What a Markdown text says of a note; a text that somebody else wrote may name neither time nor place. */
export interface WrittenNote {
  text: string;
  time: number | undefined;
  place: Place | undefined;
}

/**
 * Notes as the lecture's own are written: `* 15:00`, and beneath it `* text` for each note of that time. The place is a
 * link at the end of the text, whose further lines are indented. Those without a time have to come first.
 */
export function writeNotes(notes: readonly Note[], name: (chapter: string) => string): string {
  const lines: string[] = [];
  let time: number | undefined;
  for (const note of notes) {
    if (note.time !== undefined && note.time !== time) lines.push(`* ${writeTime(note.time)}`);
    time = note.time;
    const text = saysTime(firstLine(note.text)) ? `\\${note.text}` : note.text;
    const [first, ...rest] = `${text} [${name(note.place.chapter)}](${writePlace(note.place)})`.split("\n");
    lines.push(`* ${first}`, ...rest.map((line) => (line === "" ? "" : `  ${line}`)));
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** The notes in a Markdown text, of this form or any other: what is not understood is text of a note, and never lost. */
export function readNotes(markdown: string): WrittenNote[] {
  const notes: WrittenNote[] = [];
  let time: number | undefined;
  for (const item of items(markdown)) {
    const first = firstLine(item);
    const stamp = readTime(first);
    if (stamp !== undefined) {
      time = stamp;
      // What is listed within a time belongs to it.
      for (const within of readNotes(outdented(item.slice(first.length + 1))))
        notes.push({ ...within, time: within.time ?? stamp });
      continue;
    }
    const { text, place } = parted(item);
    const says = firstLine(text);
    if (text !== "")
      notes.push({ text: says.startsWith("\\") && saysTime(says) ? text.slice(1) : text, time, place });
  }
  return notes;
}

/** A text that begins with a line like this would be taken for a time, if it had not one backslash more. */
const saysTime = (line: string) => readTime(line.replace(/^\\+/, "")) !== undefined;

const firstLine = (text: string) => text.split("\n", 1)[0] as string;

/** Text and place apart. Only an address within this page is a place: any other link is text. */
function parted(item: string): { text: string; place: Place | undefined } {
  const link = /\[[^[\]\n]*\]\((#[\w-]+(?:\?[^()\s]*)?)\)$/.exec(item);
  const place = link === null ? undefined : readPlace(link[1] as string);
  return { text: tidy(item.slice(0, link?.index)) || tidy(item), place };
}

/** Items of the outermost list, and paragraphs outside of it; whatever is indented belongs to what it stands under. */
function items(markdown: string): string[] {
  const found: string[] = [];
  let blanks = 0;
  for (const line of markdown
    .replace(/^\uFEFF/, "")
    .replace(/\r\n?/g, "\n")
    .split("\n")) {
    if (line.trim() === "") {
      ++blanks;
      continue;
    }
    const last = found.length - 1;
    const [, inside] = /^(?: {2}|\t)(.*)$/s.exec(line) ?? [];
    const bullet = /^ ?(?:[*+-]|\d{1,9}[.)])(?:\s+(.*))?$/s.exec(line);
    if (inside !== undefined && last >= 0) found[last] += "\n".repeat(blanks + 1) + inside;
    else if (bullet !== null) found.push(bullet[1] ?? "");
    else if (blanks === 0 && last >= 0 && readTime(line) === undefined) found[last] += `\n${line}`;
    else found.push(line.trim());
    blanks = 0;
  }
  return found.map(tidy);
}

/** Without the indentation that all lines share. */
function outdented(text: string): string {
  const lines = text.split("\n");
  const depths = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  return lines.map((line) => line.slice(Math.min(...depths))).join("\n");
}
