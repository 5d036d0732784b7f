/** Keys and values of tokens past. */
import { type F32Buffer, outOfMemory } from "./buffers.js";
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import {
  asRows,
  type Heads,
  type HeadsFormat,
  type HeadsOptions,
  headElements,
  headsOptions,
} from "./heads.js";
import { type Caller, changed, counted, type F32Tensor, type I32Tensor, input, optional } from "./tensors.js";

/** What {@link Ropewalk.kvCache} takes. */
export interface KvCacheOptions extends HeadsOptions {
  /** Most tokens that it can hold of each sequence. */
  capacity: number;
  /** Heads of keys and values. */
  nKvHeads: number;
  /** Components of a key. */
  headDim: number;
  /** headDim if not given. */
  vHeadDim?: number;
}

/** What {@link KvCache.append} takes. */
export interface AppendOptions {
  /** [batch, len, nKvHeads, headDim], in the cache's format. */
  key: F32Tensor;
  /** [batch, len, nKvHeads, vHeadDim], in the cache's format. */
  value: F32Tensor;
  /** Tokens of each sequence. 1 if not given. */
  len?: number;
}

/** What a cache holds. */
export interface KvCacheContent {
  /** [batch, length, nKvHeads, headDim], in the cache's format. */
  key: Float32Array;
  /** [batch, length, nKvHeads, vHeadDim], in the cache's format. */
  value: Float32Array;
}

/**
 * Room in the engine's memory for the keys and values of `capacity` tokens, which `attention({ cache })` reads where they
 * are. JavaScript does not collect that memory. Give it back with `delete()`, or declare the cache with `using`.
 *
 * @category The engine
 */
export class KvCache implements Disposable {
  /** Rows that there is room for, of each sequence. */
  readonly capacity: number;
  /** Sequences. */
  readonly batch: number;
  /** Heads of keys and values. */
  readonly nKvHeads: number;
  /** Components of a key. */
  readonly headDim: number;
  /** Components of a value. */
  readonly vHeadDim: number;
  /** The order of its heads. */
  readonly format: HeadsFormat;
  readonly #caller: Caller;
  readonly #key: F32Buffer;
  readonly #value: F32Buffer;
  #length = 0;
  #isDeleted = false;

