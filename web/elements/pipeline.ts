import type { F32Buffer, Positions, RopeLayout, Ropewalk } from "ropewalk";
import type { Polar } from "./dials.js";
import { grouped } from "./figure.js";
import type { Selection } from "./picture.js";
import type { RopePicture } from "./rope.js";
import { tokenId } from "./tokens.js";
import type { Vectors } from "./vectors.js";
import { words } from "./words/en/rope.js";

/** The rungs of the lecture's ladder. */
export const encodings = ["none", "integer", "binary", "sinusoidal", "rotary"] as const;
export type Encoding = (typeof encodings)[number];

export interface Settings {
  tokens: readonly string[];
  encoding: Encoding;
  seed: number;
  nHeads: number;
  headDim: number;
  /** Of the frequencies: the sinusoidal encoding's base, rotary's theta. */
  base: number;
  layout: RopeLayout;
  causal: boolean;
  /** Where the first token stands. */
  positionOffset: number;
  /** Queries and keys, [tokens, nHeads · headDim], in place of the seeded ones. */
  pasted?: { query: Vectors; key: Vectors } | undefined;
}

/** What is looked at: one head, one query, one key, and how far off the rope is seen. */
export interface Focus extends Selection {
  head: number;
  farLength: number;
}

/** All that the pictures show. */
export interface Results {
  /** [tokens, tokens]: the chosen head's weights, a row for each query. */
  weights: Float32Array;
  /** Largest change of any weight of any head against the sentence at position 0. */
  change: number;
  /** The chosen query's length before position came in, and after. */
  length: { before: number; after: number };
  /** The chosen query's pairs, before and after. */
  before: Polar;
  after: Polar;
  /** What each pair gives to the score of the chosen query with the chosen key. */
  pairScores: Float32Array;
  score: number;
  rope: RopePicture;
}

/** The tensors of the flow, in the order in which they are computed. */
export const stages = [
  "embedding",
  "position",
  "input",
  "query",
  "key",
  "value",
  "placed-query",
  "placed-key",
  "scores",
  "weights",
  "out",
] as const;
export type Stage = (typeof stages)[number];

/** One tensor of the flow; of those with heads the chosen head's part. */
export interface FlowTensor {
  /** Of the whole tensor, all heads. */
  shape: readonly number[];
  columns: number;
  /** [tokens, columns], where the sentence stands, and with its first token at position 0. */
  here: Float32Array;
  still: Float32Array;
  /** Angles of the pairs, of what is turned: [tokens, columns / 2]. */
  angles?: { here: Float32Array; still: Float32Array };
  /** Largest difference between the two, in all heads. */
  change: number;
}

/** The sentence as it is computed: what is not there is not computed under this encoding. */
export interface Flow {
  /** Where position enters: before everything, inside attention, or nowhere. */
  entry: "data" | "attention" | "none";
  tensors: Partial<Record<Stage, FlowTensor>>;
}

/** Queries, keys and values before any position, and what made them. */
interface Content {
  x: F32Buffer;
  query: F32Buffer;
  key: F32Buffer;
  value: F32Buffer;
  queryWeight: F32Buffer;
  keyWeight: F32Buffer;
  valueWeight: F32Buffer;
  name: "content";
  /** Another one when the values are others. */
  version: string | undefined;
}

/** The sentence at one place: what position has changed, and what comes of it. */
interface Attended {
  input: F32Buffer;
  query: F32Buffer;
  key: F32Buffer;
  value: F32Buffer;
  scores: F32Buffer;
  weights: F32Buffer;
  out: F32Buffer;
  name: "still" | "moved";
  /** Another one when the values are others. */
  version: string | undefined;
}

type Turns = ReturnType<Ropewalk["buildRopeCache"]>;

/** Streams of the seed: the projections to queries, to keys and to values. */
const queryStream = 0;
const keyStream = 1;
const valueStream = 2;

/** Columns of the near strip for each token: an odd number, so that the middle one is the token's own position. */
const samplesPerToken = (n: number) => (n <= 73 ? 7 : n <= 170 ? 3 : 1);
const farColumns = 1024;
/** Bit planes that are drawn: all that positions up to a hundred thousand reach. */
const bitPlanes = 17;

/**
 * Tokens → embeddings → queries and keys → position → attention, every step by the kernels, in buffers that are kept
 * from frame to frame. A step is done again only when something that it reads has changed.
 */
