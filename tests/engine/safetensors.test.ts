import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { openSafetensors as openInBrowser } from "../../web/engine/safetensors.ts";
import { openSafetensors, RopewalkError } from "../../web/engine/safetensors_node.ts";
import {
  asyncProperty,
  believed,
  counting,
  decoded,
  fileOf,
  halves,
  index,
  layOut,
  opaque,
  rawFile,
  type Stored,
  safetensors,
  WatchedFile,
} from "./safetensors_file.ts";

const folder = mkdtempSync(join(tmpdir(), "ropewalk-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** What a promise is refused with. */
async function refusal(promise: Promise<unknown>): Promise<RopewalkError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!(error instanceof RopewalkError)) throw new Error(`not a RopewalkError: ${error}`, { cause: error });
  return error;
}

const two = { a: counting([2, 3]), b: counting([4], 100) };

describe("reading", () => {
  test("gives names, shapes and elements", async () => {
    const checkpoint = await openSafetensors(new Blob([safetensors(two)]));
    expect(checkpoint.names).toEqual(["a", "b"]);
    expect(await checkpoint.info("a")).toEqual({ dtype: "F32", shape: [2, 3] });
    const a = await checkpoint.read("a");
    expect(a).toBeInstanceOf(Float32Array);
    expect([...a]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...(await checkpoint.read("b"))]).toEqual([100, 101, 102, 103]);
  });

  test("gives arrays and shapes that are the caller's own", async () => {
    const checkpoint = await openSafetensors(new Blob([safetensors(two)]));
    (await checkpoint.read("a")).fill(9);
    ((await checkpoint.info("a")).shape as number[])[0] = 9;
    expect([...(await checkpoint.read("a"))]).toEqual([0, 1, 2, 3, 4, 5]);
    expect((await checkpoint.info("a")).shape).toEqual([2, 3]);
  });

  test("takes a header padded with spaces, metadata, scalars, tensors without elements, and none at all", async () => {
    const tensors = { scalar: counting([], 5), empty: counting([3, 0]), after: counting([1], 6) };
    const metadata = { format: "pt", 'q"u\\o': '{"scalar": [' };
    const checkpoint = await openSafetensors(new Blob([safetensors(tensors, { metadata, pad: 11 })]));
    expect(checkpoint.names).toEqual(["scalar", "empty", "after"]);
    expect(await checkpoint.info("scalar")).toEqual({ dtype: "F32", shape: [] });
    expect([...(await checkpoint.read("scalar"))]).toEqual([5]);
    expect((await checkpoint.read("empty")).length).toBe(0);
    expect([...(await checkpoint.read("after"))]).toEqual([6]);
    expect((await openSafetensors(new Blob([rawFile("{}", new Uint8Array())]))).names).toEqual([]);
  });

  test("takes tensors in another order than that of their data", async () => {
    const { header, data } = layOut(two);
    const turned = JSON.stringify({ b: header.b, a: header.a });
    const checkpoint = await openSafetensors(new Blob([rawFile(turned, data)]));
    expect(checkpoint.names).toEqual(["b", "a"]);
    expect([...(await checkpoint.read("b"))]).toEqual([100, 101, 102, 103]);
  });

  test("takes names that mean something to JavaScript, and any others", async () => {
    const names = [
      "__proto__",
      "constructor",
      "toString",
      "0",
      "",
      "a b",
      'quo"te',
      "back\\slash",
      "läyer.🪢",
    ];
    const { header, data } = layOut({});
    const entries = names.map((name, i) => [name, counting([1], i)] as const);
    expect([header, data.length]).toEqual([Object.create(null), 0]);
    const text = entries.map(([name], i) => {
      return `${JSON.stringify(name)}:{"dtype":"F32","shape":[1],"data_offsets":[${4 * i},${4 * i + 4}]}`;
    });
    const bytes = Uint8Array.from(entries.flatMap(([, tensor]) => [...tensor.bytes]));
    const checkpoint = await openSafetensors(new Blob([rawFile(`{${text.join(", ")}}`, bytes)]));
    expect([...checkpoint.names].sort()).toEqual([...names].sort());
    for (const [i, name] of names.entries()) expect([...(await checkpoint.read(name))]).toEqual([i]);
    expect((await refusal(checkpoint.read("valueOf"))).code).toBe("bad_value");
  });

  test("reads at the same time", async () => {
    const checkpoint = await openSafetensors(written("same_time.safetensors", safetensors(two)));
    const read = await Promise.all(["a", "b", "a", "b"].map((name) => checkpoint.read(name)));
    expect(read.map((values) => values[0])).toEqual([0, 100, 0, 100]);
  });

  test("reads a tensor of more than one chunk", async () => {
    const halvesOf = (length: number, first: number) =>
      halves(
        "BF16",
        [length],
        Uint16Array.from({ length }, (_, i) => (first + 31 * i) & 0x7fff),
      );
    const length = 2 ** 23 + 3;
    const tensor = halvesOf(length, 5);
    const header = (bytes: number) =>
      JSON.stringify({ x: { dtype: "BF16", shape: [length], data_offsets: [0, bytes] } });
    const bytes = rawFile(header(2 * length), tensor.bytes);
    const file = new WatchedFile([bytes], "chunks.safetensors");
    for (const source of [file, written("chunks.safetensors", bytes)]) {
      const values = bitsOf(await (await openSafetensors(source)).read("x"));
      const wrong = values.findIndex((bits, i) => bits !== ((5 + 31 * i) & 0x7fff) * 2 ** 16);
      expect([values.length, wrong]).toEqual([length, -1]);
    }
    // None so large that it doubles the memory that the result takes.
    expect(Math.max(...file.slices.map(([begin, end]) => end - begin))).toBe(2 ** 24);
  });
});

