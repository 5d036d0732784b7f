import { css, html } from "lit";
import { live } from "lit/directives/live.js";
import { choices } from "./choices.js";

/** What a slider stands for, at one of `last` + 1 places from 0. */
export interface Slider {
  id: string;
  label: string;
  /** Set large beside it. */
  shown: string;
  last: number;
  at: number;
  /** What a screen reader says in place of the number. */
  words: string;
  move: (at: number) => void;
}

/** A native slider, under its name and the value in large. */
export function slider({ id, label, shown, last, at, words, move }: Slider) {
  return html`<div class="move">
    <label for=${id}>${label}</label>
    <output for=${id}>${shown}</output>
    <input
      id=${id}
      type="range"
      min="0"
      max=${last}
      step="1"
      .value=${live(String(at))}
      aria-valuetext=${words}
      @input=${(event: Event) => move((event.target as HTMLInputElement).valueAsNumber)}
    />
  </div>`;
}

/** One of a few, after its name. */
export function radios<const T>(
  label: string,
  name: string,
  all: readonly T[],
  chosen: NoInfer<T>,
  text: (choice: T) => string,
  choose: (choice: T) => void,
  disabled = false,
) {
  return html`<div class="row" role="radiogroup" aria-label=${label}>
    <span class="name">${label}</span>
    ${choices(name, all, chosen, text, choose, disabled)}
  </div>`;
}

/** A text of the user's own. */
export function textBox(text: string, type: (text: string) => void) {
  return html`<section class="panel text">
    <label for="text">Your text, in any script</label>
    <textarea
      id="text"
      rows="2"
      spellcheck="false"
      .value=${live(text)}
      @input=${(event: Event) => type((event.target as HTMLTextAreaElement).value)}
    ></textarea>
  </section>`;
}

/** Looks of these, and of rows of numbers and of choices. */
export const controls = css`
  a {
    color: inherit;
  }

  .text textarea {
    display: block;
    width: 100%;
    margin-top: 6px;
    padding: 6px 10px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: var(--paper);
    color: var(--ink);
    font: 21px / 1.4 var(--prose);
    field-sizing: content;
    min-height: 2.8em;
    max-height: 8em;
    resize: vertical;
  }

  .problem {
    margin: 0;
    padding: 8px 12px;
    border-left: 3px solid var(--ink);
    font-size: 15px;
  }

  .fields {
    display: flex;
    flex-wrap: wrap;
    gap: 10px 24px;
    margin: 0 0 18px;
  }

  .readouts {
    display: grid;
    grid-template-columns: repeat(4, auto);
    justify-content: space-between;
    gap: 0 24px;
    margin: 0 0 22px;
  }

  .readouts.three {
    grid-template-columns: repeat(3, minmax(0, 1fr));
  }

  .readouts div {
    display: grid;
    grid-row: span 3;
    grid-template-rows: subgrid;
    min-width: 0;
    max-width: 270px;
  }

  dd.value {
    white-space: nowrap;
  }

  .words {
    margin: 0 0 14px;
  }

  .words:last-child {
    margin-bottom: 0;
  }

  @container (max-width: 760px) {
    .readouts,
    .readouts.three {
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }

    .readouts div {
      margin-bottom: 14px;
    }
  }

  @container (max-width: 480px) {
    .panel {
      padding: 14px 14px 18px;
    }

    .readouts div:first-child,
    .readouts:not(.three) div:last-child {
      grid-column: 1 / -1;
      max-width: none;
    }
  }
`;
