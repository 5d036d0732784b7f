import type { Ropewalk } from "ropewalk";
import { Pipeline } from "./pipeline.js";
import type { RopePicture } from "./rope.js";

export interface OrderSettings {
  tokens: readonly string[];
  /** Which token stands in each place. */
  order: readonly number[];
  encoding: "none" | "rotary";
  seed: number;
  causal: boolean;
  /** The token whose weights are looked at. */
  query: number;
}

export interface OrderResults {
  /** [tokens, tokens]: each token's weights over all tokens, in the order in which they were written. */
  before: Float32Array;
  /** The same as they stand now; still by token, so that each weight has its place in the tensor whatever the order. */
  now: Float32Array;
  /** The largest change of any weight, and of any of the query's. */
  change: number;
  queryChange: number;
  /** Of the tokens as they stand now. */
  rope: RopePicture;
}

const headDim = 32;
const farLength = 512;

/** The same sentence in two orders: as it was written, and as it was put. */
export class OrderPipeline {
  readonly #engine: Ropewalk;
  readonly #written: Pipeline;
  readonly #put: Pipeline;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
    this.#written = new Pipeline(engine);
    this.#put = new Pipeline(engine);
  }

  run({ tokens, order, query, ...rest }: OrderSettings): OrderResults {
    const n = tokens.length;
    const settings = {
      ...rest,
      nHeads: 1,
      headDim,
      base: 10_000,
      layout: "interleaved",
      positionOffset: 0,
    } as const;
    const focus = { head: 0, query: 0, key: 0, farLength };
    const { weights: before } = this.#written.run({ ...settings, tokens }, focus);
    const put = this.#put.run({ ...settings, tokens: order.map((token) => tokens[token] as string) }, focus);
    const now = byToken(put.weights, order);
    const row = (weights: Float32Array) => weights.slice(query * n, (query + 1) * n);
    return {
      before,
      now,
      change: this.#engine.maxAbsDifference({ a: before, b: now }),
      queryChange: this.#engine.maxAbsDifference({ a: row(before), b: row(now) }),
      rope: put.rope,
    };
  }

  /** Give the memory back. */
  delete(): void {
    this.#written.delete();
    this.#put.delete();
  }
}

/** An order in which the token in one place has changed sides with its neighbour before or after it. */
export function swapped(order: readonly number[], place: number, step: -1 | 1): readonly number[] {
  const other = place + step;
  if (other < 0 || other >= order.length) return order;
  const swap = [...order];
  [swap[place], swap[other]] = [order[other] as number, order[place] as number];
  return swap;
}

/** From [place, place] to [token, token]. */
function byToken(weights: Float32Array, order: readonly number[]): Float32Array {
  const n = order.length;
  const sorted = new Float32Array(n * n);
  order.forEach((query, i) => {
    order.forEach((key, j) => {
      sorted[query * n + key] = weights[i * n + j] as number;
    });
  });
  return sorted;
}
