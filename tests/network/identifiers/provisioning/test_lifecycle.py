"""Every action against every state and every role; what may be done is written down here a second time, by hand."""

from __future__ import annotations

import itertools

import pytest

from hulian.network.identifiers.provisioning import Action, Role, State, allowed
from hulian.network.identifiers.provisioning.errors import NotPermittedError, StateError
from hulian.network.identifiers.provisioning.lifecycle import IN_FORCE, NEEDS, OPEN, follow

A, R = Role.APPLICANT, Role.REVIEWER
EXPECTED = {
    ("amend", "submitted", A): "submitted",
    ("amend", "incomplete", A): "submitted",
    ("withdraw", "submitted", A): "withdrawn",
    ("withdraw", "in review", A): "withdrawn",
    ("withdraw", "incomplete", A): "withdrawn",
    ("review", "submitted", R): "in review",
    ("review", "in review", R): "in review",
    ("ask", "submitted", R): "incomplete",
    ("ask", "in review", R): "incomplete",
    ("approve", "submitted", R): "approved",
    ("approve", "in review", R): "approved",
    ("reject", "submitted", R): "rejected",
    ("reject", "in review", R): "rejected",
    ("reject", "incomplete", R): "rejected",
    ("suspend", "approved", R): "suspended",
    ("resume", "suspended", R): "approved",
    ("revoke", "approved", R): "revoked",
    ("revoke", "suspended", R): "revoked",
    ("transfer", "approved", R): "approved",
}
ROLES = [set(), {A}, {R}, {A, R}]


@pytest.mark.parametrize("roles", ROLES, ids=["stranger", "applicant", "reviewer", "both"])
def test_every_action_in_every_state(roles):
    for action, state in itertools.product(Action, State):
        expected = {EXPECTED[key] for role in roles if (key := (action.value, state.value, role)) in EXPECTED}
        assert (action in allowed(state, roles)) == bool(expected), (action, state)
        if expected:
            assert {follow(action, state, roles).value} == expected, (action, state)
            continue
        ever = any(key[0] == action and key[2] in roles for key in EXPECTED)
        with pytest.raises(StateError if ever else NotPermittedError):
            follow(action, state, roles)


def test_an_end_is_an_end_and_every_reviewers_action_takes_a_permission():
    for state in set(State) - OPEN - IN_FORCE:
        assert allowed(state, {A, R}) == ()
    for action in Action:
        assert (action in NEEDS) == any(key[0] == action and key[2] is R for key in EXPECTED), action
