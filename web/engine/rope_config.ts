/**
 * Reads what a Hugging Face `config.json` says of RoPE, in each of the spellings that it has had, into the fields of
 * the kernel `rope_scaling`. It picks and checks; the kernel computes.
 */
import * as check from "./checks.js";
import { RopewalkError } from "./errors.js";
import type { RopeLayout } from "./rope.js";
import { defaultsByType, layoutsByType, otherSchemes, schemes } from "./rope_models.js";

/** `rope_type`, as Hugging Face transformers spells it. */
export type RopeType =
  | "default"
  | "linear"
  | "ntk"
  | "dynamic"
  | "yarn"
  | "longrope"
  | "llama3"
  | "proportional";

/** The fields of the kernel's `RopeScaling`; what is not there is left to its defaults. */
export interface RopeConfig {
  modelType?: string | undefined;
  /** How the checkpoints that come with the configuration pair up components, where that is known. */
  layout?: RopeLayout | undefined;
  type: RopeType;
  ropeTheta: number;
  headDim: number;
  partialRotaryFactor: number;
  factor?: number | undefined;
  maxPositionEmbeddings?: number | undefined;
  originalMaxPositionEmbeddings?: number | undefined;
  seqLen?: number | undefined;
  attentionFactor?: number | undefined;
  betaFast?: number | undefined;
  betaSlow?: number | undefined;
  truncate?: boolean | undefined;
  mscale?: number | undefined;
  mscaleAllDim?: number | undefined;
  lowFreqFactor?: number | undefined;
  highFreqFactor?: number | undefined;
  shortFactor?: Float64Array | undefined;
  longFactor?: Float64Array | undefined;
  mrope?: { sections: [number, number, number]; interleaved: boolean } | undefined;
  /**
   * Whether the model multiplies its softmax scale by mscale squared, as latent attention does since DeepSeek-V2.
   * Elsewhere (Ministral 3) mscale_all_dim has a part in the attention factor only. Parameters without a model_type are
   * taken for DeepSeek's, where the field comes from.
   */
  scalesSoftmax: boolean;
  /** How the configuration spells a field of the kernel, such as `rope_scaling.factor` for `factor`. */
  spelling(field: string): string;
}

export interface RopeConfigOptions {
  seqLen?: number | undefined;
  layerType?: string | undefined;
}

/**
 * Throws a RopewalkError whose argument is the field's name in the configuration: `bad_type` for another kind of value,
 * `bad_value` for one that is out of range, missing, unknown or in contradiction to another.
 */
