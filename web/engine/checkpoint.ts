/** Attention layers in checkpoints: which tensors they are, by what names, and what their shapes tell. */
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import { badFile } from "./safetensors_header.js";
import { type Checkpoint, readableDtype } from "./safetensors_reader.js";

/** What {@link readAttention} takes beside the checkpoint and the layer. */
export interface ReadAttentionOptions {
  /**
   * Components of a head, of layers of kind `heads`: their shapes do not tell. The length of a norm of each head's query
   * or key if not given, and without one the result has no numbers of heads.
   */
  headDim?: number;
  /**
   * What stands before `layers.` in the names of its tensors, such as `model.` or the empty string. Needed only where a
   * layer of that number is there more than once, as when a model has a tower for images.
   */
  prefix?: string;
}

/** The queries of a layer of kind `mla`, from the hidden state at once, or by way of a latent. */
export type MlaQuery =
  | {
      /** [nHeads · (qkNopeHeadDim + qkRopeHeadDim), hiddenSize]. */
      qProj: Float32Array;
    }
  | {
      /** Components of the queries' latent. */
      qLoraRank: number;
      /** [qLoraRank, hiddenSize]. */
      qAProj: Float32Array;
      /** [qLoraRank]. */
      qALayernorm: Float32Array;
      /** [nHeads · (qkNopeHeadDim + qkRopeHeadDim), qLoraRank]. */
      qBProj: Float32Array;
    };

/**
 * A layer of multi-head latent attention (arXiv:2405.04434, section 2.1), as in DeepSeek-V2 and V3. All matrices are
 * [out, in], row-major.
 */
export type MlaAttention = MlaQuery & {
  /** Which of the two kinds of layers it is. */
  kind: "mla";
  /** Components of the hidden state. */
  hiddenSize: number;
  /** Heads. */
  nHeads: number;
  /** Components of the latent of keys and values. */
  kvLoraRank: number;
  /** Components of a query and a key without a position. */
  qkNopeHeadDim: number;
  /** Components of a query and a key that are rotated. */
  qkRopeHeadDim: number;
  /** Components of a value. */
  vHeadDim: number;
  /** [kvLoraRank + qkRopeHeadDim, hiddenSize]. */
  kvAProj: Float32Array;
  /** [kvLoraRank]. */
  kvALayernorm: Float32Array;
  /** [nHeads · (qkNopeHeadDim + vHeadDim), kvLoraRank]. */
  kvBProj: Float32Array;
  /** [hiddenSize, nHeads · vHeadDim]. */
  oProj: Float32Array;
};

/** A layer of attention with keys and values of heads, as in Llama, Mistral and Qwen. All matrices are [out, in], row-major. */
export interface HeadsAttention {
  /** Which of the two kinds of layers it is. */
  kind: "heads";
  /** Components of the hidden state. */
  hiddenSize: number;
  /** Components of the queries of all heads. */
  qDim: number;
  /** Components of the keys of all heads, and of the values. */
  kvDim: number;
  /** Components of a head, where it is known. */
  headDim?: number;
  /** Heads of queries: qDim / headDim, where that is known. */
  nHeads?: number;
  /** Heads of keys and values: kvDim / headDim, where that is known. */
  nKvHeads?: number;
  /** [qDim, hiddenSize]. */
  qProj: Float32Array;
  /** [kvDim, hiddenSize]. */
  kProj: Float32Array;
  /** [kvDim, hiddenSize]. */
  vProj: Float32Array;
  /** [hiddenSize, qDim]. */
  oProj: Float32Array;
  /** [qDim], where the layer has one. */
  qBias?: Float32Array;
  /** [kvDim], where the layer has one. */
  kBias?: Float32Array;
  /** [kvDim], where the layer has one. */
  vBias?: Float32Array;
  /** [hiddenSize], where the layer has one. */
  oBias?: Float32Array;
  /** [headDim], of the norm of each head's query, where the layer has one. */
  qNorm?: Float32Array;
  /** [headDim], of the norm of each head's key, where the layer has one. */
  kNorm?: Float32Array;
}

/** What {@link readAttention} gives. */
export type AttentionLayer = MlaAttention | HeadsAttention;

