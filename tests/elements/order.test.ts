// Words in another order, held to attention in plain doubles.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { sequence } from "../../web/elements/fields.js";
import { OrderPipeline, type OrderSettings, swapped } from "../../web/elements/order_pipeline.js";
import { tokenId } from "../../web/elements/tokens.js";
import { lecture } from "./lecture.js";

const engine = await loadRopewalk();
const pipeline = new OrderPipeline(engine);
const { tokens } = lecture;
const n = tokens.length;
const written = tokens.map((_, i) => i);
const order = [11, 3, 2, 8, 4, 5, 0, 7, 1, 9, 10, 6];
const settings: OrderSettings = { tokens, order, encoding: "none", seed: 7, causal: false, query: 8 };
const headDim = 32;

/** Weights by token, [n][n], of the tokens standing in such an order. */
function plain({ order, encoding, causal, seed }: OrderSettings): number[][] {
  const x = engine.seededEmbedding({ tokenIds: Int32Array.from(tokens, tokenId), dim: headDim, seed });
  const projected = (stream: number, token: number) => {
    const weight = engine.seededProjection({ seed, stream, outDim: headDim, inDim: headDim });
    return Array.from({ length: headDim }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < headDim; ++j)
        sum += (x[token * headDim + j] as number) * (weight[i * headDim + j] as number);
      return sum;
    });
  };
  const turned = (vector: number[], place: number) => {
    if (encoding === "none") return vector;
    return vector.map((value, c) => {
      const angle = place * 10_000 ** (-(c - (c % 2)) / headDim);
      const other = vector[c % 2 === 0 ? c + 1 : c - 1] as number;
      return value * Math.cos(angle) + (c % 2 === 0 ? -other : other) * Math.sin(angle);
    });
  };
  return written.map((query) => {
    const at = order.indexOf(query);
    const q = turned(projected(0, query), at);
    const parts = written.map((key) => {
      const place = order.indexOf(key);
      if (causal && place > at) return 0;
      const k = turned(projected(1, key), place);
      return Math.exp(q.reduce((sum, value, c) => sum + value * (k[c] as number), 0) / Math.sqrt(headDim));
    });
    const whole = parts.reduce((sum, part) => sum + part, 0);
    return parts.map((part) => part / whole);
  });
}

function largest(a: number[][], b: number[][]): number {
  return Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - (b[i]?.[j] as number)))));
}

describe.each([
  ["none", false],
  ["none", true],
  ["rotary", false],
  ["rotary", true],
] as const)("positions %s, causal %s", (encoding, causal) => {
  const given = { ...settings, encoding, causal };
  const results = pipeline.run(given);
  const before = plain({ ...given, order: written });
  const now = plain(given);

  test("weights are what plain doubles make of them, before and now", () => {
    for (const [shown, expected] of [
      [results.before, before],
      [results.now, now],
    ] as const) {
      expect(shown).toHaveLength(n * n);
      for (const [i, value] of shown.entries())
        expect(Math.abs(value - (expected[Math.floor(i / n)]?.[i % n] as number))).toBeLessThan(2e-6);
    }
  });

  test("so is the largest change, of all and of the query’s", () => {
    expect(Math.abs(results.change - largest(before, now))).toBeLessThan(4e-6);
    const row = (all: number[][]) => [all[settings.query] as number[]];
    expect(Math.abs(results.queryChange - largest(row(before), row(now)))).toBeLessThan(4e-6);
  });
});

test("without positions and mask no order changes anything but the rounding; a mask or rotation does", () => {
  for (const seed of [1, 2, 3]) {
    for (const other of [order, [...written].reverse(), swapped(written, 4, 1)]) {
      const changeOf = (change: Partial<OrderSettings>) =>
        pipeline.run({ ...settings, seed, order: other, ...change }).change;
      expect(changeOf({})).toBeLessThan(2e-7);
      expect(changeOf({ causal: true })).toBeGreaterThan(0.01);
      expect(changeOf({ encoding: "rotary" })).toBeGreaterThan(0.01);
    }
  }
  expect(pipeline.run({ ...settings, order: written, encoding: "rotary", causal: true }).change).toBe(0);
});

test("the rope is of the places: blank, or turning", () => {
  expect(pipeline.run(settings).rope).toEqual({ kind: "none" });
  expect(pipeline.run({ ...settings, encoding: "rotary" }).rope.kind).toBe("angle");
});

test("swaps neighbours, and nothing past the ends", () => {
  expect(swapped([2, 0, 1], 0, 1)).toEqual([0, 2, 1]);
  expect(swapped([2, 0, 1], 2, -1)).toEqual([2, 1, 0]);
  const ends = [2, 0, 1];
  expect(swapped(ends, 0, -1)).toBe(ends);
  expect(swapped(ends, 2, 1)).toBe(ends);
});

describe("an order in an address", () => {
  const field = sequence([], 23);

  test.each([
    ["", []],
    ["0-2,8,4-7,3", [0, 1, 2, 8, 4, 5, 6, 7, 3]],
    ["5,4,3", [5, 4, 3]],
  ])("%s", (text, order) => {
    expect(field.read(text)).toEqual(order);
    expect(field.write(order)).toBe(text);
  });

  test.each(["0,0", "0-3,2", "24", "x", "1-", ",", "-1", "1.5"])("is not %s", (text) => {
    expect(field.read(text)).toBeUndefined();
  });
});
