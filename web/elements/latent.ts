import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { loadRopewalk, type Ropewalk, RopewalkError } from "ropewalk";
import { percent } from "./absorption.js";
import { AbsorptionPipeline, type AbsorptionResults, distances } from "./absorption_pipeline.js";
import { bytesText, type CacheRow } from "./cache_bars.js";
import { cachedBy, cacheShapes, shapeNamed } from "./cache_shapes.js";
import { choices } from "./choices.js";
import { type Curves, measuredCurves, type Quantity, quantityText } from "./cost.js";
import {
  costOf,
  type LayerName,
  layers,
  lengths,
  longestMeasured,
  type Measurement,
  type Phase,
  shapeOf,
  type Way,
  ways,
} from "./cost_pipeline.js";
import { LatentPipeline, type LatentResults, latentDims } from "./latent_pipeline.js";
import { panels, readout } from "./panels.js";
import { tokenLabel } from "./picture.js";
import { theme } from "./theme.js";
import { tokenize } from "./tokens.js";

const lectureSentence = "Einstein developed the theory of relativity. This breakthrough reshaped physics.";
const mostTokens = 64;
/** Of everything that is drawn at random. */
const seed = 7;
const contexts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, distances];
const contextLengths = [1, 1024, 4096, 8192, 32_768, 131_072, 1_000_000];
const precisions = [
  { bytes: 4, name: "32 bits" },
  { bytes: 2, name: "16 bits" },
  { bytes: 1, name: "8 bits" },
  { bytes: 0.75, name: "6 bits" },
];
const phaseWords: Record<Phase, string> = { decode: "one new token", prefill: "all tokens at once" };

/**
 * DeepSeek's latent attention: one sentence by both of its computations; why RoPE cannot be absorbed, and what mends it;
 * what models keep of a token; and what it costs. Every number comes from the kernels.
 */
export class RopewalkLatent extends LitElement {
  @state() private text = lectureSentence;
  /** «breakthrough», once the sentence is the lecture's. */
  @state() private newest = 8;
  @state() private nHeads = 4;
  @state() private head = 0;
  @state() private kvLoraRank = 32;
  @state() private qLoraRank: number | undefined = 24;
  @state() private contextLen = 64;
  @state() private per: "all" | "layer" = "layer";
  @state() private bytesPerElement = 2;
  @state() private cachedTokens = 131_072;
  @state() private layer: LayerName = "DeepSeek-V2-Lite";
  @state() private phase: Phase = "decode";
  @state() private quantity: Quantity = "multiplyAdds";
  @state() private measurements: readonly Measurement[] = [];
  @state() private measuring = false;
  @state() private problem = "";
  @state() private measureProblem = "";

