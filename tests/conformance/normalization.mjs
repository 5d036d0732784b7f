// ONNX RMSNormalization-23 by engine.rmsNorm(), and Softmax by engine.softmax().
import { axisOf, broadcast, floats, product } from "./tensor.mjs";

export const rmsNormalization = {
  domains: ["ai.onnx"],
  inputs: ["X", "scale"],
  attributes: ["axis", "epsilon", "stash_type"], // The engine sums in double, whatever the stash type is.
  outputs: ["Y"],

  *run(engine, { X, scale }, { axis = -1, epsilon = 1e-5 }) {
    const shape = X?.shape ?? [];
    const first = axisOf(axis, shape);
    const rows = first === undefined ? undefined : product(shape.slice(0, first));
    const dim = first === undefined ? undefined : product(shape.slice(first));
    const x = floats(X);
    const weight = floats(scale);
    const weights = scale && broadcast(weight, scale.shape, shape);
    // A scale that reaches beyond the normalized axes gives each row weights of its own.
    const one = !weights || weights.every((w, i) => Object.is(w, weights[i % dim]));
    const data = one
      ? engine.rmsNorm({ x, rows, dim, epsilon, weight: weights ? weights.subarray(0, dim) : weight })
      : new Float32Array(x.length);
    if (!one) {
      for (let at = 0; at < x.length; at += dim) {
        const row = { x: x.subarray(at, at + dim), weight: weights.subarray(at, at + dim) };
        data.set(engine.rmsNorm({ ...row, rows: 1, dim, epsilon }), at);
      }
    }
    yield { outputs: { Y: { shape, data } } };
  },
};

export const softmax = {
  domains: ["ai.onnx"],
  inputs: ["input"],
  attributes: ["axis"],
  outputs: ["output"],

  *run(engine, { input }, { axis }, _wanted, opset) {
    const shape = input?.shape ?? [];
    // Before opset 13 all axes from this one on were summed over together.
    const together = opset < 13;
    const at = axisOf(axis ?? (together ? 1 : -1), shape);
    const data = engine.softmax({
      x: floats(input),
      outer: at === undefined ? undefined : product(shape.slice(0, at)),
      size: at === undefined ? undefined : product(together ? shape.slice(at) : [shape[at]]),
      inner: at === undefined ? undefined : product(together ? [] : shape.slice(at + 1)),
    });
    yield { outputs: { output: { shape, data } } };
  },
};
