// The build, in the order in which its parts need one another: packages, wasm, engine, page. Every step is skipped
// when nothing that it reads has changed since it last succeeded.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { buildPreset } from "../cpp/toolchain/cmake.mjs";
import { PROJECT } from "../cpp/toolchain/places.mjs";
import { run, SetupError, tail, withProgress } from "../cpp/toolchain/process.mjs";

const at = (...parts) => join(PROJECT, ...parts);
const GENERATED = at("web/engine/generated");
const ENGINE = at("dist/engine");
const PAGE = at("build/page");
const REFERENCE = at("build/reference");

/**
 * What is downloaded for the engine, gzip -9: one of the binaries, each weighed with its glue; the engine's own code; and
 * more, for threads and for its reader of checkpoints.
 */
const BUDGET = { binary: 60_000, engine: 18_500, threads: 1_500, safetensors: 5_500 };

/** `npm ci`, unless node_modules is what package-lock.json asks for already. */
export async function installPackages() {
  const stamp = at("node_modules/.ropewalk-lock");
  const lock = hashOf([at("package-lock.json")]);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  const log = at("build/npm-ci.log");
  try {
    const command = ["npm", "ci", "--include=dev", "--no-audit", "--no-fund"];
    await withProgress("npm ci", () => run(command, { cwd: PROJECT, log }));
  } catch {
    throw new SetupError(`${tail(log, 80)}\n\nnpm ci failed; the whole log: ${log}`);
  }
  writeFileSync(stamp, lock);
}

/** Compile the module, for SIMD128, for relaxed SIMD and for threads, and put it where the engine imports it from. */
export async function buildWasm() {
  const built = await buildPreset("wasm");
  const relaxed = await buildPreset("wasm-relaxed");
  const threads = await buildPreset("wasm-threads");
  if (!readFileSync(join(built, "ropewalk.mjs")).equals(readFileSync(join(relaxed, "ropewalk.mjs"))))
    throw new Error("The binaries want glue of their own each; one for both is what the engine imports.");
  mkdirSync(GENERATED, { recursive: true });
  for (const [folder, name] of [
    [built, "ropewalk"],
    [threads, "ropewalk_threads"],
  ]) {
    writeIfChanged(join(GENERATED, `${name}.mjs`), await minified(join(folder, "ropewalk.mjs")));
    writeIfChanged(join(GENERATED, `${name}.wasm`), readFileSync(join(folder, "ropewalk.wasm")));
    // .d.mts is what TypeScript looks for beside an .mjs.
    writeIfChanged(join(GENERATED, `${name}.d.mts`), readFileSync(join(folder, "ropewalk.d.ts")));
  }
  writeIfChanged(join(GENERATED, "ropewalk_relaxed.wasm"), readFileSync(join(relaxed, "ropewalk.wasm")));
}

async function minified(file) {
  const { minifySync } = await import("vite");
  // Emscripten's own minifier for its glue, Closure, needs Java; Vite's is here anyway.
  const glue = minifySync("ropewalk.mjs", readFileSync(file, "utf8"), { module: true });
  if (glue.errors?.length) throw new Error(`The glue could not be minified: ${JSON.stringify(glue.errors)}`);
  return Buffer.from(glue.code);
}

/** Compile the engine's TypeScript into dist/engine, with the module beside it, and weigh it all. */
export async function buildEngine() {
  await unlessUnchanged(
    "engine",
    [at("web/engine"), at("package-lock.json"), at("web/build.mjs")],
    ENGINE,
    async () => {
      rmSync(ENGINE, { recursive: true, force: true });
      // What is there to read is in the declarations; the code is one file, as it is smaller so.
      const tsc = at("node_modules/typescript/bin/tsc");
      const options = ["--noEmit", "false", "--emitDeclarationOnly", "--outDir", ENGINE];
      await run([process.execPath, tsc, "-p", at("web/engine"), ...options], { cwd: PROJECT });
      await bundleEngine();
      mkdirSync(join(ENGINE, "generated"), { recursive: true });
      for (const file of readdirSync(GENERATED))
        copyFileSync(join(GENERATED, file), join(ENGINE, "generated", file));
    },
  );
  weigh();
}

