"""idShortPaths and ids of the API: finding, putting and taking elements of a submodel."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.aas.api.contract import ApiError
from hulian.network.exchange.semantics.aas.metamodel import CHILDREN

__all__ = ["children_of", "decoded_id", "encoded_id", "find", "holder_of", "paths_of", "reference_to", "steps_of"]

_STEP: Final = re.compile(r"(?:^|\.)([A-Za-z][A-Za-z0-9_-]*)|\[(\d{1,6})\]")


def encoded_id(identity: str) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(identity.encode()).decode().rstrip("=")


def decoded_id(text: str) -> str:
    """The id that a path names. Raises `ApiError` 400."""
    try:
        if not re.fullmatch(r"[A-Za-z0-9_-]+=*", text):
            raise ValueError
        plain = text.rstrip("=")
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise ApiError(400, f"{text[:100]!r} is no id in base64url") from error


def steps_of(path: str) -> list[str | int]:
    """Names and indexes. Raises `ApiError` 400.

    >>> steps_of("Markings[0].MarkingName")
    ['Markings', 0, 'MarkingName']
    """
    steps: list[str | int] = []
    at = 0
    if path.startswith("."):
        raise ApiError(400, f"{path[:200]!r} is no idShortPath")
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (not steps and found[2] is not None):
            raise ApiError(400, f"{path[:200]!r} is no idShortPath")
        steps.append(found[1] if found[1] else int(found[2]))
        at = found.end()
    if not steps:
        raise ApiError(400, "an idShortPath is empty")
    return steps


def children_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    """The elements directly below; the list itself, which may be changed where there is one."""
    slot = CHILDREN.get(element.get("modelType", "Submodel"))
    return element.get(slot, []) if slot else []


def holder_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    """The same, made where it was not. Raises `ApiError` 400 for an element that can have none."""
    slot = CHILDREN.get(element.get("modelType", "Submodel"))
    if slot is None:
        raise ApiError(400, f"a {element.get('modelType')} has no elements below it")
    return element.setdefault(slot, [])  # type: ignore[no-any-return]


def _step(above: dict[str, Any], step: str | int) -> int:
    """Index of the element that a step names; -1 where there is none."""
    listed = above.get("modelType") == "SubmodelElementList"
    below = children_of(above)
    if isinstance(step, int):
        return step if listed and step < len(below) else -1
    if listed:
        return -1
    return next((at for at, one in enumerate(below) if one.get("idShort") == step), -1)


def find(submodel: dict[str, Any], path: str) -> tuple[dict[str, Any], int]:
    """What holds an element, and the element's index there. Raises `ApiError` 404."""
    above, at = submodel, -1
    steps = steps_of(path)
    for number, step in enumerate(steps):
        at = _step(above, step)
        if at < 0:
            raise ApiError(404, f"no element {path!r}")
        if number < len(steps) - 1:
            above = children_of(above)[at]
    return above, at


def paths_of(element: dict[str, Any], prefix: str, *, deep: bool) -> Iterator[str]:
    """idShortPaths of what stands below an element."""
    listed = element.get("modelType") == "SubmodelElementList"
    for index, one in enumerate(children_of(element)):
        name = one.get("idShort", "")
        path = f"{prefix}[{index}]" if listed else f"{prefix}.{name}" if prefix else name
        yield path
        if deep:
            yield from paths_of(one, path, deep=True)


def reference_to(submodel: dict[str, Any], path: str) -> dict[str, Any]:
    """The model reference to a submodel, or to the element with this path."""
    keys = [{"type": "Submodel", "value": submodel["id"]}]
    above = submodel
    for step in steps_of(path) if path else []:
        one = children_of(above)[_step(above, step)]
        keys.append({"type": one["modelType"], "value": str(step)})
        above = one
    return {"type": "ModelReference", "keys": keys}