describe("elements", () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);

  test.each(["F16", "BF16"] as const)("of %s are exact, all 65,536 of them", async (dtype) => {
    const tensor = halves(dtype, [256, 256], all);
    // A byte before it puts it at an odd place.
    const file = safetensors({ byte: opaque("U8", [1], 1), x: tensor });
    const values = await (await openSafetensors(new Blob([file]))).read("x");
    const expected = decoded(tensor) as number[];
    expect(values.findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
  });

  test("of F16 and BF16 that are special come out as they should", async () => {
    const f16 = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8001, 0x7c00, 0xfc00, 0x0000, 0x8000];
    const bf16 = [0x3f80, 0xc000, 0x7f7f, 0x0080, 0x0001, 0x7f80, 0xff80, 0x8000];
    const file = safetensors({ f16: halves("F16", [11], f16), bf16: halves("BF16", [8], bf16) });
    const checkpoint = await openSafetensors(new Blob([file]));
    const tiny = 2 ** -24;
    const infinite = Number.POSITIVE_INFINITY;
    expect([...(await checkpoint.read("f16"))]).toEqual([
      1,
      -2,
      65_504,
      2 ** -14,
      1023 * tiny,
      tiny,
      -tiny,
      infinite,
      -infinite,
      0,
      -0,
    ]);
    const largest = (2 - 2 ** -7) * 2 ** 127;
    expect([...(await checkpoint.read("bf16"))]).toEqual([
      1,
      -2,
      largest,
      2 ** -126,
      2 ** -133,
      infinite,
      -infinite,
      -0,
    ]);
  });

  test("keep the bits of a NaN, quiet or signalling", async () => {
    const nans = [0x7fc00000, 0x7f800001, 0xffaaaaaa, 0x7fbfffff];
    const bytes = new Uint8Array(new Uint32Array(nans).buffer);
    const file = safetensors({
      byte: opaque("BOOL", [1], 1),
      f32: { dtype: "F32", shape: [4], bytes },
      f16: halves("F16", [2], [0x7c01, 0xfe55]),
      bf16: halves("BF16", [2], [0x7f81, 0xffd5]),
    });
    const checkpoint = await openSafetensors(new Blob([file]));
    expect([...bitsOf(await checkpoint.read("f32"))]).toEqual(nans);
    expect([...bitsOf(await checkpoint.read("f16"))]).toEqual([0x7f802000, 0xffcaa000]);
    expect([...bitsOf(await checkpoint.read("bf16"))]).toEqual([0x7f810000, 0xffd50000]);
  });

  const sizes: [string, number[], number][] = [
    ["BOOL", [3], 3],
    ["U8", [3], 3],
    ["I8", [3], 3],
    ["F8_E4M3", [3], 3],
    ["F8_E5M2", [3], 3],
    ["F8_E8M0", [3], 3],
    ["F8_E4M3FNUZ", [3], 3],
    ["F8_E5M2FNUZ", [3], 3],
    ["F4", [2, 3], 3],
    ["F6_E2M3", [4], 3],
    ["F6_E3M2", [2, 2], 3],
    ["I16", [3], 6],
    ["U16", [3], 6],
    ["I32", [3], 12],
    ["U32", [3], 12],
    ["I64", [3], 24],
    ["U64", [3], 24],
    ["F64", [3], 24],
    ["C64", [3], 24],
  ];

  test.each(sizes)("of %s are listed, and refused to be read by name", async (dtype, shape, bytes) => {
    const checkpoint = await openSafetensors(
      new Blob([safetensors({ w: opaque(dtype, shape, bytes), ...two })]),
    );
    expect(await checkpoint.info("w")).toEqual({ dtype, shape });
    const error = await refusal(checkpoint.read("w"));
    expect([error.code, error.argument, error.given]).toEqual(["bad_type", "w", dtype]);
    expect(error.message).toContain("F32, F16 or BF16");
    expect([...(await checkpoint.read("b"))]).toEqual([100, 101, 102, 103]);
  });
});

