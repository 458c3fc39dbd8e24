"""Tables and columns of `evidence.sqlite`: the contract between those who record and those who check.

Instants are INTEGER milliseconds since 1970 UTC, energies INTEGER Wh, money INTEGER minor units, decimals and JSON are
TEXT. Each table of BOOKS carries the name of its back-end in the column `backend`, filled in by the harvest. Recorders
may leave a column NULL where it does not apply, but may never invent one.
"""

from __future__ import annotations

# fmt: off
TRUTH: dict[str, tuple[str, ...]] = {
    # one row per visit of an EV, whether it charged or not. outcome: charged | refused | left
    "truth_visits": (
        "visit_id", "site", "station", "connector", "driver", "token", "mobile", "grp", "channel", "arrive", "leave",
        "energy_wh", "power_w", "outcome", "attempts", "refusals", "plugged_at", "started_at", "unplugged_at",
        "delivered_wh", "interrupted", "lost_ms", "note",
    ),
    # one row per true session: contactor authorised to end of transaction, as the rig lived it. `points` is JSON
    # [[instant, register_wh, mark], ...] in order; marks as in OCMF TX (B begin, S suspended by the EV, C charging
    # again, T tariff change, E end) and the truth-only W (EVSE withholds power) and w (withholding ends). `harm`
    # names what was done to it on purpose: "" | "tampered" | "key-unregistered" | "stray-stop" ...
    "truth_sessions": (
        "session_id", "visit_id", "site", "station", "connector", "meter_id", "token", "started_at", "stopped_at",
        "register_start", "register_stop", "reason", "points", "harm",
    ),
    # one row per physical meter; public_key is SPKI DER in hex, as printed on the meter
    "truth_meters": ("meter_id", "station", "connector", "public_key", "register_start", "register_stop"),
    # anything else physical or deliberate: plug, unplug, power-loss, boot, flash, withhold ...
    "truth_events": ("at", "station", "connector", "kind", "data"),
    # the faults as they really happened
    "truth_faults": ("fault_id", "kind", "target", "at", "until", "data"),
    # states of the migration tool, one row per transition
    "truth_migration": ("at", "station", "site", "state", "detail"),
    # what became of each station's move. outcome: verified | rolled-back | stuck | split | unfinished | not-begun; the
    # others count how often it was in that state
    "truth_outcomes": ("station", "site", "outcome", "stuck", "split", "rollback"),
    # what operator and owners did, noted when it was known to be done; wave: NULL where it is of none. data: JSON. kind of
    # the operator: account-created | account-refused | invited | reminded | link-minted | account-read | preflight |
    # preflight-failed | notice | notice-void | driver-notice | rescheduled | contract-ended | prepaid-moved |
    # contract-begun | refused, and invitation-, reminder-, notice-, notice-void-, driver-notice-failed where no mail
    # arrived; of an owner: link-opened | form-sent | form-refused | form-left | form-resumed | vouched | bank-mended |
    # set-up-mended | invoice-paid | payment-refused | refused
    "truth_upgrade": ("at", "actor", "owner", "wave", "kind", "data"),
}

WIRE: dict[str, tuple[str, ...]] = {
    # one row per CALL of either side. way: up (station calls) | down (back-end calls). sent_at: put on the link;
    # delivered_at: NULL if it never arrived. answer_kind: result | error | NULL (none seen). answered_at: when the
    # answer was put on the link by the callee; answer_delivered_at: when the caller got it, NULL if it never did.
    # well_formed: 1 if the CALL passed the OCPP schema, NULL if nobody judged it.
    "wire_calls": (
        "call_no", "station", "backend", "link", "way", "message_id", "action", "payload", "well_formed", "sent_at",
        "delivered_at", "answer_kind", "answer", "answered_at", "answer_delivered_at",
    ),
    # one row per connection; closed_by: station | backend | network | crash
    # last_frame_at: when the last frame of either way was delivered on it; version: of OCPP, as it was negotiated
    "wire_links": (
        "link", "station", "backend", "opened_at", "closed_at", "closed_by", "reason", "frames_up", "frames_down",
        "last_frame_at", "version",
    ),
    # how often each action was called, also those that leave no row in wire_calls (Heartbeat)
    "wire_counts": ("station", "backend", "way", "action", "calls", "results", "errors", "unanswered"),
}

# what was odd about frames of back-ends and is in no other table of the wire: frames that are none, answers that nobody
# waits for, and answers to heartbeats that break the schema or tell a wrong time. action: "" where there is none
HEARD: dict[str, tuple[str, ...]] = {
    "wire_oddities": ("at", "station", "backend", "link", "action", "problem", "frame"),
}

