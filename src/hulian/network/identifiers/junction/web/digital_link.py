"""Resolving GS1 keys at a conformant resolver (GS1-Conformant resolver standard): all links of the key, as a linkset."""

from __future__ import annotations

from typing import Final

from hulian.network.identifiers.junction.errors import ClosedError, ForeignAnswerError, SilentError
from hulian.network.identifiers.junction.found import Found, Step, System
from hulian.network.identifiers.junction.web.fetch import Fetcher
from hulian.network.identifiers.junction.web.linkset import links_in
from hulian.network.identifiers.schemes.errors import ConversionError
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.link import DigitalLink
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.values import Value

__all__ = ["DigitalLinks"]

_ACCEPT: Final = "application/linkset+json, application/json;q=0.9"
_READ: Final = frozenset(("application/linkset+json", "application/json", "application/ld+json"))
_GONE: Final = frozenset((404, 410))
_NEGATIVE: Final = 300.0


class DigitalLinks:
    """Asks the resolver that a link itself names, or ``stem`` for keys that come without one."""

    def __init__(self, fetcher: Fetcher, stem: str = "") -> None:
        self._fetcher = fetcher
        self._stem = stem.rstrip("/")

    @property
    def configured(self) -> bool:
        """Whether there is a resolver for keys that come without one."""
        return bool(self._stem)

    async def resolve(self, code: GS1, stem: str = "") -> Found:
        """The links of ``code``. Raises `JunctionError`, and `ClosedError` where no resolver is known."""
        at = stem or self._stem
        if not at:
            raise ClosedError(f"no resolver is configured for {code.text}", place="identifiers.junction.gs1")
        try:
            link = DigitalLink(code, at).to_url()
        except ConversionError as error:
            raise ClosedError(error.message, place=code.text, hint=error.hint) from error
        url = f"{link}{'&' if '?' in link else '?'}linkType=all"
        path: list[Step] = []
        found = await self._fetcher.get(url, _ACCEPT, path)
        if found.status in _GONE:
            return self._found(
                code, ResponseCode.HANDLE_NOT_FOUND, path, min(found.seconds, _NEGATIVE), f"{at} does not know it"
            )
        if found.status == 429 or found.status >= 500:
            raise SilentError(f"it answers {found.status}", place=found.url)
        if found.status != 200:
            raise ForeignAnswerError(f"it answers {found.status}", place=found.url)
        if found.type not in _READ:
            hint = "the host is no resolver that conforms to GS1's standard"
            raise ForeignAnswerError(f"no linkset, but {found.type[:80] or 'something'!r}", place=found.url, hint=hint)
        values = links_in(found.body, found.url, code, int(found.seconds))
        if not values:
            return self._found(
                code, ResponseCode.VALUES_NOT_FOUND, path, min(found.seconds, _NEGATIVE), f"{at} has no link of it"
            )
        return self._found(code, ResponseCode.SUCCESS, path, found.seconds, values=values)

    @staticmethod
    def _found(
        code: GS1, response: ResponseCode, path: list[Step], seconds: float, message: str = "", values: tuple[Value, ...] = ()
    ) -> Found:
        return Found(
            identifier=code.text,
            system=System.GS1_LINK,
            code=response.value,
            values=values,
            message=message,
            path=tuple(path),
            seconds=seconds,
        )
