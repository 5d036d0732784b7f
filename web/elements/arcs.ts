import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { stepOf } from "./keys.js";
import { fitted, type Measure, measureIn } from "./labels.js";
import { fixed, Picture, type Selection, tokenLabel } from "./picture.js";
import { theme } from "./theme.js";
import { words } from "./words/en/arcs.js";

const narrowBelow = 480;
/** From this many tokens on, faint arcs are left out. */
const manyTokens = 33;
const labelled = 5;
const tokenHeight = 28;
const rowHeight = 28;
/** A list of up to so many tokens is shown whole, a longer one through a window; half a row tells that there is more. */
const mostRows = 20;
const windowRows = 14.5;
/** How broad a value is set. */
const figureWidth = 38;

interface Layout {
  readonly n: number;
  /** Tokens stand below one another, with arcs at their left. */
  readonly narrow: boolean;
  readonly labels: readonly string[];
  /** Where each token begins and how long it is, along the line of tokens. */
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
  /** Length of the line of tokens, and of the part of it that is seen at once. */
  readonly extent: number;
  readonly window: number;
  /** How far the highest arc rises. */
  readonly rise: number;
}

interface Arc {
  readonly key: number;
  readonly weight: number;
  readonly from: number;
  readonly to: number;
  readonly rise: number;
}

interface ValueLabel {
  readonly key: number;
  readonly weight: number;
  readonly x: number;
  readonly y: number;
}