describe("laziness", () => {
  test("opening reads the header, info nothing, and reading the tensor's own bytes", async () => {
    const bytes = safetensors({ ...two, c: halves("F16", [3], [1, 2, 3]) });
    const file = new WatchedFile([bytes], "model.safetensors");
    const checkpoint = await openSafetensors(file);
    const { a, b, c } = Object.fromEntries(believed(bytes)) as Record<string, { begin: number; end: number }>;
    const begin = a?.begin as number;
    expect(file.slices).toEqual([
      [0, 8],
      [8, begin],
    ]);
    file.slices.length = 0;
    await checkpoint.info("b");
    expect(file.slices).toEqual([]);
    await checkpoint.read("b");
    await checkpoint.read("c");
    expect(file.slices).toEqual([b, c].map((tensor) => [tensor?.begin, tensor?.end]));
  });

  test("a small tensor is read at the end of a file of 64 GiB, and one that no memory holds is refused", async () => {
    const path = join(folder, "sparse.safetensors");
    const large = 2 ** 36;
    const header = JSON.stringify({
      huge: { dtype: "F16", shape: [2 ** 18, 2 ** 17], data_offsets: [0, large] },
      small: { dtype: "F32", shape: [2], data_offsets: [large, large + 8] },
    });
    const dataBegin = 8 + header.length;
    const descriptor = openSync(path, "w");
    try {
      // Holes: nearly nothing of it is on the disk.
      ftruncateSync(descriptor, dataBegin + large + 8);
      writeSync(descriptor, rawFile(header, new Uint8Array()), 0, dataBegin, 0);
      writeSync(descriptor, counting([2], 41).bytes, 0, 8, dataBegin + large);
    } finally {
      closeSync(descriptor);
    }
    const checkpoint = await openSafetensors(path);
    const before = process.memoryUsage().rss;
    expect([...(await checkpoint.read("small"))]).toEqual([41, 42]);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    const error = await refusal(checkpoint.read("huge"));
    expect([error.code, error.argument, error.given]).toEqual(["out_of_memory", "huge", 2 * large]);
  });

  test("a shard is opened when something of it is wanted, once", async () => {
    const first = new WatchedFile([safetensors({ a: two.a })], "first.safetensors");
    const second = new WatchedFile([safetensors({ b: two.b })], "second.safetensors");
    const map = index({ a: "first.safetensors", b: "second.safetensors" });
    const checkpoint = await openSafetensors([first, fileOf("model.safetensors.index.json", map), second]);
    expect([first.slices.length, second.slices.length]).toEqual([0, 0]);
    await Promise.all([checkpoint.read("b"), checkpoint.read("b"), checkpoint.info("b")]);
    expect([first.slices.length, second.slices.length]).toEqual([0, 4]);
  });
});

