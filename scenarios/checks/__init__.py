"""The checks: each reads the evidence of a run and says PASS, FAIL with findings, UNKNOWN or NOT_APPLICABLE.

A check reads recorded evidence only, never a living object, and shares no logic with the two ends it judges.
"""

from scenarios.checks.registry import Check, Judge, all_checks, check, run_checks

__all__ = ["Check", "Judge", "all_checks", "check", "run_checks"]
