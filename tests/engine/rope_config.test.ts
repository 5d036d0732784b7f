import { describe, expect, test } from "vitest";
import { RopewalkError } from "../../web/engine/errors.js";
import { type RopeConfig, type RopeConfigOptions, readRopeConfig } from "../../web/engine/rope_config.js";

const read = (config: unknown, options: RopeConfigOptions = {}) => readRopeConfig(config, options);

/** What was refused. */
function refusal(config: unknown, options: RopeConfigOptions = {}): RopewalkError {
  try {
    read(config, options);
  } catch (error) {
    if (error instanceof RopewalkError) return error;
    throw error;
  }
  throw new Error("It was read.");
}

const llama = {
  model_type: "llama",
  hidden_size: 4096,
  num_attention_heads: 32,
  max_position_embeddings: 8192,
};
const withScaling = (rope_scaling: unknown) => ({ ...llama, rope_theta: 10000, rope_scaling });
const yarn = { type: "yarn", factor: 4, original_max_position_embeddings: 32768 };
const llama3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const factors = (count: number, first: number) => Array.from({ length: count }, (_, i) => first + i / 8);
const longrope = { type: "longrope", short_factor: factors(48, 1), long_factor: factors(48, 2) };
const deepseek = {
  type: "yarn",
  factor: 40,
  original_max_position_embeddings: 4096,
  beta_fast: 32,
  beta_slow: 1,
  mscale: 1,
  mscale_all_dim: 1,
};
const ministral = {
  rope_type: "yarn",
  type: "yarn",
  rope_theta: 1e6,
  factor: 16,
  original_max_position_embeddings: 16384,
  max_position_embeddings: 262144,
  beta_fast: 32,
  beta_slow: 1,
  mscale: 1,
  mscale_all_dim: 1,
  llama_4_scaling_beta: 0.1,
};
const gemma3 = {
  model_type: "gemma3_text",
  hidden_size: 2560,
  rope_scaling: { factor: 8, rope_type: "linear" },
};
const gemma4Rope = {
  full_attention: { rope_type: "proportional", rope_theta: 1e6, partial_rotary_factor: 0.25 },
  sliding_attention: { rope_type: "default", rope_theta: 10000 },
};
const hunyuan = {
  type: "dynamic",
  alpha: 1000,
  factor: 1,
  beta_fast: 32,
  beta_slow: 1,
  mscale: 1,
  mscale_all_dim: 1,
};

// ---- Published shapes -----------------------------------------------------------------------------------------------

