// All contenders through all workloads, in Node and in a browser alike.
import { ceilings } from "./ceilings.mjs";
import { inputsOf } from "./inputs.mjs";
import { alternate, estimate, largestDifference } from "./measure.mjs";
import * as litert from "./peers/litert.mjs";
import * as onnxruntime from "./peers/onnxruntime.mjs";
import * as plain from "./peers/plain.mjs";
import * as ropewalk from "./peers/ropewalk.mjs";
import * as tensorflow from "./peers/tensorflow.mjs";
import { workloads } from "./workloads.mjs";

/** Components are below 1 in size, or about that: no one who computes the same in float32 is further off. */
const TOLERANCE = 2e-5;

/**
 * `platform` knows where files are; `only` are names of workloads or how they begin; `say` gets a line for each thing done.
 * Gives for each workload who took how long.
 */
export async function contest({ platform, only, say }) {
  const chosen = workloads.filter(
    ({ name }) => only.length === 0 || only.some((start) => name.startsWith(start)),
  );
  const loaded = await Promise.all(
    [ropewalk, onnxruntime, litert, tensorflow, plain].map((peer) => peer.load(platform)),
  );
  const entrants = loaded.flat();
  const machine = ceilings(platform.ceilings);
  const results = [];
  for (const workload of chosen) {
    say(`${workload.name}: ${workload.title}`);
    results.push({ workload: workload.name, contenders: await measure(workload, entrants, machine, say) });
  }
  return results;
}

async function measure(workload, entrants, machine, say) {
  const inputs = inputsOf(workload);
  let wanted = plain.expected(workload, inputs);
  const contenders = [];
  for (const { name, own, contenders: make } of entrants) {
    const variants = [];
    for (const contender of await make(workload, inputs)) {
      const who = `${name}${contender.variant ? ` (${contender.variant})` : ""}`;
      const got = await contender.read(await contender.run());
      wanted ??= got; // Where plain JavaScript has nothing to say, all are to agree.
      compare(who, workload, got, wanted);
      variants.push({ name, own, ...contender });
    }
    contenders.push(...(own ? variants : await best(variants)));
  }
  const all = [
    ...contenders.map((one) => ({ flops: workload.flops, parts: workload.rotations, ...one })),
    ...machine(workload.ceiling),
  ];
  const times = await alternate(all);
  for (const { free } of all) free?.();
  return all.map(({ name, variant, own, aside, ceiling, flops, bytes }, i) => {
    const result = { name, variant, own, aside, ceiling, flops, bytes, ...times[i] };
    say(`  ${described(result)}`);
    return result;
  });
}

/** The quickest of some variants, as they take turns. */
async function best(variants) {
  if (variants.length < 2) return variants;
  const times = [];
  for (const variant of variants) times.push(await estimate(variant));
  const winner = times.indexOf(Math.min(...times));
  for (const [i, { free }] of variants.entries()) if (i !== winner) free?.();
  return [variants[winner]];
}

/** Throws unless a contender's result is what it should be. */
function compare(who, { name }, got, wanted) {
  for (const [tensor, values] of Object.entries(wanted)) {
    // What stays in a contender's memory may show its last component alone.
    const [expected, given] =
      got.last === undefined ? [values, got[tensor]] : [values.subarray(-1), [got.last]];
    const difference = given ? largestDifference(expected, given) : Number.POSITIVE_INFINITY;
    if (difference <= TOLERANCE) continue;
    throw new Error(
      `${who} computes another ${tensor} of ${name}: off by ${difference}, of at most ${TOLERANCE}.`,
    );
  }
}

function described({ name, variant, median, min, max, samples, repeats, flops, bytes }) {
  const time = (ms) => ms.toPrecision(3);
  const rate = flops
    ? `, ${(flops / median / 1e6).toFixed(1)} GFLOP/s`
    : bytes
      ? `, ${(bytes / median / 1e6).toFixed(1)} GB/s`
      : "";
  const runs = `${samples} samples${repeats > 1 ? ` of ${repeats} runs` : ""}`;
  return `${name}${variant ? ` (${variant})` : ""}: ${time(median)} ms (${time(min)} to ${time(max)}; ${runs})${rate}`;
}
