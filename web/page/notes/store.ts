import type { Place } from "../address.js";
import type { WrittenNote } from "./markdown.js";
import { type Note, readStored, tidy, writeStored } from "./note.js";

/** Each note has a key of its own: two tabs that write at once cannot undo each other's. */
export const prefix = "ropewalk-note-v1:";

/** Of the browser's storage. */
type Keeper = Pick<Storage, "length" | "key" | "getItem" | "setItem" | "removeItem">;

/** Notes kept in the browser; where it keeps nothing, until the page is closed. Tells «change». */
export class NoteStore extends EventTarget {
  readonly #keeper: Keeper | undefined;
  /** What the browser refused to keep. */
  readonly #unkept = new Map<string, Note>();
  #known: { notes: readonly Note[]; unreadable: number } | undefined;

  constructor(keeper: Keeper | undefined) {
    super();
    this.#keeper = keeper;
  }

  get all(): readonly Note[] {
    return this.#read().notes;
  }

  /** How many are stored that this page cannot read. They are left as they are. */
  get unreadable(): number {
    return this.#read().unreadable;
  }

  /** Whether notes are there when the page is opened again. */
  get keeps(): boolean {
    return this.#keeper !== undefined && this.#unkept.size === 0;
  }

  /** A new note; undefined if there is nothing in it. */
  add(text: string, place: Place, time: number | undefined): Note | undefined {
    const note: Note = {
      id: newId(),
      text: tidy(text),
      place,
      time: time === undefined ? undefined : Math.floor(time),
      written: Date.now(),
    };
    if (note.text === "") return undefined;
    this.put(note);
    return note;
  }

  /** Keep a note in the place of whatever has its id. */
  put(note: Note): void {
    try {
      if (this.#keeper === undefined) throw new Error("Nothing is kept.");
      this.#keeper.setItem(prefix + note.id, writeStored(note));
      this.#unkept.delete(note.id);
    } catch {
      this.#unkept.set(note.id, note);
    }
    this.refresh();
  }

  remove(id: string): void {
    this.#unkept.delete(id);
    this.#keeper?.removeItem(prefix + id);
    this.refresh();
  }

  /** Add what is not there yet; `placeAt` is where a note without a place belongs. Says how many were new. */
  merge(written: readonly WrittenNote[], placeAt: (time: number | undefined) => Place): number {
    const same = ({ text, time, place }: Pick<Note, "text" | "time" | "place">) =>
      JSON.stringify([text, time, place.chapter, Object.entries(place.state ?? {}).sort()]);
    const known = new Set(this.all.map(same));
    let added = 0;
    for (const { text, time, place = placeAt(time) } of written) {
      const note: Note = { id: newId(), text: tidy(text), time, place, written: Date.now() + added };
      if (known.has(same(note))) continue;
      known.add(same(note));
      this.put(note);
      ++added;
    }
    return added;
  }

  /** Look again: another tab may have written. */
  refresh(): void {
    this.#known = undefined;
    this.dispatchEvent(new Event("change"));
  }

  #read() {
    if (this.#known !== undefined) return this.#known;
    const notes = new Map<string, Note>();
    let unreadable = 0;
    for (let k = 0; k < (this.#keeper?.length ?? 0); ++k) {
      const key = this.#keeper?.key(k);
      if (!key?.startsWith(prefix)) continue;
      const id = key.slice(prefix.length);
      const note = readStored(id, this.#keeper?.getItem(key) ?? "");
      if (note === undefined) ++unreadable;
      else notes.set(id, note);
    }
    for (const [id, note] of this.#unkept) notes.set(id, note);
    this.#known = { notes: [...notes.values()], unreadable };
    return this.#known;
  }
}

/** Works without a secure context too, where randomUUID does not. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("-");
}
