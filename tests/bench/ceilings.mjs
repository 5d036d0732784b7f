// What the machine can do at most, as small modules of WebAssembly: multiply-adds from registers, and memory copied and read.

/** Sums that are under way at once: with fewer they wait for one another, and with 14 V8 runs out of registers. */
const SUMS = 12;
/** Rounds of all sums in one run, and with them its flops: four lanes of a multiplication and an addition. */
const ROUNDS = 100_000;
const FLOPS = ROUNDS * SUMS * 4 * 2;

const range = (n) => [...Array(n).keys()];

/** s = s · a + b in each sum, over and over; `step` is the instruction or the two for it. */
function registerPeak(step) {
  const sums = range(SUMS).map((i) => `$s${i}`);
  return `(module
    (func (export "run") (param $rounds i32) (result f32)
      ${sums.map((s) => `(local ${s} v128)`).join(" ")} (local $a v128) (local $b v128)
      (local.set $a (f32x4.splat (f32.const 0.5)))
      (local.set $b (f32x4.splat (f32.const 0.25)))
      (loop $again
        ${sums.map((s) => `(local.set ${s} ${step(`(local.get ${s})`)})`).join("\n")}
        (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (f32x4.extract_lane 0
        ${sums.reduce((sum, s) => `(f32x4.add ${sum} (local.get ${s}))`, "(local.get $b)")})))`;
}

/** Memory from 0 on is copied behind itself, or read, 64 bytes at a time. */
const MEMORY = `(module
  (memory (export "memory") 1)
  (func (export "copy") (param $bytes i32)
    (memory.copy (local.get $bytes) (i32.const 0) (local.get $bytes)))
  (func (export "read") (param $bytes i32) (result i32)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128) (local $at i32)
    (loop $again
      ${range(4)
        .map(
          (i) =>
            `(local.set $s${i} (v128.or (local.get $s${i}) (v128.load offset=${16 * i} (local.get $at))))`,
        )
        .join("\n")}
      (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $bytes))))
    (v128.any_true (v128.or (v128.or (local.get $s0) (local.get $s1)) (v128.or (local.get $s2) (local.get $s3))))))`;

const SOURCES = {
  simd: registerPeak((s) => `(f32x4.add (f32x4.mul ${s} (local.get $a)) (local.get $b))`),
  relaxed: registerPeak((s) => `(f32x4.relaxed_madd ${s} (local.get $a) (local.get $b))`),
  memory: MEMORY,
};

/** The bytes of the modules, by name. */
export async function assembleCeilings() {
  const { default: startWabt } = await import("wabt");
  const wabt = await startWabt();
  const features = { simd: true, relaxed_simd: true, bulk_memory: true };
  return Object.fromEntries(
    Object.entries(SOURCES).map(([name, source]) => {
      const module = wabt.parseWat(`${name}.wat`, source, features);
      module.validate();
      return [name, module.toBinary({}).buffer];
    }),
  );
}

/** From the modules' bytes, what to run beside a workload to know how far from the ceiling it is. */
export function ceilings(bytes) {
  const start = (name) => new WebAssembly.Instance(new WebAssembly.Module(bytes[name])).exports;
  const { run: simd } = start("simd");
  const memory = start("memory");
  const room = (size) => {
    const missing = size - memory.memory.buffer.byteLength;
    if (missing > 0) memory.memory.grow(Math.ceil(missing / 65_536));
    // Untouched pages are all one page of zeros.
    new Uint8Array(memory.memory.buffer).fill(1);
  };
  const peak = (name, simd, run) => ({ name, simd, ceiling: "flops", flops: FLOPS, run: () => run(ROUNDS) });
  return ({ flops, copy, read }) => {
    if (copy || read) room(2 * (copy ?? read));
    return [
      ...(flops ? [peak("multiply-adds, SIMD128", "simd128", simd)] : []),
      ...(flops && WebAssembly.validate(bytes.relaxed)
        ? [peak("multiply-adds, relaxed SIMD", "relaxed", start("relaxed").run)]
        : []),
      ...(copy ? [{ name: "memory copy", ceiling: "copy", bytes: copy, run: () => memory.copy(copy) }] : []),
      ...(read ? [{ name: "memory read", ceiling: "read", bytes: read, run: () => memory.read(read) }] : []),
    ];
  };
}