/** A tensor of a layer: what it is called here, the names of its extents, and what it is called in files of each form. */
type Row = readonly [field: string, extents: string, ...forms: string[]];

/** In Hugging Face's form and in DeepSeek's own. */
const mla: Row[] = [
  ["kvAProj", "kvARows hiddenSize", "kv_a_proj_with_mqa.weight", "wkv_a.weight"],
  ["kvALayernorm", "kvLoraRank", "kv_a_layernorm.weight", "kv_norm.weight"],
  ["kvBProj", "kvBRows kvLoraRank", "kv_b_proj.weight", "wkv_b.weight"],
  ["qProj", "qRows hiddenSize", "q_proj.weight", "wq.weight"],
  ["qAProj", "qLoraRank hiddenSize", "q_a_proj.weight", "wq_a.weight"],
  ["qALayernorm", "qLoraRank", "q_a_layernorm.weight", "q_norm.weight"],
  ["qBProj", "qRows qLoraRank", "q_b_proj.weight", "wq_b.weight"],
  ["oProj", "hiddenSize oColumns", "o_proj.weight", "wo.weight"],
];

/** In Hugging Face's form and in Meta's own. */
const heads: Row[] = [
  ["qProj", "qDim hiddenSize", "q_proj.weight", "wq.weight"],
  ["kProj", "kvDim hiddenSize", "k_proj.weight", "wk.weight"],
  ["vProj", "kvDim hiddenSize", "v_proj.weight", "wv.weight"],
  ["oProj", "hiddenSize qDim", "o_proj.weight", "wo.weight"],
  ["qBias", "qDim", "q_proj.bias"],
  ["kBias", "kvDim", "k_proj.bias"],
  ["vBias", "kvDim", "v_proj.bias"],
  ["oBias", "hiddenSize", "o_proj.bias"],
  ["qNorm", "headDim", "q_norm.weight"],
  ["kNorm", "headDim", "k_norm.weight"],
];

/** A form of a kind of layer. */
interface Form {
  kind: AttentionLayer["kind"];
  /** What stands between the number of the layer and the name of a tensor. */
  block: string;
  /** The tensors that it may have; the name in this form is at `column`. */
  rows: Row[];
  column: number;
}

const forms: Form[] = [
  { kind: "mla", block: "self_attn", rows: mla, column: 2 },
  { kind: "mla", block: "attn", rows: mla, column: 3 },
  { kind: "heads", block: "self_attn", rows: heads, column: 2 },
  { kind: "heads", block: "attention", rows: heads, column: 3 },
];

/** Frequencies, which some old checkpoints have beside the weights, follow from config.json. */
const ignored = "rotary_emb.inv_freq";

/**
 * The weights of one layer's attention, with the names and extents that the engine's functions take. Known are the names
 * of DeepSeek-V2 and V3, in Hugging Face's form and in their own, of Llama, Mistral, Qwen2 and Qwen3 in Hugging Face's
 * form, and of Llama in Meta's own. Nothing but the tensors of that layer is read, and nothing where one is amiss.
 *
 * The elements are as the file has them. Which pairs are rotated together is not in it: see `ropeFromConfig`; in Meta's
 * own form, Llama's are `interleaved`.
 *
 * Throws `bad_value` for a layer that is not there, or is there more than once, `bad_type` for elements that cannot be
 * read, such as those of DeepSeek-V3 in F8_E4M3, `bad_shape` for shapes that disagree, `bad_file` for a tensor that is
 * missing or that belongs to no such layer, and what {@link Checkpoint.read} throws.
 *
 * @category Checkpoints
 */
