import { CaseError, isExact, product, stored, unitOf, valuesOf } from "./tensor.mjs";

/**
 * What a case came to: its largest error, absolute and as a share of what is allowed, and what it failed on.
 */
export class Verdict {
  compared = 0;
  absolute = 0;
  share = 0;
  remark = "";
  failures = [];

  /**
   * Hold numbers to others: |actual - expected| <= atol + rtol * |expected|. `atol` may be an array, one for
   * each.
   */
  hold(name, actual, expected, [rtol, atol]) {
    if (actual?.length !== expected.length) {
      return this.fail(`${name} has ${actual?.length} elements, not ${expected.length}`);
    }
    let worst = { share: 0 };
    let absolute = 0;
    for (let i = 0; i < expected.length; i++) {
      const error = difference(actual[i], expected[i]);
      const allowed = (typeof atol === "number" ? atol : atol[i]) + rtol * Math.abs(expected[i]);
      const share = error === 0 ? 0 : error < Infinity && allowed > 0 ? error / allowed : Infinity;
      if (share > worst.share) worst = { share, i, error, allowed };
      absolute = Math.max(absolute, error);
    }
    this.compared += expected.length;
    this.absolute = Math.max(this.absolute, absolute);
    this.share = Math.max(this.share, worst.share);
    if (!(worst.share <= 1)) {
      const { i, error, allowed } = worst;
      this.fail(
        `${name}[${i}] is ${actual[i]}, not ${expected[i]}: off by ${figure(error)} of ${figure(allowed)}`,
      );
    }
  }

  /**
   * Hold a result {shape, data} to a tensor of a case, rounded as its storage type would round it: two
   * numbers however close may then be neighbours in that type.
   */
  holdTensor(name, result, tensor, [rtol, atol]) {
    const expected = valuesOf(tensor);
    if (product(tensor.shape) !== expected.length) {
      throw new CaseError(`${tensor.name} has ${expected.length} values for the shape [${tensor.shape}]`);
    }
    if (result.data === undefined) return this.fail(`${name} was not returned`);
    if (`${result.shape}` !== `${tensor.shape}`) {
      return this.fail(`${name} has the shape [${result.shape}], not [${tensor.shape}]`);
    }
    const actual = Array.from(result.data, (value) => stored(tensor, value));
    this.hold(name, actual, expected, isExact(tensor) ? [0, 0] : [Math.max(rtol, unitOf(tensor)), atol]);
  }

  /** Hold what is not a matter of degree. */
  require(truth, otherwise) {
    this.compared++;
    if (!truth) this.fail(otherwise);
  }

  fail(reason) {
    this.failures.push(reason);
  }

  /** Its figures, for a line. */
  get figures() {
    if (this.remark) return this.remark;
    return `largest error ${figure(this.absolute)}, ${figure(this.share)} of the tolerance`;
  }
}

/** |a - b|. NaN and infinities are at no distance from their like, and infinitely far from all else. */
function difference(a, b) {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const error = Math.abs(a - b);
  return Number.isNaN(error) ? Infinity : error;
}

const figure = (x) => (x === 0 || x === Infinity ? `${x}` : x.toPrecision(2));

/** [rtol, atol] from a case: such a pair, or {rtol, atol}; or else `fallback`. */
export function toleranceOf(given, fallback) {
  if (given === undefined || given === null) return fallback;
  const pair = Array.isArray(given) ? given : [given.rtol ?? fallback[0], given.atol ?? fallback[1]];
  if (pair.length !== 2 || !pair.every((x) => typeof x === "number" && x >= 0 && x < Infinity)) {
    throw new CaseError(`${JSON.stringify(given)} is no tolerance`);
  }
  return pair;
}
