"""Errors of templates, grants, queries and traces. HL-ID-07xx.

HulianError
└── MetadataError                  HL-ID-0700   a value of our own that is not what its type promises
    ├── TemplateError              HL-ID-0701   a template that breaks a rule
    ├── AttributeRuleError         HL-ID-0702   a value that breaks the rule of its attribute; both are named
    ├── TemplateMissingError       HL-ID-0703   a record names a template, or a version of it, that nobody published
    ├── TemplateUnreachableError   HL-ID-0704   the node that keeps the template does not answer
    ├── GrantError                 HL-ID-0705   a grant that cannot be read
    ├── PublishedError             HL-ID-0706   a published template is fixed
    ├── RelationError              HL-ID-0707   a reference that names no handle
    ├── QueryError                 HL-ID-0708   a question that cannot be read
    └── CursorError                HL-ID-0709   a cursor that this node has not given
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "AttributeRuleError",
    "CursorError",
    "GrantError",
    "MetadataError",
    "PublishedError",
    "QueryError",
    "RelationError",
    "TemplateError",
    "TemplateMissingError",
    "TemplateUnreachableError",
]


class MetadataError(HulianError):
    """A value of our own that is not what its type promises; ``index`` is its index, 0 where no single value is meant."""

    code = "HL-ID-0700"

    def __init__(self, message: str, *, index: int = 0, place: str = "", hint: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.index = index


class TemplateError(MetadataError):
    """A template that breaks a rule."""

    code = "HL-ID-0701"


class AttributeRuleError(MetadataError):
    """A value that breaks the rule of its attribute; ``attribute`` and ``rule`` name both."""

    code = "HL-ID-0702"
    default_hint = "the template says what each attribute may be; 'hulian resolve' shows it"

    def __init__(self, attribute: str, rule: str, message: str, *, index: int = 0) -> None:
        super().__init__(f"attribute '{attribute}', rule '{rule}': {message}", index=index)
        self.attribute, self.rule = attribute, rule


class TemplateMissingError(MetadataError):
    """A record names a template, or a version of it, that nobody published."""

    code = "HL-ID-0703"
    default_hint = "name it as version:handle, and publish it first; what another node keeps must be public"


class TemplateUnreachableError(MetadataError):
    """The node that keeps the template does not answer."""

    code = "HL-ID-0704"
    default_hint = "try again later: without its template a record cannot be checked"


class GrantError(MetadataError):
    """A grant that cannot be read."""

    code = "HL-ID-0705"


class PublishedError(MetadataError):
    """A published template is fixed."""

    code = "HL-ID-0706"
    default_hint = "publish another version: a value with the next index"


class RelationError(MetadataError):
    """A reference that names no handle."""

    code = "HL-ID-0707"


class QueryError(MetadataError):
    """A question that cannot be read."""

    code = "HL-ID-0708"


class CursorError(MetadataError):
    """A cursor that this node has not given."""

    code = "HL-ID-0709"
    default_hint = "ask again from the beginning; cursors hold for one question and until the node restarts"
