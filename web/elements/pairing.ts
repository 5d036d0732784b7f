import { css, html, nothing, svg } from "lit";
import { property } from "lit/decorators.js";
import type { RopeLayout } from "ropewalk";
import { componentsOf } from "./pairs.js";
import { Picture, round } from "./picture.js";
import { theme } from "./theme.js";
import { words } from "./words/en/pairing.js";

const cellHeight = 20;
/** Components that are numbered beneath the strip stand at least so far apart. */
const labelWidth = 34;

/** A head's components in a row, and which two of them make a pair: pairs are the darker, the faster they turn. */
export class RopewalkPairing extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      figure {
        margin: 0;
      }

      figure + figure {
        margin-top: 14px;
      }

      figcaption {
        margin: 0 0 6px;
        color: var(--soft);
      }

      figcaption b {
        color: var(--ink);
        font-weight: 600;
      }

      svg {
        display: block;
        overflow: visible;
      }

      .cell {
        fill: var(--ink);
      }

      .plain {
        fill: none;
        stroke: color-mix(in oklab, var(--soft) 55%, var(--line));
      }

      .arc {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1;
      }

      .chosen {
        fill: none;
        stroke: var(--ink);
        stroke-width: 2;
      }

      text {
        fill: var(--soft);
        font: 12px var(--label);
        text-anchor: middle;
      }

      text.at {
        fill: var(--ink);
        font-weight: 600;
        stroke: var(--panel);
        stroke-width: 4;
        stroke-linejoin: round;
        paint-order: stroke;
      }
    `,
  ];

  /** Undefined where only the model's code tells: then both are drawn. */
  @property({ attribute: false }) layout: RopeLayout | undefined;
  @property({ type: Number }) headDim = 0;
  /** Components from the first on that make pairs. */
  @property({ type: Number }) rotaryDim = 0;
  /** Pairs from the first on that turn at all. */
  @property({ type: Number }) turning = 0;
  /** The pair that is looked at. */
  @property({ attribute: false }) pair: number | undefined;

  protected override render() {
    if (this.width === 0 || this.headDim === 0) return nothing;
    const layouts: RopeLayout[] = this.layout === undefined ? ["half", "interleaved"] : [this.layout];
    return layouts.map((layout) => this.#renderLayout(layout));
  }

  #renderLayout(layout: RopeLayout) {
    const { headDim, rotaryDim, turning, width, pair } = this;
    const cell = width / headDim;
    const gap = cell >= 5 ? 1 : 0;
    const pairs = Array.from({ length: turning }, (_, i) => componentsOf(layout, i, rotaryDim));
    const middle = (component: number) => round((component + 0.5) * cell);
    // Long arcs are flat: they all span the same, and would rise alike.
    const span = layout === "half" ? (rotaryDim / 2) * cell : cell;
    const rise = layout === "half" ? Math.min(64, span / 3) : Math.min(10, Math.max(5, cell));
    const top = rise + 6;
    const arc = ([a, b]: Components) =>
      `M${middle(a)} ${top - 1}A${round(span / 2)} ${round(rise)} 0 0 1 ${middle(b)} ${top - 1}`;
    const chosen = pair === undefined ? undefined : pairs[pair];
    const rest = headDim - 2 * turning;
    const [first, second] = [0, 1].map((i) => words.components(...componentsOf(layout, i, rotaryDim)));
    const label = words.label(words.layouts[layout], first as string, second as string, turning > 2);
    const isCertain = this.layout !== undefined;
    return html`<figure>
      <figcaption>
        ${
          layout === "half"
            ? words.half(rotaryDim / 2, isCertain, rest, headDim)
            : words.interleaved(isCertain, rest, headDim)
        }
      </figcaption>
      <svg width=${width} height=${top + cellHeight + 22} role="img" aria-label=${label}>
        <path class="arc" d=${pairs.map(arc).join("")} stroke-opacity=${Math.max(0.25, Math.min(0.7, 20 / turning))}></path>
        ${pairs.flatMap((components, i) =>
          components.map(
            (component) => svg`<rect class="cell" x=${round(component * cell)} y=${top}
              width=${round(Math.max(0.5, cell - gap))} height=${cellHeight} fill-opacity=${shade(i, turning)}></rect>`,
          ),
        )}
        ${this.#renderRest(layout, cell, top)}
        ${
          chosen === undefined
            ? nothing
            : svg`<path class="chosen" d=${arc(chosen)}></path>
                ${chosen.map(
                  (component) => svg`<rect class="chosen" x=${round(component * cell - 1)} y=${top - 1}
                    width=${round(Math.max(3, cell - gap + 2))} height=${cellHeight + 2} rx="1"></rect>`,
                )}`
        }
        ${this.#renderNumbers(layout, chosen, middle, top + cellHeight + 16)}
      </svg>
    </figure>`;
  }

  /** Components that are not turned, hollow; runs of them in one piece. */
  #renderRest(layout: RopeLayout, cell: number, top: number) {
    const { headDim, rotaryDim, turning } = this;
    const runs: Components[] = [];
    if (2 * turning < rotaryDim) {
      if (layout === "half") runs.push([turning, rotaryDim / 2], [rotaryDim / 2 + turning, rotaryDim]);
      else runs.push([2 * turning, rotaryDim]);
    }
    if (rotaryDim < headDim) runs.push([rotaryDim, headDim]);
    return runs.map(
      ([from, to]) => svg`<rect class="plain" x=${round(from * cell + 0.5)} y=${top + 0.5}
        width=${round((to - from) * cell - 1)} height=${cellHeight - 1}></rect>`,
    );
  }

  #renderNumbers(
    layout: RopeLayout,
    chosen: Components | undefined,
    middle: (component: number) => number,
    y: number,
  ) {
    const { headDim, rotaryDim, width } = this;
    const fixed =
      layout === "half" ? [0, rotaryDim / 2, rotaryDim, headDim - 1] : [0, rotaryDim, headDim - 1];
    const inside = (component: number) => Math.max(10, Math.min(width - 10, middle(component)));
    const taken = (chosen ?? []).map(inside);
    const shown = [...new Set(fixed)].filter((component) => {
      const x = inside(component);
      const isFree = component < headDim && taken.every((other) => Math.abs(other - x) >= labelWidth);
      if (isFree) taken.push(x);
      return isFree;
    });
    const near = chosen !== undefined && Math.abs(inside(chosen[0]) - inside(chosen[1])) < labelWidth;
    return svg`
      ${shown.map((component) => svg`<text x=${inside(component)} y=${y}>${component}</text>`)}
      ${
        chosen === undefined
          ? nothing
          : near
            ? svg`<text class="at" x=${Math.max(24, Math.min(width - 24, inside(chosen[0])))} y=${y}>${chosen.join(" · ")}</text>`
            : chosen.map(
                (component) => svg`<text class="at" x=${inside(component)} y=${y}>${component}</text>`,
              )
      }
    `;
  }
}

type Components = readonly [number, number];

/** From the fastest, darkest, to the slowest. */
function shade(pair: number, pairs: number): number {
  return round(0.85 - 0.72 * (pair / Math.max(1, pairs - 1)));
}