  /** Made by `Ropewalk.kvCache()`. @internal */
  constructor(caller: Caller, allocate: (length: number) => F32Buffer, options: KvCacheOptions) {
    const { format, batch } = headsOptions(options);
    this.format = format;
    this.batch = batch;
    this.capacity = check.size("capacity", options.capacity);
    this.nKvHeads = check.size("nKvHeads", options.nKvHeads);
    this.headDim = check.size("headDim", options.headDim);
    this.vHeadDim = check.size("vHeadDim", check.or(options.vHeadDim, this.headDim));
    const keyLength = headElements("capacity", this.#heads(this.capacity, this.headDim));
    const valueLength = headElements("capacity", this.#heads(this.capacity, this.vHeadDim));
    this.#caller = caller;
    const bytes = 4 * (keyLength + valueLength);
    if (!caller.ask((module) => module.can_allocate(bytes))) throw outOfMemory("capacity", bytes);
    this.#key = allocate(keyLength);
    try {
      this.#value = allocate(valueLength);
    } catch (error) {
      this.#key.delete();
      throw error;
    }
  }

  /** Tokens that it holds of each sequence. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of the keys and values that it holds, as float32. */
  get bytesUsed(): number {
    return 4 * this.batch * this.#length * this.nKvHeads * (this.headDim + this.vHeadDim);
  }

  /**
   * Put the keys and values of `len` more tokens behind those that it holds. Throws `bad_shape` where there is not room
   * for them, and `disposed`.
   */
  append(options: AppendOptions): void {
    this.#checkAlive();
    check.record(options);
    const len = check.size("len", check.or(options.len, 1));
    const room = this.capacity - this.#length;
    if (len > room) throw new RopewalkError("bad_shape", "len", len, `at most the ${room} rows left of it`);
    const key = input("f32", "key", options.key, headElements("key", this.#heads(len, this.headDim)));
    const value = input(
      "f32",
      "value",
      options.value,
      headElements("value", this.#heads(len, this.vHeadDim)),
    );
    const slots = {
      key,
      value,
      cacheKey: changed("f32", "cache", this.#key),
      cacheValue: changed("f32", "cache", this.#value),
      writeIndices: counted("i32", this.batch, this.#length, 0),
    };
    const keyRows = asRows(this.#heads(len, this.headDim));
    const valueRows = asRows(this.#heads(len, this.vHeadDim));
    const { batch, capacity } = this;
    this.#caller.call(
      slots,
      (module, b) =>
        module.write_cache(
          b.key,
          b.writeIndices,
          batch,
          keyRows.outer,
          len,
          capacity,
          keyRows.inner,
          false,
          b.cacheKey,
        ) ??
        module.write_cache(
          b.value,
          b.writeIndices,
          batch,
          valueRows.outer,
          len,
          capacity,
          valueRows.inner,
          false,
          b.cacheValue,
        ),
    );
    this.#length += len;
  }

  /** Copies of what it holds. */
  read(): KvCacheContent {
    this.#checkAlive();
    return { key: this.#held(this.#key, this.headDim), value: this.#held(this.#value, this.vHeadDim) };
  }

  /** Forget all but the first `length` tokens. */
  truncate(length: number): void {
    this.#checkAlive();
    this.#length = check.integer("length", length, 0, this.#length, ", the cache's length at most");
  }

  /** Give the memory back. A second time does nothing. */
  delete(): void {
    this.#key.delete();
    this.#value.delete();
    this.#isDeleted = true;
  }

  /** As `delete()`, for `using`. */
  [Symbol.dispose](): void {
    this.delete();
  }

  /** What it is called in messages. */
  get [Symbol.toStringTag](): string {
    return this.#isDeleted ? "deleted KvCache" : "KvCache";
  }

  /** What attention, called by `caller`, reads. @internal */
  tensors(caller: Caller) {
    this.#checkAlive();
    if (caller !== this.#caller)
      throw new RopewalkError("bad_value", "cache", this, "a cache of this engine");
    const keys = { ...this.#heads(this.#length, this.headDim), capacity: this.capacity };
    return { key: this.#key, value: this.#value, keys, vHeadDim: this.vHeadDim };
  }

  #checkAlive(): void {
    if (this.#isDeleted) throw new RopewalkError("disposed", "cache", this, "a cache not yet deleted");
  }

  #heads(len: number, headDim: number): Heads {
    return { format: this.format, batch: this.batch, len, nHeads: this.nKvHeads, headDim };
  }

  #held(buffer: F32Buffer, headDim: number): Float32Array {
    const { outer, inner } = asRows(this.#heads(this.#length, headDim));
    const run = this.#length * inner;
    const out = new Float32Array(this.batch * outer * run);
    const { view } = buffer;
    for (let i = 0; i < this.batch * outer; ++i) {
      const from = i * this.capacity * inner;
      out.set(view.subarray(from, from + run), i * run);
    }
    return out;
  }
}

/** What {@link Ropewalk.writeCache} takes. */
export interface WriteCacheOptions {
  /** [batch, outer, capacity, inner]. A buffer is written in place, an array left as it is. */
  cache: F32Tensor;
  /** [batch, outer, rows, inner], the rows to write. */
  update: F32Tensor;
  /** [batch], the row of the cache that each sequence's first row goes to. Zeros if not given. */
  writeIndices?: I32Tensor;
  /** 1 if not given. */
  batch?: number;
  /** What lies between batch and rows: nKvHeads in bhsd. 1 if not given. */
  outer?: number;
  /** Rows that there is room for, of each sequence. */
  capacity: number;
  /** Rows to write, of each sequence. */
  rows: number;
  /** What lies below a row: headDim in bhsd, nKvHeads · headDim in bshd. */
  inner: number;
  /** Whether rows past the capacity go to the front. False if not given: they are refused. */
  circular?: boolean;
}

export function writeCache(caller: Caller, options: WriteCacheOptions) {
  check.record(options);
  const batch = check.size("batch", check.or(options.batch, 1));
  const outer = check.size("outer", check.or(options.outer, 1));
  const capacity = check.size("capacity", options.capacity);
  const rows = check.size("rows", options.rows);
  const inner = check.size("inner", options.inner);
  const circular = check.boolean("circular", check.or(options.circular, false));
  const slots = {
    update: input("f32", "update", options.update, check.elements("update", batch, outer, rows, inner)),
    writeIndices: optional("i32", "writeIndices", options.writeIndices, batch),
    cache: changed("f32", "cache", options.cache, check.elements("cache", batch, outer, capacity, inner)),
  };
  return caller.call(slots, (module, b) =>
    module.write_cache(b.update, b.writeIndices, batch, outer, rows, capacity, inner, circular, b.cache),
  ).cache;
}

/** The shape of what a model caches for a token. */
export type CacheBytesOptions = (
  | {
      /** Multi-head attention (arXiv:1706.03762): a key and a value for each head. */
      kind: "mha";
      /** Heads, each with a key and a value of its own. */
      nHeads: number;
      /** Components of a key. */
      headDim: number;
      /** headDim if not given. */
      vHeadDim?: number;
    }
  | {
      /** Grouped-query attention (arXiv:2305.13245): a key and a value for each of fewer heads. */
      kind: "gqa";
      /** Heads of keys and values. */
      nKvHeads: number;
      /** Components of a key. */
      headDim: number;
      /** headDim if not given. */
      vHeadDim?: number;
    }
  | {
      /** Multi-query attention (arXiv:1911.02150): one key and one value. */
      kind: "mqa";
      /** Components of a key. */
      headDim: number;
      /** headDim if not given. */
      vHeadDim?: number;
    }
  | {
      /** Multi-head latent attention (arXiv:2405.04434, section 2.1): one latent and one rotary key. */
      kind: "mla";
      /** Components of the latent. */
      kvLoraRank: number;
      /** Components of the rotary key. */
      qkRopeHeadDim: number;
    }
) & {
  /** 1 if not given. */
  nLayers?: number;
  /** Tokens of each sequence. 1 if not given. */
  seqLen?: number;
  /** Sequences. 1 if not given. */
  batch?: number;
  /** 4 float32, 2 float16 or bfloat16, 1 float8. */
  bytesPerElement: 1 | 2 | 4;
};

/** What a cache takes. */
export interface CacheBytes {
  /** Over all layers. */
  elementsPerToken: number;
  /** Of one token, over all layers. */
  bytesPerToken: number;
  /** Of all tokens and sequences. */
  bytes: number;
}

export function cacheBytes(caller: Caller, options: CacheBytesOptions): CacheBytes {
  check.record(options);
  const given = options as { [Name in string]?: unknown };
  const kind = check.oneOf("kind", given.kind, ["mha", "gqa", "mqa", "mla"]);
  const size = (name: string, fallback?: number) => check.size(name, check.or(given[name], fallback));
  const bytesPerElement = check.integer("bytesPerElement", given.bytesPerElement, 1, 4);
  if (bytesPerElement === 3) throw new RopewalkError("bad_value", "bytesPerElement", 3, "1, 2 or 4");
  const latent = kind === "mla";
  const headDim = latent ? 1 : size("headDim");
  const shape = {
    n_layers: size("nLayers", 1),
    n_kv_heads: kind === "mha" ? size("nHeads") : kind === "gqa" ? size("nKvHeads") : 1,
    head_dim: headDim,
    v_head_dim: latent ? 1 : size("vHeadDim", headDim),
    kv_lora_rank: latent ? size("kvLoraRank") : 0,
    qk_rope_head_dim: latent ? size("qkRopeHeadDim") : 0,
  };
  const tokens = size("seqLen", 1) * size("batch", 1);
  const elementsPerToken = caller.ask((module) =>
    module.cache_elements_per_token({ kind: module.CacheKind[latent ? "latent" : "heads"], ...shape }),
  );
  const bytesPerToken = elementsPerToken * bytesPerElement;
  return { elementsPerToken, bytesPerToken, bytes: bytesPerToken * tokens };
}