const published: [string, unknown, Partial<RopeConfig>, RopeConfigOptions?][] = [
  [
    "Llama 2, which says nothing of the base",
    { ...llama, rope_scaling: null },
    { modelType: "llama", layout: "half", type: "default", ropeTheta: 10000, headDim: 128 },
  ],
  ["Llama 3", { ...llama, rope_theta: 500000, rope_scaling: null }, { type: "default", ropeTheta: 500000 }],
  [
    "Llama 3.1",
    { ...llama, max_position_embeddings: 131072, rope_theta: 500000, rope_scaling: llama3 },
    {
      type: "llama3",
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 8192,
      maxPositionEmbeddings: 131072,
      partialRotaryFactor: 1,
      scalesSoftmax: false,
    },
  ],
  [
    "Llama 3.1 as transformers 5 writes it",
    { ...llama, head_dim: 128, rope_parameters: { ...llama3, rope_theta: 500000 } },
    { type: "llama3", ropeTheta: 500000, headDim: 128 },
  ],
  [
    "Llama 3.2 Vision, inside text_config",
    {
      model_type: "mllama",
      text_config: {
        model_type: "mllama_text_model",
        hidden_size: 4096,
        num_attention_heads: 32,
        rope_theta: 500000,
        rope_scaling: llama3,
      },
      vision_config: { model_type: "mllama_vision_model", attention_heads: 16 },
    },
    { modelType: "mllama_text_model", layout: "half", headDim: 128, type: "llama3" },
  ],
  [
    "Llama 4 Scout",
    {
      model_type: "llama4",
      text_config: {
        model_type: "llama4_text",
        hidden_size: 5120,
        num_attention_heads: 40,
        head_dim: 128,
        rope_theta: 500000,
        no_rope_layers: [1, 1, 1, 0],
        rope_scaling: { ...llama3, factor: 16, low_freq_factor: 1, high_freq_factor: 1 },
      },
    },
    { modelType: "llama4_text", layout: "interleaved", headDim: 128, lowFreqFactor: 1, highFreqFactor: 1 },
  ],
  [
    "LLaVA 1.5, of whose language model nearly everything is left to its class",
    { model_type: "llava", text_config: { model_type: "llama", max_position_embeddings: 4096 } },
    { modelType: "llama", layout: "half", headDim: 128, ropeTheta: 10000, maxPositionEmbeddings: 4096 },
  ],
  [
    "InternVL, inside llm_config",
    {
      model_type: "internvl_chat",
      llm_config: {
        model_type: "internlm2",
        hidden_size: 4096,
        num_attention_heads: 32,
        max_position_embeddings: 32768,
        rope_theta: 1e6,
        rope_scaling: { type: "dynamic", factor: 2 },
      },
    },
    { modelType: "internlm2", layout: "half", type: "dynamic", factor: 2, maxPositionEmbeddings: 32768 },
  ],
  [
    "Mistral, whose head_dim is null",
    { model_type: "mistral", hidden_size: 4096, num_attention_heads: 32, head_dim: null, rope_theta: 1e6 },
    { headDim: 128, layout: "half" },
  ],
  [
    "Ministral 3, whose mscale_all_dim leaves the softmax alone",
    {
      model_type: "mistral3",
      text_config: {
        model_type: "ministral3",
        head_dim: 128,
        max_position_embeddings: 262144,
        rope_parameters: ministral,
      },
    },
    { type: "yarn", ropeTheta: 1e6, mscale: 1, mscaleAllDim: 1, scalesSoftmax: false, layout: "half" },
  ],
  [
    "Mistral Small 4, whose attention is latent",
    {
      model_type: "mistral4",
      head_dim: 128,
      qk_rope_head_dim: 64,
      qk_nope_head_dim: 64,
      rope_interleave: true,
      rope_parameters: { ...ministral, partial_rotary_factor: 0.5, rope_theta: 10000 },
    },
    { headDim: 64, partialRotaryFactor: 1, scalesSoftmax: true, layout: "interleaved" },
  ],
  [
    "Qwen2.5 with YaRN",
    { ...llama, model_type: "qwen2", max_position_embeddings: 131072, rope_theta: 1e6, rope_scaling: yarn },
    { type: "yarn", factor: 4, originalMaxPositionEmbeddings: 32768, layout: "half", headDim: 128 },
  ],
  [
    "Yarn-Llama-2",
    withScaling({ type: "yarn", factor: 16, original_max_position_embeddings: 4096, finetuned: true }),
    { type: "yarn", factor: 16, originalMaxPositionEmbeddings: 4096 },
  ],
  [
    "Qwen2-VL",
    {
      ...llama,
      model_type: "qwen2_vl",
      rope_theta: 1e6,
      rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
    },
    { type: "default", layout: "half", mrope: { sections: [16, 24, 24], interleaved: false } },
  ],
  [
    "Qwen2.5-VL as saved again",
    withScaling({ type: "default", rope_type: "default", mrope_section: [16, 24, 24] }),
    { type: "default", mrope: { sections: [16, 24, 24], interleaved: false } },
  ],
  [
    "Qwen2.5-VL with YaRN",
    withScaling({ ...yarn, mrope_section: [16, 24, 24] }),
    { type: "yarn", mrope: { sections: [16, 24, 24], interleaved: false } },
  ],
  [
    "Qwen3-VL",
    {
      model_type: "qwen3_vl",
      text_config: {
        model_type: "qwen3_vl_text",
        head_dim: 128,
        rope_theta: 5e6,
        rope_scaling: { mrope_interleaved: true, mrope_section: [24, 20, 20], rope_type: "default" },
      },
    },
    { layout: "half", mrope: { sections: [24, 20, 20], interleaved: true } },
  ],
  [
    "Qwen3-Omni, in two wrappings",
    {
      model_type: "qwen3_omni_moe",
      thinker_config: {
        text_config: {
          head_dim: 128,
          rope_scaling: {
            interleaved: true,
            mrope_interleaved: true,
            mrope_section: [24, 20, 20],
            type: "default",
          },
        },
      },
    },
    { modelType: "qwen3_omni_moe", mrope: { sections: [24, 20, 20], interleaved: true } },
  ],
  [
    "Qwen3.5, partly rotated",
    {
      model_type: "qwen3_5_text",
      head_dim: 256,
      partial_rotary_factor: 0.25,
      rope_parameters: {
        rope_type: "default",
        rope_theta: 1e7,
        partial_rotary_factor: 0.25,
        mrope_interleaved: true,
        mrope_section: [11, 11, 10],
      },
    },
    { partialRotaryFactor: 0.25, mrope: { sections: [11, 11, 10], interleaved: true } },
  ],
  [
    "Qwen, the first",
    {
      model_type: "qwen",
      hidden_size: 4096,
      num_attention_heads: 32,
      kv_channels: 128,
      rotary_pct: 1.0,
      rotary_emb_base: 10000,
      seq_length: 8192,
      max_position_embeddings: 32768,
      use_dynamic_ntk: true,
    },
    {
      layout: "half",
      type: "default",
      headDim: 128,
      ropeTheta: 10000,
      seqLen: 8192,
      maxPositionEmbeddings: 8192,
    },
    { seqLen: 8192 },
  ],
  [
    "DeepSeek-V3",
    {
      model_type: "deepseek_v3",
      hidden_size: 7168,
      num_attention_heads: 128,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      max_position_embeddings: 163840,
      rope_theta: 10000,
      rope_scaling: deepseek,
    },
    {
      layout: "interleaved",
      type: "yarn",
      headDim: 64,
      mscale: 1,
      mscaleAllDim: 1,
      betaFast: 32,
      betaSlow: 1,
      scalesSoftmax: true,
    },
  ],
  [
    "DeepSeek-OCR, whose language model is not latent",
    {
      model_type: "deepseek_vl_v2",
      language_config: {
        model_type: "deepseek_v2",
        hidden_size: 1280,
        num_attention_heads: 10,
        qk_rope_head_dim: 0,
        use_mla: false,
      },
    },
    { layout: "half", headDim: 128, scalesSoftmax: false },
  ],
  [
    "Kimi K2",
    {
      model_type: "kimi_k2",
      qk_rope_head_dim: 64,
      rope_theta: 50000,
      rope_scaling: { ...deepseek, factor: 32 },
    },
    { layout: "interleaved", headDim: 64, factor: 32 },
  ],
  [
    "gpt-oss",
    {
      model_type: "gpt_oss",
      head_dim: 64,
      hidden_size: 2880,
      num_attention_heads: 64,
      initial_context_length: 4096,
      max_position_embeddings: 131072,
      rope_theta: 150000,
      rope_scaling: {
        rope_type: "yarn",
        factor: 32,
        beta_fast: 32,
        beta_slow: 1,
        truncate: false,
        original_max_position_embeddings: 4096,
      },
    },
    { layout: "half", headDim: 64, truncate: false, factor: 32 },
  ],
  [
    "Phi-3, whose original length stands outside",
    {
      ...llama,
      model_type: "phi3",
      hidden_size: 3072,
      max_position_embeddings: 131072,
      original_max_position_embeddings: 4096,
      rope_scaling: { ...longrope, type: "su" },
    },
    {
      type: "longrope",
      headDim: 96,
      originalMaxPositionEmbeddings: 4096,
      shortFactor: Float64Array.from(factors(48, 1)),
      longFactor: Float64Array.from(factors(48, 2)),
    },
  ],
  [
    "Phi-4-mini",
    {
      ...llama,
      model_type: "phi3",
      hidden_size: 3072,
      num_attention_heads: 24,
      partial_rotary_factor: 0.75,
      original_max_position_embeddings: 4096,
      rope_scaling: longrope,
    },
    { headDim: 128, partialRotaryFactor: 0.75, type: "longrope", seqLen: 5000 },
    { seqLen: 5000 },
  ],
  [
    "Phi-3.5-MoE, up to its original length",
    withScaling({
      ...longrope,
      original_max_position_embeddings: 4096,
      short_mscale: 1.25,
      long_mscale: 1.5,
    }),
    { attentionFactor: 1.25 },
    { seqLen: 4096 },
  ],
  [
    "Phi-3.5-MoE, past it",
    withScaling({
      ...longrope,
      original_max_position_embeddings: 4096,
      short_mscale: 1.25,
      long_mscale: 1.5,
    }),
    { attentionFactor: 1.5 },
    { seqLen: 4097 },
  ],
  [
    "Phi-2",
    {
      model_type: "phi",
      hidden_size: 2560,
      num_attention_heads: 32,
      partial_rotary_factor: 0.4,
      max_position_embeddings: 2048,
    },
    { headDim: 80, partialRotaryFactor: 0.4, layout: "half" },
  ],
  [
    "Gemma 3, layers that see everything",
    { model_type: "gemma3", text_config: gemma3 },
    {
      type: "linear",
      factor: 8,
      ropeTheta: 1e6,
      headDim: 256,
      maxPositionEmbeddings: 131072,
      layout: "half",
    },
    { layerType: "full_attention" },
  ],
  [
    "Gemma 3, layers that see a window",
    { model_type: "gemma3", text_config: gemma3 },
    { type: "default", ropeTheta: 10000, headDim: 256 },
    { layerType: "sliding_attention" },
  ],
  [
    "Gemma 4, layers that see everything, whose heads are wider",
    { model_type: "gemma4_text", head_dim: 256, global_head_dim: 512, rope_parameters: gemma4Rope },
    { type: "proportional", headDim: 512, partialRotaryFactor: 0.25, ropeTheta: 1e6 },
    { layerType: "full_attention" },
  ],
  [
    "Gemma 4, layers that see a window, of which nothing is said",
    { model_type: "gemma4_text" },
    { type: "default", headDim: 256, ropeTheta: 10000 },
    { layerType: "sliding_attention" },
  ],
  [
    "ModernBERT, globally",
    {
      model_type: "modernbert",
      hidden_size: 768,
      num_attention_heads: 12,
      global_rope_theta: 160000,
      local_rope_theta: 10000,
      position_embedding_type: "absolute",
    },
    { ropeTheta: 160000, headDim: 64, layout: "half" },
    { layerType: "full_attention" },
  ],
  [
    "ModernBERT, locally",
    { model_type: "modernbert", hidden_size: 768, num_attention_heads: 12 },
    { ropeTheta: 10000 },
    { layerType: "sliding_attention" },
  ],
  [
    "MiMo-V2, locally",
    {
      model_type: "mimo_v2_flash",
      head_dim: 192,
      swa_head_dim: 128,
      rope_theta: 5e6,
      swa_rope_theta: 10000,
      partial_rotary_factor: 0.334,
    },
    { ropeTheta: 10000, headDim: 128, partialRotaryFactor: 0.334 },
    { layerType: "sliding_attention" },
  ],
  [
    "OLMo 3, where only layers that see everything are stretched",
    { ...withScaling({ ...yarn, attention_factor: 1.2 }), model_type: "olmo3" },
    { type: "yarn", attentionFactor: 1.2 },
    { layerType: "full_attention" },
  ],
  [
    "OLMo 3, the others",
    { ...withScaling({ ...yarn, attention_factor: 1.2 }), model_type: "olmo3" },
    { type: "default" },
    { layerType: "sliding_attention" },
  ],
  [
    "Command R7B, whose full layers take no positions",
    {
      ...llama,
      model_type: "cohere2",
      layer_types: ["sliding_attention", "full_attention"],
      rope_theta: 50000,
    },
    { layout: "interleaved", ropeTheta: 50000 },
    { layerType: "sliding_attention" },
  ],
  [
    "Pythia",
    {
      model_type: "gpt_neox",
      hidden_size: 512,
      num_attention_heads: 8,
      rotary_pct: 0.25,
      rotary_emb_base: 10000,
      max_position_embeddings: 2048,
    },
    { layout: "half", headDim: 64, partialRotaryFactor: 0.25, ropeTheta: 10000 },
  ],
  [
    "GPT-J",
    { model_type: "gptj", n_embd: 4096, n_head: 16, n_positions: 2048, rotary_dim: 64 },
    { layout: "interleaved", headDim: 256, partialRotaryFactor: 0.25, maxPositionEmbeddings: 2048 },
  ],
  [
    "GPT-J, whose rotary_dim is its class'",
    { model_type: "gptj", n_embd: 4096, n_head: 16 },
    { headDim: 256, partialRotaryFactor: 0.25 },
  ],
  [
    "CodeGen",
    { model_type: "codegen", n_embd: 1024, n_head: 16, n_ctx: 2048, n_positions: 2048, rotary_dim: 32 },
    { layout: "interleaved", headDim: 64, partialRotaryFactor: 0.5 },
  ],
  [
    "StableLM 2",
    { model_type: "stablelm", hidden_size: 2048, num_attention_heads: 32, partial_rotary_factor: 0.25 },
    { layout: "half", headDim: 64, partialRotaryFactor: 0.25 },
  ],
  [
    "Persimmon",
    { model_type: "persimmon", hidden_size: 4096, num_attention_heads: 64 },
    { headDim: 64, partialRotaryFactor: 0.5, ropeTheta: 25000 },
  ],
  [
    "GLM-4",
    { model_type: "glm", hidden_size: 4096, num_attention_heads: 32, head_dim: 128, rope_theta: 10000 },
    { layout: "interleaved", partialRotaryFactor: 0.5 },
  ],
  [
    "GLM-4, as ChatGLM",
    {
      model_type: "chatglm",
      hidden_size: 4096,
      num_attention_heads: 32,
      kv_channels: 128,
      rope_ratio: 500,
      seq_length: 131072,
    },
    {
      layout: "interleaved",
      headDim: 128,
      partialRotaryFactor: 0.5,
      ropeTheta: 5e6,
      maxPositionEmbeddings: 131072,
    },
  ],
  [
    "MiniMax-M2",
    { model_type: "minimax_m2", head_dim: 128, rotary_dim: 64, rope_theta: 5e6 },
    { partialRotaryFactor: 0.5, ropeTheta: 5e6 },
  ],
  [
    "Falcon",
    { model_type: "falcon", hidden_size: 4544, num_attention_heads: 71, alibi: false },
    { layout: "half", headDim: 64 },
  ],
  [
    "DBRX",
    {
      model_type: "dbrx",
      d_model: 6144,
      n_heads: 48,
      max_seq_len: 32768,
      attn_config: { rope_theta: 500000 },
    },
    { headDim: 128, ropeTheta: 500000, maxPositionEmbeddings: 32768, layout: "half" },
  ],
  [
    "OpenELM",
    { model_type: "openelm", head_dim: 64, rope_freq_constant: 10000, max_context_length: 2048 },
    { headDim: 64, ropeTheta: 10000 },
  ],
  [
    "HunYuan, whose dynamic alpha is NTK-aware scaling",
    { ...llama, model_type: "hunyuan_v1_dense", rope_scaling: hunyuan },
    { type: "ntk", factor: 1000, layout: "half" },
  ],
  [
    "ESM-2",
    { model_type: "esm", hidden_size: 320, num_attention_heads: 20, position_embedding_type: "rotary" },
    { headDim: 16, layout: "half" },
  ],
  [
    "nomic-embed",
    {
      model_type: "nomic_bert",
      n_embd: 768,
      n_head: 12,
      rotary_emb_base: 1000,
      rotary_emb_fraction: 1,
      rotary_emb_interleaved: false,
      rotary_scaling_factor: null,
    },
    { headDim: 64, ropeTheta: 1000, layout: "half" },
  ],
  [
    "Granite 4, the attention of which rotates",
    { ...llama, model_type: "granitemoehybrid", position_embedding_type: "rope" },
    { layout: "half" },
  ],
  ["Baichuan 7B", { model_type: "baichuan", hidden_size: 4096, num_attention_heads: 32 }, { headDim: 128 }],
  [
    "a model that nobody knows",
    { model_type: "unheard_of", head_dim: 64, rope_theta: 20000 },
    { modelType: "unheard_of", layout: undefined, ropeTheta: 20000 },
  ],
  ["fields alone", { head_dim: 64, rope_theta: 20000 }, { modelType: undefined, headDim: 64 }],
];

