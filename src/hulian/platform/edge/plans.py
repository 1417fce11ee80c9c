"""What an edge node runs when the centre is elsewhere: orders from there, kept on disk, tried out before they are trusted.

A new order is *staged*: it runs from then on, and the one before is kept. When everything came up it is *confirmed*; when
not, or when the node was restarted too often on the way, it is *rolled back*, and the centre is told which version it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.platform.edge.contract import ConnectorPlan
from hulian.platform.edge.errors import PlanError
from hulian.trust.spine_accounts import SpineUser

__all__ = ["Order", "PlanStore"]

_log = structlog.get_logger(__name__)
_Kept = TypeVar("_Kept")
_STARTS: Final = 3
"""Starts of the node that an order has to come up in."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the centre wants an edge node to run. ``trusted`` are SHA-256 thumbprints of approved foreign certificates;
    ``certificate`` (PEM, its root behind it) is what the node shows the centre from now on; ``devices`` is whom its listener
    lets in."""

    connectors: tuple[ConnectorPlan, ...]
    trusted: tuple[str, ...] = ()
    certificate: str = ""
    devices: tuple[SpineUser, ...] = ()


class _Trial(msgspec.Struct):
    version: int
    starts: int = 0


class _Refused(msgspec.Struct):
    version: int = 0
    reason: str = ""


class PlanStore:
    """The orders of one edge node below ``directory``; a `PlantSource`.

    ``open_`` gives version and document of a sealed order, or raises a `HulianError`: nothing that was not sealed for this
    node by its centre is ever run. Orders are kept sealed.
    """

    def __init__(self, directory: Path, open_: Callable[[bytes], tuple[int, bytes]]) -> None:
        self._directory = directory
        self._open = open_
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refused = self._load("refused", _Refused) or _Refused()
        self._trial = self._load("trial", _Trial)
        self.version, self.order = self._current()
        if self._trial is not None and self._trial.version != self.version:
            self.confirm()  # a kill between two steps: what runs is not what was to be tried
        if self._trial is not None:
            self._trial.starts += 1
            if self._trial.starts > _STARTS:
                self.roll_back(f"it did not come up in {_STARTS} starts")
            else:
                self._keep("trial", msgspec.json.encode(self._trial))

    def plans(self) -> Sequence[ConnectorPlan]:
        """See `PlantSource`; nothing before the first order."""
        return self.order.connectors

    @property
    def on_trial(self) -> bool:
        """Whether the order that runs now is not confirmed yet."""
        return self._trial is not None

    @property
    def refused(self) -> tuple[int, str]:
        """The newest version that was rolled back and why; 0 where none was."""
        return self._refused.version, self._refused.reason

    def stage(self, sealed: bytes) -> bool:
        """Makes ``sealed`` the order that runs; False where it is not newer than what runs, or was rolled back before.

        Raises what ``open_`` raises, and `PlanError` for a document that cannot be understood: nothing changes then.
        """
        version, document = self._open(sealed)
        if version <= max(self.version, self._refused.version):
            return False
        order = _parse(document)
        if not self.on_trial:  # the one before stays the last that is known to work
            before = self._read("current")
            if before is not None:
                self._keep("previous", before)
        self._trial = _Trial(version)
        self._keep("trial", msgspec.json.encode(self._trial))
        self._keep("current", sealed)
        self.version, self.order = version, order
        return True

    def confirm(self) -> None:
        """What runs now has come up."""
        self._trial = None
        (self._directory / "trial").unlink(missing_ok=True)

    def roll_back(self, reason: str) -> None:
        """Goes back to the last order that worked (none: to nothing) and remembers not to try this one again."""
        self._refused = _Refused(self.version, reason)
        self._keep("refused", msgspec.json.encode(self._refused))
        before = self._read("previous")
        if before is None:
            (self._directory / "current").unlink(missing_ok=True)
        else:
            self._keep("current", before)
        self.confirm()
        self.version, self.order = self._current()

    def _current(self) -> tuple[int, Order]:
        sealed = self._read("current")
        if sealed is None:
            return 0, Order(connectors=())
        try:
            version, document = self._open(sealed)
            return version, _parse(document)
        except HulianError as error:
            _log.error("the kept order cannot be used", reason=str(error))
            return 0, Order(connectors=())

    def _load(self, name: str, kind: type[_Kept]) -> _Kept | None:
        content = self._read(name)
        try:
            return None if content is None else msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError:
            return None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._directory / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PlanError(f"cannot read: {error.strerror}", place=str(self._directory / name)) from error

    def _keep(self, name: str, content: bytes) -> None:
        """Whole or not at all, and there after a power cut."""
        path = self._directory / name
        fresh = path.with_name(f".{name}.new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            fresh.replace(path)
        except OSError as error:
            raise PlanError(f"cannot keep the order: {error.strerror}", place=str(path)) from error


def _parse(document: bytes) -> Order:
    try:
        return msgspec.json.decode(document, type=Order)
    except msgspec.MsgspecError as error:
        raise PlanError(
            f"the order cannot be understood: {error}", hint="the centre may be newer: upgrade this node"
        ) from error