describe("sources", () => {
  const shards = {
    "model-1.safetensors": safetensors({ a: two.a }),
    "model-2.safetensors": safetensors({ b: two.b, more: counting([1]) }),
  };
  const map = index({ a: "model-1.safetensors", b: "model-2.safetensors" });
  const files = Object.entries(shards).map(([name, bytes]) => fileOf(name, bytes));
  const indexFile = fileOf("model.safetensors.index.json", map);
  const config = fileOf("config.json", new TextEncoder().encode("{}"));

  mkdirSync(join(folder, "sharded"));
  for (const [name, bytes] of Object.entries(shards)) written(join("sharded", name), bytes);
  const indexPath = written("sharded/model.safetensors.index.json", map);
  const onePath = written("one #1.safetensors", safetensors(two));

  const likeFileList = (list: File[]) => ({ ...list, length: list.length }) as ArrayLike<File>;
  const one = fileOf("model.safetensors", safetensors(two));

  test.each([
    ["a Blob", new Blob([safetensors(two)])],
    ["a File", one],
    ["a list with a File of any name", [fileOf("weights", safetensors(two))]],
    ["a list with files of other kinds", [config, one]],
    ["a FileList", likeFileList([one])],
    ["Files with an index", [config, ...files, indexFile]],
    ["a path", onePath],
    ["a path to an index", indexPath],
    ["a URL", pathToFileURL(onePath)],
    ["a URL of an index", pathToFileURL(indexPath)],
  ])("%s", async (_, source) => {
    const checkpoint = await openSafetensors(source);
    expect(checkpoint.names).toEqual(["a", "b"]);
    expect(await checkpoint.info("b")).toEqual({ dtype: "F32", shape: [4] });
    expect([...(await checkpoint.read("a"))]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...(await checkpoint.read("b"))]).toEqual([100, 101, 102, 103]);
  });

  test("of a model in many files, those that are wanted are enough", async () => {
    const checkpoint = await openSafetensors([indexFile, files[1] as File]);
    expect([...(await checkpoint.read("b"))]).toEqual([100, 101, 102, 103]);
    const error = await refusal(checkpoint.read("a"));
    expect([error.code, error.argument]).toEqual(["bad_file", "model-1.safetensors"]);
  });

  test("a file that was not there is tried again", async () => {
    mkdirSync(join(folder, "late"));
    const checkpoint = await openSafetensors(written("late/model.safetensors.index.json", map));
    const error = await refusal(checkpoint.read("a"));
    expect([error.code, error.argument]).toEqual(["bad_file", "model-1.safetensors"]);
    expect((error.cause as { code?: string }).code).toBe("ENOENT");
    written("late/model-1.safetensors", shards["model-1.safetensors"]);
    expect((await checkpoint.read("a")).length).toBe(6);
  });

  test("a file that has changed since it was opened is refused", async () => {
    const path = written("changing.safetensors", safetensors(two));
    const checkpoint = await openSafetensors(path);
    writeFileSync(path, safetensors({ b: two.b, a: two.a }, { pad: 1 }));
    const error = await refusal(checkpoint.read("a"));
    expect([error.code, error.argument]).toEqual(["bad_file", "changing.safetensors"]);
  });

  test("without Node, a path is refused", async () => {
    const error = await refusal(openInBrowser(onePath as unknown as Blob));
    expect([error.code, error.argument]).toEqual(["bad_type", "source"]);
  });

  const twice = [indexFile, fileOf("model-1.safetensors", shards["model-1.safetensors"]), ...files];
  const wrongSources: [string, unknown, string, string][] = [
    ["nothing", undefined, "bad_type", "source"],
    ["null", null, "bad_type", "source"],
    ["a number", 8, "bad_type", "source"],
    ["an object", {}, "bad_type", "source"],
    ["bytes", new Uint8Array(8), "bad_type", "source[0]"],
    ["a list without an end", { length: Number.POSITIVE_INFINITY }, "bad_type", "source[0]"],
    ["a list of paths", [onePath], "bad_type", "source[0]"],
    ["a list with a Blob without a name", [one, new Blob([])], "bad_type", "source[1]"],
    ["no files", [], "bad_value", "source"],
    ["files of other kinds", [config, config], "bad_value", "source"],
    ["two files without an index", files, "bad_value", "source"],
    ["two indices", [indexFile, indexFile, ...files], "bad_value", "source"],
    ["a URL of the web", new URL("https://example.org/model.safetensors"), "bad_value", "source"],
    ["a path to nothing", join(folder, "none.safetensors"), "bad_file", "none.safetensors"],
    ["a folder", folder, "bad_file", folder.split(/[\\/]/).at(-1) as string],
    ["the empty path", "", "bad_file", "source"],
    ["no path", "a\0b", "bad_file", "a\0b"],
  ];
  test.each(wrongSources)("%s is refused", async (_, source, code, argument) => {
    const error = await refusal(openSafetensors(source as Blob));
    expect([error.code, error.argument]).toEqual([code, argument]);
  });

  test.skipIf(process.platform === "win32")("a device is refused, which may never end", async () => {
    const error = await refusal(openSafetensors("/dev/null"));
    expect([error.code, error.argument, error.given]).toEqual(["bad_file", "null", "/dev/null"]);
  });

  test("a file that cannot be read is refused with the cause", async () => {
    class Broken extends File {
      override slice(): never {
        throw new DOMException("gone", "NotReadableError");
      }
    }
    const error = await refusal(openSafetensors(new Broken([safetensors(two)], "model.safetensors")));
    expect([error.code, error.argument, error.given]).toEqual(["bad_file", "model.safetensors", "gone"]);
    expect((error.cause as Error).name).toBe("NotReadableError");
  });

  test("a file that gives fewer bytes than it has is refused", async () => {
    class Short extends File {
      override slice(begin = 0, end = 0): Blob {
        return super.slice(begin, begin + Math.min(end - begin, 9));
      }
    }
    const error = await refusal(openSafetensors(new Short([safetensors(two)], "model.safetensors")));
    expect([error.code, error.argument, error.given]).toEqual([
      "bad_file",
      "model.safetensors",
      "9 bytes from byte 8 on",
    ]);
  });

  const wrongNames = [1, undefined, null, {}, ["a"]];
  test.each([
    ...wrongNames.map((name) => [name, "bad_type"] as const),
    ["", "bad_value"] as const,
    ["A", "bad_value"] as const,
    ["__metadata__", "bad_value"] as const,
  ])("the name %j is refused", async (name, code) => {
    const file = safetensors(two, { metadata: { a: "b" } });
    for (const source of [new Blob([file]), [indexFile, ...files]]) {
      const checkpoint = await openSafetensors(source);
      for (const call of [checkpoint.info, checkpoint.read]) {
        const error = await refusal(call(name as string));
        expect([error.code, error.argument]).toEqual([code, "name"]);
      }
    }
  });

  describe("an index", () => {
    const shard = "model-1.safetensors";
    const json = (text: string) => new TextEncoder().encode(text);
    const place = "model.safetensors.index.json";
    const lies: [string, Uint8Array<ArrayBuffer>, string][] = [
      ["without bytes", json(""), place],
      ["that is no JSON", json("{"), place],
      ["that is no UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), place],
      ["that is a list", json("[]"), place],
      ["without a weight_map", json("{}"), `${place}: weight_map`],
      ["with a list for a weight_map", json('{"weight_map": []}'), `${place}: weight_map`],
      ["with a number for a file", index({ a: 1 }), `${place}: weight_map.a`],
      ["with a tensor twice", json(`{"weight_map": {"a": "${shard}", "a": "${shard}"}}`), `${place}: a`],
      ...["", ".", "..", "../x", "/x", "x/y", "x\\y", "C:x", "x\0", "sub/../x"].map(
        (name): [string, Uint8Array<ArrayBuffer>, string] => [
          `with the file ${JSON.stringify(name)}`,
          index({ b: shard, a: name }),
          `${place}: weight_map.a`,
        ],
      ),
    ];
    test.each(lies)("%s is refused", async (_, bytes, argument) => {
      mkdirSync(join(folder, "lies"), { recursive: true });
      const sources = [[...files, fileOf(place, bytes)], written(join("lies", place), bytes)];
      for (const source of sources) {
        const error = await refusal(openSafetensors(source));
        expect([error.code, error.argument]).toEqual(["bad_file", argument]);
      }
    });

    test("that is larger than any can be is refused unread", async () => {
      class Large extends File {
        override get size() {
          return 100_000_001;
        }
        override slice(): never {
          throw new Error("read");
        }
      }
      const error = await refusal(openSafetensors([new Large([], "x.index.json")]));
      expect([error.code, error.argument, error.given]).toEqual(["bad_file", "x.index.json", 100_000_001]);
    });

    test("may name a file with dots in it", async () => {
      const dotted = fileOf("..x..safetensors", shards[shard]);
      const checkpoint = await openSafetensors([fileOf(place, index({ a: "..x..safetensors" })), dotted]);
      expect((await checkpoint.read("a")).length).toBe(6);
    });

    const later: [string, File[], Record<string, string>, string][] = [
      ["a tensor that its file lacks", files, { a: "model-2.safetensors" }, "model-2.safetensors: a"],
      ["a file that is not there", files, { a: "model-3.safetensors" }, "model-3.safetensors"],
      ["a file that is there twice", twice.slice(1), { a: shard }, shard],
      ["a file that is none", [fileOf("x", json("{}"))], { a: "x" }, "x: header length"],
    ];
    test.each(later)("with %s is refused when that is wanted", async (_, list, weightMap, argument) => {
      const checkpoint = await openSafetensors([...list, fileOf(place, index(weightMap))]);
      for (const call of [checkpoint.info, checkpoint.read]) {
        const error = await refusal(call("a"));
        expect([error.code, error.argument]).toEqual(["bad_file", argument]);
      }
    });
  });
});

