// The contest in Node, in a process of its own: FILE with what is asked for, FILE for the results.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { contest } from "./contest.mjs";

const [asked, answer] = process.argv.slice(2);

/** Do `start`, which knows browsers alone: it loads a script as a worker would, and looks for a graphics card. */
async function asInBrowser(start) {
  const { warn } = console;
  console.warn = () => {};
  const quiet = { print() {}, printErr() {} };
  Object.assign(globalThis, { self: globalThis, importScripts, Module: quiet });
  try {
    return await start();
  } finally {
    for (const name of ["self", "importScripts", "Module"]) delete globalThis[name];
    console.warn = warn;
  }
}

/** The script is CommonJS in a package that says it has none. */
function importScripts(path) {
  const module = { exports: {} };
  const names = ["module", "exports", "require", "__filename", "__dirname"];
  const script = new Function(...names, readFileSync(path, "utf8"));
  script(module, module.exports, createRequire(path), path, dirname(path));
  globalThis.ModuleFactory = module.exports;
}

const { names, ceilings } = JSON.parse(readFileSync(asked, "utf8"));
const platform = {
  ropewalk: () => import("../../dist/engine/node.js"),
  file: (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url)),
  asInBrowser,
  ceilings: Object.fromEntries(
    Object.entries(ceilings).map(([name, base64]) => [name, Buffer.from(base64, "base64")]),
  ),
};
writeFileSync(answer, JSON.stringify(await contest({ platform, names, say: (line) => console.log(line) })));