BOOKS: dict[str, tuple[str, ...]] = {
    # registration: unknown | pending | accepted | rejected | closed
    "books_stations": ("station", "site", "registration", "connected", "first_seen", "last_seen", "data"),
    # one row per transactionId in these books. state: open | closed | handed-over. issuer: who minted the id, a back-end (a
    # number) or the station itself (a text, OCPP 2.0.1)
    "books_transactions": (
        "transaction_id", "issuer", "station", "connector", "id_tag", "meter_start", "meter_stop", "started_at",
        "stopped_at", "received_start_at", "received_stop_at", "state", "reason", "session_id",
    ),
    # one row per transaction told in numbered events (OCPP 2.0.1): how many different ones were taken, how often one came
    # again, and as JSON the numbers that never came although later ones did; session_id NULL while there is none
    "books_events": ("transaction_id", "station", "session_id", "events", "repeats", "missing"),
    # state: open | billed | free | quarantined | handed-over. energy_wh: what these books say was delivered (raw
    # registers)
    "books_sessions": (
        "session_id", "station", "connector", "site", "transaction_id", "id_tag", "customer", "grp", "started_at",
        "stopped_at", "energy_wh", "state", "reason", "cdr_id", "tariff_id", "tariff_version",
    ),
    # each signed record received: text is the exact OCMF text, key_id the registry entry used.
    # verdict: billable | not-billable | wrong-signature | key-unknown | malformed | replay
    "books_records": (
        "digest", "session_id", "station", "meter_id", "key_id", "verdict", "reason", "text", "received_at",
    ),
    # OCPI-shaped: periods is JSON [{start, end, energy_kwh, idle}], kwh a decimal text; corrects: the record that this
    # one replaces, or takes back if credit is 1 (then everything is negative)
    "books_cdrs": (
        "cdr_id", "session_id", "station", "connector", "id_tag", "grp", "tariff_id", "tariff_version", "currency",
        "started_at", "stopped_at", "kwh", "idle_seconds", "time_billable", "periods", "corrects", "credit",
    ),
    # lines is JSON [{component, quantity, unit, billed_quantity, unit_price, discount_percent, amount, from, to,
    # reason}]
    "books_rated": (
        "rated_id", "cdr_id", "version", "effective", "currency", "gross", "net", "vat", "vat_percent", "lines",
        "policy",
    ),
    "books_bills": (
        "number", "session_id", "cdr_id", "rated_id", "seller", "customer", "currency", "gross", "net", "vat",
        "issued_at", "data", "data_hash", "journal_seq",
    ),
    # postings is JSON [[account, currency, amount]] with debits positive, credits negative. ref: its first word is the
    # number of the bill. hash: sha256 in hex of the canonical JSON (sorted keys, no blanks, unescaped) of {seq, at,
    # kind, ref, postings, prev_hash}; before the first entry stands "" or 64 zeros
    "books_journal": ("seq", "at", "kind", "ref", "postings", "prev_hash", "hash"),
    # state: held | released. evidence is JSON (digests, message ids)
    "books_quarantine": (
        "quarantine_id", "session_id", "station", "transaction_id", "reason", "detail", "energy_wh", "evidence",
        "actor", "at", "state",
    ),
    # who corrected a billed session, and why: the record cdr_id was taken back by credit_id, corrected_id stands for it
    "books_corrections": (
        "correction_id", "session_id", "bill", "cdr_id", "credit_id", "corrected_id", "actor", "reason", "at",
    ),
    # what a seller sells to a customer: period month | quarter; items, vat and terms are JSON; days are ISO, exclusive
    "books_contracts": (
        "contract_id", "seller", "customer", "currency", "period", "items", "vat", "terms", "start_day", "end_day",
        "billed_until",
    ),
    # every document of money: kind drivers | subscription | credit | cancellation, state issued | cancelled. circle:
    # the number circle; basis: whether lines are gross or net; account: the IBAN to pay to, NULL where a partner takes
    # the money; cancels: the document this one cancels or credits; rounding_difference: its VAT minus that of its
    # bills; data: canonical JSON, its sha256 data_hash stands in the journal entry journal_seq
    "books_invoices": (
        "number", "circle", "kind", "seller", "customer", "contract_id", "period_start", "period_until", "currency",
        "basis", "rounding", "net", "vat", "gross", "rounding_difference", "issued_at", "due_at", "account",
        "reference", "terms", "language", "cancels", "cancelled_by", "state", "run_id", "claim_id", "journal_seq",
        "data", "data_hash",
    ),
    # kind: session (names its bill) | item | credit (of prepaid days) | reversal; days are ISO, until exclusive
    "books_invoice_lines": (
        "number", "position", "kind", "text", "bill", "session_id", "start_day", "until_day", "quantity", "unit",
        "vat_percent", "amount",
    ),
    # what became of a bill of a driver with terms: open (waits for its invoice) | invoiced | direct (paid directly)
    "books_billables": ("number", "owner", "customer", "supplied_at", "state", "invoice"),
    # days paid for under a contract that ended: exported (old seller) | open | done (credited by the new seller)
    "books_prepaid": (
        "prepaid_id", "contract_id", "seller", "customer", "currency", "net", "start_day", "until_day", "invoice",
        "state", "credited_on",
    ),
    # billing runs: todo is JSON, done of them are committed; state open | done
    "books_runs": ("run_id", "kind", "scope", "until", "todo", "done", "state", "started_at", "ended_at"),
    # money owed: open amount = amount - credited - paid + refunded. kind session | drivers | subscription; route
    # stripe | riverty | bank; account: the connected account; ledger: receivable | invoiced, the account that is owed;
    # final: 0 while a hold waits for the end of its session; held: authorised, neither captured nor released. state:
    # waiting-account | waiting-customer | due | held | open | paid | released | cancelled | disputed | written-off
    "books_claims": (
        "claim_id", "kind", "ledger", "seller", "customer", "document", "session_id", "currency", "amount", "route",
        "account", "reference", "final", "hold_amount", "held", "paid", "refunded", "credited", "state", "reason",
        "created_at", "settled_at",
    ),
    # every attempt to move money, written before it was sent. purpose hold | capture | charge | release | refund; state
    # due | asked | unknown | done | declined | failed | lapsed (looked for and not there) | withdrawn (never sent);
    # asked_at: first sent, tries: how often
    "books_payments": (
        "attempt_id", "claim_id", "purpose", "partner", "api", "key", "amount", "currency", "account", "state",
        "created_at", "asked_at", "settled_at", "tries", "partner_id", "reason",
    ),
    # what is believed of each connected account, from `at` on
    "books_accounts": (
        "note", "account", "owner", "charges_enabled", "payouts_enabled", "disabled_reason", "at", "source",
    ),
    # events taken; times: how often each came; effect: what it did the first time
    "books_webhooks": (
        "event_id", "partner", "type", "account", "object_id", "created_at", "received_at", "times", "effect",
    ),
    # payouts (negative: a debit for what the partner is owed), disputes and fees of the partner, as far as they are booked
    "books_movements": ("movement_id", "kind", "claim_id", "account", "currency", "amount", "state", "at"),
    # lines of bank statements; state matched | unmatched
    "books_statement_lines": (
        "line_id", "iban", "booked_at", "currency", "amount", "reference", "state", "claim_id", "read_at",
    ),
    # the answer these books would give at harvest time: decision Accepted | Blocked | Expired | Invalid
    "books_access": ("token", "site", "grp", "decision"),
}

