import type { Place } from "../address.js";
import { passed, type Stamp } from "../lecture.js";
import type { Source } from "./source.js";

/** How long hands have to rest before another chapter may be shown, in milliseconds. */
export const resting = 8_000;

/** How long a player may take to be where it was sent, in milliseconds, and how near to that it is there, in seconds. */
const seeking = { patience: 5_000, near: 2 };

/**
 * Shows the chapter of whatever the lecture's clock has passed, and sets that clock. It never fights the student: who
 * goes to another chapter by hand is not taken back, and who is busy with an instrument or a note is not taken away.
 * Tells «change».
 */
export class Follower extends EventTarget {
  #source: Source | undefined;
  #following = false;
  #strayed = false;
  /** The stamp that was shown last. */
  #shown: Stamp | undefined;
  /** The chapter that is there, and the one that was last gone to from here. */
  #here = "";
  #going = "";
  #touched = Number.NEGATIVE_INFINITY;
  #sought: { time: number; until: number } | undefined;

  constructor(
    private readonly go: (place: Place) => void,
    readonly stamps: readonly Stamp[],
    private readonly isWriting: () => boolean = () => false,
    private readonly now: () => number = () => performance.now(),
  ) {
    super();
  }

  get source(): Source | undefined {
    return this.#source;
  }

  /** The clock's whole seconds, once it has been started or set. */
  get time(): number | undefined {
    const source = this.#source;
    return source !== undefined && (source.time > 0 || source.playing) ? Math.floor(source.time) : undefined;
  }

  get following(): boolean {
    return this.#following;
  }

  /** Whether following is off because the student went elsewhere. */
  get strayed(): boolean {
    return this.#strayed;
  }

  /** What the clock has passed last. */
  get passed(): Stamp | undefined {
    return this.time === undefined ? undefined : passed(this.stamps, this.time);
  }

  /** Whether there is something to show, as soon as the student is not busy. */
  get waits(): boolean {
    return this.#isDue && this.#isBusy;
  }

  /** Follow something else, or nothing. */
  use(source: Source | undefined): void {
    this.#source?.removeEventListener("change", this.#step);
    this.#source?.close();
    this.#source = source;
    this.#sought = undefined;
    this.#source?.addEventListener("change", this.#step);
    this.follow(source !== undefined);
  }

  /** To begin again is to be taken at once to where the lecture is. */
  follow(following: boolean): void {
    this.#following = following;
    this.#strayed = false;
    this.#shown = undefined;
    this.#touched = Number.NEGATIVE_INFINITY;
    this.#step();
  }

  /** Go to a place, and have the clock go to its time. */
  seek(time: number, place: Place): void {
    this.#following = this.#source !== undefined;
    this.#strayed = false;
    // Of several with one time, the one that was asked for stays.
    this.#shown = passed(this.stamps, time);
    this.#sought = { time, until: this.now() + seeking.patience };
    this.#show(place);
    this.#source?.seek(time);
    this.dispatchEvent(new Event("change"));
  }

  /** The student's hands are on something. */
  touch(): void {
    this.#touched = this.now();
  }

  /** A chapter is shown: if that was not from here, it was the student. */
  arrived(chapter: string): void {
    const isElsewhere = chapter !== this.#here && chapter !== this.#going;
    this.#here = chapter;
    if (!this.#following || !isElsewhere) return;
    this.#following = false;
    this.#strayed = true;
    this.dispatchEvent(new Event("change"));
  }

  readonly #step = (): void => {
    // Asked first: it is over as soon as the clock is there, whether or not anything is due.
    if (!this.#isSeeking && this.#isDue && !this.#isBusy) {
      this.#shown = this.passed;
      this.#show((this.passed as Stamp).place);
    }
    this.dispatchEvent(new Event("change"));
  };

  get #isDue(): boolean {
    const { passed } = this;
    return this.#following && passed !== undefined && passed !== this.#shown;
  }

  get #isBusy(): boolean {
    return this.isWriting() || this.now() - this.#touched < resting;
  }

  /** Whether the clock is still where it was before it was set. */
  get #isSeeking(): boolean {
    if (this.#source === undefined || this.#sought === undefined) return false;
    const isThere = Math.abs(this.#source.time - this.#sought.time) <= seeking.near;
    if (isThere || this.now() >= this.#sought.until) this.#sought = undefined;
    return this.#sought !== undefined;
  }

  #show(place: Place): void {
    this.#going = place.chapter;
    this.go(place);
  }
}
