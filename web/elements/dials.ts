import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { dialAfter, dialAt, point, type Rows, wrap } from "./pairs.js";
import { fixed, Picture, round } from "./picture.js";
import { angleColor, readout, theme } from "./theme.js";
import { words } from "./words/en/dials.js";

/** The pairs of a vector as arrows. */
export interface Polar {
  magnitude: Float32Array;
  /** Radians in [-π, π]. */
  angle: Float32Array;
}

/** One pair, as numbers. */
interface Pair {
  before: number;
  after: number;
  /** From before to after the short way, in radians. */
  turn: number;
  lengthBefore: number;
  lengthAfter: number;
  score: number;
}

interface Layout extends Rows {
  radius: number;
  /** Of a row: where its dials have their middle, and its bars their zero. */
  middle: number;
  zero: number;
}

const narrow = 480;
/** In radii of a dial: how far a hand is drawn that is longer than its circle. */
const furthest = 1.5;
/** Tallest bar, in CSS pixels. */
const tallest = 24;

/** The query's pairs as hands on circles: where each pointed before position came in, and where it points after. */
export class RopewalkDials extends Picture {
  static override styles = [
    theme,
    readout,
    css`
      :host {
        display: block;
      }

      .legend {
        display: flex;
        justify-content: flex-end;
        align-items: center;
        gap: 6px;
        color: var(--soft);
        font-size: 12px;
      }

      .legend svg {
        width: 20px;
        height: 8px;
      }

      .legend svg + span {
        margin-right: 8px;
      }

      .dials {
        margin-top: 4px;
        border-radius: 6px;
        cursor: crosshair;
        touch-action: manipulation;
      }

      .dials > svg {
        display: block;
        overflow: visible;
      }

      text {
        fill: var(--soft);
        font-size: 12px;
        text-anchor: middle;
      }

      .at text {
        fill: var(--ink);
        font-weight: 650;
      }

      .circle {
        fill: none;
        stroke: color-mix(in oklab, var(--soft) 55%, var(--line));
        stroke-width: 1;
      }

      .before {
        stroke: var(--soft);
        stroke-width: 1.5;
      }

      .wedge {
        fill-opacity: 0.2;
      }

      .between {
        stroke: var(--soft);
        stroke-width: 1;
        stroke-dasharray: 2 2;
      }

      .after {
        stroke-width: 3.5;
        stroke-linecap: round;
      }

      .tip {
        stroke: var(--ink);
        stroke-width: 1.25;
      }

      .head {
        stroke: var(--ink);
        stroke-width: 1;
        stroke-linejoin: round;
      }

      .hub {
        fill: var(--ink);
      }

      .zero {
        stroke: color-mix(in oklab, var(--soft) 55%, var(--line));
        stroke-width: 1;
      }

      .cursor {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
      }
    `,
  ];

  /** The query before position came in. */
  @property({ attribute: false }) queryBefore: Polar | undefined;
  /** The query with its position. */
  @property({ attribute: false }) queryAfter: Polar | undefined;
  /** What each pair gives to the score of query with key; empty where there is none to tell of. */
  @property({ attribute: false }) scores: Float32Array = new Float32Array();
  /** What they add up to. */
  @property({ type: Number }) score = 0;
  /** Whether position turns the pairs, and so leaves their length as it is. */
  @property({ type: Boolean }) rotary = false;
  @property() queryLabel = "";
  @property() keyLabel = "";

  @state() private cursor: number | undefined;
  /** What the cursor's pair was when it came there: said once, not at every frame of a slider. */
  @state() private said = "";

  #pairs: readonly Pair[] = [];
  #layout: Layout | undefined;

