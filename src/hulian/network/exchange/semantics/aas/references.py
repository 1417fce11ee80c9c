"""References and identities: which node a key chain leads to, and which texts stand for a reference.

A shell and a submodel keep their id in the model; an element is ``<submodel id>#<idShortPath>``; a concept description, of
which many documents carry a copy, is ``<document>/<id>``.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

__all__ = ["AAS_REFERENCE", "concept_id", "element_id", "external", "is_plain", "last_value", "model_id", "target_of"]

AAS_REFERENCE: Final = "nsu=http://opcfoundation.org/UA/I4AAS/;i=4003"
"""Reference type of a reference into a model: that of OPC 30270, so that both languages have one name for it."""
_LONGEST: Final = 1024
_KEPT: Final = 960


def model_id(identity: str) -> str:
    """An id as the model takes it: of a longer one the begin and a hash."""
    if len(identity) <= _LONGEST:
        return identity
    return f"{identity[:_KEPT]}~{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"


def element_id(submodel: str, path: str) -> str:
    """Node of an element; ``path`` is its idShortPath."""
    return model_id(f"{submodel}#{path}")


def concept_id(document: str, identity: str) -> str:
    """Node of a concept description."""
    return model_id(f"{document}/{identity}")


def external(identity: str) -> dict[str, Any]:
    """The plain reference to a concept."""
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": identity}]}


def is_plain(reference: dict[str, Any]) -> bool:
    """Whether `external` of its last value gives the same."""
    keys = reference.get("keys")
    return (
        len(reference) == 2
        and reference.get("type") == "ExternalReference"
        and isinstance(keys, list)
        and len(keys) == 1
        and len(keys[0]) == 2
        and keys[0].get("type") == "GlobalReference"
    )


def last_value(reference: dict[str, Any]) -> str:
    """What it names: the value of its last key that is no fragment; empty where it has none."""
    found = ""
    for key in reference.get("keys", ()):
        if key.get("type") != "FragmentReference" or not found:
            found = key.get("value", "")
    return found


def target_of(reference: dict[str, Any], document: str) -> str:
    """The node that a reference into a model leads to; empty for any other."""
    keys = reference.get("keys") or []
    if reference.get("type") != "ModelReference" or not keys:
        return ""
    first, rest = keys[0], keys[1:]
    identity = first.get("value", "")
    kind = first.get("type")
    if kind == "ConceptDescription":
        return concept_id(document, identity)
    if kind not in ("Submodel", "AssetAdministrationShell"):
        return ""
    path = ""
    before = kind
    for key in rest:
        value = key.get("value", "")
        if key.get("type") in ("FragmentReference", "GlobalReference"):
            break
        if before == "SubmodelElementList":
            path += f"[{value}]"
        else:
            path += f".{value}" if path else value
        before = key.get("type")
    return element_id(identity, path) if path else model_id(identity)
