"""Stable pseudonyms for what names a person in recorded traffic: tokens, mobile numbers, contract ids, passwords.

The same value becomes the same pseudonym wherever it stands and whichever way it went, as long as the key is the same;
without the key nobody comes back to it. Everything else of a frame stays as it was. A frame that cannot be read cannot
be searched either, so none of it is kept. Nothing here may touch the traffic itself: only what is written down.

Sources of the fields: OCPP 1.6 §6 and §7 (idTag at most 20 characters, not case-sensitive), 2.0.1 part 2 (IdTokenType),
OCMF 1.4.1 (ID), EMAIDs as in ISO 15118-1 annex H and DIN 91286.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from urllib.parse import parse_qsl, urlencode

from sim.wire.ocmf_parse import HEADER
from sim.wire.splice import splice

_TOKENS = frozenset(
    """idTag parentIdTag idToken idTokens groupIdToken additionalIdToken prioritizedEMAIDs customerIdentifier emaid
    contractId evccid phone phoneNumber mobile mobileNumber msisdn userId""".lower().split()
)
_SECRETS = frozenset("basicAuthPassword apnPassword simPin password authorization".lower().split())
_PASSWORD_KEYS = frozenset({"authorizationkey", "basicauthpassword"})
"""Configuration keys and variables that hold a password, in a `value` or `attributeValue` of the same frame."""
_VALUES = frozenset({"value", "attributevalue"})
_SIGNED = frozenset({"signedmeterdata", "signedmetervalue"})

_EMAID = re.compile(
    r"[A-Z]{2}-?[A-Z0-9]{3}-?C[A-Z0-9]{8}(?:-?[A-Z0-9])?|[A-Z]{2}[*-][A-Z0-9]{3}[*-](?!E)[A-Z0-9]{6}[*-][A-Z0-9]", re.I
)
"""An E behind the operator makes it the id of an EVSE, which is no person."""
_MOBILE = re.compile(r"(?:\+|(?<![\w-])00)[1-9](?:[ ()/-]{0,2}\d){6,13}\d?")
_IN_TEXT = re.compile(rf"(?<![A-Za-z0-9])(?:{_EMAID.pattern})(?![A-Za-z0-9])|{_MOBILE.pattern}", re.I)
_PIECES = re.compile(r"[^\W_]+|[\W_]")
"""A token may have anything in it, and anything may stand around it: it begins and ends where one of these does."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.,+-]+Z?")
_MOST_TEXTS = 10_000
_SHORTEST = 4
"""Shorter tokens are replaced where a field says that they are tokens, and not in the middle of texts."""
_LEAST_DIGITS = 4
"""Words that only look like an EMAID have fewer."""
_LONGEST_VALUE = 64
"""A value that is longer, and one block of digits, base64 or XML, is a signed one in a format of its own."""
_BLOB = re.compile(r"[A-Za-z0-9+/=_;\s-]+|<.*", re.DOTALL)
_OCMF_AS_BASE64 = "T0NNR"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Pseudonyms:
    """Replaces by one key. `signed` counts signed records whose text changed: nobody can verify them any more.

    `left_out` counts what could not be read and was therefore not kept: frames, signed data of other formats.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, str] = {}
        self._longest = 0
        self._texts: dict[str, str] = {}
        self.signed = 0
        self.left_out = 0

    @property
    def count(self) -> int:
        """How many different values were replaced."""
        return len(self._known)

    def of(self, value: str) -> str:
        """The pseudonym of a token: a mobile number and an EMAID stay one, all others are 20 hexadecimal digits.

        Never longer than the 20 characters of OCPP 1.6. Blanks and an empty text stay.
        """
        bare = value.strip()
        if not bare:
            return value
        known = self._known.get(bare.casefold())
        if known is None:
            known = self._learn(bare, self._new(bare))
        return _as_written(bare, known)

    def frame(self, text: str) -> str:
        """A frame as it may be written down."""
        if not _is_json(text):
            self.left_out += 1
            return f"(left out: {len(text)} characters that are no JSON)"
        return self._document(text)

    def text(self, text: str) -> str:
        """A free text: what looks like a mobile number or an EMAID, and every token seen so far."""

        def shape(found: re.Match[str]) -> str:
            return self.of(found[0]) if sum(map(str.isdigit, found[0])) >= _LEAST_DIGITS else found[0]

        if _TIME.fullmatch(text):
            return text
        told = self._texts.get(text)
        if told is None:
            new = self._without_known(_IN_TEXT.sub(shape, text))
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            told = self._texts[text] = new
        return told

    def path(self, path: str) -> str:
        """A path of a URL. Its last part is the station and stays; what its query says may be anything and does not."""
        bare, mark, query = path.partition("?")
        pairs = [(name, self.of(value)) for name, value in parse_qsl(query, keep_blank_values=True)]
        place, slash, station = bare.rpartition("/")
        return self.text(place) + slash + station + mark + urlencode(pairs)

    def authorization(self, header: str, identity: str) -> str:
        """An Authorization header. Of Basic, a user who is called like the station stays readable."""
        scheme, _, rest = header.partition(" ")
        try:
            user, colon, password = base64.b64decode(rest, validate=True).decode("latin-1").partition(":")
        except (binascii.Error, ValueError):
            colon = ""
        if scheme.lower() != "basic" or not colon:
            return f"{scheme} {self.of(rest)}".rstrip()
        name = user if user == identity else self.of(user)
        return "Basic " + base64.b64encode(f"{name}:{self.of(password)}".encode("latin-1")).decode()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _learn(self, bare: str, pseudonym: str) -> str:
        """From now on this token is known wherever it stands."""
        self._known[bare.casefold()] = pseudonym
        self._longest = max(self._longest, len(bare))
        self._texts.clear()
        return pseudonym

    def _without_known(self, text: str) -> str:
        """A text without the tokens seen so far, of two that overlap the one that begins first, then the longer."""
        pieces = _PIECES.findall(text)
        out: list[str] = []
        at = 0
        while at < len(pieces):
            piece, found, end = "", "", at
            for number in range(at, len(pieces)):
                piece += pieces[number]
                if len(piece) > self._longest:
                    break
                if len(piece) >= _SHORTEST and piece.casefold() in self._known:
                    found, end = piece, number + 1
            out.append(_as_written(found, self._known[found.casefold()]) if found else pieces[at])
            at = end if found else at + 1
        return "".join(out)

    def _new(self, bare: str) -> str:
        digest = hmac.new(self._key, bare.casefold().encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        number = int.from_bytes(digest, "big")
        if _MOBILE.fullmatch(bare):
            return f"+999{number % 10**12:012d}"  # a country code that nobody has
        if _EMAID.fullmatch(bare):
            return "ZZPSNC" + "".join(_ALPHABET[number // 36**place % 36] for place in range(8))
        return digest.hex()[:20].upper()

    def _document(self, text: str) -> str:
        """A JSON text; the caller has seen that it is one."""
        lower = text.lower()
        passwords = any(name in lower for name in _PASSWORD_KEYS)

        def change(key: str, value: str, is_text: bool) -> str | None:
            name = key.lower()
            if name in _TOKENS or name in _SECRETS:
                return self.of(value) if is_text else self._number(value)
            if not is_text:
                return None
            if passwords and name in _VALUES:
                return self.of(value)
            return self._value(name, value)

        return splice(text, change)

    def _number(self, digits: str) -> str:
        """The pseudonym of a token that somebody sends as a number: one with as many digits."""
        number = int.from_bytes(hmac.new(self._key, digits.encode(), hashlib.sha256).digest(), "big")
        least = 10 ** max(len(digits) - 1, 0)
        return self._learn(digits, str(least + number % (9 * least)))

    def _value(self, key: str, value: str) -> str:
        """A text in a field that may hold anything: a record, a document of its own, words."""
        bare = value.strip()
        if bare.startswith(HEADER):
            return self._record(value)
        if bare.startswith(_OCMF_AS_BASE64) or (key in _SIGNED and bare):
            return self._base64(bare)
        if bare[:1] in ("{", "[") and _is_json(bare):
            return self._document(value)
        if key == "value" and len(bare) > _LONGEST_VALUE and _BLOB.fullmatch(bare):
            return self._unknown(bare)
        return self.text(value)

    def _base64(self, value: str) -> str:
        try:
            inner = base64.b64decode("".join(value.split()), validate=True).decode()
        except (binascii.Error, ValueError):
            return self._unknown(value)
        if not inner.strip().startswith(HEADER):
            return self._unknown(value)
        new = self._record(inner)
        return value if new == inner else base64.b64encode(new.encode()).decode()

    def _record(self, record: str) -> str:
        """A signed record: its ID is a token, its other texts may name one."""
        start = record.index(HEADER) + len(HEADER)
        end = record.rfind("|")
        payload = record[start : max(end, start)]
        if not _is_json(payload):
            return self._unknown(record)

        def change(key: str, value: str, is_text: bool) -> str | None:
            if not is_text:
                return self._number(value) if key == "ID" else None
            return self.of(value) if key == "ID" else self.text(value)

        new = splice(payload, change)
        if new == payload:
            return record
        self.signed += 1
        return record[:start] + new + record[end:]

    def _unknown(self, data: str) -> str:
        """Signed data of a format that cannot be searched for a person."""
        self.left_out += 1
        return f"(left out: {len(data)} characters of signed data)"


def _as_written(value: str, pseudonym: str) -> str:
    """Lower case for lower case: tokens that differ in that alone are one token, and some back-ends do not know it."""
    return pseudonym.lower() if value == value.lower() else pseudonym


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
