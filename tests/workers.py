"""How the suite is spread over processes (`./dev test` asks for that; pytest's `-n` is xdist's).

Much of it waits, so there is one worker more than processors. A file stays in one worker with the servers that it
started. Stories come when all the rest is done, in two rows beside each other: those that fill the machine, so that
no two of them meet, and those that run the product and mostly wait.
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
_FILLING, _WAITING = "stories that fill the machine", "stories that wait"
# In this order: those that wait for few seconds only come when what fills the machine most is over.
_STORIES = {
    "tests/story/test_rolling.py": _FILLING,
    "tests/story/test_hostile.py": _FILLING,
    "tests/gateway/test_faults.py": _FILLING,
    "tests/gateway/test_outages.py": _FILLING,
    "tests/controlplane/test_dev_up.py": _WAITING,
    "tests/conformance/test_authorization.py": _WAITING,
    "tests/story/test_canary.py": _WAITING,
    "tests/story/test_authorization.py": _WAITING,
    "tests/story/test_story.py": _WAITING,
}
_FEW = 2  # tests that xdist holds ready in a worker, which begins the last one only when there is a next or no more
_END_SECONDS = 60
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
        if self._stories_are_next():
            for other in self.nodes:  # that may have waited for this one
                self._reschedule(other)

    def _reschedule(self, node: WorkerController) -> None:
        if self._stories_are_next() and any(self._is_busy(other) for other in self.nodes if other is not node):
            return
        super()._reschedule(node)

    def _stories_are_next(self) -> bool:
        return next(iter(self.workqueue), None) in (_FILLING, _WAITING)

    def _is_busy(self, node: WorkerController) -> bool:
        """Whether it has anything before the stories to do, but for the last that it holds ready."""
        others = {scope: work for scope, work in self.assigned_work[node].items() if scope not in (_FILLING, _WAITING)}
        return bool(self._pending_of(others) > _FEW)


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
        ranks[file] = min(ranks.get(file, len(_LONGEST_FIRST)), _rank(item))
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
