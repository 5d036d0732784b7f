/** The encodings that are added to the embedding, and what makes the embedding that they are added to. */
import * as check from "./checks.js";
import type { Caller, F32Tensor, I32Tensor, Into, Slot } from "./tensors.js";

/** Where the tokens stand, in tokens: one by one, or as a run. */
export type Positions =
  | {
      /** [seqLen], or [batch, seqLen] where each sequence has its own: any int32, in any order. */
      positionIds: I32Tensor;
    }
  | {
      /** Tokens of the run. */
      seqLen: number;
      /** Where the first one stands. 0 if not given. */
      positionOffset?: number;
    };

/** What {@link Ropewalk.integerEncoding} and {@link Ropewalk.binaryEncoding} take. */
export type EncodingOptions = Positions & {
  /** Components of a row. */
  dim: number;
};

/** What {@link Ropewalk.sinusoidalEncoding} takes. */
export type SinusoidalOptions = EncodingOptions & {
  /** 10000 if not given, as in the paper; from 1e-100 to 1e100. */
  base?: number;
};

/** What {@link Ropewalk.seededEmbedding} takes. */
export interface SeededEmbeddingOptions {
  /** [seqLen], any int32; equal ids make equal rows. */
  tokenIds: I32Tensor;
  /** Components of a row. */
  dim: number;
  /** A uint32. */
  seed: number;
}

/** What {@link Ropewalk.seededProjection} takes. */
export interface SeededProjectionOptions {
  /** A uint32. */
  seed: number;
  /** A uint32: which of the seed's independent matrices. */
  stream: number;
  /** Components that come out. */
  outDim: number;
  /** Components that go in. */
  inDim: number;
}

/** What {@link Ropewalk.addEncoding} takes. */
export interface AddEncodingOptions {
  /** [seqLen, dim] */
  encoding: F32Tensor;
  /** [seqLen, dim]. Without `out` a buffer is added to in place, an array left as it is. */
  x: F32Tensor;
  /** Components of a vector. */
  dim: number;
}

/** What {@link Ropewalk.linear} takes. */
export interface LinearOptions {
  /** [rows, inDim] */
  x: F32Tensor;
  /** [outDim, inDim] */
  weight: F32Tensor;
  /** Vectors in the tensor. */
  rows: number;
  /** Components that go in. */
  inDim: number;
  /** Components that come out. */
  outDim: number;
}

/** The positions of a call: as they were given, or counted out in the engine's own memory. */
export function positions(caller: Caller, options: Positions): Slot<"i32"> {
  const { positionIds, seqLen, positionOffset } = options as { [Name in string]?: unknown };
  if (positionIds !== undefined) {
    check.absent("seqLen", seqLen, "nothing beside positionIds");
    check.absent("positionOffset", positionOffset, "nothing beside positionIds");
    return caller.input("i32", "positionIds", positionIds);
  }
  const length = check.size("seqLen", seqLen);
  const first = check.int32("positionOffset", check.or(positionOffset, 0));
  check.int32("positionOffset + seqLen - 1", first + length - 1);
  return caller.counted("positionIds", length, first);
}

export function integerEncoding(caller: Caller, options: EncodingOptions & Partial<Into>) {
  const positionIds = positions(caller, options);
  const dim = check.size("dim", options.dim);
  const out = caller.output("f32", "out", options.out, check.elements("out", positionIds.length, dim));
  caller.check(caller.enter().integer_encoding(positionIds.handle, dim, out.handle));
  return caller.result(out);
}

export function binaryEncoding(caller: Caller, options: EncodingOptions & Partial<Into>) {
  const positionIds = positions(caller, options);
  const dim = check.size("dim", options.dim);
  const out = caller.output("f32", "out", options.out, check.elements("out", positionIds.length, dim));
  caller.check(caller.enter().binary_encoding(positionIds.handle, dim, out.handle));
  return caller.result(out);
}

export function sinusoidalEncoding(caller: Caller, options: SinusoidalOptions & Partial<Into>) {
  const positionIds = positions(caller, options);
  const dim = check.size("dim", options.dim);
  const out = caller.output("f32", "out", options.out, check.elements("out", positionIds.length, dim));
  const base = check.base("base", check.or(options.base, 10_000));
  caller.check(caller.enter().sinusoidal_encoding(positionIds.handle, dim, base, out.handle));
  return caller.result(out);
}

export function seededEmbedding(caller: Caller, options: SeededEmbeddingOptions & Partial<Into>) {
  const tokenIds = caller.input("i32", "tokenIds", options.tokenIds);
  const dim = check.size("dim", options.dim);
  const seed = check.uint32("seed", options.seed);
  const out = caller.output("f32", "out", options.out, check.elements("out", tokenIds.length, dim));
  caller.check(caller.enter().seeded_embedding(tokenIds.handle, dim, seed, out.handle));
  return caller.result(out);
}

export function seededProjection(caller: Caller, options: SeededProjectionOptions & Partial<Into>) {
  const seed = check.uint32("seed", options.seed);
  const stream = check.uint32("stream", options.stream);
  const outDim = check.size("outDim", options.outDim);
  const inDim = check.size("inDim", options.inDim);
  const out = caller.output("f32", "out", options.out, check.elements("out", outDim, inDim));
  caller.check(caller.enter().seeded_projection(seed, stream, outDim, inDim, out.handle));
  return caller.result(out);
}

export function addEncoding(caller: Caller, options: AddEncodingOptions & Partial<Into>) {
  const x = caller.changed("f32", "x", options.x, undefined, options.out);
  const dim = check.size("dim", options.dim);
  check.divides("dim", dim, "the length of x", x.length);
  const encoding = caller.input("f32", "encoding", options.encoding, x.length);
  caller.check(caller.enter().add_encoding(encoding.handle, x.handle, dim));
  return caller.result(x);
}

export function linear(caller: Caller, options: LinearOptions & Partial<Into>) {
  const rows = check.size("rows", options.rows);
  const inDim = check.size("inDim", options.inDim);
  const outDim = check.size("outDim", options.outDim);
  const x = caller.input("f32", "x", options.x, check.elements("x", rows, inDim));
  const weight = caller.input("f32", "weight", options.weight, check.elements("weight", outDim, inDim));
  const out = caller.output("f32", "out", options.out, check.elements("out", rows, outDim));
  caller.check(caller.enter().linear(x.handle, weight.handle, rows, inDim, outDim, out.handle));
  return caller.result(out);
}
