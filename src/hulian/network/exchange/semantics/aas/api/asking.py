"""One request while it is answered: its parameters, the store with leave asked, and the forms of answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.aas.api.contract import (
    LIST_LIMIT,
    LIST_MOST,
    Answer,
    ApiError,
    Authorise,
    Collection,
    Page,
    Request,
    Right,
    Store,
)
from hulian.network.exchange.semantics.aas.api.paths import decoded_id, encoded_id, find

__all__ = ["Asking", "made", "nothing", "okay"]

_LEVELS: Final = ("deep", "core")
_PAGES: Final = 20
_JOINED: Final = 50
"""Things of which a joined page takes the lists at once, and how often."""
_EXTENTS: Final = ("withoutBlobValue", "withBlobValue")


def okay(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer with a JSON body."""
    return Answer(status=status, body=msgspec.json.encode(value), headers=headers)


def made(value: Any, location: str) -> Answer:
    """201, with where it is now."""
    return okay(value, 201, Location=location)


def nothing() -> Answer:
    """204."""
    return Answer(status=204)


class Asking:
    """A request and what it may touch. ``names`` are the parts of the path that the route names."""

    def __init__(self, request: Request, names: dict[str, str], operation: str, store: Store, authorise: Authorise) -> None:
        self.request, self.operation, self.store = request, operation, store
        self._names, self._authorise = names, authorise

    # ------------------------------------------------ parameters

    def identity(self, name: str = "id") -> str:
        """An id of the path, decoded."""
        return decoded_id(self._names[name])

    def path(self) -> str:
        """The idShortPath; empty where the route has none."""
        return unquote(self._names.get("path", ""))

    def one(self, name: str, default: str = "") -> str:
        """A parameter that may be there once."""
        values = self.request.query.get(name, ())
        if len(values) > 1:
            raise ApiError(400, f"{name} is there {len(values)} times")
        return values[0] if values else default

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of these, the first where it is not given."""
        found = self.one(name, allowed[0])
        if allowed[0] == "true":
            found = found.lower()  # clients write their own language's spelling
        if found not in allowed:
            raise ApiError(400, f"{name} is one of {', '.join(allowed)}, not {found[:50]!r}")
        return found

    def deep(self) -> bool:
        """``level``."""
        return self.choice("level", _LEVELS) == "deep"

    def blobs(self) -> bool:
        """``extent``."""
        return self.choice("extent", _EXTENTS) == "withBlobValue"

    def limit(self) -> int:
        """How many a page may have."""
        text = self.one("limit")
        if not text:
            return LIST_LIMIT
        if not text.isascii() or not text.isdigit() or not int(text[:9]) >= 1:
            raise ApiError(400, f"limit is a positive number, not {text[:50]!r}")
        return min(int(text[:9]), LIST_MOST)

    def cursor(self) -> str:
        """The id behind which a page begins."""
        text = self.one("cursor")
        return decoded_id(text) if text else ""

    def encoded_json(self, name: str) -> list[Any]:
        """Values of a parameter that are JSON in base64url."""
        return [self._decoded(name, part) for text in self.request.query.get(name, ()) for part in text.split(",")]

    def asset_ids(self) -> list[Any]:
        """``assetIds``: asset ids, or lists of them. Some clients write ``name:value`` in base64url instead of JSON."""
        found: list[Any] = []
        for text in self.request.query.get("assetIds", ()):
            for part in text.split(","):
                one = self._decoded("assetIds", part, spoken=True)
                found += one if isinstance(one, list) else [one]
        if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in found):
            raise ApiError(400, "an asset id has a name and a value")
        return found

    @staticmethod
    def _decoded(name: str, part: str, *, spoken: bool = False) -> Any:
        try:
            plain = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
            key, colon, value = plain.decode().partition(":")
            if spoken and colon and key.isidentifier():
                return {"name": key, "value": value}
            return msgspec.json.decode(plain)
        except (binascii.Error, *UNREADABLE, ValueError) as error:
            raise ApiError(400, f"{name} is JSON in base64url, not {part[:50]!r}") from error

    # ------------------------------------------------ the store

    def allow(self, right: Right, collection: Collection, identity: str = "", path: str = "") -> None:
        """Asks for leave. Raises `ApiError`."""
        self._authorise(self.operation, right, collection, identity, path)

    def readable(self, collection: Collection, identity: str) -> bool:
        """Whether a member of a list may be seen."""
        try:
            self.allow("read", collection, identity)
        except ApiError:
            return False
        return True

    def page(
        self,
        collection: Collection,
        after: str,
        limit: int,
        wanted: Callable[[dict[str, Any]], bool] | None,
        *,
        whole: bool = True,
    ) -> Page:
        """A page of the store, of what may be read."""
        found = self.store.page(collection, after, limit, wanted, whole=whole)
        return Page([one for one in found.ones if self.readable(collection, one["id"])], found.after)

    def get(self, collection: Collection, identity: str, right: Right = "read", path: str = "") -> dict[str, Any]:
        """One that is there. Raises `ApiError` 404, after asking for leave."""
        self.allow(right, collection, identity, path)
        found = self.store.get(collection, identity)
        if found is None:
            raise ApiError(404, f"there is no {identity[:200]!r} among the {collection}")
        return found

    def element(self, submodel: dict[str, Any]) -> dict[str, Any]:
        """The element that the path names."""
        from hulian.network.exchange.semantics.aas.api.paths import children_of

        above, at = find(submodel, self.path())
        return children_of(above)[at]

    def replace(self, collection: Collection, identity: str, value: dict[str, Any]) -> None:
        """Writes what was changed."""
        if not self.store.put(collection, identity, value, new=False):
            raise ApiError(404, f"there is no {identity[:200]!r} among the {collection} any more")

    def pages(
        self,
        collection: Collection,
        wanted: Callable[[dict[str, Any]], bool] | None,
        form: Callable[[dict[str, Any]], Any] = lambda one: one,
        *,
        whole: bool = True,
    ) -> Answer:
        """A page of a list, with the cursor of the next. ``wanted`` is None where no filter was asked for."""
        self.allow("read", collection)
        found = self.page(collection, self.cursor(), self.limit(), wanted, whole=whole)
        metadata = {"cursor": encoded_id(found.after)} if found.after else {}
        return okay({"paging_metadata": metadata, "result": [form(one) for one in found.ones]})

    def joined(
        self,
        collection: Collection,
        wanted: Callable[[dict[str, Any]], bool] | None,
        form: Callable[[dict[str, Any]], list[Any]],
    ) -> Answer:
        """A page of what several have together: ``form`` gives a list of each. Its cursor is the last one that was given whole,
        and how many were given of the next."""
        self.allow("read", collection)
        limit = self.limit()
        after, _, given = self.cursor().rpartition("\n")
        if given and not (given.isascii() and given.isdigit()):
            raise ApiError(400, "the cursor is none that was given")
        skipped = int(given[:9]) if given else 0
        found: list[Any] = []
        for _ in range(_PAGES):
            page = self.page(collection, after, _JOINED, wanted)
            for one in page.ones:
                rest = form(one)[skipped:]
                room = limit - len(found)
                if len(rest) > room:
                    cursor = encoded_id(f"{after}\n{skipped + room}")
                    return okay({"paging_metadata": {"cursor": cursor}, "result": [*found, *rest[:room]]})
                found += rest
                after, skipped = one["id"], 0
            if not page.after:
                return okay({"paging_metadata": {}, "result": found})
            after = page.after
        return okay({"paging_metadata": {"cursor": encoded_id(f"{after}\n0")}, "result": found})

    def listed(self, values: list[Any]) -> Answer:
        """A page of a list that is at hand; its cursor is a position."""
        limit, text = self.limit(), self.cursor()
        if text and not (text.isascii() and text.isdigit()):
            raise ApiError(400, "the cursor is none that was given")
        start = int(text[:9]) if text else 0
        metadata = {"cursor": encoded_id(str(start + limit))} if start + limit < len(values) else {}
        return okay({"paging_metadata": metadata, "result": values[start : start + limit]})
