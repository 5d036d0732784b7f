import { css, html, type PropertyValues } from "lit";
import type { Ropewalk } from "ropewalk";
import { radios } from "./controls.js";
import { flag, oneOf, sequence, whole } from "./fields.js";
import { instrument } from "./instrument.js";
import { OrderPipeline, type OrderResults, swapped } from "./order_pipeline.js";
import { panels, readout } from "./panels.js";
import { fixed, type SelectEvent, tokenLabel } from "./picture.js";
import { type OrderEvent, RopewalkReorder } from "./reorder.js";
import { RopewalkRope } from "./rope.js";
import { textField, textFieldStyle, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { tokenize } from "./tokens.js";
import { words } from "./words/en/order.js";

/** Most words that are still seen one by one. */
const mostWords = 24;
const positions = ["none", "rotary"] as const;

const fields = {
  text: textState,
  seed: whole(7, 0, 2 ** 32 - 1),
  /** Which token stands in each place; empty, or not one of each token, where all stand as they were written. */
  order: sequence([], mostWords - 1),
  causal: flag(false),
  encoding: oneOf("none", positions),
  /** The token whose weights are looked at: «breakthrough». */
  query: whole(8, 0, mostWords - 1),
};

/** Attention without positions: words change places, and each keeps the weights that it had. */
export class RopewalkOrder extends instrument(fields) {
  static readonly parts = { "ropewalk-reorder": RopewalkReorder, "ropewalk-rope": RopewalkRope };

  #pipeline: OrderPipeline | undefined;
  #results: OrderResults | undefined;
  #tokens: readonly string[] = [];
  #left = 0;
  /** The tokens as they stand now: the same array for as long as they stand so. */
  #put: readonly string[] = [];

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    this.#pipeline ??= new OrderPipeline(engine);
    if (changed.has("text") || this.#tokens.length === 0) {
      const { tokens, left } = tokenize(this.text);
      this.#tokens = tokens.slice(0, mostWords);
      this.#left = left + tokens.length - this.#tokens.length;
    }
    const tokens = this.#tokens;
    if (tokens.length === 0) return;
    const order = this.#order;
    this.#put = order.map((token) => tokens[token] as string);
    const { seed, causal, encoding } = this;
    this.#results = this.#pipeline.run({ tokens, order, seed, causal, encoding, query: this.#query });
  }

  protected override release(): void {
    this.#pipeline?.delete();
    this.#pipeline = undefined;
  }

  get #query(): number {
    return Math.min(this.query, this.#tokens.length - 1);
  }

  get #order(): readonly number[] {
    const n = this.#tokens.length;
    const isWhole = this.order.length === n && this.order.every((token) => token < n);
    return isWhole ? this.order : Array.from({ length: n }, (_, i) => i);
  }

  #reorder(order: readonly number[]): void {
    this.order = order.every((token, place) => token === place) ? [] : order;
  }

  protected override renderInstrument() {
    const results = this.#results;
    const tokens = this.#tokens;
    if (tokens.length === 0 || results === undefined)
      return html`${this.#renderText()}<p class="empty">${words.empty}</p>`;
    const n = tokens.length;
    const query = this.#query;
    const order = this.#order;
    const place = order.indexOf(query);
    const row = (weights: Float32Array) => weights.subarray(query * n, (query + 1) * n);
    const token = tokenLabel(tokens[query] as string);
    const isMoved = order.some((token, i) => token !== i);
    const selection = { query: place, key: -1 };
    return html`
      <section class="panel">
        <h2>${words.heading(token)}</h2>
        <ropewalk-reorder
          .tokens=${tokens}
          .order=${order}
          .was=${row(results.before)}
          .now=${row(results.now)}
          .query=${query}
          .causal=${this.causal}
          @ropewalk-order=${(event: OrderEvent) => this.#reorder(event.order)}
          @ropewalk-select=${(event: SelectEvent) => {
            this.query = event.selection.query;
          }}
        ></ropewalk-reorder>
        <p class="key">
          <svg width="22" height="14" aria-hidden="true"><rect x="5" y="4" width="12" height="10"></rect><path d="M1 14V4H21V14"></path></svg>
          ${words.key}
        </p>
        <div class="below">
          <div class="controls">
            <div class="row">
              <span class="name">${words.move(token)}</span>
              <button type="button" ?disabled=${place === 0} @click=${() => this.#reorder(swapped(order, place, -1))}>${words.swapBack}</button>
              <button type="button" ?disabled=${place === n - 1} @click=${() => this.#reorder(swapped(order, place, 1))}>${words.swapOn}</button>
              <button type="button" ?disabled=${!isMoved} @click=${() => this.#reorder([])}>${words.asWritten}</button>
            </div>
            <p class="how">${words.how}</p>
            ${radios(
              words.positions,
              "encoding",
              positions,
              this.encoding,
              (encoding) => words.encodings[encoding],
              (encoding) => {
                this.encoding = encoding;
              },
            )}
            ${radios(
              words.mask,
              "causal",
              [false, true],
              this.causal,
              (causal) => (causal ? words.maskOn : words.maskOff),
              (causal) => {
                this.causal = causal;
              },
            )}
          </div>
          <dl>
            ${readout("change", words.change, change(results.change), this.#verdict(isMoved, results.change))}
            ${readout("query-change", words.queryChange(token), change(results.queryChange), "")}
          </dl>
        </div>
      </section>

      <section class="panel" @ropewalk-select=${(event: SelectEvent) => {
        this.query = order[event.selection.query] as number;
      }}>
        <h2>${words.rope[this.encoding]}</h2>
        <ropewalk-rope .tokens=${this.#put} .selection=${selection} .rope=${results.rope}></ropewalk-rope>
      </section>

      ${this.#renderText()}
    `;
  }

  #renderText() {
    return html`<section class="panel">
      ${textField(this.text, words.note(this.#tokens.length, this.#left, this.seed), (text) => {
        this.text = text;
        this.order = [];
      })}
    </section>`;
  }

  #verdict(isMoved: boolean, by: number): string {
    const { verdict } = words;
    if (!isMoved) return verdict.still;
    if (by < 1e-5) return by === 0 ? verdict.same : verdict.rounded;
    return this.encoding === "none" ? verdict.masked : verdict.ordered;
  }

  static override styles = [
    theme,
    panels,
    textFieldStyle,
    css`
      .key {
        display: flex;
        align-items: center;
        gap: 8px;
        margin: 8px 0 14px;
        color: var(--soft);
        font-size: 12px;
      }

      .key svg {
        flex: none;
      }

      .key rect {
        fill: var(--ink);
      }

      .key path {
        fill: none;
        stroke: var(--soft);
      }

      .below {
        display: grid;
        grid-template-columns: 1fr minmax(0, 23em);
        gap: 16px 48px;
        padding-top: 16px;
        border-top: 1px solid var(--line);
      }

      .controls {
        display: grid;
        gap: 12px;
        align-content: start;
      }

      .how {
        margin: 0;
        color: var(--soft);
      }

      .controls .name {
        min-width: 7em;
      }

      dl {
        display: grid;
        gap: 14px;
        align-content: start;
        margin: 0;
      }

      div:first-child > dd.note {
        min-height: 1.4em;
      }

      @container (max-width: 620px) {
        .panel {
          padding: 14px 14px 18px;
        }

        .below {
          grid-template-columns: minmax(0, 1fr);
        }

        /* In sight together with the words. */
        dl {
          order: -1;
        }

        .controls .name {
          flex-basis: 100%;
        }
      }
    `,
  ];
}

/** Four decimals, or the order of magnitude where that is all there is. */
function change(value: number): string {
  if (value === 0) return "0";
  return value < 1e-3 ? value.toExponential(1).replace("-", "−") : fixed(value, 4);
}
