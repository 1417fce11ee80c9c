import { describe, expect, it } from "vitest";
import { chosen, early, moved, total } from "./changes";
import { formName, type Change, type Differences } from "./types";

const changes: Change[] = [
  { what: "added", node: "p/P1", name: "P1", fields: [] },
  { what: "changed", node: "p/P2", name: "P2", fields: [{ field: "unit", old: "bar", new: "kPa" }] },
  { what: "changed", node: "p/P3", name: "P3", fields: [{ field: "labels.zh", old: null, new: "泵" }] },
  { what: "removed", node: "p/P4", name: "P4", fields: [] },
];
const all = { what: "", field: "", words: "" } as const;

describe("changes", () => {
  it("are chosen by kind, by field and by words in old and new", () => {
    const names = (wanted: Parameters<typeof chosen>[1]) => chosen(changes, wanted).map((one) => one.name);
    expect(names(all)).toEqual(["P1", "P2", "P3", "P4"]);
    expect(names({ ...all, what: "changed" })).toEqual(["P2", "P3"]);
    expect(names({ ...all, field: "unit" })).toEqual(["P2"]);
    expect(names({ ...all, words: " KPA " })).toEqual(["P2"]);
    expect(names({ ...all, words: "泵" })).toEqual(["P3"]);
    expect(names({ ...all, words: "p/p4" })).toEqual(["P4"]);
    expect(names({ what: "added", field: "unit", words: "" })).toEqual([]);
  });

  it("are counted with those of references", () => {
    const found = { added: 1, removed: 2, changed: 3, same: 9, references_added: 4, references_removed: 5 };
    expect(total(found as Differences)).toBe(15);
  });
});

describe("the order of steps", () => {
  const step = (upload: string, ...on: string[]) => ({
    upload,
    requires: on.map((one) => ({ what: `urn:${one}`, document: "", upload: one })),
  });

  it("is moved within its list only", () => {
    expect(moved(["a", "b", "c"], 0, 1)).toEqual(["b", "a", "c"]);
    expect(moved(["a", "b", "c"], 2, -2)).toEqual(["c", "a", "b"]);
    expect(moved(["a", "b", "c"], 0, -1)).toEqual(["a", "b", "c"]);
    expect(moved(["a", "b", "c"], 2, 1)).toEqual(["a", "b", "c"]);
  });

  it("says what would come too late", () => {
    const steps = [step("machinery", "di"), step("di"), step("gone", "elsewhere")];
    expect(early(steps, 0)).toEqual(["urn:di"]);
    expect(early(moved(steps, 0, 1), 1)).toEqual([]);
    expect(early(steps, 2)).toEqual([]);
    expect(early(steps, 9)).toEqual([]);
  });
});

describe("formats", () => {
  it("have the names that people know", () => {
    expect(formName("nodeset")).toBe("OPC UA NodeSet2");
    expect(formName("aas")).toBe("AAS");
    expect(formName("new")).toBe("new");
  });
});
