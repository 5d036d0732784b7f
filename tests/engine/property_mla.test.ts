// Latent attention of any shape, in any chunks, forms and caches, held to the reference; and what it costs, to a count.
import fc from "fast-check";
import {
  type KvCache,
  type LatentCache,
  loadRopewalk,
  type MlaCostOptions,
  type MlaForm,
  type MlaOptions,
  type MlaSteps,
} from "ropewalk";
import { describe } from "vitest";
import { tokensOf } from "./latent.ts";
import { close, given, property, rounded, same, size } from "./property.ts";
import { absorbRotation, mla, mlaCost, type PlainMla, relativeErrors } from "./property_calls.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

interface Outputs {
  out: Float32Array;
  weights?: Float32Array;
  scores?: Float32Array;
  steps?: MlaSteps;
}

/** The compiler cannot tell what comes back from options that are drawn. */
const attend = (options: MlaOptions) => engine.mla(options) as Outputs;

function sameOutputs(actual: Outputs, expected: Outputs): void {
  for (const name of ["out", "weights", "scores"] as const) {
    const [got, wanted] = [actual[name], expected[name]];
    if ((got === undefined) !== (wanted === undefined)) throw new Error(`${name} is there in one case only`);
    if (got !== undefined && wanted !== undefined) same(name, got, wanted);
  }
}

/** Rows of cos and sin of one sequence, which may be those of all. */
const rowsOf = ({ cos, sin, batch = 1, qLen, qkRopeHeadDim }: PlainMla, b: number) => {
  const length = (qLen * qkRopeHeadDim) / 2;
  const first = cos.length === batch * length ? b * length : 0;
  return { cos: cos.subarray(first, first + length), sin: sin.subarray(first, first + length) };
};

/** The options for tokens from `begin` to before `end`, with a row of cos and sin for each token of each sequence. */
function part(options: PlainMla, begin: number, end: number): MlaOptions {
  const { batch = 1, qLen, qkRopeHeadDim } = options;
  const row = qkRopeHeadDim / 2;
  const rows = (name: "cos" | "sin") =>
    Float32Array.from(
      Array.from({ length: batch }, (_, b) => [
        ...rowsOf(options, b)[name].subarray(begin * row, end * row),
      ]).flat(),
    );
  return {
    ...options,
    x: tokensOf(options.x, { batch, len: qLen }, begin, end),
    qLen: end - begin,
    cos: rows("cos"),
    sin: rows("sin"),
  };
}

/** What the reference makes of the first `end` tokens, of those from `begin` on. */
function expected(options: PlainMla, begin: number, end: number) {
  const { batch = 1, qLen, hiddenSize, nHeads, qkNopeHeadDim, qkRopeHeadDim, kvLoraRank, vHeadDim } = options;
  const row = qkRopeHeadDim / 2;
  const all = { out: [], weights: [], scores: [], query: [], latents: [], key: [], value: [] };
  const joined: Record<keyof typeof all, number[]> = all;
  for (let b = 0; b < batch; b++) {
    const { cos, sin } = rowsOf(options, b);
    const one = reference.mla({
      ...{ causal: false, epsilon: 1e-6, softmaxScale: 1 / Math.sqrt(qkNopeHeadDim + qkRopeHeadDim) },
      ...options,
      ...{ batch: 1, len: end },
      x: options.x.slice(b * qLen * hiddenSize, (b * qLen + end) * hiddenSize),
      cos: cos.slice(0, end * row),
      sin: sin.slice(0, end * row),
    });
    const tokens = (name: keyof typeof all, width: number, first: number) =>
      joined[name].push(...one[name].subarray(first * width, end * width));
    tokens("out", hiddenSize, begin);
    tokens("query", nHeads * (qkNopeHeadDim + qkRopeHeadDim), begin);
    tokens("latents", kvLoraRank + qkRopeHeadDim, begin);
    tokens("key", nHeads * (qkNopeHeadDim + qkRopeHeadDim), 0);
    tokens("value", nHeads * vHeadDim, 0);
    for (let h = 0; h < nHeads; h++) {
      for (const name of ["weights", "scores"] as const)
        joined[name].push(...one[name].subarray((h * end + begin) * end, (h + 1) * end * end));
    }
  }
  return joined;
}

/** Twice the bound of cpp/include/ropewalk/mla.hpp, for numbers here are not drawn from normal distributions. */
const near = (wanted: ArrayLike<number>) => (i: number) => {
  const value = Math.abs(wanted[i] as number);
  // -∞, where a key is not seen, is to be just that.
  return Number.isFinite(value) ? 2 ** -17 * (1 + value) : 0;
};

