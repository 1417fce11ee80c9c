"""Who acts, what there is to do, and the one table that says who may do what.

A principal holds scopes; an action needs one. A role is a name for the scopes of a person; a token holds some of its
owner's. The table is data: the documentation is generated from it, and a test walks all of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["ACTION_SCOPES", "OWN_ACTIONS", "ROLE_SCOPES", "Action", "Principal", "PrincipalKind", "Role", "Scope"]


class Scope(StrEnum):
    """A bundle of actions that a role or a token holds."""

    METRICS = "metrics"
    READ = "read"
    ANNOTATE = "annotate"
    COMMAND = "command"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a person is here, from looking on to being responsible for the others."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"


class Action(StrEnum):
    """Everything a principal can ask for. A permanent name: it stands in the audit trail."""

    METRICS_READ = "metrics.read"
    HEALTH_READ = "health.read"
    POINTS_READ = "points.read"
    HISTORY_READ = "history.read"
    LIVE_READ = "live.read"
    EVENTS_READ = "events.read"
    LEDGER_READ = "ledger.read"
    ANNOTATIONS_READ = "annotations.read"
    EXPORTS_CREATE = "exports.create"
    IDENTIFIERS_READ = "identifiers.read"
    CONNECTORS_READ = "connectors.read"
    MODEL_READ = "model.read"
    CERTIFICATES_READ = "certificates.read"
    ANNOTATIONS_WRITE = "annotations.write"
    COMMANDS_SEND = "commands.send"
    POINTS_WRITE = "points.write"
    HISTORY_WRITE = "history.write"
    CONNECTORS_WRITE = "connectors.write"
    MODEL_WRITE = "model.write"
    DEVICES_BROWSE = "devices.browse"
    CERTIFICATES_DECIDE = "certificates.decide"
    CREDENTIALS_READ = "credentials.read"
    CREDENTIALS_WRITE = "credentials.write"
    IDENTIFIERS_WRITE = "identifiers.write"
    EDGES_READ = "edges.read"
    EDGES_WRITE = "edges.write"
    SETTINGS_READ = "settings.read"
    USERS_READ = "users.read"
    USERS_WRITE = "users.write"
    TOKENS_READ = "tokens.read"
    TOKENS_WRITE = "tokens.write"
    SESSIONS_WRITE = "sessions.write"
    AUDIT_READ = "audit.read"
    SECRETS_WRITE = "secrets.write"
    BACKUP_CREATE = "backup.create"


ACTION_SCOPES: Final[dict[Action, Scope]] = {
    Action.METRICS_READ: Scope.METRICS,
    Action.HEALTH_READ: Scope.METRICS,
    Action.POINTS_READ: Scope.READ,
    Action.HISTORY_READ: Scope.READ,
    Action.LIVE_READ: Scope.READ,
    Action.EVENTS_READ: Scope.READ,
    Action.LEDGER_READ: Scope.READ,
    Action.ANNOTATIONS_READ: Scope.READ,
    Action.EXPORTS_CREATE: Scope.READ,
    Action.IDENTIFIERS_READ: Scope.READ,
    Action.CONNECTORS_READ: Scope.READ,
    Action.MODEL_READ: Scope.READ,
    Action.CERTIFICATES_READ: Scope.READ,
    Action.ANNOTATIONS_WRITE: Scope.ANNOTATE,
    Action.COMMANDS_SEND: Scope.COMMAND,
    Action.POINTS_WRITE: Scope.CONFIGURE,
    Action.HISTORY_WRITE: Scope.CONFIGURE,
    Action.CONNECTORS_WRITE: Scope.CONFIGURE,
    Action.MODEL_WRITE: Scope.CONFIGURE,
    Action.DEVICES_BROWSE: Scope.CONFIGURE,
    Action.CERTIFICATES_DECIDE: Scope.CONFIGURE,
    Action.CREDENTIALS_READ: Scope.CONFIGURE,
    Action.CREDENTIALS_WRITE: Scope.CONFIGURE,
    Action.IDENTIFIERS_WRITE: Scope.CONFIGURE,
    Action.EDGES_READ: Scope.CONFIGURE,
    Action.EDGES_WRITE: Scope.CONFIGURE,
    Action.SETTINGS_READ: Scope.CONFIGURE,
    Action.USERS_READ: Scope.ADMINISTER,
    Action.USERS_WRITE: Scope.ADMINISTER,
    Action.TOKENS_READ: Scope.ADMINISTER,
    Action.TOKENS_WRITE: Scope.ADMINISTER,
    Action.SESSIONS_WRITE: Scope.ADMINISTER,
    Action.AUDIT_READ: Scope.ADMINISTER,
    Action.SECRETS_WRITE: Scope.ADMINISTER,
    Action.BACKUP_CREATE: Scope.ADMINISTER,
}
"""The scope each action needs: one, so that the answer is never a matter of order."""

ROLE_SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    Role.VIEWER: frozenset({Scope.METRICS, Scope.READ}),
    Role.OPERATOR: frozenset({Scope.METRICS, Scope.READ, Scope.ANNOTATE, Scope.COMMAND}),
    Role.ENGINEER: frozenset({Scope.METRICS, Scope.READ, Scope.ANNOTATE, Scope.COMMAND, Scope.CONFIGURE}),
    Role.ADMINISTRATOR: frozenset(Scope),
}
"""What each role may; a higher role may all that a lower one may."""

OWN_ACTIONS: Final = frozenset({Action.TOKENS_READ, Action.TOKENS_WRITE, Action.SESSIONS_WRITE})
"""What a person may do to the resource ``user:<own name>`` whatever the role: own tokens, own logins, own password."""


class PrincipalKind(StrEnum):
    """How a principal proved who it is."""

    USER = "user"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    COMPONENT = "component"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who proved who they are. ``name`` is the user behind it; ``detail`` says which token or session."""

    name: str
    kind: PrincipalKind
    scopes: frozenset[Scope]
    role: str = ""
    detail: str = ""
    must_change_password: bool = False
