"""The life of an application: which action leads from which state to which, and who may take it. This is the only place.

```text
            amend                review, comment
              ┌─┐                     ┌─┐
 apply ──▶ submitted ──review──▶ in review ──approve──▶ approved ──suspend──▶ suspended
              │  ▲                    │                  │  ▲  └─┐transfer       │  │
              │  └──amend── incomplete ◀──ask            │  └────┴────resume─────┘  │
              └──approve, ask, reject, withdraw          └────────revoke────▶ revoked ◀┘
```
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hulian.network.identifiers.provisioning.errors import NotPermittedError, StateError
from hulian.network.identifiers.wire.codes import AdminPermission

__all__ = ["IN_FORCE", "NEEDS", "OPEN", "REASONED", "Action", "Role", "State", "allowed", "follow"]


class State(StrEnum):
    """Where an application stands."""

    SUBMITTED = "submitted"
    IN_REVIEW = "in review"
    INCOMPLETE = "incomplete"
    """A reviewer has asked for more: it is the applicant's turn."""
    APPROVED = "approved"
    """The prefix is the applicant's, and is resolved."""
    SUSPENDED = "suspended"
    """It is still the applicant's, and is not resolved."""
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"


class Action(StrEnum):
    """What is done to an application that is there."""

    AMEND = "amend"
    WITHDRAW = "withdraw"
    REVIEW = "review"
    ASK = "ask"
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"
    TRANSFER = "transfer"


class Role(StrEnum):
    """As what somebody acts. Who is neither is a stranger, and may do nothing."""

    APPLICANT = "applicant"
    REVIEWER = "reviewer"


OPEN: Final = frozenset((State.SUBMITTED, State.IN_REVIEW, State.INCOMPLETE))
"""Not decided yet."""

IN_FORCE: Final = frozenset((State.APPROVED, State.SUSPENDED))
"""The prefix belongs to the applicant. There is one such application of a prefix at the most."""

_S = State
_TABLE: Final[Mapping[Action, tuple[Role, Mapping[State, State]]]] = MappingProxyType(
    {
        Action.AMEND: (Role.APPLICANT, {_S.SUBMITTED: _S.SUBMITTED, _S.INCOMPLETE: _S.SUBMITTED}),
        Action.WITHDRAW: (Role.APPLICANT, dict.fromkeys(OPEN, _S.WITHDRAWN)),
        Action.REVIEW: (Role.REVIEWER, dict.fromkeys((_S.SUBMITTED, _S.IN_REVIEW), _S.IN_REVIEW)),
        Action.ASK: (Role.REVIEWER, dict.fromkeys((_S.SUBMITTED, _S.IN_REVIEW), _S.INCOMPLETE)),
        Action.APPROVE: (Role.REVIEWER, dict.fromkeys((_S.SUBMITTED, _S.IN_REVIEW), _S.APPROVED)),
        Action.REJECT: (Role.REVIEWER, dict.fromkeys(OPEN, _S.REJECTED)),
        Action.SUSPEND: (Role.REVIEWER, {_S.APPROVED: _S.SUSPENDED}),
        Action.RESUME: (Role.REVIEWER, {_S.SUSPENDED: _S.APPROVED}),
        Action.REVOKE: (Role.REVIEWER, dict.fromkeys(IN_FORCE, _S.REVOKED)),
        Action.TRANSFER: (Role.REVIEWER, {_S.APPROVED: _S.APPROVED}),
    }
)

REASONED: Final = frozenset((Action.ASK, Action.REJECT, Action.SUSPEND, Action.REVOKE, Action.TRANSFER))
"""These need a reason in words: somebody loses something by them, or has to do something."""

_ADD, _DELETE = AdminPermission.ADD_DERIVED_PREFIX, AdminPermission.DELETE_DERIVED_PREFIX
NEEDS: Final[Mapping[Action, AdminPermission]] = MappingProxyType(
    {
        Action.REVIEW: _ADD,
        Action.ASK: _ADD,
        Action.APPROVE: _ADD,
        Action.REJECT: _ADD,
        Action.RESUME: _ADD,
        Action.SUSPEND: _DELETE,
        Action.REVOKE: _DELETE,
        Action.TRANSFER: _ADD | _DELETE,
    }
)
"""What a reviewer must be granted on the prefix: the permissions of the protocol for the records of derived prefixes."""


def follow(action: Action, state: State, roles: Set[Role]) -> State:
    """The state after ``action``. Raises `NotPermittedError`, and `StateError` where the state does not have it.

    >>> follow(Action.APPROVE, State.SUBMITTED, {Role.REVIEWER})
    <State.APPROVED: 'approved'>
    """
    role, table = _TABLE[action]
    if role not in roles:
        raise NotPermittedError(f"'{action}' is for the {role} of an application")
    after = table.get(state)
    if after is None:
        able = ", ".join(sorted(one for one in table)) or "nowhere"
        raise StateError(f"an application that is {state} cannot be changed by '{action}'", hint=f"it can where it is {able}")
    return after


def allowed(state: State, roles: Set[Role]) -> tuple[Action, ...]:
    """What somebody in ``roles`` can do to an application in ``state``.

    >>> [str(action) for action in allowed(State.APPROVED, {Role.REVIEWER})]
    ['suspend', 'revoke', 'transfer']
    """
    return tuple(action for action, (role, table) in _TABLE.items() if role in roles and state in table)
