import { RopewalkAbsorption } from "../elements/absorption.js";
import { RopewalkCacheBars } from "../elements/cache_bars.js";
import { RopewalkCost } from "../elements/cost.js";
import { RopewalkLatent } from "../elements/latent.js";
import { RopewalkLatentFlow } from "../elements/latent_flow.js";

const elements = {
  "ropewalk-absorption": RopewalkAbsorption,
  "ropewalk-cache-bars": RopewalkCacheBars,
  "ropewalk-cost": RopewalkCost,
  "ropewalk-latent": RopewalkLatent,
  "ropewalk-latent-flow": RopewalkLatentFlow,
};
for (const [name, element] of Object.entries(elements)) customElements.define(name, element);

declare global {
  interface HTMLElementTagNameMap {
    "ropewalk-absorption": RopewalkAbsorption;
    "ropewalk-cache-bars": RopewalkCacheBars;
    "ropewalk-cost": RopewalkCost;
    "ropewalk-latent": RopewalkLatent;
    "ropewalk-latent-flow": RopewalkLatentFlow;
  }
}
