import { css, html } from "lit";
import { state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import type { Ropewalk } from "ropewalk";
import { type DistanceEvent, RopewalkBandsDistance } from "./bands_distance.js";
import {
  type Band,
  BandsPipeline,
  type BandsResults,
  fastWithin,
  furthest,
  nHeads,
  type Span,
} from "./bands_pipeline.js";
import { RopewalkBandsSentence, type TokenEvent } from "./bands_sentence.js";
import { type LookEvent, type MuteEvent, RopewalkBandsStack, rowHeight } from "./bands_stack.js";
import { choices } from "./choices.js";
import { baseField, numberFieldStyle, radios, seedField } from "./controls.js";
import { flag, oneOf, real, whole, wholes } from "./fields.js";
import { figure, grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { panels, readout } from "./panels.js";
import { fixed, tokenLabel } from "./picture.js";
import { textField, textFieldStyle, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { maxTokens, tokenize } from "./tokens.js";
import { words } from "./words/en/bands.js";

const headDims = [8, 16, 32, 64] as const;
const contexts = [512, 4096, 32_768, furthest] as const;
const lastToken = maxTokens - 1;

const fields = {
  text: textState,
  seed: whole(7, 0, 2 ** 32 - 1),
  /** «This breakthrough» asks for «theory of relativity»: first and last token of each. */
  query: whole(7, 0, lastToken),
  queryEnd: whole(8, 0, lastToken),
  key: whole(3, 0, lastToken),
  keyEnd: whole(5, 0, lastToken),
  /** Whether the key is the query itself. */
  alike: flag(true),
  /** In tokens; 0 where it is as in the sentence. */
  distance: whole(0, 0, furthest),
  /** Pairs that are left out of the score. */
  muted: wholes([], headDims[3] / 2 - 1),
  context: oneOf(4096, contexts),
  /** Of the four, one in which the lecture’s query has something in all bands. */
  head: whole(1, 0, nHeads - 1),
  headDim: oneOf(32, headDims),
  base: real(10_000, 2, 1e8),
};

const bandNames = ["fast", "middle", "slow"] as const;

/** One score as the sum of its pairs: which of them does what, near and far. */
export class RopewalkBands extends instrument(fields) {
  static readonly parts = {
    "ropewalk-bands-sentence": RopewalkBandsSentence,
    "ropewalk-bands-stack": RopewalkBandsStack,
    "ropewalk-bands-distance": RopewalkBandsDistance,
  };

  /** Which of the two phrases the next token is for. */
  @state() private choosing: "query" | "key" = "query";
  /** The pair that is looked at. */
  @state() private pair: number | undefined;

  #pipeline: BandsPipeline | undefined;
  #results: BandsResults | undefined;
  #tokens: readonly string[] = [];
  #left = 0;
  #query: Span = { first: 0, last: 0 };
  #key: Span = { first: 0, last: 0 };
  #distance = 0;

  protected override compute(engine: Ropewalk): void {
    this.#pipeline ??= new BandsPipeline(engine);
    const { tokens, left } = tokenize(this.text);
    this.#left = left;
    if (tokens.join("\n") !== this.#tokens.join("\n")) this.#tokens = tokens;
    if (tokens.length === 0) return;
    const within = (first: number, end: number, most: number): Span => {
      const last = Math.min(Math.max(first, end), most);
      return { first: Math.min(first, end, last), last };
    };
    this.#query = within(this.query, this.queryEnd, tokens.length - 1);
    // A query looks back, as in a causal model.
    this.#key = within(this.key, this.keyEnd, this.#query.last);
    this.#distance = this.distance || this.#own;
    const { seed, head, headDim, base, alike, muted, context } = this;
    this.#results = this.#pipeline.run({
      tokens: this.#tokens,
      seed,
      head,
      headDim,
      base,
      query: this.#query,
      key: this.#key,
      alike,
      muted,
      distance: this.#distance,
      context,
    });
  }

  protected override release(): void {
    this.#pipeline = undefined;
  }

  /** From one phrase to the other in the sentence. */
  get #own(): number {
    return this.#query.last - this.#key.last;
  }

  #phrase({ first, last }: Span): string {
    return words.phrase(this.#tokens.slice(first, last + 1).map(tokenLabel));
  }

  protected override renderInstrument() {
    const results = this.#results;
    return html`
      ${
        this.#tokens.length === 0 || results === undefined
          ? html`<p class="empty">${words.empty}</p>`
          : html`${this.#renderSentence()}${this.#renderScore(results)}`
      }
      ${this.#renderSettings()}
    `;
  }

  #renderSentence() {
    const name = { query: this.#phrase(this.#query), key: this.#phrase(this.#key) };
    return html`
      <section class="panel">
        <div class="row choosing" role="radiogroup" aria-label=${words.choosing}>
          <span class="name">${words.choosing}</span>
          ${choices(
            "choosing",
            ["query", "key"] as const,
            this.choosing,
            (which) => words.which[which](name[which]),
            (which) => {
              this.choosing = which;
            },
          )}
        </div>
        <ropewalk-bands-sentence
          .tokens=${this.#tokens}
          .querySpan=${this.#query}
          .keySpan=${this.#key}
          .choosing=${this.choosing}
          .more=${this.#distance - this.#own}
          @ropewalk-token=${this.#onToken}
        ></ropewalk-bands-sentence>
      </section>
    `;
  }

  #renderScore(results: BandsResults) {
    const { muted, context, pair } = this;
    const distance = this.#distance;
    const n = results.parts.length;
    const never = results.bands.slow.pairs;
    const count = muted.filter((one) => one < n).length;
    return html`
      <section class="panel score">
        <dl class="readouts">
          ${readout("apart", words.apart, grouped(distance), this.#distanceNote())}
          ${readout("all", words.all, fixed(results.score, 3), words.allOf(this.head + 1, nHeads))}
          ${readout("left", words.left, fixed(results.left, 3), words.leftWithout(count))}
          ${readout("never", words.never, words.neverOf(never.length, n), words.neverIn(grouped(context)))}
        </dl>
        <div class="settings">
          ${radios(words.context, "context", contexts, context, grouped, (value) => {
            this.context = value;
          })}
          <div class="row" role="radiogroup" aria-label=${words.key}>
            <span class="name">${words.keyIs}</span>
            ${choices(
              "alike",
              [true, false],
              this.alike,
              (alike) => (alike ? words.alike : words.unlike),
              (alike) => {
                this.alike = alike;
              },
            )}
          </div>
        </div>
        <p class="readout ${pair === undefined ? "quiet" : ""}">
          ${pair === undefined || pair >= n ? words.hint : this.#sentence(results, pair)}
        </p>
        <div
          class="pictures"
          @ropewalk-look=${this.#onLook}
          @ropewalk-mute=${this.#onMute}
          @ropewalk-distance=${this.#onDistance}
        >
          <ropewalk-bands-stack .results=${results} .muted=${muted} .pair=${pair}></ropewalk-bands-stack>
          <ropewalk-bands-distance
            .results=${results}
            .muted=${muted}
            .pair=${pair}
            .distance=${distance}
            .context=${context}
          ></ropewalk-bands-distance>
          ${this.#renderBands(results)}
        </div>
      </section>
    `;
  }

  #distanceNote() {
    if (this.#distance > this.context) return words.apartBeyond;
    if (this.#distance === this.#own) return words.apartAsIs;
    return html`<button type="button" class="link" @click=${this.#asInSentence}>${words.apartBack(this.#own)}</button>`;
  }

  /** A box for each band, checked while all of its pairs are heard, and in between while some are. */
  #renderBands({ bands }: BandsResults) {
    return html`<fieldset>
      <legend>${words.heard}</legend>
      ${bandNames.map((name) => {
        const band = bands[name];
        const heard = band.pairs.filter((pair) => !this.muted.includes(pair)).length;
        return html`<label>
          <input
            type="checkbox"
            .checked=${live(heard > 0 && heard === band.pairs.length)}
            .indeterminate=${live(heard > 0 && heard < band.pairs.length)}
            ?disabled=${band.pairs.length === 0}
            @change=${() => this.#toggle(band)}
          />
          <span>${words.bands[name](fastWithin)}<small>${pairsText(band.pairs)}</small></span>
          <output id=${name}>${fixed(band.score, 3)}</output>
        </label>`;
      })}
      <button type="button" ?disabled=${this.muted.length === 0} @click=${this.#hearAll}>${words.hearAll}</button>
    </fieldset>`;
  }

  #sentence({ parts, angles, wavelength }: BandsResults, pair: number): string {
    return words[this.muted.includes(pair) ? "atMuted" : "at"](
      pair,
      figure(wavelength[pair] as number),
      grouped(this.#distance),
      fixed(angles[pair] as number, 2),
      fixed(parts[pair] as number, 3),
    );
  }

  #renderSettings() {
    return html`
      <section class="panel">
        <div class="settings">
          ${radios(
            words.head,
            "head",
            Array.from({ length: nHeads }, (_, head) => head),
            this.head,
            (head) => `${head + 1}`,
            (head) => {
              this.head = head;
            },
          )}
          <div class="row" role="radiogroup" aria-label=${words.headDim}>
            <span class="name">head_dim</span>
            ${choices("headDim", headDims, this.headDim, String, (headDim) => {
              this.headDim = headDim;
            })}
          </div>
          ${baseField({
            label: words.base,
            value: this.base,
            change: (base) => {
              this.base = base;
            },
          })}
          ${seedField({
            label: words.seed,
            value: this.seed,
            change: (seed) => {
              this.seed = seed;
            },
          })}
        </div>
        ${textField(this.text, words.tokens(this.#tokens.length, this.#left), this.#onText)}
        <p class="words">${words[this.alike ? "untrainedAlike" : "untrainedUnlike"](html`<b>${this.seed}</b>`)}</p>
      </section>
    `;
  }

  #toggle({ pairs }: Band): void {
    const isHeard = pairs.some((pair) => !this.muted.includes(pair));
    const others = this.muted.filter((pair) => !pairs.includes(pair));
    this.muted = isHeard ? rising([...others, ...pairs]) : others;
  }

  readonly #hearAll = (): void => {
    this.muted = [];
  };

  readonly #asInSentence = (): void => {
    this.distance = 0;
  };

  readonly #onText = (text: string): void => {
    this.text = text;
  };

  /** A token beside the phrase is added to it; any other is the phrase from now on. */
  readonly #onToken = ({ token }: TokenEvent): void => {
    const { first, last } = this.choosing === "query" ? this.#query : this.#key;
    const span =
      token === first - 1
        ? { first: token, last }
        : token === last + 1
          ? { first, last: token }
          : { first: token, last: token };
    if (this.choosing === "query") {
      this.query = span.first;
      this.queryEnd = span.last;
    } else {
      this.key = span.first;
      this.keyEnd = span.last;
    }
    this.distance = 0;
  };

  readonly #onLook = ({ pair }: LookEvent): void => {
    this.pair = pair;
  };

  readonly #onMute = ({ pair }: MuteEvent): void => {
    const others = this.muted.filter((other) => other !== pair);
    this.muted = others.length === this.muted.length ? rising([...others, pair]) : others;
  };

  readonly #onDistance = ({ distance }: DistanceEvent): void => {
    this.distance = distance === this.#own ? 0 : distance;
  };

  static override styles = [
    theme,
    panels,
    textFieldStyle,
    numberFieldStyle,
    css`
      .choosing {
        margin-bottom: 14px;
      }

      .readouts {
        display: grid;
        grid-template-columns: repeat(4, auto);
        justify-content: space-between;
        gap: 0 24px;
        margin: 0 0 18px;
      }

      .readouts div {
        display: grid;
        grid-row: span 3;
        grid-template-rows: subgrid;
      }

      dt {
        align-self: end;
      }

      #apart,
      #all,
      #left {
        min-width: 7ch;
      }

      .link {
        min-height: 24px;
        padding: 0;
        border: 0;
        color: var(--soft);
        text-decoration: underline;
        text-underline-offset: 3px;
      }

      .pictures {
        display: grid;
        grid-template-columns: minmax(240px, 5fr) minmax(0, 8fr);
        grid-template-rows: auto 1fr;
        gap: 0 24px;
      }

      .pictures > * {
        min-width: 0;
      }

      ropewalk-bands-distance {
        grid-row: span 2;
        --row: ${rowHeight};
        --curve: 240;
      }

      fieldset {
        display: grid;
        align-content: start;
        gap: 4px;
        margin: 10px 0 0;
        padding: 0;
        border: 0;
      }

      legend {
        padding: 0;
        margin-bottom: 4px;
        color: var(--soft);
        font: 600 13px / 1.4 var(--label);
      }

      fieldset label {
        display: grid;
        grid-template-columns: 18px 1fr auto;
        align-items: center;
        gap: 10px;
        min-height: 36px;
        color: var(--ink);
        font-weight: 500;
        cursor: pointer;
      }

      fieldset input {
        width: 18px;
        height: 18px;
        margin: 0;
        accent-color: var(--ink);
      }

      fieldset small {
        display: block;
        color: var(--soft);
        font-size: 12px;
        font-weight: 400;
      }

      fieldset button {
        justify-self: start;
        margin-top: 4px;
      }

      button:disabled {
        color: var(--soft);
        cursor: default;
      }

      .readout {
        min-height: 37px;
        margin: 14px 0 4px;
      }

      .quiet {
        color: var(--soft);
      }

      .settings {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 14px 28px;
      }

      .settings + .text-field {
        margin-top: 16px;
      }

      .words {
        margin: 16px 0 0;
      }

      .problem {
        margin: 0;
        padding: 8px 12px;
        border-left: 3px solid var(--ink);
        font-weight: 600;
      }

      @container (max-width: 640px) {
        .readouts {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }

        dd.note {
          margin-bottom: 12px;
        }

        .pictures {
          grid-template-columns: minmax(0, 1fr);
          row-gap: 20px;
        }

        ropewalk-bands-distance {
          grid-row: auto;
          --row: 14;
          --curve: 150;
        }

        ropewalk-bands-stack {
          order: 1;
        }
      }

      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 18px;
        }
      }
    `,
  ];
}

function rising(pairs: readonly number[]): readonly number[] {
  return [...pairs].sort((a, b) => a - b);
}

function pairsText(pairs: readonly number[]): string {
  const [first, last] = [pairs[0], pairs.at(-1)];
  if (first === undefined || last === undefined) return words.noPair;
  return first === last ? words.onePair(first) : words.pairs(first, last);
}
