import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk, type ModelRope, type Ropewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { figure } from "../../web/elements/figure.js";
import { examples } from "../../web/elements/model_examples.js";
import { allDrawn, violations, visitor } from "./visitor.js";

const site = visitor();
const engine: Ropewalk = await loadRopewalk();

/** The chapter's second instrument begins when it comes into view. */
async function visit(options: BrowserContextOptions = {}, state = ""): Promise<Page> {
  const page = await site.visit(`#longer${state}`, options);
  await page.locator("ropewalk-longer #beyond").waitFor();
  await model(page).scrollIntoViewIfNeeded();
  await model(page).locator("#type").waitFor();
  return page;
}

/** The chapter has another instrument above it, with a rope and a length of its own. */
const model = (page: Page) => page.locator("ropewalk-model");

const configOf = (name: string) => {
  const example = examples.find((one) => one.name === name);
  if (example === undefined) throw new Error(name);
  return example.config as Record<string, unknown>;
};

const choose = (page: Page, name: string) => model(page).getByRole("button", { name, exact: true }).click();

async function paste(page: Page, config: unknown): Promise<void> {
  await model(page)
    .getByLabel("A model’s config.json")
    .fill(typeof config === "string" ? config : JSON.stringify(config));
  await allDrawn(page);
}

const texts = async (page: Page, ...ids: string[]) =>
  Object.fromEntries(
    await Promise.all(ids.map(async (id) => [id, await model(page).locator(`#${id}`).innerText()])),
  );

const grouped = (value: number) => value.toLocaleString("en");
const factor = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(4));

interface Asked {
  config: unknown;
  layerType?: string;
  seqLen?: number;
}

/** What the same engine returns here. */
function computed({ config, layerType, seqLen }: Asked) {
  const layer = layerType === undefined ? {} : { layerType };
  const length = seqLen ?? engine.ropeFromConfig({ config, ...layer }).maxPositionEmbeddings ?? 4096;
  const rope = engine.ropeFromConfig({ config, ...layer, seqLen: length });
  const { wavelength, turns } = engine.ropePeriods({ invFreq: rope.invFreq, contextLen: length });
  const never = turns.filter((turn) => turn < 1).length;
  const slowest = Math.max(...wavelength.filter(Number.isFinite));
  return { rope, length, wavelength, turns, never, slowest };
}

async function expectShown(page: Page, asked: Asked): Promise<ModelRope> {
  const { rope, length, never, slowest } = computed(asked);
  await allDrawn(page);
  expect(
    await texts(page, "type", "layout", "rotary", "theta", "attention", "softmax", "never", "slowest"),
  ).toEqual({
    type: rope.ropeType,
    layout: rope.layout ?? "not told",
    rotary: `${rope.rotaryDim} of ${rope.headDim}`,
    theta: grouped(rope.ropeTheta),
    attention: factor(rope.attentionFactor),
    softmax: factor(rope.softmaxFactor),
    never: `${never} of ${rope.invFreq.length}`,
    slowest: figure(slowest),
  });
  expect(await model(page).locator("output[for=length]").innerText()).toBe(grouped(length));
  const partner = { half: `i + ${rope.rotaryDim / 2}`, interleaved: "2i + 1" };
  if (rope.layout !== undefined) {
    expect(await model(page).locator("#layout + .note").innerText()).toContain(
      `with ${partner[rope.layout]}`,
    );
  }
  return rope;
}

const problem = async (page: Page) =>
  (await model(page).locator("#refusal").innerText()).replace(/\s+/g, " ").trim();

/** Move the slider to a length that it stops at. */
async function stretch(page: Page, length: number): Promise<void> {
  const slider = model(page).locator("#length");
  let [low, high] = [0, Number(await slider.getAttribute("max"))];
  while (low < high) {
    const middle = (low + high) >> 1;
    await slider.fill(String(middle));
    await allDrawn(page);
    const at = Number((await model(page).locator("output[for=length]").innerText()).replaceAll(",", ""));
    if (at < length) low = middle + 1;
    else high = middle;
  }
  await slider.fill(String(low));
  await allDrawn(page);
  expect(await model(page).locator("output[for=length]").innerText()).toBe(grouped(length));
}

