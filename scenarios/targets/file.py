"""Target files that name a back-end by its sockets: TOML to `scenarios.targets.model`, strictly.

Every mistake is one sentence with file, key path and what is allowed. Nothing is opened here but the file itself and,
when somebody asks for it, a secret; a secret is never part of a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from scenarios.strict import StrictReader, parse_toml, read_text
from scenarios.targets import quotes
from scenarios.targets.kinds import UNITS_OF, kind_of
from scenarios.targets.model import ROLES, Api, Book, Column, Foreign, ForeignTarget, Lever, Quote, Secret
from sim.clock import zone
from sim.errors import BadInput, need, unknown
from sim.evidence.schema import BOOKS, PARTNERS

WHAT = "a target file in TOML"
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "call": ("station", "action", "payload"),
    "app-start": ("mobile", "token", "station", "connector"),
    "app-stop": ("mobile", "token", "station", "connector"),
    "import": ("what", "rows"),
    "export": ("what", "station", "contract", "customer"),
    "accept-station": ("station",),
    "hold-station": ("station",),
    "close-station": ("station",),
    "end-contract": ("contract", "end"),
    "run-billing": ("kind", "owner", "seller", "until"),
    "refund": ("claim", "amount"),
    "cancel-invoice": ("number",),
}
"""The operations that a lever may send, each with the names that its template may hold (`sim.backend.Operation`)."""
PROVISIONS = ("owners", "tariffs", "sites", "stations", "meters", "tokens")
"""What a back-end may be told before the run, row by row and in this order. The names in braces are the columns of
`Setup.provision`, and `{row}` is the whole row."""
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "ocpi": ("path", "url"),
    "csv": ("path", "url"),
    "sql": ("sql",),
    "invoice-xml": ("path", "url"),
    "none": (),
}
_MAY: Mapping[str, tuple[str, ...]] = {
    "ocpi": ("columns", "only", "page_size", "money", "currency", "zone"),
    "csv": ("columns", "only", "money", "currency", "zone", "decimal", "delimiter", "encoding"),
    "sql": ("database", "database_env", "columns", "money", "currency", "zone", "decimal"),
    "invoice-xml": ("columns", "only", "zone", "currency", "money"),
    "none": (),
}


def is_foreign(data: Mapping[str, Any]) -> bool:
    """Whether these tables name a back-end by its sockets, and not by a factory."""
    return any(key in Foreign.__struct_fields__ or (isinstance(data[key], dict) and key in ROLES) for key in data)


def load_target(path: Path) -> ForeignTarget:
    """The target of a file of this form. Raises BadInput."""
    return make_target(parse_toml(read_text(path, WHAT), str(path)), str(path))


def make_target(data: Mapping[str, Any], file: str) -> ForeignTarget:
    """A target from parsed TOML; `file` is named in complaints, and paths are relative to its folder. Raises BadInput."""
    tables = {role: data[role] for role in ROLES if role in data}
    if not tables:
        return ForeignTarget(file, {"": _foreign(dict(data), file, "")})
    for key in data:
        need(key in ROLES, file, key, "stands beside the tables of two back-ends", "only [legacy...] and [new...]")
    for role in ROLES:
        need(role in tables, file, role, "is missing", f"a table [{role}.books.NAME], as for the other back-end")
    return ForeignTarget(file, {role: _foreign(table, file, role) for role, table in tables.items()})


def read_secret(secret: Secret, file: str, place: str) -> str | None:
    """The value of a secret, None if none is named. Raises BadInput if it is nowhere; the value is in no message."""
    if secret.env:
        value = os.environ.get(secret.env)
        need(
            bool(value), file, place, f"the environment variable {secret.env} is not set", "a variable with the secret"
        )
        return value
    if not secret:
        return None
    text = read_text(Path(file).parent / secret.file, "a file with the secret in its first line")
    need(
        bool(text.strip()), file, place, f"the file {secret.file} is empty", "a file with the secret in its first line"
    )
    return text.strip().splitlines()[0]


def headers(api: Api, file: str, here: str) -> dict[str, str]:
    """What goes along with every request, the token included; `here` is the place of its role. Raises BadInput."""
    token = read_secret(api.token, file, f"{here}api")
    own = {} if token is None else {"Authorization": api.authorization.replace("{token}", token)}
    return {**api.headers, **own}


def placeholders(template: Any) -> Iterable[str]:
    """The names in braces of a text, or of all texts inside of a table or list. Raises ValueError for a lone brace."""
    if isinstance(template, str):
        yield from (name for _, name, _, _ in Formatter().parse(template) if name is not None)
    elif isinstance(template, dict):
        for item in template.values():
            yield from placeholders(item)
    elif isinstance(template, list):
        for item in template:
            yield from placeholders(item)


def _foreign(data: Any, file: str, place: str) -> Foreign:
    made: Foreign = StrictReader(file).struct(Foreign, _with_shorthands(data), place)
    here = f"{place}." if place else ""
    _judge_sockets(made, file, here)
    for name, lever in made.levers.items():
        problem, allowed = unknown("operation", name, OPERATIONS)
        need(name in OPERATIONS, file, f"{here}levers.{name}", problem, allowed)
        _judge_lever(lever, OPERATIONS[name], made, file, f"{here}levers.{name}")
    for name, lever in made.provision.items():
        problem, allowed = unknown("table to provision", name, PROVISIONS)
        need(name in PROVISIONS, file, f"{here}provision.{name}", problem, allowed)
        _judge_lever(lever, None, made, file, f"{here}provision.{name}")
    if made.quote is not None:
        _judge_quote(made.quote, made, file, f"{here}quote")
    for group, prefix, tables in (("books", "books_", BOOKS), ("statements", "partner_", PARTNERS)):
        for name, book in getattr(made, group).items():
            problem, allowed = unknown("book", name, [table.removeprefix(prefix) for table in tables])
            need(prefix + name in tables, file, f"{here}{group}.{name}", problem, allowed)
            _judge_book(book, prefix + name, tables[prefix + name], made, file, f"{here}{group}.{name}")
    return made


def _with_shorthands(data: Any) -> Any:
    """A column that is only a text is where it comes from."""
    if not isinstance(data, dict):
        return data
    full = dict(data)
    for group in ("books", "statements"):
        if isinstance(full.get(group), dict):
            full[group] = {name: _with_columns(book) for name, book in full[group].items()}
    return full


def _with_columns(book: Any) -> Any:
    if isinstance(book, dict) and isinstance(book.get("columns"), dict):
        columns = {name: {"from": one} if isinstance(one, str) else one for name, one in book["columns"].items()}
        return {**book, "columns": columns}
    return book


def _judge_sockets(made: Foreign, file: str, here: str) -> None:
    if made.ocpp is not None:
        fits = made.ocpp.url.startswith(("ws://", "wss://"))
        need(fits, file, f"{here}ocpp.url", f"{made.ocpp.url!r} is no websocket URL", "ws://HOST:PORT/PATH/{station}")
        _judge_names(made.ocpp.url, ("station",), file, f"{here}ocpp.url")
        need(bool(made.ocpp.subprotocols), file, f"{here}ocpp.subprotocols", "is empty", 'such as ["ocpp1.6"]')
        both = made.ocpp.password_env and made.ocpp.password_file
        need(not both, file, f"{here}ocpp.password_file", "stands beside password_env", "one of the two")
    if made.api is not None:
        fits = made.api.base_url.startswith(("http://", "https://"))
        need(fits, file, f"{here}api.base_url", f"{made.api.base_url!r} is no URL", "http://HOST:PORT")
        need("@" not in made.api.base_url, file, f"{here}api.base_url", "holds credentials", "token_env or token_file")
        both = made.api.token_env and made.api.token_file
        need(not both, file, f"{here}api.token_file", "stands beside token_env", "one of the two")
        _judge_names(made.api.authorization, ("token",), file, f"{here}api.authorization")
    need(made.clock.settle_s >= 0, file, f"{here}clock.settle_s", "is negative", "seconds, 0 or more")


def _judge_lever(lever: Lever, names: tuple[str, ...] | None, made: Foreign, file: str, place: str) -> None:
    need(made.api is not None, file, place, "needs to know where the API is", "[api] with base_url")
    need(lever.path.startswith("/"), file, f"{place}.path", f"{lever.path!r} is no path", "a path that begins with /")
    for key, template in (("path", lever.path), ("body", lever.body)):
        _judge_names(template, names, file, f"{place}.{key}")
    need(bool(lever.expect), file, f"{place}.expect", "is empty", "the statuses that mean it was taken, as [200]")
    told = lever.answered or lever.refused
    need(not told or bool(lever.outcome), file, f"{place}.outcome", "is missing", "the path of what tells the outcome")
    need(not lever.outcome or bool(told), file, place, "tells no outcome", "`answered` or `refused`, or both")


def _judge_quote(form: Quote, made: Foreign, file: str, place: str) -> None:
    need(made.api is not None, file, place, "needs to know where the API is", "[api] with base_url")
    need(form.path.startswith("/"), file, f"{place}.path", f"{form.path!r} is no path", "a path that begins with /")
    _judge_names(form.path, quotes.NAMES, file, f"{place}.path")
    for name in form.columns:
        problem, allowed = unknown("column", name, quotes.COLUMNS)
        need(name in quotes.COLUMNS, file, f"{place}.columns.{name}", problem, allowed)


def _judge_names(template: Any, names: tuple[str, ...] | None, file: str, place: str) -> None:
    try:
        used = [*placeholders(template)]
    except ValueError as err:
        raise BadInput(
            file, place, f"its braces do not fit ({err})", "{name}, and {{ or }} for a brace itself"
        ) from None
    for name in used:
        if names is not None and name not in names:
            problem, allowed = unknown("name", name, names)
            raise BadInput(file, place, problem, allowed)


def _judge_book(book: Book, table: str, columns: tuple[str, ...], made: Foreign, file: str, place: str) -> None:
    keys = [key for key in Book.__struct_fields__ if getattr(book, key) != getattr(Book(kind=book.kind), key)]
    may = ("kind", *_NEEDS[book.kind], *_MAY[book.kind])
    for key in keys:
        need(
            key in may,
            file,
            f"{place}.{key}",
            f"means nothing for kind {book.kind}",
            [one for one in may if one != "kind"],
        )
    sources = [key for key in _NEEDS[book.kind] if getattr(book, key)]
    need(
        len(sources) == (1 if _NEEDS[book.kind] else 0), file, place, "needs one source", " or ".join(_NEEDS[book.kind])
    )
    if book.kind == "sql":
        one = bool(book.database) != bool(book.database_env)
        need(one, file, f"{place}.database", "one database is needed", "database (an SQLAlchemy URL) or database_env")
        need(
            "@" not in book.database, file, f"{place}.database", "holds credentials", "database_env, whose variable may"
        )
    if book.url.startswith("/"):
        need(made.api is not None, file, f"{place}.url", "is a path, and there is no API", "[api], or a whole URL")
    elif book.url:
        fits = book.url.startswith(("http://", "https://")) and "@" not in book.url
        need(
            fits,
            file,
            f"{place}.url",
            f"{book.url.rpartition('@')[2]!r} is no URL that can be used",
            "/PATH or http://HOST/PATH",
        )
    need(len(book.delimiter) == 1, file, f"{place}.delimiter", f"{book.delimiter!r} is no delimiter", "one character")
    need(0 < book.page_size <= 10_000, file, f"{place}.page_size", "is no size of a page", "1 to 10000")
    for name, column in book.columns.items():
        problem, allowed = unknown("column", name, columns)
        need(name in columns, file, f"{place}.columns.{name}", problem, allowed)
        _judge_column(column, kind_of(table, name), file, f"{place}.columns.{name}")


def _judge_column(column: Column, kind: str, file: str, place: str) -> None:
    one = bool(column.source) != (column.value is not None)
    need(one, file, place, "needs one origin", "`from`, the header or path, or `value`, the same for every row")
    allowed = UNITS_OF.get(kind, ())
    need(column.unit in ("", *allowed), file, f"{place}.unit", f"{column.unit!r} fits no {kind}", allowed or "no unit")
    need(
        not column.format or kind == "instant", file, f"{place}.format", f"means nothing for a {kind}", "only for times"
    )
    try:
        groups = re.compile(column.pattern).groups
    except re.error as err:
        raise BadInput(file, f"{place}.pattern", f"is no regular expression ({err})", "as `st-(.*)`") from None
    need(not column.pattern or groups == 1, file, f"{place}.pattern", "has not one group", "as `st-(.*)`")
    try:
        zone(column.zone or "UTC")
    except ValueError as err:
        raise BadInput(file, f"{place}.zone", str(err), "an IANA name") from None
