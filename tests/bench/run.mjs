// `npm run bench`: Ropewalk and its peers, measured side by side. The README says how it is used.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BUILD_LOCK, PROJECT } from "../../cpp/toolchain/places.mjs";
import { die, inTurn, run, SetupError } from "../../cpp/toolchain/process.mjs";
import { buildEngine, buildWasm, installPackages } from "../../web/build.mjs";
import { ensure } from "../page/browsers.mjs";
import { installPeers } from "./install.mjs";
import { workloads } from "./workloads.mjs";

const WORK = join(PROJECT, "build/bench");

const places = { node: inNode, chromium: inChromium };

try {
  const options = optionsFrom(process.argv.slice(2));
  await inTurn(BUILD_LOCK, async () => {
    await installPackages();
    await installPeers();
    await buildWasm();
    await buildEngine();
  });
  await bench(options);
} catch (error) {
  die(error);
}

function optionsFrom(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      in: { type: "string", multiple: true, default: Object.keys(places) },
      json: { type: "string" },
      readme: { type: "boolean", default: false },
    },
  });
  const unknown = values.only.filter((start) => !workloads.some(({ name }) => name.startsWith(start)));
  if (unknown.length > 0) {
    const names = workloads.map(({ name }) => name).join(", ");
    throw new SetupError(`There is no workload ${unknown.join(", ")}. The workloads are ${names}.`);
  }
  return values;
}

async function bench({ only, in: where, json }) {
  const { assembleCeilings } = await import("./ceilings.mjs");
  const modules = Object.entries(await assembleCeilings());
  const ceilings = Object.fromEntries(
    modules.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
  );
  const results = {};
  for (const place of where) results[place] = await places[place]({ only, ceilings });
  if (json) writeFileSync(json, `${JSON.stringify(results, undefined, 2)}\n`);
}

async function inChromium(asked) {
  Object.assign(process.env, await ensure("CHROMIUM"));
  return (await import("./in_chromium.mjs")).inChromium(asked);
}

async function inNode(asked) {
  console.log(`\n==== Node ${process.versions.node}`);
  mkdirSync(WORK, { recursive: true });
  const [question, answer] = [join(WORK, "node-asked.json"), join(WORK, "node.json")];
  writeFileSync(question, JSON.stringify(asked));
  const script = join(PROJECT, "tests/bench/in_node.mjs");
  await run([process.execPath, ...process.execArgv, script, question, answer], { cwd: PROJECT });
  return JSON.parse(readFileSync(answer, "utf8"));
}
