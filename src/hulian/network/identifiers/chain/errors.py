"""Errors on the way to an answer. HL-ID-04xx."""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["DeceivedError", "FollowError", "LoopError", "NoServiceError", "UnreachableError"]


class FollowError(HulianError):
    """A question could not be followed to its answer."""

    code = "HL-ID-0400"


class UnreachableError(FollowError):
    """No server of a service answered in time."""

    code = "HL-ID-0401"
    default_hint = "look at the network between, and at the addresses in the site record of the node above"


class LoopError(FollowError):
    """Referrals or aliases lead in a circle, or too far."""

    code = "HL-ID-0402"
    default_hint = "one of the records on the path has to be changed; 'hulian resolve --trace' shows the path"


class DeceivedError(FollowError):
    """A server answered something else than it was asked; its answer is not used."""

    code = "HL-ID-0403"
    default_hint = "the server is broken, or somebody else answers in its place"


class NoServiceError(FollowError):
    """The record of a prefix, or a referral, names no service that can be asked."""

    code = "HL-ID-0404"
    default_hint = "its HS_SITE has to name a server with a query interface over UDP or TCP"
