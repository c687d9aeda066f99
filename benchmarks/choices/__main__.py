"""Which libraries the hot path uses: `.venv/bin/python -m benchmarks.choices [PART ...]`, all parts by default.

* `parsers`: only a parser that refuses equal keys and keeps every digit can be used, whatever the others' speed.
* `drivers`: the audit writer's commit costs the gateway its CPU and every call its time.
* `servers`: what a request costs before our first line runs.
* `clients`: what it costs to ask the server behind us.
* `validators`: what it costs to hold a call's arguments to the pinned schema.

Nothing of it is a dependency of the product: the candidates are installed beside it (`benchmarks.cache`).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import cache, machine
from benchmarks.choices import servers
from benchmarks.product import database
from controlplane.supervisor import Stopped, stop_on_signals


def main(names: list[str]) -> int:
    """Run the named parts."""
    python = cache.python_of("choices")
    parts: dict[str, Callable[[Path], None]] = {
        "parsers": lambda _: _script(python, "parsers"),
        "drivers": partial(_drivers, python),
        "servers": partial(servers.main, python),
        "clients": partial(_clients, python),
        "validators": lambda _: _script(python, "validators"),
    }
    if unknown := set(names) - set(parts):
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    stop_on_signals()
    os.sched_setaffinity(0, {machine.AROUND})
    for name in names or parts:
        with tempfile.TemporaryDirectory() as directory:
            parts[name](Path(directory))
    return 0


def _drivers(python: str, directory: Path) -> None:
    with ExitStack() as stack:
        services, _ = database(stack, directory)
        _script(python, "drivers", services.database_url)


def _clients(python: str, directory: Path) -> None:
    port = machine.free_port()
    command = [python, "-m", "benchmarks.upstream", str(port)]
    log, ready = directory / "upstream.log", partial(machine.listens, port)
    with machine.running(command, cpu=machine.AROUND, log=log, ready=ready):
        _script(python, "clients", f"http://127.0.0.1:{port}/mcp")


def _script(python: str, name: str, *arguments: str) -> None:
    command = [python, "-m", f"benchmarks.choices.{name}", *arguments]
    subprocess.run(machine.pinned(command, machine.MEASURED), cwd=machine.ROOT, check=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
