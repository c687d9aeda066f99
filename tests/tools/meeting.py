"""Doing things at the same moment, each on a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection

from core.errors import DomainError


def at_once(*commands: Callable[[], object]) -> list[str]:
    """Run `commands` side by side; answers `done`, or the code of the error that a service raised, for each."""
    start = Barrier(len(commands))

    def run(command: Callable[[], object]) -> str:
        try:
            start.wait(timeout=60)
            command()
        except DomainError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))
