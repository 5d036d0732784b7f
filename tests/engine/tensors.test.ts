// How tensors go in and results come out: arrays are copied, buffers are used where they are.
import { createContext, runInContext } from "node:vm";
import { type F32Buffer, loadRopewalk, type Ropewalk, RopewalkError } from "ropewalk";
import { describe, expect, test } from "vitest";
import {
  arrays,
  bufferOf,
  type Call,
  callsOf,
  contentOf,
  inBuffers,
  intoArrays,
  invoke,
  kindOf,
  ownResults,
  type TypedArray,
  untouched,
} from "./calls.ts";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();
const stranger = await loadRopewalk();
const own = engine.f32(1);
const calls = callsOf(engine);

const arraysOf = (result: unknown): TypedArray[] =>
  (kindOf(result) === undefined && typeof result === "object"
    ? Object.values(result ?? {})
    : [result]
  ).filter((one) => kindOf(one) !== undefined);

/** The options with each tensor as `move` makes it. */
const moved = (options: Record<string, unknown>, move: (array: TypedArray) => unknown) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      kindOf(value) === undefined ? value : move(value as TypedArray),
    ]),
  );

/** All but caches, which nobody can copy. */
const copiesOf = ({ cache, ...options }: Record<string, unknown>) =>
  structuredClone(kindOf(cache) === undefined ? options : { ...options, cache });

/** The numbers of a call in which some tensors are buffers: from them where they were written, else from the result. */
function contentWhere(from: Ropewalk, call: Call, isBuffer: (argument: string) => boolean) {
  const { options, buffers, free } = inBuffers(from, call);
  const mixed = Object.fromEntries(
    Object.entries({ ...options }).flatMap(([name, value]) =>
      !(name in buffers) || isBuffer(name)
        ? [[name, value]]
        : name in call.good
          ? [[name, call.good[name]]]
          : [],
    ),
  );
  const result = invoke(from, call, mixed);
  const numbers: Record<string, unknown> = {};
  const only = ["out", "result", call.changed];
  const named = (name: string) => (only.includes(name) ? "result" : name);
  if (result !== undefined) {
    for (const [name, values] of Object.entries(contentOf(result))) numbers[named(name)] = values;
  }
  for (const name of [...Object.keys(call.outs), ...(call.changed === undefined ? [] : [call.changed])]) {
    const buffer = buffers[name];
    if (buffer !== undefined && isBuffer(name)) numbers[named(name)] = Array.from(buffer.view);
  }
  // What is only read is as it was.
  for (const [name, value] of Object.entries(call.good)) {
    const buffer = buffers[name];
    if (buffer !== undefined && kindOf(value) !== undefined && name !== call.changed)
      expect(buffer.view, name).toEqual(value);
  }
  free();
  return numbers;
}

