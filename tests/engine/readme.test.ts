// The README's programs run as they stand, and print what their comments say.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { project, runModule, scratchFolder } from "./child.ts";
import { counting, index, safetensors } from "./safetensors_file.ts";

const { folder, remove } = scratchFolder("readme");
afterAll(remove);

/** The small checkpoint that a program opens: a layer of latent attention, 4 heads of 16 + 8 and 16, a latent of 16. */
const attention = "model.layers.0.self_attn";
const checkpoint = Object.fromEntries(
  Object.entries({
    q_proj: [96, 32],
    kv_a_proj_with_mqa: [24, 32],
    kv_a_layernorm: [16],
    kv_b_proj: [128, 16],
    o_proj: [32, 64],
  }).map(([name, shape]) => [`${attention}.${name}.weight`, counting(shape)]),
);
writeFileSync(join(folder, "model-00001-of-00001.safetensors"), safetensors(checkpoint));
writeFileSync(
  join(folder, "model.safetensors.index.json"),
  index(
    Object.fromEntries(Object.keys(checkpoint).map((name) => [name, "model-00001-of-00001.safetensors"])),
  ),
);

const readme = join(project, "README.md");
const text = existsSync(readme) ? readFileSync(readme, "utf8") : "";
const blocks = [...text.matchAll(/^```(js|javascript|mjs|ts|typescript)\b[^\n]*\n(.*?)^```/gms)].map(
  ([, language, source]) => ({ language: language as string, source: source as string }),
);

/** What the comments say is printed: `console.log(…); // → text`, and further lines that are `// text` or `// → text`. */
function announced(source: string): string[] {
  return [...source.matchAll(/\/\/ (?:→|=>|prints:?) ?(.+)$/gm)].map(([, said]) => (said as string).trim());
}

/** Quotes and spaces aside, in which a reader's and Node's ways of printing differ. */
const loosely = (printed: string) => printed.replace(/["'`]/g, "").replace(/\s+/g, " ");

test("README.md is there, with a program that imports the engine", () => {
  expect(existsSync(readme), "README.md is not written yet").toBe(true);
  expect(blocks.length, "README.md has no ```js or ```ts block").toBeGreaterThan(0);
  const imports = blocks.filter(({ source }) => /from "ropewalk"/.test(source));
  expect(imports.length, 'no block of README.md says: import … from "ropewalk"').toBeGreaterThan(0);
});

for (const [i, { language, source }] of blocks.entries()) {
  const first = source.trim().split("\n")[0];
  test(`README.md, block ${i + 1} (${first}) runs and prints what it says`, async () => {
    const program = /^(ts|typescript)$/.test(language) ? await withoutTypes(source) : source;
    const { code, stdout, stderr } = await runModule(folder, `block${i + 1}.mjs`, program);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const line of announced(source)) expect(loosely(stdout)).toContain(loosely(line));
    if (/console\.log/.test(source)) {
      expect(
        announced(source).length,
        "a console.log without a comment // → of what it prints",
      ).toBeGreaterThan(0);
    }
  });
}

test("what a program announces is found", () => {
  expect(announced('console.log(1); // → 1\nconst x = 2; // no\nconsole.log("a");\n// → a b\n')).toEqual([
    "1",
    "a b",
  ]);
});

async function withoutTypes(source: string): Promise<string> {
  const { default: ts } = await import("typescript");
  const { module, target } = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(source, { compilerOptions: { module, target } }).outputText;
}
