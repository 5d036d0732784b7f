// The runner itself: that it can fail, and says why.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runNode, scratchFolder } from "../engine/child.ts";

const { folder, remove } = scratchFolder("conformance");
afterAll(remove);

type Json = Record<string, unknown>;

/** Run the runner on a folder with these files. → how it ended, its lines but the last, and its last line. */
async function runOn(files: Record<string, unknown>) {
  const cases = join(folder, "cases");
  rmSync(cases, { recursive: true, force: true });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(cases, name, ".."), { recursive: true });
    writeFileSync(join(cases, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  const { code, stdout } = await runNode("tests/conformance/run.mjs", cases);
  const lines = stdout.trimEnd().split("\n");
  return { code, last: lines.pop(), lines };
}

const tensor = (name: string, data: unknown[], more: Json = {}) => ({
  name,
  dtype: "float32",
  shape: [data.length],
  data,
  ...more,
});

/** A softmax of two equal numbers, and what else is said. */
const softmax = (more: Json = {}) => ({
  name: "softmax",
  op: "Softmax",
  domain: "ai.onnx",
  opset: 13,
  attributes: {},
  inputs: [tensor("input", [1, 1])],
  outputs: [tensor("output", [0.5, 0.5])],
  ...more,
});

/** A key is written to the second row of a cache of two. */
const scatter = (more: Json = {}) => ({
  name: "scatter",
  op: "TensorScatter",
  attributes: {},
  inputs: [
    tensor("past_cache", [1, 2], { shape: [1, 2, 1] }),
    tensor("update", [3], { shape: [1, 1, 1] }),
    tensor("write_indices", [1], { dtype: "int64" }),
  ],
  outputs: [tensor("present_cache", [1, 3], { shape: [1, 2, 1] })],
  ...more,
});

describe("the runner", () => {
  test("finds cases in folders, lists and lists of lists, and adds them up", async () => {
    const { code, last, lines } = await runOn({
      "softmax.json": softmax(),
      "deep/down/list.json": [scatter(), softmax()],
      "deep/cases.json": {
        cases: [softmax({ name: "in cases" })],
        entries: [softmax({ name: "in entries" })],
      },
      "skipped.json": softmax({ agrees_with_onnx_spec: false }),
      "not/json.txt": "no case",
    });
    expect(lines).toHaveLength(6);
    expect(
      lines.filter((line) => /^passed .*: largest error 0, 0 of the tolerance$/.test(line)),
    ).toHaveLength(5);
    expect(last).toBe("5 passed, 0 failed, 1 skipped");
    expect(code).toBe(0);
  });

  const wrong: Record<string, [unknown, RegExp]> = {
    "a wrong expectation": [
      softmax({ outputs: [tensor("output", [0.5, 0.502])] }),
      /output\[1\] is 0\.5, not 0\.502/,
    ],
    "an expected NaN": [
      softmax({ outputs: [tensor("output", [0.5, "nan"])] }),
      /output\[1\] is 0\.5, not NaN/,
    ],
    "a NaN that was not expected": [softmax({ inputs: [tensor("input", [1, "nan"])] }), /is NaN, not 0\.5/],
    "a wrong infinity": [
      scatter({ outputs: [tensor("present_cache", [1, "-inf"], { shape: [1, 2, 1] })] }),
      /is 3, not -Infinity/,
    ],
    "an integer that is off by one": [
      scatter({ outputs: [tensor("present_cache", [1, 4], { shape: [1, 2, 1], dtype: "int32" })] }),
      /is 3, not 4/,
    ],
    "another shape": [
      softmax({ outputs: [tensor("output", [0.5, 0.5], { shape: [2, 1] })] }),
      /the shape \[2\], not \[2,1\]/,
    ],
    "data that do not fill their shape": [
      softmax({ outputs: [tensor("output", [0.5], { shape: [2] })] }),
      /1 values for/,
    ],
    "an unknown operator": [softmax({ op: "Hardmax" }), /unknown operator "Hardmax"/],
    "an operator of another domain": [softmax({ domain: "com.microsoft" }), /unknown operator/],
    "an unknown attribute": [softmax({ attributes: { beta: 1 } }), /unknown attribute beta/],
    "an unknown input": [softmax({ inputs: [tensor("mask", [1])] }), /unknown name "mask"/],
    "an unknown output": [softmax({ outputs: [tensor("sum", [1])] }), /unknown name "sum"/],
    "an unknown dtype": [
      softmax({ inputs: [tensor("input", [1, 1], { dtype: "float8" })] }),
      /unknown dtype "float8"/,
    ],
    "a word that is no number": [
      softmax({ inputs: [tensor("input", [1, "many"])] }),
      /"many", which is no number/,
    ],
    "an integer that no float32 is": [
      scatter({ inputs: [tensor("past_cache", [1, 2 ** 24 + 1], { shape: [1, 2, 1], dtype: "int32" })] }),
      /16777217, which is no float32/,
    ],
    "nothing to compare": [softmax({ outputs: [] }), /nothing to compare/],
    "a case that the engine refuses": [softmax({ attributes: { axis: 7 } }), /the engine refused it: size/],
    "a refusal that does not come": [{ ...softmax(), expect: "error" }, /it was not refused/],
    "an unknown property": [{ rope_type: "linear", property: "f == 1" }, /unknown property/],
    "a configuration that the engine refuses": [
      { config: { rope_scaling: 1 }, inv_freq: [1] },
      /the engine refused it/,
    ],
    "no case at all": [{ name: "ropewalk", version: 1 }, /neither a case of a known form/],
    "no JSON at all": ["{", /JSON/],
  };

  test("fails on what is wrong or unknown, and says what", async () => {
    const names = Object.keys(wrong);
    const { code, last, lines } = await runOn({
      "right.json": softmax(),
      ...Object.fromEntries(names.map((name) => [`${name}.json`, wrong[name]?.[0]])),
    });
    for (const name of names) {
      const line = lines.find((line) => line.startsWith(`FAILED   ${name}.json: `));
      expect(line ?? `no line for ${name}`).toMatch(wrong[name]?.[1] as RegExp);
    }
    expect(last).toBe(`1 passed, ${names.length} failed, 0 skipped`);
    expect(code).toBe(1);
  });

  test("takes a refusal by the engine alone for one", async () => {
    const { last, lines } = await runOn({
      "refused.json": { ...softmax({ attributes: { axis: 7 } }), expect: "error" },
      "unknown.json": { ...softmax({ attributes: { beta: 1 } }), expect: "error" },
    });
    expect(lines[0]).toMatch(/^passed {3}refused\.json: softmax: refused: size/);
    expect(last).toBe("1 passed, 1 failed, 0 skipped");
  });

  test("rounds a result as its storage type would", async () => {
    // exp(1) / (exp(1) + exp(2)) is 0.26894; its neighbours in float16 are 2^-12 apart.
    const of = (dtype: string, low: number, high: number) =>
      softmax({
        inputs: [tensor("input", [1, 2], { dtype })],
        outputs: [tensor("output", [low, high], { dtype })],
        tolerance: [0, 0],
      });
    const { lines, last } = await runOn({
      "bfloat16.json": of("bfloat16", 0.26953125, 0.73046875),
      "float16.json": of("float16", 0.26904296875, 0.73095703125),
      "not float16.json": of("float16", 0.26953125, 0.73095703125),
    });
    expect(lines[0]).toMatch(/^passed .* error 0,/);
    expect(lines[1]).toMatch(/^passed .* error 0,/);
    expect(lines[2]).toMatch(/^FAILED /);
    expect(last).toBe("2 passed, 1 failed, 0 skipped");
  });

  test("fails where nothing ran", async () => {
    expect(await runOn({ "empty.json": [] })).toMatchObject({
      code: 1,
      last: "0 passed, 0 failed, 0 skipped",
    });
    const { code, stdout } = await runNode("tests/conformance/run.mjs", join(folder, "nowhere"));
    expect(stdout).toMatch(/ENOENT.*\n0 passed, 0 failed, 0 skipped\n$/);
    expect(code).toBe(1);
  });
});
