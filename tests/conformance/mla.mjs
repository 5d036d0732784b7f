// DeepSeek's multi-head latent attention (arXiv:2405.04434, section 2.1), naive and absorbed, put together
// from calls of the engine. Between them numbers are moved, never computed.
import { double } from "./scaling.mjs";
import { CaseError, describe, floats, swapMiddle } from "./tensor.mjs";
import { toleranceOf } from "./verdict.mjs";

const defaultTolerance = [1e-4, 1e-5];

/** What a step has besides its tensors. */
const words = ["kind", "start_pos", "positions", "mask", "x"];

/** What each form of a step is held to, by the names of what it gives. */
const forms = {
  naive: {
    output_naive: "output",
    q_pe_rotated_f64ref: "qPe",
    attn_probs_f64ref: "weights",
    k_cache_naive_after: "key",
    v_cache_naive_after: "value",
  },
  absorbed: {
    output_absorb: "output",
    q_pe_rotated_f64ref: "qPe",
    attn_probs_f64ref: "weights",
    kv_cache_after: "latent",
    pe_cache_after: "kPe",
  },
};

/** The steps of a case one after the other, on one cache. */
export const inForm = (form) => (engine, given, context, verdict) => {
  const tolerance = toleranceOf(given.tolerance ?? context.suggested_tolerance, defaultTolerance);
  const model = readModel(given);
  const { attend, cache } = form === "naive" ? naive(engine, model) : absorbed(engine, model);
  const held = forms[form];
  const others = Object.values(forms).flatMap(Object.keys);
  try {
    for (const [i, step] of given.steps.entries()) {
      const unknown = Object.keys(step).find((name) => !words.includes(name) && !others.includes(name));
      if (unknown !== undefined) throw new CaseError(`unknown part ${describe(unknown)} of step ${i}`);
      verdict.require(cache.length === step.start_pos, `step ${i} begins at ${cache.length}`);
      const results = takeStep(engine, model, step, attend, cache);
      for (const [name, of] of Object.entries(held)) {
        if (step[name] !== undefined)
          verdict.holdTensor(`step ${i}: ${name}`, results[of], step[name], tolerance);
      }
    }
  } finally {
    cache.delete();
  }
};

/** The frequencies and the softmax scale of a case, from its configuration in the words of Hugging Face. */
export function modelFrequencies(engine, { config, inv_freq, softmax_scale }, _context, verdict) {
  const { rope_theta, yarn_active, mscale } = config;
  const scaled = {
    rope_type: "yarn",
    factor: config.rope_factor,
    original_max_position_embeddings: config.original_seq_len,
    beta_fast: config.beta_fast,
    beta_slow: config.beta_slow,
    mscale,
    mscale_all_dim: mscale,
  };
  const { invFreq, attentionFactor, softmaxFactor } = engine.ropeFromConfig({
    config: {
      head_dim: config.qk_rope_head_dim,
      max_position_embeddings: config.max_seq_len,
      rope_parameters: { rope_theta, ...(yarn_active ? scaled : { rope_type: "default" }) },
    },
  });
  verdict.hold("inv_freq", invFreq, inv_freq, [2e-6, 0]); // They are computed in float32.
  verdict.hold("attention factor", [attentionFactor], [1], double);
  const scale = softmaxFactor / Math.sqrt(config.qk_nope_head_dim + config.qk_rope_head_dim);
  verdict.hold("softmax_scale", [scale], [softmax_scale], double);
}

/** A case's sizes and weights in the engine's words. */
function readModel({ config, weights, inv_freq, softmax_scale, steps }) {
  const known = ["wq", "wq_a", "q_norm", "wq_b", "wkv_a", "kv_norm", "wkv_b", "wo"];
  const unknown = weights.find(({ name }) => !known.includes(name));
  if (unknown) throw new CaseError(`unknown weights ${describe(unknown.name)}`);
  return {
    batch: config.batch,
    dim: config.dim,
    nHeads: config.n_heads,
    qRank: config.q_lora_rank,
    kvRank: config.kv_lora_rank,
    nope: config.qk_nope_head_dim,
    rope: config.qk_rope_head_dim,
    vDim: config.v_head_dim,
    epsilon: config.rms_eps,
    softmaxScale: softmax_scale,
    invFreq: Float64Array.from(Float32Array.from(inv_freq)),
    capacity: steps.reduce((sum, { x }) => sum + x.shape[1], 0),
    weights: Object.fromEntries(weights.map((tensor) => [tensor.name, floats(tensor)])),
  };
}

