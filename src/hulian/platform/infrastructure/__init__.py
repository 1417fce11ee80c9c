"""IaaS: the processes of a node, kept alive by one supervisor; backup and restore."""
