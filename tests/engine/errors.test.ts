import { loadRopewalk, RopewalkError } from "ropewalk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type AnyBuffer,
  type ArgumentKind,
  bufferOf,
  type Call,
  calls,
  inBuffers,
  invoke,
  kindOf,
  memoryOf,
  numbersOf,
  type TensorKind,
  type TypedArray,
} from "./calls.ts";

const engine = await loadRopewalk();
const stranger = await loadRopewalk();
const own = engine.f32(1);

type Code = RopewalkError["code"];
interface Bad {
  value: unknown;
  code: Code;
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

const isTensor = (kind: ArgumentKind): kind is TensorKind =>
  kind === "f32" || kind === "f64" || kind === "i32";

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
  int32: bad("bad_value", 0.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -1e300),
  uint32: bad("bad_value", 0.5, -1, 2 ** 32, 2 ** 53),
  finite: [],
  finiteF32: bad("bad_value", 1e39, -1e39, 3.5e38),
  positive: bad("bad_value", 0, -0, -1, -1e-300),
} satisfies Record<string, Bad[]>;

function detached(array: TypedArray): TypedArray {
  const copy = array.slice();
  structuredClone(copy.buffer, { transfer: [copy.buffer] });
  return copy;
}

const isDetached = (value: unknown) => ArrayBuffer.isView(value) && value.buffer.byteLength === 0;

const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array };

