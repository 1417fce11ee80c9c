import { expect, it } from "vitest";
import { short } from "./fields";

it("a field is cut where a value is long", () => {
  expect(short("abc", 3)).toBe("abc");
  expect(short("abcd", 3)).toBe("ab…");
});
