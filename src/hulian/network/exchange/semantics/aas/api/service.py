"""The routes of the API, and `answer`: one request in, one answer out."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.aas.api import registry, repository, submodels
from hulian.network.exchange.semantics.aas.api.asking import Asking
from hulian.network.exchange.semantics.aas.api.contract import Answer, ApiError, Authorise, Request, Store

__all__ = ["OPERATIONS", "ROUTES", "answer", "perform", "refusal", "routed"]

Handler = Callable[[Asking], Answer]
_CONTENTS: Final = {"$metadata": "Metadata", "$value": "ValueOnly", "$reference": "Reference", "$path": "Path"}
_ID: Final = r"(?P<id>[^/]+)"
_SUB: Final = r"(?P<submodel>[^/]+)"
_PATH: Final = r"(?P<path>[^/]+)"
_HANDLE: Final = r"(?P<handle>[^/]+)"


class _Route:
    def __init__(self, method: str, pattern: str, operation: str, handler: Handler) -> None:
        self.method, self.operation, self.handler = method, operation, handler
        self.pattern = re.compile(f"^/{pattern}/?$")


def _crud(
    name: str, of: str, listing: Handler, create: Handler, replace: Handler, show: Handler, remove: Handler
) -> list[_Route]:
    return [
        _Route("GET", name, f"GetAll{of}s", listing),
        _Route("POST", name, f"Post{of}", create),
        _Route("GET", f"{name}/{_ID}", f"Get{of}ById", show),
        _Route("PUT", f"{name}/{_ID}", f"Put{of}ById", replace),
        _Route("DELETE", f"{name}/{_ID}", f"Delete{of}ById", remove),
    ]


def _repository(name: Any, of: str, listing: Handler) -> list[_Route]:
    make = (repository.create, repository.replace, repository.show, repository.remove)
    return _crud(name, of, listing, *(partial(one, collection=name) for one in make))


def _registry(name: Any, of: str) -> list[_Route]:
    return _crud(
        name,
        of,
        partial(registry.list_descriptors, collection=name),
        partial(registry.create, collection=name),
        partial(registry.replace, collection=name),
        partial(repository.show, collection=name),
        partial(repository.remove, collection=name),
    )


def _of_submodel(where: str, suffix: str) -> list[_Route]:
    """What can be done with one submodel: by itself, and through its shell."""
    elements = f"{where}/submodel-elements"
    routes = [
        _Route("PATCH", where, f"PatchSubmodel{suffix}", submodels.change),
        _Route("GET", elements, f"GetAllSubmodelElements{suffix}", submodels.list_elements),
        _Route("POST", elements, f"PostSubmodelElement{suffix}", submodels.add_element),
    ]
    for content, named in _CONTENTS.items():
        escaped = re.escape(content)
        routes += [
            _Route("GET", f"{where}/{escaped}", f"GetSubmodel{suffix}{named}", partial(submodels.show, content=content)),
            _Route(
                "GET",
                f"{elements}/{escaped}",
                f"GetAllSubmodelElements{named}{suffix}",
                partial(submodels.list_elements, content=content),
            ),
            _Route(
                "GET",
                f"{elements}/{_PATH}/{escaped}",
                f"GetSubmodelElementByPath{named}{suffix}",
                partial(submodels.show, content=content),
            ),
        ]
        if content in ("$metadata", "$value"):
            change = partial(submodels.change, content=content)
            routes += [
                _Route("PATCH", f"{where}/{escaped}", f"PatchSubmodel{suffix}{named}", change),
                _Route("PATCH", f"{elements}/{_PATH}/{escaped}", f"PatchSubmodelElementByPath{named}{suffix}", change),
            ]
    for method, verb in (("GET", "Get"), ("PUT", "Put"), ("DELETE", "Delete")):
        routes.append(_Route(method, f"{elements}/{_PATH}/attachment", f"{verb}FileByPath{suffix}", submodels.attachment))
    routes += [
        _Route("POST", f"{elements}/{_PATH}/invoke(?:-async)?(?:/\\$value)?", f"InvokeOperation{suffix}", _invoke),
        _Route("GET", f"{elements}/{_PATH}/operation-status/{_HANDLE}", f"GetOperationAsyncStatus{suffix}", _no_handle),
        _Route(
            "GET",
            f"{elements}/{_PATH}/operation-results/{_HANDLE}(?:/\\$value)?",
            f"GetOperationAsyncResult{suffix}",
            _no_handle,
        ),
        _Route("GET", f"{elements}/{_PATH}", f"GetSubmodelElementByPath{suffix}", submodels.show),
        _Route("POST", f"{elements}/{_PATH}", f"PostSubmodelElementByPath{suffix}", submodels.add_element),
        _Route("PUT", f"{elements}/{_PATH}", f"PutSubmodelElementByPath{suffix}", submodels.replace_element),
        _Route("PATCH", f"{elements}/{_PATH}", f"PatchSubmodelElementByPath{suffix}", submodels.change),
        _Route("DELETE", f"{elements}/{_PATH}", f"DeleteSubmodelElementByPath{suffix}", submodels.remove_element),
    ]
    return routes


def _invoke(asking: Asking) -> Answer:
    asking.allow("invoke", "submodels", asking.identity("submodel" if "submodel" in asking._names else "id"), asking.path())  # noqa: SLF001
    submodels.operation(asking)
    raise ApiError(501, "operations are not run through this interface: a command goes its own, confirmed way")


def _no_handle(asking: Asking) -> Answer:
    submodels.operation(asking)
    asking.identity("handle")
    raise ApiError(404, "there is no invocation with this handle: none was ever begun")


def _routes() -> list[_Route]:
    shell = f"shells/{_ID}"
    asset = f"{shell}/asset-information"
    nested = f"shell-descriptors/{_ID}/submodel-descriptors"
    routes = [
        _Route("GET", "description", "GetDescription", registry.description),
        _Route("GET", "serialization", "GenerateSerializationByIds", registry.serialisation),
        _Route("GET", "lookup/shells", "GetAllAssetAdministrationShellIdsByAssetLink", registry.lookup),
        _Route(
            "GET",
            "shells/\\$reference",
            "GetAllAssetAdministrationShellsReference",
            partial(repository.list_shells, references=True),
        ),
        _Route("GET", f"{shell}/\\$reference", "GetAssetAdministrationShellByIdReference", _shell_reference),
        _Route("GET", asset, "GetAssetInformation", repository.get_asset),
        _Route("PUT", asset, "PutAssetInformation", repository.change_asset),
        _Route("GET", f"{shell}/submodel-refs", "GetAllSubmodelReferences", repository.submodel_references),
        _Route("POST", f"{shell}/submodel-refs", "PostSubmodelReference", repository.post_submodel_reference),
        _Route("DELETE", f"{shell}/submodel-refs/{_SUB}", "DeleteSubmodelReferenceById", repository.delete_shell_submodel),
        _Route("POST", "lookup/shellsByAssetLink", "SearchAllAssetAdministrationShellIdsByAssetLink", registry.lookup_by_link),
        _Route("GET", f"{shell}/submodels/{_SUB}", "GetSubmodelById_AasRepository", submodels.show),
        _Route("PUT", f"{shell}/submodels/{_SUB}", "PutSubmodelById_AasRepository", submodels.replace_through_shell),
        _Route("DELETE", f"{shell}/submodels/{_SUB}", "DeleteSubmodelById_AasRepository", submodels.remove_through_shell),
    ]
    for method, verb in (("GET", "Get"), ("PUT", "Put"), ("DELETE", "Delete")):
        routes.append(_Route(method, f"{asset}/thumbnail", f"{verb}Thumbnail", repository.thumbnail))
    for method, verb in (("GET", "Get"), ("POST", "Post"), ("DELETE", "Delete")):
        routes.append(_Route(method, f"lookup/shells/{_ID}", f"{verb}AllAssetLinksById", registry.set_links))
    for method, verb, of in (("GET", "GetAll", "s"), ("POST", "Post", "")):
        routes.append(_Route(method, nested, f"{verb}SubmodelDescriptor{of}ThroughSuperpath", registry.nested))
    for method, verb in (("GET", "Get"), ("PUT", "Put"), ("DELETE", "Delete")):
        routes.append(_Route(method, f"{nested}/{_SUB}", f"{verb}SubmodelDescriptorByIdThroughSuperpath", registry.nested))
    for content, named in _CONTENTS.items():
        handler = partial(submodels.list_submodels, content=content)
        routes.append(_Route("GET", f"submodels/{re.escape(content)}", f"GetAllSubmodels{named}", handler))
    routes += _of_submodel(f"submodels/{_ID}", "")
    routes += _of_submodel(f"{shell}/submodels/{_SUB}", "_AasRepository")
    routes += _registry("shell-descriptors", "AssetAdministrationShellDescriptor")
    routes += _registry("submodel-descriptors", "SubmodelDescriptor")
    routes += _repository("concept-descriptions", "ConceptDescription", repository.list_concepts)
    routes += _repository("shells", "AssetAdministrationShell", repository.list_shells)
    of_submodels = _repository("submodels", "Submodel", submodels.list_submodels)
    # A submodel is shown in the content, level and extent that are asked for.
    routes += [one for one in of_submodels if one.operation != "GetSubmodelById"]
    routes.append(_Route("GET", f"submodels/{_ID}", "GetSubmodelById", submodels.show))
    return routes


def _shell_reference(asking: Asking) -> Answer:
    from hulian.network.exchange.semantics.aas.api.asking import okay

    return okay(repository.shell_reference(asking.get("shells", asking.identity())))


_ROUTES: Final = _routes()
ROUTES: Final = tuple((route.method, route.pattern.pattern, route.operation) for route in _ROUTES)
"""Method, pattern of the path, and operation."""
OPERATIONS: Final = tuple(sorted({route.operation for route in _ROUTES}))
"""The operations that are served, by the names that `Authorise` sees."""


def answer(request: Request, store: Store, authorise: Authorise, now: Callable[[], str]) -> Answer:
    """Answers a request. What is refused or wrong becomes a Result object of the standard; ``now`` dates it (RFC 3339, UTC)."""
    try:
        return perform(request, store, authorise)
    except ApiError as error:
        return refusal(error.status, error.code or str(error.status), error.text, now())


def perform(request: Request, store: Store, authorise: Authorise) -> Answer:
    """Answers a request. Raises `ApiError` for what is refused or wrong."""
    handler, names, operation = routed(request.method, request.path)
    return handler(Asking(request, names, operation, store, authorise))


def routed(method: str, path: str) -> tuple[Handler, dict[str, str], str]:
    """What answers, the parts of the path, and the standard's name of the operation. Raises `ApiError` 404 and 405."""
    allowed = []
    for route in _ROUTES:
        found = route.pattern.match(path)
        if found is None:
            continue
        if route.method == method:
            return route.handler, {name: text for name, text in found.groupdict().items() if text is not None}, route.operation
        allowed.append(route.method)
    if allowed:
        raise ApiError(405, f"{method[:20]} is not for this path, but {', '.join(sorted(set(allowed)))}")
    raise ApiError(404, f"there is no path {path[:200]!r}")


def refusal(status: int, code: str, text: str, now: str) -> Answer:
    """The Result object of the standard with one message; ``now`` dates it."""
    message = {"code": code, "messageType": "Error", "text": text, "timestamp": now}
    return Answer(status=status, body=msgspec.json.encode({"messages": [message]}))