const rotating = examples.filter(({ name }) => !name.startsWith("BLOOM"));

describe.each(rotating.map(({ name }) => name))("%s", (name) => {
  test("shows what the engine returns", async () => {
    const page = await visit();
    await choose(page, name);
    const config = configOf(name);
    const radios = model(page).getByRole("radiogroup", { name: "Layers" }).getByRole("radio");
    await allDrawn(page);
    const layers = await radios.count();
    if (layers === 0) await expectShown(page, { config });
    for (let i = 0; i < layers; ++i) {
      await radios.nth(i).check();
      const layerType = (await model(page).locator(".radios span").nth(i).innerText()).trim();
      await expectShown(page, { config, layerType });
    }
    expect(await problem(page)).toBe("");
  });

  test("has a program that does the same", async () => {
    const page = await visit();
    await choose(page, name);
    await allDrawn(page);
    const program = await model(page).locator("pre").innerText();
    const layerType = /layerType: "(\w+)"/.exec(program)?.[1];
    const { rope, length } = computed({ config: configOf(name), ...(layerType && { layerType }) });
    const body = program.replace(/^import .*$/m, "");
    const run = new Function(
      "loadRopewalk",
      `return (async () => {${body}\nreturn { rope, query, cos };})();`,
    ) as (load: typeof loadRopewalk) => Promise<{ rope: ModelRope; query: Float32Array; cos: Float32Array }>;
    expect(body).not.toBe(program);
    const done = await run(loadRopewalk);
    expect(done.rope).toEqual(rope);
    const last = { seqLen: 1, positionOffset: length - 1 };
    expect(done.cos).toEqual(engine.buildRopeCache({ ...last, ...rope }).cos);
    expect(done.query).toHaveLength(rope.headDim);
    expect(done.query.some((value) => Math.abs(value - 1) > 0.1)).toBe(true);
  });
});

test("what the length changes, for dynamic scaling", async () => {
  const page = await visit();
  await choose(page, "InternLM2 7B");
  const config = configOf("InternLM2 7B");
  const before = await expectShown(page, { config });
  expect(await model(page).locator("#change").innerText()).toMatch(/^Up to 32,768 tokens nothing changes/);
  await stretch(page, 131072);
  const after = await expectShown(page, { config, seqLen: 131072 });
  expect(await model(page).locator("#change").innerText()).toMatch(/^Past 32,768 tokens the base grows/);
  expect(after.invFreq[63]).toBeLessThan((before.invFreq[63] as number) / 2);
  await stretch(page, 4096);
  await expectShown(page, { config, seqLen: 4096 });
});

test("what the length changes, for LongRoPE", async () => {
  const page = await visit();
  const factors = (first: number) => Array.from({ length: 32 }, (_, i) => first + i);
  const config = {
    model_type: "phi3",
    head_dim: 64,
    max_position_embeddings: 131072,
    original_max_position_embeddings: 4096,
    rope_scaling: { type: "su", short_factor: factors(1), long_factor: factors(3) },
  };
  await paste(page, config);
  const long = await expectShown(page, { config });
  expect(await model(page).locator("#change").innerText()).toMatch(
    /^Past 4,096 tokens the long factors hold/,
  );
  await stretch(page, 4096);
  const short = await expectShown(page, { config, seqLen: 4096 });
  expect(await model(page).locator("#change").innerText()).toMatch(
    /^Up to 4,096 tokens the short factors hold/,
  );
  await model(page).locator("#length").press("ArrowRight");
  const next = await expectShown(page, { config, seqLen: 4097 });
  expect(next.invFreq).toEqual(long.invFreq);
  expect(short.invFreq).not.toEqual(long.invFreq);
});

