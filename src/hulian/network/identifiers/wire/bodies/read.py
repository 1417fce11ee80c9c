"""Which body a message has, by its opcode and response code; and messages made of bodies."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from hulian.network.identifiers.wire.bodies.carried import Carried
from hulian.network.identifiers.wire.bodies.challenge import Challenge, ChallengeResponse, Login, Verdict, VerifyRequest
from hulian.network.identifiers.wire.bodies.digest import RequestDigest, read_digest
from hulian.network.identifiers.wire.bodies.handles import (
    Created,
    Empty,
    Failure,
    HandleList,
    HandleOnly,
    RemoveRequest,
    SiteAnswer,
)
from hulian.network.identifiers.wire.bodies.replication import (
    DumpRequest,
    NextTransaction,
    TransactionLogAnswer,
    TransactionLogRequest,
)
from hulian.network.identifiers.wire.bodies.resolve import ChangeRequest, Referral, ResolveRequest, Values
from hulian.network.identifiers.wire.bodies.session import ExchangeKey, SessionSetup, SessionSetupAnswer
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.errors import EncodeError, FieldError
from hulian.network.identifiers.wire.frame import CURRENT, DIALECT, Message, Version, answer_version
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["Body", "answer", "login_request", "read_answer", "read_body", "request"]

Body: TypeAlias = (
    Carried
    | Challenge
    | ChallengeResponse
    | ChangeRequest
    | Created
    | DumpRequest
    | Empty
    | ExchangeKey
    | Failure
    | HandleList
    | HandleOnly
    | Login
    | NextTransaction
    | Referral
    | RemoveRequest
    | ResolveRequest
    | SessionSetup
    | SessionSetupAnswer
    | SiteAnswer
    | TransactionLogAnswer
    | TransactionLogRequest
    | Values
    | Verdict
    | VerifyRequest
)

_CARRIERS: Final[dict[int, type[Any]]] = {
    OpCode.CARRIER_HELLO: Carried,
    OpCode.CARRIER_ENROL: Carried,
    OpCode.CARRIER_REPORT: Carried,
    OpCode.CARRIER_CONTENTS: Carried,
    OpCode.CARRIER_REKEY: Carried,
    OpCode.CARRIER_SESSION: Carried,
    OpCode.CARRIER_SESSION_REPORT: Carried,
}
_REQUESTS: Final[dict[int, type[Any]]] = {
    OpCode.RESOLVE: ResolveRequest,
    OpCode.GET_SITE: HandleOnly,
    OpCode.CREATE: Values,
    OpCode.DELETE: HandleOnly,
    OpCode.ADD_VALUES: Values,
    OpCode.REMOVE_VALUES: RemoveRequest,
    OpCode.MODIFY_VALUES: Values,
    OpCode.CHANGE_VALUES: ChangeRequest,
    OpCode.LIST_HANDLES: HandleOnly,
    OpCode.LIST_DERIVED_PREFIXES: HandleOnly,
    OpCode.CHALLENGE_RESPONSE: ChallengeResponse,
    OpCode.VERIFY_RESPONSE: VerifyRequest,
    OpCode.HOME_PREFIX: HandleOnly,
    OpCode.UNHOME_PREFIX: HandleOnly,
    OpCode.LIST_HOMED_PREFIXES: HandleOnly,
    OpCode.SESSION_SETUP: SessionSetup,
    OpCode.SESSION_TERMINATE: HandleOnly,
    OpCode.SESSION_EXCHANGE_KEY: ExchangeKey,
    OpCode.NEXT_TRANSACTION: HandleOnly,
    OpCode.RETRIEVE_TRANSACTIONS: TransactionLogRequest,
    OpCode.DUMP_HANDLES: DumpRequest,
    OpCode.BACKUP_SERVER: HandleOnly,
    OpCode.LOGIN: Login,
    **_CARRIERS,
}
_ANSWERS: Final[dict[int, type[Any]]] = {
    OpCode.RESOLVE: Values,
    OpCode.GET_SITE: SiteAnswer,
    OpCode.CREATE: Created,
    OpCode.DELETE: Empty,
    OpCode.ADD_VALUES: Empty,
    OpCode.REMOVE_VALUES: Empty,
    OpCode.MODIFY_VALUES: Empty,
    OpCode.CHANGE_VALUES: Empty,
    OpCode.LIST_HANDLES: HandleList,
    OpCode.LIST_DERIVED_PREFIXES: HandleList,
    OpCode.VERIFY_RESPONSE: Verdict,
    OpCode.HOME_PREFIX: Empty,
    OpCode.UNHOME_PREFIX: Empty,
    OpCode.LIST_HOMED_PREFIXES: HandleList,
    OpCode.SESSION_SETUP: SessionSetupAnswer,
    OpCode.SESSION_TERMINATE: Empty,
    OpCode.SESSION_EXCHANGE_KEY: Empty,
    OpCode.NEXT_TRANSACTION: NextTransaction,
    OpCode.RETRIEVE_TRANSACTIONS: TransactionLogAnswer,
    OpCode.DUMP_HANDLES: Empty,
    OpCode.BACKUP_SERVER: Empty,
    OpCode.LOGIN: Empty,
    **_CARRIERS,
}
_REFERRALS: Final = frozenset((ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL))
_CARRIED: Final = (
    OpFlag.CERTIFIED
    | OpFlag.RECURSIVE
    | OpFlag.CACHE_CERTIFIED
    | OpFlag.PUBLIC_ONLY
    | OpFlag.RETURN_DIGEST
    | OpFlag.DO_NOT_REFER
).value
"""Bits that an answer repeats of its request."""


def _kind(message: Message) -> type[Any]:
    code = message.response_code
    kind: type[Any] | None
    if code == ResponseCode.REQUEST:
        kind = _REQUESTS.get(message.op_code)
    elif code == ResponseCode.SUCCESS:
        kind = _ANSWERS.get(message.op_code)
    elif code in _REFERRALS:
        kind = Referral
    elif code == ResponseCode.AUTHENTICATION_NEEDED:
        kind = Challenge
    else:
        kind = Failure
    if kind is None:
        raise FieldError(f"opcode {message.op_code}", place="a message", offset=20)
    return kind


def read_answer(message: Message) -> tuple[Body, RequestDigest | None]:
    """The body of ``message``, and the request digest in front of it where the flag RD of an answer is set.

    Any response code that is neither success, referral nor challenge is a `Failure`. Raises `FieldError` for an opcode that
    has no body here, and the errors of `Reader` for one that is broken; offsets count from the start of the body.
    """
    kind = _kind(message)
    reader = Reader(message.body, f"the body of opcode {message.op_code}, response {message.response_code}")
    digest = None
    if not message.is_request and message.has(OpFlag.RETURN_DIGEST):
        digest = read_digest(reader)
    body: Body = kind.read(reader)
    reader.done()
    return body, digest


def read_body(message: Message) -> Body:
    """`read_answer` for those who do not need the digest."""
    return read_answer(message)[0]


def request(
    op_code: OpCode,
    body: Body,
    *,
    request_id: int,
    expiration: int,
    flags: int = 0,
    version: Version = CURRENT,
    session_id: int = 0,
    site_serial: int = -1,
) -> Message:
    """A request that carries ``body``; ``expiration`` in Unix seconds is the caller's, who has a clock."""
    if not isinstance(body, _REQUESTS[op_code]):
        raise EncodeError(f"a body that opcode {op_code.name} does not have: {type(body).__name__}", place="a request")
    return Message(
        op_code=op_code.value,
        flags=flags,
        body=body.pack(),
        request_id=request_id,
        session_id=session_id,
        version=version,
        suggested=CURRENT if version[0] == CURRENT[0] else version,
        site_serial=site_serial,
        expiration=expiration,
    )


