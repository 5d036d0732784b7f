// The whole page in the two other engines that browsers have: each chapter shows what the engine returns here, from the
// binary that the browser took.
import { loadRopewalk, type Ropewalk, type Simd } from "ropewalk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AbsorptionPipeline, distances } from "../../web/elements/absorption_pipeline.js";
import { BandsPipeline } from "../../web/elements/bands_pipeline.js";
import { BinaryPipeline } from "../../web/elements/binary_pipeline.js";
import { IntegerPipeline, stops } from "../../web/elements/integer_pipeline.js";
import { LatentPipeline } from "../../web/elements/latent_pipeline.js";
import { LongerPipeline, type Scaling } from "../../web/elements/longer_pipeline.js";
import { OrderPipeline, type OrderSettings, swapped } from "../../web/elements/order_pipeline.js";
import { Pipeline } from "../../web/elements/pipeline.js";
import { queryOf, turned } from "../../web/elements/rotary_pipeline.js";
import { SinusoidalPipeline } from "../../web/elements/sinusoidal_pipeline.js";
import { lecture } from "../elements/lecture.js";
import { serve } from "./browser.mjs";
import type { Driver } from "./driver.js";
import { launchFirefox } from "./firefox.js";
import { launchWebKit } from "./webkit.js";

const { tokens } = lecture;

// ---- What each chapter shows -------------------------------------------------------------------------------------------

/** By the id of what is set large: the numbers in it, in their order. */
type Numbers = Record<string, readonly number[]>;

/** A field by its id and what is put into it, or the words on what is pressed. */
type Move = readonly [field: string, value: number | string] | string;

interface Chapter {
  id: string;
  moves: readonly Move[];
  before: Numbers;
  after: Numbers;
}

/** A chapter by its state as it sets out, what then becomes of that, and what is moved to that end. */
function chapter<S extends object>(
  id: string,
  sets: S,
  becomes: Partial<S>,
  shown: (state: S) => Numbers,
  moves: readonly Move[] = Object.entries(becomes) as [string, number][],
): Chapter {
  return { id, moves, before: shown(sets), after: shown({ ...sets, ...becomes }) };
}

const written = tokens.map((_, i) => i);

