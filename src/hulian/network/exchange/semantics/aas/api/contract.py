"""What the API needs of whoever serves it: requests, a store, leave to do things."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

__all__ = [
    "LIST_LIMIT",
    "LIST_MOST",
    "SERIALISED",
    "Answer",
    "ApiError",
    "Authorise",
    "Collection",
    "Page",
    "Request",
    "Right",
    "Store",
]

Collection = Literal["shells", "submodels", "concept-descriptions", "shell-descriptors", "submodel-descriptors"]
Right = Literal["read", "write", "delete", "invoke"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came; ``path`` begins behind the API's root and is still escaped."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = {}
    body: bytes = b""
    media_type: str = "application/json"
    accept: str = ""
    root: str = ""
    """Address of the API, for ``Location`` and descriptors."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = {}


class ApiError(Exception):
    """Ends a request with this status; the API turns it into a Result object. ``code`` is that of a more exact error."""

    def __init__(self, status: int, text: str, code: str = "") -> None:
        super().__init__(text)
        self.status, self.text, self.code = status, text, code


class Page(msgspec.Struct, frozen=True):
    """A part of a collection, in the order of ids."""

    ones: list[dict[str, Any]]
    after: str = ""
    """The id behind which the next page begins; empty where there is none. A page may hold fewer than were asked for and have
    a next one all the same: pages are bounded by their size and by what is looked through as well."""


class Authorise(Protocol):
    """Says whether the one who asks may do it.

    Called before anything is read or changed, once for each thing concerned. It raises `ApiError` (401 or 403) to refuse; lists
    leave out what may not be read, as if it were not there.
    """

    def __call__(self, operation: str, right: Right, collection: Collection, identity: str, path: str) -> None:
        """``operation`` is the operation id of the standard (``GetSubmodelElementByPath``); ``identity`` is empty for a list,
        ``path`` the idShortPath of an element or empty."""
        ...


class Store(Protocol):
    """Shells, submodels, concept descriptions and descriptors, as the JSON form of the metamodel has them.

    What it gives is a copy that the caller may change. Writing is atomic for each call.
    """

    def get(self, collection: Collection, identity: str) -> dict[str, Any] | None:
        """One by its id."""
        ...

    def page(
        self,
        collection: Collection,
        after: str,
        limit: int,
        wanted: Callable[[dict[str, Any]], bool] | None,
        *,
        whole: bool = True,
    ) -> Page:
        """At most ``limit`` for which ``wanted`` says yes (all where it is None), in the order of their ids, from the first
        behind ``after`` on. ``wanted`` sees them without the elements of submodels; without ``whole`` so does the caller."""
        ...

    def put(self, collection: Collection, identity: str, value: dict[str, Any], *, new: bool) -> bool:
        """Creates (``new``) or replaces; False where there is one already, or none."""
        ...

    def delete(self, collection: Collection, identity: str) -> bool:
        """False where there was none."""
        ...

    def file(self, submodel: str, path: str) -> tuple[bytes, str] | None:
        """A file that an element or a thumbnail names by its path in the package: content and media type.

        ``submodel`` is the id of the submodel, or of the shell for a thumbnail."""
        ...

    def put_file(self, submodel: str, path: str, content: bytes, media_type: str) -> str:
        """Keeps a file for the element with this idShortPath; the value that the element gets, which is written next."""
        ...

    def package(self, environment: dict[str, list[dict[str, Any]]]) -> bytes:
        """An AASX package of this environment, with the files that its elements name."""
        ...


LIST_LIMIT: Final = 100
LIST_MOST: Final = 1000
SERIALISED: Final = 64 << 20
"""JSON that goes into one serialisation, at most."""
