/** A table as CSV (RFC 4180): its rows as they are read, numbers with a minus that programs know. */
export function csvOf(table: HTMLTableElement): string {
  return [...table.rows]
    .map((row) => [...row.cells].map((cell) => field(cell.innerText)).join(","))
    .join("\r\n");
}

function field(text: string): string {
  const plain = text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^−(?=[\d.])/, "-");
  // 1,024 is one number to whoever reads the page, and two fields to a program.
  const value = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain) ? plain.replaceAll(",", "") : plain;
  return /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
