import { describe, expect, it } from "vitest";
import { box, cut, draw, fitted, sortOf, zoomed } from "./graph";
import type { Graph, NodeItem } from "./types";

const nodes = (...ids: string[]) => ids.map((id) => ({ id, name: id }) as NodeItem);
const star: Graph = {
  nodes: nodes("pump", "line", "type", "out", "next", "before"),
  edges: [
    { source: "line", relation: "component", target: "pump" },
    { source: "pump", relation: "type", target: "type" },
    { source: "pump", relation: "component", target: "out" },
    { source: "pump", relation: "link", target: "next" },
    { source: "before", relation: "link", target: "pump" },
    { source: "pump", relation: "role", target: "gone" },
  ],
  absent: ["gone"],
  more: [],
  names: {},
};
const many: Graph = {
  nodes: nodes("middle", ...Array.from({ length: 40 }, (_, at) => `n${at}`)),
  edges: Array.from({ length: 40 }, (_, at) => ({ source: "middle", relation: "component", target: `n${at}` })),
  absent: [],
  more: [],
  names: {},
};

function overlaps(graph: Graph): string[] {
  const { boxes } = draw(graph);
  const found: string[] = [];
  for (const [at, a] of boxes.entries())
    for (const b of boxes.slice(at + 1))
      if (Math.abs(a.x - b.x) < box.width && Math.abs(a.y - b.y) < box.height) found.push(`${a.id} ${b.id}`);
  return found;
}

describe("a drawing", () => {
  it("has what refers to the node on its left, and what it refers to on its right", () => {
    const side = Object.fromEntries(draw(star).boxes.map((one) => [one.id, one.column]));
    expect(side).toEqual({ pump: 0, line: -1, before: -1, out: 1, type: 1, next: 1, gone: 1 });
    const order = draw(star)
      .boxes.filter((one) => one.column === 1)
      .sort((a, b) => a.y - b.y);
    expect(order.map((one) => one.id)).toEqual(["out", "type", "next", "gone"]);
  });

  it("draws each edge once, from box to box, and no box over another", () => {
    const { lines } = draw(star);
    expect(lines.map((line) => [line.sort, line.both])).toEqual([
      ["part", false],
      ["type", false],
      ["part", false],
      ["reference", true],
      ["reference", true],
      ["reference", false],
    ]);
    for (const line of lines) expect(line.path).toMatch(/^M-?[\d.]+ -?[\d.]+C(-?[\d.]+ ?){6}$/);
    expect(overlaps(star)).toEqual([]);
    expect(overlaps(many)).toEqual([]);
  });

  it("sets a long column in several, and goes on outwards behind it", () => {
    const xs = new Set(draw(many).boxes.map((one) => one.x));
    expect(xs.size).toBe(5);
    const deep = { ...many, nodes: [...many.nodes, ...nodes("behind")] };
    deep.edges = [...many.edges, { source: "n3", relation: "type", target: "behind" }];
    const behind = draw(deep).boxes.find((one) => one.id === "behind")!;
    expect(behind.column).toBe(2);
    expect(behind.x).toBeGreaterThan(Math.max(...xs));
    expect(overlaps(deep)).toEqual([]);
  });

  it("stands in one column where there is room for one", () => {
    const { boxes, lines, width } = draw(star, true);
    expect(width).toBeLessThan(330);
    const down = [...boxes].sort((a, b) => a.y - b.y).map((one) => one.id);
    expect(down).toEqual(["line", "before", "pump", "out", "type", "next", "gone"]);
    for (const [at, a] of boxes.entries())
      for (const b of boxes.slice(at + 1)) expect(Math.abs(a.y - b.y)).toBeGreaterThanOrEqual(box.height);
    expect(lines).toHaveLength(6);
  });

  it("has a line between two of one column, a circle once, and nothing where there is nothing", () => {
    const pair = { ...star, edges: [...star.edges, { source: "out", relation: "described", target: "next" }] };
    expect(draw(pair).lines).toHaveLength(7);
    const circle = { ...star, edges: [{ source: "pump", relation: "link", target: "pump" }] };
    expect(draw(circle)).toMatchObject({ lines: [], boxes: [{ id: "pump" }] });
    expect(draw({ nodes: [], edges: [], absent: [], more: [], names: {} }).boxes).toEqual([]);
  });
});

it("knows parts, types and other references apart", () => {
  expect(["component", "type", "role", "nsu=x;i=1"].map(sortOf)).toEqual(["part", "type", "reference", "reference"]);
});

it("cuts what is too long, Chinese at half the length", () => {
  expect(cut("short", 150)).toBe("short");
  expect(cut("a".repeat(40), 71)).toBe(`${"a".repeat(10)}…`);
  expect(cut("出口压力测量值", 65)).toBe("出口压力测…");
});

it("fits a drawing into its window and zooms about a place", () => {
  const drawing = draw(star);
  const view = fitted(drawing, 1000, 600);
  expect(view.scale).toBe(1);
  expect(view.x + (drawing.x + drawing.width / 2) * view.scale).toBeCloseTo(500);
  expect(fitted(drawing, 600, 100).scale).toBe(0.35);
  expect(fitted(drawing, 100, 100).scale).toBe(0.8);
  const closer = zoomed(view, 2, 500, 300);
  expect((500 - closer.x) / closer.scale).toBeCloseTo((500 - view.x) / view.scale);
  expect(zoomed(view, 100, 0, 0).scale).toBe(2.5);
});
