"""Memory of Gen2 tags: against what real tags answered, another maker's EPCs, and noise."""

from __future__ import annotations

import contextlib

import pytest
from epcpy.epc_schemes import giai, sgtin, sscc
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.carriers.errors import CapacityError, CarrierError, TagError, UncarriableError
from hulian.network.identifiers.carriers.rfid import six_bit
from hulian.network.identifiers.carriers.rfid.bank import EpcBank, crc16
from hulian.network.identifiers.carriers.rfid.user import decode_user, encode_user
from hulian.network.identifiers.schemes import Epc, recognise

SGTIN = "urn:epc:id:sgtin:0614141.812345.6789"
VAA = "VAA08810012345678/ABC123"


@pytest.mark.parametrize(
    ("memory", "content"),
    [
        # The whole EPC banks of two tags, as their reader showed them.
        ("41CB400000000000000000000000000000000000", "00" * 16),
        ("3658100011223344000000000000000000000000", "11223344"),
    ],
)
def test_banks_of_real_tags(memory, content):
    bank = EpcBank.decode(bytes.fromhex(memory))
    assert bank == EpcBank(bytes.fromhex(content))
    assert bytes.fromhex(memory).startswith(bank.encode())


def test_an_epc_stands_behind_crc_and_control():
    epc = Epc.parse(SGTIN)
    bank = EpcBank.of_epc(epc, "sgtin-96", 3, user_memory=True)
    octets = bank.encode()
    # Six words, user memory indicator, no toggle.
    assert octets[2:4] == bytes([0b00110_1_0_0, 0])
    assert octets[4:].hex() == "3074257bf7194e4000001a85"
    assert int.from_bytes(octets[:2], "big") == crc16(octets[2:])
    assert EpcBank.decode(octets + b"\xff" * 8) == bank
    assert EpcBank.inventoried(octets[2:]) == bank
    assert bank.code().identity == epc


