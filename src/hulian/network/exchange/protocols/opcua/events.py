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
    SOURCE_AHEAD = "HL-OPCUA-0108", "Samples carry a time of their source that lies ahead of the server's."
    HISTORY_FILLED = "HL-OPCUA-0109", "What was missed while the link was lost has come from the server's history."
    HISTORY_MISSING = "HL-OPCUA-0110", "The server's history cannot give what was missed."
    SERVER_EVENT = "HL-OPCUA-0120", "An event of the server."
    SERVER_ALARM = "HL-OPCUA-0121", "A condition of the server; over when the server says that it is no more active."
    EVENTS_DROPPED = "HL-OPCUA-0122", "Events of the server were lost or came faster than the settings accept."
    MODEL_CHANGED = "HL-OPCUA-0123", "The server's nodes have changed while we were connected."
    SERVER_CHANGED = "HL-OPCUA-0124", "Another server of a redundant set has taken over."
    SET_UNKNOWN = "HL-OPCUA-0125", "The server belongs to a redundant set whose other servers are not configured."
