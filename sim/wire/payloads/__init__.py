"""Payload types, one module per OCPP version, written by `python -m sim.wire.generate`. Never edit them by hand."""
