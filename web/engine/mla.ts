/** Multi-head latent attention: checks of its many tensors, the call, and what it costs. */
import { softmaxScaleOf } from "./attention.js";
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { batchOf } from "./heads.js";
import { KvCache } from "./kv_cache.js";
import { LatentCache } from "./latent_cache.js";
import type { Asked, Flat, Unless } from "./results.js";
import { type Caller, type F32Tensor, notGiven } from "./tensors.js";

/**
 * The two computations of latent attention, which are one by associativity: `naive` expands keys and values of every head
 * from the latents; `absorbed` folds W_UK into the query and W_UV into the output, and attends to the latents themselves.
 */
export type MlaForm = keyof wasm.MainModule["MlaForm"];

/** The extents of a layer of latent attention, as its paper and configuration name them. */
export interface MlaShape {
  /** Components of a hidden state. */
  hiddenSize: number;
  /** Heads. */
  nHeads: number;
  /** Components of the queries' latent; none if not given. */
  qLoraRank?: number;
  /** Components of the latent of keys and values. */
  kvLoraRank: number;
  /** Components of a query and a key that are not rotated. */
  qkNopeHeadDim: number;
  /** Components of a query and a key that are rotated; even. */
  qkRopeHeadDim: number;
  /** Components of a value. */
  vHeadDim: number;
}

/** What {@link Ropewalk.mla} takes. Weights have a row for each output, as in a checkpoint: y = x · weightᵀ. */
export interface MlaOptions extends MlaShape {
  /** [batch, qLen, hiddenSize], the tokens that are new. */
  x: F32Tensor;
  /** Tokens that are new, of each sequence. */
  qLen: number;
  /** Sequences. 1 if not given. */
  batch?: number;
  /** [nHeads · (qkNopeHeadDim + qkRopeHeadDim), hiddenSize], of each head W_Q, then W_QR; without qLoraRank. */
  qProj?: F32Tensor;
  /** [qLoraRank, hiddenSize], W_DQ; with qLoraRank, as the next two. */
  qAProj?: F32Tensor;
  /** [qLoraRank], of the norm of the queries' latent. */
  qALayernorm?: F32Tensor;
  /** [nHeads · (qkNopeHeadDim + qkRopeHeadDim), qLoraRank], of each head W_UQ, then W_QR. */
  qBProj?: F32Tensor;
  /** [kvLoraRank + qkRopeHeadDim, hiddenSize], W_DKV, then W_KR; `kv_a_proj_with_mqa` in checkpoints. */
  kvAProj: F32Tensor;
  /** [kvLoraRank], of the norm of the latent. */
  kvALayernorm: F32Tensor;
  /** [nHeads · (qkNopeHeadDim + vHeadDim), kvLoraRank], of each head W_UK, then W_UV. */
  kvBProj: F32Tensor;
  /** [hiddenSize, nHeads · vHeadDim], W_O. */
  oProj: F32Tensor;
  /** [qLen or batch · qLen, qkRopeHeadDim / 2], from `buildRopeCache()`, of the new tokens. Pairs are interleaved. */
  cos: F32Tensor;
  /** Of the shape of cos. */
  sin: F32Tensor;
  /** `absorbed` if not given, but `naive` on a KvCache. */
  form?: MlaForm;
  /** Whether a token sees only itself and those before it. False if not given. */
  causal?: boolean;
  /**
   * Multiplies query · key. 1 / sqrt(qkNopeHeadDim + qkRopeHeadDim) if not given; a model under YaRN wants that times
   * softmaxFactor of `ropeFromConfig()`.
   */
  softmaxScale?: number;
  /** Added to the mean of the squares in both norms. 1e-6 if not given; finite and >= 0. */
  epsilon?: number;
  /**
   * What is kept of earlier tokens, and gets the new ones: latents, for either form; or keys and values of all heads, for
   * the naive form, which then expands the new tokens alone. Without it the new tokens are all that there are.
   */
  cache?: LatentCache | KvCache;
  /** Whether the weights are wanted too, [batch, nHeads, qLen, keys], or the array or buffer for them. */
  weights?: boolean | F32Tensor;
  /**
   * Whether the scores are wanted too, [batch, nHeads, qLen, keys], or the array or buffer for them: -∞ where a key is not
   * seen.
   */
  scores?: boolean | F32Tensor;
  /** Whether what is computed on the way is wanted too. */
  steps?: boolean;
  /** The array or the buffer for the result. */
  out?: F32Tensor;
}

