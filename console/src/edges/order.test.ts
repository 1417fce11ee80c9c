import { describe, expect, it } from "vitest";
import type { EdgeStatus } from "../lib/types";
import { joinCommand, nodeName, standing } from "./order";

const says = (more: Partial<EdgeStatus>): EdgeStatus => ({
  version: 5,
  on_trial: false,
  refused: 0,
  reason: "",
  connectors: 1,
  ...more,
});

describe("the order of a node", () => {
  it("runs, is on its way, is tried, or was taken back", () => {
    expect(standing({ status: says({}), ordered: 5 })).toMatchObject({ text: "edge.order.runs", n: 5 });
    expect(standing({ status: says({}), ordered: 6 })).toMatchObject({ text: "edge.order.coming", n: 5, m: 6 });
    expect(standing({ status: says({ version: 6, on_trial: true }), ordered: 6 })).toMatchObject({
      text: "edge.order.trial",
      n: 6,
    });
    expect(standing({ status: says({ refused: 6 }), ordered: 6 })).toMatchObject({
      text: "edge.order.back",
      n: 5,
      m: 6,
    });
    expect(standing({ status: says({ refused: 6 }), ordered: 7 })).toMatchObject({ text: "edge.order.coming", m: 7 });
    expect(standing({ status: says({ version: 7, refused: 6 }), ordered: 7 }).text).toBe("edge.order.runs");
  });

  it("is not claimed of a node that says nothing, or has none yet", () => {
    expect(standing({ status: null, ordered: 6 })).toMatchObject({ text: "edge.order.newest", n: 6, tone: "calm" });
    expect(standing({ status: null, ordered: 0 }).text).toBe("edge.order.none");
    expect(standing({ status: says({ version: 0 }), ordered: 0 }).text).toBe("edge.order.none");
    expect(standing({ status: says({ version: 0 }), ordered: 1 })).toMatchObject({ text: "edge.order.first", m: 1 });
    expect(standing({ status: says({ version: 0, refused: 1 }), ordered: 1 })).toMatchObject({
      text: "edge.order.back.first",
      m: 1,
    });
  });
});

describe("a node's name", () => {
  it("is made of what a person called it", () => {
    expect(nodeName("Press hall 3")).toBe("press-hall-3");
    expect(nodeName("  --Halle/Süd!  ")).toBe("halle-s-d");
    expect(nodeName("冲压车间")).toBe("");
    expect(nodeName("a".repeat(62) + " b")).toBe("a".repeat(62));
  });

  it("stands in the command that a person types", () => {
    expect(joinCommand("https://centre:8080", "press", "hle_x.ab")).toBe(
      "hulian edge join https://centre:8080 --name press --invitation hle_x.ab",
    );
  });
});
