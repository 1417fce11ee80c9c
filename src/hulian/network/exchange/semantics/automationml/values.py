"""Attributes of CAEX: value, unit, meaning and constraints, as fields of a node and what is only CAEX's."""

from __future__ import annotations

from typing import Any, Final

from hulian.network.exchange.semantics.automationml.headers import kept_xml, local_name, text_of
from hulian.network.exchange.semantics.contract import Constraints

__all__ = ["PARTS", "constraints_of", "read_constraint", "read_part"]

PARTS: Final = frozenset(("DefaultValue", "Value", "RefSemantic", "Constraint"))
"""Elements of an attribute besides its header and the attributes in it."""

_ORDINAL: Final = {"RequiredMaxValue": "max", "RequiredValue": "value", "RequiredMinValue": "min"}


def read_part(tag: str, element: Any, extra: dict[str, Any], meanings: list[str]) -> str | None:
    """Takes a part of an attribute into ``extra`` and ``meanings``; returns the value where it is one."""
    if tag == "Value":
        if len(element) or element.keys():
            extra["value"] = kept_xml(element)
        return text_of(element)
    if tag == "DefaultValue":
        if len(element) or element.keys():
            extra["default_xml"] = kept_xml(element)
        extra["default"] = text_of(element)
    elif tag == "RefSemantic":
        meanings.append(element.get("CorrespondingAttributePath", ""))
        if len(element) or len(element.keys()) != 1:
            extra.setdefault("semantics", {})[str(len(meanings) - 1)] = kept_xml(element)
    else:
        extra.setdefault("constraints", []).append(read_constraint(element))
    return None


def read_constraint(element: Any) -> dict[str, Any]:
    """A constraint as JSON: its name and one of ``ordinal``, ``nominal``, ``unknown``; or as XML where it is none of these."""
    known: dict[str, Any] = {"name": element.get("Name", "")}
    plain = len(element) == 1 and list(element.attrib) == ["Name"]
    if plain:
        scale = element[0]
        tag = local_name(scale)
        plain = not scale.attrib and not any(len(part) or part.attrib for part in scale)
        names = [local_name(part) for part in scale]
        if tag == "OrdinalScaledType" and names == [name for name in _ORDINAL if name in names]:
            known["ordinal"] = {_ORDINAL[name]: part.text or "" for name, part in zip(names, scale, strict=True)}
        elif tag == "NominalScaledType" and all(name == "RequiredValue" for name in names):
            known["nominal"] = [part.text or "" for part in scale]
        elif tag == "UnknownType" and names in ([], ["Requirements"]):
            known["unknown"] = scale[0].text or "" if names else None
        else:
            plain = False
    if not plain:
        known["xml"] = kept_xml(element)
    return known


def constraints_of(known: list[dict[str, Any]]) -> Constraints | None:
    """What constraints mean for the model: the limits of the first ordinal one, the choices of the first nominal one."""
    ordinal = next((each["ordinal"] for each in known if each.get("ordinal")), None)
    nominal = next((each["nominal"] for each in known if each.get("nominal")), None)
    if ordinal is None and nominal is None:
        return None
    ordinal = ordinal or {}
    if nominal is None and "value" in ordinal:
        nominal = [ordinal["value"]]
    return Constraints(low=ordinal.get("min"), high=ordinal.get("max"), choices=tuple((value, "") for value in nominal or ()))
