"""Descriptors of shells and submodels, discovery by asset ids, and what the service says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.aas.api.asking import Asking, made, nothing, okay
from hulian.network.exchange.semantics.aas.api.checked import body_of
from hulian.network.exchange.semantics.aas.api.contract import LIST_LIMIT, SERIALISED, Answer, ApiError, Collection
from hulian.network.exchange.semantics.aas.api.paths import encoded_id
from hulian.network.exchange.semantics.aas.api.repository import matches_assets
from hulian.network.exchange.semantics.aas.json_writing import JsonWriting
from hulian.network.exchange.semantics.aas.xml_writing import XmlWriting

__all__ = [
    "PROFILES",
    "create",
    "description",
    "list_descriptors",
    "lookup",
    "lookup_by_link",
    "nested",
    "replace",
    "serialisation",
    "set_links",
]

PROFILES: Final = tuple(
    f"https://admin-shell.io/aas/API/3/{minor}/{profile}"
    for minor in (0, 1)
    for profile in (
        "AssetAdministrationShellRepositoryServiceSpecification/SSP-002",
        "SubmodelRepositoryServiceSpecification/SSP-002",
        "ConceptDescriptionRepositoryServiceSpecification/SSP-001",
        "AssetAdministrationShellRegistryServiceSpecification/SSP-001",
        "SubmodelRegistryServiceSpecification/SSP-001",
        "DiscoveryServiceSpecification/SSP-001",
    )
)
"""What is served whole. Of the repositories of shells and submodels that is the reading profile: writing is served as well, but
the full profile has operations that are invoked."""
_SERIALISED: Final[tuple[tuple[str, Collection, str, str], ...]] = (
    ("aasIds", "shells", "assetAdministrationShells", "AssetAdministrationShell"),
    ("submodelIds", "submodels", "submodels", "Submodel"),
)


class _Protocol(msgspec.Struct):
    href: str


class _Endpoint(msgspec.Struct):
    interface: str
    protocolInformation: _Protocol  # noqa: N815


class _Descriptor(msgspec.Struct):
    """What must be there of any descriptor."""

    id: str
    endpoints: list[_Endpoint] = []


def _taken(asking: Asking, collection: Collection) -> dict[str, Any]:
    value = body_of(asking.request.body)
    try:
        found = msgspec.convert(value, _Descriptor)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"the descriptor does not fit: {error}") from error
    if not found.id or len(found.id) > 2048:
        raise ApiError(400, "the id of a descriptor has 1 to 2048 characters")
    if collection == "submodel-descriptors" and not found.endpoints:
        raise ApiError(400, "the descriptor of a submodel needs an endpoint")
    return value  # type: ignore[no-any-return]


def list_descriptors(asking: Asking, collection: Collection) -> Answer:
    """Those of shells by kind and type of their asset."""
    kind, type_ = asking.one("assetKind"), asking.one("assetType")
    if type_:
        from hulian.network.exchange.semantics.aas.api.paths import decoded_id

        type_ = decoded_id(type_)

    def wanted(one: dict[str, Any]) -> bool:
        return (not kind or one.get("assetKind") == kind) and (not type_ or one.get("assetType") == type_)

    return asking.pages(collection, wanted if kind or type_ else None)


def create(asking: Asking, collection: Collection) -> Answer:
    """409 where its id is taken."""
    value = _taken(asking, collection)
    asking.allow("write", collection, value["id"])
    if not asking.store.put(collection, value["id"], value, new=True):
        raise ApiError(409, f"{value['id'][:200]!r} is registered already")
    return made(value, f"{asking.request.root}/{collection}/{encoded_id(value['id'])}")


def replace(asking: Asking, collection: Collection) -> Answer:
    """In the place of what has this id; created where there is none (3.1)."""
    identity = asking.identity()
    value = _taken(asking, collection)
    if value["id"] != identity:
        raise ApiError(400, "the id of the body is not that of the path")
    asking.allow("write", collection, identity)
    if asking.store.put(collection, identity, value, new=False):
        return nothing()
    asking.store.put(collection, identity, value, new=True)
    return made(value, f"{asking.request.root}/{collection}/{encoded_id(identity)}")


def nested(asking: Asking) -> Answer:
    """The submodel descriptors within the descriptor of a shell: list, get, create, replace, delete."""
    identity, method = asking.identity(), asking.request.method
    shell = asking.get("shell-descriptors", identity, "read" if method == "GET" else "write")
    ones = shell.setdefault("submodelDescriptors", [])
    named = asking._names.get("submodel")  # noqa: SLF001 - absent on the list
    if named is None and method == "GET":
        return asking.listed(ones)
    wanted = asking.identity("submodel") if named is not None else ""
    at = next((index for index, one in enumerate(ones) if one.get("id") == wanted), -1)
    if named is not None and at < 0 and method != "PUT":
        raise ApiError(404, f"the descriptor has no submodel {wanted[:200]!r}")
    if method == "GET":
        return okay(ones[at])
    answer = nothing()
    if method == "DELETE":
        del ones[at]
    else:
        value = _taken(asking, "submodel-descriptors")
        if method == "POST":
            if any(one.get("id") == value["id"] for one in ones):
                raise ApiError(409, f"{value['id'][:200]!r} is registered already")
            at = -1
        elif value["id"] != wanted:
            raise ApiError(400, "the id of the body is not that of the path")
        if at < 0:
            ones.append(value)
            where = f"{asking.request.root}/shell-descriptors/{encoded_id(identity)}/submodel-descriptors"
            answer = made(value, f"{where}/{encoded_id(value['id'])}")
        else:
            ones[at] = value
    asking.replace("shell-descriptors", identity, shell)
    return answer


# ------------------------------------------------ discovery


def lookup(asking: Asking) -> Answer:
    """Ids of the shells whose asset has all the ids of ``assetIds`` (a list of names and values in base64url)."""
    return _linked(asking, asking.asset_ids())


def lookup_by_link(asking: Asking) -> Answer:
    """The same with the asset ids in the body (3.1)."""
    wanted = body_of(asking.request.body)
    if not isinstance(wanted, list):
        raise ApiError(400, "a list of asset ids is wanted")
    return _linked(asking, wanted)


def _linked(asking: Asking, wanted: list[Any]) -> Answer:
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in wanted):
        raise ApiError(400, "an asset id has a name and a value")
    return asking.pages("shells", (lambda one: matches_assets(one, wanted)) if wanted else None, lambda one: one["id"])


def set_links(asking: Asking) -> Answer:
    """The asset ids of one shell: get, set or delete the specific ones."""
    identity, method = asking.identity(), asking.request.method
    shell = asking.get("shells", identity, "read" if method == "GET" else "write")
    asset = shell.setdefault("assetInformation", {"assetKind": "NotApplicable"})
    if method == "GET":
        found = list(asset.get("specificAssetIds", ()))
        if "globalAssetId" in asset:
            found.insert(0, {"name": "globalAssetId", "value": asset["globalAssetId"]})
        return okay(found)
    asset.pop("specificAssetIds", None)
    value: Any = []
    if method == "POST":
        from hulian.network.exchange.semantics.aas.api.checked import checked

        value = body_of(asking.request.body)
        if not isinstance(value, list):
            raise ApiError(400, "a list of asset ids is wanted")
        specific = [one for one in value if not (isinstance(one, dict) and one.get("name") == "globalAssetId")]
        for one in value:
            if one not in specific:
                asset["globalAssetId"] = one.get("value", "")
        if specific:
            asset["specificAssetIds"] = specific
        checked(asset, "AssetInformation")
    asking.replace("shells", identity, shell)
    return okay(value, 201) if method == "POST" else nothing()


# ------------------------------------------------ the service


def description(asking: Asking) -> Answer:
    """The profiles that are served."""
    del asking
    return okay({"profiles": list(PROFILES)})


def serialisation(asking: Asking) -> Answer:
    """An environment of shells, submodels and the concept descriptions that they mean, as JSON or XML."""
    from hulian.network.exchange.semantics.aas.api.paths import decoded_id

    environment: dict[str, list[dict[str, Any]]] = {}
    size = 0
    concepts_too = asking.choice("includeConceptDescriptions", ("true", "false")) == "true"
    chosen = any(asking.request.query.get(name) for name in ("aasIds", "submodelIds"))
    for name, collection, key, kind in _SERIALISED:
        identities = [decoded_id(one) for text in asking.request.query.get(name, ()) for one in text.split(",")]
        ones = (asking.get(collection, one) for one in dict.fromkeys(identities)) if chosen else _every(asking, collection)
        for one in ones:
            size += len(msgspec.json.encode(one))
            if size > SERIALISED:
                raise ApiError(413, f"more than {SERIALISED >> 20} MiB: name some shells and submodels")
            environment.setdefault(key, []).append({"modelType": kind, **one})
    if concepts_too:
        asking.allow("read", "concept-descriptions")
        concepts = [
            {"modelType": "ConceptDescription", **found}
            for one in sorted(_meanings(environment))
            if asking.readable("concept-descriptions", one)
            and (found := asking.store.get("concept-descriptions", one)) is not None
        ]
        if concepts:
            environment["conceptDescriptions"] = concepts
    accept = asking.request.accept
    if "package" in accept or "aasx" in accept:
        return Answer(body=asking.store.package(environment), media_type="application/asset-administration-shell-package+xml")
    if "xml" in accept and "json" not in accept:
        return Answer(body=_written(environment, XmlWriting("3.1")), media_type="application/xml")
    if accept and not any(one in accept for one in ("json", "*/*")):
        raise ApiError(406, "JSON, XML and AASX are served")
    return Answer(body=_written(environment, JsonWriting()))


def _every(asking: Asking, collection: Collection) -> Iterator[dict[str, Any]]:
    """All of a collection, a page at a time."""
    asking.allow("read", collection)
    after = ""
    while True:
        page = asking.page(collection, after, LIST_LIMIT, None)
        yield from page.ones
        after = page.after
        if not after:
            return


def _written(environment: dict[str, list[dict[str, Any]]], form: XmlWriting | JsonWriting) -> bytes:
    begin, end = form.document()
    parts = [begin]
    for name, ones in environment.items():
        head, tail = form.listed(name, first=len(parts) == 1)
        parts.append(head + form.separator.join(form.whole(one) for one in ones) + tail)
    return b"".join([*parts, end])


def _meanings(value: Any) -> set[str]:
    """Ids of all concepts that elements mean."""
    found: set[str] = set()
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            keys = one.get("semanticId", {}).get("keys", ()) if isinstance(one.get("semanticId"), dict) else ()
            found.update(key.get("value", "") for key in keys)
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return found
