/** The encodings that are added to the embedding, and what makes the embedding that they are added to. */
import type { F32Buffer } from "./buffers.js";
import * as check from "./checks.js";
import {
  type Caller,
  changed,
  counted,
  type F32Tensor,
  type I32Tensor,
  type Into,
  input,
  output,
} from "./tensors.js";

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
  /** [seqLen, dim]. A buffer is added to in place, an array left as it is. */
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
export function positions(options: Positions) {
  check.record(options);
  const { positionIds, seqLen, positionOffset } = options as { [Name in string]?: unknown };
  if (positionIds !== undefined) {
    check.absent("seqLen", seqLen, "nothing beside positionIds");
    check.absent("positionOffset", positionOffset, "nothing beside positionIds");
    return input("i32", "positionIds", positionIds);
  }
  const length = check.size("seqLen", seqLen);
  const first = check.int32("positionOffset", check.or(positionOffset, 0));
  check.int32("positionOffset + seqLen - 1", first + length - 1);
  return counted("i32", length, first);
}

function encoding(options: EncodingOptions & Partial<Into>) {
  const positionIds = positions(options);
  const dim = check.size("dim", options.dim);
  const out = output("f32", "out", options.out, check.elements("out", positionIds.length, dim));
  return { positionIds, dim, out };
}

export function integerEncoding(caller: Caller, options: EncodingOptions & Partial<Into>) {
  const { positionIds, dim, out } = encoding(options);
  return caller.call({ positionIds, out }, (module, b) => module.integer_encoding(b.positionIds, dim, b.out))
    .out;
}

export function binaryEncoding(caller: Caller, options: EncodingOptions & Partial<Into>) {
  const { positionIds, dim, out } = encoding(options);
  return caller.call({ positionIds, out }, (module, b) => module.binary_encoding(b.positionIds, dim, b.out))
    .out;
}

export function sinusoidalEncoding(caller: Caller, options: SinusoidalOptions & Partial<Into>) {
  const { positionIds, dim, out } = encoding(options);
  const base = check.base("base", check.or(options.base, 10_000));
  return caller.call({ positionIds, out }, (module, b) =>
    module.sinusoidal_encoding(b.positionIds, dim, base, b.out),
  ).out;
}

export function seededEmbedding(caller: Caller, options: SeededEmbeddingOptions & Partial<Into>) {
  check.record(options);
  const tokenIds = input("i32", "tokenIds", options.tokenIds);
  const dim = check.size("dim", options.dim);
  const seed = check.uint32("seed", options.seed);
  const out = output("f32", "out", options.out, check.elements("out", tokenIds.length, dim));
  return caller.call({ tokenIds, out }, (module, b) => module.seeded_embedding(b.tokenIds, dim, seed, b.out))
    .out;
}

export function seededProjection(caller: Caller, options: SeededProjectionOptions & { out?: F32Buffer }) {
  check.record(options);
  const seed = check.uint32("seed", options.seed);
  const stream = check.uint32("stream", options.stream);
  const outDim = check.size("outDim", options.outDim);
  const inDim = check.size("inDim", options.inDim);
  const out = output("f32", "out", options.out, check.elements("out", outDim, inDim));
  return caller.call({ out }, (module, b) => module.seeded_projection(seed, stream, outDim, inDim, b.out))
    .out;
}

export function addEncoding(caller: Caller, options: AddEncodingOptions) {
  check.record(options);
  const x = changed("f32", "x", options.x);
  const dim = check.size("dim", options.dim);
  check.divides("dim", dim, "the length of x", x.length);
  const encoding = input("f32", "encoding", options.encoding, x.length);
  return caller.call({ encoding, x }, (module, b) => module.add_encoding(b.encoding, b.x, dim)).x;
}

export function linear(caller: Caller, options: LinearOptions & Partial<Into>) {
  check.record(options);
  const rows = check.size("rows", options.rows);
  const inDim = check.size("inDim", options.inDim);
  const outDim = check.size("outDim", options.outDim);
  const x = input("f32", "x", options.x, check.elements("x", rows, inDim));
  const weight = input("f32", "weight", options.weight, check.elements("weight", outDim, inDim));
  const out = output("f32", "out", options.out, check.elements("out", rows, outDim));
  return caller.call({ x, weight, out }, (module, b) =>
    module.linear(b.x, b.weight, rows, inDim, outDim, b.out),
  ).out;
}
