"""Where the day's visits come from: session files of real charging, their dirt, and the day cut out of them."""

from scenarios.workloads.day import Workload, load_day
from scenarios.workloads.dirt import RULES
from scenarios.workloads.sessions import Columns, Row, SessionFile, read_sessions, redate

__all__ = ["RULES", "Columns", "Row", "SessionFile", "Workload", "load_day", "read_sessions", "redate"]
