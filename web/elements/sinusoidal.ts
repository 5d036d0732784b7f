import { css, html, type PropertyValues } from "lit";
import type { Ropewalk } from "ropewalk";
import { radios } from "./controls.js";
import { type Curve, RopewalkCurves } from "./curves.js";
import { RopewalkDials } from "./dials.js";
import { flag, oneOf, real, whole } from "./fields.js";
import { figure, grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { panels, readout } from "./panels.js";
import type { PositionEvent } from "./picture.js";
import { fixed, tokenLabel } from "./picture.js";
import { type Column, type Drawing, RopewalkPlanes } from "./planes.js";
import { type Beside, RopewalkShiftMap } from "./shift_map.js";
import {
  dim,
  type Encoded,
  pairs,
  positions,
  SinusoidalPipeline,
  type SinusoidalResults,
} from "./sinusoidal_pipeline.js";
import { stepper, stepperStyle } from "./stepper.js";
import { textField, textFieldStyle, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { tokenize } from "./tokens.js";
import { words } from "./words/en/sinusoidal.js";

const last = positions - 2;
const spans = [64, 512, 4096];
const bases = [100, 10_000, 1_000_000];
const furthestShift = 128;
/** Tokens that one can choose from. */
const mostTokens = 32;
/** Words at both sides of every picture over positions, in CSS pixels. */
const left = 46;
const right = 114;
/** The scale of the distances is that of the binary chapter: the root of all twelve digits. */
const furthest = Math.sqrt(12);

const fields = {
  text: textState,
  seed: whole(7, 0, 2 ** 32 - 1),
  position: whole(12, 0, last),
  /** Positions seen at once. */
  span: oneOf(64, spans),
  pair: whole(1, 0, pairs - 1),
  base: real(10_000, 2, 1e8),
  /** How far the linear map goes, in positions. */
  shift: whole(3, 0, furthestShift),
  /** «breakthrough», once the sentence is the lecture's. */
  query: whole(8, 0, mostTokens - 1),
  /** Whether the embedding is multiplied by √dim. */
  scaled: flag(false),
};

const strands = Array.from({ length: dim }, (_, c) => `${c % 2 === 0 ? "sin" : "cos"} ${c >> 1}`);
const pairNames = Array.from({ length: pairs }, (_, i) => words.pair(i));
const difference = (value: number) => (value === 0 ? "0" : value.toExponential(1).replace("-", "−"));

/** Sines and cosines of the position: the picture of the digits made smooth, the map from each to another, the sum. */
export class RopewalkSinusoidal extends instrument(fields) {
  static readonly parts = {
    "ropewalk-planes": RopewalkPlanes,
    "ropewalk-curves": RopewalkCurves,
    "ropewalk-shift-map": RopewalkShiftMap,
    "ropewalk-dials": RopewalkDials,
  };

  static override styles = [
    theme,
    panels,
    stepperStyle,
    textFieldStyle,
    css`
      .numbers {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 12px 28px;
        margin: 14px 0 0;
      }

      .one {
        grid-template-columns: minmax(0, 1fr);
      }

      dd.value {
        font-size: 30px;
        white-space: nowrap;
      }

      .row {
        margin: 12px 0;
      }

      .row + .row {
        margin-top: -2px;
      }

      .stepper {
        margin-top: 14px;
      }

      h2:not(:first-child) {
        margin: 20px 0 10px;
      }

      .strips h3 {
        margin: 16px 0 6px;
        color: var(--soft);
        font: 500 13px / 1.4 var(--label);
      }

      .check {
        display: flex;
        align-items: center;
        gap: 10px;
        min-height: 28px;
        margin-top: 10px;
        color: var(--ink);
        font-weight: 500;
      }

      .check input {
        flex: none;
        width: 18px;
        height: 18px;
        margin: 0;
        accent-color: var(--ink);
      }

      @container (max-width: 560px) {
        .panel {
          padding: 14px 14px 18px;
        }

        .numbers {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  #pipeline: SinusoidalPipeline | undefined;
  #results: SinusoidalResults | undefined;
  #tokens: readonly string[] = [];
  #levels: Drawing | undefined;
  #angles: Drawing | undefined;
  #mapped: Drawing | undefined;
  #shifted: Drawing | undefined;
  #waves: readonly Curve[] = [];
  #cosines: readonly Curve[] = [];
  #lengths: readonly Curve[] = [];
  #lengthLevels: readonly number[] = [];

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    this.#pipeline ??= new SinusoidalPipeline(engine);
    const before = this.#results;
    this.#tokens = tokenize(this.text).tokens.slice(0, mostTokens);
    const { position, span, base, shift, seed, scaled, pair } = this;
    const settings = { position, span, base, shift, token: this.#token, seed, scaled };
    const results = this.#pipeline.run({ ...settings, shown: before?.encoded.stretch });
    const { encoded, shifted, added } = results;
    if (encoded !== before?.encoded) {
      this.#levels = { kind: "levels", strip: encoded.levels, names: strands };
      const { angles: strip, columnsPerTurn } = encoded;
      this.#angles = { kind: "angles", strip, columnsPerTurn, names: pairNames };
    }
    if (encoded !== before?.encoded || changed.has("pair")) this.#waves = waves(encoded, pair);
    if (shifted !== before?.shifted) {
      this.#mapped = levels(shifted.mapped, span);
      this.#shifted = levels(shifted.encoded, span);
    }
    if (added.cosines !== before?.added.cosines) {
      this.#cosines = [{ name: words.sum.cosines.cosine, values: added.cosines }];
      this.#lengths = [
        { name: words.sum.lengths.sum, values: added.lengths },
        {
          name: words.sum.lengths.token,
          values: new Float32Array(span).fill(added.tokenLength),
          dashed: true,
        },
      ];
      const most = Math.ceil(Math.max(added.tokenLength, ...added.lengths));
      this.#lengthLevels = [0, Math.ceil(most / 2), 2 * Math.ceil(most / 2)];
    }
    this.#results = results;
  }

  protected override release(): void {
    this.#pipeline = undefined;
    this.#results = undefined;
  }

  get #query(): number {
    return Math.max(0, Math.min(this.query, this.#tokens.length - 1));
  }

  get #token(): string {
    return this.#tokens[this.#query] ?? "";
  }

  protected override renderInstrument() {
    const results = this.#results;
    if (results === undefined) return html``;
    return html`
      <section class="panel" @ropewalk-position=${this.#onPosition}>${this.#renderRope(results)}</section>
      <section class="panel" @ropewalk-position=${this.#onPosition}>${this.#renderMap(results)}</section>
      <section class="panel" @ropewalk-position=${this.#onPosition}>${this.#renderSum(results)}</section>
    `;
  }

  #renderRope({ encoded, here, angles }: SinusoidalResults) {
    const { position, pair } = this;
    const { stretch, wavelengths, distances } = encoded;
    const { first, span } = stretch;
    const [sine, cosine] = [here[2 * pair] as number, here[2 * pair + 1] as number];
    const angle = angles[pair] as number;
    const [least, most] = [Math.min(...distances), Math.max(...distances)];
    const ends = [grouped(first), grouped(first + span - 1)] as const;
    const lastPair = pairs - 1;
    const says = words.rope;
    return html`
      <h2>${says.heading(dim)}</h2>
      <ropewalk-planes
        .drawing=${this.#levels}
        .stretch=${stretch}
        .position=${position}
        .columns=${this.#columns(encoded)}
        .chosen=${{ first: 2 * pair, count: 2 }}
        .left=${left}
        .right=${right}
        .strandHeight=${19}
        .summary=${says.summary(...ends, figure(wavelengths[0] as number), lastPair, figure(wavelengths[lastPair] as number))}
      ></ropewalk-planes>
      ${stepper({
        id: "position",
        words: words.position,
        value: position,
        least: 0,
        most: last,
        spoken: says.spoken(grouped(position), pair, fixed(angle, 2)),
        change: (value) => {
          this.position = value;
        },
      })}
      ${radios(
        says.pair,
        "pair",
        pairNames.map((_, i) => i),
        pair,
        String,
        (value) => {
          this.pair = value;
        },
      )}
      <ropewalk-curves
        .curves=${this.#waves}
        .levels=${[-1, 0, 1]}
        .dots=${true}
        .stretch=${stretch}
        .position=${position}
        .left=${left}
        .right=${right}
        .summary=${says.waves(pair, ...ends)}
      ></ropewalk-curves>
      <dl class="numbers">
        ${readout("pair-values", says.values(pair, grouped(position)), `${fixed(sine, 3)} · ${fixed(cosine, 3)}`, says.angle(fixed(angle, 2)))}
        ${readout("wavelength", says.wavelength(pair), figure(wavelengths[pair] as number), says.theta(grouped(this.base), 2 * pair, dim))}
        ${readout("neighbour", says.neighbour, `${fixed(least, 3)} · ${fixed(most, 3)}`, says.everywhere)}
      </dl>
      <h2>${says.angles}</h2>
      <ropewalk-planes
        .drawing=${this.#angles}
        .stretch=${stretch}
        .position=${position}
        .columns=${[{ name: says.angleColumn, cells: Array.from(angles, (one) => ({ text: fixed(one, 2) })) }]}
        .distances=${distances}
        .furthest=${furthest}
        .chosen=${{ first: pair, count: 1 }}
        .left=${left}
        .right=${right}
        .strandHeight=${19}
        .summary=${says.anglesSummary(pairs, ...ends)}
      ></ropewalk-planes>
      ${radios(words.span, "span", spans, this.span, grouped, (value) => {
        this.span = value;
      })}
      ${radios(says.base, "base", bases, this.base, grouped, (value) => {
        this.base = value;
      })}
    `;
  }

  #renderMap({ encoded, here, shifted }: SinusoidalResults) {
    const { position, shift } = this;
    const says = words.map;
    const { stretch } = encoded;
    const at = (position - stretch.first) * dim;
    const row = (values: Float32Array) => values.subarray(at, at + dim);
    const beside: Beside[] = [
      { name: `PE(${position})`, values: here, sign: "·" },
      { name: says.product, values: row(shifted.mapped), sign: "=" },
      { name: `PE(${position + shift})`, values: row(shifted.encoded), sign: "≈" },
    ];
    const strip = (name: string, drawing: Drawing | undefined, summary: string) => html`<h3>${name}</h3>
      <ropewalk-planes
        .drawing=${drawing}
        .stretch=${stretch}
        .position=${position}
        .strandHeight=${5}
        .summary=${summary}
      ></ropewalk-planes>`;
    return html`
      <h2>${says.heading(shift)}</h2>
      <ropewalk-shift-map
        .matrix=${shifted.matrix}
        .angles=${shifted.angles}
        .beside=${beside}
        .name=${says.matrix(shift)}
      ></ropewalk-shift-map>
      ${stepper({
        id: "shift",
        words: says.shift,
        value: shift,
        least: 0,
        most: furthestShift,
        spoken: says.spoken(shift, fixed(shifted.angles[0] as number, 2)),
        change: (value) => {
          this.shift = value;
        },
      })}
      <dl class="numbers one">
        ${readout("difference", says.difference(shift), difference(shifted.difference), says.rounding(dim, grouped(this.span)))}
      </dl>
      <div class="strips">
        ${strip(says.mapped, this.#mapped, says.mappedSummary)}
        ${strip(says.shifted(shift), this.#shifted, says.shiftedSummary)}
      </div>
    `;
  }

  #renderSum({ encoded, added }: SinusoidalResults) {
    const { position, scaled } = this;
    const says = words.sum;
    const { stretch } = encoded;
    const tokens = this.#tokens;
    const label = tokenLabel(this.#token);
    if (tokens.length === 0) {
      return html`${this.#renderText()}<p class="empty">${says.empty}</p>`;
    }
    const curves = (
      { heading, summary }: typeof says.cosines | typeof says.lengths,
      all: readonly Curve[],
      marks: readonly number[],
    ) => html`
      <h2>${heading}</h2>
      <ropewalk-curves
        .curves=${all}
        .levels=${marks}
        .height=${84}
        .stretch=${stretch}
        .position=${position}
        .left=${left}
        .right=${right}
        .summary=${summary(grouped(stretch.first), grouped(stretch.first + stretch.span - 1))}
      ></ropewalk-curves>`;
    return html`
      <h2>${says.heading(grouped(position), label)}</h2>
      <ropewalk-dials
        .queryBefore=${added.before}
        .queryAfter=${added.after}
        .queryLabel=${label}
      ></ropewalk-dials>
      <dl class="numbers">
        ${readout("cosine", says.cosine, fixed(added.cosine, 3), says.direction)}
        ${readout("length", says.length, `${fixed(added.tokenLength, 3)} · ${fixed(added.length, 3)}`, says.added(fixed(added.encodingLength, 3)))}
      </dl>
      ${curves(says.cosines, this.#cosines, Math.min(...added.cosines) < 0 ? [-1, 0, 1] : [0, 1])}
      ${curves(says.lengths, this.#lengths, this.#lengthLevels)}
      <label class="check">
        <input
          type="checkbox"
          id="scaled"
          .checked=${scaled}
          @change=${(event: Event) => {
            this.scaled = (event.target as HTMLInputElement).checked;
          }}
        />
        ${says.scaled(Math.sqrt(dim))}
      </label>
      ${radios(
        says.token,
        "query",
        tokens.map((_, i) => i),
        this.#query,
        (i) => tokenLabel(tokens[i] ?? ""),
        (i) => {
          this.query = i;
        },
      )}
      ${this.#renderText()}
    `;
  }

  #renderText() {
    return textField(this.text, words.sum.note(this.#tokens.length, this.seed), (text) => {
      this.text = text;
    });
  }

  #columns({ stretch, values }: Encoded): Column[] {
    return [this.position, this.position + 1].map((position) => {
      const at = (position - stretch.first) * dim;
      const cells = Array.from(values.subarray(at, at + dim), (value) => ({ text: fixed(value, 2) }));
      return { name: grouped(position), cells };
    });
  }

  readonly #onPosition = ({ position }: PositionEvent): void => {
    this.position = Math.min(position, last);
  };
}

/** One pair's sine and cosine, of those of all. */
function waves({ between, levels }: Encoded, pair: number): Curve[] {
  const component = (c: number) =>
    Float32Array.from({ length: levels.columns }, (_, column) => between[column * dim + c] as number);
  return [
    { name: words.rope.sine, values: component(2 * pair) },
    { name: words.rope.cosine, values: component(2 * pair + 1), dashed: true },
  ];
}

function levels(values: Float32Array, columns: number): Drawing {
  const strip = { values: values.map((value) => (value + 1) / 2), columns, strands: dim };
  return { kind: "levels", strip, names: strands };
}
