// From a checkpoint to attention: what is read of a layer is what mla() takes, whatever the elements are stored as.
import { loadRopewalk } from "ropewalk";
import { openSafetensors, readAttention } from "ropewalk/safetensors";
import { describe, expect, test } from "vitest";
import { hiddenStates, type Layer, seededLayer, turnsOf } from "./latent.ts";
import { halves, type Stored, safetensors } from "./safetensors_file.ts";

const engine = await loadRopewalk();
const dims = { hiddenSize: 24, nHeads: 3, kvLoraRank: 10, qkNopeHeadDim: 7, qkRopeHeadDim: 4, vHeadDim: 5 };

/** The names that the field's layers have in Hugging Face's form. */
const names = {
  qProj: "q_proj",
  qAProj: "q_a_proj",
  qALayernorm: "q_a_layernorm",
  qBProj: "q_b_proj",
  kvAProj: "kv_a_proj_with_mqa",
  kvALayernorm: "kv_a_layernorm",
  kvBProj: "kv_b_proj",
  oProj: "o_proj",
} as const;

function shapeOf(name: keyof typeof names, { qLoraRank = 0 }: Layer): number[] {
  const { hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim } = dims;
  return {
    qProj: [nHeads * (nope + rope), hiddenSize],
    qAProj: [qLoraRank, hiddenSize],
    qALayernorm: [qLoraRank],
    qBProj: [nHeads * (nope + rope), qLoraRank],
    kvAProj: [kvLoraRank + rope, hiddenSize],
    kvALayernorm: [kvLoraRank],
    kvBProj: [nHeads * (nope + vHeadDim), kvLoraRank],
    oProj: [hiddenSize, nHeads * vHeadDim],
  }[name];
}

const stored = {
  F32: (shape: number[], values: Float32Array): Stored => ({
    dtype: "F32",
    shape,
    bytes: new Uint8Array(values.slice().buffer),
  }),
  // The upper half of a float32 is a bfloat16, and the values here have no lower half.
  BF16: (shape: number[], values: Float32Array): Stored =>
    halves(
      "BF16",
      shape,
      Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16),
    ),
};

/** Without what a bfloat16 does not have. */
function rounded(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.slice().buffer);
  return new Float32Array(bits.map((word) => word & 0xffff0000).buffer);
}

describe.each(["F32", "BF16"] as const)("a layer stored as %s", (dtype) => {
  test.each([undefined, 9])("with q_lora_rank %s computes what its own weights do", async (qLoraRank) => {
    const layer = seededLayer(engine, { ...dims, ...(qLoraRank !== undefined && { qLoraRank }) });
    const tensors: Record<string, Stored> = {};
    for (const [field, name] of Object.entries(names) as [keyof typeof names, string][]) {
      const values = layer[field];
      if (values === undefined) continue;
      layer[field] = rounded(values);
      tensors[`model.layers.7.self_attn.${name}.weight`] = stored[dtype](
        shapeOf(field, layer),
        layer[field] as Float32Array,
      );
    }
    const checkpoint = await openSafetensors(new Blob([safetensors(tensors)]));
    const read = await readAttention(checkpoint, 7);
    if (read.kind !== "mla") throw new Error(read.kind);
    const { kind, ...rest } = read;
    expect(rest).toEqual(layer);

    const call = { ...turnsOf(engine, 6, dims.qkRopeHeadDim), qLen: 6, causal: true };
    const x = hiddenStates(engine, 6, dims.hiddenSize);
    for (const form of ["naive", "absorbed"] as const) {
      expect(engine.mla({ ...read, ...call, x, form }).out).toEqual(
        engine.mla({ ...layer, ...call, x, form }).out,
      );
    }
  });
});
