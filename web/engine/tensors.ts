import {
  type ArrayOf,
  arrayName,
  Buffer,
  bufferName,
  bytesPerElement,
  type F32Buffer,
  type HandleOf,
  type Kind,
  type Pool,
} from "./buffers.js";
import { inMemory } from "./checks.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";

/** A tensor of a call: an array, which is copied into the engine, or a buffer, which is there already. */
export type Tensor<K extends Kind> = ArrayOf[K] | Buffer<K>;

/** A tensor of float32: an array, which is copied in, or a buffer, which is used where it is. Row-major. */
export type F32Tensor = Tensor<"f32">;
/** A tensor of float64. Row-major. */
export type F64Tensor = Tensor<"f64">;
/** A tensor of int32. Row-major. */
export type I32Tensor = Tensor<"i32">;
/** A tensor of bytes: for a mask, where all but 0 is true. Row-major. */
export type U8Tensor = Tensor<"u8">;

/** For the result to go into a buffer instead of into a new array. */
export interface Into<B = F32Buffer> {
  /** The buffer for the result. */
  out: B;
}

/** One tensor of a call, checked, and which way it goes. */
export interface Slot<K extends Kind> {
  /** The type of its elements. */
  kind: K;
  /** Elements. */
  length: number;
  given: Tensor<K> | undefined;
  /** Whether the caller gets back what is in it, or sees it in the buffer given. */
  written: boolean;
  /** Integers that are made in place: the first, and what each next one is more by. */
  run?: { first: number; step: number };
}

/** A tensor that the kernel reads. Without `length` any that is not empty will do. */
export function input<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): Slot<K> {
  return { kind, ...checkTensor(kind, argument, given, length), written: false };
}

/** A tensor that the kernel changes: a buffer in place, an array by giving back a changed copy. */
export function changed<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): Slot<K> {
  return { kind, ...checkTensor(kind, argument, given, length), written: true };
}

/** A tensor that the kernel writes: the buffer given for it, or an array made for the caller. */
export function output<K extends Kind>(kind: K, argument: string, given: unknown, length: number): Slot<K> {
  if (given === undefined) return { kind, length, given, written: true };
  if (!(given instanceof Buffer)) {
    throw new RopewalkError("bad_type", argument, given, `${bufferName[kind]} of ${length}, or nothing`);
  }
  return changed(kind, argument, given, length);
}

/** As `input()`, for what need not be given. */
export function optional<K extends Kind>(kind: K, argument: string, given: unknown, length?: number) {
  return given === undefined ? undefined : input(kind, argument, given, length);
}

/** As `output()`, for what is made only if it is asked for: by `true`, or by a buffer for it. */
export function requested<K extends Kind>(kind: K, argument: string, asked: unknown, length: () => number) {
  if (asked === undefined || asked === false) return undefined;
  return output(kind, argument, asked === true ? undefined : asked, length());
}

/** first, first + step, …, for the kernel alone. */
export function counted<K extends Kind>(kind: K, length: number, first: number, step = 1): Slot<K> {
  return { kind, length, given: undefined, written: false, run: { first, step } };
}

/** Room for the kernel to work in. */
export function scratch<K extends Kind>(kind: K, length: number): Slot<K> {
  return { kind, length, given: undefined, written: false };
}

function isArray<K extends Kind>(kind: K, value: unknown): value is ArrayOf[K] {
  // By name, not by class: an array of another frame's is as good.
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === `[object ${arrayName[kind]}]`;
}

function isDetached(array: ArrayBufferView): boolean {
  const { buffer } = array as { buffer: { detached?: boolean; byteLength: number } };
  // Older engines do not say, but there is no other way to a view of an empty buffer by mistake.
  return buffer.detached ?? buffer.byteLength === 0;
}

function checkTensor<K extends Kind>(
  kind: K,
  argument: string,
  given: unknown,
  length?: number,
): { given: Tensor<K>; length: number } {
  const count = length === undefined ? "of at least 1" : `of ${length}`;
  const allowed = `${arrayName[kind]} or ${bufferName[kind]} ${count}`;
  if (given instanceof Buffer) {
    if (given.kind !== kind) throw new RopewalkError("bad_type", argument, given, allowed);
    given.handle(argument);
  } else if (!isArray(kind, given)) {
    throw new RopewalkError("bad_type", argument, given, allowed);
  } else if (isDetached(given)) {
    throw new RopewalkError("bad_shape", argument, given, `${allowed}, not detached`);
  }
  if (length === undefined ? given.length === 0 : given.length !== length) {
    throw new RopewalkError("bad_shape", argument, given, allowed);
  }
  return { given, length: given.length };
}

