import { shownChildren } from "./composed.js";

const namespace = "http://www.w3.org/2000/svg";

/** What a drawing looks like by its style sheets, and has to say itself once it stands alone. */
const drawn = [
  "fill-opacity",
  "stroke-opacity",
  "fill",
  "stroke",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "stroke-width",
  "opacity",
  "paint-order",
] as const;
const written = ["font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline"] as const;
const colours = new Set<string>(["fill", "stroke"]);

/**
 * Whatever an element shows, as an SVG of its own: its drawings, canvases, boxes and texts, where they are and in the
 * colours that they have now.
 */
export function svgOf(element: Element): string {
  const frame = element.getBoundingClientRect();
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("xmlns", namespace);
  place(svg, { x: 0, y: 0, width: frame.width, height: frame.height });
  svg.setAttribute("viewBox", `0 0 ${round(frame.width)} ${round(frame.height)}`);
  const paper = document.createElementNS(namespace, "rect");
  place(paper, { x: 0, y: 0, width: frame.width, height: frame.height });
  paper.setAttribute("fill", rgb(backgroundBehind(element)));
  svg.append(paper);
  new Painter(frame, svg).paint(element);
  return new XMLSerializer().serializeToString(svg);
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

class Painter {
  constructor(
    readonly frame: Box,
    readonly svg: SVGSVGElement,
  ) {}

  paint(node: Node): void {
    if (node instanceof Text) this.#text(node);
    if (!(node instanceof Element)) return;
    const style = getComputedStyle(node);
    if (style.display === "none" || style.visibility === "hidden" || style.clipPath !== "none") return;
    if (node instanceof SVGSVGElement) this.#drawing(node);
    else if (node instanceof HTMLCanvasElement) this.#canvas(node);
    else {
      if (node instanceof HTMLElement && style.display !== "contents") this.#box(node, style);
      for (const child of shownChildren(node)) this.paint(child);
    }
  }

  #within({ x, y, width, height }: Box): Box {
    return { x: x - this.frame.x, y: y - this.frame.y, width, height };
  }

  #box(element: Element, style: CSSStyleDeclaration): void {
    const box = this.#within(element.getBoundingClientRect());
    const width = Number.parseFloat(style.borderTopWidth);
    const isFramed = width > 0 && style.borderTopStyle !== "none" && style.borderBottomStyle !== "none";
    const isFilled = alphaOf(style.backgroundColor) > 0;
    if ((!isFramed && !isFilled) || box.width === 0) return;
    const rect = document.createElementNS(namespace, "rect");
    const inset = isFramed ? width / 2 : 0;
    place(rect, {
      x: box.x + inset,
      y: box.y + inset,
      width: Math.max(0, box.width - 2 * inset),
      height: Math.max(0, box.height - 2 * inset),
    });
    rect.setAttribute("rx", `${Number.parseFloat(style.borderTopLeftRadius) || 0}`);
    paint(rect, "fill", isFilled ? style.backgroundColor : "none");
    if (isFramed) {
      paint(rect, "stroke", style.borderTopColor);
      rect.setAttribute("stroke-width", `${width}`);
      if (style.borderTopStyle === "dashed")
        rect.setAttribute("stroke-dasharray", `${3 * width} ${2 * width}`);
    }
    this.svg.append(rect);
  }

  #canvas(canvas: HTMLCanvasElement): void {
    if (canvas.width === 0 || canvas.height === 0) return;
    const image = document.createElementNS(namespace, "image");
    place(image, this.#within(canvas.getBoundingClientRect()));
    image.setAttribute("preserveAspectRatio", "none");
    image.setAttribute("href", canvas.toDataURL());
    this.svg.append(image);
  }

  #drawing(original: SVGSVGElement): void {
    const copy = standing(original) as SVGSVGElement;
    place(copy, this.#within(original.getBoundingClientRect()));
    if (getComputedStyle(original).overflow === "visible") copy.setAttribute("overflow", "visible");
    this.svg.append(copy);
  }

  /** A text node, line by line. */
  #text(node: Text): void {
    const parent = node.parentElement ?? (node.getRootNode() as ShadowRoot).host;
    if (node.data.trim() === "" || !(parent instanceof HTMLElement)) return;
    const style = getComputedStyle(parent);
    for (const { text, box } of linesOf(node)) {
      const { x, y, width } = this.#within(box);
      const line = document.createElementNS(namespace, "text");
      line.textContent = text;
      line.setAttribute("x", round(x));
      line.setAttribute("y", round(y + ascentOf(style)));
      line.setAttribute("textLength", round(width));
      line.setAttribute("font-family", style.fontFamily);
      for (const name of ["font-size", "font-weight", "font-style"])
        line.setAttribute(name, style.getPropertyValue(name));
      paint(line, "fill", style.color);
      this.svg.append(line);
    }
  }
}

