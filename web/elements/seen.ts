import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { chart, narrow } from "./chart.js";
import { figure } from "./figure.js";
import { PairChart } from "./pair_chart.js";
import { point } from "./pairs.js";
import { fixed, round } from "./picture.js";
import { hiddenTable } from "./table.js";
import { angleColor } from "./theme.js";
import { words as longer } from "./words/en/longer.js";

const words = longer.seen;

interface Layout {
  perRow: number;
  cell: number;
  radius: number;
  row: number;
}

/** A dial for each pair: shaded, where it pointed in training; its hand, where it points at the length now. */
export class RopewalkSeen extends PairChart {
  static override styles = [
    chart,
    css`
      text {
        text-anchor: middle;
      }

      .beyond text {
        fill: var(--ink);
        font-weight: 650;
      }

      .face {
        fill: var(--panel);
        stroke: color-mix(in oklab, var(--soft) 55%, var(--line));
        stroke-width: 1;
      }

      .trained {
        fill: color-mix(in oklab, var(--soft) 30%, transparent);
      }

      .further {
        fill: none;
        stroke: var(--ink);
        stroke-width: 3;
      }

      .hand {
        stroke-width: 3.5;
        stroke-linecap: round;
      }

      .hub {
        fill: var(--ink);
      }

      .at {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
      }

      .legend {
        margin-bottom: 6px;
      }

      .legend svg {
        width: 20px;
        height: 14px;
      }
    `,
  ];

  /** Turns of each pair in training. */
  @property({ attribute: false }) trainedTurns: Float64Array = new Float64Array();
  /** Turns of each pair at the length now. */
  @property({ attribute: false }) turns: Float64Array = new Float64Array();
  /** Where each pair points then. */
  @property({ attribute: false }) angles: Float32Array = new Float32Array();
  /** Pairs that turn further than they did in training, not having come round there. */
  @property({ attribute: false }) beyond: readonly number[] = [];

  #layout: Layout | undefined;

  protected override get last() {
    return this.angles.length - 1;
  }

  protected override pointAt(x: number, y: number) {
    const layout = this.#layout;
    if (layout === undefined) return undefined;
    const column = Math.floor(x / layout.cell);
    return column >= layout.perRow ? undefined : Math.floor(y / layout.row) * layout.perRow + column;
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("angles")) this.settle();
    const { width } = this;
    if (width === 0) return;
    const perRow = width < narrow ? 8 : 16;
    const cell = width / perRow;
    const radius = Math.floor(Math.min(30, cell / 2 - 5));
    this.#layout = { perRow, cell, radius, row: 2 * radius + 32 };
  }

  protected override render() {
    const layout = this.#layout;
    const { angles } = this;
    if (layout === undefined || angles.length === 0) return nothing;
    const { perRow, row } = layout;
    return html`
      <p class="legend">
        <span><svg aria-hidden="true"><rect class="trained" x="2" y="1" width="16" height="12" rx="3"></rect></svg>${words.trained}</span>
        <span><svg aria-hidden="true"><path class="further" d="M2 11Q10 -3 18 11"></path></svg>${words.further}</span>
        <span><svg aria-hidden="true"><path class="hand" stroke=${angleColor(0)} d="M2 7H18"></path></svg>${words.now}</span>
      </p>
      ${this.renderChart(
        words.label,
        html`<svg width=${this.width} height=${Math.ceil(angles.length / perRow) * row} aria-hidden="true">
          ${Array.from(angles, (angle, i) => this.#renderDial(layout, angle, i))}
        </svg>`,
      )}
      ${this.renderReadout(words.hint)}
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  #renderDial({ perRow, cell, radius, row }: Layout, angle: number, i: number) {
    const isBeyond = this.beyond.includes(i);
    const seen = this.trainedTurns[i] as number;
    const now = this.turns[i] as number;
    const hand = point(angle, radius - 2);
    const center = { x: round(((i % perRow) + 0.5) * cell), y: Math.floor(i / perRow) * row + radius + 22 };
    return svg`<g class=${isBeyond ? "dial beyond" : "dial"} transform="translate(${center.x} ${center.y})">
      <text y=${-radius - 8}>${i}</text>
      <circle class="face" r=${radius}></circle>
      <path class="trained" d=${sector(seen, radius)}></path>
      ${isBeyond ? svg`<path class="further" d=${arc(seen, now, radius + 2)}></path>` : nothing}
      <line class="hand" x2=${hand.x} y2=${hand.y} stroke=${angleColor(angle)}></line>
      <circle class="hub" r="1.75"></circle>
      ${i === this.pair ? svg`<rect class="at" x=${round(-cell / 2 + 1)} y=${-radius - 21} width=${round(cell - 2)} height=${row - 3} rx="6"></rect>` : nothing}
    </g>`;
  }

  protected override sentence(pair: number): string {
    const trained = this.trainedTurns[pair] as number;
    const now = figure(this.turns[pair] as number);
    if (trained >= 1) return words.round(pair, now);
    return words[this.beyond.includes(pair) ? "beyond" : "within"](pair, figure(trained), now);
  }

  #renderTable() {
    if (this.settled === 0) return nothing;
    return hiddenTable(
      words.table.caption,
      [words.table.pair, words.table.trained, words.table.now, words.table.angle, words.table.further],
      Array.from(this.angles, (angle, i) => [
        i,
        figure(this.trainedTurns[i] as number),
        figure(this.turns[i] as number),
        fixed(angle, 3),
        this.beyond.includes(i) ? words.table.yes : words.table.no,
      ]),
    );
  }
}

/** From the right on, so many turns; the whole circle from one turn on. */
function sector(turns: number, radius: number): string {
  if (turns >= 1) return circle(radius);
  return `M0 0L${radius} 0${arc(0, turns, radius).replace(/^M[^A]*/, "")}Z`;
}

/** Around the middle, in turns; at most once around. */
function arc(from: number, to: number, radius: number): string {
  if (to - from >= 1) return circle(radius);
  const start = point(2 * Math.PI * from, radius);
  const end = point(2 * Math.PI * to, radius);
  return `M${start.x} ${start.y}A${radius} ${radius} 0 ${to - from > 0.5 ? 1 : 0} 0 ${end.x} ${end.y}`;
}

function circle(radius: number): string {
  return `M${radius} 0A${radius} ${radius} 0 1 0 ${-radius} 0A${radius} ${radius} 0 1 0 ${radius} 0Z`;
}
