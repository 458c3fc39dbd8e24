"""The migration tool: moves the stations of a site from one back-end to another, one state at a time."""

from scenarios.migration.life import MortalTool
from scenarios.migration.states import FINAL, LEGAL
from scenarios.migration.tool import MigrationTool, MoveOrder, MoveParts, StationOrder

__all__ = ["FINAL", "LEGAL", "MigrationTool", "MortalTool", "MoveOrder", "MoveParts", "StationOrder"]
