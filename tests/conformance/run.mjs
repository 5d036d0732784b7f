// `node tests/conformance/run.mjs [FOLDER]`: run other people's test vectors through the built engine.
//
// Every .json file under FOLDER is read, a line is printed for each case with its largest error, absolute and
// as a share of what its tolerance allows, and the last line has the sums. Without FOLDER it takes
// ../shared/conformance beside the project. An engine that has not been built yet is built first.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { BUILD_LOCK } from "../../cpp/toolchain/places.mjs";
import { inTurn } from "../../cpp/toolchain/process.mjs";
import { casesOf } from "./cases.mjs";
import { CaseError, Skip } from "./tensor.mjs";
import { Verdict } from "./verdict.mjs";

const BUILT = fileURLToPath(new URL("../../dist/engine/node.js", import.meta.url));
const BESIDE = fileURLToPath(new URL("../../../shared/conformance", import.meta.url));

/** Run every case under a folder, or of a file. → { passed, failed, skipped: [{ name, reason }] } */
async function runAll(path) {
  if (!existsSync(BUILT)) await build();
  const { loadRopewalk, RopewalkError } = await import("ropewalk");
  const engine = await loadRopewalk();
  const counts = { passed: 0, failed: 0, skipped: [] };
  for (const file of jsonFiles(path)) {
    const place = relative(path, file) || file;
    for (const { name, check } of read(file)) {
      const label = name && name !== basename(file, ".json") ? `${place}: ${name}` : place;
      const { outcome, line } = run((verdict) => check(engine, verdict, RopewalkError), RopewalkError);
      if (outcome === "skipped") counts.skipped.push({ name: label, reason: line });
      else counts[outcome]++;
      console.log(`${(outcome === "failed" ? "FAILED" : outcome).padEnd(7)}  ${label}: ${line}`);
    }
  }
  return counts;
}

async function build() {
  const { buildEngine, buildWasm, installPackages } = await import("../../web/build.mjs");
  await inTurn(BUILD_LOCK, async () => {
    await installPackages();
    await buildWasm();
    await buildEngine();
  });
}

/** What a case comes to, and a line to say so. */
function run(check, RopewalkError) {
  const verdict = new Verdict();
  try {
    check(verdict);
  } catch (error) {
    if (error instanceof Skip) return { outcome: "skipped", line: error.message };
    if (error instanceof RopewalkError) verdict.fail(`the engine refused it: ${error.message}`);
    else if (error instanceof CaseError) verdict.fail(error.message);
    else verdict.fail(error.stack); // A fault of the engine's, or of this runner's.
  }
  const { compared, failures } = verdict;
  if (compared === 0 && failures.length === 0) verdict.fail("there is nothing to compare");
  if (failures.length > 0) return { outcome: "failed", line: failures.join("; ") };
  return { outcome: "passed", line: verdict.figures };
}

function* read(file) {
  let parsed;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    yield {
      name: "",
      check: () => {
        throw new CaseError(error.message);
      },
    };
    return;
  }
  yield* casesOf(parsed);
}

function jsonFiles(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true })
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => join(path, file));
}

async function main([folder]) {
  let counts = { passed: 0, failed: 0, skipped: [] };
  let ended = 1;
  try {
    if (folder === undefined && !existsSync(BESIDE)) {
      console.log("There is no ../shared/conformance beside the project, and no other folder was named.");
      ended = 0;
    } else {
      counts = await runAll(folder === undefined ? BESIDE : resolve(folder));
      ended = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
      const report = process.env.ROPEWALK_REPORT;
      if (report) writeFileSync(report, JSON.stringify(counts));
    }
  } catch (error) {
    console.log(error.message);
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exitCode = ended;
}

await main(process.argv.slice(2));
