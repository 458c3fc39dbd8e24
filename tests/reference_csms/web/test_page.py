"""The page docs/api.md: its ten curl commands work as they stand, against the very application."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def commands() -> list[list[str]]:
    """The curl commands of the page as words, placeholders filled in."""
    block = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)).replace("\\\n", " ")
    lines = [line for line in block.splitlines() if line.startswith("curl ")]
    filled = [line.replace("$CSMS", "http://csms.test").replace("$TOKEN", "all-scopes-0123456789") for line in lines]
    return [shlex.split(line) for line in filled]


def request_of(words: list[str]) -> tuple[str, str, dict[str, str], bytes | None]:
    """Method, address, headers and body of a curl command. Raises for an option that curl has and this has not."""
    method, url, headers, body = None, "", {}, None
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest).encode()
        elif word == "-X":
            method = next(rest)
        elif word == "-o":
            next(rest)
        elif word.startswith("http"):
            url = word
        elif word != "-s":
            raise AssertionError(f"{word} in {words}")
    return method or ("GET" if body is None else "POST"), url, headers, body


def test_there_are_ten_commands_and_each_works(used: Any) -> None:
    used.office.answers = {"ChangeConfiguration": {"status": "Accepted"}}
    used.office.frames = [{"n": 1, "t": 1, "d": 1, "s": "CS-1", "b": "legacy", "l": 1, "w": "up", "f": '[3,"1",{}]'}]
    answers = []
    for words in commands():
        method, url, headers, body = request_of(words)
        response = used.client.request(method, url, headers=headers, **({} if body is None else {"content": body}))
        assert response.status_code == 200, (words, response.text)
        answers.append(response)
    assert len(answers) == 10
    assert answers[0].json() == {"status": "ready"}
    assert [one.json() for one in answers[1:4]] == [{"imported": 1}] * 3
    assert [one.json()["status"] for one in answers[4:6]] == ["Accepted", "Accepted"]
    assert len(answers[6].json()["rows"]) == 2 and len(answers[7].json()["rows"]) == 1
    assert answers[8].text.startswith("number,session_id,") and len(answers[9].json()["data"]) == 5
    assert used.get("/tokens/04a1b2c3").json()["customer"] == "c-17"
