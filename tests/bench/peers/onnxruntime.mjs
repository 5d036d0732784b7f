// onnxruntime-web: its kernels for WebAssembly, one thread, by each of the graphs that compute a workload.
import * as ort from "onnxruntime-web/wasm";
import { headsFirst } from "../inputs.mjs";
import { causalMask } from "./constants.mjs";
import { INT64, onnxModel } from "./onnx_model.mjs";

export async function load(platform) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = platform.file("onnxruntime-web/dist/");
  ort.env.logLevel = "error";
  return {
    name: "onnxruntime-web",
    contenders: (workload, inputs) =>
      Promise.all((graphs[workload.kind]?.(workload, inputs) ?? []).map(contender)),
  };
}

/** A model of attention alone, for a page that brings it along. */
export const attentionModel = (workload, inputs) => fused(workload, inputs).model;

/** A graph as something to run. `feeds` are its inputs, `read` makes tensors of a workload from its outputs. */
async function contender({ variant, model, feeds, read }) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { dims, data }]) => [
      name,
      new ort.Tensor(data instanceof Float32Array ? "float32" : "int64", data, dims),
    ]),
  );
  return {
    variant,
    run: () => session.run(tensors),
    read: (results) => read(Object.fromEntries(Object.entries(results).map(([k, v]) => [k, v.data]))),
    free: () => session.release(),
  };
}

/** A graph whose inputs have the extents of what they are fed with. */
function graphOf({ variant, nodes, feeds, constants, outputs = ["out"], read }) {
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { dims, data }]) => [
      name,
      data instanceof Float32Array ? dims : { dims, type: INT64 },
    ]),
  );
  return { variant, feeds, read, model: onnxModel({ nodes, inputs, constants, outputs }) };
}

const microsoft = "com.microsoft";

const range = (n) => [...Array(n).keys()];

const graphs = {
  rope(workload, inputs) {
    return ["", microsoft].flatMap((domain) =>
      [3, 4].map((rank) => rotation(workload, inputs, domain, rank)),
    );
  },

  attention(workload, inputs) {
    return [fused, multiHead, decomposed].flatMap((variant) => variant(workload, inputs) ?? []);
  },
};

/** RoPE by the operator of opset 23 or by com.microsoft's, on [1, seqLen, nHeads · headDim] or [1, nHeads, seqLen, headDim]. */
function rotation({ seqLen, nHeads, headDim, layout, place, rotations }, { x, cos, sin }, domain, rank) {
  const input =
    rank === 3
      ? { dims: [1, seqLen, nHeads * headDim], data: x }
      : { dims: [1, nHeads, seqLen, headDim], data: headsFirst(x, { len: seqLen, nHeads, headDim }) };
  const table = (data) => ({ dims: [seqLen, headDim / 2], data });
  const positions = { dims: [1, seqLen], data: BigInt64Array.from({ length: seqLen }, (_, i) => BigInt(i)) };
  const nodes = range(rotations).map((i) => ({
    op: "RotaryEmbedding",
    domain,
    inputs:
      domain === microsoft ? [`x${i}`, "positions", "cos", "sin"] : [`x${i}`, "cos", "sin", "positions"],
    outputs: [`x${i + 1}`],
    attributes: { interleaved: layout === "interleaved" ? 1 : 0, num_heads: nHeads },
  }));
  const rotated = `x${rotations}`;
  const graph = {
    variant: `${domain || "opset 23"}, rank ${rank}`,
    constants: { cos: table(cos), sin: table(sin) },
  };
  if (place === "arrays") {
    const heads = { len: nHeads, nHeads: seqLen, headDim };
    return graphOf({
      ...graph,
      nodes,
      feeds: { x0: input, positions },
      outputs: [rotated],
      read: ({ [rotated]: out }) => ({ out: rank === 3 ? out : headsFirst(out, heads) }),
    });
  }
  // There is no other way to leave a tensor in its memory: what is rotated is a constant, and of the result one number
  // leaves the graph. The positions are passed in, or else all would be computed beforehand.
  const list = (value) => ({ dims: [rank], data: new BigInt64Array(rank).fill(value) });
  const slice = { op: "Slice", inputs: [rotated, "starts", "ends"], outputs: ["last"] };
  return graphOf({
    ...graph,
    nodes: [...nodes, slice],
    feeds: { positions },
    constants: { ...graph.constants, x0: input, starts: list(-1n), ends: list(2n ** 31n) },
    outputs: ["last"],
    read: ({ last: [last] }) => ({ last }),
  });
}

