// What latent attention is for, in numbers: why absorption breaks under RoPE, what is cached, and what a token costs.
import { loadRopewalk, type MlaCost, type MlaCostOptions, type MlaForm, type RopeLayout } from "ropewalk";
import { describe, expect, test } from "vitest";
import { hiddenStates, seededLayer, turnsOf } from "./latent.ts";
import * as plain from "./plain.ts";

const engine = await loadRopewalk();

const normals = (rows: number, dim: number, seed: number) => hiddenStates(engine, rows, dim, seed);
const layouts = ["interleaved", "half"] as const;

// ---- absorbRotation, relativeErrors ------------------------------------------------------------------------------------

describe("absorbRotation", () => {
  test.each([
    { headDim: 2, kvLoraRank: 1, pairs: 1 },
    { headDim: 9, kvLoraRank: 5, pairs: 3 },
    { headDim: 16, kvLoraRank: 8, pairs: 8 },
  ])("is the mean over the distances, found one by one, %o", ({ headDim, kvLoraRank, pairs }) => {
    const keyUp = plain.noise(headDim * kvLoraRank);
    const invFreq = engine.ropeInvFreq({ rotaryDim: 2 * pairs });
    for (const layout of layouts) {
      for (const contextLen of [1, 2, 37, 500]) {
        const shape = { headDim, kvLoraRank, invFreq, layout, contextLen };
        const places = { firstDistance: -3.5, step: 0.75, count: 140 };
        const distances = Array.from({ length: 140 }, (_, s) => -3.5 + 0.75 * s);
        const wanted = plain.absorbRotation(keyUp, shape, distances);
        const { absorbed, error } = engine.absorbRotation({ keyUp, ...shape, ...places });
        plain.expectClose(absorbed, wanted.absorbed, 2 ** -22, "absorbed");
        plain.expectClose(error, wanted.error, 2 ** -22, "error");
        // From 0 on, one by one, if nothing is said.
        const first = engine.absorbRotation({ keyUp, ...shape, count: 5 });
        expect(first).toEqual(
          engine.absorbRotation({ keyUp, ...shape, firstDistance: 0, step: 1, count: 5 }),
        );
      }
    }
  });

  test("leaves components past the pairs as they are", () => {
    const keyUp = plain.noise(7 * 3);
    const { absorbed } = engine.absorbRotation({
      ...{ keyUp, headDim: 7, kvLoraRank: 3, invFreq: new Float64Array([1, 0.1]), layout: "half" },
      ...{ contextLen: 100, count: 1 },
    });
    expect(absorbed.subarray(12)).toEqual(keyUp.subarray(12));
    expect(absorbed.subarray(0, 12)).not.toEqual(keyUp.subarray(0, 12));
  });
});

test("a mean is no longer than what it is of, however fast the pair turns", () => {
  // Past 2^45 radians whole turns are not taken off exactly, and the sum's closed form is a quotient of two guesses.
  const draw = plain.noise(3000, 5);
  let longest = 0;
  for (const power of [1, 9, 12, 14, 16, 18, 40, 99.6]) {
    for (const contextLen of [2, 3, 100]) {
      const invFreq = Float64Array.from(draw, (x) => 10 ** power * (1 + Math.abs(x)));
      const keyUp = new Float32Array(2 * invFreq.length).fill(1, 0, invFreq.length);
      const shape = { headDim: keyUp.length, kvLoraRank: 1, invFreq, layout: "half", contextLen } as const;
      const { absorbed, error } = engine.absorbRotation({ keyUp, ...shape, count: 3 });
      const { magnitude } = engine.pairPolar({ x: absorbed, layout: "half" });
      longest = magnitude.reduce((most, length) => Math.max(most, length), longest);
      for (const value of error) expect(value).toBeLessThanOrEqual(2);
    }
  }
  expect(longest).toBeLessThan(1 + 1e-6);
});

