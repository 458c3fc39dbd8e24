"""Payloads of each OCPP version to version-neutral commands, and their answers back to payloads."""
