"""Operations as HTTP calls: the template filled in, and what became of it by the rule of the target file.

Refused means that it certainly did not happen, Unknown that it may have. A lever that is not declared refuses with
`no-lever`: nothing was asked of anybody, so nobody may be blamed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from scenarios.targets.cells import ABSENT
from scenarios.targets.file import placeholders
from scenarios.targets.http import Answer, AsyncHttp, NoAnswer, NotSent
from scenarios.targets.model import Lever
from scenarios.targets.sources import look
from sim.backend import Operation
from sim.machine import Answered, Outcome, Refused, Unknown

NO_LEVER = "no-lever"
_SHOWN = 200


class Levers:
    """The levers of one back-end. `people` gives the token of a mobile, for templates that hold `{token}`."""

    def __init__(self, levers: Mapping[str, Lever], http: AsyncHttp | None, people: Mapping[str, str]) -> None:
        self._levers = levers
        self._http = http
        self._people = people

    async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
        """Send an operation and tell what became of it. Never raises for what the back-end does."""
        lever = self._levers.get(operation.kind)
        if lever is None or self._http is None:
            return Refused(NO_LEVER, f"the target file declares no lever {operation.kind}")
        args = dict(operation.args)
        if "mobile" in args and "token" not in args:
            args["token"] = self._people.get(str(args["mobile"]))
        return await send(lever, args, self._http, timeout_s)


async def send(
    lever: Lever, args: Mapping[str, Any], http: AsyncHttp, timeout_s: float, *, may_lack: bool = False
) -> Outcome:
    """Fill one template in and send it. With `may_lack` a value that there is not is sent as null."""
    names = (*placeholders(lever.path), *placeholders(lever.body))
    args = {**dict.fromkeys(names), **args}
    lacking = [name for name in names if args[name] is None and not may_lack]
    if lacking:
        return Refused(NO_LEVER, f"the lever needs {lacking[0]}, which this operation has not")
    path = lever.path.format(**{name: quote(str(value), safe="") for name, value in args.items()})
    try:
        answer = await http.call(lever.method, path, filled(lever.body, args), timeout_s)
    except NotSent as err:
        return Refused("unreachable", str(err))
    except NoAnswer as err:
        return Unknown(str(err))
    return outcome_of(lever, answer)


def filled(template: Any, args: Mapping[str, Any]) -> Any:
    """A body with its names filled in: a text that is one name alone becomes the value itself, whatever its type."""
    if isinstance(template, dict):
        return {key: filled(item, args) for key, item in template.items()}
    if isinstance(template, list):
        return [filled(item, args) for item in template]
    if not isinstance(template, str):
        return template
    names = [*placeholders(template)]
    return args[names[0]] if len(names) == 1 and template == f"{{{names[0]}}}" else template.format(**args)


def outcome_of(lever: Lever, answer: Answer) -> Outcome:
    """What an HTTP answer means by the rule of its lever."""
    if answer.status not in lever.expect:
        said = f"HTTP {answer.status}: {answer.text[:_SHOWN]}"
        return Unknown(said) if answer.status >= 500 else Refused(f"http-{answer.status}", said)
    try:
        content = json.loads(answer.text) if answer.text.strip() else {}
    except ValueError:
        content = {"text": answer.text[:_SHOWN]}
    if not lever.outcome:
        return Answered(content)
    told = look(content)(lever.outcome)
    if told is not ABSENT and str(told) in lever.refused:
        return Refused("rejected", str(told))
    if told is not ABSENT and (str(told) in lever.answered or not lever.answered):
        return Answered(content)
    return Unknown(
        f"{lever.outcome} is {'not there' if told is ABSENT else told!r}, which the target file does not name"
    )
