import { loadRopewalk } from "ropewalk";
import { beforeAll, describe, expect, test } from "vitest";
import { encodings, type Focus, Pipeline, type Settings } from "../../web/elements/pipeline.js";
import { tokenId } from "../../web/elements/tokens.js";
import { lecture } from "./lecture.js";

const settings = lecture;
const { tokens } = settings;
const focus: Focus = { head: 1, query: 8, key: 3, farLength: 512 };
const n = tokens.length;
const dim = 4 * 32;

let engine: Awaited<ReturnType<typeof loadRopewalk>>;
let pipeline: Pipeline;

beforeAll(async () => {
  engine = await loadRopewalk();
  pipeline = new Pipeline(await loadRopewalk());
});

test.each(encodings)("%s: the same as the engine's functions by hand", (encoding) => {
  const positionOffset = 11;
  const got = pipeline.run({ ...settings, encoding, positionOffset }, focus);
  let x = engine.seededEmbedding({ tokenIds: Int32Array.from(tokens, tokenId), dim, seed: 7 });
  const plain = x;
  const at = { seqLen: n, positionOffset };
  if (encoding === "integer")
    x = engine.addEncoding({ x, encoding: engine.integerEncoding({ ...at, dim }), dim });
  if (encoding === "binary")
    x = engine.addEncoding({ x, encoding: engine.binaryEncoding({ ...at, dim }), dim });
  if (encoding === "sinusoidal")
    x = engine.addEncoding({ x, encoding: engine.sinusoidalEncoding({ ...at, dim }), dim });
  const project = (from: Float32Array, stream: number) => {
    const weight = engine.seededProjection({ seed: 7, stream, outDim: dim, inDim: dim });
    return engine.linear({ x: from, weight, rows: n, inDim: dim, outDim: dim });
  };
  let query = project(x, 0);
  let key = project(x, 1);
  if (encoding === "rotary") {
    const cache = engine.buildRopeCache({ ...at, invFreq: engine.ropeInvFreq({ rotaryDim: 32 }) });
    const turn = { ...cache, seqLen: n, nHeads: 4, headDim: 32, layout: "interleaved" } as const;
    query = engine.applyRope({ x: query, ...turn });
    key = engine.applyRope({ x: key, ...turn });
  }
  const { weights } = engine.attention({
    query,
    key,
    value: key,
    qLen: n,
    nHeads: 4,
    headDim: 32,
    causal: true,
    weights: true,
  });
  expect(got.weights).toEqual(weights.slice(n * n, 2 * n * n));
  const norms = (v: Float32Array) => engine.rowNorms({ x: v, rows: n * 4, dim: 32 })[8 * 4 + 1];
  expect(got.length).toEqual({ before: norms(project(plain, 0)), after: norms(query) });
  const raw = engine.linear({
    x: query.slice((8 * 4 + 1) * 32, (8 * 4 + 2) * 32),
    weight: key.slice((3 * 4 + 1) * 32, (3 * 4 + 2) * 32),
    rows: 1,
    inDim: 32,
    outDim: 1,
  })[0] as number;
  expect(got.score).toBeCloseTo(raw / Math.sqrt(32), encoding === "integer" ? 1 : 4);
});

test.each(encodings)("%s: the flow is the same functions by hand, here and at position 0", (encoding) => {
  const positionOffset = 11;
  const { tensors, entry } = pipeline.flow({ ...settings, encoding, positionOffset }, 1);
  const embedding = engine.seededEmbedding({ tokenIds: Int32Array.from(tokens, tokenId), dim, seed: 7 });
  const project = (from: Float32Array, stream: number) => {
    const weight = engine.seededProjection({ seed: 7, stream, outDim: dim, inDim: dim });
    return engine.linear({ x: from, weight, rows: n, inDim: dim, outDim: dim });
  };
  const at = (offset: number) => {
    const places = { seqLen: n, positionOffset: offset, dim };
    const added = {
      none: undefined,
      rotary: undefined,
      integer: () => engine.integerEncoding(places),
      binary: () => engine.binaryEncoding(places),
      sinusoidal: () => engine.sinusoidalEncoding(places),
    }[encoding]?.();
    const input =
      added === undefined ? embedding : engine.addEncoding({ x: embedding, encoding: added, dim });
    const [query, key, value] = [project(input, 0), project(input, 1), project(input, 2)];
    const cache = engine.buildRopeCache({ ...places, invFreq: engine.ropeInvFreq({ rotaryDim: 32 }) });
    const turn = (x: Float32Array) =>
      encoding === "rotary"
        ? engine.applyRope({ x, ...cache, seqLen: n, nHeads: 4, headDim: 32, layout: "interleaved" })
        : x;
    const placed = { "placed-query": turn(query), "placed-key": turn(key) };
    const attended = engine.attention({
      ...{ query: placed["placed-query"], key: placed["placed-key"], value },
      ...{ qLen: n, nHeads: 4, headDim: 32, causal: true },
      ...{ scores: true, scoreStage: "raw", weights: true },
    });
    return { embedding, ...(added && { position: added }), input, query, key, value, ...placed, ...attended };
  };
  const [still, here] = [at(0), at(positionOffset)] as [
    Record<string, Float32Array>,
    Record<string, Float32Array>,
  ];
  const seen = (name: string, all: Float32Array, columns: number) => {
    if (["embedding", "position", "input"].includes(name)) return all;
    if (columns === n) return all.slice(n * n, 2 * n * n);
    return Float32Array.from(
      { length: n * 32 },
      (_, i) => all[Math.floor(i / 32) * dim + 32 + (i % 32)] as number,
    );
  };
  for (const [name, tensor] of Object.entries(tensors)) {
    if (name === "position" && encoding === "rotary") continue;
    const [a, b] = [still[name] as Float32Array, here[name] as Float32Array];
    expect(tensor.still, name).toEqual(seen(name, a, tensor.columns));
    expect(tensor.here, name).toEqual(seen(name, b, tensor.columns));
    let change = 0;
    a.forEach((value, i) => {
      change = Math.max(change, Math.abs(value - (b[i] as number)));
    });
    expect(tensor.change, name).toBe(Math.fround(change));
    expect(
      tensor.shape.reduce((product, size) => product * size),
      name,
    ).toBe(a.length);
  }
  expect(entry).toBe(encoding === "none" ? "none" : encoding === "rotary" ? "attention" : "data");
  expect("placed-query" in tensors).toBe(encoding === "rotary");
  expect("position" in tensors).toBe(encoding !== "none");
});