  protected override willUpdate(changed: PropertyValues): void {
    const { queryBefore, queryAfter, scores } = this;
    if (changed.has("queryBefore") || changed.has("queryAfter") || changed.has("scores")) {
      this.#pairs =
        queryBefore === undefined || queryAfter === undefined ? [] : pairsOf(queryBefore, queryAfter, scores);
      this.settle();
    }
    if (this.cursor !== undefined && this.cursor >= this.#pairs.length) this.cursor = undefined;
    this.#layout = layoutOf(this.width, this.#pairs.length, this.rotary, this.#tallest);
  }

  protected override render() {
    const pairs = this.#pairs;
    const layout = this.#layout;
    if (pairs.length === 0 || layout === undefined) return nothing;
    const rows = Math.ceil(pairs.length / layout.perRow);
    const most = pairs.reduce((max, { score }) => Math.max(max, Math.abs(score)), 0);
    const { cursor } = this;
    const at = cursor === undefined ? undefined : pairs[cursor];
    return html`
      <div class="legend">
          <svg aria-hidden="true"><line class="before" x1="1" y1="4" x2="19" y2="4"></line></svg>
          <span>${words.before}</span>
          <svg aria-hidden="true">
            <line class="after" x1="2" y1="4" x2="15" y2="4" stroke=${angleColor(0.4)}></line>
            <circle class="tip" cx="15" cy="4" r="3" fill=${angleColor(0.4)}></circle>
          </svg>
          <span>${words.after}</span>
      </div>
      <div
        class="dials"
        role="group"
        tabindex="0"
        aria-label=${words.label(this.queryLabel)}
        @keydown=${this.#onKey}
        @focus=${this.#onFocus}
        @blur=${this.#onLeave}
        @pointermove=${this.#onPoint}
        @pointerdown=${this.#onPoint}
        @pointerleave=${this.#onLeave}
      >
        <svg width=${this.width} height=${rows * layout.row} aria-hidden="true">
          ${Array.from({ length: rows }, (_, row) => {
            if (this.scores.length === 0) return nothing;
            const y = row * layout.row + layout.zero + 0.5;
            const count = Math.min(layout.perRow, pairs.length - row * layout.perRow);
            return svg`<line class="zero" x1="0" x2=${count * layout.cell} y1=${y} y2=${y}></line>`;
          })}
          ${pairs.map((pair, i) => this.#renderDial(pair, i, layout, most))}
          ${
            cursor === undefined
              ? nothing
              : svg`<rect class="cursor" rx="6"
                  x=${(cursor % layout.perRow) * layout.cell + 1}
                  y=${Math.floor(cursor / layout.perRow) * layout.row + 1}
                  width=${layout.cell - 2} height=${layout.zero + this.#tallest + 5}></rect>`
          }
        </svg>
      </div>
      <p class="readout ${at === undefined ? "quiet" : ""}">
        ${at === undefined ? this.#summary() : this.#sentence(cursor ?? 0, at)}
      </p>
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  /** Of the bars, in CSS pixels. */
  get #tallest(): number {
    return this.scores.length > 0 ? tallest : 0;
  }

  #renderDial(pair: Pair, i: number, layout: Layout, most: number) {
    const { radius, cell, perRow, row, middle, zero } = layout;
    const color = angleColor(pair.after);
    const hand = handOf(pair, this.rotary);
    const bar = most > 0 ? (pair.score / most) * tallest : 0;
    const wide = Math.min(20, Math.max(8, cell * 0.36));
    const before = point(pair.before, pair.lengthBefore > 0 ? radius : 0);
    const after = point(pair.after, hand.length * radius);
    // A turn is drawn as a wedge; what is no turn has its tips joined instead.
    const wedge = this.rotary ? wedgePath(pair, radius) : "";
    const between = this.rotary ? "" : `M${before.x} ${before.y}L${after.x} ${after.y}`;
    const shaft = hand.broken ? point(pair.after, 1.1 * radius - 2.5) : after;
    return svg`<g class=${i === this.cursor ? "at" : ""}
      transform="translate(${round(((i % perRow) + 0.5) * cell)} ${Math.floor(i / perRow) * row})">
      <text y="14">${i}</text>
      <g transform="translate(0 ${middle})">
        <path class="wedge" d=${wedge} fill=${color}></path>
        <circle class="circle" r=${radius}></circle>
        <line class="before" x2=${before.x} y2=${before.y}></line>
        <path class="between" d=${between}></path>
        <line class="after" x2=${shaft.x} y2=${shaft.y} stroke=${color}></line>
        <path class="head" d=${hand.broken ? headPath(pair.after, radius) : ""} fill=${color}></path>
        <circle class="tip" cx=${after.x} cy=${after.y} r=${hand.broken ? 0 : 3} fill=${color}></circle>
        <circle class="hub" r="2.5"></circle>
      </g>
      <rect x=${-wide / 2} width=${wide} y=${round(zero - Math.max(0, bar))} height=${round(Math.abs(bar))} fill=${color}></rect>
    </g>`;
  }

  #sentence(i: number, pair: Pair): string {
    const { turn, before, after, lengthBefore, lengthAfter, score } = pair;
    const rest = [
      fixed(lengthBefore, 3),
      fixed(lengthAfter, 3),
      this.scores.length > 0 ? signed(score) : undefined,
    ] as const;
    return this.rotary
      ? words.turned(i, fixed(turn, 2), ...rest)
      : words.moved(i, fixed(before, 2), fixed(after, 2), ...rest);
  }

  #summary(): string {
    return this.scores.length === 0 ? words.hint : words.summary(this.#pairs.length, signed(this.score, 3));
  }

