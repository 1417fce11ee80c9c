"""Where applications are kept and decided: every step is one transaction with its history, and with the record it changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Set
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.identifiers.provisioning import history
from hulian.network.identifiers.provisioning.errors import (
    CrowdedError,
    OutdatedError,
    RegistrationError,
    StateError,
    TakenError,
    UnknownApplicationError,
)
from hulian.network.identifiers.provisioning.history import Event
from hulian.network.identifiers.provisioning.lifecycle import IN_FORCE, OPEN, REASONED, Action, Role, State, follow
from hulian.network.identifiers.provisioning.record import handle_of, prefix_record, suspended_record
from hulian.network.identifiers.provisioning.registration import Proposal, Registration, fingerprint
from hulian.network.identifiers.provisioning.tables import application
from hulian.network.identifiers.store import RecordChangedError, RecordExistsError, RecordStore, key_of, zero_na
from hulian.network.identifiers.wire.values import Value, unpack_values

__all__ = ["LARGEST_PAGE", "LONGEST_REASON", "Application", "Desk"]

LARGEST_PAGE: Final = 200
LONGEST_REASON: Final = 2_000
MOST_OF_A_KEY: Final = 20
"""Applications of one key that are open at once."""

MOST_OF_A_SOURCE: Final = 50
"""Applications from one network (/32, /64) that are open at once."""

MOST_EVENTS: Final = 500
"""Steps of one application; an applicant takes a tenth of them at the most."""

_TRIES: Final = 5


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """One application as it stands. ``revision`` counts its steps from 1; ``key`` is the fingerprint of the applicant's key."""

    number: int
    id: str
    state: State
    revision: int
    registration: Registration
    key: str
    applied: int
    changed: int
    kept: bytes | None = None

    @property
    def prefix(self) -> str:
        return self.registration.prefix

    @property
    def applicant(self) -> str:
        """The handle under which the applicant proves who they are, with the index 300, before there is a record of the
        prefix."""
        return f"APPLICATION/{self.id}"


