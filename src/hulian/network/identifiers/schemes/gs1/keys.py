"""The GS1 identification keys: what they are made of, with check digits and check characters.

| kind | identifier | what it is made of |
|---|---|---|
| GTIN-8, -12, -13, -14 | (01) | indicator, company prefix, item reference, check digit; in 14 digits |
| SSCC | (00) | extension digit, company prefix, serial reference, check digit |
| GLN, GLN-PARTY | (414), (417) | company prefix, location reference, check digit |
| GRAI | (8003) | company prefix, asset type, check digit, serial (behind a filling zero) |
| GIAI | (8004) | company prefix, asset reference |
| GSRN, GSRN-P | (8018), (8017) | company prefix, service reference, check digit |
| GDTI | (253) | company prefix, document type, check digit, serial |
| GCN | (255) | company prefix, coupon reference, check digit, serial of digits |
| CPID | (8010) | company prefix, part reference |
| GINC | (401) | company prefix, consignment reference |
| GSIN | (402) | company prefix, shipper reference, check digit |
| GMN | (8013) | company prefix, model reference, two check characters |
| ITIP | (8006) | a GTIN-14, piece and total |

How long a company prefix is cannot be seen in a key (6 to 12 digits; GS1 gives them out): whoever knows it says it, and a
`Key` then tells prefix from reference. In a GTIN, the reference begins with the indicator digit, in an SSCC with the
extension digit, as in EPC URIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hulian.network.identifiers.schemes.checks import check_digit, check_pair, require_digits
from hulian.network.identifiers.schemes.errors import LengthError, SchemeError, UnknownError
from hulian.network.identifiers.schemes.gs1.content import check_value
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS

__all__ = ["KINDS", "Key", "key_of", "make_key", "parse_key"]


class _Kind(NamedTuple):
    ai: str
    digits: int
    """How many digits with the check digit, before serial or piece; 0 for keys without a fixed part."""
    leads: bool = False
    """The first digit belongs to the reference."""
    pair: bool = False
    filler: str = ""


KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "GTIN-8": _Kind("01", 14, leads=True),
        "GTIN-12": _Kind("01", 14, leads=True),
        "GTIN-13": _Kind("01", 14, leads=True),
        "GTIN-14": _Kind("01", 14, leads=True),
        "SSCC": _Kind("00", 18, leads=True),
        "GLN": _Kind("414", 13),
        "GLN-PARTY": _Kind("417", 13),
        "GRAI": _Kind("8003", 13, filler="0"),
        "GIAI": _Kind("8004", 0),
        "GSRN": _Kind("8018", 18),
        "GSRN-P": _Kind("8017", 18),
        "GDTI": _Kind("253", 13),
        "GCN": _Kind("255", 13),
        "CPID": _Kind("8010", 0),
        "GINC": _Kind("401", 0),
        "GSIN": _Kind("402", 17),
        "GMN": _Kind("8013", 0, pair=True),
        "ITIP": _Kind("8006", 14, leads=True),
    }
)
"""Every kind of key."""

_GTIN_LENGTHS: Final = {"GTIN-8": 8, "GTIN-12": 12, "GTIN-13": 13, "GTIN-14": 14}


class Key(NamedTuple):
    """A checked identification key. ``company_prefix`` is empty, and ``reference`` whole, where its length is not known."""

    kind: str
    value: str
    company_prefix: str
    reference: str
    check: str
    serial: str

    @property
    def code(self) -> GS1:
        """The key as GS1 data."""
        kind = KINDS[self.kind]
        return GS1.of([(kind.ai, kind.filler + _full(self.kind, self.value))])


def parse_key(kind: str, text: str, company_prefix_length: int = 0) -> Key:
    """Checks ``text`` as a key of this kind (`KINDS`), written without application identifier.

    >>> parse_key("GTIN-13", "9506000134352", 7).reference
    '013435'
    """
    layout = _layout(kind)
    if (length := _GTIN_LENGTHS.get(kind)) and len(text) != length:
        raise LengthError(f"a {kind} has {length} digits, not {len(text)}", rule=f"gs1.{kind.lower()}", position=len(text))
    full = _full(kind, text)
    added = len(full) - len(text) + len(layout.filler)
    try:
        check_value(APPLICATIONS[layout.ai], layout.filler + full)
    except SchemeError as error:
        raise error.moved(-added) if error.position is not None and error.position >= added else error from None
    if not layout.digits:
        body, check, serial = (full[:-2], full[-2:], "") if layout.pair else (full, "", "")
    else:
        body, check, serial = full[: layout.digits - 1], full[layout.digits - 1], full[layout.digits :]
    prefix, reference = _split(kind, layout, body, company_prefix_length)
    return Key(kind, text, prefix, reference, check, serial)


def make_key(kind: str, company_prefix: str, reference: str, serial: str = "") -> Key:
    """The key of these parts, with its check digit or characters; ``reference`` begins with indicator or extension digit.

    >>> make_key("SSCC", "0614141", "1234567890").value
    '106141412345678908'
    """
    layout = _layout(kind)
    _check_prefix(company_prefix)
    if layout.leads:
        body = reference[:1] + company_prefix + reference[1:]
    else:
        body = company_prefix + reference
    if layout.digits:
        require_digits(reference, f"gs1.{kind.lower()}", "the reference")
        if len(body) != layout.digits - 1:
            raise LengthError(
                f"company prefix and reference of a {kind} have {layout.digits - 1} digits together, not {len(body)}",
                rule=f"gs1.{kind.lower()}",
            )
        body += check_digit(body)
    elif layout.pair:
        body += check_pair(body)
    text = body + serial
    if kind in _GTIN_LENGTHS:
        surplus = 14 - _GTIN_LENGTHS[kind]
        if text[:surplus].strip("0"):
            raise LengthError(f"{text} does not fit a {kind}", rule=f"gs1.{kind.lower()}", position=0)
        text = text[surplus:]
    return parse_key(kind, text, len(company_prefix))


def key_of(code: GS1, company_prefix_length: int = 0) -> Key | None:
    """The key that ``code`` begins with, or None where it has none."""
    value = code.parts.get(code.primary, "") if code.primary else ""
    for kind, layout in KINDS.items():
        if value and layout.ai == code.primary and kind not in ("GTIN-8", "GTIN-12", "GTIN-13"):
            return parse_key(kind, value.removeprefix(layout.filler), company_prefix_length)
    return None


def _layout(kind: str) -> _Kind:
    try:
        return KINDS[kind]
    except KeyError:
        raise UnknownError(
            f"{kind!r} is no kind of GS1 key", rule="gs1.key", hint=f"the kinds are {', '.join(KINDS)}"
        ) from None


def _full(kind: str, text: str) -> str:
    return text.rjust(14, "0") if kind in _GTIN_LENGTHS else text


def _check_prefix(prefix: str) -> None:
    require_digits(prefix, "gs1.company-prefix", "the company prefix")
    if not 6 <= len(prefix) <= 12:
        raise LengthError(f"a company prefix has 6 to 12 digits, not {len(prefix)}", rule="gs1.company-prefix", position=0)


def _split(kind: str, layout: _Kind, body: str, length: int) -> tuple[str, str]:
    if not length:
        return "", body
    begin = 1 if layout.leads else 0
    prefix = body[begin : begin + length]
    _check_prefix(prefix)
    if len(prefix) != length:
        raise LengthError(f"this {kind} is too short for a company prefix of {length} digits", rule="gs1.company-prefix")
    return prefix, body[:begin] + body[begin + length :]
