"""A real OPC UA server in a process of its own, for tests and for trying things out.

async with Simulator() as simulator:
    simulator.url, simulator.bindings
    await simulator.set("ns=2;s=Double", 3.5)
    await simulator.stop()      # killed, without a goodbye
    await simulator.start()     # the same port, the same nodes
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Final

import anyio

from hulian.kernel.identifier import series_id
from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration

__all__ = ["Simulator"]

_STORAGES: Final = {
    "Double": (StorageClass.DOUBLE, Kind.CONTINUOUS),
    "Integer": (StorageClass.INTEGER, Kind.STEP),
    "Boolean": (StorageClass.BOOLEAN, Kind.STEP),
    "Text": (StorageClass.TEXT, Kind.STEP),
    "Bytes": (StorageClass.BYTES, Kind.STEP),
    "Structure": (StorageClass.STRUCTURE, Kind.STEP),
}


class _Nursery:
    """One process that has loaded OPC UA's own address space (seconds) and forks a server from it (an instant).

    It ends with us: its standard input closes when we are gone, and so do the control connections of its children.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="hulian-opcua-")
        self.path = f"{self._directory.name}/nursery"
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hulian.network.exchange.protocols.opcua.simulator_server", self.path],
            stdin=subprocess.PIPE, env=environment,
        )  # fmt: skip
        atexit.register(self.close)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with anyio.fail_after(60):
            while True:
                try:
                    return await asyncio.open_unix_connection(self.path)
                except (FileNotFoundError, ConnectionRefusedError):
                    if self._process.poll() is not None:
                        raise RuntimeError("the simulator's process ended") from None
                    await anyio.sleep(0.02)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)
        self._directory.cleanup()


_nursery: _Nursery | None = None


class Simulator:
    """A server with one variable of each storage class, ``variables`` doubles beside them, and a machine to browse.

    ``user`` and ``password`` make it ask for a login; ``secure`` makes it offer encrypted endpoints only, with a
    certificate of its own (``certificate_days`` may be negative: expired); ``history`` makes it keep the doubles' values.
    """

    logins = True
    tcp = True
    keeps = "session"

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        secure: bool = False,
        variables: int = 0,
        certificate_days: int = 365,
        period: float = 0.0,
        history: bool = False,
    ) -> None:
        self.credentials = Credentials(user=user, password=password)
        self.secure = secure
        self.configuration = OpcuaConfiguration(
            security="best" if secure else "none",
            plain_password=not secure,
            keep_alive=1.0,
            retry_first=0.1,
            retry_longest=1.0,
            timeout=5.0,
            bad_after=1.0,
        )
        self.extras: Mapping[str, Any] = {}
        self.bindings = tuple(
            Binding(
                series=series_id("simulator", "opcua", f"ns=2;s={name}", storage),
                address=f"ns=2;s={name}",
                storage=storage,
                kind=kind,
                writable=True,
            )
            for name, (storage, kind) in _STORAGES.items()
        ) + tuple(
            Binding(series=number + 1, address=f"ns=2;s=V{number}", storage=StorageClass.DOUBLE) for number in range(variables)
        )
        self.bad_binding = Binding(series=0xBAD, address="ns=2;s=Missing", storage=StorageClass.DOUBLE)
        self._options = {
            "user": user, "password": password, "variables": variables, "period": period, "days": certificate_days,
            "history": history,
        }  # fmt: skip
        self._port = 0
        self._control: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.process_id = 0
        """The server's process, 0 where it does not run."""
        self._directory = tempfile.TemporaryDirectory(prefix="hulian-opcua-")

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self._port}/simulator"

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()
            self._directory.cleanup()

    async def start(self) -> None:
        """Starts the server, at the second time on the same port; returns when it serves."""
        global _nursery
        if _nursery is None:
            _nursery = _Nursery()
        self._control = await _nursery.connect()
        options = {**self._options, "secure": self.secure, "directory": self._directory.name, "port": self._port}
        answer = await self._ask(options)
        self._port, self.process_id = answer["port"], answer["process"]

    async def stop(self) -> None:
        """Kills the server as a power cut would."""
        control, self._control = self._control, None
        if control is not None:
            if self.process_id:
                os.kill(self.process_id, signal.SIGKILL)
            await control[0].read()
            control[1].close()
            self.process_id = 0

    def pause(self) -> None:
        """Stops the server's process in its tracks: its sockets stay open and nothing answers."""
        os.kill(self.process_id, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused server go on."""
        os.kill(self.process_id, signal.SIGCONT)

    async def set(self, address: str, value: Any) -> None:
        """Writes ``value`` to a node, in the server; returns when it is written."""
        await self._ask({"do": "set", "address": address, "value": value.hex() if isinstance(value, bytes) else value})

    async def get(self, address: str) -> Any:
        """The value of a node as the server has it."""
        return (await self._ask({"do": "get", "address": address}))["value"]

    async def remove(self, address: str) -> None:
        """Deletes a node."""
        await self._ask({"do": "remove", "address": address})

    async def add(self, address: str, value: float) -> None:
        """Adds a double."""
        await self._ask({"do": "add", "address": address, "value": value})

    async def event(self, source: str, severity: int, message: str) -> None:
        """An event of the machine."""
        await self._ask({"do": "event", "source": source, "severity": severity, "message": message})

    async def alarm(self, name: str, severity: int, message: str, *, active: bool, acked: bool = False) -> None:
        """The state of an alarm of the machine, told to who listens, and again to who asks for a refresh."""
        await self._ask(
            {"do": "alarm", "name": name, "severity": severity, "message": message, "active": active, "acked": acked}
        )

    async def model_changed(self, address: str) -> None:
        """Tells that a node was added."""
        await self._ask({"do": "model", "address": address})

    async def calls(self) -> list[list[Any]]:
        """The arguments with which the machine's method was called."""
        found: list[list[Any]] = (await self._ask({"do": "calls"}))["calls"]
        return found

    async def service_level(self, level: int) -> None:
        """How well the server can serve, 0 to 255."""
        await self._ask({"do": "level", "level": level})

    async def drop_sessions(self) -> None:
        """Closes every client's session on the server's side, as an operator or a full server does."""
        await self._ask({"do": "drop"})

    async def forget(self) -> None:
        """Forgets every session and subscription, as after a restart of the server's software."""
        await self._ask({"do": "forget"})

    async def revoke(self) -> None:
        """From now on the login of `credentials` is refused, and every session has ended."""
        await self._ask({"do": "login", "password": secrets.token_urlsafe(9)})
        await self.forget()

    async def restore(self) -> None:
        """The login of `credentials` is good again."""
        await self._ask({"do": "login", "password": self.credentials.password})

    async def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        if self._control is None:
            raise RuntimeError("the simulator does not run")
        reader, writer = self._control
        writer.write(json.dumps(order).encode() + b"\n")
        await writer.drain()
        with anyio.fail_after(60):
            line = await reader.readline()
        if not line:
            raise RuntimeError("the simulator ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
