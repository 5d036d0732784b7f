// ONNX models, made in code: as much of their Protocol Buffers as graphs of these few operators need (onnx.proto).

/** A message, from its fields by number: integers, strings, messages (as bytes), and lists of them. */
function message(fields) {
  const bytes = Object.entries(fields).flatMap(([number, value]) =>
    [value].flat().map((one) => field(Number(number), one)),
  );
  return concatenated(bytes);
}

function field(number, value) {
  if (typeof value === "number") return concatenated([varint(number << 3), varint(value)]);
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return concatenated([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

function concatenated(parts) {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

const FLOAT = 1;
const INT64 = 7;

/** TensorProto */
function tensor(name, { dims, data }) {
  const type = data instanceof Float32Array ? FLOAT : INT64;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message({ 1: dims, 2: type, 8: name, 9: bytes });
}

/** AttributeProto: an integer, or a list of them. */
function attribute(name, value) {
  return message(Array.isArray(value) ? { 1: name, 8: value, 20: 7 } : { 1: name, 3: value, 20: 2 });
}

/** NodeProto */
function node({ op, domain = "", inputs, outputs, attributes = {} }) {
  const list = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  return message({ 1: inputs, 2: outputs, 4: op, 5: list, 7: domain });
}

/** ValueInfoProto; without `dims` any shape will do. */
function valueInfo(name, { type = FLOAT, dims }) {
  const shape = dims && { 2: message({ 1: dims.map((dim) => message({ 1: dim })) }) };
  return message({ 1: name, 2: message({ 1: message({ 1: type, ...shape }) }) });
}

/**
 * ModelProto, of the nodes in their order. `inputs` are the extents of what is passed in, by name, or `{ dims, type }`;
 * `constants` are `{ dims, data }` by name; `outputs` are names.
 */
export function onnxModel({ nodes, inputs, constants = {}, outputs }) {
  const graph = message({
    1: nodes.map(node),
    2: "bench",
    5: Object.entries(constants).map(([name, value]) => tensor(name, value)),
    11: Object.entries(inputs).map(([name, value]) =>
      valueInfo(name, Array.isArray(value) ? { dims: value } : value),
    ),
    12: outputs.map((name) => valueInfo(name, {})),
  });
  const opset = (domain, version) => message({ 1: domain, 2: version });
  return message({ 1: 11, 8: [opset("", 23), opset("com.microsoft", 1)], 7: graph });
}

export { INT64 };