test.each(published)("reads %s", (_, config, expected, options = {}) => {
  const given = structuredClone(config);
  const found = read(config, options);
  expect(found).toMatchObject(
    Object.fromEntries(Object.entries(expected).filter(([, value]) => value !== undefined)),
  );
  for (const [field, value] of Object.entries(expected)) {
    if (value === undefined) expect(found[field as keyof RopeConfig]).toBeUndefined();
  }
  expect(config).toEqual(given);
});

test("every type, and nothing that a type does not take", () => {
  for (const type of ["linear", "ntk", "dynamic"] as const) {
    expect(read(withScaling({ type, factor: 2 }))).toMatchObject({ type, factor: 2 });
  }
  expect(read(withScaling({ type: "deepseek_yarn", factor: 2 })).type).toBe("yarn");
  expect(read(withScaling({ type: "proportional" }))).toMatchObject({ type: "proportional" });
  const { betaFast, lowFreqFactor, shortFactor, attentionFactor } = read(
    withScaling({ type: "linear", factor: 2 }),
  );
  expect([betaFast, lowFreqFactor, shortFactor, attentionFactor]).toEqual(Array(4).fill(undefined));
});

test.each([
  ["null", null],
  ["empty", {}],
  ["without a type", { rope_theta: 10000 }],
  ["by name", { rope_type: "default" }],
  ["twice", { rope_type: "default", type: "default" }],
  ["with factor 1", { type: "default", factor: 1.0 }],
  ["without a type and with factor 1", { factor: 1.0 }],
  [
    "with what Python calls None",
    { rope_type: "default", factor: null, attention_factor: null, beta_fast: null },
  ],
])("no scaling, said as %s", (_, rope) => {
  expect(read(withScaling(rope))).toMatchObject({ type: "default", ropeTheta: 10000 });
  expect(read({ ...llama, rope_parameters: rope })).toMatchObject({ type: "default", ropeTheta: 10000 });
});

