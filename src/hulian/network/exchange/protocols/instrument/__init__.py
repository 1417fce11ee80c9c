"""Instruments that are driven from their description in InstrumentML: commands out, answers to columns."""

from hulian.network.exchange.protocols.instrument.protocol import InstrumentProtocol

__all__ = ["protocol"]

protocol = InstrumentProtocol()
