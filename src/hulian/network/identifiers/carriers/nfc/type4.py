"""The two files of a Type 4 tag (NFC Forum T4T 2.0): the capability container E103h and the file of the message."""

from __future__ import annotations

from typing import Final, NamedTuple

from hulian.network.identifiers.carriers.errors import CapacityError, NdefError

__all__ = ["MESSAGE_FILE", "Type4", "decode_type4", "encode_type4"]

MESSAGE_FILE: Final = 0xE104
"""The file identifier that is usual for the message."""

_CONTAINER: Final = 15
_VERSION: Final = 0x20
_CONTROL: Final = b"\x04\x06"
_RESERVED: Final = (0x0000, 0xE102, 0xE103, 0x3F00, 0x3FFF, 0xFFFF)
_CLOSED: Final = 0xFF
_LARGEST: Final = 0xFFFE
_READ, _WRITE = 0x00FF, 0x00FF


class Type4(NamedTuple):
    """``container`` is file E103h; ``file`` the one that it names, ``file_id``; ``size`` how much that can hold."""

    container: bytes
    file: bytes
    file_id: int
    size: int
    locked: bool

    @property
    def message(self) -> bytes:
        """The message in the file; empty where the tag is prepared and holds none."""
        return self.file[2 : 2 + int.from_bytes(self.file[:2], "big")]


def encode_type4(message: bytes, size: int = 2048, *, file_id: int = MESSAGE_FILE, locked: bool = False) -> Type4:
    """The files of a tag whose message file has ``size`` octets, two of them for the length of the message."""
    if not 5 <= size <= _LARGEST or file_id in _RESERVED or not 0 <= file_id <= 0xFFFF:
        raise NdefError("a file has 5 to 65,534 octets and an identifier that is not reserved", rule="type4.file")
    if len(message) > size - 2:
        raise CapacityError(f"{len(message)} octets; the file holds {size - 2}", rule="type4.length", position=size - 2)
    access = bytes([0, _CLOSED if locked else 0])
    control = _CONTROL + file_id.to_bytes(2, "big") + size.to_bytes(2, "big") + access
    head = _CONTAINER.to_bytes(2, "big") + bytes([_VERSION]) + _READ.to_bytes(2, "big") + _WRITE.to_bytes(2, "big")
    return Type4(head + control, len(message).to_bytes(2, "big") + message, file_id, size, locked)


def decode_type4(container: bytes, file: bytes) -> Type4:
    """Checks the two files against each other. Positions in errors are octets of the file that the rule names."""
    if len(container) < _CONTAINER or int.from_bytes(container[:2], "big") < _CONTAINER:
        raise NdefError("a capability container has 15 octets", rule="type4.container", position=len(container))
    if container[2] >> 4 not in (1, 2, 3):
        raise NdefError(f"version {container[2] >> 4} of the mapping", rule="type4.container", position=2)
    if container[7:9] != _CONTROL:
        raise NdefError("the container does not begin with the control of a message file", rule="type4.container", position=7)
    file_id, size = int.from_bytes(container[9:11], "big"), int.from_bytes(container[11:13], "big")
    if file_id in _RESERVED or not 5 <= size <= _LARGEST:
        raise NdefError(f"a file {file_id:04X} of {size} octets", rule="type4.container", position=9)
    if len(file) < 2:
        raise NdefError("the file ends inside its length", rule="type4.message", position=len(file))
    length = int.from_bytes(file[:2], "big")
    if length > min(size, len(file)) - 2:
        raise NdefError(
            f"the message has {length} octets, the file {min(size, len(file)) - 2}", rule="type4.message", position=0
        )
    return Type4(container[:_CONTAINER], file, file_id, size, container[14] != 0)