class Desk:
    """The applications at one node, for prefixes below those that it answers for.

    Thread-safe; every method may block. What a method has changed is durable when it returns; a step and the record that it
    makes, withdraws or deletes are one transaction, and so none is ever without the other. At most ``most_open`` applications
    wait for a decision; the next ones are refused.
    """

    def __init__(self, store: RecordStore, most_open: int, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._most = most_open
        self._clock = clock

    # -- reading -----------------------------------------------------------------------------------------------------

    def find(self, identity: str) -> Application:
        """Raises `UnknownApplicationError`."""
        with self._store.registry.read() as connection:
            return _found(connection, identity)

    def holder(self, prefix: str) -> Application | None:
        """The application by which ``prefix`` is somebody's; None where there is none in force."""
        query = sa.select(application).where(application.c.in_force == zero_na(prefix))
        with self._store.registry.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _application(row)

    def page(
        self, parents: Iterable[str], state: State | None = None, after: int = 0, most: int = LARGEST_PAGE
    ) -> list[Application]:
        """Up to ``most`` applications for prefixes derived from one of ``parents``, behind number ``after``, oldest first."""
        query = sa.select(application).where(
            application.c.number > after, application.c.parent.in_([zero_na(parent) for parent in parents])
        )
        if state is not None:
            query = query.where(application.c.state == state.value)
        with self._store.registry.read() as connection:
            rows = connection.execute(query.order_by(application.c.number).limit(min(most, LARGEST_PAGE))).all()
        return [_application(row) for row in rows]

    def history(self, identity: str) -> list[Event]:
        """Every step of an application, the first one first."""
        with self._store.registry.read() as connection:
            return history.read(connection, identity, MOST_EVENTS + 1)

    def verify(self) -> int:
        """Computes every seal of the history again: how many steps there are. Raises `BrokenHistoryError`."""
        return history.verify(self._store.registry)

    # -- applying ----------------------------------------------------------------------------------------------------

    def apply(self, proposal: Proposal, source: str) -> tuple[Application, bool]:
        """A new application, and True; the one that is there where the same text came before, and False.

        Raises `RegistrationError`, `ProofError`, `TakenError` and `CrowdedError`. ``source`` is the network it comes from.
        """
        registration = proposal.prove()
        identity, key, now = proposal.identity, fingerprint(registration.public_key), self._clock()
        with self._store.registry.write() as connection:
            there = connection.execute(sa.select(application).where(application.c.id == identity)).first()
            if there is not None:
                return _application(there), False
            self._free(registration)
            self._room(connection, key, source)
            text = proposal.text.encode()
            done = Event(
                application=identity,
                at=now,
                by=f"300:APPLICATION/{identity}",
                action="apply",
                before="",
                after=State.SUBMITTED.value,
                registration=text,
            )
            number = history.append(connection, done)
            row = {
                "number": number,
                "id": identity,
                "prefix": registration.prefix,
                "parent": zero_na(registration.parent),
                "in_force": None,
                "state": State.SUBMITTED.value,
                "revision": 1,
                "registration": text,
                "key": key,
                "source": source,
                "kept": None,
                "applied": now,
                "changed": now,
            }
            connection.execute(sa.insert(application).values(**row))
            return _found(connection, identity), True

    def _free(self, registration: Registration) -> None:
        """Raises `TakenError` unless the prefix is given out here, and nobody's."""
        if not self._store.homes(zero_na(registration.parent)):
            raise TakenError(f"this node gives out no prefixes below {registration.parent}", place="$.prefix")
        key = zero_na(registration.prefix)
        if self._store.packed(key) is not None or self._store.homes(key):
            raise TakenError(f"{registration.prefix} is somebody's already", place="$.prefix")

    def _room(self, connection: Connection, key: str, source: str) -> None:
        """Raises `CrowdedError` where one more application is too many."""
        waiting = application.c.state.in_([state.value for state in OPEN])
        for most, whose, of in (
            (self._most, sa.true(), "here"),
            (MOST_OF_A_KEY, application.c.key == key, "of this key"),
            (MOST_OF_A_SOURCE, application.c.source == source, "from this network"),
        ):
            count = connection.execute(sa.select(sa.func.count()).select_from(application).where(waiting, whose)).scalar_one()
            if count >= most:
                raise CrowdedError(f"{count} applications {of} wait for a decision")

    # -- deciding ----------------------------------------------------------------------------------------------------

    def act(
        self,
        identity: str,
        action: Action,
        by: str,
        roles: Set[Role],
        *,
        reason: str = "",
        revision: int | None = None,
        proposal: Proposal | None = None,
    ) -> Application:
        """Takes one step; the application after it.

        ``revision`` is that of the application which ``by`` has seen; ``proposal`` the new registration where the step needs
        one (amend; transfer: that of the new owner, signed by the new key). Raises the other kinds of `ProvisioningError`.
        """
        _check_reason(action, reason)
        for _ in range(_TRIES):
            found = self.find(identity)
            if revision is not None and revision != found.revision:
                raise OutdatedError(f"the application has revision {found.revision}, and not {revision}", place=identity)
            after = follow(action, found.state, roles)
            made = self._with(found, action, proposal)
            text = b"" if proposal is None else proposal.text.encode()
            step = _Step(found, made, action, after, by, reason.strip(), text, self._clock())
            try:
                self._take(step)
            except (RecordChangedError, OutdatedError):
                if revision is not None:
                    raise OutdatedError(f"{found.prefix} was changed meanwhile", place=identity) from None
                continue
            except RecordExistsError:
                raise TakenError(f"{found.prefix} is somebody's already", place=identity) from None
            return self.find(identity)
        raise OutdatedError("the application is being changed by others all the time", place=identity)

    def _with(self, found: Application, action: Action, proposal: Proposal | None) -> Registration:
        """The registration after the step."""
        if (proposal is not None) != (action in (Action.AMEND, Action.TRANSFER)):
            if proposal is None:
                raise RegistrationError(f"'{action}' takes a registration, signed by its key", place="registration")
            raise RegistrationError(f"'{action}' takes no registration", place="registration")
        if proposal is None:
            return found.registration
        made = proposal.prove()
        if key_of(made.prefix) != key_of(found.prefix):
            raise RegistrationError(f"the application is for {found.prefix}", place="$.prefix")
        if action is Action.TRANSFER and fingerprint(made.public_key) == found.key:
            raise RegistrationError("a new owner has a key of their own", place="$.public_key")
        return made

    def _take(self, step: _Step) -> None:
        handle = handle_of(step.found.prefix)
        now = self._store.packed(key_of(handle))
        change: tuple[tuple[Value, ...] | None] | None = None
        kept = step.found.kept
        match step.action:
            case Action.APPROVE:
                if now is not None or self._store.homes(key_of(handle)):
                    raise TakenError(f"{step.found.prefix} is somebody's already", place=step.found.id)
                self._parent_homed(step.found)
                change = (prefix_record(step.made),)
            case Action.SUSPEND if now is not None:
                change, kept = (suspended_record(unpack_values(now)),), now
            case Action.RESUME:
                change, kept = (unpack_values(kept) if kept is not None else prefix_record(step.made),), None
            case Action.REVOKE:
                change, kept = None if now is None else (None,), None
            case Action.TRANSFER:
                change = (prefix_record(step.made, serial=int(step.at // 1_000_000_000)),)
            case _:
                pass

        def beside(connection: Connection) -> None:
            _advance(connection, step, kept)

        if change is None:
            with self._store.registry.write() as connection:
                beside(connection)
        else:
            self._store.swap(handle, now, change[0], by=step.by, beside=beside)

    def _parent_homed(self, found: Application) -> None:
        if not self._store.homes(zero_na(found.registration.parent)):
            raise TakenError(f"this node gives out no prefixes below {found.registration.parent}", place=found.id)


class _Step(msgspec.Struct, frozen=True):
    """``found`` is what it begins with, ``made`` the registration after it, ``text`` its text where it is a new one."""

    found: Application
    made: Registration
    action: Action
    after: State
    by: str
    reason: str
    text: bytes
    at: int


def _advance(connection: Connection, step: _Step, kept: bytes | None) -> None:
    """Writes the step in the transaction of ``connection``. Raises `OutdatedError` where another one was quicker."""
    found, after = step.found, step.after
    _bounded(connection, step)
    values: dict[str, Any] = {
        "state": after.value,
        "revision": found.revision + 1,
        "changed": step.at,
        "kept": kept,
        "in_force": zero_na(found.prefix) if after in IN_FORCE else None,
    }
    if step.text:
        values |= {"registration": step.text, "key": fingerprint(step.made.public_key)}
    if after not in OPEN:
        values["source"] = ""
    where = (application.c.id == found.id, application.c.revision == found.revision)
    if connection.execute(sa.update(application).where(*where).values(**values)).rowcount != 1:
        raise OutdatedError("the application was changed meanwhile", place=found.id)
    done = Event(
        application=found.id,
        at=step.at,
        by=step.by,
        action=step.action.value,
        before=found.state.value,
        after=after.value,
        reason=step.reason,
        registration=step.text,
    )
    history.append(connection, done)


def _bounded(connection: Connection, step: _Step) -> None:
    """No application grows for ever: an applicant may amend fifty times, and its last steps are for reviewers to end it."""
    steps, ending = step.found.revision, step.after not in OPEN
    amended = step.action is Action.AMEND and steps >= MOST_EVENTS // 10
    if amended or (steps >= MOST_EVENTS and not ending) or steps >= 2 * MOST_EVENTS:
        raise CrowdedError(f"{steps} steps were taken already", place=step.found.id, hint="end it, and apply anew")


def _found(connection: Connection, identity: str) -> Application:
    row = connection.execute(sa.select(application).where(application.c.id == identity)).first()
    if row is None:
        raise UnknownApplicationError("there is no such application", place=identity[:64])
    return _application(row)


def _application(row: Any) -> Application:
    return Application(
        number=row.number,
        id=row.id,
        state=State(row.state),
        revision=row.revision,
        registration=msgspec.json.decode(bytes(row.registration), type=Registration),
        key=row.key,
        applied=row.applied,
        changed=row.changed,
        kept=None if row.kept is None else bytes(row.kept),
    )


def _check_reason(action: Action, reason: str) -> None:
    if len(reason) > LONGEST_REASON:
        raise RegistrationError(f"a reason of more than {LONGEST_REASON} characters", place="reason")
    if not all(one.isprintable() or one in "\n\t" for one in reason):
        raise RegistrationError("a reason is text", place="reason")
    if action in REASONED and not reason.strip():
        raise StateError(f"'{action}' needs a reason", place="reason", hint="say why: it is kept in the history")
