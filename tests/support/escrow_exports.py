"""A node's store with everything that makes an export hard, and keys on both sides."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from identifier_nodes import _migrated

from hulian.network.identifiers.escrow import Custodian, Manifest, Order, Position, SigningKey, export
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

NODE = "88.111.1"


@cache
def node_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def agent_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


SM2_KEY = sm2.PrivateKey.generate()
SM2_AGENT = sm2.PrivateKey.generate()


def signing_key(key=None) -> SigningKey:
    key = key or node_key()
    public = key.public if isinstance(key, sm2.PrivateKey) else key.public_key()
    return SigningKey("300:0.NA/88.111.1", signer_for(key), public)


def custodian(*keys, signer=None) -> Custodian:
    return Custodian(signer or node_key().public_key(), keys or (agent_key(),))


def new_store(path: Path) -> RecordStore:
    path.write_bytes(_migrated())
    return RecordStore(Registry.open(path))


def value(data: bytes | str, index: int = 1, kind: str = "URL", **more) -> Value:
    return Value(index=index, type=kind, data=data.encode() if isinstance(data, str) else data, **more)


HARD = {
    "88.111.1/pump-17": [value("https://example.com/17?a=1&b=<2>\"'")],
    "88.111.1/泵 17": [value("一台泵\r\n]]>\ttab", 1, "DESC"), value(bytes(range(256)), 2, "HS_SECKEY", permissions=12)],
    '88.111.1/\x01\u0085\u2028\ufffe"&<\r\n': [value("\x0b", 5, "T\x02"), value("", 6), value(b"", 7, "")],
    "88.111.1/empty": [],
    "88.111.1/odd": [
        Value(
            index=-3,
            type="X",
            data=b"\0",
            timestamp=0xFFFFFFFF,
            ttl_type=1,
            ttl=0xFFFFFFFF,
            permissions=0xFF,
            references=(Reference("0.NA/88\n", 300), Reference("", -1)),
        ),
        value("  spaces  ", 2, ttl=-5),
    ],
    "88.111.1/large": [value(random.Random(7).randbytes(150_000), 1), value("x" * 20_000, 2)],
}


def fill(store: RecordStore, more: int = 150) -> RecordStore:
    store.home("88.111.1")
    store.home("88.111.2")
    store.create_many(HARD.items(), by="300:0.NA/88.111.1")
    store.create_many((f"88.111.1/n{number}", [value(f"https://example.com/{number}" * 9)]) for number in range(more))
    return store


def made(
    store: RecordStore, directory: Path, *, after: Position | None = None, recipients: Sequence[object] = (), key=None, **more
) -> tuple[Path, Manifest]:
    order = Order(
        node=NODE, recipients=recipients or [agent_key().public_key()], after=after, **{"volume_bytes": 40 << 10, **more}
    )
    return export(store._registry, directory, order, signing_key(key))


def resigned(folder: Path, change, key=None) -> None:
    """The manifest of ``folder`` after ``change``, signed again by the node's own key: for what a signature does not stop."""
    path = folder / "manifest.json"
    found = json.loads(path.read_bytes())
    change(found)
    content = json.dumps(found).encode()
    path.write_bytes(content)
    (folder / "manifest.sig").write_bytes(signing_key(key).sign(content))


def held(store: RecordStore) -> dict[bytes, bytes]:
    return dict(store.index.items())
