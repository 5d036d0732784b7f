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
  type Region,
} from "./buffers.js";
import { elements, inMemory, record } from "./checks.js";
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

/** One tensor of a call, checked. Handle and elements are there from `Caller.enter()` on. */
export interface Slot<K extends Kind> extends OptionalSlot<K> {
  /** Elements. */
  readonly length: number;
  /** What crosses. */
  readonly handle: HandleOf[K];
  /** The elements, in the engine's memory. */
  readonly view: ArrayOf[K];
}

/** A tensor that need not be there. */
export interface OptionalSlot<K extends Kind> {
  readonly isGiven: boolean;
  readonly handle: HandleOf[K] | null;
}

export const notGiven: OptionalSlot<never> = { isGiven: false, handle: null };

/** A slot as the caller sees it. It serves one tensor of one call after the other, for a new one would be garbage. */
class Place {
  readonly isGiven = true;
  kind: Kind = "f32";
  argument = "";
  length = 0;
  given: ArrayOf[Kind] | Buffer<Kind> | undefined;
  /** Whether the caller gets back what is in it, or sees it in the buffer given. */
  isWritten = false;
  /** Integers that are made in place: the first, and what each next one is more by. */
  first: number | undefined;
  step = 0;
  region: Region<Kind> | undefined;

  get handle(): HandleOf[Kind] {
    return (this.region as Region<Kind>).handle;
  }

  get view(): ArrayOf[Kind] {
    return (this.region as Region<Kind>).view;
  }

  get isPooled(): boolean {
    return !(this.given instanceof Buffer);
  }

  /** The elements in an array of their own. */
  copy(): ArrayOf[Kind] {
    const bytes = this.length * bytesPerElement[this.kind];
    return inMemory(this.argument, bytes, () => this.view.slice());
  }

  /** Put in what is to be in it, unless it is there. */
  fill(): void {
    const { given, first, step } = this;
    if (given !== undefined && !(given instanceof Buffer))
      (this.view as Float64Array).set(given as Float64Array);
    if (first === undefined) return;
    const { view } = this;
    for (let i = 0; i < view.length; ++i) view[i] = first + i * step;
  }
}

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Int8Array.prototype), Symbol.toStringTag)
  ?.get as (this: unknown) => string | undefined;

function isArray<K extends Kind>(kind: K, value: unknown): value is ArrayOf[K] {
  // By what it is, not by class: an array of another frame's is as good.
  return tagOf.call(value) === arrayName[kind];
}

function isDetached(array: unknown): boolean {
  const { buffer } = array as { buffer: { detached?: boolean; byteLength: number } };
  // Older engines do not say, but there is no other way to a view of an empty buffer by mistake.
  return buffer.detached ?? buffer.byteLength === 0;
}

/** Throws what is wrong with a tensor. */
function refuse(kind: Kind, argument: string, given: unknown, length?: number): never {
  const count = length === undefined ? "of at least 1" : `of ${length}`;
  const allowed = `${arrayName[kind]} or ${bufferName[kind]} ${count}`;
  if (given instanceof Buffer ? given.kind !== kind : !isArray(kind, given)) {
    throw new RopewalkError("bad_type", argument, given, allowed);
  }
  const more = !(given instanceof Buffer) && isDetached(given) ? ", not detached" : "";
  throw new RopewalkError("bad_shape", argument, given, `${allowed}${more}`);
}

/** Without `length` any that is not empty will do. */
export function checkTensor<K extends Kind>(
  kind: K,
  argument: string,
  given: unknown,
  length?: number,
): Tensor<K> {
  if (given instanceof Buffer ? given.kind !== kind : !isArray(kind, given)) {
    refuse(kind, argument, given, length);
  }
  const tensor = given as Tensor<K>;
  if (tensor instanceof Buffer) tensor.region(argument);
  if (length === undefined ? tensor.length === 0 : tensor.length !== length) {
    refuse(kind, argument, given, length);
  }
  return tensor;
}

type Failure = ReturnType<wasm.MainModule["linear"]>;

/** For a call whose every result went into a buffer. */
const noResults = Object.freeze({});

/**
 * The one way into the kernels. Each call runs in `run()`: it checks its tensors one after the other, by which they get
 * their slots; `enter()` puts arrays into pooled memory; then the kernel is called, `check()` turns its failure into an
 * error, and `result()` or `results()` takes out what was written. A call whose tensors are all in buffers makes nothing.
 */
export class Caller {
  readonly #pool: Pool;
  /** Those of the call that runs, from #first on, behind those of calls that wait for it. */
  readonly #places: Place[] = [];
  #first = 0;
  #end = 0;

  constructor(
    readonly module: wasm.MainModule,
    pool: Pool,
  ) {
    this.#pool = pool;
  }

  /** Calls may lie within one another, as an option may be a getter that calls the engine. */
  run<Options, Result>(call: (caller: Caller, options: Options) => Result, options: Options): Result {
    record(options);
    const first = this.#first;
    this.#first = this.#end;
    try {
      return call(this, options);
    } finally {
      // Nothing of the caller's is held on to.
      for (let i = this.#first; i < this.#end; ++i) {
        const place = this.#places[i] as Place;
        place.given = place.region = undefined;
      }
      this.#end = this.#first;
      this.#first = first;
    }
  }

