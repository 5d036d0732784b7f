// Fuzzing the kernels (libFuzzer, with the address and undefined-behaviour sanitizers):
//
//   npm run fuzz -- [NAME…] [--seconds N]    each fuzzer, or those named, for N seconds (60); what they learn is kept
//   npm run fuzz -- NAME --replay FILE       an input that was reported, once more
//
// Part `fuzz` of `npm test` runs each of them for a moment, the same inputs every time.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { buildPreset } from "../../cpp/toolchain/cmake.mjs";
import { BUILD_LOCK, PROJECT } from "../../cpp/toolchain/places.mjs";
import { die, inTurn, SetupError } from "../../cpp/toolchain/process.mjs";
import { toolchain } from "../../cpp/toolchain/toolchain.mjs";

// Beside the folder of the preset, which starts anew with another toolchain.
const CORPUS = join(PROJECT, "build/fuzz-corpus");
const CRASHES = join(PROJECT, "build/fuzz-crashes");
const LIMITS = ["-max_len=256", "-timeout=20", "-print_funcs=0"];
// A second or so each, under the sanitizers.
const BRIEF_RUNS = 20_000;
const BRIEF_RUNS_OF = {
  attention: 6000,
  mla: 6000,
};

const SOURCE = /^(.*)_fuzz\.cpp$/;
const names = readdirSync(join(PROJECT, "tests/fuzz"))
  .map((file) => SOURCE.exec(file)?.[1])
  .filter(Boolean)
  .sort();

/** Why there can be no fuzzing with this toolchain, or undefined. */
async function obstacle() {
  const { run } = await toolchain();
  const folder = join(PROJECT, "build/fuzz-probe");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "probe.cpp"),
    'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n',
  );
  const compile = ["clang++", "-fsanitize=fuzzer,address,undefined", "probe.cpp", "-o", "probe"];
  const { code } = await run(compile, { cwd: folder, quiet: true, check: false }).catch(() => ({
    code: 127,
  }));
  if (code === 0) return undefined;
  return `clang++ with libFuzzer is needed, and \`${compile.slice(0, 2).join(" ")}\` fails`;
}

/**
 * Run a fuzzer; should it find something, tell how to see that again. Resolves to whether it found nothing. `quiet`
 * shows its output only when it does.
 */
async function fuzz(folder, name, options, quiet = false) {
  const { run } = await toolchain();
  mkdirSync(CRASHES, { recursive: true });
  const start = Date.now();
  const command = [
    join(folder, `${name}_fuzz`),
    ...LIMITS,
    `-artifact_prefix=${CRASHES}/${name}-`,
    ...options,
  ];
  const env = { UBSAN_OPTIONS: "print_stacktrace=1" };
  const { code, signal, output } = await run(command, { check: false, quiet, env });
  if (code === 0) return true;
  console.log(`${output ?? ""}\n${name}: ended with ${signal ?? code}`);
  for (const file of readdirSync(CRASHES).map((file) => join(CRASHES, file))) {
    if (statSync(file).mtimeMs < start) continue;
    console.log(`To see that again: npm run fuzz -- ${name} --replay ${relative(PROJECT, file)}`);
  }
  return false;
}

/** Each fuzzer on inputs that are the same every time; as counts of tests. */
export async function fuzzBriefly() {
  const reason = await obstacle();
  if (reason) return { passed: 0, failed: 0, skipped: [{ name: "all", reason }] };
  const folder = await buildPreset("fuzz");
  let passed = 0;
  for (const name of names) {
    const start = performance.now();
    const runs = BRIEF_RUNS_OF[name] ?? BRIEF_RUNS;
    const options = ["-seed=1", `-runs=${runs}`, "-verbosity=0"];
    if (!(await fuzz(folder, name, options, true))) continue;
    ++passed;
    console.log(`${name}: ${runs} inputs in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  return { passed, failed: names.length - passed, skipped: [] };
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { seconds: { type: "string", default: "60" }, replay: { type: "string" } },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new SetupError(
      `There is no fuzzer ${unknown.join(", ")}. They are ${names.join(", ")}; without one, all run.`,
    );
  }
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new SetupError("--seconds takes a whole number, at least 1.");
  if (values.replay !== undefined && (positionals.length !== 1 || !existsSync(values.replay))) {
    throw new SetupError("--replay takes a file, and goes with the name of one fuzzer.");
  }

  const reason = await obstacle();
  if (reason) throw new SetupError(reason);
  const folder = await inTurn(BUILD_LOCK, () => buildPreset("fuzz"));
  let found = 0;
  for (const name of positionals.length > 0 ? positionals : names) {
    console.log(`\n==== ${name}`);
    const corpus = join(CORPUS, name);
    mkdirSync(corpus, { recursive: true });
    const options = values.replay
      ? [resolve(values.replay)]
      : [`-max_total_time=${seconds}`, "-print_final_stats=1", corpus];
    if (!(await fuzz(folder, name, options))) ++found;
  }
  process.exitCode = found > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main().catch(die);
