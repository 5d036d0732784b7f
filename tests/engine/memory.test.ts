// What is done again takes no more memory than the first time, however it ends.
import { GCProfiler, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { loadRopewalk, type Ropewalk, RopewalkError } from "ropewalk";
import { describe, expect, test } from "vitest";
import {
  type AnyBuffer,
  bufferOf,
  type Call,
  callsOf,
  contentOf,
  inBuffers,
  intoArrays,
  invoke,
  memoryOf,
  ownResults,
  type TensorKind,
} from "./calls.ts";

const times = 2_000;
const manyTimes = 100_000;

/** How far the heap reaches, to the byte: where a buffer comes to stand that fits into no gap. */
function reach(engine: Ropewalk): number {
  const last = engine.f32(2 ** 18);
  const end = last.view.byteOffset;
  last.delete();
  return end;
}

const engine = await loadRopewalk();
const own: AnyBuffer = engine.f32(1);
const calls = callsOf(engine);
const warm = (call: Call) => contentOf(invoke(engine, call, call.good));
for (const call of calls) warm(call);

/** A token for latent attention, and the layer's weights. */
const latentLayer = {
  ...{ hiddenSize: 1, nHeads: 1, kvLoraRank: 2, qkNopeHeadDim: 1, qkRopeHeadDim: 2, vHeadDim: 1, qLen: 1 },
  x: new Float32Array(1),
  qProj: new Float32Array(3),
  kvAProj: new Float32Array(4),
  kvALayernorm: new Float32Array(2),
  kvBProj: new Float32Array(4),
  oProj: new Float32Array(1),
  cos: new Float32Array(1),
  sin: new Float32Array(1),
};

function stays(work: (i: number) => void, n = times): void {
  work(0);
  const before = { memory: memoryOf(own), reach: reach(engine) };
  for (let i = 0; i < n; i++) work(i);
  expect({ memory: memoryOf(own), reach: reach(engine) }).toEqual(before);
}

describe(`${manyTimes} times over, the memory stays as it is`, () => {
  const oneOfEach = calls.filter((call, i) => calls.findIndex(({ method }) => method === call.method) === i);

  test.each(oneOfEach)("$method", { timeout: 60_000 }, (call) => {
    const expected = warm(call);
    const { options, free } = inBuffers(engine, call);
    // Every fifth time with arrays, which take the longest.
    stays((i) => invoke(engine, call, i % 5 === 0 ? call.good : options), manyTimes);
    free();
    expect(warm(call)).toEqual(expected);
  });

  test.each(["f32", "f64", "i32", "u8"] as TensorKind[])("%s, given back", (kind) => {
    stays(() => bufferOf(engine, kind, 100).delete(), manyTimes);
  });

  const dtypes = [{ dtype: "float32" }, { dtype: "bfloat16" }] as const;

  test.each(dtypes)(
    "a cache of $dtype, filled, attended to, read and emptied",
    { timeout: 60_000 },
    ({ dtype }) => {
      const [key, query] = [new Float32Array(12).fill(1), new Float32Array(6)];
      using cache = engine.kvCache({ capacity: 4, nKvHeads: 1, headDim: 6, dtype });
      stays(() => {
        cache.append({ key, value: key, len: 2 });
        engine.attention({ query, cache, qLen: 1, nHeads: 1 });
        cache.read();
        cache.truncate(0);
      }, manyTimes);
    },
  );

  test("a cache of latents that is filled, attended to, read and emptied", { timeout: 60_000 }, () => {
    using cache = engine.latentCache({ capacity: 4, kvLoraRank: 2, qkRopeHeadDim: 2 });
    const rows = new Float32Array(8).fill(1);
    stays(() => {
      cache.append({ latents: rows, len: 2 });
      engine.mla({ ...latentLayer, cache });
      cache.read();
      cache.truncate(0);
    }, manyTimes);
  });

  test("a cache, given back", { timeout: 60_000 }, () => {
    stays(() => engine.kvCache({ capacity: 4, nKvHeads: 1, headDim: 6 }).delete(), manyTimes);
    stays(() => engine.latentCache({ capacity: 4, kvLoraRank: 2, qkRopeHeadDim: 2 }).delete(), manyTimes);
  });
});

describe("at sixty times a second, tensors of the caller's make no garbage", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const n = 10_000;

  /** Bytes on JavaScript's heap that `n` turns take; more than any number if it is collected while they run. */
  function taken(work: () => void): number {
    const profiler = new GCProfiler();
    collect();
    profiler.start();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < n; i++) work();
    const bytes = process.memoryUsage().heapUsed - before;
    return profiler.stop().statistics.length > 0 ? Number.POSITIVE_INFINITY : bytes;
  }

  /** The same once V8 has compiled what they run, which is when it gets to it. */
  function garbage(work: () => void): number {
    let least = taken(work);
    for (let round = 0; round < 30 && least >= n; round++) least = Math.min(least, taken(work));
    return least;
  }

  // Less than a byte for each turn: V8 makes nothing that is smaller than 12.
  const expectNone = (work: () => void) => expect(garbage(work)).toBeLessThan(n);

  /** Fractions are left out: where one is given V8 itself makes a heap number of it, whoever is called. */
  const wholes = ({ optional }: Call, options: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(options).filter(
        ([name, value]) =>
          !(optional.includes(name) && typeof value === "number" && !Number.isInteger(value)),
      ),
    );

  const inPlace = calls.filter((call) => {
    const { options, free } = inBuffers(engine, call);
    const result = call.on === undefined ? invoke(engine, call, options) : "of a cache, which would be full";
    free();
    return result === undefined || (typeof result === "object" && Object.keys(result ?? {}).length === 0);
  });

  test("which can be so in most functions", () => {
    expect(new Set(inPlace.map(({ method }) => method)).size).toBeGreaterThan(25);
  });

  test.each(inPlace)("$title", { timeout: 60_000 }, (call) => {
    const { options, free } = inBuffers(engine, call);
    const whole = wholes(call, options);
    const method = (engine as unknown as Record<string, (options: unknown) => unknown>)[call.method];
    expectNone(() => method?.call(engine, whole));
    free();
  });

  /** With no fresh array in it: small ones are in and out in no time. */
  const intoOwn = inPlace.filter((call) => Object.keys(ownResults(call)).length > 0);

  test.each(intoOwn)("$title, into arrays", { timeout: 60_000 }, (call) => {
    const whole = wholes(call, intoArrays(call).options);
    const method = (engine as unknown as Record<string, (options: unknown) => unknown>)[call.method];
    expectNone(() => method?.call(engine, whole));
  });

  test("caches that are filled, attended to and emptied", { timeout: 60_000 }, () => {
    using key = engine.f32(12);
    using query = engine.f32(6);
    using out = engine.f32(6);
    for (const dtype of ["float32", "bfloat16"] as const) {
      using cache = engine.kvCache({ capacity: 4, nKvHeads: 1, headDim: 6, dtype });
      const [added, asked] = [
        { key, value: key, len: 2 },
        { query, cache, qLen: 1, nHeads: 1, out },
      ];
      expectNone(() => {
        cache.append(added);
        engine.attention(asked);
        cache.truncate(0);
      });
    }
    using latents = engine.f32(8);
    using kept = engine.latentCache({ capacity: 4, kvLoraRank: 2, qkRopeHeadDim: 2 });
    const rows = { latents, len: 2 };
    expectNone(() => {
      kept.append(rows);
      kept.truncate(0);
    });
  });

  test("views", () => {
    using buffer = engine.f32(4);
    let sum = 0;
    expectNone(() => {
      buffer.view[0] = 1;
      sum += buffer.view.length;
    });
    expect(sum).toBeGreaterThan(0);
  });

  test("and what makes as little as an empty object is seen", () => {
    let kept: object = [];
    expect(garbage(() => (kept = {}))).toBeGreaterThan(10 * n);
    expect(kept).toEqual({});
  });
});

