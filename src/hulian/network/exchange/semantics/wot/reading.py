"""Thing Descriptions to nodes. The document is held as bytes; affordances are taken from it one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.contract import BATCH, Batch, Document, Kind, Loss, Node, Relation, Source
from hulian.network.exchange.semantics.documents import read_json
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.wot.terms import (
    AFFORDANCES,
    SECURITY,
    constraints_of,
    datatype_of,
    texts,
    value_of,
    without_secret,
    writable_of,
)

__all__ = ["fields_of", "read"]

_KINDS: Final = {"properties": Kind.PROPERTY, "actions": Kind.OPERATION, "events": Kind.EVENT}
_ESCAPES: Final = str.maketrans({"%": "%25", "/": "%2F"})
_DEEPEST: Final = 64
_LONGEST_ID: Final = 1000
_MOST_THINGS: Final = 100_000
Raw = dict[str, msgspec.Raw]


def read(source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
    """See `Format.read`."""
    whole = read_json(source, msgspec.Raw)
    listed = bytes(memoryview(whole)[:64]).lstrip()[:1] == b"["
    things: list[Raw] = _decoded(whole, list[Raw], source.name) if listed else [_decoded(whole, Raw, source.name)]
    if not things or len(things) > _MOST_THINGS:
        raise DocumentError(f"it lists {len(things)} things", place=source.name)
    reader = _Reader(source.name, name, losses)
    heads = [reader.head(thing, number if listed else None) for number, thing in enumerate(things)]
    first = heads[0]
    document = Document(
        name=name,
        format="td",
        version=_version(first.get("@context")),
        title=str(first.get("title") or name),
        namespaces=tuple(str(head["id"]) for head in heads if isinstance(head.get("id"), str)),
        extra={"wot": {"list": True}} if listed else {},
    )
    return document, reader.batches(things, heads, listed=listed)


def _decoded(raw: Any, wanted: Any, place: str) -> Any:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except RecursionError as error:
        raise HostileDocumentError("it is nested too deep", place=place) from error
    except UNREADABLE as error:
        raise DocumentError(f"it is no Thing Description: {error}", place=place) from error


def _members(key: str, raw: msgspec.Raw) -> bool:
    """Whether it holds affordances; null holds none, and is kept with the other terms."""
    return key in AFFORDANCES and bytes(memoryview(raw)[:16]).strip() != b"null"


def _version(context: Any) -> str:
    said = context if isinstance(context, list) else [context]
    if "https://www.w3.org/2022/wot/td/v1.1" in said:
        return "TD 1.1"
    return "TD 1.0" if "https://www.w3.org/2019/wot/td/v1" in said else "TD"


def _is_model(head: Mapping[str, Any]) -> bool:
    said = head.get("@type")
    return "tm:ThingModel" in (said if isinstance(said, list) else [said])


def fields_of(schema: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    """What a schema says in the words of the model."""
    said = schema.get("@type")
    meanings = said if isinstance(said, list) else [said]
    unit = schema.get("unit")
    return {
        "value": value_of(schema),
        "datatype": datatype_of(schema),
        "unit": unit if isinstance(unit, str) else "",
        "meanings": tuple(one for one in meanings if isinstance(one, str)),
        "labels": texts(schema, "title", "titles"),
        "descriptions": texts(schema, "description", "descriptions"),
        "constraints": constraints_of(schema, required=required),
        "writable": writable_of(schema),
    }


class _Reader:
    def __init__(self, place: str, name: str, losses: list[Loss]) -> None:
        self._place, self._name, self._losses = place, name, losses
        self._nodes: list[Node] = []

    def head(self, thing: Raw, number: int | None) -> dict[str, Any]:
        """A thing without its affordances. Raises `DocumentError` for what is none."""
        where = self._place if number is None else f"{self._place}, [{number}]"
        head = {key: _decoded(raw, Any, f"{where}, {key}") for key, raw in thing.items() if not _members(key, raw)}
        if "@context" not in head and "title" not in head and "securityDefinitions" not in head:
            hint = "a Thing Description has '@context', 'title' and 'securityDefinitions'"
            raise DocumentError("it is no Thing Description", place=where, hint=hint)
        return head

    def batches(self, things: list[Raw], heads: list[dict[str, Any]], *, listed: bool) -> Iterator[Batch]:
        """Yields the batches as they are full."""
        for number, (thing, head) in enumerate(zip(things, heads, strict=True)):
            identity = self._name if not listed else f"{self._name}/{number}"
            yield from self._thing(identity, thing, head)
        if self._nodes:
            yield Batch(nodes=self._nodes)

    def _thing(self, identity: str, thing: Raw, head: dict[str, Any]) -> Iterator[Batch]:
        self._clean(head, identity)
        groups = [key for key in AFFORDANCES if key in thing and _members(key, thing[key])]
        extra: dict[str, Any] = {"schema": head}
        if groups:
            extra["has"] = groups
        fields = fields_of(head) | {"value": None, "datatype": "", "constraints": None, "unit": "", "writable": None}
        model = _is_model(head)
        title = head.get("title")
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT_TYPE if model else Kind.OBJECT,
                name=title if isinstance(title, str) and title else identity.rpartition("/")[2],
                extra={"wot": extra},
                **fields,
            )
        )
        for group in groups:
            place = f"{self._place}, {group}"
            members: Raw = _decoded(thing[group], Raw, place)
            for name, raw in members.items():
                schema = _decoded(raw, dict[str, Any], f"{place}.{name}")
                if group == "properties":
                    self._data(identity, name, schema, f"{group}/", parent=identity, where=group, depth=0)
                else:
                    self._affordance(identity, group, name, schema)
                if len(self._nodes) >= BATCH:
                    for start in range(0, len(self._nodes), BATCH):
                        yield Batch(nodes=self._nodes[start : start + BATCH])
                    self._nodes = []

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _data(
        self, base: str, name: str, schema: dict[str, Any], between: str, *, parent: str, where: str, depth: int,
        relation: str = Relation.COMPONENT, required: bool = False,
    ) -> None:  # fmt: skip
        """A property or an argument, and the members of its object."""
        if depth > _DEEPEST:
            raise HostileDocumentError("its data are nested too deep", place=f"{self._place}, {parent}")
        identity = _identity(f"{base}/{between}", name)
        self._forms(schema, identity)
        members, items = schema.get("properties"), schema.get("items")
        below = members if isinstance(members, dict) and all(isinstance(one, dict) for one in members.values()) else None
        extra: dict[str, Any] = {"in": where, "schema": schema}
        if below is not None:
            del schema["properties"]
            extra["has"] = ["properties"]
        nested = items if isinstance(items, dict) and isinstance(items.get("properties"), dict) else None
        if nested is not None:
            schema["items"] = {}
            extra["items"] = True
        self._nodes.append(
            Node(
                id=identity, kind=Kind.PROPERTY, name=name, parent=parent, relation=relation, extra={"wot": extra},
                **fields_of(schema | ({"items": items} if nested is not None else {}), required=required),
            )
        )  # fmt: skip
        listed = schema.get("required")
        wanted = listed if isinstance(listed, list) else []
        for key, one in (below or {}).items():
            self._data(identity, key, one, "", parent=identity, where="properties", depth=depth + 1, required=key in wanted)
        if nested is not None:
            self._data(identity, "items", nested, "~", parent=identity, where="items", depth=depth + 1)

    def _affordance(self, base: str, group: str, name: str, schema: dict[str, Any]) -> None:
        identity = _identity(f"{base}/{group}/", name)
        self._forms(schema, identity)
        parts = {"actions": ("input", "output"), "events": ("subscription", "data", "dataResponse", "cancellation")}[group]
        taken = {part: schema.pop(part) for part in parts if isinstance(schema.get(part), dict)}
        said = fields_of(schema)
        self._nodes.append(
            Node(
                id=identity, kind=_KINDS[group], name=name, parent=base, extra={"wot": {"in": group, "schema": schema}},
                labels=said["labels"], descriptions=said["descriptions"], meanings=said["meanings"],
            )
        )  # fmt: skip
        for part, one in taken.items():
            relation = Relation.INPUT if part in ("input", "subscription", "cancellation") else Relation.OUTPUT
            self._data(identity, part, one, "", parent=identity, where=part, depth=1, relation=relation)

    # -- secrets -------------------------------------------------------------------------------------------------------

    def _lose(self, place: str, what: str) -> None:
        self._losses.append(Loss(place, what, "a model keeps no secrets: give them to the connector"))

    def _clean(self, head: dict[str, Any], identity: str) -> None:
        """What may be a secret is left out."""
        if isinstance(head.get("base"), str):
            head["base"] = self._url(head["base"], f"{identity}, base")
        self._forms(head, identity)
        definitions = head.get("securityDefinitions")
        if not isinstance(definitions, dict):
            return
        for name, one in definitions.items():
            if isinstance(one, dict):
                for term in [term for term in one if term not in SECURITY]:
                    del one[term]
                    self._lose(f"{identity}, securityDefinitions.{name}", f"term {term!r}")
                for term in ("proxy", "authorization", "token", "refresh"):
                    if isinstance(one.get(term), str):
                        one[term] = self._url(one[term], f"{identity}, securityDefinitions.{name}.{term}")

    def _forms(self, schema: dict[str, Any], identity: str) -> None:
        for key in ("forms", "links"):
            forms = schema.get(key)
            for number, form in enumerate(forms if isinstance(forms, list) else ()):
                if isinstance(form, dict) and isinstance(form.get("href"), str):
                    form["href"] = self._url(form["href"], f"{identity}, {key}[{number}]")

    def _url(self, url: str, place: str) -> str:
        found = without_secret(url)
        if found != url:
            self._lose(place, "the password in a URL")
        return found


def _identity(base: str, name: str) -> str:
    identity = base + name.translate(_ESCAPES)
    if len(identity) <= _LONGEST_ID:
        return identity
    return f"{base[:500]}/~{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"
