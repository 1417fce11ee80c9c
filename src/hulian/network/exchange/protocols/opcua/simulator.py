"""A real OPC UA server in a process of its own, for tests and for trying things out.

    async with Simulator() as simulator:
        simulator.url, simulator.bindings
        await simulator.set("ns=2;s=Double", 3.5)
        await simulator.stop()      # killed, without a goodbye
        await simulator.start()     # the same port, the same nodes
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio
from asyncua import Server, ua
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.server.user_managers import User, UserRole  # type: ignore[attr-defined]
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from hulian.kernel.identifier import series_id
from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration

__all__ = ["Simulator"]

NAMESPACE: Final = "urn:hulian:simulator"
URI: Final = "urn:hulian:simulator:server"

_NODES: Final[tuple[tuple[str, ua.VariantType, Any, StorageClass, Kind], ...]] = (
    ("Double", ua.VariantType.Double, 1.5, StorageClass.DOUBLE, Kind.CONTINUOUS),
    ("Integer", ua.VariantType.Int64, 7, StorageClass.INTEGER, Kind.STEP),
    ("Boolean", ua.VariantType.Boolean, True, StorageClass.BOOLEAN, Kind.STEP),
    ("Text", ua.VariantType.String, "idle", StorageClass.TEXT, Kind.STEP),
    ("Bytes", ua.VariantType.ByteString, b"\x00\x01", StorageClass.BYTES, Kind.STEP),
    ("Structure", ua.VariantType.Double, [1.0, 2.0], StorageClass.STRUCTURE, Kind.STEP),
)


class Simulator:
    """A server with one variable of each storage class, ``variables`` doubles beside them, and a machine to browse.

    ``user`` and ``password`` make it ask for a login; ``secure`` makes it offer encrypted endpoints only, with a
    certificate of its own (``certificate_days`` may be negative: expired).
    """

    logins = True

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        secure: bool = False,
        variables: int = 0,
        certificate_days: int = 365,
        period: float = 0.0,
    ) -> None:
        self.credentials = Credentials(user=user, password=password)
        self.secure = secure
        self.configuration = OpcuaConfiguration(
            security="best" if secure else "none", plain_password=not secure, keep_alive=1.0, retry_first=0.1, retry_longest=1.0,
            timeout=5.0, bad_after=1.0,
        )  # fmt: skip
        self.extras: Mapping[str, Any] = {}
        self.bindings = tuple(
            Binding(
                series=series_id("simulator", "opcua", f"ns=2;s={name}", storage),
                address=f"ns=2;s={name}",
                storage=storage,
                kind=kind,
                writable=True,
            )
            for name, _, _, storage, kind in _NODES
        ) + tuple(
            Binding(series=number + 1, address=f"ns=2;s=V{number}", storage=StorageClass.DOUBLE) for number in range(variables)
        )
        self.bad_binding = Binding(series=0xBAD, address="ns=2;s=Missing", storage=StorageClass.DOUBLE)
        self._options = {
            "user": user, "password": password, "variables": variables, "period": period, "days": certificate_days,
        }  # fmt: skip
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="hulian-opcua-")

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self._port}/simulator"

    @property
    def process_id(self) -> int:
        """The server's process, 0 where it does not run."""
        return self._process.pid if self._process else 0

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()
            self._directory.cleanup()

    async def start(self) -> None:
        """Starts the server, at the second time on the same port; returns when it serves."""
        options = json.dumps({**self._options, "secure": self.secure, "directory": self._directory.name, "port": self._port})
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__ if __name__ != "__main__" else __spec__.name, options,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._port = (await self._answer())["port"]

    async def stop(self) -> None:
        """Kills the server as a power cut would."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
            if process.stdin is not None:
                process.stdin.close()

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

    async def drop_sessions(self) -> None:
        """Closes every client's session on the server's side, as an operator or a full server does."""
        await self._ask({"do": "drop"})

    async def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("the simulator does not run")
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the simulator does not run")
        with anyio.fail_after(30):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the simulator ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


class _Users:
    """Lets in the one user, or everybody where there is none."""

    def __init__(self, user: str, password: str) -> None:
        self._expected = (user, password)

    def get_user(self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None) -> User | None:
        if not self._expected[0] or (username, password) == self._expected:
            return User(role=UserRole.User)
        return None


async def _serve(options: dict[str, Any]) -> None:
    server = Server(user_manager=_Users(options["user"], options["password"]))
    await server.init()
    server.set_server_name("Hulian simulator")
    await server.set_application_uri(URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}/simulator")
    if options["secure"]:
        await _secure(server, Path(options["directory"]), options["days"])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    tokens: list[type] = [ua.UserNameIdentityToken] if options["user"] else [ua.AnonymousIdentityToken]
    server.set_identity_tokens(tokens)
    nodes = await _populate(server, options["variables"])
    async with server:
        sockets = server.bserver._server.sockets  # noqa: SLF001 - the only way to learn the port that the system chose
        print(json.dumps({"port": sockets[0].getsockname()[1]}), flush=True)  # noqa: T201 - the answer to who started us
        async with anyio.create_task_group() as group:
            if options["period"]:
                group.start_soon(_tick, server, nodes, options["variables"], options["period"])
            await _obey(server, nodes)
            group.cancel_scope.cancel()


async def _secure(server: Server, directory: Path, days: int) -> None:
    """One certificate for the life of the directory, so that a restart does not look like another server."""
    certificate_file, key_file = directory / "certificate.der", directory / "key.pem"
    if not certificate_file.exists():
        key = generate_private_key()
        certificate = generate_self_signed_app_certificate(
            key, "Hulian simulator", {}, [x509.UniformResourceIdentifier(URI), x509.DNSName("localhost")],
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], max(days, 1),
        ) if days > 0 else _expired(key)  # fmt: skip
        certificate_file.write_bytes(certificate.public_bytes(Encoding.DER))
        key_file.write_bytes(dump_private_key_as_pem(key))
    await server.load_certificate(str(certificate_file))
    await server.load_private_key(str(key_file))
    server.set_security_policy(
        [
            ua.SecurityPolicyType.Basic256Sha256_Sign,
            ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
            ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
            ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
        ]
    )


def _expired(key: Any) -> x509.Certificate:
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hulian simulator")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30)).not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URI)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip


async def _populate(server: Server, variables: int) -> dict[str, Node]:
    index = await server.register_namespace(NAMESPACE)
    machine = await server.nodes.objects.add_object(f"ns={index};s=Machine", f"{index}:Machine")
    nodes: dict[str, Node] = {}
    for name, kind, value, _, _ in _NODES:
        address = f"ns={index};s={name}"
        nodes[address] = await machine.add_variable(address, f"{index}:{name}", value, kind)
        await nodes[address].set_writable()
    for number in range(variables):
        address = f"ns={index};s=V{number}"
        nodes[address] = await machine.add_variable(address, f"{index}:V{number}", 0.0, ua.VariantType.Double)
    return nodes


async def _tick(server: Server, nodes: dict[str, Node], variables: int, period: float) -> None:
    step = 0
    while True:
        step += 1
        for number in range(variables):
            await nodes[f"ns=2;s=V{number}"].write_value(float(step))
        await anyio.sleep(period)


async def _obey(server: Server, nodes: dict[str, Node]) -> None:
    """Carries out one order a line until the input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer = await _carry_out(server, nodes, json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever an order does wrong is told to who gave it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)  # noqa: T201