/** query, key and value, [1, nHeads, len, headDim], and the nodes that rotate the first two where that is asked for. */
function heads({ qLen, kvLen, nHeads, headDim, layout, place }, inputs) {
  const tensor = (x, len) => ({
    dims: [1, nHeads, len, headDim],
    data: headsFirst(x, { len, nHeads, headDim }),
  });
  const feeds = { query: tensor(inputs.query, qLen) };
  const kept = { key: tensor(inputs.key, kvLen), value: tensor(inputs.value, kvLen) };
  if (place === "arrays") Object.assign(feeds, kept);
  const constants = place === "arrays" ? {} : kept;
  if (!layout) return { feeds, constants, nodes: [], query: "query", key: "key" };
  const table = (data) => ({ dims: [1, kvLen, headDim / 2], data });
  const rotate = (name) => ({
    op: "RotaryEmbedding",
    inputs: [name, "cos", "sin"],
    outputs: [`${name}_rotated`],
    attributes: { interleaved: layout === "interleaved" ? 1 : 0 },
  });
  return {
    feeds,
    constants: { ...constants, cos: table(inputs.cos), sin: table(inputs.sin) },
    nodes: [rotate("query"), rotate("key")],
    query: "query_rotated",
    key: "key_rotated",
  };
}

const outputsOf = ({ weights }) => (weights ? ["out", "weights"] : ["out"]);

const readHeads =
  ({ qLen, nHeads, headDim }) =>
  ({ out, weights }) => ({ out: headsFirst(out, { len: nHeads, nHeads: qLen, headDim }), weights });

/** The operator Attention of opset 23. */
function fused(workload, inputs) {
  const { feeds, constants, nodes, query, key } = heads(workload, inputs);
  const attend = {
    op: "Attention",
    inputs: [query, key, "value"],
    outputs: workload.weights ? ["out", "", "", "weights"] : ["out"],
    // The mode 3 is for what the softmax gives.
    attributes: { is_causal: workload.causal ? 1 : 0, ...(workload.weights && { qk_matmul_output_mode: 3 }) },
  };
  return graphOf({
    variant: "Attention-23",
    nodes: [...nodes, attend],
    feeds,
    constants,
    outputs: outputsOf(workload),
    read: readHeads(workload),
  });
}

/** com.microsoft's operator, which does not give its weights. */
function multiHead(workload, inputs) {
  const { qLen, kvLen, nHeads, headDim, causal, weights, place } = workload;
  if (weights) return undefined;
  const tensor = (data, len) => ({ dims: [1, len, nHeads * headDim], data });
  const kept = { key: tensor(inputs.key, kvLen), value: tensor(inputs.value, kvLen) };
  return graphOf({
    variant: "MultiHeadAttention",
    nodes: [
      {
        op: "MultiHeadAttention",
        domain: microsoft,
        inputs: ["query", "key", "value"],
        outputs: ["out"],
        attributes: { num_heads: nHeads, unidirectional: causal ? 1 : 0 },
      },
    ],
    feeds: { query: tensor(inputs.query, qLen), ...(place === "arrays" && kept) },
    constants: place === "arrays" ? {} : kept,
    read: ({ out }) => ({ out }),
  });
}

/** MatMul, Softmax, MatMul. */
function decomposed(workload, inputs) {
  const { feeds, constants, nodes, query, key } = heads(workload, inputs);
  const { qLen, kvLen, headDim, causal } = workload;
  const scale = { dims: [1], data: Float32Array.of(1 / Math.sqrt(headDim)) };
  const steps = [
    { op: "Transpose", inputs: [key], outputs: ["transposed"], attributes: { perm: [0, 1, 3, 2] } },
    { op: "Mul", inputs: [query, "scale"], outputs: ["scaled"] },
    { op: "MatMul", inputs: ["scaled", "transposed"], outputs: ["scores"] },
    ...(causal ? [{ op: "Add", inputs: ["scores", "mask"], outputs: ["masked"] }] : []),
    {
      op: "Softmax",
      inputs: [causal ? "masked" : "scores"],
      outputs: ["weights"],
      attributes: { axis: -1 },
    },
    { op: "MatMul", inputs: ["weights", "value"], outputs: ["out"] },
  ];
  return graphOf({
    variant: "MatMul, Softmax, MatMul",
    nodes: [...nodes, ...steps],
    feeds,
    constants: {
      ...constants,
      scale,
      ...(causal && { mask: { dims: [qLen, kvLen], data: causalMask(qLen) } }),
    },
    outputs: outputsOf(workload),
    read: readHeads(workload),
  });
}