/** What one query attends to: arcs from its token to the others, the broader and darker the more weight. */
export class RopewalkArcs extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .strip {
        position: relative;
        overflow: auto hidden;
        scrollbar-width: thin;
        scrollbar-color: var(--line) transparent;
        padding-bottom: 2px;
      }

      .narrow .strip {
        overflow: hidden auto;
      }

      .inner {
        position: relative;
      }

      svg {
        position: absolute;
        left: 0;
        top: 0;
        overflow: visible;
      }

      .arc,
      .own {
        fill: none;
        stroke: var(--ink);
      }

      .own.dot {
        fill: var(--ink);
        stroke: none;
      }

      .reach {
        fill: none;
        stroke: transparent;
        stroke-width: 24;
        pointer-events: stroke;
        cursor: pointer;
      }

      g:hover > .arc {
        stroke-opacity: 1;
      }

      text {
        font-size: 12px;
        fill: var(--soft);
        stroke: var(--panel);
        stroke-linejoin: round;
        paint-order: stroke;
        text-anchor: middle;
        dominant-baseline: central;
        pointer-events: none;
      }

      text.chosen {
        fill: var(--ink);
        font-weight: 600;
      }

      text.own {
        stroke: none;
        fill: var(--soft);
        text-anchor: start;
      }

      button {
        position: absolute;
        display: flex;
        align-items: center;
        justify-content: center;
        margin: 0;
        padding: 0;
        border: 0;
        border-radius: 6px;
        background: none;
        color: var(--soft);
        font: inherit;
        font-size: 14px;
        line-height: 1;
        white-space: nowrap;
        cursor: pointer;
        touch-action: manipulation;
      }

      button.seen {
        color: var(--ink);
      }

      button:hover {
        background: var(--line);
      }

      button.key .word {
        text-decoration: underline;
        text-decoration-thickness: 2px;
        text-underline-offset: 5px;
      }

      button[aria-pressed="true"] {
        color: var(--ink);
        font-weight: 600;
      }

      button:focus-visible {
        outline-offset: -2px;
      }

      .narrow button {
        justify-content: start;
        padding: 0 8px;
      }

      text.figure {
        font-size: 13px;
        stroke: none;
        text-anchor: end;
      }

      text.seen {
        fill: var(--ink);
      }

      .note {
        margin: 4px 0 0;
        min-height: 1.4em;
        color: var(--soft);
        font-size: 12px;
      }

      @media (prefers-reduced-motion: no-preference) {
        .arc,
        .own {
          transition: stroke-opacity 150ms;
        }
      }
    `,
  ];

  @property({ attribute: false }) tokens: readonly string[] = [];
  /** Weights of the query over all keys. May be the same array with other numbers in it: every setting redraws. */
  @property({ attribute: false, hasChanged: () => true }) row: Float32Array = new Float32Array(0);
  /** Whether keys later than the query are masked. */
  @property({ type: Boolean }) causal = false;
  @property({ attribute: false }) selection: Selection = { query: 0, key: 0 };

  /** The token that the Tab key leads to. */
  @state() private cursor = 0;

  @query(".strip") private readonly strip!: HTMLElement | null;
  @query(".inner") private readonly inner!: HTMLElement | null;

  #layout: Layout | undefined;
  #laidOutFor: readonly unknown[] = [];
  /** Layout and query that were last brought into view, and layout that the buttons were last placed by. */
  #inView: readonly unknown[] = [];
  #placed: Layout | undefined;

  protected override willUpdate(changed: PropertyValues<this>): void {
    const basis = [this.tokens, this.width, this.fonts];
    if (this.width > 0 && basis.some((value, i) => value !== this.#laidOutFor[i])) {
      this.#laidOutFor = basis;
      this.#layout = this.tokens.length > 0 ? layOut(this, this.tokens, this.width) : undefined;
    }
    if (changed.has("tokens") || changed.has("selection")) this.cursor = this.inside(this.selection.query);
  }

  protected override render() {
    const layout = this.#layout;
    if (layout === undefined) return nothing;
    const q = this.inside(this.selection.query);
    const k = this.inside(this.selection.key);
    const { arcs, rest, restWeight } = this.arcs(layout, q);
    const ownAt = middleOf(layout, q);
    const digits = layout.n < manyTokens ? 2 : 3;
    const labels = layout.narrow ? [] : valueLabels(layout, arcs, k, ownAt, this.causal);
    const drawn = new Set(arcs.map((arc) => arc.key));
    // Among many tokens attention is spread thinner, and the same weight counts for more.
    const thick = Math.sqrt(Math.max(1, layout.n / 24));
    const width = (weight: number) => Math.min(9, 0.75 + 12 * weight * thick);
    const opacity = (weight: number) => Math.min(0.85, 0.3 + 0.72 * Math.sqrt(weight * thick));
    const path = (arc: Arc) => (layout.narrow ? sideways(arc, layout.rise) : upwards(arc, layout.rise));
    const own = this.row[q] ?? 0;
    const foot = layout.rise + tokenHeight;
    const size = layout.narrow
      ? { width: layout.rise, height: layout.extent }
      : { width: layout.extent, height: foot + 30 };
    return html`
      <div class=${layout.narrow ? "narrow" : "wide"}>
        <div class="strip">
          <div
            class="inner"
            role="group"
            aria-label=${words.label(tokenLabel(this.tokens[q] ?? ""))}
            @keydown=${this.onKeydown}
          >
            <svg aria-hidden="true" width=${size.width} height=${size.height}>
              ${repeat(
                arcs,
                (arc) => arc.key,
                (arc) => svg`
                  <g @click=${() => this.select(q, arc.key)}>
                    <path class="reach" d=${path(arc)} />
                    <path
                      class="arc"
                      d=${path(arc)}
                      stroke-width=${width(arc.weight).toFixed(2)}
                      stroke-opacity=${(arc.key === k ? 1 : opacity(arc.weight)).toFixed(3)}
                    />
                  </g>`,
              )}
              ${
                layout.narrow
                  ? svg`<circle class="own dot" cx=${layout.rise - 4} cy=${ownAt} r=${(1.5 + 3 * Math.sqrt(own)).toFixed(2)} />`
                  : svg`
                    <path
                      class="own"
                      d=${`M${ownAt - 4},${foot}c-14,28 22,28 8,0`}
                      stroke-width=${(width(own) / 2 + 0.4).toFixed(2)}
                      stroke-opacity=${(k === q ? 1 : opacity(own)).toFixed(3)}
                    />
                    <text class="own" x=${ownAt + 16} y=${foot + 14}>${words.itself(fixed(own, digits))}</text>`
              }
              ${
                layout.narrow
                  ? this.tokens.map(
                      (_, i) => svg`
                        <text
                          class="figure ${drawn.has(i) || i === q ? "seen" : ""}"
                          x=${this.width - 8}
                          y=${middleOf(layout, i)}
                        >${this.causal && i > q ? words.masked : fixed(this.row[i] ?? 0, digits)}</text>`,
                    )
                  : nothing
              }
              ${labels.map(
                (label) => svg`
                  <text
                    class=${label.key === k ? "chosen" : ""}
                    x=${label.x.toFixed(1)}
                    y=${label.y.toFixed(1)}
                    stroke-width=${width(label.weight) > 4 ? 9 : 6}
                  >${fixed(label.weight, digits)}</text>`,
              )}
            </svg>
            ${this.tokens.map((token, i) => {
              const weight = this.row[i] ?? 0;
              const says = this.causal && i > q ? undefined : fixed(weight, digits);
              const classes = [i === k ? "key" : "", drawn.has(i) ? "seen" : ""].join(" ");
              return html`<button
                type="button"
                class=${classes}
                tabindex=${i === this.cursor ? 0 : -1}
                aria-pressed=${i === q}
                @click=${(event: MouseEvent) => this.pick(i, event.shiftKey)}
                @focus=${() => {
                  this.cursor = i;
                }}
              ><bdi class="word" aria-hidden="true">${layout.labels[i]}</bdi><span class="visually-hidden"
                >${words.token(tokenLabel(token), says, i === k)}</span
              ></button>`;
            })}
          </div>
        </div>
        ${
          rest === 0 || layout.n < manyTokens
            ? nothing
            : html`<p class="note">${words.rest(rest, fixed(restWeight, 2))}</p>`
        }
      </div>
    `;
  }

  protected override updated(): void {
    const layout = this.#layout;
    const { inner, strip } = this;
    if (layout === undefined || inner === null || strip === null) return;
    if (layout !== this.#placed) {
      this.#placed = layout;
      // Set here and not in the template: the page's policy allows no style attributes.
      const { narrow, extent, rise } = layout;
      strip.style.maxHeight = narrow ? `${layout.window + 2}px` : "";
      inner.style.width = narrow ? "100%" : `${extent}px`;
      inner.style.height = `${narrow ? extent : rise + tokenHeight + 32}px`;
      inner.querySelectorAll("button").forEach((button, i) => {
        const along = layout.starts[i] ?? 0;
        const length = layout.lengths[i] ?? 0;
        const { style } = button;
        style.left = `${narrow ? rise : along}px`;
        style.top = `${narrow ? along : rise}px`;
        style.width = narrow ? `calc(100% - ${rise}px)` : `${length}px`;
        style.height = `${narrow ? length : tokenHeight}px`;
      });
    }
    const q = this.inside(this.selection.query);
    if (this.#inView[0] !== layout || this.#inView[1] !== q) {
      this.#inView = [layout, q];
      bringIntoView(strip, layout, q, this.causal);
    }
  }

  private arcs(layout: Layout, q: number): { arcs: Arc[]; rest: number; restWeight: number } {
    const from = middleOf(layout, q);
    // Height by the logarithm of the distance: near arcs keep apart, far ones do not run off.
    const near = layout.window * (layout.extent > layout.window ? 0.1 : 0.3);
    const reach = this.causal ? from : Math.max(from, layout.extent - from);
    const whole = Math.log1p(reach / near);
    const keys: number[] = [];
    for (let key = 0; key < layout.n; ++key) if (key !== q && (this.row[key] ?? 0) > 0) keys.push(key);
    let shown = keys;
    const weightOf = (key: number) => this.row[key] ?? 0;
    const least = layout.n < manyTokens ? 0.005 : 0.01;
    if (keys.some((key) => weightOf(key) < least)) {
      const strongest = [...keys].sort((a, b) => weightOf(b) - weightOf(a));
      // However evenly attention is spread, its strongest few are seen.
      const few = new Set(strongest.slice(0, 8));
      shown = keys.filter((key) => weightOf(key) >= least || (few.has(key) && layout.n >= manyTokens));
    }
    const arcs = shown.map((key) => {
      const to = middleOf(layout, key);
      const far = Math.abs(to - from);
      const share = Math.min(1, Math.log1p(far / near) / whole);
      return {
        key,
        weight: weightOf(key),
        from,
        to,
        rise: Math.min(share * (layout.rise - 16), 8 + 0.6 * far),
      };
    });
    const drawn = new Set(shown);
    const left = keys.filter((key) => !drawn.has(key));
    return { arcs, rest: left.length, restWeight: left.reduce((sum, key) => sum + weightOf(key), 0) };
  }

  private inside(i: number): number {
    return Math.max(0, Math.min(this.tokens.length - 1, i));
  }

  private pick(i: number, asKey: boolean): void {
    const q = this.inside(this.selection.query);
    const k = this.inside(this.selection.key);
    if (!asKey) this.select(i, this.causal && k > i ? i : k);
    else if (!this.causal || i <= q) this.select(q, i);
  }

  private onKeydown(event: KeyboardEvent): void {
    const { cursor } = this;
    if (event.shiftKey && stepOf(event, { Enter: true })) {
      this.pick(cursor, true);
      return;
    }
    const next = stepOf(event, {
      ArrowLeft: cursor - 1,
      ArrowUp: cursor - 1,
      ArrowRight: cursor + 1,
      ArrowDown: cursor + 1,
      PageUp: cursor - 10,
      PageDown: cursor + 10,
      Home: 0,
      End: this.tokens.length - 1,
    });
    if (next === undefined) return;
    this.inner?.querySelectorAll("button")[this.inside(next)]?.focus();
  }
}

function middleOf(layout: Layout, i: number): number {
  return (layout.starts[i] ?? 0) + (layout.lengths[i] ?? 0) / 2;
}

function layOut(element: Element, tokens: readonly string[], width: number): Layout {
  const n = tokens.length;
  const measure: Measure = measureIn(element, 14);
  if (width < narrowBelow) {
    const rise = Math.round(Math.min(150, width * 0.42));
    const labels = tokens.map((token) => fitted(tokenLabel(token), width - rise - 72, measure));
    return {
      n,
      narrow: true,
      labels,
      starts: tokens.map((_, i) => i * rowHeight),
      lengths: tokens.map(() => rowHeight),
      extent: n * rowHeight,
      window: n <= mostRows ? n * rowHeight : windowRows * rowHeight,
      rise,
    };
  }
  const labels = tokens.map((token) => fitted(tokenLabel(token), 150, measure));
  const lengths = labels.map((label) => Math.max(24, Math.ceil(measure(label)) + 12));
  const sum = lengths.reduce((total, length) => total + length, 0);
  const gap = sum + 4 * n > width ? 4 : Math.min(48, (width - sum) / n);
  const extent = Math.max(width, sum + gap * n);
  let at = (extent - sum - gap * n) / 2 + gap / 2;
  const starts = lengths.map((length) => {
    const start = at;
    at += length + gap;
    return start;
  });
  const rise = n === 1 ? 8 : Math.round(Math.min(extent > width ? 260 : 210, 40 + 0.3 * (sum + gap * n)));
  return { n, narrow: false, labels, starts, lengths, extent, window: width, rise };
}

/** An arc over the line of tokens: it leaves and arrives upright, so that arcs to one token nest. */
function upwards({ from, to, rise }: Arc, base: number): string {
  const top = base - (rise * 4) / 3;
  return `M${from},${base}C${from},${top} ${to},${top} ${to},${base}`;
}

function sideways({ from, to, rise }: Arc, base: number): string {
  const out = base - 4 - (rise * 4) / 3;
  return `M${base - 4},${from}C${out},${from} ${out},${to} ${base - 4},${to}`;
}

/** Values beside the strongest arcs, at their tops or, where these are taken or out of view, further along. */
function valueLabels(
  layout: Layout,
  arcs: readonly Arc[],
  key: number,
  from: number,
  causal: boolean,
): ValueLabel[] {
  const strongest = [...arcs].sort((a, b) => b.weight - a.weight).slice(0, labelled);
  const chosen = arcs.find((arc) => arc.key === key);
  if (chosen !== undefined && !strongest.includes(chosen)) strongest.splice(-1, 1, chosen);
  const labels: ValueLabel[] = [];
  const scrolls = layout.extent > layout.window;
  for (const arc of strongest) {
    for (const t of [0.5, 0.4, 0.6, 0.3, 0.7, 0.22]) {
      const along = (arc.to - arc.from) * t * t * (3 - 2 * t);
      // A short arc has its value outside, where it keeps clear of what rises from the query.
      const short = Math.abs(along) < figureWidth / 2 + 8;
      const x = short ? from + Math.sign(along) * (figureWidth / 2 + 8) : from + along;
      const y = layout.rise - 4 * arc.rise * t * (1 - t) - (short ? 6 : 0);
      if (scrolls && Math.abs(x - from) > layout.window * (causal ? 0.7 : 0.45)) continue;
      if (labels.some((label) => Math.abs(label.x - x) < figureWidth && Math.abs(label.y - y) < 15)) continue;
      labels.push({ key: arc.key, weight: arc.weight, x, y });
      break;
    }
  }
  return labels;
}

/** Scrolls the line of tokens so that a query is seen with what lies before it, unless it is in view already. */
function bringIntoView(strip: HTMLElement, layout: Layout, q: number, causal: boolean): void {
  const at = middleOf(layout, q);
  const window = layout.window;
  const begin = layout.narrow ? strip.scrollTop : strip.scrollLeft;
  const margin = window * 0.12;
  if (layout.extent <= window || (at > begin + margin && at < begin + window - margin)) return;
  const to = at - window * (causal ? 0.75 : 0.5);
  if (layout.narrow) strip.scrollTop = to;
  else strip.scrollLeft = to;
}
