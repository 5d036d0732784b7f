import type { Ropewalk } from "ropewalk";
import { type Turning, turningOf } from "./turning.js";

/** Ways to make a model read further than it was trained to, in the order that they were found in. */
export const scalings = ["linear", "ntk", "dynamic", "yarn", "longrope", "llama3"] as const;
export type Scaling = (typeof scalings)[number];

/** What is stretched, and how far. */
export interface LongerSettings {
  headDim: number;
  base: number;
  /** Tokens that the frequencies were trained with. */
  trained: number;
  /** The length now, in trained lengths. */
  factor: number;
}

/** What a scaling makes of the frequencies, at the length now. */
export interface Scaled {
  invFreq: Float64Array;
  /** Tokens to a turn of each pair. */
  wavelength: Float64Array;
  /** Turns of each pair within the length now. */
  turns: Float64Array;
  /** For each pair, how many times as long it takes for a turn as in training. */
  slowdown: Float64Array;
  /** Pairs that had not come round in training, and turn further now than they did there. */
  beyond: readonly number[];
  /** Multiplies cosines and sines. */
  attentionFactor: number;
}

export interface Longer {
  /** Tokens now. */
  length: number;
  /** Turns of each pair within the trained length, as it was trained. */
  trainedTurns: Float64Array;
  unscaled: Scaled;
  scaled: Readonly<Record<Scaling, Scaled>>;
}

/** One of them from near and from far. */
export interface Hands {
  /** Where each pair points at the length now, in [-π, π]. */
  angles: Float32Array;
  scaled: Turning;
  unscaled: Turning;
}

/** As InternLM2 has it. With 1, dynamic NTK would be at each length what NTK is when made for that length. */
const dynamicFactor = 2;

/** Two products that differ by rounding alone are one: linear scaling takes a pair exactly as far as in training. */
const rounding = 1e-9;

/**
 * LongRoPE's factors are found by search, for one model each. These are made for this page: from 1 by a fourth power up
 * to the whole factor, at the first pair that had not come round in training, and no further.
 */
export function madeFactors(pairs: number, comeRound: number, factor: number): number[] {
  return Array.from({ length: pairs }, (_, i) => 1 + (factor - 1) * Math.min(1, i / comeRound) ** 4);
}

/** The configuration that has this scaling, as a model's config.json would. */
export function configOf(scaling: Scaling | "none", settings: LongerSettings, comeRound: number): unknown {
  const { headDim, base, trained, factor } = settings;
  const model = { head_dim: headDim, rope_theta: base };
  const stretched = {
    ...model,
    max_position_embeddings: trained * factor,
    original_max_position_embeddings: trained,
  };
  const type = { rope_type: scaling };
  switch (scaling) {
    case "none":
      return { ...model, max_position_embeddings: trained };
    case "linear":
    case "ntk":
      return { ...model, max_position_embeddings: trained * factor, rope_scaling: { ...type, factor } };
    case "dynamic":
      return {
        ...model,
        max_position_embeddings: trained,
        rope_scaling: { ...type, factor: dynamicFactor },
      };
    case "yarn":
      return { ...stretched, rope_scaling: { ...type, factor } };
    case "llama3":
      return {
        ...stretched,
        rope_scaling: { ...type, factor, low_freq_factor: 1, high_freq_factor: 4 },
      };
    case "longrope": {
      const pairs = headDim / 2;
      return {
        ...stretched,
        rope_scaling: {
          ...type,
          short_factor: madeFactors(pairs, comeRound, 1),
          long_factor: madeFactors(pairs, comeRound, factor),
        },
      };
    }
  }
}

/** Asks the engine what becomes of the pairs past the trained length. */
export class LongerPipeline {
  constructor(readonly engine: Ropewalk) {}

  run(settings: LongerSettings): Longer {
    const { headDim, base, trained, factor } = settings;
    const length = trained * factor;
    const asTrained = this.engine.ropePeriods({
      invFreq: this.engine.ropeInvFreq({ rotaryDim: headDim, ropeTheta: base }),
      contextLen: trained,
    });
    const comeRound = asTrained.turns.filter((turns) => turns >= 1).length;
    const scaledBy = (scaling: Scaling | "none"): Scaled => {
      const config = configOf(scaling, settings, comeRound);
      const { invFreq, attentionFactor } = this.engine.ropeFromConfig({ config, seqLen: length });
      const { wavelength, turns } = this.engine.ropePeriods({ invFreq, contextLen: length });
      return {
        invFreq,
        wavelength,
        turns,
        slowdown: wavelength.map((value, i) => value / (asTrained.wavelength[i] as number)),
        beyond: [...turns.keys()].filter((i) => {
          const before = asTrained.turns[i] as number;
          return before < 1 && (turns[i] as number) > before * (1 + rounding);
        }),
        attentionFactor,
      };
    };
    return {
      length,
      trainedTurns: asTrained.turns,
      unscaled: scaledBy("none"),
      scaled: Object.fromEntries(scalings.map((scaling) => [scaling, scaledBy(scaling)])) as Record<
        Scaling,
        Scaled
      >,
    };
  }

  hands({ length, unscaled }: Longer, { invFreq }: Scaled): Hands {
    return {
      angles: this.engine.ropeAngles({ firstPosition: length, count: 1, invFreq }),
      scaled: turningOf(this.engine, invFreq, length),
      unscaled: turningOf(this.engine, unscaled.invFreq, length),
    };
  }
}
