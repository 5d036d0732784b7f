// A cache of keys and values, and what is kept of them without one.
import { type F32Tensor, type KvCache, type KvCacheOptions, loadRopewalk, RopewalkError } from "ropewalk";
import { describe, expect, test } from "vitest";
import { memoryOf } from "./calls.ts";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

const shapes: Required<KvCacheOptions>[] = [
  { format: "bshd", batch: 1, capacity: 6, nKvHeads: 1, headDim: 1, vHeadDim: 1, dtype: "float32" },
  { format: "bshd", batch: 2, capacity: 7, nKvHeads: 3, headDim: 4, vHeadDim: 5, dtype: "float32" },
  { format: "bhsd", batch: 1, capacity: 6, nKvHeads: 2, headDim: 6, vHeadDim: 3, dtype: "float32" },
  { format: "bhsd", batch: 3, capacity: 9, nKvHeads: 2, headDim: 3, vHeadDim: 8, dtype: "float32" },
  { format: "bshd", batch: 2, capacity: 7, nKvHeads: 3, headDim: 5, vHeadDim: 3, dtype: "bfloat16" },
  { format: "bhsd", batch: 1, capacity: 6, nKvHeads: 2, headDim: 3, vHeadDim: 8, dtype: "bfloat16" },
];

/** Keys and values of `len` tokens for such a cache, which it keeps just as they are. */
const tokens = (
  { batch = 1, nKvHeads, headDim, vHeadDim = headDim, dtype = "float32" }: KvCacheOptions,
  len: number,
  seed = 1,
) => {
  const some = (dim: number, stream: number) => {
    const numbers = plain.noise(batch * len * nKvHeads * dim, 2 * seed + stream);
    if (dtype === "bfloat16") for (const i of numbers.keys()) numbers[i] = upperHalf(numbers[i] as number);
    return numbers;
  };
  return { key: some(headDim, 0), value: some(vHeadDim, 1), len };
};

/** The number without the lower half of its bits. */
function upperHalf(number: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, number);
  view.setUint16(2, 0);
  return view.getFloat32(0);
}

type Tokens = ReturnType<typeof tokens>;

const headsOf = ({ format = "bshd", batch = 1, nKvHeads, headDim }: KvCacheOptions, len: number) => ({
  ...{ format, batch, len, nHeads: nKvHeads, headDim },
});

/** Some tokens behind others. */
function joined(shape: Required<KvCacheOptions>, first: Tokens, second: Tokens): Tokens {
  const len = first.len + second.len;
  const [keys, values] = [headsOf(shape, len), headsOf({ ...shape, headDim: shape.vHeadDim }, len)];
  return {
    key: Float32Array.from(plain.joinHeads(keys, first.key, first.len, second.key)),
    value: Float32Array.from(plain.joinHeads(values, first.value, first.len, second.value)),
    len,
  };
}

const content = ({ key, value }: Tokens) => ({ key, value });

type Outputs = Record<"out" | "weights" | "scores", Float32Array>;

/** Within a rounding or two: what is in a cache is summed up in another order. */
function expectClose(made: Outputs, wanted: Outputs): void {
  plain.expectClose(made.out, wanted.out, 2 ** -19);
  plain.expectClose(made.weights, wanted.weights, 2 ** -19);
  plain.expectClose(made.scores, wanted.scores, 2 ** -19);
}

function errorOf(attempt: () => unknown): RopewalkError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof RopewalkError) return error;
    throw error;
  }
  return expect.fail("it was taken");
}

