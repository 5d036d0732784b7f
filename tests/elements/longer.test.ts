// What feeds the chapter on longer texts, held to the papers' formulas in plain doubles.
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import {
  configOf,
  LongerPipeline,
  type LongerSettings,
  madeFactors,
  type Scaling,
  scalings,
} from "../../web/elements/longer_pipeline.js";

const pipeline = new LongerPipeline(await loadRopewalk());

const { PI, floor, ceil, log, sqrt, min, max } = Math;

/** The formulas, pair by pair: d components, base b, trained with L tokens, read s times as far. */
const formulas: Record<Scaling, (settings: LongerSettings) => number[]> = {
  linear: (of) => trained(of).map((theta) => theta / of.factor),
  ntk: ({ headDim: d, base: b, factor: s, trained: L }) =>
    trained({ headDim: d, base: b * s ** (d / (d - 2)), trained: L, factor: s }),
  dynamic: (of) => {
    const { headDim: d, base: b, factor: s } = of;
    const alpha = 2;
    return trained({ ...of, base: b * (alpha * s - (alpha - 1)) ** (d / (d - 2)) });
  },
  yarn: (of) => {
    const { headDim: d, base: b, trained: L, factor: s } = of;
    // Section 3.2 of 2309.00071, its ramp over pairs, between whole ones, as its authors' code has it.
    const pair = (turns: number) => (d * log(L / (turns * 2 * PI))) / (2 * log(b));
    const low = max(floor(pair(32)), 0);
    const high = min(ceil(pair(1)), d - 1);
    return trained(of).map((theta, i) => {
      const gamma = 1 - min(1, max(0, (i - low) / (high - low)));
      return (1 - gamma) * (theta / s) + gamma * theta;
    });
  },
  longrope: (of) => {
    const thetas = trained(of);
    const came = thetas.filter((theta) => theta * of.trained >= 2 * PI).length;
    return thetas.map((theta, i) => theta / (1 + (of.factor - 1) * (i < came ? (i / came) ** 4 : 1)));
  },
  llama3: (of) => {
    const [low, high] = [1, 4];
    return trained(of).map((theta) => {
      const lambda = (2 * PI) / theta;
      if (lambda < of.trained / high) return theta;
      if (lambda > of.trained / low) return theta / of.factor;
      const smooth = (of.trained / lambda - low) / (high - low);
      return (1 - smooth) * (theta / of.factor) + smooth * theta;
    });
  },
};

const attention: Partial<Record<Scaling, (settings: LongerSettings) => number>> = {
  yarn: ({ factor }) => 0.1 * log(factor) + 1,
  longrope: ({ factor, trained }) => sqrt(1 + log(factor) / log(trained)),
};

function trained({ headDim, base }: LongerSettings): number[] {
  return Array.from({ length: headDim / 2 }, (_, i) => base ** ((-2 * i) / headDim));
}

const close = (got: number, want: number, bound = 1e-12) => {
  if (!(Math.abs(got - want) <= bound * Math.abs(want))) expect.fail(`${got} is not ${want}`);
};

const cases: LongerSettings[] = [
  { headDim: 64, base: 10_000, trained: 4096, factor: 8 },
  { headDim: 128, base: 500_000, trained: 8192, factor: 32 },
  { headDim: 32, base: 10_000, trained: 2048, factor: 1.25 },
  { headDim: 64, base: 1_000_000, trained: 32_768, factor: 1 },
];

