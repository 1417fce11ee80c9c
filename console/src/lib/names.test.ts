import { describe, expect, it } from "vitest";
import { escapeName, splitPoint, unescapeName } from "./names";

describe("escapeName", () => {
  it("writes what the platform writes", () => {
    expect(escapeName("99.118.8/pump-17#outlet.pressure")).toBe("99~2E118~2E8~2Fpump-17~23outlet~2Epressure");
    expect(escapeName("泵")).toBe("~E6~B3~B5");
  });

  it("has one inverse", () => {
    for (const name of ["a", "99.1/x#y", "压力 ~ % /", "\u{1F600}#é"])
      expect(unescapeName(escapeName(name))).toBe(name);
  });

  it("refuses what it cannot have written", () => {
    for (const token of ["", "a.b", "~2e", "~4", "~FF"]) expect(unescapeName(token)).toBeNull();
  });
});

describe("splitPoint", () => {
  it("parts at the first mark", () => {
    expect(splitPoint("1/a#b#c")).toEqual({ thing: "1/a", property: "b#c" });
    expect(splitPoint("1/a")).toEqual({ thing: "1/a", property: "" });
  });
});