export function readRopeConfig(config: unknown, { seqLen, layerType }: RopeConfigOptions): RopeConfig {
  if (seqLen !== undefined) check.size("seqLen", seqLen);
  if (layerType !== undefined && typeof layerType !== "string") {
    throw new RopewalkError("bad_type", "layerType", layerType, "the name of a kind of layer");
  }
  const model = modelOf(object("config", config));
  requireRope(model);
  const rope = ropeOf(model, layerType);
  const type = typeOf(model, rope);
  requireKnownFields(rope, type);
  requireTrained(model, seqLen);
  const fields = new Reading(rope, model.text.path);

  const headDim = fields.required("head_dim", check.size, headDimOf(model, layerType));
  const ropeTheta = fields.optional("rope_theta", check.positive, thetaOf(model, rope)) ?? paperTheta;
  const partialRotaryFactor =
    fields.optional("partial_rotary_factor", proportion, partialOf(model, rope, headDim)) ?? 1;
  const maxPositionEmbeddings = fields.optional(
    "max_position_embeddings",
    check.size,
    maxLengthOf(model, rope),
  );
  const originalMaxPositionEmbeddings = fields.optional(
    "original_max_position_embeddings",
    check.size,
    find(["original_max_position_embeddings"], ...rope.places, model.text),
  );
  const read: RopeConfig = {
    modelType: model.type,
    layout: layoutOf(model),
    type,
    ropeTheta,
    headDim,
    partialRotaryFactor,
    factor: fields.optional("factor", check.positive, factorOf(rope, type)),
    maxPositionEmbeddings,
    originalMaxPositionEmbeddings,
    seqLen,
    mrope: mropeOf(model, rope),
    scalesSoftmax: latentDim(model) !== undefined || model.type === undefined,
    spelling: (field) => fields.spelling(field),
  };
  switch (type) {
    case "default":
    case "proportional":
      break;
    case "dynamic":
      fields.require("max_position_embeddings", maxPositionEmbeddings);
      if ((originalMaxPositionEmbeddings ?? maxPositionEmbeddings) !== maxPositionEmbeddings) {
        const name = fields.spelling("original_max_position_embeddings");
        const allowed = `${maxPositionEmbeddings}: "dynamic" sets in at max_position_embeddings`;
        throw new RopewalkError("bad_value", name, originalMaxPositionEmbeddings, allowed);
      }
      break;
    case "yarn":
      read.attentionFactor = fields.optional("attention_factor", check.positive);
      read.betaFast = fields.optional("beta_fast", check.positive);
      read.betaSlow = fields.optional("beta_slow", check.positive);
      read.truncate = fields.optional("truncate", check.boolean);
      read.mscale = fields.optional("mscale", check.notNegative);
      read.mscaleAllDim = fields.optional("mscale_all_dim", check.notNegative);
      break;
    case "longrope": {
      const end = originalMaxPositionEmbeddings ?? maxPositionEmbeddings ?? Number.POSITIVE_INFINITY;
      const mscale = (seqLen ?? 0) > end ? "long_mscale" : "short_mscale";
      const found = find(["attention_factor", mscale], ...rope.places);
      read.attentionFactor = fields.optional("attention_factor", check.positive, found);
      read.shortFactor = fields.required("short_factor", pairFactors);
      read.longFactor = fields.required("long_factor", pairFactors);
      break;
    }
    case "llama3":
      read.lowFreqFactor = fields.required("low_freq_factor", check.positive);
      read.highFreqFactor = fields.required("high_freq_factor", check.positive);
      break;
  }
  // Without either, YaRN and LongRoPE would stretch by 1 and say nothing of it.
  const canDoWithout = type === "default" || type === "proportional";
  const hasRatio = (type === "yarn" || type === "longrope") && originalMaxPositionEmbeddings !== undefined;
  if (!canDoWithout && !hasRatio) fields.require("factor", read.factor);
  return read;
}

type Take<T> = (name: string, value: unknown) => T;

/** Takes fields one by one, and remembers how each is spelt, for errors that only the kernel can find. */
class Reading {
  readonly #spellings = new Map<string, string>();

  constructor(
    readonly rope: Rope,
    readonly textPath: string,
  ) {}

  /** A parameter of RoPE by the name that the kernel has for it, unless it is told what was found elsewhere. */
  optional<T>(field: string, take: Take<T>, ...elsewhere: [(Found | undefined)?]): T | undefined {
    const found = elsewhere.length > 0 ? elsewhere[0] : find([field], ...this.rope.places);
    if (found === undefined) return undefined;
    this.#spellings.set(field, found.name);
    return take(found.name, found.value);
  }

  required<T>(field: string, take: Take<T>, ...elsewhere: [(Found | undefined)?]): T {
    return this.require(field, this.optional(field, take, ...elsewhere));
  }

  require<T>(field: string, value: T | undefined): T {
    if (value === undefined) throw missing(this.spelling(field));
    return value;
  }

  spelling(field: string): string {
    if (field === "seq_len") return "seqLen";
    const path = ["head_dim", "max_position_embeddings"].includes(field) ? this.textPath : this.rope.path;
    return this.#spellings.get(field) ?? path + field;
  }
}

function missing(name: string): RopewalkError {
  return new RopewalkError("bad_value", name, undefined, "a value: it has no default");
}

