"""How plants write units: one form for what looks different and is the same, and the spellings that no list has."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["COMMON", "PRESSURE", "VOLUMES", "product", "qualified", "tidy"]

PRESSURE: Final = "L-1M1T-2"
VOLUMES: Final = ("L3", "L3T-1")
_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻₀₁₂₃₄₅₆₇₈₉", "0123456789-0123456789")
_LOOKS: Final = str.maketrans(
    {"μ": "µ", "℃": "°C", "℉": "°F", "Ω": "Ω", "º": "°", "˚": "°", "⋅": "·", "∙": "·", "•": "·", "×": "·", "∕": "/", "⁄": "/"}
    | {"−": "-", "–": "-", "（": "(", "）": ")", "％": "%", "／": "/"}
)
_ATOM: Final = re.compile(r"(\[[^\]]*\]|[^\s\d/().*·^{}\[\]-][^\s\d/().*·^{}\[\]-]*(?:\{[^}]*\})?|%)(?:\((-?\d+)\)|(-?\d+))?")
_LONGEST: Final = 64
_DEEPEST: Final = 4

_MICRO: Final = ("m", "s", "S", "A", "V", "W", "g", "L", "l", "F", "H", "Pa", "bar", "mol", "m3", "C", "T", "N", "Gy", "Sv")
_ATOMS: Final[dict[str, str]] = {
    **dict.fromkeys(("l", "ltr", "Ltr", "liter", "litre", "Liter", "lit", "升"), "L"),
    "ml": "mL", "hl": "hL", "ul": "µL", "dl": "dL", "cl": "cL",
    **dict.fromkeys(("hr", "hrs", "hour", "Std", "std", "Stunde", "小时", "时"), "h"),
    **dict.fromkeys(("sec", "second", "Sek", "sek", "秒"), "s"),
    **dict.fromkeys(("minute", "mins", "Min", "分钟", "分"), "min"),
    **dict.fromkeys(("day", "days", "Tag", "天", "日"), "d"),
    **dict.fromkeys(("yr", "year"), "a"),
    **dict.fromkeys(("degC", "deg_C", "Cel", "C°", "摄氏度"), "°C"),
    **dict.fromkeys(("degF", "deg_F", "[degF]"), "°F"),
    **dict.fromkeys(("ohm", "Ohm"), "Ω"),
    "kohm": "kΩ", "kOhm": "kΩ", "Mohm": "MΩ", "MOhm": "MΩ", "uOhm": "µΩ",
    "lb": "lbm", "lbs": "lbm", "[lb_av]": "lbm", "[lbf_av]": "lbf", "[ft_i]": "ft", "[in_i]": "in", "[psi]": "psi",
    "[yd_i]": "yd", "[gal_us]": "gal", "[H2O]": "H2O", "[Hg]": "Hg",
    "rev": "r", "U": "r", "公斤": "kg", "千克": "kg", "克": "g", "吨": "t", "米": "m",
    "立方米": "m³", "千瓦时": "kW·h", "千帕": "kPa",
    "kWh": "kW·h", "MWh": "MW·h", "Wh": "W·h", "GWh": "GW·h", "Ah": "A·h", "mAh": "mA·h", "Nm": "N·m", "kNm": "kN·m",
    "Ws": "W·s", "mPas": "mPa·s", "Pas": "Pa·s",
    "cbm": "m³", "qm": "m²", "ccm": "cm³", "sqm": "m²",
    **{"u" + unit: "µ" + unit for unit in _MICRO if unit not in ("l",)},
}  # fmt: skip

COMMON: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("°C", "degC", "deg C", "deg. C", "DegC", "DEGC", "deg_C", "grdC", "C°", "摄氏度", "GradC", "Grad C"), "DEG_C"
    ),
    **dict.fromkeys(("°F", "degF", "deg F", "deg. F", "DegF", "DEGF", "deg_F", "华氏度"), "DEG_F"),
    **dict.fromkeys(("Kelvin", "degK", "°K", "开尔文"), "K"),
    **dict.fromkeys(("%", "percent", "pct", "PCT", "Prozent", "百分比"), "PERCENT"),
    **dict.fromkeys(("ppm", "PPM"), "PPM"),
    **dict.fromkeys(("rpm", "RPM", "r/min", "rev/min", "U/min", "1/min (rpm)", "转/分", "转/分钟"), "REV-PER-MIN"),
    **dict.fromkeys(("h", "hr", "小时"), "HR"),
    **dict.fromkeys(("s", "sec", "秒"), "SEC"),
    **dict.fromkeys(("min", "分钟"), "MIN"),
    **dict.fromkeys(("psi", "PSI", "lb/in2", "lbs/in2", "lbf/in2"), "PSI"),
    **dict.fromkeys(("bar", "Bar", "BAR", "巴"), "BAR"),
    **dict.fromkeys(("帕", "帕斯卡"), "PA"),
    **dict.fromkeys(("千帕",), "KiloPA"),
    **dict.fromkeys(("兆帕",), "MegaPA"),
    **dict.fromkeys(("kg/cm2", "kg/cm²", "kp/cm2", "kp/cm²", "公斤/平方厘米"), "KiloGM_F-PER-CentiM2"),
    **dict.fromkeys(("mmH2O", "mmWC", "mmWS", "mm H2O", "mmH20"), "MilliM_H2O"),
    **dict.fromkeys(("mH2O", "mWC", "mWS", "m H2O", "mH20"), "M_H2O"),
    **dict.fromkeys(("cmH2O", "cmWC", "cm H2O", "cmH20"), "CentiM_H2O"),
    **dict.fromkeys(("inH2O", "inWC", "in H2O", "inH20", '"H2O', "inWG"), "IN_H2O"),
    **dict.fromkeys(("mmHg", "mm Hg"), "MilliM_HG"),
    **dict.fromkeys(("inHg", "in Hg"), "IN_HG"),
    **dict.fromkeys(("l/min", "lpm", "LPM", "升/分"), "L-PER-MIN"),
    **dict.fromkeys(("m3/h", "m³/h", "cbm/h", "CMH", "m3/hr", "立方米/小时", "立方/小时"), "M3-PER-HR"),
    **dict.fromkeys(("gpm", "GPM"), "GAL_US-PER-MIN"),
    **dict.fromkeys(("cfm", "CFM"), "FT3-PER-MIN"),
    **dict.fromkeys(("gal",), "GAL_US"),
    **dict.fromkeys(("hp",), "HP"),
    **dict.fromkeys(("PS", "Pferdestärke"), "HP_Metric"),
    **dict.fromkeys(("pH", "PH"), "PH"),
    **dict.fromkeys(("°", "deg", "Grad", "度"), "DEG"),
    **dict.fromkeys(("A", "Amp", "amps", "安", "安培"), "A"),
    **dict.fromkeys(("V", "Volt", "volts", "伏", "伏特"), "V"),
    **dict.fromkeys(("W", "Watt", "瓦"), "W"),
    **dict.fromkeys(("kW", "KW", "千瓦"), "KiloW"),
    **dict.fromkeys(("kWh", "KWH", "kW h", "千瓦时"), "KiloW-HR"),
    **dict.fromkeys(("Hz", "HZ", "赫兹"), "HZ"),
    **dict.fromkeys(("MVAR", "MVAr"), "MegaVAR"),
    **dict.fromkeys(("KVA",), "KiloVA"),
    **dict.fromkeys(("KVAR", "kVAr", "KVAr"), "KiloVAR"),
    **dict.fromkeys(("bbl/d", "bbl/day", "bpd", "BPD"), "BBL_US-PER-DAY"),
    **dict.fromkeys(("a",), "YR"),
    **dict.fromkeys(("t", "to", "吨"), "TONNE"),
    **dict.fromkeys(("t/h", "to/h", "吨/小时"), "TONNE-PER-HR"),
    **dict.fromkeys(("lb", "lbs", "lbm"), "LB"),
    **dict.fromkeys(("kg", "KG", "千克", "公斤"), "KiloGM"),
    **dict.fromkeys(("kcal",), "KiloCAL"),
    **dict.fromkeys(("米",), "M"),
    **dict.fromkeys(("毫米",), "MilliM"),
    **dict.fromkeys(("", "-", "1", "none", "无"), "UNITLESS"),
    **dict.fromkeys(("#", "count", "pcs", "Stk", "个"), "NUM"),
}
"""Spellings of plants, by QUDT's local name. They go before all lists, so that what is written every day is never ambiguous."""

