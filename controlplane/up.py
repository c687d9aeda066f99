"""`manage.py up`: the whole product on one machine, for development and for trying it out.

Not a Django command: it makes the secrets and starts the database that Django needs to load at all, so
`manage.py` calls it before Django. Everything listens on 127.0.0.1 or on unix sockets. What stays from run to
run is in the state directory; `--fresh` removes it.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from controlplane import devservices
from controlplane.supervisor import ProgramEnded, Stopped, Supervisor, stop_on_signals
from controlplane.upstate import (
    Options,
    UpError,
    agent_file,
    keep_secrets,
    locked_state,
    published,
    write_atomically,
)
from controlplane.upwelcome import ADMIN, GATEWAY, NOTES, WEATHER, demo_url, ready_facts, welcome

ROOT = Path(__file__).resolve().parent.parent
GRACEFUL_SECONDS = {"gateway": 25}  # its calls have 20, and their outcomes are written
PROTOCOLS = {"gateway": "gateway.door:Door"}  # how requests are read
# What only the program that signs the audit log may have.
_THE_SEQUENCERS = (
    *(f"AUDIT_SIGNING_KEY{suffix}" for suffix in ("", "_FILE")),
    *(f"AUDIT_ANCHOR_WEBHOOK{suffix}" for suffix in ("", "_FILE", "_SECRET", "_SECRET_FILE")),
)
# By program: servers that hang must not hold up the log and its alerts.
QUEUES = {"worker": ("poll,scan", 2), "courier": ("audit,alerts", 1), "exporter": ("export", 1)}  # and processes


def main(arguments: list[str]) -> int:
    """Run until Ctrl-C; returns the exit code: 130 or 143 after a signal, 1 when something ended or failed."""
    options = parse(arguments)
    os.umask(0o077)
    stop_on_signals()
    try:
        _run(options)
    except Stopped as stopped:
        print(f"\nStopped by {stopped}.", flush=True)
        return stopped.exit_code
    except (UpError, devservices.ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    except ProgramEnded as ended:
        print(f"\n*** Holdfast has stopped: {ended}. ***", file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str]) -> Options:
    """Read the command line; exits with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(prog="./dev up", description="Run the whole product on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="the console's; the next three are used as well")
    parser.add_argument("--state-dir", type=Path, default=ROOT / ".state", help="where data and secrets stay")
    parser.add_argument("--no-demo", action="store_true", help="no demo servers and no demo data")
    parser.add_argument("--fresh", action="store_true", help="remove what earlier runs left in the state directory")
    parser.add_argument("--ready-file", type=Path, help="a JSON file written once everything answers")
    given = parser.parse_args(arguments)
    if not 1 <= given.port <= 65535 - WEATHER:
        parser.error(f"--port must be from 1 to {65535 - WEATHER}")
    ready_file = given.ready_file.absolute() if given.ready_file else None
    return Options(given.port, given.state_dir.absolute(), not given.no_demo, given.fresh, ready_file)


def _run(options: Options) -> None:
    if options.ready_file:
        options.ready_file.unlink(missing_ok=True)
    refuse_taken_ports(options)
    with ExitStack() as stack:
        stack.enter_context(locked_state(options))
        secret_files = keep_secrets(options.state / "secrets")
        services = stack.enter_context(devservices.running(os.environ, state=options.state, durable=True))
        environment = environment_for(options, services, secret_files)
        stack.enter_context(published(options.state / "environment.json", environment))
        supervisor = stack.enter_context(Supervisor(directory=ROOT))
        prepare_database(supervisor, services, environment)
        token = set_up_installation(environment)
        signing = sequencer_environment(options, environment, secret_files)
        pids = start_programs(supervisor, options, environment, signing)
        wait_for_answers(supervisor, options)
        if options.demo:
            places = ("--notes-url", demo_url(options, NOTES), "--weather-url", demo_url(options, WEATHER))
            command = manage("demo_data", "--administrator", ADMIN, "--agent-file", str(agent_file(options)), *places)
            supervisor.run("demo data", command, environment)
        facts = ready_facts(options, environment, token, services, pids)
        if options.ready_file:
            write_atomically(options.ready_file, json.dumps(facts, indent=2) + "\n")
        print(welcome(options, facts), flush=True)
        supervisor.watch()


def refuse_taken_ports(options: Options) -> None:
    """Raise UpError when a port is taken, before anything has been started."""
    for offset in (0, GATEWAY, *((NOTES, WEATHER) if options.demo else ())):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", options.port + offset))
            except OSError as error:
                raise UpError(
                    f"Port {options.port + offset} cannot be used ({error.strerror}). Stop what uses it, or choose "
                    f"another with --port; {options.port} to {options.port + WEATHER} are needed."
                ) from error


# --- environment -------------------------------------------------------------------------------------------------
def environment_for(options: Options, services: devservices.Services, files: Mapping[str, Path]) -> dict[str, str]:
    """What every program gets: the caller's environment, completed. Never what is the owner's or the sequencer's."""
    web = f"http://127.0.0.1:{options.port}"
    defaults = {
        "PUBLIC_URL": web,
        "GATEWAY_URL": f"http://127.0.0.1:{options.port + GATEWAY}/mcp",
        "OUTBOUND_ALLOW": "127.0.0.0/8",
        "POLL_TICK_SECONDS": "1",  # with a server or two, looking every second costs nothing
        "NOTICE_SECONDS": "0",  # nobody routes here
        "CLIENT_DOCUMENTS": "any",  # a client that somebody is writing has its document anywhere
        "INSTALLATION_ID": "development",
    }
    # A `_FILE` would win over the variable that we set, and hand the owner's step the application's connection.
    dropped = ("DATABASE_ADMIN_URL", "DATABASE_ADMIN_URL_FILE", "DATABASE_URL_FILE", "REDIS_URL_FILE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    kept["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
    for name in _THE_SEQUENCERS:
        kept.pop(name, None)
    given = {name for name in files if name in kept or f"{name}_FILE" in kept}
    ours = {name: path for name, path in files.items() if f"{name}_FILE" not in _THE_SEQUENCERS}
    from_files = {f"{name}_FILE": str(path) for name, path in ours.items() if name not in given}
    urls = {"DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
    return defaults | kept | from_files | urls


def sequencer_environment(
    options: Options, environment: Mapping[str, str], files: Mapping[str, Path]
) -> dict[str, str]:
    """What the sequencer gets besides: the key that nobody else has, and its directory."""
    given = {name: os.environ[name] for name in _THE_SEQUENCERS if os.environ.get(name)}
    if not given.keys() & {"AUDIT_SIGNING_KEY", "AUDIT_SIGNING_KEY_FILE"}:
        given["AUDIT_SIGNING_KEY_FILE"] = str(files["AUDIT_SIGNING_KEY"])
    return {**environment, "AUDIT_STATE_DIR": str(options.state / "sequencer"), **given}


# --- steps -------------------------------------------------------------------------------------------------------
def manage(*arguments: str) -> list[str]:
    """A Django command as a command line."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def prepare_database(supervisor: Supervisor, services: devservices.Services, environment: dict[str, str]) -> None:
    """Migrate as the owner role, then grant the application's role what it needs."""
    if not services.database_admin_url:
        supervisor.say("migrate", "skipped: DATABASE_URL is set and DATABASE_ADMIN_URL, the owner's connection, is not")
        return
    role = str(conninfo_to_dict(services.database_url).get("user", ""))
    as_owner = environment | {"DATABASE_URL": services.database_admin_url}
    supervisor.run("migrate", manage("migrate", "--verbosity", "0", "--skip-checks"), as_owner)
    supervisor.run("grant", manage("grant_roles", "--role", role), as_owner)


def set_up_installation(environment: dict[str, str]) -> str:
    """Built-in roles and the first administrator; returns the administrator's API token of this run."""
    done = subprocess.run(
        manage("setup_installation", "--username", ADMIN, "--print-token"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UpError(f"The installation could not be set up:\n{done.stdout}{done.stderr}")
    return str(json.loads(done.stdout.splitlines()[-1])["api_token"])


def start_programs(
    supervisor: Supervisor, options: Options, environment: dict[str, str], signing: dict[str, str]
) -> dict[str, int]:
    """Start all programs; returns their process ids by name."""
    python, port = sys.executable, options.port
    for name in ("beat", "sequencer"):
        (options.state / name).mkdir(exist_ok=True)
    # As root Celery warns of pickled messages; ours are JSON.
    silence = ["-W", "ignore:You're running the worker with superuser privileges"]
    celery = [python, *silence, "-m", "celery", "--quiet", "-A", "controlplane"]
    workers = {
        name: [*celery, "worker", "-Q", queues, "--concurrency", str(count), "-l", "INFO", "-n", f"{name}-{port}@%h"]
        for name, (queues, count) in QUEUES.items()
    }
    commands = {
        "web": uvicorn("controlplane.asgi:application", port),
        "gateway": uvicorn("gateway.asgi:application", port + GATEWAY),
        **workers,
        "beat": [*celery, "beat", "-l", "WARNING", "--pidfile=", "-s", str(options.state / "beat" / "schedule")],
    }
    if options.demo:
        commands["notes"] = uvicorn("controlplane.demo.notes:application", port + NOTES)
        commands["weather"] = uvicorn("controlplane.demo.weather:application", port + WEATHER)
    pids = {"sequencer": supervisor.start("sequencer", manage("audit_sequencer"), signing)}
    return pids | {name: supervisor.start(name, command, environment) for name, command in commands.items()}


def uvicorn(application: str, port: int) -> list[str]:
    """A web server's command line, without access log (our records say more) and without trust in a proxy."""
    command = [sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)]
    quiet = ["--log-level", "warning", "--no-access-log", "--no-proxy-headers", "--no-server-header"]
    app = application.partition(".")[0]
    patience, protocol = GRACEFUL_SECONDS.get(app, 10), PROTOCOLS.get(app, "auto")
    return [*command, *quiet, "--timeout-graceful-shutdown", str(patience), "--http", protocol]


def wait_for_answers(supervisor: Supervisor, options: Options) -> None:
    """Wait until web, gateway, worker and demo servers answer. Beat has nothing that could be asked."""
    for name, offset in (("web", 0), ("gateway", GATEWAY)):
        address = f"http://127.0.0.1:{options.port + offset}/readyz"
        supervisor.wait_until(partial(answers, address), f"the {name} process", seconds=60)
    for name in ("sequencer", *QUEUES):
        supervisor.wait_until(partial(supervisor.says_ready, name), f"the {name} process", seconds=60)
    for offset in (NOTES, WEATHER) if options.demo else ():
        address = f"http://127.0.0.1:{options.port + offset}/healthz"
        supervisor.wait_until(partial(answers, address), "a demo server", seconds=60)


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(address: str) -> bool:
    """Whether a GET answers 200."""
    try:
        with _DIRECT.open(address, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
