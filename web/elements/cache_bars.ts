import { css, html, nothing } from "lit";
import { property } from "lit/decorators.js";
import type { Cached, CacheShape } from "./cache_shapes.js";
import { grouped } from "./figure.js";
import { Picture } from "./picture.js";
import { theme } from "./theme.js";
import { words as cached } from "./words/en/cached.js";

const words = cached.bars;

export interface CacheRow {
  shape: CacheShape;
  cached: Cached;
  /** With keys and values of every head. */
  asMha: Cached;
}

/** What models keep of a token: a bar for each, and in outline what multi-head attention with their heads would keep. */
export class RopewalkCacheBars extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      table {
        width: 100%;
        border-collapse: collapse;
        table-layout: fixed;
      }

      th,
      td {
        padding: 5px 0;
        text-align: left;
        font-weight: 400;
        vertical-align: middle;
      }

      thead th {
        color: var(--soft);
        font-size: 12px;
        vertical-align: bottom;
      }

      .model {
        width: 13.5em;
      }

      .number {
        width: 5.5em;
        padding-left: 10px;
        text-align: right;
        white-space: nowrap;
      }

      .tokens {
        width: 8.5em;
        white-space: normal;
      }

      tbody th b {
        display: block;
        font-weight: 600;
      }

      tbody th span {
        color: var(--soft);
        font-size: 12px;
      }

      a {
        color: inherit;
      }

      svg {
        display: block;
        width: 100%;
        height: 22px;
        overflow: visible;
      }

      .kept {
        fill: var(--ink);
      }

      .mha {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1;
        stroke-dasharray: 3 3;
      }

      .source {
        width: 10.5em;
        padding-left: 16px;
        font-size: 12px;
        color: var(--soft);
      }

      @container (max-width: 700px) {
        thead {
          position: absolute;
          width: 1px;
          height: 1px;
          overflow: hidden;
          clip-path: inset(50%);
        }

        table,
        tbody {
          display: block;
        }

        tbody tr {
          display: grid;
          grid-template-columns: 1fr auto auto;
          gap: 0 10px;
          padding: 8px 0;
          border-top: 1px solid var(--line);
        }

        tbody :is(.model, .bar, .number, .source) {
          display: block;
          width: auto;
          padding: 0;
        }

        tbody .bar,
        tbody .source {
          grid-column: 1 / -1;
        }

        tbody .bar {
          grid-row: 2;
        }
      }
    `,
  ];

  @property({ attribute: false }) rows: readonly CacheRow[] = [];
  /** Whether elements are of all layers, or of one. */
  @property() per: "all" | "layer" = "layer";
  @property({ type: Number }) tokens = 1;

  protected override render() {
    const { rows, per } = this;
    if (rows.length === 0) return nothing;
    const most = Math.max(...rows.map(({ asMha }) => asMha.elements[per]));
    return html`
      <table>
        <thead>
          <tr>
            <th class="model" scope="col">${words.model}</th>
            <th scope="col">${words.kept(cached.layers[per])}</th>
            <th class="number" scope="col">${words.elements}</th>
            <th class="number tokens" scope="col">${words.bytes(grouped(this.tokens), this.tokens)}</th>
            <th class="source" scope="col">${words.source}</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(({ shape, cached: kept, asMha }) => {
            const width = (elements: number) => `${(100 * elements) / most}%`;
            const times = asMha.elements[per] / kept.elements[per];
            return html`<tr>
              <th class="model" scope="row"><b>${shape.name}</b><span>${keptWords(shape)}</span></th>
              <td class="bar">
                <svg role="img" aria-label=${words.less(times.toFixed(1))}>
                  <rect class="mha" x="0" y="3" width=${width(asMha.elements[per])} height="16"></rect>
                  <rect class="kept" x="0" y="3" width=${width(kept.elements[per])} height="16"></rect>
                </svg>
              </td>
              <td class="number">${grouped(kept.elements[per])}</td>
              <td class="number">${bytesText(kept.bytes)}</td>
              <td class="source"><a href=${shape.source.url}>${shape.source.name}</a></td>
            </tr>`;
          })}
        </tbody>
      </table>
    `;
  }
}

function keptWords({ nHeads, kept, nLayers }: CacheShape): string {
  return "nKvHeads" in kept
    ? words.grouped(kept.nKvHeads, nHeads, nLayers)
    : words.latent(kept.kvLoraRank, kept.qkRopeHeadDim, nLayers);
}

/** Bytes in thousands, as papers and makers of memory count them. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 99.95 || unit === 0 ? Math.round(value) : value.toFixed(value >= 9.995 ? 1 : 2)} ${units[unit]}`;
}
