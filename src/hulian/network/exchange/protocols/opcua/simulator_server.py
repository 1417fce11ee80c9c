"""The simulator's server side: ``python -m …opcua.simulator_server SOCKET`` serves forks of itself; see `simulator`.

The first line that comes over a connection holds the options of a new server; each further line is an order, answered by
one line. A server ends with its connection.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.server import Server
from asyncua.server.standard_address_space import standard_address_space
from asyncua.server.user_managers import UserManager
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["main"]

NAMESPACE: Final = "urn:hulian:simulator"
URI: Final = "urn:hulian:simulator:server"

_NODES: Final = (
    ("Double", ua.VariantType.Double, 1.5),
    ("Integer", ua.VariantType.Int64, 7),
    ("Boolean", ua.VariantType.Boolean, True),
    ("Text", ua.VariantType.String, "idle"),
    ("Bytes", ua.VariantType.ByteString, b"\x00\x01"),
    ("Structure", ua.VariantType.Double, [1.0, 2.0]),
)


class _Prepared(InternalServer):
    """A server whose standard address space is filled before there is an event loop."""

    def __init__(self) -> None:
        super().__init__()
        fill: Any = standard_address_space.fill_address_space
        fill(self.node_mgt_service)

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        """Nothing: it is filled."""


class _Users(UserManager):
    """Lets in the one user, or everybody where there is none."""

    def __init__(self, user: str, password: str) -> None:
        self.expected = (user, password)

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if not self.expected[0] or (username, password) == self.expected:
            return User(role=UserRole.User)
        return None


async def _serve(prepared: _Prepared, control: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=control)
    options = json.loads(await reader.readline())
    prepared.bind_condition_methods = 500  # the severity of the events that enclose a refresh
    prepared.user_manager = _Users(options["user"], options["password"])
    server: Any = Server(iserver=prepared)
    await server.init()
    server.set_server_name("Hulian simulator")
    await server.set_application_uri(URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}/simulator")
    if options["secure"]:
        await _secure(server, Path(options["directory"]), options["days"])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.set_identity_tokens([ua.UserNameIdentityToken] if options["user"] else [ua.AnonymousIdentityToken])
    nodes = await _populate(server, options["variables"])
    calls = await _add_method(server)
    async with server:
        if options["history"]:
            for address, node in nodes.items():
                if address.rpartition("=")[2].startswith(("V", "Double")):
                    await server.iserver.enable_history_data_change(node, timedelta(days=1), 100_000)
        sockets = server.bserver._server.sockets  # noqa: SLF001 - the only way to learn the port that the system chose
        _answer(writer, {"port": sockets[0].getsockname()[1], "process": os.getpid()})
        async with anyio.create_task_group() as group:
            if options["period"]:
                group.start_soon(_tick, nodes, options["variables"], options["period"])
            while line := await reader.readline():
                try:
                    answer = await _carry_out(server, nodes, calls, json.loads(line))
                except Exception as error:  # noqa: BLE001 - whatever an order does wrong is told to who gave it
                    answer = {"error": f"{type(error).__name__}: {error}"}
                _answer(writer, answer)
            os._exit(0)


def _answer(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")


async def _secure(server: Any, directory: Path, days: int) -> None:
    """One certificate for the life of the directory, so that a restart does not look like another server."""
    certificate_file, key_file = directory / "certificate.der", directory / "key.pem"
    if not certificate_file.exists():
        key = generate_private_key()
        certificate = _certificate(key, days)
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


def _certificate(key: Any, days: int) -> x509.Certificate:
    """Self-signed, for ``days`` from now; negative: expired that many days ago."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hulian simulator")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
        key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    names = [x509.UniformResourceIdentifier(URI), x509.DNSName("localhost")]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=365))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


async def _populate(server: Any, variables: int) -> dict[str, Node]:
    index = await server.register_namespace(NAMESPACE)
    machine = await server.nodes.objects.add_object(f"ns={index};s=Machine", f"{index}:Machine")
    nodes: dict[str, Node] = {}
    for name, kind, value in _NODES:
        address = f"ns={index};s={name}"
        nodes[address] = await machine.add_variable(address, f"{index}:{name}", value, kind)
        await nodes[address].set_writable()
    limits = ua.Variant(ua.Range(Low=-1000.0, High=1000.0), ua.VariantType.ExtensionObject)
    await nodes[f"ns={index};s=Double"].add_property(f"ns={index};s=Double.EURange", "0:EURange", limits)
    for number in range(variables):
        address = f"ns={index};s=V{number}"
        nodes[address] = await machine.add_variable(address, f"{index}:V{number}", 0.0, ua.VariantType.Double)
    return nodes


