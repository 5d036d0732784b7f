import { Instrument } from "../elements/instrument.js";
import { type Place, readPlace, writePlace } from "./address.js";
import { begin } from "./instruments.js";

/** State that goes along from chapter to chapter: the student's own sentence, and what its vectors are drawn from. */
const carried = ["text", "seed"];

/** How long a state has to last to be written into the address: browsers refuse too many changes of it. */
const settling = 250;

/** Told on the document when another chapter is shown. */
export class ChapterEvent extends Event {
  static readonly type = "companion-chapter";

  constructor(readonly chapter: string) {
    super(ChapterEvent.type);
  }
}

/**
 * One chapter shown at a time, and an address that says which, and in what state. State comes from the address and goes
 * back into it; whoever wants to go somewhere calls `go`.
 */
export class Companion {
  readonly #chapters: readonly HTMLElement[];
  readonly #lane: HTMLElement;
  /** The carried state, as the last chapter that has it left it. */
  readonly #along: Record<string, string> = {};
  #current: HTMLElement;
  #writing: ReturnType<typeof setTimeout> | undefined;
  /** The address last shown or written. */
  #address = "";

  constructor(readonly document: Document) {
    this.#chapters = [...document.querySelectorAll<HTMLElement>("article.chapter")];
    this.#lane = document.querySelector(".lane ol") as HTMLElement;
    this.#current = this.#chapters[0] as HTMLElement;
  }

  /** Shows what the address names; done when the code of that chapter is there. */
  async start(): Promise<void> {
    window.addEventListener("hashchange", () => this.#show(readPlace(location.hash), true));
    this.document.addEventListener("ropewalk-state", () => this.#settle());
    // A link may lead away before the state has settled: it is written for whoever comes back.
    this.document.addEventListener("click", () => this.#write(), { capture: true });
    await this.#show(readPlace(location.hash), false);
  }

  /** The chapter that is shown, and its instruments' state. */
  get place(): Place {
    const state = Object.assign({}, ...this.#instruments().map((instrument) => instrument.state));
    return { chapter: this.#current.id, state };
  }

  /** Go to a chapter, and put its instruments into its state: what that does not name is as it sets out. */
  go(place: Place): void {
    this.#write();
    const hash = writePlace(place);
    if (hash === location.hash) this.#show(place, true);
    else location.hash = hash;
  }

  #instruments(): Instrument[] {
    return [...this.#current.querySelectorAll<Instrument>("*")].filter(
      (element) => element instanceof Instrument,
    );
  }

  async #show(place: Place, moves: boolean): Promise<void> {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    this.#address = location.hash;
    const before = this.#current;
    for (const instrument of this.#instruments())
      for (const [name, field] of Object.entries((instrument.constructor as typeof Instrument).fields))
        if (carried.includes(name)) this.#along[name] = field.write(Reflect.get(instrument, name));
    const chapter =
      this.#chapters.find(({ id }) => id === place.chapter) ?? (this.#chapters[0] as HTMLElement);
    this.#current = chapter;
    for (const other of this.#chapters) other.hidden = other !== chapter;
    this.#mark(chapter);
    if (chapter !== before && moves) {
      scrollTo({ top: 0, behavior: "instant" });
      chapter.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    }
    this.document.dispatchEvent(new ChapterEvent(chapter.id));
    await begin(chapter);
    if (this.#current !== chapter) return;
    for (const instrument of this.#instruments())
      instrument.state = place.state ?? { ...instrument.state, ...this.#along };
  }

  /** The knot of the chapter that is shown; on a phone, where the lane is one line, it comes into view. */
  #mark(chapter: HTMLElement): void {
    for (const link of this.#lane.querySelectorAll("a")) {
      const isCurrent = link.hash === `#${chapter.id}`;
      if (!isCurrent) link.removeAttribute("aria-current");
      else {
        link.setAttribute("aria-current", "page");
        const { offsetLeft, offsetWidth } = link.closest("li") as HTMLElement;
        this.#lane.scrollTo({ left: offsetLeft - (this.#lane.clientWidth - offsetWidth) / 2 });
      }
    }
    this.document.title = `${chapter.querySelector("h1")?.textContent} · Ropewalk`;
  }

  #settle(): void {
    clearTimeout(this.#writing);
    this.#writing = setTimeout(() => this.#write(), settling);
  }

  /** Writes a state that waits to be written. */
  #write(): void {
    if (this.#writing === undefined) return;
    clearTimeout(this.#writing);
    this.#writing = undefined;
    // A link has been followed, and the browser has not said so yet: what is written now would undo it.
    if (location.hash !== this.#address) return;
    const hash = writePlace(this.place);
    if (hash !== location.hash) history.replaceState(null, "", hash);
    this.#address = location.hash;
  }
}
