"""What can be wrong with bytes of the Handle protocol and DO-IRP, and with what is signed in them.

HulianError
└── WireError                   HL-ID-0200   bytes that break the protocol
    ├── TruncatedError          HL-ID-0201   the bytes end inside a field
    ├── LengthError             HL-ID-0202   a length that is negative, or that contradicts another
    ├── CountError              HL-ID-0203   a count that is negative, above the bound, or more than the bytes can hold
    ├── LimitError              HL-ID-0204   more than is accepted, refused before anything is kept for it
    ├── VersionError            HL-ID-0205   a protocol version that is not spoken here
    ├── TrailingError           HL-ID-0206   bytes behind the last field
    ├── TextError               HL-ID-0207   text that is not UTF-8
    ├── FieldError              HL-ID-0208   a field with a value that it cannot have
    ├── OpaqueError             HL-ID-0209   an encrypted or compressed message, read as a plain one
    ├── EncodeError             HL-ID-0210   what the protocol cannot carry
    ├── FragmentError           HL-ID-0220   a datagram that contradicts the others of its message
    ├── ReassemblyLimitError    HL-ID-0221   more unfinished messages than are kept
    ├── KeyFormatError          HL-ID-0230   a public key that cannot be read or used
    ├── NamespaceError          HL-ID-0231   an HS_NAMESPACE that is refused or no XML
    ├── JsonFormError           HL-ID-0232   JSON that is no handle value
    └── AuthenticationError     HL-ID-0240   a proof that proves nothing
        ├── AlgorithmError      HL-ID-0241   an algorithm that is unknown or refused
        ├── DigestError         HL-ID-0242   a digest of something else than was sent
        ├── SignatureError      HL-ID-0243   a signature that does not verify
        ├── ChainError          HL-ID-0244   a chain of certificates that does not reach the trust root
        ├── ReplayError         HL-ID-0245   a session counter that was seen before or is too old
        └── SessionKeyError     HL-ID-0246   a session key that cannot be agreed

Every error that a peer's bytes can cause names the structure and the offset in its ``place``. No message holds a key, a secret
or a response to a challenge.
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "AlgorithmError",
    "AuthenticationError",
    "ChainError",
    "CountError",
    "DigestError",
    "EncodeError",
    "FieldError",
    "FragmentError",
    "JsonFormError",
    "KeyFormatError",
    "LengthError",
    "LimitError",
    "NamespaceError",
    "OpaqueError",
    "ReassemblyLimitError",
    "ReplayError",
    "SessionKeyError",
    "SignatureError",
    "TextError",
    "TrailingError",
    "TruncatedError",
    "VersionError",
    "WireError",
]


class WireError(HulianError):
    """Bytes that break the Handle protocol; ``offset`` counts from the start of the structure that ``place`` names."""

    code = "HL-ID-0200"

    def __init__(self, message: str, *, place: str = "", hint: str = "", offset: int = -1) -> None:
        super().__init__(message, place=f"byte {offset} of {place}" if offset >= 0 else place, hint=hint)
        self.offset = offset


class TruncatedError(WireError):
    """The bytes end inside a field."""

    code = "HL-ID-0201"


class LengthError(WireError):
    """A length that is negative, or that contradicts the length of what holds it."""

    code = "HL-ID-0202"


class CountError(WireError):
    """A count that is negative, above the bound, or more than the bytes that are left can hold."""

    code = "HL-ID-0203"


class LimitError(WireError):
    """More than is accepted of a peer; nothing was kept for it."""

    code = "HL-ID-0204"
    default_hint = "a message is at most 262144 bytes, a handle 2048, a record 2048 values"


class VersionError(WireError):
    """A version of the protocol that is not spoken here."""

    code = "HL-ID-0205"
    default_hint = "versions 2.1 to 2.11 and DO-IRP 3.0 are spoken"


class TrailingError(WireError):
    """Bytes behind the last field."""

    code = "HL-ID-0206"


class TextError(WireError):
    """Text that is not UTF-8."""

    code = "HL-ID-0207"


class FieldError(WireError):
    """A field with a value that it cannot have."""

    code = "HL-ID-0208"


class OpaqueError(WireError):
    """An encrypted or compressed message, where a plain one is read."""

    code = "HL-ID-0209"
    default_hint = "take the encryption off first, with the key of the session"


class EncodeError(WireError):
    """What the protocol cannot carry: too long, out of range, or of the wrong kind."""

    code = "HL-ID-0210"


class FragmentError(WireError):
    """A datagram that contradicts the others of its message; the message is given up."""

    code = "HL-ID-0220"


class ReassemblyLimitError(WireError):
    """More unfinished messages, or more bytes in them, than are kept. What was there stays; the new datagram is dropped."""

    code = "HL-ID-0221"
    default_hint = "the sender repeats the question, or turns to TCP"


class KeyFormatError(WireError):
    """A public key that cannot be read, or not be used for what is asked."""

    code = "HL-ID-0230"
    default_hint = "HS_PUBKEY holds RSA_PUB_KEY, DSA_PUB_KEY, DH_PUB_KEY, SM2_PUB_KEY or SM9_PUB_KEY, or X.509 as PEM"


class NamespaceError(WireError):
    """An HS_NAMESPACE that is no well-formed XML, is too large, or has a document type or entities."""

    code = "HL-ID-0231"


class JsonFormError(WireError):
    """JSON that is no handle value; the place is a path such as ``$.data.value``."""

    code = "HL-ID-0232"


class AuthenticationError(WireError):
    """A proof of identity or origin that proves nothing. Neither message nor place holds a secret."""

    code = "HL-ID-0240"


class AlgorithmError(AuthenticationError):
    """An algorithm that is unknown, or refused because it is broken or too costly."""

    code = "HL-ID-0241"


class DigestError(AuthenticationError):
    """A digest of something else than what was sent: the answer belongs to another request, or was changed on its way."""

    code = "HL-ID-0242"


class SignatureError(AuthenticationError):
    """A signature that does not verify, or a signed structure that cannot be read."""

    code = "HL-ID-0243"


class ChainError(AuthenticationError):
    """A chain of certificates that does not reach the trust root, is out of date, or does not permit what was signed."""

    code = "HL-ID-0244"


class ReplayError(AuthenticationError):
    """A session counter that was seen before, or is older than the window."""

    code = "HL-ID-0245"


class SessionKeyError(AuthenticationError):
    """A session key that cannot be agreed or opened."""

    code = "HL-ID-0246"
