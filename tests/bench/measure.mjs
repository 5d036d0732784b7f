// Timing, in Node and in a browser alike.

/** A sample is of as many runs as take this long together, in ms: clocks in browsers are coarse. */
const SAMPLE = 2;
/** Runs before any is timed go on for so long, in ms: V8 compiles wasm and JavaScript twice, and caches fill. */
const WARM_UP = 200;
/** Samples of one contender take so long together, in ms, within the bounds of their number. */
const BUDGET = 400;
const SAMPLES = { least: 10, most: 50 };
/** A run of more than a second is timed this often only, or else the whole would take an hour. */
const SLOW = { run: 1000, samples: 3 };

const now = () => performance.now();

/** The time of one run, in ms, as the mean of `repeats`; or of each of the `parts` of a run. */
async function sample({ run, parts = 1 }, repeats) {
  const start = now();
  for (let i = 0; i < repeats; ++i) {
    const result = run();
    // Awaiting what is no promise costs a turn of the microtask queue, which a tiny run would feel.
    if (typeof result?.then === "function") await result;
  }
  return (now() - start) / repeats / parts;
}

/** Run until warm; tells how many runs make a sample, and how many samples to take. */
async function warmUp(contender) {
  const start = now();
  const { parts = 1 } = contender;
  let quickest = Number.POSITIVE_INFINITY;
  for (let repeats = 1; now() - start < WARM_UP; repeats *= 2) {
    const run = await sample(contender, repeats);
    // Of less the clock says little: it may not have moved at all.
    if (run * repeats * parts >= SAMPLE / 10) quickest = Math.min(quickest, run);
  }
  const run = quickest * parts;
  const repeats = Math.max(1, Math.ceil(SAMPLE / run));
  const wanted = Math.round(BUDGET / (run * repeats));
  const samples = run > SLOW.run ? SLOW.samples : Math.min(SAMPLES.most, Math.max(SAMPLES.least, wanted));
  return { quickest, repeats, samples };
}

/** About how long a run takes when warm, in ms. */
export async function estimate(contender) {
  return (await warmUp(contender)).quickest;
}

/** The times of all contenders, in ms, taken in turn: when the machine slows down, it does so for all of them. */
export async function alternate(contenders) {
  const plans = [];
  for (const contender of contenders) plans.push({ contender, times: [], ...(await warmUp(contender)) });
  const rounds = Math.max(...plans.map(({ samples }) => samples));
  for (let round = 1; round <= rounds; ++round) {
    for (const { contender, times, samples, repeats } of plans) {
      // Whoever has fewer samples has them spread over all rounds.
      if (times.length < Math.floor((samples * round) / rounds)) times.push(await sample(contender, repeats));
    }
  }
  return plans.map(({ times, repeats }) => ({ ...statistics(times), repeats }));
}

/** Least, middle and most of some times. */
export function statistics(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return {
    samples: sorted.length,
    min: sorted[0],
    median: (lower + upper) / 2,
    max: sorted[sorted.length - 1],
  };
}

/** Components are below 1 in size, or about that: no one who computes the same in float32 is further off. */
export const TOLERANCE = 2e-5;

/** The largest difference of two tensors; infinite where one is not finite, or their lengths differ. */
export function largestDifference(a, b) {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; ++i) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}