test("the same said twice is said once", () => {
  const config = {
    ...withScaling({ ...yarn, rope_type: "yarn", rope_theta: 10000 }),
    rope_parameters: { ...yarn, rope_theta: 10000 },
    original_max_position_embeddings: 32768,
  };
  expect(read(config)).toMatchObject({ type: "yarn", factor: 4, ropeTheta: 10000 });
});

test("what a layer says goes before what the model says", () => {
  const config = {
    ...llama,
    rope_theta: 5,
    partial_rotary_factor: 0.5,
    rope_parameters: {
      full_attention: { rope_type: "linear", factor: 2, rope_theta: 7, partial_rotary_factor: 0.25 },
      sliding_attention: { rope_type: "default" },
    },
  };
  expect(read(config, { layerType: "full_attention" })).toMatchObject({
    ropeTheta: 7,
    partialRotaryFactor: 0.25,
  });
  expect(read(config, { layerType: "sliding_attention" })).toMatchObject({
    ropeTheta: 5,
    partialRotaryFactor: 0.5,
  });
});

test("YaRN and LongRoPE take the factor from two lengths", () => {
  const lengths = { max_position_embeddings: 8192, original_max_position_embeddings: 4096 };
  for (const scaling of [{ type: "yarn" }, longrope]) {
    expect(read({ ...withScaling(scaling), ...lengths })).toMatchObject({
      factor: undefined,
      maxPositionEmbeddings: 8192,
      originalMaxPositionEmbeddings: 4096,
    });
  }
});

test.each([
  ["global_rope_theta", 5],
  ["rope_ratio", 2],
  ["qk_rope_head_dim", 8],
  ["rope_scaling", { type: "linear", factor: 2 }],
  ["rotary_dim", 8],
])("%s speaks of RoPE by itself", (field, value) => {
  expect(
    read({ model_type: "unheard_of", hidden_size: 64, num_attention_heads: 2, [field]: value }).headDim,
  ).toBe(field === "qk_rope_head_dim" ? 8 : 32);
});