function badTensors(kind: TensorKind, length: number, wrongLengths: boolean): Bad[] {
  const Right = arrays[kind];
  const wrong = [Float32Array, Float64Array, Int32Array, Uint32Array, Int16Array, Uint8Array].filter(
    (Other) => Other !== (Right as unknown),
  );
  const others = (["f32", "f64", "i32"] as const).filter((other) => other !== kind);
  const deleted = bufferOf(engine, kind, length);
  deleted.delete();
  const lengths = [length + 1, length - 1, 2 * length, 1].filter((n) => n !== length);
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

/** Tensors whose length is what it is: other sizes follow from it. */
const setsTheLength = ["positionIds", "tokenIds", "invFreq", "a", "query of pairScores", "x of pairPolar"];

function badValues(call: Call, argument: string, kind: ArgumentKind): Bad[] {
  // Without positionIds it is a run, of which seqLen is missing: "missing options" has that.
  const mayBeAbsent = call.optional.includes(argument) || argument === "positionIds";
  const absent = mayBeAbsent ? [] : bad("bad_type", undefined);
  const always = [...absent, ...bad("bad_type", null)];
  if (isTensor(kind)) {
    const sets = [argument, `${argument} of ${call.method}`].some((name) => setsTheLength.includes(name));
    const x = call.method === "addEncoding" && argument === "x";
    return [...always, ...badTensors(kind, (call.good[argument] as TypedArray).length, !sets && !x)];
  }
  if (kind === "boolean") return [...always, ...bad("bad_type", 0, 1, "true", {}, [], 1n)];
  if (kind === "layout") {
    return [
      ...always,
      ...bad("bad_type", 0, 1, true, ["half"], {}),
      ...bad("bad_value", "", "neox", "Half", "half ", "toString", "interleaved,half"),
    ];
  }
  return [...always, ...notNumbers, ...notFinite, ...badNumbers[kind]];
}

// ---- What has to hold after each of them -------------------------------------------------------------------------------

let memory: number;
const expected = new Map<Call, Record<string, number[]>>();

beforeAll(() => {
  // Once the good way, so that what each function keeps for itself is there.
  for (const call of calls) expected.set(call, numbersOf(invoke(engine, call, call.good)));
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
  expect(numbersOf(invoke(engine, call, call.good)), `${what}; then the good call`).toEqual(
    expected.get(call),
  );
  expect(memoryOf(own), `${what}; then the memory`).toBe(memory);
}

/** Every buffer with its contents, to see that none was written. */
const contents = (buffers: Record<string, AnyBuffer>) =>
  Object.fromEntries(Object.entries(buffers).map(([name, { view }]) => [name, Array.from(view)]));

/** A test that there is only where it has something to try: it does not count as skipped elsewhere. */
const testIf = (wanted: unknown) => (wanted ? test : (_title: string, _body: () => void) => {});

// ---- One argument at a time --------------------------------------------------------------------------------------------

describe.each(calls)("$title refuses", (call) => {
  test.each(Object.entries(call.arguments))("what %s cannot be (%s)", (argument, kind) => {
    const { options, buffers, free } = inBuffers(engine, call);
    const before = contents(buffers);
    const table = badValues(call, argument, kind);
    expect(table.length).toBeGreaterThan(5);
    for (const { value, code, shown } of table) {
      for (const base of [call.good, options]) {
        const what = `${argument}: ${shown}${base === options ? ", in buffers" : ""}`;
        const error = refused(call, what, () => invoke(engine, call, { ...base, [argument]: value }));
        expect({ code: error.code, argument: error.argument }, what).toEqual({ code, argument });
        expect(Object.is(error.given, value), `${what}: what the error says was given`).toBe(true);
        // It has no elements left: to hear of a wrong length alone would puzzle.
        if (isDetached(value)) expect(error.allowed).toContain("not detached");
        worksOn(call, what);
      }
      expect(contents(buffers), `${argument}: ${shown}: what the buffers hold`).toEqual(before);
    }
    free();
  });

  for (const [argument, [kind, length]] of Object.entries(call.outs)) {
    test(`what ${argument} cannot be (a buffer for the result)`, () => {
      const { options, buffers, free } = inBuffers(engine, call);
      const before = contents(buffers);
      const asked = argument === "weights" ? [] : bad("bad_type", true, false);
      const table = [
        ...badTensors(kind, length, true).filter(({ value }) => value !== true && kindOf(value) !== kind),
        ...asked,
        // A result does not go into an array, not even one of the right kind and length.
        ...bad("bad_type", null, new arrays[kind](length)),
      ];
      for (const { value, code, shown } of table) {
        const what = `${argument}: ${shown}`;
        const error = refused(call, what, () => invoke(engine, call, { ...options, [argument]: value }));
        expect({ code: error.code, argument: error.argument }, what).toEqual({ code, argument });
        expect(Object.is(error.given, value), `${what}: what the error says was given`).toBe(true);
        worksOn(call, what);
        expect(contents(buffers), `${what}: what the buffers hold`).toEqual(before);
      }
      free();
    });
  }

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

  const sizes = Object.entries(call.arguments).filter(([, kind]) => kind === "size" || kind === "evenSize");
  testIf(sizes.length > 0)("sizes that the tensors do not have", () => {
    const { options, buffers, free } = inBuffers(engine, call);
    const before = contents(buffers);
    const names = [...Object.keys(buffers), "rotaryDim", "nKvHeads", "dim"];
    for (const [argument, kind] of sizes) {
      const step = kind === "evenSize" ? 2 : 1;
      for (const value of [(call.good[argument] as number) + step, (call.good[argument] as number) - step]) {
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
      if (["attention", "attention (weights)", "buildRopeCache", "addEncoding"].includes(call.title))
        expect(tried).toBeGreaterThan(0);
    },
  );
});

// ---- What is wrong between arguments -----------------------------------------------------------------------------------

const f32 = (length: number) => new Float32Array(length);
const f64 = (length: number) => new Float64Array(length);
const i32 = (length: number) => new Int32Array(length);
/** More bytes than a WebAssembly memory has; none of them is touched, so that they cost nothing. */
const vast = () => f32(2 ** 29);
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
const headsOf = (nHeads: number, nKvHeads: number) => ({
  nHeads,
  nKvHeads,
  query: f32(3 * nHeads * 6),
  key: f32(4 * nKvHeads * 6),
  value: f32(4 * nKvHeads * 6),
});
const narrow = { qLen: 1, kvLen: 1, nHeads: 1, nKvHeads: 1, headDim: 1 };

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
  between("buildRopeCache", "positionIds together with seqLen", "seqLen", "bad_value", () => ({ seqLen: 3 })),
  between("buildRopeCache", "a product that overflows", "cos", "bad_shape", () => ({
    positionIds: i32(k64),
    invFreq: f64(k64),
  })),
  between("buildRopeCache", "no memory for it", "cos", "out_of_memory", () => ({
    positionIds: i32(k32),
    invFreq: f64(k32),
  })),
  ...[...encodings, "buildRopeCache"].map((title) =>
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
  between("applyRope", "a product that overflows", "x", "bad_shape", () => ({ seqLen: k64, nHeads: k64 })),
  between("applyRope", "no memory for it", "x", "out_of_memory", () => ({
    x: vast(),
    cos: f32(2),
    sin: f32(2),
    seqLen: 1,
    nHeads: 2 ** 27,
    headDim: 4,
    rotaryDim: 4,
  })),
  between("attention", "nKvHeads that does not divide nHeads", "nKvHeads", "bad_shape", () => headsOf(4, 3)),
  between("attention", "more nKvHeads than nHeads", "nKvHeads", "bad_shape", () => headsOf(2, 4)),
  between("attention", "a query that overflows", "query", "bad_shape", () => ({ qLen: k64, headDim: k64 })),
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
  between("addEncoding", "no memory for it", "encoding", "out_of_memory", () => {
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
  between("pairPolar", "an odd head", "x", "bad_shape", () => ({ x: f32(7) })),
  between("pairPolar", "no memory for it", "x", "out_of_memory", () => ({ x: vast() })),
  between("pairScores", "an odd head", "query", "bad_shape", () => ({ query: f32(7), key: f32(7) })),
  between("pairScores", "a key of another length", "key", "bad_shape", () => ({ query: f32(6) })),
  between("pairScores", "no memory for it", "query", "out_of_memory", () => {
    const query = vast();
    return { query, key: query };
  }),
];

describe("what does not go together is refused", () => {
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
    expect(methods("out_of_memory")).toEqual(new Set(calls.map((call) => call.method)));
  });
});

// ---- Buffers -----------------------------------------------------------------------------------------------------------

describe("f32(), f64() and i32() refuse", () => {
  test.each(["f32", "f64", "i32"] as const)(
    "%s: what is neither a length nor an array of the kind",
    (kind) => {
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
    },
  );

  test.each([
    ["f32", 2 ** 29],
    ["f32", 2 ** 30],
    ["f32", 2 ** 31 - 1],
    ["f64", 2 ** 28],
    ["f64", 2 ** 31 - 1],
    ["i32", 2 ** 30],
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
  expect(outside.sort()).toEqual(["constructor", "f32", "f64", "i32"]);
});
