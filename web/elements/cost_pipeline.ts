import type { KvCache, LatentCache, MlaCost, MlaForm, MlaShape, Ropewalk } from "ropewalk";

/** The three ways: keys and values of all heads kept; expanded from latents each time; latents attended to as they are. */
export const ways = ["kept", "expanded", "absorbed"] as const;
export type Way = (typeof ways)[number];

export type Phase = "decode" | "prefill";

const wayOptions: Record<Way, { form: MlaForm; kept: "heads" | "latent" }> = {
  kept: { form: "naive", kept: "heads" },
  expanded: { form: "naive", kept: "latent" },
  absorbed: { form: "absorbed", kept: "latent" },
};

/** Layers of published models (arXiv:2405.04434, appendix B.1 and section 3.1.2; arXiv:2412.19437, section 4.2). */
export const layers = {
  "DeepSeek-V2-Lite": { hiddenSize: 2048, nHeads: 16 },
  "DeepSeek-V2": { hiddenSize: 5120, nHeads: 128, qLoraRank: 1536 },
  "DeepSeek-V3": { hiddenSize: 7168, nHeads: 128, qLoraRank: 1536 },
} as const;
export type LayerName = keyof typeof layers;

export function shapeOf(name: LayerName): MlaShape {
  return { ...layers[name], kvLoraRank: 512, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 };
}

/** Lengths that are counted, and those of them that are measured: what takes seconds, not minutes. */
export const lengths = [128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
export const longestMeasured: Record<Phase, number> = { decode: 4096, prefill: 512 };

/** The count of one layer's work: of a token after all others, or of all at once. */
export function costOf(engine: Ropewalk, shape: MlaShape, phase: Phase, way: Way, length: number): MlaCost {
  const qLen = phase === "decode" ? 1 : length;
  return engine.mlaCost({ ...shape, ...wayOptions[way], qLen, kvLen: length, causal: true });
}

export interface Measurement {
  phase: Phase;
  way: Way;
  length: number;
  /** Median of the runs. */
  milliseconds: number;
}

/** Measures one after the other, on one layer with seeded weights. */
export function* measure(engine: Ropewalk, shape: MlaShape, phase: Phase): Generator<Measurement> {
  const { hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim: rope, vHeadDim } = shape;
  const headDim = qkNopeHeadDim + rope;
  const longest = longestMeasured[phase];
  const measured = lengths.filter((length) => length <= longest);
  const matrix = (stream: number, outDim: number, inDim: number) => {
    const weight = engine.f32(outDim * inDim);
    engine.seededProjection({ seed: 1, stream, outDim, inDim, out: weight });
    return weight;
  };
  const layer = {
    qProj: matrix(0, nHeads * headDim, hiddenSize),
    kvAProj: matrix(1, kvLoraRank + rope, hiddenSize),
    kvALayernorm: matrix(2, 1, kvLoraRank),
    kvBProj: matrix(3, nHeads * (qkNopeHeadDim + vHeadDim), kvLoraRank),
    oProj: matrix(4, hiddenSize, nHeads * vHeadDim),
  };
  const most = phase === "decode" ? 1 : longest;
  const x = engine.seededProjection({ seed: 2, stream: 0, outDim: most, inDim: hiddenSize });
  const invFreq = engine.ropeInvFreq({ rotaryDim: rope });
  for (const way of ways) {
    const { form, kept } = wayOptions[way];
    // Without a past, nothing that was kept is read.
    if (phase === "prefill" && way === "kept") continue;
    const cache =
      kept === "heads"
        ? engine.kvCache({ capacity: longest, nKvHeads: nHeads, headDim, vHeadDim })
        : engine.latentCache({ capacity: longest, kvLoraRank, qkRopeHeadDim: rope });
    if (phase === "decode") fill(engine, cache, longest);
    for (const length of measured) {
      const qLen = phase === "decode" ? 1 : length;
      const turns = engine.buildRopeCache({ positionOffset: length - qLen, seqLen: qLen, invFreq });
      const run = () => {
        cache.truncate(length - qLen);
        const begun = performance.now();
        engine.mla({
          ...{ ...shape, ...layer, ...turns, qLen, form, cache, causal: true },
          x: x.subarray(0, qLen * hiddenSize),
        });
        return performance.now() - begun;
      };
      // The first run warms up; of what takes long, few are enough.
      const once = run();
      const runs = Array.from({ length: once > 100 ? 1 : once > 20 ? 3 : 7 }, run).sort((a, b) => a - b);
      yield { phase, way, length, milliseconds: runs[runs.length >> 1] as number };
      // A longer one has to find its tokens again.
      if (phase === "decode") fill(engine, cache, longest);
    }
    cache.delete();
  }
  for (const weight of Object.values(layer)) weight.delete();
}

/** Any numbers will do for tokens past. */
function fill(engine: Ropewalk, cache: LatentCache | KvCache, length: number): void {
  const chunk = 256;
  const drawn = (width: number, stream: number) =>
    engine.seededProjection({ seed: 3, stream, outDim: chunk, inDim: width });
  const isLatent = "kvLoraRank" in cache;
  const latents = isLatent ? drawn(cache.kvLoraRank + cache.qkRopeHeadDim, 0) : undefined;
  const heads = isLatent
    ? undefined
    : { key: drawn(cache.nKvHeads * cache.headDim, 0), value: drawn(cache.nKvHeads * cache.vHeadDim, 1) };
  while (cache.length < length) {
    const len = Math.min(chunk, length - cache.length);
    const part = (rows: Float32Array) => rows.subarray(0, (rows.length / chunk) * len);
    if (isLatent && latents) cache.append({ latents: part(latents), len });
    else if (!isLatent && heads) cache.append({ key: part(heads.key), value: part(heads.value), len });
  }
}