test.each(["max_sequence_length", "max_seq_len", "seq_length", "model_max_length", "max_context_length"])(
  "%s is a length too",
  (field) => {
    expect(read({ head_dim: 8, rope_theta: 5, [field]: 4096 }).maxPositionEmbeddings).toBe(4096);
    // Where several are there, the one that transformers reads goes first.
    const both = { head_dim: 8, rope_theta: 5, [field]: 4096, max_position_embeddings: 32 };
    expect(read(both).maxPositionEmbeddings).toBe(32);
  },
);

test("what a model is without is not taken for what it has", () => {
  const mpt = {
    model_type: "mpt",
    d_model: 64,
    n_heads: 2,
    attn_config: { alibi: false, rope: true, rope_theta: 7 },
  };
  expect(read(mpt)).toMatchObject({ headDim: 32, ropeTheta: 7 });
  const heads = { model_type: "deepseek_v2", hidden_size: 64, num_attention_heads: 2 };
  expect(read({ ...heads, qk_rope_head_dim: 16, use_mla: false })).toMatchObject({
    headDim: 32,
    scalesSoftmax: false,
  });
  expect(read({ ...heads, qk_rope_head_dim: 0 })).toMatchObject({ headDim: 32, layout: "half" });
  expect(read({ ...heads, use_mla: true })).toMatchObject({ headDim: 64, layout: "interleaved" });
  const windowed = { ...llama, sliding_window: 4096 };
  expect(read(windowed, { layerType: "full_attention" }).type).toBe("default");
  expect(read({ ...llama, model_type: "exaone4" }, { layerType: "full_attention" }).type).toBe("default");
});

test("a single kind of layer needs no choice", () => {
  const config = { ...llama, rope_parameters: { full_attention: { rope_type: "linear", factor: 2 } } };
  expect(read(config)).toMatchObject({ type: "linear", factor: 2 });
});

test("a rotary_dim is kept whole, however the quotient is rounded", () => {
  for (let head_dim = 1; head_dim <= 256; ++head_dim) {
    for (let rotary_dim = 1; rotary_dim <= head_dim; ++rotary_dim) {
      const { partialRotaryFactor } = read({ head_dim, rotary_dim });
      if (Math.trunc(head_dim * partialRotaryFactor) !== rotary_dim)
        throw new Error(`${rotary_dim} of ${head_dim}`);
    }
  }
  // 1/49 * 49 is below 1.
  expect(Math.trunc((1 / 49) * 49)).toBe(0);
});

test("a layout that is stated goes before what is known of the model", () => {
  expect(read({ ...llama, rope_interleave: true }).layout).toBe("interleaved");
  expect(read({ model_type: "deepseek_v3", qk_rope_head_dim: 64, rope_interleave: false }).layout).toBe(
    "half",
  );
});

test("mscale_all_dim without a model is DeepSeek's", () => {
  expect(read({ head_dim: 64, rope_parameters: deepseek }).scalesSoftmax).toBe(true);
  expect(read(withScaling(deepseek)).scalesSoftmax).toBe(false);
});

test.each([
  [withScaling({ type: "linear", factor: 2 }), ["factor"]],
  [
    withScaling({ ...deepseek, attention_factor: 1 }),
    Object.keys(deepseek).filter((field) => field !== "type"),
  ],
  [withScaling({ ...yarn, attention_factor: 1, truncate: true }), ["attention_factor", "truncate"]],
  [withScaling(llama3), ["low_freq_factor", "high_freq_factor", "original_max_position_embeddings"]],
  [
    withScaling({ ...longrope, factor: 2, attention_factor: 1 }),
    ["short_factor", "long_factor", "attention_factor"],
  ],
])("spells %j where it was found", (config, fields) => {
  const { spelling } = read(config);
  for (const field of fields) expect(spelling(field)).toBe(`rope_scaling.${field}`);
  const outside = ["rope_theta", "max_position_embeddings"];
  for (const field of outside) expect(spelling(field)).toBe(field);
  const inside = {
    model_type: "phi",
    n_embd: 64,
    n_head: 2,
    rotary_pct: 0.5,
    n_positions: 8,
    rotary_emb_base: 9,
  };
  const other = read({ ...inside, original_max_position_embeddings: 8 });
  expect(
    [
      "head_dim",
      "partial_rotary_factor",
      "max_position_embeddings",
      "rope_theta",
      "original_max_position_embeddings",
    ].map((field) => other.spelling(field)),
  ).toEqual(["n_embd", "rotary_pct", "n_positions", "rotary_emb_base", "original_max_position_embeddings"]);
  const mscale = read(withScaling({ ...longrope, factor: 2, short_mscale: 1.5 }));
  expect(mscale.spelling("attention_factor")).toBe("rope_scaling.short_mscale");
});

test("spells each field as the configuration does", () => {
  const inside = read({
    text_config: { head_dim: 8, rotary_emb_base: 5, rope_scaling: { ...yarn, beta_fast: 3 } },
  });
  expect(inside.spelling("rope_theta")).toBe("text_config.rotary_emb_base");
  expect(inside.spelling("head_dim")).toBe("text_config.head_dim");
  expect(inside.spelling("beta_fast")).toBe("text_config.rope_scaling.beta_fast");
  expect(inside.spelling("attention_factor")).toBe("text_config.rope_scaling.attention_factor");
  expect(inside.spelling("max_position_embeddings")).toBe("text_config.max_position_embeddings");
  const layers = read(
    { head_dim: 8, rope_parameters: { a: { rope_type: "linear", factor: 2 }, b: null } },
    { layerType: "a" },
  );
  expect(layers.spelling("factor")).toBe("rope_parameters.a.factor");
  expect(read({ head_dim: 8, rope_theta: 5 }).spelling("seq_len")).toBe("seqLen");
  const alpha = read({ ...llama, rope_scaling: hunyuan });
  expect(alpha.spelling("factor")).toBe("rope_scaling.alpha");
});

// ---- Errors ---------------------------------------------------------------------------------------------------------

