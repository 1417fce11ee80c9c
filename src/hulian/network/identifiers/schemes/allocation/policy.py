"""A policy: how suffixes are made, as data that can be stored, shown and compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

from hulian.network.identifiers.schemes.allocation.template import Field, date_scope, date_text, parse
from hulian.network.identifiers.schemes.checks import luhn_character
from hulian.network.identifiers.schemes.errors import CheckError, PolicyError, StructureError

__all__ = ["CROCKFORD", "DIGITS", "MAXIMUM_CAPACITY", "Policy"]

DIGITS: Final = "0123456789"
CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Digits and capitals without I, L, O and U, the default for what is random."""

MAXIMUM_CAPACITY: Final = 2**63
"""Most suffixes that one policy counts."""

_ALPHABET = re.compile(r"[0-9A-Za-z]{2,62}\Z")
_LONGEST: Final = 255


@dataclass(frozen=True)
class Policy:
    """One way to make suffixes. Made with `Policy.of`, which checks it.

    ``template`` is described in `hulian.network.identifiers.schemes.allocation.template`. A serial runs from ``first`` to
    ``last``, both inclusive; random characters use ``alphabet`` up. ``values`` are the template's named values: each class
    or batch is a policy of its own with a cursor of its own. ``restart`` "date" begins anew with each new text of the date.
    """

    template: str
    first: int
    last: int
    alphabet: str
    values: tuple[tuple[str, str], ...]
    restart: Literal["never", "date"]

    @classmethod
    def of(
        cls,
        template: str,
        *,
        first: int = 0,
        last: int | None = None,
        alphabet: str = "",
        values: Mapping[str, str] | None = None,
        restart: Literal["never", "date"] = "never",
    ) -> Policy:
        """Raises `PolicyError` where the parts do not fit each other."""
        fields = parse(template)
        counter = next(field for field in fields if field.kind in ("serial", "random"))
        alphabet = alphabet or (DIGITS if counter.kind == "serial" else CROCKFORD)
        if not _ALPHABET.match(alphabet) or len(set(alphabet)) != len(alphabet):
            raise PolicyError("an alphabet is 2 to 62 different ASCII letters and digits", rule="allocation.alphabet")
        if any(field.kind == "check" for field in fields) and len(alphabet) % 2:
            raise PolicyError("a check character needs an alphabet of even size", rule="allocation.alphabet")
        if counter.kind == "serial" and not counter.width and alphabet != DIGITS:
            raise PolicyError("a serial of other characters than digits needs a width", rule="allocation.template")
        highest = len(alphabet) ** counter.width - 1 if counter.width else 10**18 - 1
        if counter.kind == "random":
            if first or last is not None:
                raise PolicyError("random characters have no first and last", rule="allocation.range")
            last = highest
        last = min(highest, first + MAXIMUM_CAPACITY - 1) if last is None else last
        if not 0 <= first <= last <= highest:
            raise PolicyError(f"{first} to {last} is no range within 0 to {highest}", rule="allocation.range")
        if counter.kind == "serial" and last - first >= MAXIMUM_CAPACITY:
            raise PolicyError(f"a policy counts at most {MAXIMUM_CAPACITY}", rule="allocation.range")
        given = dict(values or {})
        _check_values(fields, given)
        if restart not in ("never", "date") or (restart == "date" and not any(field.kind == "date" for field in fields)):
            raise PolicyError("numbers begin anew 'never', or by the 'date' that the template holds", rule="allocation.restart")
        policy = cls(template, first, last, alphabet, tuple(sorted(given.items())), restart)
        if restart == "date":
            policy.scope(date(2000, 1, 1))
        if policy.length > _LONGEST:
            raise PolicyError(f"its suffixes are longer than {_LONGEST} characters", rule="allocation.length")
        return policy

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Policy:
        """From what `as_dict` gave. Raises `PolicyError` for keys that it does not know and values of other types."""
        known: dict[str, type | tuple[type, ...]] = {
            "template": str,
            "first": int,
            "last": int,
            "alphabet": str,
            "values": dict,
            "restart": str,
        }
        for name, value in data.items():
            if name not in known or not isinstance(value, known[name]) or isinstance(value, bool):
                raise PolicyError(f"{name!r} is not known, or not of its type", rule="allocation.policy")
        if "template" not in data or not all(isinstance(text, str) for text in dict(data.get("values", {})).values()):
            raise PolicyError("a policy has a template, and texts as values", rule="allocation.policy")
        arguments = dict(data)
        template = arguments.pop("template")
        if "{random" in template:
            arguments.pop("first", None)
            arguments.pop("last", None)
        return cls.of(template, **arguments)

    def as_dict(self) -> dict[str, Any]:
        """As JSON and TOML can hold it."""
        return {
            "template": self.template,
            "first": self.first,
            "last": self.last,
            "alphabet": self.alphabet,
            "values": dict(self.values),
            "restart": self.restart,
        }

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The template's pieces."""
        return parse(self.template)

    @cached_property
    def counter(self) -> Field:
        """The piece that counts."""
        return next(field for field in self.fields if field.kind in ("serial", "random"))

    @property
    def is_random(self) -> bool:
        """It takes a key."""
        return self.counter.kind == "random"

    @property
    def has_date(self) -> bool:
        """It takes a date."""
        return any(field.kind == "date" for field in self.fields)

    @cached_property
    def capacity(self) -> int:
        """How many suffixes there are, by date if it begins anew with the date."""
        return min(self.last - self.first + 1, MAXIMUM_CAPACITY)

    @cached_property
    def length(self) -> int:
        """Characters of the longest suffix."""
        named = dict(self.values)
        return sum(
            len(named[field.text]) if field.kind == "value" else field.width or len(str(self.last)) for field in self.fields
        )

    @cached_property
    def digest(self) -> str:
        """What tells this policy from any other; a cursor belongs to one."""
        raw = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":")).encode()
        return hashlib.blake2b(raw, digest_size=10, person=b"hulian-policy").hexdigest()

    def scope(self, day: date | None) -> str:
        """Within which numbers do not repeat: empty, or what stands for the date."""
        if self.restart == "never" or day is None:
            return ""
        form = next(field.text for field in self.fields if field.kind == "date")
        return date_scope(form, day)

    def finisher(self, day: date | None) -> Callable[[str], str]:
        """What makes a suffix of the counted characters: the text around them, and the check character if there is one."""
        texts = [self._fixed(field, day) for field in self.fields]
        place = self.fields.index(self.counter)
        before, behind = "".join(texts[:place]), "".join(texts[place + 1 :])
        head, mark, tail = behind.partition(_CHECK)
        if not mark:
            return lambda counted: before + counted + behind
        # The sum of `luhn_character`, taken apart: what does not change is summed once.
        alphabet, size = self.alphabet, len(self.alphabet)
        single = {character: value for value, character in enumerate(alphabet)}
        doubled = {character: 2 * value // size + 2 * value % size for character, value in single.items()}
        weights = (doubled, single)

        def total(text: str, parity: int) -> int:
            turned = text[::-1]
            return sum(map(weights[parity].__getitem__, turned[::2])) + sum(map(weights[1 - parity].__getitem__, turned[1::2]))

        checked_head = "".join(filter(alphabet.__contains__, head))
        checked_before = "".join(filter(alphabet.__contains__, before))
        parity, fixed = len(checked_head) % 2, total(checked_head, 0)
        in_front = (total(checked_before, 0), total(checked_before, 1))

        def finish(counted: str) -> str:
            found = fixed + total(counted, parity) + in_front[(parity + len(counted)) % 2]
            return f"{before}{counted}{head}{alphabet[-found % size]}{tail}"

        return finish

    def read(self, suffix: str) -> Mapping[str, str]:
        """The parts of a suffix of this policy. Raises `StructureError` if it is none, `CheckError` for a wrong check."""
        match = self._pattern.fullmatch(suffix)
        if match is None:
            raise StructureError(f"{suffix!r} is not of the form {self.template!r}", rule="allocation.form", position=0)
        parts = match.groupdict()
        if "check" in parts:
            begin = match.start("check")
            checked = "".join(filter(self.alphabet.__contains__, suffix[:begin]))
            if luhn_character(checked, self.alphabet) != parts["check"]:
                raise CheckError(f"the check character of {suffix!r} does not fit", rule="check-character", position=begin)
        return MappingProxyType(parts)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        named = dict(self.values)
        pieces = []
        for field in self.fields:
            if field.kind == "literal":
                pieces.append(re.escape(field.text))
            elif field.kind == "value":
                pieces.append(f"(?P<{field.text}>{re.escape(named[field.text])})")
            elif field.kind == "date":
                pieces.append("(?P<date>" + re.sub("[A-Z]", "[0-9]", re.escape(field.text)) + ")")
            else:
                amount = f"{{{field.width}}}" if field.width else "{1,18}"
                pieces.append(f"(?P<{field.kind}>[{self.alphabet}]{amount})")
        return re.compile("".join(pieces))

    def _fixed(self, field: Field, day: date | None) -> str:
        match field.kind:
            case "literal":
                return field.text
            case "value":
                return dict(self.values)[field.text]
            case "date":
                if day is None:
                    raise PolicyError("the template holds a date: give one", rule="allocation.date")
                return date_text(field.text, day)
            case "check":
                return _CHECK
        return ""


_CHECK: Final = "\0"


def _check_values(fields: tuple[Field, ...], given: Mapping[str, str]) -> None:
    wanted = {field.text for field in fields if field.kind == "value"}
    if wanted != given.keys():
        raise PolicyError(
            f"the template names {', '.join(sorted(wanted)) or 'no value'}; given are {', '.join(sorted(given)) or 'none'}",
            rule="allocation.values",
        )
    names = [field.text for field in fields if field.kind == "value"]
    if len(names) != len(set(names)):
        raise PolicyError("a value stands in the template twice", rule="allocation.template")
    for field, following in zip(fields, [*fields[1:], None], strict=True):
        if field.kind != "value":
            continue
        text = given[field.text]
        if not text or len(text) > 64 or not all("!" <= character <= "~" for character in text):
            raise PolicyError(f"{field.text} is not 1 to 64 ASCII characters without blanks", rule="allocation.values")
        if field.width and len(text) != field.width:
            raise PolicyError(f"{field.text} has {len(text)} characters, not {field.width}", rule="allocation.values")
        if not field.width and following is not None and following.text[0] in text:
            raise PolicyError(
                f"{field.text} holds {following.text[0]!r}, which ends it in the template", rule="allocation.values"
            )
