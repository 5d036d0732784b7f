import { css, html, nothing, svg } from "lit";
import { property, query } from "lit/decorators.js";
import type { Turning } from "./model_rope.js";
import { Picture } from "./picture.js";
import { paintAngles } from "./strip.js";
import { angleColor, inks, theme } from "./theme.js";

const height = 132;
const legendSteps = 48;
const legend = Array.from(
  { length: legendSteps },
  (_, k) => (2 * Math.PI * (k + 0.5)) / legendSteps - Math.PI,
);

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

      canvas + p {
        margin-top: 10px;
      }

      .ends {
        display: flex;
        justify-content: space-between;
        margin: 4px 0 0;
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

  @query(".scaled") private readonly scaledCanvas!: HTMLCanvasElement | null;
  @query(".unscaled") private readonly unscaledCanvas!: HTMLCanvasElement | null;

  protected override render() {
    if (this.scaled === undefined || this.width === 0) return nothing;
    const last = this.scaled.strip.strands - 1;
    const picture = (name: string, words: string) =>
      html`<canvas class=${name} role="img" aria-label=${`Angles of ${last + 1} pairs over ${this.length.toLocaleString("en")} positions, ${words}`}></canvas>`;
    return html`
      <div class="legend">
        hue is angle: −π
        <svg viewBox="0 0 ${legendSteps} 1" preserveAspectRatio="none" aria-hidden="true">
          ${legend.map((angle, k) => svg`<rect x=${k} width="1.1" height="1" fill=${angleColor(angle)}></rect>`)}
        </svg>
        π
      </div>
      ${
        this.unscaled === undefined
          ? nothing
          : html`<p>by rope_theta alone</p>
              ${picture("unscaled", "by rope_theta alone")}
              <p>as the model turns</p>`
      }
      ${picture("scaled", "as the model turns")}
      <p class="ends"><span>0</span><span>pair 0 on top, pair ${last} below</span><span>${this.length.toLocaleString("en")}</span></p>
    `;
  }

  protected override updated(): void {
    this.#paint(this.scaledCanvas, this.scaled);
    this.#paint(this.unscaledCanvas, this.unscaled);
  }

  #paint(canvas: HTMLCanvasElement | null, turning: Turning | undefined): void {
    if (canvas === null || turning === undefined) return;
    const ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(this.width * ratio));
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${height}px`;
    const image = new ImageData(canvas.width, canvas.height);
    const { strip, wavelength } = turning;
    const pixels = new Int32Array(image.data.buffer);
    const view = { pixels, width: image.width, height: image.height, from: 0, to: strip.columns, ratio };
    const perPosition = strip.columns / this.length;
    paintAngles(view, strip, inks(canvas), (s) => (wavelength[s] as number) * perPosition);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }
}