describe("models that do not rotate", () => {
  test.each([
    ["bert", {}, "model_type", /learned vector/],
    ["gpt2", { n_embd: 768, n_head: 12 }, "model_type", /learned vector/],
    ["opt", {}, "model_type", /learned vector/],
    ["bloom", {}, "model_type", /ALiBi/],
    ["mpt", { attn_config: { alibi: true } }, "attn_config.alibi", /ALiBi/],
    ["falcon", { alibi: true }, "alibi", /ALiBi/],
    ["baichuan", { hidden_size: 5120, num_attention_heads: 40 }, "model_type", /ALiBi/],
    ["t5", { relative_attention_num_buckets: 32 }, "model_type", /bucket/],
    ["deberta-v2", {}, "model_type", /distances/],
    ["marian", {}, "model_type", /sines/],
    ["mamba", {}, "model_type", /no positions/],
    ["kimi_linear", { qk_rope_head_dim: 64, mla_use_nope: true }, "mla_use_nope", /no positions/],
    [
      "granitemoehybrid",
      { position_embedding_type: "nope", rope_theta: 10000 },
      "position_embedding_type",
      /not/,
    ],
    ["esm", { position_embedding_type: "absolute" }, "position_embedding_type", /not/],
    ["wav2vec2", { hidden_size: 768 }, "model_type", /nothing here speaks of it/],
    [undefined, { hidden_size: 768 }, "model_type", /nothing here speaks of it/],
  ])("%s %j", (model_type, fields, argument, instead) => {
    const given = ({ "attn_config.alibi": true, model_type, ...fields } as Record<string, unknown>)[argument];
    const error = refusal({ model_type, ...fields });
    expect(error).toMatchObject({ code: "bad_value", argument });
    expect(error.allowed).toMatch(/^a model that rotates queries and keys; /);
    expect(error.allowed).toMatch(instead);
    expect(error.given).toBe(given);
  });

  test("the text tower of CLIP", () => {
    const error = refusal({ model_type: "clip", text_config: { model_type: "clip_text_model" } });
    expect(error).toMatchObject({ argument: "text_config.model_type", given: "clip_text_model" });
  });
});

type Refused = [config: unknown, argument: string, code?: RopewalkError["code"], options?: RopeConfigOptions];

