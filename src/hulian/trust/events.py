"""What trust tells."""

from __future__ import annotations

from hulian.kernel.event import EventCode

__all__ = ["TrustEvent"]


class TrustEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    CERTIFICATE_FAILING = (
        "HL-TRUST-0101",
        "A certificate of ours ends soon, has ended, or cannot be renewed or taken into use; over when a good one is shown.",
    )
    CERTIFICATE_RENEWED = "HL-TRUST-0102", "A certificate of ours was renewed and is in use; nobody was cut off."
    PLAIN_LISTENER = (
        "HL-TRUST-0103",
        "A listener is reachable from other machines without TLS: passwords and data travel readable.",
    )
    UPKEEP_FAILED = "HL-TRUST-0104", "A regular task of the safeguard failed; it is tried again, and over when it succeeds."
