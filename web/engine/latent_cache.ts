/** Latents of tokens past, from which multi-head latent attention makes keys and values. */
import { type Allocate, Cache } from "./cache.js";
import * as check from "./checks.js";
import type { Caller, F32Tensor } from "./tensors.js";

/** What {@link Ropewalk.latentCache} takes. */
export interface LatentCacheOptions {
  /** Sequences. 1 if not given. */
  batch?: number;
  /** Most tokens that it can hold of each sequence. */
  capacity: number;
  /** Components of the latent. */
  kvLoraRank: number;
  /** Components of the rotary key. */
  qkRopeHeadDim: number;
}

/** What {@link LatentCache.append} takes. */
export interface AppendLatentsOptions {
  /** [batch, len, kvLoraRank + qkRopeHeadDim], of each token the normed latent, behind it the rotated key. */
  latents: F32Tensor;
  /** Tokens of each sequence. 1 if not given. */
  len?: number;
}

/**
 * Room in the engine's memory for the latents and the rotary keys of `capacity` tokens, which `mla({ cache })` fills and
 * reads where they are. JavaScript does not collect that memory. Give it back with `delete()`, or declare the cache with
 * `using`.
 *
 * @category The engine
 */
export class LatentCache extends Cache {
  /** Components of the latent. */
  readonly kvLoraRank: number;
  /** Components of the rotary key. */
  readonly qkRopeHeadDim: number;
  /** @internal */
  protected override readonly kind = "LatentCache";

  /** Made by `Ropewalk.latentCache()`. @internal */
  constructor(caller: Caller, allocate: Allocate, options: LatentCacheOptions) {
    const batch = check.size("batch", check.or(options.batch, 1));
    const capacity = check.size("capacity", options.capacity);
    const kvLoraRank = check.size("kvLoraRank", options.kvLoraRank);
    const qkRopeHeadDim = check.size("qkRopeHeadDim", options.qkRopeHeadDim);
    check.even("qkRopeHeadDim", qkRopeHeadDim);
    const room = check.elements("capacity", batch, capacity, kvLoraRank + qkRopeHeadDim);
    super(caller, allocate, { batch, capacity, dtype: "float32" }, [room]);
    this.kvLoraRank = kvLoraRank;
    this.qkRopeHeadDim = qkRopeHeadDim;
  }

  override get bytesUsed(): number {
    return this.bytesPerElement * this.batch * this.length * this.#width;
  }

  /**
   * Put the latents and rotary keys of `len` more tokens behind those that it holds. Throws `bad_shape` where there is not
   * room for them, and `disposed`.
   */
  append(options: AppendLatentsOptions): void {
    this.checkAlive();
    this.caller.run(this.#append, options);
  }

  // Made once for a cache, not at every call.
  readonly #append = (caller: Caller, options: AppendLatentsOptions): void => {
    const { batch, capacity } = this;
    const width = this.#width;
    const len = check.size("len", check.or(options.len, 1));
    this.checkRoom("len", len);
    const added = check.elements("latents", batch, len, width);
    const latents = caller.input("f32", "latents", options.latents, added);
    const cache = this.floats(caller, 0);
    const at = caller.counted("writeIndices", batch, this.length, 0);
    const module = caller.enter();
    caller.check(
      module.write_cache(latents.handle, at.handle, batch, 1, len, capacity, width, false, cache.handle),
    );
    this.extend(len);
  };

  /** A copy of what it holds, [batch, length, kvLoraRank + qkRopeHeadDim]. */
  read(): Float32Array {
    this.checkAlive();
    const run = this.length * this.#width;
    const out = new Float32Array(this.batch * run);
    const kept = this.elements(0);
    for (let b = 0; b < this.batch; ++b) {
      const from = b * this.capacity * this.#width;
      out.set(kept.subarray(from, from + run), b * run);
    }
    return out;
  }

  get #width(): number {
    return this.kvLoraRank + this.qkRopeHeadDim;
  }
}
