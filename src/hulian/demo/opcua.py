"""Reactor, separator, disturbances and the plant's own state, served by OPC UA."""

from __future__ import annotations

import hmac
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import anyio
import asyncua.server.server
import asyncua.ua
from asyncua.crypto.permission_rules import User, UserRole

from hulian.demo.certificate import server_certificate
from hulian.demo.configuration import DemoConfiguration
from hulian.demo.live import LivePlant
from hulian.demo.memory import forget_modules
from hulian.demo.ports import check_port
from hulian.demo.signals import REACTOR, SEPARATOR, Signal
from hulian.demo.variables import NAMESPACE, VARIABLES, Variable, node_name
from hulian.kernel.storage import StorageClass

__all__ = ["APPLICATION_URI", "OpcuaPlant", "serve_opcua"]

APPLICATION_URI: Final = "urn:hulian:demo:opcua-server"
_INDEX: Final = 2
# asyncua's annotations contradict its own calls (a str where it says String): its names are used unchecked.
Server: Any = asyncua.server.server.Server
ua: Any = asyncua.ua
_UNITS_URI: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
_TYPES: Final = {
    StorageClass.BOOLEAN: "Boolean",
    StorageClass.TEXT: "String",
    StorageClass.INTEGER: "Int32",
    StorageClass.DOUBLE: "Double",
}
_GROUPS: Final = (("Reactor", "反应器", REACTOR), ("Separator", "产品分离器", SEPARATOR))


