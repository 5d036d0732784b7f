// The engine with threads: they share the work, change no bit of what comes of it, and go home.
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { loadRopewalk, type Ropewalk } from "ropewalk";
import { afterAll, describe, expect, test } from "vitest";
import { runModule, scratchFolder } from "./child.ts";
import { hiddenStates, seededLayer, turnsOf } from "./latent.ts";
import { noise } from "./plain.ts";

const { folder, remove } = scratchFolder("threads");
const alone = await loadRopewalk();
const [two, many] = await Promise.all([loadRopewalk({ threads: 2 }), loadRopewalk({ threads: 5 })]);
afterAll(() => {
  for (const engine of [two, many]) engine.endThreads();
  remove();
});

type Options = Parameters<Ropewalk["attention"]>[0];
type Extents = {
  batch?: number;
  qLen: number;
  kvLen: number;
  nHeads: number;
  nKvHeads?: number;
  headDim: number;
  vHeadDim?: number;
};

function tensors(extents: Extents) {
  const { batch = 1, qLen, kvLen, nHeads, nKvHeads = nHeads, headDim, vHeadDim = headDim } = extents;
  return {
    ...extents,
    query: Float32Array.from(noise(batch * qLen * nHeads * headDim, 1)),
    key: Float32Array.from(noise(batch * kvLen * nKvHeads * headDim, 2)),
    value: Float32Array.from(noise(batch * kvLen * nKvHeads * vHeadDim, 3)),
  };
}

const square = (seqLen: number, nHeads: number, headDim: number): Extents => ({
  ...{ qLen: seqLen, kvLen: seqLen },
  ...{ nHeads, headDim },
});

/** A value of which one component is infinite: seen by some queries, and by others not. */
function withInfinity(given: ReturnType<typeof tensors>) {
  given.value[given.value.length >> 1] = Number.POSITIVE_INFINITY;
  return given;
}

const cases: [string, Options][] = [
  ...[1, 23, 24, 25, 97, 300].flatMap((seqLen): [string, Options][] => [
    [`causal, ${seqLen}`, { ...tensors(square(seqLen, 4, 32)), causal: true }],
    [`full, ${seqLen}, with weights`, { ...tensors(square(seqLen, 2, 17)), weights: true }],
  ]),
  ["one head of one component", { ...tensors(square(600, 1, 1)), causal: true, weights: true }],
  ["one query on many keys", tensors({ qLen: 1, kvLen: 700, nHeads: 8, headDim: 64 })],
  ["few queries of grouped heads", tensors({ qLen: 3, kvLen: 129, nHeads: 8, nKvHeads: 2, headDim: 16 })],
  [
    "grouped heads in two batches, heads first",
    {
      ...tensors({ batch: 2, qLen: 70, kvLen: 90, nHeads: 6, nKvHeads: 3, headDim: 20, vHeadDim: 9 }),
      ...{ format: "bhsd", causal: true, queryOffset: 20, weights: true },
    },
  ],
  [
    "lengths of each sequence",
    {
      ...tensors({ batch: 3, qLen: 50, kvLen: 60, nHeads: 2, headDim: 8 }),
      ...{ kvLens: new Int32Array([60, 0, 31]), causal: true, weights: true },
    },
  ],
  [
    "a window, a softcap and scores",
    {
      ...{ ...tensors(square(300, 2, 24)), causal: true, leftWindowSize: 40, softcap: 5 },
      ...{ weights: true, scores: true },
    },
  ],
  [
    "raw scores",
    { ...tensors(square(130, 2, 8)), causal: true, scores: true, scoreStage: "raw", weights: true },
  ],
  [
    "a mask with gaps and a bias",
    {
      ...tensors(square(150, 2, 12)),
      mask: Uint8Array.from(noise(150 * 150, 4), (x) => (x > 0 ? 1 : 0)),
      bias: Float32Array.from(noise(150 * 150, 5)),
      weights: true,
    },
  ],
  ["an infinite value", { ...withInfinity(tensors(square(200, 2, 8))), causal: true, weights: true }],
];

type Results = Record<string, Float32Array>;

/** To the bit: NaN is NaN, and zero has a sign. Bytes, as vitest takes its time over each element of an array. */
function expectSame(given: object, expected: object): void {
  const bytes = (results: object) =>
    Object.entries(results as Results).map(([name, { buffer }]) => [name, Buffer.from(buffer)] as const);
  const wanted = new Map(bytes(expected));
  expect(Object.keys(given)).toEqual([...wanted.keys()]);
  for (const [name, content] of bytes(given)) {
    expect(content.equals(wanted.get(name) as Buffer), `the bits of ${name}`).toBe(true);
  }
}

