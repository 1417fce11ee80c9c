"""Encrypted messages of a session (envelope flag EC): AES in CBC mode, the vector in front, over header, body and credential.

This is what the protocol has from version 2.4 on. CBC hides, but proves nothing: a message that was decrypted is believed only
after its HS_MAC was verified. DES and triple DES, which the protocol knows too, are neither made nor taken.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from hulian.network.identifiers.wire.authentication.exchange import AES, SessionKey
from hulian.network.identifiers.wire.codes import EnvelopeFlag
from hulian.network.identifiers.wire.errors import (
    AlgorithmError,
    EncodeError,
    LengthError,
    OpaqueError,
    SessionKeyError,
    VersionError,
    WireError,
)
from hulian.network.identifiers.wire.frame import ENVELOPE_SIZE, Message, decode, encode, read_envelope
from hulian.network.identifiers.wire.limits import MAX_MESSAGE

__all__ = ["decrypt_message", "encrypt_message"]

_BLOCK: Final = 16
_ENCRYPTED: Final = EnvelopeFlag.ENCRYPTED.value


def _cipher(key: SessionKey, vector: bytes) -> Cipher[modes.CBC]:
    if key.algorithm != AES:
        raise AlgorithmError("a session key for something else than AES", place="an encrypted message")
    return Cipher(algorithms.AES(key.reveal()[:_BLOCK]), modes.CBC(vector))


def encrypt_message(message: Message, key: SessionKey) -> bytes:
    """The bytes of ``message``, envelope in clear, the rest encrypted with the session's ``key``."""
    if message.version < (2, 4):
        raise VersionError("versions before 2.4 encrypt without a vector", place="an encrypted message")
    plain = encode(message)
    vector = secrets.token_bytes(_BLOCK)
    padder = PKCS7(8 * _BLOCK).padder()
    encryptor = _cipher(key, vector).encryptor()
    padded = padder.update(plain[ENVELOPE_SIZE:]) + padder.finalize()
    sealed = vector + encryptor.update(padded) + encryptor.finalize()
    if len(sealed) > MAX_MESSAGE:
        raise EncodeError(f"{len(sealed)} bytes, where {MAX_MESSAGE} are allowed", place="an encrypted message")
    envelope = bytearray(plain[:ENVELOPE_SIZE])
    envelope[2] |= _ENCRYPTED
    envelope[16:20] = len(sealed).to_bytes(4, "big")
    return bytes(envelope) + sealed


def decrypt_message(data: bytes, key: SessionKey) -> Message:
    """The message in ``data``; the flag EC is off in it.

    Whatever is wrong behind the envelope is one and the same `SessionKeyError`, so that no one learns anything from it.
    """
    envelope = read_envelope(data)
    if not envelope.flags & _ENCRYPTED:
        raise OpaqueError("a plain message, where an encrypted one is expected", place="an envelope", offset=2)
    sealed = data[ENVELOPE_SIZE:]
    if envelope.length != len(sealed):
        message = f"the envelope promises {envelope.length} bytes, {len(sealed)} are there"
        raise LengthError(message, place="an envelope", offset=16)
    if envelope.version < (2, 4):
        raise VersionError("versions before 2.4 encrypt without a vector", place="an encrypted message")
    if len(sealed) < 2 * _BLOCK or len(sealed) % _BLOCK:
        raise SessionKeyError("it does not open", place="an encrypted message")
    decryptor = _cipher(key, sealed[:_BLOCK]).decryptor()
    padded = decryptor.update(sealed[_BLOCK:]) + decryptor.finalize()
    try:
        unpadder = PKCS7(8 * _BLOCK).unpadder()
        plain = unpadder.update(padded) + unpadder.finalize()
        head = bytearray(data[:ENVELOPE_SIZE])
        head[2] &= ~_ENCRYPTED & 0xFF
        head[16:20] = len(plain).to_bytes(4, "big")
        return decode(bytes(head) + plain)
    except (ValueError, WireError):
        raise SessionKeyError("it does not open", place="an encrypted message") from None
