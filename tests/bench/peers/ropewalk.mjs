// Ropewalk, called as its README shows, by whoever calls it sixty times a second: options and arrays are made once.

/** What is loaded by default; and, for comparison, the binary that engines without relaxed SIMD get, and two threads. */
export async function load(platform) {
  const { loadRopewalk } = await platform.ropewalk();
  const usual = await loadRopewalk();
  const entrants = [entrant(usual)];
  if (usual.simd === "relaxed") {
    entrants.push({ ...entrant(await loadRopewalk({ simd: "simd128" })), aside: true, variant: "SIMD128" });
    entrants.push(onThreads(await loadRopewalk({ threads: 2 })));
  }
  return entrants;
}

const entrant = (ropewalk) => ({
  name: "Ropewalk",
  own: true,
  simd: ropewalk.simd ?? "simd128",
  contenders: (workload, inputs) => byKind[workload.kind](ropewalk, workload, inputs),
});

/** Where they are aimed at; as the others are on one thread, never counted in the contest. */
const onThreads = (ropewalk) => ({
  ...entrant(ropewalk),
  aside: true,
  variant: `${ropewalk.threads} threads`,
  threads: ropewalk.threads,
  contenders: (workload, inputs) =>
    workload.goals?.threads ? attention(ropewalk, workload, inputs).slice(0, 1) : [],
});

const byKind = { rope, attention, mla };

/** Beside results that go into arrays of the caller's, to show what it costs to have them made in each run. */
const NEW = "new arrays";

function rope(ropewalk, { seqLen, nHeads, headDim, layout, place, rotations }, inputs) {
  const shape = { seqLen, nHeads, headDim, layout };
  const { x, cos, sin } = inputs;
  if (place === "arrays") {
    const anew = { ...shape, x, cos, sin };
    const call = { ...anew, out: new Float32Array(x.length) };
    return [
      { run: () => ropewalk.applyRope(call), read: () => ({ out: call.out }) },
      { variant: NEW, aside: true, run: () => ropewalk.applyRope(anew), read: (out) => ({ out }) },
    ];
  }
  const { buffers, free } = inMemory(ropewalk, { x, cos, sin });
  const call = { ...shape, ...buffers };
  const run = () => {
    for (let i = 0; i < rotations; ++i) ropewalk.applyRope(call);
  };
  return [{ run, read: () => ({ out: buffers.x.view.slice() }), free }];
}

function attention(ropewalk, workload, inputs) {
  const { qLen, kvLen, nHeads, headDim, causal, place } = workload;
  const shape = { qLen, nHeads, causal };
  if (qLen !== kvLen && place === "memory") return [decode(ropewalk, workload, inputs)];

  const sizes = { ...shape, kvLen, headDim };
  return [
    inArrays(ropewalk, workload, sizes, inputs),
    inNewArrays(ropewalk, workload, sizes, inputs),
    inBuffers(ropewalk, workload, sizes, inputs),
  ];
}

function inArrays(ropewalk, workload, sizes, { cos, sin, query, key, value }) {
  const { nHeads, headDim, qLen, kvLen, layout, weights } = workload;
  const turn = (x, seqLen) => ({ x, cos, sin, seqLen, nHeads, headDim, layout, out: x.slice() });
  const turns = layout ? [turn(query, qLen), turn(key, kvLen)] : [];
  const call = {
    ...sizes,
    query: turns[0]?.out ?? query,
    key: turns[1]?.out ?? key,
    value,
    out: new Float32Array(query.length),
    weights: weights ? new Float32Array(nHeads * qLen * kvLen) : false,
  };
  const run = () => {
    for (const one of turns) ropewalk.applyRope(one);
    ropewalk.attention(call);
  };
  return { run, read: () => ({ out: call.out, ...(weights && { weights: call.weights }) }) };
}

function inNewArrays(ropewalk, { nHeads, headDim, qLen, kvLen, layout, weights }, sizes, inputs) {
  const { cos, sin, query, key, value } = inputs;
  const turned = (x, seqLen) =>
    layout ? ropewalk.applyRope({ x, cos, sin, seqLen, nHeads, headDim, layout }) : x;
  const run = () =>
    ropewalk.attention({ ...sizes, query: turned(query, qLen), key: turned(key, kvLen), value, weights });
  return { variant: NEW, aside: true, run, read: (result) => result };
}

/** The same with all tensors in the engine's memory; beside the arrays, to show what copying costs. */
function inBuffers(ropewalk, workload, sizes, inputs) {
  const { qLen, kvLen, nHeads, headDim, layout, weights } = workload;
  const results = {
    out: new Float32Array(inputs.query.length),
    ...(weights && { weights: new Float32Array(nHeads * qLen * kvLen) }),
  };
  const { buffers, free } = inMemory(ropewalk, { ...inputs, ...results });
  const { cos, sin, ...tensors } = buffers;
  const turn = (x, seqLen) => ({ x, cos, sin, seqLen, nHeads, headDim, layout });
  const turns = layout ? [turn(buffers.query, qLen), turn(buffers.key, kvLen)] : [];
  const call = { ...sizes, ...tensors };
  const run = () => {
    // In place: from the second run on, what has been rotated already is rotated further, which takes as long.
    for (const one of turns) ropewalk.applyRope(one);
    ropewalk.attention(call);
  };
  const read = () =>
    Object.fromEntries(Object.keys(results).map((name) => [name, buffers[name].view.slice()]));
  return { variant: "buffers", aside: true, run, read, free };
}