  @state() private engine: Ropewalk | undefined;
  private tokens: readonly string[] = [];
  private results: LatentResults | undefined;
  private absorption: AbsorptionResults | undefined;
  private pipeline: LatentPipeline | undefined;
  private absorptions: AbsorptionPipeline | undefined;
  private worker: Worker | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#cancel();
    this.pipeline?.delete();
    this.pipeline = undefined;
    this.engine = undefined;
  }

  async #load(): Promise<void> {
    try {
      const engine = await loadRopewalk();
      if (!this.isConnected) return;
      this.pipeline ??= new LatentPipeline(engine);
      this.absorptions ??= new AbsorptionPipeline(engine);
      this.engine ??= engine;
    } catch (error) {
      this.problem = `The engine could not be started. ${(error as Error).message}`;
    }
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("text")) this.tokens = tokenize(this.text).tokens.slice(0, mostTokens);
    if (this.head >= this.nHeads) this.head = 0;
    this.newest = Math.max(0, Math.min(this.newest, this.tokens.length - 1));
    if (this.pipeline === undefined || this.absorptions === undefined) return;
    try {
      const { tokens, newest, nHeads, kvLoraRank, qLoraRank } = this;
      const of = ["engine", "text", "newest", "nHeads", "kvLoraRank", "qLoraRank"];
      if (of.some((name) => changed.has(name)) && tokens.length > 0) {
        this.results = this.pipeline.run({ tokens, newest, seed, nHeads, kvLoraRank, qLoraRank });
      }
      if (changed.has("engine") || changed.has("contextLen"))
        this.absorption = this.absorptions.run(this.contextLen);
      this.problem = "";
    } catch (error) {
      if (!(error instanceof RopewalkError)) throw error;
      this.problem = `The engine refused: ${error.message}`;
    }
  }

  protected override render() {
    const { engine, results, absorption, tokens, problem } = this;
    return html`
      ${this.#renderText()}
      ${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
      ${
        tokens.length === 0
          ? html`<p class="empty">Type a sentence above: there is nothing to attend to.</p>`
          : results === undefined
            ? html`<p class="empty" role="status">${problem === "" ? "Starting the engine …" : ""}</p>`
            : this.#renderSentence(results)
      }
      ${absorption === undefined ? nothing : this.#renderAbsorption(absorption)}
      ${engine === undefined ? nothing : html`${this.#renderCached(engine)} ${this.#renderCost(engine)}`}
    `;
  }

  #renderText() {
    return html`
      <section class="panel text">
        <label for="text">Your text, in any script</label>
        <textarea
          id="text"
          rows="2"
          spellcheck="false"
          .value=${live(this.text)}
          @input=${(event: Event) => {
            this.text = (event.target as HTMLTextAreaElement).value;
          }}
        ></textarea>
      </section>
    `;
  }

  // ---- One sentence, both ways ---------------------------------------------------------------------------------------

  #renderSentence(results: LatentResults) {
    const { tokens, newest } = this;
    const { difference, elements, bytes, naive, absorbed, shape, keys } = results;
    const token = tokenLabel(tokens[newest] ?? "");
    const times = (n: number) => n.toLocaleString("en");
    return html`
      <section class="panel">
        <h2>One token, by two routes to the same output</h2>
        ${this.#slider(
          "newest",
          "The sentence so far: everything before the newest token is in the cache",
          `${newest + 1} of ${tokens.length}`,
          tokens.length - 1,
          newest,
          `newest token ${token}, ${newest + 1} of ${tokens.length}; ${times(bytes.latent)} bytes cached`,
          (value) => {
            this.newest = value;
          },
        )}
        <div class="fields">
          ${this.#radios("Heads", "nHeads", [1, 2, 4, 8], this.nHeads, String, (value) => {
            this.nHeads = value;
          })}
          ${this.#radios("kv_lora_rank", "kvLoraRank", [8, 16, 32, 64], this.kvLoraRank, String, (value) => {
            this.kvLoraRank = value;
          })}
          ${this.#radios(
            "q_lora_rank",
            "qLoraRank",
            [undefined, 24],
            this.qLoraRank,
            (value) => (value === undefined ? "none" : String(value)),
            (value) => {
              this.qLoraRank = value;
            },
          )}
          ${this.#radios(
            "Head shown",
            "head",
            Array.from({ length: this.nHeads }, (_, h) => h),
            this.head,
            (value) => `${value + 1}`,
            (value) => {
              this.head = value;
            },
          )}
        </div>
        <dl class="readouts">
          ${readout(
            "difference",
            "largest difference of the two outputs",
            difference.out === 0 ? "0" : difference.out.toExponential(1),
            html`of a weight ${difference.weights === 0 ? "0" : difference.weights.toExponential(1)}: rounding alone`,
          )}
          ${readout(
            "elements",
            "kept of each token",
            `${elements.latent} elements`,
            `keys and values of ${shape.nHeads} ${shape.nHeads === 1 ? "head" : "heads"}: ${elements.heads}`,
          )}
          ${readout(
            "bytes",
            `kept of ${keys} ${keys === 1 ? "token" : "tokens"}`,
            `${times(bytes.latent)} B`,
            `keys and values: ${times(bytes.heads)} B`,
          )}
          ${readout(
            "work",
            "multiply-adds of this token: naive · absorbed",
            `${times(naive.cost.total.multiplyAdds)} · ${times(absorbed.cost.total.multiplyAdds)}`,
            `of them to expand ${times(naive.cost.expand.multiplyAdds)}, to absorb ${times(absorbed.cost.expand.multiplyAdds)}`,
          )}
        </dl>
        <ropewalk-latent-flow .results=${results} .tokens=${tokens} .head=${this.head}></ropewalk-latent-flow>
        <p class="words">
          Nothing here is trained: embeddings and matrices are drawn from a seed and each token’s text. Heads have
          ${latentDims.qkNopeHeadDim} components that are not rotated and ${latentDims.qkRopeHeadDim} that are; DeepSeek-V2’s
          have 128 and 64, with a latent of 512.
        </p>
      </section>
    `;
  }

  // ---- Why RoPE cannot be absorbed -----------------------------------------------------------------------------------

  #renderAbsorption(absorption: AbsorptionResults) {
    const { contextLen, rotary, decoupled } = absorption;
    const at = contexts.indexOf(contextLen);
    const inside = rotary.subarray(0, contextLen);
    const largestInside = Math.max(...inside);
    const largest = Math.max(...decoupled);
    return html`
      <section class="panel">
        <h2>Why plain RoPE does not fit: no single matrix stands for all distances</h2>
        <p class="words">
          Absorbing works because one matrix, W<sup>UK</sup>, is between query and latent at every position. Rotate the
          expanded keys, and it is W<sup>UK</sup> turned back by the distance: another for each. The best single one, in least
          squares, is their mean; there fast pairs cancel, and only slow ones are left.
        </p>
        ${this.#slider(
          "context",
          "The single matrix is fitted to queries at the end of so many tokens",
          contextLen.toLocaleString("en"),
          contexts.length - 1,
          at,
          `fitted to ${contextLen} tokens; largest error among them ${percent(largestInside)}`,
          (value) => {
            this.contextLen = contexts[value] ?? 1;
          },
        )}
        <dl class="readouts three">
          ${readout("fitted", "largest error where it was fitted", percent(largestInside), `distances 0 to ${contextLen - 1}`)}
          ${readout("beyond", "error at the far end", percent(rotary[distances - 1] as number), `distance ${distances - 1}`)}
          ${readout(
            "decoupled",
            "decoupled, the largest at any distance",
            largest.toExponential(1),
            "rotated by a part of its own, which is never absorbed",
          )}
        </dl>
        <ropewalk-absorption .results=${absorption}></ropewalk-absorption>
      </section>
    `;
  }

  // ---- What is cached ------------------------------------------------------------------------------------------------

  #renderCached(engine: Ropewalk) {
    const { bytesPerElement, cachedTokens, per } = this;
    const rows = cacheShapes.map(
      (shape): CacheRow => ({
        shape,
        cached: cachedBy(engine, shape, cachedTokens, bytesPerElement),
        asMha: cachedBy(engine, shape, cachedTokens, bytesPerElement, "mha"),
      }),
    );
    const v2 = shapeNamed("DeepSeek-V2");
    const dense = shapeNamed("DeepSeek 67B");
    const one = cachedBy(engine, v2, 1, 2).elements.layer;
    const mha = cachedBy(engine, v2, 1, 2, "mha").elements.layer;
    const sixBits = cachedBy(engine, v2, 1, 0.75).bytes;
    const sixteenBits = cachedBy(engine, v2, 1, 2).bytes;
    const before = cachedBy(engine, dense, 1, 2).bytes;
    const less = (now: number) => `${(100 * (1 - now / before)).toFixed(1)} %`;
    return html`
      <section class="panel">
        <h2>What is kept of a token, in published models</h2>
        <div class="fields">
          ${this.#radios(
            "Elements of",
            "per",
            ["layer", "all"] as const,
            per,
            (value) => (value === "all" ? "all layers" : "one layer"),
            (value) => {
              this.per = value;
            },
          )}
          ${this.#radios(
            "Each in",
            "bytesPerElement",
            precisions.map(({ bytes }) => bytes),
            bytesPerElement,
            (value) => precisions.find(({ bytes }) => bytes === value)?.name ?? "",
            (value) => {
              this.bytesPerElement = value;
            },
          )}
        </div>
        ${this.#slider(
          "cachedTokens",
          "Tokens in the text, whose cache in all layers is",
          cachedTokens.toLocaleString("en"),
          contextLengths.length - 1,
          contextLengths.indexOf(cachedTokens),
          `${cachedTokens.toLocaleString("en")} tokens`,
          (value) => {
            this.cachedTokens = contextLengths[value] ?? 1;
          },
        )}
        <ropewalk-cache-bars .rows=${rows} .per=${per} .tokens=${cachedTokens}></ropewalk-cache-bars>
        <div class="claims">
          <section>
            <h3>«57 times smaller»: against what?</h3>
            <p class="claim"><b id="times">${(mha / one).toFixed(1)} times</b></p>
            <p class="words">
              Against multi-head attention with DeepSeek-V2’s own 128 heads, which nobody built: ${mha.toLocaleString("en")}
              elements of a token in a layer, against ${one.toLocaleString("en")}.
            </p>
          </section>
          <section>
            <h3>«93.3 % less»: against what?</h3>
            <p class="claim"><b id="less">${less(sixBits)}</b></p>
            <p class="words">
              Against DeepSeek 67B, which has 8 heads of keys and values already: ${bytesText(before)} of a token at 16 bits,
              against ${bytesText(sixBits)} with V2’s cache at 6 bits on average, as it is served
              (<a href="https://arxiv.org/abs/2405.04434">arXiv:2405.04434</a>, section 3.2.3). At 16 bits both it would be
              ${less(sixteenBits)}. The paper prints no sum; this one gives its number.
            </p>
          </section>
        </div>
      </section>
    `;
  }

  // ---- What it costs -------------------------------------------------------------------------------------------------

  #renderCost(engine: Ropewalk) {
    const { phase, quantity, layer, measuring } = this;
    const isMeasured = quantity === "milliseconds";
    const curves = isMeasured ? measuredCurves(this.measurements, phase) : this.#counted(engine);
    const of = this.measurements.filter((one) => one.phase === phase).length;
    const all =
      lengths.filter((length) => length <= longestMeasured[phase]).length * (phase === "decode" ? 3 : 2);
    return html`
      <section class="panel">
        <h2>What a layer costs as the text grows</h2>
        <div class="fields">
          ${this.#radios(
            "For",
            "phase",
            ["decode", "prefill"] as const,
            phase,
            (value) => `${value}: ${phaseWords[value]}`,
            (value) => {
              this.#cancel();
              this.phase = value;
            },
          )}
          ${this.#radios(
            "Show",
            "quantity",
            ["multiplyAdds", "bytes", "milliseconds"] as const,
            quantity,
            (value) =>
              ({ multiplyAdds: "multiply-adds", bytes: "bytes moved", milliseconds: "time, measured here" })[
                value
              ],
            (value) => {
              this.quantity = value;
            },
          )}
          ${this.#radios(
            "Layer of",
            "layer",
            Object.keys(layers) as LayerName[],
            isMeasured ? "DeepSeek-V2-Lite" : layer,
            String,
            (value) => {
              this.layer = value;
            },
            isMeasured,
          )}
        </div>
        ${
          isMeasured
            ? html`<div class="measure">
                <button type="button" @click=${measuring ? () => this.#cancel() : () => this.#measure()}>
                  ${measuring ? "Stop" : of === 0 ? "Measure on this machine" : "Measure again"}
                </button>
                <progress max=${all} .value=${of} aria-label="Measured"></progress>
                <span role="status">${
                  this.measureProblem !== ""
                    ? this.measureProblem
                    : measuring
                      ? `${of} of ${all} measured …`
                      : of === all
                        ? "Measured: medians, one thread."
                        : of > 0
                          ? `Stopped after ${of} of ${all}.`
                          : "It takes some seconds and 200 MB; the page goes on meanwhile."
                }</span>
              </div>`
            : nothing
        }
        <ropewalk-cost .curves=${curves} .quantity=${quantity}></ropewalk-cost>
        ${isMeasured ? nothing : this.#renderVerdict(engine)}
      </section>
    `;
  }

  #renderVerdict(engine: Ropewalk) {
    const { phase, layer, quantity } = this;
    const name = quantity === "bytes" ? "bytes" : "multiplyAdds";
    const length = phase === "decode" ? 4096 : 1024;
    const at = (way: Way) =>
      costOf(engine, shapeOf(layer), phase, way, length)[phase === "decode" ? "attend" : "total"][name];
    const [kept, absorbed] = [at("kept"), at("absorbed")];
    const part = phase === "decode" ? "To attend alone, with" : "Together, with";
    const ratio = absorbed / kept;
    const compared =
      ratio >= 1 ? `${ratio.toFixed(1)} times as much` : `${(1 / ratio).toFixed(1)} times less`;
    return html`<p class="words" id="verdict">
      ${part} ${length.toLocaleString("en")} tokens: ${quantityText[quantity](absorbed)} absorbed, which is ${compared} as naive
      with everything kept. ${
        phase === "decode"
          ? "A new token waits for memory rather than for arithmetic: that is why the trade pays."
          : "Where all queries come at once, what was expanded serves them all: prefill is naive, and decode absorbed."
      }
    </p>`;
  }

  #counted(engine: Ropewalk): Curves {
    const { phase, quantity, layer } = this;
    const name = quantity === "bytes" ? "bytes" : "multiplyAdds";
    const of = (way: Way) =>
      lengths.map((length) => costOf(engine, shapeOf(layer), phase, way, length).total[name]);
    return Object.fromEntries(ways.map((way) => [way, of(way)])) as unknown as Curves;
  }

  #measure(): void {
    const { phase } = this;
    this.#cancel();
    this.measureProblem = "";
    this.measurements = this.measurements.filter((one) => one.phase !== phase);
    this.measuring = true;
    const worker = new Worker(new URL("./cost_worker.ts", import.meta.url), { type: "module" });
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Measurement | "done" | { problem: string }>) => {
      if (data === "done") this.#cancel();
      else if ("problem" in data) this.#fail(data.problem);
      else this.measurements = [...this.measurements, data];
    };
    worker.onerror = (event) => this.#fail(event.message);
    worker.postMessage(phase);
  }

  #fail(problem: string): void {
    this.#cancel();
    this.measureProblem = `It could not be measured. ${problem}`;
  }

  /** What runs is ended with its memory; what was measured stays. */
  #cancel(): void {
    this.worker?.terminate();
    this.worker = undefined;
    this.measuring = false;
  }

  /** One of `last` + 1 places on a slider; `shown` is what is set large beside it, `words` what is said of it. */
  #slider(
    id: string,
    label: string,
    shown: string,
    last: number,
    at: number,
    words: string,
    move: (value: number) => void,
  ) {
    return html`<div class="move">
      <label for=${id}>${label}</label>
      <output for=${id}>${shown}</output>
      <input
        id=${id}
        type="range"
        min="0"
        max=${last}
        step="1"
        .value=${live(String(at))}
        aria-valuetext=${words}
        @input=${(event: Event) => move((event.target as HTMLInputElement).valueAsNumber)}
      />
    </div>`;
  }

  #radios<T>(
    label: string,
    name: string,
    all: readonly T[],
    chosen: T,
    text: (choice: T) => string,
    choose: (choice: T) => void,
    disabled = false,
  ) {
    return html`<div class="row" role="radiogroup" aria-label=${label}>
      <span class="name">${label}</span>
      ${choices(name, all, chosen, text, choose, disabled)}
    </div>`;
  }

  static override styles = [
    theme,
    panels,
    css`
      a {
        color: inherit;
      }

      .text textarea {
        display: block;
        width: 100%;
        margin-top: 6px;
        padding: 6px 10px;
        border: 1px solid var(--line);
        border-radius: 8px;
        background: var(--paper);
        color: var(--ink);
        font: 21px / 1.4 var(--prose);
        field-sizing: content;
        min-height: 2.8em;
        max-height: 8em;
        resize: vertical;
      }

      .problem {
        margin: 0;
        padding: 8px 12px;
        border-left: 3px solid var(--ink);
        font-size: 15px;
      }

      .fields {
        display: flex;
        flex-wrap: wrap;
        gap: 10px 24px;
        margin: 0 0 18px;
      }

      .readouts {
        display: grid;
        grid-template-columns: repeat(4, auto);
        justify-content: space-between;
        gap: 0 24px;
        margin: 0 0 22px;
      }

      .readouts.three {
        grid-template-columns: repeat(3, minmax(0, 1fr));
      }

      .readouts div {
        display: grid;
        grid-row: span 3;
        grid-template-rows: subgrid;
        min-width: 0;
        max-width: 270px;
      }

      h3 {
        margin: 0 0 4px;
        font: 600 13px / 1.4 var(--label);
      }

      dd.value {
        white-space: nowrap;
      }

      .words {
        margin: 0 0 14px;
      }

      .words:last-child {
        margin-bottom: 0;
      }

      .words sup {
        font-size: 0.7em;
        line-height: 0;
      }

      .claims {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr));
        gap: 16px 32px;
        margin-top: 22px;
      }

      .claim {
        margin: 0 0 4px;
        font-size: 24px;
      }

      .claim b {
        font-weight: 500;
      }

      .measure {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 14px;
        min-height: 40px;
        margin-bottom: 12px;
        color: var(--soft);
      }

      progress {
        width: 160px;
        accent-color: var(--ink);
      }

      @container (max-width: 760px) {
        .readouts,
        .readouts.three {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }

        .readouts div {
          margin-bottom: 14px;
        }
      }

      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 18px;
        }

        .readouts div:first-child,
        .readouts:not(.three) div:last-child {
          grid-column: 1 / -1;
          max-width: none;
        }
      }
    `,
  ];
}
