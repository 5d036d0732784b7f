import { Source } from "./source.js";

/** A `<video>`, of this page or of the one that it is framed in. */
export class Video extends Source {
  constructor(readonly video: HTMLVideoElement) {
    super();
    for (const event of ["timeupdate", "seeked", "play", "pause", "ended", "emptied"])
      video.addEventListener(event, () => this.tell(), { signal: this.closing.signal });
  }

  get time(): number {
    return this.video.currentTime;
  }

  get playing(): boolean {
    return !this.video.paused && !this.video.ended;
  }

  seek(time: number): void {
    this.video.currentTime = time;
  }

  play(): void {
    // Where the browser does not let it play, it stays paused, and is shown so.
    this.video.play().catch(() => this.tell());
  }

  pause(): void {
    this.video.pause();
  }
}

/** The documents whose videos can be followed: this one, and its host's where that has the same origin. */
export function documents(window: Window): Document[] {
  try {
    return window.parent === window ? [window.document] : [window.document, window.parent.document];
  } catch {
    return [window.document];
  }
}
