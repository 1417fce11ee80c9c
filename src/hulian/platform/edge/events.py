"""What the edge tells."""

from __future__ import annotations

from hulian.kernel.event import EventCode

__all__ = ["EdgeEvent"]


class EdgeEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    CONNECTOR_FAILED = "HL-EDGE-0101", "A connector ended by itself or by a defect; it is started again after a pause."
    JOURNAL_FULL = "HL-EDGE-0102", "The journal on disk is full: samples were dropped by its policy, counted."
    JOURNAL_UNWRITABLE = "HL-EDGE-0103", "The journal on disk cannot be written; samples wait in memory, within a bound."
    DEVICE_CLOCK_AHEAD = (
        "HL-EDGE-0104",
        "The clock of a device is ahead; its samples carry the time of receipt until it is right.",
    )
    NODE_CLOCK_JUMPED = "HL-EDGE-0105", "The clock of this node jumped."
    SPINE_REFUSES = "HL-EDGE-0106", "The spine takes no samples; they wait in the journal on disk."
    JOURNAL_ORPHANED = (
        "HL-EDGE-0108",
        "A connector is gone while its journal still held samples; they are sent, then the journal is removed.",
    )
    INPUT_GIVEN_UP = "HL-EDGE-0109", "A connector was removed before it had taken what its devices were told is safe."
    ORDER_TAKEN_BACK = (
        "HL-EDGE-0110",
        "An edge node took an order of the centre back: it did not come up.",
    )
    CONNECTOR_REFUSED = "HL-EDGE-0107", "The settings of a connector can never work; it waits for others."
    POINT_STALE = "HL-EDGE-0111", "A point gave no sample for longer than its filter allows; it ends with the next sample."
    PROCESSING_REFUSED = (
        "HL-EDGE-0112",
        "A filter, computed point or rule is wrong; its point is bad until it is mended, its neighbours go on.",
    )
    RULE_ACTIVE = "HL-EDGE-0113", "The condition of a local rule holds; it ends when the rule says so."
    RULE_COMMANDED = "HL-EDGE-0114", "A local rule wrote to a device on behalf of its owner, or could not."
    RULE_SWITCHED_OFF = "HL-EDGE-0115", "A local rule began too often in a short time and is switched off for a while."
    EVENTS_DROPPED = "HL-EDGE-0116", "Events were dropped: they came faster than they could be kept or sent, or for too long."