/** What latent attention computes between hidden state and output; `keys` is how many tokens are attended to. */
export interface MlaSteps {
  /** [batch, qLen, qLoraRank], the queries' latent, normed; with qLoraRank. */
  qLatent?: Float32Array;
  /** [batch, qLen, nHeads, qkNopeHeadDim + qkRopeHeadDim], the last qkRopeHeadDim of them rotated. */
  query: Float32Array;
  /** [batch, qLen, kvLoraRank + qkRopeHeadDim], the latent, normed, and the rotated key; what a cache has is there. */
  latents?: Float32Array;
  /** [batch, keys, nHeads, qkNopeHeadDim + qkRopeHeadDim]; naive, what a KvCache has is there. */
  key?: Float32Array;
  /** [batch, keys, nHeads, vHeadDim]; naive, what a KvCache has is there. */
  value?: Float32Array;
  /** [batch, qLen, nHeads, kvLoraRank + qkRopeHeadDim], W_UKᵀ query, then its rotated part; absorbed. */
  latentQuery?: Float32Array;
  /** [batch, qLen, nHeads, kvLoraRank], weights · latents; absorbed. */
  latentOut?: Float32Array;
  /** [batch, qLen, nHeads, vHeadDim], weights · values. */
  heads: Float32Array;
}

/** All that latent attention can give back. */
export interface MlaOutputs {
  /** [batch, qLen, hiddenSize] */
  out: Float32Array;
  /** [batch, nHeads, qLen, keys], the rows of the softmax. */
  weights: Float32Array;
  /** [batch, nHeads, qLen, keys], softmaxScale · query · key; -∞ where a key is not seen. */
  scores: Float32Array;
  /** What was computed on the way. */
  steps: MlaSteps;
}

/** What such options give back: `out` and whatever was asked for, less what went into a tensor of the caller's. */
export type MlaResult<Options> = Flat<
  Unless<MlaOutputs, Options, "out"> &
    Asked<MlaOutputs, Options, "weights"> &
    Asked<MlaOutputs, Options, "scores"> &
    Asked<MlaOutputs, Options, "steps">
>;

const forms = ["naive", "absorbed"] as const;
const naive = ["naive"] as const;

const sizeOf = (name: keyof MlaShape, options: MlaShape) => check.size(name, options[name]);

function ropeHeadDimOf(options: MlaShape): number {
  const dim = sizeOf("qkRopeHeadDim", options);
  check.even("qkRopeHeadDim", dim);
  return dim;
}

/** 0 for none. */
const qLoraRankOf = (options: MlaShape) =>
  options.qLoraRank === undefined ? 0 : sizeOf("qLoraRank", options);

function checkExtent(cache: LatentCache | KvCache, name: string, given: unknown, wanted: unknown): void {
  if (given !== wanted) {
    throw new RopewalkError("bad_shape", "cache", cache, `one with ${name} ${wanted}, not ${given}`);
  }
}

/** Throws unless a cache is for such a layer. */
function checkCache(
  cache: unknown,
  caller: Caller,
  batch: number,
  nHeads: number,
  kvRank: number,
  rope: number,
  qkDim: number,
  vDim: number,
): asserts cache is LatentCache | KvCache {
  if (!(cache instanceof LatentCache || cache instanceof KvCache)) {
    throw new RopewalkError("bad_type", "cache", cache, "a LatentCache or a KvCache");
  }
  cache.checkOwner(caller);
  checkExtent(cache, "batch", cache.batch, batch);
  if (cache instanceof LatentCache) {
    checkExtent(cache, "kvLoraRank", cache.kvLoraRank, kvRank);
    checkExtent(cache, "qkRopeHeadDim", cache.qkRopeHeadDim, rope);
  } else {
    checkExtent(cache, "nKvHeads", cache.nKvHeads, nHeads);
    checkExtent(cache, "headDim", cache.headDim, qkDim);
    checkExtent(cache, "vHeadDim", cache.vHeadDim, vDim);
    checkExtent(cache, "dtype", cache.dtype, "float32");
  }
}

/** A weight, of `rows` outputs. */
const matrix = (caller: Caller, name: string, given: unknown, rows: number, columns: number) =>
  caller.input("f32", name, given, check.elements(name, rows, columns));

/** What is computed on the way: an array if the caller wants to see it, else the kernel's own room. */
const between = (
  caller: Caller,
  name: string,
  isWanted: boolean,
  batch: number,
  len: number,
  nHeads: number,
  dim: number,
) => caller.scratch("f32", name, check.elements(name, batch, len, nHeads, dim), isWanted);

const latentQueries = ["qAProj", "qALayernorm", "qBProj"] as const;

