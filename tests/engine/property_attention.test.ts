// Attention with all its options at once, held to the reference, and to what it has to be the same as.
import fc from "fast-check";
import { type AttentionOptions, loadRopewalk } from "ropewalk";
import { describe } from "vitest";
import {
  close,
  type Format,
  f32,
  given,
  type HeadsShape,
  heads,
  layout,
  magnitude,
  maybe,
  property,
  real,
  same,
  size,
  tame,
} from "./property.ts";
import { attention, formatOf, type PlainAttention } from "./property_calls.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

interface Outputs {
  out: Float32Array;
  weights?: Float32Array;
  scores?: Float32Array;
  presentKey?: Float32Array;
  presentValue?: Float32Array;
}

/** The compiler cannot tell what comes back from options that are drawn. */
const attend = (options: AttentionOptions) => engine.attention(options) as Outputs;

function sameOutputs(actual: Outputs, expected: Outputs): void {
  for (const name of ["out", "weights", "scores"] as const) {
    const [got, wanted] = [actual[name], expected[name]];
    if ((got === undefined) !== (wanted === undefined)) throw new Error(`${name} is there in one case only`);
    if (got !== undefined && wanted !== undefined) same(name, got, wanted);
  }
}

/** The extents of a call's tensors of heads. */
function shapesOf(options: PlainAttention) {
  const { batch = 1, qLen, kvLen, nHeads, nKvHeads, headDim, vHeadDim = headDim } = options;
  const shape = (len: number, nHeads: number, headDim: number): HeadsShape => ({
    batch,
    len,
    nHeads,
    headDim,
  });
  return {
    query: shape(qLen, nHeads, headDim),
    key: shape(kvLen, nKvHeads, headDim),
    value: shape(kvLen, nKvHeads, vHeadDim),
    out: shape(qLen, nHeads, vHeadDim),
  };
}

const usualScale = ({ headDim }: PlainAttention) => 1 / Math.sqrt(headDim);
const fourExtents = (shape: readonly number[]) => [1, 1, 1, 1, ...shape].slice(-4);

function expected(options: PlainAttention) {
  const shapes = shapesOf(options);
  const order = formatOf(options);
  const { qLen, kvLen } = options;
  const complete = {
    ...{ batch: 1, vHeadDim: options.headDim, queryOffset: 0, causal: false, softcap: 0 },
    ...{ leftWindowSize: -1, rightWindowSize: -1, scoreStage: "masked" },
    softmaxScale: usualScale(options),
    ...options,
    query: heads(options.query, shapes.query, order, "bshd"),
    key: heads(options.key, shapes.key, order, "bshd"),
    value: heads(options.value, shapes.value, order, "bshd"),
    maskShape: fourExtents(options.maskShape ?? [qLen, kvLen]),
    biasShape: fourExtents(options.biasShape ?? [qLen, kvLen]),
  };
  const { out, weights, scores } = reference.attention(complete);
  // softmaxScale · sum of |query · key|, in proportion to which scores are rounded.
  const sizes = reference.attention({
    ...complete,
    softmaxScale: Math.abs(complete.softmaxScale),
    query: complete.query.map(Math.abs),
    key: complete.key.map(Math.abs),
    scoreStage: "raw",
  }).scores;
  return { out: heads(out, shapes.out, "bshd", order), weights, scores, sizes };
}

const largest = (x: Float32Array) => x.reduce((most, element) => Math.max(most, Math.abs(element)), 0);

/** The bounds that cpp/include/ropewalk/attention.hpp states. */
const bounds = ({ headDim, kvLen, value }: PlainAttention) => ({
  weights: (headDim + 32) * 2 ** -23 + kvLen * 2 ** -26,
  out: ((headDim + 32) * 2 ** -22 + kvLen * 2 ** -23) * largest(value),
});

