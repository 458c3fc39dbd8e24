"""Planted bugs: the reference back-end with one decision replaced, and the check that must notice (house rule 3)."""
