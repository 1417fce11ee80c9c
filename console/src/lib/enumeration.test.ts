import { describe, expect, it } from "vitest";
import { meaning, reading, written } from "./enumeration";

const valve = { "0": { en: "closed; tight", zh: "关" }, "1": { en: "a=b\\c" }, "-1": { de: "gestört" } };

describe("texts of values", () => {
  it("are found for numbers and switches, in the language or in any", () => {
    expect([0, 1, -1, true, false, 7, null].map((value) => meaning(valve, value, "zh"))).toEqual([
      "关",
      "a=b\\c",
      "gestört",
      "a=b\\c",
      "关",
      "",
      "",
    ]);
    expect(meaning(undefined, 0, "en")).toBe("");
  });

  it("are written and read back as they were, and leave other languages alone", () => {
    expect(written(valve, "en")).toBe("0=closed\\; tight;1=a\\=b\\\\c");
    expect(reading(valve, "en", written(valve, "en"))).toEqual(valve);
    expect(reading(valve, "en", "")).toEqual({ "0": { zh: "关" }, "-1": { de: "gestört" } });
  });

  it("refuse what is none", () => {
    for (const text of ["closed", "0=", "=x", "0=a=b"]) expect(reading({}, "en", text)).toBeNull();
  });
});
