import { type ScaleLinear, scaleLinear } from "d3-scale";
import { property } from "lit/decorators.js";
import { Chart, narrow } from "./chart.js";
import { PairEvent } from "./picture.js";

/** A chart whose points are the pairs of a head; whoever owns the state decides which is looked at. */
export abstract class PairChart extends Chart {
  /** The pair that is looked at. */
  @property({ attribute: false }) pair: number | undefined;

  protected override get current() {
    return this.pair;
  }

  protected override lookAt(pair: number | undefined) {
    if (pair !== this.pair) this.dispatchEvent(new PairEvent(pair));
  }
}

/** Pairs from the left to the right, each with as much room. */
export function pairScale(pairs: number, left: number, right: number): ScaleLinear<number, number> {
  return scaleLinear()
    .domain([-0.5, pairs - 0.5])
    .range([left, right]);
}

/** The pairs that have a tick. */
export function pairTicks(x: ScaleLinear<number, number>, pairs: number, width: number): number[] {
  return x
    .ticks(Math.min(pairs, width < narrow ? 5 : 9))
    .filter((value) => Number.isInteger(value) && value >= 0 && value < pairs);
}
