"""``hulian identifiers rollover``: the node's key gives way to a new one, while everything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.assembly.identifier_key import Rolling
    from hulian.network.identifiers.chain.follow import Follow

__all__ = ["rollover_begin", "rollover_finish", "rollover_status"]

_STAGES = {
    "prepared": "a new key is made, and not yet known to others: run 'begin' again",
    "overlap": "both keys are good",
    "withdrawing": "the new key is the node's: run 'finish' again where it was cut short",
    "finishing": "the old key is being withdrawn: run 'finish' again where it was cut short",
    "done": "the last roll-over is finished; the node has one key",
}


def rollover_begin(
    *,
    overlap: Annotated[float, Parameter(help="hours that both keys are good")] = 25.0,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Put a new key beside that of this machine's node: here, and in the record of its prefix at the node above.

    It takes a minute, in which other nodes learn of it. The running node signs for each asker with the key that its site record
    names. After the overlap run 'finish'.

    Example:

        hulian identifiers rollover begin
    """
    import anyio

    from hulian.assembly.rollover import begin

    configuration = read_configuration(config)

    async def run() -> Rolling:
        return await begin(configuration, _follow(configuration), overlap=overlap * 3600)

    _tell(anyio.run(run), json=json)


def rollover_finish(
    *,
    early: Annotated[bool, Parameter(help="although somebody may still go by the old key", negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Withdraw the old key. It takes two minutes, in which other nodes forget it; the node runs on.

    Example:

        hulian identifiers rollover finish
    """
    import anyio

    from hulian.assembly.rollover import finish

    configuration = read_configuration(config)

    async def run() -> Rolling:
        return await finish(configuration, _follow(configuration), early=early)

    _tell(anyio.run(run), json=json)


def rollover_status(*, config: ConfigFile = None, json: Json = False) -> None:
    """Show how far the roll-over of the node's key is.

    Example:

        hulian identifiers rollover status
    """
    from hulian.assembly.identifier_key import read_rolling

    _tell(read_rolling(read_configuration(config)), json=json)


def _follow(configuration: Configuration) -> Follow:
    from hulian.assembly.identifier_files import root_data, root_file
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.transport.client import Client

    return Follow(root_data(root_file(configuration)), Client())


def _tell(state: Rolling | None, *, json: bool) -> None:
    from datetime import UTC, datetime

    if json:
        emit({"stage": state.stage if state else None, "until": state.until if state else None})
    elif state is None:
        print("The node has the key that it began with.")
    else:
        until = f", until {datetime.fromtimestamp(state.until, UTC):%Y-%m-%d %H:%M} UTC" if state.stage == "overlap" else ""
        print(f"{state.stage}: {_STAGES[state.stage]}{until}")