// ---- Lies --------------------------------------------------------------------------------------------------------------

describe("a file that is not what it says is refused:", () => {
  const entry = { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] };
  const after = { dtype: "F32", shape: [4], data_offsets: [24, 40] };
  const data = layOut(two).data;
  const right = { a: entry, b: after };
  const text = JSON.stringify(right);
  /** The file that is right but for these fields of a. */
  const changed = (fields: object) => rawFile(JSON.stringify({ a: { ...entry, ...fields }, b: after }), data);
  const header = (value: unknown) => rawFile(typeof value === "string" ? value : JSON.stringify(value), data);
  const whole = rawFile(text, data);

  test("but the one that all of these are made from is not", async () => {
    expect((await openSafetensors(new Blob([whole]))).names).toEqual(["a", "b"]);
    expect((await openSafetensors(new Blob([changed({})]))).names).toEqual(["a", "b"]);
  });

  const utf8 = new TextEncoder().encode(text);
  const notUtf8 = utf8.slice();
  notUtf8[2] = 0xff;
  const nested = `${'{"a":'.repeat(5)}1${"}".repeat(5)}`;
  const one = (fields: string) => rawFile(`{"a":{${fields}}}`, data.slice(0, 24));
  const offsets = "a.data_offsets";
  const lies: [string, Uint8Array<ArrayBuffer>, string][] = [
    ["no bytes", new Uint8Array(), "header length"],
    ["7 bytes", whole.slice(0, 7), "header length"],
    ["8 bytes", whole.slice(0, 8), "header length"],
    ["an end in the header", whole.slice(0, 50), "header length"],
    [
      "a header of one byte more than the file",
      rawFile(text, new Uint8Array(), BigInt(text.length + 1)),
      "header length",
    ],
    ["a header of no bytes", rawFile("", data), "header length"],
    ["a header of one byte", rawFile("{", data), "header length"],
    ["a header of 2^53 bytes", rawFile(text, data, 2n ** 53n), "header length"],
    ["a header of 2^64 - 1 bytes", rawFile(text, data, 2n ** 64n - 1n), "header length"],
    ["a header of 2^32 bytes more", rawFile(text, data, 2n ** 32n + BigInt(text.length)), "header length"],
    [
      "a header length in the other order of bytes",
      rawFile(text, data, BigInt(text.length) << 56n),
      "header length",
    ],
    ["an end in the data", whole.slice(0, -1), "b.data_offsets"],
    ["no data", whole.slice(0, 8 + text.length), offsets],
    ["a byte behind", rawFile(text, Uint8Array.of(...data, 0)), "data"],
    ["data of no tensor", rawFile("{}", data), "data"],
    ["a header that is no UTF-8", rawFile(notUtf8, data), "header"],
    ["a header that is cut off", rawFile(text, data, BigInt(text.length - 1)), "header"],
    ["a header that begins too late", rawFile(text, data, BigInt(text.length + 1)), "header"],
    ["a space before the header", header(` ${text}`), "header"],
    ["a byte order mark before the header", header(`\uFEFF${text}`), "header"],
    ["zeros behind the header", header(`${text}\0\0`), "header"],
    ["a header that is a list", header("[]"), "header"],
    ["a header that is null", header("null"), "header"],
    ["a header that is a string", header('"{}"'), "header"],
    ["a tensor that is null", header({ ...right, a: null }), "a"],
    ["a tensor that is a list", header({ ...right, a: [entry] }), "a"],
    ["a tensor that is a number", header({ ...right, a: 1 }), "a"],
    ["an object for each field", header(nested), "a.dtype"],
    ["metadata that is a list", header({ __metadata__: [], ...right }), "__metadata__"],
    ["metadata that is null", header({ __metadata__: null, ...right }), "__metadata__"],
    ["metadata with a number", header({ __metadata__: { step: 1 }, ...right }), "__metadata__.step"],
    ["metadata with an object", header({ __metadata__: { a: {} }, ...right }), "__metadata__.a"],
    ["no dtype", changed({ dtype: undefined }), "a.dtype"],
    ["a dtype that there is not", changed({ dtype: "F31" }), "a.dtype"],
    ["a dtype in small letters", changed({ dtype: "f32" }), "a.dtype"],
    ["a dtype that is a number", changed({ dtype: 32 }), "a.dtype"],
    ["a dtype that is a list", changed({ dtype: ["F32"] }), "a.dtype"],
    ["a dtype that objects have", changed({ dtype: "constructor" }), "a.dtype"],
    ["no shape", changed({ shape: undefined }), "a.shape"],
    ["a shape that is a number", changed({ shape: 6 }), "a.shape"],
    ["a shape that is an object", changed({ shape: { length: 0 } }), "a.shape"],
    ["a shape with a string", changed({ shape: ["2", 3] }), "a.shape"],
    ["a shape with null", changed({ shape: [null, 3] }), "a.shape"],
    ["a shape with a fraction", changed({ shape: [1.5, 4] }), "a.shape"],
    ["a negative shape", changed({ shape: [-2, -3] }), "a.shape"],
    ["a shape with 2^53", changed({ shape: [2 ** 53, 0] }), "a.shape"],
    ["a shape with 2^53 after 0", changed({ shape: [0, 2 ** 53], data_offsets: [0, 0] }), "a.shape"],
    ["a shape whose product is over 2^53", changed({ shape: [2 ** 27, 2 ** 27] }), "a.shape"],
    [
      "a shape whose product is over 2^53 before it is 0",
      changed({ shape: [2 ** 27, 2 ** 27, 0] }),
      "a.shape",
    ],
    ["a shape whose product is 2^64", changed({ shape: [2 ** 32, 2 ** 32] }), "a.shape"],
    ["a shape whose product is infinite", changed({ shape: Array(40).fill(2 ** 52) }), "a.shape"],
    ["a shape of over 2^53 bits", changed({ shape: [2 ** 50] }), "a.shape"],
    ["a shape of half a byte", changed({ dtype: "F4", shape: [47] }), "a.shape"],
    ["a shape that is too large", changed({ shape: [7] }), offsets],
    ["a shape that is too small", changed({ shape: [5] }), offsets],
    ["a shape that is no scalar's", changed({ shape: [] }), offsets],
    ["a dtype of another size", changed({ dtype: "F16" }), offsets],
    ["no offsets", changed({ data_offsets: undefined }), offsets],
    ["offsets that are an object", changed({ data_offsets: { 0: 0, 1: 24, length: 2 } }), offsets],
    ["no offset", changed({ data_offsets: [] }), offsets],
    ["one offset", changed({ data_offsets: [0] }), offsets],
    ["three offsets", changed({ data_offsets: [0, 24, 24] }), offsets],
    ["an offset that is a string", changed({ data_offsets: ["0", 24] }), offsets],
    ["an offset that is null", changed({ data_offsets: [null, 24] }), offsets],
    ["an offset that is a fraction", changed({ data_offsets: [0.5, 24.5] }), offsets],
    ["a negative offset", changed({ data_offsets: [-24, 0] }), offsets],
    ["an offset of 2^53", changed({ data_offsets: [2 ** 53, 2 ** 53 + 24] }), offsets],
    ["offsets in the wrong order", changed({ data_offsets: [24, 0] }), offsets],
    ["an end past the end", changed({ data_offsets: [20, 44] }), offsets],
    ["an end far past the end", changed({ data_offsets: [2 ** 40, 2 ** 40 + 24] }), offsets],
    ["two tensors that overlap", changed({ data_offsets: [4, 28] }), offsets],
    [
      "a tensor within another",
      header({ ...right, c: { ...after, shape: [1], data_offsets: [8, 12] } }),
      "c.data_offsets",
    ],
    ["the same data twice", header({ ...right, c: after }), "c.data_offsets"],
    [
      "nothing within a tensor",
      header({ ...right, c: { ...after, shape: [0], data_offsets: [8, 8] } }),
      "c.data_offsets",
    ],
    ["a hole at the beginning", header({ b: after }), "b.data_offsets"],
    [
      "a hole in the middle",
      header({ a: { ...entry, shape: [5], data_offsets: [0, 20] }, b: after }),
      "b.data_offsets",
    ],
    ["a hole at the end", header({ a: entry }), "data"],
    ["a tensor twice", header(`{"a":${JSON.stringify(entry)},${text.slice(1)}`), "header: a"],
    [
      "a tensor twice, spelled differently",
      header(`{"\\u0061":${JSON.stringify(entry)} , ${text.slice(1)}`),
      "header: a",
    ],
    [
      "a field twice",
      one('"dtype":"F16","shape":[6], "data_offsets":[0,24], "dtype" : "F32"'),
      "header: dtype",
    ],
    [
      "a key of the metadata twice",
      header(`{"__metadata__":{"k":"1","k":"2"},${text.slice(1)}`),
      "header: k",
    ],
    [
      "metadata twice",
      header(`{"__metadata__":{},"__metadata__":{},${text.slice(1)}`),
      "header: __metadata__",
    ],
  ];

  // A lie that says what another says tests nothing.
  test("no two of them are the same", () => {
    expect(new Set(lies.map(([, bytes]) => bytes.join())).size).toBe(lies.length);
  });

  test.each(lies)("%s", async (_, bytes, place) => {
    for (const source of [fileOf("m.safetensors", bytes), written("m.safetensors", bytes)]) {
      const error = await refusal(openSafetensors(source));
      expect([error.code, error.argument]).toEqual(["bad_file", `m.safetensors: ${place}`]);
      expect(error.allowed).not.toBe("");
    }
    // Without a name it goes by the argument's.
    expect((await refusal(openSafetensors(new Blob([bytes])))).argument).toBe(`source: ${place}`);
  });

  test("a header of more than 100 MB, unread", async () => {
    const path = join(folder, "large_header.safetensors");
    const descriptor = openSync(path, "w");
    try {
      ftruncateSync(descriptor, 2 ** 30);
      writeSync(descriptor, rawFile("", new Uint8Array(), 100_000_001n), 0, 8, 0);
    } finally {
      closeSync(descriptor);
    }
    const error = await refusal(openSafetensors(path));
    expect([error.code, error.argument, error.given]).toEqual([
      "bad_file",
      "large_header.safetensors: header length",
      100_000_001n,
    ]);
    expect(error.message).toContain("100000000");
  });

  test("a header that is nested as deep as it is long", async () => {
    for (const deep of [`{"a":${"[".repeat(1e6)}`, `{"a":${"[".repeat(2e5)}${"]".repeat(2e5)}}`]) {
      expect((await refusal(openSafetensors(new Blob([rawFile(deep, data)])))).code).toBe("bad_file");
    }
  });

  test("a field that there is not is let pass, with what it holds", async () => {
    const more = { a: { note: [{ a: "}" }, { a: '"' }], ...entry }, b: after };
    expect((await openSafetensors(new Blob([header(more)]))).names).toEqual(["a", "b"]);
  });
});

