import { define } from "../elements/define.js";
import { Instrument } from "../elements/instrument.js";
import { readPlace } from "./address.js";
import { instruments } from "./instruments.js";
import { words } from "./words/en.js";

/** One instrument by itself, in the state that the address says: `embed.html#rotary?v=1&position=12`. */
async function show(): Promise<void> {
  const main = document.querySelector("main") as HTMLElement;
  const { chapter, state } = readPlace(location.hash);
  const name = `ropewalk-${chapter}`;
  const load = Object.hasOwn(instruments, name) ? instruments[name] : undefined;
  if (load === undefined) {
    const known = Object.keys(instruments).filter((one) => one.startsWith("ropewalk-"));
    const answer = document.createElement("p");
    answer.className = "lead";
    answer.textContent = words.embed.unknown(chapter, known.map((one) => one.slice(9)).join(", "));
    main.replaceChildren(answer);
    return;
  }
  define(name, await load());
  const element = document.createElement(name);
  if (element instanceof Instrument && state !== undefined) element.state = state;
  main.replaceChildren(element);
}

window.addEventListener("hashchange", show);
void show();