function chaptersBy(engine: Ropewalk): readonly Chapter[] {
  const order = new OrderPipeline(engine);
  const integer = new IntegerPipeline(engine);
  const binary = new BinaryPipeline(engine);
  const sinusoidal = new SinusoidalPipeline(engine);
  const latent = new LatentPipeline(engine);
  const absorption = new AbsorptionPipeline(engine);
  const pipeline = new Pipeline(engine);
  const bands = new BandsPipeline(engine);
  const longer = new LongerPipeline(engine);

  return [
    chapter(
      "none",
      {
        ...{ tokens, order: written as readonly number[], seed: 7, causal: false, query: 8 },
        encoding: "none" as OrderSettings["encoding"],
      },
      { encoding: "rotary", order: swapped(written, 8, 1) },
      (state) => {
        const { change, queryChange } = order.run(state);
        return { change: [change], "query-change": [queryChange] };
      },
      ["rotary", "swap →"],
    ),
    chapter(
      "integer",
      { tokens, seed: 7, query: 8, key: 3, position: 2 },
      { position: 1000 },
      (state) => {
        const { cosine, alike, lengths } = integer.run(state);
        return { cosine: [cosine], alike: [alike], length: [lengths[0] as number, lengths[2] as number] };
      },
      [["position", stops.indexOf(1000)]],
    ),
    chapter("binary", { position: 7, other: 15, span: 32 }, { position: 100, other: 101 }, (state) => {
      const { flips, distance } = binary.run(state);
      return { flips: [flips.next], next: [distance.next], "other-distance": [distance.there] };
    }),
    chapter(
      "sinusoidal",
      {
        ...{ position: 12, span: 64, base: 10_000, shift: 3 },
        ...{ token: "breakthrough", seed: 7, scaled: false },
      },
      { position: 40, shift: 17 },
      (state) => {
        const { encoded, here, shifted, added } = sinusoidal.run(state);
        return {
          "pair-values": [here[2] as number, here[3] as number],
          wavelength: [encoded.wavelengths[1] as number],
          neighbour: [Math.min(...encoded.distances), Math.max(...encoded.distances)],
          difference: [shifted.difference],
          cosine: [added.cosine],
          length: [added.tokenLength, added.length],
        };
      },
    ),
    chapter(
      "rotary",
      { position: 8, distance: 10, layout: "interleaved" as const, base: 10_000 },
      { position: 300 },
      (state) => {
        const query = queryOf(engine, { tokens, seed: 7, headDim: 16, query: 8 });
        const { before, rotary, sinusoidal } = turned(engine, query, state);
        return {
          "position-shown": [state.position],
          "length-turned": [before.length, rotary.length],
          "change-turned": [rotary.change],
          "length-pushed": [before.length, sinusoidal.length],
          "change-pushed": [sinusoidal.change],
        };
      },
    ),
    chapter(
      "block",
      { ...lecture, positionOffset: 12 },
      { positionOffset: 4000 },
      (state) => {
        const [query, key] = [8, 3];
        const { change, length, score, weights } = pipeline.run(state, {
          head: 0,
          query,
          key,
          farLength: 512,
        });
        return {
          change: [change],
          length: [length.before, length.after],
          score: [score],
          weight: [weights[query * tokens.length + key] as number],
        };
      },
      [["offset", 4000]],
    ),
    chapter(
      "bands",
      {
        ...{
          tokens,
          seed: 7,
          head: 1,
          headDim: 32,
          base: 10_000,
          alike: true,
          muted: [],
          distance: 3,
          context: 4096,
        },
        ...{ query: { first: 7, last: 8 }, key: { first: 3, last: 5 } },
      },
      { distance: 64 },
      (state) => {
        const { score, left, turns, bands: heard } = bands.run(state);
        return {
          apart: [state.distance],
          all: [score],
          left: [left],
          never: [turns.filter((turns) => turns < 1).length, turns.length],
          fast: [heard.fast.score],
          middle: [heard.middle.score],
          slow: [heard.slow.score],
        };
      },
      [["distance", 384]], // 64 steps to an octave.,
    ),
    chapter(
      "longer",
      { ...{ headDim: 64, base: 10_000, trained: 4096, factor: 8 }, scaling: "none" as "none" | Scaling },
      { factor: 16, scaling: "yarn" },
      ({ scaling, ...state }) => {
        const { unscaled, scaled } = longer.run(state);
        const { beyond, invFreq, attentionFactor } = scaling === "none" ? unscaled : scaled[scaling];
        return {
          beyond: [beyond.length, state.headDim / 2],
          stretch: [state.factor],
          step: [invFreq[0] as number],
          "attention-factor": [attentionFactor],
        };
      },
      ["YaRN", ["factor", 16]],
    ),
    chapter("latent", { newest: 8, context: 6 }, { newest: 3, context: 10 }, ({ newest, context }) => {
      const { difference, elements, bytes, naive, absorbed } = latent.run({
        ...{ tokens, newest, seed: 7, nHeads: 4, kvLoraRank: 32, qLoraRank: 24 },
      });
      const contextLen = 2 ** context;
      const { rotary, decoupled } = absorption.run(contextLen);
      return {
        difference: [difference.out],
        elements: [elements.latent],
        bytes: [bytes.latent],
        work: [naive, absorbed].map(({ cost }) => cost.total.multiplyAdds),
        fitted: [100 * Math.max(...rotary.subarray(0, contextLen))],
        beyond: [100 * (rotary[distances - 1] as number)],
        decoupled: [Math.max(...decoupled)],
      };
    }),
  ];
}

const chapters: Record<Simd, readonly Chapter[]> = {
  simd128: chaptersBy(await loadRopewalk({ simd: "simd128" })),
  relaxed: chaptersBy(await loadRopewalk({ simd: "relaxed" })),
};
const ids = chapters.simd128.map(({ id }) => id);

/** Numbers of a text that differ from those that are wanted by more than half of their last digit, and what is wanted. */
function differing(text: string | null, wanted: readonly number[]): string {
  const shown = (text ?? "").replaceAll("−", "-").match(/-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?/g) ?? [];
  const agree = shown.map((number, i) => {
    const [digits = "", exponent = "0"] = number.replaceAll(",", "").split("e");
    const decimals = digits.split(".")[1]?.length ?? 0;
    const half = 0.5 * 10 ** (Number(exponent) - decimals);
    const want = wanted[i] as number;
    // A mere 0 says that there is nothing at all.
    if (number === "0") return want === 0;
    return Math.abs(Number(`${digits}e${exponent}`) - want) <= half + 1e-12 * Math.abs(want);
  });
  return agree.length === wanted.length && agree.every(Boolean) ? "" : `${text} is not ${wanted.join(" · ")}`;
}

// ---- In the page -------------------------------------------------------------------------------------------------------

/** Have whatever goes wrong from now on noted down. */
function listen() {
  const heard: string[] = [];
  Reflect.set(globalThis, "heard", heard);
  // That it takes a picture two steps to know its width and have its height is no error, though told as one.
  addEventListener(
    "error",
    ({ message }) => message.startsWith("ResizeObserver loop") || heard.push(message),
  );
  addEventListener("unhandledrejection", ({ reason }) => heard.push(String(reason)));
  addEventListener("securitypolicyviolation", ({ violatedDirective }) => heard.push(violatedDirective));
  for (const level of ["error", "warn"] as const) console[level] = (...said) => heard.push(said.join(" "));
}

/**
 * A move is made in a chapter, if one is given; then the texts of what such selectors find there, and what is not right.
 * Instruments begin when they come into view: the next that has not begun is brought there.
 */
