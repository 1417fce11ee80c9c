import { describe, expect, it } from "vitest";
import { attributeAt, attributeOf, differences, freshRow, rowsOf, titled } from "./templates";
import type { Attribute, Template } from "./types";

const power: Attribute = { name: "power", type: "number", index: 2001, unit: "kW", low: 0, visibility: "public" };
const maker: Attribute = {
  name: "maker",
  type: "text",
  index: 2000,
  required: true,
  title: { en: "Maker", de: "Hersteller" },
};
const first: Template = { attributes: [maker, power] };

describe("two versions of a template", () => {
  it("differ in attributes that came, went and changed, field by field", () => {
    const colour: Attribute = { name: "colour", type: "text", index: 2002 };
    const second = { attributes: [{ ...power, unit: "W", high: 5 }, colour] };
    expect(differences(first, second)).toEqual([
      {
        name: "power",
        change: "changed",
        fields: [
          { field: "unit", old: "kW", new: "W" },
          { field: "high", old: "", new: "5" },
        ],
      },
      { name: "colour", change: "added", fields: [] },
      { name: "maker", change: "removed", fields: [] },
    ]);
  });

  it("do not differ in what goes without saying, nor in the order of titles", () => {
    const said = { ...maker, visibility: "admin", most: 1, title: { de: "Hersteller", en: "Maker" } };
    expect(differences(first, { attributes: [said, power] })).toEqual([]);
  });
});

describe("the form of a template", () => {
  it("gives back what it was given, grants and other languages too", () => {
    const granted: Attribute = {
      ...maker,
      writing: "everyone",
      grants: [{ to: "300:88.1/x", may: "read" }],
      choices: ["a", "b"],
    };
    const template = {
      attributes: [granted, power, { name: "note", type: "text", index: 2010, most: 5, language: "zh" }],
    };
    expect(rowsOf(template).map(attributeOf)).toEqual(template.attributes);
  });

  it("drops what the type cannot have", () => {
    const [row] = rowsOf({ attributes: [power] });
    expect(attributeOf({ ...row!, type: "text" })).toEqual({
      name: "power",
      type: "text",
      index: 2001,
      visibility: "public",
    });
  });

  it("puts the next attribute behind the last one", () => {
    const rows = rowsOf({ attributes: [{ name: "note", type: "text", index: 2010, most: 5 }] });
    expect(freshRow(rows).index).toBe("2015");
    expect(freshRow([]).index).toBe("2000");
  });

  it("finds the attribute of an error, and keeps titles apart", () => {
    expect(attributeAt("$.template.attributes[3].name")).toBe(3);
    expect(attributeAt("$.template")).toBeNull();
    expect(titled({ de: "Pumpe", en: "old" }, " Pump ", "")).toEqual({ de: "Pumpe", en: "Pump" });
  });
});
