import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, query, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fixed, Picture, type Selection, tokenLabel } from "./picture.js";
import { paintAngles, paintLevels, type Strip } from "./strip.js";
import { Surface } from "./surface.js";
import { angleColor, type Inks, theme } from "./theme.js";

export type { Strip } from "./strip.js";

/**
 * What positions look like under an encoding.
 *
 * `near` is the sentence: its columns are evenly spaced over the tokens, and a token's own position is the middle of its
 * box; one column to a token makes the box one cell. `far` are the positions from 0 to `farLength`.
 */
export type RopePicture =
  | {
      kind: "angle";
      /** Radians in [-π, π]. */
      near: Strip;
      far: Strip;
      farLength: number;
      /** Positions per turn, of each pair. */
      wavelengths: Float64Array;
    }
  | {
      kind: "level";
      /** From 0 to 1. */
      near: Strip;
      far: Strip;
      farLength: number;
      labels: { first: string; last: string };
    }
  | { kind: "none" };

/** Where in the near strip the pointer is: a position, counted from the first token and in between too, and a strand. */
/** What the pointer is over. */
interface Probe {
  token: number;
  strand: number;
}

const narrow = 480;
const farHeight = 62;
const grouped = new Intl.NumberFormat("en");
/** Of a token's box, in CSS pixels. */
const boxWidth = { least: 64, leastNarrow: 84, most: 108, mostNarrow: 96 };
/** What a position of six digits needs, so that nothing is laid out anew as the sentence moves along. */
const positionWidth = 52;
const legendSteps = 48;
const legend = Array.from(
  { length: legendSteps },
  (_, k) => (2 * Math.PI * (k + 0.5)) / legendSteps - Math.PI,
);

