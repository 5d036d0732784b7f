import { type ModelRope, type Ropewalk, RopewalkError } from "ropewalk";
import { type Turning, turningOf } from "./turning.js";
import { words } from "./words/en/model.js";

/** What the text of a configuration comes to, at one length. */
export interface Reading {
  kind: "reading";
  rope: ModelRope;
  /** Kinds of layers, where they rotate differently, and the one that is read. */
  layerTypes: readonly string[];
  layerType: string | undefined;
  /** Tokens in the sequence, as asked for; or what the model is meant for. */
  length: number;
  /** Tokens that the frequencies were trained with; undefined where the configuration does not say. */
  trainedLength: number | undefined;
  /** How the model turns its pairs over `length`. */
  scaled: Turning;
  /** The same by rope_theta alone. */
  unscaled: Turning;
  /** Whether the two are the same. */
  isAsTrained: boolean;
  /** A program that does the same. */
  snippet: string;
}

/** Why there is nothing to show. */
export interface Refusal {
  kind: "refusal";
  /** The field of the configuration; "" where the text is no JSON. */
  field: string;
  /** A sentence of it, with its name as it is shown. */
  words: (name: unknown) => unknown;
}

/** Where a slider is to stand when a configuration says nothing of lengths. */
const anyLength = 4096;

/** So many can be told apart; published models have 256 and fewer. */
const mostPairs = 1024;

/** Reads configurations by the engine, and asks it for whatever is shown of them. */
export class ModelReader {
  readonly #engine: Ropewalk;
  /** Of the text that came last: lengths change nothing in it. */
  #essenceOf: { text: string; layerType: string | undefined; essence: Fields } | undefined;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  read(text: string, layerType?: string, length?: number): Reading | Refusal {
    let config: unknown;
    try {
      config = JSON.parse(text);
    } catch (error) {
      return { kind: "refusal", field: "", words: () => words.noJson((error as Error).message) };
    }
    try {
      return this.#read(text, config as Fields, layerType, length);
    } catch (error) {
      if (!(error instanceof RopewalkError)) throw error;
      return refusalOf(error);
    }
  }

  #read(text: string, config: Fields, layerType?: string, length?: number): Reading | Refusal {
    const layerTypes = this.#layerTypes(config);
    const chosen =
      layerType !== undefined && layerTypes.includes(layerType) ? layerType : (layerTypes[0] ?? undefined);
    const layer = chosen === undefined ? {} : { layerType: chosen };
    const whole = this.#engine.ropeFromConfig({ config, ...layer });
    const { ropeType, maxPositionEmbeddings, originalMaxPositionEmbeddings } = whole;
    if (whole.invFreq.length > mostPairs) {
      const tooMany = (name: unknown) => words.tooManyPairs(name, whole.headDim, mostPairs);
      return { kind: "refusal", field: "head_dim", words: tooMany };
    }
    const tellsStretchOnly = ["linear", "ntk", "proportional"].includes(ropeType);
    const trainedLength =
      originalMaxPositionEmbeddings ?? (tellsStretchOnly ? undefined : maxPositionEmbeddings);
    const seqLen = length ?? maxPositionEmbeddings ?? trainedLength ?? anyLength;
    const rope = this.#engine.ropeFromConfig({ config, ...layer, seqLen });
    const { rotaryDim, ropeTheta, invFreq } = rope;
    const asTrained = this.#engine.ropeInvFreq({ rotaryDim, ropeTheta });
    return {
      kind: "reading",
      rope,
      layerTypes,
      layerType: chosen,
      length: seqLen,
      trainedLength,
      scaled: turningOf(this.#engine, invFreq, seqLen),
      unscaled: turningOf(this.#engine, asTrained, seqLen),
      isAsTrained: invFreq.every((frequency, i) => frequency === asTrained[i]),
      snippet: snippetOf(this.#essence(text, config, chosen), rope, chosen, seqLen),
    };
  }

  /** None where all layers rotate alike. */
  #layerTypes(config: Fields): string[] {
    try {
      this.#engine.ropeFromConfig({ config });
      return [];
    } catch (error) {
      if (!(error instanceof RopewalkError) || error.argument !== "layerType") throw error;
      return [...error.allowed.matchAll(/"([^"]+)"/g)].map(([, name]) => name as string);
    }
  }

  /** The fields without which the engine would say something else, and those that speak of RoPE anyway. */
  #essence(text: string, config: Fields, layerType: string | undefined): Fields {
    const known = this.#essenceOf;
    if (known?.text === text && known.layerType === layerType) return known.essence;
    const layer = layerType === undefined ? {} : { layerType };
    const said = (value: unknown) => {
      try {
        const { invFreq, ...rest } = this.#engine.ropeFromConfig({ config: value, ...layer });
        return JSON.stringify([rest, [...invFreq]]);
      } catch {
        return undefined;
      }
    };
    const all = said(config);
    /** What of `fields` cannot be left out; `within` puts them where they were. */
    const pruned = (fields: Fields, within: (kept: Fields) => unknown): Fields => {
      let kept = fields;
      for (const [name, value] of Object.entries(fields)) {
        if (speaksOfRope.test(name)) continue;
        const { [name]: _, ...others } = kept;
        if (said(within(others)) === all) kept = others;
        else if (isObject(value)) {
          const around = kept;
          kept = { ...around, [name]: pruned(value, (inner) => within({ ...around, [name]: inner })) };
        }
      }
      return kept;
    };
    const essence = pruned(config, (kept) => kept);
    this.#essenceOf = { text, layerType, essence };
    return essence;
  }
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fields that are kept though they may say no more than what goes without saying. */
const speaksOfRope =
  /rope|rotary|position_embeddings|^(model_type|head_dim|hidden_size|n_embd|num_attention_heads|n_head)$/;

