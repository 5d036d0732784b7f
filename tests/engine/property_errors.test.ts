// Calls that are right but for one thing, drawn at random: each is refused by name, nothing is written, and the right
// call after it gives what it gave before.
import fc from "fast-check";
import { loadRopewalk, RopewalkError } from "ropewalk";
import { describe } from "vitest";
import { property } from "./property.ts";
import * as calls from "./property_calls.ts";
import { configs } from "./property_configs.ts";

const engine = await loadRopewalk();
const foreign = (await loadRopewalk()).f32(1);

type Options = Record<string, unknown>;
type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;
type Kind = "f32" | "f64" | "i32" | "u8";
interface AnyBuffer {
  readonly view: TypedArray;
  readonly length: number;
  delete(): void;
}

const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array };
const kindOf = (value: unknown) =>
  (Object.keys(arrays) as Kind[]).find((kind) => value instanceof arrays[kind]);

/** What a case makes in the engine's memory, to be given back after it. */
const made: { delete(): void }[] = [];
const keep = <T extends { delete(): void }>(thing: T): T => {
  made.push(thing);
  return thing;
};
const methods = engine as unknown as Record<string, (options: unknown) => unknown>;
const bufferOf = (kind: Kind, content: number | TypedArray) =>
  keep(methods[kind]?.call(engine, content) as AnyBuffer);

// ---- The functions -----------------------------------------------------------------------------------------------------

/** Mistakes by what they are called: the options that they put in the place of the right ones. */
type Mistakes = Record<string, () => Options>;

interface Subject {
  options: fc.Arbitrary<object>;
  /** Arguments that have to be there. */
  required: string;
  /** Tensors whose length is what it is: others follow from it. */
  free?: string;
  /** Results for which an array or a buffer may be given. */
  outs?: string;
  /** The argument that is changed in a buffer, and comes back changed from an array. */
  changed?: string;
  /** Cases, for one with very many arguments. */
  runs?: number;
  /** What is wrong with this function alone. */
  mistakes?: (options: never) => Mistakes;
}

interface Attention {
  batch?: number;
  qLen: number;
  kvLen: number;
  nHeads: number;
  kvLens?: Int32Array;
}

const attentionMistakes = ({ batch = 1, qLen, kvLen, nHeads, kvLens }: Attention): Mistakes => {
  const mask = (...maskShape: unknown[]) => ({
    mask: new Uint8Array((maskShape as number[]).reduce((a, b) => a * b, 1)),
    maskShape,
  });
  const lens = (len: number) => ({ queryOffset: undefined, kvLens: new Int32Array(batch).fill(len) });
  return {
    "heads that do not divide": () => ({ nHeads: nHeads + 1, nKvHeads: nHeads + 2 }),
    "maskShape alone": () => ({ mask: undefined, maskShape: [1] }),
    "biasShape alone": () => ({ bias: undefined, biasShape: [1] }),
    "a mask for more keys": () => mask(kvLen + 1),
    "a mask for more queries": () => mask(qLen + 2, 1),
    "a mask of five extents": () => mask(1, 1, 1, 1, 1),
    "a mask of no extents": () => mask(),
    "a mask of no keys": () => mask(0),
    "an extent in a text": () => ({ bias: new Float32Array(1), biasShape: ["1"] }),
    "an extent of NaN": () => ({ bias: new Float32Array(1), biasShape: [Number.NaN] }),
    "pastLen alone": () => ({ pastLen: 1 }),
    "pastKey alone": () => ({ pastKey: new Float32Array(1) }),
    "presentKey alone": () => ({ presentKey: bufferOf("f32", 1) }),
    "a cache that is none": () => ({ cache: {}, key: undefined, value: undefined }),
    "keys beside a cache": () => ({ cache: keep(engine.kvCache({ capacity: 1, nKvHeads: 1, headDim: 1 })) }),
    "a stage that there is not": () => ({ scoreStage: "weights" }),
    "more keys than there are": () => lens(kvLen + 1),
    "fewer keys than none": () => lens(-1),
    "kvLens and queryOffset": () => ({ kvLens: kvLens ?? new Int32Array(batch), queryOffset: 0 }),
    "a window of less than -1": () => ({ leftWindowSize: -2 }),
    "a window past int32": () => ({ rightWindowSize: 2 ** 31 }),
    "a softcap below 0": () => ({ softcap: -1 }),
    "a softcap past float32": () => ({ softcap: 1e39 }),
    "doubles for weights": () => ({ weights: new Float64Array(1) }),
    "a text for weights": () => ({ weights: "yes" }),
    "too large a buffer for scores": () => ({ scores: bufferOf("f32", batch * nHeads * qLen * kvLen + 1) }),
  };
};

