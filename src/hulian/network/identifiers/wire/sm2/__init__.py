"""SM2, which the cryptography library does not have: signature, encryption and keys, over SM3, which it has.

Why it is ours, and what it is tested against: docs/decisions, "SM2 is our own".
"""

from hulian.network.identifiers.wire.sm2.keys import DEFAULT_ID, PrivateKey, PublicKey, sm3

__all__ = ["DEFAULT_ID", "PrivateKey", "PublicKey", "sm3"]