# asked of every back-end after the day: prices over the grid, and the other back-end's CDRs rated again
QUOTES: dict[str, tuple[str, ...]] = {
    "quotes_grid": ("backend", "site", "grp", "at", "component", "price", "currency", "vat_percent"),
    "quotes_rerated": ("backend", "of_backend", "cdr_id", "currency", "gross", "net", "vat"),
}

# what each partner keeps itself, and what came over its line. Instants are ms, money minor units
PARTNERS: dict[str, tuple[str, ...]] = {
    # one row per movement. kind: auth | capture | refund | void | transfer | reversal | fee | payout | dispute | payment |
    # reminder | settlement. for_id: the row it belongs to (a capture to its auth). reference: what the caller called it.
    # owner: whoever the account belongs to by the metadata of the caller. key: idempotency key of the call
    "partner_payments": (
        "partner", "kind", "id", "at", "account", "owner", "currency", "amount", "key", "reference", "state", "for_id",
        "data",
    ),
    # balance transactions: the sum of net per (account, currency) is the balance. account "" is the platform itself
    "partner_balance": (
        "partner", "id", "at", "account", "currency", "amount", "fee", "net", "type", "source", "available_at",
    ),
    # one row per change of an account; lists are JSON
    "partner_accounts": (
        "partner", "at", "account", "owner", "charges_enabled", "payouts_enabled", "details_submitted",
        "disabled_reason", "currently_due", "past_due", "pending_verification", "errors", "deadline", "cause",
    ),
    # state: sent | delivered | bounced. attachments: JSON [{name, sha256}]; meta: whatever the sender said about it
    "partner_mails": (
        "partner", "id", "at", "to", "subject", "text", "language", "kind", "message_id", "attachments", "meta",
        "state", "delivered_at", "scanned_at", "read_at",
    ),
    # statement lines: amount is signed; code: that of an R-transaction, for_id: the entry that it returns
    "partner_bank": (
        "partner", "id", "at", "iban", "owner", "amount", "currency", "reference", "counterparty", "end_to_end",
        "code", "for_id", "balance",
    ),
    # one row per request that reached the line; executed: 1 if the partner was asked to do it and got that far
    "partner_requests": (
        "partner", "at", "api", "key", "account", "params_hash", "executed", "status", "answered_at", "fault",
    ),
    # one row per event, receiver and copy; attempts: JSON [[at, taken], ...]; state: pending | taken | lost | given-up
    "partner_webhooks": (
        "partner", "event_id", "type", "at", "account", "to", "copy", "attempts", "taken_at", "state",
    ),
    # each fault of a line as it happened; subject: key or call id of the request, or the event
    "partner_faults": ("partner", "at", "kind", "api", "subject", "extra"),
}

