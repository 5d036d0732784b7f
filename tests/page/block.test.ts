// Where position enters: what the chapter shows is what the engine returns, by pointer, finger and keyboard.
import type { BrowserContextOptions, Page } from "playwright-core";
import { loadRopewalk } from "ropewalk";
import { describe, expect, test } from "vitest";
import { changeText } from "../../web/elements/block_flow.js";
import {
  type Encoding,
  encodings,
  type Focus,
  Pipeline,
  type Settings,
  type Stage,
  stages,
} from "../../web/elements/pipeline.js";
import { tokenize } from "../../web/elements/tokens.js";
import { lecture } from "../elements/lecture.js";
import { allDrawn, axe, visitor } from "./visitor.js";

const site = visitor();
const pipeline = new Pipeline(await loadRopewalk());

/** The chapter, with the sentence at position 0 unless another address is given. */
async function visit(options: BrowserContextOptions = {}, state = "position-offset=0"): Promise<Page> {
  const page = await site.visit(`#block?v=1&${state}`, options);
  await page.locator("#change").waitFor();
  await allDrawn(page);
  return page;
}

const lookingAt: Focus = { head: 0, query: 8, key: 3, farLength: 512 };

/** What the same engine returns here. */
function computed(change: Partial<Settings> = {}, look: Partial<Focus> = {}) {
  return pipeline.run({ ...lecture, ...change }, { ...lookingAt, ...look });
}

const minus = (text: string) => text.replace("−", "-");

/** The numbers that the page shows large. */
async function shown(page: Page) {
  const text = async (id: string) =>
    minus((await page.locator(`#${id}`).innerText()).split("\n")[0] as string);
  const [before, after] = (await text("length")).split(" · ").map(Number) as [number, number];
  return {
    change: Number(await text("change")),
    length: { before, after },
    score: Number(await text("score")),
    weight: Number(await text("weight")),
  };
}

async function expectShown(page: Page, change: Partial<Settings>, look: Partial<Focus> = {}) {
  const { query, key } = { ...lookingAt, ...look };
  const { weights, ...results } = computed(change, look);
  const n = Math.sqrt(weights.length);
  const seen = await shown(page);
  expect(seen.weight).toBeCloseTo(weights[query * n + key] as number, 4);
  expect(seen.length.before).toBeCloseTo(results.length.before, 3);
  expect(seen.length.after / results.length.after).toBeCloseTo(1, 3);
  if (Math.abs(results.score) < 1e4) expect(seen.score).toBeCloseTo(results.score, 2);
  else expect(seen.score / results.score).toBeCloseTo(1, 2);
  expect(seen.change).toBeCloseTo(results.change, results.change < 1e-3 ? 6 : 1);
}

const choose = (page: Page, encoding: Encoding) =>
  page
    .getByRole("radiogroup", { name: "Position comes in as" })
    .getByRole("radio", { name: encoding, exact: true })
    .check();
const move = (page: Page, offset: number) => page.locator("#offset").fill(String(offset));

describe.each(encodings)("%s", (encoding) => {
  test("shows what the engine returns, here and a long way along", async () => {
    const page = await visit();
    await choose(page, encoding);
    for (const positionOffset of [0, 12, 100_000]) {
      await move(page, positionOffset);
      await allDrawn(page);
      await expectShown(page, { encoding, positionOffset });
    }
  });
});

test("moving the sentence changes nothing under rotary, and something under what is added", async () => {
  const page = await visit();
  await move(page, 100_000);
  await allDrawn(page);
  const rotary = await shown(page);
  expect(rotary.change).toBeGreaterThan(0);
  expect(rotary.change).toBeLessThan(1e-4);
  expect(rotary.length.after).toBe(rotary.length.before);
  for (const encoding of ["integer", "binary", "sinusoidal"] as const) {
    await choose(page, encoding);
    await allDrawn(page);
    const added = await shown(page);
    expect(added.change).toBeGreaterThan(0.01);
    expect(added.length.after).not.toBe(added.length.before);
  }
});