_VOLUME_COMMON: Final = {"SCFM": "FT3-PER-MIN", "SCFH": "FT3-PER-HR", "scfm": "FT3-PER-MIN", "scfh": "FT3-PER-HR"}
_GAUGE: Final = re.compile(r"(.*\S)[ _]*(?:[(_ ](?:g|G|ga|gauge|Ü|ü|rel|表压?)\)?|(?<=[a-zA-Z])(?:g|G|ü))$")
_ABSOLUTE: Final = re.compile(r"(.*\S)[ _]*(?:[(_ ](?:a|A|abs|absolute|绝压?)\.?\)?|(?<=[a-zA-Z])(?:abs|a|A))$")
_DIFFERENCE: Final = re.compile(r"(?:[Δ∆]|[dD]elta[ _]?)(.+)|(.+?)[ _]?(?:\(?(?:diff|difference|delta)\)?)$")
_NORMAL: Final = re.compile(r"(?:N|i\.N\. ?)((?:m3|m³|l|L|ltr|cbm|cm3|ml|mL)\b.*)|(.+?)[ _]?\((?:N|i\.N\.|norm)\)(/.+)?")
_STANDARD: Final = re.compile(r"(?:S|std\.? ?)((?:m3|m³|l|L|ft3|ft³|cm3|ml|mL)\b.*)")


