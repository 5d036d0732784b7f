/** From a model's configuration to its frequencies. */
import * as check from "./checks.js";
import type { RopeLayout } from "./rope.js";
import { type RopeConfig, readRopeConfig } from "./rope_config.js";
import { type Caller, optional, output } from "./tensors.js";

/** What {@link Ropewalk.ropeFromConfig} takes. */
export interface RopeFromConfigOptions {
  /** A Hugging Face `config.json`, parsed; or any object with the fields of it that matter. */
  config: unknown;
  /** Tokens in the sequence now, which dynamic NTK and LongRoPE go by. The trained length if not given. */
  seqLen?: number;
  /** Which layers, where a model rotates some otherwise than others, such as `sliding_attention`. */
  layerType?: string;
}

/** How a model rotates its queries and keys. */
export interface ModelRope {
  /** The configuration's `model_type`. */
  modelType?: string;
  /** `rope_type`, as Hugging Face spells it. */
  ropeType: RopeConfig["type"];
  /** Which components pair up in the model's published checkpoints, where its `model_type` says so. */
  layout?: RopeLayout;
  /** Components of a head, of those parts of it that may be rotated. */
  headDim: number;
  /** Components that are rotated; the others come after them. */
  rotaryDim: number;
  /** The base of the frequencies. */
  ropeTheta: number;
  /** [rotaryDim / 2], radians per position. */
  invFreq: Float64Array;
  /** Multiplies cosines and sines, hence scores by its square. */
  attentionFactor: number;
  /** Multiplies the softmax scale, where a model (DeepSeek) has that instead. */
  softmaxFactor: number;
  /** The length that the model is meant for. */
  maxPositionEmbeddings?: number;
  /** The length that it was first trained with, where that is another. */
  originalMaxPositionEmbeddings?: number;
  /** How the pairs are shared out over time, height and width, in a multimodal model. */
  mrope?: {
    /** Pairs for time, height and width. */
    sections: [number, number, number];
    /** Whether the three take turns instead of following one another. */
    interleaved: boolean;
  };
}

export function ropeFromConfig(caller: Caller, options: RopeFromConfigOptions): ModelRope {
  check.record(options);
  const config = readRopeConfig(options.config, options);
  const orNaN = (value: number | undefined) => value ?? Number.NaN;
  const scaling = caller.ask((module) => ({
    type: module.RopeType[config.type],
    rope_theta: config.ropeTheta,
    head_dim: config.headDim,
    partial_rotary_factor: config.partialRotaryFactor,
    factor: orNaN(config.factor),
    max_position_embeddings: orNaN(config.maxPositionEmbeddings),
    original_max_position_embeddings: orNaN(config.originalMaxPositionEmbeddings),
    seq_len: orNaN(config.seqLen),
    attention_factor: orNaN(config.attentionFactor),
    beta_fast: config.betaFast ?? 32,
    beta_slow: config.betaSlow ?? 1,
    truncate: config.truncate ?? true,
    mscale: orNaN(config.mscale),
    mscale_all_dim: orNaN(config.mscaleAllDim),
    low_freq_factor: orNaN(config.lowFreqFactor),
    high_freq_factor: orNaN(config.highFreqFactor),
  }));
  const pairs = caller.ask((module) => module.rope_scaling_pairs(scaling));
  const slots = {
    shortFactor: optional("f64", "shortFactor", config.shortFactor),
    longFactor: optional("f64", "longFactor", config.longFactor),
    invFreq: output("f64", "invFreq", undefined, pairs),
    factors: output("f64", "factors", undefined, 2),
  };
  const { invFreq, factors } = caller.call(
    slots,
    (module, b) => module.rope_scaling(scaling, b.shortFactor, b.longFactor, b.invFreq, b.factors),
    (field) => config.spelling(field),
  );
  const [attentionFactor, softmaxFactor] = factors as unknown as [number, number];
  const { modelType, layout, maxPositionEmbeddings, originalMaxPositionEmbeddings, mrope } = config;
  return {
    ...(modelType !== undefined && { modelType }),
    ropeType: config.type,
    ...(layout !== undefined && { layout }),
    headDim: config.headDim,
    rotaryDim: 2 * pairs,
    ropeTheta: config.ropeTheta,
    invFreq,
    attentionFactor,
    softmaxFactor: config.scalesSoftmax ? softmaxFactor : 1,
    ...(maxPositionEmbeddings !== undefined && { maxPositionEmbeddings }),
    ...(originalMaxPositionEmbeddings !== undefined && { originalMaxPositionEmbeddings }),
    ...(mrope !== undefined && { mrope }),
  };
}
