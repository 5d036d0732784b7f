import { css, html } from "lit";
import { live } from "lit/directives/live.js";
import { words as textOf } from "./fields.js";
import { words } from "./words/en/text_field.js";

/** What the lecture looks at, and every instrument until it is given another text. */
export const lectureSentence =
  "Einstein developed the theory of relativity. This breakthrough reshaped physics.";

/** Most UTF-16 units of a text that an address has room for. */
export const longestText = 2000;

/** A text as state. */
export const textState = textOf(lectureSentence, longestText);

/** A text of one's own; `note` says what was made of it. */
export function textField(text: string, note: string, change: (text: string) => void) {
  return html`<div class="text-field">
    <label for="text">${words.label}</label>
    <input
      id="text"
      type="text"
      maxlength=${longestText}
      autocomplete="off"
      spellcheck="false"
      .value=${live(text)}
      @input=${(event: Event) => change((event.target as HTMLInputElement).value)}
    />
    <span class="note">${note}</span>
    <button type="button" ?disabled=${text === lectureSentence} @click=${() => change(lectureSentence)}>
      ${words.lecture}
    </button>
  </div>`;
}

export const textFieldStyle = css`
  .text-field {
    display: grid;
    grid-template-columns: 1fr auto;
    align-items: center;
    gap: 6px 16px;
  }

  .text-field label,
  .text-field input {
    grid-column: 1 / -1;
  }

  .text-field input {
    width: 100%;
    min-width: 0;
    padding: 6px 10px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: var(--paper);
    color: var(--ink);
    font: 19px / 1.4 var(--prose);
  }

  .text-field .note {
    color: var(--soft);
  }

  button:disabled {
    color: var(--soft);
    cursor: default;
  }
`;
