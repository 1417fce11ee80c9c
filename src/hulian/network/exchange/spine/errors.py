"""What can go wrong on the spine.

SpineError                      HL-SPINE-0000
├── SpineUnavailableError       HL-SPINE-0001   nobody answers: no server, no responder, no answer in time
│   └── SpineUntrustedError     HL-SPINE-0010   … or one answers that does not prove that it is our spine
├── SpineDeniedError            HL-SPINE-0002   credentials refused, or a subject that they do not cover
├── PublishError                HL-SPINE-0003   a stream did not take the message
│   └── StreamFullError         HL-SPINE-0004   … because its limit is reached; keep the message and send it later
├── StreamError                 HL-SPINE-0005   a stream or consumer cannot be as declared
├── CodecError                  HL-SPINE-0006   bytes that are no sample batch
├── MessageTooLargeError        HL-SPINE-0007   more than the spine carries in one message
└── TopicError                  HL-SPINE-0009   an MQTT topic or filter that cannot be a subject
SpineConfigurationError         HL-SPINE-0008   (a ConfigurationError) settings that nats-server cannot start with
"""

from __future__ import annotations

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "CodecError",
    "MessageTooLargeError",
    "PublishError",
    "SpineConfigurationError",
    "SpineDeniedError",
    "SpineError",
    "SpineUnavailableError",
    "SpineUntrustedError",
    "StreamError",
    "StreamFullError",
    "TopicError",
]


class SpineError(HulianError):
    """Root of the spine's errors."""

    code = "HL-SPINE-0000"


class SpineUnavailableError(SpineError):
    """Nobody answers; trying again later is right."""

    code = "HL-SPINE-0001"
    default_hint = "is the spine running? 'hulian status' shows it; senders keep their data and go on by themselves"


class SpineUntrustedError(SpineUnavailableError):
    """What answers does not prove by its certificate that it is our spine; no credential was sent."""

    code = "HL-SPINE-0010"
    default_hint = "see that nobody else listens on spine.port; after a change of spine.tls, restart the node"


class SpineDeniedError(SpineError):
    """The credentials are refused, or do not cover the subject."""

    code = "HL-SPINE-0002"
    default_hint = "the component's credential is generated at start; restart the node so that server and component agree"


class PublishError(SpineError):
    """A stream did not take the message; the sender still has it."""

    code = "HL-SPINE-0003"


class StreamFullError(PublishError):
    """The stream's limit is reached and it discards new messages: keep the message, send it later."""

    code = "HL-SPINE-0004"
    default_hint = (
        "the historian does not keep up or is stopped; the edge buffers meanwhile. Raise spine.samples_bytes if it lasts"
    )


class StreamError(SpineError):
    """A stream or consumer cannot be as declared."""

    code = "HL-SPINE-0005"


class CodecError(SpineError):
    """Bytes that are no sample batch."""

    code = "HL-SPINE-0006"


class MessageTooLargeError(SpineError):
    """More than the spine carries in one message."""

    code = "HL-SPINE-0007"
    default_hint = "send fewer samples in one batch"


class SpineConfigurationError(ConfigurationError):
    """Settings that nats-server cannot start with."""

    code = "HL-SPINE-0008"


class TopicError(SpineError):
    """An MQTT topic or filter that cannot be a subject."""

    code = "HL-SPINE-0009"
    default_hint = "topics hold no white space; '+' stands for a whole level and '#' ends a filter"