# what the scenario promised, for the oracle and the budgets: key TEXT, json TEXT. Keys: owners, sites, stations,
# tariffs, tokens, meters (registered or not, time_billing), budgets, window, move, checks, probes, input (what the
# session file held), upgrade, catch_up_per_day (the most that is charged in one day for an owner from claims that had
# waited: {currency: minor units})
PLAN: dict[str, tuple[str, ...]] = {"plan": ("key", "json"), "repeats": ("hash_seed", "digest")}

# the fields of each plan row that oracle and checks read; a runner may add more. A token's group may also be called grp
PLAN_FIELDS: dict[str, tuple[str, ...]] = {
    "owners": ("owner", "zone", "tariff_id"),
    "sites": ("site", "owner", "tariff_id"),
    "stations": ("station", "site"),
    "tariffs": (
        "tariff_id", "version", "currency", "vat_percent", "prices_include_vat", "energy", "start_fee",
        "idle_per_minute", "idle_grace_s", "group_discounts", "minimum_wh", "valid_from",
    ),
    # status: Accepted | Blocked | Expired | Invalid; free: sessions of this token cost nothing, by policy; customer: who
    # pays, without one the token itself; sites: where it may charge, without them everywhere
    "tokens": ("token", "group", "status", "free", "customer", "sites"),
    # registered: whether the back-ends were told the key; time_status: letter of the meter's clock (S, R, I or U),
    # asked for only where the wire was not recorded
    "meters": ("meter_id", "station", "connector", "public_key", "registered", "time_billing", "time_status"),
    # test stations that tap every token at their back-end after the day
    "probes": ("station", "site", "backend"),
    # tokens whose access is meant to change with the move; without a site: everywhere
    "access_changes": ("token", "site"),
}
# plan keys that hold one object instead of rows
PLAN_OBJECTS: dict[str, tuple[str, ...]] = {
    "budgets": ("refused_starts", "interrupted_charges", "connector_minutes_lost"),
    # windows: by site {wave, start, deadline, pace, drain_timeout}, in ms
    "move": ("site", "stations", "old", "new", "windows"),
    "window": ("start", "end"),
    # the business half of the move, see scenarios.upgrade.plan; null where there is none
    "upgrade": (
        "deadline", "invited_at", "notice_days", "least_days", "most_days", "old_seller", "new_seller", "portal",
        "sellers", "owners", "waves", "drivers", "goodwill", "debited_from", "disputes", "dispute_goodwill",
    ),
}

# meta: digest, hash_seed, schema, ended_at. unverifiable: books that a back-end does not keep or show, or that cannot
# be read; a check that needs one is UNKNOWN. A book as `table.column` is shown but for that column
RUN: dict[str, tuple[str, ...]] = {"meta": ("key", "value"), "unverifiable": ("backend", "book", "reason")}

# fmt: on


def all_tables() -> dict[str, tuple[str, ...]]:
    """Every table of evidence.sqlite with its columns."""
    books = {name: ("backend", *columns) for name, columns in BOOKS.items()}
    return {**TRUTH, **WIRE, **HEARD, **books, **PARTNERS, **QUOTES, **PLAN, **RUN}
