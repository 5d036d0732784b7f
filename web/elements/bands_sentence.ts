import { css, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import type { Span } from "./bands_pipeline.js";
import { grouped } from "./figure.js";
import { stepOf } from "./keys.js";
import { Picture, tokenLabel } from "./picture.js";
import { theme } from "./theme.js";
import { words as bands } from "./words/en/bands.js";

const words = bands.sentence;

/** Told when the user presses a token. */
export class TokenEvent extends Event {
  static readonly type = "ropewalk-token";

  constructor(readonly token: number) {
    super(TokenEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-token": TokenEvent;
  }
}

/** A sentence in which two phrases are chosen, and how many more tokens, or fewer, are thought to be between them. */
export class RopewalkBandsSentence extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .tokens {
        display: flex;
        flex-wrap: wrap;
        row-gap: 8px;
        font: 25px / 1.3 var(--prose);
      }

      button {
        all: unset;
        box-sizing: border-box;
        position: relative;
        min-width: 24px;
        padding: 0 5px 5px;
        border-bottom: 3px solid transparent;
        color: var(--soft);
        text-align: center;
        cursor: pointer;
        overflow-wrap: anywhere;
        -webkit-tap-highlight-color: transparent;
      }

      button:hover {
        color: var(--ink);
      }

      button:focus-visible {
        outline: 2px solid var(--focus);
        outline-offset: -1px;
        border-radius: 5px;
      }

      .query,
      .key {
        color: var(--ink);
      }

      .query {
        border-bottom-color: var(--ink);
      }

      .key::after {
        content: "";
        position: absolute;
        inset: auto 0 -3px;
        border-bottom: 3px dashed var(--ink);
      }

      /* Both: the one under the other. */
      .query.key::after {
        bottom: -8px;
      }

      .between {
        align-self: center;
        padding: 2px 12px;
        border: 1px dashed var(--soft);
        border-radius: 20px;
        margin: 0 6px;
        color: var(--ink);
        font: 500 13px / 1.4 var(--label);
      }
    `,
  ];

  @property({ attribute: false }) tokens: readonly string[] = [];
  @property({ attribute: false }) querySpan: Span = { first: 0, last: 0 };
  @property({ attribute: false }) keySpan: Span = { first: 0, last: 0 };
  /** Which of the two is being chosen. */
  @property() choosing: "query" | "key" = "query";
  /** Tokens between the two beyond those of the sentence; fewer if less than 0. */
  @property({ type: Number }) more = 0;

  /** The token that Tab comes to. */
  @state() private cursor = 0;

  protected override willUpdate(): void {
    this.cursor = Math.min(this.cursor, Math.max(0, this.tokens.length - 1));
  }

  protected override render() {
    const { querySpan, keySpan } = this;
    const chosen = this.choosing === "query" ? querySpan : keySpan;
    return html`<div
      class="tokens"
      role="group"
      aria-label=${words.label[this.choosing]}
      @keydown=${this.#onKey}
      @focusin=${this.#onFocus}
    >
      ${this.tokens.map(
        (token, i) => html`${i === querySpan.first && this.more !== 0 ? this.#renderMore() : nothing}<button
            type="button"
            class="${isIn(querySpan, i) ? "query" : ""} ${isIn(keySpan, i) ? "key" : ""}"
            data-token=${i}
            tabindex=${i === this.cursor ? 0 : -1}
            aria-pressed=${isIn(chosen, i)}
            @click=${this.#onClick}
          >${tokenLabel(token)}</button>`,
      )}
    </div>`;
  }

  #renderMore() {
    const count = grouped(Math.abs(this.more));
    return html`<span class="between">${this.more > 0 ? words.more(count) : words.fewer(count)}</span>`;
  }

  readonly #onClick = (event: Event): void => {
    this.dispatchEvent(new TokenEvent(tokenOf(event.currentTarget)));
  };

  readonly #onFocus = (event: Event): void => {
    this.cursor = tokenOf(event.target);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    const last = this.tokens.length - 1;
    const to = stepOf(event, {
      ArrowLeft: this.cursor - 1,
      ArrowRight: this.cursor + 1,
      Home: 0,
      End: last,
    });
    if (to === undefined) return;
    this.renderRoot.querySelector<HTMLElement>(`[data-token="${Math.max(0, Math.min(last, to))}"]`)?.focus();
  };
}

function isIn({ first, last }: Span, token: number): boolean {
  return token >= first && token <= last;
}

function tokenOf(target: EventTarget | null): number {
  return Number((target as HTMLElement).dataset.token);
}
