"""The rows of the instruction sheet as the API takes them: types and bounds. What they mean is the back-end's affair."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from reference_csms.web.asking import MOST_ROWS, PLAIN, Moment, Ms, Text, Whole

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="a currency of ISO 4217 such as EUR")]
Country = Annotated[str, Meta(pattern="^([A-Z]{2})?$", description="a country of ISO 3166-1 alpha-2 such as DE")]
Price = Annotated[
    str, Meta(pattern=r"^\d{1,7}(\.\d{1,10})?$", description="a gross price in major units as a text such as 0.49")
]
Percent = Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,6})?$", description="a percentage as a text such as 19")]
Note = Annotated[str, Meta(max_length=500, pattern=PLAIN)]
Connector = Annotated[int, Meta(ge=1, le=255)]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$", description="an ISO day such as 2026-06-10")]
Clock = Annotated[str, Meta(pattern=r"^\d\d:\d\d$", description="a time of day HH:MM")]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Token = Annotated[str, Meta(min_length=1, max_length=36, pattern=PLAIN)]
Tariff = Annotated[Text, Meta(description="a tariff; without one that of the site, or of the owner")]


class _Row(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row; what is left out is left to the back-end."""


class OwnerRow(_Row):
    """Who sells at some sites: currency, time zone and VAT of the bills are the owner's."""

    owner: Text
    currency: Currency
    zone: Annotated[Text, Meta(description="an IANA time zone")]
    name: Note | None = None
    country: Country | None = None
    tariff_id: Tariff | None = None
    address: Note | None = None


class SiteRow(_Row):
    """Where stations stand."""

    site: Text
    owner: Text
    name: Note | None = None
    tariff_id: Tariff | None = None


class StationRow(_Row):
    """A station. `password` is written and never shown; imported again without one, the station keeps the one it has."""

    station: Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN)]
    site: Text
    registration: Literal["accepted", "pending", "rejected", "closed"] | None = None
    tariff_id: Tariff | None = None
    power_w: Annotated[int, Meta(ge=1, le=100_000_000)] | None = None
    heartbeat_s: Annotated[int, Meta(ge=1, le=604_800)] | None = None
    configuration: dict[Text, Annotated[str, Meta(max_length=1000, pattern=PLAIN)]] | None = None
    password: Annotated[str, Meta(min_length=16, max_length=40, pattern=PLAIN)] | None = None
    security_profile: Annotated[int, Meta(ge=0, le=3)] | None = None

    def __repr__(self) -> str:
        return f"StationRow({self.station!r})"


class BandRow(_Row):
    """The price of a kWh in a part of the local day."""

    start: Clock = field(name="from")
    end: Clock = field(name="to")
    price: Price


class TariffRow(_Row):
    """One version of a tariff. Bands cover the day once."""

    tariff_id: Text
    currency: Currency
    vat_percent: Percent
    energy: Annotated[list[BandRow], Meta(min_length=1, max_length=96)]
    version: Count | None = None
    prices_include_vat: Literal[True] | None = None
    start_fee: Price | None = None
    idle_per_minute: Price | None = None
    idle_grace_s: Count | None = None
    group_discounts: dict[Text, Percent] | None = None
    minimum_wh: Count | None = None
    valid_from: Moment | None = None


class MeterRow(_Row):
    """The key that a meter signs with: SPKI DER in hex."""

    meter_id: Text
    station: Text
    connector: Connector
    public_key: Annotated[str, Meta(max_length=4000, pattern="^[0-9A-Fa-f]+$", description="SPKI DER in hex")]
    time_billing: Literal["none", "duration", "absolute"] | None = None
    valid_from: Moment | None = None
    valid_to: Moment | None = None


class TokenRow(_Row):
    """Somebody who may charge. Without sites everywhere; `single`: not twice at the same time."""

    token: Token
    status: Literal["Accepted", "Blocked", "Expired", "Invalid"] | None = None
    grp: Text | None = None
    customer: Text | None = None
    mobile: Text | None = None
    sites: Annotated[list[Text], Meta(max_length=10_000)] | None = None
    single: bool | None = None
    expires_at: Moment | None = None


