"""Prometheus metrics of one running back-end, read from its counters when asked. The only importer of prometheus_client.

A registry of its own, so that nothing of the process or of another back-end gets in. Labels never hold an identity.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from reference_csms.web.routes import Desk

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Meters(Collector):
    """The metrics of a back-end, all named `chargerig_...`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition in the text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: what there is stands in `collect`, and the registry needs no names before it is asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything as it is now."""
        desk, counters = self._desk, self._desk.counters
        handshakes = CounterMetricFamily("chargerig_handshakes", "Handshakes by HTTP status.", labels=["status"])
        for status, count in sorted(counters.handshakes.items()):
            handshakes.add_metric([str(status)], count)
        yield handshakes
        calls = CounterMetricFamily(
            "chargerig_calls",
            "OCPP calls by action and outcome (result, or an error code).",
            labels=["action", "outcome"],
        )
        for (action, outcome), count in sorted(counters.calls.items()):
            calls.add_metric([action, outcome], count)
        yield calls
        yield CounterMetricFamily("chargerig_commit_groups", "Groups of writes committed.", counters.groups)
        seconds = counters.commit_ms_total / 1000
        yield CounterMetricFamily("chargerig_commit_seconds", "Time spent in commits.", seconds)
        yield CounterMetricFamily(
            "chargerig_closed_oversize", "Connections closed for a too large frame.", counters.closed_oversize
        )
        yield CounterMetricFamily("chargerig_shed", "What was turned away under load.", counters.shed)
        yield GaugeMetricFamily(
            "chargerig_loop_lag_seconds", "How late the loop ran at worst, lately.", counters.lag_ms / 1000
        )
        connected = len({view.station for view in desk.connections()})
        yield GaugeMetricFamily("chargerig_connected_stations", "Stations with a living connection.", connected)
        uptime = (desk.now() - desk.started_at) / 1000
        yield GaugeMetricFamily("chargerig_uptime_seconds", "Time since the start of the back-end.", uptime)
        told = {
            "stations": "Stations provisioned.",
            "open_transactions": "Transactions that are open.",
            "sessions": "Sessions in the books.",
            "bills": "Bills in the books.",
            "quarantine": "Rows in the quarantine, released ones too.",
            "journal": "Entries of the journal.",
        }
        serves = desk.ready() is None
        yield GaugeMetricFamily("chargerig_ready", "1 if the back-end serves.", int(serves))
        if not serves:
            return  # its books may be out of reach
        tally = desk.tally()
        for name, said in told.items():
            yield GaugeMetricFamily(f"chargerig_{name}", said, tally[name])