  #renderTable() {
    const { table } = words;
    const hasScores = this.scores.length > 0;
    const numbers = ({ before, after, lengthBefore, lengthAfter, score }: Pair) => [
      fixed(before, 3),
      fixed(after, 3),
      fixed(lengthBefore, 3),
      fixed(lengthAfter, 3),
      ...(hasScores ? [signed(score, 3)] : []),
    ];
    return html`<div class="visually-hidden">
      <table>
        <caption>
          ${hasScores ? table.scoreCaption(this.queryLabel, this.keyLabel) : table.caption(this.queryLabel)}
        </caption>
        <thead>
          <tr>
            ${[table.pair, ...table.numbers, ...(hasScores ? [table.score] : [])].map(
              (name) => html`<th scope="col">${name}</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${this.#pairs.map(
            (pair, i) =>
              html`<tr><th scope="row">${i}</th>${numbers(pair).map((value) => html`<td>${value}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  #goTo(pair: number): void {
    if (pair === this.cursor) return;
    this.cursor = pair;
    const values = this.#pairs[pair];
    this.said = values === undefined ? "" : this.#sentence(pair, values);
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    const to = dialAfter(event, this.cursor ?? 0, this.#layout?.perRow ?? 1, this.#pairs.length);
    if (to !== undefined) this.#goTo(to);
  };

  readonly #onFocus = (): void => {
    if (this.cursor === undefined) this.#goTo(0);
  };

  readonly #onPoint = (event: PointerEvent): void => {
    const pair = this.#layout && dialAt(event, this.#layout, this.#pairs.length);
    if (pair !== undefined) this.cursor = pair;
  };

  readonly #onLeave = (event: Event): void => {
    // A finger that is lifted leaves too; what it has pointed at stays.
    if (event instanceof PointerEvent && event.pointerType === "touch") return;
    if (
      event.type === "pointerleave" &&
      this.renderRoot instanceof ShadowRoot &&
      this.renderRoot.activeElement
    ) {
      return;
    }
    this.cursor = undefined;
    this.said = "";
  };
}

function pairsOf(before: Polar, after: Polar, scores: Float32Array): Pair[] {
  const count = Math.min(before.angle.length, after.angle.length);
  return Array.from({ length: count }, (_, i) => {
    const from = before.angle[i] as number;
    const to = after.angle[i] as number;
    return {
      before: from,
      after: to,
      turn: wrap(to - from),
      lengthBefore: before.magnitude[i] as number,
      lengthAfter: after.magnitude[i] as number,
      score: scores[i] ?? 0,
    };
  });
}

/** Wide: up to sixteen in a row. Narrow: four. Around a circle there is room for the hands that leave it. */
function layoutOf(width: number, pairs: number, rotary: boolean, tallest: number): Layout | undefined {
  if (width === 0 || pairs === 0) return undefined;
  const perRow = Math.min(pairs, width < narrow ? 4 : width < 760 ? 8 : 16);
  const most = pairs > 8 || width < narrow ? 30 : 40;
  const cell = Math.min(width / perRow, 3.2 * most);
  const radius = Math.round(Math.min(most, rotary ? cell / 2 - 6 : cell / 2 / furthest - 1));
  const reach = Math.ceil(rotary ? radius + 4 : furthest * radius);
  const middle = 20 + reach;
  const zero = middle + reach + tallest + 4;
  return { perRow, cell, radius, middle, zero, row: zero + tallest + 14 };
}

/** The hand after position, in radii: its circle is the pair's own length before. */
function handOf({ lengthBefore, lengthAfter }: Pair, rotary: boolean): { length: number; broken: boolean } {
  if (lengthBefore <= 0) return { length: lengthAfter > 0 ? furthest : 0, broken: lengthAfter > 0 };
  const length = lengthAfter / lengthBefore;
  return length > furthest && !rotary ? { length: furthest, broken: true } : { length, broken: false };
}

function wedgePath({ before, after, turn }: Pair, radius: number): string {
  if (Math.abs(turn) < 1e-4) return "";
  const from = point(before, radius);
  const to = point(after, radius);
  return `M0 0L${from.x} ${from.y}A${radius} ${radius} 0 0 ${turn > 0 ? 0 : 1} ${to.x} ${to.y}Z`;
}

/** The head of a hand that is longer than can be drawn: its shaft ends at the circle, and this goes on outside. */
function headPath(angle: number, radius: number): string {
  const tip = point(angle, furthest * radius);
  const corner = (side: number) => {
    const along = point(angle, 1.1 * radius + 2.5);
    const across = point(angle + (side * Math.PI) / 2, 5);
    return `L${round(along.x + across.x)} ${round(along.y + across.y)}`;
  };
  return `M${tip.x} ${tip.y}${corner(1)}${corner(-1)}Z`;
}

function signed(value: number, digits = 2): string {
  const text = fixed(value, digits);
  return value >= 0 ? `+${text}` : text;
}
