// The package as Node finds it: what importing it does, and the ways in which it is loaded.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { loadRopewalk, type Ropewalk, RopewalkError } from "ropewalk";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { project, runModule, scratchFolder } from "./child.ts";

const { folder, remove } = scratchFolder("loading");
afterAll(remove);

const wasmFile = join(project, "dist/engine/generated/ropewalk.wasm");
const relaxedFile = join(project, "dist/engine/generated/ropewalk_relaxed.wasm");
const wasm = readFileSync(wasmFile);
const withRelaxed = `import ${JSON.stringify(pathToFileURL(join(project, "cpp/toolchain/with_relaxed_simd.mjs")).href)};`;
const withoutRelaxed = `import ${JSON.stringify(pathToFileURL(join(project, "tests/without_relaxed_simd.mjs")).href)};`;

/** It counts: the engine is there. */
function counts(engine: Ropewalk): void {
  expect(engine.integerEncoding({ seqLen: 3, dim: 2 })).toEqual(new Float32Array([0, 0, 1, 1, 2, 2]));
}

/** What a child program says in JSON; anything on its stderr is a failure. */
async function answerOf(name: string, source: string): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runModule(folder, name, source);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("the package", () => {
  test("has its entries for Node, its module and nothing else to import", async () => {
    const answer = await answerOf(
      "exports.mjs",
      `const tried = async (name) => import(name).then(() => "imported", (error) => error.code);
       console.log(JSON.stringify({
         entry: import.meta.resolve("ropewalk"),
         wasm: import.meta.resolve("ropewalk/ropewalk.wasm"),
         relaxed: import.meta.resolve("ropewalk/ropewalk_relaxed.wasm"),
         names: Object.keys(await import("ropewalk")).sort(),
         reader: import.meta.resolve("ropewalk/safetensors"),
         readerNames: Object.keys(await import("ropewalk/safetensors")).sort(),
         oneError: (await import("ropewalk")).RopewalkError === (await import("ropewalk/safetensors")).RopewalkError,
         inside: [await tried("ropewalk/dist/engine/load.js"), await tried("ropewalk/load.js")],
       }));`,
    );
    expect(answer).toEqual({
      entry: pathToFileURL(join(project, "dist/engine/node.js")).href,
      wasm: pathToFileURL(wasmFile).href,
      relaxed: pathToFileURL(relaxedFile).href,
      names: ["RopewalkError", "loadRopewalk"],
      reader: pathToFileURL(join(project, "dist/engine/safetensors_node.js")).href,
      readerNames: ["RopewalkError", "openSafetensors", "readAttention"],
      oneError: true,
      inside: ["ERR_PACKAGE_PATH_NOT_EXPORTED", "ERR_PACKAGE_PATH_NOT_EXPORTED"],
    });
  });

  const hooks = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    Error.stackTraceLimit = 50;
    const called = [];
    // Node's own loader reads files too, and compiles a module to parse them.
    const note = (label) => new Error().stack.includes("dist/engine") && called.push(label);
    const spy = (owner, name, label) => {
      const original = owner[name];
      owner[name] = new Proxy(original, {
        apply: (target, self, args) => (note(label), Reflect.apply(target, self, args)),
        construct: (target, args, made) => (note(label), Reflect.construct(target, args, made)),
      });
    };
    for (const name of Object.getOwnPropertyNames(WebAssembly)) {
      if (typeof WebAssembly[name] === "function" && !name.endsWith("Error")) spy(WebAssembly, name, "WebAssembly." + name);
    }
    globalThis.fetch; globalThis.Response; // Node makes them when they are first asked for.
    spy(globalThis, "fetch", "fetch");
    spy(globalThis, "setTimeout", "setTimeout");
    spy(globalThis, "queueMicrotask", "queueMicrotask");
    spy(fs.promises, "readFile", "readFile");
    for (const name of ["log", "info", "warn", "error", "debug"]) spy(console, name, "console." + name);
    syncBuiltinESMExports();
    const keys = () => Reflect.ownKeys(globalThis).map(String).sort().join();
    const before = keys();
    const say = (answer) => process.stdout.write(JSON.stringify(answer));
  `;

  test.each([
    ["ropewalk", "ropewalk"],
    ["its entry for browsers", pathToFileURL(join(project, "dist/engine/index.js")).href],
  ])("%s does nothing when it is imported", async (_, name) => {
    const answer = await answerOf(
      "import.mjs",
      `${hooks}
       const { loadRopewalk } = await import(${JSON.stringify(name)});
       await new Promise((done) => setImmediate(done));
       const importing = { called: [...called], globals: keys() === before };
       const wasmBinary = fs.readFileSync(${JSON.stringify(wasmFile)});
       const engine = await loadRopewalk(${name === "ropewalk" ? "" : "{ wasmBinary }"});
       engine.integerEncoding({ seqLen: 2, dim: 2 });
       say({ importing, loading: [...new Set(called)].sort(), globals: keys() === before });`,
    );
    expect(answer).toMatchObject({ importing: { called: [], globals: true }, globals: true });
    // The hooks do hear what there is to hear; with bytes at hand, nothing is fetched.
    expect(answer.loading).toContain("WebAssembly.instantiate");
    expect(answer.loading).not.toContain("fetch");
    expect((answer.loading as string[]).includes("readFile")).toBe(name === "ropewalk");
    expect((answer.loading as string[]).filter((label) => label.startsWith("console"))).toEqual([]);
  });

  test.each([
    ["relaxed SIMD", "relaxed", withRelaxed, relaxedFile],
    ["no relaxed SIMD", "simd128", withoutRelaxed, wasmFile],
  ])(
    "its entry for browsers fetches one binary from beside itself: where there is %s, %s",
    async (...row) => {
      const [, simd, ahead, file] = row;
      const answer = await answerOf(
        "browser.mjs",
        `${ahead}
       import { readFileSync } from "node:fs";
       const asked = [];
       globalThis.fetch = async (url) => {
         asked.push(String(url));
         const file = String(url).startsWith("file:") ? new URL(url) : ${JSON.stringify(wasmFile)};
         return new Response(readFileSync(file), { headers: { "Content-Type": "application/wasm" } });
       };
       const { loadRopewalk } = await import(${JSON.stringify(pathToFileURL(join(project, "dist/engine/index.js")).href)});
       const one = await loadRopewalk();
       const plain = await loadRopewalk({ simd: "simd128" });
       const told = await loadRopewalk({ wasmUrl: new URL("https://example.org/some/other.wasm") });
       const engines = [one, plain, told];
       const sums = engines.map((engine) => engine.integerEncoding({ seqLen: 3, dim: 1 }).join());
       console.log(JSON.stringify({ asked, sums, simd: engines.map(({ simd }) => simd) }));`,
      );
      expect(answer).toEqual({
        asked: [
          pathToFileURL(file).href,
          pathToFileURL(wasmFile).href,
          "https://example.org/some/other.wasm",
        ],
        sums: ["0,1,2", "0,1,2", "0,1,2"],
        simd: [simd, "simd128", "simd128"],
      });
    },
  );

  test("comes through a bundler with both binaries", async () => {
    const entry = join(folder, "bundled.mjs");
    writeFileSync(
      entry,
      `import { loadRopewalk } from "ropewalk"; export const engine = await loadRopewalk();`,
    );
    const built = (await build({
      ...{ root: folder, configFile: false, logLevel: "error" },
      build: { target: "es2022", write: false, rolldownOptions: { input: entry } },
    })) as { output: { fileName: string; source?: string | Uint8Array; code?: string }[] };
    // Beside the code there is what is imported for threads alone.
    const [entryChunk, ...others] = built.output.filter(({ code }) => code !== undefined);
    const code = entryChunk?.code;
    for (const { fileName } of others) expect(fileName).toMatch(/\/(ropewalk_)?threads?-[^/]*\.js$/);
    for (const file of [wasmFile, relaxedFile]) {
      const isIt = ({ source }: { source?: string | Uint8Array }) =>
        source !== undefined && Buffer.from(source as Uint8Array).equals(readFileSync(file));
      const emitted = built.output.filter(isIt).map(({ fileName }) => fileName);
      expect(emitted).toHaveLength(1);
      expect(code).toContain(emitted[0]);
    }
  });

  test("works in a worker thread", async () => {
    const file = join(folder, "worker.mjs");
    writeFileSync(
      file,
      `import { parentPort } from "node:worker_threads";
       import { loadRopewalk } from "ropewalk";
       const engine = await loadRopewalk();
       let code;
       try { engine.integerEncoding({ seqLen: NaN, dim: 2 }); } catch (error) { code = error.code; }
       parentPort.postMessage({ out: engine.integerEncoding({ seqLen: 3, dim: 2 }), code });`,
    );
    const worker = new Worker(pathToFileURL(file), { execArgv: [] });
    const answer = await new Promise((done, failed) => worker.once("message", done).once("error", failed));
    await worker.terminate();
    expect(answer).toEqual({ out: new Float32Array([0, 0, 1, 1, 2, 2]), code: "bad_value" });
  });
});

describe("loadRopewalk", () => {
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    server = createServer(({ url }, response) => {
      const found = url === "/ropewalk.wasm";
      response.writeHead(found ? 200 : 404, { "Content-Type": found ? "application/wasm" : "text/html" });
      response.end(found ? wasm : "<h1>Not here</h1>");
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => new Promise((done) => server.close(done)));

  test("needs no options, and takes empty ones", async () => {
    counts(await loadRopewalk());
    counts(await loadRopewalk({}));
    counts(await loadRopewalk(undefined));
  });

  test("takes the module's bytes", async () => {
    const bytes = new Uint8Array(wasm);
    counts(await loadRopewalk({ wasmBinary: bytes }));
    counts(await loadRopewalk({ wasmBinary: bytes.buffer }));
    // In the middle of a larger array, as Node's own buffers are.
    const wide = new Uint8Array(wasm.length + 100);
    wide.set(wasm, 50);
    counts(await loadRopewalk({ wasmBinary: wide.subarray(50, 50 + wasm.length) }));
    counts(await loadRopewalk({ wasmBinary: wasm }));
    // They are still there for the next one.
    expect(Buffer.from(bytes).equals(wasm)).toBe(true);
  });

  test("takes the module's address: file:, http: or data:, as text or as a URL", async () => {
    const file = pathToFileURL(wasmFile);
    for (const wasmUrl of [
      file,
      file.href,
      `${origin}/ropewalk.wasm`,
      new URL(`${origin}/ropewalk.wasm`),
      `data:application/wasm;base64,${wasm.toString("base64")}`,
    ]) {
      counts(await loadRopewalk({ wasmUrl }));
    }
  });

  test("takes the binary that this Node runs, and tells which it is", async () => {
    const engine = await loadRopewalk();
    expect(engine.simd).toBe(process.env.ROPEWALK_SIMD);
    expect((await loadRopewalk({ simd: engine.simd })).simd).toBe(engine.simd);
    expect((await loadRopewalk({ simd: "simd128" })).simd).toBe("simd128");
    expect((await loadRopewalk({ wasmBinary: wasm })).simd).toBe("simd128");
  });

  test("where there is no relaxed SIMD, it is refused and not looked for", async () => {
    const answer = await answerOf(
      "without.mjs",
      `${withoutRelaxed}
       import { loadRopewalk } from "ropewalk";
       const { name, code, argument, given, allowed } = await loadRopewalk({ simd: "relaxed" }).catch((error) => error);
       const threads = await loadRopewalk({ threads: 2 }).catch(({ code, argument, given }) => ({ code, argument, given }));
       console.log(JSON.stringify({ name, code, argument, given, allowed, threads, simd: (await loadRopewalk()).simd }));`,
    );
    expect(answer).toMatchObject({
      ...{ name: "RopewalkError", code: "bad_value", argument: "simd", given: "relaxed" },
      threads: { code: "bad_value", argument: "threads", given: 2 },
      simd: "simd128",
    });
    expect(answer.allowed).toContain('"simd128"');
  });

  test.each([
    ["bad_value", { simd: "sse2" }],
    ["bad_value", { simd: "" }],
    ["bad_type", { simd: 128 }],
    ["bad_type", { simd: null }],
    ["bad_value", { simd: "simd128", wasmBinary: wasm }],
    ["bad_value", { simd: "simd128", wasmUrl: pathToFileURL(wasmFile) }],
  ])("answers %s to %o", async (code, options) => {
    await expect(loadRopewalk(options as never)).rejects.toMatchObject({
      ...{ name: "RopewalkError", code, argument: "simd", given: options.simd },
    });
  });

  test("prefers bytes to an address", async () => {
    counts(await loadRopewalk({ wasmBinary: wasm, wasmUrl: `${origin}/missing.wasm` }));
  });

  const nothing = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const failures: [string, () => object][] = [
    ["a file that is missing", () => ({ wasmUrl: new URL("missing.wasm", pathToFileURL(wasmFile)) })],
    ["an address that is missing", () => ({ wasmUrl: `${origin}/missing.wasm` })],
    ["an address that nobody answers", () => ({ wasmUrl: "http://127.0.0.1:1/ropewalk.wasm" })],
    ["an address that is none", () => ({ wasmUrl: "http://[" })],
    ["a file that is no module", () => ({ wasmUrl: pathToFileURL(join(project, "package.json")) })],
    ["no bytes", () => ({ wasmBinary: new Uint8Array(0) })],
    ["half of the bytes", () => ({ wasmBinary: wasm.subarray(0, wasm.length / 2) })],
    ["all but the last byte", () => ({ wasmBinary: wasm.subarray(0, -1) })],
    ["other bytes", () => ({ wasmBinary: new Uint8Array(1000).fill(7) })],
    ["a module that is another", () => ({ wasmBinary: nothing })],
    ["text for bytes", () => ({ wasmBinary: "wasm" })],
  ];

  test.each(failures)("answers load_failed to %s, and works the next time", async (_, options) => {
    const error = await loadRopewalk(options()).then(
      () => expect.fail("it loaded"),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RopewalkError);
    const { code, argument, given, allowed, message, cause } = error as RopewalkError;
    expect(code).toBe("load_failed");
    expect(argument).not.toBe("");
    expect(allowed).toContain("ropewalk.wasm");
    expect(message).toContain(argument);
    expect(message).toContain(allowed);
    expect(String(given)).not.toBe("");
    expect(cause).toBeInstanceOf(Error);
    counts(await loadRopewalk());
  });

  test("says in the error which file or status it was", async () => {
    const messages = await Promise.all(
      [join("file:///", "nowhere", "x.wasm"), `${origin}/missing.wasm`].map((wasmUrl) =>
        loadRopewalk({ wasmUrl }).catch((error: Error) => error.message),
      ),
    );
    expect(messages[0]).toContain("x.wasm");
    expect(messages[1]).toContain("404");
  });

  test("fails quietly: nothing in the console, and nobody else's rejection", async () => {
    const answer = await answerOf(
      "quiet.mjs",
      `import { loadRopewalk } from "ropewalk";
       const codes = [];
       for (const wasmBinary of [new Uint8Array(0), new Uint8Array(100), new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])]) {
         await loadRopewalk({ wasmBinary }).catch((error) => codes.push(error.code));
       }
       await loadRopewalk({ wasmUrl: "file:///nowhere.wasm" }).catch((error) => codes.push(error.code));
       await new Promise((done) => setTimeout(done, 20));
       console.log(JSON.stringify({ codes }));`,
    );
    expect(answer.codes).toEqual(["load_failed", "load_failed", "load_failed", "load_failed"]);
  });

  test.each([[null], [5], ["wasm"], [true]])("refuses %o for options", async (options) => {
    const error = await loadRopewalk(options as never).then(
      () => expect.fail("it loaded"),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RopewalkError);
    expect((error as RopewalkError).given).toBe(options);
  });

  test("loads many at once, each with its own memory, whether or not others fail", async () => {
    const loads = Array.from({ length: 12 }, (_, i) =>
      loadRopewalk(i % 4 === 3 ? { wasmBinary: new Uint8Array(9) } : {}),
    );
    const settled = await Promise.allSettled(loads);
    expect(settled.map(({ status }) => status)).toEqual(
      settled.map((_, i) => (i % 4 === 3 ? "rejected" : "fulfilled")),
    );
    const engines = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    engines.forEach(counts);
    const buffers = engines.map((engine, i) => engine.f32(new Float32Array([i])));
    expect(new Set(buffers.map(({ view }) => view.buffer)).size).toBe(9);
    expect(buffers.map(({ view }) => view[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(() => engines[1]?.rowNorms({ x: buffers[0] as never, rows: 1, dim: 1 })).toThrow(
      expect.objectContaining({ name: "RopewalkError", code: "bad_value", argument: "x" }),
    );
  });
});
