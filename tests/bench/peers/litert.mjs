// LiteRT.js: XNNPACK's kernels for WebAssembly, one thread, with relaxed SIMD where there is such. It has neither
// attention nor RoPE: the graphs are made of what it has.
import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { headsFirst } from "../inputs.mjs";
import { causalMask, rotationByProduct } from "./constants.mjs";
import { tfliteModel } from "./tflite_model.mjs";

export async function load(platform) {
  await platform.asInBrowser(() => loadLiteRt(platform.file("@litertjs/core/wasm/")));
  return {
    name: "LiteRT.js",
    contenders: (workload, inputs) =>
      Promise.all(
        (graphs[workload.kind]?.(workload, inputs) ?? []).map((graph) => contender(workload, graph)),
      ),
  };
}

/** A graph under construction: its tensors by name, and its operators in their order. */
class Graph {
  #tensors = {};
  #nodes = [];

  /** A tensor that is passed in. */
  input(name, dims) {
    this.#tensors[name] = { dims };
    return name;
  }

  constant(dims, data) {
    const name = `constant${Object.keys(this.#tensors).length}`;
    this.#tensors[name] = { dims, data };
    return name;
  }

  /** The result of an operator. */
  apply(op, inputs, dims, options) {
    const name = `result${Object.keys(this.#tensors).length}`;
    this.#tensors[name] = { dims };
    this.#nodes.push({ op, inputs, outputs: [name], ...options });
    return name;
  }

  model(inputs, outputs) {
    return tfliteModel({ tensors: this.#tensors, nodes: this.#nodes, inputs, outputs });
  }
}

/** A model of attention alone, for a page that brings it along. */
export function attentionModel(workload, inputs) {
  const { graph, feeds, outputs } = attention(workload, inputs);
  return graph.model(Object.keys(feeds), outputs);
}

/**
 * A graph as something to run. `feeds` are passed in anew each time, from JavaScript, and the results go back there, but in
 * `memory` all stay where they are; so do `kept` in any case.
 */
async function contender({ place }, { variant, graph, feeds, kept = {}, outputs, read }) {
  const model = await loadAndCompile(graph.model(Object.keys({ ...feeds, ...kept }), outputs), {
    accelerator: "wasm",
  });
  const tensors = (given) => Object.values(given).map(({ dims, data }) => Tensor.fromTypedArray(data, dims));
  const remove = (list) => {
    for (const tensor of list) tensor.delete();
  };
  const resident = tensors(place === "memory" ? { ...feeds, ...kept } : kept);
  const compute = async () => {
    const passed = place === "memory" ? [] : tensors(feeds);
    const results = await model.run([...passed, ...resident]);
    remove(passed);
    return results;
  };
  const arrays = (results) => {
    const values = results.map((tensor) => tensor.toTypedArray());
    remove(results);
    return values;
  };
  return {
    variant,
    run: place === "memory" ? async () => remove(await compute()) : async () => arrays(await compute()),
    read: async (values) => read(...(values ?? arrays(await compute()))),
    free: () => {
      remove(resident);
      model.delete();
    },
  };
}

const graphs = {
  rope(workload, inputs) {
    const { seqLen, nHeads, headDim, rotations } = workload;
    const dims = [1, nHeads, seqLen, headDim];
    const graph = new Graph();
    let x = graph.input("x", dims);
    for (let i = 0; i < rotations; ++i) x = rotate(graph, x, dims, workload, inputs);
    const feeds = { x: { dims, data: headsFirst(inputs.x, { len: seqLen, nHeads, headDim }) } };
    const read = (out) => ({ out: headsFirst(out, { len: nHeads, nHeads: seqLen, headDim }) });
    return [{ graph, feeds, outputs: [x], read }];
  },

  attention(workload, inputs) {
    const places = workload.place === "memory" ? ["tensors", "constants"] : ["tensors"];
    return places.map((variant) => attention(workload, inputs, variant));
  },
};

const rotate = (graph, x, dims, workload, inputs) =>
  (workload.layout === "half" ? rotateHalves : rotateByProduct)(graph, x, dims, workload, inputs);

/** Halves of each head, and what they become. */
function rotateHalves(graph, x, dims, { headDim }, { cos, sin }) {
  const [, nHeads, len] = dims;
  const half = [1, nHeads, len, headDim / 2];
  const table = (data) => graph.constant([1, 1, len, headDim / 2], data);
  const [cosines, sines] = [table(cos), table(sin)];
  const vector = (values) => graph.constant([4], Int32Array.from(values));
  const part = (from) => graph.apply("SLICE", [x, vector([0, 0, 0, from]), vector(half)], half);
  const [first, second] = [part(0), part(headDim / 2)];
  const times = (a, b) => graph.apply("MUL", [a, b], half);
  const turned = [
    graph.apply("SUB", [times(first, cosines), times(second, sines)], half),
    graph.apply("ADD", [times(second, cosines), times(first, sines)], half),
  ];
  return graph.apply("CONCATENATION", turned, dims, { axis: 3 });
}

function rotateByProduct(graph, x, dims, workload, inputs) {
  const [, , len, headDim] = dims;
  const { quarter, cosines, sines } = rotationByProduct(workload, inputs);
  const table = (data) => graph.constant([1, 1, len, headDim], data);
  const turned = graph.apply("FULLY_CONNECTED", [x, graph.constant([headDim, headDim], quarter)], dims);
  return graph.apply(
    "ADD",
    [graph.apply("MUL", [x, table(cosines)], dims), graph.apply("MUL", [turned, table(sines)], dims)],
    dims,
  );
}

/** Product, softmax, product; a cache that is resident is in `tensors`, or even in `constants`, which are packed once. */
function attention(workload, inputs, cache) {
  const { qLen, kvLen, nHeads, headDim, causal, weights, layout, place } = workload;
  const graph = new Graph();
  const [queries, keys] = [
    [1, nHeads, qLen, headDim],
    [1, nHeads, kvLen, headDim],
  ];
  const rows = [1, nHeads, qLen, kvLen];
  const given = (name, dims) => ({
    dims,
    data: headsFirst(inputs[name], { len: dims[2], nHeads, headDim }),
  });
  const feeds = { query: given("query", queries) };
  const kept = { key: given("key", keys), value: given("value", keys) };
  const isConstant = cache === "constants";
  const [key, value] = ["key", "value"].map((name) =>
    isConstant ? graph.constant(keys, kept[name].data) : graph.input(name, keys),
  );
  const rotated = (x, dims) => (layout ? rotate(graph, x, dims, workload, inputs) : x);

  const scale = graph.constant([1], Float32Array.of(1 / Math.sqrt(headDim)));
  const scaled = graph.apply("MUL", [rotated(graph.input("query", queries), queries), scale], queries);
  let scores = graph.apply("BATCH_MATMUL", [scaled, rotated(key, keys)], rows, { transposed: true });
  if (causal) {
    const mask = graph.constant([1, 1, qLen, kvLen], causalMask(qLen));
    scores = graph.apply("ADD", [scores, mask], rows);
  }
  const softmax = graph.apply("SOFTMAX", [scores], rows);
  const out = graph.apply("BATCH_MATMUL", [softmax, value], queries, { transposed: false });
  return {
    variant: place === "memory" ? cache : undefined,
    graph,
    feeds: place === "memory" ? feeds : { ...feeds, ...kept },
    kept: place === "memory" && !isConstant ? kept : {},
    outputs: weights ? [out, softmax] : [out],
    read: (first, second) => ({
      out: headsFirst(first, { len: nHeads, nHeads: qLen, headDim }),
      weights: second,
    }),
  };
}
