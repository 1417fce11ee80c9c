"""What each component may say and hear: the smallest allow-lists that let it do its work.

Reply inboxes lie below ``_INBOX.<user>.``: a component reads its own answers and nobody else's, and publishes to another's
inbox only to answer what reached it (`SpineUser.responses`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hulian.kernel.identifier import escape
from hulian.network.exchange.spine.errors import SpineConfigurationError
from hulian.network.exchange.spine.mqtt_input import topic_filter_subjects
from hulian.network.exchange.spine.streams import COMMANDS, EVENTS, HISTORIAN, MQTT, SAMPLES, Subjects

__all__ = ["ROLES", "Permissions", "component_permissions", "device_permissions"]

ROLES = ("node", "historian", "edge", "api")


class Permissions(NamedTuple):
    """Allow-lists of subjects."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responses: bool = False


def component_permissions(organisation: str, role: str, user: str, *, topics: Sequence[str] = ("#",)) -> Permissions:
    """The permissions of the component ``user`` in ``role``: one of `ROLES`.

    ``node`` declares streams and reads health; ``historian`` is ingest and queries; ``edge`` runs connectors; ``api``
    serves people. ``topics`` are the MQTT topics of devices, which ``edge`` may read and write. Raises
    `SpineConfigurationError` for another role.
    """
    root = Subjects(organisation).root
    inbox = f"_INBOX.{escape(user)}.>"
    readers = ("$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.LIST.*", "$JS.API.CONSUMER.INFO.*.*")
    if role == "node":
        return Permissions(
            ("$JS.API.>", f"{root}.control.*", f"{root}.events.*.*", f"{root}.status.>"),
            (inbox, f"{root}.status.>", f"{root}.events.>"),
        )
    if role == "historian":
        streams = tuple(
            subject
            for stream in (SAMPLES, EVENTS)
            for subject in (
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{HISTORIAN}",
                f"$JS.API.CONSUMER.RESET.{stream}.{HISTORIAN}",
                f"$JS.API.CONSUMER.CREATE.{stream}.{HISTORIAN}",
                f"$JS.ACK.{stream}.{HISTORIAN}.>",
            )
        )
        return Permissions(
            (*readers, *streams, f"{root}.events.*.*", f"{root}.status.>"),
            (inbox, f"{root}.query.*", f"{root}.control.historian", f"{root}.status.edge.*"),
            responses=True,
        )
    if role == "edge":
        devices = tuple(subject for topic in topics for subject in topic_filter_subjects(topic))
        return Permissions(
            (
                *readers,
                f"{root}.samples.*",
                f"{root}.events.*.*",
                f"{root}.status.>",
                f"$JS.API.CONSUMER.MSG.NEXT.{MQTT}.*",
                f"$JS.API.CONSUMER.RESET.{MQTT}.*",
                f"$JS.API.CONSUMER.CREATE.{MQTT}.>",
                f"$JS.API.CONSUMER.DELETE.{MQTT}.*",
                f"$JS.ACK.{MQTT}.>",
                f"$JS.API.CONSUMER.MSG.NEXT.{COMMANDS}.*",
                f"$JS.API.CONSUMER.CREATE.{COMMANDS}.>",
                f"$JS.ACK.{COMMANDS}.>",
                *devices,
            ),
            (inbox, f"{root}.control.edge", f"{root}.commands.*", *devices),
            responses=True,
        )
    if role == "api":
        return Permissions(
            (
                *readers,
                f"{root}.query.*",
                f"{root}.control.*",
                f"{root}.commands.*",
                f"{root}.events.*.*",
                f"{root}.status.>",
            ),
            (inbox, f"{root}.samples.*", f"{root}.events.>", f"{root}.status.>"),
            responses=True,
        )
    raise SpineConfigurationError(f"there is no component role '{role}'", hint=f"roles: {', '.join(ROLES)}")


def device_permissions(publish: Sequence[str], subscribe: Sequence[str] = ()) -> Permissions:
    """The permissions of an MQTT device from topic filters. Raises `TopicError`."""
    reading = tuple(subject for topic in subscribe for subject in topic_filter_subjects(topic))
    return Permissions(
        tuple(subject for topic in publish for subject in topic_filter_subjects(topic)),
        (*reading, "$MQTT.sub.>", "$MQTT.deliver.>") if reading else (),
    )
