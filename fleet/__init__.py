"""The virtual world outside the back-end: stations with their meters, EVs, and the people who drive them.

`fleet` imports `sim` only. It must never know the reference back-end.
"""
