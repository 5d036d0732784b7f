import { expect, test } from "vitest";
import { parseVectors, VectorsError } from "../../web/elements/vectors.js";

test.each([
  ["CSV", "1,2\n3,4"],
  ["semicolons and carriage returns", "1;2\r\n3;4\r\n"],
  ["spaces", " 1  2 \n 3 4 "],
  ["tabs", "1\t2\n3\t4"],
  ["JSON", "[[1, 2], [3, 4]]"],
])("reads %s", (_, text) => {
  expect(parseVectors(text)).toEqual({ rows: 2, columns: 2, values: new Float32Array([1, 2, 3, 4]) });
});

test("reads signs, fractions and exponents", () => {
  expect([...parseVectors("-1.5, 2e-3\n+4, .25").values]).toEqual([-1.5, Math.fround(2e-3), 4, 0.25]);
});

test.each([
  ["", /nothing/],
  ["[]", /nothing/],
  ["[[]]", /Row 1 is empty/],
  ["[1, 2]", /array of rows/],
  ["[[1, 2], [3]]", /Row 2 has 1 numbers, but row 1 has 2/],
  ["1,2\n3", /Row 2 has 1 numbers/],
  ["1,x", /Row 1, column 2 .*"x"/],
  ["1,,2", /Row 1, column 2/],
  ["[[1, null]]", /Row 1, column 2 .*null/],
  ['[["1"]]', /Row 1, column 1/],
  ["1e39", /Row 1, column 1 is not a finite number/],
  ["[[1, 2]", /not JSON/],
  ["1,2\n\n3,4", /Row 2/],
])("refuses %j and says why", (text, message) => {
  expect(() => parseVectors(text)).toThrow(VectorsError);
  expect(() => parseVectors(text)).toThrow(message);
});