const wrong: Record<string, Refused[]> = {
  "another kind of value": [
    [undefined, "config", "bad_type"],
    [null, "config", "bad_type"],
    ["{}", "config", "bad_type"],
    [[], "config", "bad_type"],
    [7, "config", "bad_type"],
    [{ model_type: 7 }, "model_type", "bad_type"],
    [{ text_config: { model_type: [] } }, "text_config.model_type", "bad_type"],
    [{ text_config: "llama" }, "text_config", "bad_type"],
    [{ ...llama, rope_theta: "10000" }, "rope_theta", "bad_type"],
    [{ ...llama, rope_theta: [10000, 5e6] }, "rope_theta", "bad_type"],
    [{ ...llama, head_dim: "128" }, "head_dim", "bad_type"],
    [{ ...llama, hidden_size: "4096" }, "hidden_size", "bad_type"],
    [{ ...llama, num_attention_heads: true }, "num_attention_heads", "bad_type"],
    [{ ...llama, max_position_embeddings: "8192" }, "max_position_embeddings", "bad_type"],
    [{ ...llama, original_max_position_embeddings: "8192" }, "original_max_position_embeddings", "bad_type"],
    [{ ...llama, partial_rotary_factor: "0.5" }, "partial_rotary_factor", "bad_type"],
    [{ ...llama, rotary_dim: "64" }, "rotary_dim", "bad_type"],
    [{ ...llama, rope_interleave: 1 }, "rope_interleave", "bad_type"],
    [withScaling("linear"), "rope_scaling", "bad_type"],
    [withScaling(4), "rope_scaling", "bad_type"],
    [withScaling([]), "rope_scaling", "bad_type"],
    [{ ...llama, rope_parameters: false }, "rope_parameters", "bad_type"],
    [withScaling({ type: 3, factor: 2 }), "rope_scaling.type", "bad_type"],
    [withScaling({ rope_type: "linear", factor: "2" }), "rope_scaling.factor", "bad_type"],
    [withScaling({ ...hunyuan, alpha: "1000" }), "rope_scaling.alpha", "bad_type"],
    [withScaling({ ...yarn, truncate: "no" }), "rope_scaling.truncate", "bad_type"],
    [withScaling({ ...yarn, beta_fast: "32" }), "rope_scaling.beta_fast", "bad_type"],
    [withScaling({ ...yarn, beta_slow: [] }), "rope_scaling.beta_slow", "bad_type"],
    [withScaling({ ...yarn, mscale: "1" }), "rope_scaling.mscale", "bad_type"],
    [withScaling({ ...yarn, mscale_all_dim: true }), "rope_scaling.mscale_all_dim", "bad_type"],
    [withScaling({ ...yarn, attention_factor: "1" }), "rope_scaling.attention_factor", "bad_type"],
    [withScaling({ ...llama3, low_freq_factor: "1" }), "rope_scaling.low_freq_factor", "bad_type"],
    [withScaling({ ...llama3, high_freq_factor: "4" }), "rope_scaling.high_freq_factor", "bad_type"],
    [withScaling({ ...longrope, factor: 2, short_factor: 1 }), "rope_scaling.short_factor", "bad_type"],
    [withScaling({ ...longrope, factor: 2, long_factor: { 0: 1 } }), "rope_scaling.long_factor", "bad_type"],
    [
      withScaling({ ...longrope, factor: 2, long_factor: [1, "2"] }),
      "rope_scaling.long_factor[1]",
      "bad_type",
    ],
    [withScaling({ type: "mrope", mrope_section: "16,24,24" }), "rope_scaling.mrope_section", "bad_type"],
    [
      withScaling({ type: "mrope", mrope_section: [16, "24", 24] }),
      "rope_scaling.mrope_section[1]",
      "bad_type",
    ],
    [
      withScaling({ type: "mrope", mrope_section: [16, 24, 24], mrope_interleaved: 1 }),
      "rope_scaling.mrope_interleaved",
      "bad_type",
    ],
    [llama, "seqLen", "bad_type", { seqLen: "8" as never }],
    [llama, "layerType", "bad_type", { layerType: 3 as never }],
  ],
  "out of range": [
    [{ ...llama, rope_theta: 0 }, "rope_theta"],
    [{ ...llama, rope_theta: -1 }, "rope_theta"],
    [{ ...llama, rope_theta: Number.NaN }, "rope_theta"],
    [{ ...llama, head_dim: 0 }, "head_dim"],
    [{ ...llama, head_dim: 1.5 }, "head_dim"],
    [{ ...llama, partial_rotary_factor: 1.5 }, "partial_rotary_factor"],
    [{ ...llama, partial_rotary_factor: 0 }, "partial_rotary_factor"],
    [{ ...llama, rotary_dim: 129 }, "rotary_dim"],
    [{ ...llama, rotary_dim: 0 }, "rotary_dim"],
    [{ model_type: "llama", hidden_size: 100, num_attention_heads: 3 }, "num_attention_heads"],
    [{ model_type: "llama", hidden_size: 100.5, num_attention_heads: 2 }, "hidden_size"],
    [{ model_type: "llama", hidden_size: 100, num_attention_heads: 0.5 }, "num_attention_heads"],
    [{ ...llama, max_position_embeddings: 0 }, "max_position_embeddings"],
    [withScaling({ type: "linear", factor: 0 }), "rope_scaling.factor"],
    [withScaling({ type: "linear", factor: -2 }), "rope_scaling.factor"],
    [withScaling({ type: "linear", factor: Number.POSITIVE_INFINITY }), "rope_scaling.factor"],
    [withScaling({ ...yarn, beta_fast: 0 }), "rope_scaling.beta_fast"],
    [withScaling({ ...yarn, mscale: -1 }), "rope_scaling.mscale"],
    [withScaling({ ...yarn, mscale_all_dim: -1 }), "rope_scaling.mscale_all_dim"],
    [withScaling({ ...yarn, beta_slow: 0 }), "rope_scaling.beta_slow"],
    [withScaling({ ...yarn, attention_factor: 0 }), "rope_scaling.attention_factor"],
    [withScaling({ ...longrope, factor: 2, attention_factor: 0 }), "rope_scaling.attention_factor"],
    [withScaling({ ...longrope, factor: 2, short_mscale: 0 }), "rope_scaling.short_mscale"],
    [withScaling({ ...llama3, low_freq_factor: 0 }), "rope_scaling.low_freq_factor"],
    [withScaling({ ...llama3, high_freq_factor: -1 }), "rope_scaling.high_freq_factor"],
    [withScaling({ ...hunyuan, alpha: -1 }), "rope_scaling.alpha"],
    [{ ...llama, original_max_position_embeddings: 0.5 }, "original_max_position_embeddings"],
    [{ ...llama, max_position_embeddings: 8192.5 }, "max_position_embeddings"],
    [{ ...llama, rope_ratio: 0, model_type: "chatglm" }, "rope_ratio"],
    [withScaling({ ...longrope, factor: 2, short_factor: [1, 0] }), "rope_scaling.short_factor[1]"],
    [withScaling({ type: "mrope", mrope_section: [16, 24] }), "rope_scaling.mrope_section"],
    [withScaling({ type: "mrope", mrope_section: [16, -1, 24] }), "rope_scaling.mrope_section[1]"],
    [llama, "seqLen", "bad_value", { seqLen: 0 }],
    [llama, "seqLen", "bad_value", { seqLen: 1.5 }],
  ],
  missing: [
    [{ model_type: "phi3" }, "head_dim"],
    [{ model_type: "phi3", hidden_size: 3072 }, "head_dim"],
    [{ text_config: { model_type: "phi3", num_attention_heads: 8 } }, "text_config.head_dim"],
    [withScaling({ type: "linear" }), "rope_scaling.factor"],
    [withScaling({ type: "ntk", factor: null }), "rope_scaling.factor"],
    [withScaling({ type: "dynamic" }), "rope_scaling.factor"],
    [withScaling({ type: "yarn" }), "rope_scaling.factor"],
    [withScaling(longrope), "rope_scaling.factor"],
    [withScaling({ ...llama3, factor: null }), "rope_scaling.factor"],
    [withScaling({ ...llama3, low_freq_factor: undefined }), "rope_scaling.low_freq_factor"],
    [withScaling({ ...llama3, high_freq_factor: undefined }), "rope_scaling.high_freq_factor"],
    [withScaling({ ...longrope, factor: 2, short_factor: null }), "rope_scaling.short_factor"],
    [withScaling({ ...longrope, factor: 2, long_factor: null }), "rope_scaling.long_factor"],
    [{ ...llama, rope_parameters: { rope_type: "linear" } }, "rope_parameters.factor"],
    [{ head_dim: 8, rope_scaling: { type: "dynamic", factor: 2 } }, "max_position_embeddings"],
    [withScaling({ type: "mrope" }), "rope_scaling.mrope_section"],
    [withScaling({ rope_type: "mrope" }), "rope_scaling.mrope_section"],
    // Something is to be scaled, and nothing says how.
    [withScaling({ factor: 2 }), "rope_scaling.rope_type"],
    [withScaling({ beta_fast: 32 }), "rope_scaling.rope_type"],
  ],
  unknown: [
    [withScaling({ type: "foo", factor: 2 }), "rope_scaling.type"],
    [withScaling({ rope_type: "xdrope", factor: 2 }), "rope_scaling.rope_type"],
    [withScaling({ type: "constructor" }), "rope_scaling.type"],
    [withScaling({ type: "linear", factor: 2, foo: 1 }), "rope_scaling.foo"],
    [withScaling({ type: "linear", factor: 2, foo: null }), "rope_scaling.foo"],
    [withScaling({ type: "linear", factor: 2, toString: 1 }), "rope_scaling.toString"],
    [{ ...llama, rope_parameters: { rope_type: "default", foo: 1 } }, "rope_parameters.foo"],
    [{ ...llama, rope_parameters: { a: { rope_type: "default", foo: 1 } } }, "rope_parameters.a.foo"],
    [
      { ...llama, rope_parameters: { rope_type: "default", full_attention: {} } },
      "rope_parameters.full_attention",
    ],
    // Known, and not of this type.
    [withScaling({ type: "linear", factor: 2, beta_fast: 32 }), "rope_scaling.beta_fast"],
    [withScaling({ type: "dynamic", factor: 2, mscale: 1 }), "rope_scaling.mscale"],
    [withScaling({ ...yarn, low_freq_factor: 1 }), "rope_scaling.low_freq_factor"],
    [withScaling({ ...llama3, attention_factor: 1 }), "rope_scaling.attention_factor"],
    [withScaling({ type: "default", short_factor: [1] }), "rope_scaling.short_factor"],
    // Of models that scale by a rule of their own.
    [
      { model_type: "new", head_dim: 64, rope_theta: 5e5, rope_scaling: { type: "ntk", factor: 2 } },
      "rope_scaling.type",
    ],
    [{ ...llama, rope_condense_ratio: 8 }, "rope_condense_ratio"],
    [{ ...llama, rope_position_scale: 2 }, "rope_position_scale"],
    [
      { model_type: "nomic_bert", n_embd: 768, n_head: 12, rotary_scaling_factor: 2 },
      "rotary_scaling_factor",
    ],
    [
      { model_type: "qwen", kv_channels: 128, rotary_emb_base: 1e4, seq_length: 8192, use_dynamic_ntk: true },
      "seqLen",
      "bad_value",
      { seqLen: 8193 },
    ],
    [
      {
        model_type: "ernie4_5_vl_moe",
        head_dim: 128,
        rope_scaling: { type: "default", mrope_section: [22, 22, 20] },
      },
      "rope_scaling.mrope_section",
    ],
  ],
  "in contradiction": [
    [withScaling({ rope_type: "yarn", type: "linear", factor: 2 }), "rope_scaling.type"],
    [withScaling({ rope_type: "yarn", type: "mrope", factor: 2 }), "rope_scaling.type"],
    [{ ...withScaling(yarn), rope_parameters: { ...yarn, type: "linear" } }, "rope_scaling.type"],
    [{ ...withScaling(yarn), rope_parameters: { ...yarn, factor: 2 } }, "rope_scaling.factor"],
    [{ ...llama, rope_theta: 10000, rope_parameters: { rope_theta: 500000 } }, "rope_theta"],
    [{ ...llama, rope_theta: 10000, rotary_emb_base: 500000 }, "rotary_emb_base"],
    [
      { ...llama, rope_scaling: { rope_theta: 2 }, rope_parameters: { rope_theta: 3 } },
      "rope_scaling.rope_theta",
    ],
    [
      { ...llama, partial_rotary_factor: 1, rope_parameters: { partial_rotary_factor: 0.5 } },
      "partial_rotary_factor",
    ],
    [{ ...llama, partial_rotary_factor: 0.5, rotary_dim: 32 }, "rotary_dim"],
    [{ ...llama, hidden_size: 4096, n_embd: 2048 }, "n_embd"],
    [{ ...withScaling(yarn), original_max_position_embeddings: 4096 }, "original_max_position_embeddings"],
    [{ ...withScaling({ ...yarn, max_position_embeddings: 4096 }) }, "max_position_embeddings"],
    [
      {
        ...withScaling({ ...longrope, factor: 2 }),
        rope_parameters: { ...longrope, factor: 2, long_factor: factors(48, 3) },
      },
      "rope_scaling.long_factor",
    ],
    [
      withScaling({ ...longrope, factor: 2, attention_factor: 1.1, short_mscale: 1.2 }),
      "rope_scaling.short_mscale",
    ],
    [withScaling({ type: "default", factor: 8 }), "rope_scaling.factor"],
    [withScaling({ ...hunyuan, factor: 2 }), "rope_scaling.factor"],
    [
      withScaling({ type: "dynamic", factor: 2, original_max_position_embeddings: 4096 }),
      "rope_scaling.original_max_position_embeddings",
    ],
    [{ ...withScaling(yarn), rope_parameters: { full_attention: { rope_type: "default" } } }, "rope_scaling"],
  ],
};

