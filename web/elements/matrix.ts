import { axisBottom } from "d3-axis";
import { type ScaleBand, scaleBand, scaleLinear } from "d3-scale";
import { select as selectNode } from "d3-selection";
import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, query, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { fitted, type Measure, measureIn } from "./labels.js";
import { fixed, Picture, type Selection, tokenLabel } from "./picture.js";
import { type Rgb, theme } from "./theme.js";

const narrowBelow = 480;
const largestCell = 44;
const largestSide = 768;
/** Cells from this size on are told apart by lines between them. */
const gridFrom = 8;
const legendWidth = 168;
const ticks = 4;
/** Room for what is read off beside the picture, the gap included; it stands there where cells stay this large. */
const besideWidth = 226;
const besideFrom = 32;
/** How close labels stand: of rows, and of columns where they are slanted. */
const rowPitch = 15;
const slantedPitch = 18;
/** Steps of ink; step 0 is the faint tile of a weight of zero. */
const inkSteps = 256;
const faintest = 0.035;

interface Layout {
  readonly n: number;
  readonly narrow: boolean;
  readonly fontSize: number;
  readonly left: number;
  readonly top: number;
  readonly cell: number;
  readonly side: number;
  /** Every how many-th row and column is labelled. */
  readonly everyRow: number;
  readonly everyColumn: number;
  readonly slanted: boolean;
  readonly labels: readonly string[];
  readonly band: ScaleBand<number>;
  /** Whether what is read off stands beside the picture instead of around it. */
  readonly beside: boolean;
}

