import { line } from "d3-shape";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fixed, round } from "./picture.js";
import { StretchPicture, stretched } from "./stretch.js";
import { theme } from "./theme.js";
import { words } from "./words/en/sinusoidal.js";

export interface Curve {
  name: string;
  /** Spread evenly over the stretch, an odd number for each position. */
  values: Float32Array;
  dashed?: boolean;
}

const axisHeight = 22;
/** From so many CSS pixels on, a position has its dot. */
const leastForDot = 8;
const tableRows = 64;

/** Curves over a stretch of positions, one scale for all, and what they are at the position that is looked at. */
export class RopewalkCurves extends StretchPicture {
  static override styles = [
    theme,
    stretched,
    css`
      path {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.75;
      }

      .dashed {
        stroke-dasharray: 5 4;
      }

      circle {
        fill: var(--ink);
      }

      .open {
        fill: var(--panel);
        stroke: var(--ink);
        stroke-width: 1.25;
      }

      .cursor {
        stroke: var(--ink);
        stroke-width: 1;
      }

      .value {
        fill: var(--ink);
        font-size: 13px;
      }

      .level {
        text-anchor: end;
      }
    `,
  ];

  @property({ attribute: false }) curves: readonly Curve[] = [];
  /** Levels with a line across: the first and the last are the ends of the scale. */
  @property({ attribute: false }) levels: readonly number[] = [0, 1];
  /** Whether each position is marked, where there is room: a token never stands in between. */
  @property({ type: Boolean }) dots = false;
  @property({ type: Number }) height = 120;
  @property() summary = "";

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("curves") || changed.has("stretch")) this.settle();
  }

  #y(value: number): number {
    const [low, high] = [this.levels[0] as number, this.levels.at(-1) as number];
    return 6 + (this.height - 12) * (1 - (value - low) / (high - low));
  }

  /** A curve at a position: the middle one of its samples there. */
  #at({ values }: Curve, position: number): number {
    const samples = values.length / this.stretch.span;
    return values[Math.floor((position - this.stretch.first + 0.5) * samples)] as number;
  }

  protected override render() {
    const { width, height, curves, left, plotWidth, position, levels } = this;
    if (width === 0 || curves.length === 0) return nothing;
    const x = this.x(position);
    return html`
      <svg width=${width} height=${height + axisHeight} aria-hidden="true">
        <g transform="translate(${left} 0)">
          ${levels.map(
            (
              level,
            ) => svg`<line class="axis" x2=${plotWidth} y1=${this.#y(level)} y2=${this.#y(level)}></line>
              <text class="level" x="-8" y=${this.#y(level) + 4}>${fixed(level, 0)}</text>`,
          )}
          ${this.renderTicks(height)}
          ${guard([curves, plotWidth, height, levels], () => curves.map((curve) => this.#renderCurve(curve)))}
          ${
            this.shows(position)
              ? svg`<line class="cursor" x1=${x} x2=${x} y1="0" y2=${height}></line>
                  ${curves.map((curve) => this.#renderDot(curve, position, 4.5))}
                  ${curves.map(
                    (curve, i) =>
                      svg`<text class="value" x=${plotWidth + 12} y=${height / 2 + 4 + 20 * (i - (curves.length - 1) / 2)}>${curve.name} ${fixed(this.#at(curve, position), 3)}</text>`,
                  )}`
              : nothing
          }
        </g>
      </svg>
      <div class="plot" role="img" aria-label=${this.summary} @pointerdown=${this.drag} @pointermove=${this.drag} @click=${this.drag}></div>
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  #renderCurve(curve: Curve) {
    const { first, span } = this.stretch;
    const { values } = curve;
    const path = line<number>(
      (_, i) => round(((i + 0.5) / values.length) * this.plotWidth),
      (value) => round(this.#y(value)),
    )(values as unknown as number[]);
    const hasDots = this.dots && this.plotWidth / span >= leastForDot;
    const dots = Array.from({ length: hasDots ? span : 0 }, (_, i) => this.#renderDot(curve, first + i, 2.5));
    return svg`<path class=${curve.dashed ? "dashed" : ""} d=${path ?? ""}></path>${dots}`;
  }

  #renderDot(curve: Curve, position: number, radius: number) {
    return svg`<circle class=${curve.dashed ? "open" : ""} cx=${this.x(position)} cy=${this.#y(this.#at(curve, position))} r=${radius}></circle>`;
  }

  protected override updated(): void {
    this.placePlot(0, this.height);
  }

  /** Of many positions some, evenly. */
  #renderTable() {
    const { first, span } = this.stretch;
    const step = Math.ceil(span / tableRows);
    return html`<div class="visually-hidden">
      <table>
        <caption>${this.summary}</caption>
        <thead>
          <tr><th scope="col">${words.table.position}</th>${this.curves.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${Array.from({ length: Math.floor(span / step) }, (_, row) => first + row * step).map(
            (position) => html`<tr>
              <th scope="row">${position}</th>
              ${this.curves.map((curve) => html`<td>${fixed(this.#at(curve, position), 3)}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}
