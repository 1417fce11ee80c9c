"""What a Thing Description says of how a thing is reached, as connectors of the platform: plain data, nothing is dialled.

Each protocol and address is one connector: ``{"name", "protocol", "url", "settings", "points"}``, and each point ``{"name",
"address", "storage", "kind", "path", "unit", "low", "high", "texts", "writable", "options", "node"}``, as the catalogue takes
them; ``node`` is the node that the point will be the live value of.

* Modbus (``modbus+tcp:``, ``modbus:``): ``modv:entity`` or ``modv:function``, the address in the last part of the path, the
  unit before it or as the only part of the base; ``modv:type`` or the schema's type and ``quantity``. Addresses are taken as
  they are written unless ``modv:zeroBasedAddressing`` is false.
* MQTT (``mqtt:``, ``mqtts:``): ``mqv:topic`` or ``mqv:filter``, else the path of the URL.
* OPC UA (``opc.tcp:``): the node id in ``href``, as part of a URL or by itself; ``uav:`` security terms of OPC 10101.
* HTTP: our connector listens and does not ask, so each property becomes a stream that its thing (or a gateway) pushes to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from hulian.network.exchange.semantics.contract import Content, Kind, Loss, Node
from hulian.network.exchange.semantics.wot.terms import absolute

__all__ = ["connectors_of"]

_STORAGE: Final = {"number": "double", "integer": "integer", "boolean": "boolean", "string": "text"}
_ENTITIES: Final = {
    "coil": "coil", "discreteinput": "discrete", "inputregister": "input", "holdingregister": "holding",
}  # fmt: skip
_FUNCTIONS: Final = {
    "1": "coil", "5": "coil", "15": "coil", "readcoil": "coil", "writesinglecoil": "coil", "writemultiplecoils": "coil",
    "2": "discrete", "readdiscreteinput": "discrete",
    "3": "holding", "6": "holding", "16": "holding", "readholdingregisters": "holding", "writesingleholdingregister": "holding",
    "writemultipleholdingregisters": "holding",
    "4": "input", "readinputregisters": "input",
}  # fmt: skip
_REGISTERS: Final = {
    "float": "float32", "double": "float64", "short": "int16", "unsignedshort": "uint16", "int": "int32", "integer": "int32",
    "unsignedint": "uint32", "long": "int64", "unsignedlong": "uint64", "byte": "int16", "unsignedbyte": "uint16",
}  # fmt: skip
_WIDTH: Final = {"int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4}
_NODE_ID: Final = re.compile(r"(?:(?:nsu=[^;]+|ns=\d+);)?[isgb]=.+", re.DOTALL)
_PUSH: Final = "http-push://127.0.0.1:8087"
_SLUG: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def connectors_of(content: Content) -> tuple[list[dict[str, Any]], list[Loss]]:
    """The connectors of every thing of a document, and what of its forms they cannot do."""
    return _Connecting(content).run()


class _Connecting:
    def __init__(self, content: Content) -> None:
        self._content = content
        self._losses: list[Loss] = []
        self._found: dict[tuple[str, str], dict[str, Any]] = {}

    def run(self) -> tuple[list[dict[str, Any]], list[Loss]]:
        thing: Node | None = None
        for node in self._content.nodes():
            if "schema" not in node.extra.get("wot", {}):
                continue
            if node.kind in (Kind.OBJECT, Kind.OBJECT_TYPE):
                thing = node
            elif thing is not None and node.kind is Kind.PROPERTY and node.parent == thing.id:
                self._property(thing, node)
        return list(self._found.values()), self._losses

    def _lose(self, place: str, what: str, why: str) -> None:
        self._losses.append(Loss(place, what, why))

    def _property(self, thing: Node, node: Node) -> None:
        """The first form that a connector can read; the others are told."""
        head, schema = thing.extra["wot"]["schema"], node.extra["wot"]["schema"]
        forms = schema.get("forms")
        done = False
        listed = forms if isinstance(forms, list) else []
        usable = [form for form in listed if isinstance(form, dict) and isinstance(form.get("href"), str)]
        for form in sorted(usable, key=lambda form: not _reads(form)):
            if done and not _writes(form):
                continue
            base = head.get("base")
            done = self._form(thing, node, form, base if isinstance(base, str) else "") or done

    def _form(self, thing: Node, node: Node, form: Mapping[str, Any], base: str) -> bool:
        href = form["href"]
        url = base if _NODE_ID.fullmatch(href) and base.startswith("opc.") else absolute(base, href)
        if "{{" in url:
            self._lose(node.id, f"form {href!r}", "the model is not filled in: its placeholders have no values")
            return False
        scheme = url.partition(":")[0].lower()
        makers = {
            "modbus+tcp": self._modbus, "modbus": self._modbus, "mqtt": self._mqtt, "mqtts": self._mqtt,
            "opc.tcp": self._opcua, "http": self._http, "https": self._http,
        }  # fmt: skip
        maker = makers.get(scheme)
        if maker is None:
            self._lose(node.id, f"form {href!r}", f"no connector speaks {scheme or 'it'}")
            return False
        try:
            return maker(thing, node, form, url, base)
        except ValueError as error:
            self._lose(node.id, f"form {href!r}", str(error))
            return False

    # -- protocols -----------------------------------------------------------------------------------------------------

    def _modbus(self, thing: Node, node: Node, form: Mapping[str, Any], url: str, base: str) -> bool:
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("its URL names no host")
        path = [part for part in parts.path.split("/") if part]
        if base and ":" not in form["href"].partition("?")[0] and not base.endswith("/"):
            # Gateways write the unit as the end of the base, which a relative reference would replace.
            path = [part for part in (urlsplit(base).path + "/" + urlsplit(form["href"]).path).split("/") if part]
        keys = dict(parse_qsl(parts.query))
        address = path[-1] if path else str(form.get("modv:address", keys.get("address", "")))
        unit = path[-2] if len(path) > 1 else str(form.get("modv:unitID", keys.get("unit", keys.get("unitID", ""))))
        table = _ENTITIES.get(str(form.get("modv:entity", "")).lower()) or _FUNCTIONS.get(
            str(form.get("modv:function", "")).lower()
        )
        if not table or not address.isascii() or not address.isdigit():
            raise ValueError("it names no table, or no address in it")
        offset = int(address) - (1 if form.get("modv:zeroBasedAddressing") is False else 0)
        quantity = int(keys.get("quantity", form.get("modv:quantity", 0)) or 0)
        kind = "" if table in ("coil", "discrete") else f":{_register(form, node, quantity)}"
        order = _byte_order(form)
        options: dict[str, Any] = {"order": order} if order and kind else {}
        options |= _interval(form)
        where = f"{unit}/{table}@{offset}{kind}" if unit else f"{table}@{offset}{kind}"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        connector = self._connector(thing, "modbus", f"modbus://{host}:{parts.port or 502}")
        storage = "boolean" if not kind else "double" if "float" in kind else "integer"
        if kind and node.datatype == "xs:double":
            storage = "double"
        return self._point(connector, node, form, where, storage, options, readable=table not in ("coil", "holding"))

    def _mqtt(self, thing: Node, node: Node, form: Mapping[str, Any], url: str, base: str) -> bool:
        parts = urlsplit(url)
        topic = str(form.get("mqv:topic") or form.get("mqv:filter") or unquote(parts.path).strip("/"))
        if not topic or "+" in topic or "#" in topic:
            raise ValueError("it names no single topic")
        if not parts.hostname:
            raise ValueError("its URL names no broker")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        connector = self._connector(thing, "mqtt", f"{parts.scheme}://{host}{port}", {"topics": [], "mappings": []})
        settings = connector["settings"]
        if _reads(form) and topic not in settings["topics"]:
            settings["topics"].append(topic)
            media = str(form.get("contentType", "application/json")).partition(";")[0].strip()
            if media not in ("application/json", "application/cbor", "text/plain"):
                raise ValueError(f"payloads of type {media} are not read")
            if media != "application/json":
                settings["mappings"].append({"topics": topic, "format": "cbor" if media.endswith("cbor") else _simple(node)})
        return self._point(connector, node, form, f"json:{topic}:$", _STORAGE.get(_type(node), "structure"), {})

    def _opcua(self, thing: Node, node: Node, form: Mapping[str, Any], url: str, base: str) -> bool:
        href = form["href"]
        if _NODE_ID.fullmatch(href):
            server, address = base, href
        else:
            server, mark, address = url.partition("/?id=") if "/?id=" in url else url.partition("?id=")
            if not mark:
                found = re.search(
                    r"(?:^|[/?&])((?:nsu=[^;]+;|ns=\d+;)?[isgb]=.+)$", urlsplit(url)._replace(scheme="", netloc="").geturl()
                )
                if found is None:
                    raise ValueError("it names no node")
                address = found[1]
                server = url[: url.index(address)].rstrip("/?&")
            address = unquote(address)
        settings: dict[str, Any] = _opcua_security(thing)
        connector = self._connector(thing, "opcua", server, settings)
        options = {"sampling_interval": value} if (value := _interval(form).get("interval")) else {}
        return self._point(connector, node, form, address, _STORAGE.get(_type(node), "structure"), options)

    def _http(self, thing: Node, node: Node, form: Mapping[str, Any], url: str, base: str) -> bool:
        name = str(thing.extra["wot"]["schema"].get("id") or thing.name)
        connector = self._connector(thing, "http", _PUSH)
        stream = _SLUG.sub("-", name).strip("-") or "thing"
        key = node.name.replace("%", "%25").replace(".", "%2E").replace(":", "%3A")
        self._lose(
            node.id, f"asking {url}", f"our HTTP connector listens: the thing, or a gateway, posts {{{node.name!r}: …}} to "
            f"{_PUSH}/push/{stream}"
        )  # fmt: skip
        return self._point(
            connector, node, form, f"json:{stream}:{key}", _STORAGE.get(_type(node), "structure"), {}, readable=True
        )

    # -- connectors and points -----------------------------------------------------------------------------------------

    def _connector(self, thing: Node, protocol: str, url: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        found = self._found.get((protocol, url))
        if found is None:
            name = _SLUG.sub("-", thing.name).strip("-")[:63] or protocol
            names = {one["name"] for one in self._found.values()}
            wanted, number = name, 1
            while wanted in names:
                number += 1
                wanted = f"{name}-{number}"
            found = {"name": wanted, "protocol": protocol, "url": url, "settings": settings or {}, "points": []}
            self._found[(protocol, url)] = found
        return found

    def _point(
        self, connector: dict[str, Any], node: Node, form: Mapping[str, Any], address: str, storage: str,
        options: dict[str, Any], *, readable: bool = False,
    ) -> bool:  # fmt: skip
        """Adds the point, or lets a form that writes make it writable. ``readable``: what it can be no more than."""
        known = next((one for one in connector["points"] if one["node"] == node.id), None)
        writes = _writes(form) and node.writable is not False and not readable
        if known is not None:
            if writes and known["address"] == address:
                known["writable"] = True
            elif writes and connector["protocol"] == "mqtt":
                known["writable"] = True
                known["options"]["write_topic"] = address.removeprefix("json:").rpartition(":")[0]
            return True
        constraints = node.constraints
        connector["points"].append(
            {
                "name": node.name,
                "address": address,
                "storage": storage,
                "kind": "continuous" if storage in ("double", "integer") else "step",
                "path": node.name,
                "unit": node.unit,
                "low": _number(constraints.low) if constraints else None,
                "high": _number(constraints.high) if constraints else None,
                "texts": {tag or "en": text for tag, text in (node.labels or node.descriptions).items()},
                "writable": writes,
                "options": options,
                "node": node.id,
            }
        )
        return True


def _type(node: Node) -> str:
    said = node.extra["wot"]["schema"].get("type")
    return said if isinstance(said, str) else ""


def _simple(node: Node) -> str:
    return "number" if _type(node) in ("number", "integer") else "text"


def _reads(form: Mapping[str, Any]) -> bool:
    said = form.get("op", ["readproperty"])
    return any(one in ("readproperty", "observeproperty") for one in (said if isinstance(said, list) else [said]))


def _writes(form: Mapping[str, Any]) -> bool:
    said = form.get("op", ["readproperty", "writeproperty"])
    return "writeproperty" in (said if isinstance(said, list) else [said])


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _interval(form: Mapping[str, Any]) -> dict[str, float]:
    """``pollingTime`` of gateways and of the Modbus binding, in milliseconds."""
    said = form.get("modv:pollingTime", form.get("pollingTime"))
    valid = isinstance(said, int | float) and not isinstance(said, bool) and 1 <= said <= 86_400_000
    return {"interval": said / 1000} if valid and said is not None else {}


def _register(form: Mapping[str, Any], node: Node, quantity: int) -> str:
    said = str(form.get("modv:type", form.get("type", ""))).rpartition(":")[2].lower()
    kind = _REGISTERS.get(said, "")
    if said == "integer" and quantity in (1, 4):
        kind = {1: "int16", 4: "int64"}[quantity]
    if said in ("string",) and quantity:
        return f"string[{quantity}]"
    if not kind:
        if _type(node) == "number" and quantity in (0, 2, 4):
            kind = "float64" if quantity == 4 else "float32"
        elif _type(node) in ("integer", "number", ""):
            kind = {0: "int16", 1: "int16", 2: "int32", 4: "int64"}.get(quantity, "")
        elif _type(node) == "string" and quantity:
            return f"string[{quantity}]"
    if not kind:
        raise ValueError("nothing says how its registers are a value")
    if quantity and _WIDTH[kind] != quantity:
        raise ValueError(f"{kind} does not stand in {quantity} registers")
    return kind


def _byte_order(form: Mapping[str, Any]) -> str:
    """The connector's word for the order of bytes and words; empty for the usual one."""
    high_byte = form.get("modv:mostSignificantByte", True) is not False
    high_word = form.get("modv:mostSignificantWord", True) is not False
    return {(True, True): "", (False, True): "badc", (True, False): "cdab", (False, False): "dcba"}[high_byte, high_word]


def _definitions(thing: Node) -> Iterator[Mapping[str, Any]]:
    head = thing.extra["wot"]["schema"]
    found = head.get("securityDefinitions")
    if isinstance(found, dict):
        yield from (one for one in found.values() if isinstance(one, dict))


def _opcua_security(thing: Node) -> dict[str, Any]:
    """``security`` and ``policy`` of the connector from the terms of OPC 10101."""
    for one in _definitions(thing):
        mode = str(one.get("uav:securityMode", "")).lower()
        policy = str(one.get("uav:securityPolicy", "")).rpartition("#")[2].replace("_", "")
        if mode or policy:
            settings: dict[str, Any] = {"security": {"none": "none", "sign": "sign"}.get(mode, "best")}
            if policy in ("Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256", "Basic256", "Basic128Rsa15"):
                settings["policy"] = policy
            return settings
    if any(one.get("scheme") == "nosec" for one in _definitions(thing)):
        return {"security": "none"}
    return {}
