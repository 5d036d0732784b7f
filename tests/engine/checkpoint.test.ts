import { describe, expect, test } from "vitest";
import {
  type AttentionLayer,
  type Checkpoint,
  type HeadsAttention,
  type MlaAttention,
  openSafetensors,
  type ReadAttentionOptions,
  RopewalkError,
  readAttention,
} from "../../web/engine/safetensors_node.ts";
import {
  believed,
  counting,
  fileOf,
  index,
  opaque,
  type Stored,
  safetensors,
  WatchedFile,
} from "./safetensors_file.ts";

type Tensors = Record<string, Stored>;

/** Tensors of these shapes, no two of them with the same elements. */
function shaped(shapes: Record<string, number[]>, prefix = ""): Tensors {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [prefix + name, counting(shape, 10_000 * (i + 1))]),
  );
}

const open = (tensors: Tensors): Promise<Checkpoint> => openSafetensors(new Blob([safetensors(tensors)]));

async function readFrom(
  tensors: Tensors,
  layer = 0,
  options?: ReadAttentionOptions,
): Promise<AttentionLayer> {
  return readAttention(await open(tensors), layer, options);
}

async function refusal(promise: Promise<unknown>): Promise<RopewalkError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!(error instanceof RopewalkError)) throw new Error(`not a RopewalkError: ${error}`, { cause: error });
  return error;
}

/** The elements of a tensor, as the test has made them. */
function elements(tensors: Tensors, name: string): number[] {
  const tensor = tensors[name] as Stored;
  return [...new Float32Array(tensor.bytes.buffer as ArrayBuffer)];
}

/** What a layer has beside its tensors, and its tensors. */
function parts(layer: AttentionLayer) {
  const entries = Object.entries(layer);
  const isTensor = ([, value]: [string, unknown]) => value instanceof Float32Array;
  return {
    extents: Object.fromEntries(entries.filter((entry) => !isTensor(entry))),
    tensors: Object.fromEntries(entries.filter(isTensor).map(([name, values]) => [name, [...values]])),
  };
}

// ---- Multi-head latent attention -----------------------------------------------------------------------------------------

const latent = { hiddenSize: 10, nHeads: 3, kvLoraRank: 6, qkNopeHeadDim: 5, qkRopeHeadDim: 4, vHeadDim: 7 };
const qLoraRank = 8;

/** The shapes that such a layer has, by what its tensors are called here. */
function mlaShapes(e: typeof latent, rank?: number): Record<string, number[]> {
  const qRows = e.nHeads * (e.qkNopeHeadDim + e.qkRopeHeadDim);
  const queries: Record<string, number[]> =
    rank === undefined
      ? { qProj: [qRows, e.hiddenSize] }
      : { qAProj: [rank, e.hiddenSize], qALayernorm: [rank], qBProj: [qRows, rank] };
  return {
    ...queries,
    kvAProj: [e.kvLoraRank + e.qkRopeHeadDim, e.hiddenSize],
    kvALayernorm: [e.kvLoraRank],
    kvBProj: [e.nHeads * (e.qkNopeHeadDim + e.vHeadDim), e.kvLoraRank],
    oProj: [e.hiddenSize, e.nHeads * e.vHeadDim],
  };
}

const huggingFaceMla: Record<string, string> = {
  qProj: "q_proj",
  qAProj: "q_a_proj",
  qALayernorm: "q_a_layernorm",
  qBProj: "q_b_proj",
  kvAProj: "kv_a_proj_with_mqa",
  kvALayernorm: "kv_a_layernorm",
  kvBProj: "kv_b_proj",
  oProj: "o_proj",
};
const deepSeekMla: Record<string, string> = {
  qProj: "wq",
  qAProj: "wq_a",
  qALayernorm: "q_norm",
  qBProj: "wq_b",
  kvAProj: "wkv_a",
  kvALayernorm: "kv_norm",
  kvBProj: "wkv_b",
  oProj: "wo",
};
const huggingFaceHeads: Record<string, string> = {
  qProj: "q_proj",
  kProj: "k_proj",
  vProj: "v_proj",
  oProj: "o_proj",
};
const metaHeads: Record<string, string> = { qProj: "wq", kProj: "wk", vProj: "wv", oProj: "wo" };

