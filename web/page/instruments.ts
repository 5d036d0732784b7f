import { define, type Part } from "../elements/define.js";

/** The elements that chapters are written with, each loaded when the first chapter that has it is opened. */
export const instruments: Record<string, () => Promise<Part>> = {
  "companion-tools": async () => (await import("./tools.js")).CompanionTools,
  "ropewalk-absorption": async () => (await import("../elements/absorption.js")).RopewalkAbsorption,
  "ropewalk-cached": async () => (await import("../elements/cached.js")).RopewalkCached,
  "ropewalk-cost": async () => (await import("../elements/cost.js")).RopewalkCost,
  "ropewalk-latent": async () => (await import("../elements/latent.js")).RopewalkLatent,
  "ropewalk-order": async () => (await import("../elements/order.js")).RopewalkOrder,
  "ropewalk-block": async () => (await import("../elements/block.js")).RopewalkBlock,
};

/** Load and register whatever a chapter has in it. */
export async function begin(chapter: Element): Promise<void> {
  const names = new Set(Array.from(chapter.querySelectorAll(":not(:defined)"), ({ localName }) => localName));
  await Promise.all(
    [...names].map(async (name) => {
      const load = instruments[name];
      if (load !== undefined) define(name, await load());
    }),
  );
}
