"""Shells, submodels and concept descriptions: the operations of the repositories."""

from __future__ import annotations

from typing import Any

from hulian.network.exchange.semantics.aas.api.asking import Asking, made, nothing, okay
from hulian.network.exchange.semantics.aas.api.checked import body_of, checked
from hulian.network.exchange.semantics.aas.api.contract import Answer, ApiError, Collection
from hulian.network.exchange.semantics.aas.api.paths import encoded_id

__all__ = [
    "change_asset",
    "create",
    "delete_shell_submodel",
    "get_asset",
    "list_concepts",
    "list_shells",
    "matches_assets",
    "post_submodel_reference",
    "remove",
    "replace",
    "shell_reference",
    "show",
    "submodel_references",
    "thumbnail",
]

_KINDS: dict[Collection, str] = {
    "shells": "AssetAdministrationShell",
    "submodels": "Submodel",
    "concept-descriptions": "ConceptDescription",
}


def show(asking: Asking, collection: Collection) -> Answer:
    """One as it is."""
    return okay(asking.get(collection, asking.identity()))


def create(asking: Asking, collection: Collection) -> Answer:
    """A new one; 409 where its id is taken."""
    value = checked(body_of(asking.request.body), _KINDS[collection])
    identity = value["id"]
    asking.allow("write", collection, identity)
    if not asking.store.put(collection, identity, value, new=True):
        raise ApiError(409, f"{identity[:200]!r} is among the {collection} already")
    return made(value, f"{asking.request.root}/{collection}/{encoded_id(identity)}")


def replace(asking: Asking, collection: Collection) -> Answer:
    """In the place of what has this id; 3.1 lets it be created so."""
    identity = asking.identity()
    value = checked(body_of(asking.request.body), _KINDS[collection])
    if value["id"] != identity:
        raise ApiError(400, "the id of the body is not that of the path")
    asking.allow("write", collection, identity)
    if asking.store.put(collection, identity, value, new=False):
        return nothing()
    if not asking.store.put(collection, identity, value, new=True):
        raise ApiError(409, f"{identity[:200]!r} was made at the same moment")
    return made(value, f"{asking.request.root}/{collection}/{encoded_id(identity)}")


def remove(asking: Asking, collection: Collection) -> Answer:
    """Gone."""
    identity = asking.identity()
    asking.allow("delete", collection, identity)
    if not asking.store.delete(collection, identity):
        raise ApiError(404, f"there is no {identity[:200]!r} among the {collection}")
    return nothing()


# ------------------------------------------------ shells


def matches_assets(shell: dict[str, Any], wanted: list[Any]) -> bool:
    """Whether a shell's asset has all these ids (``globalAssetId`` and specific ones)."""
    asset = shell.get("assetInformation", shell)
    has = {(one.get("name"), one.get("value")) for one in asset.get("specificAssetIds", ())}
    if "globalAssetId" in asset:
        has.add(("globalAssetId", asset["globalAssetId"]))
    return all(isinstance(one, dict) and (one.get("name"), one.get("value")) in has for one in wanted)


def list_shells(asking: Asking, *, references: bool = False) -> Answer:
    """By asset ids and idShort."""
    assets, name = asking.asset_ids(), asking.one("idShort")

    def wanted(one: dict[str, Any]) -> bool:
        return (not name or one.get("idShort") == name) and matches_assets(one, assets)

    return asking.pages("shells", wanted if name or assets else None, shell_reference if references else lambda one: one)


def shell_reference(shell: dict[str, Any]) -> dict[str, Any]:
    """The model reference to a shell."""
    return {"type": "ModelReference", "keys": [{"type": "AssetAdministrationShell", "value": shell["id"]}]}


def get_asset(asking: Asking) -> Answer:
    """Asset information of a shell."""
    return okay(asking.get("shells", asking.identity()).get("assetInformation", {}))


def change_asset(asking: Asking) -> Answer:
    """Replaces it."""
    identity = asking.identity()
    shell = asking.get("shells", identity, "write")
    shell["assetInformation"] = checked(body_of(asking.request.body), "AssetInformation")
    asking.replace("shells", identity, shell)
    return nothing()


def thumbnail(asking: Asking) -> Answer:
    """Get, put or delete the default thumbnail."""
    identity, method = asking.identity(), asking.request.method
    shell = asking.get("shells", identity, "read" if method == "GET" else "write")
    asset = shell.setdefault("assetInformation", {})
    named = asset.get("defaultThumbnail")
    if method == "PUT":
        path = asking.store.put_file(identity, "", asking.request.body, asking.request.media_type)
        asset["defaultThumbnail"] = {"path": path, "contentType": asking.request.media_type}
    else:
        found = asking.store.file(identity, named["path"]) if named and named.get("path") else None
        if found is None:
            raise ApiError(404, "the asset has no thumbnail")
        if method == "GET":
            return Answer(body=found[0], media_type=found[1])
        del asset["defaultThumbnail"]
    asking.replace("shells", identity, shell)
    return nothing()


def submodel_references(asking: Asking) -> Answer:
    """References of a shell to its submodels."""
    return asking.listed(asking.get("shells", asking.identity()).get("submodels", []))


def post_submodel_reference(asking: Asking) -> Answer:
    """One more; 409 where it is there."""
    identity = asking.identity()
    shell = asking.get("shells", identity, "write")
    reference = checked(body_of(asking.request.body), "Reference")
    listed = shell.setdefault("submodels", [])
    if reference in listed:
        raise ApiError(409, "the shell has this reference already")
    listed.append(reference)
    asking.replace("shells", identity, shell)
    return made(reference, f"{asking.request.root}/shells/{encoded_id(identity)}/submodel-refs")


def refers(shell: dict[str, Any], submodel: str) -> bool:
    """Whether a shell has this submodel."""
    return any(key.get("value") == submodel for one in shell.get("submodels", ()) for key in one.get("keys", ())[:1])


def delete_shell_submodel(asking: Asking) -> Answer:
    """Takes a reference away; the submodel stays."""
    identity, submodel = asking.identity(), asking.identity("submodel")
    shell = asking.get("shells", identity, "write")
    if not refers(shell, submodel):
        raise ApiError(404, f"the shell has no submodel {submodel[:200]!r}")
    shell["submodels"] = [one for one in shell["submodels"] if one.get("keys", [{}])[0].get("value") != submodel]
    if not shell["submodels"]:
        del shell["submodels"]
    asking.replace("shells", identity, shell)
    return nothing()


# ------------------------------------------------ concept descriptions


def list_concepts(asking: Asking) -> Answer:
    """By idShort, isCaseOf and data specification."""
    name = asking.one("idShort")
    case, specification = asking.encoded_json("isCaseOf"), asking.encoded_json("dataSpecificationRef")

    def wanted(one: dict[str, Any]) -> bool:
        specified = [each.get("dataSpecification") for each in one.get("embeddedDataSpecifications", ())]
        return (
            (not name or one.get("idShort") == name)
            and all(each in one.get("isCaseOf", ()) for each in case)
            and all(each in specified for each in specification)
        )

    return asking.pages("concept-descriptions", wanted if name or case or specification else None)
