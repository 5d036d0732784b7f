// Every kind of RoPE scaling, with any parameters that a configuration may hold, from the configuration to frequencies.
import fc from "fast-check";
import { loadRopewalk } from "ropewalk";
import { describe } from "vitest";
import { close, given, property, same, ulpF64 } from "./property.ts";
import { configs, jumps } from "./property_configs.ts";
import { loadReference } from "./reference/reference.ts";

const engine = await loadRopewalk();
const reference = await loadReference();

describe("ropeFromConfig", () => {
  for (const [type, cases] of Object.entries(configs)) {
    property(
      `scales as the reference does: ${type}`,
      cases,
      (options) => {
        const { rope_parameters, ...beside } = options.config;
        fc.pre(!jumps(options.config));
        const wanted = reference.ropeScaling(
          given({ ...beside, ...rope_parameters, seq_len: options.seqLen }),
        );
        const rope = engine.ropeFromConfig(options);
        const fastest = Math.max(...wanted.invFreq);
        close("invFreq", rope.invFreq, wanted.invFreq, (i) => {
          const frequency = wanted.invFreq[i] as number;
          // 4 ulp of the fast ones; the others so that the angle at 2^31 - 1 is as good.
          return frequency >= fastest / 2 ? 4 * ulpF64(frequency) : 2 ** -31 * 1e-6 * Math.max(1, fastest);
        });
        close(
          "invFreq, in proportion",
          rope.invFreq,
          wanted.invFreq,
          (i) => 2 ** -40 * (wanted.invFreq[i] as number),
        );
        const { attentionFactor, softmaxFactor } = wanted;
        close("attentionFactor", [rope.attentionFactor], [attentionFactor], 4 * ulpF64(attentionFactor));
        close("softmaxFactor", [rope.softmaxFactor], [softmaxFactor], 4 * ulpF64(softmaxFactor));
        same("rotaryDim", [rope.rotaryDim, rope.headDim], [2 * wanted.invFreq.length, beside.head_dim]);
      },
      60,
    );
  }
});
