// A cache of latents and rotary keys, by itself; what mla() does with one is in mla.test.ts.
import { type LatentCache, type LatentCacheOptions, loadRopewalk, RopewalkError } from "ropewalk";
import { describe, expect, test } from "vitest";
import { memoryOf } from "./calls.ts";
import { hiddenStates, seededLayer, turnsOf } from "./latent.ts";
import { noise } from "./plain.ts";

const engine = await loadRopewalk();

const shapes: Required<LatentCacheOptions>[] = [
  { batch: 1, capacity: 6, kvLoraRank: 1, qkRopeHeadDim: 2 },
  { batch: 2, capacity: 7, kvLoraRank: 5, qkRopeHeadDim: 4 },
  { batch: 3, capacity: 9, kvLoraRank: 8, qkRopeHeadDim: 6 },
];

const widthOf = ({ kvLoraRank, qkRopeHeadDim }: LatentCacheOptions) => kvLoraRank + qkRopeHeadDim;

/** Of `len` tokens for such a cache. */
const tokens = (shape: LatentCacheOptions, len: number, seed = 1) => ({
  latents: noise((shape.batch ?? 1) * len * widthOf(shape), seed),
  len,
});
type Tokens = ReturnType<typeof tokens>;

/** Some tokens behind others. */
function joined(shape: Required<LatentCacheOptions>, first: Tokens, second: Tokens): Tokens {
  const width = widthOf(shape);
  const rows = Array.from({ length: shape.batch }, (_, b) => [
    ...first.latents.subarray(b * first.len * width, (b + 1) * first.len * width),
    ...second.latents.subarray(b * second.len * width, (b + 1) * second.len * width),
  ]);
  return { latents: Float32Array.from(rows.flat()), len: first.len + second.len };
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
  const bytesPerToken = 4 * shape.batch * widthOf(shape);

  test("is empty to begin with, and says what it is", () => {
    using cache = engine.latentCache(shape);
    const { batch, capacity, kvLoraRank, qkRopeHeadDim } = cache;
    expect({ batch, capacity, kvLoraRank, qkRopeHeadDim }).toEqual(shape);
    expect([cache.length, cache.bytesUsed]).toEqual([0, 0]);
    expect(cache.read()).toEqual(new Float32Array(0));
  });

  test("holds what is appended, in its order, up to its capacity", () => {
    using cache = engine.latentCache(shape);
    let all = tokens(shape, 2);
    expect(cache.append(all)).toBeUndefined();
    expect(cache.read()).toEqual(all.latents);
    for (const [i, len] of [1, 2, shape.capacity - 5].entries()) {
      const more = tokens(shape, len, i + 2);
      cache.append(more);
      all = joined(shape, all, more);
      expect(cache.read()).toEqual(all.latents);
      expect([cache.length, cache.bytesUsed]).toEqual([all.len, all.len * bytesPerToken]);
    }
    expect(cache.length).toBe(shape.capacity);
  });

  test("takes one token at a time if len is not given", () => {
    using cache = engine.latentCache(shape);
    const [first, second] = [tokens(shape, 1), tokens(shape, 1, 2)];
    cache.append({ latents: first.latents });
    cache.append({ latents: second.latents });
    expect(cache.length).toBe(2);
    expect(cache.read()).toEqual(joined(shape, first, second).latents);
  });

  test("takes a buffer as it takes an array, leaves both as they are, and gives copies", () => {
    using cache = engine.latentCache(shape);
    const given = tokens(shape, 3);
    using latents = engine.f32(given.latents);
    cache.append({ latents, len: 3 });
    expect(latents.view).toEqual(given.latents);
    latents.view.fill(5);
    const read = cache.read();
    expect([read.byteOffset, read.buffer.byteLength]).toEqual([0, read.byteLength]);
    read.fill(9);
    expect(cache.read()).toEqual(given.latents);
  });

  test("forgets all but the first tokens, and goes on from there", () => {
    using cache = engine.latentCache(shape);
    const [first, second, third] = [tokens(shape, 2), tokens(shape, 3, 2), tokens(shape, 1, 3)];
    cache.append(first);
    cache.append(second);
    expect(cache.truncate(5)).toBeUndefined();
    expect(cache.read()).toEqual(joined(shape, first, second).latents);
    cache.truncate(2);
    expect([cache.length, cache.bytesUsed]).toEqual([2, 2 * bytesPerToken]);
    expect(cache.read()).toEqual(first.latents);
    cache.append(third);
    expect(cache.read()).toEqual(joined(shape, first, third).latents);
    cache.truncate(0);
    expect([cache.length, cache.bytesUsed]).toEqual([0, 0]);
    cache.append(second);
    expect(cache.read()).toEqual(second.latents);
  });

  test("stays as it is when there is no room, or something is wrong with what is appended", () => {
    using cache = engine.latentCache(shape);
    const held = tokens(shape, shape.capacity - 1);
    cache.append(held);
    const one = tokens(shape, 1, 2);
    using foreign = engine.f64(one.latents.length);
    const wrong: [object, string, string][] = [
      [tokens(shape, 2, 2), "bad_shape", "len"],
      [{ ...one, len: 2 }, "bad_shape", "len"],
      [{ ...one, len: 0 }, "bad_value", "len"],
      [{ ...one, len: Number.NaN }, "bad_value", "len"],
      [{ ...one, latents: tokens(shape, 2).latents }, "bad_shape", "latents"],
      [{ ...one, latents: undefined }, "bad_type", "latents"],
      [{ ...one, latents: foreign }, "bad_type", "latents"],
    ];
    for (const [options, code, argument] of wrong) {
      const error = errorOf(() => cache.append(options as Tokens));
      expect([error.code, error.argument]).toEqual([code, argument]);
      expect([cache.length, cache.bytesUsed]).toEqual([held.len, held.len * bytesPerToken]);
      expect(cache.read()).toEqual(held.latents);
    }
    cache.append(one);
    expect(cache.read()).toEqual(joined(shape, held, one).latents);
    expect(errorOf(() => cache.append(one)).allowed).toContain("0 rows");
  });

  test("outlives the growth of the memory", async () => {
    const fresh = await loadRopewalk();
    const cache = fresh.latentCache(shape);
    const own = fresh.f32(1);
    const [first, second] = [tokens(shape, 2), tokens(shape, 2, 2)];
    cache.append(first);
    const bytes = memoryOf(own);
    fresh.f32(2 ** 23);
    expect(memoryOf(own)).toBeGreaterThan(bytes);
    expect(cache.read()).toEqual(first.latents);
    cache.append(second);
    expect(cache.read()).toEqual(joined(shape, first, second).latents);
  });

  test("takes what cacheBytes says", () => {
    using cache = engine.latentCache(shape);
    cache.append(tokens(shape, 4));
    const { kvLoraRank, qkRopeHeadDim, batch } = shape;
    const { bytes } = engine.cacheBytes({
      ...{ kind: "mla", kvLoraRank, qkRopeHeadDim, batch, seqLen: 4, bytesPerElement: 4 },
    });
    expect(cache.bytesUsed).toBe(bytes);
  });
});

