import { type ScaleLinear, type ScaleLogarithmic, scaleLog } from "d3-scale";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { chart, cursor, narrow } from "./chart.js";
import { figure } from "./figure.js";
import { measureIn } from "./labels.js";
import { PairChart, pairScale, pairTicks } from "./pair_chart.js";
import { round } from "./picture.js";
import { hiddenTable } from "./table.js";
import { words as longer } from "./words/en/longer.js";

const words = longer.slowdown;

/** One way of slowing pairs down. */
export interface Line {
  name: string;
  /** As `stroke-dasharray` has it; "" for a line in one piece. */
  dash: string;
  /** For each pair, how many times as long it takes for a turn. */
  values: Float64Array;
  /** Positions for a turn. */
  wavelength: Float64Array;
}

const margin = { top: 26, right: 12, bottom: 40, left: 40 };
/** The same at all lengths, so that lines grow with the length: dynamic NTK at 32 trained lengths needs most. */
const most = 100;
const labelHeight = 16;

interface Layout {
  width: number;
  height: number;
  x: ScaleLinear<number, number>;
  y: ScaleLogarithmic<number, number>;
}

/** How much more slowly each pair turns than in training, one line for each scaling. */
export class RopewalkSlowdown extends PairChart {
  static override styles = [
    chart,
    css`
      .x .tick line {
        stroke: var(--soft);
      }

      .further {
        fill: color-mix(in oklab, var(--soft) 16%, transparent);
      }

      .bound {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1;
      }

      .line {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1.75;
        stroke-linejoin: round;
      }

      .line.chosen {
        stroke: var(--ink);
        stroke-width: 3;
      }

      .name {
        font-size: 13px;
        text-anchor: middle;
        stroke-width: 5;
      }

      .name.chosen {
        fill: var(--ink);
        font-weight: 650;
      }

      .dots {
        fill: var(--ink);
      }
    `,
  ];

  @property({ attribute: false }) lines: readonly Line[] = [];
  /** The name of the line that is looked at. */
  @property() chosen = "";
  /** Pairs from the first on that came round in training. */
  @property({ type: Number }) comeRound = 0;
  @property({ type: Number }) pairs = 1;
  /** The length now, in trained lengths. */
  @property({ type: Number }) factor = 1;

  protected override readonly gap = 8;

  #layout: Layout | undefined;

  protected override get last() {
    return this.pairs - 1;
  }

  protected override pointAt(x: number) {
    return this.#layout && Math.round(this.#layout.x.invert(x));
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("lines")) this.settle();
    const { width, pairs } = this;
    if (width === 0) return;
    const height = width < narrow ? 300 : 360;
    this.#layout = {
      width,
      height,
      x: pairScale(pairs, margin.left, width - margin.right),
      y: scaleLog()
        .domain([0.88, most])
        .range([height - margin.bottom, margin.top]),
    };
  }

  protected override render() {
    const layout = this.#layout;
    if (layout === undefined) return nothing;
    return html`
      ${this.renderChart(
        words.label,
        html`<svg width=${layout.width} height=${layout.height} aria-hidden="true">
          ${this.#renderFurther(layout)}
          <g class="y"></g>
          <g class="x"></g>
          <text x="0" y="12">${words.y}</text>
          <text x=${layout.width - margin.right} y=${layout.height - 4} text-anchor="end">${words.x}</text>
          ${this.#renderLines(layout)}
        </svg>`,
      )}
      ${this.renderReadout(words.hint)}
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  /** Where a line must not run: pairs that never came round, slowed by less than the length has grown. */
  #renderFurther({ width, height, x, y }: Layout) {
    const { comeRound, pairs, factor } = this;
    if (comeRound >= pairs) return nothing;
    const left = x(comeRound - 0.5);
    const right = width - margin.right;
    const top = y(factor);
    const bottom = height - margin.bottom;
    const further = width < narrow ? words.furtherShort : words.further;
    const labelled = bottom - top > 44 && right - left > measureIn(this, 12)(further) + 12;
    return svg`
      <rect class="further" x=${left} y=${top} width=${right - left} height=${bottom - top}></rect>
      <path class="bound" d="M${left} ${margin.top}V${bottom}M${left} ${top}H${right}"></path>
      <text class="halo" x=${left - 6} y=${margin.top + 10} text-anchor="end">${words.round}</text>
      <text class="halo" x=${left + 6} y=${margin.top + 10}>${words.never}</text>
      ${labelled ? svg`<text x=${right - 6} y=${bottom - 10} text-anchor="end">${further}</text>` : nothing}
    `;
  }

  #renderLines(layout: Layout) {
    const { lines, chosen, pair } = this;
    const { x, y, height } = layout;
    const last = [...lines].sort((a, b) => Number(a.name === chosen) - Number(b.name === chosen));
    return svg`
      ${last.map(({ name, dash, values }) => {
        const d = Array.from(values, (value, i) => `${i === 0 ? "M" : "L"}${round(x(i))} ${round(y(value))}`);
        return svg`<path class="line ${name === chosen ? "chosen" : ""}" data-name=${name} d=${d.join("")}
          stroke-dasharray=${dash === "" ? "none" : dash}></path>`;
      })}
      ${
        pair === undefined
          ? nothing
          : svg`${cursor(x(pair), margin.top, height - margin.bottom)}
              ${lines.map(({ values }) => svg`<circle class="dots" cx=${x(pair)} cy=${y(values[pair] ?? 1)} r="3"></circle>`)}`
      }
      ${this.#places(layout).map(
        ({ name, left, top }) =>
          svg`<text class="halo name ${name === chosen ? "chosen" : ""}" x=${left} y=${top + 4.5}>${name}</text>`,
      )}
    `;
  }

  /** Each line is named where it is furthest from the others, and from the names of those before it. */
  #places({ x, y, width }: Layout): { name: string; left: number; top: number }[] {
    const measure = measureIn(this, 13);
    const placed: { name: string; left: number; top: number; half: number }[] = [];
    for (const { name, values } of this.lines) {
      const half = measure(name) / 2 + 4;
      let best: { room: number; left: number; top: number } | undefined;
      values.forEach((value, i) => {
        const left = x(i);
        const top = y(value);
        if (left - half < margin.left || left + half > width - margin.right) return;
        const isTaken = placed.some(
          (other) =>
            Math.abs(other.left - left) < other.half + half && Math.abs(other.top - top) < labelHeight,
        );
        if (isTaken) return;
        const others = this.lines.filter((line) => line.name !== name);
        const room = Math.min(60, ...others.map((other) => Math.abs(y(other.values[i] as number) - top)));
        if (best === undefined || room > best.room) best = { room, left, top };
      });
      if (best !== undefined && best.room > 2) placed.push({ name, half, ...best });
    }
    return placed;
  }

  protected override updated(): void {
    if (this.#layout === undefined) return;
    const { x, y, width } = this.#layout;
    this.drawLeft(x, y, [1, 2, 4, 8, 16, 32, 64], (value) => `×${value}`);
    this.drawBottom(x, y, pairTicks(x, this.pairs, width), String);
  }

  protected override sentence(pair: number): string {
    const each = this.lines.map(({ name, values }) => ({ name, times: figure(values[pair] as number) }));
    return words.at(pair, each);
  }

  #renderTable() {
    if (this.settled === 0) return nothing;
    return hiddenTable(
      words.table.caption,
      [words.table.pair, ...this.lines.map(({ name }) => name)],
      Array.from({ length: this.pairs }, (_, i) => [
        i,
        ...this.lines.map(({ wavelength }) => figure(wavelength[i] as number)),
      ]),
    );
  }
}
