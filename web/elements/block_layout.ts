import type { Flow, Stage } from "./pipeline.js";
import { words as block } from "./words/en/block.js";

const words = block.flow;

/** Where the image of a stage is drawn, in CSS pixels; its name stands above it, and what has changed below. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A line from one stage on, through these points: it carries what its stage knows. */
export interface Line {
  from: Stage;
  points: readonly (readonly [number, number])[];
}

export interface Frame extends Box {
  title: string;
  note: string;
}

export interface BlockLayout {
  height: number;
  frames: readonly Frame[];
  /** Between what is added to one another. */
  plus?: { x: number; y: number };
  /** Where the names of the three projections stand, each ending or beginning there. */
  matrices: readonly { x: number; y: number; of: "Q" | "K" | "V" }[];
  boxes: ReadonlyMap<Stage, Box>;
  /** Where position could enter, and does not. */
  empty: readonly (Box & { text: string })[];
  lines: readonly Line[];
}

/** Above an image its name and its shape, below it what has changed. */
export const above = 40;
export const below = 22;
/** Of a frame: its title, and the space within its border. */
const titleHeight = 50;
const inset = 12;
/** From this width on data block and attention block stand side by side. */
const wideFrom = 760;

export function layOut(width: number, flow: Flow): BlockLayout {
  return width >= wideFrom ? wide(width, flow) : narrow(width, flow);
}

const middle = ({ x, y, width, height }: Box) => ({ x: x + width / 2, y: y + height / 2 });

function wide(width: number, { entry, tensors }: Flow): BlockLayout {
  const unit = Math.min(1.35, width / 830);
  const px = (value: number) => Math.round(value * unit);
  const image = px(74);
  const lane = above + image + below;
  const gap = 12;
  const slot = px(36);
  const top = titleHeight;
  const queryRow = top + above;
  // Room for an arrow up and one down from where angles come in.
  const slotRow = queryRow + lane + gap + 6;
  const keyRow = slotRow + slot + 24 + above;
  const valueRow = keyRow + lane + gap;
  const height = valueRow + image + below + inset;

  const dataWidth = px(128) + 2 * inset;
  const attentionX = dataWidth + px(28);
  const headWidth = px(96);
  const square = px(86);
  // What is left is shared by the gaps between the five columns of attention, and one before them.
  const room = width - attentionX - 2 * inset - 3 * headWidth - 2 * square;
  const step = room / 5;
  const q = Math.round(attentionX + inset + step);
  const placed = Math.round(q + headWidth + step);
  const scores = Math.round(placed + headWidth + step);
  const weights = Math.round(scores + square + step);
  const out = Math.round(weights + square + step);
  const centre = (queryRow + keyRow + image) / 2;

  const head = (x: number, y: number): Box => ({ x, y, width: headWidth, height: image });
  const matrix = (x: number): Box => ({
    x,
    y: Math.round(centre - square / 2),
    width: square,
    height: square,
  });
  const spread = (height - top - 3 * (image + above + below) - inset) / 2;
  const data = (i: number): Box => ({
    x: inset,
    y: Math.round(top + above + i * (lane + spread)),
    width: px(128),
    height: image,
  });
  const boxes = new Map<Stage, Box>();
  const put = (stage: Stage, box: Box) => {
    if (tensors[stage] !== undefined) boxes.set(stage, box);
    return box;
  };
  const x = put("embedding", data(0));
  const h = put("input", data(2));
  const atData = data(1);
  const atAttention: Box = { x: placed, y: slotRow, width: headWidth, height: slot };
  if (entry !== "none") put("position", entry === "data" ? atData : atAttention);
  const query = put("query", head(q, queryRow));
  const key = put("key", head(q, keyRow));
  const value = put("value", head(q, valueRow));
  const placedQuery = put("placed-query", head(placed, queryRow));
  const placedKey = put("placed-key", head(placed, keyRow));
  const score = put("scores", matrix(scores));
  const weight = put("weights", matrix(weights));
  const sum = put("out", { ...head(out, Math.round(centre - image / 2)) });

  const lines: Line[] = [];
  const line = (from: Stage, ...points: [number, number][]) => {
    if (boxes.has(from)) lines.push({ from, points });
  };
  const right = (box: Box): [number, number] => [box.x + box.width, middle(box).y];
  const left = (box: Box): [number, number] => [box.x, middle(box).y];
  const foot = (box: Box): [number, number] => [middle(box).x, box.y + box.height + below];
  const head_ = (box: Box): [number, number] => [middle(box).x, box.y - above];
  if (entry === "data") {
    line("embedding", foot(x), head_(atData));
    line("position", foot(atData), head_(h));
  } else line("embedding", foot(x), head_(h));
  const bus = (dataWidth + attentionX) / 2;
  for (const box of [query, key, value]) {
    const [hx, hy] = right(h);
    line("input", [hx, hy], [bus, hy], [bus, middle(box).y], left(box));
  }
  const placing = boxes.has("placed-query");
  const join = scores - step / 2;
  const into = (from: Stage, box: Box, entry_: number) => {
    line(from, right(box), [join, middle(box).y], [join, entry_], [scores, entry_]);
  };
  const third = square / 4;
  if (placing) {
    line("query", right(query), left(placedQuery));
    line("key", right(key), left(placedKey));
    line(
      "position",
      [middle(atAttention).x, slotRow - above],
      [middle(atAttention).x, queryRow + image + below],
    );
    line("position", [middle(atAttention).x, slotRow + slot], [middle(atAttention).x, keyRow - above]);
    into("placed-query", placedQuery, centre - third);
    into("placed-key", placedKey, centre + third);
  } else {
    into("query", query, centre - third);
    into("key", key, centre + third);
  }
  line("scores", right(score), left(weight));
  line("weights", right(weight), left(sum));
  line("value", right(value), [middle(sum).x, middle(value).y], foot(sum));
  return {
    height,
    ...(entry === "data" && {
      plus: { x: middle(x).x + 16, y: (x.y + x.height + below + atData.y - above) / 2 },
    }),
    matrices: (
      [
        ["Q", query],
        ["K", key],
        ["V", value],
      ] as const
    ).map(([of, box]) => ({
      x: box.x - 36,
      y: middle(box).y - 7,
      of,
    })),
    frames: [
      { x: 0, y: 0, width: dataWidth, height, ...words.data },
      {
        x: attentionX,
        y: 0,
        width: width - attentionX,
        height,
        ...words.attention,
      },
    ],
    boxes,
    empty: [
      ...(entry === "data" ? [] : [{ ...atData, text: words.data.empty }]),
      ...(entry === "attention" ? [] : [{ ...atAttention, text: words.attention.empty }]),
    ],
    lines,
  };
}

