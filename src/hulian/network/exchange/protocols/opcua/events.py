"""What the connector tells besides its errors, whose codes its events carry too."""

from __future__ import annotations

from hulian.kernel.event import EventCode

__all__ = ["OpcuaEvent"]


class OpcuaEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    LINK_LOST = "HL-OPCUA-0100", "The link to the server is gone; over when it is back."
    BAD_BINDINGS = "HL-OPCUA-0101", "Some points cannot be read, the others are."
    TYPE_MISMATCH = "HL-OPCUA-0102", "A value is of another type than its point."
    QUEUE_OVERFLOW = (
        "HL-OPCUA-0103",
        "Values were lost in the queue of the server, which is shorter than what comes between two publications.",
    )
    CLOCK_APART = "HL-OPCUA-0104", "The clock of the server and that of this node are apart."
    NOTIFICATIONS_LOST = "HL-OPCUA-0105", "Notifications of a subscription are missing and the server has them no more."
    POLLING = "HL-OPCUA-0106", "The server has no subscriptions: its values are polled."
    CERTIFICATE_EXPIRES = "HL-OPCUA-0107", "The certificate of the server ends soon."