describe("the flow", () => {
  const moved = { positionOffset: 1000 };
  const flowOf = (change: Partial<Settings>, head = 0) => pipeline.flow({ ...lecture, ...change }, head);
  const stage = (page: Page, name: Stage) => page.locator(`ropewalk-block-flow button[data-stage=${name}]`);

  test.each(encodings)(
    "under %s each tensor has its shape, and what moving has changed in it",
    async (encoding) => {
      const page = await visit({}, `encoding=${encoding}&position-offset=1000`);
      const { tensors } = flowOf({ ...moved, encoding });
      for (const name of stages) {
        const tensor = tensors[name];
        expect(await stage(page, name).count(), name).toBe(tensor === undefined ? 0 : 1);
        if (tensor === undefined) continue;
        expect(await stage(page, name).locator(".shape").innerText()).toBe(`[${tensor.shape.join(", ")}]`);
        if (name === "position") continue;
        const words = tensor.change <= 1e-4 ? "as it was" : `changed ${changeText(tensor.change)}`;
        expect(await stage(page, name).locator(".change").innerText()).toBe(words);
      }
      expect(await page.locator("#change-value").innerText()).toBe(
        changeText(tensors.value?.change ?? Number.NaN),
      );
    },
  );

  test("position is lit where it enters: before all layers where it is added, in attention where it turns", async () => {
    const page = await visit({}, "position-offset=1000");
    const lit = () =>
      page.locator("ropewalk-block-flow").evaluate(({ shadowRoot }) => ({
        frames: Array.from(shadowRoot?.querySelectorAll(".frame") ?? [], (one) =>
          one.classList.contains("entered"),
        ),
        where: shadowRoot?.querySelectorAll("path.wire.where").length,
        distance: shadowRoot?.querySelectorAll("path.wire.distance").length,
      }));
    // Two lines from where angles enter and one each from query and key; scores and weights know distances.
    expect(await lit()).toEqual({ frames: [false, true], where: 4, distance: 2 });
    await choose(page, "sinusoidal");
    await allDrawn(page);
    expect(await lit()).toEqual({ frames: [true, false], where: 9, distance: 0 });
    await choose(page, "none");
    await allDrawn(page);
    expect(await lit()).toEqual({ frames: [false, false], where: 0, distance: 0 });
  });

  test("a stage is chosen by click, and explained with its numbers", async () => {
    const page = await visit({}, "position-offset=1000");
    await stage(page, "placed-query").click();
    await allDrawn(page);
    expect(await page.locator("#explained").innerText()).toMatch(
      /turned.*every number changes, and no length/,
    );
    const { tensors } = flowOf(moved);
    expect(await page.locator("#stage-change").innerText()).toBe(
      changeText(tensors["placed-query"]?.change ?? 0),
    );
    await stage(page, "value").click();
    await allDrawn(page);
    expect(await page.locator("#stage-change").innerText()).toBe("0");
    await choose(page, "sinusoidal");
    await allDrawn(page);
    const added = flowOf({ ...moved, encoding: "sinusoidal" }).tensors.value;
    expect(await page.locator("#stage-change").innerText()).toBe(changeText(added?.change ?? 0));
    expect(await page.locator("#explained").innerText()).toContain("handed on with the meaning");
  });

  test("its stages are walked with the arrow keys, and Enter explains one", async () => {
    const page = await visit();
    await stage(page, "value").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    expect(await stage(page, "placed-key").evaluate((one) => one.matches(":focus"))).toBe(true);
    await page.keyboard.press("Enter");
    await allDrawn(page);
    expect(await stage(page, "placed-key").getAttribute("aria-pressed")).toBe("true");
    await page.keyboard.press("End");
    expect(await stage(page, "out").evaluate((one) => one.matches(":focus"))).toBe(true);
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowLeft");
    expect(await stage(page, "embedding").evaluate((one) => one.matches(":focus"))).toBe(true);
  });

  test("has a table behind it", async () => {
    const page = await visit({}, "position-offset=1000");
    const { tensors } = flowOf(moved);
    const rows = page.locator("ropewalk-block-flow tbody tr");
    await expect.poll(() => rows.count()).toBe(Object.keys(tensors).length);
    expect(await rows.filter({ hasText: "scores" }).textContent()).toContain(
      changeText(tensors.scores?.change ?? 0),
    );
  });

  test("on a phone it runs downwards, and the slider stays in reach", async () => {
    const page = await visit({ viewport: { width: 390, height: 844 } });
    const top = async (name: Stage) => (await stage(page, name).boundingBox())?.y as number;
    const tops = [];
    for (const name of ["embedding", "input", "query", "placed-query", "scores", "weights", "out"] as const)
      tops.push(await top(name));
    expect(tops).toEqual([...tops].sort((a, b) => a - b));
    await stage(page, "scores").scrollIntoViewIfNeeded();
    const slider = await page.locator("#offset").boundingBox();
    expect((slider?.y ?? 0) + (slider?.height ?? 0)).toBeLessThanOrEqual(844);
    expect(slider?.y).toBeGreaterThan(600);
  });
});

