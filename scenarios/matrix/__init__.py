"""Pricing matrices: a table of location x group x time that compiles to tariffs (`chargerig matrix`)."""
