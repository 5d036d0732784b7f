// The peers, which are the benchmark's own dependencies.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../../cpp/toolchain/places.mjs";
import { run, SetupError, tail, withProgress } from "../../cpp/toolchain/process.mjs";

const HERE = join(PROJECT, "tests/bench");

/** `npm ci` in this folder, unless its node_modules is what its package-lock.json asks for already. */
export async function installPeers() {
  const stamp = join(HERE, "node_modules/.ropewalk-lock");
  const lock = createHash("sha256")
    .update(readFileSync(join(HERE, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  const log = join(PROJECT, "build/npm-ci-bench.log");
  try {
    const command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    await withProgress("npm ci, of the benchmark's peers", () => run(command, { cwd: HERE, log }));
  } catch {
    throw new SetupError(`${tail(log, 80)}\n\nnpm ci failed; the whole log: ${log}`);
  }
  writeFileSync(stamp, lock);
}
