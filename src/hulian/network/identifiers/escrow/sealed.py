"""A stream in sealed chunks: each is encrypted and authenticated by its place and by whether it is the last.

A chunk is AES-256-GCM or SM4-GCM over ``chunk_bytes`` of the stream, the last one over what is left, at least one byte. Its
nonce is three zero bytes, its number in eight, and 1 for the last chunk or 0; the export's identification is authenticated too.
A key is used for one stream only. Chunks that are swapped, repeated, cut off or added therefore do not open.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hulian.network.identifiers.escrow.errors import SealError
from hulian.network.identifiers.escrow.recipients import CipherName

__all__ = ["CHUNK", "KEY_BYTES", "TAG", "Source", "StreamWriter", "opened"]

CHUNK: Final = 65_536
TAG: Final = 16
KEY_BYTES: Final[dict[CipherName, int]] = {"AES-256-GCM": 32, "SM4-GCM": 16}


class Sink(Protocol):
    """Takes the sealed bytes in order."""

    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    """Gives sealed bytes from any place. Raises `VolumeError`."""

    @property
    def size(self) -> int: ...

    def read_at(self, at: int, size: int) -> bytes: ...


class _Aead:
    def __init__(self, name: CipherName, key: bytes, identification: bytes) -> None:
        if len(key) != KEY_BYTES[name]:
            raise SealError(f"a content key of {len(key)} bytes, where {name} has {KEY_BYTES[name]}")
        self._identification = identification
        self._aes = AESGCM(key) if name == "AES-256-GCM" else None
        self._sm4 = None if name == "AES-256-GCM" else algorithms.SM4(key)

    def seal(self, number: int, plain: bytes, *, last: bool) -> bytes:
        nonce = _nonce(number, last=last)
        if self._sm4 is None:
            assert self._aes is not None  # noqa: S101 - one of the two is there
            return self._aes.encrypt(nonce, plain, self._identification)
        try:
            encryptor = Cipher(self._sm4, modes.GCM(nonce)).encryptor()
        except UnsupportedAlgorithm as error:
            raise SealError("this installation's OpenSSL has no SM4-GCM", hint="add a recipient with an RSA key") from error
        encryptor.authenticate_additional_data(self._identification)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        nonce = _nonce(number, last=last)
        try:
            if self._sm4 is None:
                assert self._aes is not None  # noqa: S101 - one of the two is there
                return self._aes.decrypt(nonce, sealed, self._identification)
            decryptor = Cipher(self._sm4, modes.GCM(nonce, sealed[-TAG:])).decryptor()
            decryptor.authenticate_additional_data(self._identification)
            return decryptor.update(sealed[:-TAG]) + decryptor.finalize()
        except InvalidTag:
            raise SealError(f"chunk {number} does not open: it is damaged, or not the one that belongs there") from None
        except UnsupportedAlgorithm as error:
            raise SealError("this installation's OpenSSL has no SM4-GCM", hint="take another version of OpenSSL") from error


def _nonce(number: int, *, last: bool) -> bytes:
    return bytes(3) + number.to_bytes(8, "big") + bytes((last,))


class StreamWriter(io.RawIOBase):
    """What is written is sealed into ``sink``, a chunk at a time; `close` writes the last one. It holds one chunk."""

    def __init__(self, sink: Sink, name: CipherName, key: bytes, identification: bytes) -> None:
        super().__init__()
        self._aead = _Aead(name, key, identification)
        self._sink = sink
        self._waiting = bytearray()
        self._number = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        """See `io.RawIOBase`: all of ``data`` is taken."""
        piece = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._waiting += piece
        # One chunk stays behind, however many came: the last is known only when there is no more.
        while len(self._waiting) > CHUNK:
            self._sink.write(self._aead.seal(self._number, bytes(self._waiting[:CHUNK]), last=False))
            del self._waiting[:CHUNK]
            self._number += 1
        return len(piece)

    def finish(self) -> None:
        """Writes the last chunk. Without it, what was written cannot be opened."""
        self._sink.write(self._aead.seal(self._number, bytes(self._waiting), last=True))
        self._waiting.clear()


def opened(source: Source, name: CipherName, key: bytes, identification: bytes, chunk: int = CHUNK) -> Iterator[bytes]:
    """The stream in ``source``, chunk by chunk: only what is proved genuine is given, and it is whole where none is missing.

    Raises `SealError`, and the errors of ``source``.
    """
    aead = _Aead(name, key, identification)
    whole = chunk + TAG
    count = -(-source.size // whole)
    if not count or source.size - (count - 1) * whole <= TAG:
        raise SealError(f"{source.size} bytes that are no sealed stream")
    for number in range(count):
        begin = number * whole
        sealed = source.read_at(begin, min(whole, source.size - begin))
        yield aead.open(number, sealed, last=number == count - 1)
