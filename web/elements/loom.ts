import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, state } from "lit/decorators.js";
import type { RopeLayout } from "ropewalk";
import { componentsOf } from "./pairs.js";
import { Picture, round } from "./picture.js";
import { theme } from "./theme.js";
import { words } from "./words/en/rotary.js";

/** Of a component's bar to either side, and where the threads begin and end, in CSS pixels. */
const tallest = 24;
const top = 2 * tallest + 20;
const height = top + 66;
const duration = 250;

/** A query's components as bars, and threads from each two that make a pair to where that pair's dial stands. */
export class RopewalkLoom extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      svg {
        display: block;
        overflow: visible;
      }

      text {
        fill: var(--soft);
        font: 12px var(--label);
        text-anchor: middle;
      }

      .zero {
        stroke: color-mix(in oklab, var(--soft) 55%, var(--line));
      }

      .before {
        fill: none;
        stroke: var(--soft);
      }

      .after {
        fill: var(--ink);
        fill-opacity: 0.72;
      }

      .thread {
        fill: none;
        stroke: var(--soft);
        stroke-opacity: 0.6;
        stroke-width: 1.25;
      }

      .second {
        stroke-dasharray: 4 3;
      }

      .chosen.thread {
        stroke: var(--ink);
        stroke-opacity: 1;
        stroke-width: 2.25;
      }

      .chosen.after {
        fill-opacity: 1;
      }

      text.chosen {
        fill: var(--ink);
        font-weight: 650;
      }

      .knot {
        fill: var(--ink);
      }
    `,
  ];

  /** Before position came in, and with it. */
  @property({ attribute: false }) plain: Float32Array = new Float32Array();
  @property({ attribute: false }) moved: Float32Array = new Float32Array();
  @property() layout: RopeLayout = "interleaved";
  @property({ type: Number }) pair = 0;

  /** How far the threads have come from the other layout to this one: 1 when they rest. */
  @state() private threaded = 1;
  #frame = 0;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    cancelAnimationFrame(this.#frame);
    this.threaded = 1;
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.get("layout") === undefined || !this.hasUpdated) return;
    cancelAnimationFrame(this.#frame);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.threaded = 0;
    let start: number | undefined;
    const step = (now: number) => {
      start ??= now;
      this.threaded = Math.min(1, (now - start) / duration);
      if (this.threaded < 1) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  protected override render() {
    const { plain, moved, width, layout, pair } = this;
    const count = plain.length;
    if (count === 0 || width === 0) return nothing;
    const cell = width / count;
    const largest = [...plain, ...moved].reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    const other = layout === "half" ? "interleaved" : "half";
    const chosen = componentsOf(layout, pair, count);
    const middle = (component: number) => (component + 0.5) * cell;
    const wide = Math.min(18, Math.max(2, cell * 0.62));
    const zero = tallest + 1.5;
    const bar = (value: number, component: number, looks: string) => {
      const long = (value / largest) * tallest;
      return svg`<rect class="${looks} ${chosen.includes(component) ? "chosen" : ""}" x=${round(middle(component) - wide / 2)} width=${wide}
        y=${round(zero - Math.max(0, long))} height=${round(Math.abs(long))}></rect>`;
    };
    const thread = (i: number, which: 0 | 1) => {
      const from = middle(componentsOf(other, i, count)[which]);
      const to = middle(componentsOf(layout, i, count)[which]);
      const x = round(from + (to - from) * this.threaded);
      const end = round((2 * i + 1) * cell);
      return svg`<path class="thread ${which === 1 ? "second" : ""} ${i === pair ? "chosen" : ""}"
        d="M${x} ${top}C${x} ${top + 38} ${end} ${height - 38} ${end} ${height - 4}"></path>`;
    };
    // Every number where there is room, else those of the chosen pair and the ends.
    const numbered = Array.from({ length: count }, (_, c) => c).filter((c) =>
      cell >= 20
        ? true
        : chosen.includes(c) ||
          ([0, count - 1].includes(c) && chosen.every((d) => Math.abs(d - c) * cell > 20)),
    );
    const near = cell < 20 && (chosen[1] - chosen[0]) * cell < 20;
    return html`<svg width=${width} height=${height} role="img" aria-label=${this.#describe(chosen)}>
      <line class="zero" x1="0" x2=${width} y1=${zero} y2=${zero}></line>
      ${Array.from(moved, (value, c) => bar(value, c, "after"))}
      ${Array.from(plain, (value, c) => bar(value, c, "before"))}
      ${numbered
        .filter((c) => !(near && c === chosen[1]))
        .map((c) => {
          const x = near && c === chosen[0] ? (middle(chosen[0]) + middle(chosen[1])) / 2 : middle(c);
          const text = near && c === chosen[0] ? chosen.join(" · ") : `${c}`;
          return svg`<text class=${chosen.includes(c) ? "chosen" : ""} x=${round(Math.max(8, Math.min(width - 8, x)))} y=${top - 5}>${text}</text>`;
        })}
      ${Array.from({ length: count / 2 }, (_, i) => (i === pair ? nothing : [thread(i, 0), thread(i, 1)]))}
      ${thread(pair, 0)}${thread(pair, 1)}
      ${Array.from({ length: count / 2 }, (_, i) => svg`<circle class="knot" cx=${round((2 * i + 1) * cell)} cy=${height - 3} r=${i === pair ? 4 : 2.5}></circle>`)}
    </svg>`;
  }

  #describe([first, second]: readonly [number, number]): string {
    const components = this.plain.length;
    return words.loom.label(words.layouts[this.layout], components, components / 2, this.pair, first, second);
  }
}