test("where nothing changes with the length, it says so, and only turns are counted anew", async () => {
  const page = await visit();
  const config = configOf("Llama 3.1 8B");
  for (const seqLen of [131072, 1024]) {
    await stretch(page, seqLen);
    await expectShown(page, { config, seqLen });
    expect(await model(page).locator("#change").innerText()).toMatch(/^No frequency changes with the length/);
  }
  expect(await model(page).locator("#length").getAttribute("aria-valuetext")).toMatch(
    /^1,024 tokens; \d+ of 64 pairs/,
  );
});

test("each kind of layer, where they differ; and back to the model's own length", async () => {
  const page = await visit();
  await choose(page, "Gemma 3 4B");
  const config = configOf("Gemma 3 4B");
  await stretch(page, 2048);
  await model(page).getByRole("radio", { name: "sliding_attention" }).check();
  await expectShown(page, { config, layerType: "sliding_attention" });
  await model(page).getByRole("radio", { name: "full_attention" }).check();
  const rope = await expectShown(page, { config, layerType: "full_attention" });
  expect(rope.ropeType).toBe("linear");
  // The next model has no such choice.
  await choose(page, "GPT-J 6B");
  await expectShown(page, { config: configOf("GPT-J 6B") });
  expect(await model(page).getByRole("radio").count()).toBe(0);
});

const llama = configOf("Llama 3.1 8B");
const yarn = configOf("Qwen2.5 7B, YaRN");

test.each<[string, unknown, RegExp]>([
  ["no JSON", "{ model_type: 'llama' }", /^This is no JSON yet\. /],
  ["JSON that is cut off", '{ "model_type": "llama",', /^This is no JSON yet\. /],
  ["no object", "[]", /^config is \[\]\. It would have to be an object/],
  [
    "a field that is missing",
    { ...llama, rope_scaling: { type: "linear" } },
    /^rope_scaling\.factor is missing\. It would have to be a value/,
  ],
  [
    "a field that there is not",
    { ...yarn, rope_scaling: { type: "yarn", factor: 4, fator: 8 } },
    /^rope_scaling\.fator is 8\. .*no such field/,
  ],
  [
    "a field of another type",
    { ...yarn, rope_scaling: { type: "yarn", factor: 4, low_freq_factor: 1 } },
    /^rope_scaling\.low_freq_factor is 1\. .*"yarn" does not take it/,
  ],
  [
    "a number in quotes",
    { ...llama, rope_theta: "500000" },
    /^rope_theta is "500000"\. It would have to be a/,
  ],
  [
    "two that contradict one another",
    { ...llama, rope_parameters: { ...(llama.rope_scaling as object), factor: 4 } },
    /^rope_scaling\.factor is 8\. It would have to be 4, as rope_parameters\.factor says\./,
  ],
  [
    "what only the kernel finds",
    { ...llama, rope_scaling: { ...(llama.rope_scaling as object), high_freq_factor: 0.5 } },
    /^rope_scaling\.high_freq_factor is 0\.5\. It would have to be at least low_freq_factor\./,
  ],
  [
    "a field inside text_config",
    { model_type: "x", text_config: { ...llama, rope_theta: -1 } },
    /^text_config\.rope_theta is -1\./,
  ],
  ["a model with ALiBi", configOf("BLOOM"), /^model_type is "bloom"\. .*ALiBi/],
  ["a model that learns its positions", { model_type: "gpt2" }, /^model_type is "gpt2"\. .*learned vector/],
  [
    "a model of no words",
    { model_type: "wav2vec2" },
    /^model_type is "wav2vec2"\. .*nothing here speaks of it/,
  ],
])("says what is wrong with %s, beside the field, and goes on", async (_, config, words) => {
  const page = await visit();
  await paste(page, config);
  const box = model(page).getByLabel("A model’s config.json");
  expect(await problem(page)).toMatch(words);
  expect(await box.getAttribute("aria-invalid")).toBe("true");
  expect(await box.getAttribute("aria-describedby")).toBe("refusal");
  expect(await model(page).locator("#refusal").getAttribute("role")).toBe("alert");
  expect(await model(page).locator("#type").count()).toBe(0);
  await paste(page, llama);
  expect(await problem(page)).toBe("");
  expect(await box.getAttribute("aria-invalid")).toBe("false");
  await expectShown(page, { config: llama });
});

