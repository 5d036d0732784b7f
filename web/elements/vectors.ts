/** Queries or keys as a user pastes them: a row for each token. */
export interface Vectors {
  rows: number;
  columns: number;
  values: Float32Array;
}

/** What is wrong with pasted text, in words for its author. */
export class VectorsError extends Error {
  override readonly name = "VectorsError";
}

/** Read a matrix from JSON (an array of rows) or CSV (a line for each row; commas, semicolons, tabs or spaces). */
export function parseVectors(text: string): Vectors {
  const trimmed = text.trim();
  if (trimmed === "") throw new VectorsError("There is nothing to read.");
  const rows = trimmed.startsWith("[") ? rowsOfJson(trimmed) : rowsOfCsv(trimmed);
  const columns = rows[0]?.length ?? 0;
  if (columns === 0) throw new VectorsError("Row 1 is empty.");
  rows.forEach((row, r) => {
    if (row.length !== columns) {
      throw new VectorsError(`Row ${r + 1} has ${row.length} numbers, but row 1 has ${columns}.`);
    }
    row.forEach((value, c) => {
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) {
        throw new VectorsError(
          `Row ${r + 1}, column ${c + 1} is not a finite number: ${JSON.stringify(value)}.`,
        );
      }
    });
  });
  return { rows: rows.length, columns, values: Float32Array.from(rows.flat() as number[]) };
}

function rowsOfJson(text: string): unknown[][] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new VectorsError(`This is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(parsed) || !parsed.every(Array.isArray)) {
    throw new VectorsError("JSON has to be an array of rows, each an array of numbers.");
  }
  if (parsed.length === 0) throw new VectorsError("There is nothing to read.");
  return parsed;
}

function rowsOfCsv(text: string): unknown[][] {
  return text.split(/\r?\n/).map((line) =>
    line
      .trim()
      .split(/\s*[,;\t]\s*|\s+/)
      .map((cell) => (cell === "" || Number.isNaN(Number(cell)) ? cell : Number(cell))),
  );
}