/** Throws unless that is what the reference gives, within its bounds. */
function isNear(
  options: PlainAttention,
  { out, weights, scores }: Outputs,
  wanted = expected(options),
): void {
  const bound = bounds(options);
  if ((weights !== undefined) !== (options.weights === true)) throw new Error("weights as asked for");
  if ((scores !== undefined) !== (options.scores === true)) throw new Error("scores as asked for");

  close("out", out, wanted.out, bound.out);
  // A key that is not seen weighs exactly nothing.
  if (weights)
    close("weights", weights, wanted.weights, (i) => (wanted.weights[i] === 0 ? 0 : bound.weights));
  if (scores) {
    const { headDim } = options;
    close("scores", scores, wanted.scores, (i) => {
      const score = Math.abs(wanted.scores[i] as number);
      // -∞ is to be just that.
      return Number.isFinite(score)
        ? (headDim + 3) * 2 ** -24 * (wanted.sizes[i] as number) + 2 ** -21 * score + 2 ** -22
        : 0;
    });
  }
}

describe("attention", () => {
  property(
    "is the reference's within its bounds, whatever the options",
    attention,
    (options) => {
      const wanted = expected(options);
      const outputs = attend(options);
      isNear(options, outputs, wanted);
      // A row that sees no key is exactly zero.
      const { batch = 1, qLen, kvLen, nHeads } = options;
      const shape = shapesOf(options).out;
      const rows = heads(outputs.out, shape, formatOf(options), "bhsd");
      for (let row = 0; row < batch * nHeads * qLen; row++) {
        if (wanted.weights.subarray(row * kvLen, (row + 1) * kvLen).some((weight) => weight !== 0)) continue;
        same(
          "a row that sees nothing",
          rows.subarray(row * shape.headDim, (row + 1) * shape.headDim),
          new Array(shape.headDim).fill(0),
        );
      }
    },
    400,
  );

  property("gives back what it puts into buffers", attention, (options) => {
    const wanted = attend(options);
    const { batch = 1, qLen, kvLen, nHeads } = options;
    const made: { delete(): void }[] = [];
    const keep = <B extends { delete(): void }>(buffer: B): B => {
      made.push(buffer);
      return buffer;
    };
    try {
      const { kvLens, mask, bias } = options;
      const out = keep(engine.f32(wanted.out.length));
      const weights = keep(engine.f32(batch * nHeads * qLen * kvLen));
      const scores = keep(engine.f32(batch * nHeads * qLen * kvLen));
      const result = attend({
        ...options,
        query: keep(engine.f32(options.query)),
        key: keep(engine.f32(options.key)),
        value: keep(engine.f32(options.value)),
        ...(kvLens && { kvLens: keep(engine.i32(kvLens as Int32Array)) }),
        ...(mask && { mask: keep(engine.u8(mask as Uint8Array)) }),
        ...(bias && { bias: keep(engine.f32(bias as Float32Array)) }),
        out,
        ...(options.weights && { weights }),
        ...(options.scores && { scores }),
      });
      if (Object.keys(result).length > 0)
        throw new Error(`${Object.keys(result)} came back, with buffers given`);
      sameOutputs(
        {
          out: out.view,
          ...(options.weights && { weights: weights.view }),
          ...(options.scores && { scores: scores.view }),
        },
        wanted,
      );
    } finally {
      for (const buffer of made) buffer.delete();
    }
  });

  property("has the same numbers in either format", attention, (options) => {
    const from = formatOf(options);
    const to = from === "bshd" ? "bhsd" : "bshd";
    const { query, key, value, out } = shapesOf(options);
    const turned = attend({
      ...options,
      format: to,
      query: heads(options.query, query, from, to) as Float32Array,
      key: heads(options.key, key, from, to) as Float32Array,
      value: heads(options.value, value, from, to) as Float32Array,
    });
    sameOutputs({ ...turned, out: heads(turned.out, out, to, from) as Float32Array }, attend(options));
  });

  property(
    "does not care whether keys are new, of the past, or in a cache",
    fc.tuple(attention, fc.array(size(7), { minLength: 1, maxLength: 21 })),
    ([{ kvLens: _, ...options }, chunks]) => {
      const { key, value } = shapesOf(options);
      const order = formatOf(options);
      const { kvLen } = options;
      const part = (name: "key" | "value", begin: number, end: number) =>
        heads(options[name], name === "key" ? key : value, order, order, begin, end) as Float32Array;

      const { key: _k, value: _v, kvLen: _l, nKvHeads, headDim, vHeadDim, batch, format, ...rest } = options;
      const cache = engine.kvCache(
        given({ batch, format, capacity: kvLen + 3, nKvHeads, headDim, vHeadDim }),
      );
      try {
        for (let n = 0; cache.length < kvLen; n++) {
          const begin = cache.length;
          const end = Math.min(kvLen, begin + (chunks[n % chunks.length] as number));
          cache.append({ key: part("key", begin, end), value: part("value", begin, end), len: end - begin });
        }
        const queryOffset = options.queryOffset ?? kvLen - options.qLen;
        // Summed up in another order, and so not to the bit.
        isNear({ ...options, queryOffset }, attend({ ...rest, cache }));
      } finally {
        cache.delete();
      }

      const pastLen = Math.min(kvLen - 1, chunks[0] as number);
      if (pastLen === 0) return;
      const { presentKey, presentValue, ...outputs } = attend({
        ...options,
        kvLen: kvLen - pastLen,
        pastLen,
        pastKey: part("key", 0, pastLen),
        pastValue: part("value", 0, pastLen),
        key: part("key", pastLen, kvLen),
        value: part("value", pastLen, kvLen),
      });
      sameOutputs(outputs, attend({ ...options, queryOffset: options.queryOffset ?? pastLen }));
      same("presentKey", presentKey ?? [], options.key);
      same("presentValue", presentValue ?? [], options.value);
    },
  );

  property("lets nothing through of keys that nobody sees", attention, (drawn) => {
    // Raw scores show them.
    const options = { ...drawn, scoreStage: "masked", weights: true } as const;
    const wanted = attend(options);
    const { batch = 1, qLen, kvLen, nHeads, nKvHeads, headDim, vHeadDim = headDim } = options;
    const order = formatOf(options);
    const key = heads(options.key, shapesOf(options).key, order, "bshd");
    const value = heads(options.value, shapesOf(options).value, order, "bshd");
    const { scores } = expected(options);
    const unknown = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let b = 0; b < batch; b++) {
      for (let g = 0; g < nKvHeads; g++) {
        for (let j = 0; j < kvLen; j++) {
          const group = nHeads / nKvHeads;
          let seen = false;
          for (let h = g * group; h < (g + 1) * group; h++) {
            for (let i = 0; i < qLen; i++)
              seen ||= scores[((b * nHeads + h) * qLen + i) * kvLen + j] !== Number.NEGATIVE_INFINITY;
          }
          if (seen) continue;
          const row = (b * kvLen + j) * nKvHeads + g;
          key.fill(unknown[row % 3] as number, row * headDim, (row + 1) * headDim);
          value.fill(unknown[(row + 1) % 3] as number, row * vHeadDim, (row + 1) * vHeadDim);
        }
      }
    }
    sameOutputs(
      attend({
        ...options,
        key: heads(key, shapesOf(options).key, "bshd", order) as Float32Array,
        value: heads(value, shapesOf(options).value, "bshd", order) as Float32Array,
      }),
      wanted,
    );
  });

  property("makes rows zero whose every score is -∞, whatever the values", attention, (drawn) => {
    const { out, weights } = attend({
      ...drawn,
      query: drawn.query.map((x) => 1 + Math.abs(x)),
      key: drawn.key.map(() => Number.NEGATIVE_INFINITY),
      value: drawn.value.map(() => Number.NaN),
      softmaxScale: 1,
      softcap: 0,
    });
    same("out", out, new Float32Array(out.length));
    if (weights) same("weights", weights, new Float32Array(weights.length));
  });

  property("gives each sequence what it gets alone", attention, (options) => {
    const { batch = 1, qLen, kvLen, nHeads } = options;
    const shapes = shapesOf(options);
    const whole = attend(options);
    const alone = (x: Float32Array | undefined, b: number) =>
      x?.subarray((b * x.length) / batch, ((b + 1) * x.length) / batch);
    const broadcast = (name: "mask" | "bias", b: number) => {
      const shape = options[`${name}Shape`];
      if (shape?.length !== 4 || shape[0] === 1) return {};
      return { [name]: alone(options[name] as Float32Array, b), [`${name}Shape`]: [1, ...shape.slice(1)] };
    };
    for (let b = 0; b < batch; b++) {
      const lens = (options.kvLens as Int32Array | undefined)?.slice(b, b + 1);
      const one = attend({
        ...options,
        batch: 1,
        query: alone(options.query, b) as Float32Array,
        key: alone(options.key, b) as Float32Array,
        value: alone(options.value, b) as Float32Array,
        ...(lens && { kvLens: lens }),
        ...broadcast("mask", b),
        ...broadcast("bias", b),
      });
      sameOutputs(
        one,
        given({
          out: alone(whole.out, b) as Float32Array,
          weights: alone(whole.weights, b),
          scores: alone(whole.scores, b),
        }) as Outputs,
      );
    }
    // Extents are the whole story: nothing is left of a batch of other lengths.
    if (whole.out.length !== batch * qLen * nHeads * shapes.out.headDim || kvLen < 1)
      throw new Error("length");
  });

  property("shares keys and values as if each head had its own copy", attention, (options) => {
    const { nHeads, nKvHeads } = options;
    const order = formatOf(options);
    const repeated = (name: "key" | "value") => {
      const shape = shapesOf(options)[name];
      const apart = heads(options[name], shape, order, "bhsd");
      const run = shape.len * shape.headDim;
      const out = new Float32Array((apart.length / nKvHeads) * nHeads);
      for (let n = 0; n < shape.batch * nHeads; n++) {
        const b = Math.floor(n / nHeads);
        const g = Math.floor(((n % nHeads) * nKvHeads) / nHeads);
        out.set(apart.subarray((b * nKvHeads + g) * run, (b * nKvHeads + g + 1) * run), n * run);
      }
      return heads(out, { ...shape, nHeads }, "bhsd", order) as Float32Array;
    };
    const copies = { nKvHeads: nHeads, key: repeated("key"), value: repeated("value") };
    sameOutputs(attend({ ...options, ...copies }), attend(options));
  });

  property(
    "weighs to one where a row sees a key, however large the scores",
    fc.tuple(attention, magnitude(1e-3, 1e6)),
    ([options, times]) => {
      const softmaxScale = times * (options.softmaxScale ?? usualScale(options));
      const { weights = new Float32Array() } = attend({ ...options, softmaxScale, weights: true });
      const { kvLen } = options;
      for (let row = 0; row < weights.length; row += kvLen) {
        const sum = weights.subarray(row, row + kvLen).reduce((a, b) => a + b, 0);
        if (weights.subarray(row, row + kvLen).some((weight) => !(weight >= 0 && weight <= 1 + 2 ** -20)))
          throw new Error(`row ${row / kvLen} holds ${weights.subarray(row, row + kvLen)}`);
        if (!(sum === 0 || Math.abs(sum - 1) <= 2 ** -20))
          throw new Error(`row ${row / kvLen} sums to ${sum}`);
      }
    },
  );
});