export class Pipeline {
  readonly #engine: Ropewalk;
  readonly #buffers = new Map<string, F32Buffer>();
  readonly #done = new Map<string, string>();
  readonly #identities = new WeakMap<object, number>();
  readonly #results = new Map<string, unknown>();
  #objects = 0;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
  }

  run(settings: Settings, focus: Focus): Results {
    const { nHeads, headDim } = settings;
    const { n, dim, content, still, here } = this.#both(settings);
    const at = focus.query * nHeads + focus.head;
    const before = vector(content.query, at, headDim);
    const after = vector(here.query, at, headDim);
    const key = vector(here.key, focus.key * nHeads + focus.head, headDim);
    const norm = (x: Float32Array) => this.#engine.rowNorms({ x, rows: 1, dim: headDim })[0] as number;
    const layout = settings.layout;
    const pairScores = this.#engine.pairScores({ query: after, key, layout });
    return {
      weights: here.weights.view.slice(focus.head * n * n, (focus.head + 1) * n * n),
      change: this.#engine.maxAbsDifference({ a: still.weights, b: here.weights }),
      length: { before: norm(before), after: norm(after) },
      before: this.#engine.pairPolar({ x: before, layout }),
      after: this.#engine.pairPolar({ x: after, layout }),
      pairScores,
      score: this.#sum(pairScores),
      rope: this.#rope(settings, n, dim, focus.farLength),
    };
  }

  /**
   * Every tensor on the way from embedding to output. What `run` has computed is not computed again, and what has not
   * changed since the last call is the very same array.
   */
  flow(settings: Settings, head: number): Flow {
    const { encoding, nHeads, headDim, layout, pasted } = settings;
    const { n, dim, content, still, here } = this.#both(settings);
    const entry = encoding === "none" ? "none" : encoding === "rotary" || pasted ? "attention" : "data";
    type Tensors<T> = { [Name in keyof T]: T[Name] extends F32Buffer ? Name : never }[keyof T];
    /** One tensor of the sentence at both places; `part` is what is drawn of it. */
    const tensor = <T extends Content | Attended>(
      a: T,
      b: T,
      name: Tensors<T> & string,
      shape: readonly number[],
      columns: number,
      part: (all: Float32Array) => Float32Array,
    ): FlowTensor => {
      const copy = (from: T) => {
        const buffer = from[name] as F32Buffer;
        return this.#kept(`${from.name} ${name}`, [from.version, head], () => part(buffer.view));
      };
      const [atA, atB] = [a[name] as F32Buffer, b[name] as F32Buffer];
      const change = a === b ? 0 : this.#engine.maxAbsDifference({ a: atA, b: atB });
      return { shape, columns, still: copy(a), here: copy(b), change };
    };
    const whole = <T extends Content | Attended>(a: T, b: T, name: Tensors<T> & string) =>
      tensor(a, b, name, [n, dim], dim, (all) => all.slice());
    const heads = <T extends Content | Attended>(a: T, b: T, name: Tensors<T> & string) =>
      tensor(a, b, name, [nHeads, n, headDim], headDim, (all) => ofHead(all, head, nHeads, headDim));
    const square = (name: "scores" | "weights") =>
      tensor(still, here, name, [nHeads, n, n], n, (all) => all.slice(head * n * n, (head + 1) * n * n));
    const turned = (name: "query" | "key"): FlowTensor => {
      const moved = heads(still, here, name);
      if (encoding !== "rotary") return moved;
      const angles = (from: Attended, x: Float32Array) =>
        this.#kept(
          `${from.name} ${name} angles`,
          [from.version, head],
          () => this.#engine.pairPolar({ x, layout }).angle,
        );
      return { ...moved, angles: { still: angles(still, moved.still), here: angles(here, moved.here) } };
    };
    // What is projected, before anything happens to it inside attention.
    const projected = (name: "query" | "key") =>
      entry === "attention" ? heads(content, content, name) : heads(still, here, name);
    return {
      entry,
      tensors: {
        ...(pasted === undefined && {
          embedding: whole(content, content, "x"),
          input: whole(still, here, "input"),
        }),
        ...(entry !== "none" && { position: this.#entering(settings, n, dim) }),
        query: projected("query"),
        key: projected("key"),
        value: heads(still, here, "value"),
        ...(entry === "attention" && { "placed-query": turned("query"), "placed-key": turned("key") }),
        scores: square("scores"),
        weights: square("weights"),
        out: heads(still, here, "out"),
      },
    };
  }

  /** The sentence where it stands, and at position 0, against which it is held. */
  #both(settings: Settings) {
    const n = settings.tokens.length;
    const dim = settings.nHeads * settings.headDim;
    const content = this.#content(settings, n, dim);
    const still = this.#attention("still", content, { ...settings, positionOffset: 0 }, n, dim);
    const here = settings.positionOffset === 0 ? still : this.#attention("moved", content, settings, n, dim);
    return { n, dim, content, still, here };
  }

  /** What enters: the encoding that is added, or the angles that are turned by. */
  #entering(settings: Settings, n: number, dim: number): FlowTensor {
    const { encoding, headDim, base, positionOffset } = settings;
    const rotaryDim = encoding === "rotary" ? headDim : dim;
    const pairs = rotaryDim / 2;
    const invFreq = this.#engine.ropeInvFreq({ rotaryDim, ropeTheta: base });
    const anglesFrom = (firstPosition: number) =>
      this.#kept(`angles at ${placeOf(firstPosition)}`, [n, rotaryDim, base, firstPosition], () =>
        this.#engine.ropeAngles({ firstPosition, count: n, invFreq }),
      );
    const angles = () => ({ still: anglesFrom(0), here: anglesFrom(positionOffset) });
    const change = (a: Float32Array, b: Float32Array) => this.#engine.maxAbsDifference({ a, b });
    if (encoding !== "rotary") {
      const from = (offset: number) => this.#encoding(settings, n, dim, offset);
      const [still, here] = [from(0), from(positionOffset)];
      const tensor = { shape: [n, dim], columns: dim, still, here, change: change(still, here) };
      return encoding === "sinusoidal" ? { ...tensor, angles: angles() } : tensor;
    }
    const [a, b] = [0, positionOffset].map((offset) => this.#turns(settings, n, offset)) as [Turns, Turns];
    // A whole hand for each angle: its length says nothing.
    const hands = this.#kept("hands", [n, pairs], () => new Float32Array(n * pairs * 2).fill(1));
    return {
      shape: [n, pairs],
      columns: rotaryDim,
      still: hands,
      here: hands,
      angles: angles(),
      change: Math.max(change(a.cos, b.cos), change(a.sin, b.sin)),
    };
  }

  /** Give the memory back. */
  delete(): void {
    for (const buffer of this.#buffers.values()) buffer.delete();
    this.#buffers.clear();
    this.#results.clear();
    this.#done.clear();
  }

  /** Embeddings, and the queries and keys that they give without any position. */
  #content(settings: Settings, n: number, dim: number): Content {
    const { seed, tokens, pasted } = settings;
    const x = this.#buffer("x", n * dim);
    const query = this.#buffer("query", n * dim);
    const key = this.#buffer("key", n * dim);
    const value = this.#buffer("value", n * dim);
    const queryWeight = this.#buffer("query weight", dim * dim);
    const keyWeight = this.#buffer("key weight", dim * dim);
    const valueWeight = this.#buffer("value weight", dim * dim);
    const vectors = { x, query, key, value };
    const projections = { queryWeight, keyWeight, valueWeight };
    const content = (): Content => ({
      ...vectors,
      ...projections,
      name: "content",
      version: this.#done.get("content"),
    });
    if (pasted !== undefined) {
      this.#once("content", ["pasted", this.#identity(pasted)], () => {
        query.view.set(pasted.query.values);
        key.view.set(pasted.key.values);
        // Nobody pasted values: the keys stand in for them.
        value.view.set(pasted.key.values);
      });
      return content();
    }
    this.#once("weights", [seed, dim], () => {
      const shape = { seed, outDim: dim, inDim: dim };
      this.#engine.seededProjection({ ...shape, stream: queryStream, out: queryWeight });
      this.#engine.seededProjection({ ...shape, stream: keyStream, out: keyWeight });
      this.#engine.seededProjection({ ...shape, stream: valueStream, out: valueWeight });
    });
    this.#once("content", [this.#identity(tokens), seed, dim], () => {
      const tokenIds = Int32Array.from(tokens, tokenId);
      this.#engine.seededEmbedding({ tokenIds, dim, seed, out: x });
      this.#project(x, queryWeight, query, n, dim);
      this.#project(x, keyWeight, key, n, dim);
      this.#project(x, valueWeight, value, n, dim);
    });
    return content();
  }

  #project(x: F32Buffer, weight: F32Buffer, out: F32Buffer, rows: number, dim: number): void {
    this.#engine.linear({ x, weight, rows, inDim: dim, outDim: dim, out });
  }

  /** The sentence with its positions, and what attention makes of it. `name` keeps two states apart. */
  #attention(name: Attended["name"], content: Content, settings: Settings, n: number, dim: number): Attended {
    const { nHeads, headDim, causal } = settings;
    const buffers = {
      input: this.#buffer(`${name} input`, n * dim),
      query: this.#buffer(`${name} query`, n * dim),
      key: this.#buffer(`${name} key`, n * dim),
      value: this.#buffer(`${name} value`, n * dim),
      scores: this.#buffer(`${name} scores`, nHeads * n * n),
      weights: this.#buffer(`${name} weights`, nHeads * n * n),
      out: this.#buffer(`${name} out`, n * dim),
    };
    const { tokens: _, pasted: __, seed: ___, ...rest } = settings;
    this.#once(`${name} attention`, [rest, n, content.version], () => {
      this.#position(content, settings, buffers, n, dim);
      const shape = { qLen: n, nHeads, headDim, causal } as const;
      this.#engine.attention({ ...buffers, ...shape, scoreStage: "raw" });
    });
    return { ...buffers, name, version: this.#done.get(`${name} attention`) };
  }

  /** Where the encodings differ: added to the embedding, added to pasted vectors, or turning query and key. */
  #position(
    content: Content,
    settings: Settings,
    to: Pick<Attended, "input" | "query" | "key" | "value">,
    n: number,
    dim: number,
  ): void {
    const { encoding, nHeads, headDim, layout, positionOffset, pasted } = settings;
    const { input: x, query, key, value } = to;
    x.view.set(content.x.view);
    query.view.set(content.query.view);
    key.view.set(content.key.view);
    value.view.set(content.value.view);
    if (encoding === "none") return;
    if (encoding === "rotary") {
      const cache = this.#turns(settings, n, positionOffset);
      for (const turned of [query, key]) {
        this.#engine.applyRope({ x: turned, ...cache, seqLen: n, nHeads, headDim, layout });
      }
      return;
    }
    const added = this.#encoding(settings, n, dim, positionOffset);
    if (pasted !== undefined) {
      // There is no embedding to add to, and no projection after it.
      this.#engine.addEncoding({ encoding: added, x: query, dim });
      this.#engine.addEncoding({ encoding: added, x: key, dim });
      return;
    }
    this.#engine.addEncoding({ encoding: added, x, dim });
    this.#project(x, content.queryWeight, query, n, dim);
    this.#project(x, content.keyWeight, key, n, dim);
    this.#project(x, content.valueWeight, value, n, dim);
  }

  /** Cosines and sines that tokens are turned by which stand from `positionOffset` on. */
  #turns({ headDim, base }: Settings, seqLen: number, positionOffset: number): Turns {
    return this.#kept(`turns at ${placeOf(positionOffset)}`, [headDim, base, seqLen, positionOffset], () => {
      const invFreq = this.#engine.ropeInvFreq({ rotaryDim: headDim, ropeTheta: base });
      return this.#engine.buildRopeCache({ seqLen, positionOffset, invFreq });
    });
  }

  /** What is added to tokens that stand from `positionOffset` on. */
  #encoding({ encoding, base }: Settings, seqLen: number, dim: number, positionOffset: number): Float32Array {
    const positions = { seqLen, positionOffset, dim };
    return this.#kept(`encoding at ${placeOf(positionOffset)}`, [encoding, base, positions], () => {
      if (encoding === "integer") return this.#engine.integerEncoding(positions);
      if (encoding === "binary") return this.#engine.binaryEncoding(positions);
      return this.#engine.sinusoidalEncoding({ ...positions, base });
    });
  }

  /** The encoding itself as a picture: over the sentence, and from further off. */
  #rope(settings: Settings, n: number, dim: number, farLength: number): RopePicture {
    const { encoding, positionOffset, headDim, base } = settings;
    if (encoding === "none") return { kind: "none" };
    if (encoding === "rotary" || encoding === "sinusoidal") {
      const rotaryDim = encoding === "rotary" ? headDim : dim;
      const invFreq = this.#engine.ropeInvFreq({ rotaryDim, ropeTheta: base });
      const strip = (firstPosition: number, step: number, columns: number) => ({
        values: this.#engine.ropeAngles({ firstPosition, step, count: columns, invFreq }),
        columns,
        strands: rotaryDim / 2,
      });
      const samples = samplesPerToken(n);
      const step = 1 / samples;
      return {
        kind: "angle",
        // A token's box is centred on its position.
        near: strip(positionOffset - 0.5 + step / 2, step, n * samples),
        far: this.#kept("far", [encoding, rotaryDim, base, farLength], () =>
          strip(0, farLength / farColumns, farColumns),
        ),
        farLength,
        wavelengths: invFreq.map((frequency) => (2 * Math.PI) / frequency),
      };
    }
    const far = Int32Array.from({ length: farColumns }, (_, c) => Math.floor((c * farLength) / farColumns));
    if (encoding === "binary") {
      const strip = (positions: Positions, columns: number) => ({
        values: this.#engine.binaryEncoding({ ...positions, dim: bitPlanes }),
        columns,
        strands: bitPlanes,
      });
      return {
        kind: "level",
        near: strip({ seqLen: n, positionOffset }, n),
        far: this.#kept("far", [encoding, farLength], () => {
          const { values, ...shape } = strip({ positionIds: far }, farColumns);
          // Planes that flip within a column show as the grey that they blur to.
          const blurred = (i: number) => 2 ** (i % bitPlanes) < farLength / farColumns;
          return { values: values.map((value, i) => (blurred(i) ? 0.5 : value)), ...shape };
        }),
        farLength,
        labels: {
          first: words.strands.binary.first,
          last: words.strands.binary.last(bitPlanes - 1, grouped(2 ** (bitPlanes - 1))),
        },
      };
    }
    const ramp = (positions: Positions, columns: number, last: number) => ({
      values: this.#engine.integerEncoding({ ...positions, dim: 1 }).map((value) => value / last),
      columns,
      strands: 1,
    });
    return {
      kind: "level",
      // Dark is where the sentence ends, near, and where the strip ends, far off.
      near: ramp({ seqLen: n, positionOffset }, n, Math.max(1, positionOffset + n - 1)),
      far: this.#kept("far", [encoding, farLength], () => ramp({ positionIds: far }, farColumns, farLength)),
      farLength,
      labels: {
        first: words.strands.integer.first(grouped(positionOffset)),
        last: words.strands.integer.last(grouped(positionOffset + n - 1)),
      },
    };
  }

  /** What `make` gives: the same object for as long as its inputs are the same, so that nobody draws it anew. */
  #kept<T>(name: string, inputs: unknown, make: () => T): T {
    this.#once(name, inputs, () => this.#results.set(name, make()));
    return this.#results.get(name) as T;
  }

  #sum(parts: Float32Array): number {
    const weight = new Float32Array(parts.length).fill(1);
    return this.#engine.linear({ x: parts, weight, rows: 1, inDim: parts.length, outDim: 1 })[0] as number;
  }

  /** The buffer of that name, made anew when its length changes: then nothing counts as done any more. */
  #buffer(name: string, length: number): F32Buffer {
    const known = this.#buffers.get(name);
    if (known?.length === length) return known;
    known?.delete();
    this.#done.clear();
    const made = this.#engine.f32(length);
    this.#buffers.set(name, made);
    return made;
  }

  /** Do `work` unless it was last done with the same inputs. */
  #once(name: string, inputs: unknown, work: () => void): void {
    const version = JSON.stringify(inputs);
    if (this.#done.get(name) === version) return;
    this.#done.delete(name);
    work();
    this.#done.set(name, version);
  }

  /** A number for an object that is never changed, by which to tell whether it is still the same one. */
  #identity(object: object): number {
    const known = this.#identities.get(object) ?? ++this.#objects;
    this.#identities.set(object, known);
    return known;
  }
}

/** The sentence at position 0, which stays, and the one that is moved: of each kind of result both are kept. */
function placeOf(positionOffset: number): Attended["name"] {
  return positionOffset === 0 ? "still" : "moved";
}

/** Row `index` of a buffer of vectors, as a copy: views do not outlive the next call. */
function vector(buffer: F32Buffer, index: number, headDim: number): Float32Array {
  return buffer.view.slice(index * headDim, (index + 1) * headDim);
}

/** One head of [rows, nHeads, headDim], as a copy. */
function ofHead(all: Float32Array, head: number, nHeads: number, headDim: number): Float32Array {
  const rows = all.length / (nHeads * headDim);
  const taken = new Float32Array(rows * headDim);
  for (let row = 0; row < rows; ++row) {
    const from = (row * nHeads + head) * headDim;
    for (let i = 0; i < headDim; ++i) taken[row * headDim + i] = all[from + i] as number;
  }
  return taken;
}
