import { css, html, nothing, type PropertyValues } from "lit";
import { property, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import type { ModelRope, Ropewalk } from "ropewalk";
import { choices } from "./choices.js";
import { slider } from "./controls.js";
import { type Field, words as textOf, whole } from "./fields.js";
import { figure, grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { type Example, examples } from "./model_examples.js";
import { ModelReader, type Reading, type Refusal } from "./model_rope.js";
import { RopewalkPairing } from "./pairing.js";
import { panels, readout } from "./panels.js";
import type { PairEvent } from "./picture.js";
import { theme } from "./theme.js";
import { RopewalkTwist } from "./twist.js";
import { RopewalkWavelengths } from "./wavelengths.js";
import { words } from "./words/en/model.js";

/** So long a text is still said in an address. */
const longestSaid = 2000;
/** Stands there for one that is not. */
const unsaid = "…";

/** A text of one's own, in place of an example. */
const ownText: Field<string | undefined> = {
  initial: undefined,
  read: (text) => text,
  write: (text) => (text === undefined ? "" : text.length <= longestSaid ? text : unsaid),
};

/** What goes by the model as long as nobody has chosen. */
function chosen<T>(field: Field<T>): Field<T | undefined> {
  return {
    initial: undefined,
    read: (text) => field.read(text),
    write: (value) => (value === undefined ? "" : field.write(value)),
  };
}

const fields = {
  /** By name; the first one if there is none of this name. */
  example: textOf("", 100),
  config: ownText,
  /** In tokens; what the model is meant for until the slider is moved. */
  length: chosen(whole(1, 1, 2 ** 31 - 1)),
  layerType: chosen(textOf("", 100)),
  /** The pair that is looked at. */
  pair: chosen(whole(0, 0, 1023)),
};

/**
 * A model's configuration, and what its rotary positions come to: which components pair up, how far they turn, and what
 * of that changes with the length. Every number comes from the kernels.
 */
export class RopewalkModel extends instrument(fields) {
  static readonly parts = {
    "ropewalk-pairing": RopewalkPairing,
    "ropewalk-twist": RopewalkTwist,
    "ropewalk-wavelengths": RopewalkWavelengths,
  };

  @property({ attribute: false }) examples: readonly Example[] = examples;

  @state() private copied = "";
  /** What there is to say of a configuration, once its text has stopped changing. */
  @state() private said = "";

  private reader: ModelReader | undefined;
  private reading: Reading | Refusal | undefined;
  private lengthProblem: unknown;
  #saying: ReturnType<typeof setTimeout> | undefined;

  @query("pre") private program!: HTMLElement | null;

  override get state(): Record<string, string> {
    return super.state;
  }

  /** An address that could not hold a long text leaves it as it stands. */
  override set state(texts: Readonly<Record<string, string>>) {
    const { config } = this;
    super.state = texts;
    if (this.config === unsaid) this.config = ownText.write(config) === unsaid ? config : undefined;
  }

  get #shown(): Example | undefined {
    return this.examples.find(({ name }) => name === this.example) ?? this.examples[0];
  }

  get #text(): string {
    return this.config ?? (this.#shown === undefined ? "" : jsonOf(this.#shown));
  }

  protected override release(): void {
    clearTimeout(this.#saying);
    this.reader = undefined;
  }

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    const text = this.#text;
    const isAnother =
      this.reader === undefined ||
      ["examples", "example", "config", "layerType"].some((name) => changed.has(name));
    if (isAnother || changed.has("length")) {
      this.reader ??= new ModelReader(engine);
      const { layerType, length } = this;
      const reading = text.trim() === "" ? undefined : this.reader.read(text, layerType, length);
      // A length that a model has no rule for leaves everything as it was at the last one.
      const isTooLong = reading?.kind === "refusal" && reading.field === "seqLen" && length !== undefined;
      this.lengthProblem = isTooLong ? reading.words(words.lengthField) : undefined;
      if (!isTooLong) this.reading = reading;
      else if (isAnother) this.reading = this.reader.read(text, layerType);
      this.copied = "";
      clearTimeout(this.#saying);
      this.#saying = setTimeout(() => {
        this.said = this.reading?.kind === "reading" ? summary(this.reading) : "";
      }, 600);
    }
  }

  protected override renderInstrument() {
    const { reading } = this;
    return html`
      ${this.#renderText()}
      ${
        reading === undefined
          ? html`<p class="empty" role="status">${words.empty}</p>`
          : reading.kind === "refusal"
            ? nothing
            : this.#renderReading(reading)
      }
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>
    `;
  }

  #renderText() {
    const refusal = this.reading?.kind === "refusal" ? this.reading : undefined;
    return html`
      <section class="panel text">
        <label for="config">${words.config}</label>
        <div class="examples" role="group" aria-label=${words.examples}>
          ${this.examples.map(
            (example) => html`<button
              type="button"
              aria-pressed=${jsonOf(example) === this.#text}
              @click=${() => this.#show(example)}
            >
              ${example.label ?? example.name}
            </button>`,
          )}
        </div>
        <textarea
          id="config"
          rows="12"
          spellcheck="false"
          autocomplete="off"
          autocapitalize="off"
          aria-invalid=${refusal !== undefined}
          aria-describedby="refusal"
          .value=${live(this.#text)}
          @input=${this.#typed}
        ></textarea>
        <div id="refusal" role="alert">
          ${
            refusal === undefined
              ? nothing
              : html`<p class="problem">${refusal.words(html`<code>${refusal.field}</code>`)}</p>`
          }
        </div>
      </section>
    `;
  }

  #renderReading(reading: Reading) {
    const { rope } = reading;
    return html`
      ${this.#renderVerdict(reading)}
      <section class="panel" @ropewalk-pair=${this.#lookedAt}>
        <h2>${words.pairing}</h2>
        <ropewalk-pairing
          .layout=${rope.layout}
          .headDim=${rope.headDim}
          .rotaryDim=${rope.rotaryDim}
          .turning=${rope.invFreq.filter((frequency) => frequency !== 0).length}
          .pair=${this.pair}
        ></ropewalk-pairing>
        ${rope.layout === undefined ? html`<p class="words">${words.layoutNotTold}</p>` : nothing}
        ${rope.mrope === undefined ? nothing : html`<p class="words">${mropeWords(rope.mrope)}</p>`}
      </section>
      ${this.#renderLengths(reading)}
      <section class="panel">
        <h2>${words.program}</h2>
        <pre tabindex="0" role="region" aria-label=${words.programLabel}><code>${reading.snippet}</code></pre>
        <p class="hint">
          <button type="button" @click=${this.#copy}>${words.copy}</button>
          <span role="status">${this.copied}</span>
        </p>
      </section>
    `;
  }

  #renderVerdict({ rope, layerTypes, layerType }: Reading) {
    const source = sources[rope.ropeType];
    const rest = rope.headDim - rope.rotaryDim;
    return html`
      <section class="panel">
        ${
          layerTypes.length === 0
            ? nothing
            : html`<div class="row" role="radiogroup" aria-label=${words.layers}>
                <span class="name">${words.layersDiffer}</span>
                ${choices("layerType", layerTypes, layerType, String, (name) => this.#chooseLayer(name as string))}
              </div>`
        }
        <p class="verdict">
          ${words.types[rope.ropeType](html`<b id="type">${rope.ropeType}</b>`)}
          ${source === undefined ? nothing : html`<a href="https://arxiv.org/abs/${source}">arXiv:${source}</a>`}
        </p>
        <dl class="readouts">
          ${readout("layout", words.pairs, rope.layout ?? words.notTold, pairWords(rope))}
          ${readout(
            "rotary",
            words.rotary,
            words.rotaryOf(rope.rotaryDim, rope.headDim),
            rest === 0 ? words.rotaryAll : words.rotaryRest(rest),
          )}
          ${readout("theta", "rope_theta", grouped(rope.ropeTheta), words.theta)}
          ${readout(
            "attention",
            words.attention,
            factor(rope.attentionFactor),
            rope.attentionFactor === 1 ? words.attentionNone : words.attentionSome,
          )}
          ${readout(
            "softmax",
            words.softmax,
            factor(rope.softmaxFactor),
            rope.softmaxFactor === 1 ? words.softmaxNone : words.softmaxSome,
          )}
        </dl>
      </section>
    `;
  }

  #renderLengths(reading: Reading) {
    const { rope, length, trainedLength, scaled, unscaled, isAsTrained } = reading;
    const lengths = lengthsFor(reading);
    const never = ({ turns }: { turns: Float64Array }) => turns.filter((turn) => turn < 1).length;
    const pairs = rope.invFreq.length;
    const slowest = scaled.wavelength.filter(Number.isFinite).at(-1) ?? Number.POSITIVE_INFINITY;
    const slowestBefore = unscaled.wavelength[scaled.wavelength.lastIndexOf(slowest)] as number;
    const tokens = grouped(length);
    return html`
      <section class="panel lengths" @ropewalk-pair=${this.#lookedAt}>
        <h2>${words.lengths}</h2>
        ${slider({
          id: "length",
          label: words.length,
          shown: tokens,
          last: lengths.length - 1,
          at: lengths.indexOf(length),
          words: words.lengthSpoken(tokens, never(scaled), pairs),
          move: (at) => {
            this.length = lengths[at];
          },
        })}
        ${this.lengthProblem === undefined ? nothing : html`<p class="problem" role="alert">${this.lengthProblem}</p>`}
        <p class="words" id="change">${changeWords(rope, length, trainedLength)}</p>
        <dl class="readouts three">
          ${readout(
            "never",
            words.never(tokens),
            words.neverOf(never(scaled), pairs),
            isAsTrained ? "" : words.neverAlone(never(unscaled)),
          )}
          ${readout(
            "slowest",
            words.slowest,
            figure(slowest),
            isAsTrained ? words.slowestIn : words.slowestAlone(figure(slowestBefore)),
          )}
          ${readout(
            "trained",
            trainedLength === rope.maxPositionEmbeddings ? words.trainedAndMeant : words.trained,
            [...new Set([trainedLength, rope.maxPositionEmbeddings])]
              .map((value) => (value === undefined ? words.notTold : grouped(value)))
              .join(" · "),
            words.tokens,
          )}
        </dl>
        <ropewalk-wavelengths
          .scaled=${scaled}
          .unscaled=${unscaled}
          .length=${length}
          .trainedLength=${trainedLength}
          .pair=${this.pair}
        ></ropewalk-wavelengths>
        <h2 class="far">${words.rope(tokens)}</h2>
        <ropewalk-twist
          .scaled=${scaled}
          .unscaled=${isAsTrained ? undefined : unscaled}
          .length=${length}
        ></ropewalk-twist>
      </section>
    `;
  }

  #show(example: Example): void {
    this.example = example.name;
    this.config = undefined;
    this.layerType = undefined;
    this.#setOut();
  }

  #chooseLayer(name: string): void {
    this.layerType = name;
    this.#setOut();
  }

  readonly #typed = (event: Event) => {
    this.config = (event.target as HTMLTextAreaElement).value;
    this.#setOut();
  };

  /** Another model has lengths and pairs of its own. */
  #setOut(): void {
    this.length = undefined;
    this.pair = undefined;
  }

  readonly #lookedAt = (event: PairEvent) => {
    this.pair = event.pair;
  };

  readonly #copy = async () => {
    const text = this.program?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text);
      this.copied = words.copied;
    } catch {
      // Not everywhere may a page write there; its reader may copy what is selected.
      if (this.program !== null) getSelection()?.selectAllChildren(this.program);
      this.copied = words.selected;
    }
  };

  static override styles = [
    theme,
    panels,
    css`
      a {
        color: inherit;
      }

      textarea {
        display: block;
        width: 100%;
        min-height: 12em;
        max-height: 30em;
        padding: 8px 12px;
        border: 1px solid var(--line);
        border-radius: 8px;
        background: var(--paper);
        color: var(--ink);
        font: 14px / 1.5 ui-monospace, monospace;
        resize: vertical;
        tab-size: 2;
      }

      textarea[aria-invalid="true"] {
        border-color: var(--ink);
      }

      .examples {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
        margin: 8px 0 10px;
      }

      button[aria-pressed="true"] {
        border-color: var(--ink);
        background: var(--ink);
        color: var(--panel);
      }

      .problem {
        margin: 10px 0 0;
        padding: 8px 12px;
        border-left: 3px solid var(--ink);
        font-size: 15px;
        overflow-wrap: anywhere;
      }

      .problem code {
        font: 650 14px ui-monospace, monospace;
      }

      .verdict {
        max-width: 40em;
        margin: 0 0 18px;
        font: 21px / 1.5 var(--prose);
      }

      .verdict b {
        font-weight: 600;
      }

      .verdict a {
        color: var(--soft);
        font-size: 17px;
        white-space: nowrap;
      }

      .words {
        margin: 10px 0 0;
      }

      .row {
        margin-bottom: 16px;
      }

      .readouts {
        display: grid;
        grid-template-columns: repeat(5, auto);
        justify-content: space-between;
        gap: 0 24px;
        margin: 0;
      }

      .readouts.three {
        grid-template-columns: repeat(3, minmax(0, 1fr));
        margin: 18px 0 22px;
      }

      .readouts div {
        display: grid;
        grid-row: span 3;
        grid-template-rows: subgrid;
        min-width: 0;
      }

      .move {
        margin-bottom: 0;
      }

      #change {
        min-height: 1.5em;
      }

      .far {
        margin: 20px 0 0;
      }

      pre {
        max-height: 48em;
        margin: 0;
        padding: 12px 14px;
        border: 1px solid var(--line);
        border-radius: 8px;
        background: var(--paper);
        font: 13px / 1.55 ui-monospace, monospace;
        overflow: auto;
        tab-size: 2;
      }

      .hint {
        display: flex;
        align-items: center;
        gap: 12px;
        min-height: 32px;
        margin: 10px 0 0;
        color: var(--soft);
      }

      @container (max-width: 760px) {
        .readouts {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }

        .readouts div {
          margin-bottom: 14px;
        }
      }

      /* The picture stays in sight of the thumb that moves the slider. */
      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 18px;
        }

        .readouts,
        .readouts.three {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }

        .readouts.three div:last-child {
          grid-column: 1 / -1;
        }

        #change {
          min-height: 3em;
        }

        .lengths {
          display: flex;
          flex-direction: column;
        }

        .lengths .readouts {
          order: 1;
          margin: 18px 0 0;
        }

        .lengths ropewalk-wavelengths {
          margin-top: 14px;
        }

        .lengths :is(.far, ropewalk-twist) {
          order: 2;
        }
      }
    `,
  ];
}

