import { html, nothing, type PropertyValues } from "lit";
import type { Ropewalk } from "ropewalk";
import { controls, radios, slider } from "./controls.js";
import { oneOf, whole } from "./fields.js";
import { exponential, grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { RopewalkLatentFlow } from "./latent_flow.js";
import { LatentPipeline, type LatentResults, latentDims } from "./latent_pipeline.js";
import { panels, readout } from "./panels.js";
import { tokenLabel } from "./picture.js";
import { textField, textFieldStyle, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { tokenize } from "./tokens.js";
import { words } from "./words/en/latent.js";

const mostTokens = 64;

const fields = {
  text: textState,
  seed: whole(7, 0, 2 ** 32 - 1),
  /** «breakthrough», once the sentence is the lecture's. */
  newest: whole(8, 0, mostTokens - 1),
  nHeads: oneOf(4, [1, 2, 4, 8]),
  head: whole(0, 0, 7),
  kvLoraRank: oneOf(32, [8, 16, 32, 64]),
  qLoraRank: oneOf("24", ["none", "24"]),
};

/** DeepSeek's latent attention: one token by both of its computations, with all that they pass through. */
export class RopewalkLatent extends instrument(fields) {
  static readonly parts = { "ropewalk-latent-flow": RopewalkLatentFlow };
  static override styles = [theme, panels, controls, textFieldStyle];

  #tokens: readonly string[] = [];
  #results: LatentResults | undefined;
  #pipeline: LatentPipeline | undefined;

  protected override release(): void {
    this.#pipeline?.delete();
    this.#pipeline = undefined;
  }

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    if (changed.has("text")) this.#tokens = tokenize(this.text).tokens.slice(0, mostTokens);
    if (this.head >= this.nHeads) this.head = 0;
    this.newest = Math.max(0, Math.min(this.newest, this.#tokens.length - 1));
    const { newest, seed, nHeads, kvLoraRank } = this;
    const tokens = this.#tokens;
    if (tokens.length === 0) return;
    if (changed.size === 1 && changed.has("head")) return;
    const qLoraRank = this.qLoraRank === "none" ? undefined : Number(this.qLoraRank);
    this.#pipeline ??= new LatentPipeline(engine);
    this.#results = this.#pipeline.run({ tokens, newest, seed, nHeads, kvLoraRank, qLoraRank });
  }

  protected override renderInstrument() {
    return html`
      <section class="panel">
        ${textField(this.text, words.tokens(this.#tokens.length), (text) => {
          this.text = text;
        })}
      </section>
      ${
        this.#tokens.length === 0
          ? html`<p class="empty">${words.empty}</p>`
          : this.#results === undefined
            ? nothing
            : this.#renderSentence(this.#results)
      }
    `;
  }

  #renderSentence(results: LatentResults) {
    const { newest } = this;
    const tokens = this.#tokens;
    const { difference, elements, bytes, naive, absorbed, shape, keys } = results;
    const token = tokenLabel(tokens[newest] ?? "");
    return html`
      <section class="panel">
        <h2>${words.heading}</h2>
        ${slider({
          id: "newest",
          label: words.newest,
          shown: words.newestShown(newest + 1, tokens.length),
          last: tokens.length - 1,
          at: newest,
          words: words.newestSpoken(token, newest + 1, tokens.length, grouped(bytes.latent)),
          move: (value) => {
            this.newest = value;
          },
        })}
        <div class="fields">
          ${radios(words.heads, "nHeads", [1, 2, 4, 8], this.nHeads, String, (value) => {
            this.nHeads = value;
          })}
          ${radios("kv_lora_rank", "kvLoraRank", [8, 16, 32, 64], this.kvLoraRank, String, (value) => {
            this.kvLoraRank = value;
          })}
          ${radios(
            "q_lora_rank",
            "qLoraRank",
            ["none", "24"],
            this.qLoraRank,
            (value) => (value === "none" ? words.noRank : value),
            (value) => {
              this.qLoraRank = value;
            },
          )}
          ${radios(
            words.head,
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
            words.difference,
            exponential(difference.out),
            words.weightDifference(exponential(difference.weights)),
          )}
          ${readout(
            "elements",
            words.elements,
            words.elementsKept(elements.latent),
            words.elementsOfHeads(shape.nHeads, elements.heads),
          )}
          ${readout(
            "bytes",
            words.bytes(keys),
            `${grouped(bytes.latent)} B`,
            words.bytesOfHeads(grouped(bytes.heads)),
          )}
          ${readout(
            "work",
            words.work,
            `${grouped(naive.cost.total.multiplyAdds)} · ${grouped(absorbed.cost.total.multiplyAdds)}`,
            words.workOfThem(
              grouped(naive.cost.expand.multiplyAdds),
              grouped(absorbed.cost.expand.multiplyAdds),
            ),
          )}
        </dl>
        <ropewalk-latent-flow .results=${results} .tokens=${tokens} .head=${this.head}></ropewalk-latent-flow>
        <p class="words">${words.untrained(latentDims.qkNopeHeadDim, latentDims.qkRopeHeadDim)}</p>
      </section>
    `;
  }
}
