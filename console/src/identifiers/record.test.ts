import { describe, expect, it } from "vitest";
import { cardOf, recalled, remember, safeLink, shownData } from "./record";
import type { Value } from "./types";

const value = (type: string, data: unknown, index = 1, format = "string"): Value => ({
  index,
  type,
  data: { format, value: data },
});

describe("a record as a card", () => {
  it("says what a point is, in the language that is read", () => {
    const described = JSON.stringify({
      kind: "point",
      thing: "99.118.8/reactor",
      tag: "PT-101",
      unit: "bar",
      low: 0,
      texts: { en: "outlet pressure", "zh-CN": "出口压力" },
    });
    const values = [
      value("HULIAN.DATA", "https://plant.example/api/v1/points/x"),
      value("HULIAN.DESCRIPTION", described, 2),
      value("HS_ADMIN", { handle: "0.NA/99.118.8", index: 300, permissions: "1" }, 100, "admin"),
    ];
    const card = cardOf(values, "zh");
    expect(card.kind).toBe("point");
    expect(card.description).toBe("出口压力");
    expect(cardOf(values, "en").description).toBe("outlet pressure");
    expect(cardOf(values, "fr").description).toBe("outlet pressure");
    expect(card.facts).toEqual([
      ["tag", "PT-101"],
      ["unit", "bar"],
      ["low", "0"],
    ]);
    expect(card.administrators).toEqual(["300:0.NA/99.118.8"]);
    expect(card.links).toEqual([{ label: "HULIAN.DATA", href: "https://plant.example/api/v1/points/x" }]);
  });

  it("follows no address but http and https", () => {
    const bad = ["javascript:alert(1)", "data:text/html,x", "https://user@evil.example/", "no address", "file:///etc"];
    for (const href of bad) expect(safeLink(href), href).toBe("");
    expect(safeLink(" https://example.com/a ")).toBe("https://example.com/a");
    expect(cardOf([value("URL", "javascript:alert(1)")], "en").links).toEqual([]);
  });

  it("takes what is no JSON, an alias and a service as they are", () => {
    expect(cardOf([value("HULIAN.DESCRIPTION", "{")], "en").kind).toBe("record");
    expect(cardOf([value("HS_ALIAS", "88.111.1/x")], "en")).toMatchObject({ kind: "alias", alias: "88.111.1/x" });
    expect(cardOf([value("HS_SITE", {}, 1, "site"), value("OWNER", "ACME", 2)], "en")).toMatchObject({
      kind: "service",
      owner: "ACME",
    });
    expect(shownData({ format: "secret", value: "" })).not.toBe("");
    expect(shownData({ format: "site", value: { a: 1 } })).toContain('"a": 1');
  });
});

describe("the last ones", () => {
  it("are the newest first, each once, and no more than asked for", () => {
    let list = recalled(null);
    for (const [at, text] of ["a", "b", "a", "c"].entries()) list = remember(list, { text, handle: text, at }, 2);
    expect(list.map((one) => one.text)).toEqual(["c", "a"]);
  });

  it("are nothing where the store holds something else", () => {
    for (const stored of ["{", "{}", '[1, {"text": 1}]', "null"]) expect(recalled(stored)).toEqual([]);
    expect(recalled('[{"text":"a","handle":"a","at":1}]')).toHaveLength(1);
  });
});
