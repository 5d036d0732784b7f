import { LitElement } from "lit";
import { state } from "lit/decorators.js";
import { type Inks, inks } from "./theme.js";

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

/** How long values have to stay before what nobody sees is drawn, and tables are made, in milliseconds. */
const rest = 200;

/**
 * What pictures have in common: they know their width in CSS pixels, and draw anew when it, the theme or the fonts change;
 * out of view they wait until values come to rest, so that those in view have the frame for themselves.
 */
export class Picture extends LitElement {
  /** Width to draw at; 0 before the first layout. */
  @state() protected width = 0;
  /** Counts the times that fonts came in: labels have another width since. */
  @state() protected fonts = 0;
  /** Counts the times that values came to rest: a table for screen readers is made anew then, not at every frame. */
  @state() protected settled = 0;

  #settling: ReturnType<typeof setTimeout> | undefined;
  #inks: Inks | undefined;
  /** When an update was last asked for. */
  #asked = 0;
  #isInView = true;
  #isPrinted = false;
  #wake = () => {};

  readonly #viewed = new IntersectionObserver(
    (entries) => {
      this.#isInView = entries.at(-1)?.isIntersecting === true;
      if (this.#isInView) this.#wake();
    },
    { rootMargin: "200px" },
  );
  readonly #resized = new ResizeObserver(([entry]) => {
    if (entry !== undefined) this.width = Math.round(entry.contentRect.width);
  });
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  readonly #schemeChanged = () => {
    this.#inks = undefined;
    this.requestUpdate();
  };
  readonly #fontsLoaded = () => {
    this.fonts += 1;
  };

  /** Paper has a width of its own, and no dark; no observer tells of it in time. */
  readonly #print = () => this.#drawAnew(true);
  /** A frame later, as only then the page is as wide as the screen again. */
  readonly #printed = () => requestAnimationFrame(() => this.#drawAnew(false));

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("beforeprint", this.#print);
    window.addEventListener("afterprint", this.#printed);
    this.#viewed.observe(this);
    this.#resized.observe(this);
    this.#scheme.addEventListener("change", this.#schemeChanged);
    document.fonts.addEventListener("loadingdone", this.#fontsLoaded);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("beforeprint", this.#print);
    window.removeEventListener("afterprint", this.#printed);
    this.#viewed.disconnect();
    this.#isInView = true;
    this.#wake();
    this.#resized.disconnect();
    this.#scheme.removeEventListener("change", this.#schemeChanged);
    document.fonts.removeEventListener("loadingdone", this.#fontsLoaded);
    clearTimeout(this.#settling);
  }

  #drawAnew(isPrinted: boolean): void {
    this.#isPrinted = isPrinted;
    this.#inks = undefined;
    this.#measure();
    this.#wake();
    this.requestUpdate();
  }

  #measure(): void {
    this.width = Math.round(this.getBoundingClientRect().width);
  }

  /** Values have changed: they have come to rest if they do not change again soon. */
  protected settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#inks = undefined;
      this.settled += 1;
    }, rest);
  }

  /** What to draw with on that canvas. Asking lays the page out, so it is asked anew only when values have come to rest. */
  protected inksOf(canvas: Element): Inks {
    this.#inks ??= inks(canvas);
    return this.#inks;
  }

  override requestUpdate(...change: Parameters<LitElement["requestUpdate"]>): void {
    // The first is asked for while it is still being made.
    if (#asked in this) this.#asked = performance.now();
    super.requestUpdate(...change);
  }

  protected override async scheduleUpdate(): Promise<void> {
    // Measured before it is drawn for the first time: to wait for the observer would push about what is around.
    if (!this.hasUpdated) this.#measure();
    while (this.hasUpdated && !this.#isInView && !this.#isPrinted) {
      const left = this.#asked + rest - performance.now();
      if (left <= 0) break;
      await new Promise<void>((done) => {
        this.#wake = done;
        setTimeout(done, left);
      });
    }
    super.scheduleUpdate();
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
