"""How fast real sockets are on this machine: our server against `ocpp` + `websockets`, and our fleet against a sink.

Servers run as processes of their own, one after the other, and are judged by their CPU time, so that whoever else uses
the machine matters little. Everything is bounded in count and time and talks to loopback only.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from scenarios.bench.flood import flood
from scenarios.bench.group import peak_memory_of
from scenarios.sockets.child import ServerChild, free_port

Tell = Callable[[str], None]
_WARM_UP_S = 1.0
_FLEET_S = 6.0
_LAG_MS = 100.0
_TICKS = os.sysconf("SC_CLK_TCK")


class ServerRate(Struct, frozen=True):
    """One measured server: readings per second of its CPU time and of the clock, and its slowest answer in ms."""

    name: str
    per_cpu_s: float
    per_wall_s: float
    worst_ms: float


class FleetRate(Struct, frozen=True):
    """One measured fleet: calls a second as wished and as sent, its own lag (p99, ms), calls per CPU second."""

    wished: float
    sent: float
    lag_ms: float
    per_cpu_s: float


class SocketsResult(Struct, frozen=True):
    """All figures. Ratios are medians of CPU rates; memory in MB, `per_station_mb` without the base."""

    servers: list[ServerRate]
    ratio_default: float
    ratio_fast: float
    fleets: list[FleetRate]
    boots: int
    booted_s: float | None
    fleet_base_mb: float
    fleet_per_station_mb: float
    sink_base_mb: float
    sink_per_station_mb: float

    def text(self) -> str:
        """All of it, to be read."""
        lines = [
            f"{one.name:<22}{one.per_cpu_s:>10,.0f} readings per CPU second,{one.per_wall_s:>9,.0f} per second, "
            f"slowest answer {one.worst_ms:,.0f} ms"
            for one in self.servers
        ]
        lines += [f"ratio_default {self.ratio_default:.1f}, ratio_fast {self.ratio_fast:.1f}"]
        lines += [
            f"fleet: {one.wished:,.0f} calls a second wished, {one.sent:,.0f} sent, own lag {one.lag_ms:,.0f} ms (p99), "
            f"{one.per_cpu_s:,.0f} per CPU second"
            for one in self.fleets
        ]
        held = max((one.sent for one in self.fleets if one.lag_ms <= _LAG_MS), default=0.0)
        lines.append(f"fleet: {held:,.0f} calls a second at most before its own lag passed {_LAG_MS:.0f} ms")
        booted = "not all in time" if self.booted_s is None else f"all accepted after {self.booted_s:.1f} s"
        lines.append(
            f"{self.boots:,} stations against a sink: {booted}; fleet {self.fleet_base_mb:.0f} MB and "
            f"{self.fleet_per_station_mb:.3f} MB a station, sink {self.sink_base_mb:.0f} MB and "
            f"{self.sink_per_station_mb:.3f} MB a station"
        )
        lines.append("server: 50 connections, one CALL outstanding each, MeterValues with 4 values, durable in SQLite")
        return "\n".join(lines)


def bench_sockets(
    seconds: float = 5.0,
    repeats: int = 3,
    connections: int = 50,
    rates: Sequence[float] = (2_000, 5_000, 10_000),
    boots: int = 10_000,
    tell: Tell | None = None,
) -> SocketsResult:
    """Measure all of it. Raises RuntimeError when something answered wrongly: then no figure is worth anything."""
    say = tell or (lambda line: None)
    by_name: dict[str, list[ServerRate]] = {}
    with tempfile.TemporaryDirectory(prefix="chargerig-bench-") as made:
        folder = Path(made)
        for number in range(repeats):
            for name in ("ours", "ours, fast stack", "ocpp + websockets"):
                place = folder / f"{number}-{name.replace(' ', '').replace(',', '-')}"
                place.mkdir()
                with _server(name, place) as (pid, url):
                    rate = _flooded(name, pid, url, connections, seconds)
                by_name.setdefault(name, []).append(rate)
                say(f"{name}: {rate.per_cpu_s:,.0f} readings per CPU second")
        fleets = [_fleet_rate(folder, rate, say) for rate in rates]
        base, sink_base = _boot(folder, 1)
        many, sink_mb = _boot(folder, boots)
        say(f"{boots:,} stations booted")
    servers = [_median(rates) for rates in by_name.values()]
    ours, fast, library = (one.per_cpu_s for one in servers)
    extra = max(1, boots - 1)
    return SocketsResult(
        servers=servers,
        ratio_default=ours / library,
        ratio_fast=fast / library,
        fleets=fleets,
        boots=boots,
        booted_s=many["booted_s"],
        fleet_base_mb=base["peak_mb"],
        fleet_per_station_mb=(many["peak_mb"] - base["peak_mb"]) / extra,
        sink_base_mb=sink_base,
        sink_per_station_mb=(sink_mb - sink_base) / extra,
    )


def _median(rates: list[ServerRate]) -> ServerRate:
    return ServerRate(
        name=rates[0].name,
        per_cpu_s=median(one.per_cpu_s for one in rates),
        per_wall_s=median(one.per_wall_s for one in rates),
        worst_ms=median(one.worst_ms for one in rates),
    )


@contextmanager
def _server(name: str, folder: Path) -> Iterator[tuple[int, str]]:
    """A running server: its process and its URL."""
    if name.startswith("ours"):
        extra = ["--fast"] if "fast" in name else []
        child = ServerChild(folder, ["--accept-unknown", "--db", f"sqlite:///{folder / 'b.sqlite'}", *extra])
        child.start()
        try:
            yield child.pid, child.ocpp
        finally:
            child.kill()
        return
    port = free_port()
    with _running("scenarios.bench.library_server", str(port), str(folder / "l.sqlite")) as pid:
        yield pid, f"ws://127.0.0.1:{port}/{{id}}"


@contextmanager
def _running(module: str, *arguments: str) -> Iterator[int]:
    """A helper process that says `ready` when it is."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{module} did not start")
        yield process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _flooded(name: str, pid: int, url: str, connections: int, seconds: float) -> ServerRate:
    began = [0.0]

    def begin() -> None:
        began[0] = _cpu_of(pid)

    result = asyncio.run(flood(url, connections, _WARM_UP_S, seconds, begin))
    cpu = max(1 / _TICKS, _cpu_of(pid) - began[0])
    return ServerRate(name, result.readings / cpu, result.readings / result.wall_s, result.worst_ms)


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _fleet(folder: Path, port: int, *options: str) -> dict[str, float]:
    """Run a fleet as a process of its own and return its figures."""
    url = f"ws://127.0.0.1:{port}/{{id}}"
    command = [sys.executable, "-m", "scenarios.cli", "fleet", "--url", url, "--json", *options]
    done = subprocess.run(command, capture_output=True, cwd=folder, timeout=180, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the fleet failed: {done.stderr.decode('utf-8', 'replace')[-500:]}")
    figures: dict[str, float] = msgspec.json.decode(done.stdout)
    return figures


def _fleet_rate(folder: Path, rate: float, say: Tell) -> FleetRate:
    """A fleet whose stations read their meters out so often that it has so many calls a second."""
    stations = 500
    port = free_port()
    with _running("scenarios.bench.sink", str(port)):
        traffic = ("--session", "10h", "--gap", "1s", "--arrive-within", "1s", "--sample", "1s")
        lasts = ("--ramp", "1s", "--pace", f"{rate / stations:g}", "--for", f"{_FLEET_S + 3:g}s")
        figures = _fleet(folder, port, "--stations", str(stations), *traffic, *lasts)
    sent = figures["sent"] / figures["seconds"]
    say(f"fleet: {sent:,.0f} calls a second of {rate:,.0f}, own lag {figures['lag_p99_ms']:,.0f} ms")
    return FleetRate(rate, sent, figures["lag_p99_ms"], figures["sent"] / figures["cpu_s"])


def _boot(folder: Path, stations: int) -> tuple[dict[str, float], float]:
    """So many stations at once against a sink: the fleet's figures and the sink's memory."""
    port = free_port()
    with _running("scenarios.bench.sink", str(port)) as pid:
        options = ("--stations", str(stations), "--idle", "--ramp", "0s", "--for", f"{5 + stations / 300:g}s")
        figures = _fleet(folder, port, *options)
        return figures, peak_memory_of(pid)
