"""What only PostgreSQL can get wrong: guards, texts that it does not know, foreign processes, URLs that lead nowhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_type_hints

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_csms import records
from reference_csms.storage.open import open_store, shown_url
from reference_csms.storage.port import Fenced, Table
from reference_csms.storage.sql import SqlStore
from sim.backend import Setup
from sim.errors import BadInput, StoreFailed
from tests.contract.test_store import EVENTS, LOOSE, NUMBERED, TABLES, THINGS, Numbered, Thing, close
from tests.postgres import PASSWORD, Cluster

pytestmark = pytest.mark.postgres


@pytest.fixture
def stores(postgres_url: str) -> Any:
    """Opens the same database, each time as another process."""
    disks: list[dict[str, Any]] = []

    def opened(tables: Any = (*TABLES, NUMBERED)) -> SqlStore:
        disks.append({})
        return SqlStore(disks[-1], tables, postgres_url)

    yield opened
    for disk in disks:
        close(disk)


Opened = Callable[..., SqlStore]


def test_nobody_changes_an_append_only_row_in_the_database(
    stores: Opened, postgres: Cluster, postgres_url: str
) -> None:
    store = stores()
    store.insert(EVENTS, Thing("a", "red", 1))
    store.commit()
    for statement, sentence in (
        ("UPDATE events SET colour = 'green'", "rows of events never change"),
        ("DELETE FROM events", "rows of events never change"),
        ("TRUNCATE events", "rows of events never change"),
        ("INSERT INTO events VALUES ('a', 'green', '')", "duplicate key"),
        ("INSERT INTO events VALUES ('a', 'green', '') ON CONFLICT (_key) DO UPDATE SET colour = 'x'", "never change"),
    ):
        with pytest.raises(psycopg.Error, match=sentence):
            postgres.run(postgres_url, statement)
    assert stores().rows(EVENTS) == [Thing("a", "red", 1)]


def test_texts_with_any_character_are_found_again_and_stay_in_order(stores: Opened) -> None:
    texts = ["", "\0", "\0\0", "\0\1", "\1", "\1\0", "\1\1", "\1\2", "\2", "'\\%(x)s", "a", "a\0", "a\1", "\U0010ffff"]
    store = stores()
    for text in reversed(texts):
        store.insert(THINGS, Thing(text, text, 0))
    store.commit()
    again = stores()
    assert [row.name for row in again.rows(THINGS)] == texts
    assert [again.get(THINGS, text) for text in texts] == again.rows(THINGS)
    assert all(again.find(THINGS, "colour", text) == [Thing(text, text, 0)] for text in texts)
    assert [row.name for row in again.after(THINGS, "\0\1", 3)] == ["\1", "\1\0", "\1\1"]


def test_every_record_comes_back_as_it_was(stores: Opened) -> None:
    texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
    kept: dict[str, dict[Any, Any]] = {table.name: {} for table in records.ALL_TABLES}
    store = stores(records.ALL_TABLES)

    def keep(table: Table[Any]) -> None:
        @settings(max_examples=8)
        @given(st.data())
        def written(data: st.DataObject) -> None:
            hints = get_type_hints(table.row)
            fields = {name: LOOSE[hint] if hint in LOOSE else st.from_type(hint) for name, hint in hints.items()}
            row = data.draw(st.builds(table.row, **fields))
            if kept[table.name].setdefault(getattr(row, table.key), row) is row:
                store.insert(table, row)

        written()

    st.register_type_strategy(str, texts)
    st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
    st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))
    for table in records.ALL_TABLES:
        keep(table)
    store.commit()
    again = stores(records.ALL_TABLES)
    assert sum(map(len, kept.values())) > 3 * len(kept)
    for table in records.ALL_TABLES:
        rows = [kept[table.name][key] for key in sorted(kept[table.name])]
        assert again.rows(table) == rows and repr(again.rows(table)) == repr(rows)
        for index in table.indexes:
            for row in rows:
                assert row in again.find(table, index, getattr(row, index))


def test_no_transaction_stays_open_after_reads(stores: Opened, postgres: Cluster, postgres_url: str) -> None:
    store = stores()
    store.insert(THINGS, Thing("a", "red", 1))
    store.commit()
    assert stores().rows(THINGS) and store.find(THINGS, "size", 1) and store.after(THINGS, None, 1)
    states = postgres.run(postgres_url, "SELECT state FROM pg_stat_activity WHERE datname = current_database()")
    assert ("idle",) in states and not [state for (state,) in states if str(state).startswith("idle in")]


def test_a_second_process_waits_for_a_commit_under_way_and_sees_it_whole(
    stores: Opened, postgres_url: str, postgres: Cluster
) -> None:
    """The opening takes the epoch first: it can neither see a part of a group nor wait in a circle."""
    first = stores()
    first.insert(EVENTS, Thing("a", "red", 1))
    under_way = first._many
    seen: list[int] = []
    second: list[SqlStore] = []
    opening = threading.Thread(target=lambda: second.append(stores()))

    def slow(*given: Any) -> None:
        opening.start()
        while not postgres.run(postgres_url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            assert opening.is_alive()
        seen.append(len(second))
        under_way(*given)

    first._many = slow  # type: ignore[method-assign]
    first.commit()
    opening.join(20)
    assert seen == [0] and second[0].rows(EVENTS) == [Thing("a", "red", 1)]
    first.insert(THINGS, Thing("late", None, 0))
    with pytest.raises(Fenced):
        first.commit()
    assert second[0].count(THINGS) == 0


def test_a_connection_that_the_server_cuts_is_one_sentence_without_values(
    stores: Opened, postgres: Cluster, postgres_url: str
) -> None:
    store = stores()
    store.insert(THINGS, Thing("a-secret", "red", 1))
    postgres.cut(postgres_url)
    with pytest.raises(StoreFailed, match=r"^the database failed: \S") as caught:
        store.commit()
    assert "secret" not in str(caught.value) and "SQL" not in str(caught.value)
    reader = stores()
    postgres.cut(postgres_url)
    with pytest.raises(StoreFailed, match="the database failed"):
        reader.rows(THINGS)
    assert stores().rows(THINGS) == []


def test_a_number_that_no_column_holds_fails_the_whole_group(stores: Opened) -> None:
    store = stores()
    store.insert(THINGS, Thing("a", "red", 1))
    store.insert(NUMBERED, Numbered(1 << 63, "large"))
    with pytest.raises(sa.exc.DataError) as caught:
        store.commit()
    assert "large" not in str(caught.value)
    assert stores().count(THINGS) == 0


def wanted(url: str, **options: Any) -> Any:
    given = {"store": url, "store_kept": True, **options}
    return open_store(Setup(name="csms", seed=0, provision={}, options=given), TABLES)


SECRET = "s3cr3t-w0rd"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/db",
        f"postgresql+psycopg://u:{SECRET}@/db?host=/nowhere",
        f"postgresql+psycopg://u@/db?host=/nowhere&password={SECRET}",
        f"postgresql+psycopg://u:x@{SECRET}@h/db",
        f"postgresql+psycopg://u:x/y@h:{SECRET}/db",
        f"postgresql+psycopg://u:{SECRET}@/db?host=/nowhere&no_such_setting=1",
        f"postgresql+psycopg2://u:{SECRET}@h/db",
        f"postgresql://u:{SECRET}@h/db",
        f"postgresql+psycopg://u:{SECRET}",
    ],
)
def test_a_url_that_leads_nowhere_is_one_sentence_that_keeps_the_password(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        wanted(url)
    sentence = str(caught.value)
    assert SECRET not in sentence and "\n" not in sentence
    assert "allowed:" in sentence and "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE" in sentence
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_wrong_user_or_password_and_a_missing_database_are_named(postgres: Cluster) -> None:
    parsed = sa.make_url(postgres.url)
    stranger = parsed.set(username="stranger", password=SECRET).render_as_string(hide_password=False)
    with pytest.raises(BadInput, match="stranger") as caught:
        wanted(stranger)
    assert SECRET not in str(caught.value) and PASSWORD not in str(caught.value)
    with pytest.raises(BadInput, match=r"database \"no_such_database\" does not exist"):
        wanted(parsed.set(database="no_such_database").render_as_string(hide_password=False))


def test_without_psycopg_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadInput, match=r"needs the package psycopg.*chargerig\[postgres\]"):
        wanted("postgresql+psycopg://u@h/db")


def test_a_run_never_takes_a_database_server_and_full_sync_is_not_ours_to_give(postgres_url: str) -> None:
    with pytest.raises(BadInput, match="allowed: memory"):
        wanted(postgres_url, store_kept=False)
    with pytest.raises(BadInput, match="synchronous_commit"):
        wanted(postgres_url, store_full=True)


def test_a_url_is_shown_without_its_password() -> None:
    for url, shown in (
        (f"postgresql+psycopg://u:{SECRET}@h:5/db", "postgresql+psycopg://h:5/db"),
        (f"postgresql+psycopg://u:a@{SECRET}@h/db?host=/x&password={SECRET}", "postgresql+psycopg://h/db?host=/x"),
        (f"postgresql+psycopg://h/db?sslpassword={SECRET}", "postgresql+psycopg://h/db"),
        ("sqlite:///books.sqlite", "sqlite:///books.sqlite"),
        ("memory", "memory"),
    ):
        assert shown_url(url) == shown
