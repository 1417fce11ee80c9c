"""Every error that Hulian raises on purpose.

    HulianError                     HL-KERNEL-0000
    ├── IdentifierError             HL-KERNEL-0001   a name that no rule allows
    ├── BatchError                  HL-KERNEL-0002   columns that do not fit together
    ├── ConfigurationError          HL-CONFIG-0001   a mistake in hulian.toml, with its place
    │   ├── UnknownKeyError         HL-CONFIG-0002
    │   ├── SecretError             HL-CONFIG-0003   a secret reference that leads nowhere
    │   └── MovedKeyError           HL-CONFIG-0004   a key that is set in another place
    └── (each room adds its own tree in its own errors.py)

A class is a permanent code. The message names the thing and the place; the hint says what to do next. What a person sees
is ``code: message (place)`` and the hint on a line of its own, never a traceback.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BatchError",
    "ConfigurationError",
    "HulianError",
    "IdentifierError",
    "MovedKeyError",
    "SecretError",
    "UnknownKeyError",
]


class HulianError(Exception):
    """The root: a permanent ``code``, a message, and optionally a ``place`` and a ``hint``."""

    code: ClassVar[str] = "HL-KERNEL-0000"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint or self.default_hint

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.code}: {self.message}{where}"

    def as_dict(self) -> dict[str, Any]:
        """The error as the API and ``--json`` show it."""
        return {"code": self.code, "message": self.message, "place": self.place, "hint": self.hint}


class IdentifierError(HulianError):
    """A name that no rule allows."""

    code = "HL-KERNEL-0001"
    default_hint = "write it as prefix/suffix, e.g. 99.118.8/pump-17, and a point as prefix/suffix#property"


class BatchError(HulianError):
    """Columns that do not fit together."""

    code = "HL-KERNEL-0002"


class ConfigurationError(HulianError):
    """A mistake in the configuration, with its place."""

    code = "HL-CONFIG-0001"
    default_hint = "run 'hulian config sample' for a commented example of every key"


class UnknownKeyError(ConfigurationError):
    """A key that does not exist; the hint holds the nearest one that does."""

    code = "HL-CONFIG-0002"


class SecretError(ConfigurationError):
    """A reference to a secret that leads nowhere. Neither message nor place holds the secret."""

    code = "HL-CONFIG-0003"
    default_hint = "a secret is given by reference: 'env:NAME', 'file:PATH' or 'secret:NAME'"


class MovedKeyError(ConfigurationError):
    """A key that is set in another place, once for the whole node; the hint holds that place."""

    code = "HL-CONFIG-0004"
