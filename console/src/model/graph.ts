/** Where the boxes and lines of a graph stand: columns to the left of a node for what has it or refers to it, to the right
 * for its parts and what it refers to. Nothing overlaps, and the same graph is always drawn the same way. */
import type { Graph } from "./types";

export const box = { width: 184, height: 46 };
const gap = { across: 96, down: 14, pair: 28, step: 34, bend: 30 };
const tallest = 12;

export interface Box {
  id: string;
  x: number;
  y: number;
  /** Steps from the middle: negative to the left. */
  column: number;
  /** How it hangs on the node before it, and whether it is the one that refers. */
  relation: string;
  out: boolean;
}

export type Sort = "part" | "type" | "reference";

export interface Line {
  path: string;
  sort: Sort;
  relation: string;
  source: string;
  target: string;
  /** Without an arrow. */
  both: boolean;
}

export interface Drawing {
  boxes: Box[];
  lines: Line[];
  x: number;
  y: number;
  width: number;
  height: number;
}

const parts = new Set(["component", "property", "organizes", "subtype", "input", "output"]);
const mutual = new Set(["link", "same"]);
export const sortOf = (relation: string): Sort =>
  relation === "type" ? "type" : parts.has(relation) ? "part" : "reference";

interface Place {
  id: string;
  column: number;
  relation: string;
  out: boolean;
  /** Order of the one that it hangs on, then its own. */
  order: number;
}

/** Each node once, in the column of the shortest way to the middle. */
function placed(graph: Graph): Map<string, Place> {
  const middle = graph.nodes[0]!.id;
  const places = new Map<string, Place>([[middle, { id: middle, column: 0, relation: "", out: false, order: 0 }]]);
  let edge = [middle];
  let order = 0;
  while (edge.length) {
    const next: string[] = [];
    for (const id of edge) {
      const from = places.get(id)!;
      for (const { source, relation, target } of graph.edges) {
        const out = source === id;
        const other = out ? target : target === id ? source : null;
        if (other === null || places.has(other)) continue;
        const column = from.column === 0 ? (out ? 1 : -1) : from.column + Math.sign(from.column);
        places.set(other, { id: other, column, relation, out, order: ++order });
        next.push(other);
      }
    }
    edge = next;
  }
  return places;
}

const rank = { part: 0, type: 1, reference: 2 };

/** A drawing around the first node; what no line leads to is left out. `narrow` is for a window with room for one column:
 * what stood on the left stands above, what stood on the right below, each step moved in a little. */
export function draw(graph: Graph, narrow = false): Drawing {
  if (!graph.nodes.length) return { boxes: [], lines: [], x: 0, y: 0, width: 0, height: 0 };
  const places = placed(graph);
  const columns = new Map<number, Place[]>();
  for (const place of places.values()) columns.set(place.column, [...(columns.get(place.column) ?? []), place]);
  const boxes = new Map<string, Box>();
  const put = (members: Place[], column: number, x: number) => {
    const high = members.length * (box.height + gap.down) - gap.down;
    for (const [at, one] of members.entries()) {
      const y = at * (box.height + gap.down) - high / 2;
      boxes.set(one.id, { id: one.id, x, y, column, relation: one.relation, out: one.out });
    }
  };
  for (const members of columns.values()) members.sort(beside);
  if (narrow) {
    const all = [...columns.keys()].sort((a, b) => a - b);
    let y = 0;
    for (const column of all)
      for (const one of columns.get(column)!) {
        boxes.set(one.id, { ...one, x: (column - all[0]!) * gap.step, y });
        y += box.height + gap.down;
      }
    const down = boxes.get(graph.nodes[0]!.id)!.y;
    for (const one of boxes.values()) one.y -= down + box.height / 2;
  } else wide(columns, put);
  const lines: Line[] = [];
  const drawn = narrow ? bent : curve;
  for (const { source, relation, target } of graph.edges) {
    const from = boxes.get(source);
    const to = boxes.get(target);
    if (!from || !to || from === to) continue;
    lines.push({ path: drawn(from, to), sort: sortOf(relation), relation, source, target, both: mutual.has(relation) });
  }
  const all = [...boxes.values()];
  const margin = narrow ? gap.bend : 0;
  const x = Math.min(...all.map((one) => one.x)) - margin;
  const y = Math.min(...all.map((one) => one.y));
  return {
    boxes: all,
    lines,
    x,
    y,
    width: Math.max(...all.map((one) => one.x)) + box.width + margin - x,
    height: Math.max(...all.map((one) => one.y)) + box.height - y,
  };
}

