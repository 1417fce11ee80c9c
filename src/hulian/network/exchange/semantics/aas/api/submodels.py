"""Submodels and their elements, in all contents of the standard."""

from __future__ import annotations

import functools
from typing import Any

from hulian.network.exchange.semantics.aas.api.asking import Asking, made, nothing, okay
from hulian.network.exchange.semantics.aas.api.checked import body_of, checked
from hulian.network.exchange.semantics.aas.api.contract import Answer, ApiError
from hulian.network.exchange.semantics.aas.api.paths import (
    children_of,
    encoded_id,
    find,
    holder_of,
    paths_of,
    reference_to,
)
from hulian.network.exchange.semantics.aas.api.values import leveled, metadata_of, set_value, unblobbed, value_of

__all__ = [
    "add_element",
    "attachment",
    "change",
    "list_elements",
    "list_submodels",
    "operation",
    "remove_element",
    "remove_through_shell",
    "replace_element",
    "replace_through_shell",
    "show",
]

_STRUCTURED = ("Submodel", "SubmodelElementCollection", "SubmodelElementList", "Entity")
_NO_VALUE = ("Operation", "Capability")


def _formed(asking: Asking, submodel: dict[str, Any], path: str, element: dict[str, Any], content: str) -> Any:
    """An element in the content that is asked for."""
    if content == "$reference":
        return reference_to(submodel, path)
    if content == "$path":
        below = list(paths_of(element, path, deep=asking.deep()))
        return [path, *below] if path else below
    if content == "$metadata":
        return metadata_of(element)
    element = element if asking.blobs() else unblobbed(element)
    element = leveled(element, deep=asking.deep())
    return value_of(element) if content == "$value" else element


def _submodel(asking: Asking, right: Any = "read") -> dict[str, Any]:
    name = "submodel" if "submodel" in asking._names else "id"  # noqa: SLF001 - one route serves both ways to a submodel
    if name == "submodel":
        from hulian.network.exchange.semantics.aas.api.repository import refers

        shell = asking.get("shells", asking.identity())
        if not refers(shell, asking.identity("submodel")):
            raise ApiError(404, "the shell has no such submodel")
    found = asking.get("submodels", asking.identity(name), right, asking.path())
    found.setdefault("modelType", "Submodel")
    return found


def list_submodels(asking: Asking, content: str = "") -> Answer:
    """By semantic id and idShort."""
    name, meanings = asking.one("idShort"), asking.encoded_json("semanticId")

    def wanted(one: dict[str, Any]) -> bool:
        return (not name or one.get("idShort") == name) and all(
            one.get("semanticId", {}).get("keys") == each.get("keys") if isinstance(each, dict) else False for each in meanings
        )

    def form(one: dict[str, Any]) -> Any:
        return _formed(asking, one, "", {"modelType": "Submodel", **one}, content)

    asking.deep(), asking.blobs()
    filtered = wanted if name or meanings else None
    if content == "$path":
        return asking.joined("submodels", filtered, form)
    return asking.pages("submodels", filtered, form, whole=content not in ("$metadata", "$reference"))


def show(asking: Asking, content: str = "") -> Answer:
    """A submodel, or the element of the path."""
    submodel = _submodel(asking)
    path = asking.path()
    element = asking.element(submodel) if path else submodel
    kind = element["modelType"]
    if (content == "$path" and kind not in _STRUCTURED) or (content == "$metadata" and kind in _NO_VALUE):
        raise ApiError(400, f"a {kind} has no {content}")
    return okay(_formed(asking, submodel, path, element, content))


def list_elements(asking: Asking, content: str = "") -> Answer:
    """The elements directly below a submodel."""
    submodel = _submodel(asking)
    form = functools.partial(_formed, asking, submodel)
    ones = [(one.get("idShort", ""), one) for one in children_of(submodel)]
    if content == "$path":
        return asking.listed([path for name, one in ones for path in form(name, one, content)])
    if content == "$value":
        ones = [(name, one) for name, one in ones if one.get("modelType") not in ("Operation", "Capability")]
        page = [{name: form(name, one, content)} for name, one in ones]
        return asking.listed(page)
    return asking.listed([form(name, one, content) for name, one in ones])


def add_element(asking: Asking) -> Answer:
    """A new element below the submodel or below the element of the path."""
    submodel = _submodel(asking, "write")
    element = checked(body_of(asking.request.body), "SubmodelElement")
    path = asking.path()
    above = asking.element(submodel) if path else submodel
    holder = holder_of(above)
    if above.get("modelType") == "SubmodelElementList":
        new = f"{path}[{len(holder)}]"
    else:
        name = element.get("idShort")
        if not name:
            raise ApiError(400, "an element needs an idShort here")
        if any(one.get("idShort") == name for one in holder):
            raise ApiError(409, f"there is an element {name} already")
        new = f"{path}.{name}" if path else name
    holder.append(element)
    asking.replace("submodels", submodel["id"], submodel)
    return made(element, f"{asking.request.root}/submodels/{encoded_id(submodel['id'])}/submodel-elements/{new}")


