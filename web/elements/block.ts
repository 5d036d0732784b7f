import { css, html, nothing } from "lit";
import { query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import type { RopeLayout, Ropewalk } from "ropewalk";
import { RopewalkArcs } from "./arcs.js";
import { changeText, RopewalkBlockFlow, type StageEvent } from "./block_flow.js";
import { choices } from "./choices.js";
import { baseField, numberFieldStyle, seedField } from "./controls.js";
import { RopewalkDials } from "./dials.js";
import { flag, oneOf, real, whole } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { RopewalkMatrix } from "./matrix.js";
import { panels, readout } from "./panels.js";
import { fixed, type SelectEvent, type Selection, tokenLabel } from "./picture.js";
import {
  type Encoding,
  encodings,
  type Flow,
  Pipeline,
  type Results,
  type Settings,
  type Stage,
  stages,
} from "./pipeline.js";
import { RopewalkRope } from "./rope.js";
import { lectureSentence, longestText, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { maxTokens, tokenize } from "./tokens.js";
import { parseVectors, type Vectors, VectorsError } from "./vectors.js";
import { words } from "./words/en/block.js";
import { words as textWords } from "./words/en/text_field.js";

const furthestOffset = 100_000;
const headCounts = [1, 2, 4, 8];
const headDims = [8, 16, 32, 64];
const farLengths = [512, 4096, 131_072];
const layouts = ["interleaved", "half"] as const;
/** Most columns of pasted queries and keys. */
const mostColumns = 512;
/** Changes below this are those of rounding. */
const rounding = 1e-4;

const fields = {
  text: textState,
  seed: whole(7, 0, 4_294_967_295),
  encoding: oneOf<Encoding>("rotary", encodings),
  positionOffset: whole(12, 0, furthestOffset),
  /** The stage of the flow that is explained. */
  stage: oneOf<Stage>("value", stages),
  /** «breakthrough» and «theory», once the sentence is the lecture's. */
  query: whole(8, 0, maxTokens - 1),
  key: whole(3, 0, maxTokens - 1),
  head: whole(0, 0, 7),
  nHeads: oneOf(4, headCounts),
  headDim: oneOf(32, headDims),
  layout: oneOf<RopeLayout>("interleaved", layouts),
  base: real(10_000, 2, 100_000_000),
  causal: flag(true),
  farLength: oneOf(512, farLengths),
};

/**
 * Where position enters: one sentence on its way through a layer, and moved along; then its rope, its query pair by pair,
 * and who looks at whom. Every number comes from the kernels, by way of the pipeline.
 */
export class RopewalkBlock extends instrument(fields) {
  static readonly parts = {
    "ropewalk-block-flow": RopewalkBlockFlow,
    "ropewalk-rope": RopewalkRope,
    "ropewalk-dials": RopewalkDials,
    "ropewalk-arcs": RopewalkArcs,
    "ropewalk-matrix": RopewalkMatrix,
  };

  @state() private pasted: { query: Vectors; key: Vectors } | undefined;
  @state() private pasteProblem = "";

  @query("#queries") private queriesBox!: HTMLTextAreaElement;
  @query("#keys") private keysBox!: HTMLTextAreaElement;

  #pipeline: Pipeline | undefined;
  #results: Results | undefined;
  #flow: Flow | undefined;
  #tokens: readonly string[] = [];
  #left = 0;
  #readFrom: readonly unknown[] = [];
  /** The chosen tokens and head, within what there is. */
  #selection: Selection = { query: 0, key: 0 };
  #head = 0;

  protected override compute(engine: Ropewalk): void {
    if (this.text !== this.#readFrom[0] || this.pasted !== this.#readFrom[1]) this.#readTokens();
    if (this.#tokens.length === 0) return;
    const last = this.#tokens.length - 1;
    const asking = Math.min(this.query, last);
    // A causal query looks back only.
    const key = Math.min(this.key, this.causal ? asking : last);
    // The same object as long as it is the same: pictures tell by that.
    if (this.#selection.query !== asking || this.#selection.key !== key)
      this.#selection = { query: asking, key };
    this.#head = Math.min(this.head, this.nHeads - 1);
    this.#pipeline ??= new Pipeline(engine);
    const settings = this.#settings();
    this.#results = this.#pipeline.run(settings, {
      ...this.#selection,
      head: this.#head,
      farLength: this.farLength,
    });
    this.#flow = this.#pipeline.flow(settings, this.#head);
  }

  protected override release(): void {
    this.#pipeline?.delete();
    this.#pipeline = undefined;
  }

  #settings(): Settings {
    const { encoding, seed, nHeads, base, layout, causal, positionOffset, pasted } = this;
    const headDim = pasted === undefined ? this.headDim : pasted.query.columns / nHeads;
    return {
      tokens: this.#tokens,
      ...{ encoding, seed, nHeads, headDim, base, layout, causal, positionOffset, pasted },
    };
  }

  #readTokens(): void {
    this.#readFrom = [this.text, this.pasted];
    const { tokens, left } = tokenize(this.text);
    this.#tokens = tokens;
    this.#left = left;
    const rows = this.pasted?.query.rows;
    if (rows !== undefined && rows !== tokens.length) {
      this.#tokens = Array.from({ length: rows }, (_, i) => `${i + 1}`);
      this.#left = 0;
    }
  }

  protected override renderInstrument() {
    const results = this.#results;
    const flow = this.#flow;
    if (this.#tokens.length === 0 || results === undefined || flow === undefined) {
      return html`
        ${this.#renderText()}
        <p class="empty">${words.empty}</p>
      `;
    }
    return html`
      ${this.#renderFlow(flow, results)} ${this.#renderText()} ${this.#renderRope(results)}
      ${this.#renderDials(results)} ${this.#renderAttention(results)} ${this.#renderSettings()}
    `;
  }

  // ---- The flow, and the sentence moved ------------------------------------------------------------------------------

  #renderFlow(flow: Flow, results: Results) {
    const { positionOffset, encoding } = this;
    const at = grouped(positionOffset);
    const change = (stage: Stage) => flow.tensors[stage]?.change ?? 0;
    const query = flow.tensors["placed-query"] === undefined ? "query" : "placed-query";
    return html`
      <section class="panel flow" @ropewalk-stage=${this.#explain}>
        ${this.#radios("encoding", words.enters, words.enters, encodings, encoding, (value) => words.encodings[value])}
        <div class="move">
          <label for="offset">${words.move}</label>
          <output for="offset" class="offset">${at}</output>
          <input
            id="offset"
            type="range"
            min="0"
            max=${furthestOffset}
            step="1"
            .value=${live(String(positionOffset))}
            aria-valuetext=${words.moved(at, spoken(change(query)), spoken(change("value")), spoken(results.change))}
            @input=${this.#moved}
          />
        </div>
        <dl class="readouts">
          ${readout("change-query", words.changes.queries, changeText(change(query)), this.#verdict(change(query)))}
          ${readout("change-value", words.changes.values, changeText(change("value")), this.#verdict(change("value")))}
          ${readout("change-scores", words.changes.scores, changeText(change("scores")), this.#verdict(change("scores")))}
          ${readout("change", words.changes.weights, changeText(results.change), this.#verdict(results.change))}
        </dl>
        <ropewalk-block-flow
          .flow=${flow}
          .tokens=${this.#tokens}
          .encoding=${encoding}
          .positionOffset=${positionOffset}
          .head=${this.#head}
          .layout=${this.layout}
          .stage=${this.stage}
        ></ropewalk-block-flow>
      </section>
    `;
  }

  #verdict(change: number): string {
    const { still, same, changed } = words.verdict;
    if (this.positionOffset === 0) return still;
    return change < rounding ? same : changed;
  }

  // ---- One's own text ------------------------------------------------------------------------------------------------

  #renderText() {
    return html`
      <section class="panel text">
        <label for="text">${words.text.label}</label>
        <textarea
          id="text"
          rows="2"
          maxlength=${longestText}
          spellcheck="false"
          .value=${live(this.text)}
          @input=${this.#typed}
        ></textarea>
        <p class="hint">
          <span>${words.text.count(this.#tokens.length, this.#left)}</span>
          <button type="button" ?disabled=${this.text === lectureSentence} @click=${this.#lectureText}>
            ${textWords.lecture}
          </button>
        </p>
      </section>
    `;
  }

  // ---- The pictures of one query -------------------------------------------------------------------------------------

  #label(index: number): string {
    return tokenLabel(this.#tokens[index] ?? "");
  }

  #renderRope({ rope }: Results) {
    return html`
      <section class="panel rope" @ropewalk-select=${this.#selected}>
        <h2>${words.rope[this.encoding]}</h2>
        <ropewalk-rope
          .tokens=${this.#tokens}
          .positionOffset=${this.positionOffset}
          .selection=${this.#selection}
          .rope=${rope}
        ></ropewalk-rope>
        ${
          this.encoding === "none"
            ? nothing
            : this.#radios("farLength", words.far, words.farLabel, farLengths, this.farLength, grouped)
        }
      </section>
    `;
  }

  #renderDials({ before, after, length, pairScores, score, weights }: Results) {
    const { query, key } = this.#selection;
    const [queryLabel, keyLabel] = [this.#label(query), this.#label(key)];
    const weight = weights[query * this.#tokens.length + key] as number;
    return html`
      <section class="panel">
        <h2>${(this.encoding === "rotary" ? words.hands : words.pairs)(queryLabel, keyLabel)}</h2>
        <dl class="readouts three">
          ${readout("length", words.length, `${fixed(length.before, 4)} · ${lengthText(length.after)}`, nothing)}
          ${readout("score", words.score(keyLabel), scoreText(score), nothing)}
          ${readout("weight", words.weight(keyLabel), fixed(weight, 4), nothing)}
        </dl>
        <ropewalk-dials
          .queryBefore=${before}
          .queryAfter=${after}
          .scores=${pairScores}
          .score=${score}
          .rotary=${this.encoding === "rotary"}
          .queryLabel=${queryLabel}
          .keyLabel=${keyLabel}
        ></ropewalk-dials>
      </section>
    `;
  }

  #renderAttention({ weights }: Results) {
    const { nHeads, causal } = this;
    const n = this.#tokens.length;
    const { query } = this.#selection;
    const head = this.#head + 1;
    return html`
      <section class="panel" @ropewalk-select=${this.#selected}>
        <h2>${words.attention(head, nHeads, causal)}</h2>
        ${this.#radios(
          "head",
          words.head,
          words.head,
          Array.from({ length: nHeads }, (_, h) => h),
          this.#head,
          (value) => `${value + 1}`,
        )}
        <ropewalk-arcs
          .tokens=${this.#tokens}
          .row=${weights.subarray(query * n, (query + 1) * n)}
          .causal=${causal}
          .selection=${this.#selection}
        ></ropewalk-arcs>
        <ropewalk-matrix
          .tokens=${this.#tokens}
          .weights=${weights}
          .causal=${causal}
          .selection=${this.#selection}
          .summary=${words.summary(words.encodings[this.encoding], head, nHeads, causal)}
        ></ropewalk-matrix>
        <p class="words untrained">${this.pasted === undefined ? words.drawn(this.seed) : words.given}</p>
      </section>
    `;
  }

  // ---- Settings ------------------------------------------------------------------------------------------------------

  #renderSettings() {
    const isPasted = this.pasted !== undefined;
    const hasBase = this.encoding === "rotary" || this.encoding === "sinusoidal";
    return html`
      <section class="panel settings">
        <details>
          <summary>${words.settings}</summary>
          <div class="fields">
            ${this.#radios("nHeads", words.heads, words.headsLabel, headCounts, this.nHeads, String)}
            ${this.#radios("headDim", "head_dim", words.headDimLabel, headDims, this.headDim, String, isPasted)}
            ${this.#radios("layout", words.layout, words.layoutLabel, layouts, this.layout, (value) => words.layouts[value])}
            ${baseField({
              label: words.base,
              value: this.base,
              disabled: !hasBase,
              change: (value) => {
                this.base = value;
              },
            })}
            ${seedField({
              label: words.seed,
              value: this.seed,
              disabled: isPasted,
              change: (value) => {
                this.seed = value;
              },
            })}
            <label class="check">
              <input type="checkbox" .checked=${live(this.causal)} @change=${this.#toggleCausal} />
              <span>${words.causal}</span>
            </label>
          </div>
        </details>
        <details>
          <summary>${words.paste.heading}</summary>
          <p class="hint">${words.paste.hint}</p>
          <div class="paste">
            <label>${words.paste.queries} <textarea id="queries" rows="5" spellcheck="false"></textarea></label>
            <label>${words.paste.keys} <textarea id="keys" rows="5" spellcheck="false"></textarea></label>
          </div>
          <div class="row">
            <button type="button" @click=${this.#paste}>${words.paste.use}</button>
            <button type="button" ?disabled=${!isPasted} @click=${this.#unpaste}>${words.paste.back}</button>
          </div>
        </details>
        ${this.pasteProblem === "" ? nothing : html`<p class="problem" role="alert">${this.pasteProblem}</p>`}
      </section>
    `;
  }

  /** Native radios for one of this element's settings, after its name; the label says it in more words. */
  #radios<T extends number | string>(
    field: "encoding" | "nHeads" | "headDim" | "layout" | "head" | "farLength",
    name: string,
    label: string,
    all: readonly T[],
    chosen: T,
    text: (choice: T) => string,
    disabled = false,
  ) {
    return html`<div class="row" role="radiogroup" aria-label=${label}>
      <span class="name">${name}</span>
      ${choices(field, all, chosen, text, (choice) => this.#set(field, choice), disabled)}
    </div>`;
  }

  #set(name: string, value: number | string): void {
    const columns = this.pasted?.query.columns;
    if (name === "nHeads" && columns !== undefined && columns % (2 * Number(value)) !== 0) {
      this.pasteProblem = words.paste.heads(columns, Number(value));
      this.requestUpdate();
      return;
    }
    Object.assign(this, { [name]: value });
  }

  readonly #explain = (event: StageEvent) => {
    this.stage = event.stage;
  };

  readonly #typed = (event: Event) => {
    this.text = (event.target as HTMLTextAreaElement).value;
  };

  readonly #lectureText = () => {
    this.text = lectureSentence;
    this.query = fields.query.initial;
    this.key = fields.key.initial;
  };

  readonly #moved = (event: Event) => {
    this.positionOffset = (event.target as HTMLInputElement).valueAsNumber;
  };

  readonly #toggleCausal = (event: Event) => {
    this.causal = (event.target as HTMLInputElement).checked;
  };

  readonly #selected = ({ selection }: SelectEvent) => {
    Object.assign(this, selection);
  };

  readonly #paste = () => {
    try {
      const query = readBox(words.paste.queries, this.queriesBox);
      const key = readBox(words.paste.keys, this.keysBox);
      if (key.rows !== query.rows || key.columns !== query.columns) {
        throw new VectorsError(words.paste.shapes(query.rows, query.columns, key.rows, key.columns));
      }
      if (query.rows > maxTokens) throw new VectorsError(words.paste.rows(query.rows, maxTokens));
      if (query.columns % (2 * this.nHeads) !== 0 || query.columns > mostColumns) {
        throw new VectorsError(words.paste.columns(query.columns, this.nHeads, mostColumns));
      }
      this.pasted = { query, key };
      this.pasteProblem = "";
    } catch (error) {
      if (!(error instanceof VectorsError)) throw error;
      this.pasteProblem = error.message;
    }
  };

  readonly #unpaste = () => {
    this.pasted = undefined;
    this.pasteProblem = "";
  };

  static override styles = [
    theme,
    panels,
    numberFieldStyle,
    css`
      textarea {
        border: 1px solid var(--line);
        border-radius: 8px;
        padding: 6px 10px;
        background: var(--paper);
        color: var(--ink);
        font: 15px / 1.4 var(--label);
      }

      .text textarea {
        display: block;
        width: 100%;
        margin-top: 6px;
        font: 21px / 1.4 var(--prose);
        field-sizing: content;
        min-height: 2.8em;
        max-height: 8em;
        resize: vertical;
      }

      .hint {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        align-items: center;
        gap: 8px;
        margin: 8px 0 0;
        color: var(--soft);
      }

      button:disabled,
      label.number input:disabled {
        color: var(--soft);
        cursor: default;
        opacity: 0.6;
      }

      .flow .move {
        margin: 14px 0 10px;
      }

      .rope .row {
        margin-top: 10px;
      }

      .readouts {
        display: grid;
        grid-template-columns: repeat(4, minmax(0, 1fr));
        gap: 0 24px;
        margin: 0 0 18px;
      }

      .readouts.three {
        grid-template-columns: 1.6fr 1fr 1fr;
      }

      .readouts div {
        display: grid;
        grid-row: span 3;
        grid-template-rows: subgrid;
        min-width: 0;
      }

      dd.value {
        white-space: nowrap;
      }

      ropewalk-arcs {
        margin: 12px 0 20px;
      }

      .untrained {
        margin: 18px 0 0;
      }

      .fields {
        display: flex;
        flex-wrap: wrap;
        gap: 14px 28px;
        align-items: center;
        padding: 8px 0 12px;
      }

      label.number input {
        width: 9em;
      }

      .check {
        display: flex;
        align-items: center;
        gap: 10px;
        min-height: 28px;
        color: var(--ink);
        font-weight: 500;
      }

      .check input {
        width: 18px;
        height: 18px;
        margin: 0;
        accent-color: var(--ink);
      }

      summary {
        min-height: 32px;
        color: var(--ink);
        font-weight: 500;
        line-height: 32px;
        cursor: pointer;
      }

      .paste {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(240px, 1fr));
        gap: 12px;
        margin: 10px 0;
      }

      .paste textarea {
        display: block;
        width: 100%;
        margin-top: 4px;
        font: 13px / 1.5 ui-monospace, monospace;
      }

      .problem {
        margin: 8px 0;
        padding: 8px 12px;
        border-left: 3px solid var(--ink);
        font-weight: 600;
        overflow-wrap: anywhere;
      }

      @container (max-width: 760px) {
        .readouts,
        .readouts.three {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }

        .readouts div {
          margin-bottom: 12px;
        }

        .readouts.three div:first-child {
          grid-column: 1 / -1;
        }
      }

      /* The flow runs downwards: the slider stays within reach of the thumb for as long as any of it is seen. */
      @container (max-width: 800px) {
        .panel.flow {
          display: flex;
          flex-direction: column;
        }

        .flow .move {
          order: 1;
          margin: 12px 0 -8px;
          padding: 10px 0 8px;
          border-top: 1px solid var(--line);
          background: var(--panel);
        }

        .flow .readouts {
          margin-top: 16px;
        }

        @media screen {
          .flow .move {
            position: sticky;
            bottom: 0;
            z-index: 1;
          }
        }
      }

      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 18px;
        }

        .panel.flow {
          padding: 14px 8px 18px;
        }

        .panel.flow > :not(ropewalk-block-flow) {
          margin-left: 6px;
          margin-right: 6px;
        }
      }
    `,
  ];
}

/** A change in the value text of the slider, if it is one. */
function spoken(change: number): string | undefined {
  return change < rounding ? undefined : changeText(change);
}

/** Four decimals, or the order of magnitude where counting has swamped the query. */
function lengthText(value: number): string {
  return value < 1e4 ? fixed(value, 4) : value.toExponential(3);
}

function scoreText(value: number): string {
  return Math.abs(value) < 1e4 ? fixed(value, 3) : value.toExponential(2).replace("-", "−");
}

function readBox(name: string, box: HTMLTextAreaElement): Vectors {
  try {
    return parseVectors(box.value);
  } catch (error) {
    if (error instanceof VectorsError) throw new VectorsError(words.paste.problem(name, error.message));
    throw error;
  }
}
