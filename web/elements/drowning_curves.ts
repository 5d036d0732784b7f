import {
  type ScaleLinear,
  type ScaleLogarithmic,
  type ScaleSymLog,
  scaleLinear,
  scaleLog,
  scaleSymlog,
} from "d3-scale";
import { line } from "d3-shape";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { Chart, chart, cursor, narrow } from "./chart.js";
import { figure } from "./drowning.js";
import { grouped } from "./figure.js";
import { furthest, type IntegerResults, lost, same, stops } from "./integer_pipeline.js";
import { fixed, PositionEvent } from "./picture.js";
import { hiddenTable } from "./table.js";
import { words as all } from "./words/en/integer.js";

const words = all.drowningCurves;
const margin = { top: 44, right: 12, bottom: 40, left: 52 };
const powers = [0, 1, 10, 100, 1000, 10_000, 100_000];

interface Layout {
  width: number;
  height: number;
  lengthHeight: number;
  x: ScaleSymLog<number, number>;
  cosine: ScaleLinear<number, number>;
  length: ScaleLogarithmic<number, number>;
}

/** What is left of a word, and how long it has become, from position to position. */
export class RopewalkDrowningCurves extends Chart {
  static override styles = [
    chart,
    css`
      h3 {
        margin: 0 0 4px;
        color: var(--soft);
        font: 500 13px / 1.4 var(--label);
      }

      .curve {
        fill: none;
        stroke: var(--ink);
        stroke-width: 2;
      }

      .curve.alike {
        stroke-dasharray: 5 4;
      }

      .mark {
        stroke: var(--soft);
        stroke-dasharray: 2 3;
      }

      text.mark {
        stroke: none;
        fill: var(--ink);
      }

      .at {
        stroke: var(--ink);
        stroke-width: 1.5;
      }

      .dot {
        fill: var(--ink);
        stroke: var(--panel);
        stroke-width: 1.5;
      }
    `,
  ];

  @property({ attribute: false }) results: IntegerResults | undefined;
  @property({ type: Number }) position = 0;
  /** The two words, as they are shown. */
  @property() word = "";
  @property() other = "";

  #layout: Layout | undefined;

  protected override get last() {
    return stops.length - 1;
  }

  protected override pointAt(x: number) {
    return this.#layout && nearestStop(this.#layout.x.invert(x));
  }

