"""The house: who may import whom, which package has which door, and what must never be written at all. Plain `ast`."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = {
    "sim": {"sim"},
    "fleet": {"sim", "fleet"},
    "reference_csms": {"sim", "reference_csms"},
    "reports": {"sim", "reports"},
    "scenarios": {"sim", "fleet", "reference_csms", "scenarios"},
}
# One door per third-party package. The bench is the exception of the house: it measures the library itself.
DOORS = {
    "simpy": ("sim/runtimes/virtual",),
    "ocpp": ("sim/wire/schema.py", "scenarios/bench/library.py", "scenarios/bench/library_server.py"),
    "jsonschema_rs": ("sim/wire/schema.py",),
    "ecdsa": ("sim/wire/secp192k1.py",),
    "pyocmf": ("scenarios/bench/metering_peer.py",),
    "cryptography": ("sim/wire/keys.py", "sim/wire/certificates.py"),
    "matplotlib": ("reports/plots.py",),
    "jinja2": ("sim/pages.py",),
    "markupsafe": ("sim/pages.py",),
    "typst": ("reference_csms/billing/documents/pdf.py",),
    "zstandard": ("sim/evidence/wire.py",),
    "holidays": ("scenarios/working_days.py",),
    "typer": ("scenarios/cli",),
    "rich": ("scenarios/cli_screen.py", "scenarios/cli_live.py"),
    "sqlalchemy": (
        "reference_csms/storage/sql.py",
        "reference_csms/storage/sql_dialects.py",
        "scenarios/targets/sqlbook.py",
    ),
    "psycopg": ("reference_csms/storage/sql_dialects.py",),
    "websockets": ("sim/runtimes/", "scenarios/bench/library_server.py"),
    "picows": ("sim/runtimes/",),
    "uvloop": ("sim/runtimes/",),
    "starlette": ("reference_csms/web/",),
    "uvicorn": ("sim/runtimes/aio_http.py",),
    "prometheus_client": ("reference_csms/web/metrics.py",),
    "httpx": ("scenarios/targets/http.py",),
    "msgspec": ("",),
    "gevent": ("sim/runtimes/greenlet.py",),
    "locust": ("scenarios/load_run/users.py",),
    "distributed": ("scenarios/sweep/cluster.py",),
    "pytest": ("scenarios/pytest_plugin.py",),
}
NAME_OF = {"jsonschema-rs": "jsonschema_rs", "prometheus-client": "prometheus_client"}
NO_DOOR = {"tzdata"}  # data only: zoneinfo finds it by itself
# For one purpose only: speed, PostgreSQL, load, a bench, a cluster, the pytest plugin.
IN_EXTRAS = {"picows", "uvloop", "psycopg", "gevent", "locust", "pyocmf", "distributed", "pytest"}
# Locust patches the process that imports it: these live in its processes only, and lead from one to the next.
LOCUSTS: dict[str, tuple[str, ...]] = {
    "fleet.locustfile": (),
    "scenarios.load_run.users": ("fleet/locustfile.py",),
    "scenarios.load_run.generator": ("scenarios/load_run/users.py",),
    "sim.runtimes.greenlet": ("scenarios/load_run/users.py", "scenarios/load_run/generator.py"),
}
# Its path is part of what users type (`locust -f fleet/locustfile.py`), its users need runtimes and shapes: an entry that
# hands over, of the floor it hands over to, which nothing imports.
ENTRIES = ("fleet/locustfile.py",)
LAZY = {"matplotlib", "typst", "picows", "uvloop", "psycopg", "ecdsa", "pyocmf", "distributed"}
CLOCKS = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "time.process_time", "time.sleep", "time.localtime", "time.gmtime", "datetime.now", "datetime.utcnow",
    "datetime.today",
    "date.today", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
}  # fmt: skip
ENTROPY = {"os.urandom", "uuid.uuid1", "uuid.uuid4", "random.SystemRandom"}
BANNED_MODULES = {"secrets", "uuid", "threading", "_thread", "concurrent", "multiprocessing", "asyncio", "sched"}
MAY_READ_CLOCKS = ("sim/runtimes/", "scenarios/cli", "scenarios/bench/", "scenarios/sockets/", "scenarios/load_run/")
# The library's engine is asyncio; processes have one door.
MAY_OWN_THREADS = (
    "sim/runtimes/", "scenarios/bench/", "scenarios/processes.py", "scenarios/sockets/", "scenarios/cli_serve.py",
    "scenarios/cli_fleet.py", "scenarios/cli_fuzz.py",
)  # fmt: skip
GENERATED = ("sim/wire/payloads/",)
MOST_LINES = {"code": 400, "tests": 500}  # a table of cases is long and easy to read


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


CODE = _sources(*FLOORS)
EVERYTHING = [*CODE, *_sources("tests")]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def _nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


@cache
def _imports(tree: ast.AST) -> tuple[tuple[str, int], ...]:
    return tuple(_imported(tree))


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield str(node.module), node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run at import."""
    stack: list[ast.stmt] = list(tree.body)
    while stack:
        node = stack.pop()
        yield node
        only_for_types = (
            isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        )
        if not only_for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stack += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def of_each(paths: list[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Makes one test of a rule for a file: it names every file that breaks it.

    A test for each file and rule would be thousands, and handing them out takes longer than all rules together.
    """

    def make(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            broken = []
            for path in paths:
                try:
                    rule(path)
                except AssertionError as err:
                    broken.append(f"{_name(path)}: {err}")
            assert not broken, "\n".join(broken)

        return test

    return make


def test_there_is_code_in_every_room() -> None:
    """A house test that reads nothing would pass for ever."""
    for room in FLOORS:
        assert any(_name(path).startswith(f"{room}/") for path in CODE), room


def test_make_slow_finds_every_slow_test() -> None:
    """It collects the modules of tests that have the mark in their text, and no others."""
    marked = [path for path in _sources("tests") if re.search(r"mark\.slow", path.read_text("utf-8"))]
    assert marked and all(path.name.startswith("test_") for path in marked)
    assert r"--include='test_*.py' 'mark\.slow' tests" in (ROOT / "Makefile").read_text("utf-8")


@of_each(CODE)
def test_floors(path: Path) -> None:
    """sim <- (fleet | reference_csms) <- scenarios; reports reads sim only and is known to the CLI only."""
    room = "scenarios" if _name(path) in ENTRIES else _name(path).split("/")[0]
    allowed = FLOORS[room] | ({"reports"} if _name(path).startswith("scenarios/cli") else set())
    for module, line in _imports(_tree(path)):
        other = module.split(".")[0]
        assert other not in FLOORS or other in allowed, f"{_name(path)}:{line} imports {module}"
        assert other != "tests", f"{_name(path)}:{line} imports the tests"


def test_runtimes_are_a_floor_of_their_own() -> None:
    """Nothing in sim but sim/runtimes may know the runtimes; neither may fleet and reference_csms."""
    for path in _sources("sim", "fleet", "reference_csms", "reports"):
        if not _name(path).startswith("sim/runtimes/"):
            wrong = [
                f"{_name(path)}:{line}" for module, line in _imports(_tree(path)) if module.startswith("sim.runtimes")
            ]
            assert not wrong


def test_nothing_of_ours_imports_what_lives_in_a_process_of_locust() -> None:
    """Locust patches sockets, threads and time of whoever imports it; an entry only hands over."""
    for path in CODE:
        for module, line in _imports(_tree(path)):
            for kept, by in LOCUSTS.items():
                inside = module == kept or module.startswith(f"{kept}.")
                assert not inside or _name(path) in by, f"{_name(path)}:{line} imports {module}"
    for entry in ENTRIES:
        assert len(_tree(ROOT / entry).body) <= 3, f"{entry} does more than to hand over"


@of_each(CODE)
def test_doors(path: Path) -> None:
    """Each third-party package comes in through its one door."""
    for module, line in _imports(_tree(path)):
        package = module.split(".")[0]
        if package in sys.stdlib_module_names or package in FLOORS:
            continue
        assert package in DOORS, f"{_name(path)}:{line} imports {package}, which has no door"
        assert _name(path).startswith(DOORS[package]), f"{_name(path)}:{line} imports {package} beside its door"


def test_every_dependency_has_a_door_in_use() -> None:
    """What pyproject.toml asks for is imported somewhere, and what is imported is asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {re.split(r"[^A-Za-z0-9-]", entry)[0] for entry in project["dependencies"]} - NO_DOOR
    named = {NAME_OF.get(name, name) for name in asked} | IN_EXTRAS
    used = {module.split(".")[0] for path in CODE for module, _ in _imports(_tree(path))}
    used -= {*sys.stdlib_module_names, *FLOORS, "markupsafe"}  # markupsafe is jinja2's own
    assert named == used
    assert named | {"markupsafe"} == set(DOORS)


def test_pins_hold_no_address_and_cover_every_dependency() -> None:
    """constraints.txt pins exactly, for everything that is asked for, and names no index and no path."""
    text = (ROOT / "constraints.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [
        *project["dependencies"],
        *(entry for extra in project["optional-dependencies"].values() for entry in extra),
    ]
    pinned = {line.split("==")[0] for line in lines}
    assert {re.split(r"[^A-Za-z0-9-]", entry)[0] for entry in asked} - {"chargerig"} <= pinned


def test_heavy_packages_are_imported_late() -> None:
    """matplotlib and typst are imported inside functions only."""
    for path in CODE:
        for node in _top_level(_tree(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = {module.split(".")[0] for module, _ in _imports(node)}
                assert not modules & LAZY, f"{_name(path)}:{node.lineno}"


@of_each(CODE)
def test_no_clock_no_entropy_no_threads(path: Path) -> None:
    """Time, randomness and ids come in through the door (determinism, INV-39)."""
    name, tree = _name(path), _tree(path)
    for module, line in _imports(tree):
        if not name.startswith(MAY_OWN_THREADS):
            assert module.split(".")[0] not in BANNED_MODULES, f"{name}:{line} imports {module}"
        clock = module in CLOCKS and not name.startswith(MAY_READ_CLOCKS)
        assert not clock and module not in ENTROPY, f"{name}:{line} imports {module}"
        assert not (module.startswith("random.") and module != "random.Random"), f"{name}:{line} imports {module}"
    for node in _nodes(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func)
        where = f"{name}:{node.lineno} calls {called}"
        assert called not in ENTROPY, where
        assert called not in CLOCKS or name.startswith(MAY_READ_CLOCKS), where
        assert not re.fullmatch(r"random\.(?!Random$)\w+", called), where
        assert called != "random.Random" or node.args, f"{where} without a seed"
        assert called not in ("hash", "id"), f"{where}, which differs from process to process"


@of_each(CODE)
def test_no_iteration_over_sets(path: Path) -> None:
    """The order of a set depends on the hash seed; `sorted(...)` around it makes it an order."""

    def is_set(node: ast.expr) -> bool:
        called = isinstance(node, ast.Call) and _dotted(node.func) in ("set", "frozenset")
        return called or isinstance(node, ast.Set | ast.SetComp)

    for node in _nodes(_tree(path)):
        loops: list[ast.expr] = []
        if isinstance(node, ast.For):
            loops = [node.iter]
        elif isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp):
            loops = [generator.iter for generator in node.generators]
        elif isinstance(node, ast.Call) and _dotted(node.func) in ("list", "tuple", "enumerate", "iter", "next"):
            loops = list(node.args[:1])
        assert not any(is_set(loop) for loop in loops), f"{_name(path)}:{node.lineno} goes over a set"  # type: ignore[attr-defined]


@of_each(EVERYTHING)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """Module docstrings; an empty `__init__` says nothing and needs none."""
    tree = _tree(path)
    assert not tree.body or ast.get_docstring(tree), f"{_name(path)} has no docstring"


@of_each(CODE)
def test_public_names_are_documented(path: Path) -> None:
    """Public classes and functions at module level have docstrings."""
    if _name(path).startswith(GENERATED):
        return
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{_name(path)}:{node.lineno} {node.name} has no docstring"


@of_each(EVERYTHING)
def test_files_stay_small(path: Path) -> None:
    """At most 400 lines a file, 500 for tests, generated payloads excepted."""
    if not _name(path).startswith(GENERATED):
        lines = path.read_text("utf-8").count("\n")
        assert lines <= MOST_LINES["tests" if _name(path).startswith("tests/") else "code"]


@of_each(EVERYTHING)
def test_nothing_is_left_unfinished_or_local(path: Path) -> None:
    """No marks of unfinished work, no path of one machine, no swallowed exception."""
    text = path.read_text("utf-8")
    words = ("TO" + "DO", "FIX" + "ME", "Not" + "ImplementedError", "/wor" + "k/", "index-" + "url")
    assert not [word for word in words if word in text]
    for node in _nodes(_tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{_name(path)}:{node.lineno} catches everything"
            bare_pass = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
            assert not (bare_pass and _dotted(node.type) in ("Exception", "BaseException")), (
                f"{_name(path)}:{node.lineno}"
            )
