"""Modbus TCP: registers to columns, and set-points back."""

from hulian.network.exchange.protocols.modbus.protocol import ModbusProtocol

__all__ = ["protocol"]

protocol = ModbusProtocol()
