import { describe, expect, it } from "vitest";
import { parse } from "./setpoint";
import type { Point } from "./types";

const point = (storage: string, low: number | null = null, high: number | null = null): Point => ({
  name: "99.118.8/valve#position",
  series: "1",
  storage,
  low,
  high,
});

describe("a set-point that a person types", () => {
  it("is a number of the plain or the scientific kind", () => {
    expect(parse(point("double"), " 12.50 ")).toEqual({ json: "12.5", shown: "12.5" });
    expect(parse(point("double"), "-1e-3")).toEqual({ json: "-0.001", shown: "-0.001" });
    for (const text of ["", "1,5", "0x10", "1e999", "NaN", "Infinity", "12 bar", "."])
      expect(parse(point("double"), text), text).toEqual({ flaw: "setpoint.notnumber" });
  });

  it("is a whole number with all its digits", () => {
    expect(parse(point("integer"), "9223372036854775807")).toMatchObject({ json: "9223372036854775807" });
    expect(parse(point("integer"), "+007")).toMatchObject({ json: "7" });
    for (const text of ["9223372036854775808", "1.0", "1e3", ""])
      expect(parse(point("integer"), text), text).toEqual({ flaw: "setpoint.notwhole" });
  });

  it("stays within the range of the point, ends included", () => {
    for (const text of ["0", "250"]) expect(parse(point("double", 0, 250), text), text).toHaveProperty("json");
    for (const text of ["-0.1", "250.1"])
      expect(parse(point("double", 0, 250), text), text).toEqual({
        flaw: "setpoint.outside",
        holes: { low: 0, high: 250 },
      });
    expect(parse(point("integer", 5, null), "4")).toEqual({ flaw: "setpoint.outside", holes: { low: 5, high: "–" } });
  });

  it("is a text as it stands", () => {
    expect(parse(point("text"), ' a "b"\n')).toEqual({ json: '" a \\"b\\"\\n"', shown: ' a "b"\n' });
    expect(parse(point("text"), "x".repeat(4001))).toHaveProperty("flaw", "setpoint.long");
  });
});