async def _carry_out(server: Server, nodes: dict[str, Node], order: dict[str, Any]) -> dict[str, Any]:
    address = order.get("address", "")
    match order["do"]:
        case "set":
            node = nodes[address]
            kind = (await node.read_data_value()).Value.VariantType
            value = order["value"]
            if kind == ua.VariantType.ByteString:
                value = bytes.fromhex(value)
            await node.write_value(ua.DataValue(ua.Variant(value, kind), SourceTimestamp=_now(), ServerTimestamp=_now()))
            return {}
        case "get":
            value = await nodes[address].read_value()
            return {"value": value.hex() if isinstance(value, bytes) else value}
        case "remove":
            await server.delete_nodes([nodes.pop(address)])
            return {}
        case "add":
            parent = server.get_node("ns=2;s=Machine")
            nodes[address] = await parent.add_variable(address, f"2:{address.rpartition('=')[2]}", float(order["value"]))
            return {}
        case "drop":
            for protocol in list(server.bserver.clients):
                await protocol.processor.close()
                protocol.transport.close()
            return {}
        case other:
            raise ValueError(f"unknown order {other!r}")


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def main() -> None:
    """Serves with the options given as one JSON argument until the standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("options", help="JSON: user, password, secure, variables, period, days, directory, port")
    options = json.loads(parser.parse_args().options)
    import logging

    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


if __name__ == "__main__":
    main()
