// `npm test [-- PART…]`: set up, run every part or the named ones, and sum up.
//
// Every suite leaves a report beside what it shows. A suite without a report, without a single test, or whose exit code
// tells of a failure that its report does not, counts as a failure of its own.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildPreset } from "../cpp/toolchain/cmake.mjs";
import { BUILD_LOCK, PROJECT } from "../cpp/toolchain/places.mjs";
import { CommandError, die, inTurn, run, SetupError } from "../cpp/toolchain/process.mjs";
import { toolchain } from "../cpp/toolchain/toolchain.mjs";
import { buildEngine, buildPage, buildWasm, installPackages } from "../web/build.mjs";
import { fuzzBriefly } from "./fuzz/run.mjs";
import * as browsers from "./page/browsers.mjs";

const REPORTS = join(PROJECT, "build/reports");
const WITH_RELAXED_SIMD = "cpp/toolchain/with_relaxed_simd.mjs";
const CLANG_FORMAT = 19; // The version that the sources are formatted with: another one disagrees in places.

// Colours are for terminals; what a file or a pipe gets is to be read plain.
if (!process.stdout.isTTY) process.env.NO_COLOR = "1";

const results = [];

// ---- Parts -----------------------------------------------------------------------------------------------------------

const parts = {
  async cpp() {
    await catch2("native", (folder) => [`${folder}/ropewalk_tests`]);
    await catch2("native", (folder) => [`${folder}/ropewalk_counting_tests`], "counting");
    await catch2("sanitize", (folder) => [`${folder}/ropewalk_tests`]);
    await catch2("wasm-tests", (folder) => ["node", `${folder}/ropewalk_tests.js`]);
    const flag = `--import=${join(PROJECT, WITH_RELAXED_SIMD)}`;
    await catch2("wasm-relaxed-tests", (folder) => ["node", flag, `${folder}/ropewalk_tests.js`]);
  },

  async fuzz() {
    headline("fuzz");
    const counts = await fuzzBriefly();
    record("fuzz", counts.failed > 0 ? 1 : 0, counts);
  },

  async lint() {
    await setUp("lint", async () => {
      await installPackages();
      await buildWasm(); // Its types are the bindings' output.
    });
    await clangFormat();
    await check("biome", ["node_modules/@biomejs/biome/bin/biome", "ci", "--error-on-warnings"]);
    await check("tsc", ["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "-p", "."]);
    await check("tsc engine", [
      "node_modules/typescript/bin/tsc",
      "--noEmit",
      "--strict",
      "-p",
      "web/engine",
    ]);
  },

  async engine() {
    await setUp("engine", async () => {
      await installPackages();
      await buildWasm();
      await buildEngine();
      await buildPreset("wasm-reference"); // What the property tests hold the engine to.
    });
    await vitest("engine");
    await vitest("engine-simd128");
  },

  async conformance() {
    await setUp("conformance", async () => {
      await installPackages();
      await buildWasm();
      await buildEngine();
    });
    await vitest("conformance");
    await vectors("vectors", WITH_RELAXED_SIMD);
    await vectors("vectors-simd128", "tests/without_relaxed_simd.mjs");
  },

  async page() {
    let found;
    await setUp("page", async () => {
      found = await browsers.ensure(...browsers.all);
      await installPackages();
      await buildWasm();
      await buildEngine(); // What the page shows is compared with what the engine returns here.
      await buildPage();
    });
    await vitest("page", found);
  },
};

// ---- Suites ----------------------------------------------------------------------------------------------------------

/** Build a Catch2 suite of a preset and run it. */
async function catch2(preset, command, suite = preset) {
  const name = `cpp ${suite}`;
  headline(name);
  const report = freshReport(`${suite}.xml`);
  const { run } = await toolchain();
  const folder = await buildPreset(preset);
  const colour = process.stdout.isTTY ? "ansi" : "none";
  const { code, signal } = await run(
    [
      ...command(folder),
      "--colour-mode",
      colour,
      "--reporter",
      "console",
      "--reporter",
      `xml::out=${report}`,
    ],
    { check: false, env: { UBSAN_OPTIONS: "print_stacktrace=1" } },
  );
  record(name, signal ?? code, existsSync(report) && catch2Counts(readFileSync(report, "utf8")));
}

function catch2Counts(xml) {
  const totals = /<OverallResultsCases([^>]*)\/>/.exec(xml)?.[1];
  if (!totals) return undefined; // It ended before its end.
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(totals)?.[1] ?? 0);
  const skipped = [];
  for (const [, name, body] of xml.matchAll(/<TestCase name="([^"]*)"(.*?)<\/TestCase>/gs)) {
    const reason = /<Skip\b[^>]*>(.*?)<\/Skip>/s.exec(body)?.[1].trim();
    const failed = /<Expression success="false"|<Failure|<Exception|<FatalErrorCondition/.test(body);
    if (reason !== undefined && !failed)
      skipped.push({ name: unescapeXml(name), reason: unescapeXml(reason) });
  }
  return { passed: count("successes") + count("expectedFailures"), failed: count("failures"), skipped };
}

