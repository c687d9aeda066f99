"""How the suite is spread over processes (`./dev test` asks for that; pytest's `-n` is xdist's).

Much of it waits, so there is one worker more than processors. A file stays in one worker with the servers that it
started; what runs the whole product, or fills the machine, is together in one, so that no two of them meet.
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
_LONGEST_FIRST = ("story", "conformance", "browser", "network")
_TOGETHER = {
    "tests/story/": "product",
    "tests/controlplane/test_dev_up.py": "product",
    "tests/conformance/": "conformance",
}
_END_SECONDS = 60
_nodes: list[WorkerController] = []


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """By file, in the order of the collection; some files are together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((group for place, group in _TOGETHER.items() if file.startswith(place)), file)


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
    """In a worker: what takes longest to the front, file by file. All workers come to the same order."""
    if not hasattr(config, "workerinput"):
        return
    ranks: dict[str, int] = {}
    for item in items:
        file = item.nodeid.split("::", 1)[0]
        ranks[file] = min(ranks.get(file, len(_LONGEST_FIRST)), _rank(item))
    items.sort(key=lambda item: ranks[item.nodeid.split("::", 1)[0]])


def _rank(item: pytest.Item) -> int:
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