test("every setting reaches the kernels", async () => {
  const page = await visit();
  const radio = (name: string, value: string) =>
    page
      .getByRole("radiogroup", { name, exact: true })
      .getByRole("radio", { name: value, exact: true })
      .check();
  await move(page, 40);
  await page.getByText("Heads, frequencies, seed").click();
  await radio("Number of heads", "2");
  await radio("Components of a head, head_dim", "16");
  await radio("Which components pair up", "half");
  await radio("Head", "2");
  await page.getByLabel("Base of the frequencies").fill("500");
  await page.getByLabel("Seed").fill("11");
  await page.getByLabel("Seed").press("Enter");
  await page.getByRole("checkbox", { name: "Causal" }).uncheck();
  await allDrawn(page);
  const settings = { nHeads: 2, headDim: 16, layout: "half", base: 500, seed: 11, causal: false } as const;
  await expectShown(page, { ...settings, positionOffset: 40 }, { head: 1 });
});

test("a number that is none is not taken", async () => {
  const page = await visit();
  await page.getByText("Heads, frequencies, seed").click();
  for (const value of ["-1", "", "1.5", "4294967296"]) {
    await page.getByLabel("Seed").fill(value);
    await page.getByLabel("Seed").press("Enter");
  }
  await allDrawn(page);
  expect(await page.getByLabel("Seed").inputValue()).toBe("7");
  await expectShown(page, {});
});

test.each([
  ["Japanese", "これは位置についての文です。"],
  ["Arabic", "الموضع في الجملة مهم جدا"],
  ["Hindi", "वाक्य में स्थान महत्वपूर्ण है"],
  ["pictographs", "👩‍🚀 🚀 🪢 🧶"],
  ["one token", "rope"],
  ["marks of HTML", "<b>a</b> & \"quotes\" <script>alert('x')</script>"],
  ["300 words", "walk the rope ".repeat(100)],
])("takes %s", async (_, text) => {
  const page = await visit();
  await page.locator("ropewalk-block #text").fill(text);
  await allDrawn(page);
  const { tokens } = tokenize(text);
  const last = tokens.length - 1;
  const query = Math.min(8, last);
  await expectShown(page, { tokens }, { query, key: Math.min(3, query) });
});

test("says so when there is no token, and goes on when there is one again", async () => {
  const page = await visit();
  await page.locator("ropewalk-block #text").fill("   ");
  await page.getByText("there is no position without tokens").waitFor();
  await page.locator("ropewalk-block #text").fill("turn the rope");
  await allDrawn(page);
  await expectShown(page, { tokens: ["turn", "the", "rope"] }, { query: 2, key: 2 });
});

