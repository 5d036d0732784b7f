import { css, html, type PropertyValues } from "lit";
import { live } from "lit/directives/live.js";
import type { Ropewalk } from "ropewalk";
import { slider } from "./controls.js";
import { figure, RopewalkDrowning } from "./drowning.js";
import { nearestStop, RopewalkDrowningCurves } from "./drowning_curves.js";
import { whole } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { furthest, IntegerPipeline, type IntegerResults, lost, same, stops } from "./integer_pipeline.js";
import { panels, readout } from "./panels.js";
import { fixed, type PositionEvent, type SelectEvent, tokenLabel } from "./picture.js";
import { RopewalkRope } from "./rope.js";
import { textField, textFieldStyle, textState } from "./text_field.js";
import { theme } from "./theme.js";
import { maxTokens, tokenize } from "./tokens.js";
import { words } from "./words/en/integer.js";

const fields = {
  text: textState,
  seed: whole(7, 0, 2 ** 32 - 1),
  position: whole(2, 0, furthest),
  /** The word that is looked at, «breakthrough», and another, «theory». */
  query: whole(8, 0, maxTokens - 1),
  key: whole(3, 0, maxTokens - 1),
};

/** Counting: the position is added to every component of a word's embedding, and the word drowns in it. */
export class RopewalkInteger extends instrument(fields) {
  static readonly parts = {
    "ropewalk-drowning": RopewalkDrowning,
    "ropewalk-drowning-curves": RopewalkDrowningCurves,
    "ropewalk-rope": RopewalkRope,
  };

  #pipeline: IntegerPipeline | undefined;
  #results: IntegerResults | undefined;
  #tokens: readonly string[] = [];

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    this.#pipeline ??= new IntegerPipeline(engine);
    if (changed.has("text") || this.#tokens.length === 0) this.#tokens = tokenize(this.text).tokens;
    if (this.#tokens.length === 0) return;
    const { seed, position } = this;
    this.#results = this.#pipeline.run({ tokens: this.#tokens, seed, position, ...this.#chosen });
  }

  protected override release(): void {
    this.#pipeline = undefined;
  }

  get #chosen() {
    const last = this.#tokens.length - 1;
    return { query: Math.min(this.query, last), key: Math.min(this.key, last) };
  }

  protected override renderInstrument() {
    const results = this.#results;
    const tokens = this.#tokens;
    if (tokens.length === 0 || results === undefined)
      return html`${this.#renderText()}<p class="empty">${words.empty}</p>`;
    const { position } = this;
    const { query, key } = this.#chosen;
    const label = (token: number) => tokenLabel(tokens[token] as string);
    const [word, other] = [label(query), label(key)];
    const { rows } = words;
    const at = grouped(position);
    const [alone, , length] = results.lengths;
    return html`
      <section class="panel">
        <h2>${words.heading(word)}</h2>
        <ropewalk-drowning
          .rows=${results.rows}
          .lengths=${results.lengths}
          .names=${[rows.alone(word), rows.position(at), rows.sum(word, at), rows.other(other, at)]}
        ></ropewalk-drowning>
        ${slider({
          id: "position",
          label: words.position,
          shown: at,
          last: stops.length - 1,
          at: nearestStop(position),
          words: words.positionSpoken(at, fixed(results.cosine, 2), figure(length as number)),
          move: (stop) => {
            this.position = stops[stop] as number;
          },
        })}
        <dl>
          ${readout("cosine", words.cosine(word), fixed(results.cosine, 4), left(results.cosine))}
          ${readout("alike", words.alike(word, other, at), fixed(results.alike, 4), results.alike > same ? words.same : words.different)}
          ${readout("length", words.length, `${figure(alone as number)} · ${figure(length as number)}`, "")}
        </dl>
        <div class="row">
          ${this.#renderChoice("query", words.word, query)} ${this.#renderChoice("key", words.otherWord, key)}
        </div>
      </section>

      <section class="panel" @ropewalk-position=${(event: PositionEvent) => {
        this.position = event.position;
      }}>
        <h2>${words.curves}</h2>
        <ropewalk-drowning-curves
          .results=${results}
          .position=${position}
          .word=${word}
          .other=${other}
        ></ropewalk-drowning-curves>
      </section>

      <section class="panel" @ropewalk-select=${(event: SelectEvent) => {
        const { selection } = event;
        if (selection.query !== query) this.position = selection.query;
        Object.assign(this, selection);
      }}>
        <h2>${words.rope}</h2>
        <ropewalk-rope .tokens=${tokens} .selection=${this.#chosen} .rope=${results.rope}></ropewalk-rope>
      </section>

      ${this.#renderText()}
    `;
  }

  #renderChoice(name: "query" | "key", label: string, chosen: number) {
    return html`<div class="choice"><label for=${name}>${label}</label>
      <select
        id=${name}
        @change=${(event: Event) => {
          this[name] = (event.target as HTMLSelectElement).selectedIndex;
        }}
      >
        ${this.#tokens.map(
          (token, i) => html`<option .selected=${live(i === chosen)}>${tokenLabel(token)}</option>`,
        )}
      </select></div>`;
  }

  #renderText() {
    return html`<section class="panel">
      ${textField(this.text, words.note(this.#tokens.length, this.seed), (text) => {
        this.text = text;
      })}
    </section>`;
  }

  static override styles = [
    theme,
    panels,
    textFieldStyle,
    css`
      .move {
        margin-top: 18px;
        padding-top: 16px;
        border-top: 1px solid var(--line);
      }

      dl {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 12px 28px;
        margin: 0 0 16px;
      }

      dl > div {
        display: grid;
        grid-row: span 3;
        grid-template-rows: subgrid;
        gap: 0;
      }

      dt {
        align-self: end;
      }

      .choice {
        display: flex;
        align-items: center;
        gap: 10px;
        margin-right: 12px;
      }

      select {
        min-height: 32px;
        max-width: 14em;
        padding: 4px 8px;
        border: 1px solid var(--line);
        border-radius: 8px;
        background: var(--panel);
        color: var(--ink);
        font: 500 14px var(--label);
      }

      @container (max-width: 620px) {
        .panel {
          padding: 14px 14px 18px;
        }

        dl {
          grid-template-columns: minmax(0, 1fr);
        }

        dl > div {
          display: block;
        }
      }
    `,
  ];
}

function left(cosine: number): string {
  if (cosine > 0.9) return words.left.word;
  return cosine >= lost ? words.left.more : words.left.less;
}
