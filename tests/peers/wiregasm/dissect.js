// Wireshark's dissectors, asked over standard input: each line {"pcap": base64}, each answer {"frames": [tree, …]}.
// A tree is a list of {label, filter, start, length, tree}: "filter" names the field, such as "do-irp.reqid == 1".
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");

const dist = path.join(__dirname, "node_modules", "@goodtools", "wiregasm", "dist");

function list(vector, make) {
  const found = [];
  for (let at = 0; at < vector.size(); at++) found.push(make(vector.get(at)));
  return found;
}

function plain(node) {
  return { label: node.label, filter: node.filter, start: node.start, length: node.length, tree: list(node.tree, plain) };
}

async function main() {
  const load = require(path.join(dist, "wiregasm.js"));
  const silent = () => {};
  const wiregasm = await load({
    print: silent,
    printErr: silent,
    handleStatus: silent,
    wasmBinary: fs.readFileSync(path.join(dist, "wiregasm.wasm")),
    locateFile: (name, prefix) => (/\.(data|wasm)$/.test(name) ? path.join(dist, name) : prefix + name),
  });
  wiregasm.init();
  process.stdout.write(JSON.stringify({ ready: true }) + "\n");
  let number = 0;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const file = `/uploads/${number++}.pcap`;
    wiregasm.FS.writeFile(file, Buffer.from(JSON.parse(line).pcap, "base64"));
    const session = new wiregasm.DissectSession(file);
    const loaded = session.load();
    const frames = [];
    if (loaded.code === 0) {
      for (let at = 1; at <= loaded.summary.packet_count; at++) frames.push(list(session.getFrame(at).tree, plain));
    }
    session.delete();
    process.stdout.write(JSON.stringify({ code: loaded.code, frames }) + "\n");
  }
}

main().catch((error) => {
  process.stdout.write(JSON.stringify({ error: String((error && error.stack) || error) }) + "\n");
  process.exit(1);
});