test("takes pasted queries and keys, and says what is wrong with others", async () => {
  const page = await visit();
  await page.getByText("Paste queries and keys").click();
  const use = page.getByRole("button", { name: "Use these" });
  const alert = page.getByRole("alert");
  await use.click();
  await expect.poll(() => alert.innerText()).toContain("Queries: There is nothing to read");
  await page.getByRole("textbox", { name: "Queries" }).fill("1,2,3,4,5,6,7,8\n8,7,6,5,4,3,2,1");
  await page.getByRole("textbox", { name: "Keys" }).fill("[[1,0,1,0,1,0,1,0],[0,1,0,1,0,1,0]]");
  await use.click();
  await expect.poll(() => alert.innerText()).toContain("Keys: Row 2 has 7 numbers");
  await page.getByRole("textbox", { name: "Keys" }).fill("[[1,0,1,0,1,0,1,0],[0,1,0,1,0,1,0,1]]");
  await use.click();
  await allDrawn(page);
  expect(await alert.count()).toBe(0);
  const vectors = (values: number[]) => ({ rows: 2, columns: 8, values: Float32Array.from(values) });
  const pasted = {
    query: vectors([1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1]),
    key: vectors([1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1]),
  };
  await expectShown(page, { tokens: ["1", "2"], headDim: 2, pasted }, { query: 1, key: 1 });
  await page.getByRole("button", { name: "Back to the seed" }).click();
  await allDrawn(page);
  expect((await shown(page)).length.before).not.toBe(0);
});

describe("the matrix", () => {
  test("tells its exact value under the keyboard's cursor", async () => {
    const page = await visit();
    const matrix = page.locator("ropewalk-matrix");
    await matrix.locator(".picture").focus();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowLeft");
    await allDrawn(page);
    const { weights } = computed();
    const value = Number(await matrix.locator(".value").innerText());
    expect(value).toBeCloseTo(weights[7 * 12 + 2] as number, 4);
    await expectShown(page, {}, { query: 7, key: 2 });
  });

  test("tells its exact value under the pointer, and looks at the cell that is clicked", async () => {
    const page = await visit();
    const canvas = page.locator("ropewalk-matrix canvas.cells");
    await canvas.scrollIntoViewIfNeeded();
    const box = (await canvas.boundingBox()) as { x: number; y: number; width: number; height: number };
    const at = (cell: number) => ((cell + 0.5) / 12) * box.width;
    await page.mouse.move(box.x + at(4), box.y + at(9));
    await allDrawn(page);
    const { weights } = computed();
    const value = Number(await page.locator("ropewalk-matrix .value").innerText());
    expect(value).toBeCloseTo(weights[9 * 12 + 4] as number, 4);
    await page.mouse.click(box.x + at(4), box.y + at(9));
    await allDrawn(page);
    await expectShown(page, {}, { query: 9, key: 4 });
  });

  test("has a table behind it, of the chosen query's weights", async () => {
    const page = await visit();
    await move(page, 40);
    const { weights } = computed({ positionOffset: 40 });
    const rows = page.locator("ropewalk-matrix table tbody tr");
    for (const key of [0, 3, 8]) {
      const value = (weights[8 * 12 + key] as number).toFixed(4);
      await expect.poll(async () => (await rows.nth(key).textContent())?.includes(value)).toBe(true);
    }
  });
});

test.each(["ropewalk-arcs", "ropewalk-rope"])(
  "a token in %s is chosen by click and by keyboard",
  async (element) => {
    const page = await visit();
    const buttons = page.locator(`${element} button`);
    await buttons.nth(5).click();
    await allDrawn(page);
    await expectShown(page, {}, { query: 5, key: 3 });
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await allDrawn(page);
    await expectShown(page, {}, { query: 6, key: 3 });
  },
);

test("the arcs tell the weights of the chosen query in the chosen head", async () => {
  const page = await visit();
  await page.getByRole("radiogroup", { name: "Head", exact: true }).getByRole("radio", { name: "3" }).check();
  await allDrawn(page);
  const { weights } = computed({}, { head: 2 });
  const buttons = page.locator("ropewalk-arcs button");
  for (const key of [0, 2, 5, 8]) {
    expect(await buttons.nth(key).textContent()).toContain((weights[8 * 12 + key] as number).toFixed(2));
  }
  expect(await buttons.nth(9).textContent()).toContain("masked");
});

