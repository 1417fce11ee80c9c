"""What can go wrong on a carrier.

CarrierError                HL-ID-1150
├── FormatError             HL-ID-1151   bytes that are no message, key or contents
├── StoreError              HL-ID-1152   the key store cannot be read, written or opened
├── LinkError               HL-ID-1153   the node cannot be reached; the same again later is safe
├── RefusedError            HL-ID-1154   the node said no; ``response_code`` says why
├── ContentsError           HL-ID-1155   contents that are unsigned, forged, older, or meant for another carrier
├── NotEnrolledError        HL-ID-1156   the carrier has no identifier yet
└── OutboxFullError         HL-ID-1157   no room for another report until some were delivered
"""

from __future__ import annotations

__all__ = [
    "CarrierError",
    "ContentsError",
    "FormatError",
    "LinkError",
    "NotEnrolledError",
    "OutboxFullError",
    "RefusedError",
    "StoreError",
]


class CarrierError(Exception):
    """The root; ``code`` is permanent. No message holds a key."""

    code = "HL-ID-1150"


class FormatError(CarrierError):
    """Bytes that are no message, key or contents."""

    code = "HL-ID-1151"


class StoreError(CarrierError):
    """The key store cannot be read, written or opened."""

    code = "HL-ID-1152"


class LinkError(CarrierError):
    """The node cannot be reached, or fell silent. Nothing is lost: the same again later is safe."""

    code = "HL-ID-1153"


class RefusedError(CarrierError):
    """The node said no."""

    code = "HL-ID-1154"

    def __init__(self, message: str, response_code: int) -> None:
        super().__init__(f"{message} (response code {response_code})")
        self.response_code = response_code


class ContentsError(CarrierError):
    """Contents or a receipt that are unsigned, forged, older than what is there, or meant for another carrier."""

    code = "HL-ID-1155"


class NotEnrolledError(CarrierError):
    """The carrier has no identifier yet: enrol first."""

    code = "HL-ID-1156"


class OutboxFullError(CarrierError):
    """The outbox holds as many reports as it may; none was taken, none was dropped."""

    code = "HL-ID-1157"
