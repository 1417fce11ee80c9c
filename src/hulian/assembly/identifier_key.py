"""The private key of an identifier node, and the one that is to take its place while a roll-over lasts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_files import incoming_file, key_file, rolling_file
from hulian.kernel.configuration import resolve_secret
from hulian.kernel.errors import ConfigurationError
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.chain.server_keys import ServerKeys
from hulian.network.identifiers.nodes.beginning import INCOMING, KEY, site_value
from hulian.network.identifiers.wire.authentication import KeyIdentity, Signer, signer_for
from hulian.network.identifiers.wire.typed.keys import UsableKey
from hulian.network.identifiers.wire.typed.site import Site
from hulian.trust import private_files

__all__ = [
    "NodeKey",
    "Proving",
    "Rolling",
    "copying_key",
    "current",
    "incoming_file",
    "key_file",
    "load_key",
    "new_key",
    "own_key",
    "own_keys",
    "proving",
    "read_rolling",
    "rolling_file",
    "server_keys",
    "write_rolling",
]


class NodeKey(msgspec.Struct, frozen=True):
    """What signs for a node, and its public half."""

    signer: Signer
    public: UsableKey


class Rolling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a roll-over is: ``until`` (Unix seconds) both keys are good; site records name the new key under ``serial``, and
    named the old one under ``earlier``."""

    stage: Literal["prepared", "overlap", "finishing", "withdrawing", "done"]
    until: float = 0.0
    serial: int = 1
    earlier: tuple[int, ...] = ()

    @property
    def both(self) -> bool:
        """Whether there are two keys."""
        return self.stage in ("prepared", "overlap", "finishing")


def new_key() -> bytes:
    """A new private key, as PEM."""
    made = rsa.generate_private_key(65537, 2048)
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def own_key(configuration: Configuration) -> rsa.RSAPrivateKey:
    """The key of the node in its file, made where there is none yet. Raises `ConfigurationError` where it is in a token."""
    if configuration.identifiers.key:
        raise ConfigurationError(
            "the node's key is in a token, and cannot be had", place="identifiers.key", hint="name a key file, e.g. by --key"
        )
    path = key_file(configuration)
    private_files.private_directory(path.parent)
    content = private_files.read(path)
    if content is None:
        content = private_files.create_once(path, new_key())
    return load_key(content, path)


def load_key(content: bytes, path: Path) -> rsa.RSAPrivateKey:
    """The RSA key in a PEM file. Raises `ConfigurationError`."""
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"no private key: {error}", place=str(path)) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError("the key of a node is an RSA key", place=str(path))
    return key


def read_rolling(configuration: Configuration) -> Rolling | None:
    """How far the roll-over is; None where there was none yet. Raises `ConfigurationError`."""
    path = rolling_file(configuration)
    content = private_files.read(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Rolling)
    except UNREADABLE as error:
        raise ConfigurationError(f"it cannot be read: {error}", place=str(path)) from error


def write_rolling(configuration: Configuration, state: Rolling) -> None:
    """From now on the roll-over is so far."""
    private_files.replace(rolling_file(configuration), msgspec.json.encode(state))


def _in_token(configuration: Configuration) -> NodeKey:
    """The key that the configuration names in a token. Raises `TokenError` and `SecretError`."""
    from hulian.assembly.preparation import open_secrets
    from hulian.network.identifiers.nodes.token import KeyUri, open_token

    settings = configuration.identifiers
    private_files.private_directory(key_file(configuration).parent)
    uri = KeyUri.parse(settings.key)
    pin = resolve_secret(settings.key_pin, open_secrets(configuration).get)
    signer = open_token(uri, pin)
    return NodeKey(signer, signer.public)


def own_keys(configuration: Configuration) -> tuple[NodeKey, NodeKey | None]:
    """The node's key, and while a roll-over lasts the one that is to take its place."""
    if configuration.identifiers.key:
        return _in_token(configuration), None
    key = own_key(configuration)
    state = read_rolling(configuration)
    incoming = None
    if state is not None and state.both:
        path = incoming_file(configuration)
        content = private_files.read(path)
        if content is None:
            raise ConfigurationError("the key that is to take the place of the node's is gone", place=str(path))
        found = load_key(content, path)
        incoming = NodeKey(signer_for(found), found.public_key())
    return NodeKey(signer_for(key), key.public_key()), incoming


def current(configuration: Configuration) -> NodeKey:
    """What the site record of this node names: the newest key."""
    own, incoming = own_keys(configuration)
    return incoming or own


def proving(configuration: Configuration) -> tuple[int, NodeKey]:
    """The index and the key by which this machine proves to be the node: the new one once it stands beside the old one."""
    own, incoming = own_keys(configuration)
    state = read_rolling(configuration)
    if incoming is not None and state is not None and state.stage != "prepared":
        return INCOMING, incoming
    return KEY, own


class Proving:
    """Who this node is and what it signs by, now: called for each message, it reads the key anew when a roll-over goes on.

    ``handle`` is the node's. One thread at a time calls it. Raises the errors of `proving`.
    """

    def __init__(self, configuration: Configuration, handle: str) -> None:
        self._configuration, self._handle = configuration, handle
        self._seen = self._state()
        self._known = self._read()

    def __call__(self) -> KeyIdentity:
        if (state := self._state()) != self._seen:
            self._known, self._seen = self._read(), state
        return self._known

    def _read(self) -> KeyIdentity:
        index, key = proving(self._configuration)
        return KeyIdentity(self._handle, index, key.signer)

    def _state(self) -> bytes | None:
        return private_files.read(rolling_file(self._configuration))


def copying_key(configuration: Configuration) -> rsa.RSAPrivateKey:
    """The private key that stands at index 300 of the node's record: by it, and no other, a primary site knows its mirror.

    Raises `ConfigurationError` where it is in a token, or cannot be read.
    """
    state = read_rolling(configuration)
    if state is not None and state.stage == "finishing":
        path = incoming_file(configuration)  # it has that place already, and not yet that file
        if content := private_files.read(path):
            return load_key(content, path)
    return own_key(configuration)


def server_keys(configuration: Configuration, address: str) -> ServerKeys:
    """What the node signs with, and its site record, as the roll-over stands."""
    own, incoming = own_keys(configuration)
    state = read_rolling(configuration)
    serial = 1 if state is None else state.serial
    newest = incoming or own
    site = Site.unpack(site_value(address, configuration.identifiers.port, newest.public, serial=serial).data)
    if configuration.identifiers.mirror_as:
        site = msgspec.structs.replace(site, flags=0)
    earlier = dict.fromkeys(state.earlier, own.signer) if incoming is not None and state is not None else {}
    return ServerKeys(newest.signer, site, earlier)
