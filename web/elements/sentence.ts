import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { property, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { loadRopewalk, type RopeLayout, RopewalkError } from "ropewalk";
import { choices } from "./choices.js";
import { panels } from "./panels.js";
import { fixed, type SelectEvent, type Selection, tokenLabel } from "./picture.js";
import { type Encoding, Pipeline, type Results, type Settings } from "./pipeline.js";
import { theme } from "./theme.js";
import { maxTokens, tokenize } from "./tokens.js";
import { parseVectors, type Vectors, VectorsError } from "./vectors.js";

const lectureSentence = "Einstein developed the theory of relativity. This breakthrough reshaped physics.";
const furthestOffset = 100_000;
const headCounts = [1, 2, 4, 8];
const headDims = [8, 16, 32, 64];
const farLengths = [512, 4096, 131_072];

/**
 * One sentence under one encoding: its rope, its queries turned or pushed, and who looks at whom. Every number comes from
 * the kernels, by way of the pipeline.
 */
export class RopewalkInstrument extends LitElement {
  /** How position comes in. */
  @property() encoding: Encoding = "rotary";

  @state() private text = lectureSentence;
  @state() private seed = 7;
  @state() private nHeads = 4;
  @state() private headDim = 32;
  @state() private base = 10_000;
  @state() private layout: RopeLayout = "interleaved";
  @state() private causal = true;
  @state() private positionOffset = 0;
  @state() private head = 0;
  @state() private farLength = 512;
  /** «breakthrough» and «theory», once the sentence is the lecture's. */
  @state() private selection: Selection = { query: 8, key: 3 };
  @state() private pasted: { query: Vectors; key: Vectors } | undefined;
  /** What cannot be done, in words for the user. */
  @state() private problem = "";
  @state() private pasteProblem = "";

  @state() private pipeline: Pipeline | undefined;
  private results: Results | undefined;
  private tokens: readonly string[] = [];
  private left = 0;

  @query("#queries") private queriesBox!: HTMLTextAreaElement;
  @query("#keys") private keysBox!: HTMLTextAreaElement;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.pipeline?.delete();
    this.pipeline = undefined;
  }

  async #load(): Promise<void> {
    try {
      const engine = await loadRopewalk();
      // Taken out of the page meanwhile, or put back in and loaded twice.
      if (this.isConnected) this.pipeline ??= new Pipeline(engine);
    } catch (error) {
      this.problem = `The engine could not be started. ${(error as Error).message}`;
    }
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("text") || changed.has("pasted")) this.#readTokens();
    if (this.head >= this.nHeads) this.head = 0;
    if (this.pipeline === undefined || this.tokens.length === 0) return;
    const last = this.tokens.length - 1;
    const selection = {
      query: Math.min(this.selection.query, last),
      key: Math.min(this.selection.key, last),
    };
    // A causal query looks back only.
    if (this.causal) selection.key = Math.min(selection.key, selection.query);
    this.selection = selection;
    try {
      const focus = { ...selection, head: this.head, farLength: this.farLength };
      this.results = this.pipeline.run(this.#settings(), focus);
      this.problem = "";
    } catch (error) {
      if (!(error instanceof RopewalkError)) throw error;
      this.problem = `The engine refused: ${error.message}`;
    }
  }

  #settings(): Settings {
    const { tokens, encoding, seed, nHeads, base, layout, causal, positionOffset, pasted } = this;
    const headDim = pasted === undefined ? this.headDim : pasted.query.columns / nHeads;
    return { tokens, encoding, seed, nHeads, headDim, base, layout, causal, positionOffset, pasted };
  }

  #readTokens(): void {
    const { tokens, left } = tokenize(this.text);
    this.tokens = tokens;
    this.left = left;
    const rows = this.pasted?.query.rows;
    if (rows !== undefined && rows !== tokens.length) {
      this.tokens = Array.from({ length: rows }, (_, i) => `${i + 1}`);
      this.left = 0;
    }
  }

  protected override render() {
    const { results, tokens } = this;
    return html`
      ${this.#renderText()}
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      ${
        tokens.length === 0
          ? html`<p class="empty">Type a sentence above: there is no position without tokens.</p>`
          : results === undefined
            ? html`<p class="empty" role="status">${this.problem === "" ? "Starting the engine …" : ""}</p>`
            : this.#renderPictures(results)
      }
      ${this.#renderSettings()}
    `;
  }

  #renderText() {
    const count = `${this.tokens.length} token${this.tokens.length === 1 ? "" : "s"}`;
    return html`
      <section class="panel text">
        <label for="text">Your text, in any script</label>
        <textarea id="text" rows="2" spellcheck="false" .value=${live(this.text)} @input=${this.#typed}></textarea>
        <p class="hint">
          <span>${count}${this.left > 0 ? `; the first ${maxTokens} of ${this.tokens.length + this.left} are taken` : ""}</span>
          <button type="button" ?disabled=${this.text === lectureSentence} @click=${this.#lectureText}>
            The lecture’s sentence
          </button>
        </p>
      </section>
    `;
  }

  #renderPictures(results: Results) {
    const { tokens, selection, nHeads, head, causal } = this;
    const n = tokens.length;
    const label = (index: number) => tokenLabel(tokens[index] ?? "");
    const queryLabel = label(selection.query);
    const keyLabel = label(selection.key);
    const weight = results.weights[selection.query * n + selection.key] as number;
    const headWords = `head ${head + 1} of ${nHeads}${causal ? ", causal" : ""}`;
    return html`
      <section class="panel rope" @ropewalk-select=${this.#selected}>
        <h2>${ropeTitle[this.encoding]}</h2>
        <div class="move">
          <label for="offset">Move the whole sentence along: position of its first token</label>
          <output for="offset" class="offset">${this.positionOffset.toLocaleString("en")}</output>
          <input
            id="offset"
            type="range"
            min="0"
            max=${furthestOffset}
            step="1"
            .value=${live(String(this.positionOffset))}
            aria-valuetext="first token at position ${this.positionOffset.toLocaleString("en")}; largest change of a weight ${change(results.change)}"
            @input=${this.#moved}
          />
        </div>
        <dl class="readouts">
          ${readout("largest change of a weight since position 0", change(results.change), "change", this.#verdict(results))}
          ${readout(`length of the query of «${queryLabel}», before · after`, `${fixed(results.length.before, 4)} · ${lengthText(results.length.after)}`, "length")}
          ${readout(`score of the query with «${keyLabel}»`, scoreText(results.score), "score")}
          ${readout(`weight of «${keyLabel}»`, fixed(weight, 4), "weight")}
        </dl>
        <ropewalk-rope
          .tokens=${tokens}
          .positionOffset=${this.positionOffset}
          .selection=${selection}
          .rope=${results.rope}
        ></ropewalk-rope>
        ${this.encoding === "none" ? nothing : this.#renderFar()}
      </section>

      <section class="panel">
        <h2>${this.encoding === "rotary" ? "Hands of" : "Pairs of"} «${queryLabel}», pair by pair, and what each gives to the score with «${keyLabel}»</h2>
        <ropewalk-dials
          .queryBefore=${results.before}
          .queryAfter=${results.after}
          .scores=${results.pairScores}
          .score=${results.score}
          .rotary=${this.encoding === "rotary"}
          .queryLabel=${queryLabel}
          .keyLabel=${keyLabel}
        ></ropewalk-dials>
      </section>

      <section class="panel" @ropewalk-select=${this.#selected}>
        <h2>Who looks at whom · ${headWords}</h2>
        <div class="row" role="radiogroup" aria-label="Head">
          <span class="name">Head</span>
          ${this.#radios(
            "head",
            Array.from({ length: nHeads }, (_, h) => h),
            head,
            (value) => `${value + 1}`,
          )}
        </div>
        <ropewalk-arcs
          .tokens=${tokens}
          .row=${results.weights.subarray(selection.query * n, (selection.query + 1) * n)}
          .causal=${causal}
          .selection=${selection}
        ></ropewalk-arcs>
        <ropewalk-matrix
          .tokens=${tokens}
          .weights=${results.weights}
          .causal=${causal}
          .selection=${selection}
          .summary=${`${this.encoding} positions, ${headWords}`}
        ></ropewalk-matrix>
        <p class="untrained">
          ${
            this.pasted === undefined
              ? html`Nothing here is trained: embeddings and projections are drawn from the seed
                  <b>${this.seed}</b> and each token’s text. What you see is the geometry of position, not learned meaning.`
              : html`These are the queries and keys that you pasted; what is added is added to them directly.`
          }
        </p>
      </section>
    `;
  }

  #renderFar() {
    return html`
      <div class="row far" role="radiogroup" aria-label="Positions seen from further off">
        <span class="name">From further off, positions</span>
        ${this.#radios("farLength", farLengths, this.farLength, (value) => value.toLocaleString("en"))}
      </div>
    `;
  }

  #renderSettings() {
    const isRotary = this.encoding === "rotary";
    const hasBase = isRotary || this.encoding === "sinusoidal";
    return html`
      <section class="panel settings">
        <h2>Heads, frequencies, seed</h2>
        <div class="fields">
          <div class="row" role="radiogroup" aria-label="Number of heads">
            <span class="name">Heads</span>
            ${this.#radios("nHeads", headCounts, this.nHeads, String)}
          </div>
          <div class="row" role="radiogroup" aria-label="Components of a head, head_dim">
            <span class="name">head_dim</span>
            ${this.#radios("headDim", headDims, this.headDim, String, this.pasted !== undefined)}
          </div>
          <div class="row" role="radiogroup" aria-label="Which components pair up">
            <span class="name">Pairs</span>
            ${this.#radios("layout", ["interleaved", "half"], this.layout, String)}
          </div>
          <label class="field">
            <span class="name">Base of the frequencies</span>
            <input
              type="number"
              min="2"
              max="100000000"
              step="any"
              ?disabled=${!hasBase}
              .value=${live(String(this.base))}
              @change=${(event: Event) => this.#number(event, "base")}
            />
          </label>
          <label class="field">
            <span class="name">Seed</span>
            <input
              type="number"
              min="0"
              max="4294967295"
              step="1"
              ?disabled=${this.pasted !== undefined}
              .value=${live(String(this.seed))}
              @change=${(event: Event) => this.#number(event, "seed")}
            />
          </label>
          <label class="field check">
            <input type="checkbox" .checked=${live(this.causal)} @change=${this.#toggleCausal} />
            <span>Causal: a token sees itself and those before it</span>
          </label>
        </div>
        <details>
          <summary>Paste queries and keys of your own</summary>
          <p class="hint">
            A row for each token, CSV or a JSON array of rows; as many columns as heads × head_dim.
          </p>
          <div class="paste">
            <label>Queries <textarea id="queries" rows="5" spellcheck="false"></textarea></label>
            <label>Keys <textarea id="keys" rows="5" spellcheck="false"></textarea></label>
          </div>
          ${this.pasteProblem === "" ? nothing : html`<p class="problem" role="alert">${this.pasteProblem}</p>`}
          <div class="row">
            <button type="button" @click=${this.#paste}>Use these</button>
            <button type="button" ?disabled=${this.pasted === undefined} @click=${this.#unpaste}>
              Back to the seed
            </button>
          </div>
        </details>
      </section>
    `;
  }

  /** Native radios for one of this element's settings. */
  #radios<T extends number | string>(
    name: "nHeads" | "headDim" | "layout" | "head" | "farLength",
    all: readonly T[],
    chosen: T,
    text: (choice: T) => string,
    disabled = false,
  ) {
    return choices(name, all, chosen, text, (choice) => this.#set(name, choice), disabled);
  }

  #set(name: "nHeads" | "headDim" | "layout" | "head" | "farLength", value: number | string): void {
    if (
      name === "nHeads" &&
      this.pasted !== undefined &&
      this.pasted.query.columns % (2 * Number(value)) !== 0
    ) {
      this.pasteProblem = `${this.pasted.query.columns} columns do not make ${value} heads of an even head_dim.`;
      this.requestUpdate();
      return;
    }
    Object.assign(this, { [name]: value });
  }

  #number(event: Event, name: "base" | "seed"): void {
    const input = event.target as HTMLInputElement;
    // Out of range or no number: what was there stays, and the field shows it.
    if (input.checkValidity() && input.value !== "") this[name] = input.valueAsNumber;
    this.requestUpdate();
  }

  readonly #typed = (event: Event) => {
    this.text = (event.target as HTMLTextAreaElement).value;
  };

  readonly #lectureText = () => {
    this.text = lectureSentence;
    this.selection = { query: 8, key: 3 };
  };

  readonly #moved = (event: Event) => {
    this.positionOffset = (event.target as HTMLInputElement).valueAsNumber;
  };

  readonly #toggleCausal = (event: Event) => {
    this.causal = (event.target as HTMLInputElement).checked;
  };

  readonly #selected = (event: SelectEvent) => {
    this.selection = event.selection;
  };

  readonly #paste = () => {
    try {
      const query = readBox("Queries", this.queriesBox);
      const key = readBox("Keys", this.keysBox);
      if (key.rows !== query.rows || key.columns !== query.columns) {
        throw new VectorsError(
          `Queries are ${query.rows} × ${query.columns}, but keys are ${key.rows} × ${key.columns}.`,
        );
      }
      if (query.rows > maxTokens)
        throw new VectorsError(`${query.rows} rows; at most ${maxTokens} are taken.`);
      if (query.columns % (2 * this.nHeads) !== 0 || query.columns > 64 * 8) {
        throw new VectorsError(
          `${query.columns} columns do not make ${this.nHeads} heads of an even head_dim (at most 512 in all).`,
        );
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

  #verdict(results: Results): string {
    if (this.positionOffset === 0) return "move the sentence and watch";
    if (this.encoding === "none") return "no position, nothing to change";
    return results.change < 1e-4 ? "as it was: only distances count" : "not as it was";
  }

  static override styles = [
    theme,
    panels,
    css`
      textarea,
      input[type="number"] {
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
      input:disabled {
        color: var(--soft);
        cursor: default;
        opacity: 0.6;
      }

      .far {
        margin-top: 10px;
      }

      .offset {
        min-width: 7ch;
        line-height: 1;
        text-align: right;
        font-size: 24px;
        font-weight: 500;
      }

      .readouts {
        display: grid;
        grid-template-columns: repeat(4, auto);
        justify-content: space-between;
        gap: 0 24px;
        margin: 0 0 22px;
      }

      .readouts div {
        display: grid;
        grid-row: span 2;
        grid-template-rows: subgrid;
        grid-template-columns: minmax(0, 1fr);
        max-width: 240px;
      }

      .readouts div:nth-child(2) {
        min-width: 11.5em;
        max-width: none;
      }

      dt {
        color: var(--soft);
        overflow-wrap: anywhere;
      }

      dd {
        margin: 2px 0 0;
        font-size: 24px;
        font-weight: 500;
        white-space: nowrap;
      }

      dd small {
        display: block;
        color: var(--soft);
        font-size: 13px;
        font-weight: 400;
      }

      ropewalk-arcs {
        margin: 12px 0 20px;
      }

      .untrained {
        max-width: 36em;
        margin: 18px 0 0;
        color: var(--soft);
        font: 17px / 1.5 var(--prose);
      }

      .fields {
        display: flex;
        flex-wrap: wrap;
        gap: 14px 28px;
        align-items: center;
      }

      .field {
        display: flex;
        align-items: center;
        gap: 10px;
      }

      .field input[type="number"] {
        width: 9em;
      }

      .check {
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

      details {
        margin-top: 16px;
      }

      summary {
        min-height: 28px;
        color: var(--ink);
        font-weight: 500;
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
        .readouts {
          grid-template-columns: repeat(2, minmax(0, 1fr));
          grid-auto-flow: dense;
        }

        .readouts dd {
          margin-bottom: 12px;
        }

        .readouts div:nth-child(2) {
          grid-column: 1 / -1;
          min-width: 0;
        }
      }

      /* The rope stays in sight of the thumb that moves it. */
      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 18px;
        }

        .rope {
          display: flex;
          flex-direction: column;
        }

        .readouts {
          order: 1;
          margin: 22px 0 0;
        }
      }
    `,
  ];
}

const ropeTitle: Record<Encoding, string> = {
  none: "No rope: nothing tells one position from another",
  integer: "The rope · the number that is added, at every position",
  binary: "The rope · the digits that are added, at every position",
  sinusoidal: "The rope · angle of every sine and cosine that is added (hue is angle)",
  rotary: "The rope · angle that every pair turns by, at every position (hue is angle)",
};

function readout(name: string, value: string, id: string, note = "") {
  return html`<div>
    <dt>${name}</dt>
    <dd id=${id}>${value}${note === "" ? nothing : html`<small>${note}</small>`}</dd>
  </div>`;
}

/** A change in two digits and a power, since what counts is its order of magnitude. */
function change(value: number): string {
  return value === 0 ? "0" : value.toExponential(1).replace("-", "−");
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
    if (error instanceof VectorsError) throw new VectorsError(`${name}: ${error.message}`);
    throw error;
  }
}
