// Configuring and building a preset of CMakePresets.json, with the toolchain.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./places.mjs";
import { toolchain } from "./toolchain.mjs";

/** Build `preset`, and give the folder that it is built in. */
export async function buildPreset(preset) {
  const { description, wasmPrefix, run } = await toolchain();
  const folder = join(PROJECT, "build", preset);

  // Ninja sees to changed sources and CMakeLists.txt by itself; another toolchain or preset needs a new start, for
  // CMake keeps what it once found.
  const presets = readFileSync(join(PROJECT, "CMakePresets.json"));
  const key = `${description}\n${wasmPrefix}\n${createHash("sha256").update(presets).digest("hex")}\n`;
  const stamp = join(folder, ".configured");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== key) {
    rmSync(folder, { recursive: true, force: true });
    await run([...(preset.startsWith("wasm") ? ["emcmake"] : []), "cmake", "--preset", preset], {
      quiet: true,
    });
    writeFileSync(stamp, key);
  }
  await run(["cmake", "--build", "--preset", preset]);
  return folder;
}
