"""Template definitions, as an NBIRTH announces them, and instances that say only what changed. Sparkplug 3.0.0, 6.4.15."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["Definition", "Definitions", "Member", "merged"]


class Member(msgspec.Struct, frozen=True):
    """A member metric or a parameter: number of its data type, the definition it follows where that is a template, and the
    value that counts where an instance says none (of parameters)."""

    datatype: int
    template: str = ""
    default: Any = None


class Definition(msgspec.Struct, frozen=True):
    """What the instances of a template may hold, by name."""

    metrics: Mapping[str, Member]
    parameters: Mapping[str, Member] = {}
    version: str = ""

    def strangers(self, value: Mapping[str, Any]) -> list[str]:
        """Members and parameters of an instance that are not ours."""
        found = [name for name in value.get("metrics", ()) if name not in self.metrics]
        return found + [name for name in value.get("parameters", ()) if name not in self.parameters]

    def completed(self, value: dict[str, Any]) -> dict[str, Any]:
        """An instance with the defaults of the parameters that it does not mention."""
        defaults = {name: one.default for name, one in self.parameters.items() if one.default is not None}
        return value | {"parameters": defaults | value.get("parameters", {})} if defaults else value


Definitions = Mapping[str, Definition]


def merged(whole: Any, part: Any) -> Any:
    """An instance after a message that told some of its members.

    >>> merged({"metrics": {"on": True, "speed": 2}}, {"metrics": {"speed": 3}})
    {'metrics': {'on': True, 'speed': 3}}
    """
    if not isinstance(whole, dict) or not isinstance(part, dict) or "metrics" not in whole or "metrics" not in part:
        return part
    found = whole | part
    known = whole["metrics"]
    found["metrics"] = known | {name: merged(known.get(name), one) for name, one in part["metrics"].items()}
    if "parameters" in whole:
        found["parameters"] = whole["parameters"] | part.get("parameters", {})
    return found
