// What is added to embeddings or to scores, what makes embeddings, and normalization, held to the reference.
import fc from "fast-check";
import { loadRopewalk } from "ropewalk";
import { describe } from "vitest";
import { close, int32, ones, property, rounded, same, size } from "./property.ts";
import * as calls from "./property_calls.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

describe("encodings", () => {
  property("integerEncoding is the reference's, rounded", calls.encoding, (options) => {
    const wanted = reference.integerEncoding({ ...options, positionIds: calls.idsOf(options) });
    same("encoding", engine.integerEncoding(options), wanted.map(Math.fround));
  });

  property("binaryEncoding is the reference's", calls.encoding, (options) => {
    const wanted = reference.binaryEncoding({ ...options, positionIds: calls.idsOf(options) });
    same("encoding", engine.binaryEncoding(options), wanted);
  });

  property("sinusoidalEncoding is the reference's within its bound", calls.sinusoidalEncoding, (options) => {
    const positionIds = calls.idsOf(options);
    const { base = 10_000, dim } = options;
    const wanted = reference.sinusoidalEncoding({ ...options, base, positionIds });
    close("encoding", engine.sinusoidalEncoding(options), wanted, (i) => {
      const position = Math.abs(positionIds[Math.floor(i / dim)] as number);
      return 2 ** -25 + 2 ** -52 * (1 + position * Math.max(1, 1 / base));
    });
  });

  property("addEncoding is the reference's, rounded once", calls.addEncoding, (options) => {
    const before = options.x.slice();
    same("sum", engine.addEncoding(options), reference.addEncoding(options).map(Math.fround));
    same("the array given", options.x, before);
  });
});

describe("embeddings", () => {
  property(
    "seededEmbedding knows token and seed alone, and a shorter row begins a longer",
    calls.seededEmbedding,
    (options) => {
      const { tokenIds, dim, seed } = options;
      const rows = engine.seededEmbedding(options);
      tokenIds.forEach((_, s) => {
        const alone = engine.seededEmbedding({ tokenIds: tokenIds.slice(s, s + 1), dim: dim + 3, seed });
        same(`row ${s}`, rows.subarray(s * dim, (s + 1) * dim), alone.subarray(0, dim));
      });
      close("every component", rows, new Float32Array(rows.length), 6);
    },
  );

  property(
    "seededEmbedding differs from seed to seed and from token to token",
    fc.tuple(int32, int32, size(1000)),
    ([token, other, more]) => {
      const draw = (id: number, seed: number) =>
        engine.seededEmbedding({ tokenIds: Int32Array.of(id), dim: 8, seed }).join();
      if (draw(token, 5) === draw(token, 5 + more)) throw new Error("equal rows of two seeds");
      if (token !== other && draw(token, 5) === draw(other, 5)) throw new Error("equal rows of two tokens");
    },
  );

  property(
    "seededProjection is within ±sqrt(3 / inDim), and another in each stream",
    calls.seededProjection,
    (options) => {
      const { inDim, stream } = options;
      const drawn = engine.seededProjection(options);
      close("every component", drawn, new Float32Array(drawn.length), Math.sqrt(3 / inDim) * (1 + 2 ** -23));
      same("the same again", engine.seededProjection(options), drawn);
      const next = engine.seededProjection({ ...options, stream: stream === 0 ? 1 : stream - 1 });
      if (next.join() === drawn.join()) throw new Error("equal matrices in two streams");
    },
  );

  property("linear is the reference's within its bound", calls.linear, (options) => {
    const wanted = reference.linear(options);
    const sizes = reference.linear({
      ...options,
      x: options.x.map(Math.abs),
      weight: options.weight.map(Math.abs),
    });
    close(
      "product",
      engine.linear(options),
      wanted,
      (i) => options.inDim * 2 ** -24 * (sizes[i] as number) + 2 ** -149,
    );
  });
});

describe("normalization", () => {
  property("rmsNorm is the reference's within its bound", calls.rmsNorm, (options) => {
    const wanted = reference.rmsNorm({ epsilon: 1e-6, weight: ones(options.dim), ...options });
    const bound = (i: number) => 2 ** -22.9 * Math.abs(wanted[i] as number) + 2 ** -149;
    close("norm", engine.rmsNorm(options), wanted, bound);
    const x = engine.f32(options.x);
    const out = engine.f32(options.x.length);
    engine.rmsNorm({ ...options, x, out });
    close("in buffers", out.view, wanted, bound);
    x.delete();
    out.delete();
  });

  property("softmax is the reference's within its bound", calls.softmax, (options) => {
    const wanted = reference.softmax({ outer: 1, inner: 1, ...options });
    close("softmax", engine.softmax(options), wanted, (i) =>
      wanted[i] === 0 ? 0 : 2 ** -22 + options.size * 2 ** -26,
    );
  });
});

describe("positions that enter the scores", () => {
  property("alibiSlopes are the reference's within their bound", calls.alibiSlopes, (options) => {
    const wanted = reference.alibiSlopes(options);
    close("slopes", engine.alibiSlopes(options), wanted, rounded(wanted));
  });

  property("alibiBias is the reference's within its bound", calls.alibiBias, (options) => {
    const { qLen, queryOffset = 0 } = options;
    const wanted = reference.alibiBias({ kvLen: qLen, ...options, queryOffset });
    close("bias", engine.alibiBias(options), wanted, rounded(wanted));
  });

  const usual = { numBuckets: 32, maxDistance: 128, bidirectional: true, queryOffset: 0 };

  property("t5Buckets are the reference's", calls.t5Buckets, (options) => {
    const { qLen: kvLen } = options;
    same("buckets", engine.t5Buckets(options), reference.t5Buckets({ ...usual, kvLen, ...options }));
  });

  property("t5Bias is the reference's", calls.t5Bias, (options) => {
    const { qLen: kvLen } = options;
    same("bias", engine.t5Bias(options), reference.t5Bias({ ...usual, kvLen, ...options }));
  });
});