  protected override willUpdate(changed: PropertyValues): void {
    const { results, width } = this;
    if (results === undefined || width === 0) return;
    if (changed.has("results")) this.settle();
    const { cosine, alike, length } = results.curves;
    const height = 250;
    const lengthHeight = 150;
    const least = [...cosine, ...alike].reduce((a, b) => Math.min(a, b), 0);
    this.#layout = {
      width,
      height,
      lengthHeight,
      x: scaleSymlog()
        .constant(1)
        .domain([0, furthest])
        .range([margin.left, width - margin.right]),
      cosine: scaleLinear()
        .domain([Math.floor(least * 5) / 5, 1])
        .range([height - 10, margin.top]),
      length: scaleLog()
        .domain([length.reduce((a, b) => Math.min(a, b)), length.reduce((a, b) => Math.max(a, b))])
        .range([lengthHeight - margin.bottom, 10]),
    };
  }

  protected override render() {
    const { results, position, at: stop } = this;
    const layout = this.#layout;
    if (results === undefined || layout === undefined) return nothing;
    const { width, height, lengthHeight, x, cosine, length } = layout;
    const { curves } = results;
    const curve = (values: Float32Array, y: (value: number) => number) =>
      line<number>((_, i) => x(stops[i] as number), y)(Array.from(values)) ?? "";
    const looked = stop === undefined ? undefined : x(stops[stop] as number);
    const here = (top: number, bottom: number) =>
      svg`<line class="at" x1=${x(position)} x2=${x(position)} y1=${top} y2=${bottom}></line>`;
    const dot = (y: number) => svg`<circle class="dot" cx=${x(position)} cy=${y} r="5"></circle>`;
    return html`
      ${this.renderChart(
        words.label,
        html`<h3>${words.cosines(this.word, this.other)}</h3>
        <svg width=${width} height=${height} aria-hidden="true">
          <g class="cosine"></g>
          ${this.#renderMark(layout, results.lostFrom, (from) => words.lost(lost, from), 12)}
          ${this.#renderMark(layout, results.sameFrom, (from) => words.same(same, from), 30)}
          <path class="curve own" d=${curve(curves.cosine, cosine)}></path>
          <path class="curve alike" d=${curve(curves.alike, cosine)}></path>
          ${here(margin.top, height - 10)}
          ${cursor(looked, margin.top, height - 10)}
          ${dot(cosine(results.cosine))}${dot(cosine(results.alike))}
        </svg>
        <h3>${words.length(this.word)}</h3>
        <svg width=${width} height=${lengthHeight} aria-hidden="true">
          <g class="length"></g>
          <g class="x"></g>
          <path class="curve length-of" d=${curve(curves.length, length)}></path>
          ${here(10, lengthHeight - margin.bottom)}
          ${cursor(looked, 10, lengthHeight - margin.bottom)}
          ${dot(length(results.lengths[2] as number))}
          <text x=${width - margin.right} y=${lengthHeight - 2} text-anchor="end">${words.position}</text>
        </svg>`,
      )}
      ${this.renderReadout(words.hint)}
      ${guard([this.settled], () => this.#renderTable(results))}
    `;
  }

  /** Where something begins, said above it; at the right there is no room to its right. */
  #renderMark(
    { x, width, height }: Layout,
    from: number | undefined,
    text: (from: string) => string,
    y: number,
  ) {
    if (from === undefined) return nothing;
    const at = x(from);
    const isLate = at > width / 2;
    return svg`
      <line class="mark" x1=${at} x2=${at} y1=${y - 8} y2=${height - 10}></line>
      <text class="mark halo" x=${at + (isLate ? -5 : 5)} y=${y} text-anchor=${isLate ? "end" : "start"}>${text(grouped(from))}</text>`;
  }

  protected override firstUpdated(): void {
    this.addEventListener("click", (event) => {
      const box = this.renderRoot.querySelector(".chart")?.getBoundingClientRect();
      if (box === undefined || event.clientY > box.bottom) return;
      this.#pick(this.pointAt(event.clientX - box.left));
    });
    this.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#pick(this.at);
    });
  }

  #pick(stop: number | undefined): void {
    const position = stop === undefined ? undefined : stops[stop];
    if (position !== undefined) this.dispatchEvent(new PositionEvent(position));
  }

  protected override updated(): void {
    if (this.#layout === undefined) return;
    const { width, x, cosine, length } = this.#layout;
    const longest = length.domain()[1] ?? 0;
    this.drawLeft(x, cosine, cosine.ticks(5), (value) => fixed(value, 1), "cosine");
    this.drawLeft(
      x,
      length,
      powers.filter((value) => value >= 10 && value <= longest),
      grouped,
      "length",
    );
    this.drawBottom(x, length, powers, (value) =>
      width < narrow && value > 1000 ? words.thousands(value / 1000) : grouped(value),
    );
    // The last number ends where the chart does.
    const last = this.renderRoot.querySelector(".x .tick:last-of-type text");
    last?.setAttribute("text-anchor", "end");
    last?.setAttribute("dx", "8");
  }

  protected override sentence(stop: number): string {
    const { results } = this;
    if (results === undefined) return "";
    const { cosine, alike, length } = results.curves;
    return words.sentence(
      grouped(stops[stop] as number),
      this.word,
      fixed(cosine[stop] as number, 3),
      this.other,
      fixed(alike[stop] as number, 3),
      figure(length[stop] as number),
    );
  }

  #renderTable({ curves }: IntegerResults) {
    if (this.settled === 0) return nothing;
    const { table } = words;
    return hiddenTable(
      table.caption(this.word),
      [table.position, table.length, table.cosine, table.alike(this.other)],
      powers.map((position) => {
        const i = stops.indexOf(position);
        return [
          position,
          figure(curves.length[i] as number),
          fixed(curves.cosine[i] as number, 4),
          fixed(curves.alike[i] as number, 4),
        ];
      }),
    );
  }
}

/** The stop that is nearest to a position, by their ratio. */
export function nearestStop(position: number): number {
  const away = (i: number) => Math.abs(Math.log1p(Math.max(0, position)) - Math.log1p(stops[i] as number));
  return stops.reduce((best, _, i) => (away(i) < away(best) ? i : best), 0);
}