test("a length that a model has no rule for leaves the last one", async () => {
  const page = await visit();
  const config = {
    model_type: "qwen",
    kv_channels: 128,
    rotary_emb_base: 10000,
    seq_length: 8192,
    max_position_embeddings: 32768,
    use_dynamic_ntk: true,
  };
  await paste(page, config);
  await expectShown(page, { config, seqLen: 8192 });
  await model(page).locator("#length").press("End");
  await model(page)
    .getByRole("alert")
    .getByText(/^The length is \d+\. It would have to be at most 8192/)
    .waitFor();
  await expectShown(page, { config, seqLen: 8192 });
  await stretch(page, 4096);
  await expectShown(page, { config, seqLen: 4096 });
  expect(await model(page).getByText("The length is").count()).toBe(0);
});

test("more pairs than can be drawn are not drawn, and as long a length as there is", async () => {
  const page = await visit();
  await paste(page, { ...llama, head_dim: 2 ** 20 });
  expect(await problem(page)).toMatch(/^head_dim is 1048576\. .* at most 1024\./);
  const config = { ...llama, max_position_embeddings: 2 ** 31 - 1 };
  await paste(page, config);
  await model(page).locator("#length").press("End");
  await expectShown(page, { config, seqLen: 2 ** 31 - 1 });
});

test("an empty field asks for a configuration", async () => {
  const page = await visit();
  await paste(page, "  ");
  await model(page).getByText("Paste a configuration above").waitFor();
  expect(await problem(page)).toBe("");
});

test("marks the example that is shown, and none once it is changed", async () => {
  const page = await visit();
  const pressed = model(page).locator("button[aria-pressed=true]");
  expect(await pressed.innerText()).toBe("Llama 3.1 8B");
  await choose(page, "gpt-oss");
  await allDrawn(page);
  expect(await pressed.allInnerTexts()).toEqual(["gpt-oss"]);
  await paste(page, llama);
  expect(await pressed.count()).toBe(0);
});

describe("a layout that the configuration does not tell", () => {
  const config = { model_type: "unheard_of", head_dim: 64, rope_theta: 20000 };

  test("is drawn both ways", async () => {
    const page = await visit();
    await paste(page, config);
    await expectShown(page, { config });
    const figures = model(page).locator("ropewalk-pairing figure");
    expect(await figures.count()).toBe(2);
    expect(await figures.nth(0).innerText()).toMatch(/half: component i with i \+ 32/);
    expect(await figures.nth(1).innerText()).toMatch(/interleaved: component 2i with 2i \+ 1/);
    expect(await model(page).locator("pre").innerText()).toMatch(/does not tell the layout/);
  });
});

test.each([
  ["half", "Llama 3.1 8B", 5, "5", "69"],
  ["interleaved", "GPT-J 6B", 5, "10 · 11"],
])("the two components of a pair are marked, %s", async (_, name, pair, ...numbers) => {
  const page = await visit();
  await choose(page, name);
  await model(page).locator("ropewalk-wavelengths .chart").focus();
  for (let i = 0; i < pair; ++i) await page.keyboard.press("ArrowRight");
  await allDrawn(page);
  expect(await model(page).locator("ropewalk-pairing text.at").allTextContents()).toEqual(numbers);
});

test("components that are not turned are told and drawn hollow", async () => {
  const page = await visit();
  await choose(page, "GPT-J 6B");
  await allDrawn(page);
  expect(await model(page).locator("ropewalk-pairing figcaption").innerText()).toMatch(
    /the other 192 of 256 are left/,
  );
  expect(await model(page).locator("ropewalk-pairing .plain").count()).toBe(1);
  expect(await model(page).locator("ropewalk-pairing .cell").count()).toBe(64);
  await choose(page, "Gemma 4");
  await model(page).getByRole("radio", { name: "full_attention" }).check();
  await allDrawn(page);
  // 64 of 256 pairs turn, and the others, which are in pairs too, do not.
  expect(await model(page).locator("ropewalk-pairing figcaption").innerText()).toMatch(
    /the other 384 of 512 are left/,
  );
  expect(await model(page).locator("ropewalk-pairing .plain").count()).toBe(2);
  expect(await model(page).locator("ropewalk-wavelengths .legend").innerText()).toMatch(/not turned at all/);
});

