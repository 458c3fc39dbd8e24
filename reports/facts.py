"""The numbers of a run, added up from its evidence: energy, money, people, messages, faults.

Adds and groups only. What is right or wrong is said by the checks; a sum that does not come out is shown as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache

from msgspec import Struct

from reports import words
from reports.run import BACKENDS, Row, Run, by

NOT_SHOWN = "not shown by the back-end"
_BY_RIGHT = frozenset(("blocked-token", "refused-by-right"))
_NO_ENERGY_OF_ITS_OWN = ("stray-stop", "second-stop", "replay")


class Fate(Struct, frozen=True):
    """What became of some sessions: a part of all energy. `key` is for the picture, `backend` empty for all."""

    key: str
    backend: str
    sessions: int
    wh: int


class Money(Struct, frozen=True):
    """Bills of one back-end in one currency, in minor units."""

    backend: str
    currency: str
    bills: int
    gross: int
    vat: int


class Facts(Struct, frozen=True):
    """The whole run in numbers. Energies in Wh."""

    visits: int
    real_visits: int
    extra_visits: int
    by_right: int
    began_again: int
    app_visits: int
    outcomes: dict[str, int]
    sites: int
    stations: int
    sessions: int
    delivered_wh: int
    fates: tuple[Fate, ...]
    money: tuple[Money, ...]
    calls: dict[str, int]
    frames: int
    calls_lost: int
    connections: int
    resent: int
    records: int
    quarantined_messages: int
    moved: int
    to_move: int
    handed_over: int
    hidden: dict[str, tuple[str, ...]]

    def missing(self, book: str) -> str:
        """What to print where a book was not shown: by nobody, or not by this back-end; empty if all showed it."""
        names = self.hidden.get(book, ())
        return "" if not names else (NOT_SHOWN if len(names) >= len(BACKENDS) else f"not shown by {', '.join(names)}")

    def known(self, text: str, *books: str) -> str:
        """A number of the books, or that its books were not shown; both if one back-end showed its own."""
        gap = next((self.missing(book) for book in books if self.missing(book)), "")
        return text if not gap else (gap if gap == NOT_SHOWN else f"{text}, {gap}")

    def wh(self, *keys: str) -> int:
        """The energy of these fates."""
        return sum(fate.wh for fate in self.fates if fate.key in keys)

    @property
    def replayed(self) -> str:
        """Who came, in words: those of the session file, and those whom the scenario adds."""
        more = [f"{words.plural(self.extra_visits, 'visit')} more"] if self.extra_visits else []
        if self.by_right:
            people = words.plural(self.by_right, "person", "people")
            more.append(f"{people} with a blocked card who {'is' if self.by_right == 1 else 'are'} refused by right")
        return ", and ".join([words.plural(self.real_visits, "real visit"), *more])

    @property
    def sessions_told(self) -> str:
        """Why there are more sessions than visits that charged; empty if there are not."""
        charged = self.outcomes.get("charged", 0)
        if self.sessions == charged or self.began_again <= 0:
            return ""
        again = words.plural(self.began_again, "interrupted charge")
        count = "counts as two sessions" if self.began_again == 1 else "count as two sessions each"
        return f"{words.plural(charged, 'visit')} charged; {again} began again and {count}"

    @property
    def held_told(self) -> str:
        """How many sessions are in quarantine, and of what its other records are; a record need not be a session."""
        sessions = sum(fate.sessions for fate in self.fates if fate.key == "quarantined")
        text = words.plural(sessions, "session")
        if self.quarantined_messages:
            text += f", and {words.plural(self.quarantined_messages, 'record')} of stray or repeated messages"
        return text

    @property
    def unaccounted_wh(self) -> int:
        """What meters delivered and no book knows; negative if the books know more than there was."""
        return self.delivered_wh - sum(fate.wh for fate in self.fates)


@lru_cache(maxsize=4)
def facts(run: Run) -> Facts:
    """Add everything up once."""
    visits = run.table("truth_visits")
    sessions = run.table("truth_sessions")
    states = by(run.table("truth_migration"), "station")
    meters = run.table("truth_meters")
    return Facts(
        visits=len(visits),
        real_visits=sum(str(visit["visit_id"]).startswith("v") for visit in visits),
        extra_visits=sum(not str(visit["visit_id"]).startswith("v") and not by_right(visit) for visit in visits),
        by_right=sum(by_right(visit) for visit in visits),
        began_again=len(sessions) - len({session["visit_id"] for session in sessions}),
        app_visits=sum(visit["channel"] == "app" for visit in visits),
        outcomes=dict(Counter(str(visit["outcome"]) for visit in visits)),
        sites=len({row["site"] for row in run.plan("stations") or []} | {visit["site"] for visit in visits}),
        stations=len({meter["station"] for meter in meters}),
        sessions=len(sessions),
        delivered_wh=sum(delivered(session) for session in sessions),
        fates=tuple(_fates(run)),
        money=tuple(_money(run)),
        calls={name: run.count("wire_calls", f"backend = '{name}'") for name in BACKENDS},
        frames=sum(int(link["frames_up"] or 0) + int(link["frames_down"] or 0) for link in run.table("wire_links")),
        calls_lost=run.count("wire_calls", "answer_delivered_at IS NULL"),
        connections=run.count("wire_links"),
        resent=_resent(run),
        records=run.count("books_records"),
        quarantined_messages=sum(is_message(run, row) for row in run.table("books_quarantine")),
        moved=sum(rows[-1]["state"] == "CLOSED_AT_OLD" for rows in states.values()),
        to_move=len(states),
        handed_over=run.count("books_transactions", "state = 'handed-over'"),
        hidden={
            book: tuple(sorted({str(row["backend"]) for row in rows}))
            for book, rows in by(run.table("unverifiable"), "book").items()
        },
    )


def by_right(visit: Row) -> bool:
    """Whether this person has a blocked card, so that a refusal is right."""
    return not _BY_RIGHT.isdisjoint(str(visit["note"] or "").split(","))


def delivered(session: Row) -> int:
    """What the meter gave in a true session, Wh; 0 while its end is not known."""
    if session["register_stop"] is None or session["register_start"] is None:
        return 0
    return int(session["register_stop"]) - int(session["register_start"])


def is_copy(run: Run, held: Row) -> bool:
    """Whether a quarantine entry is only the copy of an end that some book has settled: same station, same register.

    The end of a session that is sent to both back-ends is settled at one and held at the other.
    """
    if held["session_id"]:
        return False
    register = json.loads(held["evidence"] or "{}").get("meter_stop")
    return register is not None and any(
        (row["station"], row["meter_stop"]) == (held["station"], register) and row["state"] != "handed-over"
        for row in run.table("books_transactions")
    )


def is_message(run: Run, held: Row) -> bool:
    """Whether a quarantine record is of a message only: stray, repeated, or a copy. Its energy is told elsewhere."""
    return (held["reason"] in _NO_ENERGY_OF_ITS_OWN and held["energy_wh"] is None) or is_copy(run, held)


def _loose_energies(run: Run, backend: str) -> list[int]:
    """Energies of quarantine entries that belong to no session of any book, Wh."""
    return [
        int(row["energy_wh"] or 0)
        for row in run.table("books_quarantine")
        if row["backend"] == backend
        and not row["session_id"]
        and row["reason"] not in _NO_ENERGY_OF_ITS_OWN
        and not is_copy(run, row)
    ]


def _fates(run: Run) -> list[Fate]:
    fates: list[Fate] = []
    sessions = run.table("books_sessions")
    for key in ("billed", "free", "quarantined", "open"):
        for name in BACKENDS:
            mine = [row for row in sessions if row["backend"] == name and row["state"] == key]
            count, wh = len(mine), sum(int(row["energy_wh"] or 0) for row in mine)
            if key == "quarantined":
                energies = _loose_energies(run, name)
                count, wh = count + len(energies), wh + sum(energies)
            fates.append(Fate(key, name, count, wh))
    return fates


def _money(run: Run) -> list[Money]:
    sums: dict[tuple[str, str], list[int]] = {}
    for bill in run.table("books_bills"):
        total = sums.setdefault((bill["backend"], bill["currency"]), [0, 0, 0])
        total[0] += 1
        total[1] += int(bill["gross"])
        total[2] += int(bill["vat"])
    return [Money(backend, currency, *total) for (backend, currency), total in sorted(sums.items())]


def _resent(run: Run) -> int:
    """How many starts, stops and events went out more than once: same station, same action, same content.

    An event is the same by its transaction and number, also where it says meanwhile that it had to wait.
    """
    sent = "FROM wire_calls WHERE way = 'up' AND action"
    event = "json_extract(payload, '$.transactionInfo.transactionId'), json_extract(payload, '$.seqNo')"
    groups = (
        f"SELECT COUNT(*) AS n {sent} IN ('StartTransaction', 'StopTransaction') GROUP BY station, action, payload "
        f"UNION ALL SELECT COUNT(*) AS n {sent} = 'TransactionEvent' GROUP BY station, {event}"
    )
    return int(run.evidence.rows(f"SELECT COALESCE(SUM(n - 1), 0) AS n FROM ({groups})")[0]["n"])


def lines_of(rated: Row) -> list[Row]:
    """The lines of a rated CDR, as its books explain them."""
    return list(json.loads(rated["lines"] or "[]"))
