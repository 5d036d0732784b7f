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
        const { invFreq: trained } = reference.ropeScaling({
          ...{ ...beside, ...rope_parameters, rope_type: "default" },
          // Proportional frequencies are those of a whole head.
          ...(type === "proportional" && { partial_rotary_factor: 1 }),
        });
        const ulps = type === "yarn" && rope_parameters.truncate === false ? 8 : 4;
        close(
          "invFreq",
          rope.invFreq,
          wanted.invFreq,
          (i) => ulps * ulpF64(Math.max(trained[i] as number, wanted.invFreq[i] as number)),
        );
        const { attentionFactor, softmaxFactor } = wanted;
        close("attentionFactor", [rope.attentionFactor], [attentionFactor], 4 * ulpF64(attentionFactor));
        close("softmaxFactor", [rope.softmaxFactor], [softmaxFactor], 4 * ulpF64(softmaxFactor));
        same("rotaryDim", [rope.rotaryDim, rope.headDim], [2 * wanted.invFreq.length, beside.head_dim]);
      },
      100,
    );

    property(
      `reads the older spelling alike: ${type}`,
      fc.tuple(cases, fc.boolean(), fc.integer({ min: 1, max: 64 })),
      ([options, byHeads, nHeads]) => {
        const { head_dim, rope_parameters, ...beside } = options.config;
        const { rope_type, rope_theta, partial_rotary_factor, ...rope_scaling } = rope_parameters;
        const older = given({
          ...beside,
          ...(byHeads ? { hidden_size: nHeads * head_dim, num_attention_heads: nHeads } : { head_dim }),
          rope_theta,
          partial_rotary_factor,
          rope_scaling: rope_type === "default" ? null : { type: rope_type, ...rope_scaling },
        });
        const [was, is] = [
          engine.ropeFromConfig({ ...options, config: older }),
          engine.ropeFromConfig(options),
        ];
        same("invFreq", was.invFreq, is.invFreq);
        same("factors", [was.attentionFactor, was.softmaxFactor], [is.attentionFactor, is.softmaxFactor]);
        same("dimensions", [was.headDim, was.rotaryDim], [is.headDim, is.rotaryDim]);
      },
      50,
    );
  }
});