describe(`${times} times over, in every form, the memory stays as it is`, () => {
  test.each(calls)("$title, with arrays", (call) => {
    const expected = warm(call);
    stays(() => invoke(engine, call, call.good));
    expect(warm(call)).toEqual(expected);
  });

  test.each(calls)("$title, with buffers", (call) => {
    const { options, free } = inBuffers(engine, call);
    stays(() => invoke(engine, call, options));
    free();
  });

  test.each(calls)("$title, refused", (call) => {
    const expected = warm(call);
    const { options, free } = inBuffers(engine, call);
    const names = Object.keys(call.arguments);
    let next = 0;
    stays(() => {
      const wrong = { [names[next++ % names.length] as string]: Number.NaN };
      for (const base of [call.good, options]) {
        expect(() => invoke(engine, call, { ...base, ...wrong })).toThrow(RopewalkError);
      }
    });
    free();
    expect(warm(call)).toEqual(expected);
  });

  test("buffers, made and given back", () => {
    stays(() => {
      for (const buffer of [engine.f32(100), engine.f64(new Float64Array(7)), engine.i32(3)]) buffer.delete();
      for (const buffer of [engine.u8(new Uint8Array(5)), engine.u8(1)]) buffer.delete();
    });
  });

  test("a cache, made, filled, attended to and given back", () => {
    const [key, query] = [new Float32Array(12).fill(1), new Float32Array(6)];
    stays(() => {
      using cache = engine.kvCache({ capacity: 4, nKvHeads: 1, headDim: 6 });
      cache.append({ key, value: key, len: 2 });
      engine.attention({ query, cache, qLen: 1, nHeads: 1 });
      expect(() => cache.append({ key, value: key, len: 3 })).toThrow(RopewalkError);
    });
  });

  test("a cache of latents, made, filled, attended to in both forms and given back", () => {
    stays((i) => {
      using cache = engine.latentCache({ capacity: 4, kvLoraRank: 2, qkRopeHeadDim: 2 });
      cache.append({ latents: new Float32Array(8), len: 2 });
      const form = i % 2 === 0 ? "naive" : "absorbed";
      engine.mla({ ...latentLayer, cache, form, steps: true });
      expect(() => cache.append({ latents: new Float32Array(8), len: 2 })).toThrow(RopewalkError);
      engine.mla({ ...latentLayer, cache, form, weights: true });
      expect(() => engine.mla({ ...latentLayer, cache, form })).toThrow(RopewalkError);
    });
  });

  test("a call whose every tensor is of another size than the last one's", () => {
    const sizes = [5, 1, 4, 2, 3];
    const turn = (i: number) => {
      const n = sizes[i % sizes.length] as number;
      const x = new Float32Array(n * n).fill(1);
      engine.attention({
        query: x,
        key: x,
        value: x,
        qLen: n,
        nHeads: 1,
        headDim: n,
        mask: new Uint8Array(n * n),
      });
    };
    stays(turn);
  });

  test("memory that cannot be had", () => {
    stays(() => {
      expect(() => engine.f32(2 ** 30)).toThrow(RopewalkError);
      expect(() => engine.ropeInvFreq({ rotaryDim: 2 ** 30 })).toThrow(RopewalkError);
      expect(() => engine.kvCache({ capacity: 2 ** 20, nKvHeads: 1, headDim: 1, vHeadDim: 2000 })).toThrow(
        RopewalkError,
      );
    });
  });
});

