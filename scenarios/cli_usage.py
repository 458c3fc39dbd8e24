"""Wrong options, numbers and commands, said as every other mistake of a user: one sentence, exit code 2.

Typer finds these before any command of ours runs, and draws a box of several lines; here its error becomes a BadInput.
Nothing here may know what a command does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from sim.errors import BadInput, unknown

_UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""What BadParameter and every other error about the words of a command line derive from; typer does not export it."""


class OneSentence(TyperGroup):
    """The root of a command line whose usage errors are one sentence. `said` tells the user, and returns the exit code.

    `said(bad, as_json)` is set once by whoever owns the command line.
    """

    said: Callable[[BadInput, bool], int]

    def main(self, args: Sequence[str] | None = None, *more: Any, **named: Any) -> NoReturn:
        """Run the command of these words, and end the process with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        named["standalone_mode"] = False
        try:
            code = super().main(words, *more, **named)
        except _UsageError as error:
            helped = not error.format_message().strip()  # no words at all: typer has shown the help instead
            code = 2 if helped else type(self).said(as_bad_input(error, words), "--json" in words)
        sys.exit(code if isinstance(code, int) else 0)


def as_bad_input(error: Any, words: Sequence[str]) -> BadInput:
    """The sentence for an error that typer raised about these words."""
    context, option = error.ctx, getattr(error, "option_name", None)
    commands = list(getattr(context.command, "commands", ())) if context is not None else []
    message = " ".join(str(error.format_message()).split())
    if message.startswith("No such command") and commands:
        name = next((word for word in words if repr(word) in message), "")
        return BadInput("command line", "COMMAND", *unknown("command", name, commands))
    if option and message.startswith("No such option"):
        known = [name for one in context.command.params for name in (*one.opts, *one.secondary_opts) if name[:1] == "-"]
        return BadInput("command line", None, *unknown("option", option, [*known, "--help"]))
    if option and message.endswith("requires an argument."):
        return BadInput("command line", option, "has no value behind it", f"{option} VALUE")
    parameter = getattr(error, "param", None)
    if parameter is None:
        return BadInput("command line", option, _lower(message), _help(context))
    place = next((name for name in parameter.opts if name[:1] == "-"), _shown(parameter))
    if message.startswith("Missing"):
        return BadInput("command line", place, "is missing", _lower(parameter.help or "") or _help(context))
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    whole = "a whole number" if isinstance(least, int) else "a number"
    if least is None:
        allowed = _help(context)
    else:
        allowed = f"{whole}, {least} or more" if most is None else f"{whole} from {least} to {most}"
    return BadInput("command line", place, f"{_value(parameter.opts, words)!r} is not usable here", allowed)


def _lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")


def _shown(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _help(context: Any) -> str:
    return f"what `chargerig {' '.join(_path(context))}--help` shows"


def _path(context: Any) -> list[str]:
    """Names of the commands that lead to this one, each with a space behind it when joined."""
    names: list[str] = []
    while context is not None and context.parent is not None:
        names.insert(0, str(context.info_name))
        context = context.parent
    return [*names, ""] if names else []


def _value(options: Sequence[str], words: Sequence[str]) -> str:
    """What the user wrote for an option: the word after it, or behind its `=`. The last one counts."""
    found = ""
    for number, word in enumerate(words):
        name, is_, value = word.partition("=")
        if name in options:
            found = value if is_ else next(iter(words[number + 1 :]), "")
    return found
