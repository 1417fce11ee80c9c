"""Bank 01 of a Gen2 tag: what names the thing (Gen2 air interface 2.1, section 6.3.2.1.2).

    00h  CRC-16 over what follows, as far as the length says
    10h  protocol control: length in words (5 bits), user memory indicator, XPC indicator, toggle, eight bits more
    20h  the EPC, or with the toggle set a code of ISO/IEC 15459 under an application family identifier (AFI)
   210h  extended protocol control, one or two words, where its indicator is set

With the toggle clear the eight bits are attributes (TDS 1.13, section 11), with it set they are the AFI (ISO/IEC 15961-3).
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Final, Literal

from hulian.network.identifiers.carriers.errors import CapacityError, CarrierError, TagError
from hulian.network.identifiers.carriers.rfid import six_bit
from hulian.network.identifiers.schemes import Code, Epc, recognise
from hulian.network.identifiers.schemes.errors import SchemeError, UnrecognisedError

__all__ = ["AFI_PRODUCT", "EpcBank", "crc16"]

AFI_PRODUCT: Final = 0xA1
"""Products in the supply chain, without dangers (ISO 17367). A2 to AB are its siblings for packages, transport units, …"""

_MOST_WORDS: Final = 31
_MOST_WORDS_EXTENDED: Final = 29
_XPC_AT: Final = 0x210 // 8
_DATA_IDENTIFIER: Final = 3
_TWO_WORDS: Final = 0x80
"""The first bit of the first word of extended protocol control: another follows."""

Coding = Literal["six-bit", "octets"]


def crc16(data: bytes) -> int:
    """The CRC-16 of ISO/IEC 13239 that Gen2 has: polynomial 1021h, preset FFFFh, inverted.

    >>> hex(crc16(bytes.fromhex("100011223344")))
    '0x3658'
    """
    return binascii.crc_hqx(data, 0xFFFF) ^ 0xFFFF


@dataclass(frozen=True, slots=True)
class EpcBank:
    """What a tag says of itself.

    ``content`` is the EPC or ISO code in whole words of 16 bits; ``family`` the AFI where ``toggle`` is set, otherwise the
    attribute bits; ``user_memory`` whether bank 11 holds something; ``xpc`` extended protocol control, 0, 2 or 4 octets.

    >>> from hulian.network.identifiers.schemes import Epc
    >>> bank = EpcBank.of_epc(Epc.parse("urn:epc:tag:sgtin-96:3.0614141.812345.6789"))
    >>> bank.encode().hex()
    'aaf930003074257bf7194e4000001a85'
    """

    content: bytes
    toggle: bool = False
    family: int = 0
    user_memory: bool = False
    xpc: bytes = b""

    def __post_init__(self) -> None:
        most = _MOST_WORDS_EXTENDED if self.xpc else _MOST_WORDS
        if len(self.content) % 2:
            raise TagError("the code ends inside a word", rule="epc-bank.words", position=len(self.content))
        if len(self.content) > 2 * most:
            raise CapacityError(
                f"{len(self.content) // 2} words; bank 01 has {most} for a code", rule="epc-bank.length", position=2 * most
            )
        if not 0 <= self.family <= 0xFF:
            raise TagError(f"{self.family} is no octet", rule="epc-bank.family")
        if self.xpc and len(self.xpc) != (4 if self.xpc[0] & _TWO_WORDS else 2):
            raise TagError(
                "extended protocol control has one word, or two where the first bit says so",
                rule="epc-bank.xpc",
                position=len(self.xpc),
            )

    @classmethod
    def of_epc(cls, epc: Epc, layout: str = "", filter_: int | None = None, *, user_memory: bool = False) -> EpcBank:
        """The bank of an electronic product code; ``layout`` and ``filter_`` as in `Epc.to_binary`."""
        return cls(epc.to_binary(layout, filter_), user_memory=user_memory)

    @classmethod
    def of_iso(
        cls,
        text: str,
        *,
        coding: Coding = "six-bit",
        family: int = AFI_PRODUCT,
        user_memory: bool = False,
    ) -> EpcBank:
        """The bank of a code of ISO/IEC 15459, such as a VAA code, with its data identifier in front if it has one.

        Six bits a character is what ISO 17367 asks for; lower case has no such code, and goes as UTF-8 octets with zeros up
        to a word, which is no published form: reader and writer must agree on it.
        """
        if coding == "six-bit":
            return cls(six_bit.encode(text), toggle=True, family=family, user_memory=user_memory)
        octets = text.encode()
        if "\0" in text:
            raise TagError("a zero in the text would be read as filling", rule="epc-bank.text", position=text.index("\0"))
        return cls(octets + b"\0" * (len(octets) % 2), toggle=True, family=family, user_memory=user_memory)

    @classmethod
    def decode(cls, data: bytes) -> EpcBank:
        """Reads the bank from bit 00h on, however much of it was read beyond the code; checks the CRC."""
        if len(data) < 4:
            raise TagError("bank 01 begins with CRC and protocol control", rule="epc-bank.length", position=len(data))
        end = 4 + 2 * (data[2] >> 3)
        if len(data) < end:
            raise TagError(f"the length says {end} octets, there are {len(data)}", rule="epc-bank.length", position=len(data))
        stored, sum_ = int.from_bytes(data[:2], "big"), crc16(data[2:end])
        if stored != sum_:
            raise TagError(f"the CRC is {stored:04X}, the contents ask for {sum_:04X}", rule="epc-bank.crc", position=0)
        xpc = b""
        if data[2] & 2:
            xpc = data[_XPC_AT : _XPC_AT + 2]
            if len(xpc) == 2 and xpc[0] & _TWO_WORDS:
                xpc = data[_XPC_AT : _XPC_AT + 4]
            if len(xpc) < 2:
                raise TagError("extended protocol control is indicated and was not read", rule="epc-bank.xpc", position=_XPC_AT)
        return cls._of_control(data[2:4], data[4:end], xpc)

    @classmethod
    def inventoried(cls, data: bytes) -> EpcBank:
        """Reads what a tag answers to an inventory: protocol control, extended if indicated, and the code, without CRC."""
        if len(data) < 2:
            raise TagError("an answer begins with protocol control", rule="epc-bank.length", position=len(data))
        begin = 2
        if data[0] & 2:
            begin = 6 if data[2:3] and data[2] & _TWO_WORDS else 4
        # Whether the length counts the words of extended protocol control in an answer depends on the tag's release of Gen2.
        counted = 2 * (data[0] >> 3)
        if len(data) not in (begin + counted, 2 + counted) or len(data) < begin:
            raise TagError(
                f"the length says {counted} octets behind protocol control, there are {len(data) - 2}",
                rule="epc-bank.length",
                position=len(data),
            )
        return cls._of_control(data[:2], data[begin:], data[2:begin])

    def encode(self) -> bytes:
        """The bank from bit 00h on, with zeros between the code and extended protocol control where there is one."""
        control = (len(self.content) // 2) << 11 | self.user_memory << 10 | bool(self.xpc) << 9 | self.toggle << 8 | self.family
        guarded = control.to_bytes(2, "big") + self.content
        bank = crc16(guarded).to_bytes(2, "big") + guarded
        return bank.ljust(_XPC_AT, b"\0") + self.xpc if self.xpc else bank

    def iso_text(self, coding: Coding) -> str:
        """The text of a code of ISO/IEC 15459. Raises `TagError` where the octets are none in this coding."""
        if coding == "six-bit":
            return six_bit.decode(self.content)
        try:
            return self.content.rstrip(b"\0").decode()
        except UnicodeDecodeError as error:
            raise TagError("the octets are no text", rule="epc-bank.text", position=4 + error.start) from None

    def code(self) -> Code:
        """What the bank names. With the toggle clear an EPC; with it set a code in six bits a character, or else in octets.

        A data identifier (``25S`` and the like) in front is passed over where the code is recognised behind it. Raises
        `SchemeError` where nothing is recognised.
        """
        if not self.toggle:
            return Epc.from_binary(self.content)
        codings: tuple[Coding, Coding] = ("six-bit", "octets")
        for coding in codings:
            try:
                text = self.iso_text(coding)
            except CarrierError:
                continue
            digits = len(text) - len(text.lstrip("0123456789"))
            behind = text[digits + 1 :] if 0 < digits <= _DATA_IDENTIFIER and text[digits : digits + 1].isalpha() else ""
            for reading in filter(None, (behind, text)):
                try:
                    return recognise(reading)
                except SchemeError:
                    continue
        raise UnrecognisedError(
            f"the code under AFI {self.family:02X} is nothing that is known here: {self.content.hex()}", rule="epc-bank.code"
        )

    @classmethod
    def _of_control(cls, control: bytes, content: bytes, xpc: bytes) -> EpcBank:
        return cls(content, bool(control[0] & 1), control[1], bool(control[0] & 4), xpc)
