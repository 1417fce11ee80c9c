"""Edge nodes: who is invited, who asked to come in, what a person decided.

An invitation is a secret that opens one enrolment. The node makes its own keys and its own password; what it sends is a
certificate request and a hash. A person who has compared the key's fingerprint approves it, and only then is there a
certificate. A revoked node has no account on the spine any more.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from hulian.kernel.identifier import escape
from hulian.registry import Registry
from hulian.trust import tables
from hulian.trust.audit import Audit
from hulian.trust.certificates import NODE_LIFETIME, CertificateAuthority
from hulian.trust.errors import AccountError, EnrolmentError, TakenNameError, UnknownAccountError
from hulian.trust.principals import Action
from hulian.trust.spine_accounts import SpineUser, edge_account, inbox_prefix
from hulian.trust.throttle import Throttle

__all__ = ["Edge", "EdgeState", "Edges", "Invitation", "IssuedInvitation"]

_PREFIX: Final = "hle_"
_HOUR: Final = 3600 * 1_000_000_000
_DAY: Final = 24 * _HOUR
_HALF: Final = int(NODE_LIFETIME.total_seconds() * 1e9) // 2
_LONGEST_REQUEST: Final = 8192
_LONGEST_LABEL: Final = 200
_MOST_WAITING: Final = 200
_MOST_SOURCES: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_HASH: Final = re.compile(r"\$2[by]\$(0[4-9]|1[0-2])\$[./A-Za-z0-9]{53}\Z")


class EdgeState(StrEnum):
    """Where an edge node stands with the people of the centre."""

    WAITING = "waiting"
    APPROVED = "approved"
    REVOKED = "revoked"


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """An edge node. ``fingerprint`` is SHA-256 of its public key; ``sources`` are the connectors it may speak for; ``source``
    is the address it enrolled from; times are UTC ns, ``expires`` that of its certificate, 0 while it has none."""

    name: str
    state: EdgeState
    fingerprint: str
    sources: tuple[str, ...]
    source: str
    created: int
    decided: int
    decided_by: str
    expires: int
    certificate: str
    public_key: str


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that nobody has used yet. ``id`` names it to people, and opens nothing."""

    id: str
    label: str
    created: int
    expires: int


class IssuedInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that has just been made. ``secret`` is shown this once; behind its dot stands the fingerprint of this
    installation's own authority, so that the node knows whom it talks to."""

    secret: str
    invitation: Invitation

    def __repr__(self) -> str:
        return f"IssuedInvitation(label={self.invitation.label!r})"


