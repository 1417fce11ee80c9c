"""What names anything: a machine, a person, a material, a product, a place, a program, a data set.

The Handle form ``prefix/suffix`` (RFC 3650, section 3.1); the prefix ``99.`` is private, for examples and unregistered
installations. A **point** is one property of a thing: ``99.118.8/pump-17#outlet.pressure``.

One escaping rule carries any legal name into NATS subjects, URLs and file names: ASCII letters, digits, ``_`` and ``-``
stay, every other byte of the UTF-8 form becomes ``~`` and two upper-case hexadecimal digits. The result is one subject
token, one path segment, one file name; the rule is total and has one inverse.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final, NamedTuple

from hulian.kernel.errors import IdentifierError

__all__ = ["MAXIMUM_LENGTH", "Identifier", "PointName", "escape", "series_id", "unescape"]

MAXIMUM_LENGTH: Final = 1024
"""Longest identifier or point name, in bytes of UTF-8."""

_PREFIX = re.compile(r"[^\s/#.]+(\.[^\s/#.]+)*\Z")
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9_-]|~[0-9A-F]{2})+\Z")


def escape(text: str) -> str:
    """``text`` as one subject token, URL path segment and file name. The empty text has no escaped form.

    >>> escape("99.118.8/pump-17#outlet.pressure")
    '99~2E118~2E8~2Fpump-17~23outlet~2Epressure'
    """
    if not text:
        raise IdentifierError("an empty name cannot be escaped")
    return "".join(chr(byte) if byte in _SAFE else f"~{byte:02X}" for byte in _encoded(text))


def unescape(token: str) -> str:
    """The inverse of `escape`; refuses whatever `escape` cannot have written.

    >>> unescape("pump-17~23outlet~2Epressure")
    'pump-17#outlet.pressure'
    """
    if not _ESCAPED.match(token):
        raise IdentifierError(f"{token!r} is not an escaped name")
    raw = re.sub(r"~([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), token).encode("latin-1")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise IdentifierError(f"{token!r} does not hold UTF-8") from error
    if escape(text) != token:
        raise IdentifierError(f"{token!r} is not the escaped form of {text!r}")
    return text


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise IdentifierError(f"{text!r} holds half of a character at position {error.start}") from error


def _check_text(text: str, what: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > MAXIMUM_LENGTH:
        raise IdentifierError(f"{what} is longer than {MAXIMUM_LENGTH} bytes")
    if text.isprintable():
        return
    for position, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Zl", "Zp"):
            raise IdentifierError(f"{what} holds the control character U+{ord(character):04X} at position {position}")


class Identifier(NamedTuple):
    """A name in Handle form. Prefixes are compared without regard to case and kept in lower case.

    >>> str(Identifier.parse("99.118.8/pump-17"))
    '99.118.8/pump-17'
    """

    prefix: str
    suffix: str

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """Raises `IdentifierError` where ``text`` is not ``prefix/suffix``."""
        _check_text(text, "the identifier")
        prefix, slash, suffix = text.partition("/")
        if not slash or not suffix:
            raise IdentifierError(f"{text!r} is not an identifier: there is no suffix behind a slash")
        if not _PREFIX.match(prefix):
            raise IdentifierError(f"{text!r} is not an identifier: its prefix {prefix!r} is not a dotted name")
        if "#" in suffix:
            raise IdentifierError(f"{text!r} names a point, not a thing: it holds '#'")
        if suffix != suffix.strip():
            raise IdentifierError(f"{text!r} begins or ends its suffix with white space")
        return cls(prefix.lower(), suffix)

    def __str__(self) -> str:
        return f"{self.prefix}/{self.suffix}"


class PointName(NamedTuple):
    """One property of a thing.

    >>> PointName.parse("99.118.8/pump-17#outlet.pressure").path
    'outlet.pressure'
    """

    thing: Identifier
    path: str

    @classmethod
    def parse(cls, text: str) -> PointName:
        """Raises `IdentifierError` where ``text`` is not ``prefix/suffix#property``."""
        thing, mark, path = text.partition("#")
        if not mark or not path or path != path.strip():
            raise IdentifierError(f"{text!r} is not a point: there is no property behind '#'")
        _check_text(text, "the point name")
        return cls(Identifier.parse(thing), path)

    def __str__(self) -> str:
        return f"{self.thing}#{self.path}"


def series_id(organisation: str, source: str, address: str, value_type: str) -> int:
    """The 64-bit id of the stream of values from one place, without a coordinator.

    BLAKE2b of organisation, source (a connector), local address and storage class, each preceded by its length, so that
    no two different tuples share their bytes. A changed value type is a new series. Never 0, which means "no series".
    `hulian.data.catalogue` refuses a collision before the first write.
    """
    digest = hashlib.blake2b(digest_size=8, person=b"hulian-series")
    for part in (organisation, source, address, value_type):
        raw = _encoded(part)
        digest.update(len(raw).to_bytes(4, "little"))
        digest.update(raw)
    return int.from_bytes(digest.digest(), "little") or 1
