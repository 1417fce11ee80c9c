import { describe, expect, it } from "vitest";
import { age, bytes, count, fixed, milliseconds, number, span, unit } from "./format";
import { severityOf, statusName } from "./quality";

describe("milliseconds", () => {
  it("takes ms, ns, digits and RFC 3339", () => {
    const moment = Date.UTC(2026, 2, 1);
    expect(milliseconds(moment)).toBe(moment);
    expect(milliseconds(moment * 1e6)).toBe(moment);
    expect(milliseconds(`${moment}000000`)).toBe(moment);
    expect(milliseconds("2026-03-01T00:00:00Z")).toBe(moment);
  });

  it("knows none", () => {
    for (const none of [null, undefined, "", 0, "0", "soon", NaN, {}]) expect(milliseconds(none)).toBeNull();
  });
});

describe("numbers", () => {
  it("are short and keep their size", () => {
    expect([0, 1, 1234567, 0.00001, -12.5, 123.456789].map((value) => number(value))).toEqual([
      "0",
      "1",
      "1234567",
      "1.000e-5",
      "-12.5",
      "123.46",
    ]);
    expect([2.5, 12.3456, 12345.678, 1e9].map(fixed)).toEqual(["2.500", "12.35", "12345.7", "1.00e9"]);
    expect(number(NaN)).toBe("–");
  });

  it("are counted with a prefix", () => {
    expect([0, 999, 9999, 10_000, 48_230_122].map(count)).toEqual(["0", "999", "9 999", "10.0 k", "48.2 M"]);
    expect([0, 999, 1500, 2_147_483_648].map(bytes)).toEqual(["0 B", "999 B", "1.5 KB", "2.1 GB"]);
  });
});

describe("spans", () => {
  it("name their two largest parts", () => {
    expect([12, 1500, 90_000, 3_600_000, 90_061_000].map(span)).toEqual([
      "12 ms",
      "1 s",
      "1 min 30 s",
      "1 h",
      "1 d 1 h",
    ]);
    expect(age(12)).toBe("< 1 s");
    expect(age(-5)).toBe("< 1 s");
    expect(age(2500)).toBe("2 s");
  });
});

describe("codes", () => {
  it("print as engineers write them", () => {
    expect(["Cel", "m3/h", "bar", "1"].map(unit)).toEqual(["°C", "m³/h", "bar", ""]);
    expect([0, 0x00300000, 0x40900000, 0x80310000, 0xc0000000].map(severityOf)).toEqual([
      "good",
      "good",
      "uncertain",
      "bad",
      "bad",
    ]);
    expect(statusName(0x80310400)).toBe("BadNoCommunication");
    expect(statusName(0x80ff0000)).toBe("0x80FF0000");
  });
});
