// `npm run bench`: Ropewalk and its peers, measured side by side. The README says how it is used.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BUILD_LOCK, PROJECT } from "../../cpp/toolchain/places.mjs";
import { die, inTurn, outputOf, run, SetupError } from "../../cpp/toolchain/process.mjs";
import { buildEngine, buildWasm, installPackages } from "../../web/build.mjs";
import { ensure } from "../page/browsers.mjs";
import { installPeers } from "./install.mjs";
import { IDLE, markdown, percent, withTable } from "./table.mjs";
import { workloads } from "./workloads.mjs";

const WORK = join(PROJECT, "build/bench");

const PLACES = ["node", "chromium"];

/** Cold starts are no workload of the contest, but are asked for by name as if they were one. */
const NAMES = [...workloads.map(({ name }) => name), "cold"];

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
  const list = { type: "string", multiple: true };
  const { values } = parseArgs({
    args,
    options: { only: list, in: list, json: { type: "string" }, readme: { type: "boolean" } },
  });
  const { only = [""], in: places = PLACES, json, readme } = values;
  requireKnown("workload", only, (start) => NAMES.some((name) => name.startsWith(start)), NAMES);
  requireKnown("place", places, (place) => PLACES.includes(place), PLACES);
  if (readme && (values.only || values.in))
    throw new SetupError("The README gets the table of a whole run: --readme goes without --only and --in.");
  return { only, places, json, readme };
}

function requireKnown(what, given, known, all) {
  const unknown = given.filter((one) => !known(one));
  if (unknown.length > 0)
    throw new SetupError(`There is no ${what} ${unknown.join(", ")}. There are ${all.join(", ")}.`);
}

async function bench({ only, places, json, readme }) {
  const chosen = NAMES.filter((name) => only.some((start) => name.startsWith(start)));
  const asked = { names: chosen.filter((name) => name !== "cold"), ceilings: await ceilingModules() };
  const machine = await describeMachine(places);
  if (machine.busy > IDLE)
    console.log(
      `The machine is ${percent(machine.busy)} busy with something else: this is worth less for it.`,
    );

  const results = { machine };
  if (places.includes("node") && asked.names.length > 0) results.node = await inNode(asked);
  if (places.includes("chromium")) {
    if (asked.names.length > 0) results.chromium = await inChromium(asked);
    if (chosen.includes("cold")) results.cold = await cold();
  }
  if (json) writeFileSync(json, `${JSON.stringify(results, undefined, 2)}\n`);
  const table = markdown(results);
  console.log(`\n${table}`);
  if (readme) {
    const file = join(PROJECT, "README.md");
    writeFileSync(file, withTable(readFileSync(file, "utf8"), table));
  }
}

/** In base64, as they go to another process and into a page. */
async function ceilingModules() {
  const { assembleCeilings } = await import("./ceilings.mjs");
  const modules = Object.entries(await assembleCeilings());
  return Object.fromEntries(modules.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]));
}

async function describeMachine(places) {
  const processors = cpus();
  const machine = {
    date: new Date().toISOString().slice(0, 10),
    cpu: processors[0].model.trim(),
    cores: processors.length,
    busy: await busyPart(),
    node: process.versions.node,
  };
  if (places.includes("chromium")) {
    Object.assign(process.env, await ensure("CHROMIUM"));
    const version = await outputOf([process.env.CHROMIUM, "--version"]);
    machine.chromium = /\d+(\.\d+){3}/.exec(version ?? "")?.[0];
  }
  return machine;
}

/** The part of the machine that others use, while this process sleeps. */
async function busyPart() {
  const spent = () => {
    const times = cpus().map((core) => core.times);
    const idle = times.reduce((sum, { idle }) => sum + idle, 0);
    return { idle, all: times.flatMap(Object.values).reduce((sum, time) => sum + time, 0) };
  };
  const before = spent();
  await sleep(2000);
  const after = spent();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

async function inChromium(asked) {
  console.log("\n==== Chromium");
  return (await import("./in_chromium.mjs")).inChromium(asked);
}

async function cold() {
  console.log("\n==== Chromium, cold");
  return (await import("./cold.mjs")).cold((line) => console.log(line));
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
