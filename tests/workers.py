"""How the suite is spread over processes (`./dev test` asks for that; pytest's `-n` is xdist's).

Much of it waits, so there is one worker more than processors. A file stays in one worker with the servers that it
started. Stories come when all the rest is done: in two rows beside each other those that mostly wait, and then,
alone, those that fill the machine.
"""

import os
import signal
from contextlib import suppress
from typing import Any

import pytest
from execnet import RemoteError
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# What takes longest begins first, so that no worker is left alone with it at the end.
_LONGEST_FIRST = ("conformance", "browser", "network")
_ROWS = ("stories in one row", "stories in the other", "stories that want the machine")
# In this order. What ends a row may run beside what comes next, so it is short.
_STORIES = {
    "tests/story/test_canary.py": _ROWS[0],
    "tests/conformance/test_authorization.py": _ROWS[0],
    "tests/controlplane/test_dev_up.py": _ROWS[0],
    "tests/story/test_onboarding.py": _ROWS[0],
    "tests/story/test_authorization.py": _ROWS[1],
    "tests/story/test_story.py": _ROWS[1],
    "tests/story/test_console.py": _ROWS[1],
    "tests/story/test_glass.py": _ROWS[1],
    "tests/story/test_proving.py": _ROWS[0],
    "tests/story/test_refused.py": _ROWS[0],
    "tests/gateway/test_faults.py": _ROWS[2],
    "tests/gateway/test_outages.py": _ROWS[2],
    "tests/story/test_hostile.py": _ROWS[2],
    "tests/story/test_rolling.py": _ROWS[2],
}
_PHASES = {_ROWS[0]: 1, _ROWS[1]: 1, _ROWS[2]: 2}  # all else is before them
_END_SECONDS = 60
_LAST = len(_LONGEST_FIRST) + 1 + len(_STORIES)
_nodes: list[WorkerController] = []


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """By file, in the order of the collection, which has the stories last; those of a row are together."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        if file in _STORIES:
            return _STORIES[file]
        return "conformance" if file.startswith("tests/conformance/") else file

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        if self._next_phase():
            for other in self.nodes:  # that may have waited for this one
                self._reschedule(other)

    def _assign_work_unit(self, node: WorkerController) -> None:
        phase = self._next_phase()
        if not any(self._is_before(phase, other) for other in self.nodes if other is not node):
            super()._assign_work_unit(node)

    def _next_phase(self) -> int:
        return _PHASES.get(next(iter(self.workqueue), ""), 0)

    def _is_before(self, phase: int, node: WorkerController) -> bool:
        """Whether it has work of an earlier phase. Its last test does not count: that waits for a next, or the end."""
        earlier = {scope: work for scope, work in self.assigned_work[node].items() if _PHASES.get(scope, 0) < phase}
        return bool(self._pending_of(earlier) > 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """For `--dist loadfile`; xdist has the others."""
    if config.option.dist != "loadfile":
        return None
    config.option.loadscopereorder = False  # it knows only how many tests a file has
    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`. Each costs half a gigabyte, and with very many the machine is not the bound."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors + 1, 8)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker: what takes longest to the front, file by file, stories last. All workers come to the same order."""
    if not hasattr(config, "workerinput"):
        return
    ranks: dict[str, int] = {}
    for item in items:
        file = item.nodeid.split("::", 1)[0]
        ranks[file] = min(ranks.get(file, _LAST), _rank(item))
    items.sort(key=lambda item: ranks[item.nodeid.split("::", 1)[0]])


def _rank(item: pytest.Item) -> int:
    file = item.nodeid.split("::", 1)[0]
    if (item.get_closest_marker("story") is not None) != (file in _STORIES):
        raise pytest.UsageError(f"{file}: whether its tests are stories, tests/workers.py says otherwise.")
    if file in _STORIES:
        return len(_LONGEST_FIRST) + 1 + list(_STORIES).index(file)
    marks = {mark.name for mark in item.iter_markers()}
    return next((rank for rank, name in enumerate(_LONGEST_FIRST) if name in marks), len(_LONGEST_FIRST))


# --- ending early -----------------------------------------------------------------------------------------------
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A worker is interrupted once: by the terminal, by us, or by xdist; what it started is stopped undisturbed."""
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: WorkerController) -> None:
    """In the controller: remember a worker."""
    _nodes.append(node)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt() -> None:
    """In the controller: interrupt the workers too, and wait for them; xdist would kill them after ten seconds."""
    for node in _nodes:
        with suppress(ProcessLookupError):
            os.kill(node.gateway._rinfo().pid, signal.SIGINT)
    for node in _nodes:
        with suppress(OSError, EOFError, RemoteError):  # a timeout is one of the first
            node.channel.waitclose(_END_SECONDS)