export function mla<Options extends MlaOptions>(caller: Caller, options: Options): MlaResult<Options> {
  const rope = ropeHeadDimOf(options);
  const hidden = sizeOf("hiddenSize", options);
  const nHeads = sizeOf("nHeads", options);
  const qRank = qLoraRankOf(options);
  const kvRank = sizeOf("kvLoraRank", options);
  const nope = sizeOf("qkNopeHeadDim", options);
  const vDim = sizeOf("vHeadDim", options);
  const qLen = check.size("qLen", options.qLen);
  const batch = batchOf(options);
  const qkDim = nope + rope;
  const latentDim = kvRank + rope;

  const { cache } = options;
  if (cache !== undefined) {
    checkCache(cache, caller, batch, nHeads, kvRank, rope, qkDim, vDim);
    cache.checkRoom("qLen", qLen);
  }
  const keptHeads = cache instanceof KvCache ? cache : undefined;
  const keptLatents = cache instanceof LatentCache ? cache : undefined;
  const form = check.oneOf(
    "form",
    check.or(options.form, keptHeads ? "naive" : "absorbed"),
    keptHeads ? naive : forms,
  );
  const isNaive = form === "naive";
  const kvLen = (cache?.length ?? 0) + qLen;

  const causal = check.boolean("causal", check.or(options.causal, false));
  const softmaxScale = softmaxScaleOf(options);
  const epsilon = check.notNegative("epsilon", check.or(options.epsilon, 1e-6));
  const steps = check.boolean("steps", check.or(options.steps, false));

  const tokens = batch * qLen;
  const x = matrix(caller, "x", options.x, tokens, hidden);
  const qAProj = qRank === 0 ? notGiven : matrix(caller, "qAProj", options.qAProj, qRank, hidden);
  const qALayernorm = qRank === 0 ? notGiven : matrix(caller, "qALayernorm", options.qALayernorm, 1, qRank);
  if (qRank === 0) {
    for (const name of latentQueries) check.absent(name, options[name], "nothing without qLoraRank");
  } else {
    check.absent("qProj", options.qProj, "nothing beside qLoraRank");
  }
  const qBProj =
    qRank === 0
      ? matrix(caller, "qProj", options.qProj, nHeads * qkDim, hidden)
      : matrix(caller, "qBProj", options.qBProj, nHeads * qkDim, qRank);
  const kvAProj = matrix(caller, "kvAProj", options.kvAProj, latentDim, hidden);
  const kvALayernorm = matrix(caller, "kvALayernorm", options.kvALayernorm, 1, kvRank);
  const kvBProj = matrix(caller, "kvBProj", options.kvBProj, nHeads * (nope + vDim), kvRank);
  const oProj = matrix(caller, "oProj", options.oProj, hidden, nHeads * vDim);
  // A row for each token of each sequence, or of one sequence for all.
  const perToken = (options.cos as { length?: unknown } | undefined)?.length === (tokens * rope) / 2;
  const turns = (perToken ? tokens : qLen) * (rope / 2);
  const cos = caller.input("f32", "cos", options.cos, turns);
  const sin = caller.input("f32", "sin", options.sin, turns);

  const latents = keptLatents
    ? keptLatents.floats(caller, 0)
    : between(caller, "latents", steps, batch, qLen, 1, latentDim);
  const qLatent = qRank === 0 ? notGiven : between(caller, "qLatent", steps, batch, qLen, 1, qRank);
  const query = between(caller, "query", steps, batch, qLen, nHeads, qkDim);
  // One head's keys and values at a time, unless all are wanted.
  const key = keptHeads
    ? keptHeads.floats(caller, 0)
    : isNaive
      ? between(caller, "key", steps, steps ? batch : 1, kvLen, steps ? nHeads : 1, qkDim)
      : notGiven;
  const value = keptHeads
    ? keptHeads.floats(caller, 1)
    : isNaive
      ? between(caller, "value", steps, steps ? batch : 1, kvLen, steps ? nHeads : 1, vDim)
      : notGiven;
  const latentQuery = isNaive
    ? notGiven
    : between(caller, "latentQuery", steps, batch, qLen, nHeads, latentDim);
  const latentOut = isNaive ? notGiven : between(caller, "latentOut", steps, batch, qLen, nHeads, kvRank);
  const heads = between(caller, "heads", steps, batch, qLen, nHeads, vDim);

  const out = caller.output("f32", "out", options.out, check.elements("out", tokens, hidden));
  const weights = caller.requested("weights", options.weights, batch, nHeads, qLen, kvLen);
  const scores = caller.requested("scores", options.scores, batch, nHeads, qLen, kvLen);
  const room = caller.module.mla_scratch_size(
    nHeads,
    kvRank,
    nope,
    rope,
    vDim,
    caller.module.MlaForm[form],
    qLen,
    kvLen,
    weights.isGiven,
    keptHeads !== undefined,
  );
  const scratch = caller.scratch("f32", "scratch", check.elements("scratch", room, 1));

  const module = caller.enter();
  caller.check(
    module.mla(
      hidden,
      nHeads,
      qRank,
      kvRank,
      nope,
      rope,
      vDim,
      module.MlaForm[form],
      causal,
      softmaxScale,
      epsilon,
      batch,
      qLen,
      kvLen,
      keptHeads ? qLen : kvLen,
      keptLatents?.capacity ?? qLen,
      keptHeads?.capacity ?? (steps ? kvLen : 0),
      keptHeads !== undefined,
      x.handle,
      qAProj.handle,
      qALayernorm.handle,
      qBProj.handle,
      kvAProj.handle,
      kvALayernorm.handle,
      kvBProj.handle,
      oProj.handle,
      cos.handle,
      sin.handle,
      latents.handle,
      qLatent.handle,
      query.handle,
      key.handle,
      value.handle,
      latentQuery.handle,
      latentOut.handle,
      heads.handle,
      out.handle,
      weights.handle,
      scores.handle,
      scratch.handle,
    ),
  );
  const results = caller.results<Partial<MlaOutputs>>();
  cache?.extend(qLen);
  return (steps ? withSteps(results) : results) as MlaResult<Options>;
}

