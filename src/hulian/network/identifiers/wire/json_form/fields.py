"""Members of JSON objects taken with their type; whatever is wrong is a `JsonFormError` with the path to it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from hulian.network.identifiers.wire.errors import JsonFormError

__all__ = ["Json", "Taker", "instant", "instant_text"]

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_DIGITS: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_I32: Final = (-0x80000000, 0x7FFFFFFF)
_MISSING: Final[Any] = object()


def instant_text(seconds: int) -> str:
    """Unix seconds as ``2026-11-22T20:05:34Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str, path: str) -> int:
    """The Unix seconds of ``2026-11-22T20:05:34Z``; fractions are cut off. Raises `JsonFormError`."""
    if _INSTANT.fullmatch(text):
        try:
            seconds = int(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
        except ValueError:
            seconds = -1
        if 0 <= seconds <= 0xFFFFFFFF:
            return seconds
    raise JsonFormError("a time is written as 2026-11-22T20:05:34Z, from 1970 to 2106", place=path)


class Taker:
    """One JSON object at ``path``. A member that is missing takes its default, where it has one."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise JsonFormError("an object belongs here", place=path)
        self.value: Mapping[str, Any] = value
        self.path = path

    def wrong(self, message: str, name: str = "") -> JsonFormError:
        """The error of the member ``name``, to be raised."""
        return JsonFormError(message, place=f"{self.path}.{name}" if name else self.path)

    def take(self, name: str, default: Any = _MISSING) -> Any:
        found = self.value.get(name, default)
        if found is _MISSING:
            raise self.wrong("it is missing", name)
        return found

    def text(self, name: str, default: str = _MISSING) -> str:
        found = self.take(name, default)
        if not isinstance(found, str):
            raise self.wrong("a text belongs here", name)
        return found

    def content(self, name: str) -> bytes:
        """A text as UTF-8; a whole number is taken as its digits."""
        found = self.take(name)
        if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 10**30:
            found = str(found)
        if not isinstance(found, str):
            raise self.wrong("a text belongs here", name)
        return found.encode()

    def number(self, name: str, default: int = _MISSING, *, least: int = _I32[0], most: int = _I32[1]) -> int:
        """A whole number; clients write it as a text of digits too."""
        found = self.take(name, default)
        if isinstance(found, str) and _DIGITS.fullmatch(found):
            found = int(found)
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise self.wrong(f"a whole number from {least} to {most} belongs here", name)
        return found

    def truth(self, name: str, default: bool = _MISSING) -> bool:
        found = self.take(name, default)
        if not isinstance(found, bool):
            raise self.wrong("true or false belongs here", name)
        return found

    def list(self, name: str, most: int, default: Any = _MISSING) -> list[Any]:
        found = self.take(name, default)
        if not isinstance(found, list):
            raise self.wrong("a list belongs here", name)
        if len(found) > most:
            raise self.wrong(f"a list of {len(found)}, where {most} are accepted", name)
        return found

    def base64(self, name: str, *, url: bool = False) -> bytes:
        text = self.text(name)
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), b"-_" if url else b"+/", validate=True)
        except (binascii.Error, ValueError):
            raise self.wrong("Base64 belongs here", name) from None

    def hex(self, name: str) -> bytes:
        text = self.text(name)
        try:
            if text.isalnum() or not text:
                return bytes.fromhex(text)
        except ValueError:
            pass
        raise self.wrong("hexadecimal digits, two a byte, belong here", name)
