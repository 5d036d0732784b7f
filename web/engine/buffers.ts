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

/**
 * Elements in the engine's own memory, for a caller that computes many times over the same tensors: what is in a buffer
 * is used where it is and never copied.
 *
 * JavaScript does not collect that memory. Give it back with `delete()`, or declare the buffer with `using`.
 *
 * @category The engine
 */
export class Buffer<K extends Kind> implements Disposable {
  /** Elements. */
  readonly length: number;
  /** The module whose memory it is; private, or else an error with a buffer in it prints all of the module. */
  readonly #owner: wasm.MainModule;
  #handle: HandleOf[K] | undefined;

  /** Made by `Ropewalk.f32()`, `.f64()`, `.i32()` and `.u8()`. @internal */
  constructor(
    /** The type of its elements. */
    readonly kind: K,
    owner: wasm.MainModule,
    handle: HandleOf[K],
  ) {
    this.#owner = owner;
    this.#handle = handle;
    this.length = handle.length;
  }

  /**
   * The elements, to read and write. Each access makes a fresh typed array, since one that is kept loses its memory
   * without a word whenever the engine's memory grows: use it at once, do not store it.
   *
   * Throws `disposed` after `delete()`.
   */
  get view(): ArrayOf[K] {
    return this.handle("buffer").view() as ArrayOf[K];
  }

  /** Give the memory back. A second time does nothing. */
  delete(): void {
    this.#handle?.delete();
    this.#handle = undefined;
  }

  /** As `delete()`, for `using`. */
  [Symbol.dispose](): void {
    this.delete();
  }

  /** What it is called in messages. */
  get [Symbol.toStringTag](): string {
    return this.#handle === undefined ? `deleted ${bufferName[this.kind]}` : bufferName[this.kind];
  }

  /** Whether its memory is that of `module`. @internal */
  isOf(module: wasm.MainModule): boolean {
    return this.#owner === module;
  }

  /** What crosses to the kernels; `argument` names the buffer if it has been deleted. @internal */
  handle(argument: string): HandleOf[K] {
    if (this.#handle === undefined) {
      throw new RopewalkError("disposed", argument, this, "a buffer not yet deleted");
    }
    return this.#handle;
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

export function allocate<K extends Kind>(module: wasm.MainModule, kind: K, argument: string, length: number) {
  // Null where the memory cannot be had, which the generated types do not tell.
  const handle = module[bufferName[kind]].allocate(length) as HandleOf[K] | null;
  if (handle === null) throw outOfMemory(argument, length * bytesPerElement[kind]);
  return handle;
}

/** What a call needs for an argument that came as an array, or for a result that goes out as one. */
interface Request {
  kind: Kind;
  argument: string;
  length: number;
}

/**
 * The buffers behind arguments that come as plain arrays: one for each name, kept from call to call, so that the same
 * work done again takes no more memory.
 */
export class Pool {
  readonly #module: wasm.MainModule;
  readonly #handles = new Map<string, HandleOf[Kind]>();

  constructor(module: wasm.MainModule) {
    this.#module = module;
  }

  /** A buffer of the right length for each request. Throws `out_of_memory`, and then the memory has not grown. */
  take(requests: readonly Request[]): HandleOf[Kind][] {
    const bytesOf = ({ kind, length }: Request) => length * bytesPerElement[kind];
    const growing = requests
      .filter(
        ({ kind, argument, length }) => length > (this.#handles.get(key(kind, argument))?.capacity ?? 0),
      )
      .sort((a, b) => bytesOf(b) - bytesOf(a));
    const bytes = growing.reduce((sum, request) => sum + bytesOf(request), 0);
    if (growing[0] !== undefined && !this.#module.can_allocate(bytes))
      throw outOfMemory(growing[0].argument, bytes);
    return requests.map(({ kind, argument, length }) => {
      const kept = this.#handles.get(key(kind, argument));
      if (kept !== undefined) {
        if (!kept.resize(length)) throw outOfMemory(argument, length * bytesPerElement[kind]);
        return kept;
      }
      const made = allocate(this.#module, kind, argument, length);
      this.#handles.set(key(kind, argument), made);
      return made;
    });
  }
}

function key(kind: Kind, argument: string): string {
  return `${kind} ${argument}`;
}
