"""What can go wrong between us and a described instrument.

HulianError
└── InstrumentError           HL-INSTRUMENT-0000
    ├── AddressError          HL-INSTRUMENT-0001   an address or URL that the syntax does not know (a `ConfigurationError` too)
    ├── OptionError           HL-INSTRUMENT-0002   a setting or option that does not fit (likewise)
    ├── DescriptionError      HL-INSTRUMENT-0003   a description that cannot be driven (likewise)
    ├── DirectoryError        HL-INSTRUMENT-0004   a description outside the directories that may be read (likewise)
    ├── ReachError            HL-INSTRUMENT-0010   no connection
    ├── LostError             HL-INSTRUMENT-0011   the connection ended
    ├── SilenceError          HL-INSTRUMENT-0012   no answer within its time
    ├── GarbageError          HL-INSTRUMENT-0013   an answer that the description does not have
    ├── RefusedError          HL-INSTRUMENT-0020   the instrument answers with an error
    ├── RangeError            HL-INSTRUMENT-0021   a value outside what the description allows
    └── NotTakenError         HL-INSTRUMENT-0022   the instrument shows another value than was written
"""

from __future__ import annotations

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "AddressError",
    "DescriptionError",
    "DirectoryError",
    "GarbageError",
    "InstrumentError",
    "LostError",
    "NotTakenError",
    "OptionError",
    "RangeError",
    "ReachError",
    "RefusedError",
    "SilenceError",
]


class InstrumentError(HulianError):
    """The root of this protocol's errors."""

    code = "HL-INSTRUMENT-0000"


class AddressError(InstrumentError, ConfigurationError):
    """An address or URL that the syntax does not know, or a name that the description does not have."""

    code = "HL-INSTRUMENT-0001"
    default_hint = "write MESSAGE/FIELD or BUNDLE/BUFFER as the description names them; 'hulian browse' lists them"


class OptionError(InstrumentError, ConfigurationError):
    """A setting or option that does not fit."""

    code = "HL-INSTRUMENT-0002"
    default_hint = "the README of instrument lists settings and options"


class DescriptionError(InstrumentError, ConfigurationError):
    """A description that cannot be driven."""

    code = "HL-INSTRUMENT-0003"
    default_hint = "the README of instrument has the grammar of Format and Parse"


class DirectoryError(InstrumentError, ConfigurationError):
    """A description outside the directories that may be read."""

    code = "HL-INSTRUMENT-0004"
    default_hint = "name the directory under 'directories' in the section [edge] of hulian.toml of the edge's machine"


class ReachError(InstrumentError):
    """No connection."""

    code = "HL-INSTRUMENT-0010"
    default_hint = "check address, port, cable and power of the instrument; it is tried again by itself"


class LostError(InstrumentError):
    """The connection ended."""

    code = "HL-INSTRUMENT-0011"
    default_hint = "it is dialled again by itself; where it happens often, check cable and power"


class SilenceError(InstrumentError):
    """No answer within its time."""

    code = "HL-INSTRUMENT-0012"
    default_hint = "check the terminator in the description, the settings of the line, and the timeout of the message"


class GarbageError(InstrumentError):
    """An answer that the description does not have."""

    code = "HL-INSTRUMENT-0013"
    default_hint = "compare the answer with the Parse records of the description, and check the settings of the line"


class RefusedError(InstrumentError):
    """The instrument answers with an error."""

    code = "HL-INSTRUMENT-0020"
    default_hint = "the manual of the instrument explains its errors"


class RangeError(InstrumentError):
    """A value outside what the description allows."""

    code = "HL-INSTRUMENT-0021"
    default_hint = "nothing was sent; write a value that the description allows"


class NotTakenError(InstrumentError):
    """The instrument shows another value than was written."""

    code = "HL-INSTRUMENT-0022"
    default_hint = "it may be in a mode that does not take settings; 'verify: false' writes without reading back"
