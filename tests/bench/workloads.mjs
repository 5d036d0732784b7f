// What is measured, and what is aimed at.
//
// `kind` says what a contender has to compute: `rope`, or `attention`, or `mla`, which Ropewalk alone has. `place` is where
// its tensors are: `arrays` come from JavaScript and go back there, into arrays made beforehand by those whose API has a way
// for that, which are Ropewalk and plain JavaScript; in `memory` they are where a contender's kernel finds them, and its
// result stays there.

import { tinyAttention } from "./tiny.mjs";

const heads = { nHeads: 8, headDim: 64 };
const lengths = [128, 512, 1024, 2048];

/** Multiply-adds are two flops; what a causal mask hides is not counted. */
const attentionFlops = ({ nHeads, headDim, qLen, kvLen, causal }) =>
  (causal ? 2 : 4) * nHeads * headDim * qLen * kvLen;

function rope(layout, place) {
  const shape = { seqLen: 2048, ...heads };
  return {
    name: `rope-${layout}${place === "memory" ? "-kernel" : ""}`,
    title: `RoPE ${layout}, 8 × 2,048 × 64, ${place === "memory" ? "in memory" : "arrays"}`,
    kind: "rope",
    layout,
    place,
    ...shape,
    // In memory one rotation follows another in a run, as some could not otherwise be told from what a call costs.
    rotations: place === "memory" ? 8 : 1,
    ceiling: { copy: 4 * shape.seqLen * shape.nHeads * shape.headDim },
    goals: place === "memory" ? { peer: 1.5, copies: 1.3 } : { peer: 2 },
  };
}

function attention(name, title, options) {
  const workload = { name, title, kind: "attention", place: "arrays", ...heads, ...options };
  const flops = attentionFlops(workload);
  return { goals: {}, ceiling: { flops: true }, flops, ...workload };
}

const causalGoals = (seqLen) => ({
  "onnxruntime-web": seqLen >= 512 ? 4 : 2,
  ...(seqLen >= 512 && { "LiteRT.js": 2.5 }),
  ...(seqLen >= 1024 && { ofPeak: 0.8 }),
  ...(seqLen >= 2048 && { threads: 1.8 }),
});

const words = (n) => n.toLocaleString("en");

const square = (seqLen) => ({ qLen: seqLen, kvLen: seqLen });

const decode = (name, cache, options, bytesPerElement = 4) => ({
  ...attention(name, `decode, 1 on 4,096 × 8 × 64, ${cache}`, {
    ...{ qLen: 1, kvLen: 4096, causal: false },
    ...options,
  }),
  ceiling: { read: 2 * bytesPerElement * 4096 * heads.nHeads * heads.headDim },
});

/** DeepSeek-V2-Lite's, as its config.json has it. */
const deepseek = {
  hiddenSize: 2048,
  nHeads: 16,
  kvLoraRank: 512,
  qkNopeHeadDim: 128,
  qkRopeHeadDim: 64,
  vHeadDim: 128,
};

export const workloads = [
  rope("half", "arrays"),
  rope("interleaved", "arrays"),
  rope("half", "memory"),
  rope("interleaved", "memory"),
  ...lengths.map((seqLen) =>
    attention(`attention-causal-${seqLen}`, `causal attention, 8 × 64, seq ${words(seqLen)}`, {
      ...square(seqLen),
      causal: true,
      goals: causalGoals(seqLen),
    }),
  ),
  ...lengths.map((seqLen) =>
    attention(`attention-full-${seqLen}`, `full attention, 8 × 64, seq ${words(seqLen)}`, {
      ...square(seqLen),
      causal: false,
      goals: seqLen >= 1024 ? { ofPeak: 0.8 } : {},
    }),
  ),
  ...lengths.map((seqLen) =>
    attention(`rope-attention-weights-${seqLen}`, `RoPE + causal attention + weights, seq ${words(seqLen)}`, {
      ...square(seqLen),
      causal: true,
      layout: "half",
      weights: true,
      goals: { peer: 2.5 },
    }),
  ),
  decode("decode-resident", "cache resident", { place: "memory", goals: { peer: 1, reads: 1.2 } }),
  // The others' caches are in float32 here too. What is kept is within 2^-8 of what was given, and the result is off by
  // less than that, as most of it is averaged out.
  decode(
    "decode-bfloat16",
    "cache resident, ours in bfloat16",
    { place: "memory", dtype: "bfloat16", tolerance: 2 ** -8, goals: { peer: 1.5 } },
    2,
  ),
  decode("decode-passed", "cache passed in", { place: "arrays" }),
  attention("tiny-attention", "tiny attention, 1 × 16 × 8", {
    ...tinyAttention,
    ceiling: {},
    goals: { "plain JavaScript": 1 },
  }),
  attention("tiny-rope-attention-weights", "tiny RoPE + attention + weights", {
    ...tinyAttention,
    ceiling: {},
    layout: "half",
    weights: true,
    goals: { "plain JavaScript": 1 },
  }),
  {
    name: "mla-decode",
    title: "MLA decode, DeepSeek-V2-Lite, 4,096 cached",
    kind: "mla",
    ...deepseek,
    kvLen: 4096,
    ceiling: { flops: true },
    goals: { ofPeak: 0.6 },
  },
];