/** An entry each for browsers and workers, and for Node, of the engine and of the reader of checkpoints; and what they share. */
async function bundleEngine() {
  // Not Vite, which would put the wasm into a library's code as text.
  const { rolldown } = await import("rolldown");
  const bundle = await rolldown({
    input: Object.fromEntries(
      ["index", "node", "thread", "safetensors", "safetensors_node"].map((name) => [
        name,
        at(`web/engine/${name}.ts`),
      ]),
    ),
    platform: "neutral",
    external: [/\/generated\//, /^node:/],
    transform: { target: "es2022" },
  });
  await bundle.write({ dir: ENGINE, chunkFileNames: "[name].js", minify: true });
  await bundle.close();
}

/** Build the page into build/page, with the engine's reference in its folder `reference`. */
export async function buildPage() {
  await buildReference();
  const inputs = [at("web"), at("vite.config.ts"), at("tsconfig.json"), at("package-lock.json")];
  await unlessUnchanged("page", inputs, PAGE, async () => {
    const vite = at("node_modules/vite/bin/vite.js");
    await run([process.execPath, vite, "build", "--config", at("vite.config.ts")], { cwd: PROJECT });
    cpSync(REFERENCE, join(PAGE, "reference"), { recursive: true });
  });
}

/** Generate the engine's reference from the comments in its sources. */
async function buildReference() {
  const inputs = [at("web/engine"), at("web/reference"), at("web/build.mjs"), at("package-lock.json")];
  await unlessUnchanged("reference", inputs, REFERENCE, async () => {
    const { Application } = await import("typedoc");
    const app = await Application.bootstrap({
      entryPoints: [at("web/engine/index.ts"), at("web/engine/safetensors.ts")],
      tsconfig: at("web/engine/tsconfig.json"),
      name: "ropewalk",
      readme: "none",
      disableSources: true,
      disableGit: true,
      githubPages: false,
      hideGenerator: true,
      excludeInternal: true,
      excludePrivate: true,
      categorizeByGroup: false,
      defaultCategory: "Options and results",
      categoryOrder: [
        "The engine",
        "Buffers",
        "Added encodings",
        "Rotary",
        "Added biases",
        "Attention",
        "Latent attention",
        "Checkpoints",
        "Untrained vectors",
        "Analysis",
        "*",
      ],
      visibilityFilters: {},
      favicon: at("web/page/public/icon.svg"),
      navigation: { includeCategories: true },
      navigationLinks: { "To the page": "../index.html" },
      customCss: at("web/reference/style.css"),
      treatWarningsAsErrors: true,
      validation: { notDocumented: true },
      intentionallyNotExported: ["Asked", "Flat", "MainModule", "Present", "Unless"],
      requiredToBeDocumented: ["Class", "Function", "Interface", "Method", "Property", "TypeAlias"],
      logLevel: "Warn",
    });
    const project = await app.convert();
    if (project === undefined) throw new Error("The reference could not be generated.");
    app.validate(project);
    rmSync(REFERENCE, { recursive: true, force: true });
    await app.generateDocs(project, REFERENCE);
    if (app.logger.hasErrors() || app.logger.hasWarnings())
      throw new Error("The reference has gaps; see above.");
    obeyPolicy(REFERENCE);
  });
}

/**
 * What the page is served under allows nothing inline: scripts go into files of their own, and the style that TypeDoc
 * makes for its filters, of which there are none, becomes an element that is no style.
 */
function obeyPolicy(folder) {
  const assets = join(folder, "assets");
  const main = readFileSync(join(assets, "main.js"), "utf8");
  writeFileSync(
    join(assets, "main.js"),
    main.replaceAll('createElement("style")', 'createElement("template")'),
  );
  const names = new Map();
  for (const file of filesUnder(folder).filter((name) => name.endsWith(".html"))) {
    const html = readFileSync(file, "utf8").replace(/<script>(.*?)<\/script>/gs, (_, code) => {
      if (!names.has(code)) names.set(code, `inline${names.size}.js`);
      writeFileSync(join(assets, names.get(code)), code);
      return `<script src="${join(relative(dirname(file), assets), names.get(code))}"></script>`;
    });
    writeFileSync(file, html);
  }
}

/** Print what the engine's parts weigh, and fail over budget. */
function weigh() {
  const zipped = (files) =>
    files.reduce(
      (sum, file) => sum + gzipSync(readFileSync(file), { level: constants.Z_BEST_COMPRESSION }).length,
      0,
    );
  const engine = [...new Set([...withImports("index.js"), ...withImports("node.js")])];
  const reader = [...new Set([...withImports("safetensors.js"), ...withImports("safetensors_node.js")])];
  const generated = (name) => join(ENGINE, "generated", name);
  const withGlue = (name, glue = "ropewalk.mjs") => zipped([generated(name), generated(glue)]);
  const threads = ["threads.js", "thread.js"].map((name) => join(ENGINE, name));
  const sizes = [
    ["ropewalk.wasm with glue", withGlue("ropewalk.wasm"), BUDGET.binary],
    ["ropewalk_relaxed.wasm with glue", withGlue("ropewalk_relaxed.wasm"), BUDGET.binary],
    [
      "ropewalk_threads.wasm with glue",
      withGlue("ropewalk_threads.wasm", "ropewalk_threads.mjs"),
      BUDGET.binary,
    ],
    ["engine", zipped(engine), BUDGET.engine],
    ["threads", zipped(threads), BUDGET.threads],
    ["safetensors", zipped(reader.filter((file) => !engine.includes(file))), BUDGET.safetensors],
  ];
  const bytes = (n) => `${n.toLocaleString("en")} B`;
  const list = sizes.map(([part, size, most]) => `${part} ${bytes(size)} of at most ${bytes(most)}`);
  console.log(`Sizes, gzip -9: ${list.join("; ")}`);
  for (const [part, size, most] of sizes) {
    if (size > most)
      throw new SetupError(`${part} is ${bytes(size - most)} over its budget of ${bytes(most)}.`);
  }
}

/** An entry in dist/engine, and all modules there that it comes with. */
function withImports(entry) {
  const found = [join(ENGINE, entry)];
  for (const file of found) {
    for (const [, name] of readFileSync(file, "utf8").matchAll(
      /(?:from|import)\s*["'`]\.\/([\w.]+\.js)["'`]/g,
    )) {
      const imported = join(ENGINE, name);
      if (!found.includes(imported)) found.push(imported);
    }
  }
  return found;
}

/** Do `work`, which writes `output`, unless it last succeeded with the very same inputs. */
async function unlessUnchanged(name, inputs, output, work) {
  const stamp = at("build/stamps", name);
  const hash = hashOf(inputs);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  rmSync(stamp, { force: true });
  console.log(`Building the ${name} …`);
  await work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}

/** A hash of the names and contents of files and of all files in folders. */
function hashOf(paths) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap(filesUnder)) {
    hash
      .update(`${relative(PROJECT, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex");
}

function filesUnder(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

function writeIfChanged(file, content) {
  if (!existsSync(file) || !readFileSync(file).equals(content)) writeFileSync(file, content);
}
