"""The bodies of messages, one class each: `pack` writes, `read_body` finds out which one it is and reads it."""

from hulian.network.identifiers.wire.bodies.carried import Carried
from hulian.network.identifiers.wire.bodies.challenge import Challenge, ChallengeResponse, Login, Verdict, VerifyRequest
from hulian.network.identifiers.wire.bodies.digest import RequestDigest, check_digest, digest_of
from hulian.network.identifiers.wire.bodies.handles import (
    Created,
    Empty,
    Failure,
    HandleList,
    HandleOnly,
    RemoveRequest,
    SiteAnswer,
)
from hulian.network.identifiers.wire.bodies.read import Body, answer, login_request, read_answer, read_body, request
from hulian.network.identifiers.wire.bodies.replication import (
    DumpRequest,
    NextTransaction,
    Transaction,
    TransactionLogAnswer,
    TransactionLogRequest,
)
from hulian.network.identifiers.wire.bodies.resolve import ChangeRequest, Referral, ResolveRequest, Values
from hulian.network.identifiers.wire.bodies.session import ExchangeKey, SessionSetup, SessionSetupAnswer

__all__ = [
    "Body",
    "Carried",
    "Challenge",
    "ChallengeResponse",
    "ChangeRequest",
    "Created",
    "DumpRequest",
    "Empty",
    "ExchangeKey",
    "Failure",
    "HandleList",
    "HandleOnly",
    "Login",
    "NextTransaction",
    "Referral",
    "RemoveRequest",
    "RequestDigest",
    "ResolveRequest",
    "SessionSetup",
    "SessionSetupAnswer",
    "SiteAnswer",
    "Transaction",
    "TransactionLogAnswer",
    "TransactionLogRequest",
    "Values",
    "Verdict",
    "VerifyRequest",
    "answer",
    "check_digest",
    "digest_of",
    "login_request",
    "read_answer",
    "read_body",
    "request",
]
