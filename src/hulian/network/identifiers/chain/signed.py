"""Signed answers on the asking side: none is believed that the key of its server's site record has not signed."""

from __future__ import annotations

from hulian.network.identifiers.chain.errors import SecurityError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.wire.authentication import verify_signed
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.keys import PublicKey

__all__ = ["check_signed"]


def check_signed(answer: Message, target: Target) -> None:
    """Raises `SecurityError` unless ``answer`` is signed by the key that the site record names for ``target``."""
    if not target.key:
        raise SecurityError("its site record names no key: nothing that it signs can be believed", place=str(target))
    try:
        verify_signed(answer, PublicKey.unpack(target.key).usable())
    except WireError as error:
        message = f"an answer that its key has not signed: {error.message} ({error.code})"
        raise SecurityError(message, place=str(target)) from error
