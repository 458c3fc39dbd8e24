"""Which back-ends a run is held against: the reference, somebody's factory, or a target file that names them.

A target is two factories, one for the role `legacy` and one for `new`. Nothing here may look inside a back-end.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reference_csms import assemble
from scenarios.strict import parse_toml, read_text
from scenarios.targets.file import WHAT, is_foreign, make_target
from scenarios.targets.model import ROLES, ForeignTarget
from sim.backend import BackEnd, Factory, Setup
from sim.errors import BadInput, raised

ALLOWED = "`reference`, a target file (*.toml), `package.module:factory`, or `mutant:NAME`"
PLANTED = "mutant:"
"""How a back-end with a planted bug is named, as in `mutant:reply-before-commit`."""
_KEYS = ("factory", "legacy", "new", "options")


class Target(Struct, frozen=True):
    """The two back-ends of a run and the options that each factory finds in its Setup.

    `spec` is what a user wrote to name it, so that another process can find it again; empty if it was made in Python.
    """

    name: str
    legacy: Factory
    new: Factory
    options: dict[str, Any] = {}
    spec: str = ""

    def factory(self, role: str) -> Factory:
        """The factory of a role. Raises ValueError for a role that does not exist."""
        if role not in ROLES:
            raise ValueError(f"no role {role!r}")
        return self.legacy if role == "legacy" else self.new

    def is_ours(self, role: str) -> bool:
        """Whether the reference CSMS plays this role as it is, so that whatever it raises is our own mistake."""
        return self.factory(role) is reference


def reference(setup: Setup) -> BackEnd:
    """The reference CSMS with all its parts as they should be."""
    return assemble(setup)


REFERENCE = Target(name="reference", legacy=reference, new=reference, spec="reference")


def foreign(spec: str) -> ForeignTarget | None:
    """The target behind sockets that a user named, None if it is of another kind. Raises BadInput."""
    if not spec.endswith(".toml"):
        return None
    data = parse_toml(read_text(Path(spec), WHAT), spec)
    return make_target(data, spec) if is_foreign(data) else None


def resolve(spec: str) -> Target:
    """The target that a user named. Raises BadInput with what is allowed."""
    if spec == "reference":
        return REFERENCE
    if spec.endswith(".toml"):
        return _from_file(Path(spec))
    if spec.startswith(PLANTED):
        return _planted(spec)
    factory = _import(spec, "--target")
    return Target(name=spec, legacy=factory, new=factory, spec=spec)


def _planted(spec: str) -> Target:
    """The two back-ends with a planted bug. Raises BadInput for one that is not planted in a back-end."""
    from scenarios.mutants.registry import mutant  # which imports targets

    planted = mutant(spec.removeprefix(PLANTED))
    if planted.move is not None or planted.desk is not None:
        problem = f"{planted.name} is planted in the migration tool or the operator's desk, not in a back-end"
        raise BadInput("command line", "--target", problem, f"`chargerig mutants {planted.name}`")
    return replace(planted.target(), spec=spec)


def _from_file(path: Path) -> Target:
    data = parse_toml(read_text(path, WHAT), str(path))
    if is_foreign(data):
        make_target(data, str(path))
        problem = "it names a back-end behind sockets, which this command cannot dial"
        raise BadInput(str(path), "", problem, "a target file with `factory`, or `chargerig run` and `target check`")
    for key in data:
        if key in ("url", "urls"):
            raise BadInput(
                str(path), key, "this key is unknown", "[ocpp] with url, or `factory` as package.module:factory"
            )
        if key not in _KEYS:
            raise BadInput(str(path), key, "this key is unknown", ", ".join(_KEYS))
    options = data.get("options", {})
    if not isinstance(options, dict):
        raise BadInput(str(path), "options", "it is not a table", "[options] with keys for the factory")
    named = {role: data.get(role, data.get("factory")) for role in ROLES}
    for role, spec in named.items():
        if not isinstance(spec, str):
            raise BadInput(
                str(path), role, "no factory is named for this role", "`factory`, or both `legacy` and `new`"
            )
    imported = {role: _import(str(spec), f"{path}: {role}") for role, spec in named.items()}
    return Target(name=str(path), legacy=imported["legacy"], new=imported["new"], options=options, spec=str(path))


def _import(spec: str, place: str) -> Factory:
    if spec == "reference":
        return reference
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise BadInput(place, "", f"{spec!r} names no factory", ALLOWED)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: a user's own module lies where they stand
    try:
        module = importlib.import_module(module_name)
        factory = getattr(module, attribute, None)
    except KeyboardInterrupt:
        raise
    except BaseException as err:  # the module is not ours and may raise anything, SystemExit too
        raise BadInput(place, "", f"{module_name!r} cannot be imported ({raised(err)})", ALLOWED) from err
    if not callable(factory):
        raise BadInput(place, "", f"{module_name!r} has no callable {attribute!r}", ALLOWED)
    return factory
