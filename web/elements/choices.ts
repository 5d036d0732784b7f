import { html } from "lit";
import { live } from "lit/directives/live.js";

/** One of a few, as radio buttons in a row; `panels` has their looks. */
export function choices<T>(
  name: string,
  all: readonly T[],
  chosen: T,
  text: (choice: T) => string,
  choose: (choice: T) => void,
  disabled = false,
) {
  return html`<span class="radios">
    ${all.map(
      (choice) => html`<label>
        <input
          type="radio"
          name=${name}
          .checked=${live(choice === chosen)}
          ?disabled=${disabled}
          @change=${() => choose(choice)}
        /><span>${text(choice)}</span>
      </label>`,
    )}
  </span>`;
}