describe.each(calls)("$title", (call) => {
  test("leaves the arrays that it is given as they are", () => {
    const before = copiesOf(call.good);
    invoke(engine, call, call.good);
    expect(copiesOf(call.good)).toEqual(before);
  });

  test("answers with arrays of the caller's own", () => {
    const first = invoke(engine, call, call.good);
    const kept = contentOf(first);
    for (const array of arraysOf(first)) {
      // Compared here, since a failing assertion would print all of the memory.
      expect(array.buffer === own.view.buffer).toBe(false);
      // Nothing hangs on to more memory than the numbers take.
      expect([array.byteOffset, array.buffer.byteLength]).toEqual([0, array.byteLength]);
    }
    // The same call on other numbers does not change them, nor does writing to them change the next result.
    invoke(
      engine,
      call,
      moved(call.good, (array) => array.slice().fill(0)),
    );
    expect(contentOf(first)).toEqual(kept);
    for (const array of arraysOf(first)) array.fill(9);
    expect(contentOf(invoke(engine, call, call.good))).toEqual(kept);
  });

  test("has the same numbers with arrays, buffers, and any mixture of them", () => {
    const tensors = Object.keys(inBuffers(engine, call).buffers);
    const expected = contentWhere(engine, call, () => false);
    for (const numbers of Object.values(expected)) {
      if (!Array.isArray(numbers)) continue;
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers).not.toContain(untouched);
    }
    // Of very many every so many-th, an odd number, so that each tensor is in and out of buffers.
    const stride = tensors.length > 10 ? 2 ** (tensors.length - 10) + 1 : 1;
    for (let mixture = 1; mixture < 2 ** tensors.length; mixture += stride) {
      const isBuffer = (name: string) => ((mixture >> tensors.indexOf(name)) & 1) === 1;
      const where = tensors.filter(isBuffer).join(", ");
      expect(contentWhere(engine, call, isBuffer), `in buffers: ${where}`).toEqual(expected);
    }
  });

  test("gives nothing back of what went into buffers", () => {
    const { options, buffers, free } = inBuffers(engine, call);
    const result = invoke(engine, call, options);
    const wanted = Object.keys(call.outs).length > 0 || call.changed !== undefined;
    if (wanted) expect(result === undefined ? [] : Object.keys(result as object)).toEqual([]);
    else expect(result).toBeDefined();
    for (const [name, buffer] of Object.entries(buffers))
      expect(buffer.length, name).toBe(buffer.view.length);
    free();
  });

  test("takes arrays that lie in the middle of others, shared ones, and another realm's", () => {
    const expected = contentOf(invoke(engine, call, call.good));
    const realm = createContext({});
    const inTheMiddle = moved(call.good, (array) => {
      const Same = array.constructor as Float32ArrayConstructor;
      const wide = new Same(array.length + 7).fill(5);
      wide.set(array, 3);
      return wide.subarray(3, 3 + array.length);
    });
    expect(contentOf(invoke(engine, call, inTheMiddle))).toEqual(expected);
    const shared = moved(call.good, (array) => {
      const Same = array.constructor as Float32ArrayConstructor;
      const copy = new Same(new SharedArrayBuffer(array.byteLength));
      copy.set(array);
      return copy;
    });
    expect(contentOf(invoke(engine, call, shared))).toEqual(expected);
    const foreign = moved(call.good, (array) => {
      const copy = runInContext(`new ${array.constructor.name}(${array.length})`, realm) as TypedArray;
      expect(copy).not.toBeInstanceOf(array.constructor);
      copy.set(array);
      return copy;
    });
    expect(contentOf(invoke(engine, call, foreign))).toEqual(expected);
  });
});

const classOf = (array: TypedArray) => array.constructor as Float32ArrayConstructor;

/** The numbers of every result that may go into a tensor, by its name. */
function expectedOf(call: Call): Record<string, number[]> {
  const content = contentOf(invoke(engine, call, call.good));
  const names = Object.keys(ownResults(call));
  return Object.fromEntries(names.map((name) => [name, (content[name] ?? content.result) as number[]]));
}

describe.each(calls.filter((call) => Object.keys(ownResults(call)).length > 0))(
  "$title, into arrays,",
  (call) => {
    const expected = expectedOf(call);
    const names = Object.keys(expected);

    test("has the same numbers, and gives back what goes into none of them", () => {
      for (let some = 1; some < 2 ** names.length; ++some) {
        const { results } = intoArrays(call);
        for (const [i, name] of names.entries()) if (((some >> i) & 1) === 0) delete results[name];
        const before = copiesOf(call.good);
        const back = contentOf(invoke(engine, call, { ...call.good, ...results }) ?? {});
        expect(copiesOf(call.good)).toEqual(before);
        for (const name of names) {
          const array = results[name];
          expect(array === undefined ? back[name] : Array.from(array), name).toEqual(expected[name]);
          if (array !== undefined) expect(back).not.toHaveProperty(name);
        }
        if (some === 2 ** names.length - 1) expect(back).toEqual({});
      }
    });

    test("also such as lie in the middle of others, are shared, or another realm's", () => {
      const realm = createContext({});
      const wholes: TypedArray[] = [];
      const makers: ((array: TypedArray) => TypedArray)[] = [
        (array) => {
          const whole = new (classOf(array))(array.length + 7).fill(5);
          wholes.push(whole);
          return whole.subarray(3, 3 + array.length);
        },
        (array) => new (classOf(array))(new SharedArrayBuffer(array.byteLength)),
        (array) => runInContext(`new ${classOf(array).name}(${array.length})`, realm) as TypedArray,
      ];
      for (const make of makers) {
        const own = moved(intoArrays(call).results, make) as Record<string, TypedArray>;
        invoke(engine, call, { ...call.good, ...own });
        for (const name of names) expect(Array.from(own[name] as TypedArray), name).toEqual(expected[name]);
      }
      for (const whole of wholes)
        expect([...whole.subarray(0, 3), ...whole.subarray(-4)]).toEqual([5, 5, 5, 5, 5, 5, 5]);
    });

    test("also into one that goes in, as that is read first", () => {
      for (const [name, [kind, length]] of Object.entries(ownResults(call))) {
        for (const [input, value] of Object.entries(call.good)) {
          if (kindOf(value) !== kind || (value as TypedArray).length !== length) continue;
          const both = (value as TypedArray).slice();
          invoke(engine, call, { ...call.good, [input]: both, [name]: both });
          expect(Array.from(both), `${input} is ${name}`).toEqual(expected[name]);
        }
      }
    });

    test("or into views of another engine's memory", () => {
      const own = moved(
        intoArrays(call).results,
        (array) => bufferOf(stranger, kindOf(array) as "f32", array).view,
      );
      invoke(engine, call, { ...call.good, ...own });
      for (const name of names) expect(Array.from(own[name] as TypedArray), name).toEqual(expected[name]);
    });
  },
);

