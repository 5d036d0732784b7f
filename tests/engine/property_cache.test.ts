// Caches of keys and values: one run against a plain array after any history, and rows written into a caller's own.
import fc from "fast-check";
import { type KvCache, loadRopewalk } from "ropewalk";
import { describe } from "vitest";
import { f32, heads, property, same, size, tame, throws } from "./property.ts";
import { cacheBytes, formatOf, kvCache, writeCache } from "./property_calls.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

// ---- KvCache -----------------------------------------------------------------------------------------------------------

type Shape = typeof kvCache extends fc.Arbitrary<infer Shape> ? Shape : never;

/** All that was appended and not cut off, in bhsd: an array of tokens for each sequence and head. */
interface Model {
  shape: Shape;
  length: number;
  keys: Float32Array[][];
  values: Float32Array[][];
}

type Command = fc.Command<Model, KvCache>;

const extentsOf = ({ shape }: Model, len: number, headDim: number) => ({
  batch: shape.batch ?? 1,
  len,
  nHeads: shape.nKvHeads,
  headDim,
});

/** What the model holds, as the tensors that the cache is to hold. */
function held(model: Model) {
  const { headDim, vHeadDim = headDim } = model.shape;
  const whole = (rows: Float32Array[][], dim: number) =>
    heads(
      Float32Array.from(rows.flatMap((tokens) => tokens.flatMap((token) => [...token]))),
      extentsOf(model, model.length, dim),
      "bhsd",
      formatOf(model.shape),
    ) as Float32Array;
  return { key: whole(model.keys, headDim), value: whole(model.values, vHeadDim) };
}

/** New keys and values, in the cache's format. */
function drawn(model: Model, len: number, seed: number) {
  const { batch = 1, nKvHeads, headDim, vHeadDim = headDim } = model.shape;
  const tensor = (dim: number, stream: number) =>
    f32({ kind: "even", seed }, batch * len * nKvHeads * dim, stream);
  return { key: tensor(headDim, 1), value: tensor(vHeadDim, 2), len };
}

function append(rows: Float32Array[][], x: Float32Array, model: Model, len: number, dim: number): void {
  const apart = heads(x, extentsOf(model, len, dim), formatOf(model.shape), "bhsd") as Float32Array;
  rows.forEach((tokens, n) => {
    for (let s = n * len; s < (n + 1) * len; s++) tokens.push(apart.slice(s * dim, (s + 1) * dim));
  });
}

function compare(model: Model, cache: KvCache): void {
  const { headDim, vHeadDim = headDim } = model.shape;
  const { key, value } = held(model);
  const read = cache.read();
  same("key", read.key, key);
  same("value", read.value, value);
  same("length", [cache.length], [model.length]);
  same("capacity", [cache.capacity, cache.vHeadDim], [model.shape.capacity, vHeadDim]);
  same("bytesUsed", [cache.bytesUsed], [4 * (key.length + value.length)]);
}

class Append implements Command {
  constructor(
    readonly len: number,
    readonly seed: number,
    readonly inBuffers: boolean,
  ) {}
  check = () => true;
  run(model: Model, cache: KvCache): void {
    const { key, value, len } = drawn(model, this.len, this.seed);
    const tensors = this.inBuffers ? { key: engine.f32(key), value: engine.f32(value) } : { key, value };
    try {
      if (model.length + len > model.shape.capacity) {
        throws("bad_shape", "len", () => cache.append({ ...tensors, len }));
      } else {
        cache.append({ ...tensors, len });
        append(model.keys, key, model, len, model.shape.headDim);
        append(model.values, value, model, len, model.shape.vHeadDim ?? model.shape.headDim);
        model.length += len;
      }
    } finally {
      for (const tensor of [tensors.key, tensors.value]) if ("delete" in tensor) tensor.delete();
    }
    compare(model, cache);
  }
  toString = () => `append(${this.len}${this.inBuffers ? ", in buffers" : ""})`;
}

class Truncate implements Command {
  constructor(readonly length: number) {}
  check = () => true;
  run(model: Model, cache: KvCache): void {
    if (this.length > model.length) {
      throws("bad_value", "length", () => cache.truncate(this.length));
    } else {
      cache.truncate(this.length);
      model.length = this.length;
      for (const tokens of [...model.keys, ...model.values]) tokens.length = this.length;
    }
    compare(model, cache);
  }
  toString = () => `truncate(${this.length})`;
}

/** A refused call leaves all as it was. */
class AppendWrongly implements Command {
  constructor(readonly seed: number) {}
  check = () => true;
  run(model: Model, cache: KvCache): void {
    const { key, value } = drawn(model, 1, this.seed);
    if (model.length < model.shape.capacity) {
      const longer = new Float32Array(value.length + 1);
      throws("bad_shape", "value", () => cache.append({ key, value: longer }));
      throws("bad_type", "key", () => cache.append({ key: [...key] as unknown as Float32Array, value }));
    }
    throws("bad_value", "len", () => cache.append({ key, value, len: 0 }));
    throws("bad_value", "length", () => cache.truncate(-1));
    compare(model, cache);
  }
  toString = () => "appendWrongly()";
}

