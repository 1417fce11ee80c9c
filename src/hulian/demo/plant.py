"""The demo plant as a component: one simulation, four real protocol servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

import anyio
import anyio.lowlevel
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from hulian.demo.configuration import DemoConfiguration
from hulian.demo.errors import DemoConfigurationError
from hulian.demo.live import LivePlant
from hulian.kernel.configuration import resolve_secret

__all__ = ["DemoPlant"]

_STEPS_AT_ONCE: Final = 20


class DemoPlant:
    """The Tennessee Eastman process behind OPC UA, Modbus TCP, MQTT and a service port; a `hulian.kernel.lifecycle.Component`.

    ``stored`` reads secrets that the configuration names as ``secret:NAME``. `run` says that it has started when all
    servers listen; the analysers connect to their MQTT server by themselves, whenever it is there.
    """

    name = "demo"

    def __init__(self, configuration: DemoConfiguration, *, stored: Callable[[str], str | None] | None = None) -> None:
        if configuration.mqtt.user and not configuration.mqtt.password:
            raise DemoConfigurationError(
                "the analysers have a user but no password",
                place="mqtt.password",
                hint="give a reference to the device credential's password, e.g. 'secret:demo-analysers'",
            )
        self._configuration = configuration
        self._opcua_password = resolve_secret(configuration.opcua.password, stored) if configuration.opcua.password else ""
        self._mqtt_password = resolve_secret(configuration.mqtt.password, stored) if configuration.mqtt.password else ""
        self.plant = LivePlant(speed=configuration.speed, seed=configuration.seed, restart_after=configuration.restart_after)

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Raises a `DemoError` where a server cannot listen."""
        # Here, because the protocol libraries weigh sixty megabytes and who only plans needs none of them.
        from hulian.demo.analysers import run_analysers
        from hulian.demo.modbus import serve_modbus
        from hulian.demo.opcua import serve_opcua
        from hulian.demo.service import serve_chromatograph

        async with AsyncExitStack() as stack:
            modbus = await stack.enter_async_context(serve_modbus(self._configuration, self.plant))
            opcua = await stack.enter_async_context(serve_opcua(self._configuration, self.plant, self._opcua_password))
            await stack.enter_async_context(serve_chromatograph(self._configuration, self.plant))
            analysers = await stack.enter_async_context(
                run_analysers(self._configuration.mqtt, self.plant, self._mqtt_password)
            )
            task_status.started()
            period = self._configuration.period
            next_tick = time.monotonic()
            while True:
                await self._advance()
                self.plant.watch(time.monotonic())
                await opcua.publish(datetime.now(UTC))
                await modbus.publish()
                if analysers is not None:
                    analysers.publish(time.time_ns() // 1_000_000)
                now = time.monotonic()
                next_tick = max(next_tick + period, now)
                await anyio.sleep(next_tick - now)

    async def _advance(self) -> None:
        """Let the process follow the clock, in slices between which the servers answer."""
        left = self.plant.due(time.monotonic())
        while left > 0:
            slice_ = min(left, _STEPS_AT_ONCE)
            self.plant.advance(slice_)
            left -= slice_
            await anyio.lowlevel.checkpoint()
