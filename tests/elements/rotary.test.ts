import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { angleAt, queryOf, turned } from "../../web/elements/rotary_pipeline.js";
import { lecture } from "./lecture.js";

const engine = await loadRopewalk();
const query = (headDim: number, token = 8) =>
  queryOf(engine, { tokens: lecture.tokens, seed: 7, headDim, query: token });
const rest = { distance: 10, base: 10_000 } as const;

/** The same in double, from the formulas alone. */
function expected(q: Float32Array, position: number, layout: "interleaved" | "half", base: number) {
  const d = q.length;
  return Array.from({ length: d / 2 }, (_, i) => {
    const [a, b] = layout === "half" ? [i, i + d / 2] : [2 * i, 2 * i + 1];
    const theta = base ** ((-2 * i) / d);
    const angle = position * theta;
    const [x, y] = [q[a] as number, q[b] as number];
    return {
      a,
      b,
      theta,
      angle,
      length: Math.hypot(x, y),
      turned: [x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)] as const,
      pushed: [x + Math.sin(angle), y + Math.cos(angle)] as const,
    };
  });
}

const cases = (["interleaved", "half"] as const).flatMap((layout) =>
  [0, 1, 8, 1000, 131_071].flatMap((position) => [8, 64].map((headDim) => ({ layout, position, headDim }))),
);

describe.each(cases)("$layout, position $position, head_dim $headDim", ({ layout, position, headDim }) => {
  const q = query(headDim);
  const got = turned(engine, q, { ...rest, position, layout, base: 500 });
  const want = expected(q, position, layout, 500);

  test("the hands are turned by position · θ", () => {
    for (const [i, { a, b, turned: hand, length }] of want.entries()) {
      const { angle, magnitude } = got.rotary.pairs;
      expect(got.rotary.vector[a]).toBeCloseTo(hand[0], 5);
      expect(got.rotary.vector[b]).toBeCloseTo(hand[1], 5);
      expect(magnitude[i]).toBeCloseTo(length, 5);
      expect((magnitude[i] as number) * Math.cos(angle[i] as number)).toBeCloseTo(hand[0], 5);
      expect((magnitude[i] as number) * Math.sin(angle[i] as number)).toBeCloseTo(hand[1], 5);
    }
  });

  test("a sine and a cosine are added to each pair of either layout", () => {
    for (const { a, b, pushed } of want) {
      expect(got.sinusoidal.vector[a]).toBeCloseTo(pushed[0], 5);
      expect(got.sinusoidal.vector[b]).toBeCloseTo(pushed[1], 5);
    }
    const changes = want.map(({ pushed, length }) => Math.abs(Math.hypot(...pushed) - length));
    expect(got.sinusoidal.change).toBeCloseTo(Math.max(...changes), 5);
    expect(got.sinusoidal.length).toBeCloseTo(Math.hypot(...want.flatMap(({ pushed }) => pushed)), 5);
  });

  test("turning keeps the length to float32’s last digit, and that of each pair", () => {
    const length = Math.hypot(...q);
    expect(got.before.length).toBe(Math.fround(length));
    expect(Math.abs(got.rotary.length - length)).toBeLessThan(2 ** -23 * length);
    expect(got.rotary.change).toBeLessThan(1e-6);
    expect(Math.abs(got.sinusoidal.length - length)).toBeGreaterThan(0.01);
  });

  test("turns made and turns to come", () => {
    for (const [i, { theta, angle }] of want.entries()) {
      expect(got.invFreq[i]).toBeCloseTo(theta, 12);
      expect(got.wavelength[i]).toBeCloseTo((2 * Math.PI) / theta, 6);
      expect(got.turn.turns[i]).toBeCloseTo(angle / (2 * Math.PI), 8);
      expect(got.further.turns[i]).toBeCloseTo((10 * theta) / (2 * Math.PI), 8);
      expect(Math.cos(got.turn.angle[i] as number)).toBeCloseTo(Math.cos(angle), 6);
      expect(Math.sin(got.further.angle[i] as number)).toBeCloseTo(Math.sin(10 * theta), 6);
    }
  });
});

test("what turns one word’s query turns another’s, though the hands are others", () => {
  const at = (token: number) => turned(engine, query(16, token), { ...rest, position: 77, layout: "half" });
  expect(at(3).turn).toEqual(at(8).turn);
  expect(at(3).before.vector).not.toEqual(at(8).before.vector);
});

test("between two positions a hand is between two angles", () => {
  const invFreq = engine.ropeInvFreq({ rotaryDim: 8 });
  for (const [i, angle] of angleAt(engine, invFreq, 2.25).entries())
    expect(angle).toBeCloseTo(2.25 * 10_000 ** (-i / 4), 6);
});

test("the same token has the same query wherever it stands", () => {
  const tokens = ["the", "rope", "the"];
  const at = (index: number) => queryOf(engine, { tokens, seed: 3, headDim: 8, query: index });
  expect(at(0)).toEqual(at(2));
  expect(at(0)).not.toEqual(at(1));
});
