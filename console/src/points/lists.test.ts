import { describe, expect, it } from "vitest";
import type { Point } from "../lib/types";
import { cellOf, changeOf, windowOf } from "./lists";

const point: Point = { name: "99.1/a#b", series: "1", tag: "T", low: 0, high: null, texts: { en: "a", zh: "甲" } };

describe("the window of a long table", () => {
  it("holds what is seen and a little more, and never leaves the table", () => {
    expect(windowOf(0, 400, 40, 1000)).toEqual({ from: 0, to: 18 });
    expect(windowOf(4000, 400, 40, 1000)).toEqual({ from: 92, to: 118 });
    expect(windowOf(39_900, 400, 40, 1000)).toEqual({ from: 989, to: 1000 });
    expect(windowOf(500, 400, 40, 0)).toEqual({ from: 0, to: 0 });
    expect(windowOf(1e9, 400, 40, 10)).toEqual({ from: 10, to: 10 });
  });
});

describe("cells", () => {
  it("show what a point has", () => {
    expect((["tag", "path", "low", "high"] as const).map((column) => cellOf(point, column, "en"))).toEqual([
      "T",
      "",
      "0",
      "",
    ]);
    expect(cellOf(point, "text", "zh")).toBe("甲");
  });

  it("ask for the one change", () => {
    expect(changeOf(point, "tag", "en", " N ")).toEqual({ tag: "N" });
    expect(changeOf(point, "low", "en", "")).toEqual({ low: null });
    expect(changeOf(point, "high", "en", "1e3")).toEqual({ high: 1000 });
    expect(changeOf(point, "high", "en", "ten")).toBeNull();
    expect(changeOf(point, "text", "en", "")).toEqual({ texts: { zh: "甲" } });
    expect(changeOf(point, "text", "de", "x")).toEqual({ texts: { en: "a", zh: "甲", de: "x" } });
  });
});
