"""The carrier itself: enrols at first power-up, reports, resolves, takes new contents and changes its key.

Whatever it must not forget is on disk before it is sent: a cut at any moment, on either side, is made good by doing the same
again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import bodies, frame
from . import session as sessions
from .bodies import Item, SignedContents, Value
from .contents import Contents, check_receipt, check_session, open_contents
from .errors import ContentsError, FormatError, NotEnrolledError, RefusedError, StoreError
from .frame import Answer, field, text
from .keys import PrivateKey, generate, load_key
from .link import Link
from .store import Store

__all__ = ["Carrier", "Receipt"]

_LIFE = 120
_ENROL = b"hulian active enrol 1\0"
_REKEY = b"hulian active rekey 1\0"
_RECURSIVE = 0x10000000
_PUBLIC_ONLY = 0x01000000
_UNKNOWN = (400, 403, 404)


class Receipt(NamedTuple):
    """A report that the node keeps; ``duplicate`` where it kept it before."""

    sequence: int
    duplicate: bool


class Carrier:
    """One active carrier, kept in ``store``, which reaches its node over ``link``.

    Every method that asks the node may raise `LinkError` (the same again later is safe), `RefusedError` (it said no) and
    `FormatError` or `ContentsError` (what came back is not believed). It is used by one thread.
    """

    def __init__(self, store: Store, link: Link) -> None:
        self._store = store
        self._link = link
        self._state = store.load()
        self._key: PrivateKey | None = None
        self._number = secrets.randbits(30)
        self._contents = self._opened()
        self._session: sessions.Session | None = None
        self._sessions = True
        """Whether the node may know sessions."""
        self._proofs = 0

    def __repr__(self) -> str:
        return f"Carrier({self.serial!r}, {self.identifier!r})"

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def serial(self) -> str:
        """The serial number that the manufacturer gave it."""
        return str(self._state["serial"])

    @property
    def identifier(self) -> str:
        """The full identifier that was written back; empty before the enrolment."""
        contents = self.contents
        return contents.identifier if contents else ""

    @property
    def contents(self) -> Contents | None:
        """What the node has written into it; None before the enrolment."""
        return self._contents

    def _opened(self) -> Contents | None:
        kept = self._state.get("contents")
        if kept is None:
            return None
        signed = SignedContents(kept["document"].encode(), bytes.fromhex(kept["signature"]))
        return open_contents(signed, [*self._state["trust"], *self._state.get("trust_before", [])], self.serial)

    @property
    def waiting(self) -> int:
        """How many reports wait for delivery."""
        return len(self._store.waiting())

    # -- enrolment -----------------------------------------------------------------------------------------------------

    def enrol(self, kind: str = "EC") -> str:
        """The full identifier: that of before where there is one, else the one that the node writes back now.

        ``kind`` is that of the carrier's own key, made where there is none: EC, SM2, or RSA.
        """
        if self.contents is not None:
            return self.identifier
        if "key" not in self._state:
            self._keep(key=generate(kind).to_pem().decode())
        own, first = self._own(), load_key(self._state["bootstrap"]["key"].encode())
        serial = self.serial
        nonce = bodies.read_nonce(self._ask(frame.HELLO, bodies.hello_body(serial)).body)
        certificate = self._state["bootstrap"]["certificate"].encode()
        body = bodies.enrol_body(serial, self._link.address(), certificate, own.public(), nonce)
        covered, user = _ENROL + body, serial.encode()
        for key in (first, own):
            body += text(key.digest) + field(key.sign(covered, user))
        signed = bodies.read_contents(self._ask(frame.ENROL, body).body)
        if signed is None:
            raise ContentsError("the node answered without contents")
        self._take(signed)
        return self.identifier

    # -- reports -------------------------------------------------------------------------------------------------------

    def report(self, items: Sequence[Item]) -> int:
        """Keeps a report for delivery, durably; its sequence number. Raises `NotEnrolledError`, `OutboxFullError`."""
        identifier = self._enrolled()
        waiting = self._store.waiting()
        sequence = max(waiting[-1] if waiting else 0, int(self._state.get("delivered", 0))) + 1
        self._store.put(sequence, bodies.report_body(identifier, sequence, items))
        return sequence

    def deliver(self) -> list[Receipt]:
        """Sends the reports that wait, oldest first; each is dropped only when the node has signed that it keeps it."""
        done = []
        for sequence in self._store.waiting():
            if sequence > int(self._state.get("delivered", 0)):
                done.append(self._delivered(sequence))
            self._store.drop(sequence)
        return done

    def _delivered(self, sequence: int) -> Receipt:
        body = self._store.get(sequence)
        answer = bodies.read_report_answer(self._reported(body).body)
        covered = field(body) + answer.sequence.to_bytes(8, "big") + answer.version.to_bytes(4, "big")
        check_receipt(self._state["trust"], answer.signature, covered)
        if answer.sequence != sequence:
            raise ContentsError("the receipt is for another report")
        self._keep(delivered=sequence, newest=answer.version)
        return Receipt(sequence, answer.duplicate)

    def _reported(self, body: bytes) -> Answer:
        """The first report is proved by itself; whoever has more to say begins a session."""
        session = self._begun()
        if session is not None:
            try:
                return self._ask(frame.SESSION_REPORT, session.sealed(body))
            except RefusedError as refused:
                if refused.response_code not in (frame.SESSION_OVER, frame.SESSION_REJECTED):
                    raise
                self._session = None  # the node was started anew, say: this report is proved by itself
        self._proofs += 1
        return self._proved(frame.REPORT, body)

    def _begun(self) -> sessions.Session | None:
        """The session that lasts, or another one where it is worth it; None where the report is proved by itself."""
        if self._session is not None and self._session.lasts:
            return self._session
        self._session = None
        if not self._sessions or not self._proofs:
            return None
        half = sessions.Half()
        question = sessions.question_body(self._enrolled(), half)
        try:
            offer = sessions.read_offer(self._proved(frame.SESSION, question).body, question)
        except RefusedError as refused:
            if refused.response_code not in (frame.PROTOCOL_ERROR, frame.NOT_SUPPORTED):
                raise
            self._sessions = False  # a node of before
            return None
        check_session(self._state["trust"], offer.signature, offer.covered)
        self._session = sessions.Session(half, offer)
        return self._session

    # -- resolution ----------------------------------------------------------------------------------------------------

    def resolve(self, identifier: str, types: Sequence[str] = ()) -> list[Value]:
        """The public values of any identifier, which the node follows for this carrier."""
        self._enrolled()
        answer = self._proved(frame.RESOLVE, bodies.resolve_body(identifier, types), _RECURSIVE | _PUBLIC_ONLY)
        return bodies.read_values(answer.body)

    # -- contents and keys ---------------------------------------------------------------------------------------------

    @property
    def outdated(self) -> bool:
        """Whether the node has said, in its last receipt, that newer contents are there."""
        contents = self.contents
        return contents is not None and int(self._state.get("newest", 0)) > contents.version

    def update(self) -> bool:
        """Takes newer contents where there are any; whether there were."""
        identifier, contents = self._enrolled(), self.contents
        version = contents.version if contents else 0
        signed = bodies.read_contents(self._proved(frame.CONTENTS, bodies.contents_body(identifier, version)).body)
        if signed is None:
            return False
        self._take(signed)
        # The node learns what is installed from the next question; asking once more says so now.
        self._proved(frame.CONTENTS, bodies.contents_body(self.identifier, self.contents.version if self.contents else 0))
        return True

    def rekey(self, kind: str = "EC") -> None:
        """A new key in the place of the own one. The old one is forgotten only when the node has taken the new."""
        identifier = self._enrolled()
        if "next" not in self._state:
            self._keep(next=generate(kind).to_pem().decode())
        new = load_key(self._state["next"].encode())
        proof = new.sign(_REKEY + text(identifier) + field(new.public()), identifier.encode())
        body = bodies.rekey_body(identifier, new.public(), new.digest, proof)
        try:
            answer = self._proved(frame.REKEY, body)
        except RefusedError as refused:
            if refused.response_code not in _UNKNOWN:
                raise
            # The node may have taken the new key, and its answer was lost: then only the new one is known.
            self._key = new
            try:
                answer = self._proved(frame.REKEY, body)
            finally:
                self._key = None
        signed = bodies.read_contents(answer.body)
        if signed is None:
            raise ContentsError("the node answered without contents")
        self._take(signed, key=self._state["next"], next=None)

    def _take(self, signed: SignedContents, **more: Any) -> None:
        """Contents in the place of older ones. Raises `ContentsError` for all others, and changes nothing then."""
        trust = list(self._state["trust"])
        found = open_contents(signed, trust, self.serial)
        before = self.contents
        if before is not None and found.version <= before.version and found.document != before.document:
            raise ContentsError(f"contents of version {found.version}, where {before.version} is there")
        if before is not None and found.identifier != before.identifier:
            raise ContentsError("contents with another identifier")
        kept = {"document": found.document.decode(), "signature": found.signature.hex()}
        self._keep(contents=kept, trust=list(found.trust), trust_before=trust, **more)

    # -- asking --------------------------------------------------------------------------------------------------------

    def _enrolled(self) -> str:
        if not self.identifier:
            raise NotEnrolledError("the carrier has no identifier yet: enrol first")
        return self.identifier

    def _own(self) -> PrivateKey:
        if self._key is None:
            self._key = load_key(self._state["key"].encode())
        return self._key

    def _keep(self, **changes: Any) -> None:
        state = {name: value for name, value in {**self._state, **changes}.items() if value is not None}
        self._store.save(state)
        self._state = state
        if "key" in changes:
            self._key = None
            self._session = None
        if "contents" in changes:
            self._contents = self._opened()

    def _request(self, op_code: int, body: bytes, flags: int = 0, session_id: int = 0) -> frame.Request:
        self._number = (self._number + 1) & 0x3FFFFFFF
        return frame.ask(op_code, body, self._number, int(time.time()) + _LIFE, flags, session_id)

    def _exchange(self, request: frame.Request) -> Answer:
        answer = frame.read_answer(self._link.exchange(request.data))
        if answer.request_id != request.request_id:
            self._link.close()
            raise FormatError("an answer to another question")
        return answer

    def _ask(self, op_code: int, body: bytes) -> Answer:
        """What needs no proof."""
        request = self._request(op_code, body)
        return self._checked(request, self._exchange(request))

    def _proved(self, op_code: int, body: bytes, flags: int = 0) -> Answer:
        """What the carrier proves by its own key, each time anew."""
        request = self._request(op_code, body, flags)
        answer = self._exchange(request)
        if answer.response_code != frame.CHALLENGE:
            return self._checked(request, answer)
        contents = self.contents
        fields = frame.Fields(answer.body)
        nonce = fields.field(1024)
        if not frame.belongs(request, answer) or len(nonce) < 8 or contents is None:
            raise FormatError("a challenge to another question, or with hardly a nonce")
        key, handle = self._own(), contents.identifier
        signature = key.sign(nonce + request.digest, handle.encode())
        proof = frame.challenge_response(handle, contents.key_index, key.digest, signature)
        again = self._request(frame.CHALLENGE_RESPONSE, proof, session_id=answer.session_id)
        return self._checked(request, self._exchange(again))

    @staticmethod
    def _checked(request: frame.Request, answer: Answer) -> Answer:
        if answer.response_code != frame.SUCCESS:
            words = bodies.read_failure(answer.body) or "the node refused"
            raise RefusedError(words, answer.response_code)
        if not frame.belongs(request, answer):
            raise FormatError("an answer to another question")
        return answer


def provisioned(
    store: Store, serial: str, reservation: str, ca: str, trust: Sequence[str], key: str, certificate: str, node: str = ""
) -> None:
    """Writes what the manufacturer puts into a new carrier. Raises `StoreError` where there is one already."""
    try:
        store.load()
    except StoreError:
        if (store.directory / "carrier.json").exists():
            raise
    else:
        raise StoreError(f"there is a carrier in {store.directory} already")
    store.save(
        {
            "serial": serial,
            "reservation": reservation,
            "ca": ca,
            "trust": list(trust),
            "bootstrap": {"key": key, "certificate": certificate},
            "node": node,
        }
    )
