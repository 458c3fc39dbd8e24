"""The business half of an upgrade: sellers, notices, owners' onboarding and contracts, as Machines beside the move.

Nothing here decides whether the upgrade went well: it acts and notes down, and the checks judge.
"""
