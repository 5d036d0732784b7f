// What the compiler knows of the engine. Never run: `tsc --noEmit` has it in the sources' types, and types.test.ts in
// those of the built package.

import {
  type AttentionOptions,
  type EncodingOptions,
  type F32Buffer,
  type F64Buffer,
  type I32Buffer,
  type KvCache,
  type LatentCache,
  loadRopewalk,
  type MlaCost,
  type MlaForm,
  type MlaOptions,
  type MlaSteps,
  type RopeLayout,
  type Ropewalk,
  RopewalkError,
  type RopewalkErrorCode,
} from "ropewalk";
import { expectTypeOf } from "vitest";

const engine = await loadRopewalk();
expectTypeOf(engine).toEqualTypeOf<Ropewalk>();
declare const f32: F32Buffer;
declare const f64: F64Buffer;
declare const i32: I32Buffer;
const floats = new Float32Array(4);
const doubles = new Float64Array(2);
const ids = new Int32Array(2);

// ---- An array without `out`, nothing with it ---------------------------------------------------------------------------

expectTypeOf(engine.integerEncoding({ seqLen: 2, dim: 2 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.integerEncoding({ positionIds: ids, dim: 2 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.integerEncoding({ positionIds: i32, dim: 2, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.binaryEncoding({ seqLen: 2, positionOffset: 1, dim: 2 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.binaryEncoding({ seqLen: 2, dim: 2, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.sinusoidalEncoding({ seqLen: 2, dim: 2, base: 10 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.sinusoidalEncoding({ seqLen: 2, dim: 2, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.ropeInvFreq({ rotaryDim: 4 })).toEqualTypeOf<Float64Array>();
expectTypeOf(engine.ropeInvFreq({ rotaryDim: 4, out: f64 })).toEqualTypeOf<void>();
expectTypeOf(engine.buildRopeCache({ seqLen: 2, invFreq: doubles })).toEqualTypeOf<{
  cos: Float32Array;
  sin: Float32Array;
}>();
expectTypeOf(engine.buildRopeCache({ seqLen: 2, invFreq: f64, cos: f32, sin: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.seededEmbedding({ tokenIds: ids, dim: 2, seed: 1 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.seededEmbedding({ tokenIds: i32, dim: 2, seed: 1, out: f32 })).toEqualTypeOf<void>();
const matrix = { seed: 1, stream: 2, outDim: 2, inDim: 2 };
expectTypeOf(engine.seededProjection(matrix)).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.seededProjection({ ...matrix, out: f32 })).toEqualTypeOf<void>();
const product = { x: floats, weight: floats, rows: 2, inDim: 2, outDim: 2 };
expectTypeOf(engine.linear(product)).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.linear({ ...product, weight: f32, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.rowNorms({ x: floats, rows: 2, dim: 2 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.rowNorms({ x: f32, rows: 2, dim: 2, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.maxAbsDifference({ a: floats, b: f32 })).toEqualTypeOf<number>();
const angles = { firstPosition: 0.5, count: 2, invFreq: doubles };
expectTypeOf(engine.ropeAngles(angles)).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.ropeAngles({ ...angles, step: 0.5, out: f32 })).toEqualTypeOf<void>();
const scores = { query: floats, key: floats, layout: "half" as const };
expectTypeOf(engine.pairScores(scores)).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.pairScores({ ...scores, softmaxScale: 1, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.pairPolar({ x: f32, layout: "interleaved" })).toEqualTypeOf<{
  magnitude: Float32Array;
  angle: Float32Array;
}>();

// ---- Nor with an array of the caller's ---------------------------------------------------------------------------------

expectTypeOf(engine.integerEncoding({ seqLen: 2, dim: 2, out: floats })).toEqualTypeOf<void>();
expectTypeOf(engine.ropeInvFreq({ rotaryDim: 4, out: doubles })).toEqualTypeOf<void>();
expectTypeOf(engine.t5Buckets({ qLen: 2, out: ids })).toEqualTypeOf<void>();
expectTypeOf(engine.buildRopeCache({ seqLen: 2, invFreq: f64, cos: floats, sin: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.linear({ ...product, out: floats })).toEqualTypeOf<void>();

// ---- What is changed in place comes back only if it is an array, and has no out ----------------------------------------

const rotation = { cos: floats, sin: f32, seqLen: 1, nHeads: 1, headDim: 4, layout: "half" as const };
expectTypeOf(engine.applyRope({ x: floats, ...rotation })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.applyRope({ x: f32, ...rotation })).toEqualTypeOf<void>();
expectTypeOf(engine.applyRope({ x: floats, out: floats, ...rotation })).toEqualTypeOf<void>();
expectTypeOf(engine.applyRope({ x: floats, out: f32, ...rotation })).toEqualTypeOf<void>();
expectTypeOf(engine.applyRope({ x: f32, out: floats, ...rotation })).toEqualTypeOf<void>();
expectTypeOf(engine.addEncoding({ x: floats, encoding: f32, dim: 2 })).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.addEncoding({ x: floats, encoding: f32, dim: 2, out: floats })).toEqualTypeOf<void>();
expectTypeOf(engine.addEncoding({ x: f32, encoding: floats, dim: 2 })).toEqualTypeOf<void>();

// ---- Attention's weights, when they are asked for ----------------------------------------------------------------------

const heads: AttentionOptions = { query: floats, key: f32, value: floats, qLen: 2, nHeads: 1, headDim: 2 };
expectTypeOf(engine.attention(heads)).toEqualTypeOf<{ out: Float32Array }>();
expectTypeOf(engine.attention({ ...heads, weights: false })).toEqualTypeOf<{ out: Float32Array }>();
expectTypeOf(engine.attention({ ...heads, weights: true })).toEqualTypeOf<{
  out: Float32Array;
  weights: Float32Array;
}>();
expectTypeOf(engine.attention({ ...heads, scores: true, weights: f32 })).toEqualTypeOf<{
  out: Float32Array;
  scores: Float32Array;
}>();
expectTypeOf(engine.attention({ ...heads, scores: true, weights: floats })).toEqualTypeOf<{
  out: Float32Array;
  scores: Float32Array;
}>();
declare const perhaps: boolean;
expectTypeOf(engine.attention({ ...heads, weights: perhaps })).toEqualTypeOf<{
  out: Float32Array;
  weights?: Float32Array;
}>();
const past = { pastKey: floats, pastValue: f32, pastLen: 1 };
expectTypeOf(engine.attention({ ...heads, ...past })).toEqualTypeOf<{
  out: Float32Array;
  presentKey: Float32Array;
  presentValue: Float32Array;
}>();
expectTypeOf(engine.attention({ ...heads, ...past, out: f32, presentKey: f32 })).toEqualTypeOf<{
  presentValue: Float32Array;
}>();
expectTypeOf(engine.attention({ ...heads, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.attention({ ...heads, out: f32, weights: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.attention({ ...heads, out: floats, weights: floats })).toEqualTypeOf<void>();
expectTypeOf(engine.attention({ ...heads, ...past, out: f32, presentKey: floats })).toEqualTypeOf<{
  presentValue: Float32Array;
}>();

// ---- Latent attention --------------------------------------------------------------------------------------------------

const latentShape = {
  hiddenSize: 2,
  nHeads: 1,
  kvLoraRank: 2,
  qkNopeHeadDim: 1,
  qkRopeHeadDim: 2,
  vHeadDim: 1,
};
const layer = {
  ...{ ...latentShape, x: floats, qLen: 1, qProj: floats, kvAProj: floats, kvALayernorm: f32 },
  ...{ kvBProj: floats, oProj: floats, cos: floats, sin: f32 },
};
expectTypeOf(engine.mla(layer)).toEqualTypeOf<{ out: Float32Array }>();
expectTypeOf(engine.mla({ ...layer, weights: false, scores: false, steps: false })).toEqualTypeOf<{
  out: Float32Array;
}>();
expectTypeOf(engine.mla({ ...layer, weights: true })).toEqualTypeOf<{
  out: Float32Array;
  weights: Float32Array;
}>();
expectTypeOf(engine.mla({ ...layer, scores: true, weights: f32 })).toEqualTypeOf<{
  out: Float32Array;
  scores: Float32Array;
}>();
expectTypeOf(engine.mla({ ...layer, steps: true })).toEqualTypeOf<{ out: Float32Array; steps: MlaSteps }>();
expectTypeOf(engine.mla({ ...layer, weights: perhaps, steps: perhaps })).toEqualTypeOf<{
  out: Float32Array;
  weights?: Float32Array;
  steps?: MlaSteps;
}>();
expectTypeOf(engine.mla({ ...layer, out: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.mla({ ...layer, out: floats, weights: floats })).toEqualTypeOf<void>();
expectTypeOf(engine.mla({ ...layer, out: f32, weights: f32, scores: f32 })).toEqualTypeOf<void>();
expectTypeOf(engine.mla({ ...layer, out: f32, steps: true, form: "naive" })).toEqualTypeOf<{
  steps: MlaSteps;
}>();
const latentInto = { ...layer, out: f32 };
expectTypeOf(engine.mla(latentInto)).toEqualTypeOf<void>();
declare const someLayer: MlaOptions;
expectTypeOf(engine.mla(someLayer)).toHaveProperty("out");
expectTypeOf<MlaForm>().toEqualTypeOf<"naive" | "absorbed">();
const latents = engine.latentCache({ capacity: 4, kvLoraRank: 2, qkRopeHeadDim: 2 });
expectTypeOf(latents).toEqualTypeOf<LatentCache>();
expectTypeOf(latents).toExtend<Disposable>();
expectTypeOf(latents.read()).toEqualTypeOf<Float32Array>();
expectTypeOf(latents.append({ latents: floats })).toEqualTypeOf<void>();
expectTypeOf(latents.append({ latents: f32, len: 2 })).toEqualTypeOf<void>();
expectTypeOf(latents.truncate(1)).toEqualTypeOf<void>();
expectTypeOf(latents.bytesUsed).toEqualTypeOf<number>();
expectTypeOf(latents.kvLoraRank).toEqualTypeOf<number>();
declare const keysAndValues: KvCache;
expectTypeOf(engine.mla({ ...layer, cache: latents })).toEqualTypeOf<{ out: Float32Array }>();
expectTypeOf(engine.mla({ ...layer, cache: keysAndValues, scores: true })).toEqualTypeOf<{
  out: Float32Array;
  scores: Float32Array;
}>();
expectTypeOf(engine.mlaCost({ ...latentShape, form: "naive", qLen: 1 })).toEqualTypeOf<MlaCost>();
const rotatedKeys = { keyUp: floats, headDim: 2, kvLoraRank: 2, invFreq: doubles, layout: "half" as const };
expectTypeOf(engine.absorbRotation({ ...rotatedKeys, contextLen: 8, count: 2 })).toEqualTypeOf<{
  absorbed: Float32Array;
  error: Float32Array;
}>();
const compared = { x: floats, exact: f32, rows: 2, columns: 2 };
expectTypeOf(engine.relativeErrors(compared)).toEqualTypeOf<Float32Array>();
expectTypeOf(engine.relativeErrors({ ...compared, out: f32 })).toEqualTypeOf<void>();

// ---- Options that stand in a variable, where the compiler does not look for surplus names ------------------------------

const encodingInto = { seqLen: 2, dim: 2, out: f32 };
expectTypeOf(engine.integerEncoding(encodingInto)).toEqualTypeOf<void>();
expectTypeOf(engine.binaryEncoding(encodingInto)).toEqualTypeOf<void>();
expectTypeOf(engine.sinusoidalEncoding(encodingInto)).toEqualTypeOf<void>();
const frequenciesInto = { rotaryDim: 4, out: f64 };
expectTypeOf(engine.ropeInvFreq(frequenciesInto)).toEqualTypeOf<void>();
const cacheInto = { seqLen: 2, invFreq: doubles, cos: f32, sin: f32 };
expectTypeOf(engine.buildRopeCache(cacheInto)).toEqualTypeOf<void>();
const matrixInto = { ...matrix, out: f32 };
expectTypeOf(engine.seededProjection(matrixInto)).toEqualTypeOf<void>();
const productInto = { ...product, out: f32 };
expectTypeOf(engine.linear(productInto)).toEqualTypeOf<void>();
const anglesInto = { ...angles, out: f32 };
expectTypeOf(engine.ropeAngles(anglesInto)).toEqualTypeOf<void>();
const scoresInto = { ...scores, out: f32 };
expectTypeOf(engine.pairScores(scoresInto)).toEqualTypeOf<void>();
const headsInto = { ...heads, out: f32 };
expectTypeOf(engine.attention(headsInto)).toEqualTypeOf<void>();
const headsAndWeightsInto = { ...heads, out: f32, weights: f32 };
expectTypeOf(engine.attention(headsAndWeightsInto)).toEqualTypeOf<void>();
const weightsAlone = { ...heads, out: f32, weights: true as const };
expectTypeOf(engine.attention(weightsAlone)).toEqualTypeOf<{ weights: Float32Array }>();
const outAlone = { ...heads, weights: f32 };
expectTypeOf(engine.attention(outAlone)).toEqualTypeOf<{ out: Float32Array }>();
const neither = { ...heads, out: f32, weights: false as const };
expectTypeOf(engine.attention(neither)).toEqualTypeOf<void>();
const either: EncodingOptions = ids.length > 0 ? { positionIds: ids, dim: 2 } : { seqLen: 2, dim: 2 };
expectTypeOf(engine.integerEncoding(either)).toEqualTypeOf<Float32Array>();

// ---- Buffers and errors ------------------------------------------------------------------------------------------------

expectTypeOf(engine.f32(4)).toEqualTypeOf<F32Buffer>();
expectTypeOf(engine.f32(floats)).toEqualTypeOf<F32Buffer>();
expectTypeOf(engine.f64(doubles)).toEqualTypeOf<F64Buffer>();
expectTypeOf(engine.i32(ids)).toEqualTypeOf<I32Buffer>();
expectTypeOf(f32.view).toEqualTypeOf<Float32Array>();
expectTypeOf(f64.view).toEqualTypeOf<Float64Array>();
expectTypeOf(i32.view).toEqualTypeOf<Int32Array>();
expectTypeOf(f32).toExtend<Disposable>();
expectTypeOf<RopeLayout>().toEqualTypeOf<"interleaved" | "half">();
declare const error: unknown;
if (error instanceof RopewalkError) {
  expectTypeOf(error.code).toEqualTypeOf<RopewalkErrorCode>();
  expectTypeOf(error.argument).toEqualTypeOf<string>();
  expectTypeOf(error.given).toEqualTypeOf<unknown>();
  expectTypeOf(error.allowed).toEqualTypeOf<string>();
}
void loadRopewalk({ wasmUrl: "x.wasm" });
void loadRopewalk({ wasmBinary: new Uint8Array(8) });
void loadRopewalk({ simd: "simd128" });
expectTypeOf(engine.simd).toEqualTypeOf<"simd128" | "relaxed">();

// ---- What does not compile ---------------------------------------------------------------------------------------------

// @ts-expect-error: no options
engine.integerEncoding();
// @ts-expect-error: text for a size
engine.integerEncoding({ seqLen: "2", dim: 2 });
// @ts-expect-error: no dim
engine.integerEncoding({ seqLen: 2 });
// @ts-expect-error: neither positions nor their number
engine.integerEncoding({ dim: 2 });
// @ts-expect-error: an option misspelt
engine.sinusoidalEncoding({ seqLen: 2, dim: 2, bass: 10 });
// @ts-expect-error: doubles for ids
engine.integerEncoding({ positionIds: doubles, dim: 2 });
// @ts-expect-error: a plain array
engine.rowNorms({ x: [1, 2], rows: 1, dim: 2 });
// @ts-expect-error: doubles for floats
engine.rowNorms({ x: doubles, rows: 1, dim: 2 });
// @ts-expect-error: a buffer of doubles for one of floats
engine.rowNorms({ x: f64, rows: 1, dim: 2 });
// @ts-expect-error: an array of the wrong kind for a result
engine.rowNorms({ x: floats, rows: 1, dim: 2, out: doubles });
// @ts-expect-error: a buffer of the wrong kind for a result
engine.rowNorms({ x: floats, rows: 1, dim: 2, out: i32 });
// @ts-expect-error: floats for frequencies
engine.buildRopeCache({ seqLen: 2, invFreq: floats });
// @ts-expect-error: one of two results
engine.buildRopeCache({ seqLen: 2, invFreq: doubles, cos: f32 });
// @ts-expect-error: a layout by another's name
engine.applyRope({ x: floats, ...rotation, layout: "neox" });
// @ts-expect-error: no layout
engine.pairPolar({ x: floats });
// @ts-expect-error: a number for a switch
engine.attention({ ...heads, causal: 1 });
// @ts-expect-error: doubles for the weights
engine.attention({ ...heads, weights: doubles });
// @ts-expect-error: no steps go into a buffer
engine.mla({ ...layer, steps: f32 });
// @ts-expect-error: doubles for the scores
engine.mla({ ...layer, scores: doubles });
// @ts-expect-error: a form that there is not
engine.mla({ ...layer, form: "latent" });
// @ts-expect-error: no weights
engine.mla({ ...latentShape, x: floats, qLen: 1, cos: floats, sin: floats });
// @ts-expect-error: what attention keeps in place of a cache
engine.mla({ ...layer, cache: { key: floats, value: floats } });
// @ts-expect-error: a cache of latents for attention
engine.attention({ query: floats, qLen: 1, nHeads: 1, cache: latents });
// @ts-expect-error: keys for a cache of latents
latents.append({ key: floats, value: floats });
// @ts-expect-error: a length is what it is
latents.length = 2;
// @ts-expect-error: no form
engine.mlaCost({ ...latentShape, qLen: 1 });
// @ts-expect-error: floats for frequencies
engine.absorbRotation({ ...rotatedKeys, invFreq: floats, contextLen: 8, count: 2 });
// @ts-expect-error: no seed
engine.seededEmbedding({ tokenIds: ids, dim: 2 });
// @ts-expect-error: a big integer
engine.f32(4n);
// @ts-expect-error: doubles
engine.f32(doubles);
// @ts-expect-error: a view is made afresh, not set
f32.view = floats;
// @ts-expect-error: a length is what it is
f32.length = 5;
// @ts-expect-error: an address that is a number
void loadRopewalk({ wasmUrl: 5 });
// @ts-expect-error: instructions that are not wasm's
void loadRopewalk({ simd: "avx2" });
// @ts-expect-error: the binary that runs is what it is
engine.simd = "relaxed";
