import type { Ropewalk } from "ropewalk";
import type { Strip } from "./strip.js";

/** How the pairs of a head turn over a length. */
export interface Turning {
  /** Tokens to a turn of each pair. */
  wavelength: Float64Array;
  /** Turns of each pair. */
  turns: Float64Array;
  /** Angles of all pairs, as they are seen from far off. */
  strip: Strip;
}

/** Of a strip, however long. */
const columns = 1024;

export function turningOf(engine: Ropewalk, invFreq: Float64Array, length: number): Turning {
  const values = engine.ropeAngles({ firstPosition: 0, step: length / columns, count: columns, invFreq });
  return {
    ...engine.ropePeriods({ invFreq, contextLen: length }),
    strip: { values, columns, strands: invFreq.length },
  };
}
