/** What published models cache. Shapes are from the sources named; every number made of them is the kernels'. */
import type { Ropewalk } from "ropewalk";
import { words } from "./words/en/cached.js";

export interface CacheShape {
  name: string;
  nLayers: number;
  nHeads: number;
  /** Components of a head's key, and as many of its value. */
  headDim: number;
  /** Heads of keys and values; or, under latent attention, what is kept in their place. */
  kept: { nKvHeads: number } | { kvLoraRank: number; qkRopeHeadDim: number };
  source: { name: string; url: string };
}

const arxiv = (id: string, where: string) => ({
  name: `arXiv:${id}, ${where}`,
  url: `https://arxiv.org/abs/${id}`,
});
const latent = { kvLoraRank: 512, qkRopeHeadDim: 64 };

export const cacheShapes: readonly CacheShape[] = [
  {
    ...{ name: "Llama 3 8B", nLayers: 32, nHeads: 32, headDim: 128, kept: { nKvHeads: 8 } },
    source: arxiv("2407.21783", words.table(3)),
  },
  {
    ...{ name: "Llama 3 70B", nLayers: 80, nHeads: 64, headDim: 128, kept: { nKvHeads: 8 } },
    source: arxiv("2407.21783", words.table(3)),
  },
  {
    ...{ name: "Llama 3.1 405B", nLayers: 126, nHeads: 128, headDim: 128, kept: { nKvHeads: 8 } },
    source: arxiv("2407.21783", words.table(3)),
  },
  {
    ...{ name: "Qwen2.5 72B", nLayers: 80, nHeads: 64, headDim: 128, kept: { nKvHeads: 8 } },
    source: arxiv("2412.15115", words.table(1)),
  },
  {
    ...{ name: "Qwen3 235B-A22B", nLayers: 94, nHeads: 64, headDim: 128, kept: { nKvHeads: 4 } },
    source: arxiv("2505.09388", words.table(2)),
  },
  {
    ...{ name: "DeepSeek 67B", nLayers: 95, nHeads: 64, headDim: 128, kept: { nKvHeads: 8 } },
    source: arxiv("2401.02954", words.table(2)),
  },
  {
    ...{ name: "DeepSeek-V2-Lite", nLayers: 27, nHeads: 16, headDim: 128, kept: latent },
    source: arxiv("2405.04434", words.appendix("B.1")),
  },
  {
    ...{ name: "DeepSeek-V2", nLayers: 60, nHeads: 128, headDim: 128, kept: latent },
    source: arxiv("2405.04434", words.section("3.1.2")),
  },
  {
    ...{ name: "DeepSeek-V3", nLayers: 61, nHeads: 128, headDim: 128, kept: latent },
    source: arxiv("2412.19437", words.section("4.2")),
  },
];

export const shapeNamed = (name: string): CacheShape => {
  const shape = cacheShapes.find((one) => one.name === name);
  if (shape === undefined) throw new Error(`no shape is named ${name}`);
  return shape;
};

export interface Cached {
  /** Of one token: in all layers, and in one. */
  elements: { all: number; layer: number };
  /** Of all tokens. */
  bytes: number;
}

/** What a model caches of `seqLen` tokens; or, `as` multi-head attention, would. */
export function cachedBy(
  engine: Ropewalk,
  { nLayers, nHeads, headDim, kept }: CacheShape,
  seqLen: number,
  bytesPerElement: number,
  as?: "mha",
): Cached {
  const counted = { seqLen, bytesPerElement };
  const of = (layers: number) => {
    const all = { ...counted, nLayers: layers };
    if (as === "mha") return engine.cacheBytes({ kind: "mha", nHeads, headDim, ...all });
    return "nKvHeads" in kept
      ? engine.cacheBytes({ kind: "gqa", nKvHeads: kept.nKvHeads, headDim, ...all })
      : engine.cacheBytes({ kind: "mla", ...kept, ...all });
  };
  const { elementsPerToken, bytes } = of(nLayers);
  return { elements: { all: elementsPerToken, layer: of(1).elementsPerToken }, bytes };
}
