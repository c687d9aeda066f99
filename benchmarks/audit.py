"""What the audit log costs a call: `.venv/bin/python -m benchmarks.audit [options]`.

Four gateway processes of one product, each in turn on CPU 0 with the same server behind it and the same database: audit
off (nothing of ours can do that; the limit), one commit for each record, group commit without chain and MAC, and the
product as it is. Rounds are interleaved, so that what else the machine does meets all of them; quote ratios. With 1, 16
and 64 callers. Takes about four minutes.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import cache, lists, machine, throughput
from benchmarks.load import Plan
from benchmarks.peers import Target
from benchmarks.product import Product, running_product
from benchmarks.report import verdict
from benchmarks.throughput import Cell, Sample
from controlplane.supervisor import Stopped, stop_on_signals

OURS: Final = "group commit, chained"
OFF, SINGLE, UNCHAINED = (f"benchmarks.audit_gateways:{name}" for name in ("off", "single", "unchained"))
NAMES: Final = {OFF: "audit off", SINGLE: "a commit a record", UNCHAINED: "group commit"}
SLUG: Final = "files"
AGENTS: Final = 4


def main(arguments: list[str]) -> int:
    """Measure and print."""
    options = _parse(arguments)
    python = cache.python_of("load")
    stop_on_signals()
    os.sched_setaffinity(0, {machine.AROUND})
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        product = stack.enter_context(running_product(directory / "product", *NAMES))
        _register(python, product, directory, stack)
        found = throughput.rounds(python, _targets(product), options.callers, options.rounds, options.seconds)
        print(throughput.table(found, {}), end="\n\n")
        print("\n".join(line for level in options.callers for line in _compared(found, level)))
    return 0


def _register(python: str, product: Product, directory: Path, stack: ExitStack) -> None:
    port = machine.free_port()
    command = [python, "-m", "benchmarks.upstream", str(port), str(lists.SMALL)]
    log, ready = directory / "upstream.log", partial(machine.listens, port)
    stack.enter_context(machine.running(command, cpu=machine.AROUND, log=log, ready=ready))
    product.register(SLUG, f"http://127.0.0.1:{port}/mcp")


def _targets(product: Product) -> list[Target]:
    tokens = tuple(product.token(product.agent(SLUG, f"agent {number}")) for number in range(AGENTS))
    others = [
        Target(name, Plan(product.endpoint(SLUG, application), tokens=tokens), product.others[application].pid)
        for application, name in NAMES.items()
    ]
    return [*others, Target(OURS, Plan(product.endpoint(SLUG), tokens=tokens), product.gateway_pid)]


def _compared(found: Mapping[Cell, Sequence[Sample]], level: int) -> list[str]:
    """The product beside each other way, at one number of callers: medians of the ratios of each round."""
    ratios = {name: _ratio(found, name, level) for name in NAMES.values()}
    lost = (1 - ratios[NAMES[UNCHAINED]]) * 100
    told = ", ".join(f"{ratio:.2f} of {name}" for name, ratio in ratios.items())
    return [f"{level:3d} callers: {told}", verdict(f"% that chain and MAC cost, {level} callers", lost, 10)]


def _ratio(found: Mapping[Cell, Sequence[Sample]], other: str, level: int) -> float:
    pairs = zip(found[OURS, level], found[other, level], strict=True)
    return statistics.median(mine.measured.rps / theirs.measured.rps for mine, theirs in pairs)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.audit", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--callers", type=_levels, default=(1, 16, 64), help="numbers of callers, such as 1,16,64")
    return parser.parse_args(arguments)


def _levels(text: str) -> tuple[int, ...]:
    return tuple(int(level) for level in text.split(","))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
