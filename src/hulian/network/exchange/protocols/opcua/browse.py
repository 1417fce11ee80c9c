"""What a server shows: its tree of objects and variables, with what an engineer would otherwise type.

Names come from DisplayName, units from EngineeringUnits, limits from EURange, storage and kind from the data type,
writability from AccessLevel. Loops are cut, a level of thousands of nodes is read in paced calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, NamedTuple

import anyio
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Address, Browsed, Environment
from hulian.network.exchange.protocols.opcua import address, security
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import NodeError
from hulian.network.exchange.protocols.opcua.limits import batches
from hulian.network.exchange.protocols.opcua.references import MAXIMUM, NODES_PER_CALL, PAUSE, references
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.table import natural_storage
from hulian.network.exchange.protocols.opcua.units import unit_of
from hulian.network.exchange.protocols.opcua.values import ARRAY, BuiltIn

__all__ = ["browse"]

_WRITABLE: Final = 0x02
_READABLE: Final = 0x01
_PROPERTIES: Final = ("EngineeringUnits", "EURange", "InstrumentRange")


class _Found(NamedTuple):
    node: ua.NodeId
    name: str
    path: tuple[str, ...]
    node_class: ua.NodeClass
    type_definition: ua.NodeId
    depth: int


async def browse(
    url: str, configuration: OpcuaConfiguration, environment: Environment, *, under: Address | None = None, depth: int = 1
) -> AsyncIterator[Browsed]:
    """See `hulian…contract.Protocol.browse`; without ``under`` it begins at the Objects folder."""
    security.authority(url)
    login = security.load_login(configuration, environment.credentials)
    if under is not None:
        address.check(under)
    session = await Session.open(url, configuration, environment, login)
    try:
        async for node in _Browser(session).walk(under, depth):
            yield node
    finally:
        await session.close()


class _Browser:
    """One walk over one server's address space."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._namespaces: list[str] = []
        self._builtin: dict[ua.NodeId, int] = {
            ua.NodeId(ua.Int32(number)): number
            for number in range(1, 26)  # their data types are i=1 … i=25
        }
        self._enumerations: set[ua.NodeId] = {address.standard(ObjectIds.Enumeration)}

    async def walk(self, under: Address | None, depth: int) -> AsyncIterator[Browsed]:
        (answer,) = await self._session.read([address.standard(ObjectIds.Server_NamespaceArray)])
        listed = answer.Value.Value if answer.Value is not None else None
        self._namespaces = [str(uri) for uri in listed] if isinstance(listed, list) else []
        start = address.resolve(under, self._namespaces) if under else address.standard(ObjectIds.ObjectsFolder)
        path = await self._path_of(start) if under else ()
        seen = {start}
        level = deque([_Found(start, "", path, ua.NodeClass.Object, ua.NodeId(), 0)])
        while level:
            following: deque[_Found] = deque()
            for group in batches(level, NODES_PER_CALL):
                children = [child for child in await self._children(group) if not (child.node in seen or seen.add(child.node))]  # type: ignore[func-returns-value]
                if len(seen) > MAXIMUM:
                    raise NodeError(
                        f"the server shows more than {MAXIMUM} nodes",
                        hint="browse one branch at a time",
                        place=self._session.place,
                    )
                for part in batches(children, NODES_PER_CALL):
                    for node in await self._described(part):
                        yield node
                # The server's own diagnostics are hundreds of nodes that nobody means by "everything": only on request.
                own = address.standard(ObjectIds.Server) if under is None else None
                following += [child for child in children if (not depth or child.depth < depth) and child.node != own]
                await anyio.sleep(PAUSE)
            level = following

    async def _path_of(self, node: ua.NodeId) -> tuple[str, ...]:
        """The names from the Objects folder down to ``node``, as far as hierarchical references lead back."""
        names: list[str] = []
        objects = address.standard(ObjectIds.ObjectsFolder)
        while node != objects and len(names) < 32:
            (name,) = await self._session.read([node], AttributeIds.DisplayName)
            if name.Value is None or name.Value.Value is None:
                if not names:
                    raise NodeError("the server has no such node", place=address.write(node, self._namespaces))
                break
            names.insert(0, name.Value.Value.Text or "")
            (above,) = await references(self._session, [node], ObjectIds.HierarchicalReferences, ua.BrowseDirection.Inverse)
            if not above:
                break
            node = above[0].NodeId
        return tuple(names)

    async def _children(self, parents: Sequence[_Found]) -> list[_Found]:
        """Objects and variables below ``parents``; properties are read with their owners and not shown."""
        found: list[_Found] = []
        answers = await references(self._session, [parent.node for parent in parents], ObjectIds.HierarchicalReferences)
        for parent, children in zip(parents, answers, strict=True):
            for reference in children:
                if reference.ReferenceTypeId == address.standard(ObjectIds.HasProperty):
                    continue
                if reference.NodeClass not in (ua.NodeClass.Object, ua.NodeClass.Variable):
                    continue
                if getattr(reference.NodeId, "ServerIndex", 0):
                    continue
                node = ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex, reference.NodeId.NodeIdType)
                name = reference.DisplayName.Text or reference.BrowseName.Name or address.write(node, self._namespaces)
                path = (*parent.path, name)
                definition = ua.NodeId(
                    reference.TypeDefinition.Identifier,
                    reference.TypeDefinition.NamespaceIndex,
                    reference.TypeDefinition.NodeIdType,
                )
                found.append(_Found(node, name, path, ua.NodeClass(reference.NodeClass), definition, parent.depth + 1))
        return found

    async def _described(self, nodes: Sequence[_Found]) -> list[Browsed]:
        variables = [node for node in nodes if node.node_class == ua.NodeClass.Variable]
        facts = dict(zip((node.node for node in variables), await self._facts(variables), strict=True))
        return [
            facts[node.node]
            if node.node in facts
            else Browsed(address=address.write(node.node, self._namespaces), name=node.name, path=node.path, leaf=False)
            for node in nodes
        ]

    async def _facts(self, variables: Sequence[_Found]) -> list[Browsed]:
        """Everything about ``variables`` in three calls, whatever their number."""
        if not variables:
            return []
        asked = (
            AttributeIds.DataType, AttributeIds.ValueRank, AttributeIds.AccessLevel, AttributeIds.UserAccessLevel,
            AttributeIds.Description, AttributeIds.Value,
        )  # fmt: skip
        columns = [await self._attribute([node.node for node in variables], attribute) for attribute in asked]
        await self._learn_types(kind for kind in columns[0] if isinstance(kind, ua.NodeId))
        properties = await self._properties(variables)
        found: list[Browsed] = []
        for place, node in enumerate(variables):
            data_type, rank, level, user_level, description, value = (column[place] for column in columns)
            found.append(self._leaf(node, data_type, rank, _access(level, user_level), description, value, properties[place]))
        return found

    def _leaf(
        self, node: _Found, data_type: Any, rank: Any, access: int, description: Any, value: Any, properties: dict[str, Any]
    ) -> Browsed:
        builtin = self._builtin.get(data_type, 0) if isinstance(data_type, ua.NodeId) else 0
        array = (isinstance(rank, int) and rank >= 0) or isinstance(value, list)
        storage = natural_storage(builtin | (ARRAY if array else 0)) if builtin else _storage_of(value)
        limits = properties.get("EURange") or properties.get("InstrumentRange")
        units = properties.get("EngineeringUnits")
        number = storage in (StorageClass.DOUBLE, StorageClass.INTEGER)
        continuous = storage is StorageClass.DOUBLE or (number and (limits is not None or units is not None))
        if data_type in self._enumerations:
            continuous = False
        return Browsed(
            address=address.write(node.node, self._namespaces),
            name=node.name,
            path=node.path,
            leaf=True,
            storage=storage if access & _READABLE else None,
            kind=Kind.CONTINUOUS if continuous else Kind.STEP,
            unit=unit_of(units) if units is not None else "",
            low=_limit(limits, "Low"),
            high=_limit(limits, "High"),
            writable=bool(access & _WRITABLE),
            description=(description.Text or "") if isinstance(description, ua.LocalizedText) else "",
            value=_shown(value),
        )

    async def _attribute(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[Any]:
        values: list[Any] = []
        for group in batches(nodes, NODES_PER_CALL):
            answers = await self._session.read(group, attribute)
            values += [answer.Value.Value if answer.Value is not None else None for answer in answers]
        return values

    async def _properties(self, variables: Sequence[_Found]) -> list[dict[str, Any]]:
        """EngineeringUnits and the ranges of each variable that has them."""
        owners: list[tuple[int, str, ua.NodeId]] = []
        answers = await references(self._session, [node.node for node in variables], ObjectIds.HasProperty)
        for place, owned in enumerate(answers):
            for reference in owned:
                if reference.BrowseName.Name in _PROPERTIES and not reference.BrowseName.NamespaceIndex:
                    target = reference.NodeId
                    node = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
                    owners.append((place, str(reference.BrowseName.Name), node))
        found: list[dict[str, Any]] = [{} for _ in variables]
        values = await self._attribute([node for _, _, node in owners], AttributeIds.Value)
        for (place, name, _), value in zip(owners, values, strict=True):
            found[place][name] = value
        return found

    async def _learn_types(self, types: Iterable[ua.NodeId]) -> None:
        """Follows each unknown data type up to the built-in type that carries it on the wire."""
        for data_type in set(types) - set(self._builtin):
            chain, node = [data_type], data_type
            while node not in self._builtin and len(chain) < 32:
                if node == address.standard(ObjectIds.Enumeration):
                    self._builtin[node] = BuiltIn.INT32
                    break
                (above,) = await references(self._session, [node], ObjectIds.HasSubtype, ua.BrowseDirection.Inverse)
                if not above:
                    break
                target = above[0].NodeId
                node = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
                chain.append(node)
            carried = self._builtin.get(node, 0)
            for link in chain:
                self._builtin[link] = carried
                if address.standard(ObjectIds.Enumeration) in chain:
                    self._enumerations.add(link)


def _access(level: Any, user_level: Any) -> int:
    """What we may do: both attributes where the server has both."""
    both = [int(value) for value in (level, user_level) if isinstance(value, int)]
    allowed = 0xFF if both else _READABLE
    for value in both:
        allowed &= value
    return allowed


def _storage_of(value: Any) -> StorageClass:
    """For a data type that is abstract (Number, BaseDataType): from the value that stands there now."""
    match value:
        case bool():
            return StorageClass.BOOLEAN
        case int():
            return StorageClass.INTEGER
        case float():
            return StorageClass.DOUBLE
        case str() | ua.LocalizedText():
            return StorageClass.TEXT
        case bytes():
            return StorageClass.BYTES
        case _:
            return StorageClass.STRUCTURE


def _limit(limits: Any, name: str) -> float | None:
    value = getattr(limits, name, None)
    low, high = getattr(limits, "Low", None), getattr(limits, "High", None)
    if not isinstance(value, int | float) or low == high:
        return None
    return float(value)


def _shown(value: Any) -> str:
    """The value for a person to recognise, cut where it is long."""
    if value is None:
        return ""
    text = value.Text or "" if isinstance(value, ua.LocalizedText) else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
