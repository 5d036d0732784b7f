/** Keys and values of tokens past. */
import { type Allocate, Cache, type CacheDtype } from "./cache.js";
import * as check from "./checks.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { batchOf, formatOf, type HeadsFormat, type HeadsOptions, headsInput } from "./heads.js";
import type { Caller, F32Tensor, I32Tensor, Into, Slot } from "./tensors.js";

/** Columns that lie side by side in a panel of a cache; kv_cache.hpp has the same. */
const cachedColumns = 32;

/** So many columns as panels, which are whole. */
const whole = (columns: number) => Math.ceil(columns / cachedColumns) * cachedColumns;

/** What {@link Ropewalk.kvCache} takes. */
export interface KvCacheOptions extends HeadsOptions {
  /** Most tokens that it can hold of each sequence; there is memory for whole panels, of 32 keys or components of values. */
  capacity: number;
  /** Heads of keys and values. */
  nKvHeads: number;
  /** Components of a key. */
  headDim: number;
  /** headDim if not given. */
  vHeadDim?: number;
  /**
   * What numbers are kept as. `bfloat16` takes half the memory, and attention to it up to half the time; each number is
   * the nearest to what was given, within 2^-8 of it, and on components drawn at random attention is off by no more than
   * 2^-8 of the largest |value|. `mla()` takes no such cache. `float32` if not given.
   */
  dtype?: CacheDtype;
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
 * Room in the engine's memory for the keys and values of `capacity` tokens, laid out as `attention({ cache })` and
 * `mla({ cache })` read them. JavaScript does not collect that memory. Give it back with `delete()`, or declare the cache
 * with `using`.
 *
 * @category The engine
 */
export class KvCache extends Cache {
  /** Heads of keys and values. */
  readonly nKvHeads: number;
  /** Components of a key. */
  readonly headDim: number;
  /** Components of a value. */
  readonly vHeadDim: number;
  /** The order of heads in what goes in and comes out. */
  readonly format: HeadsFormat;
  /** @internal */
  protected override readonly kind = "KvCache";

  /** Made by `Ropewalk.kvCache()`. @internal */
  constructor(caller: Caller, allocate: Allocate, options: KvCacheOptions) {
    const format = formatOf(options);
    const batch = batchOf(options);
    const capacity = check.size("capacity", options.capacity);
    const nKvHeads = check.size("nKvHeads", options.nKvHeads);
    const headDim = check.size("headDim", options.headDim);
    const vHeadDim = check.size("vHeadDim", check.or(options.vHeadDim, headDim));
    const dtype = check.oneOf("dtype", check.or(options.dtype, "float32"), ["float32", "bfloat16"]);
    const room = (rows: number, columns: number) =>
      check.elements("capacity", batch, nKvHeads, rows, whole(columns));
    super(caller, allocate, { batch, capacity, dtype }, [room(headDim, capacity), room(capacity, vHeadDim)]);
    this.format = format;
    this.nKvHeads = nKvHeads;
    this.headDim = headDim;
    this.vHeadDim = vHeadDim;
  }

  override get bytesUsed(): number {
    const { batch, length, nKvHeads, headDim, vHeadDim } = this;
    return this.bytesPerElement * batch * length * nKvHeads * (headDim + vHeadDim);
  }

