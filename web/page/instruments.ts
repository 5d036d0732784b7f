import { define, type Part } from "../elements/define.js";
import { sharedEngine } from "../elements/engine.js";

/** The elements that chapters are written with, each loaded when the first chapter that has it is opened. */
export const instruments: Record<string, () => Promise<Part>> = {
  "companion-tools": async () => (await import("./tools.js")).CompanionTools,
  "ropewalk-absorption": async () => (await import("../elements/absorption.js")).RopewalkAbsorption,
  "ropewalk-bands": async () => (await import("../elements/bands.js")).RopewalkBands,
  "ropewalk-binary": async () => (await import("../elements/binary.js")).RopewalkBinary,
  "ropewalk-block": async () => (await import("../elements/block.js")).RopewalkBlock,
  "ropewalk-cached": async () => (await import("../elements/cached.js")).RopewalkCached,
  "ropewalk-cost": async () => (await import("../elements/cost.js")).RopewalkCost,
  "ropewalk-doubt": async () => (await import("../elements/doubt.js")).RopewalkDoubt,
  "ropewalk-integer": async () => (await import("../elements/integer.js")).RopewalkInteger,
  "ropewalk-latent": async () => (await import("../elements/latent.js")).RopewalkLatent,
  "ropewalk-longer": async () => (await import("../elements/longer.js")).RopewalkLonger,
  "ropewalk-model": async () => (await import("../elements/model.js")).RopewalkModel,
  "ropewalk-order": async () => (await import("../elements/order.js")).RopewalkOrder,
  "ropewalk-rotary": async () => (await import("../elements/rotary.js")).RopewalkRotary,
  "ropewalk-sinusoidal": async () => (await import("../elements/sinusoidal.js")).RopewalkSinusoidal,
};

/** Load and register whatever a chapter has in it. */
export async function begin(chapter: Element): Promise<void> {
  const names = new Set(Array.from(chapter.querySelectorAll(":not(:defined)"), ({ localName }) => localName));
  // An instrument asks for the engine when it is seen, and tells when there is none; by then it is on its way.
  if ([...names].some((name) => name.startsWith("ropewalk-"))) sharedEngine().catch(() => {});
  await Promise.all(
    [...names].map(async (name) => {
      const load = instruments[name];
      if (load !== undefined) define(name, await load());
    }),
  );
}