describe.each(calls.filter(({ changed }) => changed !== undefined))("$title, with an out,", (call) => {
  const { changed = "", good } = call;
  const x = good[changed] as TypedArray;
  const kind = kindOf(x) as "f32";
  const expected = expectedOf(call).out;
  const inBuffer = () => bufferOf(engine, kind, x);

  test("leaves what it changes as it is, wherever both are", () => {
    const array = () => new arrays[kind](x.length).fill(untouched);
    for (const from of [x.slice(), inBuffer()]) {
      for (const out of [array(), bufferOf(engine, kind, array())]) {
        expect(invoke(engine, call, { ...good, [changed]: from, out })).toBeUndefined();
        expect("view" in from ? from.view : from).toEqual(x);
        expect(Array.from("view" in out ? out.view : out)).toEqual(expected);
      }
    }
  });

  test("changes it in place if that is the same", () => {
    for (const both of [x.slice(), inBuffer()]) {
      expect(invoke(engine, call, { ...good, [changed]: both, out: both })).toBeUndefined();
      expect(Array.from("view" in both ? both.view : both)).toEqual(expected);
    }
  });

  test("names the one of them that cannot be", () => {
    const foreign = bufferOf(stranger, kind, x);
    const own = inBuffer();
    const refused = (options: object, argument: string, code: string) =>
      expect(() => invoke(engine, call, { ...good, ...options })).toThrow(
        expect.objectContaining({ name: "RopewalkError", code, argument }),
      );
    for (const out of [x.slice(), inBuffer()]) refused({ [changed]: foreign, out }, changed, "bad_value");
    for (const from of [x.slice(), inBuffer()]) {
      refused({ [changed]: from, out: foreign }, "out", "bad_value");
      refused({ [changed]: from, out: own.view }, "out", "bad_value");
      refused({ [changed]: from, out: null }, "out", "bad_type");
    }
    // What is only read is not to be written.
    const [read] = Object.entries(good).find(
      ([name, value]) =>
        name !== changed && kindOf(value) === kind && (value as TypedArray).length === x.length,
    ) ?? [undefined];
    if (read !== undefined) refused({ [read]: own, out: own }, "out", "bad_value");
    if (call.method === "addEncoding") expect(read).toBe("encoding");
    expect(own.view).toEqual(x);
  });
});

test.each(calls)("$title: options may be frozen, or inherited", (call) => {
  const expected = contentOf(invoke(engine, call, call.good));
  expect(contentOf(invoke(engine, call, Object.freeze({ ...call.good })))).toEqual(expected);
  expect(contentOf(invoke(engine, call, Object.create(call.good)))).toEqual(expected);
  // And `undefined` is as good as nothing.
  const spelled = Object.fromEntries(Object.keys(call.outs).map((name) => [name, undefined]));
  expect(contentOf(invoke(engine, call, { ...spelled, ...call.good }))).toEqual(expected);
});

test("Node's own buffers are arrays of bytes", () => {
  const options = {
    query: plain.noise(2),
    key: plain.noise(2),
    value: plain.noise(2),
    qLen: 2,
    nHeads: 1,
    headDim: 1,
  };
  expect(engine.attention({ ...options, mask: Buffer.from([1, 0, 255, 1]) })).toEqual(
    engine.attention({ ...options, mask: new Uint8Array([1, 0, 1, 1]) }),
  );
});

