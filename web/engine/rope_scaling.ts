/** From a model's configuration to its frequencies. */
import type { RopeLayout } from "./rope.js";
import { type RopeConfig, readRopeConfig } from "./rope_config.js";
import type { Caller } from "./tensors.js";

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
  const config = readRopeConfig(options.config, options);
  const orNaN = (value: number | undefined) => value ?? Number.NaN;
  const type = caller.module.RopeType[config.type];
  const pairs = caller.module.rope_scaling_pairs(type, config.headDim, config.partialRotaryFactor);
  const shortFactor = caller.optional("f64", "shortFactor", config.shortFactor);
  const longFactor = caller.optional("f64", "longFactor", config.longFactor);
  const frequencies = caller.output("f64", "invFreq", undefined, pairs);
  const factors = caller.output("f64", "factors", undefined, 2);
  const module = caller.enter();
  caller.check(
    module.rope_scaling(
      type,
      config.ropeTheta,
      config.headDim,
      config.partialRotaryFactor,
      orNaN(config.factor),
      orNaN(config.maxPositionEmbeddings),
      orNaN(config.originalMaxPositionEmbeddings),
      orNaN(config.seqLen),
      orNaN(config.attentionFactor),
      config.betaFast ?? 32,
      config.betaSlow ?? 1,
      config.truncate ?? true,
      orNaN(config.mscale),
      orNaN(config.mscaleAllDim),
      orNaN(config.lowFreqFactor),
      orNaN(config.highFreqFactor),
      shortFactor.handle,
      longFactor.handle,
      frequencies.handle,
      factors.handle,
    ),
    (field) => config.spelling(field),
  );
  const invFreq = caller.result(frequencies) as Float64Array;
  const [attentionFactor, softmaxFactor] = factors.view as unknown as [number, number];
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
