"""The bench: what a virtual day costs, held against the engine of the `ocpp` library. The exceptions of the house live
here: `scenarios.bench.library` imports `ocpp` itself, and `scenarios.bench` reads the CPU clock."""

from scenarios.bench.day import BenchResult, Pace, bench_day, measure
from scenarios.bench.world import BenchFailed

__all__ = ["BenchFailed", "BenchResult", "Pace", "bench_day", "measure"]