test("shares of time, height and width are told", async () => {
  const page = await visit();
  await choose(page, "Qwen2-VL 7B");
  await model(page)
    .getByText("16 pairs turn by a token’s time, 24 by its height in a picture, 24 by its width")
    .waitFor();
});

describe("the chart", () => {
  test("tells a pair under the keyboard's cursor", async () => {
    const page = await visit();
    const { wavelength, turns, length } = computed({ config: llama });
    const alone = engine.ropePeriods({
      invFreq: engine.ropeInvFreq({ rotaryDim: 128, ropeTheta: 500000 }),
      contextLen: length,
    });
    await model(page).locator("ropewalk-wavelengths .chart").focus();
    const told = async () => {
      await allDrawn(page);
      return model(page).locator("ropewalk-wavelengths .readout").innerText();
    };
    expect(await told()).toBe(
      `pair 0 comes round in ${figure(wavelength[0] as number)} positions: ${figure(turns[0] as number)} turns in 131,072`,
    );
    for (let i = 0; i < 40; ++i) await page.keyboard.press("ArrowRight");
    expect(await told()).toBe(
      `pair 40 comes round in ${figure(wavelength[40] as number)} positions (by rope_theta alone in ` +
        `${figure(alone.wavelength[40] as number)}): ${figure(turns[40] as number)} turns in 131,072`,
    );
    await page.keyboard.press("End");
    expect(await told()).toMatch(/^pair 63 /);
    await page.keyboard.press("ArrowRight");
    expect(await told()).toMatch(/^pair 63 /);
    await page.keyboard.press("Home");
    expect(await told()).toMatch(/^pair 0 /);
    // It is said, and only once the cursor is there.
    expect(await model(page).locator("ropewalk-wavelengths [role=status]").textContent()).toMatch(/^pair 0 /);
  });

  test("tells the pair under the pointer, drawn at its height", async () => {
    const page = await visit();
    const chart = model(page).locator("ropewalk-wavelengths .chart");
    await chart.scrollIntoViewIfNeeded();
    const box = (await chart.boundingBox()) as { x: number; y: number; width: number; height: number };
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2);
    await allDrawn(page);
    const pair = Number(
      /^pair (\d+) /.exec(await model(page).locator("ropewalk-wavelengths .readout").innerText())?.[1],
    );
    const ring = model(page).locator("ropewalk-wavelengths circle.ring");
    expect(Math.abs(Number(await ring.getAttribute("cx")) - box.width * 0.6)).toBeLessThan(box.width / 64);
    const { wavelength } = computed({ config: llama });
    // The axis' own ticks say where a tenfold is.
    const heights = await page
      .locator("ropewalk-wavelengths g.y .tick")
      .evaluateAll((ticks) =>
        ticks.map((tick) => [
          tick.textContent ?? "",
          new DOMMatrix(getComputedStyle(tick).transform).f ||
            Number(/,([\d.]+)/.exec(tick.getAttribute("transform") ?? "")?.[1]),
        ]),
      );
    const at = (label: string) => heights.find(([text]) => text === label)?.[1] as number;
    const tenfold = at("100") - at("1,000");
    const expected = at("100") - tenfold * Math.log10((wavelength[pair] as number) / 100);
    expect(Math.abs(Number(await ring.getAttribute("cy")) - expected)).toBeLessThan(1.5);
    await page.mouse.move(box.x, box.y - 40);
    await allDrawn(page);
    expect(await ring.count()).toBe(0);
  });

  test("has a table behind it", async () => {
    const page = await visit();
    const { wavelength, turns } = computed({ config: llama });
    const rows = model(page).locator("ropewalk-wavelengths table tbody tr");
    await expect.poll(() => rows.count()).toBe(64);
    for (const pair of [0, 31, 63]) {
      const cells = await rows.nth(pair).locator("td").allTextContents();
      expect(cells[0]).toBe(figure(wavelength[pair] as number));
      expect(cells[2]).toBe(figure(turns[pair] as number));
    }
  });

  test("has a dot for each pair, and for each by rope_theta alone", async () => {
    const page = await visit();
    const dots = (name: string) =>
      page
        .locator(`ropewalk-wavelengths .chart path.${name}`)
        .evaluate((path) => (path.getAttribute("d") ?? "").split("M").length - 1);
    expect([await dots("scaled"), await dots("unscaled"), await dots("still")]).toEqual([64, 64, 0]);
    await choose(page, "Gemma 4");
    await model(page).getByRole("radio", { name: "full_attention" }).check();
    await allDrawn(page);
    expect([await dots("scaled"), await dots("unscaled"), await dots("still")]).toEqual([64, 256, 192]);
  });
});

