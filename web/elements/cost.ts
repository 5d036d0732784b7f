import { css, html, nothing, type PropertyValues } from "lit";
import { state } from "lit/decorators.js";
import type { Ropewalk } from "ropewalk";
import { controls, radios } from "./controls.js";
import { type Curves, measuredCurves, quantityText, RopewalkCostChart } from "./cost_chart.js";
import {
  costOf,
  type LayerName,
  layers,
  lengths,
  longestMeasured,
  type Measurement,
  shapeOf,
  type Way,
  ways,
} from "./cost_pipeline.js";
import { oneOf } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { panels } from "./panels.js";
import { theme } from "./theme.js";
import { words } from "./words/en/cost.js";

const fields = {
  phase: oneOf("decode", ["decode", "prefill"]),
  quantity: oneOf("multiplyAdds", ["multiplyAdds", "bytes", "milliseconds"]),
  layer: oneOf("DeepSeek-V2-Lite", Object.keys(layers) as LayerName[]),
};

/** What a layer costs by each way of computing it, as the text grows: counted, and measured on this machine. */
export class RopewalkCost extends instrument(fields) {
  static readonly parts = { "ropewalk-cost-chart": RopewalkCostChart };
  static override styles = [
    theme,
    panels,
    controls,
    css`
      .measure {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 14px;
        min-height: 40px;
        margin-bottom: 12px;
        color: var(--soft);
      }

      progress {
        width: 160px;
        accent-color: var(--ink);
      }
    `,
  ];

  @state() private measurements: readonly Measurement[] = [];
  @state() private measuring = false;
  @state() private measureProblem = "";

  #worker: Worker | undefined;

  protected override release(): void {
    this.#cancel();
  }

  protected override compute(_: Ropewalk, changed: PropertyValues): void {
    if (changed.has("phase") && changed.get("phase") !== undefined) this.#cancel();
  }

  protected override renderInstrument() {
    return this.engine === undefined ? nothing : this.#renderCost(this.engine);
  }

  #renderCost(engine: Ropewalk) {
    const { phase, quantity, layer, measuring } = this;
    const isMeasured = quantity === "milliseconds";
    const curves = isMeasured ? measuredCurves(this.measurements, phase) : this.#counted(engine);
    const of = this.measurements.filter((one) => one.phase === phase).length;
    const all =
      lengths.filter((length) => length <= longestMeasured[phase]).length * (phase === "decode" ? 3 : 2);
    return html`
      <section class="panel">
        <h2>${words.heading}</h2>
        <div class="fields">
          ${radios(
            words.phase,
            "phase",
            ["decode", "prefill"],
            phase,
            (value) => words.phases[value],
            (value) => {
              this.phase = value;
            },
          )}
          ${radios(
            words.quantity,
            "quantity",
            ["multiplyAdds", "bytes", "milliseconds"],
            quantity,
            (value) => words.quantities[value],
            (value) => {
              this.quantity = value;
            },
          )}
          ${radios(
            words.layer,
            "layer",
            Object.keys(layers) as LayerName[],
            isMeasured ? "DeepSeek-V2-Lite" : layer,
            String,
            (value) => {
              this.layer = value;
            },
            isMeasured,
          )}
        </div>
        ${
          isMeasured
            ? html`<div class="measure">
                <button type="button" @click=${measuring ? () => this.#cancel() : () => this.#measure()}>
                  ${measuring ? words.stop : of === 0 ? words.measure : words.measureAgain}
                </button>
                <progress max=${all} .value=${of} aria-label=${words.measured}></progress>
                <span role="status">${
                  this.measureProblem !== ""
                    ? this.measureProblem
                    : measuring
                      ? words.measuring(of, all)
                      : of === all
                        ? words.medians
                        : of > 0
                          ? words.stopped(of, all)
                          : words.takes
                }</span>
              </div>`
            : nothing
        }
        <ropewalk-cost-chart .curves=${curves} .quantity=${quantity}></ropewalk-cost-chart>
        ${isMeasured ? nothing : this.#renderVerdict(engine)}
      </section>
    `;
  }

  #renderVerdict(engine: Ropewalk) {
    const { phase, layer, quantity } = this;
    const name = quantity === "bytes" ? "bytes" : "multiplyAdds";
    const length = phase === "decode" ? 4096 : 1024;
    const at = (way: Way) =>
      costOf(engine, shapeOf(layer), phase, way, length)[phase === "decode" ? "attend" : "total"][name];
    const [kept, absorbed] = [at("kept"), at("absorbed")];
    const ratio = absorbed / kept;
    const compared = ratio >= 1 ? words.more(ratio.toFixed(1)) : words.less((1 / ratio).toFixed(1));
    return html`<p class="words" id="verdict">
      ${words.verdicts[phase](grouped(length), quantityText[quantity](absorbed), compared)}
    </p>`;
  }

  #counted(engine: Ropewalk): Curves {
    const { phase, quantity, layer } = this;
    const name = quantity === "bytes" ? "bytes" : "multiplyAdds";
    const of = (way: Way) =>
      lengths.map((length) => costOf(engine, shapeOf(layer), phase, way, length).total[name]);
    return Object.fromEntries(ways.map((way) => [way, of(way)])) as unknown as Curves;
  }

  #measure(): void {
    const { phase } = this;
    this.#cancel();
    this.measureProblem = "";
    this.measurements = this.measurements.filter((one) => one.phase !== phase);
    this.measuring = true;
    const worker = new Worker(new URL("./cost_worker.ts", import.meta.url), { type: "module" });
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Measurement | "done" | { problem: string }>) => {
      if (data === "done") this.#cancel();
      else if ("problem" in data) this.#fail(data.problem);
      else this.measurements = [...this.measurements, data];
    };
    worker.onerror = (event) => this.#fail(event.message);
    worker.postMessage(phase);
  }

  #fail(problem: string): void {
    this.#cancel();
    this.measureProblem = words.problem(problem);
  }

  /** What runs is ended with its memory; what was measured stays. */
  #cancel(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.measuring = false;
  }
}
