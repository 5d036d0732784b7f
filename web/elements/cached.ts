import { css, html, nothing } from "lit";
import type { Ropewalk } from "ropewalk";
import { bytesText, type CacheRow, RopewalkCacheBars } from "./cache_bars.js";
import { cachedBy, cacheShapes, shapeNamed } from "./cache_shapes.js";
import { controls, radios, slider } from "./controls.js";
import { oneOf } from "./fields.js";
import { grouped } from "./figure.js";
import { instrument } from "./instrument.js";
import { panels } from "./panels.js";
import { theme } from "./theme.js";
import { words } from "./words/en/cached.js";

const contextLengths = [1, 1024, 4096, 8192, 32_768, 131_072, 1_000_000];
const precisions = [4, 2, 1, 0.75] as const;

const fields = {
  per: oneOf("layer", ["layer", "all"]),
  bytesPerElement: oneOf(2, precisions),
  cachedTokens: oneOf(131_072, contextLengths),
};

interface Claims {
  /** Elements of a token in a layer. */
  one: number;
  mha: number;
  /** Bytes of a token in all layers. */
  dense: number;
  sixBits: number;
  sixteenBits: number;
}

/** What published models keep of a token, and what two claims about it are measured against. */
export class RopewalkCached extends instrument(fields) {
  static readonly parts = { "ropewalk-cache-bars": RopewalkCacheBars };
  static override styles = [
    theme,
    panels,
    controls,
    css`
      h3 {
        margin: 0 0 4px;
        font: 600 13px / 1.4 var(--label);
      }

      .claims {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr));
        gap: 16px 32px;
        margin-top: 22px;
      }

      .claim {
        margin: 0 0 4px;
        font-size: 24px;
      }

      .claim b {
        font-weight: 500;
      }
    `,
  ];

  #rows: readonly CacheRow[] = [];
  #claims: Claims | undefined;

  protected override compute(engine: Ropewalk): void {
    const { bytesPerElement, cachedTokens } = this;
    this.#rows = cacheShapes.map((shape) => ({
      shape,
      cached: cachedBy(engine, shape, cachedTokens, bytesPerElement),
      asMha: cachedBy(engine, shape, cachedTokens, bytesPerElement, "mha"),
    }));
    const v2 = shapeNamed("DeepSeek-V2");
    this.#claims = {
      one: cachedBy(engine, v2, 1, 2).elements.layer,
      mha: cachedBy(engine, v2, 1, 2, "mha").elements.layer,
      dense: cachedBy(engine, shapeNamed("DeepSeek 67B"), 1, 2).bytes,
      sixBits: cachedBy(engine, v2, 1, 0.75).bytes,
      sixteenBits: cachedBy(engine, v2, 1, 2).bytes,
    };
  }

  protected override renderInstrument() {
    const { bytesPerElement, cachedTokens, per } = this;
    if (this.#claims === undefined) return nothing;
    const { one, mha, dense, sixBits, sixteenBits } = this.#claims;
    const less = (now: number) => `${(100 * (1 - now / dense)).toFixed(1)} %`;
    return html`
      <section class="panel">
        <h2>${words.heading}</h2>
        <div class="fields">
          ${radios(
            words.per,
            "per",
            ["layer", "all"],
            per,
            (value) => words.layers[value],
            (value) => {
              this.per = value;
            },
          )}
          ${radios(
            words.precision,
            "bytesPerElement",
            precisions,
            bytesPerElement,
            (bytes) => words.bits(8 * bytes),
            (value) => {
              this.bytesPerElement = value;
            },
          )}
        </div>
        ${slider({
          id: "cachedTokens",
          label: words.tokens,
          shown: grouped(cachedTokens),
          last: contextLengths.length - 1,
          at: contextLengths.indexOf(cachedTokens),
          words: words.tokensSpoken(grouped(cachedTokens)),
          move: (value) => {
            this.cachedTokens = contextLengths[value] ?? 1;
          },
        })}
        <ropewalk-cache-bars .rows=${this.#rows} .per=${per} .tokens=${cachedTokens}></ropewalk-cache-bars>
        <div class="claims">
          <section>
            <h3>${words.times.heading}</h3>
            <p class="claim"><b id="times">${words.times.value((mha / one).toFixed(1))}</b></p>
            <p class="words">${words.times.against(grouped(mha), grouped(one))}</p>
          </section>
          <section>
            <h3>${words.less.heading}</h3>
            <p class="claim"><b id="less">${less(sixBits)}</b></p>
            <p class="words">
              ${words.less.against(bytesText(dense), bytesText(sixBits), less(sixteenBits), "https://arxiv.org/abs/2405.04434")}
            </p>
          </section>
        </div>
      </section>
    `;
  }
}
