import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import type { RopeLayout } from "ropewalk";
import type { Polar } from "./dials.js";
import { grouped } from "./figure.js";
import { componentsOf, dialAfter, dialAt, point, type Rows, wrap } from "./pairs.js";
import { fixed, PairEvent, Picture, round } from "./picture.js";
import type { Turn } from "./rotary_pipeline.js";
import { angleColor, readout, theme } from "./theme.js";
import { locale } from "./words/en/locale.js";
import { words as all } from "./words/en/rotary.js";

const words = all.turns;

/** Told when the user turns a hand: by how many radians since it was taken hold of, against the clock. */
export class CrankEvent extends Event {
  static readonly type = "ropewalk-crank";

  constructor(
    readonly pair: number,
    readonly angle: number,
  ) {
    super(CrankEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-crank": CrankEvent;
  }
}

interface Layout extends Rows {
  radius: number;
  middle: number;
}

const numberHeight = 20;
/** From a dial's rim to the arc of what is further. */
const outside = 5;

/** A query's pairs as hands on dials: all to one scale, turned by their position, or pushed by what is added for it. */
export class RopewalkTurns extends Picture {
  static override styles = [
    theme,
    readout,
    css`
      :host {
        display: block;
      }

      .dials {
        border-radius: 6px;
        touch-action: pan-y;
        user-select: none;
        -webkit-user-select: none;
      }

      .turned {
        cursor: grab;
      }

      .held {
        cursor: grabbing;
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

      .at .number,
      text.amount {
        fill: var(--ink);
        font-weight: 600;
      }

      text.amount {
        font-size: 13px;
      }

      .rim {
        fill: none;
        stroke: var(--line);
      }

      /* The tip of a hand that keeps its length stays on it. */
      .own {
        fill: none;
        stroke: color-mix(in oklab, var(--soft) 60%, var(--line));
        stroke-dasharray: 1.5 2.5;
      }

      .wedge {
        fill-opacity: 0.24;
      }

      .arc {
        fill: none;
        stroke-width: 3.5;
      }

      .further {
        fill: none;
        stroke-width: 2.5;
        stroke-linecap: round;
      }

      .round {
        fill: none;
        stroke: var(--soft);
        stroke-opacity: 0.5;
      }

      .then {
        stroke: var(--soft);
        stroke-width: 1.25;
        stroke-dasharray: 3 2.5;
      }

      .before {
        stroke: color-mix(in oklab, var(--soft) 70%, var(--panel));
        stroke-width: 1.75;
      }

      .hand {
        stroke: var(--ink);
        stroke-width: 3;
        stroke-linecap: round;
      }

      .needle {
        stroke: var(--ink);
      }

      .push {
        stroke-width: 3.5;
      }

      .tip,
      .hub {
        fill: var(--ink);
      }

      .cursor {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
      }
    `,
  ];

  @property() kind: "turned" | "pushed" = "turned";
  @property({ attribute: false }) plain: Polar | undefined;
  /** As it is, and as it is told in numbers. */
  @property({ attribute: false }) moved: Polar | undefined;
  /** What position turns each pair by, and what going `distance` further would. */
  @property({ attribute: false }) turn: Turn | undefined;
  @property({ attribute: false }) further: Turn | undefined;
  /** What the hands are drawn turned by: on their way, when position has changed by one. */
  @property({ attribute: false }) angle: Float32Array | undefined;
  /** Whether they have come to where they belong. */
  @property({ type: Boolean }) resting = true;
  @property({ attribute: false }) invFreq: Float64Array = new Float64Array();
  @property({ attribute: false }) wavelength: Float64Array = new Float64Array();
  @property({ type: Number }) position = 0;
  @property({ type: Number }) distance = 1;
  @property({ type: Number }) pair = 0;
  @property() layout: RopeLayout = "interleaved";
  @property() label = "";

  @state() private held = false;
  /** The pair that is looked at, when it was gone to: said once, not at every frame. */
  @state() private said = "";