function look(chapter: string, selectors: readonly string[], move?: Move) {
  const within = (root: ParentNode): Element[] =>
    [...root.querySelectorAll("*")].flatMap((one) => [
      one,
      ...(one.shadowRoot ? within(one.shadowRoot) : []),
    ]);
  const elements = within(document.getElementById(chapter) as HTMLElement);
  const find = (selector: string) => elements.find((one) => one.matches(selector));
  const moved =
    typeof move === "string"
      ? elements.find((one) => one.matches("button, label") && one.textContent?.trim() === move)
      : move && find(`#${move[0]}`);
  if (typeof move === "string") (moved as HTMLElement | undefined)?.click();
  else if (moved !== undefined) {
    (moved as HTMLInputElement).value = String(move?.[1]);
    moved.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
  }
  const waiting = elements.filter(
    (one) =>
      one.matches(":not(:defined)") ||
      [...(one.shadowRoot?.children ?? [])].some((child) => child.matches(".empty[role=status]")),
  );
  waiting[0]?.scrollIntoView();
  const isBlank = (canvas: HTMLCanvasElement) => {
    const blank = document.createElement("canvas");
    [blank.width, blank.height] = [canvas.width, canvas.height];
    return canvas.checkVisibility() && canvas.toDataURL() === blank.toDataURL();
  };
  return {
    moved: moved !== undefined,
    texts: selectors.map((selector) => find(selector)?.textContent ?? null),
    waiting: waiting.map(({ localName }) => localName),
    blank: elements
      .filter((one) => one instanceof HTMLCanvasElement && isBlank(one))
      .map((one) => one.className),
    sideways: document.documentElement.scrollWidth > innerWidth,
    heard: Reflect.get(globalThis, "heard") as string[],
  };
}

/** Where the engine's binary was fetched from, once it was. */
function fetchedWasm() {
  const fetched = performance.getEntriesByType("resource").map(({ name }) => name);
  return fetched.find((name) => name.endsWith(".wasm")) ?? null;
}

function follow(chapter: string) {
  document.querySelector<HTMLElement>(`.lane a[href="#${chapter}"]`)?.click();
}

// ---- The tests ---------------------------------------------------------------------------------------------------------

describe.each([
  ["Firefox", launchFirefox],
  ["WebKit", launchWebKit],
])("%s", (_, launch) => {
  let browser: Driver;
  let server: Awaited<ReturnType<typeof serve>>;
  let simd: Simd;

  beforeAll(async () => {
    server = await serve();
    browser = await launch();
    await browser.go(server.url);
    await browser.evaluate(listen);
    const wasm = await vi.waitUntil(() => browser.evaluate(fetchedWasm), { timeout: 30_000, interval: 200 });
    simd = wasm.includes("ropewalk_relaxed") ? "relaxed" : "simd128";
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function make(chapter: string, moves: readonly Move[]) {
    // What is moved may be drawn a moment later than the numbers are.
    for (const move of moves)
      await expect.poll(async () => (await browser.evaluate(look, chapter, [], move)).moved).toBe(true);
  }

  test.each(ids)("%s", async (id) => {
    const { moves, before, after } = chapters[simd].find((one) => one.id === id) as Chapter;
    /** What is not as it is to be; of numbers, all of them as the engine gives them here. */
    const wrong = async (wanted: Numbers) => {
      const {
        texts,
        moved: _,
        ...others
      } = await browser.evaluate(
        look,
        id,
        Object.keys(wanted).map((id) => `#${id}`),
      );
      const differ = Object.entries(wanted).map(([id, numbers], i) => [
        id,
        differing(texts[i] ?? null, numbers),
      ]);
      return { ...others, differ: differ.filter(([, how]) => how !== "") };
    };
    const nothing = { waiting: [], blank: [], sideways: false, heard: [], differ: [] };
    await browser.evaluate(follow, id);
    await expect.poll(() => wrong(before), { timeout: 30_000, interval: 200 }).toEqual(nothing);
    await make(id, moves);
    await expect.poll(() => wrong(after)).toEqual(nothing);
    expect(browser.errors()).toEqual([]);
  });

  test("that is every chapter", async () => {
    const lane = () =>
      [...document.querySelectorAll<HTMLAnchorElement>(".lane li a")].map(({ hash }) => hash);
    expect(await browser.evaluate(lane)).toEqual([...ids.map((id) => `#${id}`), "#notes"]);
  });

  test("notes", async () => {
    const note = "Neighbours jump.";
    await browser.evaluate(follow, "binary");
    await make("binary", [["text", note], "Keep"]);
    await browser.evaluate(follow, "notes");
    const noted = async () => (await browser.evaluate(look, "notes", [".text"])).texts;
    await expect.poll(noted).toContain(note);
    expect((await browser.evaluate(look, "notes", [])).heard).toEqual([]);
    expect(browser.errors()).toEqual([]);
  });
});