describe.each(shapes)("a cache, %o", (shape) => {
  const bytesPerElement = shape.dtype === "float32" ? 4 : 2;
  const bytesPerToken = bytesPerElement * shape.batch * shape.nKvHeads * (shape.headDim + shape.vHeadDim);

  test("is empty to begin with, and says what it is", () => {
    using cache = engine.kvCache(shape);
    const { format, batch, capacity, nKvHeads, headDim, vHeadDim, dtype } = cache;
    expect({ format, batch, capacity, nKvHeads, headDim, vHeadDim, dtype }).toEqual(shape);
    expect([cache.length, cache.bytesUsed]).toEqual([0, 0]);
    expect(cache.read()).toEqual({ key: new Float32Array(0), value: new Float32Array(0) });
  });

  test("holds what is appended, in its order, up to its capacity", () => {
    using cache = engine.kvCache(shape);
    let all = tokens(shape, 2);
    expect(cache.append(all)).toBeUndefined();
    expect(cache.read()).toEqual(content(all));
    for (const [i, len] of [1, 2, shape.capacity - 5].entries()) {
      const more = tokens(shape, len, i + 2);
      cache.append(more);
      all = joined(shape, all, more);
      expect(cache.read()).toEqual(content(all));
      expect([cache.length, cache.bytesUsed]).toEqual([all.len, all.len * bytesPerToken]);
    }
    expect(cache.length).toBe(shape.capacity);
  });

  test("takes one token at a time if len is not given", () => {
    using cache = engine.kvCache(shape);
    const [first, second] = [tokens(shape, 1), tokens(shape, 1, 2)];
    cache.append({ key: first.key, value: first.value });
    cache.append({ key: second.key, value: second.value });
    expect(cache.length).toBe(2);
    expect(cache.read()).toEqual(content(joined(shape, first, second)));
  });

  test("takes buffers as it takes arrays", () => {
    using cache = engine.kvCache(shape);
    const given = tokens(shape, 3);
    using key = engine.f32(given.key);
    using value = engine.f32(given.value);
    cache.append({ key, value: given.value, len: 3 });
    cache.truncate(0);
    cache.append({ key, value, len: 3 });
    expect(cache.read()).toEqual(content(given));
    expect([key.view, value.view]).toEqual([given.key, given.value]);
    // They are not the cache's own.
    key.view.fill(5);
    expect(cache.read()).toEqual(content(given));
  });

  test("leaves what it is given as it is, and gives copies of what it holds", () => {
    using cache = engine.kvCache(shape);
    const given = tokens(shape, 2);
    cache.append(given);
    const read = cache.read();
    expect([read.key.byteOffset, read.key.buffer.byteLength]).toEqual([0, read.key.byteLength]);
    read.key.fill(9);
    read.value.fill(9);
    given.key.fill(7);
    expect(cache.read()).toEqual(content(tokens(shape, 2)));
  });

  test("forgets all but the first tokens, and goes on from there", () => {
    using cache = engine.kvCache(shape);
    const [first, second, third] = [tokens(shape, 2), tokens(shape, 3, 2), tokens(shape, 1, 3)];
    cache.append(first);
    cache.append(second);
    expect(cache.truncate(5)).toBeUndefined();
    expect(cache.read()).toEqual(content(joined(shape, first, second)));
    cache.truncate(2);
    expect([cache.length, cache.bytesUsed]).toEqual([2, 2 * bytesPerToken]);
    expect(cache.read()).toEqual(content(first));
    cache.append(third);
    expect(cache.read()).toEqual(content(joined(shape, first, third)));
    cache.truncate(0);
    expect([cache.length, cache.bytesUsed]).toEqual([0, 0]);
    cache.append(second);
    expect(cache.read()).toEqual(content(second));
  });

  test("stays as it is when there is no room, or something is wrong with what is appended", () => {
    using cache = engine.kvCache(shape);
    const held = tokens(shape, shape.capacity - 1);
    cache.append(held);
    const one = tokens(shape, 1, 2);
    using foreign = engine.f64(1);
    const wrong: [object, string, string][] = [
      [tokens(shape, 2, 2), "bad_shape", "len"],
      [{ ...one, len: 2 }, "bad_shape", "len"],
      [{ ...one, len: 0 }, "bad_value", "len"],
      [{ ...one, len: Number.NaN }, "bad_value", "len"],
      [{ ...one, key: tokens(shape, 2).key }, "bad_shape", "key"],
      [{ ...one, value: tokens(shape, 2).value }, "bad_shape", "value"],
      [{ ...one, key: undefined }, "bad_type", "key"],
      [{ ...one, value: foreign }, "bad_type", "value"],
    ];
    for (const [options, code, argument] of wrong) {
      const error = errorOf(() => cache.append(options as Tokens));
      expect([error.code, error.argument]).toEqual([code, argument]);
      expect([cache.length, cache.bytesUsed]).toEqual([held.len, held.len * bytesPerToken]);
      expect(cache.read()).toEqual(content(held));
    }
    cache.append(one);
    expect(cache.read()).toEqual(content(joined(shape, held, one)));
    expect(errorOf(() => cache.append(one)).allowed).toContain("0 rows");
  });

  test("outlives the growth of the memory", async () => {
    const fresh = await loadRopewalk();
    const cache = fresh.kvCache(shape);
    const own = fresh.f32(1);
    const [first, second] = [tokens(shape, 2), tokens(shape, 2, 2)];
    cache.append(first);
    const bytes = memoryOf(own);
    fresh.f32(2 ** 23);
    expect(memoryOf(own)).toBeGreaterThan(bytes);
    expect(cache.read()).toEqual(content(first));
    cache.append(second);
    expect(cache.read()).toEqual(content(joined(shape, first, second)));
    expect([cache.length, cache.bytesUsed]).toEqual([4, 4 * bytesPerToken]);
  });

  test("is attended to as if its keys and values were given, the queries behind them", () => {
    using cache = engine.kvCache(shape);
    const [first, second] = [tokens(shape, 3), tokens(shape, 2, 2)];
    const nHeads = 2 * shape.nKvHeads;
    const query = plain.noise(shape.batch * 2 * nHeads * shape.headDim, 9);
    const { format, batch, nKvHeads, headDim, vHeadDim } = shape;
    const sizes = { format, batch, nKvHeads, headDim, vHeadDim, qLen: 2, nHeads };
    for (const [added, length] of [
      [first, 3],
      [second, 5],
    ] as const) {
      cache.append(added);
      const { key, value } = cache.read();
      for (const more of [
        {},
        { causal: true },
        { causal: true, leftWindowSize: 1 },
        { softcap: 2, causal: true },
      ]) {
        const asked = { ...more, weights: true, scores: true } as const;
        const made = engine.attention({ query, cache, qLen: 2, nHeads, ...asked });
        const whole = { ...sizes, query, key, value, kvLen: length };
        expectClose(made, engine.attention({ ...whole, queryOffset: length - 2, ...asked }));
        const rules = { ...more, queryOffset: length - 2 };
        plain.expectClose(made.out, plain.attention(query, key, value, whole, rules).out, 2 ** -19);
        // And elsewhere, if that is said.
        expectClose(
          engine.attention({ query, cache, qLen: 2, nHeads, queryOffset: 0, ...asked }),
          engine.attention({ ...whole, queryOffset: 0, ...asked }),
        );
      }
    }
    // It has not been written.
    expect(cache.read()).toEqual(content(joined(shape, first, second)));
  });

  test("makes a sequence token by token what it is at once", () => {
    using cache = engine.kvCache(shape);
    const { format, batch, nKvHeads, headDim, vHeadDim } = shape;
    const len = shape.capacity;
    const { key, value } = tokens(shape, len);
    const nHeads = 3 * nKvHeads;
    const queries = { format, batch, len, nHeads, headDim };
    const query = plain.noise(batch * len * nHeads * headDim, 9);
    const all = engine.attention({
      ...{ query, key, value, format, batch, nHeads, nKvHeads, headDim, vHeadDim },
      ...{ qLen: len, causal: true },
    }).out;
    const part = (shapeOf: plain.HeadsShape, x: ArrayLike<number>, s: number) =>
      Float32Array.from(plain.sliceHeads(shapeOf, x, s, s + 1));
    for (let s = 0; s < len; s++) {
      cache.append({
        key: part(headsOf(shape, len), key, s),
        value: part(headsOf({ ...shape, headDim: vHeadDim }, len), value, s),
      });
      const { out } = engine.attention({
        query: part(queries, query, s),
        cache,
        qLen: 1,
        nHeads,
        causal: true,
      });
      plain.expectClose(out, part({ ...queries, headDim: vHeadDim }, all, s), 2 ** -19);
    }
  });
});

