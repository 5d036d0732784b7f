import { css, html, nothing, type PropertyValues } from "lit";
import type { Ropewalk } from "ropewalk";
import { percent, RopewalkAbsorptionChart } from "./absorption_chart.js";
import { AbsorptionPipeline, type AbsorptionResults, distances } from "./absorption_pipeline.js";
import { controls, slider } from "./controls.js";
import { oneOf } from "./fields.js";
import { instrument } from "./instrument.js";
import { panels, readout } from "./panels.js";
import { theme } from "./theme.js";

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
    const largest = Math.max(...decoupled);
    return html`
      <section class="panel">
        <h2>Why plain RoPE does not fit: no single matrix stands for all distances</h2>
        <p class="words">
          Absorbing works because one matrix, W<sup>UK</sup>, is between query and latent at every position. Rotate the
          expanded keys, and it is W<sup>UK</sup> turned back by the distance: another for each. The best single one, in least
          squares, is their mean; there fast pairs cancel, and only slow ones are left.
        </p>
        ${slider({
          id: "context",
          label: "The single matrix is fitted to queries at the end of so many tokens",
          shown: contextLen.toLocaleString("en"),
          last: contexts.length - 1,
          at,
          words: `fitted to ${contextLen} tokens; largest error among them ${percent(largestInside)}`,
          move: (value) => {
            this.contextLen = contexts[value] ?? 1;
          },
        })}
        <dl class="readouts three">
          ${readout("fitted", "largest error where it was fitted", percent(largestInside), `distances 0 to ${contextLen - 1}`)}
          ${readout("beyond", "error at the far end", percent(rotary[distances - 1] as number), `distance ${distances - 1}`)}
          ${readout(
            "decoupled",
            "decoupled, the largest at any distance",
            largest.toExponential(1),
            "rotated by a part of its own, which is never absorbed",
          )}
        </dl>
        <ropewalk-absorption-chart .results=${absorption}></ropewalk-absorption-chart>
      </section>
    `;
  }
}