function narrow(width: number, { entry, tensors }: Flow): BlockLayout {
  const inner = width - 2 * inset;
  const gap = 14;
  const column = Math.min(150, Math.floor((inner - 2 * gap) / 3));
  const image = Math.min(96, Math.round(column * 0.75));
  const start = Math.round((width - 3 * column - 2 * gap) / 2);
  const at = (i: number) => start + i * (column + gap);
  const lane = above + image + below;
  const slot = Math.round(image / 2);
  const dataImage = Math.floor((inner - 24) / 2) > 180 ? 180 : Math.floor((inner - 24) / 2);

  let y = titleHeight + above;
  const boxes = new Map<Stage, Box>();
  const put = (stage: Stage, box: Box) => {
    if (tensors[stage] !== undefined) boxes.set(stage, box);
    return box;
  };
  const x = put("embedding", { x: width / 2 - dataImage - 12, y, width: dataImage, height: image });
  const atData: Box = { x: width / 2 + 12, y, width: dataImage, height: image };
  y += lane + 18;
  const h = put("input", { x: Math.round((width - dataImage) / 2), y, width: dataImage, height: image });
  const dataHeight = y + image + below + inset;
  const attentionY = dataHeight + 28;
  y = attentionY + titleHeight + above + 16;
  const head = (i: number): Box => ({ x: at(i), y, width: column, height: image });
  const query = put("query", head(0));
  const key = put("key", head(1));
  const value = put("value", head(2));
  y += lane + 6;
  const atAttention: Box = { x: at(0), y, width: 2 * column + gap, height: slot };
  if (entry !== "none") put("position", entry === "data" ? atData : atAttention);
  y += slot + 22 + above;
  const placing = tensors["placed-query"] !== undefined;
  const placedQuery = put("placed-query", head(0));
  const placedKey = put("placed-key", head(1));
  if (placing) y += lane + 14;
  else y -= above;
  y += 8;
  const centre = at(0) + column + gap / 2;
  const square = Math.min(150, column + 20);
  const matrix = (): Box => ({ x: Math.round(centre - square / 2), y, width: square, height: square });
  y += placing ? 0 : above;
  const score = put("scores", matrix());
  y += square + below + 18 + above;
  const weight = put("weights", matrix());
  y += square + below + 18 + above;
  const sum = put("out", { x: Math.round(centre - column / 2), y, width: column, height: image });
  const height = y + image + below + inset;

  const lines: Line[] = [];
  const line = (from: Stage, ...points: [number, number][]) => {
    if (boxes.has(from)) lines.push({ from, points });
  };
  const foot = (box: Box): [number, number] => [middle(box).x, box.y + box.height + below];
  const top = (box: Box): [number, number] => [middle(box).x, box.y - above];
  const down = (from: Stage, a: Box, b: Box, bx = middle(b).x) => {
    const [ax, ay] = foot(a);
    const by = b.y - above;
    const turn = by - 9;
    line(from, [ax, ay], [ax, turn], [bx, turn], [bx, by]);
  };
  const quarter = dataImage / 4;
  down("embedding", x, h, entry === "data" ? middle(h).x - quarter : middle(h).x);
  if (entry === "data") down("position", atData, h, middle(h).x + quarter);
  for (const box of [query, key, value]) {
    const [hx, hy] = foot(h);
    const turn = box.y - above - 16;
    line("input", [hx, hy], [hx, turn], [middle(box).x, turn], top(box));
  }
  if (placing) {
    for (const [from, a, b] of [
      ["query", query, placedQuery],
      ["key", key, placedKey],
    ] as const) {
      line(from, foot(a), [middle(a).x, atAttention.y - (boxes.has("position") ? above : 0)]);
      line("position", [middle(b).x, atAttention.y + slot], top(b));
    }
    down("placed-query", placedQuery, score, centre - square / 4);
    down("placed-key", placedKey, score, centre + square / 4);
  } else {
    // Past the empty place, on its outside.
    down("query", query, score, centre - square / 4);
    down("key", key, score, centre + square / 4);
  }
  line("scores", foot(score), top(weight));
  line("weights", foot(weight), top(sum));
  line("value", foot(value), [middle(value).x, middle(sum).y], [sum.x + sum.width, middle(sum).y]);
  return {
    height,
    ...(entry === "data" && { plus: { x: width / 2, y: middle(x).y } }),
    matrices: (
      [
        ["Q", query],
        ["K", key],
        ["V", value],
      ] as const
    ).map(([of, box]) => ({
      x: middle(box).x + 8,
      y: box.y - above - 1,
      of,
    })),
    frames: [
      { x: 0, y: 0, width, height: dataHeight, ...words.data },
      {
        x: 0,
        y: attentionY,
        width,
        height: height - attentionY,
        ...words.attention,
      },
    ],
    boxes,
    empty: [
      ...(entry === "data" ? [] : [{ ...atData, text: words.data.empty }]),
      ...(entry === "attention" ? [] : [{ ...atAttention, text: words.attention.empty }]),
    ],
    lines,
  };
}

/** A line as an SVG path, with its corners rounded. */
export function path(points: Line["points"]): string {
  const round = 8;
  return points
    .map(([x, y], i) => {
      const before = points[i - 1];
      const after = points[i + 1];
      if (before === undefined) return `M${x} ${y}`;
      if (after === undefined) return `L${x} ${y}`;
      const toward = ([px, py]: readonly [number, number]) => {
        const length = Math.hypot(px - x, py - y);
        const share = length === 0 ? 0 : Math.min(round, length / 2) / length;
        return `${x + (px - x) * share} ${y + (py - y) * share}`;
      };
      return `L${toward(before)}Q${x} ${y} ${toward(after)}`;
    })
    .join("");
}
