import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fitted, measureIn } from "./labels.js";
import { swapped } from "./order_pipeline.js";
import { fixed, Picture, tokenLabel } from "./picture.js";
import { theme } from "./theme.js";
import { words } from "./words/en/order.js";

/** Told by the picture when the user has put the tokens into another order. */
export class OrderEvent extends Event {
  static readonly type = "ropewalk-order";

  constructor(readonly order: readonly number[]) {
    super(OrderEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-order": OrderEvent;
  }
}

const chipHeight = 34;
/** Lying: arcs above the tokens, bars below. */
const rise = 140;
const barLength = 64;
const foot = 44;
const leastGap = 5;
const mostGap = 44;
/** Upright: arcs at the left of the tokens, bars at the right. */
const rowHeight = 36;
const figureWidth = 88;
/** A pointer that has not gone so far has not dragged. */
const threshold = 4;
/** In which a token that makes way has gone two thirds of it, in ms. */
const pace = 55;

interface Chips {
  labels: string[];
  widths: number[];
  /** Tokens below one another: in a line they would have no room. */
  upright: boolean;
  /** For the arcs of upright ones, at their left. */
  aside: number;
}

interface Drag {
  token: number;
  /** From the pointer to the middle of the token. */
  grip: number;
  start: number;
  moves: boolean;
}

/**
 * The words of a sentence, to be put into another order, and what one of them, the query, gives to each: its arcs and bars
 * go along with the words.
 */
export class RopewalkReorder extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .line {
        position: relative;
        user-select: none;
      }

      svg {
        display: block;
        overflow: visible;
        pointer-events: none;
      }

      .arc {
        fill: none;
        stroke: var(--ink);
      }

      .bar {
        fill: var(--ink);
      }

      .was {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1.25;
      }

      .ground {
        stroke: var(--line);
      }

      text {
        fill: var(--ink);
        font: 13px var(--label);
        text-anchor: middle;
        dominant-baseline: central;
      }

      text.before {
        fill: var(--soft);
        font-size: 12px;
      }

      .upright text {
        text-anchor: start;
      }

      button {
        position: absolute;
        top: 0;
        left: 0;
        height: ${chipHeight}px;
        padding: 0;
        border: 1px solid var(--soft);
        border-radius: 8px;
        background: var(--panel);
        color: var(--ink);
        font: 500 14px var(--label);
        white-space: nowrap;
        cursor: grab;
        touch-action: pan-y;
        -webkit-tap-highlight-color: transparent;
      }

      .upright button {
        height: 30px;
        touch-action: none;
      }

      button[aria-pressed="true"] {
        background: var(--ink);
        color: var(--panel);
        border-color: var(--ink);
        font-weight: 600;
      }

