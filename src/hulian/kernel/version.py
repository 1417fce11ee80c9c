"""The version, in one place: the wheel's metadata, the API and the backups read it here."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
