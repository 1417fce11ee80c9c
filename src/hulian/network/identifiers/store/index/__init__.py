"""Keys to packed values, both bytes, in memory: compiled where the library is there, a dictionary where it is not."""

from hulian.network.identifiers.store.index.compiled import CompiledIndex
from hulian.network.identifiers.store.index.contract import PackedIndex, open_index
from hulian.network.identifiers.store.index.plain import PlainIndex

__all__ = ["CompiledIndex", "PackedIndex", "PlainIndex", "open_index"]
