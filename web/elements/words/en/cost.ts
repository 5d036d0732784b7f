const ways = {
  kept: "naive, all heads’ keys and values kept",
  expanded: "naive, expanded from latents each time",
  absorbed: "absorbed, latents as they are",
};

/** What is said of what a layer costs as the text grows. */
export const words = {
  heading: "What a layer costs as the text grows",
  phase: "For",
  phases: { decode: "decode: one new token", prefill: "prefill: all tokens at once" },
  quantity: "Show",
  quantities: {
    multiplyAdds: "multiply-adds",
    bytes: "bytes moved",
    milliseconds: "time, measured here",
  },
  layer: "Layer of",
  stop: "Stop",
  measure: "Measure on this machine",
  measureAgain: "Measure again",
  measured: "Measured",
  measuring: (of: number, all: number) => `${of} of ${all} measured …`,
  medians: "Measured: medians, one thread.",
  stopped: (of: number, all: number) => `Stopped after ${of} of ${all}.`,
  takes: "It takes some seconds and 200 MB; the page goes on meanwhile.",
  problem: (reason: string) => `It could not be measured. ${reason}`,
  more: (times: string) => `${times} times as much`,
  less: (times: string) => `${times} times less`,
  verdicts: {
    decode: (tokens: string, absorbed: string, compared: string) =>
      `To attend alone, with ${tokens} tokens: ${absorbed} absorbed, which is ${compared} as naive with everything kept. A new token waits for memory rather than for arithmetic: that is why the trade pays.`,
    prefill: (tokens: string, absorbed: string, compared: string) =>
      `Together, with ${tokens} tokens: ${absorbed} absorbed, which is ${compared} as naive with everything kept. Where all queries come at once, what was expanded serves them all: prefill is naive, and decode absorbed.`,
  },
  chart: {
    ways,
    multiplyAdds: (count: string) => `${count} multiply-adds`,
    label: "Cost by length: arrow keys go from one length to the next",
    hint: "Point at a length, or walk along them with the arrow keys.",
    x: "tokens, those before with the new ones",
    tokens: (count: string) => `${count} tokens`,
    atWay: (way: keyof typeof ways, cost: string) => `${ways[way]}: ${cost}`,
    said: (tokens: string, costs: readonly string[]) => `${tokens} tokens. ${costs.join("; ")}`,
    table: { caption: "Cost of one layer", tokens: "tokens", notMeasured: "not measured" },
  },
};
