/** Registers every element under its name. The classes register nothing by themselves. */
import { RopewalkArcs } from "./arcs.js";
import { RopewalkDials } from "./dials.js";
import { RopewalkInstrument } from "./instrument.js";
import { RopewalkMatrix } from "./matrix.js";
import { RopewalkRope } from "./rope.js";

const elements = {
  "ropewalk-arcs": RopewalkArcs,
  "ropewalk-dials": RopewalkDials,
  "ropewalk-instrument": RopewalkInstrument,
  "ropewalk-matrix": RopewalkMatrix,
  "ropewalk-rope": RopewalkRope,
};

for (const [name, element] of Object.entries(elements)) customElements.define(name, element);

declare global {
  interface HTMLElementTagNameMap {
    "ropewalk-arcs": RopewalkArcs;
    "ropewalk-dials": RopewalkDials;
    "ropewalk-instrument": RopewalkInstrument;
    "ropewalk-matrix": RopewalkMatrix;
    "ropewalk-rope": RopewalkRope;
  }
}