function compare(options: MlaOptions, made: Outputs, wanted: ReturnType<typeof expected>): void {
  for (const name of ["weights", "scores", "steps"] as const) {
    if ((made[name] !== undefined) !== (options[name] === true)) throw new Error(`${name} as asked for`);
  }
  close("out", made.out, wanted.out, near(wanted.out));
  if (made.scores) close("scores", made.scores, wanted.scores, near(wanted.scores));
  if (made.weights) {
    // A key that is not seen weighs exactly nothing.
    close("weights", made.weights, wanted.weights, (i) =>
      wanted.scores[i] === Number.NEGATIVE_INFINITY ? 0 : near(wanted.weights)(i),
    );
  }
  for (const name of ["query", "latents", "key", "value"] as const) {
    const got = made.steps?.[name];
    if (got) close(name, got, wanted[name], near(wanted[name]));
  }
}

const forms = fc.array(fc.constantFrom<MlaForm>("naive", "absorbed"), { minLength: 1, maxLength: 9 });
const chunks = fc.array(size(4), { minLength: 1, maxLength: 9 });

const latentCacheOf = ({ batch = 1, kvLoraRank, qkRopeHeadDim }: PlainMla, capacity: number) =>
  engine.latentCache({ batch, capacity, kvLoraRank, qkRopeHeadDim });
