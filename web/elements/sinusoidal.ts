import { css, html, type PropertyValues } from "lit";
import type { Ropewalk } from "ropewalk";
import { choices } from "./choices.js";
import { type Curve, RopewalkCurves } from "./curves.js";
import { RopewalkDials } from "./dials.js";
import { flag, oneOf, real, whole } from "./fields.js";
import { figure } from "./figure.js";
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

const grouped = (value: number) => value.toLocaleString("en");
const strands = Array.from({ length: dim }, (_, c) => `${c % 2 === 0 ? "sin" : "cos"} ${c >> 1}`);
const pairNames = Array.from({ length: pairs }, (_, i) => `pair ${i}`);
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
    const results = this.#pipeline.run({ position, span, base, shift, token: this.#token, seed, scaled });
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
      this.#cosines = [{ name: "cosine", values: added.cosines }];
      this.#lengths = [
        { name: "sum", values: added.lengths },
        { name: "token", values: new Float32Array(span).fill(added.tokenLength), dashed: true },
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
    const runs = `positions ${grouped(first)} to ${grouped(first + span - 1)}`;
    return html`
      <h2>The rope · each position as ${dim} smooth digits, the fastest on top (faint is −1, inked is 1)</h2>
      <ropewalk-planes
        .drawing=${this.#levels}
        .stretch=${stretch}
        .position=${position}
        .columns=${this.#columns(encoded)}
        .chosen=${{ first: 2 * pair, count: 2 }}
        .left=${left}
        .right=${right}
        .strandHeight=${19}
        .summary=${`Sines and cosines over ${runs}: pair 0 comes round in ${figure(wavelengths[0] as number)} positions, pair ${pairs - 1} in ${figure(wavelengths[pairs - 1] as number)}. At a position and the next:`}
      ></ropewalk-planes>
      ${stepper({
        id: "position",
        words: "Position",
        value: position,
        least: 0,
        most: last,
        spoken: `position ${grouped(position)}, pair ${pair} at angle ${fixed(angle, 2)} rad`,
        change: (value) => {
          this.position = value;
        },
      })}
      <div class="row" role="radiogroup" aria-label="Pair, one index at a time">
        <span class="name">Pair, one index at a time</span>
        ${choices(
          "pair",
          pairNames.map((_, i) => i),
          pair,
          String,
          (value) => {
            this.pair = value;
          },
        )}
      </div>
      <ropewalk-curves
        .curves=${this.#waves}
        .levels=${[-1, 0, 1]}
        .dots=${true}
        .stretch=${stretch}
        .position=${position}
        .left=${left}
        .right=${right}
        .summary=${`Sine and cosine of pair ${pair} over ${runs}.`}
      ></ropewalk-curves>
      <dl class="numbers">
        ${readout("pair-values", `sine · cosine of pair ${pair} at ${grouped(position)}`, `${fixed(sine, 3)} · ${fixed(cosine, 3)}`, `angle ${fixed(angle, 2)} rad`)}
        ${readout("wavelength", `positions for one turn of pair ${pair}`, figure(wavelengths[pair] as number), `θ is ${grouped(this.base)} to the power −${2 * pair}/${dim}`)}
        ${readout("neighbour", "distance to the next position, least · largest in sight", `${fixed(least, 3)} · ${fixed(most, 3)}`, "the same everywhere: nothing jumps")}
      </dl>
      <h2>The same as angles · a pair is one hand, and hue is where it points</h2>
      <ropewalk-planes
        .drawing=${this.#angles}
        .stretch=${stretch}
        .position=${position}
        .columns=${[{ name: "angle, rad", cells: Array.from(angles, (one) => ({ text: fixed(one, 2) })) }]}
        .distances=${distances}
        .furthest=${furthest}
        .chosen=${{ first: pair, count: 1 }}
        .left=${left}
        .right=${right}
        .strandHeight=${19}
        .summary=${`Angles of ${pairs} pairs over ${runs}.`}
      ></ropewalk-planes>
      <div class="row" role="radiogroup" aria-label="Positions seen at once">
        <span class="name">Positions seen at once</span>
        ${choices("span", spans, this.span, grouped, (value) => {
          this.span = value;
        })}
      </div>
      <div class="row" role="radiogroup" aria-label="Base of the frequencies">
        <span class="name">Base of the frequencies</span>
        ${choices("base", bases, this.base, grouped, (value) => {
          this.base = value;
        })}
      </div>
    `;
  }

  #renderMap({ encoded, here, shifted }: SinusoidalResults) {
    const { position, shift } = this;
    const { stretch } = encoded;
    const at = (position - stretch.first) * dim;
    const row = (values: Float32Array) => values.subarray(at, at + dim);
    const beside: Beside[] = [
      { name: `PE(${position})`, values: here, sign: "·" },
      { name: "product", values: row(shifted.mapped), sign: "=" },
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
      <h2>One fixed linear map · what takes every position ${shift} further (hue is the angle of a block)</h2>
      <ropewalk-shift-map
        .matrix=${shifted.matrix}
        .angles=${shifted.angles}
        .beside=${beside}
        .name=${`M, for k = ${shift}`}
      ></ropewalk-shift-map>
      ${stepper({
        id: "shift",
        words: "Shift k, in positions",
        value: shift,
        least: 0,
        most: furthestShift,
        spoken: `shift ${shift}: block 0 turns by ${fixed(shifted.angles[0] as number, 2)} rad`,
        change: (value) => {
          this.shift = value;
        },
      })}
      <dl class="numbers one">
        ${readout("difference", `largest difference, M · PE(p) from PE(p + ${shift})`, difference(shifted.difference), `of ${dim} components at ${grouped(this.span)} positions: float32 rounding`)}
      </dl>
      <div class="strips">
        ${strip("M · PE(p), every position by this one matrix", this.#mapped, "The matrix times the encoding of each position.")}
        ${strip(`PE(p + ${shift}), every position by its own sines and cosines`, this.#shifted, "The encoding itself, further along; the two pictures are the same.")}
      </div>
    `;
  }

  #renderSum({ encoded, added }: SinusoidalResults) {
    const { position, scaled } = this;
    const { stretch } = encoded;
    const tokens = this.#tokens;
    const label = tokenLabel(this.#token);
    if (tokens.length === 0) {
      return html`${this.#renderText()}<p class="empty">Type a sentence: there is no token to add to.</p>`;
    }
    const curves = (name: string, all: readonly Curve[], marks: readonly number[], height: number) => html`
      <ropewalk-curves
        .curves=${all}
        .levels=${marks}
        .height=${height}
        .stretch=${stretch}
        .position=${position}
        .left=${left}
        .right=${right}
        .summary=${`${name} over positions ${grouped(stretch.first)} to ${grouped(stretch.first + stretch.span - 1)}.`}
      ></ropewalk-curves>`;
    return html`
      <h2>Added to the token · what position ${grouped(position)} does to «${label}»</h2>
      <ropewalk-dials
        .queryBefore=${added.before}
        .queryAfter=${added.after}
        .queryLabel=${label}
      ></ropewalk-dials>
      <dl class="numbers">
        ${readout("cosine", "cosine of the sum to the token", fixed(added.cosine, 3), "1 would be the token’s own direction")}
        ${readout("length", "length of the token · of the sum", `${fixed(added.tokenLength, 3)} · ${fixed(added.length, 3)}`, `what is added is ${fixed(added.encodingLength, 3)} long at every position`)}
      </dl>
      <h2>Cosine to the token, wherever it stands</h2>
      ${curves("Cosine of the sum to the token", this.#cosines, Math.min(...added.cosines) < 0 ? [-1, 0, 1] : [0, 1], 84)}
      <h2>Length of the sum, and of the token alone</h2>
      ${curves("Length of the sum and of the token", this.#lengths, this.#lengthLevels, 84)}
      <label class="check">
        <input
          type="checkbox"
          id="scaled"
          .checked=${scaled}
          @change=${(event: Event) => {
            this.scaled = (event.target as HTMLInputElement).checked;
          }}
        />
        Multiply the embedding by √d_model = ${Math.sqrt(dim)} first, as «Attention Is All You Need» does
      </label>
      <div class="row" role="radiogroup" aria-label="Token">
        <span class="name">Token</span>
        ${choices(
          "query",
          tokens.map((_, i) => i),
          this.#query,
          (i) => tokenLabel(tokens[i] ?? ""),
          (i) => {
            this.query = i;
          },
        )}
      </div>
      ${this.#renderText()}
    `;
  }

  #renderText() {
    const count = this.#tokens.length;
    const note = `${count} token${count === 1 ? "" : "s"}; their vectors are drawn from seed ${this.seed}, not trained`;
    return textField(this.text, note, (text) => {
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
    { name: "sine", values: component(2 * pair) },
    { name: "cosine", values: component(2 * pair + 1), dashed: true },
  ];
}

function levels(values: Float32Array, columns: number): Drawing {
  const strip = { values: values.map((value) => (value + 1) / 2), columns, strands: dim };
  return { kind: "levels", strip, names: strands };
}