function refusalOf({ argument, given, allowed }: RopewalkError): Refusal {
  const sentence = (name: unknown) =>
    given === undefined ? words.missing(name, allowed) : words.refused(name, shortened(given), allowed);
  return { kind: "refusal", field: argument, words: sentence };
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

/** A program that has the engine turn a head of the last token as the model does: that is quick at any length. */
function snippetOf(essence: unknown, rope: ModelRope, layerType: string | undefined, length: number): string {
  const { layout, mrope, softmaxFactor, rotaryDim, headDim } = rope;
  const { comments } = words;
  const layer = layerType === undefined ? "" : `, layerType: ${JSON.stringify(layerType)}`;
  const lines = [
    'import { loadRopewalk } from "ropewalk";',
    "",
    "const ropewalk = await loadRopewalk();",
    `const config = ${JSON.stringify(essence, null, 2)};`,
    `const seqLen = ${length};`,
    `const rope = ropewalk.ropeFromConfig({ config, seqLen${layer} });`,
    "const { invFreq, attentionFactor, headDim, rotaryDim } = rope;",
    "",
  ];
  if (mrope === undefined) {
    lines.push(
      `// ${comments.last}`,
      "const last = { seqLen: 1, positionOffset: seqLen - 1 };",
      "const { cos, sin } = ropewalk.buildRopeCache({ ...last, invFreq, attentionFactor });",
    );
  } else {
    lines.push(
      `// ${comments.lastOfThree}`,
      "const positionIds = new Int32Array(3).fill(seqLen - 1);",
      "const cache = { positionIds, seqLen: 1, invFreq, attentionFactor, ...rope.mrope };",
      "const { cos, sin } = ropewalk.buildMropeCache(cache);",
    );
  }
  lines.push("", `// ${comments.query}`, "const x = new Float32Array(headDim).fill(1);");
  if (layout === undefined) lines.push(`// ${comments.layout}`);
  lines.push(
    `const layout = ${JSON.stringify(layout ?? "half")};`,
    `const query = ropewalk.applyRope({ x, cos, sin, layout, seqLen: 1, nHeads: 1, headDim${rotaryDim === headDim ? "" : ", rotaryDim"} });`,
  );
  if (softmaxFactor !== 1) {
    lines.push(
      "",
      `// ${comments.whole}`,
      "// attention({ …, softmaxScale: rope.softmaxFactor / Math.sqrt(qkHeadDim) })",
    );
  }
  return lines.join("\n");
}
