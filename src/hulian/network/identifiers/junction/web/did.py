"""Resolving DIDs (W3C DID Core 1.0, DID Resolution 0.3): did:web by its own document, other methods by their resolvers.

The document becomes values: ``DID.DOCUMENT`` is all of it, each service a ``DID.SERVICE``, each key a ``DID.KEY``, each other
name a ``DID.ALIAS``; the latter hold the JSON, or text, that stands in the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.junction.errors import ClosedError, ForeignAnswerError, SilentError
from hulian.network.identifiers.junction.found import Found, Step, System
from hulian.network.identifiers.junction.web.fetch import Fetched, Fetcher
from hulian.network.identifiers.schemes.did import METHODS, Did
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.values import Value

__all__ = ["Dids", "resolver_of"]

_RESULT: Final = (
    'application/ld+json;profile="https://w3id.org/did-resolution", application/did+json;q=0.9, application/json;q=0.8'
)
_DOCUMENT: Final = "application/did+json, application/did+ld+json, application/json;q=0.9"
_GONE: Final = frozenset((404, 410))
_NEGATIVE: Final = 300.0
_MOST: Final = 200
_MISSING: Final = ("notFound", "NOT_FOUND")
_DOCUMENT_INDEX: Final = 1
_SERVICES, _KEYS, _ALIASES = 100, 300, 500


def resolver_of(text: str) -> tuple[str, str]:
    """The method and the address in ``bid=https://resolver.example``. Raises `ConfigurationError`."""
    method, mark, address = text.partition("=")
    if not mark or method not in METHODS or method == "web" or not address.startswith(("https://", "http://")):
        hint = f"write method=address, with one of {', '.join(sorted(set(METHODS) - {'web'}))}"
        raise ConfigurationError(f"{text!r} is no resolver of a method", place="identifiers.junction.did_resolvers", hint=hint)
    return method, address.rstrip("/")


class Dids:
    """Asks the host of a ``did:web`` for its document, and ``resolvers`` (by method) for ``GET /1.0/identifiers/{did}``."""

    def __init__(self, fetcher: Fetcher, resolvers: Mapping[str, str]) -> None:
        self._fetcher = fetcher
        self._resolvers = dict(resolvers)

    async def resolve(self, did: Did) -> Found:
        """The document of ``did`` as values; path, query and fragment of a DID URL are left aside. Raises `JunctionError`."""
        name = f"did:{did.method}:{did.specific}"
        path: list[Step] = []
        if did.method == "web":
            bare = Did(did.method, did.specific)
            return self._read(name, System.DID_WEB, await self._fetcher.get(bare.to_url(), _DOCUMENT, path), path)
        at = self._resolvers.get(did.method)
        if at is None:
            raise ClosedError(f"no resolver is configured for did:{did.method}", place="identifiers.junction.did_resolvers")
        url = f"{at}/1.0/identifiers/{quote(name, safe=':')}"
        return self._read(name, System.DID_RESOLVER, await self._fetcher.get(url, _RESULT, path), path)

    def _read(self, name: str, system: System, fetched: Fetched, path: list[Step]) -> Found:
        if fetched.status == 429 or (fetched.status >= 500 and not fetched.body.startswith(b"{")):
            raise SilentError(f"it answers {fetched.status}", place=fetched.url)
        error, document = ("notFound", {}) if fetched.status in _GONE else _parts(fetched)
        negative = min(fetched.seconds, _NEGATIVE)
        code, message = ResponseCode.SUCCESS, ""
        values: tuple[Value, ...] = ()
        if error in _MISSING or error == "deactivated":
            code, message = (
                ResponseCode.HANDLE_NOT_FOUND,
                "it is deactivated" if error == "deactivated" else "it is not registered",
            )
        elif error or fetched.status != 200:
            raise ForeignAnswerError(f"it answers {fetched.status}: {error[:200]}", place=fetched.url)
        elif document.get("id") != name:
            raise ForeignAnswerError(f"a document of {str(document.get('id'))[:200]!r} came for {name}", place=fetched.url)
        else:
            values = _values(document, int(fetched.seconds))
        return Found(
            identifier=name,
            system=system,
            code=code.value,
            values=values,
            message=message,
            path=tuple(path),
            seconds=fetched.seconds if values else negative,
        )


def _parts(fetched: Fetched) -> tuple[str, dict[str, Any]]:
    """The error that a resolution result names, and the document; a bare document stands for itself."""
    try:
        found = msgspec.json.decode(fetched.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if fetched.status != 200:
            return f"status {fetched.status}", {}
        raise ForeignAnswerError(f"no DID document: {error}", place=fetched.url) from error
    if "didDocument" not in found and "didResolutionMetadata" not in found:
        return "", found
    told, about = found.get("didResolutionMetadata"), found.get("didDocumentMetadata")
    problem = told.get("error", "") if isinstance(told, dict) else ""
    if isinstance(problem, dict):  # newer results hold a problem object (RFC 9457)
        problem = str(problem.get("type", "")).rpartition("#")[2]
    if isinstance(about, dict) and about.get("deactivated") is True:
        problem = "deactivated"
    document = found.get("didDocument")
    return str(problem), document if isinstance(document, dict) else {}


def _values(document: dict[str, Any], ttl: int) -> tuple[Value, ...]:
    def value(index: int, kind: str, data: Any) -> Value:
        return Value(
            index=index, type=kind, data=data.encode() if isinstance(data, str) else msgspec.json.encode(data), ttl=ttl
        )

    made = [value(_DOCUMENT_INDEX, "DID.DOCUMENT", document)]
    for member, kind, begin in (
        ("service", "DID.SERVICE", _SERVICES),
        ("verificationMethod", "DID.KEY", _KEYS),
        ("alsoKnownAs", "DID.ALIAS", _ALIASES),
    ):
        listed = document.get(member)
        parts = listed[:_MOST] if isinstance(listed, list) else []
        usable = [part for part in parts if isinstance(part, str if kind == "DID.ALIAS" else dict)]
        made += [value(begin + place, kind, part) for place, part in enumerate(usable)]
    return tuple(made)
