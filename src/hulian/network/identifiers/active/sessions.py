"""Sessions of carriers: after one challenge each report is proved by a code and a counter, and needs no other challenge.

Both sides bring a key of P-256 that is used once; the carrier's is in what it has proved, the node's in what it signs. The key
of the session is HKDF-SHA256 (RFC 5869) of what they share, with the hash of all that was said as its salt: nobody between can
have it, and who gets hold of the long keys later learns nothing of it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hulian.network.identifiers.active.carriers import Carrier
from hulian.network.identifiers.active.errors import MessageError, ReplayError, SessionOverError
from hulian.network.identifiers.active.messages import (
    SESSION_ID,
    SessionQuestion,
    SessionReport,
    session_answer,
    session_covered,
)

__all__ = ["Sessions"]

SECONDS: Final = 3_600
"""How long a session is good, however often it is used."""

REPORTS: Final = 10_000
"""Reports of one session."""

MOST: Final = 10_000
"""Sessions at once; a carrier has one, and beyond the bound the one that was not used for longest goes."""

_INFO: Final = b"hulian active session key 1"


class _Session(msgspec.Struct):
    serial: str
    own: bytes
    """The carrier's own key when it began: another one ends it."""
    key: bytes
    until: float
    counter: int = 0
    reports: int = 0


class Sessions:
    """Of the carriers of one node, in memory: who is told that there is none begins another one. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[bytes, _Session] = OrderedDict()
        self._of: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, known: Carrier, body: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """The answer to the question ``body``, which ``known`` has proved. It ends the session that the carrier had.

        Raises `MessageError` for what is no point of the curve.
        """
        asked = SessionQuestion.unpack(body)
        own = ec.generate_private_key(ec.SECP256R1())
        try:
            shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), asked.point))
        except ValueError:
            raise MessageError("what should be a point of P-256 is none") from None
        form = serialization.PublicFormat.UncompressedPoint
        point = own.public_key().public_bytes(serialization.Encoding.X962, form)
        session = secrets.token_bytes(SESSION_ID)
        covered = session_covered(body, session, point, SECONDS, REPORTS)
        signature = sign(covered)
        with self._lock:
            self._end(known.serial)
            while len(self._kept) >= MOST:
                _, oldest = self._kept.popitem(last=False)
                del self._of[oldest.serial]
            self._kept[session] = _Session(known.serial, known.key, _key(shared, covered), self._clock() + SECONDS)
            self._of[known.serial] = session
        return session_answer(session, point, SECONDS, REPORTS, signature)

    def open(self, message: SessionReport) -> str:
        """The serial number of the carrier whose session ``message`` is of; its counter is used from now on.

        Raises `SessionOverError`, and `ReplayError` for a counter that is not higher than the last, or another's code. What is
        forged uses nothing up.
        """
        with self._lock:
            return self._opened(message)

    def _opened(self, message: SessionReport) -> str:
        kept = self._kept.get(message.session)
        if kept is None:
            raise SessionOverError("there is no such session here")
        if not hmac.compare_digest(hmac.digest(kept.key, message.covered, "sha256"), message.code):
            raise ReplayError("the code is not of this session")
        if message.counter <= kept.counter:
            raise ReplayError(f"counter {message.counter}, where {kept.counter} was used")
        if kept.until <= self._clock() or kept.reports >= REPORTS:
            self._end(kept.serial)
            raise SessionOverError("the session is over")
        kept.counter = message.counter
        kept.reports += 1
        self._kept.move_to_end(message.session)
        return kept.serial

    def holds(self, message: SessionReport, known: Carrier) -> None:
        """Raises `SessionOverError` where the carrier has another key than when the session began; it is over then."""
        with self._lock:
            kept = self._kept.get(message.session)
            if kept is None or kept.own != known.key:
                self._end(known.serial)
                raise SessionOverError("the carrier has another key now")

    def end(self, serial: str) -> None:
        """The carrier has no session any more."""
        with self._lock:
            self._end(serial)

    def _end(self, serial: str) -> None:
        session = self._of.pop(serial, None)
        if session is not None:
            del self._kept[session]


def _key(shared: bytes, covered: bytes) -> bytes:
    """HKDF-SHA256 of 32 bytes: one block."""
    pseudo_random = hmac.digest(hashlib.sha256(covered).digest(), shared, "sha256")
    return hmac.digest(pseudo_random, _INFO + b"\1", "sha256")