// ---- With rotation -----------------------------------------------------------------------------------------------------

const rotated = fc
  .record({
    seqLen: size(9),
    nHeads: size(3),
    pairs: size(9),
    layout,
    ropeTheta: magnitude(100, 1e6),
    first: fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
    shift: fc.integer({ min: -(2 ** 30), max: 2 ** 30 }),
    chunks: fc.array(size(4), { minLength: 1, maxLength: 9 }),
    leftWindowSize: maybe(fc.nat(8)),
    values: tame,
    format: maybe(fc.constantFrom<Format>("bshd", "bhsd")),
    amount: real(0, 2),
  })
  .map(given);

describe("rotary attention", () => {
  property("depends on distances alone", rotated, (drawn) => {
    const { seqLen, nHeads, pairs, layout, first, shift, values, amount } = drawn;
    const headDim = 2 * pairs;
    const length = seqLen * nHeads * headDim;
    const [query, key] = [f32(values, length, 1), f32(values, length, 2)];
    const invFreq = engine.ropeInvFreq({ rotaryDim: headDim, ropeTheta: drawn.ropeTheta });
    const scoresAt = (positionOffset: number) => {
      const cache = engine.buildRopeCache({ seqLen, positionOffset, invFreq });
      const rotate = (x: Float32Array) => engine.applyRope({ x, ...cache, seqLen, nHeads, headDim, layout });
      const { scores } = engine.attention({
        query: rotate(query),
        key: rotate(key),
        value: key,
        qLen: seqLen,
        nHeads,
        headDim,
        softmaxScale: amount,
        scores: true,
        scoreStage: "raw",
      });
      return scores;
    };
    // Each rotated pair is off by 2^-22 of its length, and the sums by as many roundings as they have terms.
    close(
      "scores",
      scoresAt(first + shift),
      scoresAt(first),
      2 ** -148 +
        amount * headDim * 2 * (2 ** -21 + (headDim + 3) * 2 ** -24) * largest(query) * largest(key),
    );
  });

  property("is the same token by token through a cache as in one go", rotated, (drawn) => {
    const { seqLen, nHeads, pairs, layout, first, values, chunks, leftWindowSize, format = "bshd" } = drawn;
    const headDim = 2 * pairs;
    const shape = { batch: 1, len: seqLen, nHeads, headDim };
    const length = seqLen * nHeads * headDim;
    const [query, key, value] = [1, 2, 3].map((stream) => f32(values, length, stream));
    const invFreq = engine.ropeInvFreq({ rotaryDim: headDim, ropeTheta: drawn.ropeTheta });
    const more = given({ causal: true, leftWindowSize, format, nHeads });
    const rotate = (x: Float32Array, begin: number, len: number) =>
      engine.applyRope({
        x,
        ...engine.buildRopeCache({ seqLen: len, positionOffset: first + begin, invFreq }),
        ...{ seqLen: len, nHeads, headDim, layout, format },
      });
    const part = (x: Float32Array | undefined, begin: number, end: number) =>
      heads(x as Float32Array, shape, format, format, begin, end) as Float32Array;

    const whole = engine.attention({
      query: rotate(query as Float32Array, 0, seqLen),
      key: rotate(key as Float32Array, 0, seqLen),
      value: value as Float32Array,
      ...more,
      qLen: seqLen,
      headDim,
    });
    const cache = engine.kvCache({ capacity: seqLen, nKvHeads: nHeads, headDim, format });
    try {
      for (let n = 0; cache.length < seqLen; n++) {
        const begin = cache.length;
        const len = Math.min(seqLen - begin, chunks[n % chunks.length] as number);
        const end = begin + len;
        cache.append({
          key: rotate(part(key, begin, end), begin, len),
          value: part(value, begin, end),
          len,
        });
        const { out } = engine.attention({
          query: rotate(part(query, begin, end), begin, len),
          cache,
          causal: true,
          ...(leftWindowSize !== undefined && { leftWindowSize }),
          nHeads,
          qLen: len,
        });
        const bound = 2 * ((headDim + 32) * 2 ** -22 + seqLen * 2 ** -23) * largest(value as Float32Array);
        close(`out of tokens ${begin} to ${end}`, out, part(whole.out, begin, end), bound);
      }
    } finally {
      cache.delete();
    }
  });
});
