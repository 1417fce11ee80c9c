import { describe, expect, it } from "vitest";
import { reason } from "./reasons";

describe("a reason", () => {
  it.each([
    ["P in PT is pressure (ISA-5.1)", "letters", { part: "P", word: "PT" }],
    ["its unit bar is the usual one", "usual", { unit: "bar" }],
    ["its unit kPa measures the same dimension as bar", "dimension", { unit: "kPa", other: "bar" }],
    ["its end 'pv' is measured value", "word", { kind: "end", word: "pv" }],
    ["its text 'austrittsdruck' ends with pressure", "word", { kind: "text", word: "austrittsdruck" }],
    ["its names have 'outlet'", "names", { word: "outlet" }],
    ["it is a kind of pressure", "kindof", { word: "pressure" }],
    ["confirmed for 2 of 3 tags with letters 'ZK'", "learned", { n: "2", m: "3", kind: "letters", word: "ZK" }],
    ["it was confirmed for this tag", "confirmed", {}],
    ["PT transmits or indicates (ISA-5.1)", "transmits", { word: "PT" }],
  ])("%s", (text, kind, parameters) => {
    expect(reason(text)).toEqual({ key: `dictionary.reason.${kind}`, parameters });
  });

  it("that is not known stays as it is", () => {
    expect(reason("because")).toBeNull();
  });
});
