// Cases that must be refused: by the engine's own kind of error, and with the engine as good after as it was
// before.
import { ask } from "./onnx.mjs";
import { askConfig } from "./scaling.mjs";
import { CaseError, describe } from "./tensor.mjs";

/** Whether a case wants to be refused. Some of onnxruntime's providers pass their input through instead. */
export function refused(engine, given, _context, verdict, RopewalkError) {
  if (!/^(error|passthrough)\b/.test(given.expect)) {
    throw new CaseError(`unknown expectation ${describe(given.expect)}`);
  }
  try {
    if (given.op !== undefined) ask(engine, given);
    else askConfig(engine, given);
    verdict.fail("it was not refused");
  } catch (error) {
    if (!(error instanceof RopewalkError)) throw error;
    verdict.remark = `refused: ${error.message}`;
  }
  stillWorks(engine, verdict);
}

/** Calls whose results are known without a calculation. */
function stillWorks(engine, verdict) {
  const exactly = [0, 0];
  const value = Float32Array.of(3, -4);
  // A query that sees one key alone returns its value.
  const { out } = engine.attention({
    query: Float32Array.of(1, 2),
    key: Float32Array.of(5, 6),
    value,
    qLen: 1,
    nHeads: 1,
    headDim: 2,
    causal: true,
  });
  verdict.hold("attention after it", out, value, exactly);
  // A quarter turn.
  const turned = engine.applyRope({
    x: value,
    cos: Float32Array.of(0),
    sin: Float32Array.of(1),
    layout: "interleaved",
    seqLen: 1,
    nHeads: 1,
    headDim: 2,
  });
  verdict.hold("applyRope after it", turned, [4, 3], exactly);
  verdict.hold("softmax after it", engine.softmax({ x: value, outer: 2, size: 1 }), [1, 1], exactly);
}
