import { RopewalkModel } from "../elements/model.js";
import { RopewalkPairing } from "../elements/pairing.js";
import { RopewalkTwist } from "../elements/twist.js";
import { RopewalkWavelengths } from "../elements/wavelengths.js";
import { examples } from "./model_examples.js";

const elements = {
  "ropewalk-model": RopewalkModel,
  "ropewalk-pairing": RopewalkPairing,
  "ropewalk-twist": RopewalkTwist,
  "ropewalk-wavelengths": RopewalkWavelengths,
};
for (const [name, element] of Object.entries(elements)) customElements.define(name, element);

declare global {
  interface HTMLElementTagNameMap {
    "ropewalk-model": RopewalkModel;
    "ropewalk-pairing": RopewalkPairing;
    "ropewalk-twist": RopewalkTwist;
    "ropewalk-wavelengths": RopewalkWavelengths;
  }
}

const model = document.querySelector("ropewalk-model");
if (model !== null) model.examples = examples;