const kvCacheOf = (options: PlainMla, capacity: number) => {
  const { batch = 1, nHeads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = options;
  return engine.kvCache({
    batch,
    capacity,
    nKvHeads: nHeads,
    headDim: qkNopeHeadDim + qkRopeHeadDim,
    vHeadDim,
  });
};

describe("mla", () => {
  property(
    "is the reference's within its bound, whatever the options",
    mla,
    (options) => compare(options, attend(options), expected(options, 0, options.qLen)),
    300,
  );

  property(
    "is the reference's in any chunks, with any cache, the forms taking turns",
    fc.tuple(mla, chunks, forms, fc.nat(3)),
    ([options, chunks, forms, more]) => {
      const { qLen } = options;
      const latents: LatentCache = latentCacheOf(options, qLen + more);
      const heads: KvCache = kvCacheOf(options, qLen + more);
      try {
        for (let n = 0, begin = 0; begin < qLen; n++) {
          const end = Math.min(qLen, begin + (chunks[n % chunks.length] as number));
          const wanted = expected(options, begin, end);
          const chunk = part(options, begin, end);
          const form = forms[n % forms.length] as MlaForm;
          compare(options, attend({ ...chunk, cache: latents, form }), wanted);
          compare(options, attend({ ...chunk, cache: heads, form: "naive" }), wanted);
          same("lengths", [latents.length, heads.length], [end, end]);
          const key = heads.read();
          close("the keys kept", key.key, wanted.key, near(wanted.key));
          close("the values kept", key.value, wanted.value, near(wanted.value));
          begin = end;
        }
        const { latents: wanted } = expected(options, 0, qLen);
        close("the latents kept", latents.read(), wanted, near(wanted));
      } finally {
        latents.delete();
        heads.delete();
      }
    },
    150,
  );

  property("gives back what it puts into buffers", mla, (options) => {
    const wanted = attend(options);
    const { batch = 1, qLen, nHeads } = options;
    const made: { delete(): void }[] = [];
    const keep = <B extends { delete(): void }>(buffer: B): B => {
      made.push(buffer);
      return buffer;
    };
    try {
      const rows = batch * nHeads * qLen * qLen;
      const [out, weights, scores] = [wanted.out.length, rows, rows].map((length) =>
        keep(engine.f32(length)),
      );
      const inBuffers = Object.fromEntries(
        Object.entries(options).map(([name, value]) => [
          name,
          value instanceof Float32Array ? keep(engine.f32(value)) : value,
        ]),
      ) as unknown as PlainMla;
      const result = attend({
        ...inBuffers,
        ...given({ out, weights: options.weights && weights, scores: options.scores && scores }),
      });
      const { steps, ...rest } = result;
      if (Object.keys(rest).length > 0) throw new Error(`${Object.keys(rest)} came back, with buffers given`);
      if ((steps !== undefined) !== (options.steps === true)) throw new Error("steps as asked for");
      sameOutputs(
        {
          out: out?.view as Float32Array,
          ...(options.weights && weights && { weights: weights.view }),
          ...(options.scores && scores && { scores: scores.view }),
        },
        wanted,
      );
    } finally {
      for (const buffer of made) buffer.delete();
    }
  });

  property("gives each sequence what it gets alone", mla, (options) => {
    const { batch = 1, qLen } = options;
    const whole = attend(options);
    for (let b = 0; b < batch; b++) {
      const alone = (x: Float32Array) => x.subarray((b * x.length) / batch, ((b + 1) * x.length) / batch);
      const one = attend({ ...options, ...rowsOf(options, b), batch: 1, x: alone(options.x) });
      sameOutputs(one, {
        out: alone(whole.out),
        ...(whole.weights && { weights: alone(whole.weights) }),
        ...(whole.scores && { scores: alone(whole.scores) }),
      });
    }
    if (whole.out.length !== batch * qLen * options.hiddenSize) throw new Error("length");
  });

  property("lets nothing through from tokens after, if causal", fc.tuple(mla, fc.nat(8)), ([drawn, n]) => {
    const { batch = 1, qLen, hiddenSize, nHeads } = drawn;
    const options = { ...drawn, causal: true, weights: true };
    const first = n % qLen;
    const x = drawn.x.map((value, i) => (Math.floor(i / hiddenSize) % qLen > first ? Number.NaN : value));
    const [made, wanted] = [attend({ ...options, x }), attend(options)];
    const upTo = (out: Float32Array) => tokensOf(out, { batch, len: qLen }, 0, first + 1);
    same("out", upTo(made.out), upTo(wanted.out));
    const rows = (weights: Float32Array = new Float32Array()) =>
      weights.filter((_, i) => Math.floor(i / qLen) % qLen <= first);
    same("weights", rows(made.weights), rows(wanted.weights));
    if (rows(made.weights).length !== batch * nHeads * (first + 1) * qLen) throw new Error("length");
  });
});

// ---- Costs -------------------------------------------------------------------------------------------------------------

/** Product by product, and tensor by tensor: what is read of each, and what is written. */
function counted(options: MlaCostOptions) {
  const {
    hiddenSize,
    nHeads,
    qLoraRank,
    kvLoraRank,
    qkNopeHeadDim: nope,
    qkRopeHeadDim: rope,
    vHeadDim,
  } = options;
  const { form, kept = "latent", batch = 1, qLen, kvLen = qLen, causal = false } = options;
  const nothing = (): Work => ({ multiplyAdds: 0, bytes: 0 });
  const [project, expand, attend] = [nothing(), nothing(), nothing()];
  const product = (work: Work, rows: number, inDim: number, outDim: number) => {
    for (let row = 0; row < rows; row++) for (let o = 0; o < outDim; o++) work.multiplyAdds += inDim;
  };
  const moved = (work: Work, ...lengths: number[]) => {
    for (const length of lengths) work.bytes += 4 * length;
  };
  const tokens = batch * qLen;
  const qkDim = nope + rope;

  if (qLoraRank === undefined) {
    product(project, tokens, hiddenSize, nHeads * qkDim);
    moved(project, tokens * hiddenSize, hiddenSize * nHeads * qkDim, tokens * nHeads * qkDim);
  } else {
    product(project, tokens, hiddenSize, qLoraRank);
    product(project, tokens, qLoraRank, nHeads * qkDim);
    moved(project, tokens * hiddenSize, hiddenSize * qLoraRank, tokens * qLoraRank);
    moved(project, tokens * qLoraRank, qLoraRank * nHeads * qkDim, tokens * nHeads * qkDim);
  }
  // The hidden states have been read.
  product(project, tokens, hiddenSize, kvLoraRank + rope);
  moved(project, hiddenSize * (kvLoraRank + rope), tokens * (kvLoraRank + rope));
  product(project, tokens, nHeads * vHeadDim, hiddenSize);
  moved(project, tokens * nHeads * vHeadDim, nHeads * vHeadDim * hiddenSize, tokens * hiddenSize);

  const expanded = form === "absorbed" || kept === "heads" ? tokens : batch * kvLen;
  for (let h = 0; h < nHeads; h++) {
    product(expand, expanded, kvLoraRank, nope);
    product(expand, expanded, kvLoraRank, vHeadDim);
    moved(expand, nope * kvLoraRank, vHeadDim * kvLoraRank, expanded * nope, expanded * vHeadDim);
    // Each head has a query of its own in the latents' space, and its own sum of latents.
    if (form === "absorbed") moved(expand, tokens * kvLoraRank, tokens * kvLoraRank);
  }
  if (form === "naive") moved(expand, expanded * kvLoraRank);

  const [keyDim, valueDim] = form === "naive" ? [qkDim, vHeadDim] : [kvLoraRank + rope, kvLoraRank];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < nHeads; h++) {
      for (let i = 0; i < qLen; i++) {
        for (let j = 0; j < kvLen; j++) {
          if (!causal || j <= i + kvLen - qLen) product(attend, 1, 1, keyDim + valueDim);
        }
        moved(attend, keyDim, valueDim);
      }
      if (form === "naive") moved(attend, kvLen * keyDim, kvLen * valueDim);
    }
    // Latents are keys and values of all heads at once.
    if (form === "absorbed") moved(attend, kvLen * keyDim);
  }
  return { project, expand, attend };
}

