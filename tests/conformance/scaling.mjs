// Frequencies and factors of scaled RoPE by engine.ropeFromConfig(), and what is rotated with them.
import { CaseError, describe, floats } from "./tensor.mjs";

/**
 * Relative, against formulas that were evaluated in double by someone else, in an order of their own; small
 * enough that no cosine at position 131,071 would move by the rounding of a float.
 */
export const double = [2 ** -44, 0];

/** One float32 rounding, of numbers that are exact in double. */
const rounded = [2 ** -23, 0];

/** A configuration whose frequencies are known. */
export function frequencies(engine, given, context, verdict) {
  const rope = fromConfig(engine, given);
  const expected = given.inv_freq ?? given.expected_inv_freq;
  if (typeof given.rotary_dim === "number") {
    const whole = 2 * Math.ceil(given.rotary_dim / 2); // What is turned is turned in pairs.
    verdict.require(rope.rotaryDim === whole, `rotaryDim is ${rope.rotaryDim}, not ${whole}`);
  }
  verdict.hold("inv_freq", rope.invFreq, expected, [relativeTolerance(given, context), 0]);
  if (given.inv_freq_float64_reference) {
    verdict.hold("inv_freq_float64_reference", rope.invFreq, given.inv_freq_float64_reference, double);
  }
  if (typeof given.attention_factor === "number") {
    verdict.hold("attention_factor", [rope.attentionFactor], [given.attention_factor], double);
  }
  if (typeof given.softmax_scale === "number") holdSoftmaxScale(rope, given, verdict);
  if (given.cos_sin) holdTables(engine, rope, given, verdict);
}

/** Ask for a configuration that must be refused. */
export const askConfig = fromConfig;

function fromConfig(engine, { config, seq_len, layer_type }) {
  return engine.ropeFromConfig({ config, seqLen: seq_len ?? undefined, layerType: layer_type ?? undefined });
}

/** A literal is no nearer to its formula than its digits; how far it is its file may know. */
function relativeTolerance(given, context) {
  const rtol = given.rtol ?? given.suggested_rtol ?? context.suggested_rtol ?? 2e-6;
  return Math.max(rtol, 1.01 * (given.max_rel_err_of_hf_function_vs_literal ?? 0));
}

/**
 * softmax_scale = softmaxFactor / sqrt(qk_head_dim). A configuration need not say what qk_head_dim is, but it
 * is whole.
 */
function holdSoftmaxScale({ softmaxFactor }, { config, softmax_scale }, verdict) {
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, qk_head_dim } = config;
  const heads = qk_head_dim ?? (nope === undefined || rope === undefined ? undefined : nope + rope);
  const dim = heads ?? Math.max(1, Math.round((softmaxFactor / softmax_scale) ** 2));
  verdict.hold("softmax_scale", [softmaxFactor / Math.sqrt(dim)], [softmax_scale], double);
}

/** Cosines and sines of some positions, computed in double from the frequencies as float32 has them. */
function holdTables(engine, rope, { inv_freq, cos_sin }, verdict) {
  const { positions, cos_f64, sin_f64 } = cos_sin;
  if (!cos_f64 || !sin_f64) throw new CaseError("cos_sin has no table in double");
  const { cos, sin } = engine.buildRopeCache({
    positionIds: Int32Array.from(positions),
    invFreq: Float64Array.from(Float32Array.from(inv_freq)),
    attentionFactor: rope.attentionFactor,
  });
  verdict.hold("cos_f64", cos, cos_f64, rounded);
  verdict.hold("sin_f64", sin, sin_f64, rounded);
}

// ---- Rotated queries and keys ---------------------------------------------------------------------------------------

