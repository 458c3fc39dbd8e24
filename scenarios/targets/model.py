"""The form of a target file that names a back-end by its sockets: where it is, how it is operated, what it shows.

Only frozen Structs. A password or token never stands in them: they hold the name of the variable or file that does.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from scenarios.model import ZoneName

ROLES = ("legacy", "new")
BookKind = Literal["ocpi", "csv", "sql", "invoice-xml", "none"]
MoneyUnit = Literal["major", "minor"]


class Secret(Struct, frozen=True):
    """Where a password or token is found: an environment variable, or the first line of a file."""

    env: str = ""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.env or self.file)


class Ocpp(Struct, frozen=True):
    """The OCPP-J port. `url` holds `{station}`; without it the identity is put after a slash."""

    url: str
    password_env: str = ""
    password_file: str = ""
    subprotocols: tuple[str, ...] = ("ocpp1.6",)

    @property
    def password(self) -> Secret:
        """Where the password of the stations is found."""
        return Secret(self.password_env, self.password_file)


class Api(Struct, frozen=True):
    """The HTTP side of a back-end. `headers` go along with every request, the token as `{token}` in `authorization`."""

    base_url: str
    token_env: str = ""
    token_file: str = ""
    authorization: str = "Bearer {token}"
    headers: dict[str, str] = {}

    @property
    def token(self) -> Secret:
        """Where the token is found."""
        return Secret(self.token_env, self.token_file)


class Lever(Struct, frozen=True, kw_only=True):
    """One operation as an HTTP call. Path and body hold `{names}` of the operation.

    `expect`: statuses that mean it was taken. `outcome`: path of the answer in its JSON, by which `answered` or `refused`
    tell what became of it; without it every expected status means Answered.
    """

    path: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    body: Any = None
    expect: tuple[int, ...] = (200, 201, 202, 204)
    outcome: str = ""
    answered: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def expect_text(self) -> str:
        """The statuses that mean it was taken, for a sentence."""
        return "an answer with status " + " or ".join(map(str, self.expect))


class Column(Struct, frozen=True, kw_only=True, rename={"source": "from"}):
    """Where the value of a column comes from, and how it is read.

    `source`: header, field path or XML path; or `value`, the same for all rows. `pattern`: a regular expression whose
    first group is the value. `values`: other words for it, `*` for all that are not named. `unit`: Wh or kWh, major or
    minor. `format` and `zone`: of local times. `optional`: rows without it have no value, which is no gap. `round`: half
    up to a whole Wh or minor unit, where finer values would else make the book unreadable.
    """

    source: str = ""
    value: str | None = None
    pattern: str = ""
    values: dict[str, str] = {}
    unit: Literal["", "Wh", "kWh", "major", "minor", "s", "ms", "h"] = ""
    format: str = ""
    zone: str = ""
    optional: bool = False
    round: bool = False


class Book(Struct, frozen=True, kw_only=True):
    """One book: where its rows come from, and which column is which.

    `kind` "none" says that the back-end has nothing of the kind, so that its book is empty. `path`: a file, or files by
    a pattern with `*`; `url`: an address, or a path of the API; `sql`: a query, of `database` (an SQLAlchemy URL).
    """

    kind: BookKind
    path: str = ""
    url: str = ""
    sql: str = ""
    database: str = ""
    database_env: str = ""
    columns: dict[str, Column] = {}
    only: dict[str, str] = {}
    money: MoneyUnit = "major"
    currency: str = ""
    zone: ZoneName | None = None
    decimal: Literal[".", ","] = "."
    delimiter: str = ","
    encoding: str = "utf-8"
    page_size: int = 100


class Quote(Struct, frozen=True, kw_only=True):
    """How prices are asked for: GET `path`, which holds `{site}`, `{group}` and `{at}` (ISO 8601, UTC) or `{at_ms}`.

    `rows`: where the list of components stands in the answer, empty for the answer itself. `columns`: where a component has
    what, for names other than component, price (of the kWh, the start, the idle minute), currency and vat_percent.
    """

    path: str
    rows: str = "components"
    columns: dict[str, str] = {}


class Clock(Struct, frozen=True):
    """How long the back-end has after the last session before its books are read, in s."""

    settle_s: float = 5.0


class Foreign(Struct, frozen=True, kw_only=True):
    """One back-end behind sockets."""

    ocpp: Ocpp | None = None
    api: Api | None = None
    levers: dict[str, Lever] = {}
    provision: dict[str, Lever] = {}
    books: dict[str, Book] = {}
    statements: dict[str, Book] = {}
    clock: Clock = Clock()
    quote: Quote | None = None


class ForeignTarget(Struct, frozen=True):
    """A target file of this form. `roles`: by role its back-end; one for both if the file names one only."""

    file: str
    roles: dict[str, Foreign]

    @property
    def single(self) -> bool:
        """Whether one back-end plays both roles, so that nothing can move."""
        return len(self.roles) == 1
