"""Who may charge where: one decision function for Authorize, StartTransaction, apps and the books.

Decisions are those of OCPP 1.6 §7.2 (Accepted, Blocked, Expired, Invalid, ConcurrentTx). Nothing here books anything.
"""

from __future__ import annotations

from collections.abc import Callable

from reference_csms.records import SESSIONS, TOKENS, Token
from reference_csms.storage.port import Store

ACCEPTED = "Accepted"
BLOCKED = "Blocked"
EXPIRED = "Expired"
INVALID = "Invalid"
CONCURRENT = "ConcurrentTx"

Authorize = Callable[[Token | None, str, int], str]
MayRemoteStart = Callable[[bool, str], bool]


def authorize(token: Token | None, site: str, now: int) -> str:
    """The decision for a token at a site: unknown is Invalid, a token for other sites only is Blocked here."""
    if token is None:
        return INVALID
    if token.status != ACCEPTED:
        return token.status
    if token.expires_at is not None and token.expires_at <= now:
        return EXPIRED
    if token.sites is not None and site not in token.sites:
        return BLOCKED
    return ACCEPTED


def may_remote_start(station_accepted: bool, decision: str) -> bool:
    """Whether a remote start or stop may be sent: never before the boot is Accepted (INV-16) or for a refused token."""
    return station_accepted and decision == ACCEPTED


class Access:
    """Decisions on the tokens of a store."""

    def __init__(self, store: Store, decide: Authorize = authorize) -> None:
        self._store = store
        self._decide = decide

    def find(self, id_tag: str) -> Token | None:
        """The token of an idTag, whatever its case."""
        return self._store.get(TOKENS, id_tag.upper())

    def decide(self, id_tag: str, site: str, now: int) -> tuple[str, Token | None]:
        """Whether this idTag may charge at this site, and its token if it is known."""
        token = self.find(id_tag)
        return self._decide(token, site, now), token

    def decide_start(self, id_tag: str, site: str, now: int) -> tuple[str, Token | None]:
        """As `decide`, and ConcurrentTx for a token that may charge once at a time and does (StartTransaction only)."""
        decision, token = self.decide(id_tag, site, now)
        single = decision == ACCEPTED and token is not None and token.single
        if single and token is not None and self._store.find(SESSIONS, "open_token", token.key):
            decision = CONCURRENT
        return decision, token

    def by_mobile(self, mobile: str, site: str, now: int) -> tuple[str, Token | None]:
        """The token behind a mobile number: the first accepted one, else the first one, else Invalid."""
        first: tuple[str, Token | None] = (INVALID, None)
        for token in self._store.find(TOKENS, "mobile", mobile):
            decision = self._decide(token, site, now)
            if decision == ACCEPTED:
                return decision, token
            if first[1] is None:
                first = (decision, token)
        return first
