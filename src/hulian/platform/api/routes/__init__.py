"""The calls under ``/api/v1``: one module a noun. Each says what it needs; none decides who may."""

from litestar.handlers import HTTPRouteHandler

from hulian.platform.api.routes import (
    accounts,
    applications,
    browsing,
    certificates,
    connectors,
    corrections,
    dictionary,
    documents,
    edges,
    history,
    identifiers,
    live,
    metadata,
    model,
    points,
    processing,
    proposals,
    records,
    reference,
    session,
    system,
    taglists,
    templates,
    transfer,
)

__all__ = ["ALL"]

ALL: list[HTTPRouteHandler] = [
    *session.ROUTES,
    *taglists.ROUTES,
    *templates.ROUTES,
    *points.ROUTES,
    *history.ROUTES,
    *corrections.ROUTES,
    *documents.ROUTES,
    *proposals.ROUTES,
    *live.ROUTES,
    *connectors.ROUTES,
    *browsing.ROUTES,
    *processing.ROUTES,
    *edges.ROUTES,
    *certificates.ROUTES,
    *records.ROUTES,
    *identifiers.ROUTES,
    *applications.ROUTES,
    *metadata.ROUTES,
    *model.ROUTES,
    *dictionary.ROUTES,
    *accounts.ROUTES,
    *transfer.ROUTES,
    *system.ROUTES,
    *reference.ROUTES,
]