describe.each(cases)("head_dim $headDim, base $base, $trained tokens times $factor", (settings) => {
  const results = pipeline.run(settings);
  const thetas = trained(settings);
  const { trained: trainedLength, factor } = settings;

  test("unscaled is as trained", () => {
    expect(results.length).toBe(trainedLength * factor);
    thetas.forEach((theta, i) => {
      close(results.unscaled.invFreq[i] as number, theta);
      close(results.trainedTurns[i] as number, (theta * trainedLength) / (2 * PI));
      expect(results.unscaled.slowdown[i]).toBe(1);
    });
    expect(results.unscaled.attentionFactor).toBe(1);
  });

  test.each(scalings)("%s", (scaling) => {
    const scaled = results.scaled[scaling];
    const wanted = formulas[scaling](settings);
    expect(scaled.invFreq).toHaveLength(wanted.length);
    wanted.forEach((theta, i) => {
      close(scaled.invFreq[i] as number, theta);
      close(scaled.wavelength[i] as number, (2 * PI) / theta);
      close(scaled.turns[i] as number, (theta * trainedLength * factor) / (2 * PI));
      close(scaled.slowdown[i] as number, (thetas[i] as number) / theta);
    });
    close(scaled.attentionFactor, attention[scaling]?.(settings) ?? 1);
    // In radians, of a circle that was not closed in training; a billionth is rounding.
    const beyond = wanted.flatMap((theta, i) => {
      const seen = (thetas[i] as number) * trainedLength;
      return seen < 2 * PI && theta * trainedLength * factor > seen + 1e-8 ? [i] : [];
    });
    expect(scaled.beyond).toEqual(beyond);
  });

  test("hands point where the positions' angles do", () => {
    for (const scaled of [results.unscaled, ...Object.values(results.scaled)]) {
      const { angles, scaled: far, unscaled } = pipeline.hands(results, scaled);
      scaled.invFreq.forEach((theta, i) => {
        const turn = 2 * PI * Math.round((theta * results.length) / (2 * PI));
        expect(Math.abs((angles[i] as number) - (theta * results.length - turn))).toBeLessThan(1e-6);
      });
      expect(far.strip.strands).toBe(settings.headDim / 2);
      expect(far.turns).toEqual(scaled.turns);
      expect(unscaled.turns).toEqual(results.unscaled.turns);
      const at = 700 * far.strip.strands + 3;
      const angle = (scaled.invFreq[3] as number) * (results.length / far.strip.columns) * 700;
      close(Math.cos(far.strip.values[at] as number), Math.cos(angle), 1e-4);
    }
  });
});

test("what the chapter says of its first picture", () => {
  const { unscaled, scaled } = pipeline.run(cases[0] as LongerSettings);
  const counts = Object.fromEntries(scalings.map((scaling) => [scaling, scaled[scaling].beyond.length]));
  expect(unscaled.beyond).toEqual([23, 24, 25, 26, 27, 28, 29, 30, 31]);
  expect(counts).toEqual({ linear: 0, ntk: 8, dynamic: 1, yarn: 0, longrope: 0, llama3: 0 });
  expect(scaled.linear.invFreq[0]).toBe(1 / 8);
  // The base of NTK leaves pair 0 as it is, and slows the last by all.
  expect(scaled.ntk.slowdown[0]).toBe(1);
  close(scaled.ntk.slowdown[31] as number, 8);
});

test("nothing is beyond training at the trained length", () => {
  const { unscaled, scaled } = pipeline.run({ headDim: 64, base: 10_000, trained: 4096, factor: 1 });
  for (const { beyond, slowdown, attentionFactor } of [unscaled, ...Object.values(scaled)]) {
    expect(beyond).toEqual([]);
    for (const times of slowdown) close(times, 1);
    expect(attentionFactor).toBe(1);
  }
});

test("the made factors rise from 1 to the whole one, and stay there", () => {
  const factors = madeFactors(32, 23, 8);
  expect(factors).toHaveLength(32);
  expect(factors[0]).toBe(1);
  expect(factors.slice(23)).toEqual(new Array(9).fill(8));
  for (let i = 1; i < 24; ++i) expect(factors[i]).toBeGreaterThan(factors[i - 1] as number);
});

test("configurations are such as models have", () => {
  const settings = cases[0] as LongerSettings;
  expect(configOf("yarn", settings, 23)).toEqual({
    head_dim: 64,
    rope_theta: 10_000,
    max_position_embeddings: 32_768,
    original_max_position_embeddings: 4096,
    rope_scaling: { rope_type: "yarn", factor: 8 },
  });
  expect(configOf("none", settings, 23)).not.toHaveProperty("rope_scaling");
});
