"""The calls under ``/api/v1``: one module a noun. Each says what it needs; none decides who may."""

from hulian.platform.api.routes import history, live, points, reference, session, system

__all__ = ["ALL"]

ALL = [
    *session.ROUTES,
    *points.ROUTES,
    *history.ROUTES,
    *live.ROUTES,
    *system.ROUTES,
    *reference.ROUTES,
]
