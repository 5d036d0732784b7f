import { css, html, nothing, type PropertyValues, svg } from "lit";
import { state } from "lit/decorators.js";
import type { RopeLayout, Ropewalk } from "ropewalk";
import { choices } from "./choices.js";
import { baseField, numberFieldStyle, seedField, slider } from "./controls.js";
import { oneOf, real, whole } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { RopewalkLoom } from "./loom.js";
import { panels, readout } from "./panels.js";
import { fixed, type PairEvent, type PositionEvent, tokenLabel } from "./picture.js";
import { angleAt, queryOf, type Turned, turned } from "./rotary_pipeline.js";
import { textField, textFieldStyle, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { tokenize } from "./tokens.js";
import { type CrankEvent, RopewalkTurns } from "./turns.js";
import { type Angles, RopewalkWalk } from "./walk.js";
import { words } from "./words/en/rotary.js";

const layouts = ["interleaved", "half"] as const;
const distances = [1, 10, 100, 1000] as const;
const headDims = [8, 16, 32, 64] as const;
const farLengths = [512, 4096, 131_072] as const;

const fields = {
  text: textState,
  seed: whole(7, 0, 4_294_967_295),
  query: whole(8, 0, 255),
  position: whole(8, 0, 131_071),
  distance: oneOf(10, distances),
  layout: oneOf<RopeLayout>("interleaved", layouts),
  base: real(10_000, 2, 1e8),
  headDim: oneOf(16, headDims),
  pair: whole(0, 0, 31),
  farLength: oneOf(512, farLengths),
};

/** Of the clock that walks, and of a single step, in milliseconds. */
const beat = 200;
const playMark = svg`<path d="M4 2v12l10-6z"></path>`;
const pauseMark = svg`<path d="M3 2h4v12H3zM9 2h4v12H9z"></path>`;
/** What changes nothing that the engine computed. */
const light = ["at", "playing", "pair", "farLength", "problem"];

/** Rotary positions: a word is carried along the rope, and its query's pairs turn, where a sinusoidal encoding pushes them. */
export class RopewalkRotary extends instrument(fields) {
  static readonly parts = {
    "ropewalk-walk": RopewalkWalk,
    "ropewalk-loom": RopewalkLoom,
    "ropewalk-turns": RopewalkTurns,
  };

  /** Where the hands are drawn: on their way to `position`, when that has changed by one. */
  @state() private at = 8;
  @state() private playing = false;

  #tokens: string[] = [];
  #query: Float32Array = new Float32Array();
  #turned: Turned | undefined;
  #angles: Angles | undefined;
  /** What the hands are drawn turned by. */
  #angle: Float32Array = new Float32Array();
  #frame = 0;
  #clock: ReturnType<typeof setInterval> | undefined;
  /** Whether position follows a finger, which nothing may lag behind. */
  #dragged = false;
  /** Position when a hand was taken hold of. */
  #held = 0;

  readonly #seen = new IntersectionObserver((entries) => {
    if (entries.at(-1)?.isIntersecting === false) this.#pause();
  });
  readonly #hidden = () => {
    if (document.hidden) this.#pause();
  };

  override connectedCallback(): void {
    super.connectedCallback();
    this.#seen.observe(this);
    document.addEventListener("visibilitychange", this.#hidden);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#seen.disconnect();
    document.removeEventListener("visibilitychange", this.#hidden);
    this.#pause();
    cancelAnimationFrame(this.#frame);
  }

  /** Index of the query's token: of a shorter sentence, its last. */
  get #word(): number {
    return Math.min(this.query, this.#tokens.length - 1);
  }

  get #pair(): number {
    return Math.min(this.pair, this.headDim / 2 - 1);
  }

  /** Positions that can be walked: as far as chosen, and as the position is. */
  get #reach(): (typeof farLengths)[number] {
    return farLengths.find((length) => length >= this.farLength && length > this.position) ?? this.farLength;
  }

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    const has = (...names: string[]) => names.some((name) => changed.has(name));
    if (has("engine", "text")) this.#tokens = tokenize(this.text).tokens;
    if (this.#tokens.length === 0) return;
    if (has("engine", "text", "seed", "query", "headDim"))
      this.#query = queryOf(engine, {
        tokens: this.#tokens,
        seed: this.seed,
        headDim: this.headDim,
        query: this.#word,
      });
    if (this.#turned === undefined || [...changed.keys()].some((name) => !light.includes(name as string)))
      this.#turned = turned(engine, this.#query, this);
    const { invFreq, turn } = this.#turned;
    if (has("engine", "base", "headDim"))
      this.#angles = (firstPosition, step, count) =>
        engine.ropeAngles({ firstPosition, step, count, invFreq });
    if (has("engine")) this.at = this.position;
    else if (has("position")) this.#glide(changed.get("position") as number);
    this.#angle = this.at === this.position ? turn.angle : angleAt(engine, invFreq, this.at);
  }

  /** A step is seen as the turn that it is; what is further, or under a finger, is there at once. */
  #glide(from: number): void {
    cancelAnimationFrame(this.#frame);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (Math.abs(this.position - from) !== 1 || this.#dragged || still) {
      this.at = this.position;
      return;
    }
    const begin = Math.abs(this.at - this.position) < 2 ? this.at : from;
    const way = this.position - begin;
    let start: number | undefined;
    const step = (now: number) => {
      start ??= now;
      const part = Math.min(1, (now - start) / beat);
      this.at = part === 1 ? this.position : begin + way * part;
      if (part < 1) this.#frame = requestAnimationFrame(step);
    };
    this.at = begin;
    this.#frame = requestAnimationFrame(step);
  }

  protected override renderInstrument() {
    const results = this.#turned;
    if (this.#tokens.length === 0 || results === undefined)
      return html`<section class="panel"><p class="empty">${words.empty}</p></section>${this.#renderSettings()}`;
    const label = tokenLabel(this.#tokens[this.#word] as string);
    const at = grouped(this.position);
    const pair = this.#pair;
    const { before, rotary, sinusoidal } = results;
    const dials = (kind: "turned" | "pushed") => html`<ropewalk-turns
      .kind=${kind}
      .plain=${before.pairs}
      .moved=${kind === "turned" ? rotary.pairs : sinusoidal.pairs}
      .turn=${results.turn}
      .further=${results.further}
      .angle=${this.#angle}
      .resting=${this.at === this.position}
      .invFreq=${results.invFreq}
      .wavelength=${results.wavelength}
      .position=${this.position}
      .distance=${this.distance}
      .pair=${pair}
      .layout=${this.layout}
      .label=${label}
    ></ropewalk-turns>`;
    return html`
      ${this.#renderControl(label)}
      <section class="panel" @ropewalk-position=${this.#put} @pointerdown=${this.#take}>
        <h2>${words.rope(label)}</h2>
        <div class="sentence" role="radiogroup" aria-label=${words.word}>
          ${choices(
            "query",
            Array.from(this.#tokens.keys()),
            this.#word,
            (i) => tokenLabel(this.#tokens[i] as string),
            (i) => {
              this.query = i;
            },
          )}
        </div>
        <ropewalk-walk
          .tokens=${this.#tokens}
          .query=${this.#word}
          .position=${this.position}
          .at=${this.at}
          .pair=${pair}
          .farLength=${this.#reach}
          .angles=${this.#angles}
          .wavelength=${results.wavelength}
        ></ropewalk-walk>
        <div class="row reach" role="radiogroup" aria-label=${words.reachLabel}>
          <span class="name">${words.reach}</span>
          ${choices("reach", farLengths, this.#reach, grouped, this.#choose)}
        </div>
      </section>

      <section class="panel" @ropewalk-pair=${this.#picked} @ropewalk-crank=${this.#cranked}>
        <div class="kind">
          <h2 class="large">${words.turned}</h2>
          <dl>
            ${readout("length-turned", words.length(at), lengths(before.length, rotary.length), sameness(before.length, rotary.length))}
            ${readout("change-turned", words.change, change(rotary.change), words.rounding)}
          </dl>
        </div>
        <div class="row pairs">
          <span class="row" role="radiogroup" aria-label=${words.pairsLabel}>
            <span class="name">${words.pairs}</span>
            ${choices(
              "layout",
              layouts,
              this.layout,
              (layout) => words.layouts[layout],
              (layout) => {
                this.layout = layout;
              },
            )}
          </span>
          <p class="layout">${this.layout === "half" ? words.half(this.headDim / 2) : words.interleaved}</p>
        </div>
        <ropewalk-loom
          .plain=${before.vector}
          .moved=${rotary.vector}
          .layout=${this.layout}
          .pair=${pair}
        ></ropewalk-loom>
        ${dials("turned")}
        <div class="row further">
          <span class="row" role="radiogroup" aria-label=${words.furtherLabel}>
            <span class="name">${words.further}</span>
            ${choices(
              "distance",
              distances,
              this.distance,
              (distance) => words.by(grouped(distance)),
              (distance) => {
                this.distance = distance;
              },
            )}
          </span>
          <span class="legend">${words.legend}</span>
        </div>
        <div class="kind pushed">
          <h2 class="large">${words.pushed}</h2>
          <dl>
            ${readout("length-pushed", words.length(at), lengths(before.length, sinusoidal.length), words.notOwn)}
            ${readout("change-pushed", words.change, change(sinusoidal.change), words.beneath)}
          </dl>
        </div>
        ${dials("pushed")}
      </section>

      ${this.#renderSettings()}
    `;
  }

  #renderControl(label: string) {
    const last = this.#reach - 1;
    const position = grouped(this.position);
    const radians = fixed(this.#turned?.turn.angle[this.#pair] ?? 0, 2);
    return html`<section class="panel control" aria-label=${words.control}>
      <div class="buttons">
        <button type="button" id="play" aria-label=${this.playing ? words.pause : words.play} @click=${this.#play}>
          <svg viewBox="0 0 16 16" aria-hidden="true">${this.playing ? pauseMark : playMark}</svg>
        </button>
        <button type="button" id="back" aria-label=${words.back} ?disabled=${this.position === 0} @click=${() => this.#step(-1)}>−1</button>
        <button type="button" id="on" aria-label=${words.on} ?disabled=${this.position >= last} @click=${() => this.#step(1)}>+1</button>
      </div>
      ${slider({
        id: "position",
        label: words.position(label),
        shown: position,
        last,
        at: this.position,
        words: words.spoken(position, radians, this.#pair),
        move: this.#slid,
        take: this.#take,
      })}
    </section>`;
  }

  #renderSettings() {
    return html`<section class="panel settings">
      ${textField(this.text, words.tokens(this.#tokens.length), (text) => {
        this.text = text;
      })}
      <div class="row">
        <span class="row" role="radiogroup" aria-label=${words.headDim}>
          <span class="name">head_dim</span>
          ${choices("headDim", headDims, this.headDim, String, (headDim) => {
            this.headDim = headDim;
          })}
        </span>
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
      <p class="words">${words.drawn}</p>
    </section>`;
  }

  readonly #choose = (length: (typeof farLengths)[number]): void => {
    this.farLength = length;
    this.position = Math.min(this.position, length - 1);
  };

  readonly #put = (event: PositionEvent): void => {
    this.#pause();
    this.position = event.position;
  };

  readonly #slid = (position: number): void => {
    this.#pause();
    this.position = position;
  };

  readonly #picked = (event: PairEvent): void => {
    if (event.pair !== undefined) this.pair = event.pair;
  };

  /** A hand is turned by hand, and takes position along: fast pairs a little, slow ones a long way. */
  readonly #cranked = (event: CrankEvent): void => {
    if (event.angle === 0) {
      this.#held = this.position;
      this.#take();
      return;
    }
    this.#pause();
    const steps = Math.round(event.angle / (this.#turned?.invFreq[event.pair] as number));
    this.position = Math.max(0, Math.min(this.#reach - 1, this.#held + steps));
  };

  /** From here until it is let go, position is under a finger. */
  readonly #take = (): void => {
    this.#dragged = true;
    const release = () => {
      this.#dragged = false;
      removeEventListener("pointerup", release);
      removeEventListener("pointercancel", release);
    };
    addEventListener("pointerup", release);
    addEventListener("pointercancel", release);
  };

  #step(by: number): void {
    this.#pause();
    this.position = Math.max(0, Math.min(this.#reach - 1, this.position + by));
  }

  readonly #play = (): void => {
    if (this.playing) {
      this.#pause();
      return;
    }
    if (this.position >= this.#reach - 1) this.position = 0;
    this.playing = true;
    const next = () => {
      if (this.position >= this.#reach - 1) this.#pause();
      else this.position += 1;
    };
    next();
    this.#clock = setInterval(next, beat);
  };

  #pause(): void {
    clearInterval(this.#clock);
    this.playing = false;
  }

  static override styles = [
    theme,
    panels,
    textFieldStyle,
    numberFieldStyle,
    css`
      .sentence {
        max-height: 110px;
        margin: -4px 0 4px -4px;
        overflow-y: auto;
      }

      .sentence .radios {
        border: 0;
      }

      .sentence .radios span {
        min-width: 24px;
        padding: 5px 4px;
        border-radius: 6px;
      }

      .reach {
        justify-content: flex-end;
        margin-top: 4px;
      }

      .kind {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        align-items: start;
        gap: 8px 20px;
        margin-bottom: 12px;
      }

      .pairs {
        flex-wrap: nowrap;
        gap: 8px 20px;
        margin: 18px 0 14px;
      }

      .pairs .row {
        flex: none;
      }

      .layout {
        margin: 0;
        color: var(--soft);
      }

      .layout b {
        color: var(--ink);
        font-weight: 600;
      }

      .kind.pushed {
        margin-top: 18px;
        padding-top: 18px;
        border-top: 1px solid var(--line);
      }

      .large {
        margin: 0;
        color: var(--ink);
        font: 400 27px / 1.1 var(--prose);
      }

      .large small {
        display: block;
        margin-top: 4px;
        color: var(--soft);
        font: 500 13px / 1.4 var(--label);
      }

      dl {
        display: flex;
        flex-wrap: wrap;
        gap: 8px 24px;
        margin: 0;
      }

      dl div:first-child {
        min-width: 262px;
      }

      dl div:last-child {
        min-width: 200px;
      }

      .value {
        white-space: nowrap;
      }

      .kept {
        color: var(--ink);
      }

      .differs {
        text-decoration: underline;
        text-decoration-thickness: 2px;
        text-underline-offset: 5px;
      }

      .further {
        justify-content: space-between;
        margin-top: 14px;
      }

      .legend {
        color: var(--soft);
        font-size: 12px;
      }

      @media screen {
        .control {
          position: sticky;
          top: 0;
          z-index: 1;
        }
      }

      .control {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        align-items: center;
        gap: 0 20px;
        padding: 12px 24px 10px;
        border-color: var(--soft);
      }

      .control .move {
        margin: 0;
      }

      .control output {
        font-size: 28px;
      }

      .buttons {
        display: flex;
        gap: 6px;
      }

      .buttons button {
        min-width: 44px;
        min-height: 44px;
      }

      button:disabled {
        opacity: 0.5;
        cursor: default;
      }

      .buttons svg {
        display: block;
        width: 16px;
        margin: auto;
        fill: var(--ink);
      }

      #play {
        border-color: var(--ink);
      }

      .settings .text-field {
        margin-bottom: 14px;
      }

      .settings .row {
        gap: 10px 28px;
      }

      .words {
        margin: 14px 0 0;
      }

      /* Where the lane is above, within reach of the thumb, whatever is looked at. */
      @media (width < 900px) {
        .control {
          order: 1;
          top: auto;
          bottom: 0;
        }

        .settings {
          order: 2;
        }
      }

      @container (max-width: 480px) {
        .panel {
          padding: 14px 14px 16px;
        }

        .control {
          grid-template-columns: minmax(0, 1fr);
          padding: 8px 14px 6px;
        }

        .buttons {
          position: absolute;
          right: 14px;
          top: 30px;
        }

        .control .move {
          grid-template-columns: auto 1fr;
        }

        .control label {
          grid-column: 1 / -1;
        }

        .control output {
          min-height: 44px;
          line-height: 44px;
          text-align: left;
        }

        .pairs {
          flex-wrap: wrap;
        }

        .reach {
          justify-content: flex-start;
        }

        dl div:first-child,
        dl div:last-child {
          min-width: 0;
        }
      }
    `,
  ];
}

declare global {
  interface HTMLElementTagNameMap {
    "ropewalk-rotary": RopewalkRotary;
  }
}

/** All digits that float32 has, and those underlined that are not as before. */
function lengths(before: number, after: number) {
  const [was, is] = [before.toPrecision(7), after.toPrecision(7)];
  let same = 0;
  while (same < is.length && is[same] === was[same]) same += 1;
  return html`${was} · <span class="kept">${is.slice(0, same)}</span>${same < is.length ? html`<span class="differs">${is.slice(same)}</span>` : nothing}`;
}

function sameness(before: number, after: number): string {
  return before.toPrecision(7) === after.toPrecision(7) ? words.same : words.rounded;
}

function change(value: number): string {
  return value === 0 ? "0" : value < 1e-3 ? value.toExponential(1).replace("-", "−") : fixed(value, 3);
}
