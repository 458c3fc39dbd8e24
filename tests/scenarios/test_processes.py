"""Work spread over processes: order, errors with a name, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scenarios.processes import TaskFailed, spread


def _square(number: int) -> tuple[int, int]:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number, os.getpid()


def _knows_the_program(number: int) -> bool:
    """Whether this process has imported what the user started; multiprocessing gives it this name then."""
    return sys.modules["__main__"].__name__ == "__mp_main__"


def _die(number: int) -> None:
    os._exit(number)


def _wait_after_a_sign(file: str) -> None:
    """Tells that it waits, and how it ends."""
    try:
        Path(file).write_text(str(os.getpid()))
        signal.pause()
    finally:
        Path(file).write_text("tidied up")


def _fail_when_there_is(file: str) -> None:
    if file.endswith("never"):
        _wait_after_a_sign(file)
    while not Path(f"{file}.never").exists():
        pass
    raise ValueError("enough")


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_tasks_each_from_its_own_process(jobs: int) -> None:
    begun: list[int] = []
    done: dict[int, int] = {}
    results = spread(
        _square,
        [3, 1, 2],
        ["a", "b", "c"],
        jobs,
        begin=begun.append,
        done=lambda number, result: done.update({number: result[0]}),
    )
    assert [square for square, _ in results] == [9, 1, 4]
    assert len({process for _, process in results} | {os.getpid()}) == 4
    assert begun == [0, 1, 2] and done == {0: 9, 1: 1, 2: 4}


def test_an_error_is_raised_here_with_the_name_of_its_task_and_its_traceback() -> None:
    with pytest.raises(TaskFailed, match="group two failed: ValueError: -1 is negative") as failed:
        spread(_square, [1, -1], ["group one", "group two"], 2)
    assert "in _square" in str(failed.value.__cause__)


def test_a_process_that_dies_without_a_word_is_an_error_too() -> None:
    with pytest.raises(TaskFailed, match="group one failed: its process ended with exit code 7"):
        spread(_die, [7], ["group one"], 1)


def test_the_others_are_ended_when_one_fails_and_may_tidy_up(tmp_path: Path) -> None:
    file = str(tmp_path / "sign")
    with pytest.raises(TaskFailed, match="enough"):
        spread(_fail_when_there_is, [f"{file}.never", file], ["waits", "fails"], 2)
    assert Path(f"{file}.never").read_text() == "tidied up"


def test_what_ends_the_caller_ends_the_processes(tmp_path: Path) -> None:
    file = tmp_path / "sign.never"

    def interrupted(number: int) -> None:
        if number == 1:
            while not file.exists():
                pass
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spread(_wait_after_a_sign, [str(file), "not started"], ["one", "two"], 2, begin=interrupted)
    assert file.read_text() == "tidied up"


def test_no_task_is_no_work() -> None:
    assert spread(_square, [], [], 2) == []


def test_a_process_does_not_import_the_program_that_the_user_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ModuleType("__main__")
    program.__file__ = str(tmp_path / "program.py")
    Path(program.__file__).write_text("")
    monkeypatch.setitem(sys.modules, "__main__", program)
    assert spread(_knows_the_program, [1], ["one"], 1) == [False]
    assert sys.modules["__main__"] is program
