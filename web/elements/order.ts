import { css, html } from "lit";
import type { Ropewalk } from "ropewalk";
import { whole } from "./fields.js";
import { instrument } from "./instrument.js";
import { panels } from "./panels.js";
import { theme } from "./theme.js";

const fields = { position: whole(3, 0, 100) };

export class RopewalkOrder extends instrument(fields) {
  static override styles = [theme, panels, css``];
  length = 0;
  protected override compute(engine: Ropewalk) {
    this.length = engine.rowNorms({ x: new Float32Array([this.position, 4]), rows: 1, dim: 2 })[0] as number;
  }
  protected override renderInstrument() {
    return html`<section class="panel"><input type="range" max="100" .value=${String(this.position)} @input=${(
      e: Event,
    ) => {
      this.position = (e.target as HTMLInputElement).valueAsNumber;
    }}> ${this.length}</section>`;
  }
}
