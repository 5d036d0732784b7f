/** Multi-head latent attention: checks of its many tensors, the call, and what it costs. */
import type { F32Buffer } from "./buffers.js";
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type * as wasm from "./generated/ropewalk.mjs";
import { KvCache } from "./kv_cache.js";
import { LatentCache } from "./latent_cache.js";
import type { Asked, Flat, Unless } from "./results.js";
import {
  type Caller,
  changed,
  type F32Tensor,
  input,
  output,
  requested,
  type Slot,
  scratch,
} from "./tensors.js";

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
  /** Whether the weights are wanted too, [batch, nHeads, qLen, keys], or the buffer for them. */
  weights?: boolean | F32Buffer;
  /** Whether the scores are wanted too, [batch, nHeads, qLen, keys], or the buffer for them: -∞ where a key is not seen. */
  scores?: boolean | F32Buffer;
  /** Whether what is computed on the way is wanted too. */
  steps?: boolean;
  /** The buffer for the result. */
  out?: F32Buffer;
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

/** What such options give back: `out` and whatever was asked for, less what went into a buffer. */
export type MlaResult<Options> = Flat<
  Unless<MlaOutputs, Options, "out"> &
    Asked<MlaOutputs, Options, "weights"> &
    Asked<MlaOutputs, Options, "scores"> &
    Asked<MlaOutputs, Options, "steps">
>;

const forms = ["naive", "absorbed"] as const;

function shapeOf(options: MlaShape) {
  const size = (name: keyof MlaShape) => check.size(name, options[name]);
  const rope = size("qkRopeHeadDim");
  check.even("qkRopeHeadDim", rope);
  return {
    hidden_size: size("hiddenSize"),
    n_heads: size("nHeads"),
    q_lora_rank: options.qLoraRank === undefined ? 0 : size("qLoraRank"),
    kv_lora_rank: size("kvLoraRank"),
    qk_nope_head_dim: size("qkNopeHeadDim"),
    qk_rope_head_dim: rope,
    v_head_dim: size("vHeadDim"),
  };
}

/** Throws unless a cache is for such a layer. */
function checkCache(cache: unknown, caller: Caller, wanted: Record<string, number | string>): void {
  if (!(cache instanceof LatentCache || cache instanceof KvCache)) {
    throw new RopewalkError("bad_type", "cache", cache, "a LatentCache or a KvCache");
  }
  cache.checkOwner(caller);
  for (const [name, value] of Object.entries(wanted)) {
    const given = (cache as unknown as Record<string, unknown>)[name];
    if (given !== undefined && given !== value) {
      throw new RopewalkError("bad_shape", "cache", cache, `one with ${name} ${value}, not ${given}`);
    }
  }
}

