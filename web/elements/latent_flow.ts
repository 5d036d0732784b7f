import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fitted, measureIn } from "./labels.js";
import type { LatentResults, Route } from "./latent_pipeline.js";
import { fixed, Picture, tokenLabel } from "./picture.js";
import { hiddenTable } from "./table.js";
import { drawTensor, type TensorImage } from "./tensor_image.js";
import { theme } from "./theme.js";
import { words as latent } from "./words/en/latent.js";

const words = latent.flow;

/** A tensor of the flow, and at which size it is drawn. */
interface Drawn extends TensorImage {
  /** CSS pixels of a row. */
  row: number;
}

/** Tokens whose rows are still tall enough to be labelled. */
const labelled = 16;

/**
 * One token by latent attention, as it is computed: from hidden state to query and latent, and then by two routes to the
 * same output. Every arrow has the shape of its matrix, every tensor its own, and its own numbers.
 */
export class RopewalkLatentFlow extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      h3 {
        margin: 0 0 8px;
        color: var(--ink);
        font: 600 13px / 1.4 var(--label);
      }

      h3 small {
        color: var(--soft);
        font-size: 13px;
        font-weight: 400;
      }

      .lane {
        margin-bottom: 20px;
      }

      .flow {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 12px 8px;
        margin: 0;
        padding: 0;
        list-style: none;
      }

      .tensor {
        display: grid;
        gap: 4px;
        min-width: 0;
      }

      .tensor > span {
        color: var(--ink);
        font-weight: 600;
        line-height: 20px;
        white-space: nowrap;
      }

      .shape {
        margin-left: 4px;
        color: var(--soft);
        font-size: 12px;
        font-weight: 400;
      }

      canvas {
        display: block;
        border-radius: 4px;
        background: var(--panel);
        box-shadow: 0 0 0 1px var(--line);
      }

      .arrow {
        display: grid;
        justify-items: center;
        min-width: 46px;
        color: var(--soft);
        font-size: 12px;
        line-height: 1.35;
        white-space: nowrap;
      }

      .arrow b {
        color: var(--ink);
        font-weight: 500;
      }

      .arrow > svg {
        width: 0;
        min-width: 100%;
        height: 8px;
        overflow: visible;
        fill: none;
        stroke: var(--soft);
      }

      sub,
      sup {
        font-size: 0.75em;
        line-height: 0;
      }

      .routes {
        display: grid;
        grid-template-columns: repeat(2, minmax(0, 1fr));
        gap: 20px 28px;
      }

      .route {
        min-width: 0;
        padding-top: 12px;
        border-top: 2px solid var(--ink);
      }

      .route > p {
        min-height: 3em;
        margin: 0 0 12px;
        color: var(--soft);
        font: 17px / 1.4 var(--prose);
      }

      .route .flow {
        margin-bottom: 14px;
      }

      .rows {
        display: flex;
        gap: 10px;
        align-items: end;
        margin-bottom: 14px;
        overflow: hidden;
      }

      .tokens {
        display: grid;
        flex: none;
        color: var(--soft);
        font-size: 12px;
        text-align: right;
        line-height: 1;
      }

      .tokens span {
        display: grid;
        align-items: center;
        justify-content: end;
        white-space: nowrap;
      }

      .tokens .newest {
        color: var(--ink);
        font-weight: 600;
      }

      @container (max-width: 700px) {
        .routes {
          grid-template-columns: minmax(0, 1fr);
        }

        .route > p {
          min-height: 0;
        }
      }
    `,
  ];

  @property({ attribute: false }) results: LatentResults | undefined;
  @property({ attribute: false }) tokens: readonly string[] = [];
  /** The head whose keys, values and weights are drawn. */
  @property({ type: Number }) head = 0;

  /** Canvases by name, with what is on them. */
  readonly #images = new Map<string, Drawn>();

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("results")) this.settle();
  }

  protected override render() {
    const { results, tokens } = this;
    if (results === undefined || this.width === 0) return nothing;
    this.#images.clear();
    const { shape, keys, x, latents, absorbed, angles } = results;
    const { hiddenSize, nHeads, qLoraRank, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim: rope } = shape;
    const qkDim = qkNopeHeadDim + rope;
    const width = kvLoraRank + rope;
    const newest = tokenLabel(tokens[keys - 1] ?? "");
    const { qLatent, query } = absorbed.steps;
    const hidden = (name: string) =>
      this.#tensor(name, html`x`, `${hiddenSize}`, { values: x, columns: hiddenSize, row: 24 });
    const perHead = 12;
    return html`
      <div class="lane">
        <h3>${words.query(newest, rope)}</h3>
        <ol class="flow">
          ${hidden("x-query")}
          ${
            qLatent === undefined || qLoraRank === undefined
              ? nothing
              : html`${arrow(html`W<sup>DQ</sup>, ${words.norm}`, `${qLoraRank} × ${hiddenSize}`)}
                ${this.#tensor("q-latent", html`c<sup>Q</sup>`, `${qLoraRank}`, { values: qLatent, columns: qLoraRank, row: 24 })}`
          }
          ${arrow(
            html`W<sup>${qLoraRank === undefined ? "Q" : "UQ"}</sup>, W<sup>QR</sup>, RoPE`,
            `${nHeads * qkDim} × ${qLoraRank ?? hiddenSize}`,
          )}
          ${this.#tensor("query", html`q`, `${nHeads} × ${qkDim}`, {
            values: query,
            columns: qkDim,
            rotaryFrom: qkNopeHeadDim,
            angles: angles.query,
            bright: this.head,
            row: perHead,
          })}
        </ol>
      </div>
      <div class="lane">
        <h3>${words.kept}</h3>
        <ol class="flow">
          ${hidden("x-latent")}
          ${arrow(html`W<sup>DKV</sup>, ${words.norm}; W<sup>KR</sup>, RoPE`, `${width} × ${hiddenSize}`)}
          <li class="rows">
            ${this.#labels()}
            ${this.#tensor(
              "latents",
              html`c<sup>KV</sup>, k<sup>R</sup>`,
              `${keys} × (${kvLoraRank} + ${rope})`,
              {
                values: latents,
                columns: width,
                rotaryFrom: kvLoraRank,
                angles: angles.latents,
                row: this.#rowHeight(),
              },
              "div",
            )}
          </li>
        </ol>
      </div>
      <div class="routes">
        ${this.#renderNaive(results)} ${this.#renderAbsorbed(results)}
      </div>
      ${guard([this.settled, this.head], () => this.#renderTable(results))}
    `;
  }

  #renderNaive({ shape, keys, naive, angles }: LatentResults) {
    const { nHeads, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim } = shape;
    const { key, value } = naive.steps;
    if (key === undefined || value === undefined) return nothing;
    const ofHead = (all: Float32Array, dim: number) => columnsOf(all, nHeads * dim, this.head * dim, dim);
    const row = this.#rowHeight();
    return html`<section class="route" aria-label=${words.naive}>
      <h3>${words.naiveHeading}</h3>
      <p>${words.naiveHow}</p>
      <ol class="flow">
        ${arrow(html`W<sup>UK</sup>, W<sup>UV</sup>`, `${nHeads * (nope + vHeadDim)} × ${kvLoraRank}`)}
        ${this.#tensor("keys", html`k<sub>${this.head + 1}</sub>`, `${keys} × ${nHeads} × ${nope + rope}`, {
          values: ofHead(key, nope + rope),
          columns: nope + rope,
          rotaryFrom: nope,
          angles: angles.latents,
          row,
        })}
        ${this.#tensor("values", html`v<sub>${this.head + 1}</sub>`, `${keys} × ${nHeads} × ${vHeadDim}`, {
          values: ofHead(value, vHeadDim),
          columns: vHeadDim,
          row,
        })}
      </ol>
      <ol class="flow">
        ${this.#weights("naive-weights", naive, keys)} ${arrow(html`· v`, `${keys} × ${nHeads} × ${vHeadDim}`)}
        ${this.#heads("naive", naive, vHeadDim)}
      </ol>
      ${this.#output("naive", naive, shape)}
    </section>`;
  }

  #renderAbsorbed({ shape, keys, absorbed, angles }: LatentResults) {
    const { nHeads, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim } = shape;
    const { latentQuery, latentOut } = absorbed.steps;
    if (latentQuery === undefined || latentOut === undefined) return nothing;
    const width = kvLoraRank + rope;
    return html`<section class="route" aria-label=${words.absorbed}>
      <h3>${words.absorbedHeading}</h3>
      <p>${words.absorbedHow}</p>
      <ol class="flow">
        ${arrow(html`(W<sup>UK</sup>)ᵀ`, `${nHeads} × ${kvLoraRank} × ${nope}`)}
        ${this.#tensor("latent-query", html`q̃`, `${nHeads} × (${kvLoraRank} + ${rope})`, {
          values: latentQuery,
          columns: width,
          rotaryFrom: kvLoraRank,
          angles: angles.query,
          bright: this.head,
          row: 12,
        })}
      </ol>
      <ol class="flow">
        ${this.#weights("absorbed-weights", absorbed, keys)} ${arrow(html`· c<sup>KV</sup>`, `${keys} × ${kvLoraRank}`)}
        ${this.#tensor("latent-out", html`c̃`, `${nHeads} × ${kvLoraRank}`, {
          values: latentOut,
          columns: kvLoraRank,
          bright: this.head,
          row: 12,
        })}
        ${arrow(html`W<sup>UV</sup>`, `${nHeads} × ${vHeadDim} × ${kvLoraRank}`)}
        ${this.#heads("absorbed", absorbed, vHeadDim)}
      </ol>
      ${this.#output("absorbed", absorbed, shape)}
    </section>`;
  }

  #output(route: string, { out }: Route, { hiddenSize, nHeads, vHeadDim }: LatentResults["shape"]) {
    return html`<ol class="flow">
      ${arrow(html`W<sup>O</sup>`, `${hiddenSize} × ${nHeads * vHeadDim}`)}
      ${this.#tensor(`${route}-out`, words.out, `${hiddenSize}`, { values: out, columns: hiddenSize, row: 24 })}
    </ol>`;
  }

  #heads(route: string, { steps }: Route, vHeadDim: number) {
    const rows = steps.heads.length / vHeadDim;
    return this.#tensor(`${route}-heads`, words.heads, `${rows} × ${vHeadDim}`, {
      values: steps.heads,
      columns: vHeadDim,
      bright: this.head,
      row: 12,
    });
  }

  /** The weights of the head, a bar for each token, beside the tokens' rows. */
  #weights(name: string, { weights }: Route, keys: number) {
    const values = weights.subarray(this.head * keys, (this.head + 1) * keys);
    return this.#tensor(name, words.weights, `${keys}`, { values, columns: keys, row: 48 });
  }

  #tensor(
    name: string,
    title: TemplateResult | string,
    shape: string,
    image: Drawn,
    tag: "li" | "div" = "li",
  ) {
    this.#images.set(name, image);
    const content = html`<span>${title} <span class="shape">${shape}</span></span>
      <canvas data-name=${name} aria-hidden="true"></canvas>`;
    return tag === "li"
      ? html`<li class="tensor">${content}</li>`
      : html`<div class="tensor">${content}</div>`;
  }

  #labels() {
    const keys = this.results?.keys ?? 0;
    if (keys > labelled) return nothing;
    const height = this.#rowHeight();
    const measure = measureIn(this, 12);
    return html`<div class="tokens" aria-hidden="true">
      ${this.tokens.slice(0, keys).map(
        (token, i) =>
          html`<span class=${i === keys - 1 ? "newest" : ""} .style=${`height: ${height}px`}
            >${fitted(tokenLabel(token), 88, measure)}</span
          >`,
      )}
    </div>`;
  }

  /** Of a token, in CSS pixels: all of them together take no more than 240. */
  #rowHeight(): number {
    const keys = this.results?.keys ?? 1;
    return keys <= labelled ? 14 : Math.max(1, Math.floor(240 / keys));
  }

  protected override updated(): void {
    for (const canvas of this.renderRoot.querySelectorAll("canvas")) {
      const image = this.#images.get(canvas.dataset.name ?? "");
      if (image === undefined) continue;
      const rows = image.values.length / image.columns;
      const room = Math.min(this.width - 8, image.columns > 24 ? (this.width < 720 ? 200 : 260) : 132);
      const cell = Math.max(1, Math.min(6, Math.floor(room / image.columns)));
      const width = image.row === 48 ? Math.min(160, Math.max(48, 8 * image.columns)) : cell * image.columns;
      drawTensor(canvas, image, width, image.row * rows, this.inksOf(canvas));
    }
  }

  #renderTable({ keys, naive, absorbed }: LatentResults) {
    if (this.settled === 0) return nothing;
    const at = (route: Route, j: number) => fixed(route.weights[this.head * keys + j] as number, 6);
    return hiddenTable(
      words.table.caption(this.head + 1),
      [words.table.token, words.table.naive, words.table.absorbed],
      this.tokens.slice(0, keys).map((token, j) => [tokenLabel(token), at(naive, j), at(absorbed, j)]),
    );
  }
}

const shaft = html`<svg aria-hidden="true">
<line x2="100%" y1="4" y2="4"></line>
<svg x="100%" overflow="visible"><path d="M-4 0.5L-0.5 4L-4 7.5"></path></svg>
</svg>`;

function arrow(matrix: TemplateResult, shape: string) {
  return html`<li class="arrow"><b>${matrix}</b>${shaft}${shape}</li>`;
}

/** Columns first, …, first + count - 1 of rows that are `width` wide. */
function columnsOf(rows: Float32Array, width: number, first: number, count: number): Float32Array {
  const n = rows.length / width;
  const taken = new Float32Array(n * count);
  for (let row = 0; row < n; ++row)
    taken.set(rows.subarray(row * width + first, row * width + first + count), row * count);
  return taken;
}
