import { css, html, nothing, type PropertyValues } from "lit";
import type { Ropewalk } from "ropewalk";
import { percent, RopewalkAbsorptionChart } from "./absorption_chart.js";
import { AbsorptionPipeline, type AbsorptionResults, distances } from "./absorption_pipeline.js";
import { controls, slider } from "./controls.js";
import { oneOf } from "./fields.js";
import { exponential, grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { panels, readout } from "./panels.js";
import { theme } from "./theme.js";
import { words } from "./words/en/absorption.js";

const contexts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, distances];

const fields = { contextLen: oneOf(64, contexts) };

/** Why RoPE cannot be absorbed: the best single matrix in place of one for each distance; and what mends it. */
export class RopewalkAbsorption extends instrument(fields) {
  static readonly parts = { "ropewalk-absorption-chart": RopewalkAbsorptionChart };
  static override styles = [
    theme,
    panels,
    controls,
    css`
      .words sup {
        font-size: 0.7em;
        line-height: 0;
      }
    `,
  ];

  #pipeline: AbsorptionPipeline | undefined;
  #results: AbsorptionResults | undefined;

  protected override release(): void {
    this.#pipeline = undefined;
  }

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    this.#pipeline ??= new AbsorptionPipeline(engine);
    if (changed.has("engine") || changed.has("contextLen"))
      this.#results = this.#pipeline.run(this.contextLen);
  }

  protected override renderInstrument() {
    return this.#results === undefined ? nothing : this.#renderAbsorption(this.#results);
  }

  #renderAbsorption(absorption: AbsorptionResults) {
    const { contextLen, rotary, decoupled } = absorption;
    const at = contexts.indexOf(contextLen);
    const inside = rotary.subarray(0, contextLen);
    const largestInside = Math.max(...inside);
    return html`
      <section class="panel">
        <h2>${words.heading}</h2>
        <p class="words">${words.why}</p>
        ${slider({
          id: "context",
          label: words.context,
          shown: grouped(contextLen),
          last: contexts.length - 1,
          at,
          words: words.contextSpoken(contextLen, percent(largestInside)),
          move: (value) => {
            this.contextLen = contexts[value] ?? 1;
          },
        })}
        <dl class="readouts three">
          ${readout("fitted", words.fitted, percent(largestInside), words.fittedTo(contextLen - 1))}
          ${readout("beyond", words.beyond, percent(rotary[distances - 1] as number), words.beyondAt(distances - 1))}
          ${readout("decoupled", words.decoupled, exponential(Math.max(...decoupled)), words.decoupledHow)}
        </dl>
        <ropewalk-absorption-chart .results=${absorption}></ropewalk-absorption-chart>
      </section>
    `;
  }
}
