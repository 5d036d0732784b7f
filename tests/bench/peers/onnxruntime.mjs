// onnxruntime-web: its kernels for WebAssembly, one thread, by each of the graphs that compute a workload.
import * as ort from "onnxruntime-web/wasm";
import { headsFirst } from "../inputs.mjs";
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

const graphs = {
  rope(workload, { x, cos, sin }) {
    const { seqLen, nHeads, headDim, layout, place } = workload;
    const interleaved = layout === "interleaved" ? 1 : 0;
    const shape = { len: seqLen, nHeads, headDim };
    const tables = {
      cos: { dims: [seqLen, headDim / 2], data: cos },
      sin: { dims: [seqLen, headDim / 2], data: sin },
    };
    const positions = {
      dims: [1, seqLen],
      data: BigInt64Array.from({ length: seqLen }, (_, i) => BigInt(i)),
    };
    // [1, nHeads, seqLen, headDim] for either operator, and [1, seqLen, nHeads · headDim].
    const input = {
      4: { dims: [1, nHeads, seqLen, headDim], data: headsFirst(x, shape) },
      3: { dims: [1, seqLen, nHeads * headDim], data: x },
    };
    const ops = [
      {
        variant: "RotaryEmbedding-23, 4-D",
        extents: 4,
        domain: "",
        inputs: ["x", "cos", "sin", "positions"],
      },
      {
        variant: "RotaryEmbedding-23, 3-D",
        extents: 3,
        domain: "",
        inputs: ["x", "cos", "sin", "positions"],
      },
      {
        variant: "com.microsoft, 4-D",
        extents: 4,
        domain: microsoft,
        inputs: ["x", "positions", "cos", "sin"],
      },
      {
        variant: "com.microsoft, 3-D",
        extents: 3,
        domain: microsoft,
        inputs: ["x", "positions", "cos", "sin"],
      },
    ];
    return ops.map(({ variant, extents, domain, inputs }) => {
      const attributes = { interleaved, num_heads: nHeads };
      const nodes = [{ op: "RotaryEmbedding", domain, inputs, outputs: ["out"], attributes }];
      const bshd = (out) => (extents === 3 ? out : headsFirst(out, { len: nHeads, nHeads: seqLen, headDim }));
      if (place === "arrays") {
        return graphOf({
          variant,
          nodes,
          feeds: { x: input[extents], positions },
          constants: tables,
          read: ({ out }) => ({ out: bshd(out) }),
        });
      }
      // There is no way to leave a tensor in its memory but this: what is rotated is a constant, and of the result one
      // number leaves the graph. The positions are passed in, or else all would be computed beforehand.
      const last = [...Array(extents).keys()];
      const list = (values) => ({ dims: [extents], data: BigInt64Array.from(values, BigInt) });
      const slice = { op: "Slice", inputs: ["out", "starts", "ends"], outputs: ["last"] };
      return graphOf({
        variant,
        nodes: [...nodes, slice],
        feeds: { positions },
        constants: {
          ...tables,
          x: input[extents],
          starts: list(last.map(() => -1)),
          ends: list(last.map(() => 2 ** 31)),
        },
        outputs: ["last"],
        read: ({ last: [value] }) => ({ last: value }),
      });
    });
  },

  attention(workload, inputs) {
    return [fused, multiHead, decomposed].flatMap((variant) => variant(workload, inputs) ?? []);
  },
};

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
    constants: { ...constants, scale, ...(causal && { mask: { dims: [qLen, kvLen], data: hidden(qLen) } }) },
    outputs: outputsOf(workload),
    read: readHeads(workload),
  });
}

/** 0 where a query sees a key, and -∞ elsewhere. */
function hidden(seqLen) {
  const mask = new Float32Array(seqLen * seqLen);
  for (let i = 0; i < seqLen; ++i) mask.fill(Number.NEGATIVE_INFINITY, i * seqLen + i + 1, (i + 1) * seqLen);
  return mask;
}
