import { describe, expect, it } from "vitest";
import { documentKey, nodeKey, rowsOf, seen, step, typed, type Level } from "./tree";
import type { ModelDocument, NodeItem } from "./types";

const node = (id: string, children = false) => ({ id, name: id, children }) as NodeItem;
const documents = [
  { name: "plant", nodes: 5 },
  { name: "empty", nodes: 0 },
] as ModelDocument[];
const level = (items: NodeItem[], next: string | null = null): Level => ({ items, next, busy: false, failed: false });

function rows(levels: Record<string, Level>, open: string[]) {
  return rowsOf(
    documents,
    (key) => levels[key],
    (key) => open.includes(key),
  );
}
const shown = (levels: Record<string, Level>, open: string[]) =>
  rows(levels, open).map((row) => `${" ".repeat(row.depth)}${row.what}:${row.node?.id ?? row.document?.name ?? ""}`);

const plant = documentKey("plant");
const levels = { [plant]: level([node("site", true), node("x")], "17"), [nodeKey("site")]: level([node("line")]) };

describe("the rows", () => {
  it("are documents, and what was opened below them", () => {
    expect(shown({}, [])).toEqual(["document:plant", "document:empty"]);
    expect(shown({}, [plant])).toEqual(["document:plant", " busy:", "document:empty"]);
    expect(shown(levels, [plant, nodeKey("site"), nodeKey("x")])).toEqual([
      "document:plant",
      " node:site",
      "  node:line",
      " node:x",
      " more:",
      "document:empty",
    ]);
  });

  it("offer to try again where a level could not be loaded", () => {
    expect(shown({ [plant]: { items: [], next: null, busy: false, failed: true } }, [plant])).toContain(" more:");
  });
});

describe("keys", () => {
  const all = rows(levels, [plant, nodeKey("site")]);
  it("go up and down, and to both ends", () => {
    expect(step(all, 0, "ArrowDown")).toEqual({ to: 1 });
    expect(step(all, 0, "ArrowUp")).toBeNull();
    expect(step(all, 2, "Home")).toEqual({ to: 0 });
    expect(step(all, 0, "End")).toEqual({ to: 5 });
    expect(step(all, 1, "PageDown", 3)).toEqual({ to: 4 });
    expect(step(all, 4, "PageUp", 3)).toEqual({ to: 1 });
    expect(step([], 0, "ArrowDown")).toBeNull();
    expect(step(all, -1, "ArrowDown")).toEqual({ to: 0 });
  });

  it("open and close, and lead in and out", () => {
    expect(step(all, 1, "ArrowRight")).toEqual({ to: 2 });
    expect(step(all, 2, "ArrowRight")).toBeNull();
    expect(step(rows(levels, [plant]), 1, "ArrowRight")).toEqual({ open: nodeKey("site") });
    expect(step(all, 2, "ArrowLeft")).toEqual({ to: 1 });
    expect(step(all, 1, "ArrowLeft")).toEqual({ close: nodeKey("site") });
    expect(step(all, 0, "ArrowLeft")).toEqual({ close: plant });
    expect(step(all, 5, "ArrowLeft")).toBeNull();
    expect(step(all, 3, "Enter")).toEqual({ pick: 3 });
    expect(step(all, 3, "q")).toBeNull();
  });

  it("that write a name lead to it, and around the end", () => {
    const title = (row: (typeof all)[number]) => row.node?.name ?? row.document?.name ?? "";
    expect(typed(all, 1, "L", title)).toBe(2);
    expect(typed(all, 4, "sit", title)).toBe(1);
    expect(typed(all, 0, "zzz", title)).toBe(-1);
  });
});

it("draws only the rows that are seen, and a few beside them", () => {
  expect(seen(1000, 3200, 320, 32, 2)).toEqual({ from: 98, to: 112 });
  expect(seen(3, 0, 320, 32)).toEqual({ from: 0, to: 3 });
  expect(seen(0, 500, 320, 32)).toEqual({ from: 0, to: 0 });
});