/** What both forms begin and end with; `attend` is what is between. */
function takeStep(engine, model, { x: tensor, positions, mask }, attend, cache) {
  const { batch, dim, nHeads, qRank, kvRank, nope, rope, vDim, epsilon, weights } = model;
  const [, seqLen] = tensor.shape;
  const rows = batch * seqLen;
  const x = floats(tensor);
  const linear = (data, inDim, weight, outDim) => engine.linear({ x: data, weight, rows, inDim, outDim });
  const norm = (data, size, weight) => engine.rmsNorm({ x: data, rows, dim: size, weight, epsilon });
  const { cos, sin } = engine.buildRopeCache({
    positionIds: Int32Array.from(positions),
    invFreq: model.invFreq,
  });
  const turn = (data, heads) =>
    engine.applyRope({
      ...{ x: data, cos, sin, layout: "interleaved", batch, seqLen },
      nHeads: heads,
      headDim: rope,
    });

  const qDim = nHeads * (nope + rope);
  const query = qRank
    ? linear(norm(linear(x, dim, weights.wq_a, qRank), qRank, weights.q_norm), qRank, weights.wq_b, qDim)
    : linear(x, dim, weights.wq, qDim);
  const qNope = columns(query, nope + rope, 0, nope);
  const qPe = turn(columns(query, nope + rope, nope, nope + rope), nHeads);

  const latentAndPe = linear(x, dim, weights.wkv_a, kvRank + rope);
  const latent = norm(columns(latentAndPe, kvRank + rope, 0, kvRank), kvRank, weights.kv_norm);
  const kPe = turn(columns(latentAndPe, kvRank + rope, kvRank, kvRank + rope), 1);

  const how = {
    qLen: seqLen,
    nHeads,
    causal: isCausal(mask),
    softmaxScale: model.softmaxScale,
    weights: true,
  };
  const { heads, weights: probabilities, cached } = attend({ rows, seqLen, qNope, qPe, latent, kPe, how });
  const kvLen = cache.length;
  return {
    output: { shape: [batch, seqLen, dim], data: linear(heads, nHeads * vDim, weights.wo, dim) },
    qPe: { shape: [batch, seqLen, nHeads, rope], data: qPe },
    weights: {
      shape: [batch, seqLen, nHeads, kvLen],
      data: swapMiddle(probabilities, [batch, nHeads, seqLen, kvLen]),
    },
    ...cached,
  };
}

/** Keys and values of all heads are made from the latent, and cached. */
function naive(engine, { batch, nHeads, kvRank, nope, rope, vDim, capacity, weights }) {
  const headDim = nope + rope;
  const cache = engine.kvCache({ batch, capacity, nKvHeads: nHeads, headDim, vHeadDim: vDim });
  const attend = ({ rows, seqLen, qNope, qPe, latent, kPe, how }) => {
    const outDim = nHeads * (nope + vDim);
    const keysAndValues = engine.linear({ x: latent, weight: weights.wkv_b, rows, inDim: kvRank, outDim });
    const kNope = columns(keysAndValues, nope + vDim, 0, nope);
    const value = columns(keysAndValues, nope + vDim, nope, nope + vDim);
    const kPeOfAll = beside(...Array.from({ length: nHeads }, () => [kPe, rope]));
    cache.append({ key: beside([kNope, nope], [kPeOfAll, rope]), value, len: seqLen });
    const answer = engine.attention({ ...how, cache, query: beside([qNope, nope], [qPe, rope]) });
    const present = cache.read();
    return {
      heads: answer.out,
      weights: answer.weights,
      cached: {
        key: { shape: [batch, cache.length, nHeads, headDim], data: present.key },
        value: { shape: [batch, cache.length, nHeads, vDim], data: present.value },
      },
    };
  };
  return { attend, cache };
}

/**
 * The latent is key and value of all heads: what makes keys of it is moved to the query, what makes values to
 * the output.
 */
function absorbed(engine, { batch, nHeads, kvRank, nope, rope, vDim, capacity, weights }) {
  const headDim = kvRank + rope;
  const cache = engine.kvCache({ batch, capacity, nKvHeads: 1, headDim, vHeadDim: kvRank });
  const perHead = (nope + vDim) * kvRank; // [nope + v_dim, kv_rank] of each head
  const ofHead = (head, from, to) =>
    weights.wkv_b.subarray(head * perHead + from * kvRank, head * perHead + to * kvRank);
  const attend = ({ rows, seqLen, qNope, qPe, latent, kPe, how }) => {
    /** A linear map of its own for each head, of x [rows, n_heads, inDim]. */
    const byHead = (x, inDim, outDim, weight) =>
      beside(
        ...Array.from({ length: nHeads }, (_, head) => {
          const part = columns(x, nHeads * inDim, head * inDim, (head + 1) * inDim);
          return [engine.linear({ x: part, weight: weight(head), rows, inDim, outDim }), outDim];
        }),
      );
    const qLatent = byHead(qNope, nope, kvRank, (head) =>
      swapMiddle(ofHead(head, 0, nope), [1, nope, kvRank, 1]),
    );
    cache.append({ key: beside([latent, kvRank], [kPe, rope]), value: latent, len: seqLen });
    const answer = engine.attention({ ...how, cache, query: beside([qLatent, kvRank], [qPe, rope]) });
    const present = cache.read();
    return {
      heads: byHead(answer.out, kvRank, vDim, (head) => ofHead(head, nope, nope + vDim)),
      weights: answer.weights,
      cached: {
        latent: { shape: [batch, cache.length, kvRank], data: columns(present.key, headDim, 0, kvRank) },
        kPe: { shape: [batch, cache.length, rope], data: columns(present.key, headDim, kvRank, headDim) },
      },
    };
  };
  return { attend, cache };
}

function isCausal(mask) {
  if (/^(causal|none)\b/.test(mask)) return mask.startsWith("causal");
  throw new CaseError(`unknown mask ${describe(mask)}`);
}

/** Columns from, …, to - 1 of rows that are `width` wide. */
function columns(data, width, from, to) {
  const rows = data.length / width;
  const taken = new Float32Array(rows * (to - from));
  for (let row = 0; row < rows; row++)
    taken.set(data.subarray(row * width + from, row * width + to), row * (to - from));
  return taken;
}

/** Rows side by side, of [data, width] each. */
function beside(...parts) {
  const width = parts.reduce((sum, [, columns]) => sum + columns, 0);
  const rows = parts[0][0].length / parts[0][1];
  const joined = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    let at = row * width;
    for (const [data, columns] of parts) {
      joined.set(data.subarray(row * columns, (row + 1) * columns), at);
      at += columns;
    }
  }
  return joined;
}
