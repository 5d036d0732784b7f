// The benchmark's statistics and table; it is never timed in a test.
import { expect, test } from "vitest";
import { alternate, largestDifference, statistics } from "../bench/measure.mjs";
import { coldSummary, duration, markdown, summary, withTable } from "../bench/table.mjs";

const times = (median: number) => ({ samples: 10, repeats: 1, min: median / 2, median, max: 2 * median });

const own = { name: "Ropewalk", own: true, simd: "simd128", flops: 8e6, ...times(1) };
const contenders = [
  own,
  { ...own, variant: "buffers", aside: true, ...times(0.1) },
  { name: "onnxruntime-web", ...times(4) },
  { name: "LiteRT.js", ...times(1.2) },
  { name: "multiply-adds, SIMD128", ceiling: "flops", simd: "simd128", flops: 8e6, ...times(0.5) },
  { name: "multiply-adds, relaxed SIMD", ceiling: "flops", simd: "relaxed", flops: 8e6, ...times(0.1) },
];

test("the median of an even number of samples is between the two in the middle", () => {
  expect(statistics([5, 1, 3])).toEqual({ samples: 3, min: 1, median: 3, max: 5 });
  expect(statistics([10, 1, 9, 2])).toEqual({ samples: 4, min: 1, median: 5.5, max: 10 });
});

test("contenders take turns, and promises are waited for", async () => {
  const order: string[] = [];
  const contender = (name: string) => async () => {
    await new Promise((resolve) => setTimeout(resolve, 45));
    order.push(name);
  };
  const results = await alternate([{ run: contender("a") }, { run: contender("b") }]);
  expect(results.map(({ samples }) => samples)).toEqual([10, 10]);
  expect(results.every(({ min }) => min >= 40)).toBe(true);
  expect(order.slice(-20).join("")).toBe("ab".repeat(10));
});

test("a result that is not finite, or of another length, is infinitely far off", () => {
  expect(largestDifference([1, 2, 3], [1, 2.5, 2])).toBe(1);
  expect(largestDifference([1, 2], [1])).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference([1, 2], [Number.NaN, 2])).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference([1, 2], [1, Number.NaN])).toBe(Number.POSITIVE_INFINITY);
});

test("goals are held to the best peer, to a named one, and to the ceiling of the binary that ran", () => {
  const goals = { peer: 1.1, "onnxruntime-web": 5, ofPeak: 0.5 };
  const { best, ahead, win, ceiling, goals: reached } = summary({ goals }, contenders);
  expect(best.name).toBe("LiteRT.js");
  expect(ahead).toBeCloseTo(1.2);
  expect(win).toBe(false); // Within the noise.
  expect(ceiling.ofPeak).toBeCloseTo(0.5);
  expect(ceiling.text).toBe("8.0 GFLOP/s, 50 %, in buffers 500 %");
  expect(reached.map(({ met }: { met: boolean }) => met)).toEqual([true, false, true]);
});

test("a goal that was not measured is not met", () => {
  const [copies, peer] = summary({ goals: { copies: 1.3, peer: 1 } }, [own]).goals;
  expect([copies?.met, peer?.met]).toEqual([false, false]);
});

test("threads are held to Ropewalk on one, and count nowhere else", () => {
  const two = { ...own, aside: true, threads: 2, ...times(0.5) };
  const goals = (wanted: number) => summary({ goals: { threads: wanted } }, [two, own]).goals;
  expect(goals(1.9)[0]).toMatchObject({ met: true, reached: 2 });
  expect(goals(2.1)[0]).toMatchObject({ met: false, reached: 2 });
  expect(summary({ goals: { threads: 1.8 } }, [own]).goals[0]).toMatchObject({
    met: false,
    reached: undefined,
  });
  expect(summary({}, [two, ...contenders]).own).toBe(own);
});

test("memory is compared with a copy of the same bytes", () => {
  const copy = { name: "memory copy", ceiling: "copy", bytes: 4, ...times(0.5) };
  const { ceiling, goals } = summary({ goals: { copies: 1.3 } }, [own, copy]);
  expect(ceiling.times).toBeCloseTo(2);
  expect(goals[0]).toMatchObject({ met: false, reached: 2 });
});

test("cold starts are held to onnxruntime-web and to the empty page", () => {
  const page = (name: string, median: number, bytes: number, more = {}) => ({
    ...{ name, bytes, ...times(median) },
    ...more,
  });
  const pages = [page("an empty page", 50, 57, { empty: true }), page("onnxruntime-web", 500, 5000)];
  const network = "localhost";
  const met = (median: number, bytes: number) =>
    coldSummary({
      network,
      contenders: [...pages, page("Ropewalk", median, bytes, { own: true })],
    }).goals.map((goal: { met: boolean }) => goal.met);
  expect(met(74, 90)).toEqual([true, true, true]);
  expect(met(110, 110)).toEqual([false, false, false]);
});

test("times have three digits", () => {
  expect([0.00512, 0.0671, 2.34, 95.66, 1431.2].map(duration)).toEqual([
    "0.0051",
    "0.0671",
    "2.34",
    "95.7",
    "1,431",
  ]);
});

test("the table goes between its marks in the README, and what stood there goes", () => {
  const machine = { date: "2026-01-02", cpu: "Some CPU", cores: 2, busy: 0.05, node: "20.20.2" };
  const table = markdown({ machine, node: [{ workload: "attention-causal-1024", contenders }] });
  expect(table).toContain("Some CPU, in float32");
  expect(table).toContain(
    "| causal attention, 8 × 64, seq 1,024 | 1.00 | 4.00 | 1.20 | – | – | 1.2 × | 8.0 GFLOP/s, 50 %, in buffers 500 % | " +
      "4 × onnxruntime-web ✓, 2.5 × LiteRT.js ✗ (1.20), ≥ 80 % ✗ (0.50) |",
  );
  const readme = "a\n<!-- npm run bench -- --readme: begin -->\nold\n<!-- end -->\nb\n";
  expect(withTable(readme, table)).toBe(
    `a\n<!-- npm run bench -- --readme: begin -->\n${table}\n<!-- end -->\nb\n`,
  );
  expect(() => withTable("no marks", table)).toThrow(/no place/);
});
