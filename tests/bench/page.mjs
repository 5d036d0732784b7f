// The contest in a page, which has `asked` and `say` of the driver.
import { contest } from "./contest.mjs";

const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

export async function run({ names, ceilings }) {
  const engine = "/engine/index.js";
  const platform = {
    ropewalk: () => import(/* @vite-ignore */ engine),
    file: (path) => `/peers/${path}`,
    asInBrowser: (start) => start(),
    ceilings: Object.fromEntries(Object.entries(ceilings).map(([name, base64]) => [name, bytes(base64)])),
  };
  return contest({ platform, names, say: (line) => globalThis.say(line) });
}