function proportion(name: string, value: unknown): number {
  const checked = check.positive(name, value);
  if (checked > 1) throw new RopewalkError("bad_value", name, value, "a number above 0, at most 1");
  return checked;
}

function pairFactors(name: string, value: unknown): Float64Array {
  if (!Array.isArray(value)) throw new RopewalkError("bad_type", name, value, "a list of numbers");
  return Float64Array.from(value, (factor, i) => check.positive(`${name}[${i}]`, factor));
}

// ---- Looking for fields ---------------------------------------------------------------------------------------------

type Fields = Readonly<Record<string, unknown>>;

/** An object inside the configuration, and what a message puts before its fields' names. */
interface Place {
  path: string;
  fields: Fields;
}

interface Found {
  name: string;
  value: unknown;
}

/** Python writes None where it has nothing to say. */
const isGiven = (value: unknown) => value !== undefined && value !== null;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function object(name: string, value: unknown): Fields {
  if (!isObject(value)) throw new RopewalkError("bad_type", name, value, "an object, as JSON.parse() makes");
  return value;
}

/** Everything that is given under one of these names in one of these places. */
function findAll(names: readonly string[], places: readonly Place[]): Found[] {
  return places.flatMap(({ path, fields }) =>
    names.flatMap((name) => (isGiven(fields[name]) ? [{ name: path + name, value: fields[name] }] : [])),
  );
}

/** The first of these; the others have to say the same. */
function find(names: readonly string[], ...places: readonly Place[]): Found | undefined {
  const [first, ...others] = findAll(names, places);
  const other = others.find(({ value }) => JSON.stringify(value) !== JSON.stringify(first?.value));
  if (first !== undefined && other !== undefined) throw contradiction(other, first);
  return first;
}

function contradiction(found: Found, other: Found): RopewalkError {
  const allowed = `${JSON.stringify(other.value)}, as ${other.name} says`;
  return new RopewalkError("bad_value", found.name, found.value, allowed);
}

// ---- The model ------------------------------------------------------------------------------------------------------

/** The language model that a configuration describes. */
interface Model {
  type: string | undefined;
  text: Place;
  /** What its class in transformers takes where the configuration is silent. */
  defaults: Place;
}

/** Where a multimodal model keeps its language model. */
const textFields = ["text_config", "llm_config", "language_config", "thinker_config"];

function modelOf(config: Fields): Model {
  let text: Place = { path: "", fields: config };
  let type = { name: "model_type", value: config.model_type };
  for (;;) {
    const [inner] = findAll(textFields, [text]);
    if (inner === undefined) break;
    text = { path: `${inner.name}.`, fields: object(inner.name, inner.value) };
    if (isGiven(text.fields.model_type)) {
      type = { name: `${text.path}model_type`, value: text.fields.model_type };
    }
  }
  const { name, value = null } = type;
  if (value !== null && typeof value !== "string") {
    throw new RopewalkError("bad_type", name, value, "the name of an architecture");
  }
  const defaults = { path: text.path, fields: defaultsByType.get(value ?? "") ?? {} };
  return { type: value ?? undefined, text, defaults };
}

function findIn(model: Model, ...names: string[]): Found | undefined {
  return find(names, model.text) ?? find(names, model.defaults);
}

const thetaFields = ["rope_theta", "rotary_emb_base", "rope_embedding_base", "rope_freq_constant"];
/** The base of layers that see a window only, where full ones have another. */
const localThetaFields = ["rope_local_base_freq", "local_rope_theta", "swa_rope_theta"];
const partialFields = ["partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_emb_fraction"];
const rotaryDimFields = ["rotary_dim", "attn_rotary_emb"];
const otherRopeFields = [
  "rope_parameters",
  "rope_scaling",
  "global_rope_theta",
  "rope_ratio",
  "qk_rope_head_dim",
];
const ropeFields = [thetaFields, localThetaFields, partialFields, rotaryDimFields, otherRopeFields].flat();

