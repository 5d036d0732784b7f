import { css, html, nothing, type PropertyValues, svg } from "lit";
import { property, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import type { RopeLayout } from "ropewalk";
import { above, type BlockLayout, below, layOut, path } from "./block_layout.js";
import { explained, knows, stageNames } from "./block_stages.js";
import { fitted, measureIn } from "./labels.js";
import { Picture, tokenLabel } from "./picture.js";
import { type Encoding, type Flow, type FlowTensor, type Stage, stages } from "./pipeline.js";
import { drawTensor, type TensorImage } from "./tensor_image.js";
import { theme } from "./theme.js";

/** Told when the user picks a stage. */
export class StageEvent extends Event {
  static readonly type = "ropewalk-stage";

  constructor(readonly stage: Stage) {
    super(StageEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-stage": StageEvent;
  }
}

/** Differences up to here are those of rounding. */
const rounding = 1e-4;
/** Before the page is laid out for the first time there may be next to no room. */
const leastWidth = 280;
/** Tokens whose rows are labelled in the larger image, and the height of such a row; all rows together otherwise. */
const labelled = 16;
const rowHeight = 14;
const allRows = 224;
const lineWords = {
  where: "knows where its tokens stand",
  distance: "knows how far apart they are",
  nothing: "knows the words alone",
} as const;

/** A sentence on its way through one layer: each tensor as a small image, and where position comes in. */
export class RopewalkBlockFlow extends Picture {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }

      .flow {
        position: relative;
      }

      svg.lines {
        position: absolute;
        inset: 0;
        overflow: visible;
        pointer-events: none;
      }

      .frame {
        fill: none;
        stroke: var(--line);
      }

      .frame.entered {
        stroke: var(--ink);
        stroke-width: 1.5;
      }

      .title {
        fill: var(--ink);
        font-weight: 600;
      }

      .note {
        fill: var(--soft);
        font-size: 12px;
      }

      .wire {
        fill: none;
        stroke: var(--soft);
        stroke-width: 1;
      }

      .wire.distance {
        stroke: var(--ink);
        stroke-width: 2.5;
        stroke-dasharray: 1 5;
        stroke-linecap: round;
      }

      .wire.where {
        stroke: var(--ink);
        stroke-width: 3;
      }

      .tip {
        fill: var(--soft);
      }

      .tip.where,
      .tip.distance {
        fill: var(--ink);
      }

      .matrix {
        fill: var(--soft);
        font-size: 13px;
      }

      .plus {
        fill: var(--ink);
        font-size: 20px;
        text-anchor: middle;
        dominant-baseline: central;
      }

      .sub {
        font-size: 12px;
      }

      .empty {
        fill: var(--panel);
        stroke: var(--line);
        stroke-dasharray: 4 4;
      }

      .empty + text {
        fill: var(--soft);
        font-size: 12px;
        text-anchor: middle;
        dominant-baseline: central;
      }

      button {
        position: absolute;
        display: grid;
        grid-template-rows: 18px 18px auto 20px;
        justify-items: start;
        margin: 0;
        padding: 3px 5px 1px;
        border: 1px solid transparent;
        border-radius: 8px;
        background: none;
        color: var(--ink);
        font: inherit;
        font-size: 13px;
        line-height: 18px;
        text-align: left;
        white-space: nowrap;
        cursor: pointer;
      }

      button:hover {
        border-color: var(--line);
      }

      button[aria-pressed="true"] {
        border-color: var(--ink);
      }

      .name b {
        font-weight: 650;
      }

      .shape {
        color: var(--soft);
        font-size: 12px;
      }

      .query {
        text-decoration: underline;
        text-underline-offset: 3px;
      }

      .key {
        text-decoration: underline dashed;
        text-underline-offset: 3px;
      }

      canvas {
        display: block;
        border-radius: 4px;
        background: var(--panel);
        box-shadow: 0 0 0 1px var(--line);
      }

      .change {
        align-self: end;
        color: var(--soft);
      }

      .change b {
        color: var(--ink);
        font-weight: 650;
      }

      sub {
        font-size: 0.75em;
        line-height: 0;
      }

      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 20px;
        margin: 12px 0 0;
        color: var(--soft);
      }

      .legend span {
        display: inline-flex;
        align-items: center;
        gap: 8px;
      }

      .legend svg {
        width: 28px;
        height: 8px;
      }

      .detail {
        display: grid;
        grid-template-columns: minmax(200px, 1fr) auto;
        gap: 12px 32px;
        align-items: start;
        min-height: 264px;
        margin-top: 18px;
        padding-top: 16px;
        border-top: 1px solid var(--line);
      }

      h3 {
        margin: 0 0 6px;
        font: 600 13px / 1.4 var(--label);
      }

      .detail p {
        margin: 0;
        max-width: 36em;
        color: var(--soft);
        font: 17px / 1.45 var(--prose);
      }

      .detail dl {
        margin: 12px 0 0;
      }

      dt {
        color: var(--soft);
      }

      dd {
        margin: 2px 0 0;
        font-size: 24px;
        font-weight: 500;
      }

      .pair {
        display: flex;
        gap: 16px;
      }

      .pair figure {
        margin: 0;
      }

      figcaption {
        margin-bottom: 4px;
        color: var(--soft);
      }

      .rows {
        color: var(--soft);
        font-size: 12px;
        line-height: 14px;
        text-align: right;
        white-space: nowrap;
        padding-top: 22px;
      }

      .rows span {
        display: block;
      }

      .narrow .detail {
        grid-template-columns: minmax(0, 1fr);
      }

      .narrow .pair {
        gap: 10px;
      }

      .narrow .rows {
        flex: none;
      }
    `,
  ];

  @property({ attribute: false }) flow: Flow | undefined;
  @property({ attribute: false }) tokens: readonly string[] = [];
  @property() encoding: Encoding = "rotary";
  @property({ type: Number }) positionOffset = 0;
  /** Which head's part is drawn. */
  @property({ type: Number }) head = 0;
  @property() layout: RopeLayout = "interleaved";
  /** The stage that is explained; one that is not computed gives way to the nearest before it. */
  @property() stage: Stage = "scores";

  /** The stage that the Tab key leads to. */
  @state() private cursor: Stage = "scores";

  #layout: BlockLayout | undefined;
  readonly #drawn = new WeakMap<HTMLCanvasElement, readonly unknown[]>();

  protected override willUpdate(changed: PropertyValues<this>): void {
    const { flow, width } = this;
    if (changed.has("flow")) this.settle();
    if (flow === undefined || width === 0) return;
    this.#layout = layOut(Math.max(width, leastWidth), flow);
    if (changed.has("stage")) this.cursor = this.stage;
    this.cursor = present(flow, this.cursor);
  }

  protected override render() {
    const { flow, encoding } = this;
    const layout = this.#layout;
    if (flow === undefined || layout === undefined || this.width === 0) return nothing;
    const chosen = present(flow, this.stage);
    return html`
      <div class=${this.width < 620 ? "narrow" : ""}>
        <div
          class="flow"
          role="group"
          aria-label="A sentence on its way through one layer: arrow keys go along the stages, Enter explains one"
          @keydown=${this.#onKey}
        >
          <svg class="lines" width=${this.width} height=${layout.height} aria-hidden="true">
            ${layout.frames.map(
              ({ x, y, width, height, title, note }, i) => svg`
                <rect class="frame ${flow.entry === (i === 0 ? "data" : "attention") ? "entered" : ""}"
                  x=${x + 0.75} y=${y + 0.75} width=${width - 1.5} height=${height - 1.5} rx="10"></rect>
                <text class="title" x=${x + 12} y=${y + 22}>${title}</text>
                <text class="note" x=${x + 12} y=${y + 40}>${note}</text>`,
            )}
            ${layout.lines.map(({ from, points }) => {
              const [x, y] = points.at(-1) as readonly [number, number];
              const [px, py] = points.at(-2) as readonly [number, number];
              const angle = (Math.atan2(y - py, x - px) * 180) / Math.PI;
              const kind = knows(from, encoding, flow);
              return svg`<path class="wire ${kind}" d=${path(points)}></path>
                <path class="tip ${kind}" d="M0 0L-7 4L-7 -4Z" transform="translate(${x} ${y}) rotate(${angle})"></path>`;
            })}
            ${layout.plus === undefined ? nothing : svg`<text class="plus" x=${layout.plus.x} y=${layout.plus.y}>+</text>`}
            ${layout.matrices.map(
              ({ x, y, of }) =>
                svg`<text class="matrix" x=${x} y=${y}>W<tspan class="sub" dy="3">${of}</tspan></text>`,
            )}
            ${layout.empty.map(
              ({ x, y, width, height, words }) => svg`
                <rect class="empty" x=${x + 0.5} y=${y + 0.5} width=${width - 1} height=${height - 1} rx="6"></rect>
                <text x=${x + width / 2} y=${y + height / 2}>${words}</text>`,
            )}
          </svg>
          ${stages.map((stage) => {
            const tensor = flow.tensors[stage];
            return tensor === undefined ? nothing : this.#renderStage(stage, tensor, stage === chosen);
          })}
        </div>
        <p class="legend" aria-hidden="true">
          ${(["where", "distance", "nothing"] as const).map(
            (kind) =>
              html`<span><svg><line class="wire ${kind}" x1="2" x2="26" y1="4" y2="4"></line></svg>${lineWords[kind]}</span>`,
          )}
        </p>
        ${this.#renderDetail(chosen, flow)}
        ${guard([this.settled], () => this.#renderTable(flow))}
      </div>
    `;
  }

  #renderStage(stage: Stage, tensor: FlowTensor, isChosen: boolean) {
    const { symbol, word } = stageNames[stage];
    return html`<button
      type="button"
      data-stage=${stage}
      tabindex=${stage === this.cursor ? 0 : -1}
      aria-pressed=${isChosen}
      @click=${() => this.dispatchEvent(new StageEvent(stage))}
      @focus=${() => {
        this.cursor = stage;
      }}
    >
      <span class="name"><b>${symbol}</b> ${word}</span>
      <span class="shape">${shapeText(tensor)}</span>
      <canvas data-stage=${stage} aria-hidden="true"></canvas>
      <span class="change">${stage === "position" ? nothing : this.#verdict(tensor)}</span>
    </button>`;
  }

  /** What moving has changed here. */
  #verdict({ change }: FlowTensor) {
    if (this.positionOffset === 0) return "not moved yet";
    return change <= rounding ? html`as it was` : html`changed <b>${changeText(change)}</b>`;
  }

  #renderDetail(stage: Stage, flow: Flow) {
    const tensor = flow.tensors[stage];
    if (tensor === undefined) return nothing;
    const { symbol, word } = stageNames[stage];
    const ofHead = tensor.shape.length === 3 ? `, head ${this.head + 1}` : "";
    const at = this.positionOffset.toLocaleString("en");
    const height = this.#detailRow() * this.tokens.length;
    return html`
      <section class="detail" aria-label="The stage that is chosen">
        <div>
          <h3>${symbol} ${word} <span class="shape">${shapeText(tensor)}${ofHead}</span></h3>
          <p id="explained" aria-live="polite">${explained(stage, this.encoding, flow)}</p>
          <dl>
            <dt>largest change of a number, sentence moved by ${at}</dt>
            <dd id="stage-change">${changeText(tensor.change)}</dd>
          </dl>
        </div>
        <div class="pair">
          ${this.#renderRows()}
          <figure>
            <figcaption>at position 0</figcaption>
            <canvas data-detail="still" data-height=${height} aria-hidden="true"></canvas>
          </figure>
          <figure>
            <figcaption>at position ${at}</figcaption>
            <canvas data-detail="here" data-height=${height} aria-hidden="true"></canvas>
          </figure>
        </div>
      </section>
    `;
  }

  #renderRows() {
    if (this.tokens.length > labelled) return nothing;
    const measure = measureIn(this, 12, 400);
    return html`<div class="rows" aria-hidden="true">
      ${this.tokens.map((token) => html`<span>${fitted(tokenLabel(token), this.#labelWidth(), measure)}</span>`)}
    </div>`;
  }

  /** Of the labels beside the larger images. */
  #labelWidth(): number {
    return this.width < 620 ? 64 : 84;
  }

  #detailRow(): number {
    return this.tokens.length <= labelled ? rowHeight : allRows / this.tokens.length;
  }

  #renderTable({ tensors }: Flow) {
    return html`<div class="visually-hidden">
      <table>
        <caption>Tensors of the flow, and the largest change of any number with the sentence moved by ${this.positionOffset}</caption>
        <thead>
          <tr><th scope="col">tensor</th><th scope="col">shape</th><th scope="col">largest change</th></tr>
        </thead>
        <tbody>
          ${stages.map((stage) => {
            const tensor = tensors[stage];
            return tensor === undefined
              ? nothing
              : html`<tr>
                  <th scope="row">${stageNames[stage].word}</th>
                  <td>${shapeText(tensor)}</td>
                  <td>${changeText(tensor.change)}</td>
                </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }

  protected override updated(): void {
    const { flow } = this;
    const layout = this.#layout;
    if (flow === undefined || layout === undefined) return;
    const root = this.renderRoot.querySelector<HTMLElement>(".flow");
    root?.style.setProperty("height", `${layout.height}px`);
    for (const button of this.renderRoot.querySelectorAll<HTMLElement>("button[data-stage]")) {
      const stage = button.dataset.stage as Stage;
      const box = layout.boxes.get(stage);
      const tensor = flow.tensors[stage];
      const canvas = button.querySelector("canvas");
      if (box === undefined || tensor === undefined || canvas === null) continue;
      button.style.left = `${box.x - 6}px`;
      button.style.top = `${box.y - above}px`;
      button.style.minWidth = `${box.width + 12}px`;
      button.style.height = `${box.height + above + below}px`;
      this.#draw(canvas, { ...this.#image(stage, tensor, "here"), cells: true }, box.width, box.height);
    }
    const stage = present(flow, this.stage);
    const tensor = flow.tensors[stage];
    if (tensor === undefined) return;
    const height = this.#detailRow() * this.tokens.length;
    const labels = this.tokens.length <= labelled ? this.#labelWidth() + 16 : 0;
    // Beside the words where there is room, below them where there is not.
    const words = this.width < 620 ? 0 : 232;
    const room = (this.width - words - labels - 20) / 2;
    const wanted = tensor.shape.length === 3 && tensor.columns === this.tokens.length ? height : 256;
    const width = Math.floor(Math.min(room, wanted));
    for (const canvas of this.renderRoot.querySelectorAll<HTMLCanvasElement>("canvas[data-detail]")) {
      const which = canvas.dataset.detail === "here" ? "here" : "still";
      this.#draw(canvas, this.#image(stage, tensor, which), width, height);
    }
  }

  /** What stands there already is not drawn again: the pipeline gives the same arrays for what has not changed. */
  #draw(canvas: HTMLCanvasElement, image: TensorImage, width: number, height: number): void {
    const inks = this.inksOf(this);
    const { values, angles, layout, cells } = image;
    const inputs = [values, angles, layout, cells, width, height, devicePixelRatio, inks];
    const last = this.#drawn.get(canvas);
    if (last !== undefined && inputs.every((input, i) => input === last[i])) return;
    this.#drawn.set(canvas, inputs);
    drawTensor(canvas, image, width, height, inks);
  }

  #image(stage: Stage, tensor: FlowTensor, which: "here" | "still"): TensorImage {
    const { columns, angles } = tensor;
    return {
      values: tensor[which],
      columns,
      cells: stage === "scores" || stage === "weights",
      ...(angles !== undefined && { rotaryFrom: 0, angles: angles[which] }),
      // The angles themselves stand pair by pair; the query and key are laid out as the model has them.
      ...(stage !== "position" && { layout: this.layout }),
    };
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    const { flow } = this;
    if (flow === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = stages.filter((stage) => flow.tensors[stage] !== undefined);
    const at = all.indexOf(this.cursor);
    const steps: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      Home: 0,
      End: all.length - 1,
    };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = all[Math.max(0, Math.min(all.length - 1, to))] as Stage;
    this.renderRoot.querySelector<HTMLElement>(`button[data-stage=${next}]`)?.focus();
  };
}

/** The stage itself where it is computed, else the nearest before it, else the first. */
function present({ tensors }: Flow, stage: Stage): Stage {
  for (let i = stages.indexOf(stage); i >= 0; --i) {
    const one = stages[i] as Stage;
    if (tensors[one] !== undefined) return one;
  }
  return stages.find((one) => tensors[one] !== undefined) as Stage;
}

function shapeText({ shape }: FlowTensor): string {
  return `[${shape.join(", ")}]`;
}

/** A change in few digits; its order of magnitude where it is that of rounding, or of counting. */
export function changeText(value: number): string {
  if (value === 0) return "0";
  if (value >= 0.005 && value < 999.5) return value.toPrecision(value < 1 ? 2 : 3);
  return value.toExponential(1).replace("-", "−").replace("+", "");
}