interface Mla {
  batch?: number;
  nHeads: number;
  qLen: number;
  qLoraRank?: number;
  kvLoraRank: number;
  qkNopeHeadDim: number;
  qkRopeHeadDim: number;
  vHeadDim: number;
}

const mlaMistakes = (options: Mla): Mistakes => {
  const { batch = 1, nHeads, qLen, qLoraRank, kvLoraRank, qkRopeHeadDim, vHeadDim } = options;
  const headDim = options.qkNopeHeadDim + qkRopeHeadDim;
  const latents = { batch, capacity: qLen, kvLoraRank, qkRopeHeadDim };
  const heads = { batch, capacity: qLen, nKvHeads: nHeads, headDim, vHeadDim };
  const latentCache = (more: object) => ({ cache: keep(engine.latentCache({ ...latents, ...more })) });
  const kvCache = (more: object) => ({ cache: keep(engine.kvCache({ ...heads, ...more })), form: "naive" });
  return {
    "an odd qkRopeHeadDim": () => ({ qkRopeHeadDim: qkRopeHeadDim + 1 }),
    ...(qLoraRank === undefined
      ? {
          "no qProj": () => ({ qProj: undefined }),
          "qAProj without its rank": () => ({ qAProj: new Float32Array(1) }),
          "qALayernorm without its rank": () => ({ qALayernorm: new Float32Array(1) }),
          "qBProj without its rank": () => ({ qBProj: new Float32Array(1) }),
          "a rank beside qProj": () => ({ qLoraRank: 1 }),
        }
      : {
          "no qAProj": () => ({ qAProj: undefined }),
          "no qALayernorm": () => ({ qALayernorm: undefined }),
          "no qBProj": () => ({ qBProj: undefined }),
          "qProj beside its rank": () => ({ qProj: new Float32Array(1) }),
          "no rank": () => ({ qLoraRank: undefined }),
        }),
    "a negative epsilon": () => ({ epsilon: -1e-9 }),
    "a scale past float32": () => ({ softmaxScale: 1e39 }),
    "a cache that is none": () => ({ cache: {} }),
    "a cache of other latents": () => latentCache({ kvLoraRank: kvLoraRank + 1 }),
    "a cache of other rotary keys": () => latentCache({ qkRopeHeadDim: qkRopeHeadDim + 2 }),
    "a cache of more sequences": () => latentCache({ batch: batch + 1 }),
    "a cache of other heads": () => kvCache({ nKvHeads: nHeads + 1 }),
    "a cache of other keys": () => kvCache({ headDim: headDim + 1 }),
    "a cache of other values": () => kvCache({ vHeadDim: vHeadDim + 1 }),
    "a cache of bfloat16": () => kvCache({ dtype: "bfloat16" }),
    "absorbed on heads": () => ({ ...kvCache({}), form: "absorbed" }),
    ...(qLen > 1 && {
      "a cache that is too small": () => latentCache({ capacity: qLen - 1 }),
      "a cache of heads that is too small": () => kvCache({ capacity: qLen - 1 }),
    }),
    "a deleted cache": () => {
      const made = latentCache({});
      made.cache.delete();
      return made;
    },
    "doubles for scores": () => ({ scores: new Float64Array(1) }),
    "a text for weights": () => ({ weights: "yes" }),
    "a buffer for steps": () => ({ steps: bufferOf("f32", 1) }),
    "too large a buffer for weights": () => ({
      weights: bufferOf("f32", batch * nHeads * qLen * qLen + 1),
    }),
  };
};