const unescapeXml = (text) =>
  text.replace(/&(lt|gt|quot|amp);/g, (_, name) => ({ lt: "<", gt: ">", quot: '"', amp: "&" })[name]);

/** Run a project of vitest.config.ts. */
async function vitest(project, env) {
  headline(project);
  const report = freshReport(`${project}.json`);
  const { code, signal } = await run(
    [
      process.execPath,
      "node_modules/vitest/vitest.mjs",
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=./tests/vitest_report.mjs",
    ],
    { cwd: PROJECT, check: false, env: { ...process.env, ...env, ROPEWALK_REPORT: report } },
  );
  record(project, signal ?? code, existsSync(report) && JSON.parse(readFileSync(report, "utf8")));
}

/** Other people's test vectors, where they stand beside the project; where they do not, the runner says so. */
async function vectors(name, ahead) {
  headline(name);
  const report = freshReport(`${name}.json`);
  const command = [process.execPath, `--import=./${ahead}`, "tests/conformance/run.mjs"];
  const { code, signal } = await run(command, {
    cwd: PROJECT,
    check: false,
    env: { ...process.env, ROPEWALK_REPORT: report },
  });
  const ran = existsSync(report);
  if (ran || code !== 0) record(name, signal ?? code, ran && JSON.parse(readFileSync(report, "utf8")));
}

/** A check of the sources: one test, by its exit code. */
async function check(name, command) {
  headline(`lint ${name}`);
  const { code } = await run([process.execPath, ...command], { cwd: PROJECT, check: false });
  record(`lint ${name}`, code, { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] });
}

async function clangFormat() {
  const name = "lint clang-format";
  headline(name);
  const { run } = await toolchain();
  const found = await run(["clang-format", "--version"], { quiet: true, check: false }).catch(
    () => undefined,
  );
  const version = Number(/version (\d+)/.exec(found?.output ?? "")?.[1]);
  if (version !== CLANG_FORMAT) {
    const reason = `clang-format ${CLANG_FORMAT} is wanted, and ${version ? `${version} was` : "none was"} found`;
    return record(name, 0, { passed: 0, failed: 0, skipped: [{ name, reason }] });
  }
  const files = ["cpp", "tests/cpp", "tests/counting", "tests/fuzz"].flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true })
      .filter((file) => /\.[ch]pp$/.test(file))
      .map((file) => join(folder, file)),
  );
  const { code } = await run(["clang-format", "--dry-run", "-Werror", ...files], { check: false });
  record(name, code, { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] });
}

// ---- Summing up ------------------------------------------------------------------------------------------------------

function headline(text) {
  console.log(`\n==== ${text}`);
}

async function setUp(name, work) {
  headline(`${name}: set-up`);
  await work();
}

function freshReport(name) {
  mkdirSync(REPORTS, { recursive: true });
  const file = join(REPORTS, name);
  rmSync(file, { force: true });
  return file;
}

/** Take note of a suite: `ended` is its exit code or signal, `counts` what its report says, if there is one. */
function record(name, ended, counts) {
  if (!counts)
    results.push({ name, passed: 0, failed: 1, skipped: [], remark: `no report; it ended with ${ended}` });
  else if (counts.passed + counts.failed + counts.skipped.length === 0)
    results.push({ name, ...counts, failed: 1, remark: "not a single test" });
  else if (ended !== 0 && counts.failed === 0)
    results.push({ name, ...counts, failed: 1, remark: `no test failed, and yet it ended with ${ended}` });
  else results.push({ name, ...counts });
}

/** Print the sums; the last line is the one that counts. */
function sumUp() {
  const total = (of) => results.reduce((sum, result) => sum + of(result), 0);
  const passed = total((result) => result.passed);
  const failed = total((result) => result.failed);
  const skipped = results.flatMap((result) => result.skipped.map((test) => ({ ...test, part: result.name })));

  console.log("");
  for (const result of results) {
    const remark = result.remark ? ` (${result.remark})` : "";
    console.log(
      `${result.failed ? "FAILED" : "ok    "}  ${result.name.padEnd(18)} passed ${result.passed}, failed ${result.failed}${remark}`,
    );
  }
  for (const { part, name, reason } of skipped) console.log(`skipped  ${part}: ${name}: ${reason}`);
  console.log(
    `\n${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
  );
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

// ---- Running ---------------------------------------------------------------------------------------------------------

async function runParts(chosen) {
  console.log(`Toolchain: ${(await toolchain()).description}`);
  for (const [name, part] of Object.entries(parts)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    try {
      await part();
    } catch (error) {
      // A part that cannot be set up or built fails; the others still tell what they have to tell.
      if (!(error instanceof SetupError || error instanceof CommandError)) throw error;
      console.error(`\n${error.message}`);
      results.push({ name, passed: 0, failed: 1, skipped: [], remark: "could not be set up or built" });
    }
  }
}

try {
  const chosen = process.argv.slice(2);
  const unknown = chosen.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) {
    throw new SetupError(
      `There is no part ${unknown.join(", ")}. The parts are ${Object.keys(parts).join(", ")}; without one, all run.`,
    );
  }
  await inTurn(BUILD_LOCK, () => runParts(chosen));
  sumUp();
} catch (error) {
  die(error);
}
