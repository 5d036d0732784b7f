import { longest } from "../time.js";
import { Source } from "./source.js";

/** A clock without any video: for a lecture that plays elsewhere. */
export class Clock extends Source {
  /** The time when it was last started, set or stopped, and when that was. */
  #from = 0;
  #since = 0;
  #ticking: ReturnType<typeof setInterval> | undefined;

  /** `now` in milliseconds, from any beginning. */
  constructor(private readonly now: () => number = () => performance.now()) {
    super();
  }

  get playing(): boolean {
    return this.#ticking !== undefined;
  }

  get time(): number {
    return Math.min(longest, this.#from + (this.playing ? (this.now() - this.#since) / 1000 : 0));
  }

  seek(time: number): void {
    this.#from = time;
    this.#since = this.now();
    this.tell();
  }

  play(): void {
    if (this.playing) return;
    this.#since = this.now();
    this.#ticking = setInterval(() => this.tell(), 250);
    this.tell();
  }

  pause(): void {
    this.#from = this.time;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.tell();
  }

  override close(): void {
    this.pause();
    super.close();
  }
}
