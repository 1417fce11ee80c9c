"""Payloads to documents: JSON, CBOR (RFC 8949), MessagePack, and values without a document around them. No I/O.

What comes out is what JSON could hold, and bytes and times besides: keys are texts, nothing refers to itself, nothing is deeper
than 32 levels. Both libraries read lengths as promises and allocate only for what is there; the largest payload is that of the
listener or of ``broker.packet_maximum``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import cbor2
import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.protocols.mqtt.errors import PayloadError

__all__ = ["decoder_of", "read_json"]

_DEEPEST: Final = 32
_MOST: Final = 100_000
_DIGITS: Final = 16
_json: Final = msgspec.json.Decoder().decode
_msgpack: Final = msgspec.msgpack.Decoder().decode


def read_json(payload: bytes) -> Any:
    """The JSON document, or the text of a payload that is none. Raises `PayloadError` for what is neither.

    >>> read_json(b'{"a": 1}'), read_json(b"12.5"), read_json(b"running")
    ({'a': 1}, 12.5, 'running')
    """
    try:
        return _json(payload)
    except UNREADABLE as error:
        text = payload[:256].strip()
        if text[:1] in (b"{", b"[", b'"') or not payload:
            raise PayloadError(f"not JSON: {error}") from error
        return read_text(payload, "neither JSON nor text")


def read_text(payload: bytes, complaint: str = "no text") -> str:
    """UTF-8. Raises `PayloadError`."""
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"{complaint}: {error.reason} at byte {error.start}") from error


def read_number(payload: bytes) -> float | int:
    """A decimal number in ASCII, white space around it allowed. Raises `PayloadError`.

    >>> read_number(b" 17 "), read_number(b"-2.5e3")
    (17, -2500.0)
    """
    text = payload[:64].strip()
    if len(payload) <= 64:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            found = float(text)
        except ValueError:
            pass
        else:
            if math.isfinite(found):
                return found
    raise PayloadError(f"no number: {payload[:32]!r}")


def _refuse(number: int) -> Callable[[Any, bool], NoReturn]:
    def refuse(value: Any, immutable: bool) -> NoReturn:
        raise ValueError(f"tag {number} is not read")

    return refuse


def _bignum(sign: int) -> Callable[[Any, bool], int]:
    def read(value: Any, immutable: bool) -> int:
        if not isinstance(value, bytes) or len(value) > _DIGITS:
            raise ValueError(f"a big number of more than {_DIGITS} bytes")
        found = int.from_bytes(value, "big")
        return found if sign > 0 else -1 - found

    return read


def _unknown(tag: Any, immutable: bool) -> NoReturn:
    raise ValueError(f"tag {tag.tag} is not read")


_TAGS: Final = {
    2: _bignum(1),
    3: _bignum(-1),
    **{
        number: _refuse(number)
        # Decimal fractions and big floats of any exponent, references (which make a small payload huge), patterns,
        # mail, addresses, sets: nothing that a sample holds.
        for number in (4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)
    },
}  # fmt: skip


def read_cbor(payload: bytes) -> Any:
    """One CBOR item and nothing behind it; of the tags only times (0, 1) and big numbers up to 16 bytes (2, 3) are read.
    Raises `PayloadError`."""
    stream = io.BytesIO(payload)
    try:
        decoder = cbor2.CBORDecoder(stream, max_depth=_DEEPEST, semantic_decoders=_TAGS, tag_hook=_unknown, read_size=1)
        found = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise PayloadError(f"not CBOR: {error.__cause__ or error}") from error
    if stream.read(1):
        raise PayloadError("not CBOR: bytes behind the item")
    return _plain(found)


def read_msgpack(payload: bytes) -> Any:
    """One MessagePack object; of the extensions only the timestamp is read. Raises `PayloadError`."""
    try:
        found = _msgpack(payload)
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError) as error:
        raise PayloadError(f"not MessagePack: {error}") from error
    return _plain(found)


def _plain(document: Any) -> Any:
    """``document`` with texts for keys, and without what JSON, bytes and times do not cover."""
    left = [_MOST]

    def walk(value: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise PayloadError(f"more than {_MOST} values in one payload")
        if depth > _DEEPEST:
            raise PayloadError(f"a payload of more than {_DEEPEST} levels")
        if isinstance(value, dict):
            return {_key(key): walk(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [walk(one, depth + 1) for one in value]
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            return float(value)
        if value is None or isinstance(value, str | bytes | int | float):
            return value
        if isinstance(value, datetime):
            return _moment(value)
        if value is cbor2.undefined:
            return None
        raise PayloadError(f"a payload with a {type(value).__name__}")

    return walk(document, 0)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise PayloadError(f"a key that is a {type(key).__name__}")


def _moment(value: datetime) -> str:
    """As the JSON of another device would write it."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def _as_bytes(payload: bytes) -> bytes:
    return payload


_DECODERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "json": read_json,
    "cbor": read_cbor,
    "msgpack": read_msgpack,
    "number": read_number,
    "text": read_text,
    "bytes": _as_bytes,
}


def decoder_of(form: str) -> Callable[[bytes], Any]:
    """The function that reads payloads of ``form`` (a `Mapping.format`)."""
    return _DECODERS[form]