describe("a cache in bfloat16", () => {
  const shape = { capacity: 200, nKvHeads: 2, headDim: 24, vHeadDim: 17 };

  test("keeps each number to the nearest, within 2^-8 of it", () => {
    using cache = engine.kvCache({ ...shape, dtype: "bfloat16" });
    const given = tokens(shape, 200);
    cache.append(given);
    const { key, value } = cache.read();
    let off = 0;
    for (const [kept, all] of [
      [key, given.key],
      [value, given.value],
    ] as const) {
      for (const [i, number] of all.entries()) {
        expect(kept[i]).toBe(upperHalf(kept[i] as number));
        const error = Math.abs((kept[i] as number) - number);
        expect(error).toBeLessThanOrEqual(2 ** -8 * Math.abs(number));
        off = Math.max(off, error / Math.abs(number));
      }
    }
    // Cut off they would be off by twice that.
    expect(off).toBeGreaterThan(0.95 * 2 ** -8);
  });

  test("is off in attention by no more than its docstring says", () => {
    const { nKvHeads, headDim, vHeadDim } = shape;
    for (const seed of [1, 2, 3]) {
      using cache = engine.kvCache({ ...shape, dtype: "bfloat16" });
      const { key, value, len } = tokens(shape, 200, seed);
      cache.append({ key, value, len });
      const query = plain.noise(nKvHeads * headDim, 9 + seed);
      const { out } = engine.attention({ query, cache, qLen: 1, nHeads: nKvHeads });
      const sizes = { batch: 1, qLen: 1, kvLen: len, nHeads: nKvHeads, nKvHeads, headDim, vHeadDim };
      const exact = plain.attention(query, key, value, sizes, {}).out;
      const most = value.reduce((largest, number) => Math.max(largest, Math.abs(number)), 0);
      plain.expectClose(out, exact, 2 ** -8 * most);
    }
  });

  test("is refused under another name", () => {
    const error = errorOf(() => engine.kvCache({ ...shape, dtype: "float16" as never }));
    expect([error.code, error.argument, error.given]).toEqual(["bad_value", "dtype", "float16"]);
    expect(error.allowed).toContain("bfloat16");
  });
});

