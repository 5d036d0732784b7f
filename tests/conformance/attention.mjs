// ONNX Attention-23 to -25 by engine.attention(), and once more through a cache where there are tokens past.
import { bytes, floats, int32s, isBool, readings, swapMiddle, valuesOf } from "./tensor.mjs";

export const attention = {
  domains: ["ai.onnx"],
  inputs: ["Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen"],
  attributes: [
    "is_causal",
    "kv_num_heads",
    "left_window_size",
    "q_num_heads",
    "qk_matmul_output_mode",
    "right_window_size",
    "scale",
    "softcap",
    "softmax_precision", // Float32 is what the engine has; what another would come to is within the tolerance.
  ],
  outputs: ["Y", "present_key", "present_value", "qk_matmul_output"],

  *run(engine, inputs, attributes, wanted) {
    const { Q, K, V, past_key, past_value } = inputs;
    const past = past_key?.shape[2] === 0 && past_value?.shape[2] === 0 ? {} : { past_key, past_value };
    const q = sizes(Q, attributes.q_num_heads);
    const k = sizes(K, attributes.kv_num_heads);
    const v = sizes(V, attributes.kv_num_heads);
    const pk = sizes(past.past_key);
    const pv = sizes(past.past_value);
    // What a query and its keys come with, whether the keys are at hand or in a cache.
    const options = {
      query: floats(Q),
      ...seen(inputs, attributes),
      softmaxScale: attributes.scale,
      softcap: attributes.softcap,
      ...shown(attributes, wanted),
    };
    for (const read of readings({
      batch: [q.batch, k.batch, v.batch, pk.batch, pv.batch],
      nHeads: [attributes.q_num_heads || undefined, q.heads],
      nKvHeads: [attributes.kv_num_heads || undefined, k.heads, v.heads, pk.heads, pv.heads],
      qLen: [q.len],
      kvLen: [k.len, v.len],
      pastLen: [pk.len, pv.len],
      headDim: [q.dim, k.dim, pk.dim],
      vHeadDim: [v.dim, pv.dim],
    })) {
      yield* answers(engine, inputs, past, options, read);
    }
  },
};

function* answers(engine, { Q, K, V, nonpad_kv_seqlen }, { past_key, past_value }, options, read) {
  const { batch, nHeads, nKvHeads, qLen, kvLen, pastLen, headDim, vHeadDim } = read;
  // [batch, len, heads * dim], or [batch, heads, len, dim]; what is past, and what is present after, are
  // always the latter.
  const format = Q?.shape.length === 4 ? "bhsd" : "bshd";
  const toFormat = (data, shape) => (format === "bshd" ? swapMiddle(data, shape) : data);
  const fromFormat = (data, dim, len) =>
    format === "bshd" ? swapMiddle(data, [batch, len, nKvHeads, dim]) : data;

  const key = floats(K);
  const value = floats(V);
  const pastKey = toFormat(floats(past_key), past_key?.shape);
  const pastValue = toFormat(floats(past_value), past_value?.shape);
  const total = kvLen + (pastLen ?? 0);
  const outputs = ({ out, weights, scores }, presentKey, presentValue) => ({
    Y: {
      shape: format === "bhsd" ? [batch, nHeads, qLen, vHeadDim] : [batch, qLen, nHeads * vHeadDim],
      data: out,
    },
    present_key: {
      shape: [batch, nKvHeads, total, headDim],
      data: fromFormat(presentKey, headDim, total),
    },
    present_value: {
      shape: [batch, nKvHeads, total, vHeadDim],
      data: fromFormat(presentValue, vHeadDim, total),
    },
    qk_matmul_output: { shape: [batch, nHeads, qLen, total], data: weights ?? scores },
  });

  const answer = engine.attention({
    ...options,
    format,
    ...read,
    key,
    value,
    pastKey,
    pastValue,
    kvLens: nonpad_kv_seqlen && int32s(valuesOf(nonpad_kv_seqlen)),
  });
  yield { outputs: outputs(answer, answer.presentKey ?? key, answer.presentValue ?? value) };

  if (pastLen === undefined || nonpad_kv_seqlen) return;
  const cache = engine.kvCache({ batch, capacity: total + 1, nKvHeads, headDim, vHeadDim, format });
  try {
    cache.append({ key: pastKey, value: pastValue, len: pastLen });
    cache.append({ key, value, len: kvLen });
    const present = cache.read();
    const cached = engine.attention({ ...options, nHeads, qLen, cache, queryOffset: pastLen });
    yield { how: "cached", outputs: outputs(cached, present.key, present.value) };
  } finally {
    cache.delete();
  }
}

/**
 * The sizes that a tensor says, of rank 4, or of rank 3 with so many heads side by side; none for another
 * rank.
 */
function sizes(tensor, nHeads) {
  const shape = tensor?.shape;
  if (shape?.length === 4) return { batch: shape[0], heads: shape[1], len: shape[2], dim: shape[3] };
  if (shape?.length === 3) return { batch: shape[0], len: shape[1], dim: shape[2] / nHeads };
  return {};
}

/** Which keys are seen, and what is added to their scores. */
function seen({ attn_mask }, { is_causal, left_window_size, right_window_size }) {
  const which = {
    causal: flag(is_causal),
    leftWindowSize: left_window_size,
    rightWindowSize: right_window_size,
  };
  if (attn_mask === undefined) return which;
  return isBool(attn_mask)
    ? { ...which, mask: bytes(attn_mask), maskShape: attn_mask.shape }
    : { ...which, bias: floats(attn_mask), biasShape: attn_mask.shape };
}

/** What is returned besides the output itself. */
function shown({ qk_matmul_output_mode: mode = 0 }, wanted) {
  if (!wanted.has("qk_matmul_output") && mode === 0) return {};
  if (mode === 3) return { weights: true };
  return { scores: true, scoreStage: ["raw", "softcapped", "masked"][mode] ?? mode };
}

/** An attribute 0 or 1 as a boolean; anything else as it is. */
export const flag = (value) => ({ 0: false, 1: true })[value] ?? value;
