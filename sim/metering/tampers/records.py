"""The part of the catalogue that happens to one record: numbers 1 to 13, 19 to 34 and 46 to 64 of reference ocmf §7.

Only the table; what is done is in `edits`, how it is judged elsewhere.
"""

from __future__ import annotations

from sim.metering.tampers import edits
from sim.metering.tampers.edits import HOSTILE, Tampering, edited, extra_reading, resigned, sealed, signature
from sim.wire import der

_SECONDS = (
    '{"TM":"2026-03-02T09:00:00,000+0000 S","TX":"E","RV":3600,"RI":"01-00:00.08.06*FF","RU":"sec","EF":"","ST":"G"}'
)

RECORD_TAMPERS: tuple[tuple[int, str, str, str, tuple[Tampering, ...]], ...] = (
    (1, "value-edited", "a digit of the end value is raised", "SIG", (edits.one_digit,)),
    (
        2,
        "value-zero-appended",
        "the end value gets a zero more: the same number",
        "SIG",
        (edited(r'("RV":[0-9.]+)', r"\g<1>0"),),
    ),
    (3, "unit-edited", "kWh becomes Wh", "SIG", (edited('"RU":"kWh"', '"RU":"Wh"'),)),
    (4, "time-edited", "the end time is shifted", "SIG", (edited(r'("TM":"\d{4})-(\d\d)-(\d\d)', r"\1-\2-28"),)),
    (
        5,
        "clock-status-edited",
        "the status of the clock is another one",
        "SIG",
        (edited(r'(\d{4}) [SIRU]"', r'\1 X"'),),
    ),
    (6, "marks-swapped", "begin and end change places", "SIG", (edits.swapped_marks,)),
    (7, "page-edited", "the page number is another one", "SIG", (edited(r'"PG":"T(\d+)"', r'"PG":"T\g<1>0"'),)),
    (
        8,
        "person-edited",
        "identification, its level or the charging point is another one",
        "SIG",
        (
            edited(r'"ID":"[^"]*"', '"ID":"04BADBAD"'),
            edited(r'"IL":"[A-Z]+"', '"IL":"SECURE"'),
            edited(r'"CI":"[^"]*"', '"CI":"CS-9999*9"'),
        ),
    ),
    (9, "reserialised", "the payload is read and written again", "SIG", (edits.reserialised,)),
    (
        10,
        "blank-at-the-edge",
        "a blank or a newline is added at the edge of the payload",
        "SIG",
        (edited(r"^\{", " {"), edited(r"\}$", "}\n")),
    ),
    (
        11,
        "line-ends-converted",
        "the newlines of a pretty-printed payload become CRLF",
        "SIG",
        (edits.carriage_returns,),
    ),
    (12, "foreign-signature", "it carries the signature of another record", "SIG", (edits.foreign_signature,)),
    (13, "other-signer", "another meter of the same type signed it", "SIG", (edits.other_signer,)),
    (
        19,
        "other-curve-claimed",
        "it claims another curve than the key has",
        "KEY",
        (sealed(SA="ECDSA-secp256k1-SHA256"),),
    ),
    (
        20,
        "unknown-algorithm",
        "it claims an algorithm that the format does not have",
        "ALG",
        (sealed(SA="RSASSA-PKCS1-v1_5-SHA256"), sealed(SA="Ed25519"), sealed(SA="ECDSA-secp256r1-SHA512")),
    ),
    (
        22,
        "default-claimed",
        "it names the algorithm that is meant anyway",
        "OK",
        (sealed(SA="ECDSA-secp256r1-SHA256"),),
    ),
    (
        25,
        "signature-unreadable",
        "the signature is missing, no hex, or not in the encoding it names",
        "MAL",
        (sealed(SD=None), sealed(SD="no hex"), sealed(SE="base64", SD="***"), sealed(SE="base32")),
    ),
    (
        26,
        "signature-impossible",
        "the signature is cut off, or its numbers lie outside the group",
        "SIG",
        (signature(edits.truncated), signature(edits.no_numbers), signature(edits.too_large)),
    ),
    (
        27,
        "signature-sloppy",
        "bare r and s, or DER that strict libraries refuse",
        "DEV",
        (
            signature(edits.raw_numbers),
            signature(edits.fixed_numbers, der.NO_PAD),
            signature(edits.padded_numbers),
            signature(edits.long_length),
        ),
    ),
    (28, "signature-mirrored", "s becomes n - s", "OK", (signature(edits.mirrored),)),
    (
        29,
        "cut",
        "it is cut in the middle, has one pipe or five sections",
        "MAL",
        (edits.cut, edits.no_second_pipe, edits.five_sections),
    ),
    (
        30,
        "other-header",
        "its header is another one, or its payload no object",
        "MAL",
        (edits.with_header("ocmf|"), edits.with_header("OCMA|"), edits.with_header("\ufeffOCMF|"), edits.array_payload),
    ),
    (31, "two-values", "a reading has two values under one name", "MAL", (edits.second_value,)),
    (
        32,
        "pipe-in-text",
        "a text of the payload contains a pipe",
        "DEV",
        (resigned(r'"CT":"EVSEID"', r'"CT":"EVSE|ID"'),),
    ),
    (33, "fourth-section", "a public key stands behind the signature", "DEV", (edits.fourth_section,)),
    (
        34,
        "hostile-strings",
        "its signature and encoding are strings that attack readers",
        "MAL",
        (sealed(SD=HOSTILE), sealed(SE=HOSTILE), sealed(SM=HOSTILE)),
    ),
    (
        46,
        "state-not-good",
        "the end reading is not good (ST)",
        "NOBILL",
        (resigned('"ST":"G"', '"ST":"E"'), resigned('"ST":"G"', '"ST":"M"')),
    ),
    (
        48,
        "energy-error",
        "the end reading is marked as faulty in energy (EF E)",
        "NOBILL",
        (resigned('"EF":""', '"EF":"E"'), resigned('"EF":""', '"EF":"Et"')),
    ),
    (49, "time-error", "the end reading is marked as faulty in time (EF t)", "OK", (resigned('"EF":""', '"EF":"t"'),)),
    (51, "exception", "the end is an exception (TX X)", "NOBILL", (resigned('"TX":"E"', '"TX":"X"'),)),
    (
        52,
        "identification-error",
        "the level of identification reports an error",
        "NOBILL",
        tuple(
            resigned(r'"IL":"[A-Z]+"', f'"IL":"{level}"') for level in ("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN")
        ),
    ),
    (58, "undefined-unit", "a reading in seconds stands beside the energy", "OK", (extra_reading(_SECONDS),)),
    (
        59,
        "value-as-text",
        "the value is a text, padded or with an exponent",
        "DEV",
        (resigned(r'"RV":([0-9.]+)', r'"RV":"\1"'), resigned(r'"RV":([0-9.]+)', r'"RV":"     \1"')),
    ),
    (
        60,
        "value-of-33-digits",
        "the value has more digits than any meter",
        "NOBILL",
        (resigned(r'"RV":([0-9.]+)', r'"RV":\g<1>00000000000000000000000000'),),
    ),
    (
        61,
        "loss-negative",
        "the cumulated loss is negative",
        "DEV",
        (resigned('"EF":""', '"CL":-0.5,"EF":""'),),
    ),
    (
        62,
        "time-spelled-otherwise",
        "the time has a Z, a dot or a colon in its zone",
        "DEV",
        (
            resigned(r',(\d{3})\+0000 S"', r',\1Z S"'),
            resigned(r",(\d{3})\+0000 S", r".\1+0000 S"),
            resigned(r"\+0000 S", "+00:00 S"),
        ),
    ),
    (
        63,
        "version-1.4",
        "it names version 1.4, which the reference tool refuses",
        "OK",
        (resigned('"FV":"1.0"', '"FV":"1.4"'),),
    ),
)
"""Number, name, what is done, the verdict that is due, and the ways to do it; all of them must get that verdict."""
