"""What a person may configure of the demo plant."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hulian.demo.errors import DemoConfigurationError

__all__ = ["DemoConfiguration", "ModbusServer", "MqttDevice", "OpcuaServer", "ServicePort"]

_Port = Annotated[int, Meta(ge=1, le=65535)]


class OpcuaServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The OPC UA server of reactor and separator."""

    port: Annotated[_Port, Meta(description="TCP port of the OPC UA server")] = 4841
    user: Annotated[str, Meta(description="user who may log in; empty: anybody, which needs a loopback address")] = ""
    password: Annotated[str, Meta(description="reference to that user's password, e.g. secret:demo-opcua")] = ""
    encryption: Annotated[
        bool, Meta(description="true: only encrypted channels; false: unencrypted ones too, which needs a loopback address")
    ] = False


class ModbusServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Modbus TCP server of the stripper."""

    port: Annotated[_Port, Meta(description="TCP port of the Modbus server")] = 5020
    device: Annotated[int, Meta(ge=1, le=247, description="device (unit) number that answers")] = 1


class MqttDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Sparkplug B edge node of the analysers; it publishes only where a user is given."""

    host: Annotated[str, Meta(description="MQTT server to publish to")] = "127.0.0.1"
    port: Annotated[_Port, Meta(description="TCP port of the MQTT server")] = 1883
    user: Annotated[str, Meta(description="device credential's name; empty: the analysers do not publish")] = ""
    password: Annotated[str, Meta(description="reference to the device credential's password")] = ""
    group: Annotated[str, Meta(min_length=1, pattern=r"^[^/+#]+$", description="Sparkplug group")] = "TennesseeEastman"
    node: Annotated[str, Meta(min_length=1, pattern=r"^[^/+#]+$", description="Sparkplug edge node")] = "Analysers"
    qos: Annotated[
        Literal[0, 1],
        Meta(description="1: nothing is lost while a reader restarts; 0: as Sparkplug 3.0 prescribes, at most once"),
    ] = 1
    certificate_authority: Annotated[str, Meta(description="file of the CA certificate where the server speaks TLS")] = ""


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The service port of the process gas chromatograph, the instrument behind the three analyses."""

    port: Annotated[_Port, Meta(description="TCP port of the chromatograph's service port, always on loopback")] = 5025


class DemoConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Tennessee Eastman process, simulated live behind real protocol servers."""

    host: Annotated[str, Meta(description="address on which the servers listen")] = "127.0.0.1"
    speed: Annotated[float, Meta(ge=1.0, le=600.0, description="seconds of the process per second of the clock")] = 60.0
    period: Annotated[float, Meta(ge=0.1, le=60.0, description="seconds of the clock between two values of an instrument")] = (
        1.0
    )
    seed: Annotated[int, Meta(ge=0, description="the same seed gives the same noise and the same random disturbances")] = 1
    restart_after: Annotated[
        float, Meta(ge=1.0, le=3600.0, description="seconds of the clock that a tripped plant stands still before it restarts")
    ] = 20.0
    state: Annotated[
        str, Meta(description="directory that keeps the OPC UA server's certificate; empty: a new one at each start")
    ] = ""
    opcua: OpcuaServer = OpcuaServer()
    modbus: ModbusServer = ModbusServer()
    mqtt: MqttDevice = MqttDevice()
    service: ServicePort = ServicePort()

    def __post_init__(self) -> None:
        if bool(self.opcua.user) != bool(self.opcua.password):
            raise DemoConfigurationError(
                "user and password belong together",
                place="opcua.user",
                hint="set both or neither of opcua.user, opcua.password",
            )
        if not self.loopback and not (self.opcua.user and self.opcua.encryption):
            raise DemoConfigurationError(
                f"the OPC UA server would be open to everybody who can reach {self.host}",
                place="host",
                hint="set opcua.encryption = true and an opcua.user, or listen on 127.0.0.1",
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the servers."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
