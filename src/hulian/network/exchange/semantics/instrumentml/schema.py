"""Our own schema of IML, and what is wrong with a document by it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from lxml import etree

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import parse_xml
from hulian.network.exchange.semantics.instrumentml.opaque import kept, make

__all__ = ["PATH", "faults"]

PATH: Final = Path(__file__).with_name("iml.xsd")
_MOST: Final = 100


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(str(PATH), etree.XMLParser(no_network=True, resolve_entities=False)))


def faults(source: Source) -> list[str]:
    """What breaks the schema, at most a hundred, each with its line; none where it is valid.

    Namespaces and the spelling before 2005 are no faults. Raises `DocumentError` for what is no XML.
    """
    root = parse_xml(source)
    plain = _numbered(root, make(kept(root, source.name)))
    schema = _schema()
    schema.validate(plain)
    return [f"{source.name}, line {error.line}: {error.message}" for error in list(schema.error_log)[:_MOST]]


def _numbered(written: Any, plain: Any) -> Any:
    """The lines of the document on its plain copy."""
    for one, other in zip(written.iter(), plain.iter(), strict=True):
        other.sourceline = min(one.sourceline or 0, 2**31 - 1)
    return plain
