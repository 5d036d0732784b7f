import { type ScaleLinear, type ScaleLogarithmic, scaleLog } from "d3-scale";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { chart, cursor, narrow } from "./chart.js";
import { figure, grouped } from "./figure.js";
import { PairChart, pairScale, pairTicks } from "./pair_chart.js";
import { round } from "./picture.js";
import { hiddenTable } from "./table.js";
import type { Turning } from "./turning.js";
import { words as model } from "./words/en/model.js";

const words = model.wavelengths;

const margin = { top: 26, right: 12, bottom: 40, left: 62 };

interface Layout {
  width: number;
  height: number;
  x: ScaleLinear<number, number>;
  y: ScaleLogarithmic<number, number>;
}

/** How far each pair is from one turn to the next, as the model has it and by rope_theta alone, against two lengths. */
export class RopewalkWavelengths extends PairChart {
  static override styles = [
    chart,
    css`
      .legend {
        column-gap: 14px;
      }

      .legend svg {
        width: 20px;
        height: 12px;
      }

      .x .tick line {
        stroke: var(--soft);
      }

      .beyond {
        fill: color-mix(in oklab, var(--soft) 11%, transparent);
      }

      .length,
      .trained {
        stroke: var(--ink);
        stroke-width: 1.25;
      }

      .trained {
        stroke: var(--soft);
        stroke-dasharray: 5 4;
      }

      text.now {
        fill: var(--ink);
        font-weight: 600;
      }

      .stems {
        stroke: color-mix(in oklab, var(--soft) 60%, var(--line));
        stroke-width: 1;
      }

      .unscaled {
        fill: var(--panel);
        stroke: var(--soft);
        stroke-width: 1.25;
      }

      .scaled {
        fill: var(--ink);
      }

      .still {
        stroke: var(--ink);
        stroke-width: 1.5;
      }

      .ring {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5;
      }
    `,
  ];

  /** Of the model, within the length. */
  @property({ attribute: false }) scaled: Turning | undefined;
  /** Of the same pairs by rope_theta alone. */
  @property({ attribute: false }) unscaled: Turning | undefined;
  /** In tokens. */
  @property({ type: Number }) length = 1;
  /** In tokens; undefined where the configuration does not say. */
  @property({ attribute: false }) trainedLength: number | undefined;

  protected override readonly gap = 8;

  #layout: Layout | undefined;

  protected override get last() {
    return (this.scaled?.wavelength.length ?? 1) - 1;
  }

  protected override pointAt(x: number) {
    return this.#layout && Math.round(this.#layout.x.invert(x));
  }

  protected override willUpdate(changed: PropertyValues): void {
    const { scaled, unscaled } = this;
    if (scaled === undefined || unscaled === undefined) return;
    if (changed.has("scaled") || changed.has("unscaled")) this.settle();
    this.#layout = this.#place(scaled, unscaled);
  }

