"""Certificates that devices showed, what a person decided, and our own authority."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hulian.kernel.identifier import escape
from hulian.platform.api.access import in_thread, needs, public, visitor
from hulian.platform.api.context import Context
from hulian.trust import Action, Peer, PeerState

__all__ = ["ROUTES", "CertificateView", "certificate_view"]


class CertificateView(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that a device showed: ``thumbprint`` is SHA-256, ``sha1`` the one that OPC UA products show. ``edge`` is
    the edge node that the device showed it to; empty: the platform itself."""

    thumbprint: str
    sha1: str
    state: str
    subject: str
    issuer: str
    application_uri: str
    names: list[str]
    peer: str
    edge: str
    not_before_ms: float
    not_after_ms: float
    warning: str
    first_seen_ms: float
    last_seen_ms: float
    decided_by: str


class CertificatePage(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting ones first."""

    items: list[CertificateView]


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person decided."""

    decision: Literal["approve", "reject"]


def certificate_view(peer: Peer) -> CertificateView:
    return CertificateView(
        thumbprint=peer.thumbprint,
        sha1=peer.sha1,
        state=peer.state,
        subject=peer.subject,
        issuer=peer.issuer,
        application_uri=peer.application_uri,
        names=list(peer.names),
        peer=peer.peer,
        edge=peer.edge,
        not_before_ms=peer.not_before // 1000 / 1000,
        not_after_ms=peer.not_after // 1000 / 1000,
        warning=peer.warning,
        first_seen_ms=peer.first_seen // 1000 / 1000,
        last_seen_ms=peer.last_seen // 1000 / 1000,
        decided_by=peer.decided_by,
    )


@get("/certificates", opt=needs(Action.CERTIFICATES_READ), summary="Certificates of devices", tags=["accounts"])
async def certificates(context: NamedDependency[Context]) -> CertificatePage:
    """Those that wait for a person first, then the newest seen."""
    peers = await in_thread(context.trust.peers.list)
    peers = sorted(peers, key=lambda peer: (peer.state is not PeerState.PENDING, -peer.last_seen))
    return CertificatePage(items=[certificate_view(peer) for peer in peers])


@post(
    "/certificates/{thumbprint:str}",
    opt=needs(Action.CERTIFICATES_DECIDE, "certificate:{thumbprint}"),
    status_code=200,
    summary="Approve or reject",
    tags=["accounts"],
)
async def decide(
    request: Request[Any, Any, Any], context: NamedDependency[Context], thumbprint: FromPath[str], data: JSONBody[DecisionBody]
) -> CertificateView:
    """A connector that waits for it goes on by itself."""
    state = PeerState.APPROVED if data.decision == "approve" else PeerState.REJECTED
    by = visitor(request).name
    decided = certificate_view(await in_thread(lambda: context.trust.peers.decide(thumbprint, state, by=by)))
    await context.remind_edges()
    return decided


@delete(
    "/certificates/{thumbprint:str}",
    opt=needs(Action.CERTIFICATES_DECIDE, "certificate:{thumbprint}"),
    summary="Forget a certificate",
    tags=["accounts"],
)
async def forget(request: Request[Any, Any, Any], context: NamedDependency[Context], thumbprint: FromPath[str]) -> None:
    """The next time it is unknown again."""
    by = visitor(request).name
    await in_thread(lambda: context.trust.peers.forget(thumbprint, by=by))


@get("/ca.pem", opt=public(), summary="The local authority", tags=["accounts"], media_type="application/x-pem-file")
async def authority(context: NamedDependency[Context]) -> Response[bytes]:
    """For phones and programs that shall trust this platform's own HTTPS certificate."""
    pem = await in_thread(context.trust.ca.root_pem)
    name = escape(context.house.organisation)
    headers = {"Content-Disposition": f'attachment; filename="hulian-{name}-ca.pem"', "Cache-Control": "no-cache"}
    return Response(pem, media_type="application/x-x509-ca-cert", headers=headers)


ROUTES = [certificates, decide, forget, authority]