test("the rope is drawn anew for another length, and twice where it is stretched", async () => {
  const page = await visit();
  const canvases = model(page).locator("ropewalk-twist canvas");
  const pixels = (i: number) =>
    canvases.nth(i).evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  expect(await canvases.count()).toBe(2);
  const [alone, scaled] = [await pixels(0), await pixels(1)];
  expect(alone).not.toBe(scaled);
  await stretch(page, 4096);
  // What is out of view is drawn when values have come to rest.
  await expect.poll(() => pixels(1)).not.toBe(scaled);
  await choose(page, "GPT-J 6B");
  await expect.poll(() => canvases.count()).toBe(1);
});

test("the rope's hue is the angle that the engine gives", async () => {
  const page = await visit();
  const { rope, length } = computed({ config: llama });
  const alone = engine.ropeInvFreq({ rotaryDim: 128, ropeTheta: 500000 });
  const step = length / 1024;
  // Of by far the slowest, the hue hardly changes; fast ones are washed out from so far off.
  for (const [i, frequencies, pair] of [
    [0, alone, 48],
    [1, rope.invFreq, 40],
    [1, rope.invFreq, 48],
  ] as const) {
    const canvas = model(page).locator("ropewalk-twist canvas").nth(i);
    const x = 600;
    const width = await canvas.evaluate((element) => (element as HTMLCanvasElement).width);
    const firstPosition = ((x + 0.5) / width) * length - step / 2;
    const invFreq = frequencies.slice(pair, pair + 1);
    const [angle] = engine.ropeAngles({ firstPosition, step, count: 1, invFreq });
    const error = await canvas.evaluate(
      (element, { x, pair, angle }) => {
        const canvas = element as HTMLCanvasElement;
        const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        if (copy === null) throw new Error("no canvas");
        const pixel = () => copy.getImageData(0, 0, 1, 1).data;
        copy.drawImage(canvas, -x, -Math.round((pair * canvas.height) / 64));
        const seen = pixel();
        copy.fillStyle = `oklch(0.7 0.135 ${angle}rad)`;
        copy.fillRect(0, 0, 1, 1);
        const wanted = pixel();
        return Math.max(...[0, 1, 2].map((k) => Math.abs((seen[k] as number) - (wanted[k] as number))));
      },
      { x, pair, angle: angle as number },
    );
    expect(error, `pair ${pair}`).toBeLessThanOrEqual(8);
  }
});

test("the program has the fields that matter, and no others", async () => {
  const page = await visit();
  const config = {
    architectures: ["LlavaForConditionalGeneration"],
    id2label: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`${i}`, `LABEL_${i}`])),
    model_type: "llava",
    vision_config: { hidden_size: 1024, model_type: "clip_vision_model" },
    text_config: { ...llama, vocab_size: 32064, quantization_config: { bits: 4 } },
  };
  await paste(page, config);
  await expectShown(page, { config });
  const program = await model(page).locator("pre").innerText();
  const shown = JSON.parse(/const config = (\{.*?\n\});/s.exec(program)?.[1] ?? "");
  expect(shown).toEqual({ model_type: "llava", text_config: llama });
});

