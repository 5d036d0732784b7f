/** How wide a text is set, in CSS pixels: for pictures that place their labels themselves. */
export type Measure = (text: string) => number;

let context: CanvasRenderingContext2D | null = null;

/** Measures in the fonts that an element inherits, at the heaviest weight that its labels take. */
export function measureIn(element: Element, size: number, weight = 600): Measure {
  context ??= document.createElement("canvas").getContext("2d");
  const font = `${weight} ${size}px ${getComputedStyle(element).fontFamily}`;
  return (text) => {
    if (context === null) return text.length * size * 0.6;
    context.font = font;
    return context.measureText(text).width;
  };
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The text itself where it fits, else as many of its characters as do and an ellipsis; at least one is kept. */
export function fitted(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  const parts = Array.from(graphemes.segment(text), (part) => part.segment);
  let low = 1;
  let high = parts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(`${parts.slice(0, middle).join("")}…`) <= width) low = middle;
    else high = middle - 1;
  }
  return `${parts.slice(0, low).join("")}…`;
}
