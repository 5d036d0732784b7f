import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fixed, Picture } from "./picture.js";
import { theme } from "./theme.js";
import { words } from "./words/en/integer.js";
import { locale } from "./words/en/locale.js";

const rowHeight = 68;

/** Vectors as rows of bars, one beneath the other and all at one scale: what is small beside another is seen to be small. */
export class RopewalkDrowning extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      p {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        gap: 0 16px;
        margin: 0 0 2px;
      }

      p span {
        color: var(--soft);
      }

      svg {
        display: block;
        margin-bottom: 10px;
      }

      .bars {
        fill: var(--ink);
      }

      .ground {
        stroke: var(--line);
      }

      .scale {
        margin: 0;
        color: var(--soft);
        font-size: 12px;
      }
    `,
  ];

  /** [names.length, components] */
  @property({ attribute: false }) rows: Float32Array = new Float32Array(0);
  @property({ attribute: false }) names: readonly string[] = [];
  /** Of each row. */
  @property({ attribute: false }) lengths: Float32Array = new Float32Array(0);

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("rows") || changed.has("names")) this.settle();
  }

  protected override render() {
    const { rows, names, width } = this;
    if (width === 0 || rows.length === 0) return nothing;
    const dim = rows.length / names.length;
    const least = rows.reduce((a, b) => Math.min(a, b), 0);
    const most = rows.reduce((a, b) => Math.max(a, b), 0);
    const scale = (rowHeight - 2) / (most - least || 1);
    const y = (value: number) => 1 + (most - value) * scale;
    const cell = width / dim;
    const bar = Math.max(1, cell - (cell >= 6 ? 2 : 1));
    return html`
      ${names.map((name, row) => {
        const path = Array.from(rows.subarray(row * dim, (row + 1) * dim), (value, i) => {
          return `M${r(i * cell)} ${r(y(0))}V${r(y(value))}h${r(bar)}V${r(y(0))}`;
        }).join("");
        return html`<p><b>${name}</b><span>${words.drowning.length(figure(this.lengths[row] ?? 0))}</span></p>
          <svg width=${width} height=${rowHeight} role="img" aria-label=${words.drowning.label(name, dim)}>
            <line class="ground" x1="0" x2=${width} y1=${r(y(0))} y2=${r(y(0))}></line>
            ${svg`<path class="bars" d=${path}></path>`}
          </svg>`;
      })}
      <p class="scale">${words.drowning.scale(dim, figure(least), figure(most))}</p>
      ${guard([this.settled], () => this.#renderTable(dim))}
    `;
  }

  #renderTable(dim: number) {
    if (this.settled === 0) return nothing;
    const { rows, names } = this;
    const { table } = words.drowning;
    return html`<div class="visually-hidden"><table>
      <caption>${table.caption}</caption>
      <thead><tr><th scope="col">${table.component}</th>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>
        ${Array.from(
          { length: dim },
          (_, i) => html`<tr>
            <th scope="row">${i}</th>
            ${names.map((_name, row) => html`<td>${fixed(rows[row * dim + i] as number, 4)}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table></div>`;
  }
}

/** A length or a component: fewer decimals, the larger it is. */
export function figure(value: number): string {
  const digits = Math.abs(value) < 100 ? 2 : Math.abs(value) < 10_000 ? 1 : 0;
  return value
    .toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace("-", "−");
}

function r(value: number): string {
  return value.toFixed(1);
}
