/** Elements as files have them, widened to float32. All of this works on bits: exact, NaNs with what they carry. */

/** How elements of a dtype are read. */
export interface Dtype {
  /** Bytes of an element. */
  bytes: number;
  /** Put the elements in `from`, little-endian, into `to`, as the bits of float32s. */
  widen(from: DataView, to: Uint32Array): void;
}

/** The dtypes that can be read. */
export const readableDtypes: ReadonlyMap<string, Dtype> = new Map([
  [
    "F32",
    {
      bytes: 4,
      widen(from: DataView, to: Uint32Array) {
        for (let i = 0; i < to.length; ++i) to[i] = from.getUint32(4 * i, true);
      },
    },
  ],
  [
    "F16",
    {
      bytes: 2,
      widen(from: DataView, to: Uint32Array) {
        for (let i = 0; i < to.length; ++i) to[i] = widenF16(from.getUint16(2 * i, true));
      },
    },
  ],
  [
    "BF16",
    {
      bytes: 2,
      widen(from: DataView, to: Uint32Array) {
        for (let i = 0; i < to.length; ++i) to[i] = from.getUint16(2 * i, true) << 16;
      },
    },
  ],
]);

/** Sign 1, exponent 5 (bias 15), fraction 10 bits, to 1, 8 (bias 127) and 23. */
function widenF16(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // A subnormal is fraction · 2^-24, and a float32 with the same leading 1 before its fraction.
  const leading = 31 - Math.clz32(fraction);
  return sign | ((leading + 103) << 23) | ((fraction << (23 - leading)) & 0x7fffff);
}
