"""A session with the node: after one challenge, each report is proved by a code and a counter."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import NamedTuple

from .curves import P256, is_on_curve, multiply
from .errors import ContentsError, FormatError
from .frame import Fields, field, text

__all__ = ["Half", "Offer", "Session", "question_body", "read_offer"]

_SESSION = b"hulian active session 1\0"
_COUNTED = b"hulian active counted 1\0"
_INFO = b"hulian active session key 1"
_EARLY = 60
"""Seconds before its end that a session is given up: clocks go wrong, and a report takes a while to arrive."""


class Half:
    """A key that is used for one session: a secret number, and its point."""

    def __init__(self) -> None:
        self._number = secrets.randbelow(P256.n - 1) + 1
        x, y = multiply(P256, self._number) or (0, 0)
        self.point = b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def shared(self, point: bytes) -> bytes:
        """What both halves have in common. Raises `ContentsError` for a point that is none of the curve."""
        if len(point) != 65 or point[0] != 4:
            raise ContentsError("the node's half of a session is no point of P-256")
        other = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
        found = multiply(P256, self._number, other) if is_on_curve(P256, other) else None
        if found is None:
            raise ContentsError("the node's half of a session is no point of P-256")
        return found[0].to_bytes(32, "big")


class Offer(NamedTuple):
    """What the node answers: ``covered`` is what its signature is over, and what the key is bound to."""

    session: bytes
    point: bytes
    seconds: int
    reports: int
    signature: bytes
    covered: bytes


class Session:
    """A session that lasts: `sealed` makes of the body of a report what is sent."""

    def __init__(self, half: Half, offer: Offer) -> None:
        pseudo_random = hmac.new(hashlib.sha256(offer.covered).digest(), half.shared(offer.point), "sha256").digest()
        self._key = hmac.new(pseudo_random, _INFO + b"\1", "sha256").digest()
        self._id = offer.session
        self._until = time.monotonic() + max(0, offer.seconds - _EARLY)
        self._left = offer.reports
        self._counter = 0

    def __repr__(self) -> str:
        return "Session(…)"

    @property
    def lasts(self) -> bool:
        """Whether another report can be sealed."""
        return self._left > 0 and time.monotonic() < self._until

    def sealed(self, report: bytes) -> bytes:
        """The body of opcode 3006; no two have the same counter."""
        self._counter += 1
        self._left -= 1
        counted = field(self._id) + self._counter.to_bytes(8, "big") + field(report)
        return b"\1" + counted + field(hmac.new(self._key, _COUNTED + counted, "sha256").digest())


def question_body(identifier: str, half: Half) -> bytes:
    """The body of opcode 3005."""
    return b"\1" + text(identifier) + field(half.point)


def read_offer(body: bytes, question: bytes) -> Offer:
    """The answer to the ``question``."""
    fields = Fields(body)
    if fields.raw(1) != b"\1":
        raise FormatError("an answer of a version that is not known")
    session, point = fields.field(64), fields.field(256)
    seconds, reports = fields.number(4), fields.number(4)
    signature = fields.field(1024)
    fields.done()
    bounds = seconds.to_bytes(4, "big", signed=True) + reports.to_bytes(4, "big", signed=True)
    covered = _SESSION + field(question) + field(session) + field(point) + bounds
    return Offer(session, point, seconds, reports, signature, covered)
