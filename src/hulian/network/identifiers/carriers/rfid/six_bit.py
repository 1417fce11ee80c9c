"""Text in six bits a character, as the supply-chain standards put it into tags (ISO 17364 to 17367, annex of the table).

A character's two highest bits are left away: ``@A…Z[\\]`` are 0 to 29, space to ``?`` are 32 to 63. Five places stand for
separators instead: GS 30, RS 31, EOT 33, FS 35, US 36, so that ``^ _ ! # $`` have no code. Bits to fill up a word
are ``10 00 00 …``, which reads as spaces behind the end.
"""

from __future__ import annotations

from typing import Final

from hulian.network.identifiers.carriers.errors import TagError, UncarriableError

__all__ = ["decode", "encode"]

_SEPARATORS: Final = {30: "\x1d", 31: "\x1e", 33: "\x04", 35: "\x1c", 36: "\x1f"}
_CHARACTERS: Final = tuple(_SEPARATORS.get(value, chr(value + 64) if value < 32 else chr(value)) for value in range(64))
_VALUES: Final = {character: value for value, character in enumerate(_CHARACTERS)}
_END: Final = 33
_SPACE: Final = 32


def encode(text: str, *, unit: int = 16, ended: bool = False) -> bytes:
    """``text`` filled up to a multiple of ``unit`` bits, behind an EOT if it is ``ended`` by one.

    Raises `UncarriableError` at the first character without a code.
    """
    number = 0
    for place, character in enumerate(text):
        value = _VALUES.get(character)
        if value is None or value == _END:
            raise UncarriableError(
                f"{character!r} has no code of six bits",
                rule="six-bit.characters",
                position=place,
                hint="capitals, digits and most signs have one; octets carry the rest",
            )
        number = number << 6 | value
    if ended:
        number = number << 6 | _END
    elif text.endswith(" "):
        raise UncarriableError("a space at the end would be read as filling", rule="six-bit.end", position=len(text) - 1)
    length = 6 * (len(text) + ended)
    spare = -length % unit
    filling = int("100000" * (spare // 6 + 1), 2) >> (6 * (spare // 6 + 1) - spare) if spare else 0
    return (number << spare | filling).to_bytes((length + spare) // 8, "big")


def decode(data: bytes) -> str:
    """The inverse; EOT ends the text, and so does the filling. Raises `TagError` where what is left over is no filling."""
    number, length = int.from_bytes(data, "big"), 8 * len(data)
    values = [number >> (length - 6 * (place + 1)) & 63 for place in range(length // 6)]
    if _END in values:
        return "".join(_CHARACTERS[value] for value in values[: values.index(_END)])
    rest = length % 6
    if rest and number & ((1 << rest) - 1) not in (0, 1 << (rest - 1)):
        raise TagError("the bits behind the last character are no filling", rule="six-bit.filling", position=len(data) - 1)
    while values and values[-1] == _SPACE:
        values.pop()
    return "".join(_CHARACTERS[value] for value in values)
