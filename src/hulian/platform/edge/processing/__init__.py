"""What the edge makes of samples before they leave: filters per point, computed points, windows, local rules.

Everything but `connector` and `checkpoint` is free of I/O and of clocks: columns in, columns out, the time handed in.
"""
