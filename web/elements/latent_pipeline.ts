import type { LatentCache, MlaCost, MlaForm, MlaShape, MlaSteps, Ropewalk } from "ropewalk";
import { tokenId } from "./tokens.js";

export interface LatentSettings {
  tokens: readonly string[];
  /** Index of the token that is computed; those before it are in the cache. */
  newest: number;
  seed: number;
  nHeads: number;
  kvLoraRank: number;
  /** Undefined where queries have no latent of their own, as in DeepSeek-V2-Lite. */
  qLoraRank: number | undefined;
}

/** One of the two computations, of the newest token. */
export interface Route {
  /** [nHeads, keys] */
  weights: Float32Array;
  /** [hiddenSize] */
  out: Float32Array;
  steps: MlaSteps;
  cost: MlaCost;
}

/** All that the pictures of one token show. */
export interface LatentResults {
  shape: MlaShape;
  /** Tokens that are attended to, the newest with them. */
  keys: number;
  /** [hiddenSize] */
  x: Float32Array;
  /** [keys, kvLoraRank + qkRopeHeadDim] */
  latents: Float32Array;
  naive: Route;
  absorbed: Route;
  /** Largest differences between the two. */
  difference: { weights: number; out: number };
  /** Of all tokens, as float32: by latents, and by keys and values of every head. */
  bytes: { latent: number; heads: number };
  /** Elements for a token. */
  elements: { latent: number; heads: number };
  /** Angles of pairs, row by row: of each token's rotary key, and of each head's query. */
  angles: { latents: Float32Array; query: Float32Array };
}

/** Small enough to be drawn, and of the proportions of DeepSeek-V2's: the rotary part is half of the other. */
export const latentDims = { hiddenSize: 64, qkNopeHeadDim: 16, qkRopeHeadDim: 8, vHeadDim: 16 };

/** Streams of the seed, one for each matrix. */
const streams = { q: 10, qA: 11, qB: 12, kvA: 13, kvB: 14, o: 15 };

/** A sentence by latent attention, in both forms, every step by the kernels. */
export class LatentPipeline {
  readonly #engine: Ropewalk;
  #cache: LatentCache | undefined;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  run({ tokens, newest, seed, nHeads, kvLoraRank, qLoraRank }: LatentSettings): LatentResults {
    const engine = this.#engine;
    const shape: MlaShape = {
      ...latentDims,
      ...{ nHeads, kvLoraRank },
      ...(qLoraRank !== undefined && { qLoraRank }),
    };
    const { hiddenSize, qkRopeHeadDim: rope, qkNopeHeadDim, vHeadDim } = shape;
    const qkDim = qkNopeHeadDim + rope;
    const width = kvLoraRank + rope;
    const matrix = (stream: number, outDim: number, inDim: number) =>
      engine.seededProjection({ seed, stream, outDim, inDim });
    const ones = (size: number) => new Float32Array(size).fill(1);
    const layer = {
      ...shape,
      ...(qLoraRank === undefined
        ? { qProj: matrix(streams.q, nHeads * qkDim, hiddenSize) }
        : {
            qAProj: matrix(streams.qA, qLoraRank, hiddenSize),
            qALayernorm: ones(qLoraRank),
            qBProj: matrix(streams.qB, nHeads * qkDim, qLoraRank),
          }),
      kvAProj: matrix(streams.kvA, width, hiddenSize),
      kvALayernorm: ones(kvLoraRank),
      kvBProj: matrix(streams.kvB, nHeads * (qkNopeHeadDim + vHeadDim), kvLoraRank),
      oProj: matrix(streams.o, hiddenSize, nHeads * vHeadDim),
    };
    const tokenIds = Int32Array.from(tokens, tokenId);
    const embeddings = engine.seededEmbedding({ tokenIds, dim: hiddenSize, seed });
    const invFreq = engine.ropeInvFreq({ rotaryDim: rope });
    const turns = (from: number, to: number) =>
      engine.buildRopeCache({ positionOffset: from, seqLen: to - from, invFreq });
    const hidden = (from: number, to: number) => embeddings.subarray(from * hiddenSize, to * hiddenSize);

    // The sentence so far is in the cache; the newest token comes to it twice, by either form.
    const cache = this.#cacheOf(tokens.length, kvLoraRank, rope);
    cache.truncate(0);
    if (newest > 0) {
      engine.mla({ ...layer, ...turns(0, newest), x: hidden(0, newest), qLen: newest, causal: true, cache });
    }
    const keys = newest + 1;
    const x = hidden(newest, keys).slice();
    const route = (form: MlaForm): Route => {
      cache.truncate(newest);
      const options = { x, qLen: 1, form, cache, weights: true, steps: true } as const;
      return {
        ...engine.mla({ ...layer, ...turns(newest, keys), ...options }),
        cost: engine.mlaCost({ ...shape, form, qLen: 1, kvLen: keys }),
      };
    };
    const naive = route("naive");
    const absorbed = route("absorbed");
    const latents = cache.read();
    const counted = { seqLen: keys, bytesPerElement: 4 };
    const mla = engine.cacheBytes({ kind: "mla", kvLoraRank, qkRopeHeadDim: rope, ...counted });
    const mha = engine.cacheBytes({ kind: "mha", nHeads, headDim: qkDim, vHeadDim, ...counted });
    const differ = (name: "weights" | "out") =>
      engine.maxAbsDifference({ a: naive[name], b: absorbed[name] });
    return {
      shape,
      keys,
      x,
      latents,
      naive,
      absorbed,
      difference: { weights: differ("weights"), out: differ("out") },
      bytes: { latent: cache.bytesUsed, heads: mha.bytes },
      elements: { latent: mla.elementsPerToken, heads: mha.elementsPerToken },
      angles: {
        latents: this.#angles(latents, width, kvLoraRank),
        query: this.#angles(absorbed.steps.query, qkDim, qkNopeHeadDim),
      },
    };
  }

  delete(): void {
    this.#cache?.delete();
    this.#cache = undefined;
  }

  #cacheOf(length: number, kvLoraRank: number, qkRopeHeadDim: number): LatentCache {
    const kept = this.#cache;
    if (kept !== undefined && kept.capacity >= length && kept.kvLoraRank === kvLoraRank) return kept;
    kept?.delete();
    this.#cache = this.#engine.latentCache({ capacity: length, kvLoraRank, qkRopeHeadDim });
    return this.#cache;
  }

  /** Angles of the pairs from column `first` on, of every row. */
  #angles(rows: Float32Array, width: number, first: number): Float32Array {
    const part = width - first;
    const rotated = new Float32Array((rows.length / width) * part);
    for (let row = 0; row * width < rows.length; ++row)
      rotated.set(rows.subarray(row * width + first, (row + 1) * width), row * part);
    return this.#engine.pairPolar({ x: rotated, layout: "interleaved" }).angle;
  }
}
