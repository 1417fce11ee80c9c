"""From the spine to the historian: exactly what was sent, once.

`service` is the component, `intake` the loop from block to block, `ledger` the accounts of every source, `store` what of
it is on disk, `queries` and `client` the historian asked over the spine.
"""
