"""Asset Interfaces Description (IDTA 02017) to proposals of connectors and points: plain data, in the terms of the catalogue.

A proposal is what a person would type: protocol, URL, settings, and for each property its address, type, unit and meaning.
Nothing is guessed in silence: what the description leaves open or asks for what no connector does is in ``gaps``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.aas.references import target_of
from hulian.network.exchange.semantics.aas.templates import template_of
from hulian.network.exchange.semantics.contract import Node, Reference, Relation

__all__ = ["ConnectorProposal", "PointProposal", "proposals"]


class PointProposal(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A point to be bound; ``node`` is the property in the description, ``sink`` the property of another submodel that it
    feeds by a mapping configuration (IDTA 02027)."""

    name: str
    address: str
    storage: StorageClass
    node: str
    unit: str = ""
    meaning: str = ""
    low: float | None = None
    high: float | None = None
    writable: bool = False
    texts: dict[str, str] = {}
    options: dict[str, Any] = {}
    sink: str = ""


class ConnectorProposal(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A connector to be made, as the catalogue takes it, and its points."""

    name: str
    protocol: str
    url: str
    settings: dict[str, Any] = {}
    points: list[PointProposal] = []
    gaps: list[str] = []


_PROTOCOLS: Final = (
    ("modbus", re.compile(r"modbus", re.IGNORECASE)),
    ("mqtt", re.compile(r"mqtt", re.IGNORECASE)),
    ("opcua", re.compile(r"opc\.tcp|opcua|opcfoundation|OPC-UA", re.IGNORECASE)),
    ("http", re.compile(r"^https?:|/2011/http|/http", re.IGNORECASE)),
)
_STORAGE: Final = {
    "number": StorageClass.DOUBLE,
    "integer": StorageClass.INTEGER,
    "boolean": StorageClass.BOOLEAN,
    "string": StorageClass.TEXT,
    "": StorageClass.DOUBLE,
}
_TABLES: Final = {"coil": "coil", "discreteinput": "discrete", "holdingregister": "holding", "inputregister": "input"}
_FUNCTIONS: Final = {
    "readcoil": "coil",
    "readdiscreteinput": "discrete",
    "readdiscreteinputs": "discrete",
    "readholdingregisters": "holding",
    "readinputregisters": "input",
    "readmultipleholdingregisters": "holding",
    "writesinglecoil": "coil",
    "writemultiplecoils": "coil",
    "writesingleholdingregister": "holding",
    "writemultipleholdingregisters": "holding",
    "1": "coil",
    "2": "discrete",
    "3": "holding",
    "4": "input",
}
_TYPES: Final = {
    "float": "float32",
    "double": "float64",
    "decimal": "float64",
    "byte": "int16",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "unsignedbyte": "uint16",
    "unsignedshort": "uint16",
    "unsignedint": "uint32",
    "unsignedlong": "uint64",
}
_WORDS: Final = {1: "16", 2: "32", 4: "64"}


class _Tree:
    """Nodes below a submodel, by parent."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.submodels: list[Node] = []
        self._below: dict[str, list[Node]] = {}
        for node in nodes:
            if node.extra.get("aas", {}).get("modelType") == "Submodel":
                self.submodels.append(node)
            self._below.setdefault(node.parent, []).append(node)

    def below(self, node: Node | None) -> list[Node]:
        return self._below.get(node.id, []) if node is not None else []

    def child(self, node: Node | None, *names: str) -> Node | None:
        for name in names:
            node = next((one for one in self.below(node) if one.name.lower() == name.lower()), None)
        return node

    def text(self, node: Node | None, *names: str) -> str:
        found = self.child(node, *names)
        return (found.value or "").strip() if found is not None else ""


def proposals(nodes: Iterable[Node], references: Iterable[Reference] = ()) -> list[ConnectorProposal]:
    """One proposal for each interface of each Asset Interfaces Description among ``nodes``.

    ``references`` are those of the same document: a mapping configuration's relations say which property a point feeds.
    """
    tree = _Tree(nodes)
    sinks = {one.source: one.target for one in references if one.relation == Relation.LINK}
    found = []
    for submodel in tree.submodels:
        known = template_of(submodel.meanings[0]) if submodel.meanings else None
        if known is None or known[0].number != "IDTA 02017":
            continue
        interfaces = [one for one in tree.below(submodel) if tree.child(one, "EndpointMetadata") is not None]
        found += [_Interface(tree, one, sinks).proposal() for one in interfaces]
    return found


class _Interface:
    """One interface that is being read."""

    def __init__(self, tree: _Tree, node: Node, sinks: dict[str, str]) -> None:
        self._tree, self._node, self._sinks = tree, node, sinks
        self._endpoint = tree.child(node, "EndpointMetadata")
        self._base = tree.text(self._endpoint, "base")
        self.gaps: list[str] = []
        self._seconds: list[float] = []

    def proposal(self) -> ConnectorProposal:
        protocol = self._protocol()
        if not self._base:
            self.gaps.append("EndpointMetadata/base is empty: the URL of the device must be given")
        self._security()
        points = [
            point
            for one in self._tree.below(self._tree.child(self._node, "InteractionMetadata", "properties"))
            for point in self._property(protocol, one, (one.name,), one)
        ]
        url, settings = self._connection(protocol, points)
        name = self._tree.text(self._node, "title") or self._node.name
        return ConnectorProposal(name=name, protocol=protocol, url=url, settings=settings, points=points, gaps=self.gaps)

    def _protocol(self) -> str:
        marks = [self._base, *self._node.meanings[1:], self._node.name]
        for mark in marks:
            for protocol, pattern in _PROTOCOLS:
                if mark and pattern.search(mark):
                    return protocol
        self.gaps.append("neither base nor semantic ids tell the protocol")
        return ""

    def _security(self) -> None:
        listed = self._tree.child(self._endpoint, "security")
        for one in self._tree.below(listed):
            try:
                reference = msgspec.json.decode(one.value or "null")
            except msgspec.DecodeError:
                continue
            scheme = target_of(reference, "").rpartition(".")[2] if reference else ""
            if scheme and not scheme.startswith("nosec") and "securityDefinitions" in (one.value or ""):
                self.gaps.append(f"the device asks for {scheme}: the credentials must be given")

    # ------------------------------------------------ properties

    def _property(self, protocol: str, node: Node, path: tuple[str, ...], owner: Node) -> Iterator[PointProposal]:
        tree = self._tree
        below = tree.child(node, "properties")
        if below is not None:
            for one in tree.below(below):
                yield from self._property(protocol, one, (*path, tree.text(one, "key") or one.name), owner)
            return
        forms = tree.child(owner, "forms")
        if forms is None:
            self.gaps.append(f"{owner.name} has no form")
            return
        kind = tree.text(node, "type")
        if kind in ("array", "object"):
            self.gaps.append(f"{'.'.join(path)} is of type {kind}: bind its parts by hand")
            return
        storage = _STORAGE.get(kind, StorageClass.TEXT)
        options: dict[str, Any] = {}
        address, typed = self._address(protocol, forms, path, kind, options)
        if not address:
            return
        low, high = self._limits(node)
        yield PointProposal(
            name=".".join(path),
            address=address,
            storage=typed or storage,
            node=node.id,
            unit=tree.text(node, "unit"),
            meaning=self._meaning(node),
            low=low,
            high=high,
            writable=tree.text(node, "readOnly") == "false" or tree.text(owner, "writeOnly") == "true",
            texts=self._texts(node),
            options=options,
            sink=self._sinks.get(node.id, ""),
        )

    def _texts(self, node: Node) -> dict[str, str]:
        title = self._tree.text(node, "title")
        return node.descriptions or node.labels or ({"en": title} if title else {})

    def _meaning(self, node: Node) -> str:
        stated = self._tree.child(node, "valueSemantics")
        if stated is not None and stated.value:
            try:
                keys = msgspec.json.decode(stated.value).get("keys", [])
            except (msgspec.DecodeError, AttributeError):
                keys = []
            if keys:
                return str(keys[-1].get("value", ""))
        return node.meanings[1] if len(node.meanings) > 1 else ""

    def _limits(self, node: Node) -> tuple[float | None, float | None]:
        limits = self._tree.child(node, "min_max")
        if limits is None or limits.constraints is None:
            return None, None
        return _number(limits.constraints.low), _number(limits.constraints.high)

    def _address(
        self, protocol: str, forms: Node, path: tuple[str, ...], kind: str, options: dict[str, Any]
    ) -> tuple[str, StorageClass | None]:
        href = self._tree.text(forms, "href")
        if protocol == "modbus":
            return self._register(forms, href, path, kind, options)
        if protocol == "opcua":
            return self._opcua(href, path), None
        if protocol == "mqtt":
            topic = self._tree.text(forms, "mqv_topic") or self._tree.text(forms, "mqv_filter") or _without_base(href)
            if not topic or "+" in topic or "#" in topic:
                self.gaps.append(f"{'.'.join(path)}: {topic!r} is no topic of one value")
                return "", None
            keys = ".".join(_escaped(key) for key in path[1:]) or "$"
            return f"json:{topic}:{keys}", None
        if protocol == "http":
            stream = _without_base(href) or self._node.name
            keys = ".".join(_escaped(key) for key in path[1:]) or path[0]
            return f"json:{quote(stream, safe='')}:{keys}", None
        return "", None

    def _opcua(self, href: str, path: tuple[str, ...]) -> str:
        found = re.search(r"(?:[?&]id=|/)?((?:nsu=[^;]+;|ns=\d+;)?[isgb]=.+)$", unquote(href))
        if not found:
            self.gaps.append(f"{'.'.join(path)}: {href!r} names no node id")
            return ""
        return found[1]

    def _register(
        self, forms: Node, href: str, path: tuple[str, ...], kind: str, options: dict[str, Any]
    ) -> tuple[str, StorageClass | None]:
        name = ".".join(path)
        parts = urlsplit(href if "://" in href else f"modbus://x/{href.lstrip('/')}")
        steps = [step for step in parts.path.split("/") if step]
        if not steps or not all(step.isdigit() for step in steps[-2:]) or len(steps) > 2:
            self.gaps.append(f"{name}: {href!r} names no register")
            return "", None
        query = parse_qs(parts.query)
        quantity = int((query.get("quantity") or ["1"])[0] or 1) if (query.get("quantity") or ["1"])[0].isdigit() else 1
        table = _TABLES.get(self._tree.text(forms, "modv_entity").lower()) or _FUNCTIONS.get(
            self._tree.text(forms, "modv_function").lower()
        )
        if table is None:
            self.gaps.append(f"{name}: neither modv_entity nor modv_function tells the table; holding registers are taken")
            table = "holding"
        number = int(steps[-1])
        zero = self._flag(forms, "modv_zeroBasedAddressing")
        offset = number if zero else number - 1
        if not 0 <= offset <= 65_535:
            self.gaps.append(f"{name}: register {number} lies outside of the table")
            return "", None
        self._times(forms, options)
        unit = f"{steps[0]}/" if len(steps) == 2 else ""
        if table in ("coil", "discrete"):
            return f"{unit}{table}@{offset}", StorageClass.BOOLEAN
        type_, width = self._width(self._tree.text(forms, "modv_type"), quantity, kind, name)
        order = self._order(forms, width)
        storage = StorageClass.DOUBLE if type_.startswith("float") else None
        if type_.startswith("string"):
            storage = StorageClass.TEXT
        elif type_.startswith("bytes"):
            storage = StorageClass.BYTES
        elif storage is None:
            storage = StorageClass.DOUBLE if kind == "number" else StorageClass.INTEGER
        return f"{unit}{table}@{offset}:{type_}" + (f":{order}" if order else ""), storage

    def _width(self, declared: str, quantity: int, kind: str, name: str) -> tuple[str, int]:
        plain = declared.rpartition(":")[2].lower()
        if plain in ("string", "hexbinary", "base64binary") or (not plain and kind == "string"):
            return f"{'string' if plain in ('string', '') else 'bytes'}[{min(quantity * 2, 250)}]", 0
        if plain in _TYPES:
            type_ = _TYPES[plain]
            # A declared int in one register, or a short in two: the registers are what is on the wire.
            if type_.startswith(("int", "uint")) and quantity in _WORDS and plain in ("int", "unsignedint"):
                type_ = type_.rstrip("0123456789") + _WORDS[quantity]
        else:
            if plain not in ("", "integer", "nonnegativeinteger", "positiveinteger", "boolean"):
                self.gaps.append(f"{name}: type {declared!r} is not known; it is told by {quantity} registers")
            sign = "uint" if plain in ("nonnegativeinteger", "positiveinteger", "boolean") or not plain else "int"
            stem = "float" if kind == "number" and quantity in (2, 4) and not plain else sign
            type_ = stem + _WORDS.get(quantity, "16")
        return type_, int(type_.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8

    def _order(self, forms: Node, width: int) -> str:
        if width < 2:
            return ""
        bytes_, words = self._flag(forms, "modv_mostSignificantByte", True), self._flag(forms, "modv_mostSignificantWord", True)
        letters = "abcdefgh"[:width]
        pairs = [letters[at : at + 2] for at in range(0, width, 2)]
        if not words:
            pairs.reverse()
        order = "".join(pair if bytes_ else pair[::-1] for pair in pairs)
        return "" if bytes_ and words else order

    def _flag(self, forms: Node, name: str, default: bool = False) -> bool:
        text = (self._tree.text(forms, name) or self._tree.text(self._endpoint, name)).lower()
        return text in ("true", "1") if text else default

    def _times(self, forms: Node, options: dict[str, Any]) -> None:
        polling = _number(self._tree.text(forms, "modv_pollingTime"))
        if polling and 0 < polling <= 86_400_000:
            options["interval"] = polling / 1000
        timeout = _number(self._tree.text(forms, "modv_timeout"))
        if timeout and 0 < timeout <= 86_400_000:
            self._seconds.append(timeout / 1000)

    # ------------------------------------------------ the connection

    def _connection(self, protocol: str, points: list[PointProposal]) -> tuple[str, dict[str, Any]]:
        base = self._base.rstrip("/")
        if protocol == "modbus":
            parts = urlsplit(base)
            host = parts.netloc or base
            unit = parts.path.strip("/")
            settings: dict[str, Any] = {"timeout": max(self._seconds)} if self._seconds else {}
            if unit.isdigit() and int(unit) <= 255:
                settings["unit"] = int(unit)
            return (f"modbus://{host}" if host else ""), settings
        if protocol == "mqtt":
            topics = sorted({point.address.split(":", 1)[1].rpartition(":")[0] for point in points})
            qos = {self._tree.text(self._tree.child(one, "forms"), "mqv_qos") for one in self._properties()}
            asked = [int(one) for one in qos if one in ("0", "1", "2")]
            settings = {"topics": topics} if topics else {}
            if asked:
                settings["broker"] = {"qos": max(asked)}
            return base, settings
        if protocol == "http":
            self.gaps.append(
                "the device answers requests; the HTTP connector takes what is pushed: let the device push, or a gateway"
            )
        return base, {}

    def _properties(self) -> list[Node]:
        return self._tree.below(self._tree.child(self._node, "InteractionMetadata", "properties"))


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _escaped(key: str) -> str:
    return key.replace("%", "%25").replace(".", "%2E").replace(":", "%3A")


def _without_base(href: str) -> str:
    """A path without scheme, host and leading slash."""
    return urlsplit(href).path.lstrip("/") if "://" in href else href.split("?")[0].lstrip("/")
