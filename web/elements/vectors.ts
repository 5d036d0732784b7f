import { words } from "./words/en/vectors.js";

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
  if (trimmed === "") throw new VectorsError(words.nothing);
  const rows = trimmed.startsWith("[") ? rowsOfJson(trimmed) : rowsOfCsv(trimmed);
  const columns = rows[0]?.length ?? 0;
  if (columns === 0) throw new VectorsError(words.empty);
  rows.forEach((row, r) => {
    if (row.length !== columns) {
      throw new VectorsError(words.ragged(r + 1, row.length, columns));
    }
    row.forEach((value, c) => {
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) {
        throw new VectorsError(words.notNumber(r + 1, c + 1, JSON.stringify(value)));
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
    throw new VectorsError(words.notJson((error as Error).message));
  }
  if (!Array.isArray(parsed) || !parsed.every(Array.isArray)) {
    throw new VectorsError(words.notRows);
  }
  if (parsed.length === 0) throw new VectorsError(words.nothing);
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
