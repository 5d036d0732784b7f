import { relaxedSimd } from "wasm-feature-detect";
import { define } from "../elements/define.js";
import { ChapterEvent, Companion } from "./companion.js";
import type { Desk } from "./desk.js";
import { CompanionFollow, goer } from "./follow/follow.js";
import { Follower } from "./follow/follower.js";
import { lecture } from "./lecture.js";
import { CompanionComposer } from "./notes/composer.js";
import { CompanionNotes } from "./notes/notes.js";
import { NoteStore, prefix } from "./notes/store.js";
import { prepareForPrint } from "./print.js";
import { readTime } from "./time.js";

/** Where the browser lets a page keep things; it may forbid even to ask. */
function storage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

prepareForPrint(document);

const companion = new Companion(document);
const desk: Desk = {
  companion,
  chapters: [...document.querySelectorAll<HTMLAnchorElement>(".lane li a")].map((knot) => ({
    id: knot.hash.slice(1),
    name: knot.querySelector("span")?.textContent ?? "",
    time: readTime(knot.querySelector("time")?.textContent ?? ""),
  })),
  follower: new Follower(
    goer(companion),
    lecture,
    () => document.activeElement?.matches("companion-composer[writing]") ?? false,
  ),
  notes: new NoteStore(storage()),
};

document.addEventListener(ChapterEvent.type, (event) =>
  desk.follower.arrived((event as ChapterEvent).chapter),
);
window.addEventListener("storage", ({ key }) => {
  if (key === null || key.startsWith(prefix)) desk.notes.refresh();
});

define("companion-follow", CompanionFollow);
define("companion-composer", CompanionComposer);
define("companion-notes", CompanionNotes);
type Part = CompanionFollow | CompanionComposer | CompanionNotes;
for (const part of document.querySelectorAll<Part>("companion-follow, companion-composer, companion-notes"))
  part.desk = desk;

/** How long the first chapter has the network for itself once its code is there, in milliseconds. */
const headStart = 2000;

await companion.start();
// The files that it keeps are those of all chapters, and of the engine's binaries the one that runs here.
setTimeout(async () => {
  if (!("serviceWorker" in navigator)) return;
  const binary = (await relaxedSimd()) ? "ropewalk_relaxed" : "ropewalk";
  await navigator.serviceWorker.register(new URL(`service_worker.js?binary=${binary}`, document.baseURI));
}, headStart);
