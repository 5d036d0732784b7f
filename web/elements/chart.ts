import { type Axis, type AxisScale, axisBottom, axisLeft } from "d3-axis";
import { select } from "d3-selection";
import { css, html, nothing, svg } from "lit";
import { state } from "lit/decorators.js";
import { grouped } from "./figure.js";
import { stepOf } from "./keys.js";
import { Picture } from "./picture.js";
import { readout, theme } from "./theme.js";

/** A chart that has less room than this, in CSS pixels, is that of a phone. */
export const narrow = 480;

type Scale = AxisScale<number>;

/** The line at what is looked at, if anything is. */
export function cursor(x: number | undefined, top: number, bottom: number) {
  return x === undefined ? nothing : svg`<line class="cursor" x1=${x} x2=${x} y1=${top} y2=${bottom}></line>`;
}

const styles = css`
  :host {
    display: block;
  }

  .legend {
    display: flex;
    flex-wrap: wrap;
    gap: 2px 16px;
    margin: 0 0 4px;
    padding: 0;
    list-style: none;
  }

  .legend > * {
    display: flex;
    align-items: center;
    gap: 8px;
  }

  p.legend {
    justify-content: flex-end;
    color: var(--soft);
    font-size: 12px;
  }

  p.legend > * {
    gap: 6px;
  }

  .chart {
    border-radius: 6px;
    cursor: crosshair;
    touch-action: pan-y;
  }

  .chart svg {
    display: block;
    overflow: visible;
  }

  text {
    fill: var(--soft);
    font: 12px var(--label);
  }

  .tick line {
    stroke: var(--line);
  }

  .halo {
    stroke: var(--panel);
    stroke-width: 3;
    stroke-linejoin: round;
    paint-order: stroke;
  }

  .cursor {
    stroke: var(--ink);
    stroke-width: 1;
  }
`;

/** Ink and paper, and with them the legend, axes, labels, cursor and readout of every chart. */
export const chart = [theme, styles, readout];

/** A picture along whose points one may walk, by pointer or by arrow keys, and read what each is. */
export abstract class Chart extends Picture {
  /** What the cursor is at, for who cannot see it: said when a key brings it there, not at every step of a slider. */
  @state() protected said = "";

  /** The point that is looked at, unless somebody else keeps it. */
  @state() protected at: number | undefined;

  /** The last one; the first is 0. */
  protected abstract readonly last: number;
  /** Points that Page Up and Page Down pass. */
  protected readonly page: number = 8;
  /** From the left axis to its numbers, in CSS pixels. */
  protected readonly gap: number = 6;

  /** The point nearest to a place, in CSS pixels from the chart's left and top; undefined where there is none. */
  protected abstract pointAt(x: number, y: number): number | undefined;
  /** What there is to read of a point. */
  protected abstract sentence(point: number): string;

  /** The point that is looked at. */
  protected get current(): number | undefined {
    return this.at;
  }

  protected lookAt(point: number | undefined): void {
    this.at = point;
  }

  /** What is pointed at and walked along. */
  protected renderChart(label: string, content: unknown) {
    return html`<div
      class="chart"
      role="group"
      tabindex="0"
      aria-label=${label}
      @keydown=${this.#onKey}
      @focus=${this.#onFocus}
      @blur=${this.#onBlur}
      @pointermove=${this.#onPoint}
      @pointerdown=${this.#onPoint}
      @pointerleave=${this.#onLeave}
    >
      ${content}
    </div>`;
  }

  /** What there is to read of the point that is looked at, or else `hint`; and what is said of it. */
  protected renderReadout(hint: string, text: (point: number) => unknown = (point) => this.sentence(point)) {
    const { current } = this;
    return html`
      <p class="readout ${current === undefined ? "quiet" : ""}">${current === undefined ? hint : text(current)}</p>
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>
    `;
  }

  /** Draws ticks below the chart, into its `g.x`; both axes begin at the lower left. */
  protected drawBottom(x: Scale, y: Scale, values: readonly number[], text = grouped): void {
    const axis = axisBottom<number>(x)
      .tickValues([...values])
      .tickFormat(text)
      .tickSize(4);
    this.#draw("x", axis, 0, (y.range()[0] as number) + this.gap - 2);
  }

  /** Draws lines across the chart, into its `g.y` or another. */
  protected drawLeft(x: Scale, y: Scale, values: readonly number[], text = grouped, name = "y"): void {
    const [left, right] = x.range() as [number, number];
    const axis = axisLeft<number>(y)
      .tickValues([...values])
      .tickFormat(text)
      .tickSize(left - right - this.gap);
    this.#draw(name, axis, left - this.gap, 0);
  }

  #draw(name: string, axis: Axis<number>, x: number, y: number): void {
    const g = this.renderRoot.querySelector<SVGGElement>(`g.${name}`);
    if (g === null) return;
    select(g).attr("transform", `translate(${x} ${y})`).call(axis).select(".domain").remove();
  }

  #goTo(point: number | undefined, says = false): void {
    this.lookAt(point);
    this.said = says && point !== undefined ? this.sentence(point) : "";
  }

  readonly #onFocus = (): void => {
    if (this.current === undefined) this.#goTo(0, true);
  };

  readonly #onBlur = (): void => this.#goTo(undefined);

  readonly #onKey = (event: KeyboardEvent): void => {
    const at = this.current ?? 0;
    const to = stepOf(event, {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      PageDown: at - this.page,
      PageUp: at + this.page,
      Home: 0,
      End: this.last,
    });
    if (to !== undefined) this.#goTo(Math.max(0, Math.min(this.last, to)), true);
  };

  readonly #onPoint = (event: PointerEvent): void => {
    const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
    const point = this.pointAt(event.clientX - left, event.clientY - top);
    if (point !== undefined && point >= 0 && point <= this.last) this.#goTo(point);
  };

  readonly #onLeave = (event: PointerEvent): void => {
    // A finger that is lifted leaves too; what it has pointed at stays, as does what the keyboard is at.
    if (event.pointerType === "touch" || this.shadowRoot?.activeElement != null) return;
    this.#goTo(undefined);
  };
}
