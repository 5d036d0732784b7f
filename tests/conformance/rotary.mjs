// ONNX RotaryEmbedding-23, and onnxruntime's own of before, by engine.applyRope().
import { flag } from "./attention.mjs";
import { CaseError, floats, int32s, readings, valuesOf } from "./tensor.mjs";

export const rotaryEmbedding = {
  domains: ["ai.onnx", "com.microsoft"],
  inputs: ["X", "cos_cache", "sin_cache", "position_ids"],
  attributes: [
    "interleaved",
    "is_packed_batching", // Of onnxruntime's, as `scale` is: how long a cache may be; it changes no result.
    "num_heads",
    "rotary_embedding_dim",
    "scale",
  ],
  outputs: ["Y"],

  *run(engine, { X, cos_cache, sin_cache, position_ids }, attributes) {
    const { interleaved = 0, num_heads, rotary_embedding_dim, scale = 1 } = attributes;
    if (scale !== 1) throw new CaseError(`scale is ${scale}, and the engine has none`);
    const widths = [cos_cache, sin_cache].map((cache) => cache?.shape.at(-1));
    const x = sizes(X, num_heads, rotary_embedding_dim ? undefined : 2 * widths[0]);
    // Without a rotary dimension of its own a head is rotated whole, and a cache says how long it is.
    const whole = widths.map((width) => (width === undefined ? undefined : 2 * width));
    const dims = rotary_embedding_dim
      ? { headDim: [x.headDim], rotaryDim: [rotary_embedding_dim, ...whole] }
      : { headDim: [x.headDim, ...whole] };
    const shapes = [cos_cache, sin_cache].map((cache) => (cache?.shape.length === 3 ? cache.shape : []));
    if (position_ids?.shape.length === 2) shapes.push(position_ids.shape);
    for (const read of readings({
      batch: [x.batch, ...shapes.map(([batch]) => batch)],
      seqLen: [x.seqLen, ...shapes.map(([, seqLen]) => seqLen)],
      nHeads: [num_heads || undefined, x.nHeads],
      ...dims,
    })) {
      const data = engine.applyRope({
        ...read,
        x: floats(X),
        cos: floats(cos_cache),
        sin: floats(sin_cache),
        rows: cos_cache?.shape.slice(0, -1).reduce((product, extent) => product * extent, 1),
        positionIds: positions(position_ids, X, read),
        layout: { false: "half", true: "interleaved" }[flag(interleaved)] ?? interleaved,
        format: X?.shape.length === 4 ? "bhsd" : "bshd",
      });
      yield { outputs: { Y: { shape: X.shape, data } } };
    }
  },
};

/**
 * The sizes of [batch, heads, seq, head_dim], or of [batch, seq, heads * head_dim]; none for another rank.
 */
function sizes(X, numHeads, wholeDim) {
  const shape = X?.shape ?? [];
  if (shape.length === 4) return { batch: shape[0], nHeads: shape[1], seqLen: shape[2], headDim: shape[3] };
  if (shape.length !== 3) return {};
  const [batch, seqLen, hidden] = shape;
  const headDim = numHeads ? hidden / numHeads : wholeDim;
  return { batch, seqLen, headDim, nHeads: hidden / headDim };
}

/** The row of each token: as given, or one after the other from the one number that is given. */
function positions(tensor, X, { batch, seqLen }) {
  if (tensor === undefined) return undefined;
  const given = valuesOf(tensor);
  const tokens = batch * seqLen;
  // A shape may claim more tokens than there is memory for.
  const first = tensor.shape.length === 1 && given.length === 1 && tokens <= X.data.length;
  return int32s(first ? Array.from({ length: tokens }, (_, token) => given[0] + (token % seqLen)) : given);
}