  /** A tensor that the kernel reads. Without `length` any that is not empty will do. */
  input<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): Slot<K> {
    return this.#given(kind, argument, given, length, false);
  }

  /** A tensor that the kernel changes: a buffer in place, an array by giving back a changed copy. */
  changed<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): Slot<K> {
    return this.#given(kind, argument, given, length, true);
  }

  /** A tensor that the kernel writes: the buffer given for it, or an array made for the caller. */
  output<K extends Kind>(kind: K, argument: string, given: unknown, length: number): Slot<K> {
    if (given === undefined) return this.#place(kind, argument, length, undefined, true);
    if (!(given instanceof Buffer)) {
      throw new RopewalkError("bad_type", argument, given, `${bufferName[kind]} of ${length}, or nothing`);
    }
    return this.#given(kind, argument, given, length, true);
  }

  /** As `input()`, for what need not be given. */
  optional<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): OptionalSlot<K> {
    if (given === undefined) return notGiven;
    return this.input(kind, argument, given, length);
  }

  /** As `output()`, for what is made only if it is asked for: by `true`, or by a buffer for it. */
  requested(
    argument: string,
    asked: unknown,
    a: number,
    b: number,
    c: number,
    d: number,
  ): OptionalSlot<"f32"> {
    if (asked === undefined || asked === false) return notGiven;
    return this.output("f32", argument, asked === true ? undefined : asked, elements(argument, a, b, c, d));
  }

  /** first, first + step, …, for the kernel alone. */
  counted(argument: string, length: number, first: number, step = 1): Slot<"i32"> {
    const place = this.#place("i32", argument, length, undefined, false);
    place.first = first;
    place.step = step;
    return place as unknown as Slot<"i32">;
  }

  /** Room for the kernel to work in; `isWritten` if the caller is to see it. */
  scratch<K extends Kind>(kind: K, argument: string, length: number, isWritten = false): Slot<K> {
    return this.#place(kind, argument, length, undefined, isWritten);
  }

  #given<K extends Kind>(
    kind: K,
    argument: string,
    given: unknown,
    length: number | undefined,
    isWritten: boolean,
  ): Slot<K> {
    const tensor = checkTensor(kind, argument, given, length);
    return this.#place(kind, argument, tensor.length, tensor, isWritten);
  }

  #place<K extends Kind>(
    kind: K,
    argument: string,
    length: number,
    given: Tensor<K> | undefined,
    isWritten: boolean,
  ) {
    if (this.#end === this.#places.length) this.#places.push(new Place());
    const place = this.#places[this.#end++] as Place;
    place.kind = kind;
    place.argument = argument;
    place.length = length;
    place.given = given as Tensor<Kind> | undefined;
    place.isWritten = isWritten;
    place.first = undefined;
    return place as Place & Slot<K>;
  }

  /** All tensors have been checked: make their slots ready, and give the module to call. */
  enter(): wasm.MainModule {
    let isRoom = true;
    for (let i = this.#first; i < this.#end; ++i) {
      const place = this.#places[i] as Place;
      if (place.given instanceof Buffer) this.#checkBuffer(place, place.given);
      else place.region = this.#pool.find(place);
      isRoom &&= place.region !== undefined;
    }
    if (!isRoom) this.#makeRoom();
    for (let i = this.#first; i < this.#end; ++i) (this.#places[i] as Place).fill();
    return this.module;
  }

  /** A buffer is this engine's, and one that is written stands in one place only. */
  #checkBuffer(place: Place, buffer: Buffer<Kind>): void {
    const { argument, isWritten } = place;
    place.region = buffer.region(argument);
    if (place.region.module !== this.module) {
      throw new RopewalkError("bad_value", argument, buffer, "a buffer of this engine");
    }
    if (!isWritten) return;
    for (let i = this.#first; i < this.#end; ++i) {
      const twin = this.#places[i] as Place;
      if (twin !== place && twin.given === buffer) {
        const allowed = `a buffer of its own, not the one of ${twin.argument}`;
        throw new RopewalkError("bad_value", argument, buffer, allowed);
      }
    }
  }

  #makeRoom(): void {
    const pooled = this.#places.slice(this.#first, this.#end).filter(({ isPooled }) => isPooled);
    // The memory may grow, which empties a view of it: what comes from there is copied first.
    for (const place of pooled) {
      const array = place.given as ArrayOf[Kind] | undefined;
      if (array?.buffer === this.module.HEAPF32.buffer) place.given = array?.slice();
    }
    this.#pool.make(pooled.filter(({ region }) => region === undefined));
    for (const place of pooled) place.region = this.#pool.find(place);
  }

  /** Throws what a kernel answers, if it failed; `spelling` turns its name for an argument into the caller's. */
  check(failure: Failure, spelling = camelCase): void {
    if (failure === undefined) return;
    const { code, argument, given, allowed } = failure;
    throw new RopewalkError(code, spelling(argument), given, allowed);
  }

  /** An array of what was written, unless it went into a buffer of the caller's. */
  result<K extends Kind>(slot: Slot<K>): ArrayOf[K] | undefined {
    const place = slot as unknown as Place;
    return place.isPooled ? (place.copy() as ArrayOf[K]) : undefined;
  }

  /** The same of all that was written, by the names of its arguments. */
  results<Results>(): Results {
    let results: Record<string, ArrayOf[Kind]> | undefined;
    for (let i = this.#first; i < this.#end; ++i) {
      const place = this.#places[i] as Place;
      if (!place.isWritten || !place.isPooled) continue;
      results ??= {};
      results[place.argument] = place.copy();
    }
    return (results ?? noResults) as Results;
  }
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
