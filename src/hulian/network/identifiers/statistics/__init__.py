"""What a node counts of itself, keeps, and tells: questions, times, sources, faults; reports to the node above, and probes.

Nothing here asks or answers a question of the protocol: what counts is called from beside the links, what is told is fetched.
"""
