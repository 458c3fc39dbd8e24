"""Readers of signed meter values: OCMF and what meters of other makes sign instead, all as `sim.wire.ocmf.Record`."""