test("one array, or one buffer, may stand for several tensors that are only read", () => {
  const x = plain.noise(24);
  const shape = { qLen: 4, nHeads: 2, headDim: 3 };
  const expected = engine.attention({ query: x, key: x.slice(), value: x.slice(), ...shape });
  expect(engine.attention({ query: x, key: x, value: x, ...shape })).toEqual(expected);
  const buffer = engine.f32(x);
  expect(engine.attention({ query: buffer, key: buffer, value: buffer, ...shape })).toEqual(expected);
  expect(engine.maxAbsDifference({ a: buffer, b: buffer })).toBe(0);
  buffer.delete();
});

test("arrays are copied once and buffers not at all", async () => {
  const fresh = await loadRopewalk();
  // What is allocated last stands last: how far the heap reaches.
  const reach = () => {
    const last = fresh.f32(2 ** 16);
    const end = last.view.byteOffset;
    last.delete();
    return end;
  };
  const [rows, inDim, outDim] = [256, 512, 128];
  const sizes = { rows, inDim, outDim };
  const [x, weight] = [plain.noise(rows * inDim), plain.noise(outDim * inDim, 2)];
  const buffers = { x: fresh.f32(x), weight: fresh.f32(weight), out: fresh.f32(rows * outDim) };
  const before = reach();
  fresh.linear({ ...sizes, ...buffers });
  expect(reach()).toBe(before);
  const result = fresh.linear({ ...sizes, x, weight });
  const bytes = 4 * (rows * inDim + outDim * inDim + rows * outDim);
  const taken = reach() - before;
  expect(taken).toBeGreaterThanOrEqual(bytes);
  expect(taken).toBeLessThan(1.1 * bytes);
  expect(buffers.out.view).toEqual(result);
});

test("a buffer is changed in place, where it was", () => {
  const cache = engine.buildRopeCache({
    seqLen: 3,
    positionOffset: 5,
    invFreq: engine.ropeInvFreq({ rotaryDim: 4 }),
  });
  const options = { ...cache, seqLen: 3, nHeads: 2, headDim: 4, layout: "half" as const };
  const x = engine.f32(plain.noise(24));
  const where = x.view.byteOffset;
  expect(engine.applyRope({ x, ...options })).toBeUndefined();
  expect(x.view.byteOffset).toBe(where);
  expect(x.view).toEqual(engine.applyRope({ x: plain.noise(24), ...options }));
  x.delete();
});

describe("an option may be a getter that calls the engine", () => {
  const x = () => new Float32Array([1, 2, 3, 4]);
  const doubled = () => engine.addEncoding({ x: x(), encoding: x(), dim: 2 });

  test("while another call checks its options", () => {
    const options = {
      x: x(),
      dim: 2,
      get encoding() {
        return doubled();
      },
    };
    expect(engine.addEncoding(options)).toEqual(new Float32Array([3, 6, 9, 12]));
  });

  test("also if that call is refused, or makes the memory grow", async () => {
    const fresh = await loadRopewalk();
    const before = fresh.f32(1).view.buffer.byteLength;
    const options = {
      x: x(),
      dim: 2,
      get encoding() {
        expect(() => fresh.addEncoding({ x: x(), encoding: x(), dim: 3 })).toThrow(RopewalkError);
        const length = before / 4;
        fresh.rowNorms({ x: new Float32Array(length), rows: length, dim: 1 });
        return x();
      },
    };
    expect(fresh.addEncoding(options)).toEqual(new Float32Array([2, 4, 6, 8]));
    expect(fresh.f32(1).view.buffer.byteLength).toBeGreaterThan(before);
    expect(() => fresh.addEncoding({ ...options, x: x().subarray(1) })).toThrow(RopewalkError);
    expect(fresh.addEncoding({ x: x(), encoding: x(), dim: 2 })).toEqual(new Float32Array([2, 4, 6, 8]));
  });

  test("and if it takes from an array what it was, that is refused", () => {
    for (const lost of ["x", "out"] as const) {
      const options = {
        x: x(),
        out: x(),
        dim: 2,
        get encoding() {
          const { buffer } = options[lost];
          structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
          return x();
        },
      };
      expect(() => engine.addEncoding(options)).toThrow(
        expect.objectContaining({ name: "RopewalkError", code: "bad_shape", argument: lost }),
      );
      expect(options[lost === "x" ? "out" : "x"]).toEqual(x());
    }
  });
});

