import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNotes, writeNotes } from "../../web/page/notes/markdown.js";
import { inOrder, type Note, tidy } from "../../web/page/notes/note.js";
import { NoteStore, prefix } from "../../web/page/notes/store.js";
import { readTime, writeTime } from "../../web/page/time.js";

/** What a browser keeps, for as many tabs as there are. */
function keeper() {
  const kept = new Map<string, string>();
  return {
    kept,
    get length() {
      return kept.size;
    },
    key: (k: number) => [...kept.keys()][k] ?? null,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

const rotary = { chapter: "rotary", state: { position: "12" } };
const said = ({ text, time, place }: Pick<Note, "text" | "time" | "place">) => ({ text, time, place });
const texts = (markdown: string) => readNotes(markdown).map(({ text }) => text);

test("times are read and written in both forms, and nothing else is a time", () => {
  fc.assert(fc.property(fc.nat(86_399), (time) => readTime(writeTime(time)) === time));
  expect(["15:00", "1:15:00", "75:00", "0:05"].map(readTime)).toEqual([900, 4500, 4500, 5]);
  for (const text of ["", "15", "15:60", "1:60:00", "15:00 h", "-1:00", "99:59:59", "15:0"])
    expect(readTime(text)).toBe(undefined);
});

test("notes are written as the lecture's own are", () => {
  const note = (id: string, text: string, time?: number): Note => ({
    id,
    text,
    time,
    place: rotary,
    written: 0,
  });
  expect(
    writeNotes(
      [note("a", "first"), note("b", "its length\n\nstays", 900), note("c", "15:00", 900)],
      () => "Rotary",
    ),
  ).toBe(
    "* first [Rotary](#rotary?v=1&position=12)\n" +
      "* 15:00\n" +
      "* its length\n\n  stays [Rotary](#rotary?v=1&position=12)\n" +
      "* \\15:00 [Rotary](#rotary?v=1&position=12)\n",
  );
});

describe("what is written is read again, whole", () => {
  // Pieces that mean something in Markdown or in this form, among any others.
  const piece = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      ...[
        "\n",
        "\n\n",
        "\n  ",
        "\n\t",
        "* ",
        "- ",
        "1. ",
        "# ",
        "> ",
        "15:00",
        "\\",
        "\\15:00",
        "[",
        "]",
        "(",
        ")",
        "`",
        "```",
        "<b>",
        "\r\n",
      ],
      ...[
        "[x](#rotary)",
        "[x](#rotary?v=1&position=3)",
        "[x](javascript:alert(1))",
        " ",
        "\u00a0",
        "\u2028",
        "\ufeff",
      ],
    ),
  );
  const text = fc
    .array(piece, { minLength: 1, maxLength: 12 })
    .map((pieces) => tidy(pieces.join("")))
    .filter((whole) => whole !== "");
  const state = fc.dictionary(
    fc.string({ unit: "grapheme" }).filter((name) => name !== "v"),
    fc.string({ unit: "grapheme" }),
    {
      noNullPrototype: true,
    },
  );
  const note: fc.Arbitrary<Note> = fc.record({
    id: fc.uuid(),
    text,
    time: fc.option(fc.nat(86_399), { nil: undefined }),
    place: fc.record({ chapter: fc.stringMatching(/^[\w-]+$/), state: fc.option(state, { nil: undefined }) }),
    written: fc.nat(),
  });

  test("with any text, time, chapter and state", () => {
    fc.assert(
      fc.property(fc.array(note, { maxLength: 8 }), (notes) => {
        const ordered = inOrder(notes, []);
        expect(readNotes(writeNotes(ordered, () => "Name"))).toEqual(ordered.map(said));
      }),
      { numRuns: 1000 },
    );
  });

  test("also with the line ends of another system", () => {
    fc.assert(
      fc.property(fc.array(note, { maxLength: 4 }), (notes) => {
        const ordered = inOrder(notes, []);
        const written = writeNotes(ordered, () => "Name").replaceAll("\n", "\r\n");
        expect(readNotes(written)).toEqual(ordered.map(said));
      }),
    );
  });

  test("and merged twice is there once", () => {
    fc.assert(
      fc.property(fc.array(note, { maxLength: 8 }), (notes) => {
        const [from, to] = [new NoteStore(keeper()), new NoteStore(keeper())];
        for (const one of notes) from.put(one);
        const written = readNotes(writeNotes(inOrder(from.all, []), () => "Name"));
        const nowhere = () => ({ chapter: "notes" });
        const added = to.merge(written, nowhere);
        expect(to.merge(written, nowhere)).toBe(0);
        expect(to.all.length).toBe(added);
        const unique = new Set(notes.map((one) => JSON.stringify(said(one))));
        expect(added).toBeLessThanOrEqual(unique.size);
        for (const one of notes) expect(to.all.map(said)).toContainEqual(said(one));
      }),
    );
  });
});

