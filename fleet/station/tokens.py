"""Who may charge here, as far as the station knows by itself: the local list, then the cache.

The list beats the cache, listed tokens are never cached, and tokens compare case-insensitively (CiString20). It asks
nobody. Source: OCPP 1.6 §3.5 (local authorisation), §5.15 (SendLocalList), §5.2.2 (cache).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from fleet.station.desk import Desk

ACCEPTED = "Accepted"


class Entry(Struct, frozen=True):
    """What is known of a token: status, group (parentIdTag), expiry as an instant."""

    status: str
    parent: str | None = None
    expires: int | None = None

    def at(self, now: int) -> Entry:
        """The same at this instant: an accepted token may have expired."""
        expired = self.status == ACCEPTED and self.expires is not None and self.expires <= now
        return structs.replace(self, status="Expired") if expired else self


def same(one: str, other: str) -> bool:
    """Whether two tokens are the same one."""
    return one.lower() == other.lower()


class Tokens:
    """Local list and cache of one station."""

    def __init__(self, desk: Desk, flash: Mapping[str, Any]) -> None:
        self._desk = desk
        self.giver: Callable[[], str] = lambda: ""
        saved = flash.get("list", {"version": 0, "entries": {}})
        self.version: int = saved["version"]
        self._list = {tag: Entry(*row) for tag, row in saved["entries"].items()}
        cached = sorted((row[3], key[6:], Entry(*row[:3])) for key, row in flash.items() if key.startswith("cache/"))
        self._cache = {tag: entry for _, tag, entry in cached}
        self._uses = cached[-1][0] if cached else 0

    # -- looking up ---------------------------------------------------------------------------------------------------

    def find(self, tag: str) -> Entry | None:
        """What list or cache say of a token now."""
        key = tag.lower()
        found = self._list.get(key) if self._desk.keys["LocalAuthListEnabled"] else None
        if found is None and self._desk.keys["AuthorizationCacheEnabled"]:
            found = self._cache.get(key)
        return None if found is None else found.at(self._desk.time())

    def accepted_ahead(self, tag: str) -> Entry | None:
        """The entry of a token that may start without asking while online (LocalPreAuthorize)."""
        found = self.find(tag) if self._desk.keys["LocalPreAuthorize"] else None
        return found if found is not None and found.status == ACCEPTED else None

    def decide_offline(self, tag: str) -> Entry | None:
        """Accepted entry of a token that may start offline, None if it may not (OCPP 1.6 §3.5.1, §3.5.4)."""
        found = self.find(tag)
        if found is not None:
            return found if found.status == ACCEPTED and self._desk.keys["LocalAuthorizeOffline"] else None
        return Entry(ACCEPTED) if self._desk.keys["AllowOfflineTxForUnknownId"] else None

    # -- cache --------------------------------------------------------------------------------------------------------

    def learn(self, tag: str, entry: Entry) -> None:
        """The back-end said this of a token: into the cache, unless the token is listed."""
        key = tag.lower()
        room = self._desk.profile.memory.cache_entries
        if not room or not self._desk.keys["AuthorizationCacheEnabled"] or key in self._list:
            return
        self._cache.pop(key, None)
        while len(self._cache) >= room:
            self._evict()
        self._cache[key] = entry
        self._uses += 1
        self._desk.persist(f"cache/{key}", [*structs.astuple(entry), self._uses])

    def clear_cache(self) -> bool:
        """Empty the cache; False if there is none (OCPP 1.6 §5.4)."""
        for key in self._cache:
            self._desk.persist(f"cache/{key}", None)
        self._cache.clear()
        return bool(self._desk.keys["AuthorizationCacheEnabled"])

    def _evict(self) -> None:
        """What is not accepted goes first, then what is oldest."""
        oldest = next(iter(self._cache))
        victim = next((key for key, entry in self._cache.items() if entry.status != ACCEPTED), oldest)
        del self._cache[victim]
        self._desk.persist(f"cache/{victim}", None)

    # -- list ---------------------------------------------------------------------------------------------------------

    def list_version(self) -> int:
        """As GetLocalListVersion answers: -1 if lists are switched off, 0 if there is none (OCPP 1.6 §5.10)."""
        return self.version if self._desk.keys["LocalAuthListEnabled"] else -1

    def update(self, version: int, kind: str, rows: Sequence[tuple[str, Entry | None]]) -> str:
        """SendLocalList, its rows as (token, entry; None to delete): Accepted, Failed, NotSupported or VersionMismatch;
        all of it or nothing.
        """
        keys = self._desk.keys
        if not keys["LocalAuthListEnabled"]:
            return "NotSupported"
        names = [tag.lower() for tag, _ in rows]
        if version < 1 or len(set(names)) != len(names) or len(rows) > keys["SendLocalListMaxLength"]:
            return "Failed"
        if kind == "Full":
            if any(entry is None for _, entry in rows):
                return "Failed"
            fresh: dict[str, Entry] = {}
        elif version <= self.version:
            return "VersionMismatch"
        else:
            fresh = dict(self._list)
        for tag, entry in rows:
            if entry is None:
                fresh.pop(tag.lower(), None)
            else:
                fresh[tag.lower()] = entry
        if len(fresh) > keys["LocalAuthListMaxLength"]:
            return "Failed"
        self._take(version, fresh)
        if self.version:
            self._desk.note("left-over-gone", what="list", id=0)
        self._desk.note("left-over", what="list", id=0, giver=self.giver(), version=version, entries=len(fresh))
        return "Accepted"

    def _take(self, version: int, fresh: dict[str, Entry]) -> None:
        self.version, self._list = version, fresh
        saved = {tag: list(structs.astuple(entry)) for tag, entry in fresh.items()}
        self._desk.persist("list", {"version": version, "entries": saved})
        for key in [cached for cached in self._cache if cached in fresh]:
            del self._cache[key]
            self._desk.persist(f"cache/{key}", None)
