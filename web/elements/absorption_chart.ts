import { type ScaleLinear, type ScaleSymLog, scaleLinear, scaleSymlog } from "d3-scale";
import { line } from "d3-shape";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import type { AbsorptionResults } from "./absorption_pipeline.js";
import { Chart, chart, cursor, narrow } from "./chart.js";
import { exponential } from "./figure.js";
import { fixed } from "./picture.js";
import { hiddenTable } from "./table.js";
import { words as absorption } from "./words/en/absorption.js";

const words = absorption.chart;

const margin = { top: 22, right: 14, bottom: 38, left: 54 };
/** Near distances are told apart, far ones are all there. */
const shownDistances = [0, 4, 16, 64, 256, 1023];

interface Layout {
  width: number;
  height: number;
  x: ScaleSymLog<number, number>;
  score: ScaleLinear<number, number>;
  error: ScaleLinear<number, number>;
}

/** By distance: a true score and what one matrix makes of it; below, the errors of all scores, rotated and decoupled. */
export class RopewalkAbsorptionChart extends Chart {
  static override styles = [
    chart,
    css`
      h3 {
        margin: 14px 0 0;
        color: var(--soft);
        font: 500 13px / 1.4 var(--label);
      }

      .fitted {
        fill: color-mix(in oklab, var(--soft) 11%, transparent);
      }

      .curve {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
        stroke-linejoin: round;
      }

      .flat {
        stroke-dasharray: 5 4;
      }

      .decoupled {
        stroke: var(--soft);
      }
    `,
  ];

  @property({ attribute: false }) results: AbsorptionResults | undefined;

  #layout: Layout | undefined;

  protected override readonly page = 64;

  protected override get last() {
    return (this.results?.count ?? 1) - 1;
  }

  protected override pointAt(x: number) {
    return this.#layout && Math.round(this.#layout.x.invert(x));
  }

  protected override willUpdate(changed: PropertyValues): void {
    const { results, width } = this;
    if (results === undefined || width === 0) return;
    if (changed.has("results")) this.settle();
    const height = width < narrow ? 190 : 220;
    const scores = [...results.score, results.absorbedScore];
    const x = scaleSymlog()
      .constant(4)
      .domain([0, results.count - 1])
      .range([margin.left, width - margin.right]);
    this.#layout = {
      width,
      height,
      x,
      score: scaleLinear()
        .domain([Math.min(...scores), Math.max(...scores)])
        .nice()
        .range([height - margin.bottom, margin.top]),
      error: scaleLinear()
        .domain([0, 1.6])
        .range([height - margin.bottom, margin.top]),
    };
  }

  protected override render() {
    const { results, at: distance } = this;
    const layout = this.#layout;
    if (results === undefined || layout === undefined) return nothing;
    const { width, height, x, score, error } = layout;
    const { contextLen } = results;
    const bottom = height - margin.bottom;
    const curve = (values: ArrayLike<number>, y: (value: number) => number) =>
      line<number>((_, i) => x(i), y)(Array.from(values)) ?? "";
    const shade = svg`<rect class="fitted" x=${margin.left} y=${margin.top}
      width=${Math.max(2, x(Math.min(contextLen, results.count) - 1) - margin.left)} height=${bottom - margin.top}></rect>`;
    const looked = cursor(distance === undefined ? undefined : x(distance), margin.top, bottom);
    return html`
      ${this.renderChart(
        words.label,
        html`<h3>${words.score}</h3>
        <svg width=${width} height=${height} aria-hidden="true">
          ${shade}
          <g class="score"></g>
          <path class="curve" d=${curve(results.score, score)}></path>
          <line class="curve flat" x1=${margin.left} x2=${width - margin.right}
            y1=${score(results.absorbedScore)} y2=${score(results.absorbedScore)}></line>
          <text x=${width - margin.right} y="12" text-anchor="end">${words.dashed}</text>
          ${looked}
        </svg>
        <h3>${words.error}</h3>
        <svg width=${width} height=${height} aria-hidden="true">
          ${shade}
          <g class="error"></g>
          <g class="x"></g>
          <path class="curve" d=${curve(results.rotary, error)}></path>
          <path class="curve decoupled" d=${curve(results.decoupled, error)}></path>
          <text x=${width - margin.right} y="12" text-anchor="end">${words.rotated}</text>
          <text class="halo" x=${margin.left + 8} y=${error(0) - 8}>${words.decoupled(exponential(Math.max(...results.decoupled)))}</text>
          <text x=${width - margin.right} y=${height - 2} text-anchor="end">${words.x}</text>
          ${looked}
        </svg>`,
      )}
      ${this.renderReadout(words.hint)}
      ${guard([this.settled], () => this.#renderTable(results))}
    `;
  }

  protected override updated(): void {
    if (this.#layout === undefined) return;
    const { x, score, error } = this.#layout;
    this.drawBottom(x, error, shownDistances);
    this.drawLeft(x, score, score.ticks(4), score.tickFormat(4), "score");
    this.drawLeft(x, error, error.ticks(4), (value) => `${Math.round(100 * value)} %`, "error");
  }

  protected override sentence(distance: number): string {
    const { results } = this;
    if (results === undefined) return "";
    const { rotary, decoupled, score, absorbedScore } = results;
    return words.at(
      distance,
      fixed(score[distance] as number, 3),
      fixed(absorbedScore, 3),
      percent(rotary[distance] as number),
      exponential(decoupled[distance] as number),
    );
  }

  #renderTable(results: AbsorptionResults) {
    if (this.settled === 0) return nothing;
    const shown = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, results.count - 1];
    return hiddenTable(
      words.table.caption(results.contextLen),
      [words.table.distance, words.table.score, words.table.rotated, words.table.decoupled],
      shown.map((distance) => [
        distance,
        fixed(results.score[distance] as number, 3),
        percent(results.rotary[distance] as number),
        exponential(results.decoupled[distance] as number),
      ]),
    );
  }
}

export function percent(part: number): string {
  return `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;
}
