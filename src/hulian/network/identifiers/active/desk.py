"""What a node does for its carriers: enrols them, takes reports, hands out contents, changes keys, keeps records."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import anyio
import anyio.to_thread
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.active import messages
from hulian.network.identifiers.active.accesses import Accesses, Trail
from hulian.network.identifiers.active.carriers import ENROLLED, ENROLLING, RESERVED, REVOKED, Carrier, Carriers
from hulian.network.identifiers.active.contents import INDEX, NodeSigner, document
from hulian.network.identifiers.active.errors import (
    ActiveError,
    EnrolledError,
    MessageError,
    ProofError,
    RegistrationError,
    RevokedCarrierError,
    UnknownCarrierError,
)
from hulian.network.identifiers.active.messages import Enrol, Hello, Proof, Rekey, Report
from hulian.network.identifiers.active.record import is_of, values_of
from hulian.network.identifiers.active.sessions import Sessions
from hulian.network.identifiers.wire.authentication.signers import verify
from hulian.network.identifiers.wire.codes import OpCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import PublicKey, UsableKey
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["OPERATIONS", "Certificates", "Desk", "Records"]

OPERATIONS: Final = frozenset(
    (
        OpCode.CARRIER_HELLO,
        OpCode.CARRIER_ENROL,
        OpCode.CARRIER_REPORT,
        OpCode.CARRIER_CONTENTS,
        OpCode.CARRIER_REKEY,
        OpCode.CARRIER_SESSION,
        OpCode.CARRIER_SESSION_REPORT,
    )
)
SECONDS: Final = 120.0
"""How long the nonce of an enrolment is good."""

PUBLISH: Final = 0.5
"""Seconds between two looks at whose record has to be changed, for what other processes decide: a revocation, new settings."""

_log = structlog.get_logger(__name__)


class Records(Protocol):
    """The node's records, changed by the way that every registration takes. The desk calls it in the event loop."""

    async def read(self, identifier: str) -> list[Value] | None:
        """All values of a record; None where there is none. Raises `RegistrationError`."""
        ...

    async def put(self, identifier: str, values: Sequence[Value]) -> None:
        """A record anew, or for the first time; durable when it returns. Raises `RegistrationError`."""
        ...


class Certificates(Protocol):
    """Who issues certificates to carriers, and says which are believed. The desk calls it in a thread."""

    def issue(self, serial: str, key: UsableKey, identifier: str = "") -> bytes:
        """A certificate (PEM). Raises `ProofError` for a kind of key that carriers do not have."""
        ...

    def check(self, pem: bytes, serial: str) -> tuple[UsableKey, bytes]:
        """The key of a certificate of the carrier ``serial``, and the certificate's SHA-256. Raises `ProofError`."""
        ...

    def number(self, pem: bytes) -> str:
        """What a list of revoked certificates calls this one; empty where it is of another authority."""
        ...