describe("a cache", () => {
  const shape = { capacity: 4, kvLoraRank: 3, qkRopeHeadDim: 2 };
  const layerShape = {
    hiddenSize: 4,
    nHeads: 2,
    kvLoraRank: 3,
    qkNopeHeadDim: 2,
    qkRopeHeadDim: 2,
    vHeadDim: 2,
  };
  const attending = {
    ...seededLayer(engine, layerShape),
    ...turnsOf(engine, 1, 2, 9),
    x: hiddenStates(engine, 1, 4),
    qLen: 1,
  };

  test("has one sequence if nothing else is said", () => {
    using cache = engine.latentCache(shape);
    expect(cache.batch).toBe(1);
    cache.append(tokens(shape, 2));
    expect(cache.bytesUsed).toBe(4 * 2 * 5);
  });

  test("does not know another's tokens", () => {
    using one = engine.latentCache(shape);
    using other = engine.latentCache(shape);
    one.append(tokens(shape, 3));
    other.append(tokens(shape, 2, 2));
    one.append(tokens(shape, 1, 3));
    expect(other.read()).toEqual(tokens(shape, 2, 2).latents);
    expect([one.length, other.length]).toEqual([4, 2]);
  });

  test("cannot be lengthened by truncate(), nor set", () => {
    using cache = engine.latentCache(shape);
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
      expect(cache.length).toBe(2);
    }
    expect(() => {
      (cache as { length: number }).length = 4;
    }).toThrow(TypeError);
    expect(cache.read()).toEqual(tokens(shape, 2).latents);
  });

  const uses: [string, (cache: LatentCache) => unknown][] = [
    ["append()", (cache) => cache.append(tokens(shape, 1))],
    ["append() of nothing", (cache) => cache.append(undefined as never)],
    ["read()", (cache) => cache.read()],
    ["truncate()", (cache) => cache.truncate(0)],
    ["mla()", (cache) => engine.mla({ ...attending, cache })],
  ];

  test.each(uses)("refuses %s after delete(), which may be called again", (_, use) => {
    for (const end of [
      (cache: LatentCache) => cache.delete(),
      (cache: LatentCache) => cache[Symbol.dispose](),
    ]) {
      const cache = engine.latentCache(shape);
      cache.append(tokens(shape, 2));
      expect(String(cache)).toBe("[object LatentCache]");
      end(cache);
      end(cache);
      cache.delete();
      const error = errorOf(() => use(cache));
      expect([error.code, error.argument]).toEqual(["disposed", "cache"]);
      expect(error.given === cache).toBe(true);
      expect(error.message).toContain("deleted LatentCache");
    }
    // The engine works on.
    using next = engine.latentCache(shape);
    next.append(tokens(shape, 2));
    expect(next.read()).toEqual(tokens(shape, 2).latents);
  });

  test("gives its memory back with delete(), or at the end of the block that it is declared in", () => {
    const own = engine.f32(1);
    // As much as eight of them would not fit.
    const large = { capacity: 2 ** 16, kvLoraRank: 510, qkRopeHeadDim: 2 };
    engine.latentCache(large).delete();
    const bytes = memoryOf(own);
    const ended: LatentCache[] = [];
    const block = (fail: boolean) => {
      using cache = engine.latentCache(large);
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
    const cache = stranger.latentCache(shape);
    cache.append(tokens(shape, 2));
    const error = errorOf(() => engine.mla({ ...attending, cache }));
    expect([error.code, error.argument]).toEqual(["bad_value", "cache"]);
    expect(error.given === cache).toBe(true);
    using latents = engine.f32(tokens(shape, 1).latents);
    const refused = errorOf(() => cache.append({ latents }));
    expect([refused.code, refused.argument]).toEqual(["bad_value", "latents"]);
    expect(cache.read()).toEqual(tokens(shape, 2).latents);
    expect(stranger.mla({ ...attending, cache }).out.length).toBe(4);
  });

  test.each(["naive", "absorbed"] as const)("keeps the rest of its room out of sight, %s", (form) => {
    using cache = engine.latentCache(shape);
    cache.append({ latents: new Float32Array(20).fill(Number.NaN), len: 4 });
    cache.truncate(0);
    using clean = engine.latentCache(shape);
    for (const one of [cache, clean]) one.append(tokens(shape, 2));
    const everything = { ...attending, form, weights: true, scores: true, steps: true } as const;
    const result = engine.mla({ ...everything, cache });
    expect(result).toEqual(engine.mla({ ...everything, cache: clean }));
    expect(result.weights).not.toContain(Number.NaN);
    expect(cache.read()).toEqual(clean.read());
  });
});
