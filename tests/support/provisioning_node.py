"""Approves, suspends and revokes applications until it is killed: python provisioning_node.py DIRECTORY.

A line is printed for each step that is done: the prefix, and the state it is in from then on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hulian.network.identifiers.provisioning import Action, Desk, Proposal, Role, State
from hulian.network.identifiers.store import RecordStore
from hulian.registry import Registry

NEXT = {State.SUBMITTED: Action.APPROVE, State.APPROVED: Action.SUSPEND, State.SUSPENDED: Action.REVOKE}


def main(directory: Path) -> None:
    store = RecordStore(Registry.open(directory / "second.db"))
    desk = Desk(store, 1_000)
    for line in (directory / "proposals.json").read_text().splitlines():
        text, signature = json.loads(line)
        found, _ = desk.apply(Proposal(text=text, signature=bytes.fromhex(signature)), "")
        while (action := NEXT.get(found.state)) is not None:
            found = desk.act(found.id, action, "300:0.NA/88.111", {Role.REVIEWER}, reason="a test")
            print(found.prefix, found.state, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
