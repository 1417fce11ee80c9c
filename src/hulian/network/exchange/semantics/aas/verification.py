"""The constraints of the standard, checked by aas-core: what a document is found to break, with its path.

Findings are told and refuse nothing: many published documents break a rule somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.format import spec_of
from hulian.network.exchange.semantics.aas.package import read_package
from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import Container, parse_xml, read_json
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = ["Finding", "findings", "jsonable"]

_LARGEST = 64 << 20


class Finding(msgspec.Struct, frozen=True):
    """One broken rule."""

    place: str
    """Document and path in it."""
    cause: str


def findings(source: Source) -> Iterator[Finding]:
    """All rules that a document of at most 64 MiB breaks. Raises `DocumentError` for what cannot be read at all."""
    for place, environment, version in _environments(source):
        if isinstance(environment, Finding):
            yield environment
            continue
        found = [
            Finding(f"{place}, {error.path}", error.cause) for error in _module(version, "verification").verify(environment)
        ]
        if found and version == "3.0" and _is_json(source, place):
            # JSON does not tell its version: the one that it breaks less is meant.
            newer = _module("3.1", "jsonization").environment_from_jsonable(
                _module(version, "jsonization").to_jsonable(environment)
            )
            other = [Finding(f"{place}, {error.path}", error.cause) for error in _module("3.1", "verification").verify(newer)]
            found = min(found, other, key=len)
        yield from found


def _is_json(source: Source, place: str) -> bool:
    return place.lower().endswith(".json") or source.name.lower().endswith(".json")


def jsonable(source: Source) -> list[Any]:
    """The JSON form of each environment of a document, as aas-core has it: equal for documents that say the same.

    Raises `DocumentError` for what aas-core does not read.
    """
    found = []
    for _, environment, version in _environments(source):
        if isinstance(environment, Finding):
            raise DocumentError(environment.cause, place=environment.place)
        found.append(_module(version, "jsonization").to_jsonable(environment))
    return found


def _module(version: str, name: str) -> Any:
    if version == "3.0":
        from aas_core3 import jsonization, verification, xmlization

        return {"jsonization": jsonization, "verification": verification, "xmlization": xmlization}[name]
    from aas_core3_1 import jsonization as json31
    from aas_core3_1 import verification as verification31
    from aas_core3_1 import xmlization as xml31

    return {"jsonization": json31, "verification": verification31, "xmlization": xml31}[name]


def _environments(source: Source) -> Iterator[tuple[str, Any, str]]:
    with source.open() as opened:
        packed = opened.read(2) == b"PK"
    if not packed:
        yield _environment(source)
        return
    with Container(source) as container:
        for part in read_package(container, Bends([])).specs:
            yield _environment(container.source(part))


def _environment(source: Source) -> tuple[str, Any, str]:
    """One environment as aas-core has it; a finding where it does not read it."""
    if source.size > _LARGEST:
        raise HostileDocumentError(f"it is larger than {_LARGEST >> 20} MiB, too large to be verified", place=source.name)
    spec = spec_of(source)
    if spec.form == "json":
        jsonization = _module(spec.version, "jsonization")
        value = read_json(source, largest=_LARGEST)
        try:
            return source.name, jsonization.environment_from_jsonable(value), spec.version
        except jsonization.DeserializationException as error:
            return source.name, Finding(f"{source.name}, {error.path}", error.cause), spec.version
    # What would do harm is refused here: aas-core's own reading has no bounds.
    parse_xml(source, largest=_LARGEST)
    xmlization = _module(spec.version, "xmlization")
    with source.open() as opened:
        content = opened.read()
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return source.name, xmlization.environment_from_str(content.decode(encoding)), spec.version
    except xmlization.DeserializationException as error:
        return source.name, Finding(f"{source.name}, {error.path}", error.cause), spec.version
    except (UnicodeDecodeError, ValueError) as error:
        return source.name, Finding(source.name, str(error)), spec.version
