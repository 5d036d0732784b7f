// What the pictures draw, held to the reference.
import { loadRopewalk } from "ropewalk";
import { describe } from "vitest";
import { close, property, rounded, same, ulpF64 } from "./property.ts";
import * as calls from "./property_calls.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

const scaleOf = ({ query, softmaxScale }: { query: Float32Array; softmaxScale?: number | undefined }) =>
  softmaxScale ?? 1 / Math.sqrt(query.length);

const pairAt = (layout: "interleaved" | "half", pair: number, pairs: number): [number, number] =>
  layout === "half" ? [pair, pair + pairs] : [2 * pair, 2 * pair + 1];

const length = (x: Float32Array) => Math.hypot(...x);

describe("rows", () => {
  property("rowNorms are the reference's, rounded once", calls.rowNorms, (options) => {
    const wanted = reference.rowNorms(options);
    close("norms", engine.rowNorms(options), wanted, rounded(wanted));
  });

  property("rowCosines are the reference's, rounded once", calls.rowCosines, (options) => {
    const cosines = engine.rowCosines(options);
    close("cosines", cosines, reference.rowCosines(options), 2 ** -24 + 2 ** -45);
    close("cosines", cosines, new Float32Array(cosines.length), 1);
  });

  property("neighbourDistances are the reference's, rounded once", calls.neighbourDistances, (options) => {
    const wanted = reference.neighbourDistances(options);
    close("distances", engine.neighbourDistances(options), wanted, rounded(wanted));
  });

  property("similarity is the reference's, rounded once", calls.similarity, (options) => {
    const { rows, dim, x } = options;
    const cosine = options.cosine ?? false;
    const wanted = reference.similarity({ ...options, cosine });
    const row = (r: number) => length(x.subarray(r * dim, (r + 1) * dim));
    // What double loses in a sum that cancels is little beside the rows' lengths.
    const sums = (i: number) => 2 ** -45 * (cosine ? 1 : row(Math.floor(i / rows)) * row(i % rows));
    close("similarity", engine.similarity(options), wanted, rounded(wanted, sums));
  });

  property(
    "maxAbsDifference is the reference's, and NaN where there is one",
    calls.maxAbsDifference,
    (options) => {
      const wanted = reference.maxAbsDifference(options);
      same("difference", [engine.maxAbsDifference(options)], [Math.fround(wanted)]);
    },
  );
});

describe("pairs", () => {
  property("ropeAngles are the reference's modulo a turn", calls.ropeAngles, (options) => {
    const { firstPosition, step = 1, invFreq } = options;
    const wanted = reference.ropeAngles({ ...options, step });
    const angles = engine.ropeAngles(options);
    close("angles", angles, new Float32Array(angles.length), Math.fround(Math.PI));
    const apart = angles.map((angle, i) => {
      const difference = Math.abs(angle - (wanted[i] as number));
      return Math.min(difference, 2 * Math.PI - difference);
    });
    close("angles apart", apart, new Float32Array(apart.length), (i) => {
      const [s, pair] = [Math.floor(i / invFreq.length), i % invFreq.length];
      const reach = Math.abs(firstPosition) + Math.abs(s * step);
      return (1 + 2 ** -10) * (2 ** -23 + 2 ** -51 * reach * Math.abs(invFreq[pair] as number));
    });
  });

  property("ropePeriods are the reference's to 2 ulp", calls.ropePeriods, (options) => {
    const wanted = reference.ropePeriods(options);
    const { wavelength, turns } = engine.ropePeriods(options);
    close("wavelength", wavelength, wanted.wavelength, (i) => 2 * ulpF64(wanted.wavelength[i] as number));
    close("turns", turns, wanted.turns, (i) => 3 * ulpF64(wanted.turns[i] as number));
  });

  property("pairPolar is the reference's within its bounds", calls.pairPolar, (options) => {
    const wanted = reference.pairPolar(options);
    const { magnitude, angle } = engine.pairPolar(options);
    close("magnitude", magnitude, wanted.magnitude, rounded(wanted.magnitude));
    close("angle", angle, wanted.angle, 2 ** -23);
  });

  property("pairScores are the reference's within their bound", calls.pairScores, (options) => {
    const { query, key, layout } = options;
    const softmaxScale = Math.fround(scaleOf(options));
    const wanted = reference.pairScores({ ...options, softmaxScale });
    close("scores", engine.pairScores(options), wanted, (i) => {
      const sizes = pairAt(layout, i, query.length / 2).map((c) =>
        Math.abs((query[c] as number) * (key[c] as number)),
      );
      return (
        2 ** -24 * (1 + 2 ** -20) * Math.abs(softmaxScale) * ((sizes[0] as number) + (sizes[1] as number)) +
        2 ** -149
      );
    });
  });
});