describe("without weights attention has no matrix", () => {
  test("16,384 tokens with 8 heads of 64 fit into 256 MB", { timeout: 60_000 }, async () => {
    const [qLen, nHeads, headDim] = [16_384, 8, 64];
    const alone = await loadRopewalk();
    using query = alone.f32(qLen * nHeads * headDim);
    using key = alone.f32(query.length);
    using value = alone.f32(query.length);
    using out = alone.f32(query.length);
    key.view.fill(0.5);
    value.view.fill(1);
    // The window is there to save time: it changes nothing of what is laid out.
    alone.attention({ query, key, value, out, qLen, nHeads, headDim, causal: true, leftWindowSize: 100 });
    expect(memoryOf(out)).toBeLessThanOrEqual(256 * 2 ** 20);
    expect(Math.min(...[0, 1, 5_000_000, out.length - 1].map((i) => out.view[i] as number))).toBeCloseTo(
      1,
      5,
    );
  });
});

describe("where the memory cannot be had", () => {
  test("for attention's scratch, none is taken for its tensors either", () => {
    const before = { memory: memoryOf(own), reach: reach(engine) };
    const kvLen = 2 ** 27;
    const key = new Float32Array(kvLen);
    let error: unknown;
    try {
      engine.attention({
        query: new Float32Array(32),
        key,
        value: key,
        qLen: 32, // As many as have keys and values laid out anew.
        kvLen,
        nHeads: 1,
        headDim: 1,
      });
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ name: "RopewalkError", code: "out_of_memory" });
    expect({ memory: memoryOf(own), reach: reach(engine) }).toEqual(before);
  });

  test("for a run of positions, none is taken for it in JavaScript either", () => {
    const before = { memory: memoryOf(own), outside: process.memoryUsage().arrayBuffers };
    const most = () => process.memoryUsage().arrayBuffers - before.outside;
    const started = performance.now();
    expect(() => engine.integerEncoding({ seqLen: 2 ** 30, dim: 1 })).toThrow(
      expect.objectContaining({ name: "RopewalkError", code: "out_of_memory" }),
    );
    expect(memoryOf(own)).toBe(before.memory);
    expect(most()).toBeLessThan(2 ** 30);
    // A thousand million positions take seconds to write down; to refuse them takes none.
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

/** The module itself, without the engine's checks before it: what the package does not export. */
async function rawModule() {
  const glue = new URL("../../dist/engine/generated/ropewalk.mjs", import.meta.url).href;
  const { readFile } = await import("node:fs/promises");
  const wasmBinary = await readFile(new URL("../../dist/engine/generated/ropewalk.wasm", import.meta.url));
  const { default: createModule } = await import(/* @vite-ignore */ glue);
  // biome-ignore lint/suspicious/noExplicitAny: the built module's types are not there when this is checked
  return (await createModule({ wasmBinary })) as any;
}

describe("the module behind the engine", () => {
  test("checks shapes again, and keeps nothing of 20,000 refusals: no handle, no stack, no heap", async () => {
    const module = await rawModule();
    const [x, weight, out] = [6, 8, 12].map((length) => module.F32Buffer.allocate(length));
    x.view().set([1, 2, 3, 4, 5, 6]);
    weight.view().set([1, 0, 0, 1, 1, 1, 2, 2]);
    const good = () => {
      out.view().fill(777);
      expect(module.linear(x, weight, 3, 2, 4, out)).toBeUndefined();
      expect(Array.from(out.view())).toEqual([1, 2, 3, 6, 3, 4, 7, 14, 5, 6, 11, 22]);
    };
    good();
    const handles = module.count_emval_handles();
    const bytes = x.view().buffer.byteLength;
    out.view().fill(777);
    // 64 KiB of stack: four bytes kept by each of them would have run over it.
    for (let i = 0; i < 20_000; i++) {
      const failure = module.linear(x, weight, 3, 2, i % 2 === 0 ? 5 : 2 ** 31, out);
      if (i < 4) expect(failure).toMatchObject({ code: "bad_shape", argument: "weight" });
    }
    expect(Array.from(out.view())).toEqual(new Array(12).fill(777));
    expect(module.count_emval_handles()).toBe(handles);
    expect(x.view().buffer.byteLength).toBe(bytes);
    good();
  });

  test("keeps nothing of a call with many numbers, taken or refused", async () => {
    const module = await rawModule();
    const room = module.attention_scratch_size(2, 3, 1, 1, 4, 2, false, false);
    const [query, key, value, out, scratch] = [8, 12, 6, 4, room].map((length) =>
      module.F32Buffer.allocate(length),
    );
    key.view().fill(1);
    value.view().set([1, 2, 3, 4, 5, 6]);
    const attend = (kvLen = 3) =>
      module.attention(
        // Behind key and value those of bfloat16, then kv_lens, mask, bias.
        ...[query, key, value, null, null, null, null, null],
        // format, batch, q_len, n_heads, kv_len, kv_capacity, n_kv_heads, head_dim, v_head_dim
        ...[module.HeadsFormat.bshd, 1, 2, 1, kvLen, 0, 1, 4, 2],
        // query_offset, causal, left_window_size, right_window_size, softmax_scale, softcap, score_stage
        ...[0, false, -1, -1, 1, 0, module.ScoreStage.masked],
        ...[1, 1, 1, 1, 1, 1, 1, 1, out, null, null, scratch],
      );
    const good = () => {
      out.view().fill(777);
      expect(attend()).toBeUndefined();
      expect(Array.from(out.view())).toEqual([3, 4, 3, 4]);
    };
    good();
    const handles = module.count_emval_handles();
    const bytes = out.view().buffer.byteLength;
    for (let i = 0; i < 20_000; i++) attend();
    good();
    out.view().fill(777);
    for (let i = 0; i < 20_000; i++) {
      const failure = attend(4);
      if (i < 4) expect(failure).toMatchObject({ code: "bad_shape", argument: "key", given: 12 });
    }
    expect(Array.from(out.view())).toEqual(new Array(4).fill(777));
    expect(module.count_emval_handles()).toBe(handles);
    expect(out.view().buffer.byteLength).toBe(bytes);
    good();
  });

  test("nor of latent attention, taken, refused or only counted", async () => {
    const module = await rawModule();
    const f32 = (...values: number[]) => {
      const buffer = module.F32Buffer.allocate(values.length);
      buffer.view().set(values);
      return buffer;
    };
    // hidden_size, n_heads, q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim
    const shape = [1, 1, 0, 1, 1, 2, 1];
    const weights = [f32(1, 1, 1), f32(3, 0, 0), f32(1), f32(1, 5), f32(7), f32(1), f32(0)];
    const [qProj, kvAProj, kvALayernorm, kvBProj, oProj, cos, sin] = weights;
    const [latents, query, latentQuery, latentOut, heads, out] = [3, 3, 3, 1, 1, 1].map((length) =>
      f32(...new Array(length).fill(0)),
    );
    const x = f32(2);
    const scratch = f32(
      ...new Array(module.mla_scratch_size(1, 1, 1, 2, 1, module.MlaForm.absorbed, 1, 1, false, false)).fill(
        0,
      ),
    );
    const cost = module.F64Buffer.allocate(6);
    const call = (qLen = 1) =>
      module.mla(
        // form, causal, softmax_scale, epsilon
        ...[...shape, module.MlaForm.absorbed, false, 1, 0],
        // batch, q_len, kv_len, latent_len, latent_capacity, expanded_capacity, is_cache
        ...[1, qLen, 1, 1, 1, 0, false],
        ...[x, null, null, qProj, kvAProj, kvALayernorm, kvBProj, oProj, cos, sin],
        ...[latents, null, query, null, null, latentQuery, latentOut, heads, out, null, null, scratch],
      );
    const good = () => {
      out.view().fill(777);
      expect(call()).toBeUndefined();
      // The latent is normed to 1, its value 5 times that, and the output 7 times as much.
      expect(Array.from(out.view())).toEqual([35]);
    };
    good();
    const handles = module.count_emval_handles();
    const bytes = out.view().buffer.byteLength;
    for (let i = 0; i < 20_000; i++) {
      call();
      module.mla_cost(...shape, module.MlaForm.naive, module.CacheKind.latent, 1, 1, 1 + i, false, cost);
    }
    good();
    out.view().fill(777);
    for (let i = 0; i < 20_000; i++) {
      const failure = call(2);
      if (i < 4) expect(failure).toMatchObject({ code: "bad_shape", argument: "q_len", given: 2 });
    }
    expect(Array.from(out.view())).toEqual([777]);
    expect(module.count_emval_handles()).toBe(handles);
    expect(out.view().buffer.byteLength).toBe(bytes);
    good();
  });
});