class Desk:
    """Answers carriers. Everything that it acknowledges is durable; the same question again gets the same answer.

    ``trust`` are the public keys (PEM) whose signatures carriers are to believe, that of ``signer`` among them; ``data`` says
    where the data of an identifier are; ``administrator`` is the HS_ADMIN of carriers' records; ``trail`` is told who did what.
    """

    def __init__(
        self,
        carriers: Carriers,
        records: Records,
        certificates: Certificates,
        signer: NodeSigner,
        trust: Sequence[str],
        administrator: Value,
        data: Callable[[str], str] = lambda identifier: "",
        *,
        trail: Trail | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.carriers = carriers
        self._records = records
        self._certificates = certificates
        self._signer = signer
        self._trust = tuple(trust)
        self._administrator = administrator
        self._data = data
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._accesses = Accesses(trail)
        self.sessions = Sessions(clock=clock)
        self._publishing = anyio.Lock()
        self.arrived = anyio.Event()
        """Set where a report was taken; whoever waits for it puts another in its place."""

    async def answer(self, op_code: int, body: bytes, who: Reference | None, address: str) -> bytes | None:
        """The body of the answer to ``op_code`` of `OPERATIONS`; None where the carrier has to prove itself first.

        ``who`` is the key that was proved, ``address`` where the carrier was heard. Raises `ActiveError`.
        """
        try:
            return await self._answered(op_code, body, who, address)
        except ActiveError as error:
            named = "" if who is None else who.handle
            action = _ACTIONS.get(op_code, "carriers.ask")
            await anyio.to_thread.run_sync(self._accesses.refused, named, action, address, error.code)
            raise

    async def _answered(self, op_code: int, body: bytes, who: Reference | None, address: str) -> bytes | None:
        if op_code == OpCode.CARRIER_HELLO:
            return messages.nonce_answer(self._nonce(Hello.unpack(body).serial))
        if op_code == OpCode.CARRIER_ENROL:
            return await self._enrol(Enrol.unpack(body), address)
        if op_code == OpCode.CARRIER_SESSION_REPORT:
            answer = await anyio.to_thread.run_sync(self._counted, messages.SessionReport.unpack(body), address)
            self.arrived.set()
            return answer
        if who is None:
            return None
        if op_code == OpCode.CARRIER_SESSION:
            return await anyio.to_thread.run_sync(self._session, body, who, address)
        if op_code == OpCode.CARRIER_REPORT:
            answer = await anyio.to_thread.run_sync(self._report, body, who, address)
            self.arrived.set()
            return answer
        if op_code == OpCode.CARRIER_CONTENTS:
            return await anyio.to_thread.run_sync(self._contents, body, who, address)
        if op_code == OpCode.CARRIER_REKEY:
            return await self._rekey(Rekey.unpack(body), who, address)
        raise MessageError(f"opcode {op_code} is none of a carrier's")

    def is_carrier(self, who: Reference, address: str) -> bool:
        """Whether ``who``, heard at ``address``, is the key of a carrier that is enrolled, and may have names of other nodes
        followed; for threads."""
        try:
            known = self._proved(who, who.handle)
        except ActiveError:
            return False
        self._accesses.done_again(known.identifier, "carriers.resolve", address)
        return True

    # -- enrolment -----------------------------------------------------------------------------------------------------

    async def _enrol(self, asked: Enrol, address: str) -> bytes:
        known = await anyio.to_thread.run_sync(self._decided, asked, address)
        note = self._accesses.done_again  # its answer was lost, and it asks again
        if known.state == ENROLLING:
            note = self._accesses.done
            await self._publish(known.serial)
            known = await anyio.to_thread.run_sync(self.carriers.finish, known.serial)
            _log.info("a carrier is enrolled", serial=known.serial, identifier=known.identifier)
        await anyio.to_thread.run_sync(lambda: note(known.identifier, "carriers.enrol", address, serial=known.serial))
        return await anyio.to_thread.run_sync(self._signed, known)

    def _decided(self, asked: Enrol, address: str) -> Carrier:
        """Who is proved to enrol, and the key that counts from now on: written down before anything follows from it."""
        if not hmac.compare_digest(asked.nonce, self._nonce(asked.serial, asked.nonce)) or self._over(asked.nonce):
            raise ProofError("the nonce is not of now: begin the enrolment again")
        known = self.carriers.find(asked.serial)
        if known.state == REVOKED:
            raise RevokedCarrierError(f"the carrier {known.serial} is revoked")
        first, fingerprint = self._certificates.check(asked.certificate, asked.serial)
        if known.fingerprint and not hmac.compare_digest(known.fingerprint, fingerprint):
            raise ProofError("the certificate is not the one that the carrier was provisioned with")
        _check(first, asked.first, asked.covered, asked.serial)
        own = _usable(asked.key)
        _check(own, asked.own, asked.covered, asked.serial)
        if known.state == RESERVED:
            certificate = self._certificates.issue(known.serial, own, known.identifier)
            number = self._certificates.number(certificate)
            known = self.carriers.begin(known.serial, asked.key, certificate.decode(), asked.address or address, number)
        if known.key != asked.key:
            raise EnrolledError(f"the carrier {known.serial} is enrolled with another key")
        if known.state == REVOKED:
            raise RevokedCarrierError(f"the carrier {known.serial} is revoked")
        return known

    def _nonce(self, serial: str, given: bytes = b"") -> bytes:
        """A nonce that this process alone can have made for ``serial``: nothing is kept for strangers."""
        head = given[:16] if given else int(self._clock() * 1000).to_bytes(8, "big") + secrets.token_bytes(8)
        return head + hmac.digest(self._secret, head + serial.encode(), "sha256")[:16]

    def _over(self, nonce: bytes) -> bool:
        return not 0 <= self._clock() - int.from_bytes(nonce[:8], "big") / 1000 + 0.001 <= SECONDS

    # -- reports and contents --------------------------------------------------------------------------------------------

    def _session(self, body: bytes, who: Reference, address: str) -> bytes:
        known = self._proved(who, messages.SessionQuestion.unpack(body).identifier)
        self.carriers.seen(known, address)
        self._accesses.done_again(known.identifier, "carriers.session", address)
        return self.sessions.begin(known, body, self._signer.session)

    def _counted(self, asked: messages.SessionReport, address: str) -> bytes:
        """A report whose session proves it. Its counter is used up before anything else can fail."""
        serial = self.sessions.open(asked)
        known = self.carriers.find(serial)
        self.sessions.holds(asked, known)
        return self._report(asked.report, Reference(known.identifier, INDEX), address)

    def _report(self, body: bytes, who: Reference, address: str) -> bytes:
        asked = Report.unpack(body)
        known = self._proved(who, asked.identifier)
        self._accesses.done_again(known.identifier, "carriers.report", address, sequence=asked.sequence)
        fresh = self.carriers.take(known, asked.sequence, body, hashlib.sha256(body).digest())
        self.carriers.seen(known, address)
        covered = messages.receipt_covered(body, asked.sequence, known.version)
        signature = self._signer.receipt(covered)
        return messages.receipt_answer(asked.sequence, known.version, signature, duplicate=not fresh)

    def _contents(self, body: bytes, who: Reference, address: str) -> bytes:
        asked = messages.ContentsQuestion.unpack(body)
        known = self._proved(who, asked.identifier)
        self.carriers.seen(known, address, min(asked.version, known.version))
        if asked.version >= known.version:
            return messages.contents_answer(b"", b"")
        self._accesses.done(known.identifier, "carriers.contents", address, version=known.version)
        return self._signed(known)

    def _signed(self, known: Carrier) -> bytes:
        packed = document(
            serial=known.serial,
            version=known.version,
            identifier=known.identifier,
            certificate=known.certificate,
            settings=known.settings,
            trust=self._trust,
            revoked=known.state == REVOKED,
        )
        return messages.contents_answer(packed, self._signer.contents(packed))

    # -- keys ------------------------------------------------------------------------------------------------------------

    async def _rekey(self, asked: Rekey, who: Reference, address: str) -> bytes:
        known = await anyio.to_thread.run_sync(self._rekeyed, asked, who, address)
        self.sessions.end(known.serial)
        await self._publish(known.serial)
        return await anyio.to_thread.run_sync(self._signed, known)

    def _rekeyed(self, asked: Rekey, who: Reference, address: str) -> Carrier:
        known = self._proved(who, asked.identifier)
        own = _usable(asked.key)
        _check(own, asked.proof, asked.covered, asked.identifier)
        self.carriers.seen(known, address)
        if known.key == asked.key:  # its answer was lost
            return known
        certificate = self._certificates.issue(known.serial, own, known.identifier)
        number, before = self._certificates.number(certificate), self._certificates.number(known.certificate.encode())
        known = self.carriers.rekey(known.serial, asked.key, certificate.decode(), number, before)
        self._accesses.done(known.identifier, "carriers.rekey", address, version=known.version)
        if known.state != ENROLLED:
            raise RevokedCarrierError(f"{asked.identifier} is revoked")
        return known

    def _proved(self, who: Reference, identifier: str) -> Carrier:
        """The carrier whose key was proved, which is the one that the question is about. It is looked up each time: who is
        revoked is refused with the next question."""
        known = self.carriers.named(identifier)
        if known.state == REVOKED:
            raise RevokedCarrierError(f"{identifier} is revoked")
        if known.state != ENROLLED or who.index != INDEX or who.handle.encode().upper() != known.identifier.encode().upper():
            raise UnknownCarrierError(f"{who} is not the carrier {identifier}")
        return known

    # -- records ---------------------------------------------------------------------------------------------------------

    async def upkeep(self) -> None:
        """Brings records to how their carriers stand, until cancelled. What fails is tried again, later each time."""
        pause = PUBLISH
        while True:
            await anyio.sleep(pause)
            try:
                for known in await anyio.to_thread.run_sync(self.carriers.unpublished):
                    if known.state != ENROLLING:  # the carrier itself comes back for that
                        await self._publish(known.serial)
                pause = PUBLISH
            except HulianError as error:
                pause = min(pause * 2, 60.0)
                _log.warning("records of carriers are behind", reason=str(error), again_in=pause)

    async def _publish(self, serial: str) -> None:
        """The record of a carrier as it stands now. Raises `RegistrationError` where the identifier is somebody else's."""
        async with self._publishing:
            known = await anyio.to_thread.run_sync(self.carriers.find, serial)
            if known.key and known.revision > known.published:
                there = await self._records.read(known.identifier)
                if there is not None and not is_of(known, there):
                    raise RegistrationError(f"{known.identifier} is registered for something else")
                values = values_of(known, self._data(known.identifier), self._administrator)
                await self._records.put(known.identifier, values)
            await anyio.to_thread.run_sync(self.carriers.published, known.serial, known.revision)


_ACTIONS: Final[dict[int, str]] = {
    OpCode.CARRIER_HELLO: "carriers.enrol",
    OpCode.CARRIER_ENROL: "carriers.enrol",
    OpCode.CARRIER_REPORT: "carriers.report",
    OpCode.CARRIER_CONTENTS: "carriers.contents",
    OpCode.CARRIER_REKEY: "carriers.rekey",
    OpCode.CARRIER_SESSION: "carriers.session",
    OpCode.CARRIER_SESSION_REPORT: "carriers.report",
}


def _usable(packed: bytes) -> UsableKey:
    try:
        return PublicKey.unpack(packed).usable()
    except WireError as error:
        raise ProofError(f"no public key that can be used: {error.message}") from None


def _check(key: UsableKey, proof: Proof, covered: bytes, user: str) -> None:
    try:
        held = verify(key, proof.digest, proof.signature, covered, user.encode())
    except WireError as error:
        raise ProofError(error.message) from None
    if not held:
        raise ProofError("a signature that is not of the key beside it")
