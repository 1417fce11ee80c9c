"""What a processing connector's document says: computed points, windows and rules, and how it becomes an `Engine`.

A processing connector has the protocol ``processing`` and the address ``processing:``. Each of its points has an ``expression``
or a ``window`` in its options; its rules stand in its settings. The points that they read are those of other connectors on the
same edge, named; assembly puts beside the settings what the catalogue knows of them.
"""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from hulian.kernel.configuration import convert
from hulian.kernel.event import Severity
from hulian.kernel.identifier import PointName
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.edge.errors import ProcessingError
from hulian.platform.edge.processing.computed import Formula
from hulian.platform.edge.processing.grammar import Expression, parse
from hulian.platform.edge.processing.rules import Rule
from hulian.platform.edge.processing.windows import FUNCTIONS, Window

__all__ = [
    "COMPUTABLE",
    "KNOWN",
    "PROTOCOL",
    "CommandEntry",
    "ComputedEntry",
    "EventEntry",
    "Known",
    "ProcessingSettings",
    "RuleEntry",
    "Source",
    "WindowEntry",
    "formula_of",
    "known_of",
    "names_in",
    "numbered",
    "rule_of",
    "window_of",
]

PROTOCOL: Final = "processing"
KNOWN: Final = "known"
"""The key under which assembly adds what the catalogue knows; no person writes it."""
COMPUTABLE: Final = frozenset({StorageClass.DOUBLE, StorageClass.INTEGER, StorageClass.BOOLEAN})
_MOST_PANES: Final = 10_000
Seconds = Annotated[float, Meta(ge=0, le=86_400 * 31)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A point that is read or written, as the catalogue knows it; no person writes this."""

    series: int
    connector: str
    address: str
    storage: StorageClass
    writable: bool = False
    low: float | None = None
    high: float | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What assembly adds: points by name, and the users who may send commands now."""

    points: dict[str, Source] = {}
    commanders: tuple[str, ...] = ()


class WindowEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure over a window of source time; ``slide_s`` is its length where it is not given (tumbling)."""

    of: str
    function: str
    length_s: Annotated[float, Meta(ge=0.001, le=86_400 * 31)]
    slide_s: Annotated[float, Meta(ge=0.001, le=86_400 * 31)] | None = None
    lateness_s: Seconds = 1.0


class ComputedEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a computed point. ``inputs`` binds names to points; ``triggers`` are those whose samples ask for a value
    (all where none is named); an input older than ``stale_s`` counts as uncertain."""

    expression: str = ""
    inputs: dict[str, str] = {}
    triggers: list[str] = []
    stale_s: Seconds = 0.0
    window: WindowEntry | None = None
    filters: dict[str, Any] = {}
    described: dict[str, Any] = {}


class EventEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told while the rule is active."""

    message: Annotated[str, Meta(max_length=500)] = ""
    severity: Severity = Severity.WARNING
    hint: Annotated[str, Meta(max_length=500)] = ""


class CommandEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written when the rule begins, on behalf of ``owner``, at most once in ``interval_s``. The point is writable, the
    value in its range, and the connector's ``commands`` names the point."""

    point: str
    value: float | bool | str
    owner: Name
    interval_s: Annotated[float, Meta(ge=1, le=86_400 * 31)] = 10.0


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule: ``when`` for ``hold_s`` begins it, ``until`` (where not given: no longer ``when``) ends it. One that begins more
    than ``flaps`` times in ``flap_window_s`` is switched off for ``rest_s``."""

    name: Name
    when: str
    until: str = ""
    inputs: dict[str, str] = {}
    hold_s: Seconds = 0.0
    stale_s: Seconds = 0.0
    event: EventEntry = EventEntry()
    command: CommandEntry | None = None
    flaps: Annotated[int, Meta(ge=1, le=1000)] = 10
    flap_window_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    rest_s: Annotated[float, Meta(ge=1, le=86_400 * 31)] = 3600.0


class ProcessingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a processing connector."""

    rules: Annotated[list[RuleEntry], Meta(max_length=1000)] = []
    commands: Annotated[list[str], Meta(description="points that rules may write; none: no rule writes")] = []
    back_s: Annotated[float, Meta(gt=0, le=3600, description="how far inputs may come behind each other, in s")] = 10.0
    known: Known = Known()


def names_in(settings: Mapping[str, Any], options: Iterable[Mapping[str, Any]]) -> set[str]:
    """The points that a document names, as far as it can be understood: what is wrong in it is told by who runs it."""
    found: set[str] = set()
    texts: list[tuple[Any, Any]] = []
    rules = settings.get("rules")
    for entry in [*options, *(rules if isinstance(rules, list) else [])]:
        if not isinstance(entry, Mapping):
            continue
        inputs = entry.get("inputs")
        texts += [(entry.get(key), inputs if isinstance(inputs, Mapping) else {}) for key in ("expression", "when", "until")]
        for nested, key in (("window", "of"), ("command", "point")):
            if isinstance(inner := entry.get(nested), Mapping) and isinstance(named := inner.get(key), str):
                found.add(named)
    for text, inputs in texts:
        if isinstance(text, str) and text:
            try:
                found.update(parse(text, inputs).points)
            except ProcessingError:
                continue
    return found


def known_of(points: Iterable[Point], commanders: Iterable[str] = ()) -> Known:
    """What a processing has to know of ``points``, which the catalogue found under the names of `names_in`."""
    found = {
        point.name: Source(
            series=point.series,
            connector=point.connector,
            address=point.address,
            storage=point.storage,
            writable=point.writable and point.enabled,
            low=point.low,
            high=point.high,
        )
        for point in points
    }
    return Known(points=found, commanders=tuple(sorted(commanders)))


class _Inputs:
    """Numbers for the series that are read."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.numbers: dict[int, int] = {}

    def number(self, name: str, place: str) -> int:
        source = self.known.points.get(_canonical(name))
        if source is None:
            near = difflib.get_close_matches(name, self.known.points, n=1, cutoff=0.6)
            hint = f"did you mean '{near[0]}'?" if near else "name a point of another connector on the same edge"
            raise ProcessingError(f"there is no point '{name[:200]}' here", place=place, hint=hint)
        if source.storage not in COMPUTABLE:
            raise ProcessingError(f"'{name}' holds {source.storage}; numbers and booleans can be computed with", place=place)
        return self.numbers.setdefault(source.series, len(self.numbers))

    def all(self, expression: Expression, place: str) -> tuple[int, ...]:
        return tuple(self.number(name, place) for name in expression.points)


def numbered(known: Known) -> _Inputs:
    """Where `formula_of`, `window_of` and `rule_of` look up and number what they read."""
    return _Inputs(known)


def entry_of(binding: Binding, place: str) -> ComputedEntry:
    """The checked options of a computed point."""
    entry = convert(dict(binding.options), ComputedEntry, place=place)
    if bool(entry.expression) == (entry.window is not None):
        raise ProcessingError("a computed point has either an expression or a window", place=place)
    if binding.storage is not StorageClass.DOUBLE:
        raise ProcessingError(f"a computed point holds doubles, not {binding.storage}", place=place, hint='storage = "double"')
    return entry


def formula_of(binding: Binding, inputs: _Inputs, place: str) -> Formula | None:
    """The formula of a computed point; None where it is a window. Raises `ProcessingError`, `ConfigurationError`."""
    entry = entry_of(binding, place)
    if entry.window is not None:
        return None
    expression = parse(entry.expression, entry.inputs, place=f"{place}.expression")
    if not expression.points:
        raise ProcessingError("an expression without a point has no samples to go by", place=f"{place}.expression")
    numbers = inputs.all(expression, f"{place}.expression")
    triggers = []
    for name in entry.triggers:
        named = entry.inputs.get(name, name)
        if named not in expression.points:
            hint = f"points of the expression: {', '.join(expression.points)}"
            raise ProcessingError(f"the trigger '{name}' is not in the expression", place=f"{place}.triggers", hint=hint)
        triggers.append(inputs.number(named, f"{place}.triggers"))
    return Formula(binding.series, expression.tree, numbers, tuple(triggers) or numbers, int(entry.stale_s * 1e9))


def window_of(binding: Binding, inputs: _Inputs, place: str) -> Window | None:
    """The window of a computed point; None where it is an expression."""
    entry = entry_of(binding, place).window
    if entry is None:
        return None
    place = f"{place}.window"
    if entry.function not in FUNCTIONS:
        near = difflib.get_close_matches(entry.function, FUNCTIONS, n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(FUNCTIONS)}"
        raise ProcessingError(f"there is no function '{entry.function[:40]}'", place=f"{place}.function", hint=hint)
    length, slide = round(entry.length_s * 1e9), round((entry.slide_s or entry.length_s) * 1e9)
    if slide > length or length % slide or length // slide > _MOST_PANES:
        hint = f"let the length be a whole multiple of the slide, at most {_MOST_PANES}"
        raise ProcessingError("the window does not slide evenly", place=f"{place}.slide_s", hint=hint)
    number = inputs.number(entry.of, f"{place}.of")
    return Window(binding.series, number, entry.function, length, slide, round(entry.lateness_s * 1e9))


def rule_of(entry: RuleEntry, settings: ProcessingSettings, inputs: _Inputs, owner: int, place: str) -> tuple[Rule, Formula]:
    """A rule and its condition as one formula: 1 it begins, -1 it ends, 0 neither."""
    text = f"if({entry.when}, 1, if({entry.until}, -1, 0))" if entry.until else f"if({entry.when}, 1, -1)"
    for name, part in (("when", entry.when), ("until", entry.until)):
        if part or name == "when":
            parse(part, entry.inputs, place=f"{place}.{name}")  # for the place of a mistake
    expression = parse(text, entry.inputs, place=place)
    if not expression.points:
        raise ProcessingError("a condition without a point never changes", place=f"{place}.when")
    if entry.command is not None:
        _check_command(entry.command, settings, f"{place}.command")
    numbers = inputs.all(expression, place)
    key = hashlib.blake2b(msgspec.json.encode(entry), digest_size=12).hexdigest()
    hold, window, rest = (round(seconds * 1e9) for seconds in (entry.hold_s, entry.flap_window_s, entry.rest_s))
    rule = Rule(entry.name, key, hold, entry.flaps, window, rest)
    return rule, Formula(owner, expression.tree, numbers, numbers, round(entry.stale_s * 1e9))


def _check_command(command: CommandEntry, settings: ProcessingSettings, place: str) -> None:
    if command.point not in settings.commands:
        hint = "add the point to 'commands' in the connector's settings, if the plant allows it"
        raise ProcessingError(f"rules may not write '{command.point}'", place=f"{place}.point", hint=hint)
    target = settings.known.points.get(_canonical(command.point))
    if target is None:
        raise ProcessingError(f"there is no point '{command.point[:200]}' here", place=f"{place}.point")
    if not target.writable:
        raise ProcessingError(f"'{command.point}' is not writable", place=f"{place}.point")
    if command.owner not in settings.known.commanders:
        hint = "name a user who may send commands"
        raise ProcessingError(f"'{command.owner}' may not send commands", place=f"{place}.owner", hint=hint)
    value = command.value
    if isinstance(value, float) and not isinstance(value, bool):
        low = -math.inf if target.low is None else target.low
        high = math.inf if target.high is None else target.high
        if not low <= value <= high:
            raise ProcessingError(f"{value} is outside {low} … {high}", place=f"{place}.value")


def _canonical(name: str) -> str:
    try:
        return str(PointName.parse(name))
    except Exception:  # noqa: BLE001
        return name
