// Configurations drawn at random, of each kind of RoPE scaling.
import fc from "fast-check";
import { given, magnitude, maybe, real } from "./property.ts";

type Parameters = Record<string, unknown>;

export interface ConfigOptions {
  config: { head_dim: number; max_position_embeddings: number; rope_parameters: Parameters };
  seqLen?: number;
}

const mostPairs = 64;
const ropeTheta = fc.oneof(magnitude(1.5, 1e8), fc.constantFrom(1e4, 5e5, 1e6));
const factor = fc.oneof(magnitude(1, 64), real(0.5, 2), fc.constantFrom(1, 2, 4, 8, 40));
const length = fc.oneof(fc.integer({ min: 16, max: 2 ** 20 }), fc.constantFrom(2048, 4096, 8192, 131_072));

/** What all types have, and what `own` draws: its fields, or what `finish` makes them of for so many pairs. */
function configsOf<Own extends object>(
  rope_type: string,
  own: fc.Arbitrary<Own>,
  finish: (own: Own, pairs: number) => object = (own) => own,
): fc.Arbitrary<ConfigOptions> {
  return fc
    .record({
      half: fc.integer({ min: 1, max: mostPairs }),
      part: maybe(fc.oneof(fc.constantFrom(0.25, 0.5, 0.75, 1), real(0.1, 1))),
      rope_theta: ropeTheta,
      max_position_embeddings: length,
      seqLen: maybe(length),
      own,
    })
    .map(({ half, part, rope_theta, max_position_embeddings, seqLen, own }) => {
      const head_dim = 2 * half;
      // At least one pair turns.
      const partial_rotary_factor = part && Math.max(part, 2 / head_dim);
      const pairs = Math.ceil(Math.trunc(head_dim * (partial_rotary_factor ?? 1)) / 2);
      const parameters = { rope_type, rope_theta, partial_rotary_factor, ...finish(own, pairs) };
      const config = { head_dim, max_position_embeddings, rope_parameters: given(parameters) };
      return given({ config, seqLen });
    });
}

/** Beside an original length the factor may be left out: it is then the ratio of the two. */
const stretch = fc.oneof(
  fc.record({ factor, original_max_position_embeddings: maybe(length) }),
  fc.record({ original_max_position_embeddings: length }),
);
const weight = maybe(fc.oneof(fc.constantFrom(0, 1), real(0, 2)));

/** For each `rope_type` the options of `ropeFromConfig()`. */
export const configs = {
  default: configsOf("default", fc.record({})),
  linear: configsOf("linear", fc.record({ factor })),
  ntk: configsOf("ntk", fc.record({ factor })),
  dynamic: configsOf("dynamic", fc.record({ factor })),
  yarn: configsOf(
    "yarn",
    fc.record({
      stretch,
      attention_factor: maybe(magnitude(0.5, 2)),
      beta_fast: maybe(magnitude(1, 128)),
      beta_slow: maybe(magnitude(0.01, 8)),
      truncate: maybe(fc.boolean()),
      mscale: weight,
      mscale_all_dim: weight,
    }),
    ({ stretch, ...own }) => ({ ...own, ...stretch }),
  ),
  longrope: configsOf(
    "longrope",
    fc.record({
      stretch,
      attention_factor: maybe(magnitude(0.5, 2)),
      factors: fc.array(magnitude(0.5, 64), { minLength: 2 * mostPairs, maxLength: 2 * mostPairs }),
    }),
    ({ stretch, attention_factor, factors }, pairs) => ({
      ...stretch,
      attention_factor,
      short_factor: factors.slice(0, pairs),
      long_factor: factors.slice(mostPairs, mostPairs + pairs),
    }),
  ),
  llama3: configsOf(
    "llama3",
    fc.record({
      factor,
      original_max_position_embeddings: maybe(length),
      low_freq_factor: magnitude(0.1, 8),
      wider: fc.oneof(fc.constant(0), real(0, 8)),
    }),
    ({ wider, ...own }) => ({ ...own, high_freq_factor: own.low_freq_factor + wider }),
  ),
  proportional: configsOf("proportional", fc.record({ factor: maybe(factor) })),
};

/**
 * Whether an end of YaRN's ramp is so near to a whole pair, or to the other end, that the last digits decide what becomes
 * of it: there no two ways to compute it agree.
 */
export function jumps({
  head_dim,
  max_position_embeddings,
  rope_parameters,
}: ConfigOptions["config"]): boolean {
  if (rope_parameters.rope_type !== "yarn") return false;
  const parameters = rope_parameters as { [Name in string]?: number };
  const { rope_theta = 0, partial_rotary_factor = 1, beta_fast = 32, beta_slow = 1 } = parameters;
  const length = parameters.original_max_position_embeddings ?? max_position_embeddings;
  const dim = Math.trunc(head_dim * partial_rotary_factor);
  const [first, last] = [beta_fast, beta_slow].map(
    (turns) => (dim * Math.log(length / (turns * 2 * Math.PI))) / (2 * Math.log(rope_theta)),
  ) as [number, number];
  const near = (a: number, b: number) => Math.abs(a - b) < 1e-9;
  if (rope_parameters.truncate !== false)
    return near(first, Math.round(first)) || near(last, Math.round(last));
  return near(first, last) && beta_fast !== beta_slow;
}
