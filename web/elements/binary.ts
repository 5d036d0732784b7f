import { css, html } from "lit";
import type { Ropewalk } from "ropewalk";
import { BinaryPipeline, type BinaryResults, bitPlanes, positions } from "./binary_pipeline.js";
import { radios } from "./controls.js";
import { oneOf, whole } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { panels, readout } from "./panels.js";
import type { PositionEvent } from "./picture.js";
import { fixed } from "./picture.js";
import { type Column, type Drawing, RopewalkPlanes } from "./planes.js";
import { stepper, stepperStyle } from "./stepper.js";
import { theme } from "./theme.js";
import { words } from "./words/en/binary.js";

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
    this.#results = this.#pipeline.run({ position, other, span, shown: this.#results?.stretch });
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
    const [here, next] = [grouped(position), grouped(position + 1)];
    return html`<section class="panel" @ropewalk-position=${this.#onPosition}>
      <h2>${words.heading(bitPlanes)}</h2>
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
        .summary=${words.summary(grouped(stretch.first), grouped(stretch.first + stretch.span - 1))}
      ></ropewalk-planes>
      <div class="sliders">
        ${this.#slider("position")}
        ${this.#slider("other")}
      </div>
      <dl class="numbers">
        ${readout("flips", words.flips(here, next), String(flips.next), words.ofPlanes(bitPlanes))}
        ${readout("next", words.next(here, next), fixed(distance.next, 3), words.away(1, flips.next))}
        ${readout("other-distance", words.there(here, grouped(other)), fixed(distance.there, 3), this.#verdict(results))}
      </dl>
      <div class="row">
        <span class="name">${words.carries}</span>
        ${carries.map(
          (from) =>
            html`<button type="button" @click=${() => this.#goTo(from)}>${words.carry(grouped(from), grouped(from + 1))}</button>`,
        )}
      </div>
      ${radios(words.span, "span", spans, this.span, grouped, (span) => {
        this.span = span;
      })}
      <h2 class="further">${words.further(grouped(positions))}</h2>
      <ropewalk-planes
        .drawing=${this.#far}
        .stretch=${everything}
        .outline=${stretch}
        .strandHeight=${8}
        .summary=${words.furtherSummary(grouped(positions - 1))}
      ></ropewalk-planes>
    </section>`;
  }

  #slider(name: "position" | "other") {
    const value = this[name];
    const results = this.#results as BinaryResults;
    const own = name === "position" ? results.here : results.there;
    const binary = Array.from(own)
      .reverse()
      .join("")
      .replace(/^0+(?=.)/, "");
    return stepper({
      id: name,
      words: words[name],
      value,
      least: 0,
      most: last[name],
      spoken: words.spoken[name](grouped(value), binary),
      change: (to) => {
        this[name] = to;
      },
    });
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
    if (away === 0) return words.samePosition;
    if (away <= 1 || distance.there >= distance.next) return words.away(away, flips.there);
    return words.nearer(away, flips.there);
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
