"""What the gateway costs, beside no gateway and beside others: `.venv/bin/python -m benchmarks.gateway [options]`.

Starts the product (PostgreSQL that syncs, Valkey, web, one gateway process), FastMCP's proxy and ContextForge, each
gateway in turn on CPU 0; the load client, the MCP server behind them and PostgreSQL are on CPU 1. Every answer is
checked. The machine's own speed and what else it does are in all absolute figures: quote ratios.

The first run installs the peers into `~/.cache/holdfast-benchmarks`, which takes minutes. The rest takes ten, most of
it for approving a thousand tools (`--only throughput,revocation` leaves them out).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import cache, commits, lists, machine, peers, profiling, revocation, throughput
from benchmarks.load import Plan
from benchmarks.measuring import Failed, start
from benchmarks.peers import Target
from benchmarks.product import Product, log_of, running_product
from benchmarks.report import verdict
from controlplane.supervisor import Stopped, stop_on_signals

PARTS: Final = ("throughput", "lists", "profile", "revocation")  # in the order in which they can be run
PROFILE_SECONDS: Final = 8
AGENTS: Final = 4
_SMALL: Final = "small"
_LARGE: Final = "large"


class Run:
    """One run: the product and a server behind it, and what the parts measure of them."""

    def __init__(self, options: argparse.Namespace, directory: Path, product: Product, stack: ExitStack) -> None:
        self._options = options
        self._directory = directory
        self._product = product
        self._stack = stack
        self._python = cache.python_of("load")
        self._upstream = self._registered(_SMALL, lists.SMALL)
        self._verdicts: list[str] = []

    def throughput(self) -> None:
        """Direct, ours on both wires, the peers."""
        options = self._options
        targets = [Target(throughput.DIRECT, Plan(self._upstream)), *self._ours(), *self._peers()]
        _say(f"calls: {options.rounds} rounds over {', '.join(target.name for target in targets)}")
        found = throughput.rounds(self._python, targets, options.callers, options.rounds, options.seconds)
        memory = {target.name: machine.peak_mb(target.pid) for target in targets if target.pid}
        print(throughput.table(found, memory), end="\n\n")
        self._verdicts += throughput.verdicts(found)
        commit = self._product.commit_ms()
        sync = machine.sync_ms(self._directory)
        print(f"this disk syncs 8 KB in {sync:.2f} ms, PostgreSQL commits a row in {commit:.2f} ms")
        if 1 in options.callers:
            added = throughput.added_ms(found, throughput.OURS[0])
            print(f"what we add at one caller lasts as long as {added / commit:.1f} such commits", end="\n\n")
            ours = self._plan(_SMALL, "2026", seconds=options.seconds)
            self._verdicts += commits.verdicts(commits.of_one_caller(self._python, ours, self._product.metrics_url))

    def lists(self) -> None:
        """A thousand tools beside thirty."""
        large = self._registered(_LARGE, lists.LARGE)
        plans = {
            ("ours", lists.SMALL): self._plan(_SMALL, "2026"),
            ("ours", lists.LARGE): self._plan(_LARGE, "2026"),
            ("direct", lists.SMALL): Plan(self._upstream),
            ("direct", lists.LARGE): Plan(large),
        }
        found = lists.rounds(self._python, plans, self._options.rounds, self._options.seconds)
        print(lists.table(found), end="\n\n")
        self._verdicts += lists.verdicts(found)

    def revocation(self) -> None:
        """From the decision to the first refused call. Ends Valkey, so it comes last."""
        _say(f"decisions: {self._options.decisions} of each kind, with and without Valkey")
        found = revocation.measure(self._product, _SMALL, self._options.decisions)
        print(revocation.table(found), end="\n\n")
        self._verdicts += revocation.verdicts(found)

    def profile(self) -> None:
        """Where our time goes with 16 callers."""
        py_spy = Path(self._python).parent / "py-spy"
        plan = self._plan(_SMALL, "2026", seconds=PROFILE_SECONDS + 1.0)
        client = start(self._python, plan, 16)
        raw = self._directory / "profile.raw"
        try:
            profiling.record(py_spy, self._product.gateway_pid, PROFILE_SECONDS, raw)
        except subprocess.CalledProcessError as error:
            print(f"no profile: {error.stderr.decode(errors='replace')[-500:]}", end="\n\n")
            return
        finally:
            client.communicate()
        profile = profiling.read(raw)
        print(profiling.show(profile), end="\n\n")
        self._verdicts.append(f"{profile.share('audit.', 'gateway.recorder'):>18.1f}  % of the time goes into records")

    def finish(self) -> None:
        """The figures that have targets."""
        self._verdicts.append(
            verdict("MB that the worker held at most", machine.peak_mb(self._product.gateway_pid), 150, 100)
        )
        print("\n".join(self._verdicts))

    def _ours(self) -> Iterator[Target]:
        for name, wire in zip(throughput.OURS, ("2026", "2025"), strict=True):
            yield Target(name, self._plan(_SMALL, wire), self._product.gateway_pid)

    def _peers(self) -> Iterator[Target]:
        for peer in () if self._options.without_peers else (peers.fastmcp, peers.contextforge):
            yield self._stack.enter_context(peer(self._upstream, self._directory))

    def _plan(self, slug: str, wire: str, *, seconds: float = 3.0) -> Plan:
        """For agents of its own: tokens end soon, and no caller may take all the places that a server has."""
        agents = [self._product.agent(slug) for _ in range(AGENTS)]
        tokens = tuple(map(self._product.token, agents))
        return Plan(self._product.endpoint(slug), wire=wire, tokens=tokens, handshake=wire == "2025", seconds=seconds)

    def _registered(self, slug: str, tools: int) -> str:
        """The URL of a new server with so many tools, which the product knows as `slug`."""
        port = machine.free_port()
        command = [self._python, "-m", "benchmarks.upstream", str(port), str(tools)]
        log, ready = self._directory / f"{slug}.log", partial(machine.listens, port)
        self._stack.enter_context(machine.running(command, cpu=machine.AROUND, log=log, ready=ready))
        url = f"http://127.0.0.1:{port}/mcp"
        _say(f"approving {tools} tools one by one")
        self._product.register(slug, url)
        return url


def main(arguments: list[str]) -> int:
    """Measure and print; the exit code says whether everything could be measured, not whether targets are met."""
    options = _parse(arguments)
    stop_on_signals()
    os.sched_setaffinity(0, {machine.AROUND})
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        product = stack.enter_context(running_product(directory / "product"))
        run = Run(options, directory, product, stack)
        try:
            for part in options.only:
                getattr(run, part)()
        except (Failed, revocation.Unfollowed) as error:
            print(error, file=sys.stderr)
            print(log_of(directory / "product").read_text(errors="replace")[-3000:], file=sys.stderr)
            return 1
        run.finish()
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.gateway", description=__doc__)
    parser.add_argument("--only", type=_parts, default=PARTS, help=", ".join(PARTS))
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    parser.add_argument("--callers", type=_levels, default=(1, 16), help="numbers of callers, such as 1,16,64")
    parser.add_argument("--decisions", type=int, default=20, help="how often each kind of decision is measured")
    return parser.parse_args(arguments)


def _say(what: str) -> None:
    """How far it is, beside the figures."""
    print(f"{time.strftime('%H:%M:%S')} {what} …", file=sys.stderr, flush=True)


def _parts(text: str) -> tuple[str, ...]:
    """The named parts in their order; revocation ends Valkey."""
    asked = set(text.split(","))
    if unknown := asked - set(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return tuple(part for part in PARTS if part in asked)


def _levels(text: str) -> tuple[int, ...]:
    return tuple(int(level) for level in text.split(","))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
