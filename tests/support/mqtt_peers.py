"""Brokers for tests: real ones (mosquitto, nats-server), one that lies, and a wire between that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hulian.network.exchange.protocols.mqtt.codec import (
    Acks,
    Connack,
    Connect,
    Decoder,
    PacketType,
    Pingreq,
    Pingresp,
    Publishes,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Version,
    encode,
    encode_acks,
)
from hulian.network.exchange.protocols.mqtt.errors import WireError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the broker ended"
            assert time.monotonic() < end, "the broker does not listen within 20 s"
            time.sleep(0.02)


class Mosquitto:
    """A mosquitto of our own. ``kill`` is kill -9; what it had on disk (`save` writes it) comes back with ``start``."""

    def __init__(self, directory: Path, *lines: str, anonymous: bool = True, tls: bool = False, save_every: int = 1) -> None:
        if shutil.which("mosquitto") is None:
            pytest.skip("mosquitto is not installed: see tests/peers/install.sh")
        self.port = free_port()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.passwords = directory / "passwords"
        self._file = directory / "mosquitto.conf"
        self._tls = tls
        self._lines = [
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {directory}/",
            "autosave_on_changes true",
            f"autosave_interval {save_every}",
            f"allow_anonymous {'true' if anonymous else 'false'}",
            "max_queued_messages 0",
            "log_type all",
            f"log_dest file {directory / 'log'}",
            f"user {_me()}",
            *lines,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._tls else 'mqtt'}://127.0.0.1:{self.port}"

    def users(self, **passwords: str) -> None:
        """The users with their passwords; a running broker is told to read them anew."""
        self.passwords.unlink(missing_ok=True)
        self.passwords.touch(mode=0o600)
        for user, password in passwords.items():
            subprocess.run(
                ["mosquitto_passwd", "-b", str(self.passwords), user, password], check=True, stderr=subprocess.DEVNULL
            )
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        self._file.write_text("\n".join(self._lines) + "\n")
        program = shutil.which("mosquitto")
        assert program is not None
        self.process = subprocess.Popen([program, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_listens(self.port, self.process)

    def save(self) -> None:
        """Everything queued is on disk on return."""
        assert self.process is not None
        store = self.directory / "mosquitto.db"
        before = store.stat().st_mtime_ns if store.exists() else 0
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 10
        while not store.exists() or store.stat().st_mtime_ns == before:
            assert time.monotonic() < end, "mosquitto did not save"
            time.sleep(0.01)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self.process is not None:
            self.thaw()
        self.kill()


def _me() -> str:
    import getpass

    return getpass.getuser()


def publish(port: int, topic: str, *payloads: str, qos: int = 1, options: tuple[str, ...] = ()) -> None:
    """Publishes with mosquitto's own client."""
    subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-q", str(qos), "-l", *options],
        input="".join(f"{payload}\n" for payload in payloads).encode(),
        check=True,
        timeout=60,
    )


class Wire:
    """A TCP connection between client and broker that can be held, cut, or made slow."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.connections = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        self._flows.set()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def hold(self) -> None:
        """Nothing passes any more, and nobody is told: an unplugged cable."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """Every connection breaks."""
        for writer in list(self._open):
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.ensure_future(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class Scripted:
    """A broker in this process, on our own codec, that says what the test wants.

    It answers CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ and PUBLISH as the standard asks; ``answer(event, connection)`` may
    return bytes to send instead (or None to let it answer). ``connections`` holds one entry for each CONNECT.
    """

    def __init__(self, answer: Callable[[object, Connection], bytes | None] | None = None) -> None:
        self.answer = answer or (lambda event, connection: None)
        self.connections: list[Connection] = []
        self.session = False
        self.port = 0

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        for connection in self.connections:
            connection.writer.transport.abort()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        decoder = Decoder(None)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                for event in decoder.feed(data):
                    if isinstance(event, Connect):
                        connection.connect = event
                        self.connections.append(connection)
                    connection.heard.append(event)
                    said = self.answer(event, connection)
                    writer.write(self._usual(event, connection) if said is None else said)
        writer.close()

    def _usual(self, event: object, connection: Connection) -> bytes:
        version = connection.version
        match event:
            case Connect():
                return encode(Connack(session_present=self.session and not event.clean_start), version)
            case Subscribe():
                reasons = tuple(one.qos for one in event.subscriptions)
                return encode(Suback(identifier=event.identifier, reasons=reasons), version)
            case Unsubscribe():
                reasons = (0,) * len(event.topic_filters) if version is Version.V5 else ()
                return encode(Unsuback(identifier=event.identifier, reasons=reasons), version)
            case Pingreq():
                return encode(Pingresp(), version)
            case Publishes():
                sure = [packet for packet in event.packets() if packet.qos]
                return b"".join(encode_acks(PacketType(3 + packet.qos), [packet.identifier]) for packet in sure)
            case Acks(kind=6):
                return encode_acks(PacketType.PUBCOMP, event.identifiers)
        return b""


class Connection:
    """One client at a `Scripted` broker."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.connect: Connect | None = None
        self.heard: list[object] = []

    @property
    def version(self) -> Version:
        assert self.connect is not None
        return self.connect.version

    def of(self, kind: type) -> list:
        return [event for event in self.heard if isinstance(event, kind)]

    def acknowledged(self, kind: int = 4) -> list[int]:
        return [number for event in self.of(Acks) if event.kind == kind for number in event.identifiers]

    def complaint(self) -> WireError | None:
        return next((event for event in self.heard if isinstance(event, WireError)), None)