      button.dragged {
        z-index: 1;
        cursor: grabbing;
        border-width: 2px;
      }
    `,
  ];

  @property({ attribute: false }) tokens: readonly string[] = [];
  /** Which token stands in each place. */
  @property({ attribute: false }) order: readonly number[] = [];
  /** The query's weights over all tokens, by token: as the sentence was written, and as it stands now. */
  @property({ attribute: false }) was: Float32Array = new Float32Array(0);
  @property({ attribute: false }) now: Float32Array = new Float32Array(0);
  @property({ type: Number }) query = 0;
  /** Whether tokens after the query are masked. */
  @property({ type: Boolean }) causal = false;

  /** The token that the Tab key leads to. */
  @state() private cursor = 0;
  @state() private drag: Drag | undefined;
  /** Counts the frames in which tokens glide. */
  @state() private frames = 0;
  /** What was done by a key, for who cannot see it. */
  @state() private said = "";

  #chips: Chips | undefined;
  /** The middle of each token along the line, and where it is to come to rest. */
  #at: number[] = [];
  #target: number[] = [];
  #frame = 0;
  #time = 0;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.drag = undefined;
  }

  protected override willUpdate(changed: PropertyValues): void {
    const { tokens, order, width } = this;
    if (changed.has("query") || changed.has("tokens")) this.cursor = this.query;
    if (width === 0) return;
    const isNew = changed.has("tokens") || changed.has("width") || changed.has("fonts");
    if (isNew) this.#chips = this.#measure();
    if (["tokens", "order", "was", "now", "query"].some((name) => changed.has(name))) this.settle();
    if (isNew || changed.has("order")) {
      this.#target = this.#middles(order);
      // Another sentence, or another width, is no motion.
      const still = isNew || matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (still || this.#at.length !== tokens.length) this.#at = [...this.#target];
    }
    if (this.#at.some((at, token) => at !== this.#target[token] && token !== this.drag?.token)) this.#glide();
  }

  #measure(): Chips {
    const { tokens, width } = this;
    const measure = measureIn(this, 14);
    const wide = tokens.map((token) => fitted(tokenLabel(token), 160, measure));
    const widths = wide.map((label) => Math.max(28, Math.ceil(measure(label)) + 16));
    const sum = widths.reduce((total, one) => total + one, 0);
    if (sum + leastGap * tokens.length <= width) return { labels: wide, widths, upright: false, aside: 0 };
    const aside = Math.round(Math.max(60, Math.min(200, width * 0.2)));
    const room = Math.min(150, width - aside - figureWidth - 60);
    const labels = tokens.map((token) => fitted(tokenLabel(token), room - 20, measure));
    const broadest = labels.reduce((most, label) => Math.max(most, Math.ceil(measure(label)) + 20), 60);
    return { labels, widths: tokens.map(() => broadest), upright: true, aside };
  }

  /** Where the middle of each token is, in an order. */
  #middles(order: readonly number[]): number[] {
    const { widths, upright } = this.#chips as Chips;
    const middles: number[] = [];
    if (upright) {
      order.forEach((token, place) => {
        middles[token] = (place + 0.5) * rowHeight;
      });
      return middles;
    }
    const sum = widths.reduce((total, one) => total + one, 0);
    const gap = Math.min(mostGap, (this.width - sum) / order.length);
    let at = (this.width - sum - gap * order.length) / 2 + gap / 2;
    for (const token of order) {
      const width = widths[token] as number;
      middles[token] = at + width / 2;
      at += width + gap;
    }
    return middles;
  }

  #glide(): void {
    if (this.#frame !== 0) return;
    this.#time = performance.now();
    const step = (time: number) => {
      const part = 1 - Math.exp(-Math.max(0, time - this.#time) / pace);
      this.#time = time;
      let moves = false;
      this.#at = this.#at.map((at, token) => {
        const target = this.#target[token] as number;
        if (token === this.drag?.token) return at;
        const next = at + (target - at) * part;
        if (Math.abs(target - next) < 0.3) return target;
        moves = true;
        return next;
      });
      this.frames += 1;
      this.#frame = moves ? requestAnimationFrame(step) : 0;
    };
    this.#frame = requestAnimationFrame(step);
  }

  protected override render() {
    const chips = this.#chips;
    const { tokens, order, query, causal } = this;
    if (chips === undefined || this.width === 0 || tokens.length === 0) return nothing;
    const { upright } = chips;
    const height = upright ? rowHeight * tokens.length : rise + chipHeight + 12 + barLength + foot;
    const queryPlace = order.indexOf(query);
    return html`
      <div
        class="line ${upright ? "upright" : ""}"
        role="group"
        aria-label=${words.line.label(upright)}
        @keydown=${this.#onKey}
        @pointermove=${this.#onMove}
        @pointerup=${this.#onEnd}
        @pointercancel=${this.#onEnd}
      >
        <svg width=${this.width} height=${height} aria-hidden="true">
          ${this.#renderArcs(chips)}
          ${upright ? this.#renderRows(chips) : this.#renderBars()}
        </svg>
        ${tokens.map((token, i) => {
          const place = order.indexOf(i);
          return html`<button
            type="button"
            class=${this.drag?.token === i && this.drag.moves ? "dragged" : ""}
            tabindex=${i === this.cursor ? 0 : -1}
            aria-pressed=${i === query}
            data-token=${i}
            @pointerdown=${this.#onPress}
            @click=${this.#onPick}
            @focus=${this.#onFocus}
          ><bdi aria-hidden="true">${chips.labels[i]}</bdi><span class="visually-hidden"
            >${this.#describe(token, i, place, causal && place > queryPlace)}</span></button>`;
        })}
      </div>
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>
      ${guard([this.settled], () => this.#renderTable())}
    `;
  }

  #describe(token: string, i: number, place: number, masked: boolean): string {
    const all = [tokenLabel(token), place + 1, this.tokens.length] as const;
    return masked ? words.line.masked(...all) : words.line.weight(...all, fixed(this.now[i] ?? 0, 2));
  }

  #renderArcs({ upright, aside }: Chips) {
    const from = this.#at[this.query] as number;
    const reach = upright ? rowHeight * this.tokens.length : this.width;
    return this.tokens.map((_, i) => {
      const weight = this.now[i] ?? 0;
      const to = this.#at[i] as number;
      if (i === this.query || weight === 0) return nothing;
      const share = Math.min(1, Math.abs(to - from) / reach) ** 0.7;
      const height = (upright ? aside - 8 : rise - 10) * share * 1.3;
      return svg`<path
        class="arc"
        d=${
          upright
            ? `M${aside - 4},${r(from)}C${r(aside - 4 - height)},${r(from)} ${r(aside - 4 - height)},${r(to)} ${aside - 4},${r(to)}`
            : `M${r(from)},${rise - 3}C${r(from)},${r(rise - 3 - height)} ${r(to)},${r(rise - 3 - height)} ${r(to)},${rise - 3}`
        }
        stroke-width=${Math.min(9, 0.75 + 16 * weight).toFixed(2)}
        stroke-opacity=${Math.min(0.9, 0.25 + 1.1 * Math.sqrt(weight)).toFixed(3)}
      ></path>`;
    });
  }

  /** The largest weight, whose bar is as long as there is room. */
  get #largest(): number {
    return [...this.was, ...this.now].reduce((most, weight) => Math.max(most, weight), 1e-9);
  }

  #changed(i: number): boolean {
    return Math.abs((this.now[i] ?? 0) - (this.was[i] ?? 0)) >= 0.005;
  }

  #renderBars() {
    const ground = rise + chipHeight + 12 + barLength;
    const scale = barLength / this.#largest;
    return svg`
      <line class="ground" x1="0" x2=${this.width} y1=${ground} y2=${ground}></line>
      ${this.tokens.map((_, i) => {
        const x = this.#at[i] as number;
        const now = (this.now[i] ?? 0) * scale;
        const past = (this.was[i] ?? 0) * scale;
        return svg`
          <rect class="bar" x=${r(x - 6)} y=${r(ground - now)} width="12" height=${r(now)}></rect>
          <path class="was" d="M${r(x - 10)} ${ground}V${r(ground - past)}H${r(x + 10)}V${ground}"></path>
          <text x=${r(x)} y=${ground + 15}>${fixed(this.now[i] ?? 0, 2)}</text>
          ${this.#changed(i) ? svg`<text class="before" x=${r(x)} y=${ground + 33}>${fixed(this.was[i] ?? 0, 2)}</text>` : nothing}`;
      })}`;
  }

  #renderRows({ widths, aside }: Chips) {
    const left = aside + (widths[0] as number) + 10;
    const scale = Math.max(10, this.width - left - figureWidth) / this.#largest;
    return this.tokens.map((_, i) => {
      const y = this.#at[i] as number;
      const now = (this.now[i] ?? 0) * scale;
      const past = (this.was[i] ?? 0) * scale;
      const x = this.width - figureWidth + 10;
      return svg`
        <rect class="bar" x=${left} y=${r(y - 5)} width=${r(now)} height="10"></rect>
        <path class="was" d="M${left} ${r(y - 9)}H${r(left + past)}V${r(y + 9)}H${left}"></path>
        <text x=${x} y=${r(y)}>${fixed(this.now[i] ?? 0, 2)}</text>
        ${this.#changed(i) ? svg`<text class="before" x=${x + 38} y=${r(y)}>${fixed(this.was[i] ?? 0, 2)}</text>` : nothing}`;
    });
  }

  #renderTable() {
    const { tokens, order } = this;
    const { table } = words.line;
    return html`<div class="visually-hidden"><table>
      <caption>${table.caption(tokenLabel(tokens[this.query] ?? ""))}</caption>
      <thead><tr><th scope="col">${table.word}</th><th scope="col">${table.was}</th><th scope="col">${table.now}</th></tr></thead>
      <tbody>
        ${order.map(
          (token) => html`<tr>
            <th scope="row">${tokenLabel(tokens[token] ?? "")}</th>
            <td>${fixed(this.was[token] ?? 0, 6)}</td>
            <td>${fixed(this.now[token] ?? 0, 6)}</td>
          </tr>`,
        )}
      </tbody>
    </table></div>`;
  }

  protected override updated(): void {
    const chips = this.#chips;
    if (chips === undefined) return;
    const { widths, upright, aside } = chips;
    // Set here and not in the template: the page's policy allows no style attributes.
    for (const button of this.renderRoot.querySelectorAll("button")) {
      const i = Number(button.dataset.token);
      const at = this.#at[i] as number;
      const width = widths[i] as number;
      button.style.width = `${width}px`;
      button.style.translate = upright ? `${aside}px ${at - 15}px` : `${at - width / 2}px ${rise}px`;
    }
  }

  #along(event: PointerEvent): number {
    return this.#chips?.upright ? event.clientY : event.clientX;
  }

  readonly #onPress = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const button = event.currentTarget as HTMLElement;
    const token = tokenOf(button);
    button.setPointerCapture(event.pointerId);
    const start = this.#along(event);
    this.drag = { token, grip: (this.#at[token] as number) - start, start, moves: false };
  };

  readonly #onMove = (event: PointerEvent): void => {
    const { drag } = this;
    if (drag === undefined) return;
    const along = this.#along(event);
    if (!drag.moves && Math.abs(along - drag.start) < threshold) return;
    const extent = this.#chips?.upright ? rowHeight * this.tokens.length : this.width;
    const at = Math.max(0, Math.min(extent, along + drag.grip));
    this.#at[drag.token] = at;
    this.drag = { ...drag, moves: true };
    this.#put(this.#passing(drag.token, at));
  };

  /** The order in which a token has changed sides with every neighbour whose middle it has passed. */
  #passing(token: number, at: number): readonly number[] {
    let { order } = this;
    for (;;) {
      const place = order.indexOf(token);
      const middles = this.#middles(order);
      const middle = (other: number | undefined) => (other === undefined ? undefined : middles[other]);
      if (at > (middle(order[place + 1]) ?? Number.POSITIVE_INFINITY)) order = swapped(order, place, 1);
      else if (at < (middle(order[place - 1]) ?? Number.NEGATIVE_INFINITY)) order = swapped(order, place, -1);
      else return order;
    }
  }

  readonly #onEnd = (): void => {
    if (this.drag === undefined) return;
    this.#glide();
    // The click that may follow still has to know whether something was dragged.
    setTimeout(() => {
      this.drag = undefined;
    });
  };

  readonly #onPick = (event: Event): void => {
    if (this.drag?.moves) return;
    const token = tokenOf(event.currentTarget);
    this.select(token, token);
  };

  readonly #onFocus = (event: Event): void => {
    this.cursor = tokenOf(event.currentTarget);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { order, cursor } = this;
    const place = order.indexOf(cursor);
    const last = order.length - 1;
    const steps: Record<string, -1 | 1> = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
    const step = steps[event.key];
    const ends: Record<string, number> = { Home: 0, End: last };
    const to = step === undefined ? ends[event.key] : Math.max(0, Math.min(last, place + step));
    if (to === undefined) return;
    event.preventDefault();
    if (event.shiftKey) {
      if (step === undefined) return;
      const next = swapped(order, place, step);
      this.#put(next);
      const token = tokenLabel(this.tokens[cursor] ?? "");
      this.said = words.line.moved(token, next.indexOf(cursor) + 1, order.length);
      return;
    }
    this.renderRoot.querySelector<HTMLElement>(`[data-token="${order[to]}"]`)?.focus();
  };

  #put(order: readonly number[]): void {
    if (order !== this.order) this.dispatchEvent(new OrderEvent(order));
  }
}

function tokenOf(target: EventTarget | null): number {
  return Number((target as HTMLElement).dataset.token);
}

function r(value: number): string {
  return value.toFixed(1);
}