const infinities = ({ invFreq }: { invFreq: Float64Array }): Mistakes =>
  Object.fromEntries(
    [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((wrong) => [
      `${wrong} in invFreq`,
      () => ({ invFreq: invFreq.map((frequency, i) => (i === invFreq.length - 1 ? wrong : frequency)) }),
    ]),
  );

const oddDims = ({ headDim = 0, rotaryDim = 0 }): Mistakes => ({
  "an odd rotaryDim": () => ({ rotaryDim: (rotaryDim || headDim) - 1 }),
  ...(headDim > 0 && { "more than a head": () => ({ rotaryDim: headDim + 2 - (headDim % 2) }) }),
});

const positions = "positionIds";

const subjects: Record<string, Subject> = {
  attention: {
    options: calls.attention,
    required: "query key value qLen nHeads headDim",
    outs: "out weights scores",
    mistakes: attentionMistakes,
  },
  writeCache: {
    options: calls.writeCache,
    required: "cache update capacity rows inner",
    changed: "cache",
    mistakes: ({ batch = 1, capacity = 0, rows = 0, circular = false }): Mistakes => {
      const at = (index: number) => () => ({ writeIndices: new Int32Array(batch).fill(index) });
      return {
        "a row before the first": at(-1),
        ...(!circular && { "a row past the last": at(capacity - rows + 1) }),
        "more rows than capacity": () => ({ rows: capacity + 1 }),
      };
    },
  },
  kvCache: { options: calls.kvCache, required: "capacity nKvHeads headDim" },
  cacheBytes: {
    options: calls.cacheBytes,
    required: "kind bytesPerElement",
    mistakes: () => ({
      "no bytes": () => ({ bytesPerElement: 0 }),
      "half a bit": () => ({ bytesPerElement: 1 / 16 }),
      "9 bytes": () => ({ bytesPerElement: 9 }),
    }),
  },
  mla: {
    options: calls.mla,
    required: `x qLen hiddenSize nHeads kvLoraRank qkNopeHeadDim qkRopeHeadDim vHeadDim kvAProj kvALayernorm kvBProj
      oProj cos sin`,
    outs: "out weights scores",
    runs: 500,
    mistakes: mlaMistakes,
  },
  latentCache: {
    options: calls.latentCache,
    required: "capacity kvLoraRank qkRopeHeadDim",
    mistakes: ({ qkRopeHeadDim }: { qkRopeHeadDim: number }) => ({
      "an odd qkRopeHeadDim": () => ({ qkRopeHeadDim: qkRopeHeadDim + 1 }),
    }),
  },
  mlaCost: {
    options: calls.mlaCost,
    required: "form qLen hiddenSize nHeads kvLoraRank qkNopeHeadDim qkRopeHeadDim vHeadDim",
    mistakes: ({ qLen, qkRopeHeadDim }: { qLen: number; qkRopeHeadDim: number }) => ({
      "an odd qkRopeHeadDim": () => ({ qkRopeHeadDim: qkRopeHeadDim + 1 }),
      "fewer tokens than new ones": () => ({ kvLen: qLen - 1 }),
      "heads kept for the absorbed form": () => ({ form: "absorbed", kept: "heads" }),
    }),
  },
  absorbRotation: {
    options: calls.absorbRotation,
    required: "keyUp headDim kvLoraRank invFreq layout contextLen count",
    free: "invFreq",
    mistakes: ({ invFreq, headDim }: { invFreq: Float64Array; headDim: number }): Mistakes => ({
      ...infinities({ invFreq }),
      "more pairs than a head has": () => ({ invFreq: new Float64Array(Math.floor(headDim / 2) + 1) }),
      "half a context": () => ({ contextLen: 1.5 }),
      "no context": () => ({ contextLen: 0 }),
      "too far a distance": () => ({ firstDistance: 1e101 }),
      "too far a step": () => ({ step: -1e101 }),
    }),
  },
  relativeErrors: { options: calls.relativeErrors, required: "x exact rows columns", outs: "out" },
  rmsNorm: {
    options: calls.rmsNorm,
    required: "x rows dim",
    outs: "out",
    mistakes: () => ({ "a negative epsilon": () => ({ epsilon: -1e-9 }) }),
  },
  softmax: { options: calls.softmax, required: "x size", outs: "out" },
  integerEncoding: { options: calls.encoding, required: "dim", free: positions, outs: "out" },
  binaryEncoding: { options: calls.encoding, required: "dim", free: positions, outs: "out" },
  sinusoidalEncoding: { options: calls.sinusoidalEncoding, required: "dim", free: positions, outs: "out" },
  addEncoding: { options: calls.addEncoding, required: "x encoding dim", changed: "x" },
  linear: { options: calls.linear, required: "x weight rows inDim outDim", outs: "out" },
  seededEmbedding: {
    options: calls.seededEmbedding,
    required: "tokenIds dim seed",
    free: "tokenIds",
    outs: "out",
  },
  seededProjection: { options: calls.seededProjection, required: "seed stream outDim inDim", outs: "out" },
  alibiSlopes: { options: calls.alibiSlopes, required: "nHeads", outs: "out" },
  alibiBias: { options: calls.alibiBias, required: "slopes qLen", free: "slopes", outs: "out" },
  t5Buckets: {
    options: calls.t5Buckets,
    required: "qLen",
    outs: "out",
    mistakes: ({ bidirectional = true, numBuckets = 32 }): Mistakes => ({
      "a single bucket": () => ({ numBuckets: 1 }),
      "no distance to share": () => ({ maxDistance: Math.floor(numBuckets / (bidirectional ? 4 : 2)) }),
    }),
  },
  t5Bias: { options: calls.t5Bias, required: "table nHeads qLen", outs: "out" },
  ropeInvFreq: { options: calls.ropeInvFreq, required: "rotaryDim", outs: "out", mistakes: oddDims },
  buildRopeCache: {
    options: calls.buildRopeCache,
    required: "invFreq",
    free: "invFreq positionIds",
    outs: "cos sin",
    mistakes: infinities,
  },
  buildMropeCache: {
    options: calls.buildMropeCache,
    required: "positionIds seqLen invFreq sections",
    outs: "cos sin",
    mistakes: ({ sections: [t, h, w] }: { sections: [number, number, number] }): Mistakes => ({
      "two sections": () => ({ sections: [t + h, w] }),
      "a pair too many": () => ({ sections: [t + 1, h, w] }),
      "a negative section": () => ({ sections: [t + h + w + 1, -1, 0] }),
      "half a pair": () => ({ sections: [t + 0.5, h, w] }),
      "an Int32Array": () => ({ sections: Int32Array.of(t, h, w) }),
    }),
  },
  buildAxialRopeCache: {
    options: calls.buildAxialRopeCache,
    required: "positionIds seqLen rotaryDim",
    outs: "cos sin",
    mistakes: oddDims,
  },
  buildXposCache: {
    options: calls.buildXposCache,
    required: "invFreq side",
    free: "invFreq positionIds",
    outs: "cos sin",
    mistakes: infinities,
  },
  applyRope: {
    options: calls.applyRope,
    required: "x cos sin layout seqLen nHeads headDim",
    changed: "x",
    mistakes: (options: { batch?: number; seqLen: number; headDim: number; cos: Float32Array }): Mistakes => {
      const {
        batch = 1,
        seqLen,
        headDim,
        rotaryDim = headDim,
      } = options as typeof options & {
        rotaryDim?: number;
      };
      const ids = (id: number) => () => ({ positionIds: new Int32Array(batch * seqLen).fill(id) });
      return {
        ...oddDims(options),
        "a row before the first": ids(-1),
        "a row past the last": ids((2 * options.cos.length) / rotaryDim),
      };
    },
  },
  convertRopeLayout: {
    options: calls.convertRopeLayout,
    required: "x headDim to",
    outs: "out",
    mistakes: oddDims,
  },
  rowNorms: { options: calls.rowNorms, required: "x rows dim", outs: "out" },
  rowCosines: { options: calls.rowCosines, required: "a b rows dim", outs: "out" },
  neighbourDistances: {
    options: calls.neighbourDistances,
    required: "x rows dim",
    outs: "out",
    mistakes: ({ x }: { x: Float32Array }) => ({ "a single row": () => ({ rows: 1, dim: x.length }) }),
  },
  similarity: { options: calls.similarity, required: "x rows dim", outs: "out" },
  maxAbsDifference: { options: calls.maxAbsDifference, required: "a b" },
  ropeAngles: {
    options: calls.ropeAngles,
    required: "firstPosition count invFreq",
    free: "invFreq",
    outs: "out",
  },
  ropePeriods: {
    options: calls.ropePeriods,
    required: "invFreq contextLen",
    free: "invFreq",
    mistakes: infinities,
  },
  pairPolar: { options: calls.pairPolar, required: "x layout" },
  pairScores: { options: calls.pairScores, required: "query key layout", outs: "out" },
  ropeScore: {
    options: calls.ropeScore,
    required: "query key invFreq layout distance",
    free: "invFreq",
    mistakes: infinities,
  },
  ropeScoreByDistance: {
    options: calls.ropeScoreByDistance,
    required: "query key invFreq layout count",
    free: "invFreq",
    outs: "out",
    mistakes: infinities,
  },
  ropeRandomScores: {
    options: calls.ropeRandomScores,
    required: "invFreq seed draws count",
    free: "invFreq",
    mistakes: () => ({ "more alike than the same": () => ({ correlation: 1.01 }) }),
  },
  ropeDecayBound: {
    options: calls.ropeDecayBound,
    required: "invFreq count",
    free: "invFreq",
    outs: "out",
    mistakes: infinities,
  },
};

// ---- What is wrong for each kind of argument ---------------------------------------------------------------------------

const words = (text: string) => new Set(text.trim().split(/\s+/));
const sizes =
  words(`batch capacity nKvHeads headDim vHeadDim rotaryDim qLen kvLen seqLen nHeads rows dim outer inner
  size inDim outDim count draws numBuckets maxDistance nLayers kvLoraRank qkRopeHeadDim
  hiddenSize qLoraRank qkNopeHeadDim columns`);
const int32s = words("queryOffset positionOffset leftWindowSize rightWindowSize");
const uint32s = words("seed stream");

const notNumbers = [null, "8", "", true, 8n, {}, [8], () => 8, new Date(8), Symbol("8")];
const notFinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

function badNumbers(name: string): unknown[] {
  return [
    ...notNumbers,
    ...notFinite,
    ...(sizes.has(name) ? [0, -1, 1.5, 2 ** 31, 2 ** 53] : []),
    ...(int32s.has(name) ? [0.5, 2 ** 31, -(2 ** 31) - 1] : []),
    ...(uint32s.has(name) ? [-1, 0.5, 2 ** 32] : []),
  ];
}

function badTensors(array: TypedArray, kind: Kind, isFree: boolean): Record<string, () => unknown> {
  const Right = arrays[kind];
  const other = kind === "f32" ? "i32" : "f32";
  const { length } = array;
  return {
    null: () => null,
    "a number": () => length,
    "a plain array": () => [...array],
    "an ArrayBuffer": () => array.slice().buffer,
    "an array of another kind": () => new arrays[other](length),
    "a buffer of another kind": () => bufferOf(other, length),
    "an empty array": () => new Right(0),
    "a detached array": () => {
      const copy = array.slice();
      structuredClone(copy.buffer, { transfer: [copy.buffer] });
      return copy;
    },
    "a deleted buffer": () => {
      const buffer = bufferOf(kind, length);
      buffer.delete();
      return buffer;
    },
    "a buffer of another engine": () => foreign,
    ...(!isFree && {
      "an array of one too many": () => new Right(length + 1),
      "a buffer of one too many": () => bufferOf(kind, length + 1),
    }),
  };
}

/** All that can be made wrong with these options, and the mistake itself: not options at all, or some in their place. */
function* mistakes(
  subject: Subject,
  options: Options,
  outs: Record<string, AnyBuffer>,
): Generator<[string, () => unknown]> {
  const free = words(subject.free ?? "none");
  for (const name of words(subject.required)) yield [`no ${name}`, () => ({ [name]: undefined })];
  for (const [name, value] of Object.entries(options)) {
    const bad = (wrong: unknown): [string, () => unknown] => [
      `${String(typeof wrong === "object" ? JSON.stringify(wrong) : wrong)} for ${name}`,
      () => ({ [name]: wrong }),
    ];
    const kind = kindOf(value);
    if (kind !== undefined) {
      const array = value as TypedArray;
      for (const [what, make] of Object.entries(badTensors(array, kind, free.has(name))))
        yield [`${what} for ${name}`, () => ({ [name]: make() })];
      for (const [out, buffer] of Object.entries(outs))
        if (buffer.length === array.length)
          yield [`one buffer for ${name} and ${out}`, () => ({ [name]: buffer, [out]: buffer })];
    } else if (typeof value === "number") {
      for (const wrong of badNumbers(name)) yield bad(wrong);
    } else if (typeof value === "boolean") {
      for (const wrong of [null, 0, 1, "true", {}]) yield bad(wrong);
    } else if (typeof value === "string") {
      for (const wrong of [null, 1, "other", "", `${value} `, [value]]) yield bad(wrong);
    }
  }
  for (const [name, { length }] of Object.entries(outs)) {
    yield [`an array of another kind for ${name}`, () => ({ [name]: new Uint8Array(length) })];
    yield [`an array of one too many for ${name}`, () => ({ [name]: new Float32Array(length + 1) })];
    yield [`the engine's own memory for ${name}`, () => ({ [name]: bufferOf("f32", length).view })];
    yield [`null for ${name}`, () => ({ [name]: null })];
    yield [`a buffer of another kind for ${name}`, () => ({ [name]: bufferOf("u8", length) })];
    yield [`a buffer of one too many for ${name}`, () => ({ [name]: bufferOf("f32", length + 1) })];
  }
  yield* Object.entries(subject.mistakes?.(options as never) ?? {});
  for (const wrong of [undefined, null, 5, "options"]) yield [`${wrong} for options`, () => wrong];
}

// ---- The property ------------------------------------------------------------------------------------------------------

/** All numbers of a result, -0 and NaN among them. */
const textOf = (result: unknown): string =>
  JSON.stringify(result, (_, value) =>
    ArrayBuffer.isView(value)
      ? Array.from(value as Float32Array, (x) => (Object.is(x, -0) ? "-0" : `${x}`))
      : value,
  );

function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (textOf(actual) !== textOf(expected))
    throw new Error(`${what}: ${textOf(actual)}, not ${textOf(expected)}`);
}

