import { css, html, LitElement, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { theme } from "../../elements/theme.js";
import { type Place, writePlace } from "../address.js";
import { chapterName, type Desk } from "../desk.js";
import { forms } from "../forms.js";
import { passed } from "../lecture.js";
import { writeTime } from "../time.js";
import { words } from "../words/en.js";
import { NoteList } from "./list.js";
import { readNotes, writeNotes } from "./markdown.js";
import { inOrder, type Note } from "./note.js";

/** All of a student's notes beside the lecture's own, and the way out of the browser and back. */
export class CompanionNotes extends LitElement {
  static readonly parts = { "companion-note-list": NoteList };
  static override styles = [
    theme,
    forms,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 5fr) minmax(0, 4fr);
        align-items: start;
        gap: 16px;
      }

      section {
        min-width: 0;
        padding: 18px 24px 22px;
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--panel);
      }

      .head {
        justify-content: space-between;
        margin-bottom: 14px;
      }

      .head label {
        display: flex;
        align-items: center;
        gap: 8px;
        font-weight: 500;
      }

      select {
        width: auto;
      }

      .empty {
        padding: 8px 0 16px;
        color: var(--soft);
        font: 17px / 1.45 var(--prose);
      }

      .out {
        padding-top: 14px;
        border-top: 1px solid var(--line);
      }

      details {
        margin-top: 12px;
      }

      summary {
        min-height: 28px;
        padding: 4px 0;
        color: var(--soft);
        font-weight: 500;
        cursor: pointer;
      }

      details form {
        display: grid;
        gap: 8px;
        padding-top: 6px;
      }

      input[type="file"] {
        min-height: 28px;
        font: 13px var(--label);
      }

      details button {
        justify-self: start;
      }

      textarea {
        font: 13px / 1.5 ui-monospace, monospace;
      }

      [role="status"]:not(:empty) {
        margin-top: 8px;
      }

      .lecture li {
        display: grid;
        grid-template-columns: 52px minmax(0, 1fr);
        padding: 2px 0 10px;
      }

      .lecture time {
        padding-top: 5px;
        font-weight: 600;
      }

      .lecture a {
        display: block;
        padding: 2px 0;
        color: inherit;
        font: 17px / 1.45 var(--prose);
        text-decoration: none;
      }

      .lecture a:hover span,
      .lecture a:focus-visible span {
        text-decoration: underline;
        text-underline-offset: 3px;
      }

      .lecture small {
        display: block;
        color: var(--soft);
        font: 13px / 1.4 var(--label);
      }

      @media (width < 760px) {
        :host {
          grid-template-columns: minmax(0, 1fr);
        }

        section {
          padding: 16px;
        }
      }
    `,
  ];

  @property({ attribute: false }) desk: Desk | undefined;
  /** The chapter whose notes are listed; all where it is none. */
  @state() private chapter = "";
  /** What became of the last copy or import. */
  @state() private said = "";

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has("desk")) this.desk?.notes.addEventListener("change", () => this.requestUpdate());
  }

  protected override render() {
    const { desk } = this;
    if (desk === undefined) return nothing;
    return html`${this.#yours(desk)}${this.#lecture(desk)}`;
  }

  #yours(desk: Desk) {
    const { notes } = this;
    const written = new Set(notes.map(({ place }) => place.chapter));
    const chosen = written.has(this.chapter) ? this.chapter : "";
    const listed = notes.filter(({ place }) => chosen === "" || place.chapter === chosen);
    return html`<section aria-labelledby="yours">
      <div class="row head">
        <h2 id="yours">${words.notes.yours}</h2>
        ${
          written.size < 2
            ? nothing
            : html`<label>${words.notes.chapter}
                <select
                  @change=${(event: Event) => {
                    this.chapter = (event.target as HTMLSelectElement).value;
                  }}
                >
                  <option value="" ?selected=${chosen === ""}>${words.notes.all}</option>
                  ${desk.chapters
                    .filter(({ id }) => written.has(id))
                    .map(
                      ({ id, name }) => html`<option value=${id} ?selected=${chosen === id}>${name}</option>`,
                    )}
                </select></label>`
        }
      </div>
      ${desk.notes.keeps ? nothing : html`<p role="note">${words.notes.unkept}</p>`}
      ${desk.notes.unreadable === 0 ? nothing : html`<p role="note">${words.notes.unreadable(desk.notes.unreadable)}</p>`}
      ${notes.length === 0 ? html`<p class="empty">${words.notes.empty}</p>` : nothing}
      <companion-note-list .desk=${desk} .notes=${listed}></companion-note-list>
      <div class="out">
        <div class="row">
          <button type="button" id="copy" ?disabled=${notes.length === 0} @click=${this.#copy}>${words.notes.copy}</button>
          <button type="button" id="download" ?disabled=${notes.length === 0} @click=${this.#download}>${words.notes.download} .md</button>
        </div>
        <details>
          <summary>${words.notes.import}</summary>
          <form @submit=${this.#paste}>
            <label for="file">${words.notes.importFile}</label>
            <input id="file" type="file" accept=".md,.markdown,.txt,text/markdown,text/plain" @change=${this.#open} />
            <label for="paste">${words.notes.importText}</label>
            <textarea id="paste" rows="3" placeholder=${words.notes.importHint}></textarea>
            <button>${words.notes.add}</button>
          </form>
        </details>
        <p role="status">${this.said}</p>
      </div>
    </section>`;
  }

  #lecture(desk: Desk) {
    const { stamps } = desk.follower;
    return html`<section class="lecture" aria-labelledby="lecture">
      <div class="row head"><h2 id="lecture">${words.notes.lecture}</h2></div>
      <ol>
        ${stamps.map(
          ({ time, text, place }, index) => html`<li>
            <time>${time === stamps[index - 1]?.time ? "" : writeTime(time)}</time>
            <a href=${writePlace(place)}><span>${text}</span><small>${chapterName(desk, place.chapter)}</small></a>
          </li>`,
        )}
      </ol>
    </section>`;
  }

  get notes(): Note[] {
    const { desk } = this;
    return desk === undefined
      ? []
      : inOrder(
          desk.notes.all,
          desk.chapters.map(({ id }) => id),
        );
  }

  get #markdown(): string {
    return writeNotes(this.notes, (chapter) => chapterName(this.desk as Desk, chapter));
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#markdown);
      this.said = words.notes.copied;
    } catch {
      this.said = words.notes.notCopied;
    }
  }

  #download(): void {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.#markdown], { type: "text/markdown" }));
    link.download = words.notes.file;
    link.click();
    // A browser may come for it a little later.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  async #open(event: Event): Promise<void> {
    const input = event.target as HTMLInputElement;
    const text = await input.files?.[0]?.text();
    input.value = "";
    if (text !== undefined) this.#add(text);
  }

  #paste(event: Event): void {
    event.preventDefault();
    const field = this.renderRoot.querySelector<HTMLTextAreaElement>("#paste") as HTMLTextAreaElement;
    if (this.#add(field.value)) field.value = "";
  }

  #add(markdown: string): boolean {
    const { desk } = this;
    const written = readNotes(markdown);
    if (desk === undefined || written.length === 0) {
      this.said = words.notes.nothingThere;
      return false;
    }
    // Without a place a note belongs to what the lecture was at, or else to this chapter.
    const placeAt = (time: number | undefined): Place => ({
      chapter:
        (time === undefined ? undefined : passed(desk.follower.stamps, time))?.place.chapter ?? "notes",
      state: undefined,
    });
    const added = desk.notes.merge(written, placeAt);
    this.said = words.notes.added(added, written.length - added);
    return true;
  }
}
