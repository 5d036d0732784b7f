import "../elements/register.js";
import type { Encoding } from "../elements/pipeline.js";
import { chapters, type Note } from "./chapters.js";

const find = <E extends Element>(selector: string) => document.querySelector(selector) as E;
const instrument = find<HTMLElementTagNameMap["ropewalk-instrument"]>("ropewalk-instrument");
const lane = find<HTMLFieldSetElement>(".lane fieldset");

function show(encoding: Encoding): void {
  const { title, lead, notes } = chapters[encoding];
  find("h1").textContent = title;
  find(".lead").textContent = lead;
  find("aside").replaceChildren(...notes.map(note));
  instrument.encoding = encoding;
  // On a phone the lane is one line: the present knot stays in view.
  const knot = find<HTMLElement>("input[name=encoding]:checked").closest("label") as HTMLElement;
  lane.scrollTo({ left: knot.offsetLeft - (lane.clientWidth - knot.offsetWidth) / 2 });
}

function note({ heading, text, source }: Note): HTMLElement {
  const section = document.createElement("section");
  const title = document.createElement("h2");
  title.textContent = heading;
  const body = document.createElement("p");
  body.textContent = text;
  section.append(title, body);
  if (source !== undefined) {
    const link = document.createElement("a");
    link.href = source.url;
    link.textContent = source.name;
    body.append(" ", link);
  }
  return section;
}

lane.addEventListener("change", (event) => show((event.target as HTMLInputElement).value as Encoding));
// A reload may have kept another knot than the first.
show(find<HTMLInputElement>("input[name=encoding]:checked").value as Encoding);
