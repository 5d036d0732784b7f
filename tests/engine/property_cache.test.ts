// Caches, of keys and values and of latents: run against plain arrays after any history; and rows written into a
// caller's own.
import fc from "fast-check";
import { type KvCache, type LatentCache, loadRopewalk, type MlaForm } from "ropewalk";
import { describe } from "vitest";
import { seededLayer } from "./latent.ts";
import { close, f32, heads, property, same, size, tame, throws } from "./property.ts";
import { cacheBytes, formatOf, kvCache, latentCache, writeCache } from "./property_calls.ts";
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
      // Summed up in another order, and so not to the bit.
      const bound = (headDim + 32) * 2 ** -22 + model.length * 2 ** -23;
      const most = held(model).value.reduce((largest, number) => Math.max(largest, Math.abs(number)), 0);
      close("out", out, plain.out, 2 * bound * most);
      close("weights", weights, plain.weights, bound);
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

// ---- LatentCache -------------------------------------------------------------------------------------------------------

type LatentShape = typeof latentCache extends fc.Arbitrary<infer Shape> ? Shape : never;

/** All that was appended, or made by mla(), and not cut off: an array of tokens for each sequence. */
interface LatentModel {
  shape: LatentShape;
  length: number;
  rows: Float32Array[][];
}

type LatentCommand = fc.Command<LatentModel, LatentCache>;

const widthOf = ({ kvLoraRank, qkRopeHeadDim }: LatentShape) => kvLoraRank + qkRopeHeadDim;
const batchOf = ({ shape }: LatentModel) => shape.batch ?? 1;

const heldLatents = ({ rows }: LatentModel) =>
  Float32Array.from(rows.flatMap((tokens) => tokens.flatMap((token) => [...token])));

function addLatents(model: LatentModel, latents: Float32Array, len: number): void {
  const width = widthOf(model.shape);
  model.rows.forEach((tokens, b) => {
    for (let s = b * len; s < (b + 1) * len; s++) tokens.push(latents.slice(s * width, (s + 1) * width));
  });
  model.length += len;
}

function compareLatents(model: LatentModel, cache: LatentCache): void {
  const wanted = heldLatents(model);
  const { capacity, kvLoraRank, qkRopeHeadDim } = model.shape;
  same("latents", cache.read(), wanted);
  same(
    "what it says",
    [cache.length, cache.capacity, cache.batch, cache.kvLoraRank, cache.qkRopeHeadDim, cache.bytesUsed],
    [model.length, capacity, batchOf(model), kvLoraRank, qkRopeHeadDim, 4 * wanted.length],
  );
}

class AppendLatents implements LatentCommand {
  constructor(
    readonly len: number,
    readonly seed: number,
    readonly inBuffer: boolean,
  ) {}
  check = () => true;
  run(model: LatentModel, cache: LatentCache): void {
    const { len, seed } = this;
    const array = f32({ kind: "even", seed }, batchOf(model) * len * widthOf(model.shape), 1);
    const latents = this.inBuffer ? engine.f32(array) : array;
    try {
      if (model.length + len > model.shape.capacity) {
        throws("bad_shape", "len", () => cache.append({ latents, len }));
      } else {
        cache.append({ latents, len });
        addLatents(model, array, len);
      }
    } finally {
      if ("delete" in latents) latents.delete();
    }
    compareLatents(model, cache);
  }
  toString = () => `append(${this.len}${this.inBuffer ? ", in a buffer" : ""})`;
}

class TruncateLatents implements LatentCommand {
  constructor(readonly length: number) {}
  check = () => true;
  run(model: LatentModel, cache: LatentCache): void {
    if (this.length > model.length) {
      throws("bad_value", "length", () => cache.truncate(this.length));
    } else {
      cache.truncate(this.length);
      model.length = this.length;
      for (const tokens of model.rows) tokens.length = this.length;
    }
    compareLatents(model, cache);
  }
  toString = () => `truncate(${this.length})`;
}

/** A refused call leaves all as it was. */
class MistakeLatents implements LatentCommand {
  constructor(readonly seed: number) {}
  check = () => true;
  run(model: LatentModel, cache: LatentCache): void {
    const latents = f32({ kind: "even", seed: this.seed }, batchOf(model) * widthOf(model.shape), 1);
    if (model.length < model.shape.capacity) {
      const longer = new Float32Array(latents.length + 1);
      throws("bad_shape", "latents", () => cache.append({ latents: longer }));
      throws("bad_type", "latents", () => cache.append({ latents: [...latents] as unknown as Float32Array }));
      const options = tokensFor(model, 1, this.seed);
      const x = new Float32Array(options.x.length + 1);
      throws("bad_shape", "x", () => engine.mla({ ...options, x, cache }));
      throws("bad_value", "epsilon", () => engine.mla({ ...options, epsilon: -1, cache }));
    }
    throws("bad_value", "len", () => cache.append({ latents, len: 0 }));
    throws("bad_value", "length", () => cache.truncate(-1));
    compareLatents(model, cache);
  }
  toString = () => "mistake()";
}

