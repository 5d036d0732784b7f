import { scaleLinear } from "d3-scale";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, query } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { live } from "lit/directives/live.js";
import {
  type BandsResults,
  type Curve,
  furthest,
  octaves,
  type Twist,
  twistColumns,
} from "./bands_pipeline.js";
import { headHeight, LookEvent } from "./bands_stack.js";
import { Drag } from "./drag.js";
import { grouped } from "./figure.js";
import { stepOf } from "./keys.js";
import { fixed, Picture } from "./picture.js";
import { greyOf, mix, pixel } from "./strip.js";
import { hiddenTable } from "./table.js";
import { anglePixels, angleSteps, theme } from "./theme.js";
import { words as bands } from "./words/en/bands.js";

const words = bands.distance;

/** Told when the user puts the two phrases at another distance. */
export class DistanceEvent extends Event {
  static readonly type = "ropewalk-distance";

  constructor(readonly distance: number) {
    super(DistanceEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-distance": DistanceEvent;
  }
}

/** Half the thumb of a slider: the picture's axis begins and ends where the thumb's middle does. */
const inset = 8;
const gap = 48;
const axisHeight = 26;
/** Steps of the slider to an octave; the keyboard goes by tokens. */
const sliderSteps = 64;
const ticks = [1, 10, 100, 1000, 10_000, 100_000];

/** The rope along distances, near ones and far ones alike, and beneath it what the score is there. */
export class RopewalkBandsDistance extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
        --row: 14;
        --curve: 150;
      }

      .head {
        display: flex;
        align-items: end;
        min-height: ${headHeight}px;
        padding-bottom: 8px;
        color: var(--soft);
        font-size: 12px;
        line-height: 15px;
      }

      .picture {
        position: relative;
        cursor: ew-resize;
        touch-action: pan-y;
      }

      canvas {
        position: absolute;
        top: 0;
        left: ${inset}px;
        color: var(--ink);
        background: var(--panel);
      }

      .picture svg {
        display: block;
        position: relative;
        overflow: visible;
      }

      text {
        fill: var(--soft);
        font: 12px var(--label);
      }

      .halo {
        stroke: var(--panel);
        stroke-width: 4;
        stroke-linejoin: round;
        paint-order: stroke;
      }

      .beyond {
        fill: var(--panel);
        fill-opacity: 0.72;
      }

      .veil {
        fill: var(--panel);
        fill-opacity: 0.8;
      }

      .turn {
        stroke: light-dark(#22252b, #15171b);
        stroke-width: 2;
      }

      .looked {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
      }

      .grid {
        stroke: var(--line);
      }

      .context {
        stroke: var(--ink);
        stroke-dasharray: 5 4;
      }

      .at {
        stroke: var(--ink);
        stroke-width: 2;
      }

      .under {
        stroke: var(--panel);
        stroke-width: 5;
        stroke-opacity: 0.7;
      }

      .left,
      .all {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
        stroke-linejoin: round;
      }

      .all {
        stroke: color-mix(in oklab, var(--soft) 55%, var(--panel));
        stroke-width: 1;
      }

      .point {
        fill: var(--ink);
        stroke: var(--panel);
        stroke-width: 2;
      }

      text.strong {
        fill: var(--ink);
        font-weight: 600;
      }

      label {
        display: block;
        color: var(--soft);
        font-size: 12px;
        text-align: center;
      }

      input {
        display: block;
        width: 100%;
        height: 28px;
        margin: 2px 0 0;
        accent-color: var(--ink);
      }
    `,
  ];

  @property({ attribute: false }) results: BandsResults | undefined;
  @property({ attribute: false }) muted: readonly number[] = [];
  @property({ type: Number }) distance = 1;
  @property({ type: Number }) context = 1;
  /** The pair that is looked at. */
  @property({ attribute: false }) pair: number | undefined;

  @query(".picture") private readonly picture!: HTMLElement | null;
  @query("canvas") private readonly canvas!: HTMLCanvasElement | null;

  /** Heights that the surroundings decide on, in CSS pixels: of a pair's row, and of the curve. */
  #row = 0;
  #curve = 0;
  #drawn: { twist?: Twist; width?: number; canvas?: HTMLCanvasElement } = {};

  /** Of the axis: where a distance stands, in CSS pixels. */
  #x(distance: number): number {
    return inset + ((this.width - 2 * inset) * Math.log2(Math.max(1, distance))) / octaves;
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("results")) this.settle();
    if (this.#row === 0 || changed.has("width")) {
      const style = getComputedStyle(this);
      this.#row = Number(style.getPropertyValue("--row"));
      this.#curve = Number(style.getPropertyValue("--curve"));
    }
  }

  protected override render() {
    const { results, width, distance, context } = this;
    if (results === undefined || width === 0) return nothing;
    const rows = results.parts.length * this.#row;
    const top = rows + gap;
    const height = top + this.#curve + axisHeight;
    const at = round(this.#x(distance));
    const end = round(this.#x(context));
    const y = this.#scale(results, top);
    const score = round(y(results.left));
    return html`
      <div class="head" aria-hidden="true">
        <span>${words.heading}</span>
      </div>
      <div
        class="picture"
        @pointerdown=${this.#drag}
        @pointermove=${this.#onMove}
        @click=${this.#drag}
        @pointerleave=${this.#onLeave}
      >
        <canvas role="img" aria-label=${this.#describe(results)}></canvas>
        <svg width=${width} height=${height} aria-hidden="true">
          ${this.#renderRows(results, end)}
          ${guard([results.curve, width, this.fonts], () => this.#renderCurves(results.curve, y, top, height))}
          <rect class="beyond" x=${end} y=${top} width=${Math.max(0, width - inset - end)} height=${this.#curve}></rect>
          <line class="context" x1=${end} x2=${end} y1="-4" y2=${top + this.#curve}></line>
          <line class="under" x1=${at} x2=${at} y1="0" y2=${rows}></line>
          <line class="at" x1=${at} x2=${at} y1="-4" y2=${height - axisHeight + 4}></line>
          <circle class="point" cx=${at} cy=${score} r="5.5"></circle>
          <text class="halo strong" x=${end - 6} y=${top - 8} text-anchor="end">${words.context(grouped(context))}</text>
        </svg>
      </div>
      <label for="distance">${words.label}</label>
      <input
        id="distance"
        type="range"
        min="0"
        max=${octaves * sliderSteps}
        step="1"
        aria-valuetext=${words.spoken(grouped(distance), fixed(results.left, 3))}
        .value=${live(String(Math.round(Math.log2(Math.max(1, distance)) * sliderSteps)))}
        @input=${this.#onSlide}
        @keydown=${this.#onKey}
      />
      ${guard([this.settled], () => this.#renderTable(results))}
    `;
  }

  /** Of the curves' values; the same whatever the distance. */
  #scale({ curve, left }: BandsResults, top: number) {
    let least = Math.min(0, left);
    let most = Math.max(0, left);
    for (const value of curve.all) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    for (const value of curve.left) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    return scaleLinear()
      .domain([least, most])
      .range([top + this.#curve - 4, top + 4]);
  }

  #renderRows({ wavelength, parts }: BandsResults, end: number) {
    const row = this.#row;
    const right = this.width - inset;
    const height = parts.length * row;
    return svg`
      ${this.muted
        .filter((pair) => pair < parts.length)
        .map(
          (pair) =>
            svg`<rect class="veil" x=${inset} y=${pair * row} width=${right - inset} height=${row}></rect>`,
        )}
      <rect class="beyond" x=${end} y="0" width=${Math.max(0, right - end)} height=${height}></rect>
      ${Array.from(wavelength, (tokens, pair) => {
        if (tokens > furthest) return nothing;
        const x = round(this.#x(tokens));
        return svg`<line class="turn" x1=${x} x2=${x} y1=${pair * row + 3} y2=${(pair + 1) * row - 3}></line>`;
      })}
      ${
        this.pair === undefined
          ? nothing
          : svg`<rect class="looked" x=${inset - 2} y=${this.pair * row - 1} width=${right - inset + 4} height=${row}
              rx="3"></rect>`
      }
    `;
  }

  #renderCurves(curve: Curve, y: (value: number) => number, top: number, height: number) {
    const { width } = this;
    const bottom = top + this.#curve;
    const zero = round(y(0));
    return svg`
      ${ticks.map(
        (
          tick,
        ) => svg`<line class="grid" x1=${round(this.#x(tick))} x2=${round(this.#x(tick))} y1=${top} y2=${bottom}></line>
          <text x=${round(this.#x(tick)) - (tick === 1 ? 3 : 0)} y=${height - 8}
            text-anchor=${tick === 1 ? "start" : "middle"}>${grouped(tick)}</text>`,
      )}
      <line class="grid" x1=${inset} x2=${width - inset} y1=${zero} y2=${zero}></line>
      <text class="halo" x=${inset} y=${top - 28}>
        ${curve.left === curve.all ? words.score : words.scoreAndAll}
      </text>
      ${curve.left === curve.all ? nothing : svg`<path class="all" d=${this.#wave(curve.distances, curve.all, y)}></path>`}
      <path class="left" d=${this.#wave(curve.distances, curve.left, y)}></path>
      <text class="halo" x=${inset} y=${zero - 4}>0</text>
    `;
  }

  /** A line through all points; where many share a pixel, up and down through the least and the most of them. */
  #wave(distances: Float64Array, values: Float32Array, y: (value: number) => number): string {
    const points: string[] = [];
    let column = Number.NaN;
    let least = 0;
    let most = 0;
    let count = 0;
    const end = () => {
      if (count === 0) return;
      points.push(`${column} ${round(y(least))}`);
      if (count > 1) points.push(`${column} ${round(y(most))}`);
    };
    for (let i = 0; i < values.length; ++i) {
      const value = values[i] as number;
      const x = Math.round(this.#x(distances[i] as number));
      if (x !== column) {
        end();
        column = x;
        least = value;
        most = value;
        count = 1;
      } else {
        least = Math.min(least, value);
        most = Math.max(most, value);
        ++count;
      }
    }
    end();
    return `M${points.join("L")}`;
  }

  #describe({ turns }: BandsResults): string {
    const never = turns.filter((value) => value < 1).length;
    return words.angles(turns.length, grouped(furthest), never, grouped(this.context));
  }

  protected override updated(changed: PropertyValues): void {
    if (this.canvas === null || this.results === undefined) return;
    // Neither distance nor muting changes what the canvas shows; a theme does, and names no property.
    const { canvas, width, results } = this;
    const drawn = this.#drawn;
    const isDrawn = drawn.twist === results.twist && drawn.width === width && drawn.canvas === canvas;
    if (isDrawn && changed.size > 0) return;
    this.#drawn = { twist: results.twist, width, canvas };
    this.#paint(canvas);
  }

  #paint(canvas: HTMLCanvasElement): void {
    if (this.results === undefined) return;
    const { twist, wavelength } = this.results;
    const { pairs, values } = twist;
    const ratio = devicePixelRatio;
    const width = Math.round((this.width - 2 * inset) * ratio);
    const row = this.#row;
    canvas.width = width;
    canvas.height = Math.round(pairs * row * ratio);
    canvas.style.width = `${this.width - 2 * inset}px`;
    canvas.style.height = `${pairs * row}px`;
    const context = canvas.getContext("2d");
    if (context === null) return;
    const { lightness, paper } = this.inksOf(canvas);
    const table = new Int32Array(anglePixels(lightness).buffer);
    // Half way to the paper: what has no hue any more is not to be the heaviest thing here.
    const grey = mix(greyOf(table), pixel(paper), 128);
    for (let pair = 0; pair < pairs; ++pair) {
      const top = Math.round(pair * row * ratio);
      const height = Math.round((pair + 1) * row * ratio) - top - Math.max(1, Math.round(2 * ratio));
      const image = new ImageData(width, height);
      const pixels = new Int32Array(image.data.buffer);
      for (let x = 0; x < width; ++x) {
        const along = ((x + 0.5) / width) * octaves;
        const octave = Math.floor(along);
        const distance = 2 ** along;
        const column = octave * twistColumns + Math.floor((distance / 2 ** octave - 1) * twistColumns);
        const angle = values[column * pairs + pair] as number;
        const color = table[
          ((angle * angleSteps) / (2 * Math.PI) + angleSteps + 0.5) & (angleSteps - 1)
        ] as number;
        // What one pixel covers of a turn is averaged, as in the rope: too fast to be seen from here is grey.
        const turns = (distance * Math.LN2 * octaves) / width / (wavelength[pair] as number);
        const chroma = turns >= 1 ? 0 : Math.sin(Math.PI * turns) / (Math.PI * turns);
        pixels[x] = mix(color, grey, Math.round(256 * (1 - chroma)));
      }
      for (let y = 1; y < height; ++y) pixels.copyWithin(y * width, 0, width);
      context.putImageData(image, 0, top);
    }
  }

  #renderTable({ curve, left, score }: BandsResults) {
    if (this.settled === 0) return nothing;
    const rows = Array.from(curve.distances, (distance, i) => ({ distance, i })).filter(({ distance }) =>
      Number.isInteger(Math.log2(distance)),
    );
    return hiddenTable(
      words.table.caption(grouped(this.distance), fixed(score, 3), fixed(left, 3)),
      [words.table.distance, words.table.all, words.table.left],
      rows.map(({ distance, i }) => [
        grouped(distance),
        fixed(curve.all[i] as number, 3),
        fixed(curve.left[i] as number, 3),
      ]),
    );
  }

  #go(distance: number): void {
    const whole = Math.round(Math.max(1, Math.min(furthest, distance)));
    if (whole !== this.distance) this.dispatchEvent(new DistanceEvent(whole));
  }

  readonly #onSlide = (event: Event): void =>
    this.#go(2 ** ((event.target as HTMLInputElement).valueAsNumber / sliderSteps));

  /** By one token where that is much, and by about a thirtieth further off. */
  readonly #onKey = (event: KeyboardEvent): void => {
    const { distance } = this;
    const step = Math.max(1, Math.round(distance / 32));
    const to = stepOf(event, {
      ArrowLeft: distance - step,
      ArrowDown: distance - step,
      ArrowRight: distance + step,
      ArrowUp: distance + step,
      PageDown: distance / 2,
      PageUp: distance * 2,
      Home: 1,
      End: furthest,
    });
    if (to !== undefined) this.#go(to);
  };

  #goTo(event: MouseEvent): void {
    const { left } = (this.picture as HTMLElement).getBoundingClientRect();
    const along = (event.clientX - left - inset) / (this.width - 2 * inset);
    this.#go(2 ** (along * octaves));
  }

  readonly #drag = new Drag((event) => this.#goTo(event));

  readonly #onMove = (event: PointerEvent): void => {
    this.#drag.handleEvent(event);
    const { top } = (this.picture as HTMLElement).getBoundingClientRect();
    const pair = Math.floor((event.clientY - top) / this.#row);
    const looked = pair >= 0 && pair < (this.results?.parts.length ?? 0) ? pair : undefined;
    if (looked !== this.pair) this.dispatchEvent(new LookEvent(looked));
  };

  readonly #onLeave = (): void => {
    this.dispatchEvent(new LookEvent(undefined));
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