/** Papers, by their numbers at arXiv. */
const sources: Partial<Record<ModelRope["ropeType"], string>> = {
  default: "2104.09864",
  linear: "2306.15595",
  ntk: "2309.00071",
  dynamic: "2309.00071",
  yarn: "2309.00071",
  longrope: "2402.13753",
  llama3: "2407.21783",
};

function jsonOf({ config }: Example): string {
  return JSON.stringify(config, null, 2);
}

/** Four decimals, unless fewer say it all. */
function factor(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

function pairWords({ layout, rotaryDim }: ModelRope): string {
  if (layout === "half") return words.pairsHalf(rotaryDim / 2);
  return layout === "interleaved" ? words.pairsInterleaved : words.pairsNotTold;
}

function mropeWords({ sections, interleaved }: NonNullable<ModelRope["mrope"]>): string {
  const [time, height, width] = sections;
  return (interleaved ? words.sectionsInterleaved : words.sections)(time, height, width);
}

function changeWords({ ropeType }: ModelRope, length: number, trained: number | undefined): string {
  const { changes } = words;
  const upTo = trained === undefined ? "" : grouped(trained);
  const isLong = trained !== undefined && length > trained;
  if (ropeType === "dynamic") return (isLong ? changes.dynamicPast : changes.dynamicUpTo)(upTo);
  if (ropeType === "longrope") return (isLong ? changes.longropePast : changes.longropeUpTo)(upTo);
  return ropeType === "default" ? changes.asTrained : changes.none(ropeType);
}

/** Lengths that the slider stops at: four to the octave, and those that mean something to this model. */
function lengthsFor({ rope, length, trainedLength }: Reading): number[] {
  const own = [trainedLength, rope.maxPositionEmbeddings].filter((value) => value !== undefined);
  const last = Math.min(2 ** 31 - 1, Math.max(2 ** 18, ...own.map((value) => 4 * value)));
  const lengths = new Set([length, ...own, ...own.map((value) => Math.min(last, value + 1))]);
  for (let octave = 64; octave <= last; octave *= 2) {
    for (const part of [1, 1.25, 1.5, 1.75]) if (octave * part <= last) lengths.add(octave * part);
  }
  return [...lengths].sort((a, b) => a - b);
}

/** For who cannot see it come. */
function summary({ rope, length, scaled }: Reading): string {
  return words.summary({
    type: rope.ropeType,
    layout: rope.layout,
    rotary: rope.rotaryDim,
    head: rope.headDim,
    theta: grouped(rope.ropeTheta),
    attention: factor(rope.attentionFactor),
    softmax: factor(rope.softmaxFactor),
    never: scaled.turns.filter((turn) => turn < 1).length,
    pairs: rope.invFreq.length,
    positions: grouped(length),
  });
}
