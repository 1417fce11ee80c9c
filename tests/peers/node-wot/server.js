// A foreign consumer of Thing Descriptions, and the W3C's own schemas for them.
//
//   node server.js
//
// Orders come as JSON lines on the standard input and are answered by one line each:
// {"do": "validate", "td": {…}} gives {"errors": […]} by the schema of things, or of models with "model": true;
// {"do": "read", "td": {…}, "property": "…"} consumes the thing and reads a property over HTTP: {"value": …};
// {"do": "write", …, "value": …} and {"do": "invoke", "td": {…}, "action": "…", "input": …} likewise.
"use strict";

const readline = require("node:readline");
const Ajv = require("ajv");
const addFormats = require("ajv-formats");
const { Servient } = require("@node-wot/core");
const { HttpClientFactory } = require("@node-wot/binding-http");

const schemas = {
  td: require("wot-thing-description-types/schema/td-json-schema-validation.json"),
  tm: require("wot-thing-model-types/schema/tm-json-schema-validation.json"),
};
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const checks = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));

const servient = new Servient();
servient.addClientFactory(new HttpClientFactory(null));
const started = servient.start();

async function obey(order) {
  if (order.do === "validate") {
    const check = checks[order.model ? "tm" : "td"];
    check(order.td);
    return { errors: (check.errors || []).map((error) => `${error.instancePath}: ${error.message}`) };
  }
  const wot = await started;
  const thing = await wot.consume(order.td);
  if (order.do === "read") return { value: await (await thing.readProperty(order.property)).value() };
  if (order.do === "write") {
    await thing.writeProperty(order.property, order.value);
    return {};
  }
  if (order.do === "invoke") {
    const output = await thing.invokeAction(order.action, order.input);
    return { value: output === undefined ? null : await output.value() };
  }
  throw new Error(`no such order: ${order.do}`);
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  let answer;
  try {
    answer = await obey(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.message || error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}).on("close", () => process.exit(0));
