"""Decentralised identifiers: ``did:bid``, ``did:vaa``, ``did:cn`` and ``did:web`` (W3C DID Core 1.0, section 3.1).

* ``did:bid`` (RFC-002 and RFC-003 of the BIF chain): perhaps four characters that name a sub-chain, the kind of key
  (e Ed25519, z SM2, s secp256k1), the encoding (f Base58, s Base64, t Bech32), and the last 22 octets of the key's hash.
  Which human-readable part enters the Bech32 check is not published: its characters and length are checked, its sum is not.
* ``did:vaa``: Base58 of 20 octets in 27 to 31 characters, or the name of a contract and an identifier of its own.
* ``did:cn``: a national prefix (``did:cn:88.100.1``), or a second-level domain under ``.cn`` and a hash in 64 hexadecimal
  digits; the method's specification has been published in both forms.
* ``did:web``: a host, perhaps with a port, and a path, each part behind a colon.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from hulian.network.identifiers.schemes import base58, percent
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ContentError,
    ConversionError,
    LengthError,
    SchemeError,
    StructureError,
    UnknownError,
)
from hulian.network.identifiers.schemes.handle import NationalPrefix

__all__ = ["METHODS", "Did"]

_MAXIMUM: Final = 2048
_KEYS: Final = {"e": "Ed25519", "z": "SM2", "s": "secp256k1"}
_ENCODINGS: Final = {"f": "Base58", "s": "Base64", "t": "Bech32"}
_HASH_OCTETS: Final = 22
_BECH32: Final = frozenset("qpzry9x8gf2tvdw0s3jn54khce6mua7l")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_TAIL = re.compile(r"[/?#]")
_BASE64_BID = re.compile(r"(?:[a-z0-9]{4}:)?[ezs]s[A-Za-z0-9+/=]{32}")


@dataclass(frozen=True, slots=True)
class Did(Code):
    """One DID; ``tail`` is what a DID URL has behind it (path, query, fragment), with its first mark.

    >>> Did.parse("did:web:w3c-ccg.github.io:user:alice").to_url()
    'https://w3c-ccg.github.io/user/alice/did.json'
    """

    method: str
    specific: str
    tail: str = ""
    scheme: ClassVar[Scheme] = Scheme.DID

    @classmethod
    def parse(cls, text: str) -> Did:
        """Checks the method's own rules. Positions in errors are those in ``text``."""
        if len(text) > _MAXIMUM:
            raise LengthError(f"a DID longer than {_MAXIMUM} characters", rule="did.length", position=_MAXIMUM)
        word, _, rest = text.partition(":")
        method, colon, body = rest.partition(":")
        if word.lower() != "did" or not colon:
            raise StructureError("a DID is did, a method and an identifier, with colons between", rule="did", position=0)
        if method not in METHODS:
            raise UnknownError(
                f"the DID method {method!r} is not known here",
                rule="did.method",
                position=4,
                hint=f"known are {', '.join(METHODS)}",
            )
        begin = len(word) + len(method) + 2
        mark = None if method == "vaa" and ":" in body else _TAIL.search(body, _base64_end(body) if method == "bid" else 0)
        specific, tail = (body[: mark.start()], body[mark.start() :]) if mark else (body, "")
        try:
            if not tail.isascii() or any(character <= " " for character in tail):
                raise CharacterError("a DID URL holds ASCII without blanks", rule="did.url", position=len(specific))
            return cls(method, METHODS[method](specific), tail)
        except SchemeError as error:
            raise error.moved(begin) from None

    @classmethod
    def of_hash(cls, key: str, digest: bytes, *, chain: str = "", encoding: str = "f") -> Did:
        """The ``did:bid`` of a public key by its hash: SM3 for SM2 (``z``), SHA-256 for Ed25519 (``e``) and secp256k1 (``s``).

        Bech32 (``t``) is not written: see the module.
        """
        if len(digest) != 32:
            raise LengthError(f"a hash has 32 octets, not {len(digest)}", rule="did.bid.hash")
        cut = digest[-_HASH_OCTETS:]
        match encoding:
            case "f":
                suffix = base58.encode(cut)
            case "s":
                suffix = base64.b64encode(cut).decode()
            case _:
                raise ConversionError(f"the encoding {encoding!r} is not written", rule="did.bid.encoding")
        return cls("bid", _bid(f"{chain}:" * bool(chain) + key + encoding + suffix))

    @property
    def text(self) -> str:
        """The DID, with the tail of a DID URL."""
        return f"did:{self.method}:{self.specific}{self.tail}"

    @property
    def parts(self) -> Mapping[str, str]:
        """Method and identifier, and what the method's own form tells."""
        found = {"method": self.method, "identifier": self.specific}
        match self.method:
            case "bid":
                chain, _, address = self.specific.rpartition(":")
                found |= {"chain": chain, "key": _KEYS[address[0]], "encoding": _ENCODINGS[address[1]], "suffix": address[2:]}
            case "cn" if ":" in self.specific:
                found["domain"], _, found["hash"] = self.specific.partition(":")
            case "cn":
                found |= NationalPrefix.parse(self.specific)._asdict()
            case "vaa" if ":" in self.specific:
                found["contract"], _, found["item"] = self.specific.partition(":")
            case "web":
                host, *path = self.specific.split(":")
                found |= {"host": percent.decode(host, "did.web.host"), "path": "/".join(path)}
        if self.tail:
            found["tail"] = self.tail
        return MappingProxyType(found)

    def to_url(self) -> str:
        """Where the document of a ``did:web`` lies. The others are resolved on their chains: `ConversionError`."""
        if self.method != "web":
            raise ConversionError(
                f"no URL is published for did:{self.method}", rule="did.url", hint="it is resolved through its chain's service"
            )
        host, *path = self.specific.split(":")
        return f"https://{percent.decode(host, 'did.web.host')}/{'/'.join(path) if path else '.well-known'}/did.json"


