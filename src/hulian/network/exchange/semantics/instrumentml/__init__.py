"""InstrumentML: NASA's Instrument Markup Language (IML), read in both of its spellings and written in the later one."""

from hulian.network.exchange.semantics.instrumentml.format import FORMAT

__all__ = ["FORMAT"]