const codes = ["bad_type", "bad_shape", "bad_value", "disposed"];

function expectRefusal(what: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (error instanceof RopewalkError && codes.includes(error.code) && error.argument !== "") return;
    throw new Error(`${what} is answered with ${error}`, { cause: error });
  }
  throw new Error(`${what} is taken`);
}

describe("one thing wrong", () => {
  for (const [method, subject] of Object.entries(subjects)) {
    const call = (options: unknown) => {
      const result = methods[method]?.call(engine, options);
      const isCache = ["kvCache", "latentCache"].includes(method);
      return isCache ? keep(result as AnyBuffer) && undefined : result;
    };

    const holds = (options: Options, n: number) => {
      const result = call(options);
      const results = kindOf(result) ? { out: result } : ((result ?? {}) as Options);
      const inputs: Record<string, AnyBuffer> = {};
      const outs: Record<string, AnyBuffer> = {};
      for (const [name, value] of Object.entries(options)) {
        const kind = kindOf(value);
        if (kind !== undefined) inputs[name] = bufferOf(kind, value as TypedArray);
      }
      for (const name of words(subject.outs ?? "")) {
        const value = results[name] as TypedArray | undefined;
        const kind = kindOf(value);
        if (value === undefined || kind === undefined) continue;
        outs[name] = bufferOf(kind, value.length);
        outs[name].view.fill(77);
      }

      const all = [...mistakes(subject, options, outs)];
      const [what, make] = all[n % all.length] as [string, () => unknown];
      const wrong = make();
      const inPlaceOf = (right: Options) =>
        typeof wrong === "object" && wrong !== null ? { ...right, ...wrong } : wrong;
      const buffers = [...Object.entries(inputs), ...Object.entries(outs)];
      const before = buffers.map(([, buffer]) => buffer.view.slice());
      const given = textOf(options);
      expectRefusal(what, () => call(inPlaceOf(options)));
      expectRefusal(`${what}, among buffers,`, () => call(inPlaceOf({ ...options, ...inputs, ...outs })));
      const own = Object.fromEntries(Object.entries(outs).map(([name, { view }]) => [name, view.slice()]));
      const ownBefore = textOf(own);
      expectRefusal(`${what}, into arrays,`, () => call(inPlaceOf({ ...options, ...own })));
      if (textOf(own) !== ownBefore) throw new Error(`${what} has written into an array`);
      buffers.forEach(([name, buffer], i) => {
        expectSame(`${name} after ${what}`, buffer.view, before[i]);
      });
      if (textOf(options) !== given) throw new Error(`${what} has changed an array`);

      expectSame(`the right call after ${what}`, call(options), result);
      call({ ...options, ...inputs, ...outs });
      for (const [name, buffer] of Object.entries(outs))
        expectSame(`${name} after ${what}`, buffer.view, results[name]);
      call({ ...options, ...own });
      for (const [name, array] of Object.entries(own))
        expectSame(`${name}, an array, after ${what}`, array, results[name]);
      if (subject.changed) expectSame(`in place after ${what}`, inputs[subject.changed]?.view, result);
    };

    property(
      `${method} refuses it, writes nothing, and works on`,
      fc.tuple(subject.options as fc.Arbitrary<Options>, fc.nat(2 ** 20)),
      ([options, n]) => {
        try {
          holds(options, n);
        } finally {
          for (const thing of made.splice(0)) thing.delete();
        }
      },
      subject.runs ?? 100,
    );
  }
});