describe("a cache", () => {
  const shape = { capacity: 4, nKvHeads: 2, headDim: 3 };
  const heads = { qLen: 1, nHeads: 2, query: plain.noise(6) };

  test("has one sequence, bshd and values as long as keys if nothing else is said", () => {
    using cache = engine.kvCache(shape);
    expect([cache.batch, cache.format, cache.vHeadDim]).toEqual([1, "bshd", 3]);
    cache.append(tokens(shape, 2));
    expect(cache.bytesUsed).toBe(4 * 2 * 2 * (3 + 3));
  });

  test("does not know another's tokens", () => {
    using one = engine.kvCache(shape);
    using other = engine.kvCache(shape);
    one.append(tokens(shape, 3));
    other.append(tokens(shape, 2, 2));
    one.append(tokens(shape, 1, 3));
    expect(other.read()).toEqual(content(tokens(shape, 2, 2)));
    expect([one.length, other.length]).toEqual([4, 2]);
  });

  test("cannot be lengthened by truncate(), nor set", () => {
    using cache = engine.kvCache(shape);
    cache.append(tokens(shape, 2));
    for (const [length, code] of [
      [3, "bad_value"],
      [-1, "bad_value"],
      [0.5, "bad_value"],
      [Number.NaN, "bad_value"],
      ["1", "bad_type"],
      [undefined, "bad_type"],
      [null, "bad_type"],
    ] as const) {
      const error = errorOf(() => cache.truncate(length as number));
      expect([error.code, error.argument, error.given]).toEqual([code, "length", length]);
      expect(error.message).toContain("the cache's length");
      expect(cache.length).toBe(2);
    }
    expect(() => {
      (cache as { length: number }).length = 4;
    }).toThrow(TypeError);
    expect(cache.read()).toEqual(content(tokens(shape, 2)));
  });

  const uses: [string, (cache: KvCache) => unknown][] = [
    ["append()", (cache) => cache.append(tokens(shape, 1))],
    ["append() of nothing", (cache) => cache.append(undefined as never)],
    ["read()", (cache) => cache.read()],
    ["truncate()", (cache) => cache.truncate(0)],
    ["attention()", (cache) => engine.attention({ ...heads, cache })],
  ];

  test.each(uses)("refuses %s after delete(), which may be called again", (_, use) => {
    for (const end of [(cache: KvCache) => cache.delete(), (cache: KvCache) => cache[Symbol.dispose]()]) {
      const cache = engine.kvCache(shape);
      cache.append(tokens(shape, 2));
      expect(String(cache)).toBe("[object KvCache]");
      end(cache);
      end(cache);
      cache.delete();
      const error = errorOf(() => use(cache));
      expect([error.code, error.argument]).toEqual(["disposed", "cache"]);
      expect(error.given === cache).toBe(true);
      expect(error.message).toContain("deleted KvCache");
    }
    // The engine works on.
    using next = engine.kvCache(shape);
    next.append(tokens(shape, 2));
    expect(next.read()).toEqual(content(tokens(shape, 2)));
  });

  test("gives its memory back with delete(), or at the end of the block that it is declared in", () => {
    const own = engine.f32(1);
    // As much as eight of them would not fit.
    const large = { capacity: 2 ** 16, nKvHeads: 1, headDim: 2 ** 8 };
    engine.kvCache(large).delete();
    const bytes = memoryOf(own);
    const ended: KvCache[] = [];
    const block = (fail: boolean) => {
      using cache = engine.kvCache(large);
      ended.push(cache);
      if (fail) throw new TypeError("on purpose");
    };
    for (let i = 0; i < 8; i++) {
      if (i % 2 === 0) block(false);
      else expect(() => block(true)).toThrow("on purpose");
    }
    expect(memoryOf(own)).toBe(bytes);
    for (const cache of ended) expect(errorOf(() => cache.read()).code).toBe("disposed");
  });

  test("of another engine is refused, and stays good there", async () => {
    const stranger = await loadRopewalk();
    const cache = stranger.kvCache(shape);
    cache.append(tokens(shape, 2));
    const error = errorOf(() => engine.attention({ ...heads, cache }));
    expect([error.code, error.argument]).toEqual(["bad_value", "cache"]);
    expect(error.given === cache).toBe(true);
    const key: F32Tensor = engine.f32(tokens(shape, 1).key);
    const refused = errorOf(() => cache.append({ key, value: tokens(shape, 1).value }));
    expect([refused.code, refused.argument]).toEqual(["bad_value", "key"]);
    expect(cache.read()).toEqual(content(tokens(shape, 2)));
    expect(stranger.attention({ ...heads, cache }).out.length).toBe(6);
  });

  test("without a token has nothing to attend to", () => {
    using cache = engine.kvCache(shape);
    const error = errorOf(() => engine.attention({ ...heads, cache }));
    expect([error.code, error.argument]).toEqual(["bad_shape", "cache"]);
    cache.append(tokens(shape, 1));
    expect(engine.attention({ ...heads, cache }).out).toEqual(tokens(shape, 1).value);
  });

  test("keeps the rest of its room out of sight", () => {
    using cache = engine.kvCache(shape);
    const poison = {
      key: new Float32Array(24).fill(Number.NaN),
      value: new Float32Array(24).fill(Infinity),
      len: 4,
    };
    cache.append(poison);
    cache.truncate(0);
    cache.append(tokens(shape, 2));
    const { key, value } = tokens(shape, 2);
    const plainly = engine.attention({
      ...heads,
      key,
      value,
      kvLen: 2,
      headDim: 3,
      weights: true,
      scores: true,
    });
    expectClose(engine.attention({ ...heads, cache, weights: true, scores: true }), plainly);
  });
});