const renamed = (shapes: Record<string, number[]>, names: Record<string, string>) =>
  Object.fromEntries(Object.entries(shapes).map(([field, shape]) => [`${names[field]}.weight`, shape]));

describe("latent attention", () => {
  const forms = [
    ["Hugging Face", huggingFaceMla, "model.layers.3.self_attn."],
    ["DeepSeek", deepSeekMla, "layers.3.attn."],
  ] as const;
  const cases = forms.flatMap(([form, names, place]) =>
    [undefined, qLoraRank].map((rank) => [form, rank, names, place] as const),
  );

  test.each(cases)("in %s's names, with a rank of queries of %s", async (_, rank, names, place) => {
    const tensors = shaped(renamed(mlaShapes(latent, rank), names), place);
    const layer = parts(await readFrom(tensors, 3));
    const ranks = rank === undefined ? {} : { qLoraRank: rank };
    expect(layer.extents).toEqual({ kind: "mla", ...latent, ...ranks });
    const fields = Object.keys(mlaShapes(latent, rank));
    expect(layer.tensors).toEqual(
      Object.fromEntries(fields.map((field) => [field, elements(tensors, `${place}${names[field]}.weight`)])),
    );
  });

  // DeepSeek-V2-Lite and V3, but for the sizes that do not matter to the heads.
  test.each([
    { hiddenSize: 2, nHeads: 16, kvLoraRank: 5, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
    { hiddenSize: 2, nHeads: 128, kvLoraRank: 5, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
    { hiddenSize: 1, nHeads: 1, kvLoraRank: 1, qkNopeHeadDim: 1, qkRopeHeadDim: 1, vHeadDim: 1 },
    { hiddenSize: 3, nHeads: 5, kvLoraRank: 4, qkNopeHeadDim: 1, qkRopeHeadDim: 6, vHeadDim: 9 },
    { hiddenSize: 3, nHeads: 5, kvLoraRank: 4, qkNopeHeadDim: 9, qkRopeHeadDim: 2, vHeadDim: 1 },
  ])("has the extents that its shapes tell: %j", async (extents) => {
    for (const rank of [undefined, 3]) {
      const tensors = shaped(renamed(mlaShapes(extents, rank), huggingFaceMla), "model.layers.0.self_attn.");
      const { kind, qLoraRank, ...more } = parts(await readFrom(tensors)).extents;
      expect([kind, qLoraRank, more]).toEqual(["mla", rank, extents]);
    }
  });

  const place = "model.layers.0.self_attn.";
  const shapes = (rank?: number) => renamed(mlaShapes(latent, rank), huggingFaceMla);
  const lies: [string, Record<string, number[] | undefined>, string, string][] = [
    [
      "no latent of keys and values",
      { "kv_a_proj_with_mqa.weight": undefined },
      "bad_file",
      "kv_a_proj_with_mqa.weight",
    ],
    ["no norm of it", { "kv_a_layernorm.weight": undefined }, "bad_file", "kv_a_layernorm.weight"],
    ["nothing out of it", { "kv_b_proj.weight": undefined }, "bad_file", "kv_b_proj.weight"],
    ["no output", { "o_proj.weight": undefined }, "bad_file", "o_proj.weight"],
    ["no latent of queries", { "q_a_proj.weight": undefined }, "bad_file", "q_a_proj.weight"],
    ["no norm of that", { "q_a_layernorm.weight": undefined }, "bad_file", "q_a_layernorm.weight"],
    ["nothing out of that", { "q_b_proj.weight": undefined }, "bad_file", "q_b_proj.weight"],
    ["queries by two ways", { "q_proj.weight": [27, 10] }, "bad_shape", "q_proj.weight"],
    [
      "a vector for a matrix",
      { "kv_a_proj_with_mqa.weight": [10] },
      "bad_shape",
      "kv_a_proj_with_mqa.weight",
    ],
    ["a matrix for a vector", { "kv_a_layernorm.weight": [6, 1] }, "bad_shape", "kv_a_layernorm.weight"],
    ["a scalar", { "kv_a_layernorm.weight": [] }, "bad_shape", "kv_a_layernorm.weight"],
    ["three extents", { "o_proj.weight": [10, 3, 7] }, "bad_shape", "o_proj.weight"],
    ["no rows", { "kv_b_proj.weight": [0, 6] }, "bad_shape", "kv_b_proj.weight"],
    ["no columns", { "o_proj.weight": [10, 0] }, "bad_shape", "o_proj.weight"],
    [
      "a norm as long as the latent with the rotary key",
      { "kv_a_layernorm.weight": [10], "kv_b_proj.weight": [36, 10] },
      "bad_shape",
      "kv_a_proj_with_mqa.weight",
    ],
    ["another rank out of the latent", { "kv_b_proj.weight": [36, 5] }, "bad_shape", "kv_b_proj.weight"],
    ["another hidden size of the queries", { "q_a_proj.weight": [8, 11] }, "bad_shape", "q_a_proj.weight"],
    [
      "another rank of the queries' norm",
      { "q_a_layernorm.weight": [9] },
      "bad_shape",
      "q_a_layernorm.weight",
    ],
    [
      "another rank out of the queries' latent",
      { "q_b_proj.weight": [27, 9] },
      "bad_shape",
      "q_b_proj.weight",
    ],
    ["another hidden size of the output", { "o_proj.weight": [11, 21] }, "bad_shape", "o_proj.weight"],
    ["a turned output", { "o_proj.weight": [21, 10] }, "bad_shape", "o_proj.weight"],
    ["heads that are not whole", { "q_b_proj.weight": [28, 8] }, "bad_shape", "kv_b_proj.weight"],
    [
      "values of no whole extent",
      { "o_proj.weight": [10, 25], "kv_b_proj.weight": [40, 6], "q_b_proj.weight": [27, 8] },
      "bad_shape",
      "kv_b_proj.weight",
    ],
    ["no heads at all", { "kv_b_proj.weight": [48, 6] }, "bad_shape", "kv_b_proj.weight"],
    ["fewer heads than none", { "kv_b_proj.weight": [60, 6] }, "bad_shape", "kv_b_proj.weight"],
    [
      "no components without a position",
      { "q_b_proj.weight": [12, 8], "kv_b_proj.weight": [21, 6] },
      "bad_shape",
      "kv_b_proj.weight",
    ],
    ["a bias, which is not added", { "o_proj.bias": [10] }, "bad_file", "o_proj.bias"],
    ["an indexer, which picks keys", { "indexer.wk.weight": [4, 10] }, "bad_file", "indexer.wk.weight"],
  ];
  test.each(lies)("with %s is refused, and nothing of it read", async (_, changes, code, argument) => {
    const entries = Object.entries({ ...shapes(qLoraRank), ...changes });
    const there = entries.filter((entry): entry is [string, number[]] => entry[1] !== undefined);
    const file = new WatchedFile([safetensors(shaped(Object.fromEntries(there), place))], "x.safetensors");
    const error = await refusal(readAttention(await openSafetensors(file), 0));
    expect([error.code, error.argument]).toEqual([code, place + argument]);
    expect(file.slices.length).toBe(2);
  });

  test("with queries neither this way nor that is refused", async () => {
    const { "q_proj.weight": _, ...rest } = shapes();
    const error = await refusal(readFrom(shaped(rest, place)));
    expect([error.code, error.argument]).toEqual(["bad_file", `${place}q_proj.weight`]);
  });

  test("says what was found and what would have done", async () => {
    const wrongRank = { ...shapes(), "kv_b_proj.weight": [36, 5] };
    expect((await refusal(readFrom(shaped(wrongRank, place)))).message).toBe(
      "model.layers.0.self_attn.kv_b_proj.weight: given [36, 5]; allowed: [kvBRows, kvLoraRank = 6]",
    );
  });

  test("takes no headDim", async () => {
    const error = await refusal(readFrom(shaped(shapes(), place), 0, { headDim: 9 }));
    expect([error.code, error.argument, error.given]).toEqual(["bad_value", "headDim", 9]);
  });

  test("of DeepSeek-V3 as it is published is refused by its elements", async () => {
    const tensors = shaped(shapes(qLoraRank), place);
    for (const [name, { shape, bytes }] of Object.entries(tensors)) {
      if (!name.endsWith("_proj.weight") && !name.endsWith("_mqa.weight")) continue;
      tensors[name] = opaque("F8_E4M3", shape, bytes.length / 4);
      tensors[`${name}_scale_inv`] = counting([1, 1]);
    }
    const error = await refusal(readFrom(tensors));
    expect([error.code, error.argument, error.given]).toEqual([
      "bad_type",
      `${place}kv_a_proj_with_mqa.weight`,
      "F8_E4M3",
    ]);
    expect(error.allowed).toBe("F32, F16 or BF16");
  });
});

// ---- Heads ---------------------------------------------------------------------------------------------------------------

const grouped = { hiddenSize: 10, qDim: 24, kvDim: 8 };
const headsShapes = {
  qProj: [24, 10],
  kProj: [8, 10],
  vProj: [8, 10],
  oProj: [10, 24],
};
const biases = { "q_proj.bias": [24], "k_proj.bias": [8], "v_proj.bias": [8] };
const norms = { "q_norm.weight": [4], "k_norm.weight": [4] };

describe("attention with heads", () => {
  const place = "model.layers.12.self_attn.";
  const llama = renamed(headsShapes, huggingFaceHeads);

  test("in Hugging Face's names of Llama", async () => {
    const tensors = shaped(llama, place);
    const layer = parts(await readFrom(tensors, 12));
    expect(layer.extents).toEqual({ kind: "heads", ...grouped });
    expect(layer.tensors).toEqual({
      qProj: elements(tensors, `${place}q_proj.weight`),
      kProj: elements(tensors, `${place}k_proj.weight`),
      vProj: elements(tensors, `${place}v_proj.weight`),
      oProj: elements(tensors, `${place}o_proj.weight`),
    });
  });

  test("in Meta's names", async () => {
    const tensors = shaped(renamed(headsShapes, metaHeads), "layers.0.attention.");
    const layer = parts(await readFrom(tensors, 0, { headDim: 8 }));
    expect(layer.extents).toEqual({ kind: "heads", ...grouped, headDim: 8, nHeads: 3, nKvHeads: 1 });
    expect(layer.tensors).toEqual({
      qProj: elements(tensors, "layers.0.attention.wq.weight"),
      kProj: elements(tensors, "layers.0.attention.wk.weight"),
      vProj: elements(tensors, "layers.0.attention.wv.weight"),
      oProj: elements(tensors, "layers.0.attention.wo.weight"),
    });
  });

  test("with biases, as in Qwen2", async () => {
    const tensors = shaped({ ...llama, ...biases, "o_proj.bias": [10] }, place);
    const { tensors: read } = parts(await readFrom(tensors, 12));
    expect(Object.keys(read).sort()).toEqual([
      "kBias",
      "kProj",
      "oBias",
      "oProj",
      "qBias",
      "qProj",
      "vBias",
      "vProj",
    ]);
    expect(read.qBias).toEqual(elements(tensors, `${place}q_proj.bias`));
    expect(read.kBias).toEqual(elements(tensors, `${place}k_proj.bias`));
    expect(read.vBias).toEqual(elements(tensors, `${place}v_proj.bias`));
    expect(read.oBias).toEqual(elements(tensors, `${place}o_proj.bias`));
  });

  test("with norms, as in Qwen3, which tell headDim", async () => {
    const tensors = shaped({ ...llama, ...norms }, place);
    const known = { kind: "heads", ...grouped, headDim: 4, nHeads: 6, nKvHeads: 2 };
    for (const options of [undefined, {}, { headDim: 4 }]) {
      const layer = parts(await readFrom(tensors, 12, options));
      expect(layer.extents).toEqual(known);
      expect(layer.tensors.qNorm).toEqual(elements(tensors, `${place}q_norm.weight`));
      expect(layer.tensors.kNorm).toEqual(elements(tensors, `${place}k_norm.weight`));
    }
    const { "q_norm.weight": _, ...keyNorm } = norms;
    expect(parts(await readFrom(shaped({ ...llama, ...keyNorm }, place), 12)).extents).toEqual(known);
  });

  test("with frequencies beside them, as old checkpoints have, which are left out", async () => {
    const tensors = shaped({ ...llama, "rotary_emb.inv_freq": [2] }, place);
    expect(Object.keys(parts(await readFrom(tensors, 12)).tensors)).toEqual([
      "qProj",
      "kProj",
      "vProj",
      "oProj",
    ]);
  });

  test("of one head alone says so", async () => {
    const single = { ...llama, "q_proj.weight": [8, 10], "o_proj.weight": [10, 8], "q_norm.weight": [8] };
    const tensors = shaped(single, place);
    expect((await refusal(readFrom(tensors, 12))).argument).toBe(`${place}q_norm.weight`);
    expect(parts(await readFrom(tensors, 12, { headDim: 8 })).extents).toMatchObject({
      nHeads: 1,
      nKvHeads: 1,
    });
  });

  const lies: [string, Record<string, number[] | undefined>, string, string][] = [
    ["no queries", { "q_proj.weight": undefined }, "bad_file", "q_proj.weight"],
    ["no keys", { "k_proj.weight": undefined }, "bad_file", "k_proj.weight"],
    ["no values", { "v_proj.weight": undefined }, "bad_file", "v_proj.weight"],
    ["no output", { "o_proj.weight": undefined }, "bad_file", "o_proj.weight"],
    ["another hidden size of keys", { "k_proj.weight": [8, 9] }, "bad_shape", "k_proj.weight"],
    ["another hidden size of values", { "v_proj.weight": [8, 9] }, "bad_shape", "v_proj.weight"],
    ["values unlike keys", { "v_proj.weight": [4, 10] }, "bad_shape", "v_proj.weight"],
    ["a turned output", { "o_proj.weight": [24, 10] }, "bad_shape", "o_proj.weight"],
    ["queries with a gate, as in Qwen3-Next", { "q_proj.weight": [48, 10] }, "bad_shape", "o_proj.weight"],
    ["queries of three extents", { "q_proj.weight": [4, 6, 10] }, "bad_shape", "q_proj.weight"],
    ["a short bias of queries", { "q_proj.bias": [23] }, "bad_shape", "q_proj.bias"],
    ["a short bias of keys", { "k_proj.bias": [7] }, "bad_shape", "k_proj.bias"],
    ["a short bias of values", { "v_proj.bias": [7] }, "bad_shape", "v_proj.bias"],
    ["a short bias of the output", { "o_proj.bias": [9] }, "bad_shape", "o_proj.bias"],
    ["norms of two lengths", { "q_norm.weight": [4], "k_norm.weight": [8] }, "bad_shape", "k_norm.weight"],
    [
      "norms that do not divide the heads",
      { "q_norm.weight": [5], "k_norm.weight": [5] },
      "bad_shape",
      "q_norm.weight",
    ],
    [
      "norms that divide the heads of keys alone",
      { "q_proj.weight": [20, 10], "o_proj.weight": [10, 20], "q_norm.weight": [8] },
      "bad_shape",
      "q_norm.weight",
    ],
    ["a norm of keys that does not", { "k_norm.weight": [3] }, "bad_shape", "k_norm.weight"],
    [
      "norms over all heads, as in OLMo 2",
      { "q_norm.weight": [24], "k_norm.weight": [8] },
      "bad_shape",
      "k_norm.weight",
    ],
    [
      "norms over all heads, as many of keys as of queries",
      { "k_proj.weight": [24, 10], "v_proj.weight": [24, 10], "q_norm.weight": [24], "k_norm.weight": [24] },
      "bad_shape",
      "q_norm.weight",
    ],
    [
      "heads of keys that do not divide those of queries",
      { "k_proj.weight": [16, 10], "v_proj.weight": [16, 10], "q_norm.weight": [4] },
      "bad_shape",
      "k_proj.weight",
    ],
    [
      "fused queries, keys and values, as in Phi-3",
      { "qkv_proj.weight": [40, 10] },
      "bad_file",
      "qkv_proj.weight",
    ],
    ["sinks", { sinks: [6] }, "bad_file", "sinks"],
  ];
  test.each(lies)("with %s is refused", async (_, changes, code, argument) => {
    const entries = Object.entries({ ...llama, ...changes });
    const there = entries.filter((entry): entry is [string, number[]] => entry[1] !== undefined);
    const error = await refusal(readFrom(shaped(Object.fromEntries(there), place), 12));
    expect([error.code, error.argument]).toEqual([code, place + argument]);
  });

  test.each([
    [5, "bad_shape", "headDim"],
    [24, "bad_shape", "headDim"],
    [16, "bad_shape", "headDim"],
    [0, "bad_value", "headDim"],
    [1.5, "bad_value", "headDim"],
    [-4, "bad_value", "headDim"],
    [Number.NaN, "bad_value", "headDim"],
    ["4", "bad_type", "headDim"],
    [null, "bad_type", "headDim"],
  ])("a headDim of %j is refused", async (headDim, code, argument) => {
    const error = await refusal(readFrom(shaped(llama, place), 12, { headDim: headDim as number }));
    expect([error.code, error.argument]).toEqual([code, argument]);
  });

  test("a headDim that divides the keys alone is refused", async () => {
    const odd = { ...llama, "q_proj.weight": [20, 10], "o_proj.weight": [10, 20] };
    const error = await refusal(readFrom(shaped(odd, place), 12, { headDim: 8 }));
    expect([error.code, error.argument]).toEqual(["bad_shape", "headDim"]);
  });

  test("a headDim that the norms do not have is refused", async () => {
    const error = await refusal(readFrom(shaped({ ...llama, ...norms }, place), 12, { headDim: 8 }));
    expect([error.code, error.argument, error.given]).toEqual(["bad_shape", `${place}q_norm.weight`, [4]]);
  });
});

// ---- Which layer ---------------------------------------------------------------------------------------------------------

describe("a layer", () => {
  const llama = renamed(headsShapes, huggingFaceHeads);
  const layersOf = (prefix: string, numbers: number[], block = "self_attn") =>
    Object.assign({}, ...numbers.map((number) => shaped(llama, `${prefix}layers.${number}.${block}.`)));

  test.each(["", "model.", "language_model.model.", "model.language_model.", "mtp.layers.0."])(
    "is found behind the prefix %j",
    async (prefix) => {
      const tensors = {
        ...layersOf(prefix, [0, 1]),
        "lm_head.weight": counting([2]),
        "model.norm.weight": counting([2]),
      };
      expect((await readFrom(tensors, 1)).kind).toBe("heads");
      expect((await readFrom(tensors, 1, { prefix })).kind).toBe("heads");
    },
  );

  test("is that one, and none of which its number is a part", async () => {
    const tensors: Tensors = Object.assign(
      {},
      ...[1, 10, 11, 21].map((number) =>
        Object.fromEntries(
          Object.entries(llama).map(([name, shape]) => [
            `layers.${number}.self_attn.${name}`,
            counting(shape, number),
          ]),
        ),
      ),
    );
    for (const number of [1, 10, 11, 21]) {
      expect(((await readFrom(tensors, number)) as HeadsAttention).qProj[0]).toBe(number);
    }
  });

  test("that is not there is refused with those that are", async () => {
    const tensors = layersOf("model.", [9, 0, 10, 1, 2, 5]);
    const error = await refusal(readFrom(tensors, 3));
    expect([error.code, error.argument, error.given]).toEqual(["bad_value", "layer", 3]);
    expect(error.allowed).toBe("a layer that is there: 0 to 2, 5, 9 to 10");
    const none = await refusal(readFrom({ "model.norm.weight": counting([2]) }));
    expect([none.code, none.argument, none.allowed]).toEqual([
      "bad_value",
      "layer",
      "a layer that is there: none is known",
    ]);
  });

  const towers = { ...layersOf("model.", [0, 1]), ...layersOf("vision_tower.encoder.", [0]) };

  test("that is there twice is refused, unless a prefix says which", async () => {
    const error = await refusal(readFrom(towers, 0));
    expect([error.code, error.argument]).toEqual(["bad_value", "prefix"]);
    expect(error.allowed).toBe('"model." or "vision_tower.encoder.", as each has a layer 0');
    for (const prefix of ["model.", "vision_tower.encoder."]) {
      expect((await readFrom(towers, 0, { prefix })).kind).toBe("heads");
    }
    // The other has no such layer.
    expect((await readFrom(towers, 1)).kind).toBe("heads");
    const beyond = await refusal(readFrom(towers, 1, { prefix: "vision_tower.encoder." }));
    expect([beyond.argument, beyond.allowed]).toEqual(["layer", "a layer that is there: 0"]);
    expect((await refusal(readFrom(towers, 2))).allowed).toBe("a layer that is there: 0 to 1");
  });

  test.each([
    ["of fused tensors", shaped({ "qkv.weight": [24, 8], "proj.weight": [8, 8] }, "visual.layers.0.attn.")],
    ["in a form of its own, as in Pixtral", shaped(llama, "vision_tower.transformer.layers.0.attention.")],
  ])("stands beside a tower %s, which is no layer of these", async (_, tower) => {
    const tensors = { ...tower, ...layersOf("language_model.model.", [0]) };
    const { qProj } = (await readFrom(tensors, 0)) as HeadsAttention;
    expect([...qProj]).toEqual(elements(tensors, "language_model.model.layers.0.self_attn.q_proj.weight"));
    expect((await refusal(readFrom(tower, 0))).allowed).toBe("a layer that is there: none is known");
  });

  test.each(["model", "MODEL.", "", 1, null])(
    "behind the prefix %j, which there is not, is refused",
    async (prefix) => {
      const error = await refusal(readFrom(towers, 0, { prefix: prefix as string }));
      expect([error.code, error.argument, error.given]).toEqual(["bad_value", "prefix", prefix]);
      expect(error.allowed).toBe('"model." or "vision_tower.encoder."');
    },
  );

  test("is one whose number is written as numbers are", async () => {
    const error = await refusal(readFrom(shaped(llama, "layers.00.self_attn."), 0));
    expect(error.allowed).toBe("a layer that is there: none is known");
  });

  test.each([
    [-1, "bad_value"],
    [0.5, "bad_value"],
    [2 ** 31, "bad_value"],
    ["0", "bad_type"],
    [undefined, "bad_type"],
  ])("of the number %j is refused", async (number, code) => {
    const error = await refusal(readAttention(await open(towers), number as number));
    expect([error.code, error.argument]).toEqual([code, "layer"]);
  });

  test.each([null, 4, "model."])("with the options %j is refused", async (options) => {
    const error = await refusal(
      readAttention(await open(towers), 0, options as unknown as ReadAttentionOptions),
    );
    expect([error.code, error.argument]).toEqual(["bad_type", "options"]);
  });

  test("is all that is read", async () => {
    const others = { "model.embed_tokens.weight": counting([50]), ...layersOf("model.", [0, 2]) };
    const bytes = safetensors({ ...others, ...layersOf("model.", [1]), "lm_head.weight": counting([50]) });
    const file = new WatchedFile([bytes], "model.safetensors");
    const checkpoint = await openSafetensors(file);
    file.slices.length = 0;
    await readAttention(checkpoint, 1);
    const own = [...believed(bytes)].filter(([name]) => name.startsWith("model.layers.1."));
    expect(own.length).toBe(4);
    expect(file.slices.sort(([a], [b]) => a - b)).toEqual(own.map(([, { begin, end }]) => [begin, end]));
  });

  test("in two files has no other opened", async () => {
    const names = Object.keys(llama);
    const of = (layer: number, part: string[]) =>
      shaped(
        Object.fromEntries(part.map((name) => [name, llama[name] as number[]])),
        `model.layers.${layer}.self_attn.`,
      );
    const contents = [
      of(0, names),
      { ...of(1, names.slice(0, 2)) },
      { ...of(1, names.slice(2)), ...of(2, names) },
    ];
    const files = contents.map((tensors, i) => new WatchedFile([safetensors(tensors)], `${i}.safetensors`));
    const weightMap = Object.fromEntries(
      contents.flatMap((tensors, i) => Object.keys(tensors).map((name) => [name, `${i}.safetensors`])),
    );
    const checkpoint = await openSafetensors([
      ...files,
      fileOf("model.safetensors.index.json", index(weightMap)),
    ]);
    expect((await readAttention(checkpoint, 1, { headDim: 4 })).kind).toBe("heads");
    // A length, a header, and tensors.
    expect(files.map(({ slices }) => slices.length)).toEqual([0, 4, 4]);
  });
});

// ---- Types ---------------------------------------------------------------------------------------------------------------

test("the kind tells the fields apart, and the queries' way as well", async () => {
  const tensors = shaped(renamed(mlaShapes(latent, qLoraRank), huggingFaceMla), "layers.0.self_attn.");
  const layer = await readFrom(tensors);
  if (layer.kind !== "mla") throw new Error("another kind");
  const typed: MlaAttention = layer;
  const spread: { hiddenSize: number; kvBProj: Float32Array } = { ...typed };
  expect(spread.kvBProj.length).toBe(36 * 6);
  if (!("qAProj" in typed)) throw new Error("another way");
  expect([typed.qLoraRank, typed.qAProj.length, typed.qBProj.length]).toEqual([8, 80, 216]);
});
