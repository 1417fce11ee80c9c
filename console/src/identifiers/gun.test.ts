import { describe, expect, it } from "vitest";
import { Lines, longest, Wedge } from "./gun";

const key = (name: string, ctrlKey = false) => ({ key: name, ctrlKey, altKey: false, metaKey: false });

function typed(wedge: Wedge, keys: string[], pause: number, begin = 1000): (string | null)[] {
  return keys.map((one, place) => wedge.press(key(one), begin + place * pause));
}

describe("a gun that types", () => {
  it("is told from a person by how fast the keys come", () => {
    const keys = [..."88.111.1/ITEM7", "Enter"];
    expect(typed(new Wedge(), keys, 8).at(-1)).toBe("88.111.1/ITEM7");
    expect(
      typed(new Wedge(), keys, 8)
        .slice(0, -1)
        .every((one) => one === null),
    ).toBe(true);
    expect(typed(new Wedge(), keys, 150).at(-1)).toBeNull();
  });

  it("keeps capitals, passes over Shift, and hears the separator of GS1", () => {
    const wedge = new Wedge();
    typed(wedge, ["Shift", "A", "Shift", "B", "1"], 5);
    wedge.press(key("]", true), 1022);
    wedge.press(key("2"), 1024);
    expect(wedge.press(key("Enter"), 1026)).toBe("AB1\x1d2");
  });

  it("forgets what a person began, and takes no shortcut for a character", () => {
    const wedge = new Wedge();
    wedge.press(key("x"), 0);
    expect(typed(wedge, [..."12345", "Enter"], 5).at(-1)).toBe("12345");
    wedge.press(key("a", true), 2000);
    expect(typed(wedge, [..."abcd", "Enter"], 5, 2001).at(-1)).toBe("abcd");
    expect(typed(wedge, [..."abc", "Enter"], 5, 9000).at(-1)).toBeNull();
  });
});

describe("a gun on a serial port", () => {
  it("gives lines however they are cut", () => {
    const lines = new Lines();
    expect(lines.feed("88.111")).toEqual([]);
    expect(lines.feed(".1/A\r\n88.111.1/B\r")).toEqual(["88.111.1/A", "88.111.1/B"]);
    expect(lines.feed("\n\n")).toEqual([]);
  });

  it("throws an overlong line away and reads on", () => {
    const lines = new Lines();
    for (let part = 0; part < 3; part++) expect(lines.feed("x".repeat(longest))).toEqual([]);
    expect(lines.feed("tail\rnext\r")).toEqual(["next"]);
  });
});