/** Fields by which a few models scale in ways of their own, and the value that leaves everything as it is. */
const neutral: Fields = {
  rope_position_scale: 1,
  rope_condense_ratio: 1,
  rotary_scaling_factor: null,
  rotary_emb_scale_base: null,
};

/** Refuses models that have something else than RoPE, and says what; and fields that would make it something else. */
function requireRope({ type = "", text }: Model): void {
  const { path, fields } = text;
  const refuse = (name: string, instead: string, value: unknown) =>
    new RopewalkError("bad_value", path + name, value, `a model that rotates queries and keys; ${instead}`);
  const scheme = fields.position_embedding_type;
  const attention = isObject(fields.attn_config) ? fields.attn_config : {};
  if (scheme !== "rotary" && scheme !== "rope" && attention.rope !== true) {
    if (fields.alibi === true) throw refuse("alibi", `this one ${schemes.alibi}`, true);
    if (attention.alibi === true) throw refuse("attn_config.alibi", `this one ${schemes.alibi}`, true);
    if (fields.mla_use_nope === true) throw refuse("mla_use_nope", `this one ${schemes.none}`, true);
    // Baichuan's two sizes differ in this, and nothing else in their configurations tells.
    const is13B = type === "baichuan" && fields.hidden_size === 5120;
    const instead = is13B ? schemes.alibi : otherSchemes.get(type);
    if (instead !== undefined) throw refuse("model_type", `${type} ${instead}`, type);
    const speaksOfRope = ropeFields.some((name) => isGiven(fields[name])) || isGiven(attention.rope_theta);
    if (typeof scheme === "string" && !(scheme === "absolute" && speaksOfRope)) {
      throw refuse("position_embedding_type", "this one says that it does not", scheme);
    }
    if (!speaksOfRope && !layoutsByType.has(type)) {
      throw refuse("model_type", "nothing here speaks of it", fields.model_type);
    }
  }
  for (const [name, value] of Object.entries(neutral)) {
    if (isGiven(fields[name]) && fields[name] !== value) {
      throw new RopewalkError(
        "bad_value",
        path + name,
        fields[name],
        `${value}; what else it may be is not known here`,
      );
    }
  }
}

/** The rotated components of a head in multi-head latent attention, which keeps them apart from the others. */
function latentDim(model: Model): Found | undefined {
  // DeepSeek's smallest have neither, and say so by both.
  if (model.text.fields.use_mla === false || model.text.fields.qk_rope_head_dim === 0) return undefined;
  return findIn(model, "qk_rope_head_dim");
}

function layoutOf(model: Model): RopeLayout | undefined {
  const { type = "", text } = model;
  const stated = find(["rope_interleave", "rotary_emb_interleaved"], text);
  if (stated !== undefined) return check.boolean(stated.name, stated.value) ? "interleaved" : "half";
  if (type === "deepseek_v2" && latentDim(model) === undefined) return "half";
  return layoutsByType.get(type);
}

function headDimOf(model: Model, layerType: string | undefined): Found | undefined {
  const { text, defaults } = model;
  const own = { full_attention: "global_head_dim", sliding_attention: "swa_head_dim" }[layerType ?? ""];
  const found =
    latentDim(model) ??
    (own === undefined ? undefined : findIn(model, own)) ??
    findIn(model, "head_dim", "kv_channels", "hidden_size_per_head");
  if (found !== undefined) return found;
  const sum = find(["hidden_size", "n_embd", "d_model"], text) ?? find(["hidden_size"], defaults);
  const heads =
    find(["num_attention_heads", "n_head", "n_heads"], text) ?? find(["num_attention_heads"], defaults);
  if (sum === undefined || heads === undefined) return undefined;
  const components = check.size(sum.name, sum.value);
  const count = check.size(heads.name, heads.value);
  if (components % count !== 0) {
    const allowed = `a divisor of ${sum.name}, which is ${components}, where no head_dim is given`;
    throw new RopewalkError("bad_value", heads.name, count, allowed);
  }
  return { name: sum.name, value: components / count };
}

