// Cases of ONNX operators, to be answered or to be refused.
import { attention } from "./attention.mjs";
import { tensorScatter } from "./cache.mjs";
import { rmsNormalization, softmax } from "./normalization.mjs";
import { rotaryEmbedding } from "./rotary.mjs";
import { CaseError, describe, isExact, Skip, unitOf } from "./tensor.mjs";
import { toleranceOf } from "./verdict.mjs";

/**
 * Each operator: its `inputs`, `attributes` and `outputs` by name, the `domains` that have it, and `run`,
 * which yields { outputs: { name: { shape, data } } } for every way in which the engine can be asked. What it
 * is given is handed to the engine as it is: an absent tensor as undefined, a size that is none as what it
 * comes to. To refuse is the engine's.
 */
const operators = {
  Attention: attention,
  RMSNormalization: rmsNormalization,
  RotaryEmbedding: rotaryEmbedding,
  Softmax: softmax,
  TensorScatter: tensorScatter,
};

/** Names that some give to the first input and to the first output. */
const firstNames = { inputs: ["X", "x", "input"], outputs: ["Y", "y", "output"] };

/**
 * Of a case that gives no tolerance; what was computed in a narrower type is no nearer than that type's
 * neighbours.
 */
function defaultTolerance({ low_precision, source_dtype }) {
  const unit = low_precision && source_dtype ? unitOf({ name: "source_dtype", dtype: source_dtype }) : 0;
  return [Math.max(1e-3, unit), 1e-5];
}

/** Hold the engine to the outputs of a case. */
export function answered(engine, given, context, verdict) {
  const { operator, inputs, attributes } = read(given);
  if (given.agrees_with_onnx_spec === false) throw new Skip("its source departs from the ONNX specification");
  const outputs = tensors(given, "outputs", operator);
  const tolerance = toleranceOf(given.tolerance ?? context.tolerance, defaultTolerance(given));
  const wanted = new Set(Object.keys(outputs));
  for (const answer of operator.run(engine, inputs, attributes, wanted, given.opset)) {
    for (const [name, expected] of Object.entries(outputs)) {
      const label = answer.how ? `${name} (${answer.how})` : name;
      verdict.holdTensor(label, answer.outputs[name], expected, tolerance);
    }
  }
}

/** Ask for what a case says must be refused. */
export function ask(engine, given) {
  const { operator, inputs, attributes } = read(given);
  const answers = operator.run(engine, inputs, attributes, new Set(), given.opset);
  // A case that contradicts itself is asked for in each reading; that one is refused is enough.
  for (const _ of answers);
}

/** A case's operator, and its inputs and attributes by the operator's names. */
function read(given) {
  const { op, domain = "ai.onnx" } = given;
  const operator = Object.hasOwn(operators, op) ? operators[op] : undefined;
  if (!operator?.domains.includes(domain || "ai.onnx")) {
    throw new CaseError(`unknown operator ${describe(op)} of ${describe(domain)}`);
  }
  const attributes = {};
  for (const [name, value] of Object.entries(given.attributes ?? {})) {
    if (!operator.attributes.includes(name)) throw new CaseError(`unknown attribute ${name} of ${op}`);
    if (value !== null) attributes[name] = value;
  }
  return { operator, attributes, inputs: tensors(given, "inputs", operator) };
}

/** A case's tensors by the operator's names for them; null is absent. */
function tensors(given, side, operator) {
  const list = given[side];
  if (!Array.isArray(list)) throw new CaseError(`no list of ${side}`);
  const named = {};
  for (const tensor of list) {
    if (tensor === null) continue;
    const { name } = tensor;
    const names = operator[side];
    const known = firstNames[side].includes(name) ? names[0] : name;
    if (!names.includes(known))
      throw new CaseError(`unknown name ${describe(name)} among the ${side} of ${given.op}`);
    if (known in named) throw new CaseError(`${name} is twice among the ${side}`);
    if (!Array.isArray(tensor.shape)) throw new CaseError(`${name} has no shape`);
    isExact(tensor); // Its dtype is one that there is.
    named[known] = tensor;
  }
  return named;
}