  #place(scaled: Turning, unscaled: Turning): Layout | undefined {
    if (this.width === 0) return undefined;
    const width = this.width;
    const height = width < narrow ? 320 : 380;
    const shown = [...scaled.wavelength, ...unscaled.wavelength, this.length, this.trainedLength ?? 1].filter(
      (value) => Number.isFinite(value) && value > 1,
    );
    const least = Math.min(...shown);
    const most = Math.max(...shown);
    return {
      width,
      height,
      x: pairScale(scaled.wavelength.length, margin.left, width - margin.right),
      y: scaleLog()
        .domain([least / 1.4, most * 2])
        .range([height - margin.bottom, margin.top]),
    };
  }

  protected override render() {
    const { scaled, unscaled } = this;
    const layout = this.#layout;
    if (scaled === undefined || unscaled === undefined || layout === undefined) return nothing;
    const isStretched = scaled.wavelength.some((value, i) => value !== unscaled.wavelength[i]);
    const isStill = scaled.wavelength.includes(Number.POSITIVE_INFINITY);
    return html`
      <p class="legend">
        ${
          isStretched
            ? html`<span>
                <svg aria-hidden="true"><circle class="unscaled" cx="10" cy="6" r="3"></circle></svg>
                ${words.alone}
              </span>`
            : nothing
        }
        <span>
          <svg aria-hidden="true"><circle class="scaled" cx="10" cy="6" r="3.25"></circle></svg>
          ${isStretched ? words.scaled : words.both}
        </span>
        ${
          isStill
            ? html`<span><svg aria-hidden="true"><path class="still" d="M10 2V10"></path></svg> ${words.still}</span>`
            : nothing
        }
      </p>
      ${this.renderChart(
        words.label,
        html`<svg width=${layout.width} height=${layout.height} aria-hidden="true">
          ${this.#renderLengths(layout)}
          <g class="y"></g>
          <g class="x"></g>
          <text x="0" y="12">${words.y}</text>
          <text x=${layout.width - margin.right} y=${layout.height - 4} text-anchor="end">${words.x}</text>
          ${this.#renderPairs(layout, scaled, unscaled)}
        </svg>`,
      )}
      ${this.renderReadout(words.hint)}
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  /** The lengths as lines; what lies above that of now comes round less than once in it. */
  #renderLengths({ width, y }: Layout) {
    const { length, trainedLength } = this;
    const now = y(length);
    const right = width - margin.right;
    const line = (name: string, at: number) =>
      svg`<line class=${name} x1=${margin.left} x2=${right} y1=${at} y2=${at}></line>`;
    const isAnother = trainedLength !== undefined && trainedLength !== length;
    const trained = y(trainedLength ?? length);
    // Two labels stand on two sides of their lines, away from each other.
    const isAbove = trained <= now;
    const label = (name: string, at: number, above: boolean, text: string) =>
      svg`<text class="halo ${name}" x=${margin.left + 6} y=${at + (above ? -5 : 14)}>${text}</text>`;
    return svg`
      <rect class="beyond" x=${margin.left} y=${margin.top} width=${right - margin.left}
        height=${Math.max(0, now - margin.top)}></rect>
      ${line("length", now)}
      ${label("now", now, !isAnother || !isAbove, (width < narrow ? words.lengthShort : words.length)(grouped(length)))}
      ${
        isAnother
          ? svg`${line("trained", trained)}
              ${label("", trained, isAbove, words.trained(grouped(trainedLength ?? 0)))}`
          : nothing
      }
    `;
  }

  #renderPairs({ width, height, x, y }: Layout, scaled: Turning, unscaled: Turning) {
    const n = scaled.wavelength.length;
    const radius = Math.max(1.25, Math.min(3.25, (width - margin.left) / n / 2.6));
    const dots = (turning: Turning) =>
      Array.from(turning.wavelength, (value, i) =>
        Number.isFinite(value) ? `M${round(x(i) - radius)} ${round(y(value))}a${dot(radius)}` : "",
      ).join("");
    const stems = Array.from(scaled.wavelength, (value, i) => {
      const from = unscaled.wavelength[i] as number;
      if (!Number.isFinite(value) || value === from) return "";
      return `M${round(x(i))} ${round(y(from))}V${round(y(value))}`;
    }).join("");
    const still = Array.from(scaled.wavelength, (value, i) =>
      Number.isFinite(value) ? "" : `M${round(x(i))} ${margin.top - 10}V${margin.top - 2}`,
    ).join("");
    const { pair } = this;
    const at = pair === undefined ? undefined : (scaled.wavelength[pair] as number);
    return svg`
      <path class="stems" d=${stems}></path>
      <path class="unscaled" d=${dots(unscaled)}></path>
      <path class="scaled" d=${dots(scaled)}></path>
      <path class="still" d=${still}></path>
      ${
        pair === undefined || at === undefined
          ? nothing
          : svg`${cursor(x(pair), Number.isFinite(at) ? y(at) + radius + 3 : margin.top, height - margin.bottom)}
              ${Number.isFinite(at) ? svg`<circle class="ring" cx=${x(pair)} cy=${y(at)} r=${radius + 3}></circle>` : nothing}`
      }
    `;
  }

  protected override updated(): void {
    if (this.#layout === undefined) return;
    const { x, y, width } = this.#layout;
    const powers = y.ticks().filter((value) => Number.isInteger(Math.log10(value)));
    this.drawLeft(x, y, powers, powerText);
    this.drawBottom(x, y, pairTicks(x, this.scaled?.wavelength.length ?? 0, width), String);
  }

  protected override sentence(pair: number): string {
    const { scaled, unscaled, length } = this;
    const now = scaled?.wavelength[pair];
    const before = unscaled?.wavelength[pair];
    if (scaled === undefined || now === undefined || before === undefined) return "";
    if (!Number.isFinite(now)) return words.atStill(pair);
    const turns = figure(scaled.turns[pair] as number);
    return now === before
      ? words.at(pair, figure(now), turns, grouped(length))
      : words.atScaled(pair, figure(now), figure(before), turns, grouped(length));
  }

  #renderTable() {
    const { scaled, unscaled } = this;
    if (this.settled === 0 || scaled === undefined || unscaled === undefined) return nothing;
    return hiddenTable(
      words.table.caption(grouped(this.length)),
      [words.table.pair, words.table.positions, words.table.alone, words.table.turns],
      Array.from(scaled.wavelength, (value, i) => [
        i,
        figure(value),
        figure(unscaled.wavelength[i] as number),
        figure(scaled.turns[i] as number),
      ]),
    );
  }
}

/** A power of ten, for an axis. */
function powerText(value: number): string {
  if (value < 1e6) return grouped(value);
  return value < 1e9 ? `${grouped(value / 1e6)} M` : value.toExponential(0).replace("e+", "e");
}

/** A circle, as an arc there and an arc back. */
function dot(radius: number): string {
  const r = round(radius);
  return `${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
}