export async function readAttention(
  checkpoint: Checkpoint,
  layer: number,
  options: ReadAttentionOptions = {},
): Promise<AttentionLayer> {
  check.record(options);
  check.integer("layer", layer, 0, check.maxElements);
  const headDim = options.headDim === undefined ? undefined : check.size("headDim", options.headDim);
  const found = findLayer(checkpoint.names, layer, options.prefix);
  const { kind } = found.form;

  const shapes: Shapes = new Map();
  for (const [field, name] of found.tensors) {
    const { dtype, shape } = await checkpoint.info(name);
    readableDtype(name, dtype);
    shapes.set(field, { name, shape });
  }
  // What is computed without a tensor that belongs to it is something else.
  if (found.unknown !== undefined) throw badFile(found.unknown, "a tensor", `none beside those of ${kind}`);
  const extents = kind === "mla" ? mlaExtents(found, shapes, headDim) : headsExtents(found, shapes, headDim);

  const read = [...found.tensors].map(async ([field, name]) => [field, await checkpoint.read(name)] as const);
  return { kind, ...extents, ...Object.fromEntries(await Promise.all(read)) } as AttentionLayer;
}

interface FoundLayer {
  form: Form;
  /** What stands before the names of its tensors. */
  place: string;
  /** The names of those that are there, by what they are called here. */
  tensors: Map<string, string>;
  /** The name of one that is there and not known. */
  unknown: string | undefined;
}

/** The one layer of that number that has tensors of a known name. */
function findLayer(names: readonly string[], layer: number, prefix: unknown): FoundLayer {
  /** What each layer has, by what stands before its tensors. */
  const places = new Map<string, { prefix: string; layer: number; block: string; tails: string[] }>();
  for (const name of names) {
    const match = /^((?:.*\.)?)layers\.(0|[1-9]\d*)\.(self_attn|attention|attn)\.(.+)$/s.exec(name);
    if (match === null) continue;
    const [, before = "", number, block = "", tail = ""] = match;
    const place = name.slice(0, -tail.length);
    const there = places.get(place) ?? { prefix: before, layer: Number(number), block, tails: [] };
    there.tails.push(tail);
    places.set(place, there);
  }
  const layers = [...places].flatMap(([place, there]) => {
    const form = bestForm(there.block, there.tails);
    return form === undefined ? [] : [{ ...there, place, form }];
  });

  const choice = layers.filter((each) => prefix === undefined || each.prefix === prefix);
  if (choice.length === 0 && prefix !== undefined) {
    throw new RopewalkError("bad_value", "prefix", prefix, prefixes(layers) || "none, as no layer is known");
  }
  const [found, ...others] = choice.filter((each) => each.layer === layer);
  if (found === undefined) {
    const there = ranges(choice.map((each) => each.layer)) || "none is known";
    throw new RopewalkError("bad_value", "layer", layer, `a layer that is there: ${there}`);
  }
  if (others.length > 0) {
    const allowed = `${prefixes([found, ...others])}, as each has a layer ${layer}`;
    throw new RopewalkError("bad_value", "prefix", prefix, allowed);
  }
  const { form, place, tails } = found;
  const known = form.rows.map((row) => [row[0], row[form.column]] as const);
  const unknown = tails.find((tail) => tail !== ignored && !known.some(([, name]) => name === tail));
  return {
    form,
    place,
    tensors: new Map(
      known.flatMap(([field, tail]) => (tail && tails.includes(tail) ? [[field, place + tail]] : [])),
    ),
    unknown: unknown && place + unknown,
  };
}

/** The form that knows most of the tensors, if any knows one. */
function bestForm(block: string, tails: string[]): Form | undefined {
  let best: Form | undefined;
  let most = 0;
  for (const form of forms) {
    const known = form.rows.filter((row) => tails.includes(row[form.column] ?? "")).length;
    if (form.block === block && known > most) [best, most] = [form, known];
  }
  return best;
}

function prefixes(layers: { prefix: string }[]): string {
  return [...new Set(layers.map(({ prefix }) => JSON.stringify(prefix)))].join(" or ");
}

/** Numbers in few words: "0 to 26, 30". */
function ranges(numbers: number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers.sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && number <= run[1] + 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? from : `${from} to ${to}`)).join(", ");
}

/** Name and shape of the tensors of a layer, by what they are called here. */
type Shapes = Map<string, { name: string; shape: readonly number[] }>;

