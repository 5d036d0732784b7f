// What was measured, as it is read: who is how far ahead, how near the ceiling, and whether the goals are met.
import { workloads } from "./workloads.mjs";

/** Noise is ±25 %: at most so much of a peer's time is a win. */
const WIN = 0.8;

/** Of cold starts, on each network. */
const COLD_GOALS = {
  localhost: { times: 5, fewerBytes: 50, beyondEmpty: 25 },
  "10 Mbit/s, 40 ms": { times: 15 },
};

/**
 * Of one workload's contenders: Ropewalk's own, the peers by name, the best of them, how many times ahead of each of them
 * Ropewalk is, and its goals, each with what was reached.
 */
export function summary({ goals = {} }, contenders) {
  const own = contenders.find((one) => one.own && !one.aside);
  const peers = contenders.filter((one) => !one.own && !one.ceiling && !one.empty);
  const best = peers.reduce((least, one) => (one.median < least?.median ? one : (least ?? one)), undefined);
  const ahead = (peer) => peer && peer.median / own.median;
  const ceiling = ofCeiling(own, contenders);
  const reached = Object.entries(goals).map(([name, wanted]) => {
    if (name === "ofPeak") return goal(`≥ ${percent(wanted)}`, ceiling.ofPeak, ceiling.ofPeak >= wanted);
    if (name === "copies" || name === "reads")
      return goal(`≤ ${wanted} × ${ceiling.what}`, ceiling.times, ceiling.times <= wanted);
    if (name === "threads") {
      const two = contenders.find(({ threads }) => threads === 2);
      const times = two && own.median / two.median;
      return goal(`${wanted} × by 2 threads`, times, times >= wanted);
    }
    const peer = name === "peer" ? best : peers.find((one) => one.name === name);
    const text = `${wanted} ×${name === "peer" ? "" : ` ${name}`}`;
    // As fast as another is no win, but «no slower».
    return goal(text, ahead(peer), ahead(peer) >= wanted);
  });
  return {
    own,
    peers,
    best,
    ahead: ahead(best),
    win: own.median <= WIN * best?.median,
    ceiling,
    goals: reached,
  };
}

const goal = (text, reached, met) => ({ text, reached, met: met === true });

export const percent = (part) => `${Math.round(100 * part)} %`;

/** How near to the ceiling: the part of the multiply-add rate, or how many times a copy or a read takes. */
function ofCeiling(own, contenders) {
  const memory = contenders.find(({ ceiling }) => ceiling === "copy" || ceiling === "read");
  if (memory) {
    const times = own.median / memory.median;
    return { what: memory.ceiling, times, text: `${times.toFixed(2)} × ${memory.ceiling}` };
  }
  const peak = contenders.find(({ ceiling, simd }) => ceiling === "flops" && simd === own.simd);
  if (!peak || !own.flops) return {};
  const rate = (one) => one.flops / one.median / 1e6;
  const ofPeak = rate(own) / rate(peak);
  // What is left of it where nothing is copied in and out is the kernel's own.
  const inBuffers = contenders.find(({ own, variant }) => own && variant === "buffers");
  const kernel = inBuffers ? `, in buffers ${percent(rate(inBuffers) / rate(peak))}` : "";
  return { ofPeak, text: `${rate(own).toFixed(1)} GFLOP/s, ${percent(ofPeak)}${kernel}` };
}

export function coldSummary({ network, contenders }) {
  const find = (name) => contenders.find((one) => one.name === name);
  const [own, peer] = [contenders.find((one) => one.own), find("onnxruntime-web")];
  const empty = contenders.find((one) => one.empty);
  const { times, fewerBytes, beyondEmpty } = COLD_GOALS[network];
  const quicker = peer.median / own.median;
  const smaller = peer.bytes / own.bytes;
  const beyond = own.median - empty.median;
  const goals = [
    goal(`${times} × onnxruntime-web`, quicker, quicker >= times),
    ...(fewerBytes ? [goal(`1/${fewerBytes} of its bytes`, smaller, smaller >= fewerBytes)] : []),
    ...(beyondEmpty ? [goal(`≤ ${beyondEmpty} ms over empty`, beyond, beyond <= beyondEmpty)] : []),
  ];
  return { goals };
}