class DatedRow(_Row):
    """A value in force from a day on."""

    value: Text
    since: Day | None = field(name="from", default=None)


class SellerRow(_Row):
    """Who sells: name and address on documents, prefix of their numbers."""

    seller: Text
    name: Note | None = None
    address: Note | None = None
    country: Country | None = None
    vat_id: Text | None = None
    zone: Text | None = None
    prefix: Annotated[str, Meta(pattern="^[A-Za-z0-9]{1,8}$", description="1 to 8 letters and digits")] | None = None
    language: Literal["nb", "de", "en"] | None = None
    due_days: Annotated[int, Meta(ge=0, le=365)] | None = None
    accounts: list[DatedRow] | None = None
    terms: list[DatedRow] | None = None


class ItemRow(_Row):
    """What a contract sells: `net` minor units a month."""

    text: Text
    net: Whole
    quantity: Count | None = None


class ContractRow(_Row):
    """A subscription; days are ISO days, the end is exclusive."""

    contract: Text
    seller: Text
    customer: Text
    currency: Currency
    period: Literal["month", "quarter"]
    start: Day
    items: Annotated[list[ItemRow], Meta(min_length=1, max_length=100)]
    vat: list[DatedRow] | None = None
    vat_percent: Percent | None = None
    end: Day | None = None
    billed_until: Day | None = None
    terms: list[DatedRow] | None = None
    name: Note | None = None
    address: Note | None = None
    email: Text | None = None
    language: Literal["nb", "de", "en"] | None = None


class DriverTermsRow(_Row):
    """How a driver pays."""

    customer: Text
    pays: Literal["contract", "card", "adhoc"]
    method: Text | None = None
    name: Note | None = None
    address: Note | None = None
    email: Text | None = None
    language: Literal["nb", "de", "en"] | None = None


class AccountRow(_Row):
    """A connected account of an owner."""

    account: Text
    owner: Text


class PrepaidRow(_Row):
    """Days paid for in advance, as another back-end exports them."""

    prepaid_id: Text
    contract_id: Text
    seller: Text
    customer: Text
    currency: Currency
    net: Whole
    start: Day
    until: Day
    invoice: Text


class TransactionRow(_Row):
    """An open transaction (`state` open), or a stop of one that is closed or held, as another back-end exports them."""

    transaction_id: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
    issuer: Note
    station: Text
    state: Literal["open", "closed", "held"]
    connector: Connector | None = None
    site: Text | None = None
    id_tag: Token | None = None
    token_status: Text | None = None
    customer: Text | None = None
    grp: Text | None = None
    meter_start: Whole | None = None
    started_at: Ms | None = None
    received_start_at: Ms | None = None
    start_key: Note | None = None
    tariff: TariffRow | None = None
    closed_at: Ms | None = None
    stop_key: Note | None = None
    stop_status: Text | None = None
    start_status: Text | None = None


ROWS: dict[str, type[_Row]] = {
    "owners": OwnerRow,
    "sites": SiteRow,
    "tariffs": TariffRow,
    "stations": StationRow,
    "meters": MeterRow,
    "tokens": TokenRow,
    "sellers": SellerRow,
    "contracts": ContractRow,
    "driver-terms": DriverTermsRow,
    "accounts": AccountRow,
    "prepaid": PrepaidRow,
    "open-transactions": TransactionRow,
}
"""Rows by the `what` of an import."""


def rows_of(kind: type[_Row]) -> Any:
    """The type of a list of rows that is taken at once."""
    return Annotated[list[kind], Meta(min_length=1, max_length=MOST_ROWS)]  # type: ignore[valid-type]


def given(row: Struct) -> dict[str, Any]:
    """What was said in a struct, and nothing else: fields that were left out do not appear."""
    told = {name: getattr(row, name) for name in row.__struct_fields__}
    return {name: value for name, value in told.items() if value is not UNSET and value is not None}


__all__ = ["ROWS", "UNSET", "UnsetType", "given", "rows_of"]