describe("of what others wrote", () => {
  test.each([
    ["other bullets", "- 15:00\n- a\n+ b\n1. c\n2) d"],
    ["line ends of Windows, and a byte order mark", "\ufeff* 15:00\r\n* a\r\n* b\r\n* c\r\n* d\r\n"],
    ["lists within the time", "* 15:00\n    * a\n    * b\n    * c\n* d"],
    ["no bullets", "15:00\na\n\nb\n\nc\n\nd"],
    ["a time without a bullet", "* 15:00\n\n* a\n* b\n\n* c\n15:00\n* d"],
  ])("%s are understood", (_, markdown) => {
    expect(readNotes(markdown).map(({ time }) => time)).toEqual([900, 900, 900, 900]);
    expect(texts(markdown).join(" ").replace(/\W+/g, "")).toBe("abcd");
  });

  test("what stands under a note is part of it", () => {
    expect(texts("* a\n  * b\n    * c\n\n  d\nlazy\n* e")).toEqual(["a\n* b\n  * c\n\nd\nlazy", "e"]);
  });

  test("a link is a place only within this page, at the end", () => {
    for (const link of [
      "https://example.org/#rotary",
      "javascript:alert(1)",
      "//example.org",
      "data:text/html,x",
      "#",
      "#a b",
    ])
      expect(readNotes(`* see [it](${link})`)).toEqual([
        { text: `see [it](${link})`, time: undefined, place: undefined },
      ]);
    expect(readNotes("* see [it](#rotary?v=1&position=12)")[0]).toEqual({
      text: "see",
      time: undefined,
      place: rotary,
    });
    expect(readNotes("* see [it](#rotary) there")[0]?.place).toBe(undefined);
    expect(readNotes("* [it](#rotary)")[0]?.text).toBe("[it](#rotary)");
  });

  test("no letter of any text is lost", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "",
        "* ",
        "- x",
        "  * y",
        "\t- z",
        "15:00",
        "# h",
        "```",
        "> q",
        "1. n",
        "   deep",
        "[·](#1)",
      ),
      fc.stringMatching(/^[a-z *\-+#>`\\\d:.]{0,12}$/),
    );
    const letters = (text: string) => text.match(/[a-z]/g) ?? [];
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        const markdown = lines.join("\n");
        const kept = readNotes(markdown).flatMap(({ text }) => letters(text));
        expect(kept.join("")).toBe(letters(markdown).join(""));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the store", () => {
  test("two tabs write at once, and neither undoes the other's", () => {
    const shared = keeper();
    const [here, there] = [new NoteStore(shared), new NoteStore(shared)];
    expect([here.all.length, there.all.length]).toEqual([0, 0]);
    here.add("here", rotary, 900.7);
    there.add("there", rotary, undefined);
    for (const store of [here, there]) store.refresh();
    expect(here.all.map(({ text }) => text).sort()).toEqual(["here", "there"]);
    expect(there.all).toEqual(here.all);
    expect(here.all.find(({ text }) => text === "here")?.time).toBe(900);
    const note = there.all.find(({ text }) => text === "here") as Note;
    there.remove(note.id);
    here.refresh();
    expect(here.all.map(({ text }) => text)).toEqual(["there"]);
  });

  test("what cannot be read is left as it is, and counted", () => {
    const shared = keeper();
    const bad = [
      "",
      "{",
      "null",
      "[]",
      "7",
      '{"text":1}',
      '{"text":"a","chapter":"b","state":{"c":1},"written":1}',
    ];
    for (const [k, value] of bad.entries()) shared.kept.set(`${prefix}${k}`, value);
    shared.kept.set("another", "page's");
    const before = new Map(shared.kept);
    const store = new NoteStore(shared);
    expect(store.unreadable).toBe(bad.length);
    const note = store.add("good", rotary, undefined) as Note;
    expect(store.all.map(({ text }) => text)).toEqual(["good"]);
    store.remove(note.id);
    expect(shared.kept).toEqual(before);
  });

  test("works where nothing is kept, and says so", () => {
    const full = {
      ...keeper(),
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    };
    for (const nowhere of [undefined, full]) {
      const store = new NoteStore(nowhere);
      expect(store.keeps).toBe(nowhere === full);
      const note = store.add("a", rotary, undefined) as Note;
      expect(store.keeps).toBe(false);
      expect(store.all).toEqual([note]);
      store.remove(note.id);
      expect(store.all).toEqual([]);
    }
  });
});
