import { css, svg } from "lit";
import { property } from "lit/decorators.js";
import { Drag } from "./drag.js";
import { grouped } from "./figure.js";
import { Picture, PositionEvent } from "./picture.js";

/** A run of positions that is seen at once. */
export interface Stretch {
  first: number;
  span: number;
}

/**
 * The stretch that shows a position and those beside it, of all that there are. The one that is shown stays as long as it
 * does, so that a finger which draws along it is where it points; then it is another, of those that overlap by half.
 */
export function stretchAround(position: number, span: number, all: number, shown?: Stretch): Stretch {
  if (shown?.span === span) {
    const [before, after] = [Math.max(0, position - 1), Math.min(all - 1, position + 1)];
    if (before >= shown.first && after < shown.first + span) return shown;
  }
  const half = span / 2;
  return { first: Math.max(0, Math.min(half * (Math.round(position / half) - 1), all - span)), span };
}

/** What pictures over a stretch look like. */
export const stretched = css`
  :host {
    display: block;
    position: relative;
  }

  .plot {
    position: absolute;
    cursor: ew-resize;
    touch-action: pan-y;
  }

  svg {
    display: block;
    overflow: visible;
  }

  text {
    fill: var(--soft);
    font: 12px var(--label);
  }

  .here {
    fill: none;
    stroke: var(--ink);
    stroke-width: 2;
  }

  .axis {
    stroke: var(--line);
  }
`;

/** A picture with positions to the right; a press within it, or a drag, says which one is meant. */
export abstract class StretchPicture extends Picture {
  @property({ attribute: false }) stretch: Stretch = { first: 0, span: 1 };
  @property({ type: Number }) position = 0;
  /** Room for words at both sides of what is drawn, in CSS pixels: alike in pictures that stand over one another. */
  @property({ type: Number }) left = 0;
  @property({ type: Number }) right = 0;

  protected get plotWidth(): number {
    return Math.max(1, this.width - this.left - this.right);
  }

  /** Where the middle of a position is, in CSS pixels from the plot's left. */
  protected x(position: number): number {
    const { first, span } = this.stretch;
    return ((position - first + 0.5) / span) * this.plotWidth;
  }

  /** Whether a position is in sight. */
  protected shows(position: number): boolean {
    return position >= this.stretch.first && position < this.stretch.first + this.stretch.span;
  }

  /** Few round positions to write under the plot, each with the side of its mark on which it stands. */
  #ticks(): { position: number; anchor: "start" | "middle" | "end" }[] {
    const { first, span } = this.stretch;
    const parts = this.width < 480 ? 2 : 4;
    return Array.from({ length: parts + 1 }, (_, k) => ({
      position: Math.min(first + (span * k) / parts, first + span - 1),
      anchor: k === 0 ? "start" : k === parts ? "end" : "middle",
    }));
  }

  /** Those positions, under a plot so high. */
  protected renderTicks(height: number) {
    return this.#ticks().map(
      ({ position, anchor }) =>
        svg`<text x=${this.x(position)} y=${height + 16} text-anchor=${anchor}>${grouped(position)}</text>`,
    );
  }

  /** Lay the plot over what is drawn, from `top` on. */
  protected placePlot(top: number, height: number): void {
    const style = this.renderRoot.querySelector<HTMLElement>(".plot")?.style;
    style?.setProperty("left", `${this.left}px`);
    style?.setProperty("top", `${top}px`);
    style?.setProperty("width", `${this.plotWidth}px`);
    style?.setProperty("height", `${height}px`);
  }

  /** Of the plot. */
  protected readonly drag = new Drag((event) => this.#tell(event));

  #tell(event: MouseEvent): void {
    const { first, span } = this.stretch;
    const { left } = (event.currentTarget as Element).getBoundingClientRect();
    const along = Math.floor(((event.clientX - left) / this.plotWidth) * span);
    const position = first + Math.max(0, Math.min(span - 1, along));
    this.dispatchEvent(new PositionEvent(position, event.shiftKey));
  }
}