  /**
   * Put the keys and values of `len` more tokens behind those that it holds. Throws `bad_shape` where there is not room
   * for them, and `disposed`.
   */
  append(options: AppendOptions): void {
    this.checkAlive();
    this.caller.run(this.#append, options);
  }

  // Made once for a cache, not at every call.
  readonly #append = (caller: Caller, options: AppendOptions): void => {
    const { batch, nKvHeads, headDim, vHeadDim } = this;
    const len = check.size("len", check.or(options.len, 1));
    this.checkRoom("len", len);
    const key = headsInput(caller, "key", options.key, batch, len, nKvHeads, headDim);
    const value = headsInput(caller, "value", options.value, batch, len, nKvHeads, vHeadDim);
    const keys = this.isHalf ? this.halves(caller, 0) : this.floats(caller, 0);
    const values = this.isHalf ? this.halves(caller, 1) : this.floats(caller, 1);
    const module = caller.enter();
    caller.check(this.#put(module, true, key, len, headDim, keys));
    caller.check(this.#put(module, false, value, len, vHeadDim, values));
    this.extend(len);
  };

  #put(
    module: wasm.MainModule,
    areKeys: boolean,
    added: Slot<"f32">,
    len: number,
    dim: number,
    cache: Slot<"f32"> | Slot<"u8">,
  ) {
    return module.append_to_cache(
      areKeys,
      added.handle,
      module.HeadsFormat[this.format],
      this.batch,
      len,
      this.nKvHeads,
      dim,
      this.length,
      this.capacity,
      this.isHalf ? null : (cache as Slot<"f32">).handle,
      this.isHalf ? (cache as Slot<"u8">).handle : null,
    );
  }

  /** Copies of what it holds. */
  read(): KvCacheContent {
    this.checkAlive();
    return { key: this.#held(0, this.headDim), value: this.#held(1, this.vHeadDim) };
  }

  /** What panels hold, in the order of the format. Of keys they have a column for each token, of values a row. */
  #held(index: number, dim: number): Float32Array {
    const { batch, nKvHeads, length, capacity, format } = this;
    const [depth, columns] = index === 0 ? [dim, capacity] : [capacity, dim];
    const out = new Float32Array(batch * length * nKvHeads * dim);
    const from = this.elements(index);
    const to = this.isHalf ? new Uint16Array(out.buffer) : out;
    const [step, first] = this.isHalf ? [2, 1] : [1, 0];
    for (let head = 0; head < batch * nKvHeads; ++head) {
      const [b, h] = [Math.floor(head / nKvHeads), head % nKvHeads];
      for (let s = 0; s < length; ++s) {
        const row = format === "bshd" ? (b * length + s) * nKvHeads + h : (b * nKvHeads + h) * length + s;
        for (let c = 0; c < dim; ++c) {
          const x = index === 0 ? c : s;
          const y = index === 0 ? s : c;
          const inPanel = y % cachedColumns;
          const at = head * depth * whole(columns) + (y - inPanel) * depth + x * cachedColumns + inPanel;
          to[step * (row * dim + c) + first] = from[at] as number;
        }
      }
    }
    return out;
  }
}

/** What {@link Ropewalk.writeCache} takes. */
export interface WriteCacheOptions {
  /** [batch, outer, capacity, inner]. Without `out` a buffer is written in place, an array left as it is. */
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

export function writeCache(caller: Caller, options: WriteCacheOptions & Partial<Into>) {
  const batch = batchOf(options);
  const outer = check.size("outer", check.or(options.outer, 1));
  const capacity = check.size("capacity", options.capacity);
  const rows = check.size("rows", options.rows);
  const inner = check.size("inner", options.inner);
  const circular = check.boolean("circular", check.or(options.circular, false));
  const added = check.elements("update", batch, outer, rows, inner);
  const update = caller.input("f32", "update", options.update, added);
  const writeIndices = caller.optional("i32", "writeIndices", options.writeIndices, batch);
  const kept = check.elements("cache", batch, outer, capacity, inner);
  const cache = caller.changed("f32", "cache", options.cache, kept, options.out);
  const module = caller.enter();
  caller.check(
    module.write_cache(
      update.handle,
      writeIndices.handle,
      batch,
      outer,
      rows,
      capacity,
      inner,
      circular,
      cache.handle,
    ),
  );
  return caller.result(cache);
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
  /** 4 float32, 2 float16 or bfloat16, 1 float8, 0.75 for six bits; from 1/8 to 8. */
  bytesPerElement: number;
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

export function cacheBytes({ module }: Caller, options: CacheBytesOptions): CacheBytes {
  const given = options as { [Name in string]?: unknown };
  const kind = check.oneOf("kind", given.kind, ["mha", "gqa", "mqa", "mla"]);
  const size = (name: string, fallback?: number) => check.size(name, check.or(given[name], fallback));
  const bytesPerElement = check.within("bytesPerElement", given.bytesPerElement, 1 / 8, 8);
  const latent = kind === "mla";
  const headDim = latent ? 1 : size("headDim");
  const elementsPerToken = module.cache_elements_per_token(
    module.CacheKind[latent ? "latent" : "heads"],
    size("nLayers", 1),
    kind === "mha" ? size("nHeads") : kind === "gqa" ? size("nKvHeads") : 1,
    headDim,
    latent ? 1 : size("vHeadDim", headDim),
    latent ? size("kvLoraRank") : 0,
    latent ? size("qkRopeHeadDim") : 0,
  );
  const tokens = size("seqLen", 1) * size("batch", 1);
  const bytesPerToken = elementsPerToken * bytesPerElement;
  return { elementsPerToken, bytesPerToken, bytes: bytesPerToken * tokens };
}
