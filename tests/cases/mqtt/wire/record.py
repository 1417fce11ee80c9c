"""Records what mosquitto, its clients and paho say to each other: ``python tests/cases/mqtt/wire/record.py`` writes the cases
anew beside itself. Each file holds, for one conversation, the bytes of both directions in hex and what they are."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "support"))

from mqtt_packets import flat  # noqa: E402
from mqtt_peers import Mosquitto  # noqa: E402

from hulian.network.exchange.protocols.mqtt.codec import Decoder, Version  # noqa: E402

CONVERSATIONS = {
    f"{name}-{version}": (Version.V5 if version == "mqttv5" else Version.V311, [*command, "-V", version])
    for version in ("mqttv311", "mqttv5")
    for name, command in {
        "publish-0": ["mosquitto_pub", "-t", "plant/温度", "-m", "21.5", "-i", "case"],
        "publish-1": ["mosquitto_pub", "-t", "plant/a", "-m", "x" * 200, "-q", "1", "-i", "case"],
        "publish-2": ["mosquitto_pub", "-t", "plant/a", "-m", "once", "-q", "2", "-r", "-i", "case"],
        "will": [
            "mosquitto_pub", "-t", "a", "-n", "-i", "case", "--will-topic", "w", "--will-payload", "gone", "--will-qos", "1",
        ],
        "login": ["mosquitto_pub", "-t", "a", "-n", "-i", "case", "-u", "user", "-P", "password"],
        "subscribe": ["mosquitto_sub", "-t", "plant/#", "-t", "+/b", "-q", "2", "-C", "1", "-i", "case", "-c", "-U", "old"],
    }.items()
} | {
    "properties": (
        Version.V5,
        [
            "mosquitto_pub", "-V", "mqttv5", "-t", "a", "-m", "b", "-q", "1", "-i", "case",
            "-D", "publish", "content-type", "text/plain", "-D", "publish", "user-property", "unit", "Cel",
            "-D", "publish", "message-expiry-interval", "60", "-D", "connect", "session-expiry-interval", "30",
            "-D", "publish", "response-topic", "r", "-D", "publish", "correlation-data", "17",
        ],
    )
}  # fmt: skip


async def record(port: int, command: list[str]) -> tuple[bytes, bytes]:
    said: tuple[list[bytes], list[bytes]] = ([], [])
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)

        async def passing(source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: list[bytes]) -> None:
            while data := await source.read(65_536):
                kept.append(data)
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(passing(reader, back, said[0]), passing(there, writer, said[1]))
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    await asyncio.to_thread(subprocess.run, [*command, "-h", "127.0.0.1", "-p", str(own)], check=True, timeout=20)
    await asyncio.wait_for(done.wait(), 10)
    server.close()
    return b"".join(said[0]), b"".join(said[1])


async def main() -> None:
    with tempfile.TemporaryDirectory() as text, Mosquitto(Path(text)) as broker:
        for name, (version, command) in CONVERSATIONS.items():
            client, server = await record(broker.port, command)
            case = {
                "command": " ".join(command),
                "version": int(version),
                "client": client.hex(),
                "server": server.hex(),
                "client_says": [str(packet) for packet in flat(Decoder(None).feed(client))],
                "server_says": [str(packet) for packet in flat(Decoder(version).feed(server))],
            }
            (HERE / f"{name}.json").write_text(json.dumps(case, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
