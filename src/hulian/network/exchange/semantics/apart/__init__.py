"""Documents read in a process of their own: `process` starts it and `worker` is it; `pieces` is what goes between them.

Nothing is loaded here: the process begins with as little as it can.
"""