// ---- Properties --------------------------------------------------------------------------------------------------------

const stored = fc
  .record({
    dtype: fc.constantFrom("F32", "F16", "BF16", "U8", "I64"),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    seed: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ dtype, shape, seed }): Stored => {
    const width = { F32: 4, F16: 2, BF16: 2, U8: 1, I64: 8 }[dtype] as number;
    const length = width * shape.reduce((a, b) => a * b, 1);
    return {
      dtype,
      shape,
      bytes: Uint8Array.from({ length }, (_, i) => (seed * 7 + i * 97 + i * i * 31) & 255),
    };
  });
const tensorsOf = fc.dictionary(
  fc
    .oneof(
      fc.string({ maxLength: 6 }),
      fc.string({ unit: "grapheme", maxLength: 6 }),
      fc.constant("toString"),
    )
    .filter((name) => name !== "__metadata__"),
  stored,
  { maxKeys: 5 },
);

/** The checkpoint says of this file what whoever believes it reads there; its data are covered, each byte once. */
async function saysTheSame(file: Uint8Array<ArrayBuffer>): Promise<void> {
  const checkpoint = await openSafetensors(new Blob([file]));
  const all = believed(file);
  if (checkpoint.names.join("\n") !== [...all.keys()].join("\n")) throw new Error("other names");
  let bytes = 0;
  for (const [name, tensor] of all) {
    const { dtype, shape } = await checkpoint.info(name);
    if (dtype !== tensor.dtype || shape.join() !== tensor.shape.join()) throw new Error(`another ${name}`);
    const expected = decoded(tensor);
    bytes += tensor.bytes.length;
    if (expected === undefined) {
      const { code } = await refusal(checkpoint.read(name));
      if (code !== "bad_type") throw new Error(`${code} of ${name}`);
      continue;
    }
    const values = await checkpoint.read(name);
    if (expected.length !== shape.reduce((a, b) => a * b, 1)) throw new Error(`${name} is none of its shape`);
    if (values.length !== expected.length || !values.every((value, i) => Object.is(value, expected[i]))) {
      throw new Error(`other elements of ${name}`);
    }
  }
  const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true));
  if (8 + headerBytes + bytes !== file.length) throw new Error("bytes of no tensor, or of two");
}

