// The contest in Node, in a process of its own: FILE with the modules of the ceilings and what to run, FILE for the results.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { contest } from "./contest.mjs";

const [asked, answer] = process.argv.slice(2);
const { only, ceilings } = JSON.parse(readFileSync(asked, "utf8"));
const platform = {
  ropewalk: () => import("../../dist/engine/node.js"),
  file: (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url)),
  ceilings: Object.fromEntries(
    Object.entries(ceilings).map(([name, base64]) => [name, Buffer.from(base64, "base64")]),
  ),
};
writeFileSync(answer, JSON.stringify(await contest({ platform, only, say: (line) => console.log(line) })));