class _Users:
    """One user by name and password, or everybody where none is configured."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if not self._user:
            return User(role=UserRole.User)
        same = hmac.compare_digest((username or "").encode(), self._user.encode())
        same &= hmac.compare_digest((password or "").encode(), self._password.encode())
        return User(role=UserRole.User, name=self._user) if same else None


@dataclass(slots=True)
class _Shown:
    """One node that shows a value of the plant, and its last notified value."""

    node: Any
    kind: Any
    read: Callable[[LivePlant], Any]
    continuous: bool
    shown: Any = field(default=None)


class OpcuaPlant:
    """The address space over one `LivePlant`; `publish` shows its values of now."""

    def __init__(self, server: Any, plant: LivePlant) -> None:
        self._server = server
        self._plant = plant
        self._variables: list[_Shown] = []
        self._own: Any = None

    async def build(self) -> None:
        """Create every node below Objects/TennesseeEastman."""
        index = await self._server.register_namespace(NAMESPACE)
        if index != _INDEX:
            raise RuntimeError(f"namespace index {index} instead of {_INDEX}")
        root = await self._object(
            self._server.nodes.objects, "TennesseeEastman", "Tennessee Eastman process", "田纳西-伊斯曼过程"
        )
        for group, chinese, signals in _GROUPS:
            parent = await self._object(root, group, group, chinese)
            for signal in signals:
                await self._add_signal(parent, group, signal)
        parents = {
            "Disturbances": await self._object(
                root, "Disturbances", "Published disturbances IDV(1) to IDV(20)", "已公布的扰动IDV(1)至IDV(20)"
            ),
            "Plant": await self._object(root, "Plant", "State of the plant", "装置状态"),
        }
        for variable in VARIABLES:
            await self._add_variable(parents[variable.group], variable)

    async def _add_variable(self, parent: Any, variable: Variable) -> None:
        node = await self._node(
            parent,
            variable.group,
            variable.name,
            variable.read(self._plant),
            getattr(ua.VariantType, _TYPES[variable.storage]),
            f"{variable.english} / {variable.chinese}",
            variable.read,
        )
        if variable.apply is not None:
            await self._accept(node, partial(variable.apply, self._plant), variable.low, variable.high)

    async def _object(self, parent: Any, name: str, english: str, chinese: str) -> Any:
        node = await parent.add_object(ua.StringNodeId(name, _INDEX), ua.QualifiedName(name, _INDEX))
        await _describe(node, f"{english} / {chinese}")
        return node

    async def _add_signal(self, parent: Any, group: str, signal: Signal) -> None:
        node = await self._node(
            parent, group, signal.browse_name, 0.0, ua.VariantType.Double,
            f"{signal.tag} {signal.english} / {signal.chinese}", lambda plant: signal.value(plant.simulation),
            analog=signal,
        )  # fmt: skip
        if signal.writable:
            await self._accept(node, lambda value: signal.set(self._plant.simulation, value), signal.low, signal.high)

    async def _node(
        self,
        parent: Any,
        group: str,
        name: str,
        value: Any,
        kind: Any,
        description: str,
        read: Callable[[LivePlant], Any],
        *,
        analog: Signal | None = None,
    ) -> Any:
        identity = ua.StringNodeId(node_name(group, name), _INDEX)
        node = await parent.add_variable(identity, ua.QualifiedName(name, _INDEX), value, kind)
        await _describe(node, description)
        if analog is not None:
            await _make_analog(node, analog)
        continuous = analog is not None and not analog.where.target
        self._variables.append(_Shown(identity, kind, read, continuous))
        return node

    async def _accept(
        self, node: Any, apply: Callable[[Any], None], low: float | None = None, high: float | None = None
    ) -> None:
        """Let a client write ``node``: a value in range takes effect at once, another is refused."""

        variable = next(variable for variable in self._variables if variable.node == node.nodeid)

        def setter(data: Any, attribute: Any, written: Any) -> None:
            data_value = data.attributes[attribute]
            if written is self._own:
                data_value.value = written
                return
            value = written.Value.Value if written.Value is not None else None
            if value is None:
                raise ua.UaStatusCodeError(ua.StatusCodes.BadTypeMismatch)
            if low is not None and high is not None and not (math.isfinite(value) and low <= value <= high):
                raise ua.UaStatusCodeError(ua.StatusCodes.BadOutOfRange)
            apply(value)
            data_value.value = written
            variable.shown = value

        await node.set_writable()
        self._server.set_attribute_value_setter(node.nodeid, setter)

    async def publish(self, now: datetime) -> None:
        """Show every measurement, and what else has changed, with ``now`` as its source time."""
        for variable in self._variables:
            value = variable.read(self._plant)
            if not variable.continuous and value == variable.shown:
                continue
            variable.shown = value
            self._own = ua.DataValue(ua.Variant(value, variable.kind), SourceTimestamp=now, ServerTimestamp=now)
            await self._server.write_attribute_value(variable.node, self._own)


async def _describe(node: Any, text: str) -> None:
    await node.write_attribute(ua.AttributeIds.Description, ua.DataValue(ua.LocalizedText(text, "en")))


async def _make_analog(node: Any, signal: Signal) -> None:
    """The node becomes an AnalogItemType (OPC 10000-8, 5.3.2.3) with its unit and range."""
    await node.delete_reference(ua.ObjectIds.BaseDataVariableType, ua.ObjectIds.HasTypeDefinition, bidirectional=False)
    await node.add_reference(ua.ObjectIds.AnalogItemType, ua.ObjectIds.HasTypeDefinition, bidirectional=False)
    identity = node.nodeid.Identifier
    unit = ua.EUInformation(
        NamespaceUri=_UNITS_URI,
        UnitId=signal.unit.opcua,
        DisplayName=ua.LocalizedText(signal.unit.shown, "en"),
        Description=ua.LocalizedText(signal.unit.name, "en"),
    )
    for name, value in (("EngineeringUnits", unit), ("EURange", ua.Range(Low=signal.low, High=signal.high))):
        await node.add_property(ua.StringNodeId(f"{identity}.{name}", _INDEX), ua.QualifiedName(name, 0), value)


@asynccontextmanager
async def serve_opcua(configuration: DemoConfiguration, plant: LivePlant, password: str) -> AsyncIterator[OpcuaPlant]:
    """The server, listening for the length of the block. Raises `PortInUseError` and the like before it begins."""
    settings = configuration.opcua
    check_port(configuration.host, settings.port, "the demo plant's OPC UA server")
    server = Server(user_manager=_Users(settings.user, password))
    await server.init()
    forget_modules("asyncua.server.standard_address_space")
    await server.set_application_uri(APPLICATION_URI)
    server.product_uri = "urn:hulian:demo"
    server.manufacturer_name = "Hulian"
    server.set_server_name("Tennessee Eastman process")
    host = f"[{configuration.host}]" if ":" in configuration.host else configuration.host
    server.set_endpoint(f"opc.tcp://{host}:{settings.port}/")
    policies = [
        ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
        ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ]
    if not settings.encryption:
        policies = [ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_Sign, *policies]
    server.set_security_policy(policies)
    server.set_identity_tokens([ua.UserNameIdentityToken if settings.user else ua.AnonymousIdentityToken])
    certificate, key = await anyio.to_thread.run_sync(
        server_certificate, configuration.state, APPLICATION_URI, configuration.host
    )
    await server.load_certificate(certificate, "DER")
    await server.load_private_key(key, format="PEM")
    space = OpcuaPlant(server, plant)
    await space.build()
    await space.publish(datetime.now(UTC))
    await server.start()
    try:
        yield space
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await server.stop()