interface Work {
  multiplyAdds: number;
  bytes: number;
}

describe("mlaCost", () => {
  property("is what counting one by one comes to", mlaCost, (options) => {
    const { total, ...parts } = engine.mlaCost(options);
    const wanted = counted(options);
    for (const name of ["multiplyAdds", "bytes"] as const) {
      let sum = 0;
      for (const part of ["project", "expand", "attend"] as const) {
        same(`${name} of ${part}`, [parts[part][name]], [wanted[part][name]]);
        sum += wanted[part][name];
      }
      same(`${name} together`, [total[name]], [sum]);
    }
  });
});

// ---- Absorption --------------------------------------------------------------------------------------------------------

describe("absorbRotation", () => {
  property("is the reference's, rounded once", absorbRotation, (options) => {
    const { kvLoraRank, keyUp } = options;
    const wanted = reference.absorbRotation({ ...{ firstDistance: 0, step: 1 }, ...options });
    const { absorbed, error } = engine.absorbRotation(options);
    const most = keyUp.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    // The reference adds up as many terms as there are distances, each off by what a double of its angle is.
    close("absorbed", absorbed, wanted.absorbed, 2 ** -22 * most);
    close("error", error, wanted.error, 2 ** -21);
    if (absorbed.length !== options.headDim * kvLoraRank) throw new Error("length");
  });

  property("is exact where nothing turns", absorbRotation, (options) => {
    const still = { ...options, invFreq: options.invFreq.map(() => 0) };
    const { absorbed, error } = engine.absorbRotation(still);
    same("absorbed", absorbed, options.keyUp);
    same("error", error, new Float32Array(error.length));
  });

  property("does not care which components pair up", absorbRotation, (options) => {
    const { headDim, kvLoraRank: inner, invFreq, layout } = options;
    const to = layout === "half" ? "interleaved" : "half";
    const shape = { headDim, inner, rotaryDim: 2 * invFreq.length };
    const turn = (x: Float32Array) => engine.convertRopeLayout({ x, ...shape, to });
    const [one, other] = [
      engine.absorbRotation(options),
      engine.absorbRotation({ ...options, layout: to, keyUp: turn(options.keyUp) }),
    ];
    same("absorbed", other.absorbed, turn(one.absorbed));
    // The squares are the same, but added up in another order.
    close("error", other.error, one.error, 2 ** -23 * 2);
  });
});

describe("relativeErrors", () => {
  property("is the reference's, rounded once", relativeErrors, (options) => {
    const wanted = reference.relativeErrors(options);
    close(
      "errors",
      engine.relativeErrors(options),
      wanted,
      rounded(wanted, (i) => 2 ** -48 * (wanted[i] ?? 0)),
    );
  });

  property("is nothing of what is compared with itself", relativeErrors, (options) => {
    const errors = engine.relativeErrors({ ...options, x: options.exact });
    same("errors", errors, new Float32Array(options.columns));
  });

  property(
    "does not care for scale",
    fc.tuple(relativeErrors, fc.integer({ min: -20, max: 20 })),
    ([options, n]) => {
      const times = (x: Float32Array) => x.map((value) => value * 2 ** n);
      // Away from the ends of float32, powers of two are no rounding.
      const isPlain = (value: number) =>
        value === 0 || (Math.abs(value) > 2 ** -60 && Math.abs(value) < 2 ** 70);
      if (![...options.x, ...options.exact].every(isPlain)) return;
      const scaled = engine.relativeErrors({ ...options, x: times(options.x), exact: times(options.exact) });
      same("errors", scaled, engine.relativeErrors(options));
    },
  );
});
