import { type ScaleLogarithmic, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { css, html, nothing, svg } from "lit";
import { property } from "lit/decorators.js";
import { bytesText } from "./cache_bars.js";
import { Chart, chart, cursor, narrow } from "./chart.js";
import { lengths, type Measurement, type Phase, type Way, ways } from "./cost_pipeline.js";
import { grouped } from "./figure.js";
import { hiddenTable } from "./table.js";
import { words as cost } from "./words/en/cost.js";

const words = cost.chart;

export type Quantity = "multiplyAdds" | "bytes" | "milliseconds";

/** One curve: a number for each of `lengths`, as far as there is one. */
export type Curves = Record<Way, readonly (number | undefined)[]>;

const margin = { top: 16, right: 22, bottom: 38, left: 62 };
const dashes: Record<Way, string> = { kept: "2 3", expanded: "7 4", absorbed: "" };

export const quantityText: Record<Quantity, (value: number) => string> = {
  multiplyAdds: (value) => words.multiplyAdds(siText(value)),
  bytes: bytesText,
  milliseconds: (value) => `${value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ms`,
};

interface Layout {
  width: number;
  height: number;
  x: ScaleLogarithmic<number, number>;
  y: ScaleLogarithmic<number, number>;
}

/** What a layer costs as the text grows, in three ways, both axes by powers. */
export class RopewalkCostChart extends Chart {
  static override styles = [
    chart,
    css`
      .legend {
        column-gap: 18px;
        color: var(--ink);
      }

      .legend svg {
        width: 34px;
        height: 10px;
      }

      .curve {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.75;
      }

      circle {
        fill: var(--ink);
      }

      .readout {
        min-height: 5em;
      }
    `,
  ];

  @property({ attribute: false }) curves: Curves | undefined;
  @property() quantity: Quantity = "multiplyAdds";

  #layout: Layout | undefined;

  protected override get last() {
    return lengths.length - 1;
  }

  protected override pointAt(x: number) {
    const length = this.#layout?.x.invert(x);
    if (length === undefined) return undefined;
    const off = lengths.map((one) => Math.abs(Math.log(one / length)));
    return off.indexOf(Math.min(...off));
  }

  protected override willUpdate(): void {
    const { curves, width } = this;
    if (curves === undefined || width === 0) return;
    const height = width < narrow ? 280 : 320;
    const values = ways.flatMap((way) => curves[way].filter((value) => value !== undefined));
    const [low, high] = values.length === 0 ? [1, 1000] : [Math.min(...values), Math.max(...values)];
    const last = Math.max(...ways.map((way) => curves[way].findLastIndex((value) => value !== undefined)), 5);
    this.#layout = {
      width,
      height,
      x: scaleLog()
        .domain([lengths[0] as number, lengths[last] as number])
        .range([margin.left, width - margin.right]),
      y: scaleLog()
        .domain([low / 1.5, high * 1.5])
        .range([height - margin.bottom, margin.top]),
    };
  }

  protected override render() {
    const { curves, at } = this;
    const layout = this.#layout;
    if (curves === undefined || layout === undefined) return nothing;
    const { width, height, x, y } = layout;
    const path = (way: Way) =>
      line<number | undefined>(
        (_, i) => x(lengths[i] as number),
        (value) => y(value as number),
      ).defined((value) => value !== undefined)(curves[way]) ?? "";
    const looked = at === undefined ? undefined : x(lengths[at] as number);
    return html`
      <ul class="legend">
        ${ways.map(
          (way) => html`<li>
            <svg aria-hidden="true"><path class="curve" stroke-dasharray=${dashes[way]} d="M0 5H34"></path></svg>
            ${words.ways[way]}
          </li>`,
        )}
      </ul>
      ${this.renderChart(
        words.label,
        html`<svg width=${width} height=${height} aria-hidden="true">
          <g class="y"></g>
          <g class="x"></g>
          <text x=${width - margin.right} y=${height - 2} text-anchor="end">${words.x}</text>
          ${cursor(looked, margin.top, height - margin.bottom)}
          ${ways.map(
            (way) => svg`<path class="curve" stroke-dasharray=${dashes[way]} d=${path(way)}></path>
              ${curves[way].map((value, i) =>
                value === undefined
                  ? nothing
                  : svg`<circle cx=${x(lengths[i] as number)} cy=${y(value)} r=${i === at ? 5 : 3}></circle>`,
              )}`,
          )}
        </svg>`,
      )}
      ${this.renderReadout(words.hint, (point) => this.#lines(point))}
      ${this.#renderTable(curves)}
    `;
  }

  protected override updated(): void {
    if (this.#layout === undefined) return;
    const { x, y, width } = this.#layout;
    const [low, high] = x.domain() as [number, number];
    const shown = lengths.filter(
      (length, i) => length >= low && length <= high && (width >= narrow || i % 3 === 0),
    );
    const powers = y.ticks(5).filter((value) => Number.isInteger(Math.log10(value)));
    this.drawBottom(x, y, shown);
    this.drawLeft(x, y, powers, (value) => this.#tick(value));
  }

  #tick(value: number): string {
    if (this.quantity === "bytes") return bytesText(value).replace(".00", "").replace(".0", "");
    return this.quantity === "milliseconds" ? `${value} ms` : siText(value);
  }

  #lines(at: number) {
    const tokens = words.tokens(grouped(lengths[at] as number));
    return html`<b>${tokens}</b>${this.#costs(at).map((line) => html`<br />${line}`)}`;
  }

  protected override sentence(at: number): string {
    return words.said(grouped(lengths[at] as number), this.#costs(at));
  }

  /** Of each way that there is one for. */
  #costs(at: number): string[] {
    return ways.flatMap((way) => {
      const value = this.curves?.[way][at];
      return value === undefined ? [] : [words.atWay(way, quantityText[this.quantity](value))];
    });
  }

  #renderTable(curves: Curves) {
    return hiddenTable(
      words.table.caption,
      [words.table.tokens, ...ways.map((way) => words.ways[way])],
      lengths.map((length, i) => [
        grouped(length),
        ...ways.map((way) => {
          const value = curves[way][i];
          return value === undefined ? words.table.notMeasured : quantityText[this.quantity](value);
        }),
      ]),
    );
  }
}

/** The curves of what has been measured so far. */
export function measuredCurves(measurements: readonly Measurement[], phase: Phase): Curves {
  const of = (way: Way) =>
    lengths.map(
      (length) =>
        measurements.find((one) => one.phase === phase && one.way === way && one.length === length)
          ?.milliseconds,
    );
  return { kept: of("kept"), expanded: of("expanded"), absorbed: of("absorbed") };
}

function siText(value: number): string {
  const units = ["", " k", " M", " G", " T", " P"];
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${rest >= 99.5 || unit === 0 ? Math.round(rest) : Number(rest.toPrecision(3))}${units[unit]}`;
}
