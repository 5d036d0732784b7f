import { html } from "lit";

/** What a picture shows, for who cannot see it; the first cell of a row says what the others are of. */
export function hiddenTable(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly unknown[])[],
) {
  return html`<div class="visually-hidden">
    <table>
      <caption>${caption}</caption>
      <thead>
        <tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...cells]) => html`<tr>
            <th scope="row">${first}</th>
            ${cells.map((cell) => html`<td>${cell}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
