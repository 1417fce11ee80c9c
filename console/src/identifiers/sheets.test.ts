import { describe, expect, it } from "vitest";
import { labelsOf, most, withLabels } from "./sheets";

describe("a list of labels", () => {
  it("is one a line, with text behind tabs", () => {
    expect(labelsOf(" 88.111.1/a \r\n\n88.111.1/b\t泵房 2\t\tROOM 4\n")).toEqual([
      { identifier: "88.111.1/a", lines: [] },
      { identifier: "88.111.1/b", lines: ["泵房 2", "ROOM 4"] },
    ]);
    expect(labelsOf("x/1\n".repeat(2 * most))).toHaveLength(most + 1);
  });

  it("takes more, each once", () => {
    const added = [
      { identifier: "a/1", lines: [] },
      { identifier: "a/2", lines: ["two"] },
    ];
    expect(withLabels("", added)).toBe("a/1\na/2\ttwo");
    expect(withLabels("a/1\tmine\n\n", added)).toBe("a/1\tmine\na/2\ttwo");
  });
});