/** Attention as a square of ink: queries downwards, keys across, the darker the more weight. */
export class RopewalkMatrix extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .frame {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 12px;
      }

      .frame.beside {
        grid-template-columns: max-content minmax(0, 1fr);
        grid-template-rows: auto 1fr;
        column-gap: 32px;
      }

      .beside .picture {
        grid-area: 1 / 1 / 3 / 2;
      }

      .beside .reading {
        grid-area: 1 / 2;
      }

      .beside .legend {
        grid-area: 2 / 2;
        align-content: start;
        margin-top: 20px;
      }

      .reading {
        min-width: 0;
      }

      .value {
        display: block;
        font-size: 26px;
        line-height: 1.15;
        font-weight: 500;
        letter-spacing: -0.01em;
      }

      .value.masked {
        color: var(--soft);
        font-weight: 400;
      }

      .pair {
        display: flex;
        min-width: 0;
        max-width: 100%;
        gap: 0.4em;
        color: var(--soft);
        white-space: nowrap;
      }

      .pair bdi {
        overflow: hidden;
        text-overflow: ellipsis;
      }

      .picture {
        position: relative;
        width: max-content;
        cursor: crosshair;
        border-radius: 4px;
        touch-action: manipulation;
        user-select: none;
      }

      canvas {
        display: block;
        color: var(--ink);
        background: var(--panel);
        image-rendering: pixelated;
      }

      .cells {
        position: absolute;
      }

      .over {
        position: relative;
        display: block;
        overflow: visible;
        pointer-events: none;
      }

      text {
        fill: var(--soft);
        dominant-baseline: central;
        text-anchor: end;
        unicode-bidi: isolate;
      }

      .upright text {
        text-anchor: middle;
      }

      .chosen text {
        fill: var(--ink);
        font-weight: 600;
      }

      .pointed text {
        fill: var(--ink);
      }

      .mark {
        stroke: var(--soft);
        stroke-opacity: 0.5;
      }

      .chosen .mark,
      .pointed .mark {
        stroke: var(--ink);
        stroke-opacity: 1;
      }

      path,
      rect {
        fill: none;
      }

      .grid {
        stroke: var(--panel);
      }

      .hatch {
        stroke: var(--soft);
        stroke-opacity: 0.3;
      }

      .band {
        stroke: var(--soft);
        stroke-opacity: 0.55;
      }

      .cross {
        stroke: var(--soft);
      }

      .halo {
        stroke: var(--panel);
        stroke-width: 5;
      }

      .cell {
        stroke: var(--ink);
        stroke-width: 2;
      }

      .legend {
        display: flex;
        flex-wrap: wrap;
        align-items: start;
        gap: 4px 24px;
        color: var(--soft);
        font-size: 12px;
      }

      .beside .legend {
        flex-direction: column;
        gap: 12px;
      }

      .legend p {
        margin: 0 0 4px;
      }

      .legend .masked {
        display: flex;
        gap: 8px;
        align-items: center;
      }

      .masked svg {
        flex: none;
        border: 1px solid var(--line);
      }

      .axis {
        display: block;
        overflow: visible;
      }

      .axis text {
        font: 12px var(--label);
        text-anchor: middle;
        dominant-baseline: auto;
        fill: var(--soft);
      }

      .axis .tick:first-child text {
        text-anchor: start;
      }

      .axis .tick:last-child text {
        text-anchor: end;
      }

      .axis line {
        stroke: var(--soft);
      }
    `,
  ];

  @property({ attribute: false }) tokens: readonly string[] = [];
  /** [n, n], row = query, column = key. May be the same array with other numbers in it: every setting redraws. */
  @property({ attribute: false, hasChanged: () => true }) weights: Float32Array = new Float32Array(0);
  @property({ type: Boolean }) causal = false;
  @property({ attribute: false }) selection: Selection = { query: 0, key: 0 };
  /** Head and encoding in words, for the accessible name. */
  @property() summary = "";

  @state() private hover: Selection | undefined;
  /** What the live region says: only what the user did here, not every change that a slider elsewhere makes. */
  @state() private spoken = "";

  @query(".cells") private readonly cells!: HTMLCanvasElement | null;
  @query(".ramp") private readonly ramp!: HTMLCanvasElement | null;
  @query(".axis g") private readonly axis!: SVGGElement | null;
  @query(".reading") private readonly reading!: HTMLElement | null;
  @query(".picture") private readonly picture!: HTMLElement | null;

  #layout: Layout | undefined;
  #laidOutFor: readonly unknown[] = [];
  #steps: Uint32Array = new Uint32Array(inkSteps);
  #stepsFor = "";
  #image: ImageData | undefined;
  #top = 0;

  protected override willUpdate(changed: PropertyValues<this>): void {
    const basis = [this.tokens, this.width, this.fonts, devicePixelRatio];
    if (this.width > 0 && basis.some((value, i) => value !== this.#laidOutFor[i])) {
      this.#laidOutFor = basis;
      this.#layout = this.tokens.length > 0 ? layOut(this, this.tokens, this.width) : undefined;
      this.hover = undefined;
    }
    if (changed.has("selection") && this.shadowRoot?.activeElement != null) {
      const { query: q, key: k } = this.chosen;
      this.spoken = `${this.name(q)} to ${this.name(k)}: ${this.valueText(q, k)}`;
    }
  }

  protected override render() {
    const layout = this.#layout;
    if (layout === undefined) return nothing;
    const { n, side, left, top } = layout;
    const chosen = this.chosen;
    const shown = this.hover ?? chosen;
    const masked = this.isMasked(shown.query, shown.key);
    const name = `Attention matrix of ${n} tokens${this.summary && `, ${this.summary}`}. Arrow keys move over its cells.`;
    return html`
      <div class="frame ${layout.beside ? "beside" : ""}">
        <div class="reading">
          <span class="pair">
            <bdi>${this.name(shown.query)}</bdi>
            <span>→</span>
            <bdi>${this.name(shown.key)}</bdi>
          </span>
          <span class="value ${masked ? "masked" : ""}">${this.valueText(shown.query, shown.key)}</span>
        </div>
        <div
          class="picture"
          role="group"
          tabindex="0"
          aria-label=${name}
          @keydown=${this.onKeydown}
          @click=${this.onClick}
          @pointermove=${this.onPointer}
          @pointerleave=${this.onLeave}
        >
          <canvas class="cells" width=${n} height=${n}></canvas>
          <svg class="over" aria-hidden="true" width=${left + side + 3} height=${top + side + 3}>
            ${guard([layout, this.causal], () => this.renderGround(layout))}
            ${guard([layout, chosen.query, chosen.key, this.hover], () => this.renderMarks(layout, chosen))}
          </svg>
        </div>
        ${this.renderLegend()}
      </div>
      <output class="visually-hidden">${this.spoken}</output>
      <div class="visually-hidden">${guard([this.settled], () => this.renderTable())}</div>
    `;
  }

  /** What depends on neither weights nor selection: lines between cells, and hatching over what causality hides. */
  private renderGround(layout: Layout) {
    const { n, cell, side, left, top } = layout;
    let grid = "";
    if (cell >= gridFrom) {
      for (let i = 1; i < n; ++i) grid += `M${i * cell},0V${side}M0,${i * cell}H${side}`;
    }
    return svg`
      <g transform="translate(${left} ${top})">
        <path class="grid" d=${grid} />
        <path class="hatch" d=${this.causal ? hatching(side, cell) : ""} />
        ${this.causal ? svg`<path class="hatch" d="M0,0.5H${side - 0.5}V${side}" />` : nothing}
      </g>`;
  }

  private renderMarks(layout: Layout, chosen: Selection) {
    const { n, cell, side, left, top, band, narrow } = layout;
    const hover = this.hover;
    const at = (i: number) => band(i) ?? 0;
    const rows: Label[] = placed(n, layout.everyRow, rowPitch / cell, chosen.query, hover?.query);
    const columns: Label[] = placed(
      n,
      layout.everyColumn,
      (layout.slanted ? slantedPitch : 24) / cell,
      chosen.key,
      hover?.key,
    );
    const { labels, fontSize, slanted } = layout;
    // Lines that lead from labels to cells are needed where cells are smaller than labels.
    const tick = narrow ? 3 : 4;
    const markX = layout.everyRow > 1 ? `M-1,0H${-1 - tick}` : "";
    const markY = layout.everyColumn > 1 ? `M0,-1V${-1 - tick}` : "";
    return svg`
      <g font-size=${fontSize}>
        ${rows.map(
          ({ i, kind }) => svg`
            <g class=${kind} transform="translate(${left} ${top + at(i) + cell / 2})">
              <path class="mark" d=${markX} />
              <text x=${-4 - tick}>${labels[i]}</text>
            </g>`,
        )}
        <g class=${slanted ? "" : "upright"}>
          ${columns.map(
            ({ i, kind }) => svg`
              <g class=${kind} transform="translate(${left + at(i) + cell / 2} ${top})">
                <path class="mark" d=${markY} />
                <text transform=${slanted ? `translate(1 ${-6 - tick}) rotate(45)` : `translate(0 ${-10 - tick})`}>${labels[i]}</text>
              </g>`,
          )}
        </g>
      </g>
      <g transform="translate(${left} ${top})">
        <rect class="band" x="-0.5" y=${at(chosen.query) - 0.5} width=${side + 1} height=${cell + 1} />
        ${
          hover === undefined
            ? nothing
            : svg`
              <path class="cross" d="M0,${at(hover.query) - 0.5}H${side}M0,${at(hover.query) + cell + 0.5}H${side}M${at(hover.key) - 0.5},0V${side}M${at(hover.key) + cell + 0.5},0V${side}" />`
        }
        ${["halo", "cell"].map(
          (name) => svg`
            <rect class=${name} rx="1" x=${at(chosen.key) - 1} y=${at(chosen.query) - 1} width=${cell + 2} height=${cell + 2} />`,
        )}
      </g>`;
  }

  private renderLegend() {
    return html`
      <div class="legend">
        <div>
          <p>Ink by weight, linear</p>
          <canvas class="ramp" width=${inkSteps} height="1"></canvas>
          <svg class="axis" width=${legendWidth} height="20" role="img" aria-label="Scale of weights"><g></g></svg>
        </div>
        ${
          this.causal
            ? html`<div class="masked">
                <svg width="18" height="18" aria-hidden="true">
                  ${svg`<path class="hatch" d="M-1,9L9,-1M-1,17L17,-1M5,19L19,5M13,19L19,13" />`}
                </svg>
                masked: later than the query
              </div>`
            : nothing
        }
      </div>`;
  }

  private renderTable() {
    const { query: q } = this.chosen;
    return html`<table>
      <caption>Weights of ${this.name(q)}${this.summary && `, ${this.summary}`}</caption>
      <thead><tr><th scope="col">Key</th><th scope="col">Weight</th></tr></thead>
      <tbody>
        ${this.tokens.map(
          (token, k) =>
            html`<tr><th scope="row">${tokenLabel(token)}</th><td>${this.valueText(q, k)}</td></tr>`,
        )}
      </tbody>
    </table>`;
  }

  protected override updated(changed: PropertyValues<this>): void {
    const layout = this.#layout;
    if (layout === undefined || this.cells === null || this.picture === null) return;
    const names = [...changed.keys()];
    if (names.length > 0 && names.every((name) => marks.has(name))) return;
    this.settle();
    if (names.length === 1 && names[0] === "selection") return;
    const { side, left, top } = layout;
    // Sizes are set here and not in the template: the page's policy allows no style attributes.
    const { style } = this.cells;
    style.left = `${left}px`;
    style.top = `${top}px`;
    style.width = style.height = `${side}px`;
    if (this.ramp !== null) {
      this.ramp.style.width = `${legendWidth}px`;
      this.ramp.style.height = "10px";
    }
    this.reading?.style.setProperty("padding-top", layout.beside ? `${top}px` : "0");
    this.prepareInk();
    this.scale();
    this.draw(layout.n);
  }

  /** The colours from paper to ink, when they are others than last time. */
  private prepareInk(): void {
    const { cells, ramp } = this;
    if (cells === null || ramp === null) return;
    const { ink, paper } = this.inksOf(cells);
    const basis = `${ink} ${paper}`;
    if (basis === this.#stepsFor) return;
    this.#stepsFor = basis;
    this.#steps = inkRamp(paper, ink);
    const pixels = new ImageData(inkSteps, 1);
    new Uint32Array(pixels.data.buffer).set(this.#steps);
    ramp.getContext("2d")?.putImageData(pixels, 0, 0);
  }

  /**
   * The weight that takes full ink: what a row gives its strongest key, in the middle of all rows, rounded up so that it
   * keeps still while weights change. So rows are readable however long the sentence; stronger cells are full ink too.
   */
  private scale(): void {
    const n = this.tokens.length;
    const scale = scaleLinear()
      .domain([0, Math.max(typicalLargest(this.weights, n, this.causal), 1e-4)])
      .nice(ticks)
      .range([0.5, legendWidth - 0.5]);
    const top = Math.min(1, scale.domain()[1] ?? 1);
    if (this.axis === null || top === this.#top) return;
    this.#top = top;
    const text = scale.tickFormat(ticks);
    const values = scale.ticks(ticks);
    // Words where they have room: the first begins at its tick, the last ends there.
    const every = legendWidth / (values.length - 1) < 38 ? 2 : 1;
    const words = (value: number, i: number) => {
      if (i === 0) return "0";
      if (i === values.length - 1) return `${top < 1 ? "≥ " : ""}${text(value)}`;
      return i % every === 0 && scale(value) > 28 && scale(value) < legendWidth - 58 ? text(value) : "";
    };
    const axis = axisBottom<number>(scale).tickValues(values).tickFormat(words).tickSize(4).tickPadding(3);
    selectNode(this.axis)
      .call(axis)
      .call((g) => g.select(".domain").remove());
  }

  private draw(n: number): void {
    const context = this.cells?.getContext("2d");
    if (context == null) return;
    if (this.#image?.width !== n) this.#image = new ImageData(n, n);
    const pixels = new Uint32Array(this.#image.data.buffer);
    if (this.weights.length !== n * n) pixels.fill(0);
    else paint(pixels, this.weights, n, this.causal, this.#top, this.#steps);
    context.putImageData(this.#image, 0, 0);
  }

  /** The selection, within what there is. */
  private get chosen(): Selection {
    const last = this.tokens.length - 1;
    const inside = (i: number) => Math.max(0, Math.min(last, i));
    return { query: inside(this.selection.query), key: inside(this.selection.key) };
  }

  private isMasked(q: number, k: number): boolean {
    return this.causal && k > q;
  }

  private name(i: number): string {
    return `«${tokenLabel(this.tokens[i] ?? "")}»`;
  }

  private valueText(q: number, k: number): string {
    if (this.isMasked(q, k)) return "masked";
    const n = this.tokens.length;
    const weight = this.weights[q * n + k];
    return weight === undefined ? "–" : fixed(weight, n > 64 ? 5 : 4);
  }

  private cellAt(event: MouseEvent): Selection | undefined {
    const layout = this.#layout;
    if (layout === undefined || this.picture === null) return undefined;
    const box = this.picture.getBoundingClientRect();
    const x = event.clientX - box.left - layout.left;
    const y = event.clientY - box.top - layout.top;
    if (x < 0 && y < 0) return undefined;
    const chosen = this.chosen;
    const index = (offset: number) => Math.max(0, Math.min(layout.n - 1, Math.floor(offset / layout.cell)));
    // On the labels: a row's leaves the key as it is, a column's the query. Slanted ones lean to the left.
    if (x < 0) return { query: index(y), key: chosen.key };
    if (y < 0) return { query: chosen.query, key: index(layout.slanted ? x - y : x) };
    return { query: index(y), key: index(x) };
  }

  private onPointer(event: PointerEvent): void {
    if (event.pointerType === "touch") return;
    const cell = this.cellAt(event);
    if (cell?.query !== this.hover?.query || cell?.key !== this.hover?.key) this.hover = cell;
  }

  private onLeave(): void {
    this.hover = undefined;
  }

  private onClick(event: MouseEvent): void {
    const cell = this.cellAt(event);
    if (cell !== undefined) this.select(cell.query, cell.key);
  }

  private onKeydown(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey) return;
    const { query: q, key: k } = this.chosen;
    const last = this.tokens.length - 1;
    const whole = event.ctrlKey;
    let next: readonly [number, number];
    switch (event.key) {
      case "ArrowUp":
        next = [q - 1, k];
        break;
      case "ArrowDown":
        next = [q + 1, k];
        break;
      case "ArrowLeft":
        next = [q, k - 1];
        break;
      case "ArrowRight":
        next = [q, k + 1];
        break;
      case "Home":
        next = [whole ? 0 : q, 0];
        break;
      case "End":
        next = [whole ? last : q, whole || !this.causal ? last : q];
        break;
      case "PageUp":
        next = [q - 10, k];
        break;
      case "PageDown":
        next = [q + 10, k];
        break;
      default:
        return;
    }
    event.preventDefault();
    this.hover = undefined;
    const inside = (i: number) => Math.max(0, Math.min(last, i));
    this.select(inside(next[0]), inside(next[1]));
  }
}

/** Properties that change what is marked, but no cell. */
const marks: ReadonlySet<PropertyKey> = new Set(["hover", "spoken", "settled"]);

interface Label {
  readonly i: number;
  readonly kind: "" | "chosen" | "pointed";
}

/** Which labels are set: every so many-th, and the chosen and pointed ones, before which others give way. */
function placed(
  n: number,
  every: number,
  room: number,
  chosen: number,
  pointed: number | undefined,
): Label[] {
  const labels: Label[] = [];
  const near = (i: number, j: number | undefined) => j !== undefined && i !== j && Math.abs(i - j) < room;
  for (let i = 0; i < n; ++i) {
    if (i === pointed) labels.push({ i, kind: i === chosen ? "chosen" : "pointed" });
    else if (near(i, pointed)) continue;
    else if (i === chosen) labels.push({ i, kind: "chosen" });
    else if (i % every === 0 && !near(i, chosen)) labels.push({ i, kind: "" });
  }
  return labels;
}

function layOut(element: Element, tokens: readonly string[], width: number): Layout {
  const n = tokens.length;
  const narrow = width < narrowBelow;
  const fontSize = narrow ? 12 : 13;
  const measure: Measure = measureIn(element, fontSize);
  // Smallest possible cells are a pixel of the device; labels take what these leave.
  const pixel = 1 / devicePixelRatio;
  const most = Math.max(32, Math.min(narrow ? 76 : 128, width - 16 - n * pixel));
  const fitting = (longest: number) => {
    const labels = tokens.map((token) => fitted(tokenLabel(token), longest, measure));
    const widest = Math.max(...labels.map(measure));
    const left = Math.ceil(widest) + 10;
    const cellIn = (room: number) =>
      Math.max(
        pixel,
        Math.min(largestCell, Math.floor(Math.min(largestSide, room) / n / pixel + 1e-6) * pixel),
      );
    const largest = cellIn(width - left - 3);
    const leaving = cellIn(width - left - 3 - besideWidth);
    const beside = leaving >= besideFrom || width - left - 3 - n * largest >= besideWidth;
    return { labels, widest, left, cell: beside ? leaving : largest, beside };
  };
  let fits = fitting(most);
  if (fits.cell < gridFrom) {
    // A pixel more per cell is worth some letters of the labels.
    const shorter = width - 3 - n * (fits.cell + pixel) - 11;
    if (shorter >= 28 && shorter < most) fits = fitting(shorter);
  }
  const { labels, widest, left, cell, beside } = fits;
  const side = cell * n;
  const slanted = widest + 6 > cell;
  const top = slanted ? Math.ceil(widest * Math.SQRT1_2) + 20 : 26;
  return {
    n,
    narrow,
    fontSize,
    left,
    top,
    cell,
    side,
    everyRow: Math.ceil(rowPitch / cell),
    everyColumn: Math.ceil((slanted ? slantedPitch : 1) / cell),
    slanted,
    labels,
    band: scaleBand<number>().domain(Array.from(tokens.keys())).range([0, side]),
    beside,
  };
}

/** Lines across the cells right of the diagonal, each from the edge of the cell on the diagonal that it leaves. */
function hatching(side: number, cell: number): string {
  const step = 8;
  let path = "";
  for (let sum = step; sum < 2 * side; sum += step) {
    const middle = sum / 2;
    const inCell = middle % cell;
    const out = Math.min(inCell, cell - inCell);
    const [x, y] = sum <= side ? [sum, 0] : [side, sum - side];
    if (middle + out < x) path += `M${middle + out},${middle - out}L${x},${y}`;
  }
  return path;
}

/**
 * The median of what rows give their strongest keys. Under a causal mask the later half of the rows decides: the first
 * have few keys to share 1 among.
 */
function typicalLargest(weights: Float32Array, n: number, causal: boolean): number {
  if (weights.length !== n * n) return 0;
  const first = causal ? n >> 1 : 0;
  const largest = new Float32Array(n - first);
  for (let q = first; q < n; ++q) {
    let most = 0;
    const end = q * n + (causal ? q + 1 : n);
    for (let i = q * n; i < end; ++i) {
      const weight = weights[i] ?? 0;
      if (weight > most) most = weight;
    }
    largest[q - first] = most;
  }
  return largest.sort()[largest.length >> 1] ?? 0;
}

/** The colours from a faint tile to full ink as pixels, in the byte order of ImageData. */
function inkRamp(paper: Rgb, ink: Rgb): Uint32Array {
  const bytes = new Uint8ClampedArray(4 * inkSteps);
  for (let step = 0; step < inkSteps; ++step) {
    const share = faintest + ((1 - faintest) * step) / (inkSteps - 1);
    for (let c = 0; c < 3; ++c) {
      const from = paper[c] ?? 0;
      bytes[4 * step + c] = from + ((ink[c] ?? 0) - from) * share;
    }
    bytes[4 * step + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/** One pixel per cell; what is masked is left transparent. */
function paint(
  pixels: Uint32Array,
  weights: Float32Array,
  n: number,
  causal: boolean,
  top: number,
  steps: Uint32Array,
): void {
  const perWeight = (inkSteps - 1) / top;
  for (let q = 0; q < n; ++q) {
    const row = q * n;
    const visible = causal ? q + 1 : n;
    for (let k = 0; k < visible; ++k) {
      const step = Math.min(inkSteps - 1, ((weights[row + k] ?? 0) * perWeight + 0.5) | 0);
      pixels[row + k] = steps[step] ?? 0;
    }
    pixels.fill(0, row + visible, row + n);
  }
}
