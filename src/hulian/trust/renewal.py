"""Certificates in use: renewed in time, taken up by their listeners while these serve, and told of where that fails."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.trust.errors import CertificateError
from hulian.trust.events import TrustEvent
from hulian.trust.issuing import DAY, NANOSECONDS, nanoseconds

__all__ = ["CertificateWatch", "Listener"]

_WARN: Final = 21 * DAY
_LARGEST: Final = 1 << 20


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Something that shows a certificate. Every function may be slow, and is called from a worker thread.

    ``chain`` gives the file (PEM) that is to be shown, renewed where the local authority makes it. ``shown`` gives what the
    listener shows now (DER), None where it cannot be asked: it may be starting. ``use`` makes it show what the file holds,
    without an outage. Each raises `HulianError` or `OSError`. Without ``shown`` and ``use`` only the end is watched.
    ``made``: the local authority makes it, ``renew`` before its end. ``warn``: when a person has to hear of the end.
    """

    name: str
    chain: Callable[[], Path]
    shown: Callable[[], bytes | None] | None = None
    use: Callable[[], None] | None = None
    made: bool = True
    renew: datetime.timedelta = 30 * DAY
    warn: datetime.timedelta = _WARN
    hint: str = ""


class CertificateWatch:
    """Looks after the certificates of ``listeners``. `check` is one look; who calls it waits as long as it says.

    A condition (`TrustEvent.CERTIFICATE_FAILING`, the listener's name) opens once for each reason and closes when all is
    well; that one listener fails keeps no other from its certificate.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        tell: Callable[[Event], None],
        *,
        component: str,
        every: float = 600.0,
        again: float = 30.0,
        patience: float = 10.0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._listeners = tuple(listeners)
        self._tell = tell
        self._component = component
        self._every, self._again, self._patience = every, again, patience
        self._clock = clock
        self._open: dict[str, str] = {}
        self._known: dict[str, int] = {}

    def check(self) -> float:
        """Renews and takes up what is due; the seconds until the next look, at most ``every``."""
        return min((self._look(listener) for listener in self._listeners), default=self._every)

    def _look(self, listener: Listener) -> float:
        try:
            certificate = _leaf(listener.chain())
            taken = self._take_up(listener, certificate)
        except (HulianError, OSError) as error:
            message = error.message if isinstance(error, HulianError) else str(error)
            hint = (error.hint if isinstance(error, HulianError) else "") or listener.hint
            self._begin(listener, "failed", f"the certificate of {listener.name} cannot be used: {message}", hint)
            return self._again
        if taken:
            self._notice(listener, certificate)
        ends = nanoseconds(certificate.not_valid_after_utc)
        left = ends - self._clock()
        if left < 0:
            text = f"the certificate of {listener.name} ended on {certificate.not_valid_after_utc:%Y-%m-%d}"
            self._begin(listener, "ended", text, listener.hint)
        elif left < _ns(listener.warn):
            text = f"the certificate of {listener.name} ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
            self._begin(listener, "ending", text, listener.hint)
        else:
            self._over(listener)
        if not taken:
            return self._again
        due = (left - _ns(listener.renew)) / NANOSECONDS if listener.made else self._every
        return min(self._every, max(due, 0.0) + 0.05) if due > 0 else self._again

    def _notice(self, listener: Listener, certificate: x509.Certificate) -> None:
        """Tells of another certificate than at the look before, whoever made the listener take it up."""
        before = self._known.get(listener.name)
        self._known[listener.name] = certificate.serial_number
        if before not in (None, certificate.serial_number):
            ends = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            text = f"{listener.name} has a new certificate, good until {ends}"
            self._emit(listener, TrustEvent.CERTIFICATE_RENEWED, Severity.INFO, text)

    def _take_up(self, listener: Listener, certificate: x509.Certificate) -> bool:
        """Whether the listener shows ``certificate``; False where it cannot be asked now. Raises where it will not."""
        if listener.shown is None or listener.use is None:
            return True
        wanted = certificate.public_bytes(serialization.Encoding.DER)
        shown = listener.shown()
        if shown is None:
            return False
        if shown == wanted:
            return True
        listener.use()
        deadline = time.monotonic() + self._patience
        while (shown := listener.shown()) != wanted:
            if time.monotonic() > deadline:
                raise CertificateError(
                    f"{listener.name} does not show the new certificate",
                    hint="see its log: a key that does not fit is the usual reason. The old certificate is in use meanwhile",
                )
            time.sleep(0.05)
        return True

    def _begin(self, listener: Listener, reason: str, message: str, hint: str) -> None:
        if self._open.get(listener.name) == reason:
            return
        self._open[listener.name] = reason
        severity = Severity.WARNING if reason == "ending" else Severity.ERROR
        self._emit(listener, TrustEvent.CERTIFICATE_FAILING, severity, message, hint, active=True)

    def _over(self, listener: Listener) -> None:
        if self._open.pop(listener.name, None) is not None:
            text = f"the certificate of {listener.name} is good again"
            self._emit(listener, TrustEvent.CERTIFICATE_FAILING, Severity.INFO, text, active=False)

    def _emit(
        self,
        listener: Listener,
        code: TrustEvent,
        severity: Severity,
        message: str,
        hint: str = "",
        *,
        active: bool | None = None,
    ) -> None:
        self._tell(
            Event(
                time=self._clock(),
                code=code,
                severity=severity,
                component=self._component,
                subject=f"certificate:{listener.name}",
                message=message,
                hint=hint,
                active=active,
            )
        )


def _ns(span: datetime.timedelta) -> int:
    return int(span.total_seconds() * NANOSECONDS)


def _leaf(path: Path) -> x509.Certificate:
    with path.open("rb") as file:
        content = file.read(_LARGEST)
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError as error:
        raise CertificateError("the file holds no certificate (PEM)", place=str(path)) from error