asyncProperty(
  "tensors drawn at random are read as they were written",
  fc.record({ tensors: tensorsOf, pad: fc.integer({ min: 0, max: 9 }) }),
  async ({ tensors, pad }) => {
    const file = safetensors(tensors, { pad });
    await saysTheSame(file);
    expect([...believed(file).keys()].sort()).toEqual(Object.keys(tensors).sort());
  },
  300,
);

type Mutation = (file: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
const headerEnd = (file: Uint8Array) => 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
/** Where of `0` to `length`, as a part of the whole, so that it fits any file. */
const at = (part: number, length: number) => Math.floor(part * length);
const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const odd = fc.constantFrom<unknown>(
  -1,
  0,
  1,
  2,
  4,
  0.5,
  2 ** 31,
  2 ** 53,
  1e300,
  null,
  true,
  "",
  "F16",
  "F32",
  [],
  {},
);

/** The header as an object, changed, and written again. */
const withHeader =
  (change: (header: Record<string, Record<string, unknown>>) => void): Mutation =>
  (file) => {
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, headerEnd(file))));
    change(header);
    return rawFile(JSON.stringify(header), file.subarray(headerEnd(file)));
  };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // A byte of the file, or of its beginning and header.
  fc
    .record({ where: part, byte: fc.nat(255), front: fc.boolean() })
    .map(({ where, byte, front }): Mutation => {
      return (file) =>
        file.with(at(where, front ? headerEnd(file) : file.length), byte) as Uint8Array<ArrayBuffer>;
    }),
  // A character of the header, by one that means something there.
  fc.record({ where: part, char: fc.constantFrom(...'{}[]",:0123456789-.e\\ untrlfas') }).map(
    ({ where, char }): Mutation =>
      (file) =>
        file.with(8 + at(where, headerEnd(file) - 8), char.charCodeAt(0)) as Uint8Array<ArrayBuffer>,
  ),
  // Bytes cut out, or put in.
  fc.record({ where: part, count: fc.integer({ min: 1, max: 9 }) }).map(({ where, count }): Mutation => {
    return (file) => {
      const begin = at(where, file.length);
      return Uint8Array.from([...file.subarray(0, begin), ...file.subarray(begin + count)]);
    };
  }),
  fc
    .record({ where: part, bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }) })
    .map(({ where, bytes }): Mutation => {
      return (file) => {
        const begin = at(where, file.length + 1);
        return Uint8Array.from([...file.subarray(0, begin), ...bytes, ...file.subarray(begin)]);
      };
    }),
  part.map(
    (where): Mutation =>
      (file) =>
        file.slice(0, at(where, file.length)),
  ),
  // Another length of the header.
  fc
    .oneof(fc.bigInt({ min: -9n, max: 9n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    .map((by): Mutation => {
      return (file) => {
        const length = BigInt.asUintN(64, BigInt(headerEnd(file) - 8) + by);
        return rawFile(file.slice(8), new Uint8Array(), length);
      };
    }),
  // Another value of a field, or of a number in one.
  fc
    .record({
      where: part,
      field: fc.constantFrom("dtype", "shape", "data_offsets"),
      deep: fc.boolean(),
      place: part,
      value: odd,
    })
    .map(({ where, field, deep, place, value }) =>
      withHeader((header) => {
        const tensors = Object.values(header);
        const tensor = tensors[at(where, tensors.length)];
        if (tensor === undefined) return;
        const list = tensor[field];
        if (deep && Array.isArray(list)) list[at(place, list.length)] = value;
        else tensor[field] = value;
      }),
    ),
  // The tensors' places exchanged.
  part.map((where) =>
    withHeader((header) => {
      const tensors = Object.values(header);
      const [one, other] = [tensors[at(where, tensors.length)], tensors[0]];
      if (one === undefined || other === undefined) return;
      [one.data_offsets, other.data_offsets] = [other.data_offsets, one.data_offsets];
    }),
  ),
);

describe("a file changed at random", () => {
  const counts = { read: 0, refused: 0 };

  asyncProperty(
    "says what is in it, or is refused by name",
    fc.record({ tensors: tensorsOf, mutations: fc.array(mutation, { minLength: 1, maxLength: 2 }) }),
    async ({ tensors, mutations }) => {
      let file = safetensors(tensors);
      try {
        file = mutations.reduce((before, mutate) => (before.length > 8 ? mutate(before) : before), file);
      } catch {
        return; // The second change does not fit what the first has left.
      }
      const opened = await openSafetensors(new Blob([file])).then(
        () => undefined,
        (error) => error,
      );
      if (opened === undefined) {
        counts.read++;
        return saysTheSame(file);
      }
      counts.refused++;
      if (!(opened instanceof RopewalkError) || opened.code !== "bad_file") throw opened;
    },
    1500,
  );

  test("and of both there were many", () => {
    expect(counts.read).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(100);
  });
});
