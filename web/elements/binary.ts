import { css, html } from "lit";
import type { Ropewalk } from "ropewalk";
import { BinaryPipeline, type BinaryResults, bitPlanes, positions } from "./binary_pipeline.js";
import { choices } from "./choices.js";
import { oneOf, whole } from "./fields.js";
import { instrument } from "./instrument.js";
import { panels, readout } from "./panels.js";
import type { PositionEvent } from "./picture.js";
import { fixed } from "./picture.js";
import { type Column, type Drawing, RopewalkPlanes } from "./planes.js";
import { stepper, stepperStyle } from "./stepper.js";
import { theme } from "./theme.js";

/** The furthest positions: each has a neighbour with as many digits. */
const last = { position: positions - 2, other: positions - 1 };
const spans = [32, 128, 512];
/** Positions from which many digits flip at once. */
const carries = [7, 127, 1023, 2047];

const fields = {
  position: whole(7, 0, last.position),
  /** A stranger: few of its digits differ, far as it is. */
  other: whole(15, 0, last.other),
  /** Positions seen at once. */
  span: oneOf(32, spans),
};

const everything = { first: 0, span: positions };
const grouped = (value: number) => value.toLocaleString("en");
const digits = (count: number) => `${count} digit${count === 1 ? "" : "s"}`;
const steps = (count: number) => `${grouped(count)} step${count === 1 ? "" : "s"}`;
const names = Array.from({ length: bitPlanes }, (_, k) => grouped(2 ** k));

/** Positions as binary digits: planes that flip fast and slowly, and neighbours that jump. */
export class RopewalkBinary extends instrument(fields) {
  static readonly parts = { "ropewalk-planes": RopewalkPlanes };

  static override styles = [
    theme,
    panels,
    stepperStyle,
    css`
      .sliders {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr));
        gap: 6px 40px;
        margin-top: 16px;
      }

      .numbers {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 12px 28px;
        margin: 14px 0 18px;
      }

      dd.value {
        font-size: 30px;
      }

      .row + .row {
        margin-top: 10px;
      }

      .further {
        margin: 22px 0 8px;
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

  #pipeline: BinaryPipeline | undefined;
  #results: BinaryResults | undefined;
  #drawing: Drawing | undefined;
  #far: Drawing | undefined;

  protected override compute(engine: Ropewalk): void {
    this.#pipeline ??= new BinaryPipeline(engine);
    const { position, other, span } = this;
    this.#results = this.#pipeline.run({ position, other, span });
    const { strip } = this.#results;
    this.#far ??= { kind: "bits", strip: this.#results.far, names };
    if (strip !== this.#drawing?.strip) this.#drawing = { kind: "bits", strip, names };
  }

  protected override release(): void {
    this.#pipeline = undefined;
  }

  protected override renderInstrument() {
    const results = this.#results;
    if (results === undefined) return html``;
    const { position, other } = this;
    const { flips, distance, stretch } = results;
    return html`<section class="panel" @ropewalk-position=${this.#onPosition}>
      <h2>The rope · each position as ${bitPlanes} binary digits, the lowest on top (faint is 0, inked is 1)</h2>
      <ropewalk-planes
        .drawing=${this.#drawing}
        .stretch=${stretch}
        .position=${position}
        .other=${other}
        .distances=${results.distances}
        .furthest=${Math.sqrt(bitPlanes)}
        .columns=${this.#columns(results)}
        .left=${46}
        .right=${114}
        .strandHeight=${24}
        .summary=${`Binary digits of positions ${grouped(stretch.first)} to ${grouped(stretch.first + stretch.span - 1)}: the lowest digit flips at every position, each further one half as often. Of three positions:`}
      ></ropewalk-planes>
      <div class="sliders">
        ${this.#slider("position", "Position")}
        ${this.#slider("other", "The stranger, a second position")}
      </div>
      <dl class="numbers">
        ${readout("flips", `digits that flip from ${grouped(position)} to ${grouped(position + 1)}`, String(flips.next), `of ${bitPlanes}`)}
        ${readout("next", `distance from ${grouped(position)} to ${grouped(position + 1)}, a neighbour`, fixed(distance.next, 3), `1 step, ${digits(flips.next)}`)}
        ${readout("other-distance", `distance from ${grouped(position)} to ${grouped(other)}, a stranger`, fixed(distance.there, 3), this.#verdict(results))}
      </dl>
      <div class="row">
        <span class="name">Steps that carry</span>
        ${carries.map(
          (from) =>
            html`<button type="button" @click=${() => this.#goTo(from)}>${grouped(from)} → ${grouped(from + 1)}</button>`,
        )}
      </div>
      <div class="row" role="radiogroup" aria-label="Positions seen at once">
        <span class="name">Positions seen at once</span>
        ${choices("span", spans, this.span, grouped, (span) => {
          this.span = span;
        })}
      </div>
      <h2 class="further">The same rope from further off · ${grouped(positions)} positions</h2>
      <ropewalk-planes
        .drawing=${this.#far}
        .stretch=${everything}
        .outline=${stretch}
        .strandHeight=${8}
        .summary=${`The same digits from position 0 to ${grouped(positions - 1)}: each plane has half as many edges as the one above it.`}
      ></ropewalk-planes>
    </section>`;
  }

  #slider(name: "position" | "other", words: string) {
    const value = this[name];
    const results = this.#results as BinaryResults;
    const own = name === "position" ? results.here : results.there;
    const binary = Array.from(own)
      .reverse()
      .join("")
      .replace(/^0+(?=.)/, "");
    const spoken = `${name === "position" ? "position" : "second position"} ${grouped(value)}, in binary ${binary}`;
    const change = (to: number) => {
      this[name] = to;
    };
    return stepper({ id: name, words, value, least: 0, most: last[name], spoken, change });
  }

  #columns({ here, next, there }: BinaryResults): Column[] {
    const cells = (own: Float32Array, against: Float32Array) =>
      Array.from(own, (digit, k) => ({ text: String(digit), strong: digit !== against[k] }));
    return [
      { name: grouped(this.position), cells: cells(here, next) },
      { name: grouped(this.position + 1), cells: cells(next, here) },
      { name: grouped(this.other), cells: cells(there, here) },
    ];
  }

  #verdict({ flips, distance }: BinaryResults): string {
    const away = Math.abs(this.other - this.position);
    const far = `${steps(away)}, ${digits(flips.there)}`;
    if (away === 0) return "it is the same position";
    if (away <= 1 || distance.there >= distance.next) return far;
    return `${far}: nearer than the neighbour`;
  }

  /** To a step that carries, with a stranger that has one digit more. */
  #goTo(position: number): void {
    this.position = position;
    this.other = 2 * position + 1;
  }

  readonly #onPosition = ({ position, other }: PositionEvent): void => {
    const name = other ? "other" : "position";
    this[name] = Math.min(position, last[name]);
  };
}
