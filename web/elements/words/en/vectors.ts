/** What is wrong with pasted queries or keys. */
export const words = {
  nothing: "There is nothing to read.",
  empty: "Row 1 is empty.",
  ragged: (row: number, count: number, columns: number) =>
    `Row ${row} has ${count} numbers, but row 1 has ${columns}.`,
  notNumber: (row: number, column: number, given: string) =>
    `Row ${row}, column ${column} is not a finite number: ${given}.`,
  notJson: (why: string) => `This is not JSON: ${why}`,
  notRows: "JSON has to be an array of rows, each an array of numbers.",
};
