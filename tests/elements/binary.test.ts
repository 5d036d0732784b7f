// Positions as digits and the distances between them, held to shifts and roots in plain arithmetic.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { BinaryPipeline, bitPlanes, positions } from "../../web/elements/binary_pipeline.js";
import { stretchAround } from "../../web/elements/stretch.js";

const pipeline = new BinaryPipeline(await loadRopewalk());

const digit = (position: number, plane: number) => Math.floor(position / 2 ** plane) % 2;
const digits = (position: number) => Array.from({ length: bitPlanes }, (_, plane) => digit(position, plane));
const flipped = (a: number, b: number) => digits(a).filter((one, plane) => one !== digit(b, plane)).length;

describe("BinaryPipeline", () => {
  test.each([
    [7, 15, 32],
    [0, 0, 128],
    [2047, 4095, 512],
    [4094, 1365, 32],
  ])("digits and distances at %d, from %d, over %d positions", (position, other, span) => {
    const results = pipeline.run({ position, other, span });
    expect([...results.here]).toEqual(digits(position));
    expect([...results.next]).toEqual(digits(position + 1));
    expect([...results.there]).toEqual(digits(other));
    const flips = { next: flipped(position, position + 1), there: flipped(position, other) };
    expect(results.flips).toEqual(flips);
    expect(results.distance.next).toBeCloseTo(Math.sqrt(flips.next), 6);
    expect(results.distance.there).toBeCloseTo(Math.sqrt(flips.there), 6);

    const { first } = results.stretch;
    const all = Array.from({ length: span }, (_, i) => first + i);
    expect(results.strip).toMatchObject({ columns: span, strands: bitPlanes });
    expect([...results.strip.values]).toEqual(all.flatMap(digits));
    expect(results.distances).toHaveLength(span - 1);
    results.distances.forEach((distance, i) => {
      expect(distance).toBeCloseTo(Math.sqrt(flipped(first + i, first + i + 1)), 6);
    });
  });

  test("has every plane from further off", () => {
    const { far } = pipeline.run({ position: 7, other: 15, span: 32 });
    expect(far.columns).toBe(positions);
    for (let position = 0; position < positions; ++position) {
      const column = far.values.subarray(position * bitPlanes, (position + 1) * bitPlanes);
      expect([...column]).toEqual(digits(position));
    }
  });

  test("is the same strip for as long as the stretch stays", () => {
    const { strip } = pipeline.run({ position: 7, other: 15, span: 32 });
    expect(pipeline.run({ position: 8, other: 3, span: 32 }).strip).toBe(strip);
    expect(pipeline.run({ position: 8, other: 3, span: 128 }).strip).not.toBe(strip);
  });
});

test("a stretch shows its position with both neighbours, wherever there are such", () => {
  for (const span of [32, 128, 512]) {
    for (let position = 0; position < positions; ++position) {
      const { first } = stretchAround(position, span, positions);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(first + span).toBeLessThanOrEqual(positions);
      expect(Math.max(0, position - 1)).toBeGreaterThanOrEqual(first);
      expect(Math.min(positions - 1, position + 1)).toBeLessThan(first + span);
    }
  }
});

test("a stretch stays while it shows the position with both neighbours", () => {
  const shown = { first: 48, span: 32 };
  for (const position of [49, 60, 78]) expect(stretchAround(position, 32, positions, shown)).toBe(shown);
  for (const position of [0, 47, 48, 79, 80, 4095]) {
    const other = stretchAround(position, 32, positions, shown);
    expect(other).toEqual(stretchAround(position, 32, positions));
    expect(other).not.toEqual(shown);
  }
  expect(stretchAround(60, 128, positions, shown)).toEqual(stretchAround(60, 128, positions));
  const start = { first: 0, span: 32 };
  expect(stretchAround(0, 32, positions, start)).toBe(start);
});