  /** Where the hand was taken hold of, and how far it has been turned since. */
  #crank: { x: number; y: number; last: number; sum: number } | undefined;
  #layout: Layout | undefined;

  get #pairs(): number {
    return this.plain?.angle.length ?? 0;
  }

  protected override willUpdate(changed: PropertyValues): void {
    this.#layout = layoutOf(this.width, this.#pairs, this.kind);
    if (changed.has("plain") || changed.has("moved") || changed.has("further")) this.settle();
  }

  protected override render() {
    const { plain, moved, turn, further, angle } = this;
    const layout = this.#layout;
    if (plain === undefined || moved === undefined || turn === undefined || further === undefined)
      return nothing;
    if (angle === undefined || layout === undefined) return nothing;
    const pairs = this.#pairs;
    const rows = Math.ceil(pairs / layout.perRow);
    const { pair } = this;
    // What is added has a length of 1 for every pair.
    const scale = layout.radius / (plain.magnitude.reduce((most, one) => Math.max(most, one), 0) + 0.4);
    const turned = this.kind === "turned";
    return html`
      <div
        class="dials ${this.kind} ${this.held ? "held" : ""}"
        role="group"
        tabindex="0"
        aria-label=${words.label[this.kind](this.label)}
        @keydown=${this.#onKey}
        @pointerdown=${this.#onPress}
        @pointermove=${this.#onMove}
        @pointerup=${this.#onRelease}
        @pointercancel=${this.#onRelease}
      >
        <svg width=${this.width} height=${rows * layout.row} aria-hidden="true">
          ${Array.from({ length: pairs }, (_, i) => {
            const x = round(((i % layout.perRow) + 0.5) * layout.cell);
            const y = Math.floor(i / layout.perRow) * layout.row;
            return svg`<g class=${i === pair ? "at" : ""} transform="translate(${x} ${y})">
              <text class="number" y="13">${i}</text>
              <g class="dial" transform="translate(0 ${layout.middle})">
                ${turned ? this.#turned(i, scale, layout.radius) : this.#pushed(i, scale, layout.radius)}
                <circle class="hub" r="2.5"></circle>
              </g>
              ${this.#numbers(i, layout)}
            </g>`;
          })}
          <rect class="cursor" rx="6"
            x=${round((pair % layout.perRow) * layout.cell + 1)}
            y=${Math.floor(pair / layout.perRow) * layout.row + 0.5}
            width=${round(layout.cell - 2)} height=${layout.row - 5}></rect>
        </svg>
      </div>
      <p class="readout">${this.#sentence(pair)}</p>
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  #turned(i: number, scale: number, radius: number) {
    const { plain, moved, angle, further } = this as Required<this>;
    const from = plain?.angle[i] as number;
    const by = onwards(angle?.[i] as number);
    const on = onwards(further?.angle[i] as number);
    const to = this.resting ? (moved?.angle[i] as number) : from + by;
    const length = (plain?.magnitude[i] as number) * scale;
    const color = angleColor(angle?.[i] as number);
    const tip = point(to, this.resting ? (moved?.magnitude[i] as number) * scale : length);
    const old = point(from, radius);
    const needle = point(to, radius);
    const then = point(to + on, radius + outside);
    const ring = radius + outside;
    return svg`
      <circle class="rim" r=${radius}></circle>
      <path class="wedge" d="M0 0L${coordinates(point(from, radius))}${arc(from, by, radius)}Z" fill=${color}></path>
      <path class="arc" d="M${coordinates(point(from, radius))}${arc(from, by, radius)}" stroke=${color}></path>
      <circle class="own" r=${round(length)}></circle>
      ${(further?.turns[i] as number) >= 1 ? svg`<circle class="round" r=${ring}></circle>` : nothing}
      <path class="further" d="M${coordinates(point(to, ring))}${arc(to, on, ring)}" stroke=${angleColor(on)}></path>
      <line class="then" x2=${then.x} y2=${then.y}></line>
      <line class="before" x2=${old.x} y2=${old.y}></line>
      <line class="needle" x2=${needle.x} y2=${needle.y}></line>
      <line class="hand" x2=${tip.x} y2=${tip.y}></line>
      <circle class="tip" cx=${tip.x} cy=${tip.y} r="3.25"></circle>`;
  }

  #pushed(i: number, scale: number, radius: number) {
    const { plain, moved, angle } = this as Required<this>;
    const length = (plain?.magnitude[i] as number) * scale;
    const old = point(plain?.angle[i] as number, length);
    const rim = point(plain?.angle[i] as number, radius);
    const tip = this.resting
      ? point(moved?.angle[i] as number, (moved?.magnitude[i] as number) * scale)
      : pushedBy(angle?.[i] as number, scale, old);
    return svg`
      <circle class="rim" r=${radius}></circle>
      <circle class="own" r=${round(length)}></circle>
      <line class="before" x2=${rim.x} y2=${rim.y}></line>
      <line class="push" x1=${old.x} y1=${old.y} x2=${tip.x} y2=${tip.y} stroke=${angleColor(angle?.[i] as number)}></line>
      <line class="hand" x2=${tip.x} y2=${tip.y}></line>
      <circle class="tip" cx=${tip.x} cy=${tip.y} r="3.25"></circle>`;
  }

  #numbers(i: number, { row, cell }: Layout) {
    const y = row - 12;
    if (this.kind === "pushed") {
      const change = (this.moved?.magnitude[i] as number) - (this.plain?.magnitude[i] as number);
      return svg`<text class="amount" y=${y}>${change < 0 ? "" : "+"}${fixed(change, 2)}</text>`;
    }
    const digits = cell >= 60 ? 3 : 2;
    const turns = amount(this.turn?.turns[i] as number, digits);
    return svg`<text class="amount" y=${y - 17}>${cell >= 90 ? words.turns(turns) : turns}</text>
      <text y=${y}>+${amount(this.further?.turns[i] as number, digits)}</text>`;
  }

  #sentence(i: number): string {
    const { plain, moved, turn, further } = this;
    const before = fixed(plain?.magnitude[i] as number, 4);
    const after = fixed(moved?.magnitude[i] as number, 4);
    if (this.kind === "pushed") {
      const [from, to] = [plain, moved].map((pairs) => fixed(pairs?.angle[i] as number, 2));
      return words.pushed(i, from as string, to as string, before, after);
    }
    const [first, second] = componentsOf(this.layout, i, 2 * this.#pairs);
    return words.turned({
      pair: i,
      first,
      second,
      radians: amount(this.invFreq[i] as number),
      wavelength: (this.wavelength[i] as number).toLocaleString(locale, { maximumSignificantDigits: 3 }),
      position: grouped(this.position),
      turns: amount(turn?.turns[i] as number),
      distance: grouped(this.distance),
      more: amount(further?.turns[i] as number),
      before,
      after,
    });
  }

  #renderTable() {
    const { plain, moved, turn, further } = this;
    if (plain === undefined || moved === undefined || turn === undefined || further === undefined)
      return nothing;
    const { table } = words;
    const names = this.kind === "turned" ? table.turned(this.distance) : table.pushed;
    const numbers = (i: number) => {
      const lengths = [plain.magnitude[i], moved.magnitude[i]].map((length) => fixed(length as number, 4));
      return this.kind === "turned"
        ? [
            fixed(turn.angle[i] as number, 3),
            amount(turn.turns[i] as number),
            amount(further.turns[i] as number),
            ...lengths,
          ]
        : [fixed(plain.angle[i] as number, 3), fixed(moved.angle[i] as number, 3), ...lengths];
    };
    return html`<div class="visually-hidden"><table>
      <caption>${table.caption[this.kind](this.label, this.position)}</caption>
      <thead><tr><th scope="col">${table.pair}</th>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${Array.from(
        { length: this.#pairs },
        (_, i) =>
          html`<tr><th scope="row">${i}</th>${numbers(i).map((number) => html`<td>${number}</td>`)}</tr>`,
      )}</tbody>
    </table></div>`;
  }

  #pick(pair: number): void {
    if (pair === this.pair) return;
    this.dispatchEvent(new PairEvent(pair));
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    const pair = dialAfter(event, this.pair, this.#layout?.perRow ?? 1, this.#pairs);
    if (pair === undefined) return;
    this.#pick(pair);
    this.said = this.#sentence(pair);
  };

  readonly #onPress = (event: PointerEvent): void => {
    const layout = this.#layout;
    if (layout === undefined || event.button !== 0) return;
    const pair = dialAt(event, layout, this.#pairs);
    if (pair === undefined) return;
    this.#pick(pair);
    if (this.kind === "pushed") return;
    const surface = event.currentTarget as Element;
    surface.setPointerCapture(event.pointerId);
    const { left, top } = surface.getBoundingClientRect();
    const x = left + ((pair % layout.perRow) + 0.5) * layout.cell;
    const y = top + Math.floor(pair / layout.perRow) * layout.row + layout.middle;
    this.#crank = { x, y, last: Math.atan2(y - event.clientY, event.clientX - x), sum: 0 };
    this.held = true;
    this.dispatchEvent(new CrankEvent(pair, 0));
  };

  readonly #onMove = (event: PointerEvent): void => {
    const crank = this.#crank;
    if (crank === undefined) return;
    const angle = Math.atan2(crank.y - event.clientY, event.clientX - crank.x);
    crank.sum += wrap(angle - crank.last);
    crank.last = angle;
    this.dispatchEvent(new CrankEvent(this.pair, crank.sum));
  };

  readonly #onRelease = (): void => {
    this.#crank = undefined;
    this.held = false;
  };
}

/** How many dials stand in a row. */
function perRowOf(width: number, pairs: number): number {
  if (width < 480) return Math.min(4, pairs);
  if (pairs <= 8) return pairs;
  return width >= 1100 || (pairs > 16 && width >= 760) ? 16 : 8;
}

function layoutOf(width: number, pairs: number, kind: "turned" | "pushed"): Layout | undefined {
  if (width === 0 || pairs === 0) return undefined;
  const perRow = perRowOf(width, pairs);
  const cell = width / perRow;
  const most = perRow <= 4 && width >= 480 ? 64 : 44;
  const radius = Math.round(Math.min(most, cell / 2 - outside - 2));
  // Pushed hands may leave their dial a little.
  const reach = radius + outside + 3;
  const middle = numberHeight + reach;
  return { perRow, cell, radius, middle, row: middle + reach + (kind === "turned" ? 44 : 26) };
}

/** The same angle, as one that is turned by against the clock: from 0 to 2π. */
function onwards(angle: number): number {
  return angle < 0 ? angle + 2 * Math.PI : angle;
}

/** What is added for an angle is its sine and its cosine: an arrow of length 1, that turns with the clock. */
function pushedBy(angle: number, scale: number, from: { x: number; y: number }): { x: number; y: number } {
  const push = point(Math.PI / 2 - angle, scale);
  return { x: round(from.x + push.x), y: round(from.y + push.y) };
}

const coordinates = ({ x, y }: { x: number; y: number }) => `${x} ${y}`;

/** From an angle on, against the clock, by less than a turn. */
function arc(from: number, by: number, radius: number): string {
  return `A${radius} ${radius} 0 ${by > Math.PI ? 1 : 0} 0 ${coordinates(point(from + by, radius))}`;
}

/** As many digits that count, however small. */
function amount(value: number, count = 3): string {
  if (value === 0) return "0";
  if (value >= 100) return grouped(Math.round(value));
  const digits = Math.min(6, Math.max(0, count - 1 - Math.floor(Math.log10(value))));
  return value.toFixed(digits);
}
