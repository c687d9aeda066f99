"""What the audit log costs a call: `.venv/bin/python -m benchmarks.audit [options]`.

Gateway processes of one product, each in turn on CPU 0 with the same server behind it and the same database: audit off
(nothing of ours can do that; the limit), one commit for each record, group commit without chain and MAC, the same once
more, and what the product does. Rounds are interleaved, every second one backwards, so that what else the machine does
meets all of them; quote ratios. What two processes that do the same differ by is how far the figures can be off. With
1, 16 and 64 callers. Takes about five minutes.
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
BARE, AGAIN = "group commit", "group commit, again"
NAMES: Final = {
    "benchmarks.audit_gateways:off": "audit off",
    "benchmarks.audit_gateways:single": "a commit a record",
    "benchmarks.audit_gateways:unchained": BARE,
    "benchmarks.audit_gateways:again": AGAIN,
    "benchmarks.audit_gateways:chained": OURS,
}
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
    return [
        Target(name, Plan(product.endpoint(SLUG, application), tokens=tokens), product.others[application].pid)
        for application, name in NAMES.items()
    ]


def _compared(found: Mapping[Cell, Sequence[Sample]], level: int) -> list[str]:
    """The product beside each other way, at one number of callers: medians of the ratios of each round."""
    told = ", ".join(f"{_ratio(found, OURS, name, level):.2f} of {name}" for name in NAMES.values() if name != OURS)
    lost, noise = ((1 - _ratio(found, name, BARE, level)) * 100 for name in (OURS, AGAIN))
    means = f"% that chain and MAC cost, {level} callers; the same without them, again: {noise:.1f}"
    return [f"{level:3d} callers: {told}", verdict(means, lost, 10)]


def _ratio(found: Mapping[Cell, Sequence[Sample]], one: str, other: str, level: int) -> float:
    pairs = zip(found[one, level], found[other, level], strict=True)
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