/** The extents by name, each the same in all tensors. `extents` are those that are known before. */
function measure(
  { form, place }: FoundLayer,
  shapes: Shapes,
  isRequired: (field: string) => boolean,
  extents = new Map<string, number>(),
): (name: string) => number {
  for (const row of form.rows) {
    const [field, words] = row;
    const tensor = shapes.get(field);
    if (tensor === undefined) {
      if (isRequired(field)) throw badFile(place + row[form.column], undefined, "a tensor of this name");
      continue;
    }
    const { shape } = tensor;
    const names = words.split(" ");
    if (
      shape.length !== names.length ||
      names.some((name, i) => !shape[i] || (extents.get(name) ?? shape[i]) !== shape[i])
    ) {
      const wanted = names.map((name) => (extents.has(name) ? `${name} = ${extents.get(name)}` : name));
      throw wrong(shapes, field, `[${wanted.join(", ")}]`);
    }
    for (const [i, name] of names.entries()) extents.set(name, shape[i] as number);
  }
  return (name) => extents.get(name) as number;
}

function wrong(shapes: Shapes, field: string, allowed: string): RopewalkError {
  const { name, shape } = shapes.get(field) as { name: string; shape: readonly number[] };
  return new RopewalkError("bad_shape", name, shape, allowed);
}

function mlaExtents(found: FoundLayer, shapes: Shapes, told: number | undefined) {
  check.absent("headDim", told, "nothing, as the shapes of this layer tell");
  const isLatent = ["qAProj", "qALayernorm", "qBProj"].some((field) => shapes.has(field));
  if (isLatent && shapes.has("qProj")) throw wrong(shapes, "qProj", "nothing beside a latent of queries");
  const extent = measure(
    found,
    shapes,
    (field) => !field.startsWith("q") || (field !== "qProj") === isLatent,
  );

  const [kvLoraRank, qRows, oColumns] = [extent("kvLoraRank"), extent("qRows"), extent("oColumns")];
  const qkRopeHeadDim = extent("kvARows") - kvLoraRank;
  if (qkRopeHeadDim < 1) throw wrong(shapes, "kvAProj", `more rows than kvLoraRank, which is ${kvLoraRank}`);
  // Of all heads, (nope + rope) − (nope + v) + v.
  const nHeads = (qRows - extent("kvBRows") + oColumns) / qkRopeHeadDim;
  const vHeadDim = oColumns / nHeads;
  const qkNopeHeadDim = qRows / nHeads - qkRopeHeadDim;
  if (![nHeads, vHeadDim, qkNopeHeadDim].every((each) => Number.isInteger(each) && each > 0)) {
    const others = `${qRows} rows of queries, ${oColumns} columns of oProj and ${qkRopeHeadDim} of qkRopeHeadDim`;
    throw wrong(shapes, "kvBProj", `rows that make whole heads with ${others}`);
  }
  const hiddenSize = extent("hiddenSize");
  const extents = { hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim };
  return isLatent ? { ...extents, qLoraRank: extent("qLoraRank") } : extents;
}

function headsExtents(found: FoundLayer, shapes: Shapes, told: number | undefined) {
  const before = new Map(told === undefined ? [] : [["headDim", told] as const]);
  const extent = measure(found, shapes, (field) => field.endsWith("Proj"), before);
  const [hiddenSize, qDim, kvDim] = [extent("hiddenSize"), extent("qDim"), extent("kvDim")];
  const headDim: number | undefined = extent("headDim");
  if (headDim === undefined) return { hiddenSize, qDim, kvDim };

  const norm = shapes.has("qNorm") ? "qNorm" : "kNorm";
  if (told !== undefined) {
    check.divides("headDim", told, "qDim", qDim);
    check.divides("headDim", told, "kvDim", kvDim);
  } else if (qDim % headDim !== 0 || kvDim % headDim !== 0 || headDim === qDim) {
    // There are norms over all heads at once, as in OLMo 2, which are something else.
    throw wrong(shapes, norm, "the length of one head of several, unless options.headDim says that it is");
  }
  const [nHeads, nKvHeads] = [qDim / headDim, kvDim / headDim];
  if (nHeads % nKvHeads !== 0) {
    throw wrong(
      shapes,
      "kProj",
      `rows of heads, of ${headDim} each, whose number divides the ${nHeads} of queries`,
    );
  }
  return { hiddenSize, qDim, kvDim, headDim, nHeads, nKvHeads };
}
