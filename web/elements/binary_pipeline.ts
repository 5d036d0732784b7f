import type { Ropewalk } from "ropewalk";
import { type Stretch, stretchAround } from "./stretch.js";
import type { Strip } from "./strip.js";

/** Bits that are drawn: all that positions below `positions` have. */
export const bitPlanes = 12;
export const positions = 2 ** bitPlanes;

export interface BinarySettings {
  position: number;
  /** A second position, to compare with. */
  other: number;
  /** Positions seen at once. */
  span: number;
  /** What is seen so far: it stays if it can. */
  shown?: Stretch | undefined;
}

export interface BinaryResults {
  stretch: Stretch;
  /** Of all positions that there are. */
  far: Strip;
  /** Of all positions of the stretch; the same object for as long as that stays. */
  strip: Strip;
  /** From each position of the stretch to the next, but from the last. */
  distances: Float32Array;
  /** The digits of three positions, lowest first. */
  here: Float32Array;
  next: Float32Array;
  there: Float32Array;
  /** How many digits differ from those of the next position, and of the other. */
  flips: { next: number; there: number };
  distance: { next: number; there: number };
}

/** Positions as digits, and how far apart those are. */
export class BinaryPipeline {
  readonly #engine: Ropewalk;
  readonly #far: Strip;
  #seen: Pick<BinaryResults, "stretch" | "strip" | "distances"> | undefined;

  constructor(engine: Ropewalk) {
    this.#engine = engine;
    this.#far = this.#strip({ first: 0, span: positions });
  }

  run({ position, other, span, shown }: BinarySettings): BinaryResults {
    const engine = this.#engine;
    const [here, next, there] = [position, position + 1, other].map((one) => this.#digits([one])) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const apart = (one: number) =>
      engine.neighbourDistances({ x: this.#digits([position, one]), rows: 2, dim: bitPlanes })[0] as number;
    return {
      ...this.#stretch(stretchAround(position, span, positions, shown)),
      far: this.#far,
      ...{ here, next, there },
      flips: { next: differing(here, next), there: differing(here, there) },
      distance: { next: apart(position + 1), there: apart(other) },
    };
  }

  #digits(all: readonly number[]): Float32Array {
    return this.#engine.binaryEncoding({ positionIds: Int32Array.from(all), dim: bitPlanes });
  }

  #strip({ first, span }: Stretch): Strip {
    const values = this.#engine.binaryEncoding({ seqLen: span, positionOffset: first, dim: bitPlanes });
    return { values, columns: span, strands: bitPlanes };
  }

  #stretch(stretch: Stretch) {
    const { first, span } = stretch;
    if (this.#seen?.stretch.first === first && this.#seen.stretch.span === span) return this.#seen;
    const strip = this.#strip(stretch);
    const distances = this.#engine.neighbourDistances({ x: strip.values, rows: span, dim: bitPlanes });
    this.#seen = { stretch, strip, distances };
    return this.#seen;
  }
}

function differing(a: Float32Array, b: Float32Array): number {
  return a.reduce((count, digit, k) => count + (digit === b[k] ? 0 : 1), 0);
}
