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

/** What all types have, and the fields of its own that `finish` makes of `own`, for so many pairs and such a length. */
function configsOf<Own extends object>(
  rope_type: string,
  own: fc.Arbitrary<Own>,
  finish: (own: Own, pairs: number, maxLength: number) => object = (own) => own,
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
      const parameters = {
        rope_type,
        rope_theta,
        partial_rotary_factor,
        ...finish(own, pairs, max_position_embeddings),
      };
      const config = { head_dim, max_position_embeddings, rope_parameters: given(parameters) };
      return given({ config, seqLen });
    });
}

/** What a length is stretched by: a factor; or the ratio to an original length, as a part, where the factor is left out. */
const stretch = fc.oneof(
  fc.record({ factor, original_max_position_embeddings: maybe(length) }),
  fc.record({ part: real(0.1, 1) }),
);
type Stretch = typeof stretch extends fc.Arbitrary<infer Fields> ? Fields : never;

const fieldsOf = (stretch: Stretch, maxLength: number) =>
  "part" in stretch ? { original_max_position_embeddings: Math.ceil(stretch.part * maxLength) } : stretch;

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
    ({ stretch, ...own }, _, maxLength) => ({ ...own, ...fieldsOf(stretch, maxLength) }),
  ),
  longrope: configsOf(
    "longrope",
    fc.record({
      stretch,
      attention_factor: maybe(magnitude(0.5, 2)),
      factors: fc.array(magnitude(0.5, 64), { minLength: 2 * mostPairs, maxLength: 2 * mostPairs }),
    }),
    ({ stretch, attention_factor, factors }, pairs, maxLength) => ({
      ...fieldsOf(stretch, maxLength),
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
      // A ramp as wide as models have it, or of no width.
      wider: fc.oneof(fc.constant(1), real(2, 8)),
    }),
    ({ wider, ...own }) => ({ ...own, high_freq_factor: own.low_freq_factor * wider }),
  ),
  proportional: configsOf("proportional", fc.record({ factor: maybe(factor) })),
};

/**
 * Whether the last digits decide what becomes of YaRN's ramp, so that no two ways to compute it agree: where an end of it
 * is to be rounded and all but lies on a whole pair; or where it is steep, less than a pair wide.
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
  if (rope_parameters.truncate === false) return Math.abs(first - last) < 1;
  return [first, last].some((end) => Math.abs(end - Math.round(end)) < 1e-9);
}
