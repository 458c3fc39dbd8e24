"""Verdicts from the wire alone: what recorded or living OCPP traffic proves about a station and its back-end."""
