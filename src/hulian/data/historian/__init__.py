"""The historian: append and query time series. It knows time, values, quality and disk; not meaning, not the network.

`contract` is what others see, `embedded` (chdb) and `server` (ClickHouse) the two that keep it.
"""
