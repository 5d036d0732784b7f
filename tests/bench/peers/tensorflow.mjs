// TensorFlow.js on its backend for WebAssembly, with SIMD and one thread, operator by operator.
import * as backend from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { headsFirst } from "../inputs.mjs";
import { causalMask, rotationByProduct } from "./constants.mjs";

export async function load(platform) {
  backend.setWasmPaths(platform.file("@tensorflow/tfjs-backend-wasm/dist/"));
  // Where the page may have threads it would take them.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");
  await tf.ready();
  return {
    name: "TensorFlow.js",
    contenders: (workload, inputs) => byKind[workload.kind]?.(workload, inputs) ?? [],
  };
}

const byKind = {
  rope: (workload, inputs) => [rope(workload, inputs)],
  attention: (workload, inputs) => [
    { variant: "all heads at once", ...attention(workload, inputs, allHeads) },
    { variant: "head by head", ...attention(workload, inputs, headByHead) },
  ],
};

/** [len, nHeads, headDim] as a tensor [nHeads, len, headDim], of which its kernels make the most. */
function headsOf(x, len, { nHeads, headDim }) {
  const data = headsFirst(x, { len, nHeads, headDim });
  return { make: () => tf.tensor(data, [nHeads, len, headDim]) };
}

/**
 * `compute` gives tensors from tensors. Those of `feeds` are made of arrays for each run, and the results become arrays; but
 * what is in `kept` stays where it is, and in `memory` all does.
 */
function contender({ place }, { feeds, kept = {}, constants = [], compute, read }) {
  const inMemory = place === "memory";
  const made = (given) => Object.fromEntries(Object.entries(given).map(([name, { make }]) => [name, make()]));
  const resident = made(inMemory ? { ...feeds, ...kept } : kept);
  const computed = () => tf.tidy(() => compute({ ...resident, ...(inMemory ? {} : made(feeds)) }));
  const arrays = () => {
    const tensors = computed();
    const values = tensors.map((tensor) => tensor.dataSync());
    tf.dispose(tensors);
    return values;
  };
  return {
    run: inMemory ? () => tf.dispose(computed()) : arrays,
    read: () => read(...arrays()),
    free: () => tf.dispose([...Object.values(resident), ...constants]),
  };
}

function rope(workload, inputs) {
  const { seqLen, nHeads, headDim, rotations } = workload;
  const { rotate, constants } = rotation(workload, inputs);
  return contender(workload, {
    feeds: { x: headsOf(inputs.x, seqLen, workload) },
    constants,
    compute: ({ x }) => {
      let out = x;
      for (let i = 0; i < rotations; ++i) out = rotate(out);
      return [out];
    },
    read: (out) => ({ out: headsFirst(out, { len: nHeads, nHeads: seqLen, headDim }) }),
  });
}

/** How a tensor of heads is rotated, and the tensors that are needed for that. */
function rotation(workload, inputs) {
  const { headDim, nHeads } = workload;
  const { quarter, cosines, sines } = rotationByProduct(workload, inputs);
  const len = cosines.length / headDim;
  // Only a product of two plain matrices, neither of them transposed, is a fast one; parts of heads are slower still.
  const matrix = tf.tidy(() => tf.transpose(tf.tensor(quarter, [headDim, headDim])));
  const [cos, sin] = [cosines, sines].map((data) => tf.tensor(data, [1, len, headDim]));
  const turned = (x) => {
    const rows = tf.reshape(x, [nHeads * len, headDim]);
    return tf.reshape(tf.matMul(rows, matrix), [nHeads, len, headDim]);
  };
  const rotate = (x) => tf.add(tf.mul(x, cos), tf.mul(turned(x), sin));
  return { rotate, constants: [matrix, cos, sin] };
}

function attention(workload, inputs, attend) {
  const { qLen, kvLen, nHeads, headDim, causal, weights, layout, place } = workload;
  const { rotate, constants } = layout ? rotation(workload, inputs) : { rotate: (x) => x, constants: [] };
  const mask = causal ? tf.tensor(causalMask(qLen), [qLen, kvLen]) : undefined;
  const scale = tf.scalar(1 / Math.sqrt(headDim));
  const kept = { key: headsOf(inputs.key, kvLen, workload), value: headsOf(inputs.value, kvLen, workload) };
  const feeds = { query: headsOf(inputs.query, qLen, workload) };
  return contender(workload, {
    feeds: place === "memory" ? feeds : { ...feeds, ...kept },
    kept: place === "memory" ? kept : {},
    constants: [...constants, scale, ...(mask ? [mask] : [])],
    compute: ({ query, key, value }) => {
      const softmax = (scores) => tf.softmax(mask ? tf.add(scores, mask) : scores);
      const [out, rows] = attend(tf.mul(rotate(query), scale), rotate(key), value, softmax);
      return weights ? [out, rows] : [out];
    },
    read: (out, rows) => ({ out: headsFirst(out, { len: nHeads, nHeads: qLen, headDim }), weights: rows }),
  });
}

function allHeads(query, key, value, softmax) {
  const rows = softmax(tf.matMul(query, key, false, true));
  return [tf.matMul(rows, value), rows];
}

/** More operators, but its product of many matrices at once is a slow one. */
function headByHead(query, key, value, softmax) {
  const [queries, keys, values] = [query, tf.transpose(key, [0, 2, 1]), value].map((x) => tf.unstack(x));
  const rows = queries.map((q, h) => softmax(tf.matMul(q, keys[h])));
  return [tf.stack(rows.map((row, h) => tf.matMul(row, values[h]))), tf.stack(rows)];
}
