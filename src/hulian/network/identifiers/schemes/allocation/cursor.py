"""Where an allocation goes on: what the caller keeps between calls, and over restarts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from hulian.network.identifiers.schemes.errors import CursorError

__all__ = ["Cursor"]

_FORM = re.compile(r"1\.([0-9a-f]{20})\.([0-9a-f]{16}|-)\.([0-9-]{0,16})\.([0-9]{1,19})\.([0-9a-f]{8})\Z")
_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How many a policy has given (in the scope that it is in). Immutable; as text, it survives a database or a file.

    ``key`` is a fingerprint of the key that makes random characters: another key would give some twice. It tells nothing
    about the key. The text ends with a checksum, so that a cursor that was cut or edited is refused.
    """

    policy: str
    key: str
    scope: str
    given: int

    @property
    def text(self) -> str:
        """To be kept; `parse` reads it."""
        body = f"{_VERSION}.{self.policy}.{self.key or '-'}.{self.scope}.{self.given}"
        return f"{body}.{_checksum(body)}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises `CursorError` for what `text` cannot have been."""
        match = _FORM.match(text) if len(text) < 128 else None
        if match is None:
            raise CursorError("this is no cursor of an allocation", rule="allocation.cursor")
        body, _, checksum = text.rpartition(".")
        if _checksum(body) != checksum:
            raise CursorError("the cursor was cut or changed", rule="allocation.cursor", position=len(body) + 1)
        policy, key, scope, given, _ = match.groups()
        return cls(policy, "" if key == "-" else key, scope, int(given))


def _checksum(body: str) -> str:
    return hashlib.blake2b(body.encode(), digest_size=4, person=b"hulian-cursor").hexdigest()