test("larger and smaller calls may follow one another in any order", async () => {
  const fresh = await loadRopewalk();
  for (const size of [3, 100, 1, 64, 7, 200, 2]) {
    const [x, weight] = [plain.noise(size * size, size), plain.noise(size * size, size + 1)];
    const out = fresh.linear({ x, weight, rows: size, inDim: size, outDim: size });
    plain.expectClose(out, plain.linear(x, weight, size, size, size), size * size * 2 ** -24);
    const shape = { qLen: size, kvLen: size, nHeads: 1, nKvHeads: 1, headDim: 2 };
    const q = plain.noise(size * 2, size);
    const attended = fresh.attention({ query: q, key: q, value: q, ...shape });
    plain.expectClose(attended.out, plain.attention(q, q, q, shape).out, 2 ** -18);
  }
});

describe("a view of a buffer, given as an array,", () => {
  const length = 3 * 2 ** 20;

  test("is copied like any other, even if the call makes the memory grow", async () => {
    const fresh = await loadRopewalk();
    const big = fresh.f32(length);
    big.view.fill(1);
    const before = big.view.buffer.byteLength;
    expect(fresh.rowNorms({ x: big.view, rows: 3, dim: 2 ** 20 })).toEqual(
      new Float32Array([1024, 1024, 1024]),
    );
    // Else nothing has been tried here.
    expect(big.view.buffer.byteLength).toBeGreaterThan(before);
  });

  test("can be what a new buffer is made of", async () => {
    const fresh = await loadRopewalk();
    const big = fresh.f32(length);
    big.view.fill(7);
    const before = big.view.buffer.byteLength;
    const copy = fresh.f32(big.view);
    expect(copy.view.every((value) => value === 7)).toBe(true);
    expect(copy.view.byteOffset).not.toBe(big.view.byteOffset);
    expect(big.view.buffer.byteLength).toBeGreaterThan(before);
  });

  test("and a part of one too", () => {
    const buffer = engine.f32(new Float32Array([9, 3, 4, 9]));
    expect(engine.rowNorms({ x: buffer.view.subarray(1, 3), rows: 1, dim: 2 })[0]).toBe(5);
    buffer.delete();
  });
});

test("from tokens to attention in buffers alone is the same as with arrays", () => {
  const [seqLen, dim, nHeads, headDim] = [5, 12, 2, 6];
  const tokenIds = new Int32Array([3, 1, 4, 1, 5]);
  const sizes = { rows: seqLen, inDim: dim, outDim: nHeads * headDim };
  const heads = { seqLen, nHeads, headDim, layout: "half" as const };
  const shape = { qLen: seqLen, nHeads, headDim, causal: true };

  const embedding = engine.seededEmbedding({ tokenIds, dim, seed: 1 });
  const project = (stream: number) =>
    engine.linear({
      x: embedding,
      weight: engine.seededProjection({ seed: 1, stream, outDim: nHeads * headDim, inDim: dim }),
      ...sizes,
    });
  const invFreq = engine.ropeInvFreq({ rotaryDim: headDim });
  const cache = engine.buildRopeCache({ seqLen, invFreq });
  const [query, key, value] = [project(0), project(1), project(2)];
  const expected = engine.attention({
    query: engine.applyRope({ x: query, ...cache, ...heads }),
    key: engine.applyRope({ x: key, ...cache, ...heads }),
    value,
    ...shape,
    weights: true,
  });

  const e = engine.f32(seqLen * dim);
  const [q, k, v, out] = [expected.out, expected.out, expected.out, expected.out].map(({ length }) =>
    engine.f32(length),
  ) as [F32Buffer, F32Buffer, F32Buffer, F32Buffer];
  const small = { cos: engine.f32((seqLen * headDim) / 2), sin: engine.f32((seqLen * headDim) / 2) };
  const w = engine.f32(nHeads * headDim * dim);
  const weights = engine.f32(nHeads * seqLen * seqLen);
  const frequencies = engine.f64(headDim / 2);
  engine.seededEmbedding({ tokenIds: engine.i32(tokenIds), dim, seed: 1, out: e });
  [q, k, v].forEach((into, stream) => {
    engine.seededProjection({ seed: 1, stream, outDim: nHeads * headDim, inDim: dim, out: w });
    engine.linear({ x: e, weight: w, ...sizes, out: into });
  });
  engine.ropeInvFreq({ rotaryDim: headDim, out: frequencies });
  engine.buildRopeCache({ seqLen, invFreq: frequencies, ...small });
  engine.applyRope({ x: q, ...small, ...heads });
  engine.applyRope({ x: k, ...small, ...heads });
  engine.attention({ query: q, key: k, value: v, ...shape, out, weights });
  expect(out.view).toEqual(expected.out);
  expect(weights.view).toEqual(expected.weights);
});
