import { expect, test } from "vitest";
import { maxTokens, tokenId, tokenize } from "../../web/elements/tokens.js";

test("words and marks, without the white space between them", () => {
  const text = "Einstein developed the theory of relativity. This breakthrough reshaped physics.";
  expect(tokenize(text).tokens).toEqual([
    ..."Einstein developed the theory of relativity . This breakthrough reshaped physics .".split(" "),
  ]);
});

test.each([
  ["これは言葉です。", 3],
  ["الموضع مهم", 2],
  ["ตำแหน่งสำคัญ", 2],
  ["👩‍🚀🚀", 2],
])("any script: %s", (text, least) => {
  const { tokens } = tokenize(text);
  expect(tokens.length).toBeGreaterThanOrEqual(least);
  expect(tokens.join("")).toBe(text.replaceAll(" ", ""));
});

test("nothing but white space is no token", () => {
  expect(tokenize(" \n\t ").tokens).toEqual([]);
});

test("the first 256 are taken, and the rest counted", () => {
  const { tokens, left } = tokenize("one ".repeat(maxTokens + 44));
  expect(tokens).toHaveLength(maxTokens);
  expect(left).toBe(44);
});

test("ids are int32, equal for equal tokens and apart for others", () => {
  const words = ["the", "The", "eht", "thé", "", "a", "b", "理", "論"];
  const ids = words.map(tokenId);
  expect(new Set(ids).size).toBe(words.length);
  for (const id of ids) expect(id).toBe(id | 0);
  // FNV-1a's published values: of nothing, and of "a".
  expect(tokenId("")).toBe(0x811c9dc5 | 0);
  expect(tokenId("a")).toBe(0xe40c292c | 0);
});
