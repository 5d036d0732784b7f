/** What caches have in common, whatever they keep of a token. */
import { type F32Buffer, outOfMemory } from "./buffers.js";
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type { Caller } from "./tensors.js";

/**
 * Room in the engine's memory for what is kept of `capacity` tokens. JavaScript does not collect that memory. Give it back
 * with `delete()`, or declare the cache with `using`.
 *
 * @category The engine
 */
export abstract class Cache implements Disposable {
  /** Tokens that there is room for, of each sequence. */
  readonly capacity: number;
  /** Sequences. */
  readonly batch: number;
  readonly #caller: Caller;
  readonly #buffers: F32Buffer[] = [];
  #length = 0;
  #isDeleted = false;

  /** `lengths` are those of its buffers. @internal */
  constructor(
    caller: Caller,
    allocate: (length: number) => F32Buffer,
    extents: { batch: number; capacity: number },
    lengths: number[],
  ) {
    this.batch = extents.batch;
    this.capacity = extents.capacity;
    this.#caller = caller;
    const bytes = 4 * lengths.reduce((sum, length) => sum + length, 0);
    if (!caller.module.can_allocate(bytes)) throw outOfMemory("capacity", bytes);
    try {
      for (const length of lengths) this.#buffers.push(allocate(length));
    } catch (error) {
      this.delete();
      throw error;
    }
  }

  /** What it is called in messages. @internal */
  protected abstract readonly kind: string;

  /** Bytes of what it holds, as float32. */
  abstract get bytesUsed(): number;

  /** Tokens that it holds of each sequence. */
  get length(): number {
    return this.#length;
  }

  /** Forget all but the first `length` tokens. Throws `bad_value` for more than there are, and `disposed`. */
  truncate(length: number): void {
    this.checkAlive();
    this.#length = check.integer("length", length, 0, this.#length, ", the cache's length at most");
  }

  /** Give the memory back. A second time does nothing. */
  delete(): void {
    for (const buffer of this.#buffers) buffer.delete();
    this.#isDeleted = true;
  }

  /** As `delete()`, for `using`. */
  [Symbol.dispose](): void {
    this.delete();
  }

  /** What it is called in messages. */
  get [Symbol.toStringTag](): string {
    return this.#isDeleted ? `deleted ${this.kind}` : this.kind;
  }

  /** One of its buffers. @internal */
  buffer(index: number): F32Buffer {
    return this.#buffers[index] as F32Buffer;
  }

  /** What puts tokens in it. @internal */
  get caller(): Caller {
    return this.#caller;
  }

  /** Throws `disposed`. @internal */
  checkAlive(): void {
    if (this.#isDeleted) throw new RopewalkError("disposed", "cache", this, "a cache not yet deleted");
  }

  /** Throws if it has been deleted, or is another engine's. @internal */
  checkOwner(caller: Caller): void {
    this.checkAlive();
    if (caller !== this.#caller)
      throw new RopewalkError("bad_value", "cache", this, "a cache of this engine");
  }

  /** `len` more tokens, which must have room. @internal */
  checkRoom(argument: string, len: number): void {
    const room = this.capacity - this.#length;
    if (len > room)
      throw new RopewalkError("bad_shape", argument, len, `at most the ${room} rows left of it`);
  }

  /** They have been written. @internal */
  extend(len: number): void {
    this.#length += len;
  }

  /** Copies of the first rows of [batch · outer, capacity, inner]. @internal */
  held(index: number, outer: number, inner: number): Float32Array {
    const run = this.#length * inner;
    const out = new Float32Array(this.batch * outer * run);
    const { view } = this.buffer(index);
    for (let i = 0; i < this.batch * outer; ++i) {
      const from = i * this.capacity * inner;
      out.set(view.subarray(from, from + run), i * run);
    }
    return out;
  }
}
