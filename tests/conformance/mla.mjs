// DeepSeek's multi-head latent attention (arXiv:2405.04434, section 2.1), naive and absorbed.
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

/**
 * The steps of a case one after the other, on one cache: of all heads' keys and values for the naive form, of latents for
 * the absorbed one. And once more on latents in both forms, which then take turns.
 */
export const inForm = (form) => (engine, given, context, verdict) => {
  const tolerance = toleranceOf(given.tolerance ?? context.suggested_tolerance, defaultTolerance);
  const model = readModel(given);
  const { batch, capacity, layer } = model;
  const headDim = layer.qkNopeHeadDim + layer.qkRopeHeadDim;
  const held = forms[form];
  const others = Object.values(forms).flatMap(Object.keys);
  const latents = () => engine.latentCache({ batch, capacity, ...layer });
  const caches = {
    naive: engine.kvCache({ batch, capacity, nKvHeads: layer.nHeads, headDim, vHeadDim: layer.vHeadDim }),
    absorbed: latents(),
    "naive, expanded anew": latents(),
  };
  try {
    for (const [i, step] of given.steps.entries()) {
      const unknown = Object.keys(step).find((name) => !words.includes(name) && !others.includes(name));
      if (unknown !== undefined) throw new CaseError(`unknown part ${describe(unknown)} of step ${i}`);
      const cache = caches[form];
      verdict.require(cache.length === step.start_pos, `step ${i} begins at ${cache.length}`);
      const results = takeStep(engine, model, step, form, cache);
      for (const [name, of] of Object.entries(held)) {
        if (step[name] !== undefined)
          verdict.holdTensor(`step ${i}: ${name}`, results[of], step[name], tolerance);
      }
      if (form === "naive") {
        const anew = takeStep(engine, model, step, form, caches["naive, expanded anew"]);
        for (const name of ["output_naive", "k_cache_naive_after", "v_cache_naive_after"]) {
          if (step[name] !== undefined)
            verdict.holdTensor(`step ${i}: ${name}, expanded anew`, anew[held[name]], step[name], tolerance);
        }
      }
    }
  } finally {
    for (const cache of Object.values(caches)) cache.delete();
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
  const known = {
    wq: "qProj",
    wq_a: "qAProj",
    q_norm: "qALayernorm",
    wq_b: "qBProj",
    wkv_a: "kvAProj",
    kv_norm: "kvALayernorm",
    wkv_b: "kvBProj",
    wo: "oProj",
  };
  const unknown = weights.find(({ name }) => !Object.hasOwn(known, name));
  if (unknown) throw new CaseError(`unknown weights ${describe(unknown.name)}`);
  return {
    batch: config.batch,
    capacity: steps.reduce((sum, { x }) => sum + x.shape[1], 0),
    layer: {
      hiddenSize: config.dim,
      nHeads: config.n_heads,
      ...(config.q_lora_rank && { qLoraRank: config.q_lora_rank }),
      kvLoraRank: config.kv_lora_rank,
      qkNopeHeadDim: config.qk_nope_head_dim,
      qkRopeHeadDim: config.qk_rope_head_dim,
      vHeadDim: config.v_head_dim,
      epsilon: config.rms_eps,
      softmaxScale: softmax_scale,
      ...Object.fromEntries(weights.map((tensor) => [known[tensor.name], floats(tensor)])),
    },
    invFreq: Float64Array.from(Float32Array.from(inv_freq)),
  };
}

function takeStep(engine, { batch, layer, invFreq }, { x: tensor, positions, mask }, form, cache) {
  const [, qLen] = tensor.shape;
  const { nHeads, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim, hiddenSize } = layer;
  const qkDim = nope + rope;
  const { cos, sin } = engine.buildRopeCache({ positionIds: Int32Array.from(positions), invFreq });
  const { out, weights, steps } = engine.mla({
    ...layer,
    ...{ batch, qLen, cos, sin, form, cache, causal: isCausal(mask) },
    x: floats(tensor),
    weights: true,
    steps: true,
  });
  const kvLen = cache.length;
  const held = cache.read();
  const { key, value } = held instanceof Float32Array ? steps : held;
  const tensorOf = (data, ...shape) => ({ data, shape });
  return {
    output: tensorOf(out, batch, qLen, hiddenSize),
    qPe: tensorOf(columns(steps.query, qkDim, nope, qkDim), batch, qLen, nHeads, rope),
    weights: tensorOf(swapMiddle(weights, [batch, nHeads, qLen, kvLen]), batch, qLen, nHeads, kvLen),
    key: key && tensorOf(key, batch, kvLen, nHeads, qkDim),
    value: value && tensorOf(value, batch, kvLen, nHeads, vHeadDim),
    ...(held instanceof Float32Array && {
      latent: tensorOf(columns(held, kvLoraRank + rope, 0, kvLoraRank), batch, kvLen, kvLoraRank),
      kPe: tensorOf(columns(held, kvLoraRank + rope, kvLoraRank, kvLoraRank + rope), batch, kvLen, rope),
    }),
  };
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
