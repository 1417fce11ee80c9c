"""What can go wrong between us and MQTT devices.

HulianError
└── MqttError               HL-MQTT-0000
    ├── AddressError        HL-MQTT-0001   an address or URL that the syntax does not know (a `ConfigurationError` too)
    ├── OptionError         HL-MQTT-0002   an option or a mapping that does not fit (likewise)
    ├── SourceError         HL-MQTT-0010   the platform's listener gives nothing
    ├── PayloadError        HL-MQTT-0011   a payload that is not what its topic promises
    ├── TypeFitError        HL-MQTT-0012   values of another type than their point
    ├── MetricError         HL-MQTT-0013   a bound metric that no birth names
    ├── GapError            HL-MQTT-0020   Sparkplug messages are missing
    ├── DeathError          HL-MQTT-0021   an edge node or device has died
    ├── UnbornError         HL-MQTT-0022   data of an edge node whose birth is not known
    ├── SilentTopicError    HL-MQTT-0023   a topic that should speak is silent
    ├── TransientError      HL-MQTT-0024   values that are not to be stored
    ├── WriteError          HL-MQTT-0030   a value that cannot be sent
    ├── ConfirmError        HL-MQTT-0031   sent, but the device did not confirm it
    ├── WireError           HL-MQTT-0040   bytes that break the standard of MQTT
    │   └── LimitError      HL-MQTT-0041   more than we accept of a peer
    ├── EncodeError         HL-MQTT-0042   a packet that the standard does not let us send
    └── BrokerError         HL-MQTT-0050   a foreign broker that is away
        ├── SilentError     HL-MQTT-0051   a broker that does not answer
        ├── RefusedError    HL-MQTT-0052   a broker that does not let us in
        │   ├── LoginError  HL-MQTT-0053   the broker does not accept who we are
        │   └── MovedError  HL-MQTT-0054   the broker sends us elsewhere
        ├── SubscribeError  HL-MQTT-0055   a topic filter that the broker refuses
        ├── PublishError    HL-MQTT-0056   a message that the broker refuses
        ├── TlsError        HL-MQTT-0057   no encrypted connection that we may trust
        │   └── UnapprovedError HL-MQTT-0058   the broker's certificate waits for a person
        └── EndedError      HL-MQTT-0059   the broker ended the connection and said why
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hulian.kernel.errors import ConfigurationError, HulianError

if TYPE_CHECKING:
    from hulian.network.exchange.protocols.mqtt.codec.faults import Fault

__all__ = [
    "AddressError",
    "BrokerError",
    "ConfirmError",
    "DeathError",
    "EncodeError",
    "EndedError",
    "GapError",
    "LimitError",
    "LoginError",
    "MetricError",
    "MovedError",
    "MqttError",
    "OptionError",
    "PayloadError",
    "PublishError",
    "RefusedError",
    "SilentError",
    "SilentTopicError",
    "SourceError",
    "SubscribeError",
    "TlsError",
    "TransientError",
    "TypeFitError",
    "UnapprovedError",
    "UnbornError",
    "WireError",
    "WriteError",
]


class MqttError(HulianError):
    """The root of this protocol's errors."""

    code = "HL-MQTT-0000"


class AddressError(MqttError, ConfigurationError):
    """An address or URL that the syntax does not know."""

    code = "HL-MQTT-0001"
    default_hint = "write 'json:TOPIC:PATH' or 'sparkplug:GROUP/NODE/DEVICE:METRIC'; see the README of mqtt"


class OptionError(MqttError, ConfigurationError):
    """An option or a mapping that does not fit."""

    code = "HL-MQTT-0002"
    default_hint = "the README of mqtt lists mappings, options and the storage classes of each type"


class SourceError(MqttError):
    """The platform's listener gives nothing."""

    code = "HL-MQTT-0010"
    default_hint = "see 'hulian status' for the spine; devices keep their QoS 1 messages until it is back"


class PayloadError(MqttError):
    """A payload that is not what its topic promises."""

    code = "HL-MQTT-0011"
    default_hint = "look at one message with 'hulian browse mqtt://', and correct the device or the mapping of the topic"


class TypeFitError(MqttError):
    """Values of another type than their point."""

    code = "HL-MQTT-0012"
    default_hint = "give the point the type that the device sends, or let the device send the type of the point"


class MetricError(MqttError):
    """A bound metric that no birth names."""

    code = "HL-MQTT-0013"
    default_hint = "compare the metric's name with the birth: 'hulian browse mqtt://' lists what was born"


