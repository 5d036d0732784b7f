import { css, html, nothing } from "lit";
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
  /** A finger, or the like, takes hold of it. */
  take?: () => void;
}

/** A native slider, under its name and the value in large. */
export function slider({ id, label, shown, last, at, words, move, take }: Slider) {
  return html`<div class="move">
    <label for=${id}>${label}</label>
    <output for=${id} id="${id}-shown">${shown}</output>
    <input
      id=${id}
      type="range"
      min="0"
      max=${last}
      step="1"
      .value=${live(String(at))}
      aria-valuetext=${words}
      @input=${(event: Event) => move((event.target as HTMLInputElement).valueAsNumber)}
      @pointerdown=${take ?? nothing}
    />
  </div>`;
}

/** A number that is typed. */
interface NumberField {
  id: string;
  label: string;
  value: number;
  least: number;
  most: number;
  step: 1 | "any";
  disabled?: boolean;
  change: (value: number) => void;
}

/** A native field for a number, after its name. */
function numberField({ id, label, value, least, most, step, disabled = false, change }: NumberField) {
  const typed = (event: Event) => {
    const input = event.target as HTMLInputElement;
    if (input.checkValidity() && input.value !== "") change(input.valueAsNumber);
    // Out of range or no number: what was there stays, and the field shows it.
    else input.value = String(value);
  };
  return html`<label class="number">${label}
    <input
      id=${id}
      type="number"
      min=${least}
      max=${most}
      step=${step}
      ?disabled=${disabled}
      .value=${live(String(value))}
      @change=${typed}
    />
  </label>`;
}

type Typed = Pick<NumberField, "label" | "value" | "disabled" | "change">;

/** The base of the frequencies. */
export const baseField = (base: Typed) =>
  numberField({ id: "base", least: 2, most: 100_000_000, step: "any", ...base });

/** What vectors are drawn from. */
export const seedField = (seed: Typed) =>
  numberField({ id: "seed", least: 0, most: 4_294_967_295, step: 1, ...seed });

export const numberFieldStyle = css`
  label.number {
    display: flex;
    align-items: center;
    gap: 10px;
  }

  label.number input {
    width: 8em;
    padding: 6px 10px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: var(--paper);
    color: var(--ink);
    font: 15px / 1.4 var(--label);
  }
`;

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

/** Looks of these, and of rows of numbers and of choices. */
export const controls = css`
  a {
    color: inherit;
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
