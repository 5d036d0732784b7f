import { loadRopewalk, RopewalkError } from "ropewalk";
import { describe, expect, test } from "vitest";
import { bufferOf } from "./calls.ts";

const engine = await loadRopewalk();

const kinds = [
  ["f32", Float32Array, "F32Buffer"],
  ["f64", Float64Array, "F64Buffer"],
  ["i32", Int32Array, "I32Buffer"],
] as const;

describe.each(kinds)("%s", (kind, Arrays, name) => {
  test("makes a buffer of zeros", () => {
    // Memory that others have used before, to see that it is cleared.
    const used = bufferOf(engine, kind, 1000);
    used.view.fill(3);
    used.delete();
    const buffer = bufferOf(engine, kind, 1000);
    expect(buffer.length).toBe(1000);
    expect(buffer.view).toEqual(new Arrays(1000));
    buffer.delete();
  });

  test("makes a buffer with the elements of an array, or of another buffer", () => {
    const array = new Arrays([1, -2, 3]);
    const buffer = bufferOf(engine, kind, array);
    const copy = bufferOf(engine, kind, buffer);
    array.fill(0);
    expect(buffer.view).toEqual(new Arrays([1, -2, 3]));
    buffer.view.fill(5);
    expect(copy.view).toEqual(new Arrays([1, -2, 3]));
    expect(copy.length).toBe(3);
  });

  test("has a view that reads and writes the engine's memory itself", () => {
    const buffer = bufferOf(engine, kind, 3);
    const view = buffer.view;
    expect(view).toBeInstanceOf(Arrays);
    view[1] = 42;
    expect(buffer.view[1]).toBe(42);
    expect(buffer.view.buffer === view.buffer).toBe(true);
    // Aligned for any vector.
    expect(view.byteOffset % 64).toBe(0);
  });

  test("has the same view as long as the memory does not grow", () => {
    const [buffer, other] = [bufferOf(engine, kind, 3), bufferOf(engine, kind, 3)];
    const view = buffer.view;
    bufferOf(engine, kind, buffer).delete();
    expect(buffer.view === view).toBe(true);
    expect(other.view === view).toBe(false);
  });

  test("has a fresh view after the memory has grown", async () => {
    const fresh = await loadRopewalk();
    const buffer = bufferOf(fresh, kind, new Arrays([1, 2, 3]));
    const old = buffer.view;
    const bytes = old.buffer.byteLength;
    fresh.f32(2 ** 23);
    // What is kept is lost without a word: the reason why nobody is to keep it.
    expect(old.length).toBe(0);
    expect(buffer.view).toEqual(new Arrays([1, 2, 3]));
    expect(buffer.view.buffer.byteLength).toBeGreaterThan(bytes);
    expect(buffer.length).toBe(3);
  });

  test("is given back once, by delete() or by Symbol.dispose, and then refuses to be used", () => {
    for (const end of [
      (buffer: Disposable & { delete(): void }) => buffer.delete(),
      (buffer: Disposable) => buffer[Symbol.dispose](),
    ]) {
      const buffer = bufferOf(engine, kind, 3) as ReturnType<typeof bufferOf> & Disposable;
      expect(String(buffer)).toBe(`[object ${name}]`);
      end(buffer);
      expect(() => {
        end(buffer);
        buffer.delete();
        buffer[Symbol.dispose]();
      }).not.toThrow();
      let error: unknown;
      try {
        buffer.view;
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(RopewalkError);
      const { code, argument, given, message } = error as RopewalkError;
      expect([code, argument]).toEqual(["disposed", "buffer"]);
      expect(given === buffer).toBe(true);
      expect(message).toContain(`deleted ${name} of 3`);
      expect(() => bufferOf(engine, kind, buffer)).toThrow(expect.objectContaining({ code: "disposed" }));
    }
  });
});

test("`using` gives a buffer back at the end of its block, also when that ends by an error", () => {
  const ended: { view: Float32Array }[] = [];
  const block = (fail: boolean) => {
    using buffer = engine.f32(4);
    ended.push(buffer);
    expect(buffer.view.length).toBe(4);
    if (fail) throw new TypeError("on purpose");
  };
  block(false);
  expect(() => block(true)).toThrow("on purpose");
  expect(ended.length).toBe(2);
  for (const buffer of ended) {
    expect(() => buffer.view).toThrow(expect.objectContaining({ name: "RopewalkError", code: "disposed" }));
  }
});

test("memory that is given back is used again", () => {
  const before = engine.f32(1);
  const bytes = () => before.view.buffer.byteLength;
  engine.f32(2 ** 22).delete();
  const grown = bytes();
  for (let i = 0; i < 200; i++) {
    const buffer = engine.f32(2 ** 22);
    buffer.delete();
  }
  expect(bytes()).toBe(grown);
});

test("a deleted buffer's memory is not another's as long as that one lives", () => {
  const [a, b] = [engine.f32(new Float32Array(64).fill(1)), engine.f32(new Float32Array(64).fill(2))];
  a.delete();
  const c = engine.f32(new Float32Array(64).fill(3));
  a.delete();
  const d = engine.f32(new Float32Array(64).fill(4));
  expect([b, c, d].map(({ view }) => view[63])).toEqual([2, 3, 4]);
  expect(new Set([b, c, d].map(({ view }) => view.byteOffset)).size).toBe(3);
});
