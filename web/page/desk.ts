import type { Companion } from "./companion.js";
import type { Follower } from "./follow/follower.js";
import type { NoteStore } from "./notes/store.js";

/** A chapter as the lane has it. */
export interface Chapter {
  readonly id: string;
  readonly name: string;
  /** Seconds, where the lecture's notes name a time for it. */
  readonly time: number | undefined;
}

/** What a student works with; given to each part of the page that has to do with it. */
export interface Desk {
  readonly companion: Companion;
  readonly chapters: readonly Chapter[];
  readonly follower: Follower;
  readonly notes: NoteStore;
}

export function chapterName({ chapters }: Desk, id: string): string {
  return chapters.find((chapter) => chapter.id === id)?.name ?? id;
}
