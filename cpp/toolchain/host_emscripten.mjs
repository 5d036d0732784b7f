// An Emscripten that is on this machine already.
import { cpSync, existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { hasApt } from "./apt.mjs";
import { cacheFolder, PROJECT, which } from "./places.mjs";
import { outputOf, SetupError } from "./process.mjs";

const EMCC_FROM = "3.1.69";
const CMAKE_FROM = "3.25.0";

/** Is version `a` at least version `b`? */
export function atLeast(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const differing = left.findIndex((part, i) => part !== right[i]);
  return differing < 0 || left[differing] > right[differing];
}

async function versionOf(program, env) {
  return /(\d+\.\d+\.\d+)/.exec((await outputOf([program, "--version"], { env })) ?? "")?.[1];
}

/** The first emcc that answers and is new enough, on PATH and then in $EMSDK: `{ folder, version }`, or undefined. */
export async function findEmscripten() {
  const fromSdk = process.env.EMSDK && join(process.env.EMSDK, "upstream/emscripten/emcc");
  for (const emcc of [which("emcc"), fromSdk]) {
    if (!emcc || !existsSync(emcc)) continue;
    const version = await versionOf(emcc);
    if (version && atLeast(version, EMCC_FROM)) return { folder: dirname(emcc), version };
    console.log(
      `${emcc} is not used: ${version ? `${version} is older than ${EMCC_FROM}` : "`emcc --version` fails"}`,
    );
  }
  return undefined;
}

/** Stop unless everything else that a build needs is on PATH too. */
export async function requireBuildTools() {
  const lacks = [];
  const need = (present, what, packageName) => present || lacks.push({ what, packageName });
  const cmake = which("cmake") && (await versionOf("cmake"));
  need(
    cmake && atLeast(cmake, CMAKE_FROM),
    `CMake >= ${CMAKE_FROM}${cmake ? ` (found ${cmake})` : ""}`,
    "cmake",
  );
  need(which("ninja"), "Ninja", "ninja-build");
  need(which(process.env.CXX ?? "c++", "g++", "clang++"), "a C++20 compiler", "g++");
  if (lacks.length === 0) return;
  const packages = lacks.map(({ packageName }) => packageName).join(" ");
  throw new SetupError(`emcc is there, but this is needed too: ${lacks.map(({ what }) => what).join(", ")}. Please run\n
    ${hasApt() ? `sudo apt-get install ${packages}` : `brew install ${packages.replace("ninja-build", "ninja").replace("g++", "gcc")}`}\n
(or your system's equivalent), and then the same command again.`);
}

/** The environment in which `emcc`, `emcmake` and, for --emit-tsd, `tsc` are found. */
export function hostEnvironment(folder) {
  return {
    ...process.env,
    PATH: [folder, process.env.PATH, join(PROJECT, "node_modules/.bin")].join(delimiter),
    ROPEWALK_WASM_PREFIX: process.env.ROPEWALK_WASM_PREFIX ?? wasmPrefix(),
  };
}

/**
 * A prefix with this machine's xsimd, or "" where it has none. In /usr/include lie the C library's headers too, which
 * a wasm build must not see; so xsimd, which is headers alone, is copied to where it stands by itself.
 */
function wasmPrefix() {
  if (!existsSync("/usr/share/cmake/xsimd")) return "";
  const prefix = join(cacheFolder(), "wasm-prefix");
  for (const part of ["include", "share/cmake"].flatMap((folder) => [`${folder}/xsimd`, `${folder}/xtl`])) {
    if (existsSync(join("/usr", part))) cpSync(join("/usr", part), join(prefix, part), { recursive: true });
  }
  return prefix;
}
