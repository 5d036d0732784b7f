// Layers of latent attention with seeded weights, for the suites.
import type { MlaShape, Ropewalk } from "ropewalk";
import { noise } from "./plain.ts";

export interface Layer extends MlaShape {
  qProj?: Float32Array;
  qAProj?: Float32Array;
  qALayernorm?: Float32Array;
  qBProj?: Float32Array;
  kvAProj: Float32Array;
  kvALayernorm: Float32Array;
  kvBProj: Float32Array;
  oProj: Float32Array;
}

/** Projections of variance 1 / fan-in, and norms near 1. */
export function seededLayer(engine: Ropewalk, shape: MlaShape, seed = 1): Layer {
  const { hiddenSize, nHeads, qLoraRank, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = shape;
  const matrix = (stream: number, outDim: number, inDim: number) =>
    engine.seededProjection({ seed, stream, outDim, inDim });
  const gains = (stream: number, length: number) => noise(length, seed + stream).map((x) => 1 + 0.3 * x);
  const queries = nHeads * (qkNopeHeadDim + qkRopeHeadDim);
  return {
    ...shape,
    ...(qLoraRank === undefined
      ? { qProj: matrix(1, queries, hiddenSize) }
      : {
          qAProj: matrix(2, qLoraRank, hiddenSize),
          qALayernorm: gains(3, qLoraRank),
          qBProj: matrix(4, queries, qLoraRank),
        }),
    kvAProj: matrix(5, kvLoraRank + qkRopeHeadDim, hiddenSize),
    kvALayernorm: gains(6, kvLoraRank),
    kvBProj: matrix(7, nHeads * (qkNopeHeadDim + vHeadDim), kvLoraRank),
    oProj: matrix(8, hiddenSize, nHeads * vHeadDim),
  };
}

/** Hidden states, of variance 1. */
export const hiddenStates = (engine: Ropewalk, tokens: number, hiddenSize: number, seed = 2) =>
  engine.seededEmbedding({
    tokenIds: Int32Array.from({ length: tokens }, (_, i) => i),
    dim: hiddenSize,
    seed,
  });

/** Cosines and sines of positions first, first + 1, … */
export const turnsOf = (engine: Ropewalk, seqLen: number, rotaryDim: number, positionOffset = 0) =>
  engine.buildRopeCache({ seqLen, positionOffset, invFreq: engine.ropeInvFreq({ rotaryDim }) });

/** Tokens from `begin` to before `end` of each sequence. */
export function tokensOf(
  x: Float32Array,
  { batch, len }: { batch: number; len: number },
  begin: number,
  end: number,
): Float32Array {
  const width = x.length / (batch * len);
  const out = new Float32Array(batch * (end - begin) * width);
  for (let b = 0; b < batch; b++) {
    const from = b * len * width;
    out.set(x.subarray(from + begin * width, from + end * width), b * (end - begin) * width);
  }
  return out;
}