// ---- Its parameters of RoPE -----------------------------------------------------------------------------------------

interface Rope {
  /** Where the parameters are; nowhere if the model rotates by its base alone. */
  places: readonly Place[];
  /** What stands before the name of a parameter that is missing. */
  path: string;
  /** The fields of the model that may hold the base. */
  thetas: readonly string[];
  /** Whether each kind of layer has parameters of its own, which then go before what is said of the whole model. */
  isNested: boolean;
}

function ropeOf(model: Model, layerType: string | undefined): Rope {
  const { type = "", text } = model;
  const places: Place[] = ["rope_parameters", "rope_scaling"].flatMap((field) => {
    const found = findIn(model, field);
    return found === undefined ? [] : [{ path: `${found.name}.`, fields: object(found.name, found.value) }];
  });
  const thetas = [...thetaFields, "global_rope_theta"];
  const path = places[0]?.path ?? `${text.path}rope_parameters.`;
  const nested = places.find(({ fields }) => isNested(fields));
  if (nested !== undefined) {
    const other = places.find((place) => place !== nested && Object.keys(place.fields).length > 0);
    if (other !== undefined) {
      const allowed = `nothing beside ${nested.path.slice(0, -1)}, which speaks of each kind of layer`;
      throw new RopewalkError("bad_value", other.path.slice(0, -1), other.fields, allowed);
    }
    const chosen = chooseLayer(nested, layerType);
    return { places: [chosen], path: chosen.path, thetas, isNested: true };
  }
  const local = localThetaFields.find((field) => findIn(model, field) !== undefined);
  if (local !== undefined || (type === "olmo3" && places.length > 0)) {
    requireLayer(layerType, ["full_attention", "sliding_attention"]);
    // What sees a window only was never made to read further.
    if (layerType === "sliding_attention") {
      return { places: [], path, thetas: local === undefined ? thetas : [local], isNested: false };
    }
  } else if (layerType !== undefined) {
    const types = text.fields.layer_types;
    if (Array.isArray(types)) check.oneOf("layerType", layerType, [...new Set(types.map(String))]);
    const rotatesInWindowsOnly =
      type === "cohere2" || (type === "exaone4" && isGiven(text.fields.sliding_window));
    if (rotatesInWindowsOnly && layerType === "full_attention") throw notRotated(layerType);
  }
  return { places, path, thetas, isNested: false };
}

function isNested(fields: Fields): boolean {
  const values = Object.values(fields);
  return values.some(isObject) && values.every((value) => value === null || isObject(value));
}

function chooseLayer({ path, fields }: Place, layerType: string | undefined): Place {
  const choices = Object.keys(fields);
  const chosen = requireLayer(layerType ?? (choices.length === 1 ? choices[0] : undefined), choices);
  const parameters = fields[chosen];
  if (!isObject(parameters)) throw notRotated(chosen);
  return { path: `${path}${chosen}.`, fields: parameters };
}

function requireLayer(layerType: string | undefined, choices: readonly string[]): string {
  if (layerType !== undefined && choices.includes(layerType)) return layerType;
  const allowed = `${choices.map((choice) => JSON.stringify(choice)).join(" or ")}, which rotate differently`;
  throw new RopewalkError("bad_value", "layerType", layerType, allowed);
}

function notRotated(layerType: string): RopewalkError {
  return new RopewalkError(
    "bad_value",
    "layerType",
    layerType,
    `layers that rotate; this kind ${schemes.none}`,
  );
}

