import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, query } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fixed } from "./picture.js";
import { type Stretch, StretchPicture, stretched } from "./stretch.js";
import { paintAngles, paintLevels, type Strip } from "./strip.js";
import { Surface } from "./surface.js";
import { theme } from "./theme.js";
import { words } from "./words/en/planes.js";

/** What is drawn, strand by strand. */
export interface Drawing {
  /** `bits` have edges between positions, `levels` (0 to 1) have none, `angles` are hue. */
  kind: "bits" | "levels" | "angles";
  /** Its columns are spread evenly over the stretch. */
  strip: Strip;
  /** Of angles: columns to a turn, strand by strand. */
  columnsPerTurn?: ArrayLike<number>;
  /** What each strand is called. */
  names: readonly string[];
}

/** A column of words beside the strands: what they are at one position. */
export interface Column {
  name: string;
  /** One to a strand; strong where it is marked. */
  cells: readonly { text: string; strong?: boolean }[];
}

const axisHeight = 22;
const barsHeight = 76;

/** An encoding over positions: a strand for each component, and beneath it how far each position is from the next. */
export class RopewalkPlanes extends StretchPicture {
  static override styles = [
    theme,
    stretched,
    css`
      canvas {
        position: absolute;
        inset: 0;
        border-radius: 4px;
        background: var(--panel);
        color: var(--ink);
      }

      .plot svg {
        position: relative;
      }

      .other {
        stroke-dasharray: 4 3;
        stroke-width: 1.5;
      }

      .cells text {
        font-size: 13px;
        fill: var(--ink);
        text-anchor: middle;
      }

      .cells .quiet {
        fill: var(--soft);
      }

      .cells .strong {
        font-weight: 750;
      }

      .mark {
        stroke: var(--ink);
        stroke-width: 2;
      }

      .bars {
        stroke: var(--soft);
      }

      .bar {
        stroke: var(--ink);
      }

      .chosen {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
      }
    `,
  ];

  @property({ attribute: false }) drawing: Drawing | undefined;
  /** Stand at the right, from left to right. */
  @property({ attribute: false }) columns: readonly Column[] = [];
  /** From each position of the stretch to the next; none are drawn where this is empty. */
  @property({ attribute: false }) distances: Float32Array = new Float32Array();
  /** What the distances are measured against: the height of the picture. */
  @property({ type: Number }) furthest = 1;
  /** A second position, outlined by a dashed line. */
  @property({ attribute: false }) other: number | undefined;
  @property({ type: Number }) strandHeight = 20;
  /** The first of the strands that are outlined, and how many. */
  @property({ attribute: false }) chosen: { first: number; count: number } | undefined;
  /** Positions that another picture shows from nearer by. */
  @property({ attribute: false }) outline: Stretch | undefined;
  /** What the picture shows, in words. */
  @property() summary = "";

  @query("canvas") private readonly canvas!: HTMLCanvasElement | null;