def login_request(handle: str, index: int, *, request_id: int, expiration: int, version: Version = DIALECT) -> Message:
    """The login of the Chinese dialect (opcode 2001): the server answers with a challenge, which `respond` answers."""
    return request(
        OpCode.LOGIN,
        Login(handle, index),
        request_id=request_id,
        expiration=expiration,
        flags=OpFlag.RETURN_DIGEST.value,
        version=version,
    )


def answer(
    to: Message,
    code: ResponseCode,
    body: Body,
    *,
    expiration: int,
    flags: int = 0,
    digest: RequestDigest | None = None,
    site_serial: int = -1,
    op_code: OpCode | None = None,
) -> Message:
    """The answer to request ``to``: its opcode, ids and the flags that answers repeat, in the version it suggests.

    ``op_code`` is another one where a challenge response is answered: the answer carries the opcode of what was challenged.

    Where ``to`` asked for its digest (flag RD), or the answer is a challenge, ``digest`` must be given; else it must not.
    """
    wanted = to.has(OpFlag.RETURN_DIGEST) or code is ResponseCode.AUTHENTICATION_NEEDED
    if wanted != (digest is not None):
        raise EncodeError("a request digest goes with the flag RD, and only with it", place="an answer")
    bits = (to.flags & _CARRIED) | flags | (OpFlag.RETURN_DIGEST.value if wanted else 0)
    return Message(
        op_code=to.op_code if op_code is None else op_code.value,
        response_code=code.value,
        flags=bits,
        body=(digest.packed() if digest else b"") + body.pack(),
        request_id=to.request_id,
        session_id=to.session_id,
        version=answer_version(to),
        suggested=CURRENT,
        site_serial=site_serial,
        recursion=to.recursion,
        expiration=expiration,
    )
