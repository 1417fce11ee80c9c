"""Who asks, and who answered: challenge-response, signed messages, session counters and keys."""

from hulian.network.identifiers.wire.authentication.cipher import decrypt_message, encrypt_message
from hulian.network.identifiers.wire.authentication.credential import (
    Credential,
    mac_message,
    read_credential,
    sign_message,
    verify_mac,
    verify_signed,
)
from hulian.network.identifiers.wire.authentication.exchange import (
    DhExchange,
    SessionKey,
    open_session_key,
    seal_session_key,
)
from hulian.network.identifiers.wire.authentication.replay import ReplayWindow
from hulian.network.identifiers.wire.authentication.respond import (
    KeyIdentity,
    SecretIdentity,
    respond,
    verify_key_response,
    verify_secret_response,
)
from hulian.network.identifiers.wire.authentication.signers import Signer, signer_for

__all__ = [
    "Credential",
    "DhExchange",
    "KeyIdentity",
    "ReplayWindow",
    "SecretIdentity",
    "SessionKey",
    "Signer",
    "decrypt_message",
    "encrypt_message",
    "mac_message",
    "open_session_key",
    "read_credential",
    "respond",
    "seal_session_key",
    "sign_message",
    "signer_for",
    "verify_key_response",
    "verify_mac",
    "verify_secret_response",
    "verify_signed",
]