def replace_element(asking: Asking) -> Answer:
    """In the place of the element of the path; created where it is not there (3.1)."""
    submodel = _submodel(asking, "write")
    element = checked(body_of(asking.request.body), "SubmodelElement")
    path = asking.path()
    try:
        above, at = find(submodel, path)
    except ApiError as error:
        if error.status != 404:
            raise
        before, _, name = path.rpartition(".")
        if name.endswith("]") or element.get("idShort") != name:
            raise
        above = submodel
        if before:
            holder, where = find(submodel, before)
            above = children_of(holder)[where]
        holder_of(above).append(element)
        asking.replace("submodels", submodel["id"], submodel)
        return made(element, f"{asking.request.root}/submodels/{encoded_id(submodel['id'])}/submodel-elements/{path}")
    old = children_of(above)[at]
    if above.get("modelType") != "SubmodelElementList" and element.get("idShort") != old.get("idShort"):
        raise ApiError(400, "the idShort of the body is not that of the path")
    children_of(above)[at] = element
    asking.replace("submodels", submodel["id"], submodel)
    return nothing()


def remove_element(asking: Asking) -> Answer:
    """Gone; what followed it in a list moves up."""
    submodel = _submodel(asking, "delete")
    above, at = find(submodel, asking.path())
    below = children_of(above)
    del below[at]
    if not below:
        for slot in ("submodelElements", "value", "statements", "annotations"):
            if above.get(slot) == []:
                del above[slot]
    asking.replace("submodels", submodel["id"], submodel)
    return nothing()


def change(asking: Asking, content: str = "") -> Answer:
    """PATCH of a submodel or an element: as a whole, its metadata or its value."""
    submodel = _submodel(asking, "write")
    path = asking.path()
    element = asking.element(submodel) if path else submodel
    body = body_of(asking.request.body)
    if content == "$value":
        set_value(element, body, path)
        checked(element, "SubmodelElement" if path else "Submodel")
    else:
        if not isinstance(body, dict):
            raise ApiError(400, "the body is no object")
        if content == "$metadata" and metadata_of({**body, "modelType": element["modelType"]}).keys() - {"modelType"} != (
            body.keys() - {"modelType"}
        ):
            raise ApiError(400, "metadata hold no values")
        merged = {**element, **body}
        for name, value in body.items():
            if value is None:
                del merged[name]
        if merged.get("idShort") != element.get("idShort") or merged.get("id") != element.get("id"):
            raise ApiError(400, "neither id nor idShort can be changed")
        checked(merged, "SubmodelElement" if path else "Submodel")
        element.clear()
        element.update(merged)
    asking.replace("submodels", submodel["id"], submodel)
    return nothing()


def replace_through_shell(asking: Asking) -> Answer:
    """In the place of a submodel of the shell; created where it is not there, and the shell refers to it then (3.1)."""
    from hulian.network.exchange.semantics.aas.api.repository import refers

    shell_id, identity = asking.identity(), asking.identity("submodel")
    shell = asking.get("shells", shell_id, "write")
    value = checked(body_of(asking.request.body), "Submodel")
    if value["id"] != identity:
        raise ApiError(400, "the id of the body is not that of the path")
    asking.allow("write", "submodels", identity)
    if refers(shell, identity) and asking.store.put("submodels", identity, value, new=False):
        return nothing()
    if not asking.store.put("submodels", identity, value, new=True):
        raise ApiError(409, f"{identity[:200]!r} is among the submodels already, and not one of this shell")
    if not refers(shell, identity):
        reference = {"type": "ModelReference", "keys": [{"type": "Submodel", "value": identity}]}
        asking.replace("shells", shell_id, {**shell, "submodels": [*shell.get("submodels", ()), reference]})
    return made(value, f"{asking.request.root}/shells/{encoded_id(shell_id)}/submodels/{encoded_id(identity)}")


def remove_through_shell(asking: Asking) -> Answer:
    """The submodel, and the shell's reference to it."""
    from hulian.network.exchange.semantics.aas.api.repository import delete_shell_submodel

    identity = asking.identity("submodel")
    asking.allow("delete", "submodels", identity)
    answer = delete_shell_submodel(asking)
    asking.store.delete("submodels", identity)
    return answer


def operation(asking: Asking) -> dict[str, Any]:
    """The operation that the path names. Raises `ApiError` 404, and 405 for any other element."""
    element = asking.element(_submodel(asking))
    if element.get("modelType") != "Operation":
        raise ApiError(405, f"a {element.get('modelType')} cannot be invoked")
    return element


def attachment(asking: Asking) -> Answer:
    """Get, put or delete the file of a File element."""
    method = asking.request.method
    submodel = _submodel(asking, "read" if method == "GET" else "write")
    element = asking.element(submodel)
    if element.get("modelType") != "File":
        raise ApiError(400, f"a {element.get('modelType')} has no file")
    if method == "PUT":
        element["value"] = asking.store.put_file(submodel["id"], asking.path(), asking.request.body, asking.request.media_type)
        element["contentType"] = asking.request.media_type
    else:
        found = asking.store.file(submodel["id"], element["value"]) if element.get("value") else None
        if found is None:
            raise ApiError(404, "the element has no file here")
        if method == "GET":
            return Answer(body=found[0], media_type=element.get("contentType") or found[1])
        del element["value"]
    asking.replace("submodels", submodel["id"], submodel)
    return nothing()
