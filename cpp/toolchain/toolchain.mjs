// The toolchain: an Emscripten with CMake, Ninja and a C++20 compiler, the machine's own or one laid down for it.
//
//   import { toolchain } from "./cpp/toolchain/toolchain.mjs";
//   const { description, run } = await toolchain();
//   await run(["cmake", "--build", "--preset", "wasm"]);
//
// From a shell, to run any command in it: node cpp/toolchain/toolchain.mjs COMMAND…
// Plain Node without packages: it runs before `npm ci`.
import { pathToFileURL } from "node:url";
import { hasApt } from "./apt.mjs";
import { emsdkCommands, ensureTree, inTree, treeDescription, WASM_PREFIX } from "./debian_tree.mjs";
import { findEmscripten, hostEnvironment, requireBuildTools } from "./host_emscripten.mjs";
import { PROJECT } from "./places.mjs";
import { die, run, SetupError } from "./process.mjs";

let found;

/**
 * Find the toolchain, or lay it down; once per process. Gives
 *
 *   description   one line that also tells two toolchains apart
 *   wasmPrefix    where CMake finds packages for wasm; "" where there are none
 *   run(argv, { cwd, env, quiet, check })
 *                 run a command in it, in the project folder unless `cwd` names a folder in that; `env` is added to its
 *                 environment; `quiet` keeps the output for the result, or for the error; resolves to
 *                 { code, signal, output }, and rejects when the command fails unless `check` is false
 */
export function toolchain() {
  found ??= find();
  return found;
}

async function find() {
  const emscripten = await findEmscripten();
  if (emscripten) {
    await requireBuildTools();
    const environment = hostEnvironment(emscripten.folder);
    return {
      description: `Emscripten ${emscripten.version} in ${emscripten.folder}`,
      wasmPrefix: environment.ROPEWALK_WASM_PREFIX,
      run: (argv, { cwd = PROJECT, env, ...options } = {}) =>
        run(argv, { ...options, cwd, env: { ...environment, ...env } }),
    };
  }
  if (process.platform !== "linux" || !hasApt()) {
    throw new SetupError(`No usable emcc (3.1.69 or newer) was found on PATH or in $EMSDK, and there is no apt to get one with. Please run\n
${emsdkCommands}
and then the same command again. CMake (3.25 or newer), Ninja and a C++20 compiler are needed too.`);
  }
  await ensureTree();
  return {
    description: treeDescription(),
    wasmPrefix: WASM_PREFIX,
    run: (argv, { cwd, env, ...options } = {}) => run(inTree(argv, { cwd, env }), options),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    const { description, run } = await toolchain();
    const command = process.argv.slice(2);
    if (command.length === 0) console.log(description);
    else process.exitCode = (await run(command, { cwd: process.cwd(), check: false })).code ?? 1;
  } catch (error) {
    die(error);
  }
}
