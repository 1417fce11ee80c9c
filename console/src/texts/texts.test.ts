import { describe, expect, it } from "vitest";
import { texts as en } from "./en";
import { texts as zh } from "./zh";

const holes = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((found) => found[0]).sort();

describe("the languages", () => {
  it("say the same things with the same holes to fill", () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) expect(holes(zh[key as keyof typeof zh]), key).toEqual(holes(text));
  });

  it("leave nothing empty", () => {
    for (const [key, text] of [...Object.entries(en), ...Object.entries(zh)]) expect(text.trim(), key).not.toBe("");
  });
});
