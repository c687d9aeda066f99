"""Where the gateway's time goes: stacks of the running process, sampled from outside while it holds the interpreter.

What a library does is put down to the module of ours that called it.
"""

import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import machine

_FRAME: Final = re.compile(r"(?P<function>.*) \((?P<file>[^()]*?)(?::(?P<line>\d+))?\)")
_OURS: Final = frozenset({"access", "audit", "core", "gateway", "servers", "tools"})
RATE: Final = 200  # samples a second


@dataclass(slots=True)
class Profile:
    """Samples: all of them, and by what."""

    samples: int = 0
    own: Counter[str] = field(default_factory=Counter)  # by the module whose line ran
    on_behalf: Counter[str] = field(default_factory=Counter)  # by the innermost module of ours
    functions: Counter[str] = field(default_factory=Counter)  # by function of ours, with what it calls

    def share(self, *packages: str) -> float:
        """Percent of the time in or on behalf of modules of ours whose names begin so."""
        count = sum(number for module, number in self.on_behalf.items() if module.startswith(packages))
        return 100 * count / max(self.samples, 1)


def record(py_spy: Path, pid: int, seconds: int, into: Path) -> None:
    """Sample a process for some seconds. Raises `CalledProcessError` where the system does not allow it."""
    command = [str(py_spy), "record", "--pid", str(pid), "--duration", str(seconds), "--rate", str(RATE)]
    options = ["--format", "raw", "--output", str(into), "--nonblocking", "--gil"]
    done = subprocess.run(machine.pinned([*command, *options], machine.AROUND), capture_output=True, check=False)
    if done.returncode != 0 or not into.exists():
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)


def read(path: Path) -> Profile:
    """Sum up what `record` wrote: lines of `frame;frame;… count`, the outermost frame first."""
    profile = Profile()
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        found = [match for each in stack.split(";") if (match := _FRAME.fullmatch(each))]
        frames = [(_module(each["file"]), each["function"]) for each in found]
        if frames:
            _add(profile, frames, int(count))
    return profile


def _add(profile: Profile, frames: list[tuple[str, str]], count: int) -> None:
    profile.samples += count
    profile.own[frames[-1][0]] += count
    ours = [(module, function) for module, function in frames if module.partition(".")[0] in _OURS]
    profile.on_behalf[ours[-1][0] if ours else "server loop and interpreter"] += count
    profile.functions.update(dict.fromkeys({f"{module}.{function}" for module, function in ours}, count))


def show(profile: Profile, *, top: int = 16) -> str:
    """Three tables side by side in time: ours by module, anybody's own lines, ours by function."""
    tables = {
        "our modules, with the libraries they call": profile.on_behalf,
        "modules, their own lines": profile.own,
        "our functions, with all they call": profile.functions,
    }
    lines = [f"where the gateway's time goes, by {profile.samples} samples"]
    for title, counter in tables.items():
        lines.append(f"{title:<64}{'%':>8}")
        shown = counter.most_common(2 * top if counter is profile.functions else top)
        lines += [f"  {name:<62}{100 * count / max(profile.samples, 1):>8.1f}" for name, count in shown]
    return "\n".join(lines)


def _module(file: str) -> str:
    """The module of a file as it is named in a stack, relative to the path that it was imported from."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