def _base64_end(body: str) -> int:
    """Where the Base64 of a ``did:bid`` ends: a slash in it begins no path."""
    found = _BASE64_BID.match(body)
    return found.end() if found else 0


def _bid(text: str) -> str:
    if not 24 <= len(text) <= 49:
        raise LengthError(
            f"a did:bid has 32 to 57 characters, not {len(text) + 8}", rule="did.bid.length", position=min(len(text), 49)
        )
    chain, colon, address = text.rpartition(":")
    if colon and not re.fullmatch("[a-z0-9]{4}", chain):
        raise ContentError(f"{chain!r} is no sub-chain of four lower-case letters or digits", rule="did.bid.chain", position=0)
    begin = len(text) - len(address)
    if address[:1] not in _KEYS:
        raise UnknownError(f"{address[:1]!r} is no kind of key: e, z or s", rule="did.bid.key", position=begin)
    if address[1:2] not in _ENCODINGS:
        raise UnknownError(f"{address[1:2]!r} is no encoding: f, s or t", rule="did.bid.encoding", position=begin + 1)
    suffix, begin = address[2:], begin + 2
    try:
        _BID_SUFFIXES[address[1]](suffix)
    except SchemeError as error:
        raise error.moved(begin) from None
    return text


def _bid_base58(suffix: str) -> None:
    octets = len(base58.decode(suffix, "did.bid.suffix"))
    if octets != _HASH_OCTETS:
        raise LengthError(f"the suffix holds {octets} octets, not {_HASH_OCTETS}", rule="did.bid.suffix", position=len(suffix))