async def _add_method(server: Any) -> list[Any]:
    """A method of the machine that notes its arguments: (setpoint Double, count Int32) → their product."""
    calls: list[Any] = []

    def start(parent: Any, setpoint: Any, count: Any) -> Any:
        if setpoint.Value < 0:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadOutOfRange))
        calls.append([setpoint.Value, count.Value])
        return [ua.Variant(setpoint.Value * count.Value, ua.VariantType.Double)]

    def argument(name: str, kind: int) -> ua.Argument:
        return ua.Argument(Name=name, DataType=ua.NodeId(ua.Int32(kind)), ValueRank=-1)

    machine = server.get_node("ns=2;s=Machine")
    await machine.add_method(
        "ns=2;s=Start", "2:Start", start,
        [argument("setpoint", ObjectIds.Double), argument("count", ObjectIds.Int32)], [argument("result", ObjectIds.Double)],
    )  # fmt: skip
    return calls


_FIELD_TYPES: Final = {
    "NodeId": ua.VariantType.NodeId, "ConditionName": ua.VariantType.String, "Retain": ua.VariantType.Boolean,
    "Id": ua.VariantType.Boolean, "ActiveState": ua.VariantType.LocalizedText, "AckedState": ua.VariantType.LocalizedText,
    "Changes": ua.VariantType.ExtensionObject,
}  # fmt: skip


async def _raise_event(server: Any, kind: int, source: str, severity: int, message: str, **fields: Any) -> None:
    """An event of a standard type, as the server's own generator makes it."""
    generator = await server.get_event_generator(ua.NodeId(ua.Int32(kind)), ua.NodeId(ua.Int32(ObjectIds.Server)))
    event = generator.event
    event.SourceName, event.Severity = source, severity
    event.SourceNode = ua.NodeId.from_string("ns=2;s=Machine")
    for name, value in fields.items():
        event.add_property(name.replace("__", "/"), value, _FIELD_TYPES.get(name.partition("__")[2] or name))
    await generator.trigger(message=message)


async def _tick(nodes: dict[str, Node], variables: int, period: float) -> None:
    step = 0
    while True:
        step += 1
        for number in range(variables):
            await nodes[f"ns=2;s=V{number}"].write_value(float(step))
        await anyio.sleep(period)


async def _carry_out(server: Any, nodes: dict[str, Node], calls: list[Any], order: dict[str, Any]) -> dict[str, Any]:
    address = order.get("address", "")
    match order["do"]:
        case "set":
            node: Any = nodes[address]
            kind = (await node.read_data_value()).Value.VariantType
            value = order["value"]
            if kind == ua.VariantType.ByteString:
                value = bytes.fromhex(value)
            await node.write_value(_data_value(ua.Variant(value, kind)))
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
        case _:
            return await _carry_out_for_all(server, calls, order)


async def _carry_out_for_all(server: Any, calls: list[Any], order: dict[str, Any]) -> dict[str, Any]:
    """Orders that concern no single value."""
    match order["do"]:
        case "event":
            await _raise_event(server, ObjectIds.BaseEventType, order["source"], order["severity"], order["message"])
            return {}
        case "alarm":
            active = order["active"]
            retain = active or not order["acked"]
            await _raise_event(
                server, ObjectIds.AlarmConditionType, "Machine", order["severity"], order["message"],
                NodeId=ua.NodeId(order["name"], ua.Int16(2)), ConditionName=order["name"], Retain=retain,
                ActiveState=ua.LocalizedText("Active" if active else "Inactive"), ActiveState__Id=active,
                AckedState=ua.LocalizedText("Acked" if order["acked"] else "Unacked"), AckedState__Id=order["acked"],
            )  # fmt: skip
            return {}
        case "model":
            change = ua.ModelChangeStructureDataType(Affected=ua.NodeId.from_string(order["address"]), Verb=1)
            await _raise_event(
                server, ObjectIds.GeneralModelChangeEventType, "Server", 100, "the model has changed", Changes=[change]
            )
            return {}
        case "calls":
            return {"calls": calls}
        case "level":
            await server.get_node(ua.NodeId(ua.Int32(ObjectIds.Server_ServiceLevel))).write_value(
                ua.Variant(order["level"], ua.VariantType.Byte)
            )
            return {}
        case "login":
            manager = server.iserver.user_manager
            server.iserver.user_manager = _Users(manager.expected[0], order["password"])
            return {}
        case "forget":
            # The history is itself a subscriber, within the server: it keeps what it had not yet stored.
            service = server.iserver.subscription_service
            within = server.iserver.isession.session_id
            foreign = [number for number, one in service.subscriptions.items() if one.session_id != within]
            await service.delete_subscriptions(foreign)
            for protocol in list(server.bserver.clients):
                await protocol.processor.close()
                protocol.transport.close()
            return {}
        case "drop":
            for protocol in list(server.bserver.clients):
                await protocol.processor.close()
                protocol.transport.close()
            return {}
        case other:
            raise ValueError(f"unknown order {other!r}")


def _data_value(value: ua.Variant) -> Any:
    now: Any = datetime.now(UTC)
    return ua.DataValue(value, SourceTimestamp=now, ServerTimestamp=now)


def main(path: str) -> None:
    """Prepares a server, then forks one for each connection to the Unix socket ``path`` until the standard input ends."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    prepared = _Prepared()
    gc.freeze()
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        control, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(_serve(prepared, control))
            os._exit(0)
        control.close()


if __name__ == "__main__":
    main(sys.argv[1])