const beside = (a: Place, b: Place) =>
  (Math.abs(a.column) === 1 ? rank[sortOf(a.relation)] - rank[sortOf(b.relation)] : 0) || a.order - b.order;

function wide(columns: Map<number, Place[]>, put: (members: Place[], column: number, x: number) => void): void {
  for (const side of [-1, 1]) {
    let x = side < 0 ? -gap.across - box.width : box.width + gap.across;
    for (let column = side; columns.has(column); column += side) {
      const members = columns.get(column)!;
      // A long column stands in several rows of boxes beside each other.
      const stacks = Math.ceil(members.length / tallest);
      const each = Math.ceil(members.length / stacks);
      for (let stack = 0; stack < stacks; stack++) {
        put(members.slice(stack * each, (stack + 1) * each), column, x);
        x += side * (box.width + (stack < stacks - 1 ? gap.pair : gap.across));
      }
    }
  }
  put(columns.get(0)!, 0, 0);
}

const r = (value: number) => Math.round(value * 10) / 10;

function curve(from: Box, to: Box): string {
  const a = from.y + box.height / 2;
  const b = to.y + box.height / 2;
  if (from.x === to.x) {
    const side = from.x + (from.column < 0 ? 0 : box.width);
    const bend = side + (from.column < 0 ? -1 : 1) * (26 + Math.min(40, Math.abs(a - b) / 6));
    return `M${r(side)} ${r(a)}C${r(bend)} ${r(a)} ${r(bend)} ${r(b)} ${r(side)} ${r(b)}`;
  }
  const right = from.x < to.x;
  const start = from.x + (right ? box.width : 0);
  const end = to.x + (right ? 0 : box.width);
  const middle = (end - start) / 2;
  return `M${r(start)} ${r(a)}C${r(start + middle)} ${r(a)} ${r(end - middle)} ${r(b)} ${r(end)} ${r(b)}`;
}

/** Beside the boxes: on the left of what stands below the middle, on the right of what stands above. */
function bent(from: Box, to: Box): string {
  const left = Math.max(from.column, to.column) > 0;
  const side = (one: Box) => one.x + (left ? 0 : box.width);
  const [a, b] = [from.y + box.height / 2, to.y + box.height / 2];
  const bend = (left ? Math.min(side(from), side(to)) : Math.max(side(from), side(to))) + (left ? -1 : 1) * gap.bend;
  return `M${r(side(from))} ${r(a)}C${r(bend)} ${r(a)} ${r(bend)} ${r(b)} ${r(side(to))} ${r(b)}`;
}

/** `text` cut to about `width` pixels of the size that boxes are written in; Chinese characters are twice as wide. */
export function cut(text: string, width: number, each = 7.1): string {
  const wide = (character: string) => (/[\u1100-\u115f\u2e80-\uffdc\u{20000}-\u{3fffd}]/u.test(character) ? 13 : each);
  let used = 0;
  let out = "";
  for (const character of text) {
    used += wide(character);
    if (used > width) return `${out.trimEnd()}…`;
    out += character;
  }
  return out;
}

export interface View {
  x: number;
  y: number;
  scale: number;
}

/** All of a drawing, in the middle of so many pixels; never larger than life, and never so small that nothing can be read. */
export function fitted(drawing: Drawing, width: number, height: number, margin = 20): View {
  const least = width < 560 ? 0.8 : 0.35;
  const scale = Math.max(
    least,
    Math.min(1, (width - 2 * margin) / Math.max(1, drawing.width), (height - 2 * margin) / Math.max(1, drawing.height)),
  );
  // What is much too high for a narrow window is read from the middle on.
  const whole = drawing.width * scale <= width - margin && drawing.height * scale <= height - margin;
  // What does not fit is begun with the node in the middle.
  const [x, y] = whole
    ? [drawing.x + drawing.width / 2, drawing.y + drawing.height / 2]
    : [box.width / 2, box.height / 2];
  return { x: width / 2 - x * scale, y: height / 2 - y * scale, scale };
}

/** Zoomed by `factor` about a place of the window, which stays where it is. */
export function zoomed(view: View, factor: number, x: number, y: number): View {
  const scale = Math.max(0.2, Math.min(2.5, view.scale * factor));
  const by = scale / view.scale;
  return { x: x - (x - view.x) * by, y: y - (y - view.y) * by, scale };
}
