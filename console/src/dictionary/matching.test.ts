import { describe, expect, it } from "vitest";
import { chips, following, matched, most, proposed, sure, undone } from "./matching";
import type { Aspect, Suggested } from "./types";

const suggestion = (concept: string, aspect: Aspect, score: number) => ({
  concept,
  name: concept,
  aspect,
  score,
  reasons: ["r"],
  confirmed: false,
});
const item = (name: string, ...suggestions: ReturnType<typeof suggestion>[]): Suggested => ({
  point: { name, series: name },
  suggestions,
  said: [],
  known: [],
});

describe("chips", () => {
  const both = item(
    "a",
    suggestion("q1", "quantity", 0.7),
    suggestion("r1", "role", 0.6),
    suggestion("p1", "property", 0.8),
    suggestion("q2", "quantity", 0.05),
  );

  it("begin with the best and its role, and leave out what is hardly likely", () => {
    expect(chips(both).map((one) => one.concept)).toEqual(["p1", "r1", "q1"]);
    const many = Array.from({ length: 12 }, (_, at) => suggestion(`q${at}`, "quantity", 0.9 - at / 100));
    expect(chips(item("b", ...many))).toHaveLength(most);
  });

  it("propose a role only where it is likely", () => {
    expect(proposed(both).map((one) => one.concept)).toEqual(["p1", "r1"]);
    expect(proposed(item("c", suggestion("q", "quantity", 0.3), suggestion("r", "role", 0.4)))).toHaveLength(1);
    expect(proposed(item("d", suggestion("r", "role", 0.4))).map((one) => one.concept)).toEqual(["r"]);
    expect(proposed(item("e"))).toEqual([]);
  });
});

describe("many at once", () => {
  const high = item("high", suggestion("q", "quantity", 0.8));
  const low = item("low", suggestion("q", "quantity", 0.79));
  const role = item("role", suggestion("r", "role", 0.99));
  const done = {
    ...item("done", suggestion("q", "quantity", 0.9)),
    said: [{ aspect: "none" as const, concept: "", name: "", by: "ann", moment_ms: 1 }],
  };

  it("are those from the score on that nobody looked at", () => {
    expect(sure([high, low, role, done], 0.8).map(({ item: { point } }) => point.name)).toEqual(["high"]);
  });

  it("are undone as they were", () => {
    const before = [{ aspect: "quantity" as const, concept: "q", name: "q", by: "ann", moment_ms: 1 }];
    expect(
      undone([
        { point: "a", said: [], before, nodes: [] },
        { point: "b", said: [], before: done.said, nodes: [] },
      ]),
    ).toEqual([
      { point: "a", retract: true },
      { point: "a", concept: "q" },
      { point: "b", retract: true },
      { point: "b", concept: null },
    ]);
  });

  it("are gone through in order, from the top again", () => {
    expect(matched(done)).toBe(true);
    expect(following([high, done, low], 0)).toBe(2);
    expect(following([high, done, low], 2)).toBe(0);
    expect(following([done], 0)).toBe(-1);
    expect(following([], 0)).toBe(-1);
  });
});