class GapError(MqttError):
    """Sparkplug messages are missing."""

    code = "HL-MQTT-0020"
    default_hint = "a rebirth was requested; if this comes back, the link of the edge node or its MQTT client loses messages"


class DeathError(MqttError):
    """An edge node or device has died."""

    code = "HL-MQTT-0021"
    default_hint = "check power and network of the edge node; its values are bad until it is born again"


class UnbornError(MqttError):
    """Data of an edge node whose birth is not known."""

    code = "HL-MQTT-0022"
    default_hint = (
        "a rebirth was requested; let the device's credential subscribe to spBv1.0/GROUP/NCMD/NODE, so that it hears it"
    )


class SilentTopicError(MqttError):
    """A topic that should speak is silent."""

    code = "HL-MQTT-0023"
    default_hint = "check the device, or lengthen the option 'stale_after'"


class TransientError(MqttError):
    """Values that are not to be stored: their edge node calls them transient."""

    code = "HL-MQTT-0024"
    default_hint = "to store them all the same, set 'transient' to 'keep' under 'sparkplug'"


class WriteError(MqttError):
    """A value that cannot be sent."""

    code = "HL-MQTT-0030"
    default_hint = "the README of mqtt tells what can be written"


class ConfirmError(MqttError):
    """Sent, but the device did not confirm it."""

    code = "HL-MQTT-0031"
    default_hint = "check that the device subscribes to its command topic, and that it reports the value back"


class WireError(MqttError):
    """Bytes that break the standard of MQTT: which ``fault``, at which ``offset`` of the packet, and the clause it breaks.

    ``kind`` names the packet. The connection on which they came cannot go on (MQTT 5.0, section 4.13).
    """

    code = "HL-MQTT-0040"
    default_hint = "the peer's MQTT is broken or something between changes it; tell its maker the clause"

    def __init__(self, fault: Fault, *, kind: str, offset: int, version: int, detail: str = "") -> None:
        clause = fault.clause(version)
        said = f"{fault.text}{f': {detail}' if detail else ''}"
        super().__init__(f"{said}, at byte {offset} of a {kind} [{clause}]")
        self.fault = fault
        self.kind = kind
        self.offset = offset
        self.clause = clause


class LimitError(WireError):
    """More than we accept of a peer: a packet, a topic, or a number of properties beyond our limits."""

    code = "HL-MQTT-0041"
    default_hint = "where the peer is right to send this much, raise the limit in the settings under 'broker'"


class EncodeError(MqttError):
    """A packet that the standard does not let us send."""

    code = "HL-MQTT-0042"
    default_hint = "see the clause in the message; topics and texts have at most 65535 bytes"


class BrokerError(MqttError):
    """A foreign broker that is away: it cannot be reached, or the link to it broke."""

    code = "HL-MQTT-0050"
    default_hint = "check host and port, the network, and whether the broker runs; the connector tries again by itself"


class SilentError(BrokerError):
    """A broker that takes the connection but does not answer in time."""

    code = "HL-MQTT-0051"
    default_hint = "check that the port is one of MQTT (with TLS: mqtts://), and the load of the broker"


class RefusedError(BrokerError):
    """A broker that does not let us in; the message holds its reason."""

    code = "HL-MQTT-0052"
    default_hint = "the broker's log says more about why it refused"


class LoginError(RefusedError):
    """The broker does not accept who we are: user, password, certificate or client identifier."""

    code = "HL-MQTT-0053"
    default_hint = "check user, password and client identifier of the connector, and the broker's access list"


class MovedError(RefusedError):
    """The broker sends us to another server."""

    code = "HL-MQTT-0054"
    default_hint = "change the address of the connector to the server that the message names"


class SubscribeError(BrokerError):
    """A topic filter that the broker refuses."""

    code = "HL-MQTT-0055"
    default_hint = "let the broker's access list allow the connector's user to read these topics, or change 'topics'"


class PublishError(BrokerError):
    """A message that the broker refuses."""

    code = "HL-MQTT-0056"
    default_hint = "let the broker's access list allow the connector's user to write to this topic"


class TlsError(BrokerError):
    """No encrypted connection that we may trust."""

    code = "HL-MQTT-0057"
    default_hint = "check the certificate of the broker, the clocks, and 'broker.tls' in the settings"


class UnapprovedError(TlsError):
    """The broker's certificate waits for a person."""

    code = "HL-MQTT-0058"
    default_hint = "compare its fingerprint with the broker's, then approve it under certificates"


class EndedError(BrokerError):
    """The broker ended the connection and said why (MQTT 5.0, section 3.14)."""

    code = "HL-MQTT-0059"
    default_hint = "the reason in the message is the broker's; its log says more"
