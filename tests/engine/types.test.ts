// The types that ship, as a user's compiler reads them: types.test-d.ts against dist/engine instead of the sources.
import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { project, runNode, scratchFolder } from "./child.ts";

const { folder, remove } = scratchFolder("types");
afterAll(remove);

async function compile(name: string, files: string[], compilerOptions: object): Promise<string> {
  const config = join(folder, `${name}.json`);
  const options = { strict: true, noEmit: true, target: "ES2022", types: [], ...compilerOptions };
  writeFileSync(config, JSON.stringify({ compilerOptions: options, files }));
  const { code, stdout, stderr } = await runNode(
    "node_modules/typescript/bin/tsc",
    "-p",
    config,
    "--pretty",
    "false",
  );
  return code === 0 ? "" : stdout + stderr;
}

test("types.test-d.ts holds for the built package", { timeout: 60_000 }, async () => {
  const file = join(project, "tests/engine/types.test-d.ts");
  const options = {
    module: "ESNext",
    moduleResolution: "bundler",
    lib: ["ES2023", "ESNext.Disposable", "DOM"],
    types: ["node"],
    skipLibCheck: true,
  };
  expect(await compile("suite", [relative(folder, file)], options)).toBe("");
});

const user = `
  import { type F32Buffer, loadRopewalk, RopewalkError } from "ropewalk";
  import { openSafetensors, readAttention } from "ropewalk/safetensors";
  const engine = await loadRopewalk();
  const out: Float32Array = engine.integerEncoding({ seqLen: 4, dim: 2 });
  const buffer: F32Buffer = engine.f32(out);
  export const bad = new RopewalkError("bad_type", "x", buffer, "nothing").code;
  const layer = await readAttention(await openSafetensors("model.safetensors"), 0);
  if (layer.kind === "mla") {
    const attended: Float32Array = engine.mla({ ...layer, x: out, qLen: 1, cos: out, sin: out }).out;
    const heads: number = layer.nHeads + attended.length;
    console.log(heads);
  }
  // What is the engine's own affair is not in the types.
  // @ts-expect-error
  export const { isOf } = buffer;
  // @ts-expect-error
  export const { handle } = buffer;
`;

test("a user's program compiles, its libraries checked too", { timeout: 60_000 }, async () => {
  const options = { module: "NodeNext", lib: ["ES2022", "ESNext.Disposable", "DOM"], skipLibCheck: false };
  const file = join(folder, "user.mts");
  writeFileSync(file, user);
  expect(await compile("user", [file], options)).toBe("");
});
