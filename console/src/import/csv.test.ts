import { describe, expect, it } from "vitest";
import { guess, plain, preview, records, renamed } from "./csv";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("the beginning of a CSV file", () => {
  it("is cut into records with their quotes undone", () => {
    expect(records('a,b\r\n"1,""2""",x\n"two\nlines",y', true)).toEqual([
      ["a", "b"],
      ['1,"2"', "x"],
      ["two\nlines", "y"],
    ]);
  });

  it("leaves out a record that was cut off, and empty lines", () => {
    expect(records("a,b\n\n1,2\n3,", false)).toEqual([
      ["a", "b"],
      ["1", "2"],
    ]);
  });

  it("knows where the header ends, a byte order mark and quoted line ends included", () => {
    const text = '\ufeff"a\nb",压力\r\n1,2\n';
    const found = preview(bytes(text), true)!;
    expect(found).toMatchObject({ header: ["a\nb", "压力"], rows: [["1", "2"]] });
    expect(new TextDecoder().decode(bytes(text).slice(found.headerSize))).toBe("1,2\n");
    expect(preview(bytes(""), true)).toBeNull();
  });
});

describe("the columns of an import", () => {
  it("are found under their own and under usual names", () => {
    expect(guess(["point", "time", "value", "status"])).toEqual({ point: 0, time: 1, value: 2, status: 3 });
    expect(guess(["Timestamp", "quality", "Tag", "value", "val"])).toEqual({ point: 2, time: 0, value: 3, status: -1 });
    expect(guess(["a", "b"])).toEqual({ point: -1, time: -1, value: -1, status: -1 });
  });

  it("are sent under their names, and no other column has one of these", () => {
    const header = ["Tag", "time", "Wert", "point", "time"];
    const chosen = { point: 0, time: 4, value: 2, status: -1 };
    expect(plain(header, chosen)).toBe(false);
    expect(renamed(header, chosen)).toBe('"point","-2 time","value","-4 point","time"\n');
    expect(plain(["x", "time", "point", "value"], { point: 2, time: 1, value: 3, status: -1 })).toBe(true);
  });
});
