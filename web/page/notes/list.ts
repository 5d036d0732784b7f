import { css, html, LitElement, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { theme } from "../../elements/theme.js";
import { writePlace } from "../address.js";
import { chapterName, type Desk } from "../desk.js";
import { forms } from "../forms.js";
import { writeTime } from "../time.js";
import { words } from "../words/en.js";
import { type Note, tidy } from "./note.js";

/** Notes one under the other: each leads back to what was seen, and can be changed and deleted. */
export class NoteList extends LitElement {
  static override styles = [
    theme,
    forms,
    css`
      li {
        padding: 10px 0 12px;
        border-top: 1px solid var(--line);
      }

      .where {
        display: flex;
        align-items: baseline;
        gap: 12px;
        min-height: 28px;
      }

      a {
        flex: 1;
        min-width: 0;
        padding: 4px 0;
        overflow: hidden;
        color: var(--soft);
        text-decoration: none;
        text-overflow: ellipsis;
        white-space: nowrap;
      }

      a:hover .name,
      a:focus-visible .name {
        text-decoration: underline;
        text-underline-offset: 3px;
      }

      .name {
        color: var(--ink);
        font-weight: 600;
      }

      .text {
        overflow-wrap: anywhere;
        white-space: pre-wrap;
        font: 17px / 1.45 var(--prose);
      }

      textarea {
        margin: 4px 0 8px;
      }

      .undo:not(:empty) {
        display: flex;
        align-items: center;
        gap: 12px;
        padding: 4px 0;
        color: var(--soft);
      }
    `,
  ];

  @property({ attribute: false }) desk: Desk | undefined;
  @property({ attribute: false }) notes: readonly Note[] = [];
  /** The id of the note that is being changed. */
  @state() private editing = "";
  /** A note as it was before what can be undone. */
  @state() private undoable: { note: Note; done: string } | undefined;

  protected override render() {
    return html`
      <ul>
        ${this.notes.map((note) => html`<li data-id=${note.id}>${this.#note(note)}</li>`)}
      </ul>
      <div class="undo" role="status">${
        this.undoable === undefined
          ? nothing
          : html`${this.undoable.done} <button type="button" id="undo" @click=${this.#undo}>${words.notes.undo}</button>`
      }</div>
    `;
  }

  #note(note: Note) {
    const desk = this.desk as Desk;
    const { chapter, state } = note.place;
    const time = note.time === undefined ? "" : writeTime(note.time);
    const name = [time, chapterName(desk, chapter)].filter(Boolean).join(" · ");
    const details = Object.entries(state ?? {})
      .map(([key, value]) => ` · ${key} ${value}`)
      .join("");
    return html`
      <div class="where">
        <a
          href=${writePlace(note.place)}
          title=${words.notes.go(name)}
          @click=${(event: MouseEvent) => this.#go(event, note)}
          ><span class="name">${name}</span>${details}</a
        >
        ${
          this.editing === note.id
            ? nothing
            : html`<span class="row">
                <button type="button" class="plain edit" @click=${() => this.#edit(note)}>${words.notes.edit}</button>
                <button type="button" class="plain delete" @click=${() => this.#delete(note)}>${words.notes.delete}</button>
              </span>`
        }
      </div>
      ${
        this.editing === note.id
          ? html`<form @submit=${(event: Event) => this.#save(event, note)}>
              <textarea
                aria-label=${words.notes.text}
                .value=${note.text}
                @keydown=${(event: KeyboardEvent) => this.#key(event, note)}
              ></textarea>
              <div class="row">
                <button>${words.notes.save}</button>
                <button type="button" class="plain" @click=${() => this.#leave(note)}>${words.notes.cancel}</button>
              </div>
            </form>`
          : html`<p class="text" dir="auto">${note.text}</p>`
      }
    `;
  }

  #go(event: MouseEvent, note: Note): void {
    // A link as well: it can be copied, and opened beside this one.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.desk?.companion.go(note.place);
  }

  async #edit(note: Note): Promise<void> {
    this.editing = note.id;
    await this.#focus(note, "textarea");
  }

  #key(event: KeyboardEvent, note: Note): void {
    if (event.key === "Escape") this.#leave(note);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#save(event, note);
  }

  #save(event: Event, note: Note): void {
    event.preventDefault();
    const text = tidy(this.renderRoot.querySelector("textarea")?.value ?? "");
    if (text === "") this.#delete(note);
    else if (text !== note.text) {
      this.desk?.notes.put({ ...note, text });
      this.undoable = { note, done: words.notes.changed };
    }
    this.#leave(note);
  }

  async #leave(note: Note): Promise<void> {
    this.editing = "";
    await this.#focus(note, ".edit");
  }

  async #delete(note: Note): Promise<void> {
    this.desk?.notes.remove(note.id);
    this.undoable = { note, done: words.notes.deleted };
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("#undo")?.focus();
  }

  async #undo(): Promise<void> {
    const { note } = this.undoable ?? {};
    if (note === undefined) return;
    this.undoable = undefined;
    this.desk?.notes.put(note);
    await this.#focus(note, ".edit");
  }

  async #focus(note: Note, what: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(`[data-id="${CSS.escape(note.id)}"] ${what}`)?.focus();
  }
}
