import { css, html, LitElement, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { theme } from "../../elements/theme.js";
import type { Desk } from "../desk.js";
import { forms } from "../forms.js";
import { writeTime } from "../time.js";
import { words } from "../words/en.js";
import { NoteList } from "./list.js";
import { inOrder } from "./note.js";

/** Beneath each chapter: room for a note on it, and those that were written there. */
export class CompanionComposer extends LitElement {
  static readonly parts = { "companion-note-list": NoteList };
  static override styles = [
    theme,
    forms,
    css`
      form {
        display: grid;
        gap: 6px;
        max-width: 684px;
      }

      textarea {
        min-height: 40px;
      }

      companion-note-list {
        max-width: 684px;
        margin-top: 14px;
      }
    `,
  ];

  @property({ attribute: false }) desk: Desk | undefined;
  @state() private text = "";
  /** The lecture's time when writing began: what was seen was seen then. */
  @state() private time: number | undefined;

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has("desk")) this.desk?.notes.addEventListener("change", () => this.requestUpdate());
    // Whoever is writing is not taken elsewhere.
    this.toggleAttribute("writing", this.text.trim() !== "");
  }

  protected override render() {
    const { desk } = this;
    if (desk === undefined) return nothing;
    const notes = desk.notes.all.filter(({ place }) => place.chapter === this.#chapter);
    return html`
      <form @submit=${this.#keep}>
        <label for="text">${words.notes.composer}</label>
        <textarea
          id="text"
          rows="1"
          dir="auto"
          aria-describedby="stamp"
          .value=${this.text}
          @input=${this.#write}
          @keydown=${(event: KeyboardEvent) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#keep(event);
          }}
        ></textarea>
        ${
          this.text.trim() === ""
            ? nothing
            : html`<div class="row">
                <button>${words.notes.keep}</button>
                <span class="soft" id="stamp">${words.notes.keeps(
                  this.time === undefined
                    ? words.notes.state
                    : words.notes.timeAndState(writeTime(this.time)),
                )}</span>
              </div>`
        }
        ${desk.notes.keeps ? nothing : html`<p role="note">${words.notes.unkept}</p>`}
      </form>
      <companion-note-list
        .desk=${desk}
        .notes=${inOrder(notes, [])}
      ></companion-note-list>
    `;
  }

  get #chapter(): string {
    return this.closest("article")?.id ?? "";
  }

  #write(event: InputEvent): void {
    const { value } = event.target as HTMLTextAreaElement;
    if (this.text.trim() === "" && value.trim() !== "")
      this.time =
        this.desk?.follower.time ?? this.desk?.chapters.find(({ id }) => id === this.#chapter)?.time;
    this.text = value;
  }

  #keep(event: Event): void {
    event.preventDefault();
    const { desk } = this;
    if (desk === undefined || desk.notes.add(this.text, desk.companion.place, this.time) === undefined)
      return;
    this.text = "";
    this.renderRoot.querySelector<HTMLElement>("#text")?.focus();
  }
}