  readonly #surface = new Surface();

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("columns") || changed.has("stretch")) this.settle();
  }

  protected override render() {
    const { drawing, width, columns, strandHeight, left, plotWidth, position, other, chosen } = this;
    if (drawing === undefined || width === 0) return nothing;
    const height = drawing.strip.strands * strandHeight;
    const head = columns.length > 0 ? 22 : 0;
    const hasBars = this.distances.length > 0;
    const bottom = height + axisHeight + (hasBars ? barsHeight + 26 : 0);
    const middle = (strand: number) => strand * strandHeight + strandHeight / 2 + 4.5;
    return html`
      <svg width=${width} height=${head + bottom} aria-hidden="true">
        <g transform="translate(0 ${head})">
          ${left === 0 ? nothing : drawing.names.map((name, s) => svg`<text x="0" y=${middle(s)}>${name}</text>`)}
          ${columns.map((column, c) => this.#renderColumn(column, c, middle))}
          <g transform="translate(${left} 0)">
            ${this.renderTicks(height)}
            ${
              hasBars
                ? svg`<g transform="translate(0 ${height + axisHeight + 22})">
                    <text x="0" y="-6">${words.distances}</text>
                    ${Array.from({ length: Math.floor(this.furthest) + 1 }, (_, level) => {
                      const y = barsHeight - this.#tall(level);
                      return svg`<line class="axis" x1="0" x2=${plotWidth} y1=${y} y2=${y}></line>
                        <text x="-8" y=${y + 4} text-anchor="end">${level}</text>`;
                    })}
                    ${guard([this.distances, plotWidth], () => this.#renderBars())}
                    ${this.#renderBar(position)}
                  </g>`
                : nothing
            }
          </g>
        </g>
      </svg>
      <div class="plot" @pointerdown=${this.drag} @pointermove=${this.drag} @click=${this.drag}>
        <canvas role="img" aria-label=${this.summary}></canvas>
        <svg width=${plotWidth} height=${height} aria-hidden="true">
          ${
            chosen === undefined
              ? nothing
              : svg`<rect class="chosen" x="0.75" y=${chosen.first * strandHeight} rx="3" width=${plotWidth - 1.5}
                  height=${chosen.count * strandHeight}></rect>`
          }
          ${this.outline === undefined ? nothing : this.#renderBox(this.outline, height, "here")}
          ${other !== undefined && this.shows(other) ? this.#renderBox({ first: other, span: 1 }, height, "here other") : nothing}
          ${this.outline === undefined && this.shows(position) ? this.#renderBox({ first: position, span: 1 }, height, "here") : nothing}
        </svg>
      </div>
      ${guard([this.settled], () => this.#renderTable(drawing))}
    `;
  }

  /** Around columns of the strip, never thinner than can be seen. */
  #renderBox({ first, span }: Stretch, height: number, name: string) {
    const wide = Math.max(4, (this.plotWidth * span) / this.stretch.span + 2);
    const x = this.x(first + (span - 1) / 2) - wide / 2;
    return svg`<rect class=${name} x=${x} y="-3" width=${wide} height=${height + 6} rx="3"></rect>`;
  }

  #renderColumn({ name, cells }: Column, index: number, middle: (strand: number) => number) {
    const each = this.right / this.columns.length;
    const x = this.width - this.right + (index + 0.5) * each;
    return svg`<g class="cells" transform="translate(${x} 0)">
      <text class="quiet" y="-8">${name}</text>
      ${cells.map(
        ({ text, strong }, s) => svg`<text class=${strong ? "strong" : "quiet"} y=${middle(s)}>${text}</text>
          ${strong ? svg`<line class="mark" x1="-6" x2="6" y1=${middle(s) + 3} y2=${middle(s) + 3}></line>` : nothing}`,
      )}
    </g>`;
  }

  #tall(distance: number): number {
    return (barsHeight * distance) / this.furthest;
  }

  /** Of positions that share a pixel, the largest distance. */
  #renderBars() {
    const { distances, plotWidth } = this;
    const bars: number[] = [];
    for (let i = 0; i < distances.length; ++i) {
      const pixel = Math.round(this.x(this.stretch.first + i));
      bars[pixel] = Math.max(bars[pixel] ?? 0, distances[i] as number);
    }
    let path = "";
    bars.forEach((distance, pixel) => {
      path += `M${pixel} ${barsHeight}v${(-this.#tall(distance)).toFixed(1)}`;
    });
    const wide = Math.max(1, Math.min(6, (0.5 * plotWidth) / this.stretch.span));
    return svg`<path class="bars" stroke-width=${wide} d=${path}></path>`;
  }

  #renderBar(position: number) {
    const distance = this.distances[position - this.stretch.first];
    if (distance === undefined) return nothing;
    const wide = Math.max(3, Math.min(8, (0.7 * this.plotWidth) / this.stretch.span));
    const tall = this.#tall(distance);
    const x = Math.round(this.x(position));
    return svg`<line class="bar" stroke-width=${wide} x1=${x} x2=${x} y1=${barsHeight} y2=${barsHeight - tall}></line>`;
  }

  protected override updated(changed: PropertyValues): void {
    const { canvas, drawing, strandHeight } = this;
    if (canvas === null || drawing === undefined) return;
    const height = drawing.strip.strands * strandHeight;
    this.placePlot(this.columns.length > 0 ? 22 : 0, height);
    // Only positions and words may have changed, which the canvas has no part in.
    const drawn = ["drawing", "width", "left", "right", "strandHeight"];
    if (changed.size === 0 || drawn.some((name) => changed.has(name))) this.#paint(canvas, drawing, height);
  }

  #paint(canvas: HTMLCanvasElement, { kind, strip, columnsPerTurn }: Drawing, height: number): void {
    const view = this.#surface.begin(canvas, this.plotWidth, height, 0, strip.columns);
    const turn = (strand: number) => columnsPerTurn?.[strand] ?? Number.POSITIVE_INFINITY;
    if (kind === "angles") paintAngles(view, strip, this.inksOf(canvas), turn);
    else paintLevels(view, strip, this.inksOf(canvas), kind === "bits" && strip.columns <= view.width);
    this.#surface.end();
  }

  #renderTable({ names }: Drawing) {
    const { columns } = this;
    if (columns.length === 0) return nothing;
    return html`<div class="visually-hidden">
      <table>
        <caption>${this.summary}</caption>
        <thead>
          <tr><th scope="col">${words.component}</th>${columns.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${names.map(
            (name, s) => html`<tr>
              <th scope="row">${name}</th>
              ${columns.map(({ cells }) => html`<td>${cells[s]?.text}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
      ${
        this.distances.length === 0
          ? nothing
          : html`<p>${words.distance(this.position, fixed(this.distances[this.position - this.stretch.first] ?? 0, 3))}</p>`
      }
    </div>`;
  }
}