test.each(["rotary", "sinusoidal"] as const)("the dials tell each pair under %s", async (encoding) => {
  const page = await visit();
  await choose(page, encoding);
  await move(page, 5);
  await page.locator("ropewalk-dials .dials").focus();
  for (let i = 0; i < 3; ++i) await page.keyboard.press("ArrowRight");
  await allDrawn(page);
  const { before, after, pairScores } = computed({ encoding, positionOffset: 5 });
  const at = (values: Float32Array, digits: number) => (values[3] as number).toFixed(digits);
  const told = (await page.locator("ropewalk-dials .readout").innerText()).replaceAll("−", "-");
  expect(told).toMatch(/^pair 3:/);
  expect(told).toContain(`length ${at(before.magnitude, 3)} → ${at(after.magnitude, 3)}`);
  expect(told).toContain(at(pairScores, 2));
  if (encoding === "sinusoidal")
    expect(told).toContain(`from ${at(before.angle, 2)} to ${at(after.angle, 2)} rad`);
  // Pair 3 stands at position 13 and turns by 10000^(-6/32) radians for each.
  else
    expect(told).toContain(
      `turned ${Math.atan2(Math.sin(13 * 10 ** -0.75), Math.cos(13 * 10 ** -0.75)).toFixed(2)} rad`,
    );
});

test("the slider is moved with the arrow keys and says where it is", async () => {
  const page = await visit();
  await page.locator("#offset").focus();
  for (let i = 0; i < 3; ++i) await page.keyboard.press("ArrowRight");
  await allDrawn(page);
  expect(await page.locator("#offset").getAttribute("aria-valuetext")).toContain("position 3");
  await expectShown(page, { positionOffset: 3 });
});

test("the slider is dragged, and every number follows", async () => {
  const page = await visit();
  await choose(page, "sinusoidal");
  const slider = page.locator("#offset");
  const { x, y, width, height } = (await slider.boundingBox()) as NonNullable<
    Awaited<ReturnType<typeof slider.boundingBox>>
  >;
  await page.mouse.move(x + 6, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 3, y + height / 2, { steps: 20 });
  await page.mouse.up();
  await allDrawn(page);
  const positionOffset = Number(await slider.inputValue());
  expect(positionOffset).toBeGreaterThan(30_000);
  expect(await page.locator("output.offset").innerText()).toBe(positionOffset.toLocaleString("en"));
  await expectShown(page, { encoding: "sinusoidal", positionOffset });
});

