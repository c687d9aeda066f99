"""The product as the benchmark runs it: PostgreSQL that syncs, Valkey, the web process and one gateway process.

The gateway has a CPU to itself, everything else is on the other. The workers are left out: in production they are
on other machines, here they would take the CPU of whoever calls.
"""

import secrets
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg

from access.token_format import checksum
from benchmarks import machine
from controlplane import devpostgres, devservices, up
from controlplane.devprocess import server_account
from controlplane.devservices import Services
from controlplane.supervisor import Supervisor
from controlplane.upstate import Options, keep_secrets
from tests.story.product import Api

GATEWAY: Final = "gateway.asgi:application"
_REASON: Final = "Benchmark."
# As `./dev up` starts them: there is no proxy to believe.
_UVICORN: Final = (
    *("-m", "uvicorn", "--host", "127.0.0.1", "--log-level", "warning"),
    *("--no-access-log", "--no-proxy-headers", "--no-server-header"),
)


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who may call one server."""

    client_id: str
    secret: str
    grant: str
    slug: str


@dataclass(frozen=True, slots=True)
class Process:
    """A further gateway process."""

    pid: int
    url: str


@dataclass(frozen=True, slots=True)
class Product:
    """The running product, met through its API."""

    api: Api
    issuer: str
    gateway_url: str
    gateway_pid: int
    valkey_pid: int
    database_admin_url: str
    others: Mapping[str, Process]

    def endpoint(self, slug: str, application: str = "") -> str:
        """Where agents call a server, through another gateway process where one is named."""
        return f"{self.others[application].url if application else self.gateway_url}/{slug}"

    @property
    def metrics_url(self) -> str:
        """Where the gateway process tells of itself."""
        return f"{self.gateway_url.removesuffix('/mcp')}/metrics"

    def register(self, slug: str, url: str) -> None:
        """A server, looked at, with everything that it shows approved."""
        body = {"slug": slug, "name": slug, "url": url, "environment": "development", "poll_interval": 3600}
        self.api.post("servers/", body)
        self.api.post(f"servers/{slug}/poll/?wait=true", {})
        while waiting := self.api.get("reviews/", server=slug, state="waiting")["results"]:
            chosen = [{"id": review["id"], "digest": review["digest"]} for review in waiting]
            self.api.post("reviews/decide/", {"decision": "approve", "reason": _REASON, "reviews": chosen})
        self.api.post("roles/", {"name": f"user of {slug}", "scopes": [f"mcp:{slug}:call"]})

    def agent(self, slug: str, name: str = "benchmark") -> Agent:
        """An agent with a grant for a server."""
        made = self.api.post("agents/", {"name": f"{name} of {slug}", "grant_types": ["client_credentials"]})
        return Agent(made["client_id"], made["client_secret"], self.grant(slug, made["client_id"]), slug)

    def grant(self, slug: str, client_id: str) -> str:
        """A grant's id."""
        made = self.api.post("grants/", {"role": f"user of {slug}", "agent": client_id})
        return str(made["id"])

    def token(self, agent: Agent) -> str:
        """An access token for the agent's server."""
        data = {"grant_type": "client_credentials", "resource": self.endpoint(agent.slug)}
        return str(self._as_agent(agent, "token", data).json()["access_token"])

    def revoke_token(self, agent: Agent, token: str) -> None:
        """The agent gives its token up (RFC 7009)."""
        self._as_agent(agent, "revoke", {"token": token})

    def second_administrator(self) -> Api:
        """The API as another administrator sees it."""
        self.api.post("people/", {"username": "second", "password": secrets.token_hex(16), "role": "administrator"})
        made = self.api.post("tokens/", {"username": "second"})
        return Api(self.api.base, made["token"])

    def person(self, username: str, slug: str, team: str) -> None:
        """Somebody in a team of their own who may call a server through agents."""
        self.api.post("people/", {"username": username, "password": secrets.token_hex(16)})
        self.api.post("teams/", {"slug": team})
        self.api.post(f"teams/{team}/members/", {"username": username})
        self.api.post("grants/", {"role": f"user of {slug}", "person": username})

    def act_for(self, username: str, token: str) -> None:
        """Give an agent's own token to a person: no browser is here that would allow it by a code."""
        with psycopg.connect(self.database_admin_url, autocommit=True) as connection:
            connection.execute(
                "UPDATE access_accesstoken SET user_id = (SELECT id FROM access_person WHERE username = %s)"
                " WHERE token_checksum = %s",
                (username, checksum(token)),
            )

    def commit_ms(self, times: int = 200) -> float:
        """How long PostgreSQL takes to commit one small row: the median, in milliseconds."""
        took = []
        with psycopg.connect(self.database_admin_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE benchmark_commit (n integer)")
            for number in range(times):
                began = time.perf_counter()
                connection.execute("INSERT INTO benchmark_commit VALUES (%s)", (number,), prepare=True)
                took.append((time.perf_counter() - began) * 1000)
            connection.execute("DROP TABLE benchmark_commit")
        return statistics.median(took)

    def _as_agent(self, agent: Agent, endpoint: str, data: dict[str, str]) -> Any:
        credentials = (agent.client_id, agent.secret)
        answer = httpx2.post(f"{self.issuer}/oauth/{endpoint}/", data=data, auth=credentials, timeout=30)
        answer.raise_for_status()
        return answer


def database(stack: ExitStack, directory: Path) -> tuple[Services, dict[str, str]]:
    """A migrated PostgreSQL that syncs, and Valkey, until the stack is closed; and the product's environment."""
    options = Options(machine.free_port(), directory / "state", demo=False, fresh=False, ready_file=None)
    options.state.mkdir(parents=True)
    for path in (directory, options.state):
        path.chmod(0o711)  # PostgreSQL, which does not run as root, passes through
    services = stack.enter_context(devservices.running({}, state=options.state, durable=True))
    # As root, PostgreSQL cannot reach a private temporary directory, and its data goes elsewhere.
    data = devpostgres.data_directory(options.state / "postgres", server_account())
    stack.callback(shutil.rmtree, data, ignore_errors=True)
    for pid in (services.postgres_pid, services.valkey_pid):
        machine.pin_tree(pid or 0, machine.AROUND)
    environment = up.environment_for(options, services, keep_secrets(options.state / "secrets"))
    with (directory / "setup.log").open("w") as log, Supervisor(directory=machine.ROOT, output=log) as supervisor:
        up.prepare_database(supervisor, services, environment)
    return services, environment


@contextmanager
def running_product(directory: Path, *others: str) -> Iterator[Product]:
    """The product for the length of the block, with a gateway process for each further ASGI application."""
    gateway_port = machine.free_port()
    with ExitStack() as stack:
        services, environment = database(stack, directory)
        issuer = environment["PUBLIC_URL"]
        environment["GATEWAY_URL"] = f"http://127.0.0.1:{gateway_port}/mcp"
        token = up.set_up_installation(environment)
        start = partial(_started, stack, directory, environment)
        start("controlplane.asgi:application", int(issuer.rpartition(":")[2]), machine.AROUND, "auto")
        protocol = up.PROTOCOLS["gateway"]
        gateway_pid = start(GATEWAY, gateway_port, machine.MEASURED, protocol)
        ports = {application: machine.free_port() for application in others}
        more = {
            application: Process(start(application, port, machine.MEASURED, protocol), f"http://127.0.0.1:{port}/mcp")
            for application, port in ports.items()
        }
        yield Product(
            api=Api(f"{issuer}/api/v1/", token),
            issuer=issuer,
            gateway_url=environment["GATEWAY_URL"],
            gateway_pid=gateway_pid,
            valkey_pid=services.valkey_pid or 0,
            database_admin_url=services.database_admin_url,
            others=more,
        )


def log_of(directory: Path, application: str = GATEWAY) -> Path:
    """What a process of the product in `directory` printed."""
    return directory / f"{application.replace(':', '.')}.log"


def _started(
    stack: ExitStack,
    directory: Path,
    environment: dict[str, str],
    application: str,
    port: int,
    cpu: int,
    protocol: str,
) -> int:
    command = [sys.executable, *_UVICORN, "--http", protocol, "--port", str(port), application]
    ready = partial(up.answers, f"http://127.0.0.1:{port}/readyz")
    log = log_of(directory, application)
    return stack.enter_context(machine.running(command, cpu=cpu, log=log, ready=ready, environment=environment)).pid
