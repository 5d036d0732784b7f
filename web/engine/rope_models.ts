/**
 * What a configuration leaves unsaid because the model's code in Hugging Face transformers knows it, by `model_type`:
 * how components pair up, what is taken where a field is missing, and which models do not rotate at all.
 */
import type { RopeLayout } from "./rope.js";

const words = (text: string) => text.trim().split(/\s+/);

const interleaved = words(`
  chatglm codegen cohere cohere2 deepseek_v2 deepseek_v3 deepseek_v32 ernie4_5 ernie4_5_moe glm glm4 glm4_moe_lite
  glm4v glm4v_text glm_moe_dsa gptj helium kimi_k2 llama4 llama4_text longcat_flash mistral4 roformer youtu
`);

const half = words(`
  apertus arcee baichuan bamba bitnet csm dbrx deepseek diffllama dots1 esm exaone exaone4 falcon falcon_h1 flex_olmo
  gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text gemma4 gemma4_text glm4_moe glm4v_moe glm4v_moe_text gpt_neox
  gpt_neox_japanese gpt_oss granite granitemoe granitemoehybrid granitemoeshared hunyuan hunyuan_v1_dense
  hunyuan_v1_moe internlm internlm2 internlm3 jetmoe lfm2 lfm2_moe llama mimo mimo_v2_flash minicpm minicpm3 minimax
  minimax_m2 ministral ministral3 mistral mixtral mllama_text_model modernbert nemotron nomic_bert olmo olmo2 olmo3
  olmoe openelm persimmon phi phi-msft phi3 phi3_v phi3small phi4mm phimoe plamo qwen qwen2 qwen2_5_vl
  qwen2_5_vl_text qwen2_moe qwen2_vl qwen2_vl_text qwen3 qwen3_5_text qwen3_moe qwen3_next qwen3_vl_moe_text
  qwen3_vl_text recurrent_gemma seed_oss smollm3 stablelm starcoder2 vaultgemma xverse
`);

/** Of the checkpoints that the configuration comes with: Llama's are `half` here, and `interleaved` at Meta's. */
export const layoutsByType: ReadonlyMap<string, RopeLayout> = new Map([
  ...interleaved.map((type) => [type, "interleaved"] as const),
  ...half.map((type) => [type, "half"] as const),
]);

const gemma3 = {
  head_dim: 256,
  max_position_embeddings: 131072,
  rope_theta: 1e6,
  rope_local_base_freq: 10000,
};
const llama = { hidden_size: 4096, num_attention_heads: 32, max_position_embeddings: 2048 };
const latent = { qk_rope_head_dim: 64 };

/** What a model's class takes for fields that are not there, as they often are not in a multimodal configuration. */
export const defaultsByType: ReadonlyMap<string, Readonly<Record<string, unknown>>> = new Map(
  Object.entries({
    chatglm: { kv_channels: 128, partial_rotary_factor: 0.5 },
    codegen: { rotary_dim: 64 },
    deepseek_v2: latent,
    deepseek_v3: latent,
    gemma: { hidden_size: 3072, num_attention_heads: 16, head_dim: 256, max_position_embeddings: 8192 },
    gemma2: { hidden_size: 2304, num_attention_heads: 8, head_dim: 256, max_position_embeddings: 8192 },
    gemma3_text: gemma3,
    gemma3n_text: { ...gemma3, max_position_embeddings: 32768 },
    gemma4_text: {
      head_dim: 256,
      global_head_dim: 512,
      max_position_embeddings: 131072,
      rope_parameters: {
        sliding_attention: { rope_type: "default", rope_theta: 10000 },
        full_attention: { rope_type: "proportional", rope_theta: 1e6, partial_rotary_factor: 0.25 },
      },
    },
    glm: { head_dim: 128, partial_rotary_factor: 0.5 },
    glm4: { head_dim: 128, partial_rotary_factor: 0.5 },
    glm4_moe: { head_dim: 128, partial_rotary_factor: 0.5 },
    glm4v_text: { hidden_size: 4096, num_attention_heads: 32, partial_rotary_factor: 0.5 },
    gpt_neox: { rotary_pct: 0.25 },
    gptj: { rotary_dim: 64 },
    llama,
    llama4_text: { head_dim: 128, max_position_embeddings: 131072, rope_theta: 500000 },
    mistral: { ...llama, max_position_embeddings: 131072 },
    mixtral: { ...llama, max_position_embeddings: 131072, rope_theta: 1e6 },
    mllama_text_model: { ...llama, max_position_embeddings: 131072, rope_theta: 500000 },
    modernbert: { global_rope_theta: 160000, local_rope_theta: 10000 },
    nemotron: { partial_rotary_factor: 0.5 },
    nomic_bert: { rotary_emb_base: 10000, rotary_emb_fraction: 1 },
    persimmon: { partial_rotary_factor: 0.5, rope_theta: 25000 },
    phi: { partial_rotary_factor: 0.5 },
    qwen2: { ...llama, max_position_embeddings: 32768 },
    qwen3: { ...llama, head_dim: 128, max_position_embeddings: 32768 },
    recurrent_gemma: { partial_rotary_factor: 0.5 },
    stablelm: { partial_rotary_factor: 0.25 },
  }),
);

export const schemes = {
  learned: "adds a learned vector for each position",
  sinusoidal: "adds sines and cosines of the position",
  alibi: "adds ALiBi's bias to its scores",
  buckets: "adds a learned bias for each bucket of distances to its scores",
  relative: "scores distances by vectors of their own",
  none: "takes no positions",
};

/** What models have that do not rotate. */
export const otherSchemes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    learned: `albert bart bert big_bird biogpt blenderbot camembert clip clip_text_model distilbert electra ernie gpt2
      gpt_bigcode gpt_neo layoutlm longformer mbart openai-gpt opt roberta siglip siglip_text_model vit whisper
      xlm-roberta xlm-roberta-xl`,
    sinusoidal: "ctrl fsmt m2m_100 marian pegasus xglm xlm",
    alibi: "bloom jais mpt",
    buckets: "longt5 mpnet mt5 pop2piano switch_transformers t5 udop umt5",
    relative: "deberta deberta-v2 transfo-xl xlnet",
    none: "falcon_mamba jamba mamba mamba2 nemotron_h rwkv xlstm",
  } satisfies Record<keyof typeof schemes, string>).flatMap(([scheme, types]) =>
    words(types).map((type) => [type, schemes[scheme as keyof typeof schemes]] as const),
  ),
);