describe("relativeErrors", () => {
  test("compares column by column", () => {
    const [rows, columns] = [7, 5];
    const exact = plain.noise(rows * columns);
    const x = exact.map((value, i) => value + 0.01 * (plain.noise(1, i)[0] as number));
    const wanted = plain.relativeErrors(x, exact, rows, columns);
    const errors = engine.relativeErrors({ x, exact, rows, columns });
    plain.expectClose(errors, wanted, (i) => 2 ** -23 * (wanted[i] as number));
    using out = engine.f32(columns);
    expect(engine.relativeErrors({ x, exact, rows, columns, out })).toBeUndefined();
    expect(out.view).toEqual(errors);
  });

  test("is nothing where both are nothing, and without bound where only one is", () => {
    expect(
      engine.relativeErrors({
        x: new Float32Array([0, 1, Number.NaN, 3, /**/ 0, 0, 1, 0]),
        exact: new Float32Array([0, 0, 1, 3, /**/ 0, 0, 1, 4]),
        rows: 2,
        columns: 4,
      }),
    ).toEqual(new Float32Array([0, Number.POSITIVE_INFINITY, Number.NaN, 0.8]));
  });
});

// ---- 1. Why absorption breaks ------------------------------------------------------------------------------------------

describe("with RoPE on keys that are expanded from the latents", () => {
  const draws = 8192;
  const [headDim, kvLoraRank] = [32, 48];
  const keyUp = engine.seededProjection({ seed: 1, stream: 1, outDim: headDim, inDim: kvLoraRank });
  const invFreq = engine.ropeInvFreq({ rotaryDim: headDim });
  const distances = [0, 1, 2, 5, 16, 63, 64, 250, 1023, 2000];
  const n = distances.length;
  const query = normals(draws, headDim, 3);
  const latents = normals(draws, kvLoraRank, 4);

  /** The true scores, [draws, distances]: RoPE on the query, and on the key that stands before it by each distance. */
  function trueScores(layout: RopeLayout): Float32Array {
    const place = 100_000;
    const turned = (x: Float32Array, ids: number[]) =>
      engine.applyRope({
        ...engine.buildRopeCache({ positionIds: Int32Array.from(ids), invFreq }),
        ...{ x, layout, batch: draws, seqLen: ids.length, nHeads: 1, headDim },
      });
    const up = engine.linear({ x: latents, weight: keyUp, rows: draws, inDim: kvLoraRank, outDim: headDim });
    const key = new Float32Array(draws * n * headDim);
    for (let i = 0; i < draws * n; i++) {
      const from = Math.floor(i / n) * headDim;
      key.set(up.subarray(from, from + headDim), i * headDim);
    }
    const { scores } = engine.attention({
      query: turned(query, [place]),
      key: turned(
        key,
        distances.map((distance) => place - distance),
      ),
      value: new Float32Array(draws * n),
      ...{ batch: draws, qLen: 1, kvLen: n, nHeads: 1, headDim, vHeadDim: 1, softmaxScale: 1 },
      ...({ scores: true, scoreStage: "raw" } as const),
    });
    return scores;
  }

  /** Those of one matrix between query and latent: the same at every distance. */
  function absorbedScores(absorbed: Float32Array): Float32Array {
    const key = engine.linear({
      x: latents,
      weight: absorbed,
      rows: draws,
      inDim: kvLoraRank,
      outDim: headDim,
    });
    return Float32Array.from({ length: draws * n }, (_, i) => {
      let sum = 0;
      const from = Math.floor(i / n) * headDim;
      for (let c = 0; c < headDim; c++) sum += (query[from + c] as number) * (key[from + c] as number);
      return sum;
    });
  }

  const fitted = (
    contextLen: number,
    layout: RopeLayout,
    more: { invFreq?: Float64Array; count?: number } = {},
  ) =>
    engine.absorbRotation({ keyUp, headDim, kvLoraRank, invFreq, layout, contextLen, count: 4097, ...more });

  test.each(layouts)("the scores of the one best matrix are as far off as error says, %s", (layout) => {
    const exact = trueScores(layout);
    let most = 0;
    for (const contextLen of [1, 16, 64, 1024, 4096]) {
      const { absorbed, error } = fitted(contextLen, layout);
      const measured = engine.relativeErrors({ x: absorbedScores(absorbed), exact, rows: draws, columns: n });
      // Sums of 8,192 squares of products of normals are each off by about 1.7 %, and so is half of their quotient at
      // most; this is some four times that.
      const wanted = distances.map((distance) => error[distance] as number);
      plain.expectClose(
        measured,
        wanted,
        (i) => 0.06 * (wanted[i] as number) + 1e-5,
        `context ${contextLen}`,
      );
      wanted.forEach((value, i) => {
        if (value > 0) most = Math.max(most, Math.abs((measured[i] as number) / value - 1));
      });
    }
    // Else they would have been compared with themselves.
    expect(most).toBeGreaterThan(1e-4);
  });

  test("a matrix for distance 0 alone is right there, and soon worse than nothing", () => {
    const { absorbed, error } = fitted(1, "interleaved");
    expect(absorbed).toEqual(keyUp);
    expect(error[0]).toBe(0);
    expect(error[1]).toBeGreaterThan(0.2);
    expect(error[5]).toBeGreaterThan(0.6);
    // To answer 0 to every query would be an error of 1.
    expect(error[16]).toBeGreaterThan(1);
    expect(error.subarray(1000).every((value) => value > 1)).toBe(true);
  });

  test.each([
    // The least error at any of 4,097 distances, and the root mean square within the context.
    { contextLen: 64, least: 0.55, usual: 0.6 },
    { contextLen: 1024, least: 0.76, usual: 0.8 },
    { contextLen: 4096, least: 0.85, usual: 0.9 },
  ])("a matrix for a context is right nowhere, %o", ({ contextLen, least, usual }) => {
    for (const layout of layouts) {
      const { error } = fitted(contextLen, layout);
      expect(Math.min(...error)).toBeGreaterThan(least);
      const within = error.subarray(0, contextLen);
      const mean = Math.sqrt(within.reduce((sum, value) => sum + value ** 2, 0) / contextLen);
      expect(mean).toBeGreaterThan(usual);
      // And no matrix does better in the mean than one that answers less than the truth.
      expect(mean).toBeLessThan(1);
    }
  });

  test("pairs that hardly turn are absorbed", () => {
    const slow = new Float64Array(16).fill(1e-7);
    const { error } = fitted(1024, "half", { invFreq: slow, count: 1024 });
    // Half a context of 1e-7 radians each, at its ends.
    expect(Math.max(...error)).toBeLessThan(5.2e-5);
    expect(Math.max(...error)).toBeGreaterThan(5e-5);
    const still = fitted(1024, "half", { invFreq: new Float64Array(16), count: 1024 });
    expect(still.absorbed).toEqual(keyUp);
    expect(still.error).toEqual(new Float32Array(1024));
  });
});