/** The signature picture: each token's position as an encoding has it, strand by strand. */
export class RopewalkRope extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .above {
        display: flex;
        justify-content: flex-end;
        min-height: 20px;
        color: var(--soft);
        font-size: 12px;
      }

      .legend {
        display: flex;
        align-items: center;
        gap: 6px;
      }

      .legend svg {
        width: 96px;
        height: 10px;
        border-radius: 5px;
      }

      .probe {
        color: var(--ink);
      }

      .scroller {
        position: relative;
        overflow: hidden;
        margin: 4px -4px 0;
        padding: 0 4px;
      }

      .scroller.scrolls {
        overflow-x: auto;
        scroll-snap-type: x proximity;
        scroll-padding-inline: 4px;
        scrollbar-width: thin;
        scrollbar-color: var(--soft) transparent;
        overscroll-behavior-x: contain;
      }

      .content {
        position: relative;
        width: calc(var(--box) * var(--count));
      }

      .tokens,
      .positions {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: var(--box);
        margin: 0;
        padding: 0;
        list-style: none;
        text-align: center;
      }

      button {
        all: unset;
        box-sizing: border-box;
        position: relative;
        height: 30px;
        line-height: 28px;
        white-space: nowrap;
        cursor: pointer;
        scroll-snap-align: start;
        -webkit-tap-highlight-color: transparent;
      }

      button span {
        position: absolute;
        top: 0;
        left: 50%;
        translate: -50%;
      }

      /* Every other one higher, so that it may reach over its neighbours. */
      .staggers button {
        height: 50px;
      }

      .staggers button:nth-child(even) span {
        top: 20px;
      }

      .staggers button:nth-child(odd)::after {
        position: absolute;
        top: 26px;
        bottom: 6px;
        left: 50%;
        border-left: 1px solid var(--line);
        content: "";
      }

      .scrolls button span {
        max-width: calc(var(--box) - 6px);
        overflow: hidden;
        text-overflow: ellipsis;
      }

      button:hover span {
        text-decoration: underline;
        text-decoration-thickness: 1px;
        text-underline-offset: 4px;
      }

      button:focus-visible {
        outline: 2px solid var(--focus);
        outline-offset: -3px;
        border-radius: 6px;
      }

      .chosen,
      .positions .chosen {
        color: var(--ink);
        font-weight: 650;
      }

      .positions {
        padding-top: 5px;
        color: var(--soft);
        font-size: 12px;
        line-height: 20px;
      }

      .strip {
        position: relative;
        height: var(--height);
        cursor: crosshair;
        touch-action: pan-x pan-y;
      }

      canvas {
        display: block;
        position: absolute;
        top: 0;
        left: 0;
        border-radius: 4px;
        background: var(--panel);
        color: var(--ink);
      }

      .box {
        position: absolute;
        top: -4px;
        bottom: -4px;
        left: calc(var(--at) * var(--box));
        width: var(--box);
        border: 2px solid var(--ink);
        border-radius: 5px;
        pointer-events: none;
      }

      .box.key {
        border-style: dashed;
      }

      .box.same {
        inset: 3px auto 3px calc(var(--at) * var(--box) + 6px);
        width: calc(var(--box) - 12px);
      }

      /* Cells that are all alike. */
      .empty {
        height: 100%;
        border-radius: 4px;
        background: linear-gradient(90deg, color-mix(in srgb, var(--ink) 7%, transparent) calc(100% - 1px), transparent 0)
          0 0 / var(--box) 100%;
      }

      .alike {
        margin: 10px 0 0;
        color: var(--soft);
        font: 17px / 1.4 var(--prose);
      }

      .captions {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        gap: 0 24px;
        margin: 4px 0 0;
        color: var(--soft);
        font-size: 12px;
      }

      .far {
        position: relative;
        margin-top: 5px;
        height: ${farHeight}px;
      }

      .sentence {
        position: absolute;
        top: -3px;
        bottom: -3px;
        min-width: 4px;
        border: 1.5px solid var(--ink);
        border-radius: 3px;
        pointer-events: none;
      }

      .further {
        margin: 16px 0 0;
        color: var(--soft);
        font-weight: 500;
      }
    `,
  ];

  @property({ attribute: false }) tokens: readonly string[] = [];
  /** Position of the first token. */
  @property({ type: Number }) positionOffset = 0;
  /** A key of -1 is none. */
  @property({ attribute: false }) selection: Selection = { query: 0, key: 0 };
  @property({ attribute: false }) rope: RopePicture | undefined;

  /** The token that Tab comes to. */
  @state() private cursor = 0;
  @state() private probe: Probe | undefined;

  @query(".scroller") private scroller!: HTMLElement;
  @query(".strip") private strip!: HTMLElement;
  @query("canvas.near") private nearCanvas!: HTMLCanvasElement | null;
  @query("canvas.distant") private farCanvas!: HTMLCanvasElement | null;

  readonly #near = new Surface();
  readonly #far = new Surface();
  #drawnFar: { far?: Strip; width?: number; inks?: Inks; canvas?: HTMLCanvasElement } = {};
  /**
   * Width of a token's box; whether labels stand on two levels, as one has not the room for them; and whether two have not
   * either, so that the boxes together are wider than the picture.
   */
  #box = 0;
  #staggers = false;
  #scrolls = false;
  /** What of the near strip is on its canvas, in CSS pixels: more than is seen, so that a swipe has it at once. */
  #drawn = { from: 0, to: 0 };
  #scrolled = 0;

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("tokens") || changed.has("width") || changed.has("fonts")) this.#measure();
    if (changed.has("selection") || changed.has("tokens")) {
      if (!this.#focused) this.cursor = this.selection.query;
      this.cursor = Math.max(0, Math.min(this.cursor, this.tokens.length - 1));
    }
  }

  protected override render() {
    const { tokens, rope } = this;
    const n = tokens.length;
    if (rope === undefined || n === 0 || this.width === 0) return nothing;
    return html`
      ${rope.kind === "none" ? nothing : html`<div class="above">${this.#renderProbe(rope)}</div>`}
      <div
        class="scroller ${this.#scrolls ? "scrolls" : ""}"
        role=${this.#scrolls ? "region" : "group"}
        aria-label="The sentence, token by token"
        tabindex=${this.#scrolls ? 0 : nothing}
        @scroll=${this.#onScroll}
      >
        <div class="content">
          <div
            class=${this.#staggers ? "tokens staggers" : "tokens"}
            role="group"
            aria-label="Tokens: Enter looks from one, Shift and Enter looks at it"
            @keydown=${this.#onKey}
            @focusin=${this.#onFocus}
          >
            ${guard([tokens, this.selection.query, this.selection.key, this.cursor], () =>
              tokens.map((token, i) => this.#renderToken(token, i)),
            )}
          </div>
          <div
            class="strip"
            @pointerdown=${this.#onPress}
            @pointermove=${this.#onMove}
            @pointerleave=${this.#onLeave}
            @click=${this.#onClick}
          >
            ${
              rope.kind === "none"
                ? html`<div class="empty"></div>`
                : html`<canvas class="near" role="img" aria-label=${this.#describe(rope)}></canvas>`
            }
            <div class="box query"></div>
            <div class="box key"></div>
          </div>
          <div class="positions">${tokens.map((_, i) => this.#renderPosition(i))}</div>
        </div>
      </div>
      ${
        rope.kind === "none"
          ? html`<p class="alike">No position: every token looks the same from anywhere.</p>`
          : this.#renderFar(rope)
      }
    `;
  }

  #renderToken(token: string, i: number) {
    const { query, key } = this.selection;
    return html`<button
      type="button"
      class=${i === query || i === key ? "chosen" : ""}
      tabindex=${i === this.cursor ? 0 : -1}
      title=${token}
      aria-pressed=${i === query}
      aria-describedby="position-${i}"
      data-token=${i}
      @click=${this.#onToken}
    ><span dir="auto">${tokenLabel(token)}</span></button>`;
  }

  #renderPosition(i: number) {
    const { query, key } = this.selection;
    return html`<span class=${i === query || i === key ? "chosen" : ""} id="position-${i}">${grouped.format(this.positionOffset + i)}</span>`;
  }

  #renderProbe(rope: Exclude<RopePicture, { kind: "none" }>) {
    const { probe } = this;
    if (probe !== undefined) {
      const { token, strand } = probe;
      const { values, columns, strands } = rope.near;
      // The middle column of a token's box is its position itself.
      const column = Math.floor(((token + 0.5) * columns) / this.tokens.length);
      const value = values[column * strands + strand] ?? 0;
      const at = grouped.format(this.positionOffset + token);
      const words =
        rope.kind === "angle"
          ? `pair ${strand} at position ${at}: ${fixed(value, 2)} rad`
          : strands === 1
            ? `position ${at}`
            : `bit ${strand} of ${at}: ${fixed(value, 0)}`;
      return html`<span class="probe">${words}</span>`;
    }
    if (rope.kind !== "angle") {
      const words = rope.near.strands > 1 ? "faint is 0, strong is 1" : "height and ink are the position";
      return html`<span class="legend">${words}</span>`;
    }
    return html`<span class="legend">hue is angle: −π
      <svg viewBox="0 0 ${legendSteps} 1" preserveAspectRatio="none" aria-hidden="true">
        ${legend.map((angle, k) => svg`<rect x=${k} width="1.1" height="1" fill=${angleColor(angle)}></rect>`)}
      </svg>
      π</span>`;
  }

  #renderFar(rope: Exclude<RopePicture, { kind: "none" }>) {
    const { first, last } = rope.kind === "level" ? rope.labels : turns(rope.wavelengths);
    const length = grouped.format(rope.farLength);
    const beyond = this.positionOffset >= rope.farLength;
    return html`
      <div class="captions"><span>${first}</span><span>${last}</span></div>
      <p class="further">The same rope from further off · ${length} positions</p>
      <div class="far">
        <canvas
          class="distant"
          role="img"
          aria-label=${`The same strands from position 0 to ${length}.`}
        ></canvas>
        <div class="sentence" ?hidden=${beyond}></div>
      </div>
      <div class="captions">
        <span>0</span>
        <span>${
          beyond
            ? `the sentence is beyond, at ${grouped.format(this.positionOffset)} →`
            : "the outline is the sentence"
        }</span>
        <span>${length}</span>
      </div>
    `;
  }

  #describe(rope: Exclude<RopePicture, { kind: "none" }>): string {
    const over = `${rope.near.strands === 1 ? "one strand" : `${rope.near.strands} strands`} over ${this.tokens.length} tokens`;
    if (rope.kind === "angle") {
      const { first, last } = turns(rope.wavelengths);
      return `Angles, ${over}; hue is angle. Fastest is ${first}; slowest is ${last}.`;
    }
    return `Levels as ink, ${over}. ${rope.labels.first}; ${rope.labels.last}.`;
  }

  protected override updated(changed: PropertyValues): void {
    const { rope, selection, scroller } = this;
    if (scroller === null || rope === undefined) return;
    const n = this.tokens.length;
    const set = (element: Element | null, name: string, value: string) =>
      (element as HTMLElement | null)?.style.setProperty(name, value);
    const laidOut = changed.has("tokens") || changed.has("width") || changed.has("fonts");
    if (laidOut || changed.has("rope")) {
      set(scroller, "--box", `${this.#box}px`);
      set(scroller, "--count", `${n}`);
      set(scroller, "--height", `${this.#height}px`);
    }
    const [queryBox, keyBox] = this.renderRoot.querySelectorAll(".box");
    set(queryBox ?? null, "--at", `${selection.query}`);
    set(keyBox ?? null, "--at", `${selection.key}`);
    keyBox?.classList.toggle("same", selection.key === selection.query);
    keyBox?.toggleAttribute("hidden", selection.key < 0);
    if (laidOut || changed.has("selection")) this.#reveal(laidOut);
    // The pointer, the cursor and the selection are no part of what the canvases show.
    const untouched = ["selection", "cursor", "probe", "positionOffset"];
    if (changed.size === 0 || [...changed.keys()].some((name) => !untouched.includes(name as string))) {
      this.#drawNear();
      this.#drawFar();
    }
    if (rope.kind !== "none") {
      const sentence = this.renderRoot.querySelector(".sentence");
      const scale = this.width / rope.farLength;
      const left = Math.min(this.positionOffset * scale, this.width - 4);
      set(sentence, "left", `${left}px`);
      set(sentence, "width", `${Math.min(n * scale, this.width - left)}px`);
    }
  }

  /** Of the near strip: a little more where that leaves each strand visible. */
  get #height(): number {
    if (this.rope === undefined || this.rope.kind === "none") return 88;
    const least = this.width < narrow ? 200 : 190;
    const { strands } = this.rope.near;
    return strands > 32 ? least : Math.max(least, 7.25 * strands);
  }

  /** As wide as the picture if every label has its room, on one level or two; else as wide as they need, and to be scrolled. */
  #measure(): void {
    const n = this.tokens.length;
    if (n === 0 || this.width === 0) return;
    const context = measuring();
    context.font = `650 13px ${getComputedStyle(this).fontFamily}`;
    const widths = this.tokens.map((token) => context.measureText(tokenLabel(token)).width);
    const gap = 7;
    /** Of a box, with labels on so many levels. */
    const need = (levels: number) => {
      let least = positionWidth;
      for (let i = 0; i < n; ++i) {
        const own = widths[i] as number;
        const next = widths[i + levels];
        // At the ends there is no neighbour whose room could be used.
        if (i === 0 || i === n - 1) least = Math.max(least, own + 2);
        if (next !== undefined) least = Math.max(least, ((own + next) / 2 + gap) / levels);
      }
      return least;
    };
    const small = this.width < narrow;
    const least = small ? boxWidth.leastNarrow : boxWidth.least;
    const most = small ? boxWidth.mostNarrow : boxWidth.most;
    const fits = (levels: number) => n * Math.max(need(levels), small ? least : 0) <= this.width;
    this.#staggers = n > 1 && !fits(1) && fits(2);
    this.#scrolls = n > 1 && !fits(1) && !fits(2);
    // A label that is scrolled has no room but its own box's.
    const own = Math.ceil(widths.reduce((max, width) => Math.max(max, width), 0)) + 8;
    this.#box = this.#scrolls ? Math.min(most, Math.max(least, positionWidth, own)) : this.width / n;
  }

  /** Have the selected query in view, and the key with it where both have room. */
  #reveal(laidOut: boolean): void {
    const { scroller, selection } = this;
    if (!this.#scrolls) return;
    const span = (first: number, last: number) => ({
      left: first * this.#box,
      right: (last + 1) * this.#box,
    });
    const { query, key } = selection;
    const both = key < 0 ? span(query, query) : span(Math.min(query, key), Math.max(query, key));
    const { left, right } = both.right - both.left <= this.width ? both : span(query, query);
    // Asking lays the page out.
    if (laidOut) this.#scrolled = scroller.scrollLeft;
    const seen = this.#scrolled;
    if (left >= seen && right <= seen + this.width) return;
    const still = laidOut || matchMedia("(prefers-reduced-motion: reduce)").matches;
    scroller.scrollTo({
      left: (left + right - this.width) / 2,
      behavior: still ? "instant" : "smooth",
    });
    this.#scrolled = scroller.scrollLeft;
  }

  #drawNear(): void {
    const { rope, nearCanvas } = this;
    if (nearCanvas === null || rope === undefined || rope.kind === "none") return;
    const whole = this.#box * this.tokens.length;
    const width = this.#scrolls ? Math.min(whole, Math.round(this.width * 1.4)) : this.width;
    const seen = this.#scrolls ? this.#scrolled : 0;
    const from = Math.round(Math.max(0, Math.min(whole - width, seen - (width - this.width) / 2)));
    this.#drawn = { from, to: from + width };
    nearCanvas.style.left = `${from}px`;
    const columns = rope.near.columns / whole;
    const view = this.#near.begin(nearCanvas, width, this.#height, from * columns, (from + width) * columns);
    const { near } = rope;
    if (rope.kind === "level") {
      paintLevels(view, near, this.inksOf(nearCanvas), near.columns === this.tokens.length);
    } else {
      const perPosition = near.columns / this.tokens.length;
      paintAngles(
        view,
        near,
        this.inksOf(nearCanvas),
        (s) => (rope.wavelengths[s] ?? Infinity) * perPosition,
      );
    }
    this.#near.end();
  }

  #drawFar(): void {
    const { rope, farCanvas } = this;
    if (farCanvas === null || rope === undefined || rope.kind === "none") return;
    const { far, farLength } = rope;
    const inks = this.inksOf(farCanvas);
    // While the sentence moves, the strip from further off stays as it is.
    const drawn = this.#drawnFar;
    if (drawn.far === far && drawn.width === this.width && drawn.inks === inks && drawn.canvas === farCanvas)
      return;
    this.#drawnFar = { far, width: this.width, inks, canvas: farCanvas };
    const view = this.#far.begin(farCanvas, this.width, farHeight, 0, far.columns);
    if (rope.kind === "level") {
      paintLevels(view, far, inks, false);
    } else {
      const perPosition = far.columns / farLength;
      paintAngles(view, far, inks, (s) => (rope.wavelengths[s] ?? Infinity) * perPosition);
    }
    this.#far.end();
  }

  readonly #onScroll = (): void => {
    const seen = this.scroller.scrollLeft;
    this.#scrolled = seen;
    const whole = this.#box * this.tokens.length;
    const margin = this.width / 16;
    const { from, to } = this.#drawn;
    if ((from > 0 && seen - margin < from) || (to < whole && seen + this.width + margin > to))
      this.#drawNear();
  };

  get #focused(): boolean {
    return this.renderRoot instanceof ShadowRoot && this.renderRoot.activeElement?.localName === "button";
  }

  #pick(token: number, asKey: boolean): void {
    const { query, key } = this.selection;
    if (asKey ? token === key : token === query) return;
    if (asKey) this.select(query, token);
    else this.select(token, key);
  }

  readonly #onToken = (event: MouseEvent): void => {
    const token = tokenOf(event.currentTarget);
    this.cursor = token;
    this.#pick(token, event.shiftKey);
  };

  readonly #onFocus = (event: FocusEvent): void => {
    this.cursor = tokenOf(event.target);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    const last = this.tokens.length - 1;
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.#pick(this.cursor, true);
      return;
    }
    const steps: Record<string, number> = {
      ArrowLeft: this.cursor - 1,
      ArrowRight: this.cursor + 1,
      Home: 0,
      End: last,
    };
    const to = steps[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.cursor = Math.max(0, Math.min(last, to));
    this.renderRoot.querySelector<HTMLElement>(`[data-token="${this.cursor}"]`)?.focus();
  };

  #probeAt(event: PointerEvent | MouseEvent): Probe {
    const bounds = this.strip.getBoundingClientRect();
    const strands = this.rope === undefined || this.rope.kind === "none" ? 1 : this.rope.near.strands;
    const n = this.tokens.length;
    const x = (event.clientX - bounds.left) / this.#box;
    const strand = Math.floor(((event.clientY - bounds.top) / bounds.height) * strands);
    return {
      token: Math.max(0, Math.min(n - 1, Math.floor(x))),
      strand: Math.max(0, Math.min(strands - 1, strand)),
    };
  }

  /** A mouse or pen draws the query along; a finger swipes, and its tap is a click. */
  readonly #onPress = (event: PointerEvent): void => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    this.strip.setPointerCapture(event.pointerId);
    this.#pick(this.#probeAt(event).token, event.shiftKey);
  };

  readonly #onMove = (event: PointerEvent): void => {
    if (event.pointerType === "touch") return;
    this.probe = this.#probeAt(event);
    if (this.strip.hasPointerCapture(event.pointerId)) this.#pick(this.probe.token, event.shiftKey);
  };

  readonly #onLeave = (): void => {
    this.probe = undefined;
  };

  readonly #onClick = (event: MouseEvent): void => {
    this.#pick(this.#probeAt(event).token, event.shiftKey);
  };
}

let measurer: CanvasRenderingContext2D | undefined;

function measuring(): CanvasRenderingContext2D {
  measurer ??= document.createElement("canvas").getContext("2d") ?? undefined;
  if (measurer === undefined) throw new Error("This browser has no 2D canvas.");
  return measurer;
}

function tokenOf(target: EventTarget | null): number {
  return Number((target as HTMLElement | null)?.dataset.token ?? 0);
}

/** How fast the first strand turns, and how slowly the last. */
function turns(wavelengths: Float64Array): { first: string; last: string } {
  const positions = (wavelength: number) =>
    wavelength.toLocaleString("en", { maximumFractionDigits: wavelength < 100 ? 1 : 0 });
  const last = wavelengths.length - 1;
  return {
    first: `pair 0 on top: one turn in ${positions(wavelengths[0] ?? Number.NaN)} positions`,
    last: last > 0 ? `pair ${last}: one turn in ${positions(wavelengths[last] ?? Number.NaN)}` : "",
  };
}
