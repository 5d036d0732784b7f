// Lays the Debian tree down. A program of its own, for debian_tree.mjs starts it under a lock.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptNetworkSettings } from "./apt.mjs";
import {
  archive,
  inTree,
  LEFT_OUT,
  PACKAGES,
  SUITE,
  treeFolder,
  treeLog,
  WASM_PREFIX,
} from "./debian_tree.mjs";
import { cacheFolder } from "./places.mjs";
import { CommandError, die, run, SetupError, tail, withProgress } from "./process.mjs";

const tree = treeFolder();
const partial = `${tree}.partial`;
const log = treeLog();

// xsimd is headers alone, but the folder that Debian has them in holds the C library's too, which wasm must not see:
// hence a prefix of its own. Catch2 is compiled as one file, which takes a quarter of the time.
const PREPARE_WASM_PREFIX = `
mkdir -p ${WASM_PREFIX}/include ${WASM_PREFIX}/share/cmake
cp -r /usr/include/xsimd /usr/include/xtl ${WASM_PREFIX}/include
cp -r /usr/share/cmake/xsimd /usr/share/cmake/xtl ${WASM_PREFIX}/share/cmake
emcmake cmake -S /ropewalk/catch2 -B /tmp/catch2 -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 \
  -DCMAKE_CXX_FLAGS=-fwasm-exceptions -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 \
  -DCATCH_INSTALL_DOCS=OFF -DCATCH_INSTALL_EXTRAS=OFF -DCMAKE_INSTALL_PREFIX=${WASM_PREFIX}
cmake --build /tmp/catch2 --target install
rm -r /ropewalk/catch2
`;

try {
  // Whoever held the lock before may have done it.
  if (!existsSync(join(tree, "ropewalk/complete"))) await lay();
} catch (error) {
  if (!(error instanceof CommandError)) die(error);
  die(new SetupError(`${tail(log)}\n\nLaying down the toolchain failed; the whole log: ${log}`));
}

async function lay() {
  console.log(`No usable emcc was found: laying down a Debian 13 toolchain in ${cacheFolder()}
  (about 2 GB and a minute or two, once, in that folder alone; log: ${log})`);
  rmSync(log, { force: true });
  // The lock is ours: whatever is partial was left by an interrupted run, of this recipe or of another.
  const leftovers = readdirSync(cacheFolder()).filter((name) => name.endsWith(".partial"));
  if (leftovers.length > 0) {
    const folders = leftovers.map((name) => join(cacheFolder(), name));
    await withProgress("removing what an interrupted run left", () =>
      run(["rm", "-rf", "--one-file-system", ...folders]),
    );
  }
  mkdirSync(partial, { recursive: true });
  await withProgress("downloading and unpacking packages", layPackages);
  await withProgress("compiling Catch2 for wasm", () => inPartial(PREPARE_WASM_PREFIX));
  const { output } = await run(inTree(["emcc", "--version"], { tree: partial, writable: true }), {
    quiet: true,
  });
  const version = /(\d+\.\d+\.\d+)/.exec(output)[1];
  writeFileSync(join(partial, "ropewalk/complete"), `${version}\n`);
  renameSync(partial, tree);
}

async function layPackages() {
  const { uri, signedBy, trusted } = archive();
  let keyring = signedBy;
  if (signedBy?.includes("\n")) {
    // A key given in the sources file itself: deb822 indents it and marks its empty lines with a dot.
    keyring = join(cacheFolder(), "archive-key.asc");
    writeFileSync(keyring, `${signedBy.replace(/^ /gm, "").replace(/^\.$/gm, "")}\n`);
  }
  const options = [keyring && `signed-by=${keyring}`, trusted && "trusted=yes"].filter(Boolean).join(" ");
  const sources = ["deb", "deb-src"].map(
    (type) => `${type} ${options && `[${options}] `}${uri} ${SUITE} main`,
  );

  // As root the tree is written in place. For anybody else mmdebstrap works in a user namespace whose ids are not the
  // user's own, so it hands over an archive, and what is unpacked from that belongs to the user.
  const isRoot = process.getuid() === 0;
  const command = [
    "mmdebstrap",
    "--variant=essential",
    `--include=${PACKAGES.join(",")}`,
    "--dpkgopt=force-unsafe-io",
    ...LEFT_OUT.flatMap(expandBraces).map((path) => `--dpkgopt=path-exclude=${path}`),
    ...(await aptNetworkSettings()).map((line) => `--aptopt=${line}`),
    // The binary package of Catch2 is for this machine's processor; wasm needs the source.
    `--customize-hook=mkdir -p "$1/ropewalk/catch2" && cd "$1/ropewalk/catch2" && \
APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get source --download-only catch2 && tar -xf catch2_*.orig.tar.* --strip-components=1`,
    SUITE,
    isRoot ? partial : "-",
    ...sources,
  ];
  const env = {
    ...process.env,
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    LC_ALL: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
  };
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  // As root mmdebstrap mounts /proc and the like: in a namespace of its own, so that none is left if it is killed.
  const script = isRoot
    ? `exec unshare --mount --propagation private ${quoted}`
    : `set -o pipefail; ${quoted} | tar -x --no-same-owner --exclude='./dev/*' -C '${partial.replaceAll("'", `'\\''`)}'`;
  // Should this process be killed, mmdebstrap ends too, and does not go on in a folder that the next run removes.
  await run(["setpriv", "--pdeathsig", "TERM", "bash", "-c", script], { env, log });
}

/** dpkg's patterns know no braces. */
function expandBraces(pattern) {
  const found = /^(.*)\{(.*)\}(.*)$/.exec(pattern);
  return found ? found[2].split(",").map((choice) => found[1] + choice + found[3]) : [pattern];
}

function inPartial(script) {
  return run(inTree(["bash", "-euc", script], { tree: partial, writable: true }), { log });
}
