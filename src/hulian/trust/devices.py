"""Credentials of MQTT devices: a name, a random password shown once, and the topics it may use."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Final

import bcrypt
import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from hulian.registry import Registry
from hulian.trust import tables
from hulian.trust.audit import Audit
from hulian.trust.errors import AccountError, TakenNameError, TopicFilterError, UnknownAccountError
from hulian.trust.passwords import random_password
from hulian.trust.principals import Action
from hulian.trust.spine_accounts import Component, SpineUser

__all__ = ["Device", "Devices", "IssuedDevice", "subjects_of"]

_NAME: Final = re.compile(r"[^\W_][\w.:@-]{0,127}\Z")
_LONGEST_FILTER: Final = 512
_MOST_FILTERS: Final = 100
_ROUNDS: Final = 5
"""bcrypt's cost. The passwords are random (139 bits), which no cost protects better; thousands of devices may come at once."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device's credential: it may publish and subscribe where a topic filter matches, and nowhere else."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    enabled: bool
    created: int


class IssuedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that has just been made; ``password`` is shown this once and kept nowhere."""

    password: str
    device: Device

    def __repr__(self) -> str:
        return f"IssuedDevice(name={self.device.name!r})"


class Devices:
    """The credentials of this installation's MQTT devices. After a change the spine must be given `SpineAccounts.users`."""

    def __init__(self, registry: Registry, audit: Audit) -> None:
        self._registry = registry
        self._audit = audit

    def add(self, name: str, *, publish: Sequence[str] = (), subscribe: Sequence[str] = (), by: str) -> IssuedDevice:
        """A new credential. Raises `AccountError`, `TakenNameError`, or `TopicFilterError` with the filter that is wrong."""
        if not _NAME.match(name):
            raise AccountError(
                f"{name[:80]!r} cannot be a device's name", hint="letters, digits, '_', '.', ':', '@' and '-', at most 128"
            )
        if name in set(map(str, Component)):
            raise TakenNameError(f"'{name}' is a component of the platform", hint="choose another name")
        if not publish and not subscribe:
            raise TopicFilterError("a device without a topic can do nothing")
        if len(publish) + len(subscribe) > _MOST_FILTERS:
            raise TopicFilterError(f"a device has at most {_MOST_FILTERS} topic filters")
        for topic_filter in (*publish, *subscribe):
            subjects_of(topic_filter)
        password = random_password(24)
        device = Device(name=name, publish=tuple(publish), subscribe=tuple(subscribe), enabled=True, created=time.time_ns())
        values = msgspec.structs.asdict(device) | {"publish": list(publish), "subscribe": list(subscribe)}
        with self._registry.write() as connection:
            try:
                connection.execute(tables.device.insert().values(password_hash=_hash(password), **values))
            except IntegrityError as error:
                raise TakenNameError(f"there is already a device '{name}'") from error
            details = {"did": "added", "publish": list(publish), "subscribe": list(subscribe)}
            self._audit.within(connection, by, Action.CREDENTIALS_WRITE, f"device:{name}", details=details)
        return IssuedDevice(password=password, device=device)

    def renew(self, name: str, *, by: str) -> IssuedDevice:
        """A new password for the device; the old one ends when the spine is reloaded. Raises `UnknownAccountError`."""
        password = random_password(24)
        self._update(name, by, "renewed", password_hash=_hash(password))
        device = self.get(name)
        if device is None:
            raise UnknownAccountError(f"there is no device '{name[:80]}'")
        return IssuedDevice(password=password, device=device)

    def enable(self, name: str, enabled: bool, *, by: str) -> None:
        """Lets the device in or keeps it out, without forgetting it. Raises `UnknownAccountError`."""
        self._update(name, by, "enabled" if enabled else "disabled", enabled=enabled)

    def remove(self, name: str, *, by: str) -> None:
        """Revokes the credential. Raises `UnknownAccountError`."""
        with self._registry.write() as connection:
            if not connection.execute(tables.device.delete().where(tables.device.c.name == name)).rowcount:
                raise UnknownAccountError(f"there is no device '{name[:80]}'")
            self._audit.within(connection, by, Action.CREDENTIALS_WRITE, f"device:{name}", details={"did": "removed"})

    def get(self, name: str) -> Device | None:
        """The device of this name; None where there is none."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.device).where(tables.device.c.name == name)).first()
            return _device(row) if row else None

    def spine_users(self) -> list[SpineUser]:
        """The enabled devices, as the spine admits them."""
        query = sa.select(tables.device).where(tables.device.c.enabled).order_by(tables.device.c.name)
        with self._registry.read() as connection:
            return [
                SpineUser(
                    name=row.name,
                    password_hash=row.password_hash,
                    publish=_subjects(row.publish),
                    subscribe=(*_subjects(row.subscribe), "$MQTT.sub.>", "$MQTT.deliver.>"),
                    device=True,
                )
                for row in connection.execute(query)
            ]

    def _update(self, name: str, by: str, did: str, **values: Any) -> None:
        with self._registry.write() as connection:
            if not connection.execute(tables.device.update().where(tables.device.c.name == name).values(**values)).rowcount:
                raise UnknownAccountError(f"there is no device '{name[:80]}'")
            self._audit.within(connection, by, Action.CREDENTIALS_WRITE, f"device:{name}", details={"did": did})

    def list(self) -> list[Device]:
        """Every device, by name."""
        with self._registry.read() as connection:
            return [_device(row) for row in connection.execute(sa.select(tables.device).order_by(tables.device.c.name))]


def subjects_of(topic_filter: str) -> tuple[str, ...]:
    """The subjects an MQTT topic filter stands for on the spine.

    The first level must be plain and not one of the platform's own, so that no device reaches another's acknowledgements,
    the samples of a connector or the server's interfaces. Raises `TopicFilterError`.

    >>> subjects_of("spBv1.0/+/NDATA/#")
    ('spBv1//0.*.NDATA.>', 'spBv1//0.*.NDATA')
    """
    levels = topic_filter.split("/")
    if len(topic_filter.encode()) > _LONGEST_FILTER:
        raise TopicFilterError(f"a topic filter is longer than {_LONGEST_FILTER} bytes")
    for position, level in enumerate(levels):
        if not level:
            raise TopicFilterError(f"'{topic_filter}' has an empty level")
        if ("+" in level or "#" in level) and level not in ("+", "#"):
            raise TopicFilterError(f"'{topic_filter}' has a wildcard inside a level")
        if level == "#" and position != len(levels) - 1:
            raise TopicFilterError(f"'{topic_filter}' has '#' before its end")
        if any(character in "*> \x7f" or character < " " for character in level):
            raise TopicFilterError(f"{topic_filter!r} holds a character that no subject carries")
    first = levels[0]
    if first in ("+", "#"):
        raise TopicFilterError(f"'{topic_filter}' begins with a wildcard: it would reach the platform's own subjects")
    if first == "hl" or first.startswith(("$", "_INBOX", "_R_")):
        raise TopicFilterError(f"'{topic_filter}' reaches into the platform's own subjects")
    subject = ".".join({"+": "*", "#": ">"}.get(level) or level.replace(".", "//") for level in levels)
    return (subject, subject.removesuffix(".>")) if subject.endswith(".>") else (subject,)


def _subjects(filters: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subject for topic_filter in filters for subject in subjects_of(topic_filter)))


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()


def _device(row: Row[Any]) -> Device:
    return Device(
        name=row.name, publish=tuple(row.publish), subscribe=tuple(row.subscribe), enabled=row.enabled, created=row.created
    )
