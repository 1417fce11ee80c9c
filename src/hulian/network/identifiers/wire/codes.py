"""The numbers of the protocol, with texts for people: opcodes, flags, response codes, and what the Chinese dialect adds."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "AdminPermission",
    "DigestAlgorithm",
    "EnvelopeFlag",
    "InterfaceType",
    "KeyExchange",
    "OpCode",
    "OpFlag",
    "Permission",
    "ResponseCode",
    "Transport",
    "TtlType",
    "response_text",
]


class OpCode(IntEnum):
    """What is asked (DO-IRP 3.0, section 6.2.2.1; from 1000 on Handle.Net's replication, from 2000 on the Chinese dialect, from
    3000 on Hulian's active carriers)."""

    RESOLVE = 1
    GET_SITE = 2
    CREATE = 100
    DELETE = 101
    ADD_VALUES = 102
    REMOVE_VALUES = 103
    MODIFY_VALUES = 104
    LIST_HANDLES = 105
    LIST_DERIVED_PREFIXES = 106
    CHALLENGE_RESPONSE = 200
    VERIFY_RESPONSE = 201
    HOME_PREFIX = 300
    UNHOME_PREFIX = 301
    LIST_HOMED_PREFIXES = 302
    SESSION_SETUP = 400
    SESSION_TERMINATE = 401
    SESSION_EXCHANGE_KEY = 402
    NEXT_TRANSACTION = 1000
    RETRIEVE_TRANSACTIONS = 1001
    DUMP_HANDLES = 1002
    BACKUP_SERVER = 1003
    LOGIN_PASSWORD = 2000
    LOGIN = 2001
    CARRIER_HELLO = 3000
    CARRIER_ENROL = 3001
    CARRIER_REPORT = 3002
    CARRIER_CONTENTS = 3003
    CARRIER_REKEY = 3004
    CARRIER_SESSION = 3005
    CARRIER_SESSION_REPORT = 3006
    CHANGE_VALUES = 3100


class OpFlag(IntFlag):
    """Bits of the header's opFlags. Bits without a name here are kept as they are."""

    AUTHORITATIVE = 0x80000000
    CERTIFIED = 0x40000000
    ENCRYPTED = 0x20000000
    RECURSIVE = 0x10000000
    CACHE_CERTIFIED = 0x08000000
    CONTINUED = 0x04000000
    KEEP_CONNECTION = 0x02000000
    PUBLIC_ONLY = 0x01000000
    RETURN_DIGEST = 0x00800000
    OVERWRITE = 0x00400000
    MINT_SUFFIX = 0x00200000
    DO_NOT_REFER = 0x00100000
    FORWARD_AUTHENTICATION = 0x00000004
    """The Chinese dialect: carry the user's authentication through the recursive node."""


class EnvelopeFlag(IntFlag):
    """The three high bits of the envelope's third byte."""

    COMPRESSED = 0x80
    ENCRYPTED = 0x40
    TRUNCATED = 0x20
    """One of several datagrams: fragments follow, or this is one."""


class ResponseCode(IntEnum):
    """How it went; 0 marks a request. 601 to 605 belong to the Chinese dialect."""

    REQUEST = 0
    SUCCESS = 1
    ERROR = 2
    SERVER_BUSY = 3
    PROTOCOL_ERROR = 4
    NOT_SUPPORTED = 5
    RECURSION_TOO_DEEP = 6
    SERVER_READ_ONLY = 7
    HANDLE_NOT_FOUND = 100
    HANDLE_EXISTS = 101
    INVALID_HANDLE = 102
    VALUES_NOT_FOUND = 200
    VALUE_EXISTS = 201
    INVALID_VALUE = 202
    OUTDATED_SITE = 300
    NOT_RESPONSIBLE = 301
    SERVICE_REFERRAL = 302
    PREFIX_REFERRAL = 303
    INVALID_ADMIN = 400
    NOT_PERMITTED = 401
    AUTHENTICATION_NEEDED = 402
    AUTHENTICATION_FAILED = 403
    INVALID_CREDENTIAL = 404
    AUTHENTICATION_TIMEOUT = 405
    AUTHENTICATION_ERROR = 406
    SESSION_TIMEOUT = 500
    SESSION_FAILED = 501
    INVALID_SESSION_KEY = 502
    SESSION_NEEDS_RSA_KEY = 503
    INVALID_SESSION_SETUP = 504
    SESSION_MESSAGE_REJECTED = 505
    CLIENT_CHANNEL_ERROR = 601
    CLIENT_TIMEOUT = 602
    DAILY_LIMIT = 603
    REGISTRATION_LIMIT = 604
    PREFIX_LIMIT = 605


class TtlType(IntEnum):
    """How the TTL of a value is meant: seconds from its receipt, or the time (Unix seconds) at which it ends."""

    RELATIVE = 0
    ABSOLUTE = 1


class Permission(IntFlag):
    """Who may read and write one value."""

    ADMIN_READ = 8
    ADMIN_WRITE = 4
    PUBLIC_READ = 2
    PUBLIC_WRITE = 1


class AdminPermission(IntFlag):
    """What an HS_ADMIN allows; JSON shows twelve binary digits, `LIST_HANDLES` first."""

    ADD_HANDLE = 0x001
    DELETE_HANDLE = 0x002
    ADD_DERIVED_PREFIX = 0x004
    DELETE_DERIVED_PREFIX = 0x008
    MODIFY_VALUE = 0x010
    REMOVE_VALUE = 0x020
    ADD_VALUE = 0x040
    MODIFY_ADMIN = 0x080
    REMOVE_ADMIN = 0x100
    ADD_ADMIN = 0x200
    READ_VALUE = 0x400
    LIST_HANDLES = 0x800
    ALL = 0xFFF
    LIST_DERIVED_PREFIXES = 0x1000
    """DO-IRP 3.0 only; older software ignores it."""


class InterfaceType(IntFlag):
    """What a server's interface serves; 0 is out of service."""

    ADMIN = 1
    QUERY = 2


class Transport(IntEnum):
    """How a server's interface is spoken to."""

    UDP = 0
    TCP = 1
    HTTP = 2
    HTTPS = 3


class DigestAlgorithm(IntEnum):
    """The one-byte names of digests and of codes made with a secret key."""

    MD5 = 1
    SHA1 = 2
    SHA256 = 3
    HMAC_SHA1 = 0x12
    HMAC_SHA256 = 0x13
    PBKDF2_HMAC_SHA1 = 0x22


class KeyExchange(IntEnum):
    """How the two sides of a session come to one key (opcode 400)."""

    CLIENT_KEY = 1
    SERVER_KEY = 2
    KEY_IN_HANDLE = 3
    DIFFIE_HELLMAN = 4


_TEXTS: Final = {
    0: "a request",
    1: "success",
    2: "the server met an error",
    3: "the server is too busy",
    4: "the server cannot read the request",
    5: "the server does not support this operation",
    6: "too many servers have passed the request on",
    7: "the server takes no changes now",
    100: "there is no such handle",
    101: "the handle exists already",
    102: "this cannot be a handle",
    200: "the handle has no such values",
    201: "the value exists already",
    202: "a value that cannot be kept",
    300: "what the client knows of the site is out of date",
    301: "the server is not responsible for this handle",
    302: "another service is responsible",
    303: "another service is responsible for the prefix",
    400: "not an administrator of this handle",
    401: "not permitted",
    402: "authentication is needed",
    403: "authentication failed",
    404: "a credential that is not valid",
    405: "the challenge was answered too late",
    406: "the server could not authenticate",
    500: "the session has ended",
    501: "the session could not be set up",
    502: "the session key is not valid",
    503: "the key exchange needs an RSA key",
    504: "the session setup is not valid",
    505: "the server refused a message of the session, such as a repeated one",
    601: "the client's channel failed",
    602: "the client's time is up",
    603: "the requests allowed for a day are used up",
    604: "the registrations allowed are used up",
    605: "the prefix has reached its limit",
}


def response_text(code: int) -> str:
    """What response ``code`` means, for people.

    >>> response_text(303)
    'another service is responsible for the prefix'
    >>> response_text(777)
    'response code 777'
    """
    return _TEXTS.get(code, f"response code {code}")