/** A drawing's copy that needs no style sheet. */
function standing(original: Element): Element {
  const copy = original.cloneNode(false) as Element;
  for (const name of ["class", "id", "style", "part"]) copy.removeAttribute(name);
  const style = getComputedStyle(original);
  if (style.display === "none" || style.visibility === "hidden") copy.setAttribute("display", "none");
  for (const name of drawn) {
    const value = style.getPropertyValue(name);
    if (colours.has(name)) paint(copy, name, value);
    else if (value !== "") copy.setAttribute(name, value);
  }
  if (original instanceof SVGTextContentElement) {
    copy.setAttribute("font-family", style.fontFamily);
    for (const name of written) copy.setAttribute(name, style.getPropertyValue(name));
  }
  if (original instanceof SVGGraphicsElement && !(original instanceof SVGSVGElement)) turn(original, copy);
  for (const child of original.childNodes) {
    if (child instanceof Element) copy.append(standing(child));
    else if (child instanceof Text) copy.append(child.data);
  }
  return copy;
}

/** A transform may come from a style sheet: what counts is where it has put the element. */
function turn(original: SVGGraphicsElement, copy: Element): void {
  const parent = original.parentElement;
  const outer = parent instanceof SVGGraphicsElement ? parent.getScreenCTM() : null;
  const own = original.getScreenCTM();
  copy.removeAttribute("transform");
  if (outer === null || own === null) return;
  const { a, b, c, d, e, f } = outer.inverse().multiply(own);
  const text = [a, b, c, d, e, f].map(round).join(" ");
  if (text !== "1 0 0 1 0 0") copy.setAttribute("transform", `matrix(${text})`);
}

function place(element: Element, box: Box): void {
  for (const name of ["x", "y", "width", "height"] as const) element.setAttribute(name, round(box[name]));
}

/** Colours as every program knows them, whatever they were named by. */
function paint(element: Element, name: string, value: string): void {
  if (value === "none" || value.startsWith("url(")) {
    element.setAttribute(name, value);
    return;
  }
  element.setAttribute(name, rgb(value));
  const alpha = alphaOf(value);
  if (alpha < 1) {
    const opacity = Number(element.getAttribute(`${name}-opacity`) ?? 1);
    element.setAttribute(`${name}-opacity`, round(alpha * opacity));
  }
}

const pixels = new Map<string, readonly [number, number, number, number]>();

/** A colour's bytes: drawn once, as the browser alone knows all the ways of naming one. */
function pixel(colour: string): readonly [number, number, number, number] {
  const known = pixels.get(colour);
  if (known !== undefined) return known;
  const canvas = document.createElement("canvas");
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) return [0, 0, 0, 255];
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0, a = 0] = context.getImageData(0, 0, 1, 1).data;
  pixels.set(colour, [r, g, b, a]);
  return [r, g, b, a];
}

function rgb(colour: string): string {
  const bytes = pixel(colour).slice(0, 3);
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

const alphaOf = (colour: string) => pixel(colour)[3] / 255;

/** The first colour that is not transparent, outwards. */
function backgroundBehind(element: Element): string {
  for (let node: Node | null = element; node !== null; ) {
    if (node instanceof Element) {
      const { backgroundColor } = getComputedStyle(node);
      if (alphaOf(backgroundColor) > 0) return backgroundColor;
    }
    node = node instanceof ShadowRoot ? node.host : node.parentNode;
  }
  return "#ffffff";
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function linesOf(node: Text): { text: string; box: Box }[] {
  const lines: { text: string; box: DOMRect }[] = [];
  const range = document.createRange();
  for (const { index, segment } of graphemes.segment(node.data)) {
    range.setStart(node, index);
    range.setEnd(node, index + segment.length);
    const box = range.getClientRects()[0];
    if (box === undefined || box.width === 0) continue;
    const line = lines.at(-1);
    const isNew = line === undefined || Math.abs(line.box.y - box.y) >= box.height / 2;
    // White space at either end of a line has no place in an SVG.
    if (segment.trim() === "") {
      if (!isNew) line.text += " ";
    } else if (isNew) lines.push({ text: segment, box });
    else {
      line.text += segment;
      line.box = new DOMRect(line.box.x, line.box.y, box.right - line.box.x, line.box.height);
    }
  }
  return lines.map(({ text, box }) => ({ text: text.trimEnd(), box }));
}

let measuring: CanvasRenderingContext2D | null = null;

/** From the top of a line's box to its baseline. */
function ascentOf(style: CSSStyleDeclaration): number {
  measuring ??= document.createElement("canvas").getContext("2d");
  if (measuring === null) return Number.parseFloat(style.fontSize);
  measuring.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  return measuring.measureText("x").fontBoundingBoxAscent;
}

function round(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
