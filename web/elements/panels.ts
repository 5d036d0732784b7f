import { css, html } from "lit";

/** Panels one above the other, with headings, buttons, choices and sliders: what the large elements are made of. */
export const panels = css`
  :host {
    display: grid;
    gap: 16px;
    container-type: inline-size;
  }

  /* A panel may go on overleaf, none of its parts. */
  @media print {
    .panel > * {
      break-inside: avoid;
    }

    h2 {
      break-after: avoid;
    }
  }

  .panel {
    min-width: 0;
    padding: 18px 24px 22px;
    border: 1px solid var(--line);
    border-radius: 14px;
    background: var(--panel);
  }

  h2,
  label,
  .name {
    margin: 0;
    color: var(--soft);
    font: 600 13px / 1.4 var(--label);
  }

  h2 {
    margin-bottom: 12px;
  }

  button {
    min-height: 32px;
    padding: 4px 12px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: none;
    color: var(--ink);
    font: 13px var(--label);
    cursor: pointer;
  }

  .empty {
    margin: 0;
    padding: 40px 24px;
    color: var(--soft);
    font: 19px / 1.5 var(--prose);
  }

  /* While the engine starts, what is below stays out of sight. */
  .empty[role="status"] {
    min-height: 100vh;
  }

  .radios {
    display: inline-flex;
    flex-wrap: wrap;
    border: 1px solid var(--line);
    border-radius: 8px;
    overflow: hidden;
  }

  .radios label {
    position: relative;
    color: var(--ink);
    font-weight: 500;
    cursor: pointer;
  }

  .radios input {
    position: absolute;
    inset: 0;
    margin: 0;
    opacity: 0;
    cursor: inherit;
  }

  .radios input:checked + span {
    background: var(--ink);
    color: var(--panel);
  }

  .radios input:focus-visible + span {
    outline: 2px solid var(--focus);
    outline-offset: -4px;
  }

  .radios input:checked:focus-visible + span {
    outline-color: var(--panel);
  }

  input[type="range"] {
    grid-column: 1 / -1;
    width: 100%;
    height: 28px;
    margin: 0;
    border-radius: 8px;
    accent-color: var(--ink);
  }

  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px 12px;
  }

  .radios span {
    display: block;
    min-width: 32px;
    padding: 6px 10px;
    text-align: center;
  }

  .radios input:disabled + span {
    opacity: 0.5;
    cursor: default;
  }

  .words {
    max-width: 40em;
    color: var(--soft);
    font: 17px / 1.5 var(--prose);
  }

  .move {
    display: grid;
    grid-template-columns: 1fr auto;
    align-items: end;
    gap: 4px 16px;
    margin: 4px 0 16px;
  }

  .move output {
    min-width: 9ch;
    line-height: 1;
    text-align: right;
    font-size: 24px;
    font-weight: 500;
  }

  dt {
    color: var(--soft);
    overflow-wrap: anywhere;
  }

  dd {
    margin: 2px 0 0;
  }

  dd.value {
    font-size: 24px;
    font-weight: 500;
  }

  dd.note {
    color: var(--soft);
  }
`;

/** A number set large, with what it is above, and what there is to say of it below. */
export function readout(id: string, name: string, value: unknown, note: unknown) {
  return html`<div>
    <dt>${name}</dt>
    <dd class="value" id=${id}>${value}</dd>
    <dd class="note">${note}</dd>
  </div>`;
}
