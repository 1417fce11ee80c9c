"""The information model for people: browsed, found by meaning with live values, and bound to points.

What is here but `views` loads the semantics, so it is imported when somebody first asks.
"""
