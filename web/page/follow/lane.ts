import type { Chapter } from "../desk.js";
import { writeTime } from "../time.js";
import { words } from "../words/en.js";

/** While there is a clock, the times in the lane are buttons that set it. They stand beside the links that they were in. */
export function stampLane(
  lane: Element,
  chapters: readonly Chapter[],
  seek: ((chapter: Chapter) => void) | undefined,
): void {
  for (const chapter of chapters) {
    if (chapter.time === undefined) continue;
    const link = lane.querySelector(`a[href="#${chapter.id}"]`);
    const time = link?.querySelector("time");
    const item = link?.parentElement;
    if (!time || !item) continue;
    const button = item.querySelector("button");
    time.hidden = seek !== undefined;
    if (seek === undefined) button?.remove();
    else if (button === null) {
      const made = lane.ownerDocument.createElement("button");
      made.type = "button";
      made.className = "stamp";
      made.textContent = writeTime(chapter.time);
      made.setAttribute("aria-label", words.follow.playFrom(writeTime(chapter.time), chapter.name));
      made.addEventListener("click", () => seek(chapter));
      item.append(made);
    }
  }
}
