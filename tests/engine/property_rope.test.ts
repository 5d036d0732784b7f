// Rotation: frequencies, caches for any position, the rotation itself and its layouts, held to the reference.
import type fc from "fast-check";
import { loadRopewalk } from "ropewalk";
import { describe } from "vitest";
import { close, heads, otherLayout, property, same, ulpF32, ulpF64 } from "./property.ts";
import * as calls from "./property_calls.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

type Cache = Record<"cos" | "sin", Float32Array | Float64Array>;

function closeCache(actual: Cache, expected: Cache, bound: (name: "cos" | "sin", i: number) => number): void {
  close("cos", actual.cos, expected.cos, (i) => bound("cos", i));
  close("sin", actual.sin, expected.sin, (i) => bound("sin", i));
}

/** Within an ulp of float32, however near to zero. */
function toAnUlp(actual: Cache, expected: Cache): void {
  closeCache(actual, expected, (name, i) => ulpF32(expected[name][i] as number));
}

describe("frequencies", () => {
  property(
    "ropeInvFreq is the reference's to 2 ulp",
    calls.ropeInvFreq,
    (options) => {
      const wanted = reference.ropeInvFreq({ ropeTheta: 10_000, ...options });
      close("invFreq", engine.ropeInvFreq(options), wanted, (i) => 2 * ulpF64(wanted[i] as number));
    },
    60,
  );
});

describe("caches", () => {
  property(
    "buildRopeCache is the reference's to an ulp, at any position",
    calls.buildRopeCache,
    (options) => {
      const wanted = reference.buildRopeCache({
        attentionFactor: 1,
        ...options,
        positionIds: calls.idsOf(options),
      });
      toAnUlp(engine.buildRopeCache(options), wanted);
    },
    150,
  );

  property("buildMropeCache is the reference's to an ulp", calls.buildMropeCache, (options) => {
    const wanted = reference.buildMropeCache({ attentionFactor: 1, interleaved: false, ...options });
    toAnUlp(engine.buildMropeCache(options), wanted);
  });

  property(
    "buildMropeCache is buildRopeCache where a token's three positions are one",
    calls.buildMropeCache,
    (options) => {
      const { invFreq, attentionFactor, seqLen } = options;
      const positionIds = options.positionIds.slice(0, seqLen);
      const text = Int32Array.from([...positionIds, ...positionIds, ...positionIds]);
      const plain = engine.buildRopeCache({
        positionIds,
        invFreq,
        ...(attentionFactor !== undefined && { attentionFactor }),
      });
      closeCache(engine.buildMropeCache({ ...options, positionIds: text }), plain, () => 0);
    },
  );

  property(
    "buildAxialRopeCache is the reference's to an ulp",
    calls.buildAxialRopeCache,
    (options) => {
      const { ropeTheta = 100, positionIds, seqLen, rotaryDim } = options;
      const wanted = reference.buildAxialRopeCache({ ropeTheta, ...options });
      // Frequencies are good to 2 ulp, which each position multiplies.
      const pairs = rotaryDim / 2;
      const fastest = Math.max(1, ropeTheta ** -1);
      closeCache(engine.buildAxialRopeCache(options), wanted, (name, i) => {
        const axis = i % pairs < pairs / 2 ? 0 : 1;
        const position = Math.abs(positionIds[axis * seqLen + Math.floor(i / pairs)] as number);
        return ulpF32(wanted[name][i] as number) + 2 ** -51 * fastest * position;
      });
    },
    60,
  );

  property("buildXposCache is the reference's within its bound", calls.buildXposCache, (options) => {
    const { scaleBase = 512, gamma = 0.4, positionIds, invFreq, side } = options;
    const wanted = reference.buildXposCache({ scaleBase, gamma, ...options });
    closeCache(engine.buildXposCache(options), wanted, (_, i) => {
      const [s, pair] = [Math.floor(i / invFreq.length), i % invFreq.length];
      const zeta = (pair / invFreq.length + gamma) / (1 + gamma);
      const power = (positionIds[s] as number) / scaleBase;
      return 2 ** -23 * zeta ** (side === "query" ? power : -power);
    });
  });

  property("buildXposCache scales queries and keys inversely", calls.buildXposCache, (options) => {
    const query = engine.buildXposCache({ ...options, side: "query" });
    const key = engine.buildXposCache({ ...options, side: "key" });
    query.cos.forEach((_, i) => {
      const product =
        Math.hypot(query.cos[i] as number, query.sin[i] as number) *
        Math.hypot(key.cos[i] as number, key.sin[i] as number);
      close("the scales' product", [product], [1], 2 ** -21);
    });
  });
});

