import { css, html, nothing } from "lit";
import { property, query } from "lit/decorators.js";
import { grouped } from "./figure.js";
import { hues } from "./hues.js";
import { Picture } from "./picture.js";
import { paintAngles } from "./strip.js";
import { Surface } from "./surface.js";
import { theme } from "./theme.js";
import type { Turning } from "./turning.js";
import { words } from "./words/en/twist.js";

const height = 132;

/** The model's rope over a whole length; and, where it is another, that of rope_theta alone above it. */
export class RopewalkTwist extends Picture {
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
        gap: 5px;
        margin: 0 0 4px;
        color: var(--soft);
        font-size: 12px;
      }

      .legend svg {
        width: 72px;
        height: 8px;
        border-radius: 4px;
      }

      p {
        margin: 0 0 4px;
        color: var(--soft);
      }

      canvas {
        display: block;
        border-radius: 6px;
        background: var(--panel);
      }

      .rope {
        position: relative;
      }

      .rope + p {
        margin-top: 10px;
      }

      .rope svg {
        position: absolute;
        inset: 0;
      }

      /* Ink upon paper, as hues of any lightness lie beneath. */
      .rope line {
        stroke: var(--ink);
        stroke-width: 1.5;
      }

      .rope .edge {
        stroke: var(--panel);
        stroke-width: 5;
      }

      .ends {
        display: flex;
        justify-content: space-between;
        gap: 14px;
        margin: 4px 0 0;
        text-align: center;
        font-size: 12px;
      }
    `,
  ];

  /** As the model turns. */
  @property({ attribute: false }) scaled: Turning | undefined;
  /** By rope_theta alone; undefined where that is the same. */
  @property({ attribute: false }) unscaled: Turning | undefined;
  /** In tokens. */
  @property({ type: Number }) length = 1;
  /** Marked where the length goes past it. */
  @property({ attribute: false }) trainedLength: number | undefined;
  /** What `scaled` is called. */
  @property() name = words.scaled;

  @query(".scaled") private readonly scaledCanvas!: HTMLCanvasElement | null;
  @query(".unscaled") private readonly unscaledCanvas!: HTMLCanvasElement | null;

  readonly #scaledSurface = new Surface();
  readonly #unscaledSurface = new Surface();

  protected override render() {
    if (this.scaled === undefined || this.width === 0) return nothing;
    const last = this.scaled.strip.strands - 1;
    const length = grouped(this.length);
    const picture = (name: string, called: string) => html`<div class="rope">
      <canvas class=${name} role="img" aria-label=${words.label(last + 1, length, called)}></canvas>
      ${this.#renderMark()}
    </div>`;
    return html`
      <div class="legend">
        ${words.legend} −π
        ${hues}
        π
      </div>
      ${
        this.unscaled === undefined
          ? nothing
          : html`<p>${words.unscaled}</p>
              ${picture("unscaled", words.unscaled)}
              <p>${this.name}</p>`
      }
      ${picture("scaled", this.name)}
      <p class="ends"><span>0</span><span>${this.#isMarked ? words.markedStrands(last) : words.strands(last)}</span><span>${length}</span></p>
    `;
  }

  get #isMarked() {
    return this.trainedLength !== undefined && this.trainedLength < this.length;
  }

  #renderMark() {
    const { trainedLength = 0, length, width } = this;
    if (!this.#isMarked) return nothing;
    const x = Math.round((width * trainedLength) / length);
    return html`<svg class="mark" width=${width} height=${height} aria-hidden="true">
      <line class="edge" x1=${x} x2=${x} y2=${height}></line>
      <line x1=${x} x2=${x} y2=${height}></line>
    </svg>`;
  }

  protected override updated(): void {
    this.#paint(this.#scaledSurface, this.scaledCanvas, this.scaled);
    this.#paint(this.#unscaledSurface, this.unscaledCanvas, this.unscaled);
  }

  #paint(surface: Surface, canvas: HTMLCanvasElement | null, turning: Turning | undefined): void {
    if (canvas === null || turning === undefined) return;
    const { strip, wavelength } = turning;
    const perPosition = strip.columns / this.length;
    const view = surface.begin(canvas, this.width, height, 0, strip.columns);
    paintAngles(view, strip, this.inksOf(canvas), (s) => (wavelength[s] as number) * perPosition);
    surface.end();
  }
}