type Failure = ReturnType<wasm.MainModule["linear"]>;
type Slots = Record<string, Slot<Kind> | undefined>;
type KindOf<S> = S extends Slot<infer K> ? K : never;

/** What crosses: a handle for each tensor, null for one that was not given. */
type Handles<S extends Slots> = {
  [Name in keyof S]: HandleOf[KindOf<S[Name]>] | (undefined extends S[Name] ? null : never);
};

/** The arrays of what was written, except where the caller gave a buffer. */
type Results<S extends Slots> = { [Name in keyof S]: ArrayOf[KindOf<S[Name]>] };

/**
 * The one way into the kernels: puts arrays into pooled buffers, calls, turns a failure into an error, and takes out
 * what was written.
 */
export class Caller {
  readonly #module: wasm.MainModule;
  readonly #pool: Pool;

  constructor(module: wasm.MainModule, pool: Pool) {
    this.#module = module;
    this.#pool = pool;
  }

  /** What the module answers without a tensor. */
  ask<T>(question: (module: wasm.MainModule) => T): T {
    return question(this.#module);
  }

  /** `spelling` turns the kernel's name for an argument into the caller's. */
  call<S extends Slots>(
    slots: S,
    kernel: (module: wasm.MainModule, handles: Handles<S>) => Failure,
    spelling = camelCase,
  ): Results<S> {
    const entries = Object.entries(slots).filter((entry): entry is [string, Slot<Kind>] => !!entry[1]);
    this.#checkBuffers(entries);
    const pooled = entries.filter(([, { given }]) => !(given instanceof Buffer));
    // Taking buffers may grow the memory, which empties a view of it: what comes from there is copied first.
    const arrays = pooled.map(([, { given }]) => {
      const array = given as Float64Array | undefined;
      return array?.buffer === this.#module.HEAPF32.buffer ? array?.slice() : array;
    });
    const taken = this.#pool.take(pooled.map(([argument, { kind, length }]) => ({ kind, argument, length })));

    const handles: Record<string, HandleOf[Kind] | null> = {};
    for (const argument of Object.keys(slots)) handles[argument] = null;
    for (const [argument, { given }] of entries) {
      if (given instanceof Buffer) handles[argument] = given.handle(argument);
    }
    pooled.forEach(([argument, { length, run }], i) => {
      const handle = taken[i] as HandleOf[Kind];
      handles[argument] = handle;
      const array = arrays[i];
      const view = handle.view() as Float64Array;
      if (array !== undefined) view.set(array);
      if (run !== undefined) for (let k = 0; k < length; ++k) view[k] = run.first + k * run.step;
    });

    const failure = kernel(this.#module, handles as Handles<S>);
    if (failure !== undefined) {
      const { code, argument, given, allowed } = failure;
      throw new RopewalkError(code, spelling(argument), given, allowed);
    }

    const written = pooled.filter(([, slot]) => slot.written);
    return Object.fromEntries(
      written.map(([argument, { kind, length }]) => {
        const view = (handles[argument] as HandleOf[Kind]).view();
        return [argument, inMemory(argument, length * bytesPerElement[kind], () => view.slice())];
      }),
    ) as Results<S>;
  }

  /** Buffers are this engine's, and one that is written stands in one place only. */
  #checkBuffers(entries: [string, Slot<Kind>][]): void {
    for (const [argument, { given, written }] of entries) {
      if (!(given instanceof Buffer)) continue;
      if (!given.isOf(this.#module)) {
        throw new RopewalkError("bad_value", argument, given, "a buffer of this engine");
      }
      const twin = entries.find(([other, slot]) => other !== argument && slot.given === given);
      if (written && twin !== undefined) {
        throw new RopewalkError(
          "bad_value",
          argument,
          given,
          `a buffer of its own, not the one of ${twin[0]}`,
        );
      }
    }
  }
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