/** A row of cos and sin for each token, as the reference wants it. */
function rowsOf(options: typeof calls.applyRope extends fc.Arbitrary<infer O> ? O : never): Int32Array {
  const { batch = 1, seqLen, headDim, rotaryDim = headDim } = options;
  const shared = options.cos.length === (seqLen * rotaryDim) / 2;
  return (
    options.positionIds ??
    Int32Array.from({ length: batch * seqLen }, (_, token) => (shared ? token % seqLen : token))
  );
}

describe("applyRope", () => {
  property(
    "is the reference's within its bound, and leaves the rest of a head",
    calls.applyRope,
    (options) => {
      const { batch = 1, seqLen, nHeads, headDim, rotaryDim = headDim, layout, x } = options;
      const before = x.slice();
      const wanted = reference.applyRope({
        ...{ format: "bshd", batch, rotaryDim },
        ...options,
        positionIds: rowsOf(options),
      });
      const out = engine.applyRope(options);
      close("x", out, wanted, (i) => {
        const c = i % headDim;
        if (c >= rotaryDim) return 0;
        const first = i - c;
        const partner =
          layout === "interleaved" ? first + (c ^ 1) : first + ((c + rotaryDim / 2) % rotaryDim);
        return 2 ** -23 * Math.hypot(x[i] as number, x[partner] as number);
      });
      same("the array given", x, before);

      const buffer = engine.f32(x);
      engine.applyRope({ ...options, x: buffer });
      same("in place", buffer.view, out);
      buffer.delete();

      // And the same in the other format.
      const from = calls.formatOf(options);
      const to = from === "bshd" ? "bhsd" : "bshd";
      const shape = { batch, len: seqLen, nHeads, headDim };
      const turned = heads(x, shape, from, to) as Float32Array;
      same(
        "the other format",
        engine.applyRope({ ...options, format: to, x: turned }),
        heads(out, shape, from, to),
      );
    },
    150,
  );

  property("rotates back with the sines turned over", calls.applyRope, (options) => {
    const { headDim, x, sin } = options;
    const there = engine.applyRope(options);
    const back = engine.applyRope({ ...options, x: there, sin: sin.map((sine) => -sine) });
    close("x", back, x, (i) => {
      const head = x.subarray(i - (i % headDim), i - (i % headDim) + headDim);
      return 2 ** -21 * Math.hypot(...head);
    });
  });

  property("is the same in either layout, component for component", calls.applyRope, (options) => {
    const { headDim, rotaryDim = headDim, layout, x } = options;
    const to = otherLayout[layout];
    const convert = (x: Float32Array) =>
      engine.convertRopeLayout({ x, outer: x.length / headDim, headDim, rotaryDim, to });
    same(
      "x",
      engine.applyRope({ ...options, x: convert(x), layout: to }),
      convert(engine.applyRope(options)),
    );
  });

  property("looks rows up as if they had been laid out", calls.applyRope, (options) => {
    const { cos, sin, headDim, rotaryDim = headDim } = options;
    const pairs = rotaryDim / 2;
    const rows = [...rowsOf(options)];
    const laid = (x: Float32Array) =>
      Float32Array.from(rows.flatMap((row) => [...x.subarray(row * pairs, (row + 1) * pairs)]));
    const { positionIds: _, ...rest } = options;
    same("x", engine.applyRope({ ...rest, cos: laid(cos), sin: laid(sin) }), engine.applyRope(options));
    same(
      "x by the ids of all",
      engine.applyRope({ ...options, positionIds: Int32Array.from(rows) }),
      engine.applyRope(options),
    );
  });
});

describe("convertRopeLayout", () => {
  property(
    "is the reference's, and there and back again changes nothing",
    calls.convertRopeLayout,
    (options) => {
      const { headDim, to } = options;
      const out = engine.convertRopeLayout(options);
      const wanted = reference.convertRopeLayout({ outer: 1, inner: 1, rotaryDim: headDim, ...options });
      same("out", out, wanted);
      same("back", engine.convertRopeLayout({ ...options, x: out, to: otherLayout[to] }), options.x);
    },
  );
});