def tidy(text: str) -> str:
    """``text`` with one character for each meaning: micro sign, degree sign, middle dot, plain digits for raised ones."""
    return unicodedata.normalize("NFC", text).translate(_LOOKS).translate(_SUPERSCRIPTS).strip()


def qualified(text: str) -> list[tuple[str, str]]:
    """What ``text`` may be without its qualifier, with the qualifier: ``bar(g)`` is bar by gauge.

    The caller checks the dimension: gauge and absolute for pressures, normal and standard for volumes, differences for all.
    """
    found: list[tuple[str, str]] = []
    if text in _VOLUME_COMMON:
        found.append((_VOLUME_COMMON[text], "standard"))
    for pattern, meaning in (
        (_DIFFERENCE, "difference"),
        (_GAUGE, "gauge"),
        (_ABSOLUTE, "absolute"),
        (_NORMAL, "normal"),
        (_STANDARD, "standard"),
    ):
        match = pattern.fullmatch(text)
        if match:
            found.append(("".join(part for part in match.groups() if part).strip(), meaning))
    return found


def product(text: str) -> frozenset[tuple[str, int]] | None:
    """The powers that ``text`` is the product of: ``m3/h``, ``m³·h⁻¹`` and ``m3.h-1`` are one. None where it is none."""
    if len(text) > _LONGEST:
        return None
    powers: dict[str, int] = {}
    end = _terms(tidy(text).replace("**", "^").replace("^", ""), 0, 1, powers, 0)
    if end != -2 or not powers or text.rstrip().endswith(("/", ".", "*", "·")):
        return None
    return frozenset((atom, power) for atom, power in powers.items() if power)


def _terms(text: str, at: int, sign: int, powers: dict[str, int], depth: int) -> int:
    """Reads terms until the end (-2) or a closing bracket (its place); -1 where it is no product."""
    if depth > _DEEPEST:
        return -1
    direction = sign
    while at < len(text):
        letter = text[at]
        if letter in " ·.*":
            direction = sign if letter != " " else direction
            at += 1
        elif letter == "/":
            direction = -sign
            at += 1
        elif letter == ")":
            return at if depth else -1
        elif letter == "(":
            at = _terms(text, at + 1, direction, powers, depth + 1)
            if at < 0:
                return -1
            at += 1
            direction = sign
        elif letter == "1" and not text[at + 1 : at + 2].isdigit():
            at += 1
        else:
            match = _ATOM.match(text, at)
            if match is None or not match[1]:
                return -1
            _raise(match[1], direction * int(match[2] or match[3] or 1), powers)
            at = match.end()
            direction = sign
    return -2 if not depth else -1


def _raise(atom: str, power: int, powers: dict[str, int]) -> None:
    atom = _ATOMS.get(atom, atom)
    if "·" in atom:
        for part in atom.split("·"):
            _raise(part, power, powers)
        return
    if atom[-1] in "²³":
        power *= 2 if atom[-1] == "²" else 3
        atom = atom[:-1]
    powers[atom] = powers.get(atom, 0) + power