test("the program can be copied", async () => {
  const page = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
  await model(page).getByRole("button", { name: "Copy" }).click();
  await model(page).getByText("Copied.").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(await model(page).locator("pre").textContent());
});

test("where the clipboard is out of reach, the program is selected", async () => {
  const page = await visit();
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
  });
  await model(page).getByRole("button", { name: "Copy" }).click();
  await model(page).getByText("Selected").waitFor();
});

test("what a configuration comes to is said once its text rests", async () => {
  const page = await visit();
  const said = page
    .locator("ropewalk-model > [role=status], ropewalk-model .visually-hidden[role=status]")
    .last();
  await choose(page, "DeepSeek-V3");
  await expect
    .poll(() => said.textContent())
    .toMatch(/^yarn; interleaved pairs; 64 of 64 components; .* softmax factor 1\.8739/);
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([390, 1024, 2560])("no axe violation, no sideways scroll at %i px", async (width) => {
    const page = await visit({ colorScheme, viewport: { width, height: 900 } });
    for (const name of ["Llama 3.1 8B", "Gemma 4", "GPT-J 6B", "BLOOM, which has none"]) {
      await choose(page, name);
      await allDrawn(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await violations(page), name).toEqual([]);
    }
  });
});

test("nothing moves by itself", async () => {
  const page = await visit({ reducedMotion: "reduce" });
  await choose(page, "InternLM2 7B");
  await stretch(page, 65536);
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
});

test("says what is wrong when the engine cannot be loaded", async () => {
  const page = await site.newPage();
  await page.route("**/*.wasm", (route) => route.abort());
  await page.goto(site.address("#longer"));
  await model(page).scrollIntoViewIfNeeded();
  await model(page).getByRole("alert").getByText("The engine could not be started").waitFor();
});

describe("an address", () => {
  const hash = (page: Page) => page.evaluate(() => location.hash);

  test("holds the example, its layers, the length and the pair, and leads back to them", async () => {
    const page = await visit();
    await choose(page, "Gemma 3 4B");
    await model(page).getByRole("radio", { name: "sliding_attention" }).check();
    await stretch(page, 4096);
    await model(page).locator("ropewalk-wavelengths .chart").focus();
    await page.keyboard.press("ArrowRight");
    const wanted = "#longer?v=1&example=Gemma+3+4B&length=4096&layer-type=sliding_attention&pair=1";
    await expect.poll(() => hash(page)).toBe(wanted);
    const other = await visit({}, wanted.slice("#longer".length));
    await expectShown(other, {
      config: configOf("Gemma 3 4B"),
      layerType: "sliding_attention",
      seqLen: 4096,
    });
    expect(await model(other).locator("ropewalk-pairing text.at").allTextContents()).toEqual(["1", "129"]);
  });

  const pasted = { model_type: "llama", head_dim: 64, rope_theta: 20000, max_position_embeddings: 2048 };

  test("holds a short text of one's own", async () => {
    const page = await visit();
    await paste(page, pasted);
    await expect.poll(() => hash(page)).toContain("config=");
    const other = await visit({}, (await hash(page)).slice("#longer".length));
    await expectShown(other, { config: pasted });
  });

  test("does not hold a long one, which is there still when one comes back to the chapter", async () => {
    const page = await visit();
    const long = { ...pasted, architectures: ["x".repeat(2000)] };
    await paste(page, long);
    await expectShown(page, { config: long });
    await expect.poll(() => hash(page)).toMatch(/config=/);
    expect((await hash(page)).length).toBeLessThan(60);
    for (const chapter of ["latent", "longer"]) {
      await page.evaluate((id) => {
        location.hash = `#${id}`;
      }, chapter);
      await page.locator(`#${chapter}:not([hidden])`).waitFor();
    }
    await expectShown(page, { config: long });
    // Elsewhere nobody has it: there the first example is shown.
    await expectShown(await visit({}, "?v=1&config=%E2%80%A6"), { config: llama });
  });

  test("with nonsense in it leaves the first example", async () => {
    const page = await visit({}, "?v=1&example=magic&length=-3&pair=x&layer-type=none");
    await expectShown(page, { config: llama });
  });
});
