"""Signed meter values beyond one format: other formats, registry, what may be billed and why not, tampering, containers."""
