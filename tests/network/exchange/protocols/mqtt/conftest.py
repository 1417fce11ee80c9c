"""A sink that remembers, and a source of this process."""

from __future__ import annotations

import pytest
from mqtt_support import RecordingSink

from hulian.network.exchange.protocols.mqtt.simulator import LocalSource


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def source() -> LocalSource:
    return LocalSource()
