"""Errors on the way to an answer. HL-ID-04xx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hulian.kernel.errors import HulianError

if TYPE_CHECKING:
    from hulian.network.identifiers.chain.follow import Hop

__all__ = ["DeceivedError", "FollowError", "LoopError", "NoServiceError", "RefusedError", "SecurityError", "UnreachableError"]


class FollowError(HulianError):
    """A question could not be followed to its answer.

    ``path`` is how far it came, where a walk had begun.
    """

    code = "HL-ID-0400"
    path: tuple[Hop, ...] = ()


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


class RefusedError(FollowError):
    """The responsible server does not do what it was asked; ``response_code`` is what it says."""

    code = "HL-ID-0405"

    def __init__(self, message: str, *, response_code: int, place: str = "", hint: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.response_code = response_code


class SecurityError(FollowError):
    """The other side does not prove who it is, or does not know this side."""

    code = "HL-ID-0406"
    default_hint = "compare the key in the site record of the server, and that of this node, with what their owners say"
