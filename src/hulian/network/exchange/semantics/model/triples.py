"""The model as RDF, for questions in SPARQL.

| term | what |
|---|---|
| ``urn:hulian:node:…`` | a node: its id, escaped; an id that is an IRI stands for itself |
| ``hul:`` = ``urn:hulian:model:`` | `hul:name`, `hul:parent`, `hul:type`, `hul:document`, `hul:unit`, `hul:value`, `hul:meaning`, `hul:point`, `hul:identifier` |
| ``rdf:type`` | ``hul:Object``, ``hul:Property`` … by the kind of the node |
| ``rdfs:label``, ``rdfs:comment`` | labels and descriptions, with their languages |
| ``hul:component`` … | a reference of a relation that the model knows; of others, the node of the reference type is the predicate |
| concepts | the IRI itself, or ``urn:irdi:`` and the normalised IRDI, escaped |
"""  # noqa: E501 - rows of a table

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import quote

from hulian.network.exchange.semantics.contract import Content, Node, Reference

__all__ = ["MODEL", "PREFIXES", "concept", "resource", "triples"]

MODEL: Final = "urn:hulian:model:"
PREFIXES: Final = {
    "hul": MODEL,
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""Prefixes that every question may use without declaring them."""
_IRI: Final = re.compile(r"(?:https?|urn):[^\s<>\"{}|\\^`\x00-\x20]+")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_PLAIN_RELATION: Final = re.compile(r"[a-z]+")
_SAFE: Final = "!$&'()*+,;=:@/-._~"


def resource(identity: str) -> str:
    """The IRI of a node."""
    return identity if _IRI.fullmatch(identity) else "urn:hulian:node:" + quote(identity, safe=_SAFE)


def concept(normal: str) -> str:
    """The IRI of a concept, from its normalised identifier."""
    return normal if _IRI.fullmatch(normal) else "urn:irdi:" + quote(normal, safe=_SAFE)


def _text(value: str) -> str:
    # Surrogates, which no UTF-8 has, can come out of JSON.
    return '"' + value.translate(_ESCAPES).encode("utf-8", "replace").decode() + '"'


def triples(content: Content, normal: Callable[[str], str | None]) -> Iterator[bytes]:
    """N-Triples, some thousand at a time."""
    name = _text(content.document.name)
    known: dict[str, str] = {}
    lines: list[str] = []
    for node in content.nodes():
        _node(lines, node, name, normal, known)
        if len(lines) > 5_000:
            yield "".join(lines).encode()
            lines = []
    for line in _references(content.references()):
        lines.append(line)
        if len(lines) > 5_000:
            yield "".join(lines).encode()
            lines = []
    yield "".join(lines).encode()


def _node(lines: list[str], node: Node, document: str, normal: Callable[[str], str | None], known: dict[str, str]) -> None:
    subject = f"<{resource(node.id)}> <"
    model = subject + MODEL
    kind = node.kind.name.title().replace("_", "")
    lines.append(f"{subject}{PREFIXES['rdf']}type> <{MODEL}{kind}> .\n")
    lines.append(f"{model}name> {_text(node.name)} .\n{model}document> {document} .\n")
    if node.parent:
        lines.append(f"{model}parent> <{resource(node.parent)}> .\n")
        if _PLAIN_RELATION.fullmatch(node.relation):
            lines.append(f"<{resource(node.parent)}> <{MODEL}{node.relation}> <{resource(node.id)}> .\n")
    if node.type:
        lines.append(f"{model}type> <{resource(node.type)}> .\n")
    if node.value is not None:
        typed = node.datatype.removeprefix("xs:")
        suffix = f"^^<{PREFIXES['xsd']}{typed}>" if node.datatype.startswith("xs:") and typed.isalnum() else ""
        lines.append(f"{model}value> {_text(node.value)}{suffix} .\n")
    texts = {"unit": node.unit, "point": node.point, "identifier": node.identifier}
    lines.extend(f"{model}{field}> {_text(text)} .\n" for field, text in texts.items() if text)
    for given in node.meanings:
        if given not in known:
            known[given] = normal(given) or ""
        if known[given]:
            lines.append(f"{model}meaning> <{concept(known[given])}> .\n")
    for predicate, said in (("label", node.labels), ("comment", node.descriptions)):
        for language, text in said.items():
            tag = f"@{language}" if _LANGUAGE.fullmatch(language) else ""
            lines.append(f"{subject}{PREFIXES['rdfs']}{predicate}> {_text(text)}{tag} .\n")


def _references(references: Iterable[Reference]) -> Iterator[str]:
    for reference in references:
        plain = _PLAIN_RELATION.fullmatch(reference.relation)
        predicate = MODEL + reference.relation if plain else resource(reference.relation)
        yield f"<{resource(reference.source)}> <{predicate}> <{resource(reference.target)}> .\n"