/** The part of the machine that may be busy with something else before that is worth a word. */
export const IDLE = 0.1;

const PEERS = ["onnxruntime-web", "LiteRT.js", "TensorFlow.js", "plain JavaScript"];

/**
 * Markdown of all results: a table for each place, and one of cold starts.
 *
 * @param {{ machine: any, node?: any, chromium?: any, cold?: any }} results
 */
export function markdown({ machine, node, chromium, cold }) {
  const busy = machine.busy > IDLE ? `, ${percent(machine.busy)} busy with something else` : "";
  const parts = [
    `Measured on ${machine.date} on ${machine.cores} cores of ${machine.cpu}${busy}, in float32, batch 1, one thread. Medians ` +
      "in ms of at least 10 samples, or of 3 where a run takes more than a second. In bold are wins: at most 0.8 times the " +
      "best peer's median. LiteRT.js and onnxruntime-web have the resident cache of decode as a constant of their graph.",
    node && contestTable(`Node ${machine.node}`, node),
    chromium && contestTable(`Chromium ${machine.chromium}`, chromium),
    cold && coldTable(machine, cold),
  ];
  return parts.filter(Boolean).join("\n\n");
}

const row = (cells) => `| ${cells.join(" | ")} |`;

function contestTable(place, results) {
  const head = [place, "Ropewalk", ...PEERS, "ahead of the best", "of the ceiling", "goals"];
  const rows = results.map(({ workload: name, contenders }) => {
    const workload = workloads.find((one) => one.name === name);
    const { own, peers, ahead, win, ceiling, goals } = summary(workload, contenders);
    const times = PEERS.map((peer) => peers.find((one) => one.name === peer)).map(cellOf);
    const lead = ahead === undefined ? "–" : win ? `**${ahead.toFixed(1)} ×**` : `${ahead.toFixed(1)} ×`;
    return row([
      workload.title,
      `${cellOf(own)}${own.simd === "relaxed" ? " (relaxed)" : ""}${offBy(workload, own)}`,
      ...times,
      lead,
      ceiling.text ?? "–",
      goals.map(goalText).join(", ") || "–",
    ]);
  });
  return [row(head), row(head.map(() => "---")), ...rows].join("\n");
}

function coldTable({ chromium }, results) {
  const names = results[0].contenders.map(({ name }) => name);
  const head = [`Cold, Chromium ${chromium}`, ...names, "goals"];
  const rows = results.map((result) => {
    const times = result.contenders.map(({ median }) => Math.round(median).toLocaleString("en"));
    return row([
      `first result, ${result.network}`,
      ...times,
      coldSummary(result).goals.map(goalText).join(", "),
    ]);
  });
  const bytes = results[0].contenders.map((one) => one.bytes.toLocaleString("en"));
  return [row(head), row(head.map(() => "---")), ...rows, row(["bytes, brotli", ...bytes, ""])].join("\n");
}

export const goalText = ({ text, reached, met }) =>
  met ? `${text} ✓` : `${text} ✗${reached === undefined ? "" : ` (${reached.toFixed(2)})`}`;

/** Said where it is more than a rounding or two. */
const offBy = ({ tolerance }, { error }) => (tolerance ? `, off by ${error.toExponential(0)}` : "");

const cellOf = (one) => (one === undefined ? "–" : duration(one.median));

/** Three digits of a time in ms. */
export function duration(ms) {
  if (ms >= 100) return Math.round(ms).toLocaleString("en");
  return ms < 0.01 ? ms.toFixed(4) : ms.toPrecision(3);
}

const BEGIN = "<!-- npm run bench -- --readme: begin -->";
const END = "<!-- end -->";

/** `readme` with the table in it. */
export function withTable(readme, table) {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md has no place for the table: ${BEGIN} … ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n${table}\n${readme.slice(end)}`;
}