def _bid_base64(suffix: str) -> None:
    try:
        octets = len(base64.b64decode(suffix.encode(), validate=True))
    except (binascii.Error, ValueError):
        raise CharacterError("the suffix is no Base64 with padding", rule="did.bid.suffix", position=0) from None
    if octets != _HASH_OCTETS:
        raise LengthError(f"the suffix holds {octets} octets, not {_HASH_OCTETS}", rule="did.bid.suffix", position=len(suffix))
    if base64.b64encode(base64.b64decode(suffix)).decode() != suffix:
        raise ContentError(
            "the last character of the suffix has spare bits set", rule="did.bid.suffix", position=len(suffix) - 3
        )


def _bid_bech32(suffix: str) -> None:
    for place, character in enumerate(suffix):
        if character not in _BECH32:
            raise CharacterError(f"{character!r} is not of Bech32", rule="did.bid.suffix", position=place)
    if len(suffix) != 42:
        raise LengthError(f"a Bech32 suffix has 42 characters, not {len(suffix)}", rule="did.bid.suffix", position=len(suffix))


_BID_SUFFIXES: Final[Mapping[str, Callable[[str], None]]] = MappingProxyType(
    {"f": _bid_base58, "s": _bid_base64, "t": _bid_bech32}
)


def _vaa(text: str) -> str:
    contract, colon, item = text.partition(":")
    if colon:
        if not re.fullmatch("[A-Za-z0-9._-]{1,64}", contract):
            raise CharacterError(f"{contract!r} is no name of a contract", rule="did.vaa.contract", position=0)
        if not item or not all("!" <= character <= "~" for character in item):
            raise CharacterError(
                "the contract's identifier is empty or not ASCII", rule="did.vaa.item", position=len(contract) + 1
            )
        return text
    octets = len(base58.decode(text, "did.vaa"))
    if not 27 <= len(text) <= 31 or octets != 20:
        raise LengthError(
            f"a did:vaa is 20 octets in 27 to 31 characters; here are {octets} in {len(text)}",
            rule="did.vaa",
            position=len(text),
        )
    return text


def _cn(text: str) -> str:
    domain, colon, digest = text.partition(":")
    if not colon:
        prefix = NationalPrefix.parse(text)
        if not prefix.enterprise:
            raise StructureError("a did:cn names an enterprise: country.industry.enterprise", rule="did.cn", position=len(text))
        return text
    if not re.fullmatch("[A-Za-z0-9-]{1,63}", domain):
        raise CharacterError(f"{domain!r} is no second-level domain", rule="did.cn.domain", position=0)
    if bad := re.search("[^0-9A-Fa-f]", digest):
        raise CharacterError(f"{bad[0]!r} in the hash", rule="did.cn.hash", position=len(domain) + 1 + bad.start())
    if len(digest) != 64:
        raise LengthError(f"the hash has {len(digest)} of 64 digits", rule="did.cn.hash", position=len(text))
    return f"{domain.lower()}:{digest.lower()}"


def _web(text: str) -> str:
    first, *path = text.split(":")
    host = percent.decode(first, "did.web.host")
    name, colon, port = host.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ContentError(f"{port!r} is no port", rule="did.web.port", position=len(name))
    labels = name.split(".")
    position = 0
    for label in labels:
        if not _LABEL.match(label):
            raise CharacterError(f"{label!r} is no label of a host name", rule="did.web.host", position=position)
        position += len(label) + 1
    if len(name) > 253 or labels[-1].isdigit():
        raise ContentError("a did:web names a host by a name, not by an address", rule="did.web.host", position=0)
    position = len(first) + 1
    for part in path:
        percent.decode(part, "did.web.path")
        if part in ("", ".", "..") or not re.fullmatch(r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+", part):
            raise CharacterError(f"{part!r} is no part of a path", rule="did.web.path", position=position)
        position += len(part) + 1
    return ":".join([name.lower() + (f"%3A{port}" if colon else ""), *path])


METHODS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType({"bid": _bid, "vaa": _vaa, "cn": _cn, "web": _web})
"""The methods that are known, with what checks and normalises the identifier behind ``did:method:``."""
