import { loadRopewalk, RopewalkError } from "ropewalk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type AnyBuffer,
  type ArgumentKind,
  arrays,
  bufferOf,
  type Call,
  type ChoiceKind,
  callsOf,
  choices,
  contentOf,
  inBuffers,
  intoArrays,
  invoke,
  kindOf,
  memoryOf,
  ownResults,
  type TensorKind,
  type TypedArray,
  untouched,
} from "./calls.ts";

const engine = await loadRopewalk();
const stranger = await loadRopewalk();
const own = engine.f32(1);
const calls = callsOf(engine);

type Code = RopewalkError["code"];
interface Bad {
  value: unknown;
  code: Code;
  /** What the error says was given, if not the value itself. */
  given?: (given: unknown) => boolean;
  /** As titles and failures show it. */
  shown: string;
}

const bad = (code: Code, ...values: unknown[]): Bad[] =>
  values.map((value) => ({ value, code, shown: show(value) }));

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${(value as Float32Array).length}`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  return String(value);
}

/** How a message says what was given, where a user could not guess. */
function said(value: unknown): string | undefined {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined)
    return String(value);
  if (kindOf(value) !== undefined) return `of ${(value as TypedArray).length}`;
  return undefined;
}

const tensorKinds = ["f32", "f64", "i32", "u8"] as const;
const isTensor = (kind: ArgumentKind): kind is TensorKind => tensorKinds.includes(kind as TensorKind);
const isChoice = (kind: ArgumentKind): kind is ChoiceKind => Object.hasOwn(choices, kind);

// ---- What is wrong for each kind of argument ---------------------------------------------------------------------------

const notNumbers = bad(
  "bad_type",
  "8",
  "",
  "NaN",
  true,
  false,
  8n,
  [8],
  {},
  () => 8,
  Symbol("8"),
  new Date(8),
);
const notFinite = bad("bad_value", Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);

const badNumbers = {
  size: bad("bad_value", 0, -0, -1, 1.5, 1e-9, 2 ** 31, 2 ** 32 + 4, 2 ** 53, 1e300),
  evenSize: [
    ...bad("bad_value", 0, -2, 2.5, 1, 2 ** 31, 1e300),
    ...bad("bad_shape", 3, 7), // Odd, and within any head here.
  ],
  evenExtent: [...bad("bad_value", 0, -2, 2.5, 2 ** 31, 1e300), ...bad("bad_shape", 1, 3, 7)],
  int32: bad("bad_value", 0.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -1e300),
  uint32: bad("bad_value", 0.5, -1, 2 ** 32, 2 ** 53),
  windowSize: bad("bad_value", 0.5, -2, -1e300, 2 ** 31, 2 ** 53),
  elementBytes: bad("bad_value", 0, -0, 0.1249, 8.001, 16, -1, 1e300),
  finite: [],
  finiteF32: bad("bad_value", 1e39, -1e39, 3.5e38),
  positive: bad("bad_value", 0, -0, -1, -1e-300),
  notNegative: bad("bad_value", -1, -1e-300),
  notNegativeF32: bad("bad_value", -1, -1e-300, 1e39, 3.5e38),
  correlation: bad("bad_value", 1.000001, -1.000001, 2, -1e300),
} satisfies Record<string, Bad[]>;

function detached(array: TypedArray): TypedArray {
  const copy = array.slice();
  structuredClone(copy.buffer, { transfer: [copy.buffer] });
  return copy;
}

const isDetached = (value: unknown) => ArrayBuffer.isView(value) && value.buffer.byteLength === 0;

function badTensors(kind: TensorKind, length: number, wrongLengths: boolean): Bad[] {
  const Right = arrays[kind];
  const narrow = [Int16Array, Int8Array, Uint8Array, Uint8ClampedArray];
  const wrong = [Float32Array, Float64Array, Int32Array, Uint32Array, ...narrow].filter(
    (Other) => Other !== (Right as unknown),
  );
  const others = tensorKinds.filter((other) => other !== kind);
  const deleted = bufferOf(engine, kind, length);
  deleted.delete();
  const lengths = [length + 1, length - 1, 2 * length, 1].filter((n) => n !== length && n > 0);
  return [
    ...bad("bad_type", 5, "text", true, 8n, new Array(length).fill(1), { length, 0: 1 }, () => 1),
    ...bad("bad_type", new ArrayBuffer(4 * length), new DataView(new ArrayBuffer(8 * length))),
    ...bad("bad_type", ...wrong.map((Other) => new Other(length))),
    ...bad("bad_type", new BigInt64Array(length)),
    ...bad("bad_type", ...others.map((other) => bufferOf(engine, other, length))),
    ...bad("bad_shape", new Right(8).subarray(0, 0), detached(new Right(length))),
    ...bad("bad_value", bufferOf(stranger, kind, length)),
    ...bad("disposed", deleted),
    ...(wrongLengths ? bad("bad_shape", ...lengths.map((n) => new Right(n))) : []),
    ...(wrongLengths ? bad("bad_shape", ...lengths.map((n) => bufferOf(engine, kind, n))) : []),
  ];
}

const itsElement = (given: unknown) => !Array.isArray(given);

/** Whatever the tensor is that they are the extents of. */
const badExtents: Bad[] = [
  ...bad("bad_type", 5, "3", true, 8n, {}, { length: 2, 0: 3, 1: 4 }, new Int32Array([3, 4]), () => [3]),
  ...bad(
    "bad_shape",
    [],
    [1, 1, 1, 1, 1],
    [0],
    [3, 0],
    [-1],
    [1.5, 1],
    [Number.NaN],
    ["1"],
    [null],
    [2 ** 32],
  ),
  ...bad("bad_shape", [77, 1], [77, 1, 1], [77, 1, 1, 1], [77], new Array(2), [Symbol("1")], [[1]]),
];

const badSections: Bad[] = [
  ...bad("bad_type", 5, "211", true, {}, new Int32Array([2, 1, 1]), () => 1),
  ...bad("bad_shape", [], [2, 2], [2, 1, 1, 0], [4]),
  ...bad("bad_type", ["2", 1, 1], [2, null, 1], [2, 1, undefined]).map((one) => ({
    ...one,
    given: itsElement,
  })),
  ...bad("bad_value", [-1, 4, 1], [1.5, 1.5, 1], [2, 1, Number.NaN], [2 ** 31, 0, 0]).map((one) => ({
    ...one,
    given: itsElement,
  })),
  // Not four pairs together.
  ...bad("bad_shape", [2, 1, 0], [2, 2, 1], [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]).map((one) => ({
    ...one,
    given: itsElement,
  })),
];

function badCaches(): Bad[] {
  const options = { capacity: 4, nKvHeads: 2, headDim: 6 };
  const filled = (from: typeof engine) => {
    const cache = from.kvCache(options);
    cache.append({ key: new Float32Array(48), value: new Float32Array(48), len: 4 });
    return cache;
  };
  const deleted = filled(engine);
  deleted.delete();
  const { key } = filled(engine).read();
  return [
    ...bad("bad_type", 5, "cache", true, 8n, [], options, key, own, () => deleted, { ...deleted }),
    ...bad("bad_value", filled(stranger)),
    ...bad("disposed", deleted),
    ...bad("bad_shape", engine.kvCache(options)),
  ];
}

const badConfigs = bad("bad_type", 5, "{}", true, 8n, () => ({}), [], new Float32Array(3));

function badValues(call: Call, argument: string, kind: ArgumentKind): Bad[] {
  // Without one of them it is another form, of which the rest is missing: "missing options" has that.
  const isForm = ["positionIds", "cache"].includes(argument) && !("seqLen" in call.good);
  const mayBeAbsent = call.optional.includes(argument) || isForm;
  const absent = mayBeAbsent ? [] : bad("bad_type", undefined);
  const always = [...absent, ...bad("bad_type", null)];
  if (isTensor(kind)) {
    const fixed = !call.anyLength.includes(argument);
    return [...always, ...badTensors(kind, (call.good[argument] as TypedArray).length, fixed)];
  }
  if (kind === "boolean") return [...always, ...bad("bad_type", 0, 1, "true", {}, [], 1n)];
  if (isChoice(kind)) {
    const [first, second] = choices[kind];
    return [
      ...always,
      ...bad("bad_type", 0, 1, true, [first], {}, Symbol(first)),
      ...bad("bad_value", "", "neox", first.toUpperCase(), `${first} `, "toString", `${first},${second}`),
    ];
  }
  if (kind === "extents") return [...bad("bad_type", null), ...badExtents];
  if (kind === "sections") return [...always, ...badSections];
  if (kind === "cache") return [...always, ...badCaches()];
  if (kind === "config") return [...always, ...badConfigs];
  return [...always, ...notNumbers, ...notFinite, ...badNumbers[kind]];
}

// ---- What has to hold after each of them -------------------------------------------------------------------------------

let memory: number;
const expected = new Map<Call, Record<string, unknown>>();

beforeAll(() => {
  // Once the good way, so that what each function keeps for itself is there.
  for (const call of calls) expected.set(call, contentOf(invoke(engine, call, call.good)));
  for (const call of calls) {
    const { options, free } = inBuffers(engine, call);
    invoke(engine, call, options);
    free();
  }
  memory = memoryOf(own);
});

afterAll(() => expect(memoryOf(own)).toBe(memory));

function refused(call: Call, what: string, attempt: () => unknown): RopewalkError {
  let error: unknown;
  try {
    const result = attempt();
    expect.fail(`${call.title}: ${what} was taken; the result: ${show(result)}`);
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof RopewalkError)) throw error;
  expect(error.name).toBe("RopewalkError");
  expect(error.allowed, what).not.toBe("");
  expect(error.message, what).toContain(error.argument);
  expect(error.message, what).toContain(error.allowed);
  const words = said(error.given);
  if (words !== undefined) expect(error.message, what).toContain(words);
  return error;
}

/** As if nothing had been: same numbers from the next good call, same memory. */
function worksOn(call: Call, what: string): void {
  expect(contentOf(invoke(engine, call, call.good)), `${what}; then the good call`).toEqual(
    expected.get(call),
  );
  expect(memoryOf(own), `${what}; then the memory`).toBe(memory);
}

/** Every buffer with its contents, to see that none was written. */
const contents = (buffers: Record<string, AnyBuffer>) =>
  Object.fromEntries(Object.entries(buffers).map(([name, { view }]) => [name, Array.from(view)]));

/** No array for a result has been written. */
const expectUntouched = (results: Record<string, TypedArray>, what: string) => {
  for (const [name, array] of Object.entries(results))
    expect(Array.from(array), `${what}: what is in ${name}`).toEqual(Array(array.length).fill(untouched));
};

/** A test that there is only where it has something to try: it does not count as skipped elsewhere. */
const testIf = (wanted: unknown) => (wanted ? test : (_title: string, _body: () => void) => {});

// ---- One argument at a time --------------------------------------------------------------------------------------------

describe.each(calls)("$title refuses", (call) => {
  test.each(Object.entries(call.arguments))("what %s cannot be (%s)", (argument, kind) => {
    const { options, buffers, free } = inBuffers(engine, call);
    const before = contents(buffers);
    const own = intoArrays(call);
    const table = badValues(call, argument, kind);
    expect(table.length).toBeGreaterThan(5);
    for (const { value, code, shown, given = (one: unknown) => Object.is(one, value) } of table) {
      for (const [base, where] of [
        [call.good, ""],
        [options, ", in buffers"],
        [own.options, ", into arrays"],
      ] as const) {
        const what = `${argument}: ${shown}${where}`;
        const error = refused(call, what, () => invoke(engine, call, { ...base, [argument]: value }));
        expect({ code: error.code, argument: error.argument }, what).toEqual({ code, argument });
        expect(given(error.given), `${what}: what the error says was given`).toBe(true);
        // It has no elements left: to hear of a wrong length alone would puzzle.
        if (isDetached(value)) expect(error.allowed).toContain("not detached");
        worksOn(call, what);
      }
      expect(contents(buffers), `${argument}: ${shown}: what the buffers hold`).toEqual(before);
      expectUntouched(own.results, `${argument}: ${shown}`);
    }
    free();
  });

  for (const [argument, [kind, length]] of Object.entries(ownResults(call))) {
    test(`what ${argument} cannot be (a tensor for the result)`, () => {
      const { options, buffers, free } = inBuffers(engine, call);
      const before = contents(buffers);
      const own = intoArrays(call);
      const inside = bufferOf(engine, kind, length + 1);
      const asked = call.asked.includes(argument) ? [] : bad("bad_type", true, false);
      const table = [
        ...badTensors(kind, length, true).filter(({ value }) => value !== true),
        ...asked,
        ...bad("bad_type", null),
        // In the engine's memory, which may move, an array does not stay where it is.
        ...bad("bad_value", inside.view.subarray(1)),
      ];
      for (const { value, code, shown } of table) {
        for (const base of [options, own.options]) {
          const what = `${argument}: ${shown}${base === options ? ", in buffers" : ", into arrays"}`;
          const error = refused(call, what, () => invoke(engine, call, { ...base, [argument]: value }));
          expect({ code: error.code, argument: error.argument }, what).toEqual({ code, argument });
          expect(Object.is(error.given, value), `${what}: what the error says was given`).toBe(true);
          if (isDetached(value)) expect(error.allowed).toContain("not detached");
          worksOn(call, what);
        }
        expect(contents(buffers), `${argument}: ${shown}: what the buffers hold`).toEqual(before);
        expectUntouched(own.results, `${argument}: ${shown}`);
      }
      inside.delete();
      free();
    });
  }

  const results = Object.entries(ownResults(call));
  testIf(results.length > 1)("arrays for two results that overlap, but not if they are neighbours", () => {
    for (const [a, [kind, length]] of results) {
      for (const [b, [otherKind, otherLength]] of results) {
        if (a === b || kind !== otherKind) continue;
        const whole = new arrays[kind](length + otherLength).fill(untouched);
        const { options } = intoArrays(call);
        const apart = { [a]: whole.subarray(0, length), [b]: whole.subarray(length) };
        const overlapping = { [a]: whole.subarray(0, length), [b]: whole.subarray(length - 1, -1) };
        const what = `${a} and ${b}`;
        const error = refused(call, what, () => invoke(engine, call, { ...options, ...overlapping }));
        expect(error.code, what).toBe("bad_value");
        expect([a, b], what).toContain(error.argument);
        expect(error.allowed, what).toContain(error.argument === a ? b : a);
        expect(error.given, what).toBe(overlapping[error.argument]);
        expectUntouched({ whole }, what);
        worksOn(call, what);
        invoke(engine, call, { ...options, ...apart });
        expect(Array.from(whole), what).not.toContain(untouched);
      }
    }
  });

  test("missing options", () => {
    for (const options of [undefined, null, 5, "options", true, 8n]) {
      const error = refused(call, `options: ${show(options)}`, () => invoke(engine, call, options));
      expect([error.code, error.argument, error.given]).toEqual(["bad_type", "options", options]);
      worksOn(call, show(options));
    }
    const error = refused(call, "no options", () => invoke(engine, call));
    expect([error.code, error.argument]).toEqual(["bad_type", "options"]);
    // Empty ones lack whatever comes first, and say which.
    const empty = refused(call, "empty options", () => invoke(engine, call, {}));
    expect(empty.code).toBe("bad_type");
    expect([...Object.keys(call.arguments), "seqLen"]).toContain(empty.argument);
  });

  const sizes = Object.entries(call.arguments).filter(
    ([name, kind]) => ["size", "evenSize", "evenExtent"].includes(kind) && !call.freeSizes.includes(name),
  );
  testIf(sizes.length > 0)("sizes that the tensors do not have", () => {
    const { options, buffers, free } = inBuffers(engine, call);
    const before = contents(buffers);
    const names = [
      ...Object.keys(buffers),
      "rotaryDim",
      "nKvHeads",
      "dim",
      "maskShape",
      "biasShape",
      "cache",
    ];
    for (const [argument, kind] of sizes) {
      const [size, step] = [call.good[argument] as number, kind === "size" ? 1 : 2];
      for (const value of [size + step, size - step].filter((one) => one > 0)) {
        const what = `${argument}: ${value}`;
        const error = refused(call, what, () => invoke(engine, call, { ...options, [argument]: value }));
        expect(["bad_shape", "bad_value"], what).toContain(error.code);
        expect(names, what).toContain(error.argument);
        worksOn(call, what);
        expect(contents(buffers), what).toEqual(before);
      }
    }
    free();
  });

  testIf(Object.keys(call.outs).length > 0 || call.changed)(
    "a buffer in two places, if it is written",
    () => {
      const { options, buffers, free } = inBuffers(engine, call);
      const written = call.changed === undefined ? Object.keys(call.outs) : [call.changed];
      const kind = (name: string) => kindOf(buffers[name]?.view);
      let tried = 0;
      for (const name of written) {
        for (const [twin, { length }] of Object.entries(buffers)) {
          if (twin === name || kind(twin) !== kind(name) || length !== buffers[name]?.length) continue;
          tried++;
          const before = contents(buffers);
          const what = `${name} is ${twin}`;
          const error = refused(call, what, () =>
            invoke(engine, call, { ...options, [name]: buffers[twin] }),
          );
          expect(error.code, what).toBe("bad_value");
          expect([name, twin], what).toContain(error.argument);
          expect(error.given === buffers[twin]).toBe(true);
          expect(contents(buffers), what).toEqual(before);
          worksOn(call, what);
        }
      }
      free();
      if (
        ["attention", "RopeCache", "addEncoding", "rmsNorm", "softmax"].some((one) =>
          call.title.includes(one),
        )
      )
        expect(tried).toBeGreaterThan(0);
    },
  );
});

// ---- What is wrong between arguments -----------------------------------------------------------------------------------

const f32 = (length: number) => new Float32Array(length);
const f64 = (length: number) => new Float64Array(length);
const i32 = (length: number) => new Int32Array(length);
const u8 = (length: number) => new Uint8Array(length);
/** Frequencies of which the last is none. */
const unfit = () => new Float64Array([1, 0.5, 0.25, Number.NaN]);
/** More bytes than a WebAssembly memory has; none of them is touched, so that they cost nothing. */
const vast = () => f32(2 ** 29);
const vastF64 = () => f64(2 ** 28);
const k64 = 2 ** 16;
const k32 = 2 ** 15;

interface Between {
  title: string;
  what: string;
  options: () => Record<string, unknown>;
  argument: string;
  code: Code;
}

const between = (
  title: string,
  what: string,
  argument: string,
  code: Code,
  options: Between["options"],
): Between => ({ title, what, argument, code, options });

const encodings = ["integerEncoding", "binaryEncoding", "sinusoidalEncoding"];
const caches = ["buildRopeCache", "buildXposCache"];
const none = undefined;
const headsOf = (nHeads: number, nKvHeads: number) => ({
  nHeads,
  nKvHeads,
  query: f32(3 * nHeads * 6),
  key: f32(4 * nKvHeads * 6),
  value: f32(4 * nKvHeads * 6),
});
const narrow = { qLen: 1, kvLen: 1, nHeads: 1, nKvHeads: 1, headDim: 1 };
const unbiased = { mask: none, maskShape: none, bias: none, biasShape: none };
/** What a cache says itself, or has in its place. */
const beside: [string, unknown][] = [
  ...["key", "value", "pastKey", "pastValue"].map((name): [string, unknown] => [name, f32(48)]),
  ...["kvLen", "nKvHeads", "headDim", "vHeadDim", "batch", "pastLen"].map((name): [string, unknown] => [
    name,
    4,
  ]),
  ...["presentKey", "presentValue"].map((name): [string, unknown] => [name, own]),
  ["format", "bshd"],
  ["kvLens", i32(1)],
];

/** One token of one of everything, and the weights for it. */
const thinLayer = (qLen: number, more: { hiddenSize?: number; vHeadDim?: number } = {}) => {
  const { hiddenSize = 1, vHeadDim = 1 } = more;
  const shape = { hiddenSize, nHeads: 1, kvLoraRank: 1, qkNopeHeadDim: 1, qkRopeHeadDim: 2, vHeadDim };
  return {
    ...shape,
    batch: 1,
    qLen,
    x: f32(qLen * hiddenSize),
    kvAProj: f32(3 * hiddenSize),
    kvALayernorm: f32(1),
    kvBProj: f32(1 + vHeadDim),
    oProj: f32(hiddenSize * vHeadDim),
    cos: f32(qLen),
    sin: f32(qLen),
  };
};
const thin = (qLen: number, more: { hiddenSize?: number; vHeadDim?: number } = {}) => ({
  ...thinLayer(qLen, more),
  qProj: f32(3 * (more.hiddenSize ?? 1)),
});
const thinLatent = (qLen: number) => ({
  ...thinLayer(qLen),
  qLoraRank: 1,
  qAProj: f32(1),
  qALayernorm: f32(1),
  qBProj: f32(3),
});
const latentRoom = { batch: 2, capacity: 6, kvLoraRank: 4, qkRopeHeadDim: 2 };
const headsRoom = { batch: 2, capacity: 6, nKvHeads: 2, headDim: 5, vHeadDim: 5 };
const deletedLatents = () => {
  const cache = engine.latentCache(latentRoom);
  cache.delete();
  return cache;
};
const keptAnywhere = ["mla (LatentCache)", "mla (KvCache)"];
const ofQueries = ["mla", "mla (naive)", "mla (naive, steps)", "mla (KvCache)"];
const ofQueriesLatent = ["mla (all options)", "mla (steps)", "mla (LatentCache)"];

const latentBetweens: Between[] = [
  ...ofQueries.flatMap((title) => [
    ...["qAProj", "qALayernorm", "qBProj"].map((name) =>
      between(title, `${name} without qLoraRank`, name, "bad_value", () => ({ [name]: f32(6) })),
    ),
    between(title, "qLoraRank beside qProj", "qProj", "bad_value", () => ({
      qLoraRank: 3,
      qAProj: f32(18),
      qALayernorm: f32(3),
      qBProj: f32(30),
    })),
    between(title, "a queries' latent that lacks its tensors", "qAProj", "bad_type", () => ({
      qLoraRank: 3,
      qProj: none,
    })),
    between(title, "a qLoraRank of nothing", "qLoraRank", "bad_value", () => ({ qLoraRank: 0 })),
    between(title, "a qLoraRank of null", "qLoraRank", "bad_type", () => ({ qLoraRank: null })),
  ]),
  ...ofQueriesLatent.flatMap((title) => [
    between(title, "qProj beside qLoraRank", "qProj", "bad_value", () => ({ qProj: f32(60) })),
    between(title, "a queries' latent without qLoraRank", "qAProj", "bad_value", () => ({ qLoraRank: none })),
  ]),
  between("mla", "an odd qkRopeHeadDim that every tensor has", "qkRopeHeadDim", "bad_shape", () => ({
    qkRopeHeadDim: 3,
    qProj: f32(72),
    kvAProj: f32(42),
  })),
  between(
    "mla (all options)",
    "rows for neither all tokens nor each of a sequence",
    "cos",
    "bad_shape",
    () => ({
      cos: f32(4),
      sin: f32(4),
    }),
  ),
  between("mla (naive)", "a sin for a sequence beside a cos for all tokens", "sin", "bad_shape", () => ({
    cos: f32(6),
  })),
  between(
    "mla (all options)",
    "a cos for a sequence beside a sin for all tokens",
    "sin",
    "bad_shape",
    () => ({
      cos: f32(3),
    }),
  ),

  // Caches, of another layer, engine or kind.
  ...(
    [
      ["of other latents", { kvLoraRank: 5 }],
      ["of other rotary keys", { qkRopeHeadDim: 4 }],
      ["of fewer sequences", { batch: 1 }],
      ["of more sequences", { batch: 3 }],
      // As many numbers for each token, but parted elsewhere.
      ["of the same width", { kvLoraRank: 2, qkRopeHeadDim: 4 }],
    ] as const
  ).map(([what, other]) =>
    between("mla (LatentCache)", `a cache ${what}`, "cache", "bad_shape", () => ({
      cache: engine.latentCache({ ...latentRoom, ...other }),
    })),
  ),
  ...(
    [
      ["of fewer heads", { nKvHeads: 1 }],
      ["of other keys", { headDim: 6 }],
      ["of other values", { vHeadDim: 4 }],
      ["of values as long as its keys", { headDim: 6, vHeadDim: 6 }],
      ["of fewer sequences", { batch: 1 }],
      ["in bfloat16", { dtype: "bfloat16" }],
    ] as const
  ).map(([what, other]) =>
    between("mla (KvCache)", `a cache ${what}`, "cache", "bad_shape", () => ({
      cache: engine.kvCache({ ...headsRoom, ...other }),
    })),
  ),
  ...keptAnywhere.flatMap((title) => [
    between(title, "another engine's latents", "cache", "bad_value", () => ({
      cache: stranger.latentCache(latentRoom),
    })),
    between(title, "another engine's heads", "cache", "bad_value", () => ({
      cache: stranger.kvCache(headsRoom),
    })),
    between(title, "a deleted cache of latents", "cache", "disposed", () => ({ cache: deletedLatents() })),
    between(title, "another engine's cache, of another layer", "cache", "bad_value", () => ({
      cache: stranger.latentCache({ ...latentRoom, kvLoraRank: 5 }),
    })),
    between(title, "more tokens than there is room for", "qLen", "bad_shape", () => ({
      x: f32(72),
      cos: f32(12),
      sin: f32(12),
      qLen: 6,
    })),
    between(title, "a full cache", "qLen", "bad_shape", () => {
      const cache = engine.latentCache({ ...latentRoom, capacity: 2 });
      cache.append({ latents: f32(24), len: 2 });
      return { cache };
    }),
    between(title, "the absorbed form on kept heads", "form", "bad_value", () => ({
      cache: engine.kvCache(headsRoom),
      form: "absorbed",
    })),
  ]),
  between("attention (cache)", "a cache of latents", "cache", "bad_type", () => ({
    cache: engine.latentCache(latentRoom),
  })),

  // Sizes.
  between("mla", "an x that overflows", "x", "bad_shape", () => ({ qLen: 2 ** 30 })),
  between("mla", "a projection that overflows", "qProj", "bad_shape", () => ({ nHeads: 2 ** 30 })),
  between("mla", "weights of values that overflow", "kvBProj", "bad_shape", () => ({ vHeadDim: 2 ** 30 })),
  ...["weights", "scores"].flatMap((name) => [
    between("mla (all options)", `${name} that overflow`, name, "bad_shape", () => ({
      ...thinLatent(k64),
      weights: none,
      scores: none,
      [name]: true,
    })),
    between("mla (all options)", `no memory for the ${name}`, name, "out_of_memory", () => ({
      ...thinLatent(k32),
      weights: none,
      scores: none,
      [name]: true,
    })),
  ]),
  between("mla", "no memory for the projections", "qProj", "out_of_memory", () => {
    const hiddenSize = 2 ** 29;
    return {
      ...thinLayer(1),
      hiddenSize,
      x: vast(),
      qProj: f32(3 * 2 ** 29),
      kvAProj: f32(3 * 2 ** 29),
      oProj: vast(),
    };
  }),
  between("mla (KvCache)", "no memory to lay the values out in", "scratch", "out_of_memory", () => ({
    ...thin(2 ** 12, { vHeadDim: 2 ** 18 }),
    cache: none,
  })),
  between("latentCache", "latents that overflow", "capacity", "bad_shape", () => ({ capacity: 2 ** 30 })),
  between("latentCache", "latents past 2^53", "capacity", "bad_shape", () => ({
    batch: 2 ** 31 - 1,
    capacity: 2 ** 31 - 1,
  })),
  between("latentCache", "no memory for it", "capacity", "out_of_memory", () => ({
    batch: 1,
    capacity: 2 ** 28,
    kvLoraRank: 1,
    qkRopeHeadDim: 2,
  })),
  between("append (LatentCache)", "more rows than are left", "len", "bad_shape", () => ({
    latents: f32(72),
    len: 6,
  })),
  between("append (LatentCache)", "more rows than there ever were", "len", "bad_shape", () => ({
    len: 2 ** 31 - 1,
  })),
  between("append (LatentCache)", "latents of another length", "latents", "bad_shape", () => ({ len: 1 })),
  between("append (LatentCache)", "latents without their rotary keys", "latents", "bad_shape", () => ({
    latents: f32(16),
  })),

  // Costs.
  between("mlaCost", "heads kept for the absorbed form", "kept", "bad_value", () => ({ form: "absorbed" })),
  between("mlaCost", "more new tokens than tokens", "kvLen", "bad_value", () => ({ qLen: 8 })),
  between("mlaCost", "fewer tokens than new ones", "kvLen", "bad_value", () => ({ kvLen: 2 })),

  between("absorbRotation", "more pairs than the head has", "invFreq", "bad_shape", () => ({
    invFreq: f64(6),
  })),
  between("absorbRotation", "frequencies that are not finite", "invFreq", "bad_value", () => ({
    invFreq: unfit(),
  })),
  ...[1.01e100, -1.01e100].flatMap((far) => [
    between("absorbRotation", `a firstDistance of ${far}`, "firstDistance", "bad_value", () => ({
      firstDistance: far,
    })),
    between("absorbRotation", `a step of ${far}`, "step", "bad_value", () => ({ step: far })),
    between("absorbRotation", `an invFreq of ${far}`, "invFreq", "bad_value", () => ({
      invFreq: new Float64Array([1, far]),
    })),
  ]),
  between("absorbRotation", "a matrix that overflows", "keyUp", "bad_shape", () => ({
    headDim: k64,
    kvLoraRank: k64,
  })),
  between("absorbRotation", "no memory for the matrix", "keyUp", "out_of_memory", () => ({
    keyUp: vast(),
    headDim: 2 ** 4,
    kvLoraRank: 2 ** 25,
  })),
  between("absorbRotation", "no memory for the errors", "error", "out_of_memory", () => ({ count: 2 ** 30 })),
  between("relativeErrors", "a product that overflows", "x", "bad_shape", () => ({
    rows: k64,
    columns: k64,
  })),
  between("relativeErrors", "no memory for it", "x", "out_of_memory", () => {
    const x = vast();
    return { x, exact: x, rows: 2 ** 25, columns: 16 };
  }),
];

const betweens: Between[] = [
  ...encodings.flatMap((title) => [
    between(title, "positionIds together with seqLen", "seqLen", "bad_value", () => ({ seqLen: 3 })),
    between(title, "positionIds together with positionOffset", "positionOffset", "bad_value", () => ({
      positionOffset: 0,
    })),
    between(`${title} (run)`, "a product that overflows", "out", "bad_shape", () => ({
      seqLen: k64,
      dim: k64,
    })),
    between(`${title} (run)`, "a product of 2^31", "out", "bad_shape", () => ({ seqLen: 2 ** 30, dim: 2 })),
    between(`${title} (run)`, "a product past 2^53", "out", "bad_shape", () => ({
      seqLen: 2 ** 31 - 1,
      positionOffset: 0,
      dim: 2 ** 31 - 1,
    })),
    between(title, "no memory for a long row", "out", "out_of_memory", () => ({
      positionIds: i32(1),
      dim: 2 ** 30,
    })),
  ]),
  ...caches.flatMap((title) => [
    between(title, "positionIds together with seqLen", "seqLen", "bad_value", () => ({ seqLen: 3 })),
    between(title, "frequencies that are not finite", "invFreq", "bad_value", () => ({ invFreq: unfit() })),
    between(title, "a product that overflows", "cos", "bad_shape", () => ({
      positionIds: i32(k64),
      invFreq: f64(k64),
    })),
    between(title, "no memory for it", "cos", "out_of_memory", () => ({
      positionIds: i32(k32),
      invFreq: f64(k32),
    })),
    between(title, "an array for the cosines alone, one too short", "cos", "bad_shape", () => ({
      cos: f32(11),
    })),
  ]),
  ...[...encodings, ...caches].map((title) =>
    between(
      `${title} (run)`,
      "positions that run past int32",
      "positionOffset + seqLen - 1",
      "bad_value",
      () => ({
        seqLen: 3,
        positionOffset: 2 ** 31 - 2,
      }),
    ),
  ),
  ...["buildMropeCache", "buildMropeCache (interleaved)"].flatMap((title) => [
    between(title, "frequencies that are not finite", "invFreq", "bad_value", () => ({ invFreq: unfit() })),
    between(title, "sections for fewer pairs", "sections", "bad_shape", () => ({ invFreq: f64(5) })),
    between(title, "positions that overflow", "positionIds", "bad_shape", () => ({ seqLen: 2 ** 30 })),
    between(title, "a product that overflows", "cos", "bad_shape", () => ({
      positionIds: i32(3 * k32),
      seqLen: k32,
      invFreq: f64(k64),
    })),
    between(title, "no memory for it", "cos", "out_of_memory", () => ({
      positionIds: i32(3 * k32),
      seqLen: k32,
      invFreq: f64(k32),
      sections: [k32, 0, 0],
    })),
  ]),
  between("buildMropeCache (interleaved)", "sections that do not fit", "sections", "bad_shape", () => ({
    sections: [0, 4, 0],
  })),
  between("buildAxialRopeCache", "an odd number of pairs", "rotaryDim", "bad_shape", () => ({
    rotaryDim: 6,
  })),
  between("buildAxialRopeCache", "positions that overflow", "positionIds", "bad_shape", () => ({
    seqLen: 2 ** 30,
  })),
  between("buildAxialRopeCache", "a product that overflows", "cos", "bad_shape", () => ({
    positionIds: i32(2 * k64),
    seqLen: k64,
    rotaryDim: k64,
  })),
  between("buildAxialRopeCache", "no memory for it", "cos", "out_of_memory", () => ({
    positionIds: i32(2 * k32),
    seqLen: k32,
    rotaryDim: k64,
  })),
  between("ropeFromConfig (default)", "no memory for it", "invFreq", "out_of_memory", () => ({
    config: { head_dim: 2 ** 30, rope_parameters: { rope_type: "default", rope_theta: 10_000 } },
  })),
  between("ropeInvFreq", "the largest odd size", "rotaryDim", "bad_value", () => ({
    rotaryDim: 2 ** 31 - 1,
  })),
  between("ropeInvFreq", "no memory for it", "out", "out_of_memory", () => ({ rotaryDim: 2 ** 30 })),
  between("applyRope", "rotaryDim past headDim", "rotaryDim", "bad_value", () => ({ rotaryDim: 12 })),
  between("applyRope", "an odd headDim for want of rotaryDim", "rotaryDim", "bad_shape", () => ({
    headDim: 11,
    x: f32(66),
    rotaryDim: undefined,
  })),
  between("applyRope", "rows for neither all tokens nor each of a sequence", "cos", "bad_shape", () => ({
    cos: f32(20),
    sin: f32(20),
  })),
  between("applyRope", "rows that are as many as said, and yet too few", "cos", "bad_shape", () => ({
    rows: 5,
    cos: f32(20),
    sin: f32(20),
  })),
  between("applyRope (positionIds)", "a part of a row", "cos", "bad_shape", () => ({
    cos: f32(19),
    rows: none,
  })),
  between("applyRope (positionIds)", "a sin of fewer rows", "sin", "bad_shape", () => ({
    cos: f32(24),
    rows: 6,
  })),
  ...[5, -1, 2 ** 31 - 1, -(2 ** 31)].map((id) =>
    between("applyRope (positionIds)", `row ${id} of 5`, "positionIds", "bad_value", () => ({
      positionIds: new Int32Array([4, 0, 2, 1, 1, id]),
    })),
  ),
  between("convertRopeLayout", "rotaryDim past headDim", "rotaryDim", "bad_value", () => ({ rotaryDim: 12 })),
  between("convertRopeLayout", "an odd headDim for want of rotaryDim", "rotaryDim", "bad_shape", () => ({
    x: f32(66),
    headDim: 11,
    rotaryDim: none,
  })),
  between("convertRopeLayout", "a product that overflows", "x", "bad_shape", () => ({
    outer: k64,
    inner: k64,
  })),
  between("convertRopeLayout", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    outer: 1,
    headDim: 16,
    inner: 2 ** 25,
    rotaryDim: none,
  })),

  between("alibiSlopes", "no memory for it", "out", "out_of_memory", () => ({ nHeads: 2 ** 30 })),
  ...["alibiBias", "t5Buckets", "t5Bias"].flatMap((title) => [
    between(title, "a product that overflows", "out", "bad_shape", () => ({ qLen: k64, kvLen: k64 })),
    between(title, "no memory for it", "out", "out_of_memory", () => ({
      qLen: k32,
      kvLen: k32,
      ...(title === "alibiBias" && { slopes: f32(1) }),
      ...(title === "t5Bias" && { table: f32(7), nHeads: 1 }),
    })),
  ]),
  ...[2, 7, 514].map((numBuckets) =>
    between("t5Buckets", `${numBuckets} buckets for both sides`, "numBuckets", "bad_value", () => ({
      numBuckets,
    })),
  ),
  between(
    "t5Buckets",
    "a maxDistance within the distances with a bucket each",
    "maxDistance",
    "bad_value",
    () => ({
      maxDistance: 2,
    }),
  ),
  ...[1, 513].map((numBuckets) =>
    between("t5Bias", `${numBuckets} buckets for one side`, "numBuckets", "bad_value", () => ({
      numBuckets,
      table: f32(numBuckets * 4),
    })),
  ),
  between(
    "t5Bias",
    "a maxDistance within the distances with a bucket each",
    "maxDistance",
    "bad_value",
    () => ({
      maxDistance: 3,
    }),
  ),
  between("t5Bias", "a table that overflows", "table", "bad_shape", () => ({ nHeads: 2 ** 31 - 1 })),
  between("applyRope", "a product that overflows", "x", "bad_shape", () => ({ seqLen: k64, nHeads: k64 })),
  between("applyRope", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    cos: f32(2),
    sin: f32(2),
    batch: 1,
    seqLen: 1,
    nHeads: 2 ** 27,
    headDim: 4,
    rotaryDim: 4,
  })),
  between("attention", "nKvHeads that does not divide nHeads", "nKvHeads", "bad_shape", () => headsOf(4, 3)),
  between("attention", "more nKvHeads than nHeads", "nKvHeads", "bad_shape", () => headsOf(2, 4)),
  between("attention", "a query that overflows", "query", "bad_shape", () => ({ qLen: 2 ** 30 })),
  between("attention", "keys that overflow", "key", "bad_shape", () => ({ kvLen: 2 ** 31 - 1 })),
  between("attention (weights)", "weights that overflow", "weights", "bad_shape", () => ({
    ...narrow,
    qLen: k64,
    kvLen: k64,
    query: f32(k64),
    key: f32(k64),
    value: f32(k64),
  })),
  between("attention (weights)", "no memory for the weights", "weights", "out_of_memory", () => ({
    ...narrow,
    qLen: k32,
    kvLen: k32,
    query: f32(k32),
    key: f32(k32),
    value: f32(k32),
  })),
  between("attention", "no memory for the keys", "key", "out_of_memory", () => ({
    ...narrow,
    kvLen: 2 ** 20,
    headDim: 2 ** 9,
    query: f32(2 ** 9),
    key: vast(),
    value: vast(),
  })),
  between("attention (all options)", "no memory for the scores", "scores", "out_of_memory", () => ({
    ...narrow,
    ...unbiased,
    batch: 1,
    vHeadDim: 1,
    weights: false,
    qLen: k32,
    kvLen: k32,
    query: f32(k32),
    key: f32(k32),
    value: f32(k32),
  })),
  between("attention (all options)", "scores that overflow", "scores", "bad_shape", () => ({
    ...narrow,
    ...unbiased,
    batch: 1,
    vHeadDim: 1,
    weights: none,
    qLen: k64,
    kvLen: k64,
    query: f32(k64),
    key: f32(k64),
    value: f32(k64),
  })),
  ...["mask", "bias"].map((name) =>
    between("attention (all options)", `a ${name}Shape without ${name}`, `${name}Shape`, "bad_value", () => ({
      [name]: none,
    })),
  ),
  ...["mask", "bias"].map((name) =>
    between("attention (all options)", `a ${name} of another shape`, name, "bad_shape", () => ({
      [`${name}Shape`]: [3, 1],
    })),
  ),
  ...["mask", "bias"].map((name) =>
    between(
      "attention (all options)",
      `a ${name} of more keys than there are`,
      `${name}Shape`,
      "bad_shape",
      () => ({
        [name]: name === "mask" ? u8(15) : f32(15),
        [`${name}Shape`]: [3, 5],
      }),
    ),
  ),
  between("attention (kvLens)", "a queryOffset beside kvLens", "queryOffset", "bad_value", () => ({
    queryOffset: 0,
  })),
  ...[5, -1, -(2 ** 31), 2 ** 31 - 1].map((len) =>
    between("attention (kvLens)", `${len} of 4 keys`, "kvLens", "bad_value", () => ({
      kvLens: new Int32Array([4, len]),
    })),
  ),
  between("attention (past)", "kvLens beside a past", "kvLens", "bad_value", () => ({
    kvLens: new Int32Array([4]),
  })),
  ...(["pastKey", "pastValue", "pastLen"] as const).map((name) =>
    between("attention (past)", `a past without ${name}`, name, "bad_type", () => ({ [name]: none })),
  ),
  between("attention", "a past of a length alone", "pastKey", "bad_type", () => ({ pastLen: 2 })),
  between("attention", "a buffer for the present without a past", "pastLen", "bad_type", () => ({
    presentKey: engine.f32(48),
  })),
  between("attention (past)", "past and present that overflow", "pastLen + kvLen", "bad_value", () => ({
    pastLen: 2 ** 31 - 1,
  })),
  between("attention (past)", "a present that overflows", "presentKey", "bad_shape", () => ({
    ...narrow,
    headDim: 2,
    vHeadDim: 1,
    pastLen: 2 ** 30 - 1,
    query: f32(2),
    key: f32(2),
    value: f32(1),
    pastKey: f32(2 ** 31 - 2),
    pastValue: f32(2 ** 30 - 1),
  })),
  ...beside.map(([name, value]) =>
    between("attention (cache)", `${name} beside a cache`, name, "bad_value", () => ({ [name]: value })),
  ),
  between("attention (cache)", "heads that are no multiple of the cache's", "nKvHeads", "bad_shape", () => ({
    nHeads: 3,
    query: f32(54),
  })),
  between("attention (cache)", "a query of another headDim", "query", "bad_shape", () => ({
    query: f32(48),
  })),
  between("kvCache", "keys that overflow", "capacity", "bad_shape", () => ({
    capacity: 2 ** 30,
    headDim: 1,
  })),
  between("kvCache", "values that overflow", "capacity", "bad_shape", () => ({ vHeadDim: 2 ** 30 })),
  between("kvCache", "no memory for the keys", "capacity", "out_of_memory", () => ({
    batch: 1,
    capacity: 2 ** 25,
    nKvHeads: 1,
    headDim: 16,
    vHeadDim: 1,
  })),
  // Room for the keys alone would be there, and is not taken.
  between("kvCache", "no memory for the values", "capacity", "out_of_memory", () => ({
    batch: 1,
    capacity: 2 ** 20,
    nKvHeads: 1,
    headDim: 8,
    vHeadDim: 2000,
  })),
  between("append (KvCache)", "more rows than are left", "len", "bad_shape", () => ({
    key: f32(48),
    value: f32(64),
    len: 4,
  })),
  between("append (KvCache)", "more rows than there ever were", "len", "bad_shape", () => ({
    len: 2 ** 31 - 1,
  })),
  between("append (KvCache)", "keys of another length", "key", "bad_shape", () => ({ len: 1 })),
  between("append (KvCache)", "values of another length", "value", "bad_shape", () => ({ value: f32(24) })),
  ...[4, -1, -(2 ** 31), 2 ** 31 - 1].map((index) =>
    between("writeCache", `two rows from ${index} of 5`, "writeIndices", "bad_value", () => ({
      writeIndices: new Int32Array([0, index]),
    })),
  ),
  ...[-1, -(2 ** 31)].map((index) =>
    between("writeCache (circular)", `rows from ${index} of 5`, "writeIndices", "bad_value", () => ({
      writeIndices: new Int32Array([index]),
    })),
  ),
  ...["writeCache", "writeCache (circular)"].flatMap((title) => [
    between(title, "more rows than the capacity", "update", "bad_shape", () => ({
      batch: 1,
      outer: 1,
      rows: 6,
      inner: 1,
      cache: f32(5),
      update: f32(6),
      writeIndices: i32(1),
    })),
    between(title, "an update that overflows", "update", "bad_shape", () => ({ outer: k64, inner: k64 })),
    between(title, "a cache that overflows", "cache", "bad_shape", () => ({ capacity: 2 ** 31 - 1 })),
    between(title, "no memory for it", "cache", "out_of_memory", () => ({
      batch: 1,
      outer: 1,
      capacity: 2 ** 29,
      rows: 1,
      inner: 1,
      cache: vast(),
      update: f32(1),
      writeIndices: none,
    })),
  ]),
  ...latentBetweens,
  between("rmsNorm", "a product that overflows", "x", "bad_shape", () => ({ rows: k64, dim: k64 })),
  between("rmsNorm", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    rows: 2 ** 25,
    dim: 16,
    weight: f32(16),
  })),
  between("softmax", "a product that overflows", "x", "bad_shape", () => ({ outer: k64, inner: k64 })),
  between("softmax", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    outer: 1,
    size: 2 ** 29,
    inner: 1,
  })),
  between("seededEmbedding", "a product that overflows", "out", "bad_shape", () => ({ dim: 2 ** 30 })),
  between("seededEmbedding", "no memory for it", "out", "out_of_memory", () => ({
    tokenIds: i32(1),
    dim: 2 ** 30,
  })),
  between("seededProjection", "a product that overflows", "out", "bad_shape", () => ({
    outDim: k64,
    inDim: k64,
  })),
  between("seededProjection", "no memory for it", "out", "out_of_memory", () => ({
    outDim: k32,
    inDim: k32,
  })),
  between("addEncoding", "a dim that does not divide x", "dim", "bad_shape", () => ({ dim: 4 })),
  between("addEncoding", "an x of another length", "encoding", "bad_shape", () => ({ x: f32(20) })),
  between("addEncoding", "no memory for it", "x", "out_of_memory", () => {
    const x = vast();
    return { x, encoding: x, dim: 2 ** 29 };
  }),
  between("linear", "an x that overflows", "x", "bad_shape", () => ({ rows: k64, inDim: k64 })),
  between("linear", "a weight that overflows", "weight", "bad_shape", () => ({ outDim: 2 ** 31 - 1 })),
  between("linear", "a result that overflows", "out", "bad_shape", () => ({
    x: f32(k64),
    weight: f32(k64),
    rows: k64,
    inDim: 1,
    outDim: k64,
  })),
  between("linear", "no memory for the result", "out", "out_of_memory", () => ({
    x: f32(k32),
    weight: f32(k32),
    rows: k32,
    inDim: 1,
    outDim: k32,
  })),
  between("rowNorms", "a product that overflows", "x", "bad_shape", () => ({ rows: k64, dim: k64 })),
  between("rowNorms", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    rows: 1,
    dim: 2 ** 29,
  })),
  ...["rowCosines", "neighbourDistances", "similarity"].map((title) =>
    between(title, "a product that overflows", title === "rowCosines" ? "a" : "x", "bad_shape", () => ({
      rows: k64,
      dim: k64,
    })),
  ),
  between("rowCosines", "no memory for it", "a", "out_of_memory", () => {
    const a = vast();
    return { a, b: a, rows: 1, dim: 2 ** 29 };
  }),
  between("neighbourDistances", "a single row", "rows", "bad_value", () => ({ x: f32(5), rows: 1 })),
  between("neighbourDistances", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    rows: 2,
    dim: 2 ** 28,
  })),
  between("similarity", "a result that overflows", "out", "bad_shape", () => ({
    x: f32(k64),
    rows: k64,
    dim: 1,
  })),
  between("similarity", "no memory for the result", "out", "out_of_memory", () => ({
    x: f32(k32),
    rows: k32,
    dim: 1,
  })),
  between("maxAbsDifference", "tensors of two lengths", "b", "bad_shape", () => ({ a: f32(14) })),
  between("maxAbsDifference", "no memory for it", "a", "out_of_memory", () => {
    const a = vast();
    return { a, b: a };
  }),
  between("ropeAngles", "a product that overflows", "out", "bad_shape", () => ({ count: 2 ** 30 })),
  between("ropeAngles", "no memory for it", "out", "out_of_memory", () => ({
    count: 2 ** 30,
    invFreq: f64(1),
  })),
  between("ropePeriods", "frequencies that are not finite", "invFreq", "bad_value", () => ({
    invFreq: unfit(),
  })),
  between("ropePeriods", "no memory for it", "invFreq", "out_of_memory", () => ({ invFreq: vastF64() })),
  between("pairPolar", "an odd head", "x", "bad_shape", () => ({ x: f32(7) })),
  between("pairPolar", "no memory for it", "x", "out_of_memory", () => ({ x: vast() })),
  between("pairScores", "an odd head", "query", "bad_shape", () => ({ query: f32(7), key: f32(7) })),
  between("pairScores", "a key of another length", "key", "bad_shape", () => ({ query: f32(6) })),
  between("pairScores", "no memory for it", "query", "out_of_memory", () => {
    const query = vast();
    return { query, key: query };
  }),
  ...["ropeScore", "ropeScoreByDistance"].flatMap((title) => [
    between(title, "a key of another length", "key", "bad_shape", () => ({ query: f32(8) })),
    between(title, "more pairs than the head has", "invFreq", "bad_shape", () => ({
      invFreq: f64(6),
      pairMask: u8(6),
    })),
    between(title, "frequencies that are not finite", "invFreq", "bad_value", () => ({ invFreq: unfit() })),
    between(title, "a mask for other pairs", "pairMask", "bad_shape", () => ({ invFreq: f64(3) })),
    between(title, "no memory for it", "query", "out_of_memory", () => {
      const query = vast();
      return { query, key: query };
    }),
  ]),
  between("ropeScoreByDistance", "no memory for the result", "out", "out_of_memory", () => ({
    count: 2 ** 30,
  })),
  between("ropeRandomScores", "frequencies that are not finite", "invFreq", "bad_value", () => ({
    invFreq: unfit(),
  })),
  between("ropeRandomScores", "no memory for it", "mean", "out_of_memory", () => ({ count: 2 ** 30 })),
  between("ropeDecayBound", "frequencies that are not finite", "invFreq", "bad_value", () => ({
    invFreq: unfit(),
  })),
  between("ropeDecayBound", "no memory for it", "out", "out_of_memory", () => ({ count: 2 ** 30 })),
];

describe("what does not go together is refused", () => {
  test("and nothing is written, not by a kernel that finds it out either", () => {
    const seen: string[] = [];
    for (const { title, what, options, code } of betweens) {
      // Room for a result that is too large is what these would be refused for, if it were given.
      if (code === "out_of_memory") continue;
      const call = calls.find((one) => one.title === title) as Call;
      const own = intoArrays(call);
      const where = `${title}: ${what}`;
      const error = refused(call, where, () => invoke(engine, call, { ...own.options, ...options() }));
      expectUntouched(own.results, where);
      if (Object.keys(own.results).length > 0 && !(error.argument in own.results)) seen.push(where);
    }
    for (const one of [
      "buildRopeCache: frequencies that are not finite",
      "applyRope (positionIds): row 5 of 5",
    ])
      expect(seen).toContain(one);
  });

  test("and for want of memory nothing is written either", () => {
    const out = f32(1).fill(untouched);
    const [x, weight] = [vast(), vast()];
    expect(() => engine.linear({ x, weight, rows: 1, inDim: x.length, outDim: 1, out })).toThrow(
      expect.objectContaining({ code: "out_of_memory" }),
    );
    expect(out[0]).toBe(untouched);
    // Nor if it is JavaScript that has none left, for what is made anew.
    const q = f32(8).fill(1);
    const attended = { query: q, key: q, value: q, qLen: 2, nHeads: 1, headDim: 4 };
    const own = f32(8).fill(untouched);
    const slice = vi.spyOn(Float32Array.prototype, "slice").mockImplementation(() => {
      throw new RangeError("Array buffer allocation failed");
    });
    try {
      expect(() => engine.attention({ ...attended, out: own, weights: true })).toThrow(
        expect.objectContaining({ code: "out_of_memory", argument: "weights" }),
      );
    } finally {
      slice.mockRestore();
    }
    expect(Array.from(own)).toEqual(Array(8).fill(untouched));
  });

  test.each(betweens)("$title: $what", ({ title, what, argument, code, options }) => {
    const call = calls.find((one) => one.title === title);
    if (call === undefined) throw new Error(`there is no ${title}`);
    const given = { ...call.good, ...options() };
    const error = refused(call, what, () => invoke(engine, call, given));
    expect(error.code).toBe(code);
    if (code === "out_of_memory") expect(error.argument.split(", ")).toContain(argument);
    else expect(error.argument).toBe(argument);
    worksOn(call, what);
  });

  test("memory is wanting in every function that takes a size or a tensor", () => {
    const methods = (code: Code) =>
      new Set(betweens.filter((one) => one.code === code).map((one) => one.title.split(" ")[0]));
    // A cache has its memory already when it is appended to, and what one takes, or a call costs, is a product.
    const modest = ["append", "cacheBytes", "mlaCost"];
    const methodsOfAll = calls.map((call) => call.method).filter((method) => !modest.includes(method));
    expect(methods("out_of_memory")).toEqual(new Set(methodsOfAll));
  });
});

// ---- Buffers -----------------------------------------------------------------------------------------------------------

describe("f32(), f64(), i32() and u8() refuse", () => {
  test.each(tensorKinds)("%s: what is neither a length nor an array of the kind", (kind) => {
    const { call, wrong } = { call: { method: kind }, wrong: kind === "f64" ? f32(3) : f64(3) };
    for (const { value, code, shown } of [
      ...bad("bad_type", undefined, null, "8", true, 8n, [1, 2], {}, wrong, new ArrayBuffer(8)),
      ...notFinite,
      ...badNumbers.size,
      ...bad("bad_shape", new arrays[kind](0), detached(new arrays[kind](4))),
    ]) {
      const error = refused({ title: kind } as Call, shown, () => invoke(engine, call, value));
      expect(error.code, shown).toBe(code);
      expect(["length", "content"], shown).toContain(error.argument);
      expect(Object.is(error.given, value), shown).toBe(true);
      expect(memoryOf(own)).toBe(memory);
    }
  });

  test.each([
    ["f32", 2 ** 29],
    ["f32", 2 ** 30],
    ["f32", 2 ** 31 - 1],
    ["f64", 2 ** 28],
    ["f64", 2 ** 31 - 1],
    ["i32", 2 ** 30],
    ["u8", 2 ** 31 - 1],
  ] as const)("%s(%d): memory that cannot be had", (kind, length) => {
    const error = refused({ title: kind } as Call, String(length), () => bufferOf(engine, kind, length));
    expect([error.code, error.argument]).toEqual(["out_of_memory", "length"]);
    expect(memoryOf(own)).toBe(memory);
    const next = bufferOf(engine, kind, 3);
    expect(Array.from(next.view)).toEqual([0, 0, 0]);
    next.delete();
  });
});

test("the table has every function of the engine", () => {
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(engine));
  const inTable = new Set(calls.map(({ method }) => method));
  const outside = methods.filter((name) => !inTable.has(name));
  expect(outside.sort()).toEqual(["constructor", "endThreads", "f32", "f64", "i32", "threads", "u8"]);
});

test("a list within lists without end is refused like any other", () => {
  let deep: unknown = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  expect(() => engine.integerEncoding({ seqLen: deep as number, dim: 2 })).toThrow(
    expect.objectContaining({ name: "RopewalkError", code: "bad_type", argument: "seqLen" }),
  );
});
