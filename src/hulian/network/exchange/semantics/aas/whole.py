"""Mends what is read, whatever it was read from: incomplete references and texts, missing types."""

from __future__ import annotations

from typing import Any, Final

from hulian.network.exchange.semantics.aas.bends import Bends

__all__ = ["mended"]

_GLOBAL: Final = frozenset({"GlobalReference"})
_OLD_KEYS: Final = {
    "ConceptDictionary": "ConceptDescription",
    "Asset": "GlobalReference",
    "Global": "GlobalReference",
    "GlobalRef": "GlobalReference",
    "AccessPermissionRule": "Identifiable",
    "View": "Referable",
}
_VALUE_TYPED: Final = frozenset({"Property", "Range"})
_REFERENCES: Final = ("semanticId", "valueId", "first", "second", "observed", "derivedFrom")


def mended(fields: dict[str, Any], kind: str, bends: Bends, place: str) -> dict[str, Any]:
    """The fields of an element with what it lacks; changed in place."""
    if kind in _VALUE_TYPED:
        _value_type(fields, bends, place)
    for name in _REFERENCES:
        reference = fields.get(name)
        if reference is not None and not _reference(reference, bends, place):
            del fields[name]
    if kind == "ReferenceElement" and "value" in fields and not _reference(fields["value"], bends, place):
        del fields["value"]
    for name in ("supplementalSemanticIds", "submodels", "isCaseOf"):
        if name in fields:
            fields[name] = [one for one in fields[name] if _reference(one, bends, place)]
            if not fields[name]:
                del fields[name]
    for name in ("displayName", "description"):
        if name in fields:
            kept = [text for text in fields[name] if "text" in text]
            if len({text.get("language") for text in kept}) < len(kept):
                bends.took("same-language", f"{place}, {fields.get('idShort', kind)}/{name}")
            if kept:
                fields[name] = kept
            else:
                del fields[name]
    return _below(fields, kind, bends, place)


def _below(fields: dict[str, Any], kind: str, bends: Bends, place: str) -> dict[str, Any]:
    for slot in ("submodelElements", "statements", "annotations", "value"):
        children = fields.get(slot)
        if isinstance(children, list):
            for child in children:
                if "modelType" in child:
                    mended(child, child["modelType"], bends, place)
    for slot in ("inputVariables", "outputVariables", "inoutputVariables"):
        for variable in fields.get(slot, ()):
            if "value" in variable:
                mended(variable["value"], variable["value"]["modelType"], bends, place)
    return fields


def _value_type(fields: dict[str, Any], bends: Bends, place: str) -> None:
    written = fields.get("valueType")
    if written is None:
        bends.took("no-value-type", f"{place}, {fields.get('idShort', '')}")
        fields["valueType"] = "xs:string"
    elif not written.startswith("xs:"):
        bends.took("value-type-prefix", f"{place}, {fields.get('idShort', '')}")
        fields["valueType"] = "xs:" + written.strip().removeprefix("xsd:").removeprefix("xs:")


def _reference(reference: dict[str, Any], bends: Bends, place: str) -> bool:
    """Mends one; False where it refers to nothing."""
    keys = [key for key in reference.get("keys", ()) if key.get("value")]
    if not keys:
        bends.took("empty-list", place, "a reference without keys")
        return False
    if len(keys) != len(reference["keys"]):
        bends.took("empty-text", place, "a key without value")
        reference["keys"] = keys
    for key in keys:
        old = _OLD_KEYS.get(key.get("type", ""))
        if old or "type" not in key:
            bends.took("key-type", place, f"a key of type {key.get('type', '')!r}")
            key["type"] = old or "GlobalReference"
    written = reference.get("type")
    if written not in ("ExternalReference", "ModelReference"):
        bends.took("reference-type", place, f"a reference of type {written!r}")
        reference["type"] = "ExternalReference" if keys[0]["type"] in _GLOBAL else "ModelReference"
    return True
