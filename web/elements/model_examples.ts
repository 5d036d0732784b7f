import { words } from "./words/en/model.js";

/** A configuration to begin with. */
export interface Example {
  name: string;
  /** As it is shown, where its name is not all that there is to say. */
  label?: string;
  config: unknown;
}

/** Of well-known models, the fields that have to do with position. */
export const examples: readonly Example[] = [
  {
    name: "Llama 3.1 8B",
    config: {
      model_type: "llama",
      hidden_size: 4096,
      num_attention_heads: 32,
      max_position_embeddings: 131072,
      rope_theta: 500000,
      rope_scaling: {
        rope_type: "llama3",
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    },
  },
  {
    name: "Qwen2.5 7B, YaRN",
    config: {
      model_type: "qwen2",
      hidden_size: 3584,
      num_attention_heads: 28,
      max_position_embeddings: 131072,
      rope_theta: 1000000,
      rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 32768 },
    },
  },
  {
    name: "DeepSeek-V3",
    config: {
      model_type: "deepseek_v3",
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      max_position_embeddings: 163840,
      rope_theta: 10000,
      rope_scaling: {
        type: "yarn",
        factor: 40,
        original_max_position_embeddings: 4096,
        beta_fast: 32,
        beta_slow: 1,
        mscale: 1,
        mscale_all_dim: 1,
      },
    },
  },
  {
    name: "gpt-oss",
    config: {
      model_type: "gpt_oss",
      head_dim: 64,
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
  },
  {
    name: "Gemma 3 4B",
    config: {
      model_type: "gemma3",
      text_config: {
        model_type: "gemma3_text",
        head_dim: 256,
        max_position_embeddings: 131072,
        rope_theta: 1000000,
        rope_local_base_freq: 10000,
        rope_scaling: { rope_type: "linear", factor: 8 },
      },
    },
  },
  {
    name: "Gemma 4",
    config: {
      model_type: "gemma4_text",
      head_dim: 256,
      global_head_dim: 512,
      max_position_embeddings: 131072,
      rope_parameters: {
        sliding_attention: { rope_type: "default", rope_theta: 10000 },
        full_attention: { rope_type: "proportional", rope_theta: 1000000, partial_rotary_factor: 0.25 },
      },
    },
  },
  {
    name: "InternLM2 7B",
    config: {
      model_type: "internlm2",
      hidden_size: 4096,
      num_attention_heads: 32,
      max_position_embeddings: 32768,
      rope_theta: 1000000,
      rope_scaling: { type: "dynamic", factor: 2 },
    },
  },
  {
    name: "Qwen2-VL 7B",
    config: {
      model_type: "qwen2_vl",
      hidden_size: 3584,
      num_attention_heads: 28,
      max_position_embeddings: 32768,
      rope_theta: 1000000,
      rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
    },
  },
  {
    name: "GPT-NeoX 20B",
    config: {
      model_type: "gpt_neox",
      hidden_size: 6144,
      num_attention_heads: 64,
      max_position_embeddings: 2048,
      rotary_emb_base: 10000,
      rotary_pct: 0.25,
    },
  },
  {
    name: "GPT-J 6B",
    config: { model_type: "gptj", n_embd: 4096, n_head: 16, n_positions: 2048, rotary_dim: 64 },
  },
  {
    name: "BLOOM",
    label: words.noneOf("BLOOM"),
    config: { model_type: "bloom", hidden_size: 4096, n_head: 32 },
  },
];
