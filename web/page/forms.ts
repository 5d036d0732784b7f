import { css } from "lit";

/** Buttons and fields as the page's own parts have them. */
export const forms = css`
  :host {
    display: block;
  }

  h2,
  label,
  legend {
    margin: 0;
    padding: 0;
    color: var(--soft);
    font: 600 13px / 1.4 var(--label);
  }

  p {
    margin: 0;
  }

  button,
  .button {
    min-height: 32px;
    padding: 4px 12px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: none;
    color: var(--ink);
    font: 500 13px / 1.4 var(--label);
    cursor: pointer;
  }

  button:hover {
    border-color: var(--soft);
  }

  button.plain {
    min-height: 28px;
    padding: 2px 6px;
    border-color: transparent;
    color: var(--soft);
  }

  button.plain:hover {
    color: var(--ink);
  }

  input[type="text"],
  textarea,
  select {
    width: 100%;
    min-height: 32px;
    padding: 5px 10px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: var(--panel);
    color: var(--ink);
    font: 13px / 1.4 var(--label);
    font-variant-numeric: tabular-nums;
  }

  textarea {
    display: block;
    field-sizing: content;
    min-height: 60px;
    max-height: 50vh;
    resize: vertical;
    font: 17px / 1.45 var(--prose);
  }

  ::placeholder {
    color: var(--soft);
    opacity: 1;
  }

  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px;
  }

  .soft {
    color: var(--soft);
  }

  ol,
  ul {
    margin: 0;
    padding: 0;
    list-style: none;
  }
`;
