"""What one process says, those that it forked hear."""

import os
from collections.abc import Iterator

import pytest

from core import stopping


@pytest.fixture(autouse=True)
def nobody_stops() -> Iterator[None]:
    yield
    stopping.go_on()


def test_a_process_is_told_once_and_stays_told() -> None:
    assert not stopping.is_stopping()
    stopping.stop()
    stopping.stop()
    assert stopping.is_stopping()


def test_a_child_hears_what_is_said_after_it_was_forked() -> None:
    ready, told = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.write(ready[1], b".")
        os.read(told[0], 1)
        os._exit(7 if stopping.is_stopping() else 1)
    os.read(ready[0], 1)
    stopping.stop()
    os.write(told[1], b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
