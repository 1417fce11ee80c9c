"""What the junction finds, in the same form whoever answered: values, who said so, and the path to there."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hulian.network.identifiers.chain.follow import Hop, Resolution
from hulian.network.identifiers.wire.codes import ResponseCode, response_text
from hulian.network.identifiers.wire.values import Value

__all__ = ["Found", "Step", "System", "of_handle"]


class System(StrEnum):
    """Who answers."""

    HANDLE = "handle"
    GLOBAL_HANDLE = "handle-global"
    OID_DNS = "oid-dns"
    GS1_LINK = "gs1-link"
    DID_WEB = "did-web"
    DID_RESOLVER = "did-resolver"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One question on the path: what was asked, of whom, what was answered, and how long that took in seconds."""

    asked: str
    of: str
    answer: str
    seconds: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where a question ended.

    ``identifier`` is the canonical text of what was asked, ``code`` a response code of the Handle protocol: `SUCCESS` with
    ``values``, or why there are none, in words in ``message``. ``seconds`` is how long it may be believed, 0 for not at all;
    ``cached`` says that it was: its path is that of the first time.
    """

    identifier: str
    system: System
    code: int
    values: tuple[Value, ...] = ()
    message: str = ""
    path: tuple[Step, ...] = ()
    seconds: float = 0.0
    cached: bool = False

    @property
    def done(self) -> bool:
        return self.code == ResponseCode.SUCCESS


def step_of(hop: Hop) -> Step:
    """A question of the Handle protocol."""
    answer = hop.error or f"{hop.code}: {response_text(hop.code)}"
    return Step(asked=hop.handle, of=hop.target, answer=answer, seconds=hop.seconds)


def of_handle(found: Resolution, system: System, seconds: float) -> Found:
    """What a walk has found."""
    return Found(
        identifier=found.handle,
        system=system,
        code=found.code,
        values=found.values,
        message=found.message,
        path=tuple(step_of(hop) for hop in found.path),
        seconds=seconds,
    )