describe("has the same bits as on one thread", () => {
  test.each(cases)("%s", (_, options) => {
    const expected = alone.attention(options);
    for (const engine of [two, many]) {
      for (let i = 0; i < 20; i++) expectSame(engine.attention(options), expected);
    }
  });

  test.each(["naive", "absorbed"] as const)("latent attention, %s", (form) => {
    const shape = {
      hiddenSize: 48,
      nHeads: 4,
      kvLoraRank: 16,
      qkNopeHeadDim: 8,
      qkRopeHeadDim: 4,
      vHeadDim: 8,
    };
    const call = {
      ...seededLayer(alone, shape),
      ...turnsOf(alone, 100, shape.qkRopeHeadDim),
      ...{ x: hiddenStates(alone, 100, shape.hiddenSize), qLen: 100, causal: true, form },
    };
    const expected = alone.mla(call);
    for (const engine of [two, many]) expectSame(engine.mla(call), expected);
  });
});

describe("threads", () => {
  test("are told", () => {
    expect([alone, two, many].map(({ threads, simd }) => [threads, simd])).toEqual([
      [1, "relaxed"],
      [2, "relaxed"],
      [5, "relaxed"],
    ]);
  });

  test("each do some of the work", async () => {
    // As the engine does, which does not show its scratch: there each thread has a part of its own.
    const at = (file: string) => new URL(`../../dist/engine/${file}`, import.meta.url);
    const { createThreaded } = await import(/* @vite-ignore */ at("threads.js").href);
    const startThread = (start: object) =>
      new Promise((done, failed) => {
        const worker = new Worker(at("thread.js")).once("message", done).once("error", failed);
        worker.postMessage(start);
      });
    const bytes = await readFile(at("generated/ropewalk_threads.wasm"));
    const [module, single] = await Promise.all([2, 1].map((n) => createThreaded(n, bytes, startThread)));
    const [seqLen, nHeads, headDim] = [200, 4, 32];
    const [ofTwo, ofOne] = [module, single].map((one) =>
      one.attention_scratch_size(seqLen, seqLen, nHeads, nHeads, headDim, headDim, false, false),
    );
    const length = seqLen * nHeads * headDim;
    const [query, key, value, out, scratch] = [length, length, length, length, ofTwo].map((n) =>
      module.F32Buffer.allocate(n),
    );
    query.view().fill(1);
    const attend = () =>
      module.attention(
        ...[query, key, value, null, null, null, null, null, module.HeadsFormat.bshd],
        ...[1, seqLen, nHeads, seqLen, 0, nHeads, headDim, headDim],
        ...[0, true, -1, -1, 1, 0, module.ScoreStage.masked],
        ...[1, 1, 1, 1, 1, 1, 1, 1, out, null, null, scratch],
      );
    const room = ofTwo - ofOne;
    const wasAtWork = (thread: number) =>
      scratch
        .view()
        .subarray(thread * room, (thread + 1) * room)
        .includes(1);
    expect([0, 1].map(wasAtWork)).toEqual([false, false]);
    // Others may want the machine too, and it may have a single core: sooner or later each thread has its turn.
    for (let i = 0; i < 2000 && ![0, 1].every(wasAtWork); i++) expect(attend()).toBeUndefined();
    expect([0, 1].map(wasAtWork)).toEqual([true, true]);
    module.set_threads(1);
  });

  test("see memory that has been added since, and results that outlive it", () => {
    const options = { ...tensors(square(200, 4, 32)), causal: true, weights: true };
    const expected = alone.attention(options);
    const { nHeads, headDim, qLen, query, key, value } = options;
    const before = two.attention(options);
    expect(before.out.buffer).toBeInstanceOf(ArrayBuffer);
    using early = two.f32(query);
    const bytes = early.view.buffer.byteLength;
    let grown = bytes;
    for (let i = 0; i < 8; i++) {
      // Behind all that there was: buffers come to stand in what has just been added.
      using filler = two.u8(24 * 2 ** 20);
      expect(filler.view.length).toBe(filler.length);
      using last = two.f32(key);
      using values = two.f32(value);
      using out = two.f32(query.length);
      two.attention({ query: early, key: last, value: values, out, qLen, nHeads, headDim, causal: true });
      expectSame({ out: out.view.slice() }, { out: expected.out });
      grown = out.view.buffer.byteLength;
    }
    expect(grown).toBeGreaterThan(bytes);
    expectSame({ early: early.view.slice() }, { early: query });
    expectSame(before, expected);
  });

  test("leave errors as they are", () => {
    const options = { ...tensors(square(100, 2, 8)), causal: true };
    const good = alone.attention(options);
    expect(() => two.attention({ ...options, softcap: -1 })).toThrow(
      expect.objectContaining({ name: "RopewalkError", code: "bad_value", argument: "softcap" }),
    );
    expect(() => two.attention({ ...options, key: new Float32Array(3) })).toThrow(
      expect.objectContaining({ name: "RopewalkError", code: "bad_shape", argument: "key" }),
    );
    expect(() => two.f32(2 ** 28)).toThrow(expect.objectContaining({ code: "out_of_memory" }));
    expectSame(two.attention(options), good);
  });

  test("end, and the engine works on", async () => {
    const engine = await loadRopewalk({ threads: 3 });
    const options = { ...tensors(square(100, 2, 8)), causal: true };
    const expected = engine.attention(options);
    for (let i = 0; i < 2; i++) {
      engine.endThreads();
      expect(engine.threads).toBe(1);
      expectSame(engine.attention(options), expected);
    }
  });

  test.each([
    ["bad_value", 0],
    ["bad_value", 65],
    ["bad_value", 1.5],
    ["bad_value", Number.NaN],
    ["bad_type", "2"],
    ["bad_type", null],
  ])("are refused with %s where they are %o", async (code, threads) => {
    await expect(loadRopewalk({ threads: threads as never })).rejects.toMatchObject({
      ...{ name: "RopewalkError", code, argument: "threads", given: threads },
    });
  });

  test("go with the package's own binary alone", async () => {
    await expect(loadRopewalk({ threads: 2, wasmBinary: new Uint8Array(8) })).rejects.toMatchObject({
      ...{ code: "bad_value", argument: "threads", given: 2 },
    });
    await expect(loadRopewalk({ threads: 2, simd: "simd128" })).rejects.toMatchObject({
      ...{ code: "bad_value", argument: "threads", given: 2 },
    });
    expect((await loadRopewalk({ threads: 1, simd: "simd128" })).simd).toBe("simd128");
  });
});

