"""The credential behind a body: HS_SIGNED by a key, HS_MAC by the key of a session, and the counter that makes each one new.

What is covered, from version 2.8 on: major, minor, suggested major and minor, session id, request id, counter, header, body;
2.7 leaves the suggested version out. Earlier versions either cover no counter or are broken in the reference: they are neither
made nor taken.
"""

from __future__ import annotations

import hmac
from struct import Struct
from typing import Final

import msgspec

from hulian.network.identifiers.wire import fields, sm2
from hulian.network.identifiers.wire.authentication.exchange import SessionKey
from hulian.network.identifiers.wire.authentication.replay import ReplayWindow
from hulian.network.identifiers.wire.authentication.signers import Signer, digest_name, verify
from hulian.network.identifiers.wire.errors import (
    AlgorithmError,
    FieldError,
    LengthError,
    SignatureError,
    VersionError,
)
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.typed.keys import UsableKey

__all__ = ["Credential", "mac_message", "read_credential", "sign_message", "verify_mac", "verify_signed"]

_HEAD: Final = Struct(">BBBBIII")
_OLD_HEAD: Final = Struct(">BBIII")
_MACS: Final = {"HMAC-SHA256": "sha256", "HMAC-SHA1": "sha1"}


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Who vouches for a message: ``kind`` HS_SIGNED or HS_MAC; ``counter`` grows within a session, and is 0 outside of one."""

    kind: str
    algorithm: str
    signature: bytes
    counter: int = 0
    version: int = 0
    reserved: int = 0
    flags: int = 0
    signer: str = ""

    def pack(self) -> bytes:
        section = fields.text(self.algorithm) + fields.binary(self.signature)
        return b"".join(
            (
                fields.u8(self.version),
                fields.u8(self.reserved),
                fields.u16(self.flags),
                fields.handle(self.signer),
                fields.u32(self.counter),
                fields.text(self.kind),
                fields.binary(section),
            )
        )


def read_credential(data: bytes) -> Credential:
    """Raises the errors of `Reader`, and `FieldError` for a version of credentials other than 0."""
    reader = Reader(data, "a credential")
    version, reserved, flags, signer = reader.u8(), reader.u8(), reader.u16(), reader.handle()
    if version:
        reader.fail(FieldError, f"version {version} of credentials", at=0)
    counter, kind = reader.u32(), reader.text(64)
    began = reader.at
    size = reader.i32()
    if size != reader.left:
        reader.fail(LengthError, f"a section of {size} bytes, where {reader.left} are left", at=began)
    algorithm, signature = reader.text(64), reader.binary(8_192)
    reader.done()
    return Credential(
        kind=kind,
        algorithm=algorithm,
        signature=signature,
        counter=counter,
        version=version,
        reserved=reserved,
        flags=flags,
        signer=signer,
    )


def _covered(message: Message, counter: int) -> bytes:
    major, minor = message.version
    if message.version < (2, 7):
        raise VersionError(f"signatures of version {major}.{minor} are not safe", place="a credential")
    if message.version < (2, 8):
        head = _OLD_HEAD.pack(major, minor, message.session_id, message.request_id, counter)
    else:
        head = _HEAD.pack(major, minor, *message.suggested, message.session_id, message.request_id, counter)
    return head + message.header_and_body()


def sign_message(message: Message, signer: Signer, *, counter: int = 0, dsa_key: bool = False) -> Message:
    """``message`` with an HS_SIGNED credential by ``signer``. Raises `VersionError` before 2.7."""
    name = digest_name(signer, message.version, dsa_key=dsa_key)
    signature = signer.sign(_covered(message, counter), name, sm2.DEFAULT_ID)
    credential = Credential(kind="HS_SIGNED", algorithm=name, signature=signature, counter=counter)
    return msgspec.structs.replace(message, credential=credential.pack())


def verify_signed(message: Message, key: UsableKey, *, window: ReplayWindow | None = None) -> Credential:
    """The credential of ``message``, which ``key`` signed and ``window`` (of its session) has not seen before.

    Raises `SignatureError`, `AlgorithmError`, `VersionError`, `ReplayError`, and the errors of `read_credential`.
    """
    credential = _credential(message, "HS_SIGNED")
    if not verify(key, credential.algorithm, credential.signature, _covered(message, credential.counter), sm2.DEFAULT_ID):
        raise SignatureError("the signature is not of this key over this message", place="a credential")
    if window is not None:
        window.accept(credential.counter)
    return credential


def mac_message(message: Message, key: SessionKey, counter: int) -> Message:
    """``message`` with an HS_MAC credential (HMAC-SHA256) of the session's key."""
    code = hmac.digest(key.reveal(), _covered(message, counter), "sha256")
    credential = Credential(kind="HS_MAC", algorithm="HMAC-SHA256", signature=code, counter=counter)
    return msgspec.structs.replace(message, credential=credential.pack())


def verify_mac(message: Message, key: SessionKey, window: ReplayWindow) -> Credential:
    """The credential of ``message``, made with the session's ``key`` and new to ``window``.

    The comparison takes the same time whatever differs, and the window learns of a counter only when the code holds.
    """
    credential = _credential(message, "HS_MAC")
    name = _MACS.get(credential.algorithm)
    if name is None:
        raise AlgorithmError("a code that is not known here, or is broken", place="a credential")
    wanted = hmac.digest(key.reveal(), _covered(message, credential.counter), name)
    if not hmac.compare_digest(wanted, credential.signature):
        raise SignatureError("the code is not of this session over this message", place="a credential")
    window.accept(credential.counter)
    return credential


def _credential(message: Message, kind: str) -> Credential:
    if not message.credential:
        raise SignatureError(f"no credential, where {kind} is needed", place="a message")
    credential = read_credential(message.credential)
    if credential.kind != kind:
        raise SignatureError(f"another kind of credential, where {kind} is needed", place="a credential")
    return credential
