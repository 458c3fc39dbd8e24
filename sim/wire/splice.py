"""Change single values in the text of a JSON document and leave every other character as it was.

A frame that is decoded and encoded again is not the same frame: `21.40` becomes `21.4`, blanks and escapes are lost.
Nothing here may judge a document; the caller has made sure that it is JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

Change = Callable[[str, str, bool], str | None]
"""`change(key, value, is_text)`: the new value, None to leave it. A text comes decoded, a number as it is written."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}\[\]]')
_COLON = re.compile(r"\s*:")


def splice(document: str, change: Change) -> str:
    """The same JSON text with the values replaced for which `change` has another.

    An item of a list has the key of the list; what stands at the top has the key "".
    """
    pieces: list[str] = []
    done = 0
    keys = [""]
    for token in _TOKEN.finditer(document):
        word = token.group()
        first = word[0]
        if first in "{[":
            keys.append(keys[-1])
        elif first in "}]":
            keys.pop()
        elif first == '"' and _COLON.match(document, token.end()):
            keys[-1] = json.loads(word)
        else:
            value = json.loads(word) if first == '"' else word
            new = change(keys[-1], value, first == '"')
            if new is not None and new != value:
                pieces += (document[done : token.start()], json.dumps(new) if first == '"' else new)
                done = token.end()
    return "".join((*pieces, document[done:])) if pieces else document
