// ONNX TensorScatter-24 by engine.writeCache().
import { axisOf, floats, int32s, product, readings, valuesOf } from "./tensor.mjs";

export const tensorScatter = {
  domains: ["ai.onnx"],
  inputs: ["past_cache", "update", "write_indices"],
  attributes: ["axis", "mode"],
  outputs: ["present_cache"],

  *run(engine, { past_cache, update, write_indices }, { axis = -2, mode = "linear" }) {
    const cache = sizes(past_cache, axis);
    const rows = sizes(update, axis);
    for (const read of readings({
      batch: [cache.batch, rows.batch],
      outer: [cache.outer, rows.outer],
      inner: [cache.inner, rows.inner],
      capacity: [cache.len],
      rows: [rows.len],
    })) {
      const data = engine.writeCache({
        ...read,
        cache: floats(past_cache),
        update: floats(update),
        writeIndices: write_indices && int32s(valuesOf(write_indices)),
        circular: { linear: false, circular: true }[mode] ?? mode,
      });
      yield { outputs: { present_cache: { shape: past_cache.shape, data } } };
    }
  },
};

/** The sizes on either side of an axis; none where it is none, or the batch. */
function sizes(tensor, axis) {
  const shape = tensor?.shape ?? [];
  const at = axisOf(axis, shape);
  if (!at) return {};
  return {
    batch: shape[0],
    outer: product(shape.slice(1, at)),
    len: shape[at],
    inner: product(shape.slice(at + 1)),
  };
}