/** Of the worker threads that a program starts, how many have ended. */
const watched = `
  import workerThreads from "node:worker_threads";
  import { syncBuiltinESMExports } from "node:module";
  import { setFlagsFromString } from "node:v8";
  if (parseInt(process.versions.node) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");
  const counts = { started: 0, ended: 0 };
  workerThreads.Worker = class extends workerThreads.Worker {
    constructor(...given) { super(...given); counts.started++; this.once("exit", () => counts.ended++); }
  };
  syncBuiltinESMExports();
  const { loadRopewalk } = await import("ropewalk");
  const x = new Float32Array(200 * 64).fill(1);
  const attend = (engine) => engine.attention({ query: x, key: x, value: x, qLen: 200, nHeads: 1, headDim: 64 }).out[5];
`;

describe("Node", () => {
  test("ends while threads wait for work", async () => {
    const answer = await runModule(
      folder,
      "ends.mjs",
      `${watched}
       const out = attend(await loadRopewalk({ threads: 3 }));
       console.log(JSON.stringify({ out, ...counts }));`,
    );
    expect(answer).toEqual({
      ...{ code: 0, stderr: "" },
      stdout: `${JSON.stringify({ out: 1, started: 2, ended: 0 })}\n`,
    });
  });

  test("sees threads end once they are told to, and starts none where one will do", async () => {
    const answer = await runModule(
      folder,
      "told.mjs",
      `${watched}
       { attend(await loadRopewalk()); attend(await loadRopewalk({ threads: 1 })); }
       const before = { ...counts };
       const engine = await loadRopewalk({ threads: 4 });
       const out = attend(engine);
       engine.endThreads();
       const deadline = Date.now() + 20_000;
       while (counts.ended < counts.started && Date.now() < deadline) await new Promise((done) => setTimeout(done, 10));
       console.log(JSON.stringify({ out, before, ...counts, again: attend(engine) }));`,
    );
    expect(answer).toEqual({
      ...{ code: 0, stderr: "" },
      stdout: `${JSON.stringify({ out: 1, before: { started: 0, ended: 0 }, started: 3, ended: 3, again: 1 })}\n`,
    });
  });

  test("answers load_failed where a thread cannot start, and the others end", async () => {
    const answer = await runModule(
      folder,
      "fails.mjs",
      `${watched}
       const Watched = workerThreads.Worker;
       workerThreads.Worker = class extends Watched {
         constructor(file) { super(counts.started === 1 ? new URL("file:///nowhere.js") : file); }
       };
       syncBuiltinESMExports();
       const { name, code } = await loadRopewalk({ threads: 4 }).catch((error) => error);
       const deadline = Date.now() + 20_000;
       while (counts.ended < counts.started && Date.now() < deadline) await new Promise((done) => setTimeout(done, 10));
       console.log(JSON.stringify({ name, code, ...counts }));`,
    );
    expect(answer).toEqual({
      ...{ code: 0, stderr: "" },
      stdout: `${JSON.stringify({ name: "RopewalkError", code: "load_failed", started: 3, ended: 3 })}\n`,
    });
  });
});