const ropeTypes: readonly RopeType[] = [
  "default",
  "linear",
  "ntk",
  "dynamic",
  "yarn",
  "longrope",
  "llama3",
  "proportional",
];
const otherNames = new Map<unknown, RopeType>([
  ["mrope", "default"],
  ["su", "longrope"],
  ["deepseek_yarn", "yarn"],
]);

/** Parameters that may be there under any type; llama_4_scaling_beta lengthens queries, and turns nothing. */
const common = [
  ...["rope_type", "type", "rope_theta", "partial_rotary_factor", "factor"],
  ...["max_position_embeddings", "original_max_position_embeddings"],
  ...["mrope_section", "mrope_interleaved", "interleaved", "llama_4_scaling_beta"],
];
const yarnFields = ["beta_fast", "beta_slow", "mscale", "mscale_all_dim"];
const fieldsByType: Readonly<Record<RopeType, readonly string[]>> = {
  default: [],
  linear: [],
  // HunYuan's come with fields of YaRN that its code does not read.
  ntk: ["alpha", ...yarnFields],
  dynamic: [],
  yarn: [...yarnFields, "attention_factor", "truncate", "finetuned"],
  longrope: ["attention_factor", "short_factor", "long_factor", "short_mscale", "long_mscale"],
  llama3: ["low_freq_factor", "high_freq_factor"],
  proportional: [],
};
const allFields = new Set([...common, ...Object.values(fieldsByType).flat()]);

function typeOf(model: Model, { places, path }: Rope): RopeType {
  const [first, ...others] = findAll(["rope_type", "type"], places).map((found) => ({
    found,
    type: otherNames.get(found.value) ?? check.oneOf(found.name, found.value, ropeTypes),
  }));
  if (first === undefined) {
    // Without a type, nothing may be there that asks for one.
    const scaling = places
      .flatMap(({ fields }) => Object.keys(fields))
      .find((name) => !common.includes(name));
    if (scaling !== undefined || findAll(["factor"], places).some(({ value }) => value !== 1)) {
      const allowed = ropeTypes.map((type) => JSON.stringify(type)).join(" or ");
      throw new RopewalkError("bad_value", `${path}rope_type`, undefined, allowed);
    }
    return "default";
  }
  const other = others.find(({ type }) => type !== first.type);
  if (other !== undefined) throw contradiction(other.found, first.found);
  // Alibaba's GTE calls by this name a formula that divides the fastest pair too.
  if (first.type === "ntk" && model.type === "new") {
    throw new RopewalkError(
      "bad_value",
      first.found.name,
      "ntk",
      'another, as "new" has a formula of its own for it',
    );
  }
  return first.type === "dynamic" && findAll(["alpha"], places).length > 0 ? "ntk" : first.type;
}

function requireKnownFields({ places }: Rope, type: RopeType): void {
  const taken = [...common, ...fieldsByType[type]];
  for (const { path, fields } of places) {
    for (const [name, value] of Object.entries(fields)) {
      if (taken.includes(name) || (value === null && allFields.has(name))) continue;
      const known = allFields.has(name) ? `"${type}" does not take it, but` : "there is no such field, but";
      throw new RopewalkError("bad_value", path + name, value, `nothing: ${known} ${taken.join(", ")}`);
    }
  }
}

function factorOf({ places }: Rope, type: RopeType): Found | undefined {
  const factor = find(["factor"], ...places);
  const alpha = type === "ntk" ? find(["alpha"], ...places) : undefined;
  if (type !== "default" && alpha === undefined) return factor;
  if (factor !== undefined && factor.value !== 1) {
    const allowed = alpha === undefined ? '1, as "default" scales nothing' : `1, as ${alpha.name} scales`;
    throw new RopewalkError("bad_value", factor.name, factor.value, allowed);
  }
  return alpha;
}

