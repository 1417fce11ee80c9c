import { describe, expect, it } from "vitest";
import { changes, freeIndex, RowError, rowsOf } from "./changes";
import type { Value } from "./types";

const record: Value[] = [
  { index: 1, type: "URL", data: { format: "string", value: "https://example.com" }, ttl: 86400 },
  { index: 2, type: "NOTE", data: { format: "string", value: "ours" }, ttl: 60, permissions: "1100" },
  { index: 100, type: "HS_ADMIN", data: { format: "admin", value: { handle: "0.NA/1", index: 300 } }, ttl: 86400 },
  { index: 300, type: "HS_SECKEY", data: { format: "secret", value: "" } },
];

describe("an edited record", () => {
  it("sends nothing where nothing changed", () => {
    expect(changes(record, rowsOf(record))).toEqual({ put: [], remove: [] });
  });

  it("sends what is new or other, and the indexes that are gone", () => {
    const rows = rowsOf(record);
    rows[0]!.content = "https://example.com/b";
    rows[1]!.open = true;
    rows.splice(2, 1);
    expect(freeIndex(rows)).toBe(3);
    rows.push({ index: 3, type: " DESC ", content: "new", format: "string", open: true, ttl: 86400, before: null });
    const found = changes(record, rows);
    expect(found.remove).toEqual([100]);
    expect(found.put.map((one) => [one.index, one.type, one.permissions])).toEqual([
      [1, "URL", "1110"],
      [2, "NOTE", "1110"],
      [3, "DESC", "1110"],
    ]);
    expect(found.put.some((one) => one.index === 300)).toBe(false);
  });

  it("moves a value whose index changed", () => {
    const rows = rowsOf(record.slice(0, 1));
    rows[0]!.index = 7;
    const found = changes(record.slice(0, 1), rows);
    expect(found.remove).toEqual([1]);
    expect(found.put[0]!.index).toBe(7);
  });

  it("says which row cannot be sent", () => {
    const broken = (change: (rows: ReturnType<typeof rowsOf>) => void) => {
      const rows = rowsOf(record);
      change(rows);
      try {
        changes(record, rows);
      } catch (error) {
        return error instanceof RowError ? [error.index, error.kind] : error;
      }
      return null;
    };
    expect(broken((rows) => (rows[2]!.content = "{"))).toEqual([100, "json"]);
    expect(broken((rows) => (rows[0]!.type = " "))).toEqual([1, "type"]);
    expect(broken((rows) => (rows[1]!.index = 1))).toEqual([1, "twice"]);
    expect(broken((rows) => (rows[1]!.index = 0))).toEqual([0, "index"]);
  });
});