test("rotary turns queries and keys and nothing else; what is added reaches everything", () => {
  const changes = (encoding: Settings["encoding"]) => {
    const { tensors } = pipeline.flow({ ...settings, encoding, positionOffset: 1000 }, 0);
    return Object.fromEntries(Object.entries(tensors).map(([name, { change }]) => [name, change]));
  };
  const rotary = changes("rotary");
  for (const name of ["embedding", "input", "query", "key", "value"]) expect(rotary[name], name).toBe(0);
  for (const name of ["position", "placed-query", "placed-key"])
    expect(rotary[name], name).toBeGreaterThan(1);
  for (const name of ["scores", "weights", "out"]) expect(rotary[name], name).toBeLessThan(1e-5);
  const { embedding, ...added } = changes("sinusoidal");
  expect(embedding).toBe(0);
  for (const [name, change] of Object.entries(added)) expect(change, name).toBeGreaterThan(0.1);
});

test("the angles that enter are those of the rope, and the turned query's are its pairs'", () => {
  const { tensors } = pipeline.flow({ ...settings, positionOffset: 40 }, 2);
  const invFreq = engine.ropeInvFreq({ rotaryDim: 32 });
  const angles = tensors.position?.angles;
  expect(angles?.here).toEqual(engine.ropeAngles({ firstPosition: 40, count: n, invFreq }));
  expect(angles?.still).toEqual(engine.ropeAngles({ firstPosition: 0, count: n, invFreq }));
  const query = tensors["placed-query"];
  const polar = engine.pairPolar({ x: query?.here as Float32Array, layout: "interleaved" });
  expect(query?.angles?.here).toEqual(polar.angle);
});

test("pasted vectors have their position within attention, and keys for values", () => {
  const values = (stream: number) => engine.seededProjection({ seed: 3, stream, outDim: n, inDim: dim });
  const vectors = (stream: number) => ({ rows: n, columns: dim, values: values(stream) });
  const pasted = { query: vectors(1), key: vectors(2) };
  const { entry, tensors } = pipeline.flow(
    { ...settings, encoding: "sinusoidal", positionOffset: 9, pasted },
    0,
  );
  expect(entry).toBe("attention");
  expect(tensors.embedding ?? tensors.input).toBeUndefined();
  expect(tensors.value?.here).toEqual(tensors.key?.here);
  expect(tensors.value?.change).toBe(0);
  expect(tensors["placed-key"]?.change).toBeGreaterThan(0.1);
});

describe("moving the whole sentence", () => {
  const changeAt = (encoding: Settings["encoding"], positionOffset: number) =>
    pipeline.run({ ...settings, encoding, positionOffset }, focus).change;

  test.each([1, 1000, 100_000])(
    "by %i changes nothing under rotary, and nothing without positions",
    (offset) => {
      expect(changeAt("rotary", offset)).toBeLessThan(2e-5);
      expect(changeAt("rotary", offset)).toBeGreaterThan(0);
      expect(changeAt("none", offset)).toBe(0);
    },
  );

  test.each(["integer", "binary", "sinusoidal"] as const)("changes weights under %s", (encoding) => {
    expect(changeAt(encoding, 0)).toBe(0);
    expect(changeAt(encoding, 1000)).toBeGreaterThan(0.01);
  });
});

test("length is kept by turning, and not by adding", () => {
  const at = (encoding: Settings["encoding"]) =>
    pipeline.run({ ...settings, encoding, positionOffset: 5000 }, focus).length;
  expect(at("rotary").after).toBeCloseTo(at("rotary").before, 4);
  expect(at("none").after).toBe(at("none").before);
  expect(at("integer").after).toBeGreaterThan(100 * at("integer").before);
  expect(at("sinusoidal").after).not.toBeCloseTo(at("sinusoidal").before, 2);
});