test("with a rotary key of its own beside the latent, the absorbed scores are right at every distance", () => {
  // The heads of DeepSeek-V2-Lite.
  const shape = {
    ...{ hiddenSize: 256, nHeads: 16, kvLoraRank: 512 },
    ...{ qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
  };
  const { hiddenSize, kvLoraRank, qkRopeHeadDim: rope } = shape;
  const layer = seededLayer(engine, shape);
  const len = 1024;
  const x = normals(len, hiddenSize, 5);
  // The cache of the 1,023 tokens before, made outside of mla(): no attention is needed for it.
  const width = kvLoraRank + rope;
  const before = len - 1;
  const down = engine.linear({
    ...{ x: x.subarray(0, before * hiddenSize), weight: layer.kvAProj },
    ...{ rows: before, inDim: hiddenSize, outDim: width },
  });
  const columns = (first: number, count: number) =>
    Float32Array.from(
      { length: before * count },
      (_, i) => down[Math.floor(i / count) * width + first + (i % count)] as number,
    );
  const normed = engine.rmsNorm({
    ...{ x: columns(0, kvLoraRank), weight: layer.kvALayernorm, rows: before, dim: kvLoraRank },
  });
  const turned = engine.applyRope({
    ...{ x: columns(kvLoraRank, rope), ...turnsOf(engine, before, rope), layout: "interleaved" },
    ...{ seqLen: before, nHeads: 1, headDim: rope },
  });
  const latents = Float32Array.from({ length: before * width }, (_, i) => {
    const [row, c] = [Math.floor(i / width), i % width];
    return (c < kvLoraRank ? normed[row * kvLoraRank + c] : turned[row * rope + c - kvLoraRank]) as number;
  });
  using cache = engine.latentCache({ capacity: len, kvLoraRank, qkRopeHeadDim: rope });
  cache.append({ latents, len: before });

  const scores = (form: MlaForm) => {
    cache.truncate(before);
    return engine.mla({
      ...layer,
      ...turnsOf(engine, 1, rope, before),
      ...({ x: x.subarray(before * hiddenSize), qLen: 1, cache, form, scores: true } as const),
    }).scores;
  };
  // Of 16 heads at each of 1,024 distances.
  const errors = engine.relativeErrors({
    ...{ x: scores("absorbed"), exact: scores("naive"), rows: shape.nHeads, columns: len },
  });
  expect(Math.max(...errors)).toBeLessThan(1e-5);
  expect(Math.max(...errors)).toBeGreaterThan(0);
  // What the first demonstration measures would be off by more than half of a score.
});

// ---- 2. What is cached -------------------------------------------------------------------------------------------------

describe("what is cached", () => {
  const latent = { kind: "mla", kvLoraRank: 512, qkRopeHeadDim: 64 } as const;

  test("is 56.9 times as much with keys and values of DeepSeek-V2's 128 heads", () => {
    const heads = engine.cacheBytes({ kind: "mha", nHeads: 128, headDim: 128, bytesPerElement: 2 });
    const { elementsPerToken } = engine.cacheBytes({ ...latent, bytesPerElement: 2 });
    expect([heads.elementsPerToken, elementsPerToken]).toEqual([32_768, 576]);
    expect((heads.elementsPerToken / elementsPerToken).toFixed(1)).toBe("56.9");
  });

  test("is 93.3 % less in DeepSeek-V2 than in DeepSeek 67B, as its paper says, and 82.2 % at as many bits", () => {
    // Grouped heads at 16 bits; latents at 6 bits.
    const before = engine.cacheBytes({
      kind: "gqa",
      nKvHeads: 8,
      headDim: 128,
      nLayers: 95,
      bytesPerElement: 2,
    });
    const latentBytes = (bytesPerElement: number) =>
      engine.cacheBytes({ ...latent, nLayers: 60, bytesPerElement }).bytesPerToken;
    const less = (bytes: number) => `${(100 * (1 - bytes / before.bytesPerToken)).toFixed(1)} %`;
    expect([before.bytesPerToken, latentBytes(0.75), latentBytes(2)]).toEqual([389_120, 25_920, 69_120]);
    expect([less(latentBytes(0.75)), less(latentBytes(2))]).toEqual(["93.3 %", "82.2 %"]);
  });

  test("may have any number of bits from 1 to 64", () => {
    for (const bytesPerElement of [1 / 8, 0.5, 0.75, 1.5, 3, 5.25, 8])
      expect(engine.cacheBytes({ ...latent, seqLen: 10, bytesPerElement }).bytes).toBe(
        5760 * bytesPerElement,
      );
    for (const bytesPerElement of [0, 0.12, 8.01])
      expect(() => engine.cacheBytes({ ...latent, bytesPerElement })).toThrow(
        expect.objectContaining({ code: "bad_value", argument: "bytesPerElement" }),
      );
  });
});

// ---- 3. What it costs --------------------------------------------------------------------------------------------------

describe("what a call costs at DeepSeek-V2-Lite's shape", () => {
  const [hidden, heads, rank, nope, rope, value] = [2048, 16, 512, 128, 64, 128];
  const shape = {
    ...{ hiddenSize: hidden, nHeads: heads, kvLoraRank: rank },
    ...{ qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim: value },
  };
  const cost = (form: MlaForm, options: Omit<MlaCostOptions, keyof typeof shape | "form">) =>
    engine.mlaCost({ ...shape, form, ...options });
  const decode = (form: MlaForm, kvLen: number, kept: "latent" | "heads" = "latent") =>
    cost(form, { qLen: 1, kvLen, kept });
  const lengths = [2, 3, 17, 1024, 4096, 163_840];
  const up = rank * heads * (nope + value);
  const [perKept, perLatent] = [heads * (nope + rope + value), heads * (2 * rank + rope)];

  test("parts add up to the total", () => {
    for (const made of [decode("naive", 100), decode("absorbed", 100), decode("naive", 100, "heads")]) {
      for (const name of ["multiplyAdds", "bytes"] as const)
        expect(made.total[name]).toBe(made.project[name] + made.expand[name] + made.attend[name]);
    }
  });

  test("a new token: absorbed has fewer products than naive from latents, at every length past 1", () => {
    for (const kvLen of lengths) {
      expect(decode("absorbed", kvLen).total.multiplyAdds).toBeLessThan(
        decode("naive", kvLen).total.multiplyAdds,
      );
      // Exactly: W_UK and W_UV on every token, or once.
      expect(decode("naive", kvLen).expand.multiplyAdds).toBe(kvLen * up);
      expect(decode("absorbed", kvLen).expand.multiplyAdds).toBe(up);
      expect(decode("naive", kvLen, "heads").expand.multiplyAdds).toBe(up);
      expect(decode("naive", kvLen).attend.multiplyAdds).toBe(kvLen * perKept);
      expect(decode("absorbed", kvLen).attend.multiplyAdds).toBe(kvLen * perLatent);
    }
    // Nothing is saved on the first.
    expect(decode("absorbed", 1).total.multiplyAdds).toBeGreaterThan(decode("naive", 1).total.multiplyAdds);
  });

  test("a new token: its attention has 3.4 times the products of that on kept heads, and an 8.9th of the bytes", () => {
    for (const kvLen of lengths) {
      const [latent, kept] = [decode("absorbed", kvLen), decode("naive", kvLen, "heads")];
      expect(latent.attend.multiplyAdds / kept.attend.multiplyAdds).toBeCloseTo(3.4, 12);
      const more = (one: MlaCost, other: MlaCost) => other.attend.bytes - one.attend.bytes;
      // Of each token that is there, 576 numbers are read, or 16 · 320.
      expect(more(latent, decode("absorbed", kvLen + 1))).toBe(4 * 576);
      expect(more(kept, decode("naive", kvLen + 1, "heads"))).toBe(4 * 16 * 320);
    }
    expect((16 * 320) / 576).toBeCloseTo(8.9, 1);
  });

  test("a prompt: naive has fewer products at every length", () => {
    for (const qLen of [1, 2, 64, 1024, 65_536]) {
      for (const causal of [false, true]) {
        const [naive, absorbed] = [cost("naive", { qLen, causal }), cost("absorbed", { qLen, causal })];
        expect(naive.total.multiplyAdds).toBeLessThan(absorbed.total.multiplyAdds);
        // Every token is expanded once, whichever way; and what is kept makes no difference.
        expect([naive.expand.multiplyAdds, absorbed.expand.multiplyAdds]).toEqual([qLen * up, qLen * up]);
        expect(cost("naive", { qLen, causal, kept: "heads" })).toEqual(naive);
      }
    }
  });

  test("grows by the formula: a token's with the keys, a prompt's with their square", () => {
    for (const n of [1, 2, 100, 4096]) {
      const pairs = (n * (n + 1)) / 2;
      expect(cost("naive", { qLen: n, causal: true }).attend.multiplyAdds).toBe(pairs * perKept);
      expect(cost("absorbed", { qLen: n, causal: true }).attend.multiplyAdds).toBe(pairs * perLatent);
      expect(cost("naive", { qLen: n }).attend.multiplyAdds).toBe(n * n * perKept);
      expect(cost("absorbed", { qLen: n }).attend.multiplyAdds).toBe(n * n * perLatent);
      // A chunk behind others: all of those, and its own triangle.
      expect(cost("absorbed", { qLen: n, kvLen: n + 1000, causal: true }).attend.multiplyAdds).toBe(
        (1000 * n + pairs) * perLatent,
      );
      const weights = hidden * (heads * (nope + rope) + rank + rope + heads * value);
      expect(cost("naive", { qLen: n }).project.multiplyAdds).toBe(n * weights);
      expect(cost("absorbed", { qLen: n }).project).toEqual(cost("naive", { qLen: n }).project);
      // Sequences are each as one alone, but for the weights, which are read once.
      const three = cost("absorbed", { qLen: n, batch: 3, causal: true });
      const one = cost("absorbed", { qLen: n, causal: true });
      expect(three.total.multiplyAdds).toBe(3 * one.total.multiplyAdds);
      expect(three.total.bytes).toBe(3 * one.total.bytes - 2 * 4 * (weights + up));
    }
  });

  test("is that of one sequence, with latents kept and all tokens new, if nothing is said", () => {
    for (const form of ["naive", "absorbed"] as const)
      expect(cost(form, { qLen: 7 })).toEqual(
        cost(form, { qLen: 7, kvLen: 7, batch: 1, kept: "latent", causal: false }),
      );
  });

  test("counts a queries' latent in the place of the one projection", () => {
    const withLatent = engine.mlaCost({ ...shape, qLoraRank: 1536, form: "naive", qLen: 3 });
    const queries = heads * (nope + rope);
    expect(withLatent.project.multiplyAdds - cost("naive", { qLen: 3 }).project.multiplyAdds).toBe(
      3 * (1536 * (hidden + queries) - hidden * queries),
    );
    expect(withLatent.expand).toEqual(cost("naive", { qLen: 3 }).expand);
    expect(withLatent.attend).toEqual(cost("naive", { qLen: 3 }).attend);
  });
});
