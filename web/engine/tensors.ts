import {
  type ArrayOf,
  arrayName,
  Buffer,
  bufferName,
  bytesPerElement,
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

/** For the result to go into an array or a buffer that there is, instead of into a new array. */
export interface Into<T = F32Tensor> {
  /** The array or the buffer for the result. */
  out: T;
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
  /** What is put in. */
  given: Tensor<Kind> | undefined;
  /** The caller's own tensor for what is written. */
  into: Tensor<Kind> | undefined;
  /** The argument that it is. */
  target = "";
  /** The one of them that the kernel itself works on; of the pool's memory if there is none. */
  buffer: Buffer<Kind> | undefined;
  /** Whether the caller gets an array made for what is written. */
  isNew = false;
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

  /** The elements in an array of their own. */
  copy(): ArrayOf[Kind] {
    const bytes = this.length * bytesPerElement[this.kind];
    return inMemory(this.argument, bytes, () => this.view.slice());
  }

  /** Put in what is to be in it, unless it is there. */
  fill(): void {
    const { given, first, step } = this;
    if (given !== undefined && this.buffer === undefined) copyElements(given, this.view);
    if (first === undefined) return;
    const { view } = this;
    for (let i = 0; i < view.length; ++i) view[i] = first + i * step;
  }

  /** Put what was written where the caller wants it, unless it is there. */
  deliver(): void {
    if (this.into !== undefined && this.buffer === undefined) copyElements(this.view, this.into);
  }
}

function copyElements(from: Tensor<Kind>, to: Tensor<Kind>): void {
  const elements = from instanceof Buffer ? from.view : from;
  ((to instanceof Buffer ? to.view : to) as Float64Array).set(elements as Float64Array);
}

/** Whether two tensors are one buffer, or arrays with bytes in common. */
function isShared(a: Tensor<Kind>, b: Tensor<Kind>): boolean {
  if (a instanceof Buffer || b instanceof Buffer) return a === b;
  return (
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength &&
    a.buffer === b.buffer
  );
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

/** For a call whose every result went into a tensor of the caller's. */
const noResults = Object.freeze({});

/**
 * The one way into the kernels. Each call runs in `run()`: it checks its tensors one after the other, by which they get
 * their slots; `enter()` puts arrays into pooled memory; then the kernel is called, `check()` turns its failure into an
 * error, and `result()` or `results()` takes out what was written, into the caller's arrays last of all. A call whose
 * results all have a tensor of the caller's makes nothing.
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
        place.given = place.into = place.buffer = place.region = undefined;
      }
      this.#end = this.#first;
      this.#first = first;
    }
  }

  /** A tensor that the kernel reads. Without `length` any that is not empty will do. */
  input<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): Slot<K> {
    const tensor = checkTensor(kind, argument, given, length);
    return this.#place(kind, argument, tensor.length, tensor, undefined, false);
  }

  /** A tensor that the kernel changes: in `out` if that is given, else a buffer in place, and an array by giving back a copy. */
  changed<K extends Kind>(
    kind: K,
    argument: string,
    given: unknown,
    length?: number,
    out?: unknown,
  ): Slot<K> {
    const tensor = checkTensor(kind, argument, given, length);
    if (out !== undefined) {
      const into = checkTensor(kind, "out", out, tensor.length);
      return this.#place(kind, argument, tensor.length, tensor, into, false, "out");
    }
    const into = tensor instanceof Buffer ? tensor : undefined;
    return this.#place(kind, argument, tensor.length, tensor, into, into === undefined);
  }

  /** A tensor that the kernel writes: the caller's, or an array made for it. */
  output<K extends Kind>(kind: K, argument: string, given: unknown, length: number): Slot<K> {
    const into = given === undefined ? undefined : checkTensor(kind, argument, given, length);
    return this.#place(kind, argument, length, undefined, into, into === undefined);
  }

  /** As `input()`, for what need not be given. */
  optional<K extends Kind>(kind: K, argument: string, given: unknown, length?: number): OptionalSlot<K> {
    if (given === undefined) return notGiven;
    return this.input(kind, argument, given, length);
  }

  /** As `output()`, for what is made only if it is asked for: by `true`, or by a tensor for it. */
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
    const place = this.#place("i32", argument, length, undefined, undefined, false);
    place.first = first;
    place.step = step;
    return place as unknown as Slot<"i32">;
  }

  /** Room for the kernel to work in; `isNew` if the caller is to see it, in an array made for that. */
  scratch<K extends Kind>(kind: K, argument: string, length: number, isNew = false): Slot<K> {
    return this.#place(kind, argument, length, undefined, undefined, isNew);
  }

  #place<K extends Kind>(
    kind: K,
    argument: string,
    length: number,
    given: Tensor<K> | undefined,
    into: Tensor<K> | undefined,
    isNew: boolean,
    target = argument,
  ) {
    if (this.#end === this.#places.length) this.#places.push(new Place());
    const place = this.#places[this.#end++] as Place;
    const own = into ?? given;
    place.kind = kind;
    place.argument = argument;
    place.length = length;
    place.given = given as Tensor<Kind> | undefined;
    place.into = into as Tensor<Kind> | undefined;
    place.buffer = own instanceof Buffer && (given ?? own) === own ? (own as Buffer<Kind>) : undefined;
    place.isNew = isNew;
    place.target = target;
    place.first = undefined;
    return place as Place & Slot<K>;
  }

  /** All tensors have been checked: make their slots ready, and give the module to call. */
  enter(): wasm.MainModule {
    let isRoom = true;
    for (let i = this.#first; i < this.#end; ++i) {
      const place = this.#places[i] as Place;
      this.#checkAgain(place);
      place.region = place.buffer?.region(place.argument) ?? this.#pool.find(place);
      isRoom &&= place.region !== undefined;
    }
    if (!isRoom) this.#makeRoom();
    for (let i = this.#first; i < this.#end; ++i) (this.#places[i] as Place).fill();
    return this.module;
  }

  /** An option that is a getter may have taken from a tensor what it was when it was checked. */
  #checkAgain(place: Place): void {
    const { argument, target, given, into } = place;
    if (given !== undefined) this.#checkStill(place, argument, given);
    if (into === undefined) return;
    if (into !== given) this.#checkStill(place, target, into);
    this.#checkApart(place, into);
  }

  #checkStill({ kind, length }: Place, argument: string, tensor: Tensor<Kind>): void {
    if (!(tensor instanceof Buffer)) {
      if (tensor.length !== length) refuse(kind, argument, tensor, length);
    } else if (tensor.region(argument).module !== this.module) {
      throw new RopewalkError("bad_value", argument, tensor, "a buffer of this engine");
    }
  }

  /** What is written stands in one place only, and where it stays: the engine's memory may move. */
  #checkApart(place: Place, into: Tensor<Kind>): void {
    const { target } = place;
    const isBuffer = into instanceof Buffer;
    if (!isBuffer && into.buffer === this.module.HEAPF32.buffer) {
      const allowed = "an array outside of the engine's memory, or the buffer itself";
      throw new RopewalkError("bad_value", target, into, allowed);
    }
    for (let i = this.#first; i < this.#end; ++i) {
      const twin = this.#places[i] as Place;
      if (twin === place) continue;
      const isRead = isBuffer && twin.given === into;
      if (isRead || (twin.into !== undefined && isShared(into, twin.into))) {
        const other = isRead ? twin.argument : twin.target;
        const allowed = `${isBuffer ? "a buffer" : "an array"} of its own, not the one of ${other}`;
        throw new RopewalkError("bad_value", target, into, allowed);
      }
    }
  }

  #makeRoom(): void {
    const pooled = this.#places.slice(this.#first, this.#end).filter(({ buffer }) => buffer === undefined);
    // The memory may grow, which empties a view of it: what comes from there is copied first.
    for (const place of pooled) {
      const { given } = place;
      if (given === undefined || given instanceof Buffer) continue;
      if (given.buffer === this.module.HEAPF32.buffer) place.given = given.slice();
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

  /** An array of what was written, unless it went into a tensor of the caller's. */
  result<K extends Kind>(slot: Slot<K>): ArrayOf[K] | undefined {
    const place = slot as unknown as Place;
    if (place.isNew) return place.copy() as ArrayOf[K];
    place.deliver();
    return undefined;
  }

  /** The same of all that was written, by the names of its arguments. */
  results<Results>(): Results {
    let results: Record<string, ArrayOf[Kind]> | undefined;
    for (let i = this.#first; i < this.#end; ++i) {
      const place = this.#places[i] as Place;
      if (!place.isNew) continue;
      results ??= {};
      results[place.argument] = place.copy();
    }
    // Now that there was memory for all that is new.
    for (let i = this.#first; i < this.#end; ++i) (this.#places[i] as Place).deliver();
    return (results ?? noResults) as Results;
  }
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