test("what changed is computed again, whatever came between", () => {
  const fresh = (change: Partial<Settings>, look: Partial<Focus> = {}) => {
    const other = new Pipeline(engine);
    const results = other.run({ ...settings, ...change }, { ...focus, ...look });
    other.delete();
    return results;
  };
  const ones = { rows: n, columns: 2, values: new Float32Array(2 * n).fill(1) };
  const changes: Partial<Settings>[] = [
    { seed: 8 },
    { base: 500 },
    { layout: "half" },
    { causal: false },
    { nHeads: 2 },
    { headDim: 8 },
    { encoding: "binary" },
    { positionOffset: 77 },
    { nHeads: 1, headDim: 2, pasted: { query: ones, key: ones } },
    { positionOffset: 77 },
    { tokens: ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"] },
    {},
  ];
  for (const change of changes) {
    const look = { head: 0 };
    expect(pipeline.run({ ...settings, ...change }, { ...focus, ...look })).toEqual(fresh(change, look));
  }
  expect(pipeline.run(settings, { ...focus, head: 3 })).toEqual(fresh({}, { head: 3 }));
});

test("pasted queries and keys take the place of the seeded ones", () => {
  const values = (seed: number) => engine.seededProjection({ seed, stream: 5, outDim: n, inDim: dim });
  const pasted = {
    query: { rows: n, columns: dim, values: values(1) },
    key: { rows: n, columns: dim, values: values(2) },
  };
  const got = pipeline.run({ ...settings, encoding: "none", pasted }, focus);
  const { weights } = engine.attention({
    query: values(1),
    key: values(2),
    value: values(2),
    qLen: n,
    nHeads: 4,
    headDim: 32,
    causal: true,
    weights: true,
  });
  expect(got.weights).toEqual(weights.slice(n * n, 2 * n * n));
  const added = pipeline.run({ ...settings, encoding: "integer", positionOffset: 9, pasted }, focus);
  expect(added.length.after).not.toBe(added.length.before);
});

test("the rope is the angle that the pairs turn by", () => {
  const { rope } = pipeline.run({ ...settings, positionOffset: 40 }, focus);
  if (rope.kind !== "angle") throw new Error(rope.kind);
  const { cos } = engine.buildRopeCache({ seqLen: 512, invFreq: engine.ropeInvFreq({ rotaryDim: 32 }) });
  expect(rope.far.columns).toBe(1024);
  for (const [position, pair] of [
    [0, 0],
    [1, 0],
    [100, 3],
    [511, 15],
  ] as const) {
    const angle = rope.far.values[2 * position * 16 + pair] as number;
    expect(Math.cos(angle)).toBeCloseTo(cos[position * 16 + pair] as number, 5);
  }
  // Of a token's columns the middle one is its position.
  const own = engine.ropeAngles({
    firstPosition: 40,
    count: n,
    invFreq: engine.ropeInvFreq({ rotaryDim: 32 }),
  });
  for (const token of [0, 5, 11]) {
    const column = Math.floor(((token + 0.5) * rope.near.columns) / n);
    for (const pair of [0, 15]) {
      const angle = rope.near.values[column * 16 + pair] as number;
      expect(angle).toBeCloseTo(own[token * 16 + pair] as number, 6);
    }
  }
  expect(rope.wavelengths[0]).toBeCloseTo(2 * Math.PI, 10);
});

test("what is kept from earlier settings is never taken for that of others", () => {
  const kept = new Pipeline(engine);
  const changes: readonly Partial<Settings & Focus>[] = [
    {},
    { head: 2 },
    { positionOffset: 40 },
    { positionOffset: 41 },
    { layout: "half" },
    { base: 500 },
    { seed: 8 },
    { causal: false },
    { nHeads: 2, headDim: 64 },
    { nHeads: 4, headDim: 16 },
    { headDim: 32, tokens: ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"] },
    { farLength: 4096 },
    { positionOffset: 0 },
    { positionOffset: 41 },
  ];
  for (const encoding of [...encodings, "rotary", "sinusoidal"] as const) {
    let now: Settings & Focus = { ...settings, ...focus, encoding };
    for (const change of changes) {
      now = { ...now, ...change };
      const fresh = new Pipeline(engine);
      expect(kept.run(now, now)).toEqual(fresh.run(now, now));
      expect(kept.flow(now, now.head)).toEqual(fresh.flow(now, now.head));
      fresh.delete();
    }
  }
  kept.delete();
});

test("what has not changed is the very same array", () => {
  const at = (positionOffset: number) => pipeline.flow({ ...settings, positionOffset }, 1).tensors;
  const [a, b] = [at(20), at(21)];
  for (const stage of ["embedding", "query", "key"] as const) expect(b[stage]?.here).toBe(a[stage]?.here);
  expect(b["placed-query"]?.still).toBe(a["placed-query"]?.still);
  expect(b["placed-query"]?.here).not.toBe(a["placed-query"]?.here);
});
