/** Whatever tells the time of the lecture: a video, or a clock. Tells «change» when anything of it has changed. */
export abstract class Source extends EventTarget {
  /** Ends whatever listens for it. */
  protected readonly closing = new AbortController();

  /** In seconds. */
  abstract readonly time: number;
  abstract readonly playing: boolean;
  abstract seek(time: number): void;
  abstract play(): void;
  abstract pause(): void;

  /** Listen to nothing any more. */
  close(): void {
    this.closing.abort();
  }

  protected tell(): void {
    this.dispatchEvent(new Event("change"));
  }
}
