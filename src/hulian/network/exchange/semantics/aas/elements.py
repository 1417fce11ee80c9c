"""From nodes back to the fields of the metamodel: the other direction of `nodes`.

A field that stands in ``extra["aas"]`` is written as it stands there, as long as it says what the node says; where the node
was changed since, the node counts.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.aas.nodes import DEFAULT_CLASS, ID_SHORT
from hulian.network.exchange.semantics.aas.references import external
from hulian.network.exchange.semantics.aas.strict import XSD
from hulian.network.exchange.semantics.aas.texts import (
    IEC61360,
    constraints_of,
    languages,
    meanings_of,
    remeant,
    spoken,
    unit_of,
)
from hulian.network.exchange.semantics.contract import Constraints, Kind, Node

__all__ = ["class_of", "fields_of", "id_short", "with_unit"]

_LANGUAGE: Final = re.compile(r"^[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*$")


def class_of(node: Node) -> str:
    """The class that a node is written as, where it is an element; what has no class of its own is a collection."""
    own = node.extra.get("aas", {})
    named = own.get("modelType")
    if not named and node.kind is Kind.FOLDER and "typeValueListElement" not in own:
        return "SubmodelElementCollection"
    return named or DEFAULT_CLASS.get(node.kind, "SubmodelElementCollection")


def id_short(name: str, *, hyphens: bool = False) -> str:
    """An idShort as near to a name as the standard lets it be; 3.0 takes no hyphens."""
    if ID_SHORT.match(name) and len(name) <= 128 and (hyphens or "-" not in name):
        return name
    made = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    if not made or not made[0].isalpha():
        made = f"n_{made}"
    if len(made) > 128 or not re.search(r"[a-zA-Z0-9]", made[2:]):
        made = f"{made[:100]}_{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"
    return made


def _named(node: Node, fields: dict[str, Any], *, listed: bool, hyphens: bool) -> None:
    if "idShort" in fields:
        if not fields["idShort"]:
            del fields["idShort"]
    elif not (listed and node.name.startswith("[")):
        fields["idShort"] = id_short(node.name, hyphens=hyphens)


def _spoken(texts: dict[str, str]) -> list[dict[str, str]]:
    return spoken({language if _LANGUAGE.match(language) else "": text for language, text in texts.items()})


def _texts(node: Node, fields: dict[str, Any]) -> None:
    for name, wanted in (("displayName", node.labels), ("description", node.descriptions)):
        if languages(fields.get(name, [])) != wanted:
            said = _spoken(wanted)
            if name == "displayName":
                said = [{**one, "text": one["text"][:128]} for one in said]
            if said:
                fields[name] = said
            else:
                fields.pop(name, None)


def fields_of(node: Node, *, listed: bool = False, hyphens: bool = False) -> dict[str, Any]:
    """The fields of an element, a submodel or a shell, without what stands below it.

    ``listed`` is one of a list, which needs no idShort; ``hyphens`` says whether one may have them (3.1).
    """
    fields: dict[str, Any] = dict(node.extra.get("aas", {}))
    kind = fields["modelType"] = class_of(node)
    fields.pop("variable", None)
    fields.pop("part", None)
    _named(node, fields, listed=listed, hyphens=hyphens)
    if kind == "ConceptDescription":
        return fields
    _texts(node, fields)
    if meanings_of(fields) != node.meanings:
        remeant(fields, tuple(one for one in node.meanings if one))
    if kind in ("Submodel", "AssetAdministrationShell"):
        fields.setdefault("id", node.id)
        return fields
    _valued(node, kind, fields)
    if node.constraints is not None and kind != "Range" and constraints_of(fields) != node.constraints:
        _constrain(node.constraints, fields)
    return fields


def _valued(node: Node, kind: str, fields: dict[str, Any]) -> None:
    if kind == "Property":
        fields["valueType"] = node.datatype if node.datatype in XSD else "xs:string"
        if node.value is not None:
            fields["value"] = node.value
    elif kind == "Range":
        fields["valueType"] = node.datatype if node.datatype in XSD else "xs:string"
        limits = node.constraints or Constraints()
        for name, limit in (("min", limits.low), ("max", limits.high)):
            if name in fields:
                limit = fields.pop(name)
            if limit is not None:
                fields[name] = limit
    elif kind in ("File", "Blob"):
        if node.value is not None:
            fields["value"] = node.value
    elif kind in ("MultiLanguageProperty", "ReferenceElement") and node.value is not None:
        try:
            fields["value"] = msgspec.json.decode(node.value)
        except UNREADABLE:
            if kind == "MultiLanguageProperty":
                fields["value"] = [{"language": "en", "text": node.value}]


def _constrain(constraints: Constraints, fields: dict[str, Any]) -> None:
    """Qualifiers that say what these constraints say."""
    said: list[tuple[str, str]] = []
    if constraints.required or constraints.many:
        first, second = ("One" if constraints.required else "Zero"), ("ToMany" if constraints.many else "")
        said.append(("SMT/Cardinality", first + second))
    if constraints.low is not None or constraints.high is not None:
        said.append(("SMT/AllowedRange", f"[{constraints.low or ''},{constraints.high or ''}]"))
    if constraints.choices:
        said.append(("SMT/FormChoices", ";".join(value for value, _ in constraints.choices)))
    if constraints.pattern:
        said.append(("SMT/AllowedValue", constraints.pattern))
    replaced = {kind for kind, _ in said}
    kept = [one for one in fields.get("qualifiers", ()) if one.get("type") not in replaced]
    fields["qualifiers"] = kept + [
        {"kind": "ConceptQualifier", "type": kind, "valueType": "xs:string", "value": value} for kind, value in said
    ]


def with_unit(node: Node, fields: dict[str, Any], defined: str) -> None:
    """States the unit in a data specification of the element, unless it or its concept (``defined``) states it already."""
    if not node.unit or node.unit in (unit_of(fields), defined) or node.kind is not Kind.PROPERTY:
        return
    content = {
        "modelType": "DataSpecificationIec61360",
        "preferredName": [{"language": "en", "text": (node.labels.get("en") or node.name or "value")[:255]}],
        "unit": node.unit,
    }
    # The first specification is the one that counts.
    fields["embeddedDataSpecifications"] = [
        {"dataSpecification": external(IEC61360), "dataSpecificationContent": content},
        *fields.get("embeddedDataSpecifications", ()),
    ]