describe("writeCache", () => {
  test("writes rows where writeIndices says, and nothing else", () => {
    const cache = new Float32Array([0, 1, 2, 3, /**/ 4, 5, 6, 7]);
    const options = {
      cache,
      update: new Float32Array([-1, -2, /**/ -3, -4]),
      batch: 2,
      capacity: 4,
      rows: 2,
      inner: 1,
    };
    expect(engine.writeCache({ ...options, writeIndices: new Int32Array([2, 0]) })).toEqual(
      new Float32Array([0, 1, -1, -2, /**/ -3, -4, 6, 7]),
    );
    expect(engine.writeCache({ ...options, writeIndices: new Int32Array([3, 2]), circular: true })).toEqual(
      new Float32Array([-2, 1, 2, -1, /**/ 4, 5, -3, -4]),
    );
    expect(engine.writeCache(options)).toEqual(new Float32Array([-1, -2, 2, 3, /**/ -3, -4, 6, 7]));
  });

  test("has one sequence, one head, and no way round if nothing else is said", () => {
    const options = { cache: plain.noise(12), update: plain.noise(6, 2), capacity: 4, rows: 2, inner: 3 };
    expect(engine.writeCache(options)).toEqual(
      engine.writeCache({ ...options, batch: 1, outer: 1, circular: false, writeIndices: new Int32Array(1) }),
    );
    const past = { ...options, writeIndices: new Int32Array([3]) };
    expect(errorOf(() => engine.writeCache(past)).argument).toBe("writeIndices");
    expect(engine.writeCache({ ...past, circular: true }).subarray(0, 3)).toEqual(options.update.subarray(3));
  });

  test.each([
    { batch: 1, outer: 1, capacity: 1, rows: 1, inner: 1 },
    { batch: 2, outer: 3, capacity: 5, rows: 2, inner: 4 },
    { batch: 3, outer: 1, capacity: 7, rows: 7, inner: 2 },
  ])("is what plain loops make of it, %o", (shape) => {
    const { batch, outer, capacity, rows, inner } = shape;
    const cache = plain.noise(batch * outer * capacity * inner);
    const update = plain.noise(batch * outer * rows * inner, 2);
    for (const circular of [false, true]) {
      const most = circular ? capacity : capacity - rows + 1;
      const writeIndices = Int32Array.from({ length: batch }, (_, b) => (b + 2) % most);
      const expected = Float32Array.from(plain.writeCache(cache, update, shape, writeIndices));
      expect(engine.writeCache({ ...shape, cache, update, writeIndices, circular })).toEqual(expected);
      using buffer = engine.f32(cache);
      expect(engine.writeCache({ ...shape, cache: buffer, update, writeIndices, circular })).toBeUndefined();
      expect(buffer.view).toEqual(expected);
    }
  });
});