@pytest.mark.parametrize(
    ("judge", "filters", "uri", "scheme"),
    [
        (sgtin.SGTIN, sgtin.SGTINFilterValue, SGTIN, "sgtin-96"),
        (sgtin.SGTIN, sgtin.SGTINFilterValue, "urn:epc:id:sgtin:0614141.812345.AB12", "sgtin-198"),
        (sscc.SSCC, sscc.SSCCFilterValue, "urn:epc:id:sscc:0614141.1234567890", "sscc-96"),
        (giai.GIAI, giai.GIAIFilterValue, "urn:epc:id:giai:0614141.12345400", "giai-96"),
    ],
)
def test_the_code_is_that_of_another_maker(judge, filters, uri, scheme):
    bits = judge(uri).binary(binary_coding_scheme=judge.BinaryCodingScheme(scheme), filter_value=filters("0"))
    words = -(-len(bits) // 16)
    bank = EpcBank.of_epc(Epc.parse(uri), scheme, 0)
    assert bank.content == int(bits.ljust(16 * words, "0"), 2).to_bytes(2 * words, "big")
    assert bank.encode()[2] >> 3 == words
    assert EpcBank.decode(bank.encode()).code().identity == Epc.parse(uri)


def test_a_vaa_code_has_toggle_and_family():
    bank = EpcBank.of_iso("25S" + VAA)
    octets = bank.encode()
    assert octets[2] & 1
    assert octets[3] == 0xA1
    read = EpcBank.decode(octets)
    assert read.iso_text("six-bit") == "25S" + VAA
    assert read.code() == recognise(VAA)
    assert EpcBank.of_iso(VAA, family=0xA2).code() == recognise(VAA)


def test_lower_case_goes_as_octets():
    lower = "VAA08810012345678/abc123"
    with pytest.raises(UncarriableError) as raised:
        EpcBank.of_iso(lower)
    assert (raised.value.rule, raised.value.position) == ("six-bit.characters", 18)
    bank = EpcBank.decode(EpcBank.of_iso(lower, coding="octets").encode())
    assert (bank.iso_text("octets"), bank.code()) == (lower, recognise(lower))
    assert EpcBank.of_iso("88.111.1/ITEM7", coding="octets").code() == recognise("88.111.1/ITEM7")


@pytest.mark.parametrize("xpc", ["0100", "80010002"])
def test_extended_control_stands_behind_the_code_and_goes_before_it_on_the_air(xpc):
    bank = EpcBank(bytes.fromhex("3074257bf7194e4000001a85"), xpc=bytes.fromhex(xpc))
    octets = bank.encode()
    assert octets[2] & 2
    assert octets[0x42:].hex() == xpc
    assert EpcBank.decode(octets) == bank
    assert EpcBank.inventoried(octets[2:4] + bank.xpc + bank.content) == bank


@pytest.mark.parametrize(
    ("memory", "rule"),
    [
        ("41CB40", "epc-bank.length"),
        ("41CB4000", "epc-bank.length"),
        ("365910001122334400", "epc-bank.crc"),
        ("365810001122334500", "epc-bank.crc"),
    ],
)
def test_damage_is_told(memory, rule):
    with pytest.raises(TagError) as raised:
        EpcBank.decode(bytes.fromhex(memory))
    assert raised.value.rule == rule


def test_control_that_is_indicated_must_be_there():
    octets = EpcBank(b"\x12\x34", xpc=b"\x01\x00").encode()
    with pytest.raises(TagError) as raised:
        EpcBank.decode(octets[:0x42])
    assert (raised.value.rule, raised.value.position) == ("epc-bank.xpc", 0x42)


@pytest.mark.parametrize(
    "wrong",
    [{"content": b"1"}, {"content": b"1" * 64}, {"content": b"1" * 60, "xpc": b"\1\0"}, {"content": b"", "xpc": b"\x80\0"}],
)
def test_what_no_bank_holds_is_refused(wrong):
    with pytest.raises(CarrierError):
        EpcBank(**wrong)


BANKS = st.builds(
    EpcBank,
    st.binary(max_size=58).filter(lambda octets: len(octets) % 2 == 0),
    st.booleans(),
    st.integers(0, 255),
    st.booleans(),
    st.sampled_from([b"", b"\x01\x00", b"\x80\x01\x00\x02"]),
)


@given(BANKS, st.binary(max_size=8))
def test_any_bank_comes_back(bank, behind):
    octets = bank.encode()
    assert EpcBank.decode(octets + behind) == bank
    assert EpcBank.inventoried(octets[2:4] + bank.xpc + bank.content) == bank


@given(BANKS.filter(lambda bank: bank.content), st.data())
def test_one_wrong_bit_is_always_found(bank, data):
    octets = bytearray(bank.encode()[: 4 + len(bank.content)])
    place = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[place // 8] ^= 0x80 >> place % 8
    with pytest.raises(TagError):
        EpcBank.decode(bytes(octets))


SIX_BIT = st.text(sorted({chr(value) for value in range(32, 96)} - set("!#$^_") | {"\x1d"}), max_size=60)


@given(SIX_BIT.filter(lambda text: not text.endswith(" ")))
def test_six_bits_a_character_come_back(text):
    for unit in (8, 16):
        assert six_bit.decode(six_bit.encode(text, unit=unit)) == text
        assert six_bit.decode(six_bit.encode(text, unit=unit, ended=True)) == text


def test_the_six_bits_are_those_of_the_table():
    """A is 000001, 0 is 110000; what is left of a word is filled with 10 00 00."""
    assert six_bit.encode("A0") == bytes([0b00000111, 0b0000_1000])
    assert six_bit.encode("[]", ended=True) == bytes([0b01101101, 0b1101_1000, 0b01_100000, 0b10_000010])


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        # What another implementation of ISO 17365 and ISO 17363 makes of these codes; the second ends in two bits of filling.
        ("25SUN043325711MH8031200000000001", "cb54d53b0d33cf2d77c71348e30cf1cb0c30c30c30c30c31"),
        ("7BCSQU3054383", "dc20d3455cf0d74cf8ce"),
    ],
)
def test_codes_of_another_maker(text, octets):
    assert six_bit.encode(text).hex() == octets
    assert six_bit.decode(bytes.fromhex(octets)) == text


@given(SIX_BIT)
def test_user_memory_comes_back(text):
    bank = encode_user(text)
    assert bank[:2] == b"\x03\x46"
    assert len(bank) % 2 == 0
    assert decode_user(bank + b"\0" * 6) == text


def test_user_memory_of_other_forms_is_named():
    assert decode_user(b"") == decode_user(b"\0" * 8) == ""
    assert decode_user(encode_user("A" * 1000)) == "A" * 1000
    for octets, rule in (
        (b"\x8a\x00", "user-bank.format"),
        (b"\x03\x41\x01\x00", "user-bank.precursor"),
        (b"\x03\x46", "user-bank.length"),
        (b"\x03\x46\x09\x00", "user-bank.length"),
        (b"\x03\x46\xff", "user-bank.length"),
    ):
        with pytest.raises(TagError) as raised:
            decode_user(octets)
        assert raised.value.rule == rule
    with pytest.raises(TagError, match="packed objects"):
        decode_user(b"\x89\x00")
    with pytest.raises(CapacityError):
        encode_user("A" * 20_000)


@pytest.mark.fuzz
@given(st.binary(max_size=80))
def test_noise_is_refused_by_name(octets):
    for read in (EpcBank.decode, EpcBank.inventoried, decode_user, six_bit.decode):
        with contextlib.suppress(HulianError):
            found = read(octets)
            if isinstance(found, EpcBank):
                found.code()
    control = octets[:2] + b"\0\0"
    body = octets[2:]
    counted = bytes([(len(body) // 2 & 31) << 3 | control[0] & 7, control[1]]) + body[: 2 * (len(body) // 2 & 31)]
    with contextlib.suppress(HulianError):
        EpcBank.decode(crc16(counted).to_bytes(2, "big") + counted).code()