/** Configurations that are spoken of by name where they are not in the file. */
const published = {
  "Llama-3.1-8B": {
    head_dim: 128,
    max_position_embeddings: 131072,
    rope_parameters: {
      rope_type: "llama3",
      rope_theta: 500000,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
  },
};

/** Query and key rotated by a configuration's frequencies. */
export function rotated(engine, given, context, verdict) {
  const { config_name, layout: words, position_ids, ...tensors } = given;
  const entry = context.entries?.find(({ name }) => name === config_name) ?? {
    config: given.config ?? published[config_name],
  };
  if (entry.config === undefined) throw new CaseError(`no configuration ${describe(config_name)}`);
  const rope = fromConfig(engine, entry);
  const layout = /interleaved/i.test(words) ? "interleaved" : /half/i.test(words) ? "half" : undefined;
  if (layout === undefined) throw new CaseError(`unknown layout ${describe(words)}`);
  const { cos, sin } = engine.buildRopeCache({
    positionIds: Int32Array.from(position_ids),
    invFreq: rope.invFreq,
    attentionFactor: rope.attentionFactor,
  });
  for (const name of ["q", "k"]) {
    const { [name]: x, [`${name}_embed`]: expected } = tensors;
    if (x === undefined || expected === undefined) throw new CaseError(`no ${name} and ${name}_embed`);
    const [batch, nHeads, seqLen, headDim] = x.shape;
    const data = engine.applyRope({
      ...{ x: floats(x), cos, sin, layout, format: "bhsd", batch, nHeads, seqLen, headDim },
      rotaryDim: 2 * rope.invFreq.length,
    });
    // Their angles are products in float32 of frequencies in float32: two roundings, each off by 2^-24 of the
    // angle, by which a pair is off in proportion to its length. Cosines and sines and what follows are
    // rounded besides.
    const length = Math.SQRT2 * rope.attentionFactor * Math.max(...x.data.map(Math.abs));
    const atol = x.data.map((_, i) => {
      const angle = position_ids[Math.floor(i / headDim) % seqLen] * rope.invFreq[0];
      return length * (2 * angle + 4) * 2 ** -24;
    });
    verdict.holdTensor(`${name}_embed`, { shape: x.shape, data }, expected, [0, atol]);
  }
}

// ---- Properties -----------------------------------------------------------------------------------------------------

const base = { hidden_size: 4096, num_attention_heads: 32, head_dim: 128, max_position_embeddings: 2048 };
const theta = 10000;
const original = 2048;

/** What is true of a kind of scaling whatever its numbers are, by how its file says it. */
const properties = {
  "inv_freq == default_inv_freq / factor": ({ factors, rope, unscaled, hold }) => {
    for (const factor of factors) {
      hold(
        rope({ factor }).invFreq,
        unscaled.map((f) => f / factor),
      );
    }
  },

  "seq_len None or <= max_position_embeddings -> inv_freq == default_inv_freq, for any factor": ({
    factors,
    rope,
    unscaled,
    hold,
  }) => {
    const max = base.max_position_embeddings;
    for (const factor of factors) {
      for (const seqLen of [null, 1, max / 2, max]) hold(rope({ factor }, seqLen).invFreq, unscaled);
    }
  },

  "attention_factor default == 0.1*ln(factor)+1": ({ factors, rope, hold }) => {
    for (const factor of factors) {
      const { attentionFactor } = rope({ factor, original_max_position_embeddings: original });
      hold([attentionFactor], [0.1 * Math.log(factor) + 1]);
    }
  },

  "attention_factor default == sqrt(1+ln(factor)/ln(original_max_position_embeddings))": ({
    factors,
    rope,
    hold,
  }) => {
    for (const factor of factors) {
      const { attentionFactor } = rope({ ...searched, factor, original_max_position_embeddings: original });
      hold([attentionFactor], [Math.sqrt(1 + Math.log(factor) / Math.log(original))]);
    }
  },

  "seq_len<=original_max -> default_inv_freq/short_factor ; seq_len>original_max -> default_inv_freq/long_factor":
    ({ rope, unscaled, hold }) => {
      const parameters = { ...searched, factor: 4, original_max_position_embeddings: original };
      for (const seqLen of [1, original, original + 1, 4 * original]) {
        const by = searched[seqLen <= original ? "short_factor" : "long_factor"];
        hold(
          rope(parameters, seqLen).invFreq,
          unscaled.map((f, i) => f / by[i]),
        );
      }
    },

  "attention_factor == 1; default_inv_freq/factor <= inv_freq <= default_inv_freq": ({
    factors = [2, 10, 20],
    rope,
    unscaled,
    hold,
    verdict,
  }) => {
    for (const factor of factors) {
      const { invFreq, attentionFactor } = rope({
        factor,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: original,
      });
      hold([attentionFactor], [1]);
      const room = 1 + double[0];
      const within = invFreq.every((f, i) => unscaled[i] / factor <= f * room && f <= unscaled[i] * room);
      verdict.require(within, `inv_freq is not between default_inv_freq / ${factor} and default_inv_freq`);
    }
  },

  "len(inv_freq)==head_dim/2 always; tail entries exactly 0 (NoPE); denominators use head_dim, not rotary dim":
    ({ rope, unscaled, hold }) => {
      for (const part of [0.25, 0.5, 1]) {
        const turned = (part * base.head_dim) / 2;
        hold(
          rope({ partial_rotary_factor: part }).invFreq,
          unscaled.map((f, i) => (i < turned ? f : 0)),
        );
      }
    },
};

const pairs = base.head_dim / 2;
const searched = {
  short_factor: Array.from({ length: pairs }, (_, i) => 1 + i / pairs),
  long_factor: Array.from({ length: pairs }, (_, i) => 2 + i / 4),
};

/** A property that a file states in words. */
export function property(engine, given, _context, verdict) {
  if (!Object.hasOwn(properties, given.property)) {
    throw new CaseError(`unknown property ${describe(given.property)}`);
  }
  const { rope_type, factors } = given;
  const hold = (actual, expected) => verdict.hold(given.property, actual, expected, double);
  const rope = (parameters, seqLen) => {
    const config = { ...base, rope_parameters: { rope_type, rope_theta: theta, ...parameters } };
    const answer = fromConfig(engine, { config, seq_len: seqLen });
    if (given.attention_factor !== undefined) hold([answer.attentionFactor], [given.attention_factor]);
    return answer;
  };
  const unscaled = Array.from({ length: pairs }, (_, i) => theta ** ((-2 * i) / base.head_dim));
  properties[given.property]({ factors, rope, unscaled, hold, verdict });
}