export function mla<Options extends MlaOptions>(caller: Caller, options: Options) {
  check.record(options);
  const shape = shapeOf(options);
  const qLen = check.size("qLen", options.qLen);
  const batch = check.size("batch", check.or(options.batch, 1));
  const { hidden_size: hidden, n_heads: nHeads, q_lora_rank: qRank, kv_lora_rank: kvRank } = shape;
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, v_head_dim: vDim } = shape;
  const qkDim = nope + rope;
  const latentDim = kvRank + rope;

  const { cache } = options;
  if (cache !== undefined) {
    // Names that a cache of the other kind does not have are not compared.
    const heads = { nKvHeads: nHeads, headDim: qkDim, vHeadDim: vDim, format: "bshd" };
    checkCache(cache, caller, { batch, kvLoraRank: kvRank, qkRopeHeadDim: rope, ...heads });
    cache.checkRoom("qLen", qLen);
  }
  const keptHeads = cache instanceof KvCache ? cache : undefined;
  const keptLatents = cache instanceof LatentCache ? cache : undefined;
  const form = check.oneOf(
    "form",
    check.or(options.form, keptHeads ? "naive" : "absorbed"),
    keptHeads ? ["naive"] : forms,
  );
  const isNaive = form === "naive";
  const kvLen = (cache?.length ?? 0) + qLen;

  const causal = check.boolean("causal", check.or(options.causal, false));
  const softmaxScale = check.finiteF32("softmaxScale", check.or(options.softmaxScale, 1 / Math.sqrt(qkDim)));
  const epsilon = check.notNegative("epsilon", check.or(options.epsilon, 1e-6));
  const steps = check.boolean("steps", check.or(options.steps, false));

  const tokens = batch * qLen;
  const matrix = (name: keyof MlaOptions, rows: number, columns: number) =>
    input("f32", name, options[name], check.elements(name, rows, columns));
  const latentQueries = ["qAProj", "qALayernorm", "qBProj"] as const;
  if (qRank === 0) {
    for (const name of latentQueries) check.absent(name, options[name], "nothing without qLoraRank");
  } else {
    check.absent("qProj", options.qProj, "nothing beside qLoraRank");
  }
  // A row for each token of each sequence, or of one sequence for all.
  const perToken = (options.cos as { length?: unknown } | undefined)?.length === (tokens * rope) / 2;
  const turns = (perToken ? tokens : qLen) * (rope / 2);
  // What the caller wants to see goes out as an array; else it is the kernel's own room.
  const step = (name: string, ...extents: number[]): Slot<"f32"> => ({
    ...scratch("f32", check.elements(name, ...extents)),
    written: steps,
  });
  const rows = (name: string) => () => check.elements(name, batch, nHeads, qLen, kvLen);
  const weights = requested("f32", "weights", options.weights, rows("weights"));
  const room = caller.ask((module) => module.attention_scratch_size(kvLen));
  // One head's room at a time, unless all is wanted.
  const expanded = steps ? [batch, kvLen, nHeads] : [kvLen];
  const slots = {
    x: matrix("x", tokens, hidden),
    qAProj: qRank === 0 ? undefined : matrix("qAProj", qRank, hidden),
    qALayernorm: qRank === 0 ? undefined : matrix("qALayernorm", 1, qRank),
    qProj: qRank === 0 ? matrix("qProj", nHeads * qkDim, hidden) : undefined,
    qBProj: qRank === 0 ? undefined : matrix("qBProj", nHeads * qkDim, qRank),
    kvAProj: matrix("kvAProj", latentDim, hidden),
    kvALayernorm: matrix("kvALayernorm", 1, kvRank),
    kvBProj: matrix("kvBProj", nHeads * (nope + vDim), kvRank),
    oProj: matrix("oProj", hidden, nHeads * vDim),
    cos: input("f32", "cos", options.cos, turns),
    sin: input("f32", "sin", options.sin, turns),
    latents: keptLatents
      ? changed("f32", "cache", keptLatents.buffer(0))
      : step("latents", batch, qLen, latentDim),
    qLatent: qRank === 0 ? undefined : step("qLatent", tokens, qRank),
    query: step("query", tokens, nHeads, qkDim),
    key: keptHeads
      ? changed("f32", "cache", keptHeads.buffer(0))
      : isNaive
        ? step("key", ...expanded, qkDim)
        : undefined,
    value: keptHeads
      ? changed("f32", "cache", keptHeads.buffer(1))
      : isNaive
        ? step("value", ...expanded, vDim)
        : undefined,
    latentQuery: isNaive ? undefined : step("latentQuery", tokens, nHeads, latentDim),
    latentOut: isNaive ? undefined : step("latentOut", tokens, nHeads, kvRank),
    heads: step("heads", tokens, nHeads, vDim),
    out: output("f32", "out", options.out, check.elements("out", tokens, hidden)),
    weights,
    scores: requested("f32", "scores", options.scores, rows("scores")),
    scratch: weights === undefined ? scratch("f32", check.elements("scratch", room)) : undefined,
  };
  const results = caller.call(slots, (module, b) =>
    module.mla(
      shape,
      { form: module.MlaForm[form], causal, softmax_scale: softmaxScale, epsilon },
      {
        batch,
        q_len: qLen,
        kv_len: kvLen,
        latent_len: keptHeads ? qLen : kvLen,
        latent_capacity: keptLatents?.capacity ?? qLen,
        expanded_capacity: keptHeads?.capacity ?? (steps ? kvLen : 0),
      },
      b.x,
      b.qAProj,
      b.qALayernorm,
      (b.qProj ?? b.qBProj) as wasm.F32Buffer,
      b.kvAProj,
      b.kvALayernorm,
      b.kvBProj,
      b.oProj,
      b.cos,
      b.sin,
      b.latents,
      b.qLatent,
      b.query,
      b.key,
      b.value,
      b.latentQuery,
      b.latentOut,
      b.heads,
      b.out,
      b.weights,
      b.scores,
      b.scratch,
    ),
  );
  cache?.extend(qLen);
  const { out, weights: rowsOut, scores, ...between } = results;
  return {
    ...(out && { out }),
    ...(rowsOut && { weights: rowsOut }),
    ...(scores && { scores }),
    ...(steps && { steps: between }),
  } as unknown as MlaResult<Options>;
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
  check.record(options);
  const shape = shapeOf(options);
  const form = check.oneOf("form", options.form, forms);
  const kept = check.oneOf(
    "kept",
    check.or(options.kept, "latent"),
    form === "naive" ? ["latent", "heads"] : ["latent"],
  );
  const batch = check.size("batch", check.or(options.batch, 1));
  const qLen = check.size("qLen", options.qLen);
  const kvLen = check.integer("kvLen", check.or(options.kvLen, qLen), qLen, check.maxElements);
  const causal = check.boolean("causal", check.or(options.causal, false));
  const parts = caller.ask((module) =>
    module.mla_cost(shape, module.MlaForm[form], module.CacheKind[kept], batch, qLen, kvLen, causal),
  );
  const work = ({ multiply_adds: multiplyAdds, bytes }: wasm.MlaWork): MlaWork => ({ multiplyAdds, bytes });
  const [project, expand, attend] = [parts.project, parts.expand, parts.attend].map(work) as [
    MlaWork,
    MlaWork,
    MlaWork,
  ];
  const sum = (name: keyof MlaWork) => project[name] + expand[name] + attend[name];
  return { project, expand, attend, total: { multiplyAdds: sum("multiplyAdds"), bytes: sum("bytes") } };
}