/** One query, to which its heads' order is all the same; in the cache each head by itself, which memory likes better. */
function decode(ropewalk, { qLen, kvLen, nHeads, headDim, dtype }, { query, key, value }) {
  const cache = ropewalk.kvCache({ format: "bhsd", capacity: kvLen, nKvHeads: nHeads, headDim, dtype });
  const byHead = (x) => headsFirst(x, kvLen, nHeads, headDim);
  cache.append({ key: byHead(key), value: byHead(value), len: kvLen });
  const call = { query, cache, qLen, nHeads, out: new Float32Array(query.length) };
  return {
    run: () => ropewalk.attention(call),
    read: () => ({ out: call.out }),
    free: () => cache.delete(),
  };
}

/** One more token, and the cache as before. All weights are in the engine's memory. */
function mla(ropewalk, workload, inputs) {
  const { hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim, kvLen } = workload;
  const shape = { hiddenSize, nHeads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim };
  const { x, cos, sin, latents, ...weights } = inputs;
  const { buffers, free } = inMemory(ropewalk, weights);
  const call = { ...shape, ...buffers, x, cos, sin, qLen: 1, causal: true };
  const capacity = kvLen + 1;

  const ofLatents = ropewalk.latentCache({ capacity, kvLoraRank, qkRopeHeadDim });
  ofLatents.append({ latents, len: kvLen });
  const headDim = qkNopeHeadDim + qkRopeHeadDim;
  const ofHeads = ropewalk.kvCache({ capacity, nKvHeads: nHeads, headDim, vHeadDim });
  ofHeads.append({ ...expanded(ropewalk, workload, inputs), len: kvLen });

  const contender = (variant, form, cache, kept) => {
    const { total } = ropewalk.mlaCost({ ...shape, form, kept, qLen: 1, kvLen: capacity, causal: true });
    const run = () => {
      const { out } = ropewalk.mla({ ...call, form, cache });
      cache.truncate(kvLen);
      return out;
    };
    return { variant, flops: 2 * total.multiplyAdds, run, read: (out) => ({ out }) };
  };
  const freeAll = () => {
    for (const cache of [ofLatents, ofHeads]) cache.delete();
    free();
  };
  return [
    contender("absorbed", "absorbed", ofLatents, "latent"),
    { ...contender("naive, of latents", "naive", ofLatents, "latent"), aside: true },
    { ...contender("naive, of keys and values", "naive", ofHeads, "heads"), aside: true, free: freeAll },
  ];
}

/** Keys and values of all heads, from the latents and rotary keys of a cache. */
function expanded(ropewalk, { nHeads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim, kvLen }, inputs) {
  const width = kvLoraRank + qkRopeHeadDim;
  const latents = new Float32Array(kvLen * kvLoraRank);
  for (let i = 0; i < kvLen; ++i)
    latents.set(inputs.latents.subarray(i * width, i * width + kvLoraRank), i * kvLoraRank);
  const rows = qkNopeHeadDim + vHeadDim;
  const both = ropewalk.linear({
    x: latents,
    weight: inputs.kvBProj,
    rows: kvLen,
    inDim: kvLoraRank,
    outDim: nHeads * rows,
  });
  const headDim = qkNopeHeadDim + qkRopeHeadDim;
  const key = new Float32Array(kvLen * nHeads * headDim);
  const value = new Float32Array(kvLen * nHeads * vHeadDim);
  for (let i = 0; i < kvLen * nHeads; ++i) {
    const from = i * rows;
    const rotary = Math.floor(i / nHeads) * width + kvLoraRank;
    key.set(both.subarray(from, from + qkNopeHeadDim), i * headDim);
    key.set(inputs.latents.subarray(rotary, rotary + qkRopeHeadDim), i * headDim + qkNopeHeadDim);
    value.set(both.subarray(from + qkNopeHeadDim, from + rows), i * vHeadDim);
  }
  return { key, value };
}

/** [len, nHeads, headDim] as [nHeads, len, headDim]. */
function headsFirst(x, len, nHeads, headDim) {
  const out = new Float32Array(x.length);
  for (let i = 0; i < len * nHeads; ++i) {
    const [s, h] = [Math.floor(i / nHeads), i % nHeads];
    out.set(x.subarray(i * headDim, (i + 1) * headDim), (h * len + s) * headDim);
  }
  return out;
}

/** Buffers with such content, by the same names. */
function inMemory(ropewalk, tensors) {
  const buffers = Object.fromEntries(
    Object.entries(tensors).map(([name, values]) => [name, ropewalk.f32(values)]),
  );
  const free = () => {
    for (const buffer of Object.values(buffers)) buffer.delete();
  };
  return { buffers, free };
}
