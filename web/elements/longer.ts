import { css, html, nothing, type PropertyValues, svg } from "lit";
import { state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import type { Ropewalk } from "ropewalk";
import { choices } from "./choices.js";
import { radios, slider } from "./controls.js";
import { type Field, oneOf } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import {
  type Hands,
  type Longer,
  LongerPipeline,
  type Scaled,
  type Scaling,
  scalings,
} from "./longer_pipeline.js";
import { panels, readout } from "./panels.js";
import { fixed, type PairEvent } from "./picture.js";
import { RopewalkSeen } from "./seen.js";
import { RopewalkSlowdown } from "./slowdown.js";
import { theme } from "./theme.js";
import { RopewalkTwist } from "./twist.js";
import { words } from "./words/en/longer.js";

const headDims = [32, 64, 128] as const;
const bases = [10_000, 100_000, 500_000, 1_000_000] as const;
const trainedLengths = [2048, 4096, 8192, 32_768] as const;
/** In trained lengths: four steps to the octave, and whole ones only where there are as many. */
const factors = [1, 2, 4, 8, 16]
  .flatMap((octave) => [1, 1.25, 1.5, 1.75].map((part) => octave * part))
  .concat(32);

/** Some of the scalings, in their own order: `linear,yarn`. */
const someScalings: Field<readonly Scaling[]> = {
  initial: scalings,
  read: (text) => {
    const names: readonly string[] = text === "" ? [] : text.split(",");
    const known = scalings.filter((scaling) => names.includes(scaling));
    return known.length === new Set(names).size ? known : undefined;
  },
  write: (some) => some.join(","),
};

const fields = {
  headDim: oneOf(64, headDims),
  base: oneOf(10_000, bases),
  trained: oneOf(4096, trainedLengths),
  factor: oneOf(8, factors),
  /** The one that the dials and the rope are turned by. */
  scaling: oneOf("none", ["none", ...scalings]),
  /** Those that the chart compares. */
  scalings: someScalings,
};

const { names } = words;

/** Told apart without colour: that is kept for angles. */
const dashes: Record<Scaling, string> = {
  linear: "",
  ntk: "10 4",
  dynamic: "2 3",
  yarn: "16 4 2 4",
  longrope: "5 4",
  llama3: "10 3 2 3 2 3",
};

/**
 * What becomes of the pairs past the length that they were trained with, under each of the remedies: how much each slows
 * them, and which pairs still point where they never pointed.
 */
export class RopewalkLonger extends instrument(fields) {
  static readonly parts = {
    "ropewalk-seen": RopewalkSeen,
    "ropewalk-slowdown": RopewalkSlowdown,
    "ropewalk-twist": RopewalkTwist,
  };

  /** The pair that is looked at. */
  @state() private pointed: number | undefined;

  #results: Longer | undefined;
  #hands: Hands | undefined;

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    const { headDim, base, trained, factor } = this;
    const pipeline = new LongerPipeline(engine);
    const isStretched = ["engine", "headDim", "base", "trained", "factor"].some((name) => changed.has(name));
    if (isStretched) this.#results = pipeline.run({ headDim, base, trained, factor });
    if (changed.has("headDim")) this.pointed = undefined;
    if ((isStretched || changed.has("scaling")) && this.#results !== undefined)
      this.#hands = pipeline.hands(this.#results, this.#chosen(this.#results));
  }

  #chosen({ scaled, unscaled }: Longer): Scaled {
    return this.scaling === "none" ? unscaled : scaled[this.scaling];
  }

  protected override renderInstrument() {
    const results = this.#results;
    const hands = this.#hands;
    if (results === undefined || hands === undefined) return nothing;
    return html`
      ${this.#renderDials(results, hands)}
      ${this.#renderComparison(results)}
      ${this.#renderTwist(results, hands)}
      ${this.#renderSettings()}
    `;
  }

  #renderDials(results: Longer, hands: Hands) {
    const chosen = this.#chosen(results);
    const { length, trainedTurns, unscaled } = results;
    const pairs = this.headDim / 2;
    const tokens = grouped(length);
    const step = chosen.invFreq[0] as number;
    return html`
      <section class="panel dials" @ropewalk-pair=${this.#lookedAt}>
        ${slider({
          id: "factor",
          label: words.length(grouped(this.trained)),
          shown: tokens,
          last: factors.length - 1,
          at: factors.indexOf(this.factor),
          words: words.lengthSpoken(tokens, this.factor, names[this.scaling], chosen.beyond.length, pairs),
          move: (at) => {
            this.factor = factors[at] ?? this.factor;
          },
        })}
        <div class="row" role="radiogroup" aria-label=${words.scaling}>
          ${choices(
            "scaling",
            ["none", ...scalings] as const,
            this.scaling,
            (scaling) => names[scaling],
            (scaling) => {
              this.scaling = scaling;
            },
          )}
        </div>
        <p class="words" id="scaling-words">${words.about[this.scaling]}</p>
        <dl class="readouts">
          ${readout(
            "beyond",
            words.beyond,
            words.beyondOf(chosen.beyond.length, pairs),
            this.scaling === "none" ? words.beyondByNow : words.beyondUnscaled(unscaled.beyond.length),
          )}
          ${readout(
            "stretch",
            words.stretch,
            `×${this.factor}`,
            words.neverRound(trainedTurns.filter((turns) => turns < 1).length),
          )}
          ${readout(
            "step",
            words.step,
            `${fixed(step, 3)} rad`,
            step === unscaled.invFreq[0]
              ? words.stepAsTrained
              : words.stepInTraining(fixed(unscaled.invFreq[0] as number, 3)),
          )}
          ${readout(
            "attention-factor",
            words.attentionFactor,
            fixed(chosen.attentionFactor, 4),
            chosen.attentionFactor === 1 ? words.attentionAsIs : words.attentionLonger,
          )}
        </dl>
        <h2>${words.dials(tokens)}</h2>
        <ropewalk-seen
          .trainedTurns=${trainedTurns}
          .turns=${chosen.turns}
          .angles=${hands.angles}
          .beyond=${chosen.beyond}
          .pair=${this.pointed}
        ></ropewalk-seen>
      </section>
    `;
  }

  #renderComparison({ scaled, trainedTurns }: Longer) {
    const lines = this.scalings.map((scaling) => ({
      name: names[scaling],
      dash: dashes[scaling],
      values: scaled[scaling].slowdown,
      wavelength: scaled[scaling].wavelength,
    }));
    return html`
      <section class="panel" @ropewalk-pair=${this.#lookedAt}>
        <h2 id="compared">${words.compared}</h2>
        <div class="compared" role="group" aria-labelledby="compared">
          ${scalings.map(
            (scaling) => html`<label>
              <input
                type="checkbox"
                name=${scaling}
                .checked=${live(this.scalings.includes(scaling))}
                @change=${() => this.#toggle(scaling)}
              />
              <span class="what">${names[scaling]}</span>
              <svg aria-hidden="true">
                ${svg`<path class=${scaling === this.scaling ? "chosen" : ""} d="M0 5H44" stroke-dasharray=${dashes[scaling] || "none"}></path>`}
              </svg>
              <span class="beyond">${words.leftBeyond(html`<b data-beyond=${scaling}>${scaled[scaling].beyond.length}</b>`)}</span>
            </label>`,
          )}
        </div>
        <ropewalk-slowdown
          .lines=${lines}
          .chosen=${names[this.scaling]}
          .comeRound=${trainedTurns.filter((turns) => turns >= 1).length}
          .pairs=${trainedTurns.length}
          .factor=${this.factor}
          .pair=${this.pointed}
        ></ropewalk-slowdown>
      </section>
    `;
  }

  #renderTwist({ length }: Longer, hands: Hands) {
    return html`
      <section class="panel">
        <h2>${words.rope(grouped(length))}</h2>
        <ropewalk-twist
          .scaled=${hands.scaled}
          .unscaled=${this.scaling === "none" ? undefined : hands.unscaled}
          .length=${length}
          .trainedLength=${this.trained}
          .name=${names[this.scaling]}
        ></ropewalk-twist>
      </section>
    `;
  }

  #renderSettings() {
    return html`
      <section class="panel settings">
        ${radios(words.trained, "trained", trainedLengths, this.trained, grouped, (trained) => {
          this.trained = trained;
        })}
        ${radios(words.headDim, "headDim", headDims, this.headDim, String, (headDim) => {
          this.headDim = headDim;
        })}
        ${radios(words.base, "base", bases, this.base, grouped, (base) => {
          this.base = base;
        })}
      </section>
    `;
  }

  #toggle(scaling: Scaling): void {
    this.scalings = scalings.filter((one) => (one === scaling) !== this.scalings.includes(one));
  }

  readonly #lookedAt = (event: PairEvent) => {
    this.pointed = event.pair;
  };

  static override styles = [
    theme,
    panels,
    css`
      .words {
        max-width: 46em;
        min-height: 3em;
        margin: 12px 0 14px;
      }

      .readouts {
        display: grid;
        grid-template-columns: repeat(4, minmax(0, 1fr));
        gap: 0 24px;
        margin: 0 0 22px;
      }

      .readouts div {
        display: grid;
        grid-row: span 3;
        grid-template-rows: subgrid;
        min-width: 0;
      }

      .compared {
        display: grid;
        grid-template-columns: repeat(6, minmax(0, 1fr));
        gap: 8px 16px;
        margin-bottom: 14px;
      }

      .compared label {
        display: grid;
        grid-template-columns: auto 1fr;
        align-items: center;
        gap: 2px 8px;
        min-height: 28px;
        color: var(--ink);
        font-weight: 500;
        cursor: pointer;
      }

      .compared input {
        width: 18px;
        height: 18px;
        margin: 3px 0;
        accent-color: var(--ink);
      }

      .compared svg {
        grid-column: 1 / -1;
        width: 44px;
        height: 10px;
      }

      .compared path {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1.75;
      }

      .compared .chosen {
        stroke: var(--ink);
        stroke-width: 3;
      }

      .compared .beyond {
        grid-column: 1 / -1;
        color: var(--soft);
      }

      .compared b {
        color: var(--ink);
        font-size: 24px;
        font-weight: 500;
        line-height: 1.2;
      }

      .settings {
        display: flex;
        flex-wrap: wrap;
        gap: 14px 32px;
      }

      .settings .row {
        display: block;
      }

      .settings .name {
        display: block;
        margin-bottom: 6px;
      }

      @container (max-width: 760px) {
        .readouts {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }

        .readouts div {
          margin-bottom: 14px;
        }

        .readouts {
          margin-bottom: 8px;
        }

        .compared {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }
      }

      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 18px;
        }

        /* The dials stay in sight of the thumb that moves the slider. */
        .dials {
          display: flex;
          flex-direction: column;
        }

        .dials .readouts {
          margin-top: 14px;
        }

        .dials .words {
          order: 1;
          margin-bottom: 0;
        }
      }
    `,
  ];
}
