"""Virtual environments for what the benchmark needs and the product does not, made once and kept.

They live in `$XDG_CACHE_HOME/holdfast-benchmarks` (`~/.cache` by default), each from a hash-pinned file of
`benchmarks/environments/`. Those files are made from the `.in` files beside them with

    .boot/bin/uv pip compile NAME.in -o NAME.txt --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

_FILES = Path(__file__).resolve().parent / "environments"


def directory() -> Path:
    """Where everything lies that may be removed at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast-benchmarks"


def python_of(name: str) -> str:
    """The interpreter of the environment `name`, installed now if need be. Raises `CalledProcessError`."""
    requirements, place = _FILES / f"{name}.txt", directory() / name
    python, stamp = place / "bin" / "python", place / "installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {name} into {place} …", file=sys.stderr, flush=True)
        venv.create(place, clear=True, with_pip=False)
        # All is listed, so nothing is resolved: older versions of pip stumble over extras where hashes are asked.
        install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        subprocess.run(
            [_base_python(), "-m", "pip", "--python", str(python), *install, "-r", str(requirements)], check=True
        )
        stamp.write_text(wanted)
    return str(python)


def _base_python() -> str:
    """The interpreter that made ours: it has pip (22.3 or newer), which ours has not."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
