import { scaleLinear } from "d3-scale";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, state } from "lit/decorators.js";
import type { BandsResults } from "./bands_pipeline.js";
import { figure } from "./figure.js";
import { stepOf } from "./keys.js";
import { fixed, Picture } from "./picture.js";
import { angleColor, theme } from "./theme.js";
import { words as bands } from "./words/en/bands.js";

const words = bands.stack;

/** Told when the user looks at a pair, or at none any more. */
export class LookEvent extends Event {
  static readonly type = "ropewalk-look";

  constructor(readonly pair: number | undefined) {
    super(LookEvent.type, { bubbles: true, composed: true });
  }
}

/** Told when the user mutes a pair, or hears it again. */
export class MuteEvent extends Event {
  static readonly type = "ropewalk-mute";

  constructor(readonly pair: number) {
    super(MuteEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-look": LookEvent;
    "ropewalk-mute": MuteEvent;
  }
}

/** Of a pair, in CSS pixels: a finger's target. */
export const rowHeight = 24;
/** Above the first pair: what the columns are. */
export const headHeight = 40;
const indexWidth = 26;
const wavelengthWidth = 62;
const barHeight = 13;

/** A score as the stack of its pairs: each begins where the one before it has left the sum. */
export class RopewalkBandsStack extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .head {
        display: flex;
        align-items: end;
        gap: 8px;
        height: ${headHeight}px;
        padding-bottom: 8px;
        color: var(--soft);
        font-size: 12px;
        line-height: 15px;
      }

      .head :last-child {
        margin-left: auto;
        text-align: right;
      }

      .rows {
        position: relative;
      }

      svg {
        position: absolute;
        inset: 0;
        overflow: visible;
        pointer-events: none;
      }

      button {
        all: unset;
        display: block;
        width: 100%;
        height: ${rowHeight}px;
        border-radius: 5px;
        cursor: pointer;
        -webkit-tap-highlight-color: transparent;
      }

      button.looked {
        background: color-mix(in oklab, var(--ink) 7%, transparent);
      }

      button:focus-visible {
        outline: 2px solid var(--focus);
        outline-offset: -2px;
      }

      text {
        fill: var(--soft);
        font: 12px var(--label);
        text-anchor: end;
      }

      .index {
        fill: var(--ink);
      }

      .off {
        fill: var(--soft);
        text-decoration: line-through;
      }

      .never {
        fill: var(--ink);
        font-weight: 650;
      }

      .zero {
        stroke: color-mix(in oklab, var(--soft) 55%, var(--line));
      }

      .step {
        stroke: var(--soft);
      }

      .muted {
        fill: none;
        stroke: var(--soft);
        stroke-dasharray: 2 2;
      }

      .sum {
        fill: var(--ink);
      }

