// A Modbus TCP server by jsmodbus: `node server.js` prints its port and serves 200 entries of each table until it is killed.
const net = require("net");
const modbus = require("jsmodbus");
const listener = new net.Server();
const size = 400;
const holding = Buffer.alloc(size), input = Buffer.alloc(size), coils = Buffer.alloc(25), discrete = Buffer.alloc(25);
for (let at = 0; at < size / 2; at++) {
  holding.writeUInt16BE(at * 3, at * 2);
  input.writeUInt16BE(65535 - at, at * 2);
}
holding.writeFloatBE(12.25, 200);
coils[0] = 0b0000_1010;
discrete[1] = 0b0000_0001;
new modbus.server.TCP(listener, { holding, input, coils, discrete });
listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));
