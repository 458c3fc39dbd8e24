"""The check digits of an IBAN (ISO 13616, ISO 7064 MOD 97-10). Knows no bank and no country's inner rules."""

from __future__ import annotations


def iban_problem(text: str) -> str:
    """Why this is no IBAN, "" if it is one."""
    if not (15 <= len(text) <= 34 and text.isascii() and text.isalnum() and text == text.upper()):
        return "15 to 34 capital letters and digits without blanks"
    if not (text[:2].isalpha() and text[2:4].isdigit()):
        return "two letters and two check digits come first"
    return "" if int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1 else "wrong check digits"


def make_iban(country: str, inner: str) -> str:
    """The IBAN of a country code and an account number in that country's form."""
    digits = int("".join(str(int(sign, 36)) for sign in f"{inner}{country}00"))
    return f"{country}{98 - digits % 97:02d}{inner}"
