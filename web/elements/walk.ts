import { css, html, nothing, type PropertyValues } from "lit";
import { property, query } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { Drag } from "./drag.js";
import { grouped } from "./figure.js";
import { hues } from "./hues.js";
import { fixed, Picture, PositionEvent, tokenLabel } from "./picture.js";
import { paintAngles, type Strip } from "./strip.js";
import { Surface } from "./surface.js";
import { theme } from "./theme.js";
import { locale } from "./words/en/locale.js";
import { words as all } from "./words/en/rotary.js";

/** Angles of all pairs at `count` positions from `first` on, `step` apart: [count, pairs], by the engine. */
export type Angles = (first: number, step: number, count: number) => Float32Array;

const farHeight = 48;
const farColumns = 1024;
/** An odd number, so that the middle one is the position itself. */
const samples = 7;
/** Of a position's box, in CSS pixels. */
const least = 66;
const words = all.walk;

/** The rope, and on it one word that is carried along: near by among the others of its sentence, and from further off. */
export class RopewalkWalk extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .legend {
        display: flex;
        justify-content: flex-end;
        align-items: center;
        gap: 6px;
        min-height: 20px;
        color: var(--soft);
        font-size: 12px;
      }

      .legend svg {
        width: 96px;
        height: 10px;
        border-radius: 5px;
      }

      .strip {
        position: relative;
        cursor: ew-resize;
        touch-action: pan-y;
        user-select: none;
        -webkit-user-select: none;
      }

      .words,
      .positions {
        position: relative;
        height: 24px;
        line-height: 24px;
        overflow: hidden;
        color: var(--soft);
      }

      .words {
        height: 44px;
      }

      .positions {
        font-size: 12px;
      }

      .words span,
      .positions span {
        position: absolute;
        left: calc(var(--column) * var(--box));
        width: var(--box);
        padding: 0 1px;
        overflow: hidden;
        text-overflow: ellipsis;
        text-align: center;
        white-space: nowrap;
      }

      .words span {
        top: 20px;
      }

      /* The carried word is told whole: it is lifted above its neighbours. */
      .words .carried {
        top: 0;
        left: clamp(var(--half), calc((var(--column) + 0.5) * var(--box)), calc(100% - var(--half)));
        width: auto;
        padding: 0 6px;
        translate: -50%;
        color: var(--ink);
        font-weight: 650;
      }

      .positions .here {
        color: var(--ink);
        font-weight: 650;
      }

      canvas {
        display: block;
        border-radius: 4px;
        background: var(--panel);
        color: var(--ink);
      }

      .band {
        position: relative;
      }

      .marker {
        position: absolute;
        top: -4px;
        bottom: -4px;
        left: calc(var(--column) * var(--box));
        width: var(--box);
        border: 2px solid var(--ink);
        border-radius: 6px;
        pointer-events: none;
      }

      .pair {
        position: absolute;
        left: -9px;
        top: var(--strand);
        width: 0;
        height: 0;
        translate: 0 -50%;
        border: 5px solid transparent;
        border-left: 6px solid var(--ink);
        border-right: 0;
        pointer-events: none;
      }

      .captions {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        gap: 0 24px;
        margin: 2px 0 0;
        color: var(--soft);
        font-size: 12px;
      }

      .far {
        margin-top: 12px;
      }

      .far .marker {
        left: clamp(0px, calc(var(--at) - 2px), calc(100% - 5px));
        width: 5px;
        border-width: 1.5px;
        background: var(--panel);
        border-radius: 3px;
      }
    `,
  ];

  /** The sentence, and which of its words is carried. */
  @property({ attribute: false }) tokens: readonly string[] = [];
  @property({ type: Number }) query = 0;
  @property({ type: Number }) position = 0;
  /** Where it is drawn: on its way to its position, when that has changed by one. */
  @property({ type: Number }) at = 0;
  @property({ type: Number }) pair = 0;
  /** Positions that the strip from further off shows. */
  @property({ type: Number }) farLength = 512;
  /** Another function whenever it would return something else. */
  @property({ attribute: false }) angles: Angles | undefined;
  /** Positions to a turn, of each pair. */
  @property({ attribute: false }) wavelength: Float64Array = new Float64Array();

  @query(".near canvas") private nearCanvas!: HTMLCanvasElement | null;
  @query(".far canvas") private farCanvas!: HTMLCanvasElement | null;

  readonly #nearSurface = new Surface();
  readonly #farSurface = new Surface();
  /** The positions that are seen near by: they are moved along no more than the word needs. */
  #first = 0;
  #count = 0;
  #near: Strip | undefined;
  #far: Strip | undefined;

  protected override willUpdate(changed: PropertyValues): void {
    const { angles, width } = this;
    if (angles === undefined || width === 0) return;
    const count = Math.max(4, Math.floor(width / least));
    const last = this.farLength - count;
    const needs = Math.max(this.position - count + 2, Math.min(this.#first, this.position - 1));
    const first = Math.max(0, Math.min(last, needs));
    const strands = this.wavelength.length;
    const moved = first !== this.#first || count !== this.#count;
    if (moved || changed.has("angles") || this.#near === undefined) {
      // A position stands in the middle of its box.
      const start = first - 0.5 + 0.5 / samples;
      this.#near = { values: angles(start, 1 / samples, count * samples), columns: count * samples, strands };
    }
    if (changed.has("farLength") || changed.has("angles") || this.#far === undefined)
      this.#far = {
        values: angles(0, this.farLength / farColumns, farColumns),
        columns: farColumns,
        strands,
      };
    this.#first = first;
    this.#count = count;
    if (moved || changed.has("angles") || changed.has("position")) this.settle();
  }

  protected override render() {
    const near = this.#near;
    if (near === undefined || this.width === 0) return nothing;
    const first = this.#first;
    const columns = Array.from({ length: this.#count }, (_, c) => c);
    const last = this.wavelength.length - 1;
    const word = tokenLabel(this.tokens[this.query] ?? "");
    return html`
      <div class="legend">${words.legend} −π
        ${hues}
        π
      </div>
      <div
        class="strip near"
        @pointerdown=${this.#drag}
        @pointermove=${this.#drag}
        @click=${this.#drag}
      >
        <div class="words" aria-hidden="true">
          ${columns.map((c) => html`<span dir="auto">${tokenLabelAt(this.tokens, this.query, this.position, first + c)}</span>`)}
          <span class="carried" dir="auto">${word}</span>
        </div>
        <div class="band">
          <canvas role="img" aria-label=${this.#describe(word)}></canvas>
          <div class="marker"></div>
          <div class="pair"></div>
        </div>
        <div class="positions" aria-hidden="true">
          ${columns.map((c) => html`<span class=${first + c === this.position ? "here" : ""}>${grouped(first + c)}</span>`)}
        </div>
      </div>
      <div class="captions">
        <span>${words.first(turnsIn(this.wavelength[0]))}</span>
        <span>${words.last(last, turnsIn(this.wavelength[last]))}</span>
      </div>
      <div class="strip far" @pointerdown=${this.#drag} @pointermove=${this.#drag} @click=${this.#drag}>
        <div class="band">
          <canvas role="img" aria-label=${words.farLabel(grouped(this.farLength))}></canvas>
          <div class="marker"></div>
        </div>
        <div class="captions" aria-hidden="true">
          <span>0</span><span>${words.far}</span><span>${grouped(this.farLength)}</span>
        </div>
      </div>
      ${guard([this.settled], () => this.#renderTable(near))}
    `;
  }

  #describe(word: string): string {
    const ends = [grouped(this.#first), grouped(this.#first + this.#count - 1)] as const;
    return words.label(this.wavelength.length, ...ends, word, grouped(this.position));
  }

  #renderTable({ values, strands }: Strip) {
    const { table } = words;
    const columns = Array.from({ length: this.#count }, (_, c) => c);
    return html`<div class="visually-hidden"><table>
      <caption>${table.caption}</caption>
      <thead><tr><th scope="col">${table.position}</th>${Array.from({ length: strands }, (_, s) => html`<th scope="col">${table.pair(s)}</th>`)}</tr></thead>
      <tbody>${columns.map(
        (c) =>
          html`<tr><th scope="row">${this.#first + c}</th>${Array.from(
            { length: strands },
            (_, s) =>
              html`<td>${fixed(values[(c * samples + (samples - 1) / 2) * strands + s] as number, 3)}</td>`,
          )}</tr>`,
      )}</tbody>
    </table></div>`;
  }

  protected override updated(changed: PropertyValues): void {
    const near = this.#near;
    const far = this.#far;
    const { nearCanvas, farCanvas, width } = this;
    if (near === undefined || far === undefined || nearCanvas === null || farCanvas === null) return;
    const box = width / this.#count;
    const set = (selector: string, name: string, value: string) =>
      this.renderRoot.querySelector<HTMLElement>(selector)?.style.setProperty(name, value);
    set(".near", "--box", `${box}px`);
    for (const line of this.renderRoot.querySelectorAll(".words, .positions"))
      line.querySelectorAll<HTMLElement>("span:not(.carried)").forEach((span, c) => {
        span.style.setProperty("--column", `${c}`);
      });
    const column = `${this.at - this.#first}`;
    set(".carried", "--column", column);
    set(".near .marker", "--column", column);
    const carried = this.renderRoot.querySelector<HTMLElement>(".carried");
    if (changed.has("query") || changed.has("tokens") || changed.has("width") || changed.has("fonts"))
      set(".carried", "--half", `${Math.min(width / 2, (carried?.offsetWidth ?? 0) / 2)}px`);
    set(".pair", "--strand", `${(100 * (this.pair + 0.5)) / near.strands}%`);
    set(".far .marker", "--at", `${(width * this.at) / this.farLength}px`);
    // The word on its way changes nothing of the rope that it is carried along.
    const untouched = ["at", "query", "tokens", "pair", "settled"];
    if (changed.size > 0 && [...changed.keys()].every((name) => untouched.includes(name as string))) return;
    const paint = this.inksOf(nearCanvas);
    const turn = (columnsPerPosition: number) => (s: number) =>
      (this.wavelength[s] ?? Number.POSITIVE_INFINITY) * columnsPerPosition;
    const height = Math.max(144, Math.min(224, 9 * near.strands));
    paintAngles(
      this.#nearSurface.begin(nearCanvas, width, height, 0, near.columns),
      near,
      paint,
      turn(samples),
    );
    this.#nearSurface.end();
    paintAngles(
      this.#farSurface.begin(farCanvas, width, farHeight, 0, far.columns),
      far,
      paint,
      turn(farColumns / this.farLength),
    );
    this.#farSurface.end();
  }

  readonly #drag = new Drag((event) => this.#put(event));

  #put(event: MouseEvent): void {
    const strip = event.currentTarget as Element;
    const { left, width } = strip.getBoundingClientRect();
    const part = (event.clientX - left) / width;
    const position = strip.classList.contains("far")
      ? Math.round(part * this.farLength)
      : this.#first + Math.floor(part * this.#count);
    const allowed = Math.max(0, Math.min(this.farLength - 1, position));
    if (allowed !== this.position) this.dispatchEvent(new PositionEvent(allowed));
  }
}

/** What stands at a place when one word is carried to `position`, and the others close up where it was. */
function tokenLabelAt(tokens: readonly string[], query: number, position: number, place: number): string {
  if (place === position) return "";
  const others = place < position ? place : place - 1;
  const token = tokens[others < query ? others : others + 1];
  return token === undefined ? "·" : tokenLabel(token);
}

function turnsIn(wavelength: number | undefined): string {
  if (wavelength === undefined) return "";
  return wavelength.toLocaleString(locale, { maximumFractionDigits: wavelength < 100 ? 1 : 0 });
}
