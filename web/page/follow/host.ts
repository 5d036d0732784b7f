import { isTime } from "../time.js";
import { Source } from "./source.js";

/**
 * A video in a host page of another origin, which tells its time by message:
 * `frame.contentWindow.postMessage({ type: "ropewalk:time", time: 900, playing: true }, origin)`, in seconds; `playing` may be
 * left out. It is asked in the same way: `{ type: "ropewalk:seek", time }`, `{ type: "ropewalk:play" }`, `{ type: "ropewalk:pause" }`.
 */
export class Host extends Source {
  time = 0;
  playing = false;
  /** Where the host is, once it has said anything. */
  #origin: string | undefined;

  constructor(private readonly window: Window) {
    super();
    window.addEventListener("message", (event) => this.#hear(event), { signal: this.closing.signal });
  }

  seek(time: number): void {
    this.#ask({ type: "ropewalk:seek", time });
  }

  play(): void {
    this.#ask({ type: "ropewalk:play" });
  }

  pause(): void {
    this.#ask({ type: "ropewalk:pause" });
  }

  #hear({ source, origin, data }: MessageEvent): void {
    if (source !== this.window.parent || this.window.parent === this.window) return;
    if (data?.type !== "ropewalk:time" || !isTime(data.time)) return;
    this.#origin = origin;
    this.time = data.time;
    this.playing = data.playing === undefined || data.playing === true;
    this.tell();
  }

  #ask(message: object): void {
    // A page from a file has no origin to name; it is told a time, and nothing else.
    if (this.#origin !== undefined)
      this.window.parent.postMessage(message, this.#origin === "null" ? "*" : this.#origin);
  }
}
