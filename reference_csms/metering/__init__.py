"""Signed meter records: whose key they must verify with, and whether a session may be billed by them."""