describe("cacheBytes", () => {
  test("counts a key and a value for each head that has its own", () => {
    const shape = { headDim: 128, bytesPerElement: 2 } as const;
    // 2 · 32 heads · 128 components of two bytes
    expect(engine.cacheBytes({ kind: "mha", nHeads: 32, ...shape })).toEqual({
      elementsPerToken: 8192,
      bytesPerToken: 16_384,
      bytes: 16_384,
    });
    expect(engine.cacheBytes({ kind: "gqa", nKvHeads: 8, ...shape }).bytesPerToken).toBe(4096);
    expect(engine.cacheBytes({ kind: "mqa", ...shape }).bytesPerToken).toBe(512);
    expect(engine.cacheBytes({ kind: "mqa", ...shape, vHeadDim: 64 }).elementsPerToken).toBe(192);
  });

  test("counts one latent and one rotary key for all heads, in every layer", () => {
    // DeepSeek-V2, arXiv:2405.04434: (512 + 64) elements for each of 60 layers
    expect(
      engine.cacheBytes({ kind: "mla", kvLoraRank: 512, qkRopeHeadDim: 64, nLayers: 60, bytesPerElement: 2 }),
    ).toEqual({ elementsPerToken: 34_560, bytesPerToken: 69_120, bytes: 69_120 });
  });

  test("multiplies by tokens, sequences and bytes", () => {
    for (const bytesPerElement of [1, 2, 4] as const) {
      expect(
        engine.cacheBytes({
          ...{ kind: "gqa", nKvHeads: 2, headDim: 3, vHeadDim: 4 },
          ...{ nLayers: 5, seqLen: 11, batch: 7, bytesPerElement },
        }),
      ).toEqual({
        elementsPerToken: 5 * 2 * 7,
        bytesPerToken: 70 * bytesPerElement,
        bytes: 70 * bytesPerElement * 77,
      });
    }
  });

  test("is exact far past 2^32", () => {
    const { bytes } = engine.cacheBytes({
      ...{
        kind: "mha",
        nHeads: 128,
        headDim: 128,
        nLayers: 61,
        seqLen: 1_000_000,
        batch: 64,
        bytesPerElement: 4,
      },
    });
    expect(bytes).toBe(128 * 256 * 61 * 4 * 64_000_000);
  });

  test("agrees with what a cache holds", () => {
    const shape = { batch: 2, capacity: 5, nKvHeads: 3, headDim: 4, vHeadDim: 6 };
    using cache = engine.kvCache(shape);
    cache.append(tokens(shape, 3));
    expect(cache.bytesUsed).toBe(
      engine.cacheBytes({
        ...{ kind: "gqa", nKvHeads: 3, headDim: 4, vHeadDim: 6 },
        ...{ seqLen: 3, batch: 2, bytesPerElement: 4 },
      }).bytes,
    );
  });
});
