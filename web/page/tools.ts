import { css, html, LitElement, nothing } from "lit";
import { state } from "lit/decorators.js";
import { shownElements } from "../elements/composed.js";
import { csvOf } from "../elements/csv.js";
import { Instrument } from "../elements/instrument.js";
import { panels } from "../elements/panels.js";
import { Picture } from "../elements/picture.js";
import { svgOf } from "../elements/svg.js";
import { theme } from "../elements/theme.js";
import { writePlace } from "./address.js";
import { pngOf } from "./png.js";
import { words } from "./words/en.js";

/** Something of an instrument to take away. */
interface Item<E extends Element> {
  name: string;
  element: E;
}

/** Beneath an instrument: its address, its embedding, its pictures and its tables, to take along. */
export class CompanionTools extends LitElement {
  static override styles = [
    theme,
    panels,
    css`
      :host {
        display: block;
      }

      .row {
        justify-content: flex-end;
        min-height: 32px;
      }

      button,
      summary {
        min-height: 28px;
        padding: 3px 10px;
        border: 0;
        border-radius: 8px;
        color: var(--soft);
        font: 500 13px / 22px var(--label);
        cursor: pointer;
      }

      button:hover,
      summary:hover {
        color: var(--ink);
        text-decoration: underline;
        text-underline-offset: 3px;
      }

      [role="status"] {
        margin-right: auto;
        color: var(--soft);
      }

      ul {
        margin: 8px 0 0;
        padding: 10px 14px;
        border: 1px solid var(--line);
        border-radius: 8px;
        background: var(--panel);
        list-style: none;
      }

      li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 10px;
        min-height: 32px;
      }

      li span {
        flex: 1 1 12em;
      }

      details {
        display: contents;
      }

      details[open] ul {
        flex-basis: 100%;
      }

      @media print {
        :host {
          display: none;
        }
      }
    `,
  ];

  @state() private said = "";
  @state() private isOpen = false;

  get #instrument(): Instrument | undefined {
    const before = this.previousElementSibling;
    return before instanceof Instrument ? before : undefined;
  }

  /** The chapter's question. */
  get #question(): string {
    const heading = this.closest("article")?.querySelector("h1");
    return heading == null ? "" : textOf(heading);
  }

  protected override render() {
    return html`<div class="row">
      <span role="status" aria-live="polite">${this.said}</span>
      <button type="button" @click=${this.#copyLink}>${words.tools.copyLink}</button>
      <button type="button" @click=${this.#copyEmbed}>${words.tools.copyEmbed}</button>
      <details ?open=${this.isOpen} @toggle=${this.#toggled}>
        <summary>${words.tools.save}</summary>
        ${this.isOpen ? this.#renderItems() : nothing}
      </details>
    </div>`;
  }

  #renderItems() {
    const pictures = this.#items((element) => element instanceof Picture && element.offsetHeight > 0);
    const tables = this.#items((element): element is HTMLTableElement => element instanceof HTMLTableElement);
    return html`<ul>
      ${pictures.map(
        ({ name, element }) => html`<li>
          <span>${name}</span>
          <button type="button" aria-label=${words.tools.as("SVG", name)} @click=${() => this.#saveSvg(name, element)}>SVG</button>
          <button type="button" aria-label=${words.tools.as("PNG", name)} @click=${() => this.#savePng(name, element)}>PNG</button>
        </li>`,
      )}
      ${tables.map(
        ({ name, element }) => html`<li>
          <span>${name}</span>
          <button type="button" aria-label=${words.tools.as("CSV", name)} @click=${() => this.#saveCsv(name, element)}>CSV</button>
        </li>`,
      )}
    </ul>`;
  }

  /** What of the instrument's elements is asked for, under the heading that it stands below, or its own. */
  #items<E extends Element>(
    is: ((element: Element) => element is E) | ((element: Element) => boolean),
  ): Item<E>[] {
    const instrument = this.#instrument;
    const items: Item<E>[] = [];
    let heading = this.#question;
    for (const element of instrument === undefined ? [] : shownElements(instrument)) {
      if (/^H[2-6]$/.test(element.tagName)) heading = textOf(element);
      if (!is(element)) continue;
      const caption = element.querySelector("caption");
      const name = caption === null ? heading : textOf(caption);
      const same = items.filter((item) => item.name.replace(/ \(\d+\)$/, "") === name).length;
      items.push({ name: same === 0 ? name : `${name} (${same + 1})`, element: element as E });
    }
    return items;
  }

  readonly #toggled = (event: Event) => {
    this.isOpen = (event.target as HTMLDetailsElement).open;
  };

  readonly #copyLink = () => {
    const chapter = this.closest("article")?.id ?? "";
    const hash = writePlace({ chapter, state: this.#instrument?.state ?? {} });
    void this.#copy(new URL(hash, location.href).href, words.tools.linkCopied);
  };

  readonly #copyEmbed = () => {
    const instrument = this.#instrument;
    if (instrument === undefined) return;
    const chapter = instrument.localName.replace(/^ropewalk-/, "");
    const url = new URL("embed.html", location.href);
    url.hash = writePlace({ chapter, state: instrument.state });
    const frame = document.createElement("iframe");
    frame.src = url.href;
    frame.title = this.#question;
    frame.loading = "lazy";
    frame.width = "100%";
    frame.height = `${Math.ceil(instrument.offsetHeight) + 32}`;
    void this.#copy(frame.outerHTML, words.tools.embedCopied);
  };

  async #copy(text: string, said: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.said = said;
    } catch {
      // No permission, or a page that is not served securely: what was to be copied is shown, to be taken by hand.
      this.said = words.tools.notCopied(text);
    }
  }

  #saveSvg(name: string, element: Element): void {
    save(new Blob([svgOf(element)], { type: "image/svg+xml" }), fileName(name, "svg"));
  }

  async #savePng(name: string, element: Element): Promise<void> {
    save(await pngOf(svgOf(element)), fileName(name, "png"));
  }

  #saveCsv(name: string, element: HTMLTableElement): void {
    // The mark tells spreadsheets that it is UTF-8.
    save(new Blob(["\ufeff", csvOf(element)], { type: "text/csv;charset=utf-8" }), fileName(name, "csv"));
  }
}

const textOf = (element: Element) => element.textContent.replace(/\s+/g, " ").trim();

function fileName(name: string, extension: string): string {
  const parts = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  return `ropewalk-${parts.slice(0, 8).join("-").toLowerCase()}.${extension}`;
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold of the blob once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
