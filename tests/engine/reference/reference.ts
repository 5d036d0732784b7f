// cpp/reference, compiled to a wasm module for these tests alone: `npm test -- engine` builds it.

/** Takes the engine's options, none of them left out. */
type Of<Result> = (options: object) => Result;
type Cache = { cos: Float64Array; sin: Float64Array };

export interface Reference {
  /** Heads are in bshd, and the shapes of mask and bias have all four extents. */
  attention: Of<{ out: Float64Array; weights: Float64Array; scores: Float64Array }>;
  writeCache: Of<Float32Array>;
  rmsNorm: Of<Float64Array>;
  softmax: Of<Float64Array>;
  alibiSlopes: Of<Float64Array>;
  alibiBias: Of<Float64Array>;
  t5Buckets: Of<Int32Array>;
  t5Bias: Of<Float64Array>;
  integerEncoding: Of<Float64Array>;
  binaryEncoding: Of<Float64Array>;
  sinusoidalEncoding: Of<Float64Array>;
  addEncoding: Of<Float64Array>;
  linear: Of<Float64Array>;
  ropeInvFreq: Of<Float64Array>;
  /** Of invFreq, or else of ropeTheta and rotaryDim, whose frequencies are then not rounded to double. */
  buildRopeCache: Of<Cache>;
  buildMropeCache: Of<Cache>;
  buildAxialRopeCache: Of<Cache>;
  buildXposCache: Of<Cache>;
  /** With positionIds, that is a row of cos and sin for each token. */
  applyRope: Of<Float64Array>;
  convertRopeLayout: Of<Float32Array>;
  /** Takes the fields of a configuration under their own names, and `seq_len`; any may be left out. */
  ropeScaling: Of<{ invFreq: Float64Array; attentionFactor: number; softmaxFactor: number }>;
  rowNorms: Of<Float64Array>;
  rowCosines: Of<Float64Array>;
  neighbourDistances: Of<Float64Array>;
  similarity: Of<Float64Array>;
  maxAbsDifference: Of<number>;
  ropeAngles: Of<Float64Array>;
  ropePeriods: Of<{ wavelength: Float64Array; turns: Float64Array }>;
  pairPolar: Of<{ magnitude: Float64Array; angle: Float64Array }>;
  pairScores: Of<Float64Array>;
  ropeScore: Of<{ parts: Float64Array; rest: number; score: number }>;
  ropeScoreByDistance: Of<Float64Array>;
  ropeRandomScores: Of<{ mean: Float64Array; deviation: Float64Array }>;
  ropeDecayBound: Of<Float64Array>;
  /** Of whole sequences of `len` tokens; a row of cos and sin for each of them, the same in all sequences. */
  mla: Of<Record<"out" | "weights" | "scores" | "query" | "latents" | "key" | "value", Float64Array>>;
  absorbRotation: Of<{ absorbed: Float64Array; error: Float64Array }>;
  relativeErrors: Of<Float64Array>;
}

export async function loadReference(): Promise<Reference> {
  const built = new URL("../../../build/wasm-reference/ropewalk_reference_module.mjs", import.meta.url);
  const { default: create } = await import(/* @vite-ignore */ built.href);
  return create();
}
