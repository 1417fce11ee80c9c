import { describe, expect, it } from "vitest";
import type { ProtocolInfo } from "../lib/types";
import type { DescribedConnector, DescribedPoint, Proposal } from "./types";
import { asked, chosen, does, draftOf, protocolOf, shown, taken, type Draft } from "./wish";

const protocols: ProtocolInfo[] = [
  {
    name: "modbus",
    schemes: ["modbus://"],
    settings_schema: {
      $ref: "#/$defs/Settings",
      $defs: { Settings: { properties: { interval: { type: "number", default: 1 }, retries: { type: "integer" } } } },
    },
  },
  { name: "mqtt", schemes: ["mqtt", "mqtts"] },
];
const plc: DescribedConnector = {
  name: "plc-2",
  described: "plc-2",
  protocol: "modbus",
  url: "modbus://10.0.0.9:502/1",
  change: "added",
  points: 2,
  settings: { interval: 5, retries: 2 },
  fields: [],
  kept: [],
  missing: [],
};

function wish(changed: Partial<Draft>, one = plc) {
  const first = draftOf(one);
  return {
    document: "line2",
    drafts: { [one.described]: { ...draftOf(one), ...changed } },
    first: { [one.described]: first },
    protocols,
    overwrite: ["a#b"],
  };
}

describe("what is asked for", () => {
  it("is only what differs from the description", () => {
    expect(asked(wish({}))).toEqual({ document: "line2", connectors: {}, overwrite: ["a#b"] });
    const choice = { name: "press", url: "modbus://10.0.0.10", enabled: false, edge: "hall" };
    expect(asked(wish(choice)).connectors).toEqual({ "plc-2": choice });
    expect(asked(wish({ name: "  ", url: "" })).connectors).toEqual({});
  });

  it("says a setting that was put back to its standard", () => {
    expect(asked(wish({ settings: { interval: 5 } })).connectors).toEqual({ "plc-2": { settings: { retries: null } } });
    expect(asked(wish({ settings: { retries: 3 } })).connectors).toEqual({
      "plc-2": { settings: { retries: 3, interval: 1 } },
    });
  });

  it("says nothing else of what is left out", () => {
    expect(asked(wish({ leave: true, name: "x", password: "y" })).connectors).toEqual({ "plc-2": { leave: true } });
  });

  it("holds the password only where it is taken over", () => {
    const secret = wish({ user: "reader", password: "hush hush" });
    expect(JSON.stringify(asked(secret))).not.toContain("hush");
    expect(taken(secret, "abc")).toMatchObject({
      digest: "abc",
      connectors: { "plc-2": { credentials: { user: "reader", password: "hush hush" } } },
    });
    expect(asked(wish({ user: "reader" })).connectors).toEqual({ "plc-2": { credentials: { user: "reader" } } });
  });

  it("takes the protocol from the address where the description names none", () => {
    const bare = { ...plc, protocol: "", url: "", settings: {} };
    expect(protocolOf(draftOf(bare), protocols)).toBe("");
    expect(asked(wish({ url: "MQTT://local" }, bare)).connectors).toEqual({
      "plc-2": { url: "MQTT://local", protocol: "mqtt" },
    });
  });
});

describe("points", () => {
  const make = (name: string, change: DescribedPoint["change"], more: Partial<DescribedPoint> = {}) =>
    ({ name, node: `n/${name}`, connector: "plc", address: "input@0", change, fields: [], kept: [], missing: [], removed: false, ...more }) as DescribedPoint; // prettier-ignore
  const points = [
    make("pump#pressure", "added", { fields: [{ field: "unit", old: null, new: "bar" }] }),
    make("pump#flow", "same", { kept: [{ field: "tag", old: "mine", new: "FI-1" }] }),
    make("tank#level", "left", { connector: "" }),
  ];
  const names = (change: Parameters<typeof chosen>[1]["change"], words = "") =>
    chosen(points, { change, words }).map((one) => one.name);

  it("are chosen by what becomes of them and by words", () => {
    expect(names("")).toHaveLength(3);
    expect(names("left")).toEqual(["tank#level"]);
    expect(names("kept")).toEqual(["pump#flow"]);
    expect(names("", " PUMP bar")).toEqual(["pump#pressure"]);
    expect(names("added", "mine")).toEqual([]);
  });

  it("show values as they are read", () => {
    expect([shown(""), shown(null), shown(0), shown(false), shown("bar"), shown({ "0": "off" })]).toEqual([
      null,
      null,
      "0",
      "false",
      "bar",
      '{"0":"off"}',
    ]);
  });

  it("do something where anything changes", () => {
    const nothing = { added: 0, changed: 0, bound: 0, connectors: [{ change: "same" }, { change: "left" }] };
    expect(does(nothing as Proposal)).toBe(false);
    expect(does({ ...nothing, bound: 1 } as Proposal)).toBe(true);
    expect(does({ ...nothing, connectors: [{ change: "changed" }] } as Proposal)).toBe(true);
  });
});
