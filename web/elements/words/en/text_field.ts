/** What the field for a sentence says. */
export const words = {
  label: "Your sentence, in any script",
  lecture: "The lecture’s sentence",
};
