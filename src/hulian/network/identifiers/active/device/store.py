"""What a carrier keeps: one file for its keys and contents, one file a report that nobody has acknowledged yet.

Each file is mode 0600 and replaced at once: after a cut there is the old one or the new one. With a passphrase (or a key that
the device's platform hands over) everything in them is hidden and sealed: scrypt (RFC 7914) makes two keys of it; the stream of
HMAC-SHA256 over a counter hides, and HMAC-SHA256 over what is hidden seals (encrypt-then-MAC). The standard library has no AES;
this construction rests on HMAC-SHA256 alone. Without a passphrase nothing is hidden: the platform has to protect the files.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import OutboxFullError, StoreError

__all__ = ["Store"]

_MAGIC = b"HLAC\1"
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 64 << 20, "dklen": 64}
_LARGEST = 1 << 20
_NAME = "carrier.json"


class Store:
    """The files of one carrier in ``directory``. One process uses them at a time.

    ``passphrase`` hides them; ``most`` is how many reports wait at once. Raises `StoreError`.
    """

    def __init__(self, directory: str | os.PathLike[str], passphrase: bytes = b"", *, most: int = 1000) -> None:
        self.directory = Path(directory)
        self.most = most
        self._passphrase = passphrase
        self._keys: dict[bytes, bytes] = {}
        self._salt = b""

    def __repr__(self) -> str:
        return f"Store({str(self.directory)!r})"

    # -- the carrier ---------------------------------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        """Everything that was saved. Raises `StoreError` where nothing is there, or the passphrase is another."""
        content = self._read(self.directory / _NAME)
        if content is None:
            raise StoreError(f"there is no carrier in {self.directory}")
        try:
            found = json.loads(content)
        except ValueError as error:
            raise StoreError(f"{self.directory / _NAME} is damaged") from error
        if not isinstance(found, dict) or not isinstance(found.get("serial"), str):
            raise StoreError(f"{self.directory / _NAME} is no carrier")
        return found

    def save(self, state: dict[str, Any]) -> None:
        """Puts ``state`` in the place of what was there; it is on disk when this returns."""
        self._write(self.directory / _NAME, json.dumps(state, sort_keys=True).encode())

    # -- the outbox ----------------------------------------------------------------------------------------------------

    def waiting(self) -> list[int]:
        """The sequence numbers of the reports that wait, oldest first."""
        try:
            names = [path.name for path in (self.directory / "outbox").iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"cannot read the outbox: {error.strerror}") from error
        return sorted(int(name) for name in names if name.isdigit() and len(name) == 19)

    def put(self, sequence: int, body: bytes) -> None:
        """Keeps a report. Raises `OutboxFullError` where as many wait as may."""
        if len(self.waiting()) >= self.most:
            raise OutboxFullError(f"{self.most} reports wait already: deliver them first")
        self._write(self._report(sequence), body)

    def get(self, sequence: int) -> bytes:
        """A report that waits."""
        content = self._read(self._report(sequence))
        if content is None:
            raise StoreError(f"report {sequence} is not there")
        return content

    def drop(self, sequence: int) -> None:
        """A report that is delivered."""
        with contextlib.suppress(FileNotFoundError):
            self._report(sequence).unlink()

    def _report(self, sequence: int) -> Path:
        return self.directory / "outbox" / f"{sequence:019d}"

    # -- files ---------------------------------------------------------------------------------------------------------

    def _read(self, path: Path) -> bytes | None:
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        if len(content) > _LARGEST:
            raise StoreError(f"{path} is too large to be a carrier's")
        hidden = content.startswith(_MAGIC)
        if hidden != bool(self._passphrase):
            raise StoreError(
                f"{path} is {'hidden: a passphrase opens it' if hidden else 'not hidden, and a passphrase was given'}"
            )
        return self._opened(content, path) if hidden else content

    def _write(self, path: Path, content: bytes) -> None:
        if self._passphrase:
            content = self._sealed(content)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise StoreError(f"cannot write {path}: {error.strerror}") from error

    # -- hidden --------------------------------------------------------------------------------------------------------

    def _sealed(self, content: bytes) -> bytes:
        self._salt = self._salt or secrets.token_bytes(16)
        nonce = secrets.token_bytes(16)
        hide, seal = self._derived(self._salt)
        head = _MAGIC + self._salt + nonce
        body = head + _mixed(hide, nonce, content)
        return body + hmac.new(seal, body, "sha256").digest()

    def _opened(self, content: bytes, path: Path) -> bytes:
        if len(content) < len(_MAGIC) + 64:
            raise StoreError(f"{path} is damaged")
        at = len(_MAGIC)
        salt, nonce = content[at : at + 16], content[at + 16 : at + 32]
        hide, seal = self._derived(salt)
        body, tag = content[:-32], content[-32:]
        if not hmac.compare_digest(hmac.new(seal, body, "sha256").digest(), tag):
            raise StoreError(f"{path} does not open: another passphrase, or it was changed")
        self._salt = salt
        return _mixed(hide, nonce, body[at + 32 :])

    def _derived(self, salt: bytes) -> tuple[bytes, bytes]:
        made = self._keys.get(salt)
        if made is None:
            made = hashlib.scrypt(self._passphrase, salt=salt, **_SCRYPT)
            self._keys = {salt: made}
        return made[:32], made[32:]


def _stream(key: bytes, nonce: bytes) -> Iterator[bytes]:
    counter = 0
    while True:
        yield hmac.new(key, nonce + counter.to_bytes(8, "big"), "sha256").digest()
        counter += 1


def _mixed(key: bytes, nonce: bytes, content: bytes) -> bytes:
    """Hidden, or shown again: the same step."""
    stream, size = _stream(key, nonce), len(content)
    mask = b"".join([next(stream) for _ in range((size + 31) // 32)])[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
