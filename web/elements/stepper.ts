import { css, html } from "lit";
import { live } from "lit/directives/live.js";
import { grouped } from "./figure.js";

export interface Stepper {
  id: string;
  words: string;
  value: number;
  least: number;
  most: number;
  /** The value in words, for who does not see it. */
  spoken: string;
  change: (value: number) => void;
}

/** A whole number, set large over its slider, with a button at each end that goes a single step: for a finger, too. */
export function stepper({ id, words, value, least, most, spoken, change }: Stepper) {
  const step = (by: -1 | 1) => {
    const sign = by < 0 ? "−1" : "+1";
    const isLast = value === (by < 0 ? least : most);
    return html`<button type="button" aria-label="${sign}, ${words}" ?disabled=${isLast} @click=${() => change(value + by)}>${sign}</button>`;
  };
  return html`<div class="stepper">
    <label for=${id}>${words}</label>
    <output for=${id}>${grouped(value)}</output>
    ${step(-1)}
    <input
      id=${id}
      type="range"
      min=${least}
      max=${most}
      step="1"
      .value=${live(String(value))}
      aria-valuetext=${spoken}
      @input=${(event: Event) => change((event.target as HTMLInputElement).valueAsNumber)}
    />
    ${step(1)}
  </div>`;
}

export const stepperStyle = css`
  .stepper {
    display: grid;
    grid-template: minmax(28px, auto) auto / 40px minmax(0, 1fr) 40px;
    align-items: center;
    gap: 4px 12px;
  }

  .stepper label {
    grid-column: 1 / 3;
  }

  .stepper output {
    justify-self: end;
    font-size: 24px;
    font-weight: 500;
    line-height: 1;
  }

  .stepper button {
    padding: 4px 0;
  }

  .stepper button:disabled {
    color: var(--soft);
    cursor: default;
  }

  .stepper input[type="range"] {
    grid-column: auto;
  }
`;
