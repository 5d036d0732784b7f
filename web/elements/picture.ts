import { LitElement } from "lit";
import { state } from "lit/decorators.js";

/** Which query is looked at, and which of the keys that it looks at: indices of tokens. */
export interface Selection {
  query: number;
  key: number;
}

/** Told by a picture when the user picks a token or a cell; whoever owns the state decides. */
export class SelectEvent extends Event {
  static readonly type = "ropewalk-select";

  constructor(readonly selection: Selection) {
    super(SelectEvent.type, { bubbles: true, composed: true });
  }
}

/** Told by a picture when the user points at a position, or with Shift at another one; whoever owns the state decides. */
export class PositionEvent extends Event {
  static readonly type = "ropewalk-position";

  constructor(
    readonly position: number,
    readonly other = false,
  ) {
    super(PositionEvent.type, { bubbles: true, composed: true });
  }
}

/** Told by a picture when the user looks at a pair, or at none any more. */
export class PairEvent extends Event {
  static readonly type = "ropewalk-pair";

  constructor(readonly pair: number | undefined) {
    super(PairEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-pair": PairEvent;
    "ropewalk-position": PositionEvent;
    "ropewalk-select": SelectEvent;
  }
}

/** What pictures have in common: they know their width in CSS pixels, and draw anew when it, the theme or the fonts change. */
export class Picture extends LitElement {
  /** Width to draw at; 0 before the first layout. */
  @state() protected width = 0;
  /** Counts the times that fonts came in: labels have another width since. */
  @state() protected fonts = 0;
  /** Counts the times that values came to rest: a table for screen readers is made anew then, not at every frame. */
  @state() protected settled = 0;

  #settling: ReturnType<typeof setTimeout> | undefined;

  readonly #resized = new ResizeObserver(([entry]) => {
    if (entry !== undefined) this.width = Math.round(entry.contentRect.width);
  });
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  readonly #schemeChanged = () => this.requestUpdate();
  readonly #fontsLoaded = () => {
    this.fonts += 1;
  };

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resized.observe(this);
    this.#scheme.addEventListener("change", this.#schemeChanged);
    document.fonts.addEventListener("loadingdone", this.#fontsLoaded);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resized.disconnect();
    this.#scheme.removeEventListener("change", this.#schemeChanged);
    document.fonts.removeEventListener("loadingdone", this.#fontsLoaded);
    clearTimeout(this.#settling);
  }

  /** Values have changed: they have come to rest if they do not change again soon. */
  protected settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.settled += 1;
    }, 200);
  }

  protected select(query: number, key: number): void {
    this.dispatchEvent(new SelectEvent({ query, key }));
  }
}

/** A token as it is shown: white space and controls made visible, so that nothing is an empty label. */
export function tokenLabel(token: string): string {
  return token.replace(/\s/g, "␣") || "␀";
}

/** A weight, score or length in few digits of one width. */
export function fixed(value: number, digits: number): string {
  return value.toFixed(digits).replace("-", "−");
}

/** In CSS pixels, as finely as a path needs. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