/** A small layer for such a cache, and `qLen` tokens for it. */
function tokensFor({ shape, length }: LatentModel, qLen: number, seed: number) {
  const { batch = 1, kvLoraRank, qkRopeHeadDim } = shape;
  const layer = { hiddenSize: 5, nHeads: 2, kvLoraRank, qkNopeHeadDim: 3, qkRopeHeadDim, vHeadDim: 4 };
  const invFreq = engine.ropeInvFreq({ rotaryDim: qkRopeHeadDim });
  return {
    ...seededLayer(engine, layer),
    ...engine.buildRopeCache({ seqLen: qLen, positionOffset: length, invFreq }),
    x: f32({ kind: "even", seed }, batch * qLen * 5, 2),
    batch,
    qLen,
  };
}

class AttendLatents implements LatentCommand {
  constructor(
    readonly qLen: number,
    readonly seed: number,
    readonly causal: boolean,
    readonly form: MlaForm,
  ) {}
  check = () => true;
  run(model: LatentModel, cache: LatentCache): void {
    const { qLen, seed, causal, form } = this;
    const { batch = 1, capacity, kvLoraRank, qkRopeHeadDim } = model.shape;
    const options = { ...tokensFor(model, qLen, seed), causal, form, weights: true, scores: true } as const;
    if (model.length + qLen > capacity) {
      throws("bad_shape", "qLen", () => engine.mla({ ...options, cache }));
    } else {
      // A cache without a history that holds the same; and the new latents by themselves.
      const length = model.length + qLen;
      const plain = engine.latentCache({ batch, capacity: length, kvLoraRank, qkRopeHeadDim });
      try {
        if (model.length > 0) plain.append({ latents: heldLatents(model), len: model.length });
        const wanted = engine.mla({ ...options, cache: plain });
        const made = engine.mla({ ...options, cache });
        for (const name of ["out", "weights", "scores"] as const) same(name, made[name], wanted[name]);
      } finally {
        plain.delete();
      }
      const { latents } = engine.mla({ ...options, steps: true }).steps;
      addLatents(model, latents as Float32Array, qLen);
    }
    compareLatents(model, cache);
  }
  toString = () => `attend(${this.qLen} tokens, ${this.form}${this.causal ? ", causal" : ""})`;
}

const latentCommands = fc.commands(
  [
    fc.tuple(size(5), seed, fc.boolean()).map((drawn) => new AppendLatents(...drawn)),
    fc.nat(12).map((length) => new TruncateLatents(length)),
    fc
      .tuple(size(4), seed, fc.boolean(), fc.constantFrom("naive", "absorbed"))
      .map((drawn) => new AttendLatents(...drawn)),
    seed.map((seed) => new MistakeLatents(seed)),
  ],
  { maxCommands: 25 },
);

describe("a LatentCache", () => {
  property(
    "holds what a plain array would, whatever its history",
    fc.tuple(latentCache, latentCommands),
    ([shape, commands]) => {
      const cache = engine.latentCache(shape);
      const { batch = 1 } = shape;
      const rows = () => Array.from({ length: batch }, () => []);
      fc.modelRun(() => ({ model: { shape, length: 0, rows: rows() }, real: cache }), commands);
      cache.delete();
      cache.delete();
      const model = { shape, length: 0, rows: rows() };
      const latents = new Float32Array(batch * widthOf(shape));
      throws("disposed", undefined, () => cache.read());
      throws("disposed", undefined, () => cache.truncate(0));
      throws("disposed", undefined, () => cache.append({ latents }));
      throws("disposed", undefined, () => engine.mla({ ...tokensFor(model, 1, 1), cache }));
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
    same("elements", [elementsPerToken], [elements]);
    const wanted = [elements * bytesPerElement, elements * bytesPerElement * (seqLen * batch)];
    // Whole numbers of bits below 2^53 are exact.
    close("bytes", [bytesPerToken, bytes], wanted, (i) => {
      const bits = 8 * (wanted[i] as number);
      return Number.isInteger(8 * bytesPerElement) && bits < 2 ** 53 ? 0 : 2 ** -51 * bits;
    });
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

  property(
    "is four bytes for each number that a LatentCache takes",
    fc.tuple(latentCache, tame),
    ([shape, values]) => {
      using cache = engine.latentCache(shape);
      const { batch = 1, capacity, ...dims } = shape;
      cache.append({ latents: f32(values, batch * capacity * widthOf(shape)), len: capacity });
      const { bytes } = engine.cacheBytes({
        kind: "mla",
        bytesPerElement: 4,
        seqLen: capacity,
        batch,
        ...dims,
      });
      same("bytesUsed", [cache.bytesUsed], [bytes]);
    },
    20,
  );
});