class Attend implements Command {
  constructor(
    readonly group: number,
    readonly qLen: number,
    readonly seed: number,
    readonly causal: boolean,
    readonly leftWindowSize: number,
  ) {}
  check = () => true;
  run(model: Model, cache: KvCache): void {
    const { qLen, causal, leftWindowSize } = this;
    const { batch = 1, nKvHeads, headDim } = model.shape;
    const nHeads = nKvHeads * this.group;
    const query = f32({ kind: "even", seed: this.seed }, batch * qLen * nHeads * headDim, 3);
    const options = { query, qLen, nHeads, causal, leftWindowSize, weights: true } as const;
    if (model.length === 0) {
      throws("bad_shape", "cache", () => engine.attention({ ...options, cache }));
    } else {
      const { out, weights } = engine.attention({ ...options, cache });
      const { capacity, ...shape } = model.shape;
      const plain = engine.attention({
        ...options,
        ...shape,
        ...held(model),
        kvLen: model.length,
        queryOffset: model.length - qLen,
      });
      same("out", out, plain.out);
      same("weights", weights, plain.weights);
    }
    compare(model, cache);
  }
  toString = () =>
    `attend(group ${this.group}, ${this.qLen} queries${this.causal ? ", causal" : ""}, window ${this.leftWindowSize})`;
}

const seed = fc.nat(2 ** 32 - 1);
const commands = fc.commands(
  [
    fc.tuple(size(5), seed, fc.boolean()).map((drawn) => new Append(...drawn)),
    fc.nat(12).map((length) => new Truncate(length)),
    fc
      .tuple(size(3), size(6), seed, fc.boolean(), fc.integer({ min: -1, max: 6 }))
      .map((drawn) => new Attend(...drawn)),
    seed.map((seed) => new AppendWrongly(seed)),
  ],
  { maxCommands: 25 },
);

describe("a KvCache", () => {
  property(
    "holds what a plain array would, whatever its history",
    fc.tuple(kvCache, commands),
    ([shape, commands]) => {
      const cache = engine.kvCache(shape);
      const rows = () => Array.from({ length: (shape.batch ?? 1) * shape.nKvHeads }, () => []);
      fc.modelRun(
        () => ({ model: { shape, length: 0, keys: rows(), values: rows() }, real: cache }),
        commands,
      );
      cache.delete();
      cache.delete();
      const tensor = new Float32Array((shape.batch ?? 1) * shape.nKvHeads * shape.headDim);
      throws("disposed", undefined, () => cache.read());
      throws("disposed", undefined, () => cache.truncate(0));
      throws("disposed", undefined, () => cache.append({ key: tensor, value: tensor }));
      throws("disposed", undefined, () =>
        engine.attention({ cache, query: tensor, qLen: 1, nHeads: shape.nKvHeads }),
      );
    },
  );
});

// ---- writeCache --------------------------------------------------------------------------------------------------------

describe("writeCache", () => {
  property("writes the rows that the reference writes, and no others", writeCache, (options) => {
    const { batch = 1, cache } = options;
    const wanted = reference.writeCache({
      ...{ outer: 1, writeIndices: new Int32Array(batch) },
      ...options,
    });
    const before = cache.slice();
    same("cache", engine.writeCache(options), wanted);
    same("the array given", cache, before);
    const buffer = engine.f32(cache);
    engine.writeCache({ ...options, cache: buffer });
    same("the buffer", buffer.view, wanted);
    buffer.delete();
  });
});

// ---- cacheBytes --------------------------------------------------------------------------------------------------------

describe("cacheBytes", () => {
  property("counts what a cache holds", cacheBytes, (options) => {
    const { nLayers = 1, seqLen = 1, batch = 1, bytesPerElement } = options;
    const heads = options.kind === "mha" ? options.nHeads : options.kind === "gqa" ? options.nKvHeads : 1;
    const perLayer =
      options.kind === "mla"
        ? options.kvLoraRank + options.qkRopeHeadDim
        : heads * (options.headDim + (options.vHeadDim ?? options.headDim));
    const { elementsPerToken, bytesPerToken, bytes } = engine.cacheBytes(options);
    const elements = nLayers * perLayer;
    same(
      "elements and bytes",
      [elementsPerToken, bytesPerToken, bytes],
      [elements, elements * bytesPerElement, elements * bytesPerElement * seqLen * batch],
    );
  });

  property(
    "is four bytes for each number that a KvCache takes",
    fc.tuple(kvCache, tame),
    ([shape, values]) => {
      using cache = engine.kvCache(shape);
      const { batch = 1, capacity, nKvHeads, headDim, vHeadDim = headDim } = shape;
      const tensor = (dim: number) => f32(values, batch * capacity * nKvHeads * dim);
      cache.append({ key: tensor(headDim), value: tensor(vHeadDim), len: capacity });
      const { bytes } = engine.cacheBytes({
        ...{ kind: "gqa", bytesPerElement: 4, seqLen: capacity, batch, nKvHeads, headDim, vHeadDim },
      });
      same("bytesUsed", [cache.bytesUsed], [bytes]);
    },
    20,
  );
});