// ---- Configurations ----------------------------------------------------------------------------------------------------

/** Configurations with one field wrong, and what it is. */
function* badConfigs(config: Options): Generator<[string, Options]> {
  const { rope_parameters, ...beside } = config;
  const parameters = rope_parameters as Options;
  const bad = (name: string, value: unknown): [string, Options] => [
    `${typeof value === "object" ? JSON.stringify(value) : value} for ${name}`,
    { ...beside, rope_parameters: { ...parameters, [name]: value } },
  ];
  const notPositive = [...notFinite, -1, "8", {}, [8], true];
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value === "number") for (const wrong of notPositive) yield bad(name, wrong);
    if (typeof value === "boolean") for (const wrong of [1, "true", {}]) yield bad(name, wrong);
    if (Array.isArray(value)) {
      const rest = value.slice(1);
      for (const wrong of [[], [...value, 1], rest, [...rest, 0], [...rest, "1"], value.join(), {}])
        yield bad(name, wrong);
    }
  }
  for (const wrong of ["", "Linear", "su2", 5, {}]) yield bad("rope_type", wrong);
  for (const wrong of [0, 1.01]) yield bad("partial_rotary_factor", wrong);
  yield bad("temperature", 1);
  for (const name of ["head_dim", "max_position_embeddings"]) {
    for (const wrong of [...notPositive, 0, 1.5, 2 ** 53])
      yield [`${wrong} for ${name}`, { ...config, [name]: wrong }];
  }
  yield ["two thetas", { ...config, rope_theta: (parameters.rope_theta as number) + 1 }];
  yield ["parameters in a list", { ...config, rope_parameters: [parameters] }];
}

describe("one field wrong", () => {
  for (const [type, cases] of Object.entries(configs)) {
    property(
      `ropeFromConfig refuses it, of ${type}`,
      fc.tuple(cases, fc.nat(2 ** 20)),
      ([options, n]) => {
        const result = engine.ropeFromConfig(options);
        const all = [...badConfigs(options.config)];
        const [what, config] = all[n % all.length] as [string, Options];
        expectRefusal(what, () => engine.ropeFromConfig({ ...options, config }));
        for (const seqLen of [0, -1, 1.5, Number.NaN, "8"] as number[])
          expectRefusal(`${seqLen} for seqLen`, () => engine.ropeFromConfig({ ...options, seqLen }));
        expectSame(`the right call after ${what}`, engine.ropeFromConfig(options), result);
      },
      100,
    );
  }
});
