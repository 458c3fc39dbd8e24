"""Target files behind sockets: each mistake is one sentence with file, key path and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.targets import resolve
from scenarios.targets.external import ExternalBackEnd
from scenarios.targets.file import load_target
from sim.errors import BadInput

GOOD = """
[ocpp]
url = "wss://csms.example/ocpp/{station}"
password_env = "RIG_PASSWORD"

[api]
base_url = "https://csms.example"
token_file = "token.txt"
authorization = "Token {token}"
headers = { "X-Tenant" = "rig" }

[levers.app-start]
path = "/chargers/{station}/start"
body = { evse = "{connector}", card = "{token}" }
outcome = "data.result"
answered = ["OK"]
refused = ["NO"]

[provision.tokens]
path = "/tokens"
body = { uid = "{token}" }

[books.cdrs]
kind = "ocpi"
url = "/ocpi/cdrs"
columns = { station = "cdr_location.evse_id", tariff_version = { value = "1" } }

[books.bills]
kind = "csv"
path = "bills.csv"
zone = "Europe/Oslo"
decimal = ","
delimiter = ";"

[statements.payments]
kind = "none"

[clock]
settle_s = 2.5
"""
API = '[api]\nbase_url = "http://csms.example"\n'
BOOK = '[books.bills]\nkind = "csv"\npath = "b.csv"\n'


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "target.toml"
    file.write_text(text)
    return file


def test_a_whole_file_is_read_with_its_shorthands(tmp_path: Path) -> None:
    foreign = load_target(written(tmp_path, GOOD)).roles[""]
    assert foreign.books["cdrs"].columns["station"].source == "cdr_location.evse_id"
    assert foreign.books["cdrs"].columns["tariff_version"].value == "1"
    assert foreign.clock.settle_s == 2.5
    assert foreign.levers["app-start"].method == "POST"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[ocpp]\nurl = 'http://x'\n", "ocpp.url", "ws://HOST"),
        ("[ocpp]\nurl = 'ws://x/{charger}'\n", "ocpp.url", "allowed: station"),
        ("[ocpp]\nurl = 'ws://x/{'\n", "ocpp.url", "braces"),
        ("[ocpp]\nurl = 'ws://x'\nport = 1\n", "ocpp.port", "password_env"),
        ("[ocpp]\nurl = 'ws://x'\nsubprotocols = []\n", "ocpp.subprotocols", "ocpp1.6"),
        ("[ocpp]\nurl = 'ws://x'\npassword_env = 'A'\npassword_file = 'b'\n", "ocpp.password_file", "one of the two"),
        ("[api]\nbase_url = 'http://me:secret@x'\n", "api.base_url", "token_env or token_file"),
        ("[levers.app-start]\npath = '/x'\n", "levers.app-start", "[api] with base_url"),
        (API + "[levers.jump]\npath = '/x'\n", "levers.jump", "app-start"),
        (API + "[levers.app-start]\npath = 'x'\n", "levers.app-start.path", "begins with /"),
        (API + "[levers.app-start]\npath = '/{what}'\n", "levers.app-start.path", "mobile"),
        (API + "[levers.call]\npath = '/'\nbody = { a = ['{nobody}'] }\n", "levers.call.body", "payload"),
        (API + "[levers.call]\npath = '/'\nanswered = ['OK']\n", "levers.call.outcome", "path of what tells"),
        (API + "[levers.call]\npath = '/'\nmethod = 'SEND'\n", "levers.call.method", "'POST'"),
        (API + "[provision.cars]\npath = '/x'\n", "provision.cars", "tokens"),
        ("[books.bill]\nkind = 'none'\n", "books.bill", "did you mean bills?"),
        ("[books.bills]\nkind = 'excel'\n", "books.bills.kind", "'csv'"),
        ("[books.bills]\nkind = 'csv'\n", "books.bills", "path or url"),
        ("[books.bills]\nkind = 'none'\npath = 'x'\n", "books.bills.path", "nothing"),
        ("[books.bills]\nkind = 'csv'\npath = 'x'\nsql = 'SELECT'\n", "books.bills.sql", "delimiter"),
        ("[books.bills]\nkind = 'csv'\nurl = '/x'\n", "books.bills.url", "[api]"),
        ("[books.bills]\nkind = 'csv'\nurl = 'ftp://x'\n", "books.bills.url", "http://HOST"),
        ("[books.bills]\nkind = 'sql'\nsql = 'SELECT 1'\n", "books.bills.database", "database_env"),
        (
            "[books.bills]\nkind = 'sql'\nsql = 'SELECT 1'\ndatabase = 'postgresql://me:secret@x/y'\n",
            "books.bills.database",
            "database_env",
        ),
        (BOOK + "delimiter = 'tab'\n", "books.bills.delimiter", "one character"),
        (BOOK + "zone = 'Oslo'\n", "books.bills.zone", "time zone"),
        (BOOK + "columns = { price = 'Preis' }\n", "books.bills.columns.price", "gross"),
        (BOOK + "columns = { gross = {} }\n", "books.bills.columns.gross", "`from`"),
        (BOOK + "columns = { gross = { from = 'x', unit = 'kWh' } }\n", "books.bills.columns.gross.unit", "minor"),
        (
            BOOK + "columns = { gross = { from = 'x', pattern = '(' } }\n",
            "books.bills.columns.gross.pattern",
            "regular",
        ),
        (BOOK + "columns = { gross = { from = 'x', pattern = 'a' } }\n", "books.bills.columns.gross.pattern", "group"),
        (BOOK + "columns = { gross = { from = 'x', format = '%d' } }\n", "books.bills.columns.gross.format", "times"),
        (BOOK + "columns = { gross = { from = 'x', zone = 'Oslo' } }\n", "books.bills.columns.gross.zone", "IANA"),
        ("[legacy.books.bills]\nkind = 'none'\n", "new", "is missing"),
        ("[clock]\nsettle_s = 1\n[new.clock]\n", "clock", "only [legacy...]"),
        ("[clock]\nsettle_s = -1\n", "clock.settle_s", "0 or more"),
        ("[[books]]\n", "books", "a table"),
    ],
)
def test_a_mistake_names_file_key_path_and_what_is_allowed(tmp_path: Path, text: str, place: str, says: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_target(file)
    assert (caught.value.file, caught.value.place) == (str(file), place)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_secrets_come_from_variable_and_file_and_stand_in_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token.txt").write_text("tok-4711\nnotes\n")
    monkeypatch.setenv("RIG_PASSWORD", "pw-4711")
    target = load_target(written(tmp_path, GOOD))
    back_end = ExternalBackEnd("legacy", target)
    assert back_end.password == "pw-4711"
    assert back_end.url("CA 1") == "wss://csms.example/ocpp/CA%201"
    assert "4711" not in repr(target) + repr(back_end.foreign)


@pytest.mark.parametrize("gone", ["variable", "file"])
def test_a_secret_that_is_nowhere_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    (tmp_path / "token.txt").write_text("tok\n")
    monkeypatch.setenv("RIG_PASSWORD", "pw")
    target = load_target(written(tmp_path, GOOD))
    if gone == "file":
        (tmp_path / "token.txt").unlink()
    else:
        monkeypatch.delenv("RIG_PASSWORD")
    with pytest.raises(BadInput, match="there is no such file" if gone == "file" else "RIG_PASSWORD is not set"):
        ExternalBackEnd("legacy", target)


def test_a_file_without_the_ocpp_port_cannot_be_dialled(tmp_path: Path) -> None:
    target = load_target(written(tmp_path, BOOK))
    with pytest.raises(BadInput, match=r"\[ocpp\] with the url"):
        ExternalBackEnd("legacy", target).url("CA-1")


def test_a_target_file_with_factories_still_names_factories(tmp_path: Path) -> None:
    assert resolve(str(written(tmp_path, 'factory = "reference"\n'))).is_ours("new")
