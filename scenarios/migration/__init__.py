"""The migration tool: moves the stations of a site from one back-end to another, one state at a time."""

from scenarios.migration.states import FINAL, LEGAL
from scenarios.migration.tool import MigrationTool, MoveOrder, StationOrder

__all__ = ["FINAL", "LEGAL", "MigrationTool", "MoveOrder", "StationOrder"]
