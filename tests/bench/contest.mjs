// All contenders through all workloads, in Node and in a browser alike.
import { ceilings } from "./ceilings.mjs";
import { inputsOf } from "./inputs.mjs";
import { alternate, estimate, largestDifference, TOLERANCE } from "./measure.mjs";
import * as litert from "./peers/litert.mjs";
import * as onnxruntime from "./peers/onnxruntime.mjs";
import * as plain from "./peers/plain.mjs";
import * as ropewalk from "./peers/ropewalk.mjs";
import * as tensorflow from "./peers/tensorflow.mjs";
import { duration, goalText, summary } from "./table.mjs";
import { workloads } from "./workloads.mjs";

/**
 * `platform` knows where files are; `names` are those of the workloads; `say` gets a line for each thing done.
 * Gives for each workload who took how long.
 */
export async function contest({ platform, names, say }) {
  const chosen = workloads.filter(({ name }) => names.includes(name));
  const entrants = [];
  // One after another: in Node one of them has to be told that this is a browser, which is no news for the others.
  for (const peer of [ropewalk, onnxruntime, litert, tensorflow, plain])
    entrants.push(...[await peer.load(platform)].flat());
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
  for (const { contenders: make, ...entrant } of entrants) {
    const variants = (await make(workload, inputs)).map((contender) => joined(entrant, contender));
    for (const contender of variants) {
      const start = performance.now();
      const result = await contender.run();
      contender.first = performance.now() - start;
      const got = await contender.read(result);
      wanted ??= got; // Where plain JavaScript has nothing to say, all are to agree.
      contender.error = compare(contender, workload, got, wanted);
    }
    contenders.push(...(entrant.own ? variants : await best(variants)));
  }
  const all = [
    ...contenders.map((one) => ({ flops: workload.flops, parts: workload.rotations, ...one })),
    ...machine(workload.ceiling),
  ];
  const times = await alternate(all);
  for (const { free } of all) free?.();
  const results = all.map(({ run, read, free, parts, first, ...facts }, i) => ({ ...facts, ...times[i] }));
  for (const result of results) say(`  ${described(result)}`);
  say(`  = ${verdict(workload, results)}`);
  return results;
}

/** What is said of an entrant is said of its contenders. */
function joined(entrant, contender) {
  const variant = [entrant.variant, contender.variant].filter(Boolean).join(", ");
  return { ...entrant, ...contender, variant, aside: entrant.aside || contender.aside };
}

/** The quickest of some variants, as they take turns. Whose first run took far longer than another's has no hope. */
async function best(variants) {
  const least = Math.min(...variants.map(({ first }) => first));
  const hopeful = variants.filter(({ first }) => first <= 3 * least + 50);
  const times = hopeful.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 2 && hopeful.length > 1; ++round) {
    for (const [i, variant] of hopeful.entries()) times[i] = Math.min(times[i], await estimate(variant));
  }
  const winner = hopeful[times.indexOf(Math.min(...times))];
  for (const variant of variants) if (variant !== winner) variant.free?.();
  return winner ? [winner] : [];
}

const title = ({ name, variant }) => (variant ? `${name} (${variant})` : name);

/** How far off a contender's result is. Throws unless it is what it should be. */
function compare(contender, { name, tolerance = TOLERANCE }, got, wanted) {
  let error = 0;
  for (const [tensor, values] of Object.entries(wanted)) {
    // What stays in a contender's memory may show its last component alone.
    const [expected, given] =
      got.last === undefined ? [values, got[tensor]] : [values.subarray(-1), [got.last]];
    const difference = given ? largestDifference(expected, given) : Number.POSITIVE_INFINITY;
    error = Math.max(error, difference);
    if (difference <= tolerance) continue;
    throw new Error(
      `${title(contender)} computes another ${tensor} of ${name}: off by ${difference}, of at most ${tolerance}.`,
    );
  }
  return error;
}

function described(result) {
  const { median, min, max, samples, repeats, flops, bytes } = result;
  const rate = (count, unit) => (count ? `, ${(count / median / 1e6).toFixed(1)} ${unit}` : "");
  const runs = `${samples} samples${repeats > 1 ? ` of ${repeats} runs` : ""}`;
  const range = `${duration(min)} to ${duration(max)}; ${runs}`;
  return `${title(result)}: ${duration(median)} ms (${range})${rate(flops, "GFLOP/s")}${rate(bytes, "GB/s")}`;
}

/** How far ahead Ropewalk is, how near the ceiling, and whether that was aimed at. */
function verdict(workload, results) {
  const { own, best, ahead, ceiling, goals } = summary(workload, results);
  const ofMinima = best && (best.min / own.min).toFixed(2);
  return [
    best && `${ahead.toFixed(2)} × ahead of the best peer, ${best.name} (${ofMinima} × by the minima)`,
    ceiling.text && `of the ceiling: ${ceiling.text}`,
    ...goals.map((one) => `goal ${goalText(one)}`),
  ]
    .filter(Boolean)
    .join("; ");
}