describe.each(Object.entries(wrong))("%s", (_, cases) => {
  test.each(
    cases.map(([config, argument, code = "bad_value", options = {}]) => ({
      argument,
      config,
      code,
      options,
    })),
  )("$argument in $config", ({ config, argument, code, options }) => {
    const error = refusal(config, options);
    expect(error.argument).toBe(argument);
    expect(error.code).toBe(code);
    expect(error.allowed).not.toBe("");
  });
});

describe("kinds of layers", () => {
  test.each([
    ["one that there is not", "chunked_attention"],
    ["one of every object's", "constructor"],
    ["none", undefined],
  ])("%s: the choices are listed", (_, layerType) => {
    for (const config of [
      { model_type: "gemma4_text", rope_parameters: gemma4Rope },
      gemma3,
      { ...withScaling(yarn), model_type: "olmo3" },
    ]) {
      const error = refusal(config, { layerType });
      expect(error).toMatchObject({ code: "bad_value", argument: "layerType", given: layerType });
      expect(error.allowed).toMatch(/"full_attention" or "sliding_attention"/);
    }
  });

  test("one that does not rotate", () => {
    for (const config of [
      { ...llama, rope_parameters: { full_attention: null, sliding_attention: { rope_type: "default" } } },
      { ...llama, model_type: "cohere2" },
      { ...llama, model_type: "exaone4", sliding_window: 4096 },
    ]) {
      const error = refusal(config, { layerType: "full_attention" });
      expect(error).toMatchObject({ code: "bad_value", argument: "layerType", given: "full_attention" });
      expect(error.allowed).toMatch(/no positions/);
    }
  });

  test("where all rotate alike, any of the model's own will do", () => {
    const config = { ...llama, layer_types: ["full_attention", "sliding_attention"] };
    expect(read(config, { layerType: "sliding_attention" })).toMatchObject({ type: "default" });
    expect(read(llama, { layerType: "full_attention" })).toMatchObject({ type: "default" });
    const error = refusal(config, { layerType: "chunked_attention" });
    expect(error.argument).toBe("layerType");
    expect(error.allowed).toBe('"full_attention" or "sliding_attention"');
  });
});

test("an error says what it was given and what would have been taken", () => {
  expect(refusal(withScaling({ rope_type: "yarn", type: "linear", factor: 2 })).message).toBe(
    'rope_scaling.type: given "linear"; allowed: "yarn", as rope_scaling.rope_type says',
  );
  expect(refusal({ model_type: "bloom" }).message).toBe(
    'model_type: given "bloom"; allowed: a model that rotates queries and keys; bloom adds ALiBi\'s bias to its scores',
  );
  expect(refusal(withScaling({ type: "linear" })).message).toBe(
    "rope_scaling.factor: given undefined; allowed: a value: it has no default",
  );
});
