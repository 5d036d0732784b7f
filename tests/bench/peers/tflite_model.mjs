// TensorFlow Lite models, made in code: as much of their FlatBuffers as graphs of these few operators need (schema.fbs).
import { Builder } from "flatbuffers";

/** By name: the operator's number, and its table of options with that table's number in the union, if it has one. */
const OPERATORS = {
  ADD: { code: 0, union: 11 },
  CONCATENATION: { code: 2, union: 10, options: (b, { axis }) => b.addFieldInt32(0, axis, 0) },
  FULLY_CONNECTED: { code: 9, union: 8, options: (b) => b.addFieldInt8(2, 1, 0) }, // keep_num_dims
  MUL: { code: 18, union: 21 },
  SOFTMAX: { code: 25, union: 9, options: (b) => b.addFieldFloat32(0, 1, 0) }, // beta
  SUB: { code: 41, union: 28 },
  SLICE: { code: 65 },
  BATCH_MATMUL: {
    code: 126,
    union: 101,
    options: (b, { transposed }) => b.addFieldInt8(1, transposed ? 1 : 0, 0),
  },
};

const FLOAT32 = 0;
const INT32 = 2;

/**
 * A model of one graph. `tensors` are by name `{ dims }`, or `{ dims, data }` where they are constant; `nodes` are
 * `{ op, inputs, outputs, … }` with what the operator's options ask for; `inputs` and `outputs` are names.
 */
export function tfliteModel({ tensors, nodes, inputs, outputs }) {
  const names = Object.keys(tensors);
  const indices = (list) => list.map((name) => names.indexOf(name));
  const bytes = Object.values(tensors).reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  const b = new Builder(bytes + 65_536);

  const constants = names.filter((name) => tensors[name].data);
  // Buffer 0 is that of all that is not constant.
  const buffers = [undefined, ...constants].map((name) => bufferOf(b, name && tensors[name].data));
  const tensorTables = names.map((name) => tensorOf(b, name, tensors[name], constants.indexOf(name) + 1));
  const ops = [...new Set(nodes.map(({ op }) => op))];
  const operators = nodes.map((node) =>
    operatorOf(b, node, ops.indexOf(node.op), indices(node.inputs), indices(node.outputs)),
  );
  const graph = table(b, 5, {
    0: offsets(b, tensorTables),
    1: integers(b, indices(inputs)),
    2: integers(b, indices(outputs)),
    3: offsets(b, operators),
  });
  const codes = ops.map((op) => operatorCode(b, OPERATORS[op].code));
  const parts = { 1: offsets(b, codes), 2: offsets(b, [graph]), 4: offsets(b, buffers) };
  b.startObject(8);
  b.addFieldInt32(0, 3, 0); // The version of the schema.
  for (const [field, offset] of Object.entries(parts)) b.addFieldOffset(Number(field), offset, 0);
  b.finish(b.endObject(), "TFL3");
  return b.asUint8Array();
}

/** A table whose fields are all offsets. */
function table(b, size, fields) {
  b.startObject(size);
  for (const [field, offset] of Object.entries(fields)) b.addFieldOffset(Number(field), offset, 0);
  return b.endObject();
}

function bufferOf(b, data) {
  if (!data) return table(b, 1, {});
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  b.startVector(1, bytes.length, 16);
  b.space -= bytes.length;
  b.bb.setPosition(b.space);
  b.bb.bytes().set(bytes, b.space);
  return table(b, 1, { 0: b.endVector() });
}

function tensorOf(b, name, { dims, data }, buffer) {
  const [shape, label] = [integers(b, dims), b.createString(name)];
  b.startObject(9);
  b.addFieldOffset(0, shape, 0);
  b.addFieldInt8(1, data instanceof Int32Array ? INT32 : FLOAT32, 0);
  b.addFieldInt32(2, buffer, 0);
  b.addFieldOffset(3, label, 0);
  return b.endObject();
}

function operatorOf(b, node, opcode, inputs, outputs) {
  const { union, options } = OPERATORS[node.op];
  b.startObject(4);
  options?.(b, node);
  const chosen = b.endObject();
  const [from, to] = [integers(b, inputs), integers(b, outputs)];
  b.startObject(6);
  b.addFieldInt32(0, opcode, 0);
  b.addFieldOffset(1, from, 0);
  b.addFieldOffset(2, to, 0);
  if (union) {
    b.addFieldInt8(3, union, 0);
    b.addFieldOffset(4, chosen, 0);
  }
  return b.endObject();
}

function operatorCode(b, code) {
  b.startObject(4);
  b.addFieldInt8(0, Math.min(code, 127), 0); // From when there were no more than 127 of them.
  b.addFieldInt32(2, 1, 0); // The operator's version.
  b.addFieldInt32(3, code, 0);
  return b.endObject();
}

function integers(b, values) {
  b.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) b.addInt32(value);
  return b.endVector();
}

function offsets(b, values) {
  b.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) b.addOffset(value);
  return b.endVector();
}
