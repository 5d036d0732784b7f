// A Debian 13 root tree in the cache folder, and running commands in it with bubblewrap.
//
// The tree is laid by lay_tree.mjs under a lock, beside its final name, and renamed once it is complete: a tree that
// has its name is whole. Its name holds a hash of all that went into it, so another recipe is another tree.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { aptInstall, debianArchive } from "./apt.mjs";
import { cacheFolder, PROJECT, which } from "./places.mjs";
import { run, SetupError } from "./process.mjs";

export const SUITE = "trixie";
export const PACKAGES = [
  "emscripten",
  "node-typescript", // tsc, for emcc --emit-tsd
  "libxsimd-dev",
  "catch2",
  "cmake",
  "ninja-build",
  "g++",
  "clang-format",
  "clang",
  "libclang-rt-19-dev", // libFuzzer, and the sanitizers that go with it
];
// Half of the size, and never read by a build: manuals, libraries for wasm's dynamic linking, and sanitizers for
// 32 bits or of other kinds than are used.
export const LEFT_OUT = [
  "/usr/share/{doc,man,info,locale,lintian}/*",
  "/usr/share/emscripten/docs/*",
  "/usr/share/emscripten/cache/sysroot/lib/wasm32-emscripten/{pic,lto-pic}/*",
  "/usr/lib32/*",
  "/usr/lib/llvm-*/lib/clang/*/lib/linux/*{-i386,[mnt]san,hwasan,dfsan,memprof,scudo,xray,cfi}*",
];
// Raise when lay_tree.mjs does something else with the same packages.
const RECIPE = 1;

/** What was compiled for wasm, or may be included by it, as CMake looks for it (CMAKE_FIND_ROOT_PATH). */
export const WASM_PREFIX = "/ropewalk/wasm";

const key = createHash("sha256")
  .update(JSON.stringify([RECIPE, SUITE, PACKAGES, LEFT_OUT]))
  .digest("hex")
  .slice(0, 12);
export const treeFolder = () => join(cacheFolder(), `debian-13-${key}`);
export const treeLog = () => join(cacheFolder(), "toolchain.log");
const isLaid = () => existsSync(join(treeFolder(), "ropewalk/complete"));

/** Where the tree's packages come from. ROPEWALK_DEBIAN_MIRROR goes before the machine's own apt sources. */
export function archive() {
  const mirror = process.env.ROPEWALK_DEBIAN_MIRROR;
  return mirror ? { uri: mirror } : debianArchive();
}

/** Lay the tree if it is not there, installing the two tools for it first. */
export async function ensureTree() {
  if (isLaid()) return;
  if (!archive()) {
    throw new SetupError(`No emcc was found, and this machine's apt sources name no Debian archive to take one from.
Either name one and run the same command again:\n
    export ROPEWALK_DEBIAN_MIRROR=http://…/debian\n
or install Emscripten yourself:\n
${emsdkCommands}`);
  }
  const missing = Object.entries({ mmdebstrap: "mmdebstrap", bwrap: "bubblewrap" })
    .filter(([program]) => !which(program))
    .map(([, name]) => name);
  // Who is not root needs the helpers by which an ordinary user gets the ids for a root tree.
  if (process.getuid() !== 0 && !which("newuidmap")) missing.push("uidmap");
  if (missing.length > 0) await aptInstall(missing, "A tool for laying down the toolchain");

  mkdirSync(cacheFolder(), { recursive: true });
  // flock becomes lay_tree.mjs, keeping the lock, and the kernel drops the lock with that process: none outlives its
  // owner, and no owner is wrongly taken for gone.
  const BUSY = 75;
  const lock = join(cacheFolder(), "toolchain.lock");
  const lay = [lock, process.execPath, fileURLToPath(new URL("lay_tree.mjs", import.meta.url))];
  const first = await run(["flock", "--no-fork", "--nonblock", `--conflict-exit-code=${BUSY}`, ...lay], {
    check: false,
  });
  if (first.code === BUSY) {
    console.log("  Another process is laying down the toolchain: waiting for it …");
    await run(["flock", "--no-fork", ...lay], { check: false });
  }
  if (!isLaid()) throw new SetupError("The toolchain could not be laid down: see above.");
}

/** The packages of the tree, for a description of the toolchain. */
export const treeDescription = () =>
  `Emscripten ${readFileSync(join(treeFolder(), "ropewalk/complete"), "utf8").trim()} in ${treeFolder()}`;

/**
 * The command that runs `argv` in a tree. Nothing of the caller's environment is seen inside but `env`; the project is
 * bound at its own path, the tree is read-only unless `writable`, and every process inside ends with the command.
 */
export function inTree(argv, { tree = treeFolder(), cwd = PROJECT, env = {}, writable = false } = {}) {
  // The place to bind the project at has to be there, for in a read-only tree bwrap cannot make it.
  mkdirSync(join(tree, PROJECT), { recursive: true });
  const settings = {
    PATH: "/usr/bin:/bin",
    HOME: "/tmp",
    LANG: "C.UTF-8",
    ROPEWALK_WASM_PREFIX: WASM_PREFIX,
    ...env,
  };
  return [
    "bwrap",
    ...[writable ? "--bind" : "--ro-bind", tree, "/"],
    ...["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"],
    ...(writable ? [] : ["--bind", PROJECT, PROJECT]),
    ...["--unshare-pid", "--die-with-parent", "--clearenv"],
    ...Object.entries(settings).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--chdir", writable ? "/" : cwd],
    ...argv,
  ];
}

export const emsdkCommands = `    git clone https://github.com/emscripten-core/emsdk.git
    ./emsdk/emsdk install 3.1.69 && ./emsdk/emsdk activate 3.1.69
    . ./emsdk/emsdk_env.sh
`;
