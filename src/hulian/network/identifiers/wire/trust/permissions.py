"""Over which handles a certificate's permissions reach."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["covers", "same_handle"]

_PREFIXES = "0.NA/"


class _Granted(Protocol):
    @property
    def perm(self) -> str: ...
    @property
    def handle(self) -> str | None: ...


def _upper(text: str) -> str:
    """ASCII capitals; what is not ASCII stays as it is."""
    return "".join([chr(ord(one) - 32) if "a" <= one <= "z" else one for one in text])


def _normal(handle: str) -> str:
    """The prefix in capitals; the whole of a handle that begins with ``0.``."""
    prefix, slash, suffix = handle.partition("/")
    if prefix.startswith("0."):
        return _upper(handle)
    return _upper(prefix) + slash + suffix


def same_handle(left: str, right: str) -> bool:
    """Whether two handles are one: prefixes compare without regard to ASCII case, suffixes as they are."""
    return _normal(left) == _normal(right)


def _prefix_of(handle: str) -> str:
    """The prefix handle of ``handle``: ``0.NA/P`` for ``P/suffix``."""
    return _PREFIXES + handle.partition("/")[0]


def covers(grants: Iterable[_Granted], handle: str) -> bool:
    """Whether one of ``grants`` reaches ``handle``.

    ``everything`` reaches all; ``thisHandle`` the one it names; ``derivedPrefixes`` the prefixes under the one it names and the
    handles under those; ``handlesUnderThisPrefix`` the handles of the prefix that it names, and of no derived one. Any other
    permission reaches nothing.
    """
    wanted = _normal(handle)
    own_prefix = _normal(_prefix_of(handle))
    for grant in grants:
        if grant.perm == "everything":
            return True
        if not grant.handle:
            continue
        named = _normal(grant.handle)
        if grant.perm == "thisHandle" and wanted == named:
            return True
        if not named.startswith(_PREFIXES):
            continue
        if grant.perm == "handlesUnderThisPrefix" and "/" in handle and own_prefix == named:
            return True
        if grant.perm == "derivedPrefixes" and (wanted.startswith(named + ".") or own_prefix.startswith(named + ".")):
            return True
    return False