test("the rope from further off is drawn for as many positions as are chosen", async () => {
  const page = await visit();
  const pixels = () =>
    page
      .locator("ropewalk-rope canvas.distant")
      .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const near = await pixels();
  await page.getByRole("radio", { name: "4,096" }).check();
  await allDrawn(page);
  expect(await pixels()).not.toBe(near);
  await page.getByRole("radio", { name: "512", exact: true }).check();
  await allDrawn(page);
  expect(await pixels()).toBe(near);
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([390, 1024, 2560])("no axe violation, no sideways scroll at %i px", async (width) => {
    const page = await visit({ colorScheme, viewport: { width, height: 900 } }, "position-offset=12");
    for (const encoding of encodings) {
      await choose(page, encoding);
      await allDrawn(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    }
    // Injected past the policy, as a tester's tool and not as the page's.
    await page.evaluate(axe);
    for (const encoding of ["rotary", "binary", "none"] as const) {
      await choose(page, encoding);
      await allDrawn(page);
      const violations = await page.evaluate(async () => {
        // @ts-expect-error axe is there by the injection above.
        const found = await globalThis.axe.run(document);
        return found.violations.map(
          (v: { id: string; nodes: { target: unknown; failureSummary?: string }[] }) =>
            `${v.id}: ${JSON.stringify(v.nodes.slice(0, 3).map((n) => [n.target, n.failureSummary]))}`,
        );
      });
      expect(violations).toEqual([]);
    }
  });
});

test.each(["reduce", "no-preference"] as const)("motion, where %s is asked for", async (reducedMotion) => {
  // All of it in view: what is not waits until values rest.
  const page = await visit({ reducedMotion, viewport: { width: 1600, height: 6000 } });
  const arcs = page.locator("ropewalk-arcs");
  await arcs.evaluate(({ shadowRoot, dataset }) =>
    shadowRoot?.addEventListener("transitionrun", () => {
      dataset.moved = "yes";
    }),
  );
  await choose(page, "sinusoidal");
  await allDrawn(page);
  // That there is motion otherwise shows that its absence is seen.
  expect(await arcs.getAttribute("data-moved")).toBe(reducedMotion === "reduce" ? null : "yes");
});

test("the rope tells the angle under the pointer", async () => {
  const page = await visit();
  await move(page, 40);
  await page.locator("ropewalk-rope .strip").scrollIntoViewIfNeeded();
  const box = (await page.locator("ropewalk-rope .strip").boundingBox()) as {
    [K in "x" | "y" | "width" | "height"]: number;
  };
  await page.mouse.move(box.x + (8.3 / 12) * box.width, box.y + (2.5 / 16) * box.height);
  await allDrawn(page);
  const { rope } = computed({ positionOffset: 40 });
  if (rope.kind !== "angle") throw new Error(rope.kind);
  const angle = rope.near.values[Math.floor((8.5 * rope.near.columns) / 12) * 16 + 2] as number;
  const told = minus(await page.locator("ropewalk-rope .probe").innerText());
  expect(told).toBe(`pair 2 at position 48: ${angle.toFixed(2)} rad`);
});

test("the whole sentence stands on its rope, and no word upon another", async () => {
  const page = await visit({ viewport: { width: 1440, height: 900 } });
  const { inner, labels } = await page.locator("ropewalk-rope").evaluate(({ shadowRoot }) => {
    const box = ({ left, right, top, bottom }: DOMRect) => ({ left, right, top, bottom });
    const of = (selector: string) => [...(shadowRoot?.querySelectorAll(selector) ?? [])];
    return {
      inner: box((of(".scroller")[0] as Element).getBoundingClientRect()),
      labels: of("button span").map((label) => {
        // Of its letters, which its lines are higher than.
        const letters = document.createRange();
        letters.selectNodeContents(label);
        return box(letters.getBoundingClientRect());
      }),
    };
  });
  expect(labels).toHaveLength(12);
  for (const [i, a] of labels.entries()) {
    expect(a.left).toBeGreaterThanOrEqual(inner.left);
    expect(a.right).toBeLessThanOrEqual(inner.right);
    for (const b of labels.slice(i + 1))
      expect(a.right <= b.left || a.bottom <= b.top || b.bottom <= a.top).toBe(true);
  }
});

test("a picture out of view waits until values rest; one in view does not", async () => {
  const page = await visit();
  const pending = () =>
    page.locator("ropewalk-block").evaluate(({ shadowRoot }) => {
      const waits = (name: string) =>
        ((shadowRoot as ShadowRoot).querySelector(name) as unknown as { isUpdatePending: boolean })
          .isUpdatePending;
      return { flow: waits("ropewalk-block-flow"), matrix: waits("ropewalk-matrix") };
    });
  await page.evaluate(() => scrollTo(0, 0));
  await expect.poll(pending).toEqual({ flow: false, matrix: false });
  const during = await page.locator("ropewalk-block").evaluate(async (element) => {
    type Lit = HTMLElement & { isUpdatePending: boolean; updateComplete: Promise<boolean> };
    const block = element as Lit;
    const part = (name: string) => block.shadowRoot?.querySelector(name) as Lit;
    const [flow, matrix] = [part("ropewalk-block-flow"), part("ropewalk-matrix")];
    const seen: boolean[][] = [];
    for (let i = 1; i <= 5; ++i) {
      Object.assign(block, { encoding: "sinusoidal", positionOffset: 100 * i });
      // No time passes here but that of the updates themselves.
      await block.updateComplete;
      await flow.updateComplete;
      seen.push([flow.isUpdatePending, matrix.isUpdatePending]);
    }
    return seen;
  });
  for (const waits of during) expect(waits).toEqual([false, true]);
  await expect.poll(pending).toEqual({ flow: false, matrix: false });
});
