"""The GS1 application identifiers, as data.

After the GS1 General Specifications (section 3.2) and the GS1 Barcode Syntax Dictionary. A row is an identifier, the form of
its value, and its data title. The form is one or more components in a row:

    N13        thirteen digits                      N..8       one to eight digits
    X          character set 82                     Y          character set 39: capitals, digits and # - /
    Z          Base64 for URLs                      [X..17]    may be missing; always the last
    N13:check  with a rule for its content, which `hulian.network.identifiers.schemes.gs1.content` holds under that name

Identifiers whose value has a predefined length need no FNC1 behind it; they are told by their first two digits
(`PREDEFINED`). What a GS1 Digital Link may begin with, and what may follow, is `LINK_KEYS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["APPLICATIONS", "LINK_KEYS", "PREDEFINED", "SHORT_NAMES", "Application", "Component", "application_at"]


class Component(NamedTuple):
    """One component of a value: ``kind`` is N, X, Y or Z; ``rule`` names a rule for the content, or is empty."""

    kind: str
    minimum: int
    maximum: int
    optional: bool
    rule: str


class Application(NamedTuple):
    """One application identifier. ``predefined``: its value needs no FNC1 behind it."""

    ai: str
    title: str
    components: tuple[Component, ...]
    predefined: bool

    @property
    def shortest(self) -> int:
        """The fewest characters that its value can have."""
        return sum(part.minimum for part in self.components if not part.optional)

    @property
    def longest(self) -> int:
        """The most characters that its value can have."""
        return sum(part.maximum for part in self.components)


PREDEFINED: Final[Mapping[str, int]] = MappingProxyType(
    {
        "00": 18,
        "01": 14,
        "02": 14,
        "03": 14,
        "04": 16,
        "20": 2,
        "41": 13,
        **{str(pair): 6 for pair in range(11, 20)},
        **{str(pair): 6 for pair in range(31, 37)},
    }
)
"""By the first two digits of an identifier: the length of a value that needs no FNC1 (General Specifications 7.8.5)."""

_AI_LENGTHS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(["00", "01", "02", "03", "10", "11", "12", "13", "15", "16", "17", "20", "21", "22", "30", "37"], 2),
        **dict.fromkeys(map(str, range(90, 100)), 2),
        **dict.fromkeys(["23", "24", "25", "40", "41", "42", "71"], 3),
        **dict.fromkeys(["31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"], 4),
    }
)

_ROWS: Final = (
    ("00", "N18:check", "SSCC"),
    ("01", "N14:check", "GTIN"),
    ("02", "N14:check", "CONTENT"),
    ("03", "N14:check", "MTO GTIN"),
    ("10", "X..20", "BATCH/LOT"),
    ("11", "N6:day-or-month", "PROD DATE"),
    ("12", "N6:day-or-month", "DUE DATE"),
    ("13", "N6:day-or-month", "PACK DATE"),
    ("15", "N6:day-or-month", "BEST BEFORE or BEST BY"),
    ("16", "N6:day-or-month", "SELL BY"),
    ("17", "N6:day-or-month", "USE BY or EXPIRY"),
    ("20", "N2", "VARIANT"),
    ("21", "X..20", "SERIAL"),
    ("22", "X..20", "CPV"),
    ("235", "X..28", "TPX"),
    ("240", "X..30", "ADDITIONAL ID"),
    ("241", "X..30", "CUST. PART No."),
    ("242", "N..6", "MTO VARIANT"),
    ("243", "X..20", "PCN"),
    ("250", "X..30", "SECONDARY SERIAL"),
    ("251", "X..30", "REF. TO SOURCE"),
    ("253", "N13:check [X..17]", "GDTI"),
    ("254", "X..20", "GLN EXTENSION COMPONENT"),
    ("255", "N13:check [N..12]", "GCN"),
    ("30", "N..8", "VAR. COUNT"),
    ("37", "N..8", "COUNT"),
    ("390n", "N..15", "AMOUNT"),
    ("391n", "N3 N..15", "AMOUNT"),
    ("392n", "N..15", "PRICE"),
    ("393n", "N3 N..15", "PRICE"),
    ("400", "X..30", "ORDER NUMBER"),
    ("401", "X..30:company-prefix", "GINC"),
    ("402", "N17:check", "GSIN"),
    ("403", "X..30", "ROUTE"),
    ("410", "N13:check", "SHIP TO LOC"),
    ("411", "N13:check", "BILL TO"),
    ("412", "N13:check", "PURCHASE FROM"),
    ("413", "N13:check", "SHIP FOR LOC"),
    ("414", "N13:check", "LOC No."),
    ("415", "N13:check", "PAY TO"),
    ("416", "N13:check", "PROD/SERV LOC"),
    ("417", "N13:check", "PARTY"),
    ("420", "X..20", "SHIP TO POST"),
    ("421", "N3 X..9", "SHIP TO POST"),
    ("422", "N3", "ORIGIN"),
    ("423", "N3 [N..12]:triples", "COUNTRY - INITIAL PROCESS"),
    ("424", "N3", "COUNTRY - PROCESS"),
    ("425", "N3 [N..12]:triples", "COUNTRY - DISASSEMBLY"),
    ("426", "N3", "COUNTRY - FULL PROCESS"),
    ("427", "X..3", "ORIGIN SUBDIVISION"),
    ("4300", "X..35:percent", "SHIP TO COMP"),
    ("4301", "X..35:percent", "SHIP TO NAME"),
    ("4302", "X..70:percent", "SHIP TO ADD1"),
    ("4303", "X..70:percent", "SHIP TO ADD2"),
    ("4304", "X..70:percent", "SHIP TO SUB"),
    ("4305", "X..70:percent", "SHIP TO LOC"),
    ("4306", "X..70:percent", "SHIP TO REG"),
    ("4307", "X2:two-capitals", "SHIP TO COUNTRY"),
    ("4308", "X..30", "SHIP TO PHONE"),
    ("4309", "N10:latitude N10:longitude", "SHIP TO GEO"),
    ("4310", "X..35:percent", "RTN TO COMP"),
    ("4311", "X..35:percent", "RTN TO NAME"),
    ("4312", "X..70:percent", "RTN TO ADD1"),
    ("4313", "X..70:percent", "RTN TO ADD2"),
    ("4314", "X..70:percent", "RTN TO SUB"),
    ("4315", "X..70:percent", "RTN TO LOC"),
    ("4316", "X..70:percent", "RTN TO REG"),
    ("4317", "X2:two-capitals", "RTN TO COUNTRY"),
    ("4318", "X..20", "RTN TO POST"),
    ("4319", "X..30", "RTN TO PHONE"),
    ("4320", "X..35:percent", "SRV DESCRIPTION"),
    ("4321", "N1:yes-or-no", "DANGEROUS GOODS"),
    ("4322", "N1:yes-or-no", "AUTH LEAVE"),
    ("4323", "N1:yes-or-no", "SIG REQUIRED"),
    ("4324", "N6:day-or-month N4:time-or-none", "NBEF DEL DT"),
    ("4325", "N6:day-or-month N4:time-or-none", "NAFT DEL DT"),
    ("4326", "N6:day", "REL DATE"),
    ("4330", "N6 [X1]:hyphen", "MAX TEMP F"),
    ("4331", "N6 [X1]:hyphen", "MAX TEMP C"),
    ("4332", "N6 [X1]:hyphen", "MIN TEMP F"),
    ("4333", "N6 [X1]:hyphen", "MIN TEMP C"),
    ("7001", "N13", "NSN"),
    ("7002", "X..30", "MEAT CUT"),
    ("7003", "N6:day N4:time", "EXPIRY TIME"),
    ("7004", "N..4", "ACTIVE POTENCY"),
    ("7005", "X..12", "CATCH AREA"),
    ("7006", "N6:day", "FIRST FREEZE DATE"),
    ("7007", "N6:day [N6]:day", "HARVEST DATE"),
    ("7008", "X..3", "AQUATIC SPECIES"),
    ("7009", "X..10", "FISHING GEAR TYPE"),
    ("7010", "X..2", "PROD METHOD"),
    ("7011", "N6:day [N4]:time", "TEST BY DATE"),
    ("7020", "X..20", "REFURB LOT"),
    ("7021", "X..20", "FUNC STAT"),
    ("7022", "X..20", "REV STAT"),
    ("7023", "X..30:company-prefix", "GIAI - ASSEMBLY"),
    *((f"703{number}", "N3 X..27", f"PROCESSOR # {number}") for number in range(10)),
    ("7040", "N1 X3", "UIC+EXT"),
    ("7041", "X..4", "UFRGT UNIT TYPE"),
    ("710", "X..20", "NHRN PZN"),
    ("711", "X..20", "NHRN CIP"),
    ("712", "X..20", "NHRN CN"),
    ("713", "X..20", "NHRN DRN"),
    ("714", "X..20", "NHRN AIM"),
    ("715", "X..20", "NHRN NDC"),
    ("716", "X..20", "NHRN AIC"),
    ("717", "X..20", "NHRN SRN"),
    *((f"723{number}", "X2 X..28", f"CERT # {number}") for number in range(10)),
    ("7240", "X..20", "PROTOCOL"),
    ("7241", "N2", "AIDC MEDIA TYPE"),
    ("7242", "X..25", "VCN"),
    ("7250", "N8:long-day", "DOB"),
    ("7251", "N8:long-day N4:time", "DOB TIME"),
    ("7252", "N1:sex", "BIO SEX"),
    ("7253", "X..40:percent", "FAMILY NAME"),
    ("7254", "X..40:percent", "GIVEN NAME"),
    ("7255", "X..10:percent", "SUFFIX"),
    ("7256", "X..90:percent", "FULL NAME"),
    ("7257", "X..70:percent", "PERSON ADDR"),
    ("7258", "N1 X1:slash N1", "BIRTH SEQUENCE"),
    ("7259", "X..40:percent", "BABY"),
    ("8001", "N4:not-zero N5:not-zero N3:not-zero N1:winding N1", "DIMENSIONS"),
    ("8002", "X..20", "CMT No."),
    ("8003", "N1:zero N13:check [X..16]", "GRAI"),
    ("8004", "X..30:company-prefix", "GIAI"),
    ("8005", "N6", "PRICE PER UNIT"),
    ("8006", "N14:check N4:piece-of-total", "ITIP"),
    ("8007", "X..34:iban", "IBAN"),
    ("8008", "N8:day-and-hour [N..4]:minutes", "PROD TIME"),
    ("8009", "X..50", "OPTSEN"),
    ("8010", "Y..30:company-prefix", "CPID"),
    ("8011", "N..12:no-leading-zero", "CPID SERIAL"),
    ("8012", "X..20", "VERSION"),
    ("8013", "X..25:check-pair", "GMN"),
    ("8014", "X..25:check-pair", "MUDI"),
    ("8017", "N18:check", "GSRN - PROVIDER"),
    ("8018", "N18:check", "GSRN - RECIPIENT"),
    ("8019", "N..10", "SRIN"),
    ("8020", "X..25", "REF No."),
    ("8026", "N14:check N4:piece-of-total", "ITIP CONTENT"),
    ("8030", "Z..90", "DIGSIG"),
    ("8040", "N15", "IMEI"),
    ("8041", "N15", "IMEI2"),
    ("8042", "N32", "ESIM"),
    ("8043", "N18 [N..2]", "PSIM"),
    ("8110", "X..70", "COUPON"),
    ("8111", "N4", "POINTS"),
    ("8112", "X..70", "COUPON"),
    ("8200", "X..70", "PRODUCT URL"),
    ("90", "X..30", "INTERNAL"),
    *((str(number), "X..90", "INTERNAL") for number in range(91, 100)),
    *((f"394{decimals}", "N4", "PRCNT OFF") for decimals in range(4)),
    *((f"395{decimals}", "N6", "PRICE/UoM") for decimals in range(6)),
)

_MEASURES: Final = (
    # first three digits, what is measured; the fourth digit is how many decimals the six digits have, 0 to 5
    *zip(
        range(310, 317),
        ("NET WEIGHT (kg)", "LENGTH (m)", "WIDTH (m)", "HEIGHT (m)", "AREA (m²)", "NET VOLUME (l)", "NET VOLUME (m³)"),
        strict=True,
    ),
    (320, "NET WEIGHT (lb)"),
    *zip(
        range(321, 330),
        (f"{side} ({unit})" for side in ("LENGTH", "WIDTH", "HEIGHT") for unit in ("in", "ft", "yd")),
        strict=True,
    ),
    (330, "GROSS WEIGHT (kg)"),
    *zip(
        range(331, 337),
        ("LENGTH (m), log", "WIDTH (m), log", "HEIGHT (m), log", "AREA (m²), log", "VOLUME (l), log", "VOLUME (m³), log"),
        strict=True,
    ),
    (337, "KG PER m²"),
    (340, "GROSS WEIGHT (lb)"),
    *zip(
        range(341, 350),
        (f"{side} ({unit}), log" for side in ("LENGTH", "WIDTH", "HEIGHT") for unit in ("in", "ft", "yd")),
        strict=True,
    ),
    *zip(range(350, 353), ("AREA (in²)", "AREA (ft²)", "AREA (yd²)"), strict=True),
    *zip(range(353, 356), ("AREA (in²), log", "AREA (ft²), log", "AREA (yd²), log"), strict=True),
    (356, "NET WEIGHT (troy oz)"),
    (357, "NET VOLUME (oz)"),
    (360, "NET VOLUME (qt)"),
    (361, "NET VOLUME (gal.)"),
    (362, "VOLUME (qt), log"),
    (363, "VOLUME (gal.), log"),
    *zip(range(364, 367), ("NET VOLUME (in³)", "NET VOLUME (ft³)", "NET VOLUME (yd³)"), strict=True),
    *zip(range(367, 370), ("VOLUME (in³), log", "VOLUME (ft³), log", "VOLUME (yd³), log"), strict=True),
)

_COMPONENT = re.compile(r"(\[)?([NXYZ])(\.\.)?(\d+)\]?(?::([a-z-]+))?\Z")


def _component(text: str) -> Component:
    match = _COMPONENT.match(text)
    if match is None:
        raise AssertionError(f"the table of application identifiers holds {text!r}")
    optional, kind, variable, length, rule = match.groups()
    return Component(kind, 1 if variable else int(length), int(length), bool(optional), rule or "")


def _applications() -> Iterator[Application]:
    rows: list[tuple[str, str, str]] = []
    for ai, form, title in _ROWS:
        rows += [(ai[:3] + str(n), form, title) for n in range(10)] if ai.endswith("n") else [(ai, form, title)]
    rows += [(f"{stem}{decimals}", "N6", title) for stem, title in _MEASURES for decimals in range(6)]
    for ai, form, title in sorted(rows):
        yield Application(ai, title, tuple(_component(part) for part in form.split()), ai[:2] in PREDEFINED)


APPLICATIONS: Final[Mapping[str, Application]] = MappingProxyType({row.ai: row for row in _applications()})
"""Every published application identifier, by its digits."""

LINK_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {
        "00": (),
        "01": (("22", "10", "21"), ("235",)),
        "253": (),
        "255": (),
        "401": (),
        "402": (),
        "414": (("254",), ("7040",)),
        "415": (("8020",),),
        "417": (("7040",),),
        "8003": (),
        "8004": (("7040",),),
        "8006": (("22", "10", "21"),),
        "8010": (("8011",),),
        "8013": (),
        "8017": (("8019",),),
        "8018": (("8019",),),
    }
)
"""The identifiers that a GS1 Digital Link may begin with, each with the chains of qualifiers that may follow in that order."""

SHORT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sscc": "00", "gtin": "01", "lot": "10", "ser": "21", "cpv": "22", "gdti": "253", "glnx": "254", "gcn": "255",
        "ginc": "401", "gsin": "402", "gln": "414", "payto": "415", "party": "417", "grai": "8003", "giai": "8004",
        "itip": "8006", "cpid": "8010", "cpsn": "8011", "gmn": "8013", "gsrnp": "8017", "gsrn": "8018", "srin": "8019",
        "refno": "8020", "exp": "17", "expdt": "7003",
    }
)  # fmt: skip
"""The words of GS1 Digital Link 1.1 for identifiers, deprecated since; read, never written."""


def application_at(text: str, position: int) -> Application | None:
    """The identifier that begins at ``position``, or None. No identifier is the beginning of another."""
    length = _AI_LENGTHS.get(text[position : position + 2], 0)
    return APPLICATIONS.get(text[position : position + length]) if length else None
