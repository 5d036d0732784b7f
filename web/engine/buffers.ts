import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";

/** The types of element that a tensor may have. */
export type Kind = "f32" | "f64" | "i32" | "u8";

/** JavaScript's array of each kind. */
export interface ArrayOf {
  /** IEEE 754 single precision. */
  f32: Float32Array;
  /** IEEE 754 double precision. */
  f64: Float64Array;
  /** 32-bit integers. */
  i32: Int32Array;
  /** Bytes. */
  u8: Uint8Array;
}

export interface HandleOf {
  f32: wasm.F32Buffer;
  f64: wasm.F64Buffer;
  i32: wasm.I32Buffer;
  u8: wasm.U8Buffer;
}

export const arrayName = {
  f32: "Float32Array",
  f64: "Float64Array",
  i32: "Int32Array",
  u8: "Uint8Array",
} as const;
export const bufferName = { f32: "F32Buffer", f64: "F64Buffer", i32: "I32Buffer", u8: "U8Buffer" } as const;
export const bytesPerElement = { f32: 4, f64: 8, i32: 4, u8: 1 } as const;

/** Elements in a module's memory: a handle by which its kernels know them, and an array of them for JavaScript. */
export class Region<K extends Kind> {
  #view: ArrayOf[K] | undefined;

  /** Elements that there is room for. */
  capacity: number;

  constructor(
    readonly module: wasm.MainModule,
    readonly kind: K,
    readonly handle: HandleOf[K],
    public length: number,
  ) {
    this.capacity = length;
  }

  /** Made anew when the memory has grown, which takes it from all arrays that there were; else the same. */
  get view(): ArrayOf[K] {
    // An array whose memory was taken has no elements, and to ask for its length costs less than for its buffer. Memory that
    // is shared is never taken.
    if (this.#view?.length !== this.length) this.#view = this.handle.view() as ArrayOf[K];
    return this.#view as ArrayOf[K];
  }

  /** Change the length. Where the memory cannot be had the answer is false, and there are no elements. */
  resize(length: number): boolean {
    if (length === this.length) return true;
    const isDone = this.handle.resize(length);
    this.length = isDone ? length : 0;
    this.capacity = isDone ? Math.max(length, this.capacity) : 0;
    this.#view = undefined;
    return isDone;
  }
}

/**
 * Elements in the engine's own memory, for a caller that computes many times over the same tensors: what is in a buffer
 * is used where it is and never copied.
 *
 * JavaScript does not collect that memory. Give it back with `delete()`, or declare the buffer with `using`.
 *
 * @category The engine
 */
export class Buffer<K extends Kind> implements Disposable {
  /** The type of its elements. */
  readonly kind: K;
  /** Elements. */
  readonly length: number;
  /** Private, or else an error with a buffer in it prints all of the module. */
  #region: Region<K> | undefined;

  /** Made by `Ropewalk.f32()`, `.f64()`, `.i32()` and `.u8()`. @internal */
  constructor(region: Region<K>) {
    this.#region = region;
    this.kind = region.kind;
    this.length = region.length;
  }

  /**
   * The elements, to read and write. Use the array at once, do not store it: it loses its memory without a word whenever the
   * engine's memory grows, and another one is here then. Until then it is the same, so that nothing is made by asking for it.
   *
   * Throws `disposed` after `delete()`.
   */
  get view(): ArrayOf[K] {
    return this.region("buffer").view;
  }

  /** Give the memory back. A second time does nothing. */
  delete(): void {
    this.#region?.handle.delete();
    this.#region = undefined;
  }

  /** As `delete()`, for `using`. */
  [Symbol.dispose](): void {
    this.delete();
  }

  /** What it is called in messages. */
  get [Symbol.toStringTag](): string {
    return this.#region === undefined ? `deleted ${bufferName[this.kind]}` : bufferName[this.kind];
  }

  /** Where its elements are; `argument` names the buffer if it has been deleted. @internal */
  region(argument: string): Region<K> {
    if (this.#region === undefined) {
      throw new RopewalkError("disposed", argument, this, "a buffer not yet deleted");
    }
    return this.#region;
  }
}

/** Float32 elements in the engine’s memory. */
export type F32Buffer = Buffer<"f32">;
/** Float64 elements in the engine’s memory. */
export type F64Buffer = Buffer<"f64">;
/** Int32 elements in the engine’s memory. */
export type I32Buffer = Buffer<"i32">;
/** Bytes in the engine’s memory. */
export type U8Buffer = Buffer<"u8">;

export function outOfMemory(argument: string, bytes: number): RopewalkError {
  return new RopewalkError("out_of_memory", argument, bytes, "as many bytes as can be had");
}

export function allocate<K extends Kind>(
  module: wasm.MainModule,
  kind: K,
  argument: string,
  length: number,
): Region<K> {
  // Null where the memory cannot be had, which the generated types do not tell.
  const handle = module[bufferName[kind]].allocate(length) as HandleOf[K] | null;
  if (handle === null) throw outOfMemory(argument, length * bytesPerElement[kind]);
  return new Region(module, kind, handle, length);
}

/** Memory that a call needs: for an argument that came as an array, for a result that goes out as one, or to work in. */
interface Request {
  readonly kind: Kind;
  readonly argument: string;
  readonly length: number;
}

/**
 * The memory behind arguments that come as plain arrays: a region for each name, kept from call to call, so that the same
 * work done again takes no more memory.
 */
export class Pool {
  readonly #module: wasm.MainModule;
  readonly #regions = {
    f32: new Map<string, Region<Kind>>(),
    f64: new Map<string, Region<Kind>>(),
    i32: new Map<string, Region<Kind>>(),
    u8: new Map<string, Region<Kind>>(),
  };

  constructor(module: wasm.MainModule) {
    this.#module = module;
  }

  /** A region of that length, if there is one with room for it. */
  find({ kind, argument, length }: Request): Region<Kind> | undefined {
    const kept = this.#regions[kind].get(argument);
    if (kept === undefined || length > kept.capacity) return undefined;
    kept.resize(length);
    return kept;
  }

  /** Make regions of those lengths. Throws `out_of_memory`, and then the memory has not grown. */
  make(requests: readonly Request[]): void {
    const bytesOf = ({ kind, length }: Request) => length * bytesPerElement[kind];
    const bytes = requests.reduce((sum, request) => sum + bytesOf(request), 0);
    if (!this.#module.can_allocate(bytes)) {
      const largest = requests.reduce((a, b) => (bytesOf(b) > bytesOf(a) ? b : a));
      throw outOfMemory(largest.argument, bytes);
    }
    for (const request of requests) {
      const { kind, argument, length } = request;
      const kept = this.#regions[kind].get(argument);
      if (kept === undefined)
        this.#regions[kind].set(argument, allocate(this.#module, kind, argument, length));
      else if (!kept.resize(length)) throw outOfMemory(argument, bytesOf(request));
    }
  }
}