      .total {
        height: 34px;
        color: var(--ink);
        line-height: 34px;
        font-weight: 600;
        text-align: right;
      }
    `,
  ];

  @property({ attribute: false }) results: BandsResults | undefined;
  @property({ attribute: false }) muted: readonly number[] = [];
  /** The pair that is looked at. */
  @property({ attribute: false }) pair: number | undefined;

  /** The pair that Tab comes to. */
  @state() private cursor = 0;

  protected override willUpdate(_: PropertyValues): void {
    this.cursor = Math.min(this.cursor, Math.max(0, (this.results?.parts.length ?? 1) - 1));
  }

  protected override render() {
    const { results, width } = this;
    if (results === undefined || width === 0) return nothing;
    const { parts, angles, wavelength, turns } = results;
    return html`
      <div class="head" aria-hidden="true">
        <span>${words.pair}</span><span>${words.part}</span><span>${words.turn}</span>
      </div>
      <div
        class="rows"
        role="group"
        aria-label=${words.label}
        @keydown=${this.#onKey}
        @focusin=${this.#onFocus}
        @focusout=${this.#onLeave}
        @pointerleave=${this.#onLeave}
      >
        ${Array.from(parts, (part, pair) => {
          const label = (turns[pair] as number) < 1 ? words.muteNever : words.mute;
          return html`<button
            type="button"
            class=${pair === this.pair ? "looked" : ""}
            data-pair=${pair}
            tabindex=${pair === this.cursor ? 0 : -1}
            aria-pressed=${this.muted.includes(pair)}
            aria-label=${label(pair, fixed(part, 3), fixed(angles[pair] as number, 2), figure(wavelength[pair] as number))}
            @click=${this.#onClick}
            @pointerenter=${this.#onEnter}
          ></button>`;
        })}
        ${this.#renderBars(results)}
        <div class="total">${fixed(results.left, 3)}</div>
      </div>
    `;
  }

  #renderBars({ parts, running, angles, wavelength, turns, left, curve }: BandsResults) {
    const n = parts.length;
    let least = Math.min(0, left);
    let most = Math.max(0, left);
    // As wide as the score ever is at any distance: bars move along the axis, which stays.
    for (const values of [curve.all, curve.left, running, withMuted(parts, running, this.muted)])
      for (const value of values) {
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
    const x = scaleLinear()
      .domain([least, most])
      .range([indexWidth, Math.max(indexWidth + 40, this.width - wavelengthWidth)]);
    const at = (value: number) => Math.round(x(value) * 10) / 10;
    const height = n * rowHeight;
    return svg`<svg width=${this.width} height=${height + 34} aria-hidden="true">
      <line class="zero" x1=${at(0)} x2=${at(0)} y1="0" y2=${height + 30}></line>
      ${Array.from(parts, (part, pair) => {
        const isMuted = this.muted.includes(pair);
        const from = pair === 0 ? 0 : (running[pair - 1] as number);
        const to = isMuted ? from + part : (running[pair] as number);
        const top = pair * rowHeight + (rowHeight - barHeight) / 2;
        const after = at(running[pair] as number);
        const line = top + barHeight - 2;
        return svg`
          <text class=${isMuted ? "off" : "index"} x=${indexWidth - 8} y=${line}>${pair}</text>
          <text class=${(turns[pair] as number) < 1 ? "never" : ""} x=${this.width - 4} y=${line}>
            ${figure(wavelength[pair] as number)}
          </text>
          <line class="step" x1=${after} x2=${after} y1=${top + barHeight}
            y2=${top + rowHeight + (pair === n - 1 ? 3 : 0)}></line>
          <rect class=${isMuted ? "muted" : "bar"} x=${Math.min(at(from), at(to))} y=${top}
            width=${Math.max(1, Math.abs(at(to) - at(from)))} height=${barHeight}
            fill=${isMuted ? "none" : angleColor(angles[pair] as number)}></rect>`;
      })}
      <rect class="sum" x=${Math.min(at(0), at(left))} y=${height + 10}
        width=${Math.max(1, Math.abs(at(left) - at(0)))} height=${barHeight}></rect>
    </svg>`;
  }

  #look(pair: number | undefined): void {
    if (pair !== this.pair) this.dispatchEvent(new LookEvent(pair));
  }

  readonly #onClick = (event: Event): void => {
    this.dispatchEvent(new MuteEvent(pairOf(event.currentTarget)));
  };

  readonly #onEnter = (event: Event): void => this.#look(pairOf(event.currentTarget));

  readonly #onFocus = (event: Event): void => {
    this.cursor = pairOf(event.target);
    this.#look(this.cursor);
  };

  readonly #onLeave = (): void => this.#look(undefined);

  readonly #onKey = (event: KeyboardEvent): void => {
    const last = (this.results?.parts.length ?? 1) - 1;
    const to = stepOf(event, {
      ArrowUp: this.cursor - 1,
      ArrowDown: this.cursor + 1,
      Home: 0,
      End: last,
    });
    if (to === undefined) return;
    this.renderRoot.querySelector<HTMLElement>(`[data-pair="${Math.max(0, Math.min(last, to))}"]`)?.focus();
  };
}

function pairOf(target: EventTarget | null): number {
  return Number((target as HTMLElement).dataset.pair);
}

/** Where the outline of each muted pair ends. */
function withMuted(parts: Float32Array, running: Float32Array, muted: readonly number[]): number[] {
  return muted
    .filter((pair) => pair < parts.length)
    .map((pair) => (running[pair] as number) + (parts[pair] as number));
}
