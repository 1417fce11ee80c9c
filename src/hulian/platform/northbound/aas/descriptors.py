"""Descriptors of what is served here, made of the things themselves; others may register further ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from hulian.network.exchange.semantics.aas.api.paths import encoded_id

__all__ = ["shell_descriptor", "submodel_descriptor"]

_SHARED: Final = ("administration", "idShort", "displayName", "description", "extensions", "id")
_MOST: Final = 1_000
"""Submodels that the descriptor of a shell lists."""


def _endpoint(interface: str, address: str) -> dict[str, Any]:
    return {
        "interface": interface,
        "protocolInformation": {
            "href": address,
            "endpointProtocol": address.partition(":")[0].upper(),
            "endpointProtocolVersion": ["1.1"],
            "securityAttributes": [{"type": "NONE", "key": "NONE", "value": "NONE"}],
        },
    }


def submodel_descriptor(submodel: dict[str, Any], root: str) -> dict[str, Any]:
    """Of a submodel of this repository, which stands at ``root``."""
    found: dict[str, Any] = {
        name: submodel[name] for name in (*_SHARED, "semanticId", "supplementalSemanticIds") if name in submodel
    }
    if "supplementalSemanticIds" in found:
        found["supplementalSemanticId"] = found.pop("supplementalSemanticIds")
    found["endpoints"] = [_endpoint("SUBMODEL-3.0", f"{root}/submodels/{encoded_id(submodel['id'])}")]
    return found


def shell_descriptor(
    shell: dict[str, Any], root: str, submodels: Callable[[list[str]], Iterable[dict[str, Any]]]
) -> dict[str, Any]:
    """Of a shell of this repository; ``submodels`` gives those of these ids that are here, without their elements."""
    asset = shell.get("assetInformation", {})
    found: dict[str, Any] = {name: shell[name] for name in _SHARED if name in shell}
    for name in ("assetKind", "assetType", "globalAssetId", "specificAssetIds"):
        if name in asset:
            found[name] = asset[name]
    found["endpoints"] = [_endpoint("AAS-3.0", f"{root}/shells/{encoded_id(shell['id'])}")]
    wanted = [one["keys"][0]["value"] for one in shell.get("submodels", ()) if one.get("keys")]
    described = [submodel_descriptor(one, root) for one in submodels(wanted[:_MOST])]
    if described:
        found["submodelDescriptors"] = described
    return found
