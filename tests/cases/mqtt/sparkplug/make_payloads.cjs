// Writes payloads.json: payloads of the npm package sparkplug-payload, and what it reads from ours (hex by name on stdin).
const Long = require("long");
const payload = require("sparkplug-payload").get("spBv1.0");
const stamp = 1700000000123;
const metric = (name, type, value, more = {}) => ({ name, type, value, timestamp: stamp, ...more });
const theirs = {
  integers: [
    metric("i8", "Int8", -5), metric("i16", "Int16", -300), metric("i32", "Int32", -70000),
    metric("i64", "Int64", Long.fromString("-5000000000")), metric("u8", "UInt8", 250), metric("u16", "UInt16", 65000),
    metric("u32", "UInt32", 4000000000), metric("u64", "UInt64", Long.fromString("18446744073709551615", true)),
  ],
  others: [
    metric("f", "Float", 1.5), metric("d", "Double", -2.25), metric("b", "Boolean", true), metric("s", "String", "zone 3 – 摄氏"),
    metric("t", "DateTime", stamp), metric("x", "Text", "text"), metric("u", "UUID", "123e4567-e89b-12d3-a456-426614174000"),
    metric("raw", "Bytes", new Uint8Array([0, 1, 255])), metric("file", "File", new Uint8Array([9])),
  ],
  alias: [metric("a", "Double", 7.5, { alias: Long.fromNumber(42) }), metric("zero", "Double", 0, { alias: Long.fromNumber(0) })],
  null: [{ name: "n", type: "Double", value: null, isNull: true, timestamp: stamp }],
  historical: [metric("h", "Int32", 3, { isHistorical: true })],
  properties: [
    metric("p", "Double", 3.5, { properties: {
      engUnit: { type: "String", value: "bar" }, Quality: { type: "Int32", value: 500 }, engHigh: { type: "Double", value: 10 },
      nested: { type: "PropertySet", value: { deep: { type: "Boolean", value: true } } } } }),
  ],
  dataset: [
    metric("table", "DataSet", { numOfColumns: 3, types: ["Int32", "String", "Double"], columns: ["n", "s", "d"],
      rows: [[1, "one", 1.5], [-2, "two", 2.5]] }),
  ],
  template: [
    metric("pump", "Template", { templateRef: "Pump", isDefinition: false, version: "v1",
      metrics: [metric("speed", "Int32", 1480), metric("on", "Boolean", true)],
      parameters: [{ name: "maker", type: "String", value: "ACME" }, { name: "rows", type: "Int32", value: 3 }] }),
  ],
};
const plain = (value) =>
  Long.isLong(value) ? value.toString()
  : value instanceof Uint8Array ? { bytes: Buffer.from(value).toString("hex") }
  : Array.isArray(value) ? value.map(plain)
  : value && typeof value === "object"
    ? Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, plain(v)]))
  : value;
let input = "";
process.stdin.on("data", (chunk) => (input += chunk)).on("end", () => {
  const made = Object.entries(theirs).map(([name, metrics]) => ({
    name, hex: Buffer.from(payload.encodePayload({ timestamp: stamp, seq: 7, metrics })).toString("hex"),
    metrics: plain(metrics),
  }));
  const read = Object.entries(JSON.parse(input || "{}")).map(([name, hex]) => ({
    name, hex, read: plain(payload.decodePayload(new Uint8Array(Buffer.from(hex, "hex")))),
  }));
  process.stdout.write(JSON.stringify({ theirs: made, ours: read }, null, 1) + "\n");
});
