/** What caches have in common, whatever they keep of a token. */
import { type Buffer, bytesPerElement, outOfMemory } from "./buffers.js";
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type { Caller, Slot } from "./tensors.js";

/** What a cache keeps numbers as: `bfloat16`, the upper half of a float32, takes half the memory and half the reading. */
export type CacheDtype = "float32" | "bfloat16";

/** A new buffer of a cache. */
export type Allocate = (kind: "f32" | "u8", length: number) => Buffer<"f32" | "u8">;

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
  /** What its numbers are kept as. */
  readonly dtype: CacheDtype;
  readonly #caller: Caller;
  readonly #buffers: Buffer<"f32" | "u8">[] = [];
  #length = 0;
  #isDeleted = false;

  /** `sizes` are the elements of its buffers. @internal */
  constructor(
    caller: Caller,
    allocate: Allocate,
    extents: { batch: number; capacity: number; dtype: CacheDtype },
    sizes: number[],
  ) {
    this.batch = extents.batch;
    this.capacity = extents.capacity;
    this.dtype = extents.dtype;
    this.#caller = caller;
    // Embind has no buffer of halves: those are bytes.
    const kind = this.isHalf ? "u8" : "f32";
    const bytes = sizes.map((size) => size * this.bytesPerElement);
    const all = bytes.reduce((sum, one) => sum + one, 0);
    if (!caller.module.can_allocate(all)) throw outOfMemory("capacity", all);
    try {
      for (const one of bytes) this.#buffers.push(allocate(kind, one / bytesPerElement[kind]));
    } catch (error) {
      this.delete();
      throw error;
    }
  }

  /** What it is called in messages. @internal */
  protected abstract readonly kind: string;

  /** Bytes of what it holds. */
  abstract get bytesUsed(): number;

  /** @internal */
  protected get bytesPerElement(): number {
    return this.isHalf ? 2 : 4;
  }

  /** Whether its numbers are bfloat16. @internal */
  get isHalf(): boolean {
    return this.dtype === "bfloat16";
  }

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

  /** The elements of one of its buffers; those of bfloat16 are the upper halves of float32. @internal */
  protected elements(index: number): Float32Array | Uint16Array {
    const { view } = this.#buffer(index);
    if (view instanceof Float32Array) return view;
    return new Uint16Array(view.buffer, view.byteOffset, view.length / 2);
  }

  /**
   * One of its buffers, of float32, for a kernel. Nobody else has it, so that it need not be told apart from the call's
   * other tensors where it is written. @internal
   */
  floats(caller: Caller, index: number): Slot<"f32"> {
    return caller.input("f32", "cache", this.#buffer(index));
  }

  /** The same, of bfloat16. @internal */
  halves(caller: Caller, index: number): Slot<"u8"> {
    return caller.input("u8", "cache", this.#buffer(index));
  }

  #buffer(index: number): Buffer<"f32" | "u8"> {
    return this.#buffers[index] as Buffer<"f32" | "u8">;
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
}
