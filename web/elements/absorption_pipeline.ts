import type { Ropewalk } from "ropewalk";

/** What the curves are of: distances 0 … count - 1. */
export interface AbsorptionResults {
  count: number;
  /** The single matrix was fitted to the distances 0 … contextLen - 1. */
  contextLen: number;
  /** [count], of scores by the best single matrix, in parts of the true scores: root mean squares. */
  rotary: Float32Array;
  /** [count], of scores by the absorbed form against the naive one, decoupled. */
  decoupled: Float32Array;
  /** [count], one query's true score with one latent, as far apart. */
  score: Float32Array;
  /** What the single matrix makes of it at every distance. */
  absorbedScore: number;
}

/** Of DeepSeek-V2's proportions: heads of 128, of which 64 more are rotated when decoupled, and a latent of 512, by four. */
export const absorptionDims = {
  nHeads: 4,
  qkNopeHeadDim: 32,
  qkRopeHeadDim: 16,
  vHeadDim: 32,
  kvLoraRank: 128,
};
export const distances = 1024;
const layout = "interleaved";
const seed = 7;

/** RoPE on keys that are expanded from a latent, and beside it the decoupled form: what absorption makes of either. */
export class AbsorptionPipeline {
  readonly #engine: Ropewalk;
  #decoupled: Float32Array | undefined;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  run(contextLen: number): AbsorptionResults {
    const engine = this.#engine;
    const { qkNopeHeadDim: headDim, kvLoraRank } = absorptionDims;
    const matrix = (stream: number, outDim: number, inDim: number) =>
      engine.seededProjection({ seed, stream, outDim, inDim });
    const vector = (id: number, dim: number) =>
      engine.seededEmbedding({ tokenIds: Int32Array.of(id), dim, seed });
    const keyUp = matrix(20, headDim, kvLoraRank);
    const invFreq = engine.ropeInvFreq({ rotaryDim: headDim });
    const { absorbed, error } = engine.absorbRotation({
      ...{ keyUp, headDim, kvLoraRank, invFreq, layout, contextLen },
      count: distances,
    });
    const query = vector(1, headDim);
    const latent = vector(2, kvLoraRank);
    const keyBy = (weight: Float32Array) =>
      engine.linear({ x: latent, weight, rows: 1, inDim: kvLoraRank, outDim: headDim });
    const pair = { query, invFreq, layout } as const;
    return {
      count: distances,
      contextLen,
      rotary: error,
      decoupled: this.#decoupledErrors(),
      score: engine.ropeScoreByDistance({
        ...{ ...pair, key: keyBy(keyUp), firstDistance: 0, step: 1 },
        count: distances,
      }),
      absorbedScore: engine.ropeScore({ ...pair, key: keyBy(absorbed), distance: 0 }).score,
    };
  }

  /** mla() by both forms: a token's scores with itself and each token before it. The same whatever contextLen is. */
  #decoupledErrors(): Float32Array {
    if (this.#decoupled !== undefined) return this.#decoupled;
    const engine = this.#engine;
    const { nHeads, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim, kvLoraRank } = absorptionDims;
    const hiddenSize = 64;
    const matrix = (stream: number, outDim: number, inDim: number) =>
      engine.seededProjection({ seed, stream, outDim, inDim });
    const layer = {
      ...{ hiddenSize, nHeads, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim, kvLoraRank },
      qProj: matrix(21, nHeads * (nope + rope), hiddenSize),
      kvAProj: matrix(22, kvLoraRank + rope, hiddenSize),
      kvALayernorm: new Float32Array(kvLoraRank).fill(1),
      kvBProj: matrix(23, nHeads * (nope + vHeadDim), kvLoraRank),
      oProj: matrix(24, hiddenSize, nHeads * vHeadDim),
    };
    const invFreq = engine.ropeInvFreq({ rotaryDim: rope });
    const tokenIds = Int32Array.from({ length: distances }, (_, i) => i);
    const embeddings = engine.seededEmbedding({ tokenIds, dim: hiddenSize, seed });
    // Given back by hand: not every browser has Symbol.dispose, which `using` wants.
    const cache = engine.latentCache({ capacity: distances, kvLoraRank, qkRopeHeadDim: rope });
    const step = (from: number, to: number, form: "naive" | "absorbed") =>
      engine.mla({
        ...layer,
        ...engine.buildRopeCache({ positionOffset: from, seqLen: to - from, invFreq }),
        ...{ x: embeddings.subarray(from * hiddenSize, to * hiddenSize), qLen: to - from, form, cache },
        ...({ causal: true, scores: true } as const),
      }).scores;
    // A few tokens at a time: only what they leave in the cache is wanted.
    const last = distances - 1;
    for (let from = 0; from < last; from += 33) step(from, Math.min(last, from + 33), "absorbed");
    const exact = step(last, distances, "naive");
    cache.truncate(last);
    const x = step(last, distances, "absorbed");
    cache.delete();
    // By distance: the last key is the nearest.
    this.#decoupled = engine.relativeErrors({ x, exact, rows: nHeads, columns: distances }).reverse();
    return this.#decoupled;
  }
}
