"""What dividing refused requests has taught: where the device does not let be read across. No I/O.

A refused request is divided until the refused address stands alone. Then it is known where the device cannot be read
across, and everything else is joined again: one bad address among a hundred costs two requests more, not seven.
"""

from __future__ import annotations

from hulian.network.exchange.protocols.modbus.plan import Block, Plan

__all__ = ["Divisions"]


class _Pair:
    """The two halves of a refused request, and which of them were answered (None: not yet known)."""

    __slots__ = ("answers", "second")

    def __init__(self, second: Block) -> None:
        self.second = second
        self.answers: dict[Block, bool] = {}


class Divisions:
    """The dividing and joining of the blocks of one `Plan`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pairs: dict[Block, _Pair] = {}
        self._alone: set[tuple[int, ...]] = set()
        self._learnt = False

    def divide(self, block: Block) -> list[Block]:
        """Reads two halves instead of ``block`` from now on; what the plan has not handed over yet is lost."""
        self._known(block, good=False)
        parts = block.divided(self._plan.items)
        pair = _Pair(parts[1])
        for part in parts:
            self._pairs[part] = pair
        self._plan.replace(block, parts)
        return parts

    def answered(self, block: Block) -> None:
        """``block`` was answered."""
        if self._pairs:
            self._known(block, good=True)
        if self._alone and block.members in self._alone:
            self._alone.discard(block.members)
            self._plan.heal(block.table, block.offset, block.offset + block.count)
            self._learnt = True

    def refused(self, block: Block) -> None:
        """``block`` cannot be divided further, or shall not be."""
        self._known(block, good=False)
        if block.members not in self._alone:
            self._alone.add(block.members)
            self._plan.cut(block.table, block.offset, block.offset + block.count)
            self._learnt = True

    def _known(self, block: Block, *, good: bool) -> None:
        pair = self._pairs.pop(block, None)
        if pair is None:
            return
        pair.answers[block] = good
        if len(pair.answers) == 2 and all(pair.answers.values()):
            # Each half is read, both together are not: it is what lies between them, or their number.
            self._plan.cut(pair.second.table, pair.second.offset)
            self._learnt = True

    def settled(self) -> bool:
        """Joins again what need not be apart, once nothing is open any more; whether blocks may have changed."""
        if self._pairs or not self._learnt:
            return False
        self._learnt = False
        self._plan.rejoin()
        return True
