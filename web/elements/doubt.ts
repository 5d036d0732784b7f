import { css, html, type PropertyValues } from "lit";
import { property } from "lit/decorators.js";
import type { Ropewalk } from "ropewalk";
import { RopewalkDoubtCurve } from "./doubt_curve.js";
import { type Claim, claims, type Doubt, doubts } from "./doubts.js";
import { oneOf } from "./fields.js";
import { instrument } from "./instrument.js";
import { theme } from "./theme.js";

const claim = oneOf<Claim>("bound", claims);

/**
 * A claim of the lecture held against what the engine gives: the numbers, and the curve that they stand on. Which claim
 * is no state of the page's, for a chapter may doubt several: it is said by the attribute alone.
 */
export class RopewalkDoubt extends instrument({}) {
  static readonly parts = { "ropewalk-doubt-curve": RopewalkDoubtCurve };

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        /* Room for what is to come, so that nothing beneath moves when it comes. */
        min-height: 350px;
        margin-top: 14px;
      }

      h3 {
        margin: 0;
        color: var(--ink);
        font: 600 13px / 1.4 var(--label);
      }

      ul {
        display: grid;
        grid-template-columns: auto 1fr;
        column-gap: 10px;
        margin: 4px 0 10px;
        padding: 0;
        list-style: none;
      }

      li {
        display: grid;
        grid-column: 1 / -1;
        grid-template-columns: subgrid;
        align-items: baseline;
        color: var(--soft);
      }

      b {
        color: var(--ink);
        text-align: right;
        font-size: 24px;
        font-weight: 500;
        line-height: 1.3;
      }

      .empty {
        margin: 0;
        color: var(--soft);
      }
    `,
  ];

  @property({ converter: { fromAttribute: (text) => claim.read(text ?? "") ?? claim.initial } })
  claim: Claim = claim.initial;

  #doubt: Doubt | undefined;

  protected override compute(engine: Ropewalk, changed: PropertyValues): void {
    if (changed.has("claim") || changed.has("engine")) this.#doubt = doubts[this.claim](engine);
  }

  protected override renderInstrument() {
    const doubt = this.#doubt;
    return html`
      <h3>${doubt?.title}</h3>
      <ul>
        ${doubt?.marks.map(({ figure, words }) => html`<li><b>${figure}</b> <span>${words}</span></li>`)}
      </ul>
      <ropewalk-doubt-curve .doubt=${doubt}></ropewalk-doubt-curve>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "ropewalk-doubt": RopewalkDoubt;
  }
}
