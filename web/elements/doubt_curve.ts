import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";
import { area } from "d3-shape";
import { css, html, nothing, svg } from "lit";
import { property } from "lit/decorators.js";
import { Chart, chart, cursor } from "./chart.js";
import type { Axis, Curve, Doubt } from "./doubts.js";
import { grouped } from "./figure.js";
import { fixed } from "./picture.js";
import { hiddenTable } from "./table.js";
import { words } from "./words/en/doubts.js";

const margin = { top: 8, right: 18, bottom: 40, left: 36 };
const narrow = 300;
/** The first curve is in ink, before the other. */
const orders = ["", "second"];

type Scale = ScaleContinuousNumeric<number, number>;

interface Layout {
  width: number;
  height: number;
  x: Scale;
  y: Scale;
}

const number = (value: number) => grouped(value).replace("-", "−");

function scale({ scale }: Axis, domain: readonly number[], range: readonly number[]): Scale {
  return (scale === "log" ? scaleLog() : scaleLinear()).domain(domain).range(range);
}

/** The curves of a doubt, small enough for a margin. Where a curve swings faster than can be drawn it is a band. */
export class RopewalkDoubtCurve extends Chart {
  static override styles = [
    chart,
    css`
      /* It stands on the page's paper, in no panel. */
      :host {
        --panel: var(--paper);
      }

      .legend {
        row-gap: 0;
      }

      .legend svg {
        width: 22px;
        height: 10px;
      }

      .curve {
        stroke: var(--ink);
        stroke-width: 1.5;
        stroke-linejoin: round;
        fill: none;
      }

      .band {
        fill: color-mix(in oklab, var(--ink) 18%, transparent);
      }

      .curve.second {
        stroke: color-mix(in oklab, var(--soft) 65%, var(--paper));
      }

      .band.second {
        fill: color-mix(in oklab, var(--soft) 22%, transparent);
      }

      .zero {
        stroke: var(--soft);
        stroke-width: 1;
      }

      circle {
        fill: var(--paper);
        stroke: var(--ink);
        stroke-width: 1.75;
      }

      .readout {
        min-height: 4.2em;
      }
    `,
  ];

  @property({ attribute: false }) doubt: Doubt | undefined;

  #layout: Layout | undefined;

  protected override get last() {
    return (this.doubt?.spans.length ?? 1) - 1;
  }

  protected override pointAt(x: number) {
    const at = this.#layout?.x.invert(x);
    const spans = this.doubt?.spans ?? [];
    if (at === undefined || spans.length === 0) return undefined;
    const off = spans.map(({ first, last }) => Math.max(first - at, at - last));
    return off.indexOf(Math.min(...off));
  }

  protected override willUpdate(): void {
    const { doubt, width } = this;
    if (doubt === undefined || width === 0) return;
    const height = width < narrow ? 170 : 220;
    const { x, y, spans, curves } = doubt;
    const values = curves.flatMap(({ least, greatest }) => [...least, ...greatest]);
    this.#layout = {
      width,
      height,
      x: scale(x, [spans[0]?.first ?? 0, spans.at(-1)?.last ?? 1], [margin.left, width - margin.right]),
      y: scale(
        y,
        [Math.min(...values, ...y.ticks), Math.max(...values, ...y.ticks)],
        [height - margin.bottom, margin.top],
      ),
    };
  }

  protected override render() {
    const { doubt, at } = this;
    const layout = this.#layout;
    if (doubt === undefined || layout === undefined) return nothing;
    const { width, height, x, y } = layout;
    const drawn = ({ least, greatest }: Curve, order: string) => {
      const band = area<number>(
        (span) => x(this.#middle(span)),
        (span) => y(least[span] as number),
        (span) => y(greatest[span] as number),
      );
      const edges = [band.lineY0(), band.lineY1()].map((edge) => edge(doubt.spans.keys()) ?? "");
      return svg`<path class="band ${order}" d=${band(doubt.spans.keys()) ?? ""}></path>
        <path class="curve ${order}" d=${edges.join("")}></path>`;
    };
    const [low] = y.domain() as [number];
    const looked = at === undefined ? undefined : x(this.#middle(at));
    return html`
      ${doubt.curves.length === 1 ? nothing : this.#renderLegend(doubt.curves)}
      ${this.renderChart(
        words.label(doubt.title, doubt.x.words),
        html`<svg width=${width} height=${height} aria-hidden="true">
          <g class="y"></g>
          <g class="x"></g>
          <text x=${width - margin.right} y=${height - 4} text-anchor="end">${doubt.x.words}</text>
          ${low < 0 ? svg`<line class="zero" x1=${margin.left} x2=${width - margin.right} y1=${y(0)} y2=${y(0)}></line>` : nothing}
          ${doubt.curves.map((curve, i) => drawn(curve, orders[i] ?? "")).reverse()}
          ${cursor(looked, margin.top, height - margin.bottom)}
          ${doubt.marks.map((mark) => svg`<circle cx=${x(mark.x)} cy=${y(mark.y)} r="3.5"></circle>`)}
        </svg>`,
      )}
      ${this.renderReadout(words.hint)}
      ${this.#renderTable(doubt)}
    `;
  }

  #middle(span: number): number {
    const { first, last } = this.doubt?.spans[span] ?? { first: 0, last: 0 };
    return (first + last) / 2;
  }

  #renderLegend(curves: readonly Curve[]) {
    return html`<ul class="legend">
      ${curves.map(
        ({ name }, i) => html`<li>
          <svg aria-hidden="true"><path class="curve ${orders[i]}" d="M0 5H22"></path></svg>${name}
        </li>`,
      )}
    </ul>`;
  }

  protected override updated(): void {
    const { doubt } = this;
    if (doubt === undefined || this.#layout === undefined) return;
    const { x, y } = this.#layout;
    this.drawBottom(x, y, doubt.x.ticks, number);
    this.drawLeft(x, y, doubt.y.ticks, number);
  }

  #place({ x, spans }: Doubt, span: number): string {
    const { first, last } = spans[span] ?? { first: 0, last: 0 };
    return words.place(x.words, first === last ? number(first) : words.range(number(first), number(last)));
  }

  #value({ digits }: Doubt, { least, greatest }: Curve, span: number): string {
    const [low, high] = [fixed(least[span] as number, digits), fixed(greatest[span] as number, digits)];
    return low === high ? low : words.range(low, high);
  }

  protected override sentence(span: number): string {
    const { doubt } = this;
    if (doubt === undefined) return "";
    const values = doubt.curves.map((curve) => {
      const value = this.#value(doubt, curve, span);
      return doubt.curves.length === 1 ? value : words.value(curve.name, value);
    });
    return words.sentence(this.#place(doubt, span), values);
  }

  #renderTable(doubt: Doubt) {
    return hiddenTable(
      doubt.title,
      [doubt.x.words, ...doubt.curves.map(({ name }) => name)],
      doubt.spans.map((_, span) => [
        this.#place(doubt, span),
        ...doubt.curves.map((curve) => this.#value(doubt, curve, span)),
      ]),
    );
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "ropewalk-doubt-curve": RopewalkDoubtCurve;
  }
}
