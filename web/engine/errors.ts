/**
 * Why a call was refused.
 *
 * - `bad_type`: not the kind of thing that the argument takes, such as a string for a size.
 * - `bad_shape`: sizes that disagree with each other, an array of the wrong length, or more elements than 2^31 - 1.
 * - `bad_value`: a number outside of what is allowed.
 * - `disposed`: a buffer after its `delete()`.
 * - `out_of_memory`: memory that could not be had.
 * - `load_failed`: the WebAssembly module could not be fetched, compiled or started.
 * - `bad_file`: a file that cannot be read, or that is not what it says it is.
 */
export type RopewalkErrorCode =
  | "bad_type"
  | "bad_shape"
  | "bad_value"
  | "disposed"
  | "out_of_memory"
  | "load_failed"
  | "bad_file";

/**
 * The only kind of error that the engine throws. Nothing has been written when it is thrown; the next call works.
 *
 * @category The engine
 */
export class RopewalkError extends Error {
  /** Always `RopewalkError`. */
  override readonly name = "RopewalkError";

  constructor(
    /** What kind of mistake it is. */
    readonly code: RopewalkErrorCode,
    /** The argument that was refused, as the caller spells it. */
    readonly argument: string,
    /** What the argument was. */
    readonly given: unknown,
    /** What would have been taken, in words. */
    readonly allowed: string,
    options?: ErrorOptions,
  ) {
    super(`${argument}: given ${describe(given)}; allowed: ${allowed}`, options);
  }
}

/** A value in a few words, for a message. */
function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value) && value.length <= 8) {
    // Lists in it are not opened: there is no end to how deep they may be.
    const parts = value.map((part) => (Array.isArray(part) ? `Array of ${part.length}` : describe(part)));
    return `[${parts.join(", ")}]`;
  }
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return "length" in value ? `${name} of ${value.length}` : name;
}