class Edges:
    """The edge nodes of this installation. After each decision the spine must be given `SpineAccounts.users`."""

    def __init__(
        self,
        registry: Registry,
        audit: Audit,
        throttle: Throttle,
        authority: CertificateAuthority,
        organisation: str,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._registry = registry
        self._audit = audit
        self._throttle = throttle
        self._authority = authority
        self._organisation = escape(organisation)
        self._clock = clock

    # ------------------------------------------------------------ inviting

    def invite(self, label: str, *, hours: float = 24.0, by: str) -> IssuedInvitation:
        """A secret that lets one edge node ask to come in. Raises `AccountError` for a label or time that makes no sense."""
        if len(label) > _LONGEST_LABEL:
            raise AccountError(f"the label is longer than {_LONGEST_LABEL} characters")
        if not 0 < hours <= 24 * 30:
            raise AccountError("an invitation lasts at least a moment and at most 30 days")
        secret, now = _PREFIX + secrets.token_urlsafe(32), self._clock()
        digest = _digest(secret)
        invitation = Invitation(id=_named(digest), label=label, created=now, expires=now + int(hours * _HOUR))
        with self._registry.write() as connection:
            connection.execute(tables.invitation.delete().where(tables.invitation.c.expires <= now))
            kept = {"label": label, "created": invitation.created, "expires": invitation.expires}
            connection.execute(tables.invitation.insert().values(digest=digest, **kept))
            details = {"did": "invited", "label": label, "expires": invitation.expires}
            self._audit.within(connection, by, Action.EDGES_WRITE, "edge:", details=details)
        fingerprint = self._authority.fingerprint().replace(":", "").lower()
        return IssuedInvitation(secret=f"{secret}.{fingerprint}", invitation=invitation)

    def invitations(self) -> list[Invitation]:
        """Those that can still be used, newest first."""
        query = sa.select(tables.invitation).where(tables.invitation.c.expires > self._clock())
        with self._registry.read() as connection:
            rows = connection.execute(query.order_by(tables.invitation.c.created.desc()))
            return [
                Invitation(id=_named(row.digest), label=row.label, created=row.created, expires=row.expires) for row in rows
            ]

    def withdraw(self, invitation: str, *, by: str) -> None:
        """Makes the invitation of this `Invitation.id` open nothing. Raises `UnknownAccountError`."""
        with self._registry.write() as connection:
            rows = connection.execute(sa.select(tables.invitation).where(tables.invitation.c.expires > self._clock()))
            found = next((row for row in rows if _named(row.digest) == invitation), None)
            if found is None:
                raise UnknownAccountError("there is no such invitation", hint="it was used, withdrawn or has expired")
            connection.execute(tables.invitation.delete().where(tables.invitation.c.digest == found.digest))
            details = {"did": "withdrawn", "label": found.label}
            self._audit.within(connection, by, Action.EDGES_WRITE, "edge:", details=details)

    # ------------------------------------------------------------ coming in

    def enrol(self, secret: str, name: str, request: str, password_hash: str, *, source: str) -> str:
        """Uses up an invitation: ``name`` waits for approval. Returns the claim by which the node asks how it stands.

        ``request`` is a certificate request (PEM) for a P-256 key, signed by that key; ``password_hash`` bcrypt. Raises
        `EnrolmentError` for a secret that opens nothing, `AccountError` for a request that cannot be, `TakenNameError`,
        `LoginThrottledError`.
        """
        self._throttle.reserve("edge enrolment", source)
        now = self._clock()
        with self._registry.write() as connection:
            opened = connection.execute(
                tables.invitation.delete().where(
                    tables.invitation.c.digest == _digest(secret.partition(".")[0]), tables.invitation.c.expires > now
                )
            ).rowcount
            if not opened:
                raise EnrolmentError("the invitation was used, has expired or never was")
            key = _requested_key(name, request, password_hash)
            waiting = sa.select(sa.func.count()).select_from(tables.edge).where(tables.edge.c.state == EdgeState.WAITING)
            if connection.execute(waiting).scalar_one() >= _MOST_WAITING:
                raise EnrolmentError("too many edge nodes wait for approval already", hint="approve or remove some of them")
            claim = secrets.token_urlsafe(32)
            values = {
                "name": name,
                "state": EdgeState.WAITING.value,
                "fingerprint": fingerprint(key),
                "public_key": _pem(key),
                "request": request,
                "certificate": "",
                "password_hash": password_hash,
                "claim": _digest(claim),
                "sources": [],
                "source": source,
                "created": now,
                "decided": 0,
                "decided_by": "",
                "expires": 0,
            }
            try:
                connection.execute(tables.edge.insert().values(**values))
            except IntegrityError as error:
                raise TakenNameError(
                    f"there is already an edge node '{name}'", hint="choose another name, or remove the old one first"
                ) from error
            details = {"did": "enrolled", "fingerprint": values["fingerprint"]}
            self._audit.within(connection, f"edge:{name}", Action.EDGES_WRITE, f"edge:{name}", source=source, details=details)
        self._throttle.succeeded("edge enrolment", source)
        return claim

    def claimed(self, claim: str) -> Edge:
        """The node behind a claim. Raises `EnrolmentError` where there is none (any more)."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.edge).where(tables.edge.c.claim == _digest(claim))).first()
        if row is None:
            raise EnrolmentError("there is no such enrolment", hint="ask for a new invitation")
        return _edge(row)

    # ------------------------------------------------------------ deciding

    def approve(self, name: str, *, fingerprint: str | None = None, by: str) -> Edge:
        """Lets the node in; with ``fingerprint``, only where its key is that one.

        Raises `UnknownAccountError`, `AccountError`.
        """
        found = self.get(name)
        if fingerprint is not None and _plain(fingerprint) != _plain(found.fingerprint):
            raise AccountError(
                f"the key of '{name}' has another fingerprint",
                hint="somebody else may have used the invitation: remove it",
            )
        with self._registry.read() as connection:
            request = connection.execute(sa.select(tables.edge.c.request).where(tables.edge.c.name == name)).scalar_one()
        certificate, expires = self._authority.client_certificate(request, edge_account(name))
        self._update(name, by, "approved", state=EdgeState.APPROVED, certificate=certificate, expires=expires)
        return self.get(name)

    def renewed(self, name: str) -> Edge:
        """The node with a certificate that is good for long: another one where half of its time is over, or the root is
        another. Raises `UnknownAccountError`."""
        found = self.get(name)
        root = self._authority.root_pem().decode()
        due = found.expires - self._clock() < _HALF
        if found.state is not EdgeState.APPROVED or not (due or not found.certificate.endswith(root)):
            return found
        with self._registry.read() as connection:
            request = connection.execute(sa.select(tables.edge.c.request).where(tables.edge.c.name == name)).scalar_one()
        certificate, expires = self._authority.client_certificate(request, edge_account(name))
        if certificate.endswith(root) and found.certificate.endswith(root) and expires - found.expires < _DAY:
            return found  # the root ends sooner: another certificate would not last longer
        with self._registry.write() as connection:
            values = {"certificate": certificate, "expires": expires}
            connection.execute(tables.edge.update().where(tables.edge.c.name == name).values(**values))
            details = {"did": "renewed", "expires": expires}
            self._audit.within(connection, "platform", Action.EDGES_WRITE, f"edge:{name}", details=details)
        return self.get(name)

    def revoke(self, name: str, *, by: str) -> Edge:
        """Shuts the node out; it is remembered, and can be approved again. Raises `UnknownAccountError`."""
        self._update(name, by, "revoked", state=EdgeState.REVOKED)
        return self.get(name)

    def remove(self, name: str, *, by: str) -> None:
        """Shuts the node out and forgets it. Raises `UnknownAccountError`."""
        with self._registry.write() as connection:
            if not connection.execute(tables.edge.delete().where(tables.edge.c.name == name)).rowcount:
                raise UnknownAccountError(f"there is no edge node '{name[:80]}'")
            self._audit.within(connection, by, Action.EDGES_WRITE, f"edge:{name}", details={"did": "removed"})

    def grant(self, name: str, sources: Iterable[str], *, by: str) -> bool:
        """Sets the connectors the node may speak for; whether that changed anything. Raises `UnknownAccountError`."""
        wanted = sorted(set(sources))
        if len(wanted) > _MOST_SOURCES:
            raise AccountError(f"an edge node carries at most {_MOST_SOURCES} connectors")
        if tuple(wanted) == self.get(name).sources:
            return False
        with self._registry.write() as connection:
            connection.execute(tables.edge.update().where(tables.edge.c.name == name).values(sources=wanted))
            details = {"did": "granted", "sources": wanted[:50], "count": len(wanted)}
            self._audit.within(connection, by, Action.EDGES_WRITE, f"edge:{name}", details=details)
        return True

    def _update(self, name: str, by: str, did: str, **values: Any) -> None:
        values |= {"decided": self._clock(), "decided_by": by}
        with self._registry.write() as connection:
            if not connection.execute(tables.edge.update().where(tables.edge.c.name == name).values(**values)).rowcount:
                raise UnknownAccountError(f"there is no edge node '{name[:80]}'")
            self._audit.within(connection, by, Action.EDGES_WRITE, f"edge:{name}", details={"did": did})

    # ------------------------------------------------------------ looking

    def get(self, name: str) -> Edge:
        """The node of this name. Raises `UnknownAccountError`."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.edge).where(tables.edge.c.name == name)).first()
        if row is None:
            raise UnknownAccountError(f"there is no edge node '{name[:80]}'", hint="list them: 'hulian edge list'")
        return _edge(row)

    def spine_users(self) -> list[SpineUser]:
        """The approved nodes as the spine admits them: through the leaf listener, each for its own sources."""
        query = sa.select(tables.edge).where(tables.edge.c.state == EdgeState.APPROVED).order_by(tables.edge.c.name)
        with self._registry.read() as connection:
            rows = connection.execute(query).all()
        root = f"hl.{self._organisation}"
        users = []
        for row in rows:
            sources = [escape(source) for source in row.sources]
            name = escape(row.name)
            users.append(
                SpineUser(
                    name=edge_account(row.name),
                    password_hash=row.password_hash,
                    publish=(
                        *(f"{root}.samples.{source}" for source in sources),
                        *(f"{root}.status.edge.{source}" for source in sources),
                        f"{root}.status.edges.{name}",
                        f"{root}.events.*.edge",
                        f"{root}.plans.{name}",
                        f"{inbox_prefix('api')}.>",
                    ),
                    subscribe=(f"{root}.control.edge.{name}", f"{inbox_prefix(edge_account(row.name))}.>"),
                    leaf=True,
                )
            )
        return users

    def list(self) -> list[Edge]:
        """Every edge node, by name."""
        with self._registry.read() as connection:
            return [_edge(row) for row in connection.execute(sa.select(tables.edge).order_by(tables.edge.c.name))]


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo), as two people compare it on two screens: ``ab12-cd34-…``."""
    digest = hashlib.sha256(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()
    return "-".join(digest[start : start + 4] for start in range(0, 32, 4))


def _requested_key(name: str, request: str, password_hash: str) -> ec.EllipticCurvePublicKey:
    if not _NAME.match(name):
        raise AccountError(
            f"{name[:80]!r} cannot be an edge node's name", hint="lower-case letters, digits and '-' inside, at most 63"
        )
    if not _HASH.match(password_hash):
        raise AccountError("the password is not given as a bcrypt hash")
    if len(request) > _LONGEST_REQUEST:
        raise AccountError(f"the certificate request is longer than {_LONGEST_REQUEST} characters")
    try:
        parsed = x509.load_pem_x509_csr(request.encode())
        key = parsed.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise AccountError("the certificate request is not for a P-256 key")
        key.verify(parsed.signature, parsed.tbs_certrequest_bytes, ec.ECDSA(parsed.signature_hash_algorithm or hashes.SHA256()))
    except (ValueError, InvalidSignature) as error:
        raise AccountError("the certificate request cannot be read, or its signature is wrong") from error
    return key


def _pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _named(digest: bytes) -> str:
    """The digest of an invitation, again hashed: neither the secret nor what is stored of it is told to anybody."""
    return hashlib.sha256(b"invitation:" + digest).hexdigest()[:24]


def _edge(row: Row[Any]) -> Edge:
    values = {name: getattr(row, name) for name in Edge.__struct_fields__}
    return Edge(**values | {"state": EdgeState(row.state), "sources": tuple(row.sources)})
