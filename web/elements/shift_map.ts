import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fixed, Picture } from "./picture.js";
import { angleColor, theme } from "./theme.js";
import { words } from "./words/en/sinusoidal.js";

/** A vector beside the matrix, with what stands between it and what comes before it. */
export interface Beside {
  name: string;
  values: Float32Array;
  sign: string;
}

const cellHeight = 20;
const head = 26;

/** A matrix of turns, a block of two by two for each pair, and the vectors that it takes to one another. */
export class RopewalkShiftMap extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      svg {
        display: block;
      }

      text {
        fill: var(--ink);
        font: 12px var(--label);
        text-anchor: middle;
      }

      .name {
        fill: var(--soft);
        font-size: 13px;
        font-weight: 600;
      }

      .frame {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1.25;
      }

      .block {
        fill-opacity: 0.32;
        stroke-width: 1.5;
      }

      .nothing {
        fill: color-mix(in oklab, var(--soft) 45%, var(--line));
      }

      .zero {
        stroke: var(--line);
      }

      .bar {
        fill: color-mix(in oklab, var(--ink) 22%, transparent);
      }

      .sign {
        font-size: 16px;
      }
    `,
  ];

  /** [dim, dim] */
  @property({ attribute: false }) matrix: Float32Array = new Float32Array();
  /** By which each block turns. */
  @property({ attribute: false }) angles: Float32Array = new Float32Array();
  @property({ attribute: false }) beside: readonly Beside[] = [];
  @property() name = "";

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("matrix") || changed.has("beside")) this.settle();
  }

  protected override render() {
    const { width, angles, beside, name } = this;
    if (width === 0 || angles.length === 0) return nothing;
    const dim = 2 * angles.length;
    const isNarrow = width < 480;
    const each = isNarrow ? 46 : 56;
    const gap = isNarrow ? 6 : 22;
    const cell = Math.min(36, (width - 2 - beside.length * (each + gap)) / dim);
    const height = dim * cellHeight;
    return html`
      <svg width=${width} height=${head + height + 2} aria-hidden="true">
        <text class="name" x=${(dim * cell) / 2} y="14">${name}</text>
        <g transform="translate(1 ${head})">
          ${Array.from({ length: dim * dim }, (_, at) => this.#renderZero(at, dim, cell))}
          ${Array.from(angles, (angle, i) => this.#renderBlock(angle, i, dim, cell))}
          <rect class="frame" width=${dim * cell} height=${height} rx="4"></rect>
          ${beside.map((vector, i) => this.#renderVector(vector, dim * cell + gap + i * (each + gap), each, gap))}
        </g>
      </svg>
      ${guard([this.settled], () => this.#renderTable(dim))}
    `;
  }

  #renderZero(at: number, dim: number, cell: number) {
    const [row, column] = [Math.floor(at / dim), at % dim];
    if (row >> 1 === column >> 1) return nothing;
    return svg`<circle class="nothing" cx=${(column + 0.5) * cell} cy=${(row + 0.5) * cellHeight} r="1"></circle>`;
  }

  #renderBlock(angle: number, i: number, dim: number, cell: number) {
    const color = angleColor(angle);
    const cells = [0, 1, 2, 3].map((part) => {
      const [row, column] = [2 * i + (part >> 1), 2 * i + (part & 1)];
      return svg`<text x=${(column + 0.5) * cell} y=${(row + 0.5) * cellHeight + 4}>${short(this.matrix[row * dim + column] as number)}</text>`;
    });
    return svg`<rect class="block" fill=${color} stroke=${color} x=${2 * i * cell + 1} y=${2 * i * cellHeight + 1}
        width=${2 * cell - 2} height=${2 * cellHeight - 2} rx="3"></rect>
      ${cell < 32 ? nothing : cells}`;
  }

  #renderVector({ name, values, sign }: Beside, x: number, each: number, gap: number) {
    const middle = x + each / 2;
    const height = values.length * cellHeight;
    return svg`
      <text class="sign" x=${x - gap / 2} y=${height / 2 + 5}>${sign}</text>
      <text class="name" x=${middle} y="-12">${name}</text>
      <rect class="frame" x=${x} width=${each} height=${height} rx="4"></rect>
      ${Array.from(values, (value, row) => {
        const wide = Math.abs(value) * (each / 2 - 2);
        return svg`<rect class="bar" x=${value < 0 ? middle - wide : middle} width=${wide} y=${row * cellHeight + 3} height=${cellHeight - 6}></rect>
          <text x=${middle} y=${(row + 0.5) * cellHeight + 4}>${short(value)}</text>`;
      })}
    `;
  }

  #renderTable(dim: number) {
    const { table } = words.map;
    return html`<div class="visually-hidden">
      <table>
        <caption>${table.caption(this.name)}</caption>
        <thead>
          <tr>
            <th scope="col">${table.component}</th>
            <th scope="col">${table.sine}</th>
            <th scope="col">${table.cosine}</th>
            ${this.beside.map(({ name }) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${Array.from({ length: dim }, (_, row) => {
            const at = row * dim + 2 * (row >> 1);
            return html`<tr>
              <th scope="row">${row}</th>
              <td>${fixed(this.matrix[at] as number, 3)}</td>
              <td>${fixed(this.matrix[at + 1] as number, 3)}</td>
              ${this.beside.map(({ values }) => html`<td>${fixed(values[row] as number, 3)}</td>`)}
            </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }
}

/** In two digits; what rounds to nothing has no sign. */
function short(value: number): string {
  return fixed(value, 2).replace("−0.00", "0.00");
}
