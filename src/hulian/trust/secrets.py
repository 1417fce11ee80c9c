"""Secrets kept on this node: passwords of devices, keys of other systems; one encrypted file each."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hulian.kernel.identifier import escape, unescape
from hulian.trust import private_files
from hulian.trust.errors import KeyStoreError

__all__ = ["NodeKey", "SecretStore"]

_NONCE: Final = 12
_SUFFIX: Final = ".secret"
_LONGEST_NAME: Final = 80


class NodeKey:
    """This node's own 256-bit key, made at the first start; other keys are derived from it by purpose."""

    __slots__ = ("_key",)

    def __init__(self, directory: Path) -> None:
        path = private_files.private_directory(directory) / "node.key"
        found = private_files.read(path)
        self._key = found if found is not None else private_files.create_once(path, secrets.token_bytes(32))
        if len(self._key) != 32:
            raise KeyStoreError("the node's key is damaged", place=str(path), hint="restore it from a backup")

    def derive(self, purpose: str) -> bytes:
        """32 bytes that belong to ``purpose`` alone and do not betray the node's key."""
        return hashlib.blake2b(purpose.encode(), key=self._key, digest_size=32, person=b"hulian-node").digest()

    def __repr__(self) -> str:
        return "NodeKey(…)"


class SecretStore:
    """Names to secrets. Each file is readable by its owner alone, and encrypted (ChaCha20-Poly1305) with the node's key.

    The key lies beside the files: encryption keeps secrets out of a copy of one file, a log, a search index; who owns the
    whole folder owns the secrets, as with any service that starts without a person.
    """

    def __init__(self, directory: Path, key: NodeKey | None = None) -> None:
        self._directory = private_files.private_directory(directory)
        self._cipher = ChaCha20Poly1305((key or NodeKey(directory)).derive("secrets"))

    def get(self, name: str) -> str | None:
        """The secret, None where there is none. Raises `KeyStoreError` where it was changed or belongs to another node."""
        path = self._path(name)
        if (sealed := private_files.read(path)) is None:
            return None
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise KeyStoreError(
                "the secret cannot be opened with this node's key",
                place=str(path),
                hint=f"set it anew: 'hulian secret set {name}'",
            ) from error

    def set(self, name: str, value: str) -> None:
        """Keeps ``value`` under ``name``, in the place of what was there."""
        nonce = secrets.token_bytes(_NONCE)
        private_files.replace(self._path(name), nonce + self._cipher.encrypt(nonce, value.encode(), name.encode()))

    def delete(self, name: str) -> bool:
        """Forgets the secret; whether there was one."""
        path = self._path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self) -> list[str]:
        """The names, sorted; never the secrets."""
        return sorted(unescape(path.name.removesuffix(_SUFFIX)) for path in self._directory.glob(f"*{_SUFFIX}"))

    def _path(self, name: str) -> Path:
        if not name or len(name.encode()) > _LONGEST_NAME:
            raise KeyStoreError(f"a secret's name has 1 to {_LONGEST_NAME} bytes", hint="name it shortly, e.g. 'plc-1'")
        return self._directory / (escape(name) + _SUFFIX)

    def __repr__(self) -> str:
        return f"SecretStore({str(self._directory)!r})"
