// A foreign OPC UA server that knows what it wrote.
//
//   node server.js '{"variables": 1000, "period": 100, "port": 0, "directory": "/tmp/x"}'
//
// Every `period` ms all variables get the next whole number, 1, 2, 3 …, with one source timestamp. Orders come as JSON
// lines on the standard input and are answered by one line each: {"do": "count"} tells how many steps were written,
// {"do": "start"} and {"do": "stop"} begin and end the writing, {"do": "drop"} closes every session, {"do": "end"} or the
// end of the input ends the server. With {"nodesets": [path, …]} it serves these NodeSets too, beside the standard one.
"use strict";

const path = require("node:path");
const readline = require("node:readline");
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { nodesets } = require("node-opcua-nodesets");
const { standardUnits } = require("node-opcua-data-access");
const { DataType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");

const options = { variables: 10, period: 100, port: 0, secure: false, running: false, history: false, ...JSON.parse(process.argv[2] || "{}") };

async function main() {
  const rootFolder = path.join(options.directory, "pki");
  const serverCertificateManager = new OPCUACertificateManager({ rootFolder, automaticallyAcceptUnknownCertificate: true });
  await serverCertificateManager.initialize();
  const server = new OPCUAServer({
    port: options.port,
    hostname: "127.0.0.1",
    resourcePath: "/node",
    serverCertificateManager,
    userCertificateManager: serverCertificateManager,
    securityPolicies: options.secure ? undefined : ["http://opcfoundation.org/UA/SecurityPolicy#None"],
    securityModes: options.secure ? undefined : [1],
    allowAnonymous: true,
    serverInfo: { applicationUri: "urn:hulian:peer:node-opcua" },
    buildInfo: { productName: "node-opcua peer" },
    ...(options.nodesets ? { nodesets: [nodesets.standard, ...options.nodesets] } : {}),
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const names = space.getOwnNamespace();
  const plant = names.addFolder("ObjectsFolder", { browseName: "Plant" });
  const bench = names.addFolder(plant, { browseName: "Bench" });
  const variables = [];
  for (let number = 0; number < options.variables; number++) {
    variables.push(
      names.addVariable({
        componentOf: bench,
        nodeId: `s=V${number}`,
        browseName: `V${number}`,
        dataType: DataType.Double,
        minimumSamplingInterval: 0,
      }),
    );
  }
  if (options.history) {
    for (const variable of variables) space.installHistoricalDataNode(variable, { maxOnlineValues: 10000 });
  }
  const analog = names.addAnalogDataItem({
    componentOf: plant,
    nodeId: "s=Level",
    browseName: "Level",
    description: "Level of the separator",
    dataType: DataType.Double,
    engineeringUnitsRange: { low: 0, high: 100 },
    engineeringUnits: standardUnits.bar,
    value: { dataType: DataType.Double, value: 50 },
  });
  analog.setValueFromSource({ dataType: DataType.Double, value: 50 });
  const valve = names.addTwoStateDiscrete({
    componentOf: plant, browseName: "Valve", nodeId: "s=Valve", trueState: "open", falseState: "closed", value: true,
  });
  valve.setValueFromSource({ dataType: DataType.Boolean, value: true });
  const mode = names.addMultiStateValueDiscrete({
    componentOf: plant, nodeId: "s=Mode", browseName: "Mode", dataType: DataType.UInt32,
    enumValues: [{ displayName: "off", value: 0 }, { displayName: "automatic", value: 1 }], value: 1,
  });
  mode.setValueFromSource({ dataType: DataType.UInt32, value: 1 });
  names.addVariable({
    componentOf: plant, nodeId: "s=SetPoint", browseName: "SetPoint", dataType: DataType.Float, accessLevel: 3, userAccessLevel: 3,
    value: { dataType: DataType.Float, value: 1.5 },
  });

  let step = 0;
  let timer = null;
  function write() {
    step += 1;
    const now = new Date();
    for (const variable of variables) {
      variable.setValueFromSource({ dataType: DataType.Double, value: step }, StatusCodes.Good, now);
    }
  }
  const orders = {
    start() {
      timer ??= setInterval(write, options.period);
      return { step };
    },
    stop() {
      clearInterval(timer);
      timer = null;
      return { step };
    },
    count: () => ({ step, cpu: process.cpuUsage().user + process.cpuUsage().system }),
    drop() {
      for (const endpoint of server.endpoints) endpoint.abruptlyInterruptChannels();
      return {};
    },
    forget() {
      for (const id of Object.keys(server.engine._sessions)) server.engine.closeSession(server.engine._sessions[id].authenticationToken, true, "Forcing");
      return {};
    },
    forget_session() {
      for (const id of Object.keys(server.engine._sessions)) server.engine.closeSession(server.engine._sessions[id].authenticationToken, false, "Forcing");
      return {};
    },
  };
  await server.start();
  if (options.running) orders.start();
  const { port } = server.endpoints[0];
  console.log(JSON.stringify({ port, url: `opc.tcp://127.0.0.1:${port}/node` }));
  const lines = readline.createInterface({ input: process.stdin });
  for await (const line of lines) {
    const order = JSON.parse(line).do;
    if (order === "end") break;
    console.log(JSON.stringify(orders[order]()));
  }
  orders.stop();
  process.exit(0);
}

main().catch((error) => {
  console.log(JSON.stringify({ error: String(error) }));
  process.exit(1);
});