function thetaOf(model: Model, { places, thetas, isNested }: Rope): Found | undefined {
  const { text, defaults } = model;
  const found = (isNested ? find(thetas, ...places) : undefined) ?? find(thetas, ...places, text);
  if (found !== undefined) return found;
  const ratio = find(["rope_ratio"], text);
  if (ratio !== undefined) {
    return { name: ratio.name, value: paperTheta * check.positive(ratio.name, ratio.value) };
  }
  const { attn_config } = text.fields;
  const inAttention = { path: `${text.path}attn_config.`, fields: isObject(attn_config) ? attn_config : {} };
  return find(["rope_theta"], inAttention) ?? find(thetas, defaults);
}

/** What transformers takes where neither a configuration nor its class speaks of the base, as the paper does. */
const paperTheta = 10000;

function partialOf(model: Model, { places, isNested }: Rope, headDim: number): Found | undefined {
  if (latentDim(model) !== undefined) return undefined;
  const { text, defaults } = model;
  const ofLayer = isNested ? find(partialFields, ...places) : undefined;
  if (ofLayer !== undefined) return ofLayer;
  const part = find(partialFields, ...places, text);
  const dim =
    find(rotaryDimFields, text) ?? (part === undefined ? find(rotaryDimFields, defaults) : undefined);
  if (dim === undefined) return part ?? find(partialFields, defaults);
  const rotaryDim = check.integer(dim.name, dim.value, 1, headDim, ", the size of a head");
  const takes = (share: number) => Math.trunc(headDim * share) === rotaryDim;
  if (part !== undefined && !takes(proportion(part.name, part.value))) throw contradiction(dim, part);
  // A quotient that is rounded down would not multiply back to the whole number.
  const share = rotaryDim / headDim;
  return part ?? { name: dim.name, value: takes(share) ? share : (rotaryDim + 0.5) / headDim };
}

const maxLengthFields = [
  "max_position_embeddings",
  "n_positions",
  "max_sequence_length",
  "max_seq_len",
  "seq_length",
  "model_max_length",
  "max_context_length",
];

function maxLengthOf(model: Model, { places }: Rope): Found | undefined {
  const { text, defaults } = model;
  if (text.fields.use_dynamic_ntk === true) return find(["seq_length"], text);
  const [found] = findAll(maxLengthFields, [text, defaults]);
  return find(["max_position_embeddings"], ...places, text) ?? found;
}

/** Qwen's first models grow their base past seq_length by a rule that no published type has. */
function requireTrained({ text }: Model, seqLen: number | undefined): void {
  const trained = find(["seq_length"], text)?.value;
  if (text.fields.use_dynamic_ntk === true && typeof trained === "number" && (seqLen ?? 0) > trained) {
    throw new RopewalkError(
      "bad_value",
      "seqLen",
      seqLen,
      `at most ${trained}, where use_dynamic_ntk sets in`,
    );
  }
}

function mropeOf(model: Model, { places }: Rope): RopeConfig["mrope"] {
  const found = find(["mrope_section"], ...places);
  if (found === undefined) {
    const type = findAll(["rope_type", "type"], places).find(({ value }) => value === "mrope");
    if (type !== undefined) throw missing(type.name.replace(/\w+$/, "mrope_section"));
    return undefined;
  }
  const { name, value } = found;
  const allowed = "three numbers of pairs: time, height, width";
  if (!Array.isArray(value)) throw new RopewalkError("bad_type", name, value, allowed);
  if (value.length !== 3) throw new RopewalkError("bad_value", name, value, allowed);
  if (model.type?.startsWith("ernie4_5_vl") || model.type === "ernie4_5_moe_vl") {
    throw new RopewalkError(
      "bad_value",
      name,
      value,
      "sections in one piece each, or interleaved as Qwen3-VL's",
    );
  }
  const [t, h, w] = value.map((pairs, i) => check.uint32(`${name}[${i}]`, pairs));
  const flag = find(["mrope_interleaved", "interleaved"], ...places);
  const interleaved = flag !== undefined && check.boolean(flag.name, flag.value);
  return { sections: [t, h, w] as [number, number, number], interleaved };
}
