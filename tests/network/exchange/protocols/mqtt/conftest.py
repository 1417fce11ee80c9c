"""A sink that remembers, and a source of this process."""

from __future__ import annotations

import pytest
from hypothesis import settings
from mqtt_support import RecordingSink

from hulian.network.exchange.protocols.mqtt.simulator import LocalSource

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def source() -> LocalSource:
    return LocalSource()