/** The most that each pair can give, and how far double is off in its angle at a distance. */
function pairsOf(options: {
  query: Float32Array;
  key: Float32Array;
  invFreq: Float64Array;
  layout: "interleaved" | "half";
  softmaxScale?: number;
}) {
  const { query, key, invFreq, layout } = options;
  const scale = Math.abs(scaleOf(options));
  const most = [...invFreq].map((_, pair) => {
    const [a, b] = pairAt(layout, pair, invFreq.length);
    const size = (x: Float32Array) => Math.hypot(x[a] as number, x[b] as number);
    return scale * size(query) * size(key);
  });
  const off = (distance: number) =>
    [...invFreq].map((frequency) => 2 ** -44 + 2 ** -51 * Math.abs(distance * frequency));
  return { most, off, all: scale * length(query) * length(key) };
}

describe("rotary scores", () => {
  property("ropeScore is the reference's, and adds up", calls.ropeScore, (options) => {
    const { pairMask, distance } = options;
    const { most, off, all } = pairsOf(options);
    const offs = off(distance);
    const wanted = reference.ropeScore({ ...options, softmaxScale: scaleOf(options) });
    const { parts, rest, score } = engine.ropeScore(options);
    close(
      "parts",
      parts,
      wanted.parts,
      rounded(wanted.parts, (i) => (most[i] as number) * (offs[i] as number)),
    );
    close("rest", [rest], [wanted.rest], rounded([wanted.rest], 2 ** -48 * all));
    const lost = most.reduce((sum, part, i) => sum + part * (offs[i] as number), 2 ** -48 * all);
    close("score", [score], [wanted.score], rounded([wanted.score], lost));

    const seen = [rest, ...parts.filter((_, i) => pairMask === undefined || pairMask[i] !== 0)];
    const sum = (of: (part: number) => number) => seen.reduce((total, part) => total + of(part), 0);
    close("the sum", [sum((part) => part)], [score], 2 ** -23 * sum(Math.abs) + 2 ** -148);
  });

  property("ropeScoreByDistance is the reference's", calls.ropeScoreByDistance, (options) => {
    const { firstDistance = 0, step = 1 } = options;
    const { most, off, all } = pairsOf(options);
    const wanted = reference.ropeScoreByDistance({
      ...options,
      firstDistance,
      step,
      softmaxScale: scaleOf(options),
    });
    close(
      "scores",
      engine.ropeScoreByDistance(options),
      wanted,
      rounded(wanted, (s) => {
        const offs = off(Math.abs(firstDistance) + s * Math.abs(step));
        return most.reduce((sum, part, i) => sum + part * (offs[i] as number), 2 ** -48 * all);
      }),
    );
  });

  property(
    "ropeRandomScores are the reference's",
    calls.ropeRandomScores,
    (options) => {
      const { firstDistance = 0, step = 1, correlation = 0, invFreq } = options;
      const wanted = reference.ropeRandomScores({ ...options, firstDistance, step, correlation });
      const { mean, deviation } = engine.ropeRandomScores(options);
      // Components are at most 6, a score at most 36 * sqrt(2 * pairs).
      const fastest = Math.max(...invFreq.map(Math.abs));
      const lost = (s: number) =>
        36 *
        Math.sqrt(2 * invFreq.length) *
        (2 ** -44 + 2 ** -51 * fastest * (Math.abs(firstDistance) + s * Math.abs(step)));
      close("mean", mean, wanted.mean, rounded(wanted.mean, lost));
      // A deviation of nothing is the root of what was lost.
      close(
        "deviation",
        deviation,
        wanted.deviation,
        rounded(wanted.deviation, (s) => 2 * Math.sqrt(36 * lost(s))),
      );
    },
    60,
  );

  property("ropeDecayBound is the reference's within its bound", calls.ropeDecayBound, (options) => {
    const { firstDistance = 0, step = 1, invFreq } = options;
    const wanted = reference.ropeDecayBound({ ...options, firstDistance, step });
    const fastest = Math.max(...invFreq.map(Math.abs));
    close("bound", engine.ropeDecayBound(options), wanted, (s) => {
      const reach = Math.abs(firstDistance) + s * Math.abs(step);
      return 2 ** -23 * (wanted[s] as number) + invFreq.length * (2 ** -44 + 2 ** -51 * fastest * reach);
    });
  });
});