/** What is computed on the way stands together. */
function withSteps({ out, weights, scores, ...steps }: Partial<MlaOutputs>) {
  return { ...(out && { out }), ...(weights && { weights }), ...(scores && { scores }), steps };
}

/** What {@link Ropewalk.mlaCost} takes. */
export interface MlaCostOptions extends MlaShape {
  /** Which computation. */
  form: MlaForm;
  /**
   * What is kept from call to call: `latent`; or `heads`, all keys and values, of the naive form alone, which then expands
   * the new tokens and no others. `latent` if not given.
   */
  kept?: keyof wasm.MainModule["CacheKind"];
  /** Sequences. 1 if not given. */
  batch?: number;
  /** Tokens that are new, of each sequence. */
  qLen: number;
  /** Those and all before them. qLen if not given. */
  kvLen?: number;
  /** Whether a token sees only itself and those before it. False if not given. */
  causal?: boolean;
}

/** Work of one part of a computation. */
export interface MlaWork {
  /** Of its matrix products. */
  multiplyAdds: number;
  /** Of float32: each tensor that is read, once, and each that is written, once. */
  bytes: number;
}

/** What latent attention costs, by its parts. */
export interface MlaCost {
  /** Hidden state to queries and latents, and heads to output. */
  project: MlaWork;
  /** Naive: W_UK and W_UV on latents. Absorbed: W_UK on queries, W_UV on what was attended to. */
  expand: MlaWork;
  /** query · key, and weights · value. */
  attend: MlaWork;
  /** All together. */
  total: MlaWork;
}

export function mlaCost(caller: Caller, options: MlaCostOptions): MlaCost {
  const rope = ropeHeadDimOf(options);
  const hidden = sizeOf("hiddenSize", options);
  const nHeads = sizeOf("nHeads", options);
  const qRank = qLoraRankOf(options);
  const kvRank = sizeOf("kvLoraRank", options);
  const nope = sizeOf("qkNopeHeadDim", options);
  const vDim = sizeOf("vHeadDim", options);
  const form = check.oneOf("form", options.form, forms);
  const kept = check.oneOf(
    "kept",
    check.or(options.kept, "latent"),
    form === "naive" ? ["latent", "heads"] : ["latent"],
  );
  const batch = batchOf(options);
  const qLen = check.size("qLen", options.qLen);
  const kvLen = check.integer("kvLen", check.or(options.kvLen, qLen), qLen, check.maxElements);
  const causal = check.boolean("causal", check.or(options.causal, false));
  const out = caller.scratch("f64", "cost", 6);
  const module = caller.enter();
  caller.check(
    module.mla_cost(
      hidden,
      nHeads,
      qRank,
      kvRank,
      nope,
      rope,
      vDim,
      module.MlaForm[form],
      module.CacheKind[kept],
      batch,
      qLen,
      kvLen,
      causal,
      out.handle,
    ),
  );
  const work = (i: number): MlaWork => ({
    multiplyAdds: out.view[i] as number,
    bytes: out.view[i + 1] as number,
  });
  const [project, expand, attend] = [work(0), work(2), work(4)];
  const sum = (name: keyof MlaWork) => project[name] + expand[name] + attend[name];
  return { project, expand, attend, total: { multiplyAdds: sum("multiplyAdds"), bytes: sum("bytes") } };
}
